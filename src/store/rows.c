/* See the header. Statements are prepared when first used, stepped, copied from and reset inside
 * one function: no read transaction outlives a call, so the writer's checkpoints are never held
 * up. */
#include "store/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/acl_store.h"
#include "store/files.h"
#include "store/vfs.h"
#include "store/visitor.h"

enum { RESTART_BUSY_MS = 100 };

struct rows {
	sqlite3 *db;
	int version; /* of the schema */
	struct rows_meta meta;
	/* reader */
	sqlite3_stmt *read;
	sqlite3_stmt *list;
	struct buf scratch; /* holds the slices that rows_read_znode lent */
	/* writer */
	sqlite3_stmt *insert;
	sqlite3_stmt *remove;
	sqlite3_stmt *update[RECORD_ALL]; /* by columns */
	sqlite3_stmt *read_acl;
	sqlite3_stmt *put_session;
	sqlite3_stmt *remove_session;
	sqlite3_stmt *put_meta;
	sqlite3_stmt *count_free;
	struct acl_store *acls;
	struct rows_meta before; /* of the batch */
	struct visitor *visitor;
	bool is_full; /* the batch met a full disk: nothing more is written */
};

/* Lines a second. */
enum { READ_ERRORS_LOGGED = 5 };

/* Numbers of the parameters, in every statement that writes a znode. */
enum {
	P_PARENT = 1,
	P_NAME,
	P_DATA,
	P_MZXID,
	P_MTIME,
	P_VERSION,
	P_ACL,
	P_AVERSION,
	P_PZXID,
	P_CREATES,
	P_NUM_CHILDREN,
	P_CZXID,
	P_CTIME,
	P_OWNER,
};

#define ZNODE_COLUMNS                                                                    \
	"z.data, z.mzxid, z.mtime, z.version, acl.acl, z.aversion, z.pzxid, z.creates, " \
	"z.num_children, z.czxid, z.ctime, z.owner"

/* Both halves of the list are answered by an index alone. The root's own row has parent '', so no
 * path lists it. */
static const char read_sql[] = "SELECT " ZNODE_COLUMNS " FROM znode AS z "
			       "JOIN acl ON acl.key = z.acl "
			       "WHERE z.parent = ?1 AND z.name = ?2 AND z.owner <= 0",
		  list_sql[] = "SELECT name FROM znode AS z WHERE parent = ?1 AND NOT EXISTS ("
			       "SELECT 1 FROM znode AS e INDEXED BY znode_ephemeral "
			       "WHERE e.parent = ?1 AND e.name = z.name AND e.owner > 0)";

/* ---- open ---- */

static int read_meta(struct rows *r, const char *key, sqlite3_stmt **stmt,
		     char reason[STORE_REASON_LEN])
{
	int rc;

	if (sqlite3_prepare_v2(r->db, "SELECT value FROM meta WHERE key = ?1", -1, stmt, NULL) !=
	    SQLITE_OK)
		return db_fail(r->db, "cannot read the table meta", reason);
	db_bind_text(*stmt, 1, slice_of(key));
	rc = sqlite3_step(*stmt);
	if (rc == SQLITE_ROW)
		return 0;
	if (rc != SQLITE_DONE)
		return db_fail(r->db, "cannot read the table meta", reason);
	(void)snprintf(reason, STORE_REASON_LEN, "%s: the table meta has no '%s'", db_path(r->db),
		       key);
	return STORE_DAMAGED;
}

static int load_meta(struct rows *r, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = NULL;
	struct slice id;
	int rc = read_meta(r, "database", &stmt, reason);

	if (rc != 0)
		goto out;
	id = db_column(stmt, 0);
	if (id.len != DATABASE_ID_LEN) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: the database id is damaged",
			       db_path(r->db));
		rc = STORE_DAMAGED;
		goto out;
	}
	memcpy(r->meta.database, id.data, DATABASE_ID_LEN);
	sqlite3_finalize(stmt);
	stmt = NULL;
	rc = read_meta(r, "zxid", &stmt, reason);
	if (rc != 0)
		goto out;
	r->meta.zxid = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	stmt = NULL;
	rc = read_meta(r, "znodes", &stmt, reason);
	if (rc == 0)
		r->meta.znodes = (uint64_t)sqlite3_column_int64(stmt, 0);
