/* See the header. */
#include "store/segment.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/marker.h"
#include "store/point.h"
#include "store/vfs.h"

enum { SEGMENT_CACHE_KIB = 2048 };

static struct segment *segment_new(const char *dir, uint32_t number)
{
	struct segment *g = mem_new(sizeof(*g));

	g->number = number;
	g->path = files_segment_path(dir, number);
	g->sync_fd = -1;
	g->last_ms = -1;
	return g;
}

void segment_close(struct segment *g, bool keep_wal)
{
	if (g == NULL)
		return;
	vfs_wal_close(g->sync_fd);
	sqlite3_finalize(g->append);
	sqlite3_finalize(g->stamp);
	sqlite3_finalize(g->audit);
	db_close(g->db, keep_wal);
	mem_free(g->path);
	mem_free(g);
}

/* ---- make ---- */

static int count_wal_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct segment *g = ctx;

	(void)db;
	(void)name;
	g->wal_pages = (uint32_t)pages;
	return SQLITE_OK;
}

static void bind_audit(struct segment *g, sqlite3_stmt *stmt, int at)
{
	const struct audit_head *head = &g->audit_prev;

	db_bind_int(stmt, at, head->number);
	db_bind_blob(stmt, at + 1, (struct slice){ (const char *)head->mac, AUDIT_MAC_LEN });
}

