/* Deadlines: a wheel of slots, so that arming and disarming cost the same for one and for a
 * hundred thousand. It knows no event loop: its owner calls timer_wheel_run and sleeps for
 * timer_wheel_wait_ms. One thread. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct timer;
typedef void (*timer_fn)(struct timer *t);

/* Embedded in what it times; container_of leads back. Initialise with timer_init. */
struct timer {
	struct list link;
	int64_t deadline_ms;
	timer_fn fire;
};

enum { TIMER_SLOTS = 1024, TIMER_SLOT_MS = 8 };

struct timer_wheel {
	struct list slots[TIMER_SLOTS];
	struct list due;
	int64_t turned_ms; /* everything with a deadline up to here has fired */
	unsigned armed;
};

void timer_wheel_init(struct timer_wheel *w, int64_t now_ms);
void timer_init(struct timer *t, timer_fn fire);
/* Fire once at deadline_ms or up to one slot later, never earlier. Re-arming moves the deadline. */
void timer_arm(struct timer_wheel *w, struct timer *t, int64_t deadline_ms);
void timer_disarm(struct timer_wheel *w, struct timer *t);
bool timer_is_armed(const struct timer *t);
/* Fire all that are due at now_ms. Callbacks may arm and disarm any timer, themselves too. */
void timer_wheel_run(struct timer_wheel *w, int64_t now_ms);
/* How long nothing can be due: 0 .. most_ms. */
int64_t timer_wheel_wait_ms(const struct timer_wheel *w, int64_t now_ms, int64_t most_ms);

#endif
