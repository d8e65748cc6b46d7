#include "core/pace.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"

/* Tokens are counted in thousandths: `rate` of these come in a millisecond. */
enum { TOKEN = 1000, SWEEP_MS = 1000 };

struct pace_table {
	struct hash by_name;
	struct list unused; /* buckets without a user */
	int64_t swept_ms;
	int32_t rate;
};

struct pace {
	struct hash_node node;
	struct list link; /* in unused */
	unsigned users;
	int64_t rate;
	int64_t tokens; /* in thousandths, as of filled_ms; below 0: a debt */
	int64_t filled_ms;
	char name[];
};

struct pace_table *pace_table_new(int32_t rate)
{
	struct pace_table *t = mem_new(sizeof(*t));

	t->rate = rate;
	hash_init(&t->by_name);
	list_init(&t->unused);
	return t;
}

static void forget(struct pace_table *t, struct pace *p)
{
	list_remove(&p->link);
	hash_remove(&t->by_name, &p->node);
	mem_free(p);
}

void pace_table_free(struct pace_table *t)
{
	if (!t)
		return;
	list_foreach_safe(link, &t->unused)
		forget(t, container_of(link, struct pace, link));
	assert(t->by_name.count == 0);
	hash_fini(&t->by_name);
	mem_free(t);
}

static void fill(struct pace *p, int64_t now_ms)
{
	int64_t most = p->rate * TOKEN;

	/* Whatever the time, more than the debt and a full bucket need not be multiplied. */
	if (now_ms - p->filled_ms >= (most - p->tokens) / p->rate + 1)
		p->tokens = most;
	else
		p->tokens += (now_ms - p->filled_ms) * p->rate;
	p->filled_ms = now_ms;
}

static bool is_full(struct pace *p, int64_t now_ms)
{
	fill(p, now_ms);
	return p->tokens == p->rate * TOKEN;
}

/* Of those that nobody uses: one that is full is as good as none. Now and then, for the others are
 * looked at in vain. */
static void forget_full(struct pace_table *t, int64_t now_ms)
{
	if (now_ms - t->swept_ms < SWEEP_MS)
		return;
	t->swept_ms = now_ms;
	list_foreach_safe(link, &t->unused) {
		struct pace *p = container_of(link, struct pace, link);

		if (is_full(p, now_ms))
			forget(t, p);
	}
}

static struct pace *find(const struct pace_table *t, const char *name, uint64_t hash)
{
	for (struct hash_node *n = hash_find(&t->by_name, hash); n; n = hash_find_next(n)) {
		struct pace *p = container_of(n, struct pace, node);

		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

struct pace *pace_take(struct pace_table *t, const char *name, int64_t now_ms)
{
	size_t len = strlen(name);
	uint64_t hash = hash_bytes(name, len);
	struct pace *p;

	if (t->rate == 0)
		return NULL;
	p = find(t, name, hash);
	if (!p) {
		forget_full(t, now_ms);
		p = mem_new(sizeof(*p) + len + 1);
		list_init(&p->link);
		p->rate = t->rate;
		p->tokens = p->rate * TOKEN;
		p->filled_ms = now_ms;
		memcpy(p->name, name, len + 1);
		hash_insert(&t->by_name, &p->node, hash);
	}
	list_remove(&p->link);
	p->users++;
	return p;
}

void pace_give_back(struct pace_table *t, struct pace *p, int64_t now_ms)
{
	if (!p || --p->users > 0)
		return;
	list_append(&t->unused, &p->link);
	forget_full(t, now_ms);
}

int64_t pace_wait_ms(struct pace *p, int64_t now_ms)
{
	if (!p)
		return 0;
	fill(p, now_ms);
	return p->tokens >= TOKEN ? 0 : (TOKEN - p->tokens + p->rate - 1) / p->rate;
}

void pace_spend(struct pace *p, uint32_t writes, int64_t now_ms)
{
	if (!p)
		return;
	fill(p, now_ms);
	p->tokens -= (int64_t)writes * TOKEN;
}

size_t pace_count(const struct pace_table *t)
{
	return t->by_name.count;
}
