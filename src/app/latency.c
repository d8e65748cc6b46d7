#include "app/latency.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "core/client.h"

/* Requests that wait for the same zxid, of one turn: they share a beginning, give or take the
 * turn. */
struct waiting {
	int64_t mark;
	int64_t began_us;
	uint64_t counts[LATENCY_KINDS];
};

struct latency {
	struct waiting *ring; /* marks rise */
	uint32_t first, count, cap;
	uint64_t waiting;
	struct summary took[LATENCY_KINDS];
	struct latency_sizes sizes;
	struct list clients; /* whose replies wait */
};

struct latency *latency_new(void)
{
	struct latency *l = mem_new(sizeof(*l));

	list_init(&l->clients);
	latency_reset(l);
	return l;
}

void latency_free(struct latency *l)
{
	if (!l)
		return;
	while (list_take_first(&l->clients))
		;
	mem_free(l->ring);
	mem_free(l);
}

static uint64_t span(int64_t began_us, int64_t ended_us)
{
	return ended_us > began_us ? (uint64_t)(ended_us - began_us) : 0;
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

void latency_note(struct latency *l, enum latency_kind kind, int64_t began_us, int64_t mark,
		  int64_t flushed)
{
	struct waiting *last = l->count ? &l->ring[(l->first + l->count - 1) % l->cap] : NULL;

	if (mark <= flushed) {
		summary_add(&l->took[kind], span(began_us, clock_exact_us()), 1);
		return;
	}
	l->waiting++;
	/* A lower mark than the last one waits behind it on its connection, near enough. */
	if (!last || mark > last->mark) {
		if (l->count == l->cap)
			grow(l);
		last = &l->ring[(l->first + l->count++) % l->cap];
		*last = (struct waiting){ .mark = mark, .began_us = began_us };
	}
	last->counts[kind]++;
}

/* All of what waited together is answered now. */
static void settle(struct client_stats *s, const struct client_replies *r, int64_t now_us)
{
	uint64_t longest = span(r->first_us, now_us), shortest = span(r->last_us, now_us);
	int64_t sum = now_us * r->count - r->sum_us;

	s->last_op = r->op;
	/* The last real operation is what is asked for. */
	if (r->xid >= 0)
		s->last_xid = r->xid;
	s->last_zxid = r->zxid;
	s->last_response_ms = now_us / 1000;
	s->last_us = shortest;
	if (s->count == 0 || shortest < s->min_us)
		s->min_us = shortest;
	if (longest > s->max_us)
		s->max_us = longest;
	s->count += r->count;
	s->sum_us += sum > 0 ? (uint64_t)sum : 0;
}

static void join(struct client_replies *r, const struct latency_reply *reply)
{
	if (r->count++ == 0)
		r->first_us = reply->began_us;
	if (reply->mark > r->mark)
		r->mark = reply->mark;
	r->last_us = reply->began_us;
	r->sum_us += reply->began_us;
	r->op = reply->op;
	if (r->count == 1 || reply->xid >= 0)
		r->xid = reply->xid;
	r->zxid = reply->zxid;
}

void latency_note_client(struct latency *l, struct client *c, const struct latency_reply *reply,
			 int64_t flushed)
{
	struct client_replies *w = c->stats.waiting;
	struct client_replies one = { 0 };

	/* A read behind a write on its connection leaves after it, whatever it shows itself; a
	 * ping does not. */
	if ((w[0].count == 0 || reply->op == OP_PING) && reply->mark <= flushed) {
		join(&one, reply);
		settle(&c->stats, &one, clock_exact_us());
		return;
	}
	if (w[0].count == 0)
		list_append(&l->clients, &c->stats.link);
	/* What came after a sync began waits for the next one. */
	join(w[0].count == 0 || reply->mark <= w[0].mark ? &w[0] : &w[1], reply);
}

static void settle_client(struct client *c, int64_t flushed, int64_t now_us)
{
	struct client_replies *w = c->stats.waiting;

	while (w[0].count > 0 && w[0].mark <= flushed) {
		settle(&c->stats, &w[0], now_us);
		w[0] = w[1];
		w[1] = (struct client_replies){ 0 };
	}
	if (w[0].count == 0)
		list_remove(&c->stats.link);
}

void latency_note_size(struct latency *l, size_t len)
{
	struct latency_sizes *s = &l->sizes;

	s->last = (int64_t)len;
	if (s->min < 0 || s->last < s->min)
		s->min = s->last;
	if (s->last > s->max)
		s->max = s->last;
}

void latency_flushed(struct latency *l, int64_t flushed)
{
	int64_t now_us;

	if (l->count == 0 && list_is_empty(&l->clients))
		return;
	now_us = clock_exact_us();
	while (l->count > 0 && l->ring[l->first].mark <= flushed) {
		struct waiting *w = &l->ring[l->first];

		for (int kind = 0; kind < LATENCY_KINDS; kind++) {
			summary_add(&l->took[kind], span(w->began_us, now_us), w->counts[kind]);
			l->waiting -= w->counts[kind];
		}
		l->first = (l->first + 1) % l->cap;
		l->count--;
	}
	list_foreach_safe(link, &l->clients)
		settle_client(container_of(link, struct client, stats.link), flushed, now_us);
}

void latency_reset(struct latency *l)
{
	for (int kind = 0; kind < LATENCY_KINDS; kind++)
		summary_reset(&l->took[kind]);
	l->sizes = (struct latency_sizes){ -1, -1, -1 };
}

struct latency_figures latency_figures(const struct latency *l)
{
	const struct summary *reads = &l->took[LATENCY_READ], *updates = &l->took[LATENCY_UPDATE];
	struct latency_figures f = { .count = reads->count + updates->count };
	uint64_t min_us = reads->min, max_us = reads->max;

	if (f.count == 0)
		return f;
	if (reads->count == 0 || (updates->count > 0 && updates->min < min_us))
		min_us = updates->min;
	if (updates->max > max_us)
		max_us = updates->max;
	f.min_ms = min_us / 1000;
	f.max_ms = max_us / 1000;
	f.avg_ms = (double)(reads->sum + updates->sum) / (double)f.count / 1000;
	return f;
}

const struct summary *latency_summary(const struct latency *l, enum latency_kind kind)
{
	return &l->took[kind];
}

uint64_t latency_waiting(const struct latency *l)
{
	return l->waiting;
}

uint64_t latency_waiting_of(const struct client *c)
{
	return (uint64_t)c->stats.waiting[0].count + c->stats.waiting[1].count;
}

struct latency_sizes latency_sizes(const struct latency *l)
{
	return l->sizes;
}
