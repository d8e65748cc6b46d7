/* A connection to a database of ours that writes nothing, beside a server that writes or on a file
 * that nobody does. One thread. */
#ifndef STORE_READONLY_H
#define STORE_READONLY_H

#include <sqlite3.h>

#include "store/db.h"

/* -1 with one line in reason. A file without a -wal (nor a -journal) is taken for one that nobody
 * writes, so that reading leaves no file behind, whoever reads. */
must_check int readonly_open(sqlite3 **out, const char *path, char reason[DB_REASON_LEN]);
/* Statements must be finalised. NULL is allowed. */
void readonly_close(sqlite3 *db);
/* NULL with a line in reason where it cannot be prepared. */
sqlite3_stmt *readonly_ask(sqlite3 *db, const char *sql, char reason[DB_REASON_LEN]);

#endif
