/* See the header. What is tidied was made by whoever may write to parent: nothing is removed by a
 * path that could lead elsewhere, nor what belongs to somebody else. */
#include "app/drill_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"

/* A name that nobody else chooses: what is left under it goes. */
#define PREFIX ".zoolite-drill-"

enum { SUFFIX_LEN = 6, TRIES = 10, DEEPEST = 2 };

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%.400s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* ---- removal ---- */

static int open_dir_at(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* All that is in the directory dir, whose subdirectories have none of their own. */
static void empty(int dir, const char *name, int depth)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (d == NULL && fd >= 0)
		close(fd);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		int below;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    unlinkat(dir, entry->d_name, 0) == 0)
			continue;
		below = depth < DEEPEST ? open_dir_at(dir, entry->d_name) : -1;
		if (below >= 0) {
			empty(below, entry->d_name, depth + 1);
			close(below);
		}
		if (unlinkat(dir, entry->d_name, AT_REMOVEDIR) != 0)
			log_warn("drill.unlink_failed", LOG_TEXT("dir", name),
				 LOG_TEXT("file", entry->d_name),
				 LOG_TEXT("reason", strerror(errno)));
	}
	if (d != NULL)
		closedir(d);
}

static bool is_name(const char *name)
{
	return strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
	       strlen(name) == sizeof(PREFIX) - 1 + SUFFIX_LEN;
}

static bool is_abandoned(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void drill_dir_tidy(const char *parent)
{
	DIR *d = opendir(parent);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		int fd = is_name(entry->d_name) ? open_dir_at(dirfd(d), entry->d_name) : -1;

		if (fd < 0)
			continue;
		if (is_abandoned(fd)) {
			empty(fd, entry->d_name, 0);
			(void)unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
		}
		close(fd);
	}
	if (d != NULL)
		closedir(d);
}

void drill_dir_remove(struct drill_dir *d)
{
	empty(d->fd, d->path, 0);
	(void)rmdir(d->path);
	close(d->fd);
	mem_free(d->path);
	*d = (struct drill_dir){ .fd = -1 };
}

/* ---- making ---- */

static int check_room(const char *parent, uint64_t bytes, char reason[STORE_REASON_LEN])
{
	uint64_t is_free;

	if (vfs_os()->free_bytes(parent, &is_free) != 0)
		return fail(parent, "cannot be looked at", reason);
	if (is_free >= bytes)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%.300s: %" PRIu64 " bytes are free, and a drill wants %" PRIu64, parent,
		       is_free, bytes);
	return -1;
}

/* Whether path is the directory fd still: another drill may have tidied it before it was locked. */
static bool is_at(int fd, const char *path)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && lstat(path, &named) == 0 && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

int drill_dir_make(struct drill_dir *d, const char *parent, uint64_t bytes,
		   char reason[STORE_REASON_LEN])
{
	*d = (struct drill_dir){ .fd = -1 };
	if (check_room(parent, bytes, reason) != 0)
		return -1;
	errno = EAGAIN;
	for (int i = 0; i < TRIES; i++) {
		d->path = files_join(parent, PREFIX "XXXXXX");
		if (mkdtemp(d->path) == NULL)
			break;
		d->fd = open_dir_at(AT_FDCWD, d->path);
		if (d->fd >= 0 && flock(d->fd, LOCK_EX | LOCK_NB) == 0 && is_at(d->fd, d->path))
			return 0;
		if (d->fd >= 0)
			close(d->fd);
		(void)rmdir(d->path);
		mem_free(d->path);
		*d = (struct drill_dir){ .fd = -1 };
	}
	(void)fail(parent, "cannot make a directory for the drill", reason);
	mem_free(d->path);
	d->path = NULL;
	return -1;
}