static int write_tables(struct segment *g)
{
	sqlite3_stmt *stmt;
	/* Already this may take room, for the wal-index. */
	int rc = db_exec(g->db, "BEGIN IMMEDIATE");
	bool has_room;

	if (rc != SQLITE_OK && rc != SQLITE_FULL)
		db_die(g->db, "store.write_failed");
	if (rc != SQLITE_OK || db_create_schema(g->db, DB_SCHEMA_LOG) != 0)
		return -1;
	stmt = db_prepare(g->db, "INSERT INTO segment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
	db_bind_blob(stmt, 1, (struct slice){ (const char *)g->database, DATABASE_ID_LEN });
	db_bind_int(stmt, 2, g->number);
	db_bind_int(stmt, 3, g->epoch);
	if (g->state == SEGMENT_USED) {
		db_bind_int(stmt, 4, g->prev);
		bind_audit(g, stmt, 5);
	}
	if (g->is_audited)
		db_bind_blob(stmt, 7,
			     (struct slice){ (const char *)g->audit_key, g->audit_key_len });
	has_room = db_run(g->db, stmt);
	sqlite3_finalize(stmt);
	if (!has_room)
		return -1;
	rc = db_exec(g->db, "COMMIT");
	if (rc == SQLITE_FULL)
		return -1;
	if (rc != SQLITE_OK)
		db_die(g->db, "store.commit_failed");
	return 0;
}

int segment_create(struct segment **out, const char *dir, const struct segment *like,
		   char reason[STORE_REASON_LEN])
{
	struct segment *g = segment_new(dir, like->number);
	char *path;

	g->state = like->state;
	memcpy(g->database, like->database, DATABASE_ID_LEN);
	g->epoch = like->epoch;
	g->prev = g->last = like->prev;
	g->audit_prev = g->audit_last = like->audit_prev;
	g->is_audited = like->is_audited;
	g->audit_key_len = like->audit_key_len;
	memcpy(g->audit_key, like->audit_key, sizeof(g->audit_key));
	if (db_open(&g->db, g->path, DB_WRITE, SEGMENT_CACHE_KIB, reason) != 0)
		goto fail;
	(void)sqlite3_wal_hook(g->db, count_wal_pages, g);
	if (write_tables(g) != 0) {
		(void)db_fail(g->db, "cannot make the tables", reason);
		goto fail;
	}
	/* The -wal and its header exist from here to the end of the segment: the core's commits
	 * never wait for the sync of a new header, and this description stays that of the file
	 * SQLite writes to. */
	g->sync_fd = vfs_wal_open(db_path(g->db));
	POINT(segment_filled);
	vfs_wal_sync(g->sync_fd);
	POINT(segment_synced);
	if (vfs_os()->sync_dir(dir) != 0)
		die("store.sync_failed", dir);
	POINT(segment_made);
	*out = g;
	return 0;
fail:
	path = mem_strdup(g->path);
	segment_close(g, true);
	files_remove_database(path);
	mem_free(path);
	return -1;
}

/* ---- open ---- */

/* The columns from at on. False where they are none. */
static bool read_audit(struct segment *g, sqlite3_stmt *stmt, int at)
{
	struct slice mac = db_column(stmt, at + 1);

	if (mac.data == NULL)
		return g->state != SEGMENT_USED;
	if (mac.len != AUDIT_MAC_LEN)
		return false;
	g->audit_prev.number = sqlite3_column_int64(stmt, at);
	memcpy(g->audit_prev.mac, mac.data, mac.len);
	g->audit_last = g->audit_prev;
	g->is_audited = sqlite3_column_type(stmt, at + 2) != SQLITE_NULL;
	return true;
}

static int read_segment_row(struct segment *g, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = NULL;
	struct slice id;
	int rc = STORE_DAMAGED;

	if (sqlite3_prepare_v2(g->db,
			       "SELECT database, number, epoch, prev, audit_number, "
			       "audit_mac, audit_key FROM segment",
			       -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		rc = db_fail(g->db, "cannot read the table segment", reason);
		goto out;
	}
	id = db_column(stmt, 0);
	if (id.len != DATABASE_ID_LEN || sqlite3_column_int64(stmt, 1) != (int64_t)g->number) {
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: the table segment speaks of another file", g->path);
		goto out;
	}
	memcpy(g->database, id.data, DATABASE_ID_LEN);
	g->epoch = (uint32_t)sqlite3_column_int64(stmt, 2);
	g->prev = g->last = sqlite3_column_int64(stmt, 3);
	g->state = sqlite3_column_type(stmt, 3) == SQLITE_NULL ? SEGMENT_PREPARED : SEGMENT_USED;
	if (read_audit(g, stmt, 4))
		rc = 0;
	else
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: the table segment has no mac to go on from", g->path);
out:
	sqlite3_finalize(stmt);
	return rc;
}

/* Where the audit trail goes on from: the row that stmt is at, its number in the column at and its
 * mac behind that. A damaged one is for --verify-audit to find: the registry is served, the chain
 * goes on from what is there. */
static void go_on_from(struct segment *g, sqlite3_stmt *stmt, int at)
{
	struct slice mac = db_column(stmt, at + 1);

	g->audit_last.number = sqlite3_column_int64(stmt, at);
	memset(g->audit_last.mac, 0, AUDIT_MAC_LEN);
	if (mac.len > 0)
		memcpy(g->audit_last.mac, mac.data,
		       mac.len < AUDIT_MAC_LEN ? mac.len : AUDIT_MAC_LEN);
}

/* A table's newest row: its first column, where there is one; the trail's end, where it is that. */
static int read_newest(struct segment *g, const char *sql, int64_t *first, const char *failure,
		       char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_ERROR, rc = 0;

	if (sqlite3_prepare_v2(g->db, sql, -1, &stmt, NULL) == SQLITE_OK)
		step = sqlite3_step(stmt);
	if (step == SQLITE_ROW) {
		*first = sqlite3_column_int64(stmt, 0);
		if (sqlite3_column_int64(stmt, 1) > g->audit_last.number)
			go_on_from(g, stmt, 1);
	} else if (step != SQLITE_DONE) {
		rc = db_fail(g->db, failure, reason);
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int read_last_change(struct segment *g, char reason[STORE_REASON_LEN])
{
	return read_newest(g, "SELECT zxid, number, mac FROM change ORDER BY zxid DESC LIMIT 1",
			   &g->last, "cannot read the newest change", reason);
}

static int read_last_event(struct segment *g, char reason[STORE_REASON_LEN])
{
	return read_newest(g, "SELECT time, number, mac FROM audit ORDER BY number DESC LIMIT 1",
			   &g->last_ms, "cannot read the audit trail's newest row", reason);
}

int segment_open(struct segment **out, const char *dir, uint32_t number,
		 char reason[STORE_REASON_LEN])
{
	struct segment *g = segment_new(dir, number);
	int version = 0, rc = db_open(&g->db, g->path, DB_WRITE, SEGMENT_CACHE_KIB, reason);

	if (rc == 0)
		rc = db_version(g->db, &version, reason);
	if (rc == 0 && version > 0)
		rc = read_segment_row(g, reason);
	if (rc == 0 && version > 0)
		rc = read_last_change(g, reason);
	if (rc == 0 && version > 0)
		rc = read_last_event(g, reason);
	if (rc != 0)
		segment_close(g, true);
	else
		*out = g;
	return rc;
}

bool segment_checkpoint(struct segment *g)
{
	int rc;

	/* A reader in the way is no reason to wait: it is tried again. */
	(void)sqlite3_busy_timeout(g->db, 0);
	rc = sqlite3_wal_checkpoint_v2(g->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_busy_timeout(g->db, DB_BUSY_MS);

	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_FULL)
		return false;
	if (rc != SQLITE_OK)
		db_die(g->db, "store.checkpoint_failed");
	return true;
}

bool segment_settle(struct segment *g, struct marker *m)
{
	char reason[STORE_REASON_LEN];

	if (!segment_checkpoint(g))
		return false;
	if (marker_remove(m, g->number, reason) == 0)
		return true;
	log_warn("store.state_not_written", LOG_TEXT("reason", reason));
	return false;
}

/* ---- write ---- */

void segment_begin(struct segment *g)
{
	db_must_exec(g->db, "BEGIN IMMEDIATE");
}

void segment_stamp(struct segment *g, uint32_t epoch)
{
	if (g->stamp == NULL)
		g->stamp = db_prepare(g->db, "UPDATE segment SET epoch = ?1, prev = ?2, "
					     "audit_number = ?3, audit_mac = ?4");
	g->epoch = epoch;
	g->state = SEGMENT_USED;
	db_bind_int(g->stamp, 1, epoch);
	db_bind_int(g->stamp, 2, g->prev);
	bind_audit(g, g->stamp, 3);
	db_must_run(g->db, g->stamp);
}

static void bind_version(sqlite3_stmt *s, int at, int64_t version)
{
	if (version != AUDIT_NO_VERSION)
		db_bind_int(s, at, version);
}

static void bind_mac(sqlite3_stmt *s, int at, const struct audit_head *head)
{
	db_bind_blob(s, at, (struct slice){ (const char *)head->mac, AUDIT_MAC_LEN });
}

static void bind_trail(sqlite3_stmt *s, const struct audit_row *row, const struct audit_head *head)
{
	db_bind_int(s, 10, row->number);
	db_bind_text(s, 11, row->note.who);
	bind_version(s, 12, row->note.old_version);
	bind_version(s, 13, row->note.version);
	db_bind_text(s, 14, row->result);
	db_bind_text(s, 15, row->note.detail);
	bind_mac(s, 16, head);
}

void segment_append(struct segment *g, const struct record_head *head, struct slice body,
		    const struct audit_row *row, const struct audit_head *audited)
{
	sqlite3_stmt *s = g->append;

	if (s == NULL)
		s = g->append = db_prepare(
			g->db, "INSERT INTO change (zxid, prev, time, session, identity, address, "
			       "op, path, record, number, who, old_version, version, result, "
			       "detail, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
			       "?12, ?13, ?14, ?15, ?16)");
	db_bind_int(s, 1, head->zxid);
	db_bind_int(s, 2, head->prev);
	db_bind_int(s, 3, head->time_ms);
	db_bind_int(s, 4, head->session);
	db_bind_text(s, 5, head->identity);
	db_bind_text(s, 6, head->address);
	db_bind_text(s, 7, slice_of(head->op));
	db_bind_text(s, 8, head->path);
	db_bind_blob(s, 9, body.data != NULL ? body : slice_of(""));
	g->row_bytes += body.len + head->path.len + head->identity.len + head->address.len + 40;
	if (row != NULL) {
		bind_trail(s, row, audited);
		g->audit_last = *audited;
		g->row_bytes += row->note.who.len + row->note.detail.len + AUDIT_MAC_LEN + 20;
	}
	db_must_run(g->db, s);
	g->last = head->zxid;
	g->last_ms = head->time_ms;
}

void segment_audit(struct segment *g, const struct audit_row *row, const struct audit_head *head)
{
	sqlite3_stmt *s = g->audit;

	if (s == NULL)
		s = g->audit =
			db_prepare(g->db, "INSERT INTO audit (number, kind, time, session, who, "
					  "address, op, path, result, count, detail, mac) "
					  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
					  "?11, ?12)");
	db_bind_int(s, 1, row->number);
	db_bind_text(s, 2, slice_of(row->kind));
	db_bind_int(s, 3, row->time_ms);
	db_bind_int(s, 4, row->session);
	db_bind_text(s, 5, row->note.who);
	db_bind_text(s, 6, row->address);
	db_bind_text(s, 7, row->op);
	db_bind_text(s, 8, row->path);
	db_bind_text(s, 9, row->result);
	db_bind_int(s, 10, row->count);
	db_bind_text(s, 11, row->note.detail);
	bind_mac(s, 12, head);
	db_must_run(g->db, s);
	g->audit_last = *head;
	g->last_ms = row->time_ms;
	g->row_bytes += row->note.who.len + row->note.detail.len + row->address.len +
			row->path.len + row->result.len + AUDIT_MAC_LEN + 30;
}

void segment_commit(struct segment *g)
{
	db_must_commit(g->db);
}

/* ---- read ---- */

void segment_reader_init(struct segment_reader *r, struct segment *g)
{
	*r = (struct segment_reader){ .db = g->db };
	r->rows = db_prepare(g->db, "SELECT zxid, prev, time, session, identity, address, op, "
				    "path, record FROM change WHERE zxid > ?1 AND zxid <= ?2 "
				    "ORDER BY zxid");
}

int segment_reader_open(struct segment_reader *r, const char *path, char reason[STORE_REASON_LEN])
{
	struct segment g = { 0 };

	if (db_open(&g.db, path, DB_READ, SEGMENT_CACHE_KIB, reason) != 0)
		return -1;
	segment_reader_init(r, &g);
	r->owns_db = true;
	return 0;
}

void segment_reader_close(struct segment_reader *r)
{
	sqlite3_finalize(r->rows);
	if (r->owns_db)
		db_close(r->db, true);
	*r = (struct segment_reader){ 0 };
}

void segment_reader_seek(struct segment_reader *r, int64_t after, int64_t upto)
{
	db_reset(r->rows);
	db_bind_int(r->rows, 1, after);
	db_bind_int(r->rows, 2, upto);
}

int segment_reader_next(struct segment_reader *r, struct record_head *head, struct slice *body)
{
	int rc = sqlite3_step(r->rows);

	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return -1;
	*head = (struct record_head){
		.zxid = sqlite3_column_int64(r->rows, 0),
		.prev = sqlite3_column_int64(r->rows, 1),
		.time_ms = sqlite3_column_int64(r->rows, 2),
		.session = sqlite3_column_int64(r->rows, 3),
		.identity = db_column(r->rows, 4),
		.address = db_column(r->rows, 5),
		.op = db_column(r->rows, 6).data,
		.path = db_column(r->rows, 7),
	};
	*body = db_column(r->rows, 8);
	return 1;
}

void segment_reader_reset(struct segment_reader *r)
{
	db_reset(r->rows);
}
