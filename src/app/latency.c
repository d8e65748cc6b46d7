#include "app/latency.h"

#include "base/clock.h"
#include "base/mem.h"

/* Requests that wait for the same zxid, of one turn: they share a beginning, give or take the
 * turn. */
struct waiting {
	int64_t mark;
	int64_t began_us;
	uint64_t count;
};

struct latency {
	struct waiting *ring; /* marks rise */
	uint32_t first, count, cap;
	uint64_t waiting;
	uint64_t done;
	uint64_t sum_us, min_us, max_us;
};

struct latency *latency_new(void)
{
	struct latency *l = mem_new(sizeof(*l));

	latency_reset(l);
	return l;
}

void latency_free(struct latency *l)
{
	if (!l)
		return;
	mem_free(l->ring);
	mem_free(l);
}

static void add(struct latency *l, int64_t took_us, uint64_t count)
{
	uint64_t us = took_us > 0 ? (uint64_t)took_us : 0;

	l->done += count;
	l->sum_us += us * count;
	if (us < l->min_us)
		l->min_us = us;
	if (us > l->max_us)
		l->max_us = us;
}

static void grow(struct latency *l)
{
	uint32_t cap = l->cap ? 2 * l->cap : 64;
	struct waiting *ring = mem_new(cap * sizeof(*ring));

	for (uint32_t i = 0; i < l->count; i++)
		ring[i] = l->ring[(l->first + i) % l->cap];
	mem_free(l->ring);
	l->ring = ring;
	l->first = 0;
	l->cap = cap;
}

void latency_note(struct latency *l, int64_t began_us, int64_t mark, int64_t flushed)
{
	struct waiting *last = l->count ? &l->ring[(l->first + l->count - 1) % l->cap] : NULL;

	if (mark <= flushed) {
		add(l, clock_exact_us() - began_us, 1);
		return;
	}
	l->waiting++;
	/* A lower mark than the last one waits behind it on its connection, near enough. */
	if (last && mark <= last->mark) {
		last->count++;
		return;
	}
	if (l->count == l->cap)
		grow(l);
	l->ring[(l->first + l->count++) % l->cap] = (struct waiting){ mark, began_us, 1 };
}

void latency_flushed(struct latency *l, int64_t flushed)
{
	int64_t now_us;

	if (l->count == 0 || l->ring[l->first].mark > flushed)
		return;
	now_us = clock_exact_us();
	while (l->count > 0 && l->ring[l->first].mark <= flushed) {
		struct waiting *w = &l->ring[l->first];

		add(l, now_us - w->began_us, w->count);
		l->waiting -= w->count;
		l->first = (l->first + 1) % l->cap;
		l->count--;
	}
}

void latency_reset(struct latency *l)
{
	l->done = l->sum_us = l->max_us = 0;
	l->min_us = UINT64_MAX;
}

struct latency_figures latency_figures(const struct latency *l)
{
	struct latency_figures f = { .count = l->done, .max_ms = l->max_us / 1000 };

	if (l->done > 0) {
		f.min_ms = l->min_us / 1000;
		f.avg_ms = (double)l->sum_us / (double)l->done / 1000;
	}
	return f;
}

uint64_t latency_waiting(const struct latency *l)
{
	return l->waiting;
}
