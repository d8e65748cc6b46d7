/* Preloaded into a server (LD_PRELOAD) by tests/lib/slowdisk.py: a disk that hangs or fails when a
 * test says so. The test speaks through files in the directory $SLOWDISK_DIR:
 *
 *   hang-sync   fdatasync and fsync do not return while it is there
 *   slow-sync   holds a number: they take so many milliseconds more
 *   hang-core   likewise reads and writes of the main thread, which runs the core's loop
 *   hang-load   likewise those of the other threads, the one that recovers at start among them
 *   fail-sync   fdatasync and fsync fail (EIO)
 *   fail-write  writes of the main thread, which commits to the log, fail (EIO)
 *   full        they fail otherwise (ENOSPC)
 *   fail-read   reads of the main thread fail (EIO)
 *   drag        each read and write of the main thread takes DRAG_US
 *   slow-write  the main thread's next write takes SLOW_US; the file is gone then
 *   slow-read   likewise its next read
 *   budget      holds a number: so many bytes of blocks may the files below the directory
 *               $SLOWDISK_ROOM have; writes beyond fail (ENOSPC), statvfs tells what is left
 *   quota       while it is there, too, they fail otherwise (EDQUOT), statvfs tells of the disk
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

enum { SLOW_US = 300000, DRAG_US = 10000, LOOK_US = 5000, BLOCK = 512, PAGE = 4096 };

static int control = -1;

__attribute__((constructor)) static void open_control(void)
{
	const char *dir = getenv("SLOWDISK_DIR");

	if (dir)
		control = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool is_said(const char *word)
{
	return control >= 0 && faccessat(control, word, F_OK, 0) == 0;
}

static void wait_while(const char *word)
{
	while (is_said(word))
		usleep(LOOK_US);
}

static bool fails(const char *word, int error)
{
	if (!is_said(word))
		return false;
	errno = error;
	return true;
}

static void be_slow(const char *once)
{
	if (gettid() != getpid()) {
		wait_while("hang-load");
		return;
	}
	wait_while("hang-core");
	if (is_said("drag"))
		usleep(DRAG_US);
	if (control >= 0 && unlinkat(control, once, 0) == 0)
		usleep(SLOW_US);
}

/* The bytes of the files in a directory and those below it. */
static int64_t blocks_below(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int64_t sum = 0;

	while (dir && (entry = readdir(dir))) {
		char below[PATH_MAX];
		struct stat st;

		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (!S_ISDIR(st.st_mode)) {
			sum += (int64_t)st.st_blocks * BLOCK;
		} else if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) <
			   (int)sizeof(below)) {
			sum += blocks_below(below);
		}
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* Of the budget, what is left; false where there is none. */
static bool find_left(int64_t *left)
{
	const char *room = getenv("SLOWDISK_ROOM");
	int fd = control >= 0 && room ? openat(control, "budget", O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	*left = strtoll(text, NULL, 10) - blocks_below(room);
	return true;
}

static bool is_counted(int fd)
{
	const char *room = getenv("SLOWDISK_ROOM");
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n > 0 && (size_t)n > strlen(room) && strncmp(path, room, strlen(room)) == 0;
}

/* Whether these bytes of a file would take more blocks than are left; files have no holes. */
static bool is_beyond(int fd, int64_t from, int64_t len)
{
	int64_t end = (from + len + PAGE - 1) / PAGE * PAGE, left;
	int saved = errno;
	struct stat st;
	bool beyond = false;

	if (control >= 0 && faccessat(control, "budget", F_OK, 0) == 0 && find_left(&left) &&
	    is_counted(fd) && fstat(fd, &st) == 0 && end > (int64_t)st.st_blocks * BLOCK)
		beyond = end - (int64_t)st.st_blocks * BLOCK > left;
	errno = beyond ? is_said("quota") ? EDQUOT : ENOSPC : saved;
	return beyond;
}

int fallocate64(int fd, int mode, off64_t from, off64_t len)
{
	int (*real)(int, int, off64_t, off64_t) = dlsym(RTLD_NEXT, "fallocate64");

	return is_beyond(fd, from, len) ? -1 : real(fd, mode, from, len);
}

static void tell_left(struct statvfs64 *st)
{
	int64_t left;

	if (!is_said("quota") && find_left(&left))
		st->f_bavail = left > 0 ? (fsblkcnt64_t)left / st->f_frsize : 0;
}

int statvfs64(const char *path, struct statvfs64 *st)
{
	int (*real)(const char *, struct statvfs64 *) = dlsym(RTLD_NEXT, "statvfs64");
	int rc = real(path, st);

	if (rc == 0)
		tell_left(st);
	return rc;
}

/* Sleeps no longer than the word stands. */
static void take_time(const char *word)
{
	int fd = control >= 0 ? openat(control, word, O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	for (long left_us = n > 0 ? strtol(text, NULL, 10) * 1000 : 0; left_us > 0 && is_said(word);
	     left_us -= LOOK_US)
		usleep(left_us < LOOK_US ? (useconds_t)left_us : LOOK_US);
}

int fdatasync(int fd)
{
	int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");

	wait_while("hang-sync");
	take_time("slow-sync");
	return fails("fail-sync", EIO) ? -1 : real(fd);
}

int fsync(int fd)
{
	int (*real)(int) = dlsym(RTLD_NEXT, "fsync");

	wait_while("hang-sync");
	take_time("slow-sync");
	return fails("fail-sync", EIO) ? -1 : real(fd);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
	ssize_t (*real)(int, void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pread64");

	be_slow("slow-read");
	if (gettid() == getpid() && fails("fail-read", EIO))
		return -1;
	return real(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

	be_slow("slow-write");
	if (gettid() == getpid() && (fails("fail-write", EIO) || fails("full", ENOSPC)))
		return -1;
	return is_beyond(fd, at, (int64_t)len) ? -1 : real(fd, data, len, at);
}

/* Where off_t has 32 bits these two have another argument, and nobody who was built for large files
 * calls them. */
#if __SIZEOF_LONG__ == 8
ssize_t pread(int fd, void *data, size_t len, off_t at)
{
	return pread64(fd, data, len, at);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	return pwrite64(fd, data, len, at);
}

int fallocate(int fd, int mode, off_t from, off_t len)
{
	return fallocate64(fd, mode, from, len);
}

int statvfs(const char *path, struct statvfs *st)
{
	return statvfs64(path, (struct statvfs64 *)st);
}
#endif
