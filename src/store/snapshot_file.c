#include "store/snapshot_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/files.h"
#include "store/vfs.h"

enum { HEX_DIGITS = 16, NAME_LEN = 48 };

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%.400s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* 1: it begins like a database; 0: it does not; -1: it cannot be read. */
static int read_magic(const char *path)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd >= 0 ? read(fd, head, sizeof(head)) : -1;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	if (got < 0)
		return -1;
	return got == (ssize_t)sizeof(head) && memcmp(head, magic, sizeof(magic)) == 0;
}

bool snapshot_file_is_one(const char *path)
{
	return read_magic(path) == 1;
}

/* ---- names ---- */

static char *name_in(const char *dir, int64_t zxid, const char *suffix)
{
	char name[NAME_LEN];

	(void)snprintf(name, sizeof(name), "tree-%016" PRIx64 "%s", (uint64_t)zxid, suffix);
	return files_join(dir, name);
}

char *snapshot_file_part(const char *dir)
{
	return files_join(dir, SNAPSHOT_PART);
}

char *snapshot_file_path(const char *dir, int64_t zxid)
{
	return name_in(dir, zxid, ".db");
}

char *snapshot_file_bad_path(const char *dir, int64_t zxid)
{
	return name_in(dir, zxid, ".bad");
}

/* Whether it is "tree-<zxid>" and suffix. */
static bool is_name(const char *name, const char *suffix)
{
	static const char prefix[] = "tree-";
	size_t digits;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return false;
	name += sizeof(prefix) - 1;
	digits = strspn(name, "0123456789abcdef");
	return digits == HEX_DIGITS && strcmp(name + digits, suffix) == 0;
}

/* ---- from part to snapshot ---- */

static int sync_file(const char *path, char reason[STORE_REASON_LEN])
{
	int fd = vfs_os()->open_file(path);
	int rc = 0;

	if (fd < 0)
		return fail(path, "cannot open", reason);
	if (vfs_os()->sync_file(fd) != 0)
		rc = fail(path, "cannot sync", reason);
	(void)vfs_os()->close_file(fd);
	return rc;
}

/* The source has a -wal, and says so in the page that was copied. */
static int leave_wal_mode(const char *path, char reason[STORE_REASON_LEN])
{
	sqlite3 *db = NULL;
	int rc = 0;

	vfs_register();
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, VFS_NAME) !=
	    SQLITE_OK) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: cannot open: %s", path,
			       sqlite3_errmsg(db));
		sqlite3_close(db);
		return -1;
	}
	(void)sqlite3_extended_result_codes(db, 1);
	if (db_exec(db, "PRAGMA journal_mode = DELETE") != SQLITE_OK) {
		rc = db_fail(db, "cannot be put into one file", reason);
		/* What cannot be read now may be whole. */
		if (sqlite3_extended_errcode(db) == SQLITE_IOERR_READ)
			rc = -1;
	}
	sqlite3_close(db);
	if (rc == 0 && files_has_wal(path)) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: has a -wal", path);
		rc = -1;
	}
	return rc;
}

int snapshot_file_settle(const char *path, char reason[STORE_REASON_LEN])
{
	int rc = read_magic(path);

	if (rc < 0)
		return fail(path, "cannot be read", reason);
	if (rc == 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: is no database", path);
		return STORE_DAMAGED;
	}
	rc = leave_wal_mode(path, reason);
	return rc != 0 ? rc : sync_file(path, reason);
}

int snapshot_file_accept(const char *dir, const struct seal *seal, char **path,
			 char reason[STORE_REASON_LEN])
{
	char *part = snapshot_file_part(dir);
	int rc = 0;

	*path = snapshot_file_path(dir, seal->zxid);
	/* A seal without its file is nothing; a file without its seal would be one that nobody
	 * looked at. */
	if (seal_write(*path, seal, reason) != 0)
		rc = -1;
	else if (vfs_os()->rename(part, *path) != 0 || vfs_os()->sync_dir(dir) != 0)
		rc = fail(*path, "cannot be made", reason);
	mem_free(part);
	if (rc != 0) {
		mem_free(*path);
		*path = NULL;
	}
	return rc;
}

