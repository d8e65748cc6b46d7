/* See the header. */
#include "store/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/files.h"
#include "store/inspect.h"
#include "store/vfs.h"

static int refuse(const struct segment *g, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s", g->path, what);
	return STORE_DAMAGED;
}

int scan_open_segment(struct segment **out, const char *log_dir, uint32_t number,
		      char reason[STORE_REASON_LEN])
{
	char *path = files_segment_path(log_dir, number);
	int rc = inspect_file(path, reason);

	mem_free(path);
	return rc == 0 ? segment_open(out, log_dir, number, reason) : rc;
}

/* ---- open, newest first, until one begins at or below the tree ---- */

static int check_one(struct scan *s, const struct segment *g, char reason[STORE_REASON_LEN])
{
	/* An unfinished one has no id yet. */
	if (g->state == SEGMENT_UNFINISHED)
		return 0;
	if (memcmp(g->database, s->tree.database, DATABASE_ID_LEN) != 0)
		return refuse(g, "belongs to another database than tree.db (foreign database id)",
			      reason);
	if (g->epoch > s->epoch)
		s->epoch = g->epoch;
	return 0;
}

/* Unused segments may lie between used ones: a start makes its own before it removes those that
 * were prepared. That nothing is missing is for the chain to say. */
static int open_segments(struct scan *s, char reason[STORE_REASON_LEN])
{
	for (s->first = s->count; s->first > 0;) {
		struct scan_item *item = &s->items[s->first - 1];
		struct segment *g;
		int rc = scan_open_segment(&item->segment, s->log_dir, item->number, reason);

		if (rc != 0)
			return rc;
		s->first--;
		g = item->segment;
		item->state = g->state;
		item->prev = g->prev;
		item->last = g->last;
		item->has_audit = g->audit_last.number > g->audit_prev.number;
		rc = check_one(s, g, reason);
		if (rc != 0)
			return rc;
		if (g->state == SEGMENT_USED && g->prev <= s->tree.zxid)
			break;
	}
	return 0;
}

/* ---- the chain ---- */

static int broken_chain(const struct segment *g, int64_t zxid, int64_t prev, int64_t expected,
			char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: the log has a gap: what follows 0x%" PRIx64 " names 0x%" PRIx64
		       " as the change before 0x%" PRIx64,
		       g->path, (uint64_t)expected, (uint64_t)prev, (uint64_t)zxid);
	return STORE_DAMAGED;
}

/* Follow the rows of g above *at by their predecessors. */
static int follow_rows(struct scan *s, struct segment *g, int64_t *at,
		       char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = db_try_prepare(g->db, "SELECT zxid, prev FROM change WHERE zxid > ?1 "
						   "ORDER BY zxid");
	int rc, result = 0;

	if (stmt == NULL)
		return db_fail(g->db, "cannot read the changes", reason);
	db_bind_int(stmt, 1, s->tree.zxid);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t zxid = sqlite3_column_int64(stmt, 0);
		int64_t prev = sqlite3_column_int64(stmt, 1);

		if (prev != *at) {
			result = broken_chain(g, zxid, prev, *at, reason);
			goto out;
		}
		*at = zxid;
		s->rows++;
	}
	if (rc != SQLITE_DONE)
		result = db_fail(g->db, "cannot read the changes", reason);
out:
	sqlite3_finalize(stmt);
	return result;
}

static int check_chain(struct scan *s, char reason[STORE_REASON_LEN])
{
	int64_t at = s->tree.zxid;
	const struct segment *before = NULL;

	for (size_t i = s->first; i < s->count; i++) {
		struct segment *g = s->items[i].segment;
		int rc;

		if (g->state != SEGMENT_USED)
			continue;
		if (before != NULL && g->prev != before->last)
			return broken_chain(g, g->last, g->prev, before->last, reason);
		if (before == NULL && g->prev > s->tree.zxid)
			return broken_chain(g, g->last, g->prev, s->tree.zxid, reason);
		rc = follow_rows(s, g, &at, reason);
		if (rc != 0)
			return rc;
		s->audit = g->audit_last;
		before = g;
	}
	s->last = before != NULL ? before->last : 0;
	if (s->last >= s->tree.zxid)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: the log ends at 0x%" PRIx64 ", below the tree, which is at 0x%" PRIx64,
		       s->log_dir, (uint64_t)s->last, (uint64_t)s->tree.zxid);
	return STORE_DAMAGED;
}