out:
	sqlite3_finalize(stmt);
	return rc;
}

/* Once the disk was full the transaction may be gone: what came then would stand for itself. */
static bool has_no_room(const struct rows *r)
{
	return r->is_full || (r->acls != NULL && acl_store_is_full(r->acls));
}

static void run(struct rows *r, sqlite3_stmt *stmt)
{
	if (has_no_room(r))
		db_reset(stmt);
	else
		r->is_full = !db_run(r->db, stmt);
}

static void put_meta(struct rows *r, const char *key, int64_t value)
{
	if (r->put_meta == NULL)
		r->put_meta = db_prepare(r->db, "INSERT OR REPLACE INTO meta VALUES (?1, ?2)");
	db_bind_text(r->put_meta, 1, slice_of(key));
	db_bind_int(r->put_meta, 2, value);
	run(r, r->put_meta);
}

static int create(struct rows *r, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt;

	crypto_random(r->meta.database, DATABASE_ID_LEN);
	db_must_exec(r->db, "BEGIN IMMEDIATE");
	if (db_create_schema(r->db, DB_SCHEMA_TREE) != 0)
		return db_fail(r->db, "cannot make the tables", reason);
	stmt = db_prepare(r->db, "INSERT INTO meta VALUES ('database', ?1)");
	db_bind_blob(stmt, 1, (struct slice){ (const char *)r->meta.database, DATABASE_ID_LEN });
	db_must_run(r->db, stmt);
	sqlite3_finalize(stmt);
	put_meta(r, "zxid", 0);
	put_meta(r, "znodes", 0);
	if (r->is_full || db_exec(r->db, "COMMIT") != SQLITE_OK)
		return db_fail(r->db, "cannot make the tables", reason);
	r->version = DB_VERSION;
	return 0;
}

/* Have the tables and the file's name on disk: a log that begins must find its tree. Also where
 * they were found: whoever made them may have been killed before this. */
static void sync_tables(struct rows *r)
{
	const char *slash = strrchr(db_path(r->db), '/');
	char *dir = mem_dup(db_path(r->db), (size_t)(slash - db_path(r->db)));

	vfs_wal_sync_open(db_path(r->db));
	if (vfs_os()->sync_dir(dir[0] != '\0' ? dir : "/") != 0)
		die("store.sync_failed", dir);
	mem_free(dir);
}

/* Whether the file holds nothing at all, so that a version of 0 means new and not foreign. */
static int check_empty(struct rows *r, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(r->db, "SELECT count(*) FROM sqlite_schema", -1, &stmt, NULL);
	bool empty = rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
		     sqlite3_column_int64(stmt, 0) == 0;

	sqlite3_finalize(stmt);
	if (empty)
		return 0;
	(void)snprintf(
		reason, STORE_REASON_LEN,
		"%s: is not a tree of this program (a foreign file, or its schema version is "
		"damaged)",
		db_path(r->db));
	return STORE_DAMAGED;
}

/* Whether the tables are there that a start and the core ask. */
static int check_tables(struct rows *r, char reason[STORE_REASON_LEN])
{
	r->read = db_try_prepare(r->db, read_sql);
	r->list = db_try_prepare(r->db, list_sql);
	if (r->read != NULL && r->list != NULL)
		return 0;
	return db_fail(r->db, "its tables are not those of this program", reason);
}

/* Open the file, as one with checksums where it is empty: one that another version made, and was
 * killed before it had made the tables, is made anew. */
