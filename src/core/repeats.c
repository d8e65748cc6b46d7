#include "core/repeats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { MINUTE_MS = 60 * 1000, OWNER_SHARE = 8 };

enum { TEXTS = 7 }; /* of struct repeats_event */

/* How much of an event is told. */
enum level { WHOLE, WITHOUT_PATH, OWNER_ALONE, KIND_ALONE, LEVELS };

struct entry {
	struct hash_node by_content;
	struct list link;
	struct repeats_event event; /* slices are owned, by text */
	enum level level;
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
	unsigned counts[LEVELS];
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
	memset(t->counts, 0, sizeof(t->counts));
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
	texts[5] = &e->owner;
	texts[6] = &e->address;
}

static struct repeats_event cut(const struct repeats_event *e)
{
	struct repeats_event out = *e;
	struct slice *texts[TEXTS];

	list_texts(&out, texts);
	for (int i = 0; i < TEXTS; i++)
		if (texts[i]->len > REPEATS_TEXT_MAX)
			texts[i]->len = REPEATS_TEXT_MAX;
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
			  enum level level)
{
	for (struct hash_node *n = hash_find(&t->entries, hash); n; n = hash_find_next(n)) {
		struct entry *e = container_of(n, struct entry, by_content);

		if (e->level == level && is_equal(&e->event, event))
			return e;
	}
	return NULL;
}

static struct entry *insert(struct repeats *t, const struct repeats_event *event, uint64_t hash,
			    enum level level)
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
	e->level = level;
	if (list_is_empty(&t->order))
		atomic_store(&t->began_ms, clock_wall_ms());
	hash_insert(&t->entries, &e->by_content, hash);
	list_append(&t->order, &e->link);
	t->counts[level]++;
	atomic_store(&t->has_new, true);
	atomic_store(&t->has_any, true);
	return e;
}

static struct slice owner_of(const struct repeats_event *e)
{
	return e->owner.data ? e->owner : e->host;
}

static unsigned count_of_owner(const struct repeats *t, struct slice owner, enum level level)
{
	unsigned count = 0;

	list_foreach(at, &t->order) {
		const struct entry *e = container_of(at, struct entry, link);

		count += e->level == level && slice_equal(owner_of(&e->event), owner);
	}
	return count;
}

/* There is always room for the last level, one for each kind. */
static bool has_place(const struct repeats *t, const struct repeats_event *e, enum level level)
{
	unsigned places = level == WHOLE ? t->places : t->places / 2;

	if (level == KIND_ALONE)
		return true;
	return t->counts[level] < places &&
	       count_of_owner(t, owner_of(e), level) < (t->places + OWNER_SHARE - 1) / OWNER_SHARE;
}

/* What of the event is told at that level. */
static struct repeats_event part(const struct repeats_event *e, enum level level)
{
	struct repeats_event out = { .kind = e->kind };

	if (level == WHOLE)
		return *e;
	if (level == KIND_ALONE)
		return out;
	out.who = out.owner = e->owner;
	/* Or who comes from many hosts would take a place for each. */
	if (level == WITHOUT_PATH || !e->owner.data)
		out.host = e->host;
	if (level == WITHOUT_PATH) {
		out.op = e->op;
		out.result = e->result;
	}
	return out;
}

/* NULL: there is none. */
static struct entry *place_at(struct repeats *t, const struct repeats_event *event,
			      enum level level)
{
	struct repeats_event e = part(event, level);
	uint64_t hash = hash_event(&e);
	struct entry *found = find(t, &e, hash, level);

	return found || !has_place(t, &e, level) ? found : insert(t, &e, hash, level);
}

static struct entry *find_place(struct repeats *t, const struct repeats_event *event)
{
	struct entry *e = place_at(t, event, WHOLE);

	if (e)
		return e;
	metrics_add(METRIC_audit_overflows, 1);
	e = place_at(t, event, WITHOUT_PATH);
	if (!e)
		e = place_at(t, event, OWNER_ALONE);
	return e ? e : place_at(t, event, KIND_ALONE);
}

void repeats_add(struct repeats *t, const struct repeats_event *event)
{
	struct repeats_event short_one = cut(event);
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = find_place(t, &short_one);
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
