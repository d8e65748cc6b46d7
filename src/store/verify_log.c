/* See the header. A running server appends, begins segments and removes the oldest meanwhile: what
 * was read of the newest is read on where the next begins behind it. */
#include "store/verify_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/files.h"
#include "store/readonly.h"

enum { FAULT_LEN = 1024, SHOWN = 300 };

struct check {
	const struct rows_meta *tree;
	const struct verify_teller *teller;
	struct verify_log_report *report;
	bool has_begun;
	const char *path; /* of the segment */
	sqlite3 *db;
	char *before; /* path of the segment before, where there is one */
};

printf_like(2, 3) static void fault(struct check *k, const char *format, ...)
{
	char text[FAULT_LEN];
	va_list args;
	int len;

	if (k->report->faults++ >= VERIFY_MOST)
		return;
	len = snprintf(text, sizeof(text), "%.*s: ", SHOWN, k->path);
	va_start(args, format);
	(void)vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
	va_end(args);
	k->teller->fault(k->teller->ctx, text);
}

static sqlite3_stmt *ask(struct check *k, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(k->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fault(k, "cannot be read: %s", sqlite3_errmsg(k->db));
	return stmt;
}

static void end(struct check *k, sqlite3_stmt *stmt, int rc)
{
	if (stmt != NULL && rc != SQLITE_DONE && rc != SQLITE_ROW)
		fault(k, "cannot be read: %s", sqlite3_errmsg(k->db));
	sqlite3_finalize(stmt);
}

/* ---- rows ---- */

static bool is_record(struct slice body)
{
	struct record_reader reader;
	struct record_item item;
	enum record_item_kind kind;

	record_reader_init(&reader, body);
	do
		kind = record_read(&reader, &item);
	while (kind != RECORD_ITEM_END && kind != RECORD_ITEM_BAD);
	return kind == RECORD_ITEM_END;
}

/* What follows the newest change that was read so far. */
static void follow(struct check *k)
{
	struct verify_log_report *r = k->report;
	sqlite3_stmt *stmt =
		ask(k, "SELECT zxid, prev, record FROM change WHERE zxid > ?1 ORDER BY zxid");
	int rc = SQLITE_DONE;

	if (stmt != NULL)
		db_bind_int(stmt, 1, r->last);
	while (stmt != NULL && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t zxid = sqlite3_column_int64(stmt, 0);
		int64_t prev = sqlite3_column_int64(stmt, 1);

		if (prev != r->last)
			fault(k,
			      "change 0x%" PRIx64 " follows 0x%" PRIx64 ", and the one before "
			      "it is 0x%" PRIx64,
			      (uint64_t)zxid, (uint64_t)prev, (uint64_t)r->last);
		if (!is_record(db_column(stmt, 2)))
			fault(k, "the record of change 0x%" PRIx64 " is damaged", (uint64_t)zxid);
		r->last = zxid;
		r->changes++;
	}
	end(k, stmt, rc);
}

/* The server may have gone on in the segment that was read last, before it began this one. */
static void follow_before(struct check *k)
{
	const char *path = k->path;
	char reason[DB_REASON_LEN];
	sqlite3 *db = k->db;

	k->path = k->before;
	if (access(k->path, F_OK) == 0 && readonly_open(&k->db, k->path, reason) == 0) {
		follow(k);
		readonly_close(k->db);
	}
	k->path = path;
	k->db = db;
}

/* ---- segments ---- */

/* What it says about itself. False: nothing stands in it. */
static bool check_head(struct check *k, int64_t *prev)
{
	sqlite3_stmt *stmt = ask(k, "SELECT database, epoch, prev FROM segment");
	int rc = stmt != NULL ? sqlite3_step(stmt) : SQLITE_DONE;
	bool is_used = false;

	if (rc == SQLITE_ROW) {
		struct slice id = db_column(stmt, 0);
		uint32_t epoch = (uint32_t)sqlite3_column_int64(stmt, 1);

		if (id.len != DATABASE_ID_LEN ||
		    memcmp(id.data, k->tree->database, DATABASE_ID_LEN) != 0)
			fault(k, "belongs to another database than the tree");
		if (epoch > k->report->epoch)
			k->report->epoch = epoch;
		is_used = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
		*prev = sqlite3_column_int64(stmt, 2);
	}
	end(k, stmt, rc);
	return is_used;
}

static void check_integrity(struct check *k)
{
	sqlite3_stmt *stmt = ask(k, "PRAGMA integrity_check(20)");
	int rc = SQLITE_DONE;

	while (stmt != NULL && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct slice text = db_column(stmt, 0);

		if (!slice_is(text, "ok"))
			fault(k, "integrity check: %.*s",
			      (int)(text.len < SHOWN ? text.len : SHOWN), text.data);
	}
	end(k, stmt, rc);
}

static void check_open(struct check *k)
{
	struct verify_log_report *r = k->report;
	char reason[DB_REASON_LEN];
	int version;
	int64_t prev;

	if (db_version(k->db, &version, reason) != 0) {
		fault(k, "%s", reason);
		return;
	}
	/* Its making was cut short, or is under way. */
	if (version == 0)
		return;
	check_integrity(k);
	if (!check_head(k, &prev))
		return;
	if (k->has_begun && prev != r->last && k->before != NULL)
		follow_before(k);
	if (!k->has_begun)
		r->first_prev = r->last = prev;
	else if (prev != r->last)
		fault(k, "follows 0x%" PRIx64 ", and the segment before ends at 0x%" PRIx64,
		      (uint64_t)prev, (uint64_t)r->last);
	k->has_begun = true;
	r->last = prev;
	r->segments++;
	follow(k);
	mem_free(k->before);
	k->before = mem_strdup(k->path);
}

static void check_segment(struct check *k)
{
	char reason[DB_REASON_LEN];

	if (readonly_open(&k->db, k->path, reason) == 0) {
		check_open(k);
		readonly_close(k->db);
		return;
	}
	/* A running server removed it meanwhile, as it does with the oldest. */
	if (access(k->path, F_OK) != 0 && !k->has_begun)
		return;
	fault(k, "%s", reason);
}

int verify_log(const char *log_dir, const struct rows_meta *tree, const struct verify_teller *t,
	       struct verify_log_report *out)
{
	struct check k = { .tree = tree, .teller = t, .report = out };
	char reason[STORE_REASON_LEN];
	uint32_t *numbers;
	size_t count;

	*out = (struct verify_log_report){ 0 };
	if (files_find_segments(log_dir, &numbers, &count, reason) != 0) {
		out->faults++;
		t->fault(t->ctx, reason);
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		char *path = files_segment_path(log_dir, numbers[i]);

		k.path = path;
		check_segment(&k);
		mem_free(path);
	}
	mem_free(numbers);
	mem_free(k.before);
	k.path = log_dir;
	if (out->first_prev > tree->zxid)
		fault(&k, "begins behind 0x%" PRIx64 ", and the tree ends at 0x%" PRIx64,
		      (uint64_t)out->first_prev, (uint64_t)tree->zxid);
	if (out->last < tree->zxid)
		fault(&k, "ends at 0x%" PRIx64 ", below the tree, which is at 0x%" PRIx64,
		      (uint64_t)out->last, (uint64_t)tree->zxid);
	return out->faults == 0 ? 0 : -1;
}