static int open_file(struct rows *r, const char *path, enum db_role role, uint32_t cache_kib,
		     bool may_create, char reason[STORE_REASON_LEN])
{
	int rc = db_open(&r->db, path, role, cache_kib, reason);

	if (rc == 0)
		rc = db_version(r->db, &r->version, reason);
	if (rc != 0 || r->version > 0)
		return rc;
	rc = check_empty(r, reason);
	if (rc != 0)
		return rc;
	if (!may_create) {
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: is missing or empty, but there is a log", path);
		return STORE_DAMAGED;
	}
	if (vfs_has_checksums(r->db))
		return 0;
	db_close(r->db, true);
	r->db = NULL;
	files_remove_database(path);
	return db_open(&r->db, path, role, cache_kib, reason);
}

static int prepare_tables(struct rows *r, char reason[STORE_REASON_LEN])
{
	if (r->version == 0)
		return create(r, reason);
	return check_tables(r, reason) != 0 ? STORE_DAMAGED : load_meta(r, reason);
}

int rows_open(struct rows **out, const char *path, enum db_role role, uint32_t cache_kib,
	      bool may_create, char reason[STORE_REASON_LEN])
{
	struct rows *r = mem_new(sizeof(*r));
	int rc;

	buf_init(&r->scratch, SIZE_MAX);
	rc = open_file(r, path, role, cache_kib, may_create && role == DB_WRITE, reason);
	if (rc == 0)
		rc = prepare_tables(r, reason);
	if (rc != 0) {
		rows_close(r, true);
		return rc;
	}
	if (role == DB_WRITE) {
		sync_tables(r);
		r->acls = acl_store_new(r->db);
	}
	*out = r;
	return 0;
}

void rows_close(struct rows *r, bool keep_wal)
{
	if (r == NULL)
		return;
	sqlite3_finalize(r->read);
	sqlite3_finalize(r->list);
	sqlite3_finalize(r->insert);
	sqlite3_finalize(r->remove);
	for (size_t i = 0; i < RECORD_ALL; i++)
		sqlite3_finalize(r->update[i]);
	sqlite3_finalize(r->read_acl);
	acl_store_free(r->acls);
	sqlite3_finalize(r->put_session);
	sqlite3_finalize(r->remove_session);
	sqlite3_finalize(r->put_meta);
	sqlite3_finalize(r->count_free);
	db_close(r->db, keep_wal);
	visitor_free(r->visitor);
	buf_fini(&r->scratch);
	mem_free(r);
}

int rows_check(struct rows *r, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = db_try_prepare(r->db, "PRAGMA integrity_check(1)");
	struct slice said = { 0 };
	int rc = 0;

	if (stmt == NULL || sqlite3_step(stmt) != SQLITE_ROW)
		(void)db_fail(r->db, "its structure is damaged", reason);
	else
		said = db_column(stmt, 0);
	if (said.data == NULL) {
		rc = STORE_DAMAGED;
	} else if (!slice_is(said, "ok")) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: its structure is damaged: %.*s",
			       db_path(r->db), (int)said.len, said.data);
		rc = STORE_DAMAGED;
	}
	sqlite3_finalize(stmt);
	return rc;
}

bool rows_settle(struct rows *r)
{
	int rc;

	(void)sqlite3_busy_timeout(r->db, 0);
	rc = sqlite3_wal_checkpoint_v2(r->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_busy_timeout(r->db, DB_BUSY_MS);
	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_FULL)
		return false;
	if (rc != SQLITE_OK)
		db_die(r->db, "store.checkpoint_failed");
	return true;
}

sqlite3 *rows_db(struct rows *r)
{
	return r->db;
}

int rows_version(const struct rows *r)
{
	return r->version;
}

const struct rows_meta *rows_meta(const struct rows *r)
{
	return &r->meta;
}