/* ---- the directory ---- */

static void remove_file(const char *path)
{
	if (vfs_os()->unlink(path) != 0 && errno != ENOENT)
		log_warn("snapshot.unlink_failed", LOG_TEXT("file", path),
			 LOG_TEXT("reason", strerror(errno)));
}

/* Whether the seal, whose name ends with its suffix, has lost its file. */
static bool is_widow(const char *dir, const char *name)
{
	char *path = files_join(dir, name);
	bool is_alone;

	path[strlen(path) - strlen(SEAL_SUFFIX)] = '\0';
	is_alone = access(path, F_OK) != 0;
	mem_free(path);
	return is_alone;
}

static bool is_left_over(const char *dir, const char *name)
{
	static const char part[] = SNAPSHOT_PART;

	return strncmp(name, part, sizeof(part) - 1) == 0 ||
	       is_name(name, ".db" SEAL_SUFFIX ".part") ||
	       (is_name(name, ".db" SEAL_SUFFIX) && is_widow(dir, name));
}

static bool is_bad(const char *dir, const char *name)
{
	(void)dir;
	return is_name(name, ".bad");
}

static void remove_which(const char *dir, bool (*is_one)(const char *dir, const char *name))
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		char *path;

		if (!is_one(dir, entry->d_name))
			continue;
		path = files_join(dir, entry->d_name);
		remove_file(path);
		mem_free(path);
	}
	if (d != NULL)
		closedir(d);
}

void snapshot_file_tidy(const char *dir)
{
	remove_which(dir, is_left_over);
}

void snapshot_file_reject(const char *dir, int64_t zxid)
{
	char *part = snapshot_file_part(dir), *bad = snapshot_file_bad_path(dir, zxid);

	remove_which(dir, is_bad);
	if (vfs_os()->rename(part, bad) != 0 && errno != ENOENT)
		log_warn("snapshot.rename_failed", LOG_TEXT("file", part),
			 LOG_TEXT("reason", strerror(errno)));
	/* Side files of the part. */
	remove_which(dir, is_left_over);
	mem_free(part);
	mem_free(bad);
}

static int compare(const void *a, const void *b)
{
	int64_t x = ((const struct snapshot_file *)a)->seal.zxid;
	int64_t y = ((const struct snapshot_file *)b)->seal.zxid;

	return (x > y) - (x < y);
}

/* One without a seal that can be read is none. */
static bool look_at(const char *dir, const char *name, struct snapshot_file *out)
{
	char reason[STORE_REASON_LEN];
	struct stat st;

	if (!is_name(name, ".db"))
		return false;
	out->path = files_join(dir, name);
	if (seal_read(out->path, &out->seal, reason) == 1 && stat(out->path, &st) == 0) {
		out->size = (uint64_t)st.st_size;
		return true;
	}
	mem_free(out->path);
	return false;
}

int snapshot_file_list(const char *dir, struct snapshot_file **list, size_t *count,
		       char reason[STORE_REASON_LEN])
{
	struct snapshot_file found;
	struct dirent *entry;
	DIR *d = opendir(dir);
	int rc = 0;

	*list = NULL;
	*count = 0;
	if (d == NULL)
		return errno == ENOENT ? 0 : fail(dir, "cannot read the directory", reason);
	for (errno = 0; (entry = readdir(d)) != NULL; errno = 0) {
		if (!look_at(dir, entry->d_name, &found))
			continue;
		*list = mem_grow(*list, (*count + 1) * sizeof(**list));
		(*list)[(*count)++] = found;
	}
	if (errno != 0)
		rc = fail(dir, "cannot read the directory", reason);
	closedir(d);
	if (*count > 0)
		qsort(*list, *count, sizeof(**list), compare);
	return rc;
}

void snapshot_file_list_free(struct snapshot_file *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mem_free(list[i].path);
	mem_free(list);
}

void snapshot_file_remove(const struct snapshot_file *file)
{
	char *seal = seal_path(file->path);

	remove_file(seal);
	remove_file(file->path);
	mem_free(seal);
}
