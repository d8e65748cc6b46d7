/* A hashed wheel: slot k holds the deadlines whose tick (their time in slots, rounded up) is k
 * modulo the number of slots, this round's and later ones' together. A turn looks at the slots
 * it passes and takes out what is due; the others stay where they are until the wheel has come
 * round often enough. */
#include "base/timer.h"

#include <stddef.h>

static int64_t tick_of_now(int64_t now_ms)
{
	return now_ms / TIMER_SLOT_MS;
}

/* The first tick at which a deadline has passed. */
static int64_t tick_of_deadline(int64_t deadline_ms)
{
	return deadline_ms / TIMER_SLOT_MS + (deadline_ms % TIMER_SLOT_MS > 0);
}

static size_t slot_of_tick(int64_t tick)
{
	return (size_t)(tick % TIMER_SLOTS);
}

void timer_wheel_init(struct timer_wheel *w, int64_t now_ms)
{
	for (size_t i = 0; i < TIMER_SLOTS; i++)
		list_init(&w->slots[i]);
	list_init(&w->due);
	w->turned_ms = tick_of_now(now_ms) * TIMER_SLOT_MS;
	w->armed = 0;
}

void timer_init(struct timer *t, timer_fn fire)
{
	list_init(&t->link);
	t->deadline_ms = 0;
	t->fire = fire;
}

void timer_arm(struct timer_wheel *w, struct timer *t, int64_t deadline_ms)
{
	timer_disarm(w, t);
	t->deadline_ms = deadline_ms;
	if (deadline_ms <= w->turned_ms)
		list_append(&w->due, &t->link);
	else
		list_append(&w->slots[slot_of_tick(tick_of_deadline(deadline_ms))], &t->link);
	w->armed++;
}

void timer_disarm(struct timer_wheel *w, struct timer *t)
{
	if (!timer_is_armed(t))
		return;
	list_remove(&t->link);
	w->armed--;
}

bool timer_is_armed(const struct timer *t)
{
	return !list_is_empty(&t->link);
}

static void take_due(struct list *slot, int64_t turned_ms, struct list *to)
{
	list_foreach_safe(pos, slot) {
		struct timer *t = container_of(pos, struct timer, link);

		if (t->deadline_ms > turned_ms)
			continue;
		list_remove(pos);
		list_append(to, pos);
	}
}

void timer_wheel_run(struct timer_wheel *w, int64_t now_ms)
{
	int64_t tick = tick_of_now(w->turned_ms);
	int64_t last = tick_of_now(now_ms);
	struct list firing;
	struct list *link;

	/* What a callback arms with a deadline that has passed waits for the next run: no run is
	 * endless. */
	list_init(&firing);
	list_splice(&firing, &w->due);
	if (last > tick) {
		w->turned_ms = last * TIMER_SLOT_MS;
		/* After a long pause once round is enough to have seen every slot. */
		if (last - tick > TIMER_SLOTS)
			tick = last - TIMER_SLOTS;
		while (tick++ < last)
			take_due(&w->slots[slot_of_tick(tick)], w->turned_ms, &firing);
	}
	while ((link = list_take_first(&firing)) != NULL) {
		struct timer *t = container_of(link, struct timer, link);

		w->armed--;
		t->fire(t);
	}
}

int64_t timer_wheel_wait_ms(const struct timer_wheel *w, int64_t now_ms, int64_t most_ms)
{
	int64_t tick = tick_of_now(w->turned_ms);

	if (!list_is_empty(&w->due))
		return 0;
	if (w->armed == 0)
		return most_ms;
	for (int i = 1; i <= TIMER_SLOTS; i++) {
		int64_t wait_ms = (tick + i) * TIMER_SLOT_MS - now_ms;

		if (wait_ms >= most_ms)
			break;
		/* A slot that holds later rounds only wakes the owner once for nothing, which is
		 * cheaper than looking. */
		if (!list_is_empty(&w->slots[slot_of_tick(tick + i)]))
			return wait_ms > 0 ? wait_ms : 0;
	}
	return most_ms;
}