void rows_split_path(struct slice path, struct slice *parent, struct slice *name)
{
	size_t at = path.len;

	while (at > 0 && path.data[at - 1] != '/')
		at--;
	*name = (struct slice){ path.data + at, path.len - at };
	if (path.len <= 1)
		*parent = (struct slice){ "", 0 };
	else if (at <= 1)
		*parent = (struct slice){ "/", 1 };
	else
		*parent = (struct slice){ path.data, at - 1 };
}

struct slice rows_join_path(struct buf *b, struct slice parent, struct slice name)
{
	buf_clear(b);
	if (parent.len > 1)
		buf_put(b, parent);
	buf_put(b, slice_of("/"));
	buf_put(b, name);
	if (b->is_cut)
		die("store.no_memory", "a path is too long");
	return buf_slice(b);
}

/* ---- read ---- */

/* Clients may ask for what cannot be read as often as they like. */
static void tell_unreadable(struct rows *r, const char *reason)
{
	static struct log_limit limit;
	uint32_t suppressed;

	metrics_add(METRIC_tree_read_errors, 1);
	if (log_limit_pass(&limit, READ_ERRORS_LOGGED, &suppressed))
		log_error("store.read_failed", LOG_TEXT("file", db_path(r->db)),
			  LOG_TEXT("reason", reason), LOG_INT("suppressed", suppressed));
}

enum store_result rows_unreadable(struct rows *r)
{
	tell_unreadable(r, sqlite3_errmsg(r->db));
	return STORE_UNREADABLE;
}

enum store_result rows_damaged(struct rows *r, const char *what)
{
	tell_unreadable(r, what);
	return STORE_UNREADABLE;
}

/* Columns of a row as ZNODE_COLUMNS names them; slices live until the next step. */
static void znode_of_row(sqlite3_stmt *stmt, struct record_znode *z)
{
	z->columns = RECORD_ALL;
	z->data = db_column(stmt, 0);
	z->mzxid = sqlite3_column_int64(stmt, 1);
	z->mtime = sqlite3_column_int64(stmt, 2);
	z->version = sqlite3_column_int(stmt, 3);
	z->acl = db_column(stmt, 4);
	z->aversion = sqlite3_column_int(stmt, 5);
	z->pzxid = sqlite3_column_int64(stmt, 6);
	z->creates = sqlite3_column_int(stmt, 7);
	z->num_children = sqlite3_column_int(stmt, 8);
	z->czxid = sqlite3_column_int64(stmt, 9);
	z->ctime = sqlite3_column_int64(stmt, 10);
	z->owner = sqlite3_column_int64(stmt, 11);
}

/* Copy the znode's slices to the scratch buffer: the statement is reset before the caller sees
 * them. */
static int keep_slices(struct rows *r, struct record_znode *z)
{
	uint8_t *to;

	buf_clear(&r->scratch);
	if (buf_reserve(&r->scratch, z->data.len + z->acl.len + 1) != 0)
		return -1;
	to = buf_tail(&r->scratch);
	if (z->data.data != NULL) {
		memcpy(to, z->data.data, z->data.len);
		z->data.data = (const char *)to;
	}
	memcpy(to + z->data.len, z->acl.data, z->acl.len);
	z->acl.data = (const char *)to + z->data.len;
	return 0;
}

enum store_result rows_read_znode(struct rows *r, struct slice path, struct record_znode *out)
{
	enum store_result result = STORE_ABSENT;
	struct slice parent, name;
	int rc;

	metrics_add(METRIC_tree_reads, 1);
	if (r->read == NULL)
		r->read = db_try_prepare(r->db, read_sql);
	if (r->read == NULL)
		return rows_unreadable(r);
	rows_split_path(path, &parent, &name);
	db_bind_text(r->read, 1, parent);
	db_bind_text(r->read, 2, name);
	rc = sqlite3_step(r->read);
	if (rc == SQLITE_ROW) {
		*out = (struct record_znode){ .path = path };
		znode_of_row(r->read, out);
		/* No schema holds what its row was damaged to. */
		if (out->acl.data == NULL)
			result = rows_damaged(r, "an ACL is damaged");
		else
			result = keep_slices(r, out) == 0 ? STORE_FOUND : STORE_UNREADABLE;
	} else if (rc != SQLITE_DONE) {
		result = rows_unreadable(r);
	}
	db_reset(r->read);
	return result;
}

