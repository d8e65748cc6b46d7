/* See the header. */
#include "store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/point.h"
#include "store/vfs.h"

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s: %s", path, what, strerror(errno));
	return -1;
}

char *files_join(const char *dir, const char *name)
{
	size_t size = strlen(dir) + strlen(name) + 2;
	char *path = mem_new(size);

	(void)snprintf(path, size, "%s/%s", dir, name);
	return path;
}

/* ---- directories and the lock ---- */

static char *parent_of(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	return len > 0 ? mem_dup(path, len) : mem_strdup(".");
}

/* Have the name of a directory in parent on disk. One that was found may have been made by a start
 * that was killed before it came to this. If it was, that start could read the parent; where we
 * cannot, or the file system syncs no directories, somebody else made it. */
static int sync_name(const char *parent, bool found, char reason[STORE_REASON_LEN])
{
	if (vfs_os()->sync_dir(parent) == 0)
		return 0;
	if (found && (errno == EACCES || errno == EROFS || errno == EINVAL))
		return 0;
	return fail(parent, "cannot sync the directory", reason);
}

int files_make_dir(const char *path, char reason[STORE_REASON_LEN])
{
	struct stat st;
	bool found = stat(path, &st) == 0;
	char *parent;
	int rc = -1;

	if (found && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return fail(path, "cannot be used", reason);
	}
	if (!found && errno != ENOENT)
		return fail(path, "cannot be used", reason);
	parent = parent_of(path);
	if (!found && files_make_dir(parent, reason) != 0)
		goto out;
	if (!found && vfs_os()->mkdir(path, 0700) != 0 && errno != EEXIST)
		rc = fail(path, "cannot make the directory", reason);
	else
		rc = sync_name(parent, found, reason);
out:
	mem_free(parent);
	return rc;
}

bool files_same_dir(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int files_lock(const char *dir, int *fd, char reason[STORE_REASON_LEN])
{
	char *path = files_join(dir, "lock");
	int rc = 0;

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0) {
		rc = fail(path, "cannot open", reason);
	} else if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			(void)snprintf(reason, STORE_REASON_LEN,
				       "%s: another server uses this directory", path);
		else
			(void)fail(path, "cannot lock", reason);
		close(*fd);
		*fd = -1;
		rc = -1;
	}
	mem_free(path);
	return rc;
}

/* ---- segments ---- */

char *files_segment_path(const char *dir, uint32_t number)
{
	char name[24];

	(void)snprintf(name, sizeof(name), "%010" PRIu32 ".db", number);
	return files_join(dir, name);
}

/* "0000000012.db" gives 12 and *rest "", "0000000012.db-wal" 12 and "-wal". */
static bool parse_name(const char *name, uint32_t *number, const char **rest)
{
	unsigned long long v;
	char *end;

	if (name[0] < '0' || name[0] > '9')
		return false;
	errno = 0;
	v = strtoull(name, &end, 10);
	if (errno != 0 || v > UINT32_MAX || strncmp(end, ".db", 3) != 0)
		return false;
	*number = (uint32_t)v;
	*rest = end + 3;
	return **rest == '\0' || strcmp(*rest, "-wal") == 0 || strcmp(*rest, "-shm") == 0 ||
	       strcmp(*rest, "-journal") == 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Side files whose database is gone: a removal was cut short. SQLite would take them for the new
 * file's. */
static void remove_orphans(const char *dir, const uint32_t *side, size_t side_count,
			   const uint32_t *numbers, size_t count)
{
	for (size_t i = 0; i < side_count; i++) {
		char *path;

		if (count > 0 &&
		    bsearch(&side[i], numbers, count, sizeof(*numbers), compare_numbers) != NULL)
			continue;
		path = files_segment_path(dir, side[i]);
		files_remove_database(path);
		mem_free(path);
	}
}

struct number_list {
	uint32_t *items;
	size_t count;
};

static void add_number(struct number_list *l, uint32_t number)
{
	l->items = mem_grow(l->items, (l->count + 1) * sizeof(*l->items));
	l->items[l->count++] = number;
}

static int list_numbers(const char *dir, struct number_list *found, struct number_list *side,
			char reason[STORE_REASON_LEN])
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int rc = 0;

	if (d == NULL)
		return fail(dir, "cannot read the directory", reason);
	for (errno = 0; (entry = readdir(d)) != NULL; errno = 0) {
		const char *rest;
		uint32_t number;

		if (parse_name(entry->d_name, &number, &rest))
			add_number(*rest == '\0' ? found : side, number);
	}
	if (errno != 0)
		rc = fail(dir, "cannot read the directory", reason);
	closedir(d);
	if (rc == 0 && found->count > 0)
		qsort(found->items, found->count, sizeof(*found->items), compare_numbers);
	return rc;
}

