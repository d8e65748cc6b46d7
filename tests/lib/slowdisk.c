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
 *   drag        each read and write of the main thread takes DRAG_US
 *   slow-write  the main thread's next write takes SLOW_US; the file is gone then
 *   slow-read   likewise its next read
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum { SLOW_US = 300000, DRAG_US = 10000, LOOK_US = 5000 };

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
	return real(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

	be_slow("slow-write");
	if (gettid() == getpid() && (fails("fail-write", EIO) || fails("full", ENOSPC)))
		return -1;
	return real(fd, data, len, at);
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
#endif
