/* See the header. */
#include "store/db.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/checksum.h"
#include "store/files.h"
#include "store/schema.h"
#include "store/vfs.h"

/* Whether it says that the file is not as we left it. Tables that lack are SQLITE_ERROR. */
static bool is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ||
	       (code & 0xff) == SQLITE_ERROR || code == SQLITE_IOERR_READ ||
	       code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_DATA;
}

int db_fail(sqlite3 *db, const char *what, char reason[DB_REASON_LEN])
{
	(void)snprintf(reason, DB_REASON_LEN, "%s: %s: %s", db_path(db), what, sqlite3_errmsg(db));
	return is_damage(sqlite3_extended_errcode(db)) ? STORE_DAMAGED : -1;
}

void db_die(sqlite3 *db, const char *event)
{
	char reason[DB_REASON_LEN];

	(void)db_fail(db, sqlite3_errstr(sqlite3_extended_errcode(db)), reason);
	die(event, reason);
}

const char *db_path(sqlite3 *db)
{
	const char *path = sqlite3_db_filename(db, "main");

	return path != NULL ? path : "";
}

/* ---- open ---- */

/* Set a pragma and check that it took: a pragma that SQLite does not know is passed over in
 * silence. */
static int set_pragma(sqlite3 *db, const char *name, const char *value, const char *expect,
		      char reason[DB_REASON_LEN])
{
	char sql[96];
	sqlite3_stmt *stmt = NULL;
	bool same = false;

	(void)snprintf(sql, sizeof(sql), "PRAGMA %s = %s", name, value);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, sql, reason);
	(void)snprintf(sql, sizeof(sql), "PRAGMA %s", name);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		same = slice_is(db_column(stmt, 0), expect);
	sqlite3_finalize(stmt);
	if (same)
		return 0;
	(void)snprintf(reason, DB_REASON_LEN, "%s: PRAGMA %s is not %s", db_path(db), name, expect);
	return -1;
}

static int configure(sqlite3 *db, enum db_role role, uint32_t cache_kib, char reason[DB_REASON_LEN])
{
	char cache[16];

	(void)snprintf(cache, sizeof(cache), "-%u", (unsigned)cache_kib);
	/* The first that reads the file. */
	if (role == DB_WRITE) {
		int rc = set_pragma(db, "journal_mode", "WAL", "wal", reason);

		if (rc != 0)
			return rc;
	}
	/* Syncs at the start of a -wal and at checkpoints; that of a commit is ours
	 * (store/flush.h). */
	if (set_pragma(db, "synchronous", "NORMAL", "1", reason) != 0)
		return -1;
	/* Checkpoints have their own place and thread. */
	if (set_pragma(db, "wal_autocheckpoint", "0", "0", reason) != 0)
		return -1;
	/* A large -wal is cut when it is begun anew. */
	if (set_pragma(db, "journal_size_limit", "67108864", "67108864", reason) != 0)
		return -1;
	if (set_pragma(db, "cache_size", cache, cache, reason) != 0)
		return -1;
	/* Debian's default overwrites freed pages: more to flush for each delete. */
	if (set_pragma(db, "secure_delete", "0", "0", reason) != 0)
		return -1;
	if (set_pragma(db, "mmap_size", "0", "0", reason) != 0)
		return -1;
	if (role == DB_READ && set_pragma(db, "query_only", "1", "1", reason) != 0)
		return -1;
	return 0;
}

int db_open(sqlite3 **out, const char *path, enum db_role role, uint32_t cache_kib,
	    char reason[DB_REASON_LEN])
{
	int flags = SQLITE_OPEN_NOMUTEX;
	bool fresh = access(path, F_OK) != 0;
	int reserve = CHECKSUM_BYTES, rc;
	char *uri = NULL;
	sqlite3 *db = NULL;

	vfs_register();
	flags |= role == DB_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
				  : SQLITE_OPEN_READONLY;
	if (role == DB_STILL) {
		flags |= SQLITE_OPEN_URI;
		uri = files_uri(path, true);
	}
	rc = sqlite3_open_v2(uri != NULL ? uri : path, &db, flags, VFS_NAME);
	mem_free(uri);
	if (rc != SQLITE_OK) {
		(void)snprintf(reason, DB_REASON_LEN, "%s: cannot open: %s", path,
			       db != NULL ? sqlite3_errmsg(db) : "out of memory");
		sqlite3_close(db);
		return -1;
	}
	/* SQLite makes files readable for all, where the umask lets it; -wal and -shm take the
	 * file's mode. */
	if (fresh)
		(void)chmod(path, S_IRUSR | S_IWUSR);
	(void)sqlite3_extended_result_codes(db, 1);
	/* Of a file that is still empty: room for the checksum of each page. */
	if (role == DB_WRITE)
		(void)sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
	/* Nobody else writes, but a reader that meets the wal-index while it is being changed
	 * takes the lock of writers for a moment, to look again (walIndexReadHdr). */
	(void)sqlite3_busy_timeout(db, DB_BUSY_MS);
	/* A reader that is closed last must not checkpoint: that is the writer's. */
	if (role != DB_WRITE)
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* What stands in the file is data, nothing that may call functions with side effects. */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	rc = configure(db, role, cache_kib, reason);
	if (rc != 0) {
		db_close(db, true);
		return rc;
	}
	*out = db;
	return 0;
}

