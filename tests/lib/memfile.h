/* A file in memory, for what reads from a descriptor or a path. */
#ifndef TESTS_LIB_MEMFILE_H
#define TESTS_LIB_MEMFILE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMFILE_PATH_LEN = 32 };

/* A descriptor at its beginning. */
static inline int memfile_make(const void *bytes, size_t len)
{
	int fd = memfd_create("memfile", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0) {
		perror("memfile");
		abort();
	}
	return fd;
}

/* Where it can be opened anew, as long as fd is open. */
static inline void memfile_path(int fd, char path[MEMFILE_PATH_LEN])
{
	(void)snprintf(path, MEMFILE_PATH_LEN, "/proc/self/fd/%d", fd);
}

#endif