enum store_result rows_list_children(struct rows *r, struct slice path,
				     void (*child)(void *ctx, struct slice name), void *ctx)
{
	enum store_result result = STORE_FOUND;
	int rc;

	metrics_add(METRIC_tree_reads, 1);
	if (r->list == NULL)
		r->list = db_try_prepare(r->db, list_sql);
	if (r->list == NULL)
		return rows_unreadable(r);
	db_bind_text(r->list, 1, path);
	while ((rc = sqlite3_step(r->list)) == SQLITE_ROW) {
		struct slice name = db_column(r->list, 0);

		if (name.data != NULL)
			child(ctx, name);
		else
			result = rows_damaged(r, "a name is damaged");
	}
	if (rc != SQLITE_DONE)
		result = rows_unreadable(r);
	db_reset(r->list);
	return result;
}

static int load_sessions(struct rows *r, const struct store_loader *l,
			 char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = db_try_prepare(
		r->db, "SELECT id, timeout_ms, password_hash, identity FROM session ORDER BY id");
	int rc;

	if (stmt == NULL)
		return db_fail(r->db, "cannot read the sessions", reason);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct slice hash = db_column(stmt, 2);
		struct record_session s = { .id = sqlite3_column_int64(stmt, 0),
					    .open = true,
					    .timeout_ms = sqlite3_column_int(stmt, 1),
					    .identity = db_column(stmt, 3) };

		if (hash.len != RECORD_PASSWORD_HASH_LEN) {
			(void)snprintf(reason, STORE_REASON_LEN,
				       "%s: session 0x%llx has no password", db_path(r->db),
				       (unsigned long long)s.id);
			sqlite3_finalize(stmt);
			return STORE_DAMAGED;
		}
		memcpy(s.password_hash, hash.data, hash.len);
		l->session(l->ctx, &s);
	}
	rc = rc == SQLITE_DONE ? 0 : db_fail(r->db, "cannot read the sessions", reason);
	sqlite3_finalize(stmt);
	return rc;
}

static int load_ephemerals(struct rows *r, const struct store_loader *l,
			   char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *stmt = db_try_prepare(
		r->db, "SELECT " ZNODE_COLUMNS
		       ", CASE z.parent WHEN '/' THEN '/' || z.name ELSE z.parent || '/' || z.name "
		       "END FROM znode AS z INDEXED BY znode_ephemeral "
		       "JOIN acl ON acl.key = z.acl WHERE z.owner > 0");
	int rc;

	if (stmt == NULL)
		return db_fail(r->db, "cannot read the ephemeral znodes", reason);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct record_znode z = { .path = db_column(stmt, 12) };

		znode_of_row(stmt, &z);
		if (z.path.data == NULL || z.acl.data == NULL) {
			(void)snprintf(reason, STORE_REASON_LEN,
				       "%s: an ephemeral znode's row is damaged", db_path(r->db));
			sqlite3_finalize(stmt);
			return STORE_DAMAGED;
		}
		l->ephemeral(l->ctx, &z);
	}
	rc = rc == SQLITE_DONE ? 0 : db_fail(r->db, "cannot read the ephemeral znodes", reason);
	sqlite3_finalize(stmt);
	return rc;
}

int rows_load(struct rows *r, const struct store_loader *l, char reason[STORE_REASON_LEN])
{
	int rc = load_sessions(r, l, reason);

	return rc == 0 ? load_ephemerals(r, l, reason) : rc;
}

