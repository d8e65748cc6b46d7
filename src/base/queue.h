/* A queue between threads: many push, one takes; an eventfd is readable while something waits. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/list.h"

struct queue;

struct queue *queue_new(void);
/* The queue must be empty. */
void queue_free(struct queue *q);
/* Give item (a link inside what is sent) to the taker; the sender does not touch it again. */
void queue_push(struct queue *q, struct list *item);
/* Move all that waits to the end of to and clear the eventfd. */
void queue_take_all(struct queue *q, struct list *to);
/* For the taker's event loop; owned by the queue. */
int queue_fd(const struct queue *q);

#endif
