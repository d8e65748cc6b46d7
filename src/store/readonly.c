#include "store/readonly.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"

int readonly_open(sqlite3 **out, const char *path, char reason[DB_REASON_LEN])
{
	bool is_finished = !files_has_wal(path) && !files_has_journal(path);
	char *uri = files_uri(path, is_finished);
	sqlite3 *db = NULL;
	int rc;

	vfs_register();
	rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
			     VFS_NAME);
	mem_free(uri);
	if (rc != SQLITE_OK) {
		(void)snprintf(reason, DB_REASON_LEN, "%s: cannot open: %s", path,
			       db != NULL ? sqlite3_errmsg(db) : "out of memory");
		sqlite3_close(db);
		return -1;
	}
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, DB_BUSY_MS);
	/* What stands in the file is data; and whoever closes last must not write. */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	*out = db;
	return 0;
}

void readonly_close(sqlite3 *db)
{
	sqlite3_close(db);
}

sqlite3_stmt *readonly_ask(sqlite3 *db, const char *sql, char reason[DB_REASON_LEN])
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK)
		return stmt;
	(void)db_fail(db, "cannot read", reason);
	return NULL;
}
