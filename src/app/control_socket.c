#include "app/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

enum { BACKLOG = 16, SOCKET_MODE = 0600, PATH_SHOWN = 300, CONNECT_S = 10 };

char *control_socket_path(const struct config *c)
{
	static const char name[] = "/control.sock";
	size_t len = strlen(c->data_dir) + sizeof(name);
	char *path;

	if (c->control_socket)
		return strcmp(c->control_socket, "none") == 0 ? NULL
							      : mem_strdup(c->control_socket);
	path = mem_new(len);
	snprintf(path, len, "%s%s", c->data_dir, name);
	return path;
}

/* An address for a path of any length: what does not fit is reached through its directory, held
 * open. */
struct place {
	struct sockaddr_un at;
	int dir_fd; /* -1: not needed */
};

/* -1 with errno. */
static int place_init(struct place *p, const char *path)
{
	const char *name = strrchr(path, '/');
	char *dir;
	int len;

	*p = (struct place){ .at.sun_family = AF_UNIX, .dir_fd = -1 };
	if (strlen(path) < sizeof(p->at.sun_path)) {
		memcpy(p->at.sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!name) {
		errno = ENAMETOOLONG;
		return -1;
	}
	dir = mem_dup(path, (size_t)(name - path) + 1);
	p->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	mem_free(dir);
	if (p->dir_fd < 0)
		return -1;
	len = snprintf(p->at.sun_path, sizeof(p->at.sun_path), "/proc/self/fd/%d%s", p->dir_fd,
		       name);
	if (len > 0 && (size_t)len < sizeof(p->at.sun_path))
		return 0;
	close(p->dir_fd);
	errno = ENAMETOOLONG;
	return -1;
}

static void place_fini(struct place *p)
{
	if (p->dir_fd >= 0)
		close(p->dir_fd);
}

/* -1 with errno. */
static int make_socket(int type, const char *path, struct place *place)
{
	int fd, saved_errno;

	if (place_init(place, path) != 0)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		saved_errno = errno;
		place_fini(place);
		errno = saved_errno;
	}
	return fd;
}

static int connect_to(int type, const char *path)
{
	const struct timeval longest = { CONNECT_S, 0 };
	struct place place;
	int fd = make_socket(type, path, &place), saved_errno;

	if (fd < 0)
		return -1;
	/* Where the queue of a stuck server is full. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
	if (connect(fd, (const struct sockaddr *)&place.at, sizeof(place.at)) != 0) {
		saved_errno = errno;
		close(fd);
		fd = -1;
		errno = saved_errno;
	}
	saved_errno = errno;
	place_fini(&place);
	errno = saved_errno;
	return fd;
}

int control_socket_connect(const char *path)
{
	return connect_to(SOCK_STREAM, path);
}

static int fail(const char *path, const char *why, char reason[CONTROL_SOCKET_REASON_LEN])
{
	snprintf(reason, CONTROL_SOCKET_REASON_LEN, "%.*s: %s", PATH_SHOWN, path, why);
	return -1;
}

/* A server that was killed leaves its socket behind, at which nobody listens. */
static int clear_place(const char *path, char reason[CONTROL_SOCKET_REASON_LEN])
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : fail(path, strerror(errno), reason);
	if (!S_ISSOCK(st.st_mode))
		return fail(path, "is there and is no socket", reason);
	/* Without blocking: a listener whose queue is full is one, too. */
	fd = connect_to(SOCK_STREAM | SOCK_NONBLOCK, path);
	if (fd >= 0 || errno == EAGAIN) {
		if (fd >= 0)
			close(fd);
		return fail(path, "somebody listens there", reason);
	}
	if (errno != ECONNREFUSED)
		return fail(path, strerror(errno), reason);
	return unlink(path) == 0 ? 0 : fail(path, strerror(errno), reason);
}

/* -1 with errno. */
static int listen_at(int fd, const struct sockaddr_un *at, const char *path)
{
	/* Nobody else may come in between bind and chmod. Threads of the store may make files just
	 * now: none of them is for others either. */
	mode_t mask = umask(S_IRWXG | S_IRWXO);
	int rc = bind(fd, (const struct sockaddr *)at, sizeof(*at)), saved_errno = errno;

	umask(mask);
	errno = saved_errno;
	if (rc != 0)
		return -1;
	if (chmod(path, SOCKET_MODE) == 0 && listen(fd, BACKLOG) == 0)
		return 0;
	saved_errno = errno;
	unlink(path);
	errno = saved_errno;
	return -1;
}

int control_socket_open(struct control_socket *s, const char *path,
			char reason[CONTROL_SOCKET_REASON_LEN])
{
	struct place place;
	struct stat st;
	int fd;

	if (clear_place(path, reason) != 0)
		return -1;
	fd = make_socket(SOCK_STREAM | SOCK_NONBLOCK, path, &place);
	if (fd < 0)
		return fail(path, strerror(errno), reason);
	if (listen_at(fd, &place.at, path) != 0 || lstat(path, &st) != 0) {
		(void)fail(path, strerror(errno), reason);
		close(fd);
		place_fini(&place);
		return -1;
	}
	place_fini(&place);
	*s = (struct control_socket){ fd, mem_strdup(path), st.st_dev, st.st_ino };
	return 0;
}

void control_socket_close(struct control_socket *s)
{
	struct stat st;

	if (lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		unlink(s->path);
	close(s->fd);
	mem_free(s->path);
	s->path = NULL;
}