void db_close(sqlite3 *db, bool keep_wal)
{
	if (db == NULL)
		return;
	if (keep_wal)
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* BUSY says that a statement was forgotten. */
	if (sqlite3_close(db) != SQLITE_OK)
		db_die(db, "store.close_failed");
}

/* ---- schema ---- */

int db_version(sqlite3 *db, int *version, char reason[DB_REASON_LEN])
{
	sqlite3_stmt *stmt = NULL;
	int rc = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		rc = db_fail(db, "cannot read the schema version", reason);
		goto out;
	}
	*version = sqlite3_column_int(stmt, 0);
	if (*version < 0 || *version > DB_VERSION) {
		(void)snprintf(
			reason, DB_REASON_LEN,
			"%s: has schema version %d, this program knows versions up to %d: "
			"start the newer zoolited that wrote it, or go back to the tree as it "
			"was before: zoolited --restore tree-%d.db NEWDIR (where there is none, "
			"it is tree.db still: zoolited --restore tree.db NEWDIR)",
			db_path(db), *version, DB_VERSION, DB_VERSION);
		goto out;
	}
	rc = 0;
out:
	sqlite3_finalize(stmt);
	return rc;
}

int db_create_schema(sqlite3 *db, enum db_schema schema)
{
	char sql[64];
	int rc = db_exec(db, schema == DB_SCHEMA_TREE ? schema_tree_sql : schema_log_sql);

	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", DB_VERSION);
	if (rc == SQLITE_OK)
		rc = db_exec(db, sql);
	if (rc == SQLITE_FULL)
		return -1;
	if (rc != SQLITE_OK)
		db_die(db, "store.schema_failed");
	return 0;
}

/* ---- statements ---- */

int db_exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) & 0xff;
}

void db_must_exec(sqlite3 *db, const char *sql)
{
	if (db_exec(db, sql) != SQLITE_OK)
		db_die(db, "store.write_failed");
}

void db_must_commit(sqlite3 *db)
{
	if (db_exec(db, "COMMIT") == SQLITE_OK)
		return;
#ifndef ZOOLITE_MUTANT_FAILED_COMMIT
	db_die(db, "store.commit_failed");
#endif
}

sqlite3_stmt *db_try_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
		return NULL;
	return stmt;
}

sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = db_try_prepare(db, sql);

	if (stmt == NULL)
		db_die(db, "store.prepare_failed");
	return stmt;
}

void db_must_run(sqlite3 *db, sqlite3_stmt *stmt)
{
	if (sqlite3_step(stmt) != SQLITE_DONE)
		db_die(db, "store.write_failed");
	db_reset(stmt);
}

bool db_run(sqlite3 *db, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc != SQLITE_DONE && (rc & 0xff) != SQLITE_FULL)
		db_die(db, "store.write_failed");
	db_reset(stmt);
	return rc == SQLITE_DONE;
}

void db_reset(sqlite3_stmt *stmt)
{
	/* Gives the step's error again, which its caller has seen. */
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

static void check_bind(sqlite3_stmt *stmt, int rc)
{
	if (rc != SQLITE_OK)
		db_die(sqlite3_db_handle(stmt), "store.bind_failed");
}

void db_bind_int(sqlite3_stmt *stmt, int at, int64_t v)
{
	check_bind(stmt, sqlite3_bind_int64(stmt, at, v));
}

void db_bind_text(sqlite3_stmt *stmt, int at, struct slice s)
{
	check_bind(stmt, sqlite3_bind_text64(stmt, at, s.data, s.len, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(sqlite3_stmt *stmt, int at, struct slice s)
{
	check_bind(stmt, sqlite3_bind_blob64(stmt, at, s.data, s.len, SQLITE_STATIC));
}

struct slice db_column(sqlite3_stmt *stmt, int at)
{
	struct slice s = { 0 };

	if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
		return s;
	if (sqlite3_column_type(stmt, at) == SQLITE_BLOB)
		s.data = sqlite3_column_blob(stmt, at);
	else
		s.data = (const char *)sqlite3_column_text(stmt, at);
	s.len = (size_t)sqlite3_column_bytes(stmt, at);
	/* SQLite lends no pointer for an empty blob, nor when its memory is out. */
	if (s.data == NULL) {
		if (sqlite3_errcode(sqlite3_db_handle(stmt)) == SQLITE_NOMEM)
			die("store.read_failed", "out of memory");
		s = (struct slice){ "", 0 };
	}
	return s;
}
