/* A segment that has no -wal (nor a -journal, which one that is being made has) is finished: it is
 * opened as one that nobody writes, so that reading leaves no file behind, whoever reads. While one
 * is read to its end the server may go on in the next, so that is opened before the end of the one
 * before it is believed. Rows of changes and of events are read side by side in one transaction, so
 * that none seems to be missing that was written between two looks. */
#include "store/audit_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/files.h"

/* Rows of one table, by their number. */
struct stream {
	sqlite3_stmt *rows;
	bool is_at_row; /* whose number this is */
	int64_t number;
};

/* A segment that is open. */
struct part {
	char *path;
	sqlite3 *db;
	struct stream changes, events;
	struct audit_segment about;
	uint8_t key[AUDIT_KEY_ID_LEN];
};

struct audit_reader {
	char *log_dir;
	uint32_t *numbers;
	size_t count, at; /* the segment to open next */
	struct part now, next;
	int64_t last;        /* number of the row that was read last, ... */
	int64_t zxid;        /* ... and of the change that was */
	struct stream *used; /* that row's; NULL: none */
	bool is_looking;     /* now was read to its end once, and next is open */
};

static void close_part(struct part *p)
{
	sqlite3_finalize(p->changes.rows);
	sqlite3_finalize(p->events.rows);
	sqlite3_close(p->db);
	mem_free(p->path);
	*p = (struct part){ 0 };
}

