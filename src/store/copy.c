/* See the header. The copy is written without a journal and without a sync: it is nothing until it
 * was looked at, and whoever does that syncs it. SQLite writes pages when its cache is full, so a
 * small one makes steps equal. */
#include "store/copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/vfs.h"

struct copy {
	sqlite3 *from;
	sqlite3 *to;
	sqlite3_backup *backup;
};

/* The file, so that it is nobody else's from the beginning on. */
static int make_file(const char *path, char reason[DB_REASON_LEN])
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	(void)snprintf(reason, DB_REASON_LEN, "%.400s: cannot make: %s", path, strerror(errno));
	return -1;
}

static int open_target(struct copy *c, const char *path, char reason[DB_REASON_LEN])
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	vfs_register();
	if (sqlite3_open_v2(path, &c->to, flags, VFS_NAME) != SQLITE_OK)
		return db_fail(c->to, "cannot open", reason);
	(void)sqlite3_extended_result_codes(c->to, 1);
	if (db_exec(c->to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
			   "PRAGMA cache_size = -1024") != SQLITE_OK)
		return db_fail(c->to, "cannot be written", reason);
	return 0;
}

/* The first page alone, saying of the file what that of the source says: bytes that pages have to
 * spare, and its version. SQLite writes it last, and until then whoever is below it (store/vfs.h)
 * would not know what to do with the others. */
static int begin_like_source(struct copy *c, char reason[DB_REASON_LEN])
{
	int reserve = -1, version;
	char sql[64];

	if (db_version(c->from, &version, reason) != 0)
		return -1;
	(void)sqlite3_file_control(c->from, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
	if (reserve > 0)
		(void)sqlite3_file_control(c->to, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
	if (db_exec(c->to, sql) != SQLITE_OK)
		return db_fail(c->to, "cannot be written", reason);
	return 0;
}

struct copy *copy_begin(sqlite3 *from, const char *path, char reason[DB_REASON_LEN])
{
	struct copy *c;

	if (make_file(path, reason) != 0)
		return NULL;
	c = mem_new(sizeof(*c));
	c->from = from;
	if (open_target(c, path, reason) == 0 && begin_like_source(c, reason) == 0) {
		c->backup = sqlite3_backup_init(c->to, "main", from, "main");
		if (c->backup != NULL)
			return c;
		(void)db_fail(c->to, "cannot be copied to", reason);
	}
	copy_end(c);
	return NULL;
}

enum copy_result copy_step(struct copy *c, int pages, char reason[DB_REASON_LEN])
{
	int rc = sqlite3_backup_step(c->backup, pages);

	if (rc == SQLITE_OK)
		return COPY_MORE;
	if (rc == SQLITE_DONE)
		return COPY_DONE;
	(void)snprintf(reason, DB_REASON_LEN, "%.400s: cannot be written: %s", db_path(c->to),
		       sqlite3_errstr(rc));
	return COPY_FAILED;
}

void copy_end(struct copy *c)
{
	if (c == NULL)
		return;
	/* Its code is that of the step that failed. */
	(void)sqlite3_backup_finish(c->backup);
	sqlite3_close(c->to);
	mem_free(c);
}