/* In the order of the index on (parent, name). */
#define EACH_ZNODE(where)                                                                       \
	"SELECT " ZNODE_COLUMNS ", CASE z.parent WHEN '' THEN '/' WHEN '/' THEN '/' || z.name " \
	"ELSE z.parent || '/' || z.name END "                                                   \
	"FROM znode AS z CROSS JOIN acl ON acl.key = z.acl " where " ORDER BY z.parent, z.name"

/* The caller may go on to another key while rows come. */
static void bind_copy(sqlite3_stmt *stmt, int at, struct slice s)
{
	if (sqlite3_bind_text64(stmt, at, s.data, s.len, SQLITE_TRANSIENT, SQLITE_UTF8) !=
	    SQLITE_OK)
		db_die(sqlite3_db_handle(stmt), "store.bind_failed");
}

int rows_each_after(struct rows *r, const struct rows_key *after,
		    bool (*each)(void *ctx, const struct record_znode *z), void *ctx,
		    char reason[STORE_REASON_LEN])
{
	const char *sql =
		after == NULL ? EACH_ZNODE("") : EACH_ZNODE("WHERE (z.parent, z.name) > (?1, ?2)");
	sqlite3_stmt *stmt = NULL;
	bool goes_on = true;
	int rc = sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK && after != NULL) {
		bind_copy(stmt, 1, after->parent);
		bind_copy(stmt, 2, after->name);
	}
	while (rc == SQLITE_OK && goes_on && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct record_znode z = { .path = db_column(stmt, 12) };

		znode_of_row(stmt, &z);
		goes_on = each(ctx, &z);
		rc = SQLITE_OK;
	}
	if (rc != SQLITE_OK && rc != SQLITE_DONE)
		(void)db_fail(r->db, "cannot read the znodes", reason);
	sqlite3_finalize(stmt);
	return rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : -1;
}

/* ---- write ---- */

void rows_begin(struct rows *r)
{
	db_must_exec(r->db, "BEGIN IMMEDIATE");
	r->before = r->meta;
}

/* What SQLite has of it already goes; after some failures it went by itself. */
static void undo(struct rows *r)
{
	if (!sqlite3_get_autocommit(r->db))
		db_must_exec(r->db, "ROLLBACK");
	acl_store_forget(r->acls);
	r->meta = r->before;
	r->is_full = false;
}

bool rows_try_commit(struct rows *r, int64_t zxid)
{
	int rc = SQLITE_FULL;

	r->meta.zxid = zxid;
	put_meta(r, "zxid", zxid);
	put_meta(r, "znodes", (int64_t)r->meta.znodes);
	if (!r->is_full && acl_store_write(r->acls))
		rc = db_exec(r->db, "COMMIT");
	if (rc == SQLITE_OK)
		return true;
	/* Its frames may be in the -wal, commit mark and all, and be found there after a crash: a
	 * whole batch of what the log has, with its zxid. */
	if (rc != SQLITE_FULL)
		db_die(r->db, "store.commit_failed");
	undo(r);
	return false;
}

void rows_commit(struct rows *r, int64_t zxid)
{
	if (!rows_try_commit(r, zxid))
		die("store.commit_failed", "the disk is full");
}

enum rows_restart rows_restart_wal(struct rows *r, pid_t *pid)
{
	int rc;