static uint32_t highest_of(const struct number_list *l)
{
	uint32_t highest = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->items[i] > highest)
			highest = l->items[i];
	return highest;
}

int files_list_segments(const char *dir, uint32_t **numbers, size_t *count, uint32_t *highest,
			char reason[STORE_REASON_LEN])
{
	struct number_list found = { 0 }, side = { 0 };
	int rc = list_numbers(dir, &found, &side, reason);

	*highest = 0;
	if (rc == 0) {
		uint32_t a = highest_of(&found), b = highest_of(&side);

		*highest = a > b ? a : b;
		remove_orphans(dir, side.items, side.count, found.items, found.count);
		*numbers = found.items;
		*count = found.count;
	} else {
		mem_free(found.items);
	}
	mem_free(side.items);
	return rc;
}

int files_find_segments(const char *dir, uint32_t **numbers, size_t *count,
			char reason[STORE_REASON_LEN])
{
	struct number_list found = { 0 }, side = { 0 };
	int rc = list_numbers(dir, &found, &side, reason);

	mem_free(side.items);
	if (rc == 0) {
		*numbers = found.items;
		*count = found.count;
	} else {
		mem_free(found.items);
	}
	return rc;
}

static void remove_side_file(const char *path, const char *suffix)
{
	size_t size = strlen(path) + strlen(suffix) + 1;
	char *side = mem_new(size);

	(void)snprintf(side, size, "%s%s", path, suffix);
	if (vfs_os()->unlink(side) != 0 && errno != ENOENT)
		log_warn("store.unlink_failed", LOG_TEXT("file", side),
			 LOG_TEXT("reason", strerror(errno)));
	mem_free(side);
}

void files_remove_database(const char *path)
{
	/* The database first: side files alone are known for what they are. */
	remove_side_file(path, "");
	POINT(prune_half);
	files_remove_side_files(path);
}

void files_remove_side_files(const char *path)
{
	remove_side_file(path, "-wal");
	remove_side_file(path, "-shm");
	remove_side_file(path, "-journal");
}

/* Size of path with suffix, or -1 where there is no such file. */
static int64_t file_bytes(const char *path, const char *suffix)
{
	size_t size = strlen(path) + strlen(suffix) + 1;
	char *whole = mem_new(size);
	struct stat st;
	int64_t bytes;

	(void)snprintf(whole, size, "%s%s", path, suffix);
	bytes = stat(whole, &st) == 0 ? (int64_t)st.st_size : -1;
	mem_free(whole);
	return bytes;
}

uint64_t files_database_bytes(const char *path)
{
	int64_t database = file_bytes(path, "");
	int64_t wal = file_bytes(path, "-wal");

	return (uint64_t)(database > 0 ? database : 0) + (uint64_t)(wal > 0 ? wal : 0);
}

uint64_t files_wal_bytes(const char *path)
{
	int64_t wal = file_bytes(path, "-wal");

	return wal > 0 ? (uint64_t)wal : 0;
}

bool files_has_wal(const char *path)
{
	return file_bytes(path, "-wal") >= 0;
}

bool files_has_journal(const char *path)
{
	return file_bytes(path, "-journal") >= 0;
}

/* The bytes that mean something in a URI are escaped. A path that is absolute follows an empty
 * authority: "//" at its beginning would be one. */
char *files_uri(const char *path, bool is_finished)
{
	size_t size = 3 * strlen(path) + 64, len = 0;
	char *uri = mem_new(size);

	len += (size_t)snprintf(uri, size, *path == '/' ? "file://" : "file:");
	for (; *path != '\0'; path++)
		len += (size_t)snprintf(uri + len, size - len,
					strchr("%?#", *path) != NULL ? "%%%02X" : "%c",
					(unsigned char)*path);
	(void)snprintf(uri + len, size - len, "?mode=ro%s", is_finished ? "&immutable=1" : "");
	return uri;
}
