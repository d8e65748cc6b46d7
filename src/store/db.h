/* Connections to SQLite as the store wants them: one way to open, pragmas set on each connection
 * and read back, schema by version, and statements whose failures are not overlooked.
 *
 * One connection writes and checkpoints a file, all others only read it: in SQLite up to 3.51.2 a
 * commit beside another connection's checkpoint can corrupt the file (sqlite.org/wal.html, "The
 * WAL-Reset Bug"). Each connection belongs to one thread at a time. SQLITE_BUSY cannot arise then:
 * a writer meets no second writer; readers and the writer of a -wal never wait for each other;
 * recovery takes a lock only for the first connection to a file, which is its writer, open before
 * the others and for as long as the file is in use. Where BUSY comes nevertheless, somebody from
 * outside writes to our files, and a commit that fails for it ends the process like any other. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "store/store.h"

enum { DB_BUSY_MS = 2000 }; /* how long a statement waits for a lock */

enum db_role {
	DB_WRITE, /* the one that writes; creates the file where it is missing */
	DB_READ,
	DB_STILL, /* reads a whole file that nobody writes, whatever name it has by then */
};

enum db_schema { DB_SCHEMA_TREE, DB_SCHEMA_LOG };

/* A frame of a -wal. */
enum { STORE_WAL_PAGE_BYTES = 4096 + 24 };

/* Versions of the schema: 2 has the tables of 1, in a file whose pages have checksums. */
enum { DB_VERSION_CHECKSUMS = 2, DB_VERSION = 2, DB_REASON_LEN = STORE_REASON_LEN };

/* Open path. -1 with one line in reason that names the file. */
must_check int db_open(sqlite3 **out, const char *path, enum db_role role, uint32_t cache_kib,
		       char reason[DB_REASON_LEN]);
/* Close; every statement must be finalised. NULL is allowed. keep_wal: leave the -wal file as it is
 * instead of checkpointing it. Ends the process where SQLite refuses. */
void db_close(sqlite3 *db, bool keep_wal);

/* Schema version (PRAGMA user_version), 0 in a file without a schema. -1 with a reason where it
 * cannot be read, or is newer than DB_VERSION. */
must_check int db_version(sqlite3 *db, int *version, char reason[DB_REASON_LEN]);
/* Make the tables inside the transaction that is open. Dies on failure but for a full disk: -1. */
must_check int db_create_schema(sqlite3 *db, enum db_schema schema);

/* Run SQL without results. Returns SQLite's code. */
must_check int db_exec(sqlite3 *db, const char *sql);
/* The same, and a failure ends the process. */
void db_must_exec(sqlite3 *db, const char *sql);
/* COMMIT; where it fails nobody knows what is on disk, and the process ends. */
void db_must_commit(sqlite3 *db);
/* A statement. NULL where there can be none: the file cannot be read, or lacks a table. */
must_check sqlite3_stmt *db_try_prepare(sqlite3 *db, const char *sql);
/* A statement for the life of the connection. Dies on failure: the schema was checked, so it is our
 * bug. */
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql);
/* Step a statement that gives no rows, reset it, clear its bindings. A failure ends the process. */
void db_must_run(sqlite3 *db, sqlite3_stmt *stmt);
/* The same, but where the disk is full: false, and it has no effect. */
must_check bool db_run(sqlite3 *db, sqlite3_stmt *stmt);
/* Reset and clear: for statements that were read from. */
void db_reset(sqlite3_stmt *stmt);
/* End the process with what SQLite says about the last failure. */
no_return void db_die(sqlite3 *db, const char *event);
/* Write "<path>: <what>: <SQLite's message>" to reason; returns STORE_DAMAGED where the file is to
 * blame for it, else -1. */
int db_fail(sqlite3 *db, const char *what, char reason[DB_REASON_LEN]);
const char *db_path(sqlite3 *db);

/* Bound memory must stay as it is until the statement is reset. A slice with data == NULL is
 * NULL. */
void db_bind_int(sqlite3_stmt *stmt, int at, int64_t v);
void db_bind_text(sqlite3_stmt *stmt, int at, struct slice s);
void db_bind_blob(sqlite3_stmt *stmt, int at, struct slice s);
/* A text or blob column, valid until the next step or reset; NULL gives data == NULL. */
struct slice db_column(sqlite3_stmt *stmt, int at);

#endif