int scan_log(struct scan *s, const char *log_dir, const struct rows_meta *tree,
	     char reason[STORE_REASON_LEN])
{
	uint32_t *numbers;
	int rc;

	*s = (struct scan){ .log_dir = log_dir, .tree = *tree };
	if (files_list_segments(log_dir, &numbers, &s->count, &s->highest, reason) != 0)
		return -1;
	s->items = mem_new((s->count + 1) * sizeof(*s->items));
	for (size_t i = 0; i < s->count; i++)
		s->items[i].number = numbers[i];
	mem_free(numbers);
	rc = open_segments(s, reason);
	return rc == 0 ? check_chain(s, reason) : rc;
}

void scan_sync(struct scan *s)
{
#ifndef ZOOLITE_MUTANT_NO_START_SYNC
	/* All of them: the newest with rows may be followed by ones without. */
	for (size_t i = s->first; i < s->count; i++)
		vfs_wal_sync_open(db_path(s->items[i].segment->db));
#else
	(void)s;
#endif
}

/* One that lies below the tree. Whether it is settled. */
static int settle_old(struct scan *s, uint32_t number, char reason[STORE_REASON_LEN])
{
	char *path = files_segment_path(s->log_dir, number);
	bool has_wal = files_wal_bytes(path) > 0, done = true;
	struct segment *g;

	mem_free(path);
	if (!has_wal)
		return 1;
	if (segment_open(&g, s->log_dir, number, reason) != 0)
		return -1;
	/* Others' files are left alone. */
	if (memcmp(g->database, s->tree.database, DATABASE_ID_LEN) == 0)
		done = segment_checkpoint(g);
	segment_close(g, true);
	return done;
}

int scan_settle(struct scan *s, char reason[STORE_REASON_LEN])
{
	int held_up = 0;

	for (size_t i = 0; i < s->count; i++) {
		int rc = i < s->first ? settle_old(s, s->items[i].number, reason)
				      : segment_checkpoint(s->items[i].segment);

		if (rc < 0)
			return -1;
		held_up += rc == 0;
	}
	return held_up;
}

/* ---- use ---- */

static int load_segment(struct segment *g, int64_t after, const struct store_loader *l,
			char reason[STORE_REASON_LEN])
{
	struct segment_reader reader;
	struct record_head head;
	struct slice body;
	int rc;

	segment_reader_init(&reader, g);
	segment_reader_seek(&reader, after, INT64_MAX);
	while ((rc = segment_reader_next(&reader, &head, &body)) == 1)
		l->change(l->ctx, &head, body);
	if (rc < 0)
		rc = db_fail(g->db, "cannot read the changes", reason);
	segment_reader_close(&reader);
	return rc;
}

int scan_load(struct scan *s, const struct store_loader *l, char reason[STORE_REASON_LEN])
{
	for (size_t i = s->first; i < s->count; i++) {
		int rc = 0;

		if (s->items[i].state == SEGMENT_USED)
			rc = load_segment(s->items[i].segment, s->tree.zxid, l, reason);
		if (rc != 0)
			return rc;
	}
	return 0;
}

void scan_close(struct scan *s)
{
	/* The replay thread checkpoints them, not the start. */
	for (size_t i = 0; i < s->count; i++) {
		segment_close(s->items[i].segment, true);
		s->items[i].segment = NULL;
	}
}

void scan_fini(struct scan *s)
{
	scan_close(s);
	mem_free(s->items);
	*s = (struct scan){ 0 };
}
