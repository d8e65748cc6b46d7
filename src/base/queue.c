/* A list under a mutex. The eventfd is written and cleared under the same mutex, so it is
 * readable exactly while the list holds something. */
#include "base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct queue {
	pthread_mutex_t lock;
	struct list items;
	int fd;
};

struct queue *queue_new(void)
{
	struct queue *q = mem_new(sizeof(*q));

	list_init(&q->items);
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd < 0)
		die("queue.eventfd", strerror(errno));
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

void queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	assert(list_is_empty(&q->items));
	pthread_mutex_destroy(&q->lock);
	close(q->fd);
	mem_free(q);
}

void queue_push(struct queue *q, struct list *item)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&q->lock);
	if (list_is_empty(&q->items) && write(q->fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		die("queue.wake", strerror(errno));
	list_append(&q->items, item);
	pthread_mutex_unlock(&q->lock);
}

void queue_take_all(struct queue *q, struct list *to)
{
	uint64_t wakes;

	pthread_mutex_lock(&q->lock);
	if (!list_is_empty(&q->items) &&
	    read(q->fd, &wakes, sizeof(wakes)) != (ssize_t)sizeof(wakes))
		die("queue.clear", strerror(errno));
	list_splice(to, &q->items);
	pthread_mutex_unlock(&q->lock);
}

int queue_fd(const struct queue *q)
{
	return q->fd;
}