	*pid = 0;
	/* The core's own reads take no longer. */
	(void)sqlite3_busy_timeout(r->db, RESTART_BUSY_MS);
	rc = sqlite3_wal_checkpoint_v2(r->db, "main", SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	(void)sqlite3_busy_timeout(r->db, DB_BUSY_MS);
	if (rc == SQLITE_OK)
		return ROWS_RESTARTED;
	if ((rc & 0xff) == SQLITE_FULL)
		return ROWS_FULL;
	if ((rc & 0xff) != SQLITE_BUSY)
		db_die(r->db, "store.checkpoint_failed");
	if (r->visitor == NULL)
		r->visitor = visitor_new(db_path(r->db));
	*pid = visitor_find(r->visitor);
	return ROWS_VISITED;
}

uint64_t rows_free_bytes(struct rows *r)
{
	uint64_t bytes = 0;

	if (r->count_free == NULL)
		r->count_free = db_prepare(r->db, "SELECT freelist_count * page_size FROM "
						  "pragma_freelist_count, pragma_page_size");
	if (sqlite3_step(r->count_free) == SQLITE_ROW)
		bytes = (uint64_t)sqlite3_column_int64(r->count_free, 0);
	db_reset(r->count_free);
	return bytes;
}

/* SQLite binds to names that a statement lacks as an error, so each group is bound where it
 * occurs. */
static void bind_znode(sqlite3_stmt *stmt, const struct record_znode *z, const uint8_t *acl_id)
{
	if (z->columns & RECORD_DATA) {
		db_bind_blob(stmt, P_DATA, z->data);
		db_bind_int(stmt, P_MZXID, z->mzxid);
		db_bind_int(stmt, P_MTIME, z->mtime);
		db_bind_int(stmt, P_VERSION, z->version);
	}
	if (z->columns & RECORD_ACL) {
		db_bind_blob(stmt, P_ACL, (struct slice){ (const char *)acl_id, ACL_ROW_KEY_LEN });
		db_bind_int(stmt, P_AVERSION, z->aversion);
	}
	if (z->columns & RECORD_CHILDREN) {
		db_bind_int(stmt, P_PZXID, z->pzxid);
		db_bind_int(stmt, P_CREATES, z->creates);
		db_bind_int(stmt, P_NUM_CHILDREN, z->num_children);
	}
	if (z->columns & RECORD_BIRTH) {
		db_bind_int(stmt, P_CZXID, z->czxid);
		db_bind_int(stmt, P_CTIME, z->ctime);
		db_bind_int(stmt, P_OWNER, z->owner);
	}
}

/* "UPDATE znode SET … WHERE …" for some groups of columns. */
static sqlite3_stmt *update_statement(struct rows *r, unsigned columns)
{
	static const struct {
		unsigned group;
		const char *set;
	} groups[] = {
		{ RECORD_DATA, "data = ?3, mzxid = ?4, mtime = ?5, version = ?6" },
		{ RECORD_ACL, "acl = ?7, aversion = ?8" },
		{ RECORD_CHILDREN, "pzxid = ?9, creates = ?10, num_children = ?11" },
	};
	char sql[256] = "UPDATE znode SET ";
	size_t len = strlen(sql);
	const char *comma = "";

	if (r->update[columns] != NULL)
		return r->update[columns];
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (!(columns & groups[i].group))
			continue;
		len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s%s", comma, groups[i].set);
		comma = ", ";
	}
	(void)snprintf(sql + len, sizeof(sql) - len, " WHERE parent = ?1 AND name = ?2");
	return r->update[columns] = db_prepare(r->db, sql);
}

static void remove_znode(struct rows *r, struct slice parent, struct slice name)
{
	int rc;

	if (r->remove == NULL)
		r->remove = db_prepare(
			r->db,
			"DELETE FROM znode WHERE parent = ?1 AND name = ?2 RETURNING owner, acl");
	db_bind_text(r->remove, P_PARENT, parent);
	db_bind_text(r->remove, P_NAME, name);
	while ((rc = sqlite3_step(r->remove)) == SQLITE_ROW) {
		if (sqlite3_column_int64(r->remove, 0) <= 0)
			r->meta.znodes--;
		acl_store_drop(r->acls, db_column(r->remove, 1));
	}
	r->is_full = (rc & 0xff) == SQLITE_FULL;
	if (rc != SQLITE_DONE && !r->is_full)
		db_die(r->db, "store.write_failed");
	db_reset(r->remove);
}

