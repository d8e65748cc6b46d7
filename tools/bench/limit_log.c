#include "tools/bench/limit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cdefs.h"
#include "base/mem.h"

enum { BATCH_LIMIT = 256 * 1024 * 1024, PATH_LEN = 4096 };

struct limit_log {
	int file;
	int asked,
		done; /* eventfds: to the thread, and back; what the thread reads ends it at STOP */
	pthread_t thread;
	struct event *event;
	struct buf batch;
	bool flushing;
	void (*flushed)(void *owner);
	void *owner;
};

enum { ASK = 1, STOP = 1 << 20 };

static no_return void give_up(const char *what)
{
	fprintf(stderr, "zoolite-limit: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static uint64_t take(int fd)
{
	uint64_t value;

	while (read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value)) {
		if (errno != EINTR)
			give_up("eventfd");
	}
	return value;
}

static void give(int fd, uint64_t value)
{
	if (write(fd, &value, sizeof(value)) != (ssize_t)sizeof(value))
		give_up("eventfd");
}

static void *flush(void *arg)
{
	struct limit_log *l = arg;

	while (take(l->asked) < STOP) {
		if (fdatasync(l->file) != 0)
			give_up("fdatasync");
		give(l->done, ASK);
	}
	return NULL;
}

static void take_done(evutil_socket_t fd, short what, void *arg)
{
	struct limit_log *l = arg;

	(void)what;
	take(fd);
	l->flushing = false;
	l->flushed(l->owner);
}

struct limit_log *limit_log_open(struct event_base *base, const char *directory,
				 void (*flushed)(void *owner), void *owner)
{
	struct limit_log *l = mem_new(sizeof(*l));
	char path[PATH_LEN];

	l->flushed = flushed;
	l->owner = owner;
	buf_init(&l->batch, BATCH_LIMIT);
	snprintf(path, sizeof(path), "%s/limit.log", directory);
	l->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	l->asked = eventfd(0, EFD_CLOEXEC);
	l->done = eventfd(0, EFD_CLOEXEC);
	if (l->file < 0)
		give_up(path);
	if (l->asked < 0 || l->done < 0)
		give_up("eventfd");
	l->event = event_new(base, l->done, EV_READ | EV_PERSIST, take_done, l);
	if (l->event == NULL || event_add(l->event, NULL) != 0 ||
	    pthread_create(&l->thread, NULL, flush, l) != 0)
		give_up("cannot begin");
	return l;
}

void limit_log_close(struct limit_log *l)
{
	give(l->asked, STOP);
	pthread_join(l->thread, NULL);
	event_free(l->event);
	close(l->asked);
	close(l->done);
	close(l->file);
	buf_fini(&l->batch);
	mem_free(l);
}

void limit_log_append(struct limit_log *l, struct slice bytes)
{
	if (buf_append(&l->batch, bytes.data, bytes.len) != 0)
		give_up("the batch does not fit in memory");
}

bool limit_log_flush(struct limit_log *l)
{
	if (l->flushing || buf_len(&l->batch) == 0)
		return false;
	while (buf_len(&l->batch) > 0) {
		ssize_t put = write(l->file, buf_head(&l->batch), buf_len(&l->batch));

		if (put > 0)
			buf_drain(&l->batch, (size_t)put);
		else if (errno != EINTR)
			give_up("write");
	}
	l->flushing = true;
	give(l->asked, ASK);
	return true;
}
