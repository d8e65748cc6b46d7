/* A failure of epoll itself is our bug or the end of memory: the process ends. */
#include "tools/bench/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { EVENTS = 256, US_PER_S = 1000000, NS_PER_US = 1000 };

struct loop {
	int fd;
	struct epoll_event events[EVENTS];
};

struct loop *loop_new(void)
{
	struct loop *l = mem_new(sizeof(*l));

	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0)
		die("loop.failed", strerror(errno));
	return l;
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	close(l->fd);
	mem_free(l);
}

static void control(struct loop *l, int op, int fd, struct loop_watch *w, bool want_write)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = w };

	if (want_write)
		e.events |= EPOLLOUT;
	if (epoll_ctl(l->fd, op, fd, &e) != 0)
		die("loop.failed", strerror(errno));
}

void loop_add(struct loop *l, int fd, struct loop_watch *w, bool want_write)
{
	control(l, EPOLL_CTL_ADD, fd, w, want_write);
}

void loop_change(struct loop *l, int fd, struct loop_watch *w, bool want_write)
{
	control(l, EPOLL_CTL_MOD, fd, w, want_write);
}

void loop_remove(struct loop *l, int fd)
{
	control(l, EPOLL_CTL_DEL, fd, NULL, false);
}

void loop_turn(struct loop *l, long timeout_us)
{
	struct timespec limit = { timeout_us / US_PER_S, timeout_us % US_PER_S * NS_PER_US };
	int n = epoll_pwait2(l->fd, l->events, EVENTS, &limit, NULL);

	if (n < 0 && errno != EINTR)
		die("loop.failed", strerror(errno));
	for (int i = 0; i < n; i++) {
		struct loop_watch *w = l->events[i].data.ptr;

		w->ready(w);
	}
}
