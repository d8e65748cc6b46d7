/* A reader holds a shared lock on one of five bytes of the -shm (SQLite's os_unix.c and wal.c:
 * UNIX_SHM_BASE, WAL_READ_LOCK), whose place is part of the format. */
#include "store/visitor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { FIRST_READ_LOCK = 123, READ_LOCKS = 5 };

struct visitor {
	char *path;
	int fd; /* stays open */
};

struct visitor *visitor_new(const char *db_path)
{
	struct visitor *v = mem_new(sizeof(*v));
	size_t size = strlen(db_path) + sizeof("-shm");

	v->path = mem_new(size);
	(void)snprintf(v->path, size, "%s-shm", db_path);
	v->fd = -1;
	return v;
}

void visitor_free(struct visitor *v)
{
	if (v == NULL)
		return;
	if (v->fd >= 0)
		close(v->fd);
	mem_free(v->path);
	mem_free(v);
}

pid_t visitor_find(struct visitor *v)
{
	struct flock lock = { .l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = FIRST_READ_LOCK,
			      .l_len = READ_LOCKS };

	if (v->fd < 0)
		v->fd = open(v->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (v->fd < 0 || fcntl(v->fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}