/* The znode is about to get another ACL. */
static void drop_acl(struct rows *r, struct slice parent, struct slice name)
{
	int rc;

	if (r->read_acl == NULL)
		r->read_acl =
			db_prepare(r->db, "SELECT acl FROM znode WHERE parent = ?1 AND name = ?2");
	db_bind_text(r->read_acl, P_PARENT, parent);
	db_bind_text(r->read_acl, P_NAME, name);
	while ((rc = sqlite3_step(r->read_acl)) == SQLITE_ROW)
		acl_store_drop(r->acls, db_column(r->read_acl, 0));
	if (rc != SQLITE_DONE)
		db_die(r->db, "store.read_failed");
	db_reset(r->read_acl);
}

static bool try_insert(struct rows *r, struct slice parent, struct slice name,
		       const struct record_znode *z, const uint8_t *acl_id)
{
	db_bind_text(r->insert, P_PARENT, parent);
	db_bind_text(r->insert, P_NAME, name);
	bind_znode(r->insert, z, acl_id);
	run(r, r->insert);
	return has_no_room(r) || sqlite3_changes(r->db) == 1;
}

static void insert_znode(struct rows *r, struct slice parent, struct slice name,
			 const struct record_znode *z, const uint8_t *acl_id)
{
	if (r->insert == NULL)
		r->insert = db_prepare(r->db,
				       "INSERT INTO znode (parent, name, data, mzxid, mtime, "
				       "version, acl, aversion, pzxid, creates, num_children, "
				       "czxid, ctime, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
				       "?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO NOTHING");
	if (!try_insert(r, parent, name, z, acl_id)) {
		remove_znode(r, parent, name);
		if (!try_insert(r, parent, name, z, acl_id))
			db_die(r->db, "store.write_failed");
	}
	if (z->owner <= 0)
		r->meta.znodes++;
}

void rows_put_znode(struct rows *r, const struct record_znode *z, bool wipe)
{
	uint8_t acl_id[ACL_ROW_KEY_LEN];
	struct slice parent, name;
	sqlite3_stmt *stmt;

	if (has_no_room(r))
		return;
	rows_split_path(z->path, &parent, &name);
	if (wipe)
		remove_znode(r, parent, name);
	if (z->columns == 0 || has_no_room(r))
		return;
	if (z->columns & RECORD_ACL)
		acl_store_add(r->acls, z->acl, acl_id);
	if (z->columns & RECORD_BIRTH) {
		insert_znode(r, parent, name, z, acl_id);
		return;
	}
	if (z->columns & RECORD_ACL)
		drop_acl(r, parent, name);
	stmt = update_statement(r, z->columns);
	db_bind_text(stmt, P_PARENT, parent);
	db_bind_text(stmt, P_NAME, name);
	bind_znode(stmt, z, acl_id);
	run(r, stmt);
	/* The log changes a znode that the tree does not have: they no longer belong together. */
	if (!has_no_room(r) && sqlite3_changes(r->db) != 1)
		die("store.tree_damaged", db_path(r->db));
}

void rows_put_session(struct rows *r, const struct record_session *s)
{
	sqlite3_stmt *stmt;

	if (r->put_session == NULL) {
		r->put_session = db_prepare(
			r->db, "INSERT OR REPLACE INTO session (id, timeout_ms, password_hash, "
			       "identity) VALUES (?1, ?2, ?3, ?4)");
		r->remove_session = db_prepare(r->db, "DELETE FROM session WHERE id = ?1");
	}
	stmt = s->open ? r->put_session : r->remove_session;
	db_bind_int(stmt, 1, s->id);
	if (s->open) {
		struct slice hash = { (const char *)s->password_hash, RECORD_PASSWORD_HASH_LEN };

		db_bind_int(stmt, 2, s->timeout_ms);
		db_bind_blob(stmt, 3, hash);
		db_bind_text(stmt, 4, s->identity);
	}
	run(r, stmt);
}
