/* One epoll(7) loop. One thread. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stdbool.h>

/* Embedded in what waits for a descriptor. */
struct loop_watch {
	/* It is readable, writable or broken: try both. Level-triggered. */
	void (*ready)(struct loop_watch *w);
};

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Tell w when fd is readable and, where wanted, when it is writable. w must stay valid until the
 * turn after loop_remove has ended. */
void loop_add(struct loop *l, int fd, struct loop_watch *w, bool want_write);
void loop_change(struct loop *l, int fd, struct loop_watch *w, bool want_write);
void loop_remove(struct loop *l, int fd);
/* Wait for at most timeout_us and call what is ready. */
void loop_turn(struct loop *l, long timeout_us);

#endif
