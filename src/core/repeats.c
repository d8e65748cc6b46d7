#include "core/repeats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { MINUTE_MS = 60 * 1000, TEXT_MAX = 1024, HOST_SHARE = 8 };

enum { TEXTS = 6 }; /* of struct repeats_event */

struct entry {
	struct hash_node by_content;
	struct list link;
	struct repeats_event event; /* slices are owned, by text */
	bool is_rest;               /* of a host, or of all */
	bool is_told;
	int64_t untold;
	int64_t time_ms; /* wall clock of the last one */
	char text[];
};

struct repeats {
	unsigned places;
	pthread_mutex_t lock;
	struct hash entries;
	struct list order; /* as they came */
	unsigned count;
	_Atomic int64_t began_ms; /* wall clock of the minute's first */
	_Atomic bool has_new;     /* not told yet */
	_Atomic bool has_any;
};

struct repeats *repeats_new(unsigned places)
{
	struct repeats *t = mem_new(sizeof(*t));

	t->places = places;
	pthread_mutex_init(&t->lock, NULL);
	hash_init(&t->entries);
	list_init(&t->order);
	return t;
}

static void clear(struct repeats *t)
{
	list_foreach_safe(at, &t->order) {
		struct entry *e = container_of(at, struct entry, link);

		hash_remove(&t->entries, &e->by_content);
		list_remove(&e->link);
		mem_free(e);
	}
	t->count = 0;
}

void repeats_free(struct repeats *t)
{
	if (!t)
		return;
	clear(t);
	hash_fini(&t->entries);
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}

/* --- one event --- */

/* Those that count for equality first. */
static void list_texts(struct repeats_event *e, struct slice *texts[TEXTS])
{
	texts[0] = &e->host;
	texts[1] = &e->who;
	texts[2] = &e->op;
	texts[3] = &e->path;
	texts[4] = &e->result;
	texts[5] = &e->address;
}

static struct repeats_event cut(const struct repeats_event *e)
{
	struct repeats_event out = *e;
	struct slice *texts[TEXTS];

	list_texts(&out, texts);
	for (int i = 0; i < TEXTS; i++)
		if (texts[i]->len > TEXT_MAX)
			texts[i]->len = TEXT_MAX;
	return out;
}

static uint64_t hash_event(struct repeats_event *e)
{
	uint64_t hash = hash_bytes(e->kind, strlen(e->kind)) ^ hash_u64((uint64_t)e->session);
	struct slice *texts[TEXTS];

	list_texts(e, texts);
	for (int i = 0; i < TEXTS - 1; i++)
		hash = hash * 31 + hash_bytes(texts[i]->data ? texts[i]->data : "", texts[i]->len);
	return hash;
}

static bool is_equal(struct repeats_event *a, struct repeats_event *b)
{
	struct slice *in_a[TEXTS], *in_b[TEXTS];
	bool equal = strcmp(a->kind, b->kind) == 0 && a->session == b->session;

	list_texts(a, in_a);
	list_texts(b, in_b);
	for (int i = 0; i < TEXTS - 1 && equal; i++)
		equal = slice_equal(*in_a[i], *in_b[i]) && !in_a[i]->data == !in_b[i]->data;
	return equal;
}

static struct entry *find(struct repeats *t, struct repeats_event *event, uint64_t hash,
			  bool is_rest)
{
	for (struct hash_node *n = hash_find(&t->entries, hash); n; n = hash_find_next(n)) {
		struct entry *e = container_of(n, struct entry, by_content);

		if (e->is_rest == is_rest && is_equal(&e->event, event))
			return e;
	}
	return NULL;
}

static struct entry *insert(struct repeats *t, const struct repeats_event *event, uint64_t hash,
			    bool is_rest)
{
	struct repeats_event copy = *event;
	struct slice *texts[TEXTS];
	struct entry *e;
	size_t len = 0;

	list_texts(&copy, texts);
	for (int i = 0; i < TEXTS; i++)
		len += texts[i]->len;
	e = mem_new(sizeof(*e) + len + 1);
	len = 0;
	for (int i = 0; i < TEXTS; i++) {
		if (!texts[i]->data)
			continue;
		memcpy(e->text + len, texts[i]->data, texts[i]->len);
		texts[i]->data = e->text + len;
		len += texts[i]->len;
	}
	e->event = copy;
	e->is_rest = is_rest;
	if (list_is_empty(&t->order))
		atomic_store(&t->began_ms, clock_wall_ms());
	hash_insert(&t->entries, &e->by_content, hash);
	list_append(&t->order, &e->link);
	t->count++;
	atomic_store(&t->has_new, true);
	atomic_store(&t->has_any, true);
	return e;
}

static unsigned count_of_host(const struct repeats *t, struct slice host)
{
	unsigned count = 0;

	list_foreach(at, &t->order)
		count += slice_equal(container_of(at, struct entry, link)->event.host, host);
	return count;
}

/* Where what found no place is counted. A host's rest may take half a table more; there is always
 * room for the rest of all. */
static struct entry *find_rest(struct repeats *t, const struct repeats_event *event)
{
	struct repeats_event rest = { .kind = event->kind, .host = event->host };
	uint64_t hash = hash_event(&rest);
	struct entry *e = find(t, &rest, hash, true);

	metrics_add(METRIC_audit_overflows, 1);
	if (!e && t->count < t->places + t->places / 2)
		return insert(t, &rest, hash, true);
	if (e)
		return e;
	rest = (struct repeats_event){ .kind = event->kind };
	hash = hash_event(&rest);
	e = find(t, &rest, hash, true);
	return e ? e : insert(t, &rest, hash, true);
}

void repeats_add(struct repeats *t, const struct repeats_event *event)
{
	struct repeats_event short_one = cut(event);
	uint64_t hash = hash_event(&short_one);
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find(t, &short_one, hash, false);
	if (!e && t->count < t->places &&
	    count_of_host(t, short_one.host) < (t->places + HOST_SHARE - 1) / HOST_SHARE)
		e = insert(t, &short_one, hash, false);
	if (!e)
		e = find_rest(t, &short_one);
	e->untold++;
	e->time_ms = clock_wall_ms();
	pthread_mutex_unlock(&t->lock);
}

/* --- telling --- */

static bool is_over(const struct repeats *t)
{
	int64_t age_ms = clock_wall_ms() - atomic_load(&t->began_ms);

	/* A clock that was set back ends it, too. */
	return age_ms < 0 || age_ms >= MINUTE_MS;
}

void repeats_drain(struct repeats *t, bool all, repeats_fn tell, void *ctx)
{
	if (!atomic_load(&t->has_any) || (!all && !atomic_load(&t->has_new) && !is_over(t)))
		return;
	pthread_mutex_lock(&t->lock);
	all |= is_over(t);
	list_foreach(at, &t->order) {
		struct entry *e = container_of(at, struct entry, link);

		if (e->untold == 0 || (e->is_told && !all))
			continue;
		if (e->untold > 1)
			metrics_add(METRIC_audit_counted, (uint64_t)e->untold - 1);
		tell(ctx, &e->event, e->untold, e->time_ms);
		e->untold = 0;
		e->is_told = true;
	}
	atomic_store(&t->has_new, false);
	if (all) {
		clear(t);
		atomic_store(&t->has_any, false);
	}
	pthread_mutex_unlock(&t->lock);
}