static int open_database(struct part *p, char reason[STORE_REASON_LEN])
{
	bool is_finished = !files_has_wal(p->path) && !files_has_journal(p->path);
	char *uri = files_uri(p->path, is_finished);
	int rc = sqlite3_open_v2(uri, &p->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);

	mem_free(uri);
	if (rc != SQLITE_OK) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: cannot open: %s", p->path,
			       p->db != NULL ? sqlite3_errmsg(p->db) : "out of memory");
		return -1;
	}
	(void)sqlite3_busy_timeout(p->db, DB_BUSY_MS);
	/* What stands in the file is data; and whoever closes last must not write. */
	(void)sqlite3_db_config(p->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(p->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return 0;
}

static sqlite3_stmt *ask(struct part *p, const char *sql, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(p->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		(void)db_fail(p->db, "cannot read", reason);
	return stmt;
}

/* One number. 1: it is there; 0: there is none, and *out is 0; -1: it cannot be read. */
static int ask_int(struct part *p, const char *sql, int64_t *out, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = ask(p, sql, reason);
	int rc = stmt != NULL ? sqlite3_step(stmt) : SQLITE_ERROR;
	bool is_there = rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL;

	*out = is_there ? sqlite3_column_int64(stmt, 0) : 0;
	if (stmt != NULL && rc != SQLITE_ROW && rc != SQLITE_DONE)
		(void)db_fail(p->db, "cannot read", reason);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? is_there : -1;
}

/* What the segment says about itself. *is_used: whether anything stands in it. */
static int read_about(struct part *p, bool *is_used, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = ask(p,
				 "SELECT audit_number, audit_mac, audit_key FROM segment "
				 "WHERE prev IS NOT NULL",
				 reason);
	struct slice mac, key;
	int rc;

	*is_used = false;
	if (stmt == NULL)
		return -1;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*is_used = true;
		mac = db_column(stmt, 1);
		key = db_column(stmt, 2);
		p->about.prev.number = sqlite3_column_int64(stmt, 0);
		if (mac.len == AUDIT_MAC_LEN)
			memcpy(p->about.prev.mac, mac.data, mac.len);
		p->about.is_audited = key.data != NULL;
		/* One that is longer is none of ours, whatever it begins with. */
		p->about.key.len = key.len < sizeof(p->key) ? key.len : sizeof(p->key);
		if (key.len > 0)
			memcpy(p->key, key.data, p->about.key.len);
	}
	sqlite3_finalize(stmt);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return 0;
	return db_fail(p->db, "cannot read the table segment", reason);
}

/* What there is to know of the changes besides those on the trail. */
static int read_changes(struct part *p, char reason[STORE_REASON_LEN])
{
	int rc = ask_int(p, "SELECT min(zxid) FROM change WHERE number IS NULL",
			 &p->about.unrecorded, reason);

	if (rc < 0)
		return -1;
	p->about.has_unrecorded = rc == 1;
	return ask_int(p, "SELECT max(zxid) FROM change", &p->about.last_zxid, reason) < 0 ? -1 : 0;
}

static int prepare_rows(struct part *p, char reason[STORE_REASON_LEN])
{
	p->changes.rows = ask(p,
			      "SELECT number, zxid, prev, time, session, identity, address, op, "
			      "path, who, old_version, version, result, detail, mac, record "
			      "FROM change WHERE number > ?1 AND zxid > ?2 ORDER BY zxid",
			      reason);
	if (p->changes.rows == NULL)
		return -1;
	p->events.rows = ask(p,
			     "SELECT number, kind, time, session, address, op, path, who, result, "
			     "count, detail, mac FROM audit WHERE number > ?1 ORDER BY number",
			     reason);
	if (p->events.rows == NULL)
		return -1;
	return read_changes(p, reason);
}

/* Whether a failure says that there is nothing to read: it was removed meanwhile, or its making was
 * cut short, which leaves a journal that a reader cannot roll back. Whoever has either happen to
 * one with rows has removed these, which the chain tells. */
static bool is_nothing(const struct part *p)
{
	return access(p->path, F_OK) != 0 ||
	       (p->db != NULL && sqlite3_extended_errcode(p->db) == SQLITE_READONLY_ROLLBACK);
}

/* 1: p is open; 0: there is nothing in it. */
static int open_part(struct audit_reader *r, uint32_t number, struct part *p,
		     char reason[STORE_REASON_LEN])
{
	int64_t version;
	bool is_used = false;
	int rc;

	*p = (struct part){ .path = files_segment_path(r->log_dir, number) };
	p->about.number = number;
	rc = open_database(p, reason);
	if (rc == 0)
		rc = ask_int(p, "PRAGMA user_version", &version, reason) < 0 ? -1 : 0;
	if (rc == 0 && version > 0)
		rc = read_about(p, &is_used, reason);
	if (rc == 0 && is_used)
		rc = prepare_rows(p, reason);
	if (rc == 0 && is_used)
		return 1;
	if (rc != 0 && is_nothing(p))
		rc = 0;
	close_part(p);
	return rc;
}

/* Segments that came since the directory was looked at. */
static int look_again(struct audit_reader *r, char reason[STORE_REASON_LEN])
{
	uint32_t last = r->count > 0 ? r->numbers[r->count - 1] : 0;

	mem_free(r->numbers);
	r->numbers = NULL;
	r->count = r->at = 0;
	if (files_find_segments(r->log_dir, &r->numbers, &r->count, reason) != 0)
		return -1;
	while (r->at < r->count && r->numbers[r->at] <= last)
		r->at++;
	return 0;
}

/* The next segment with something in it, to r->next. 1, or 0 where there is none. */
static int open_next(struct audit_reader *r, char reason[STORE_REASON_LEN])
{
	int rc = 0;

	if (r->at == r->count)
		rc = look_again(r, reason);
	while (rc == 0 && r->at < r->count)
		rc = open_part(r, r->numbers[r->at++], &r->next, reason);
	return rc;
}

struct audit_reader *audit_reader_open(const char *log_dir, char reason[STORE_REASON_LEN])
{
	struct audit_reader *r = mem_new(sizeof(*r));

	r->log_dir = mem_strdup(log_dir);
	if (files_find_segments(log_dir, &r->numbers, &r->count, reason) == 0)
		return r;
	audit_reader_close(r);
	return NULL;
}

void audit_reader_close(struct audit_reader *r)
{
	if (r == NULL)
		return;
	close_part(&r->now);
	close_part(&r->next);
	mem_free(r->numbers);
	mem_free(r->log_dir);
	mem_free(r);
}

/* ---- rows ---- */

static int64_t version_at(sqlite3_stmt *s, int at)
{
	return sqlite3_column_type(s, at) == SQLITE_NULL ? AUDIT_NO_VERSION
							 : sqlite3_column_int64(s, at);
}

/* A text that a C string can be; else the row is damaged. */
static const char *text_at(sqlite3_stmt *s, int at, struct audit_item *item)
{
	struct slice text = db_column(s, at);

	if (text.data == NULL || strlen(text.data) != text.len) {
		item->is_damaged = true;
		return "";
	}
	return text.data;
}

static void read_change(sqlite3_stmt *s, struct audit_item *item)
{
	*item = (struct audit_item){ .mac = db_column(s, 14), .zxid = sqlite3_column_int64(s, 1) };
	item->change = (struct record_head){
		.zxid = item->zxid,
		.prev = sqlite3_column_int64(s, 2),
		.time_ms = sqlite3_column_int64(s, 3),
		.session = sqlite3_column_int64(s, 4),
		.identity = db_column(s, 5),
		.address = db_column(s, 6),
		.op = text_at(s, 7, item),
		.path = db_column(s, 8),
	};
	item->row = (struct audit_row){
		.number = sqlite3_column_int64(s, 0),
		.kind = "change",
		.change = &item->change,
		.record = db_column(s, 15),
		.time_ms = item->change.time_ms,
		.session = item->change.session,
		.address = item->change.address,
		.op = slice_of(item->change.op),
		.path = item->change.path,
		.note = { .who = db_column(s, 9),
			  .old_version = version_at(s, 10),
			  .version = version_at(s, 11),
			  .detail = db_column(s, 13) },
		.result = db_column(s, 12),
		.count = 1,
	};
}

static void read_event(sqlite3_stmt *s, struct audit_item *item)
{
	*item = (struct audit_item){ .mac = db_column(s, 11) };
	item->row = (struct audit_row){
		.number = sqlite3_column_int64(s, 0),
		.kind = text_at(s, 1, item),
		.time_ms = sqlite3_column_int64(s, 2),
		.session = sqlite3_column_int64(s, 3),
		.address = db_column(s, 4),
		.op = db_column(s, 5),
		.path = db_column(s, 6),
		.note = { .who = db_column(s, 7),
			  .old_version = AUDIT_NO_VERSION,
			  .version = AUDIT_NO_VERSION,
			  .detail = db_column(s, 10) },
		.result = db_column(s, 8),
		.count = sqlite3_column_int64(s, 9),
	};
}

/* To the next row. -1: it cannot be read. */
static int step(struct stream *t)
{
	int rc = sqlite3_step(t->rows);

	t->is_at_row = rc == SQLITE_ROW;
	t->number = t->is_at_row ? sqlite3_column_int64(t->rows, 0) : INT64_MAX;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

/* Look at the segment as it is now, behind what was read. */
static int begin_rows(struct audit_reader *r)
{
	struct part *p = &r->now;

	(void)sqlite3_reset(p->changes.rows);
	(void)sqlite3_reset(p->events.rows);
	if (sqlite3_get_autocommit(p->db) == 0 && db_exec(p->db, "COMMIT") != SQLITE_OK)
		return -1;
	(void)sqlite3_bind_int64(p->changes.rows, 1, r->last);
	(void)sqlite3_bind_int64(p->changes.rows, 2, r->zxid);
	(void)sqlite3_bind_int64(p->events.rows, 1, r->last);
	if (db_exec(p->db, "BEGIN") != SQLITE_OK)
		return -1;
	return step(&p->changes) == 0 && step(&p->events) == 0 ? 0 : -1;
}

static int move_on(struct audit_reader *r)
{
	close_part(&r->now);
	r->now = r->next;
	r->next = (struct part){ 0 };
	r->now.about.path = r->now.path;
	r->now.about.key.data = (const char *)r->now.key;
	r->used = NULL;
	r->is_looking = false;
	r->last = r->zxid = INT64_MIN;
	return begin_rows(r);
}

/* The row that comes next, of whichever table. */
static void take_row(struct audit_reader *r, struct audit_item *item)
{
	struct part *p = &r->now;

	if (p->changes.number < p->events.number) {
		read_change(p->changes.rows, item);
		r->zxid = item->zxid;
		r->used = &p->changes;
	} else {
		read_event(p->events.rows, item);
		r->used = &p->events;
	}
	r->last = item->row.number;
}

static enum audit_read fail(struct part *p, char reason[STORE_REASON_LEN])
{
	(void)db_fail(p->db, "cannot read the audit trail", reason);
	return AUDIT_READ_FAILED;
}

enum audit_read audit_reader_next(struct audit_reader *r, struct audit_item *item,
				  char reason[STORE_REASON_LEN])
{
	int rc;

	while (r->now.db != NULL) {
		if (r->used != NULL && step(r->used) != 0)
			return fail(&r->now, reason);
		r->used = NULL;
		if (r->now.changes.is_at_row || r->now.events.is_at_row) {
			take_row(r, item);
			return AUDIT_READ_ROW;
		}
		if (r->is_looking)
			break;
		rc = open_next(r, reason);
		if (rc <= 0)
			return rc < 0 ? AUDIT_READ_FAILED : AUDIT_READ_END;
		r->is_looking = true;
		if (begin_rows(r) != 0)
			return fail(&r->now, reason);
	}
	if (r->next.db == NULL) {
		rc = open_next(r, reason);
		if (rc <= 0)
			return rc < 0 ? AUDIT_READ_FAILED : AUDIT_READ_END;
	}
	return move_on(r) == 0 ? AUDIT_READ_SEGMENT : fail(&r->now, reason);
}

const struct audit_segment *audit_reader_segment(const struct audit_reader *r)
{
	return &r->now.about;
}
