#include "core/watch.h"

#include <assert.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/client.h"

struct watched_path {
	struct hash_node by_path;
	struct list watches[WATCH_KINDS]; /* watch.on_path */
	uint32_t len;
	char text[];
};

struct watch {
	struct list on_path;
	struct list of_client;
	struct hash_node by_pair; /* of client, path and kind: arming twice is arming once */
	struct watched_path *path;
	struct client *client;
	enum watch_kind kind;
};

struct watch_table {
	struct hash paths;
	struct hash pairs;
	size_t clients; /* with a watch at least */
	uint64_t event; /* number of the event told last */
};

struct watch_table *watch_table_new(void)
{
	struct watch_table *t = mem_new(sizeof(*t));

	hash_init(&t->paths);
	hash_init(&t->pairs);
	return t;
}

void watch_table_free(struct watch_table *t)
{
	if (!t)
		return;
	assert(t->pairs.count == 0);
	hash_fini(&t->paths);
	hash_fini(&t->pairs);
	mem_free(t);
}

static struct watched_path *find_path(const struct watch_table *t, struct slice path, uint64_t hash)
{
	for (struct hash_node *n = hash_find(&t->paths, hash); n; n = hash_find_next(n)) {
		struct watched_path *p = container_of(n, struct watched_path, by_path);

		if (slice_equal((struct slice){ p->text, p->len }, path))
			return p;
	}
	return NULL;
}

static struct watched_path *take_path(struct watch_table *t, struct slice path)
{
	uint64_t hash = hash_bytes(path.data, path.len);
	struct watched_path *p = find_path(t, path, hash);

	if (p)
		return p;
	p = mem_new(sizeof(*p) + path.len);
	for (int kind = 0; kind < WATCH_KINDS; kind++)
		list_init(&p->watches[kind]);
	p->len = (uint32_t)path.len;
	if (path.len)
		memcpy(p->text, path.data, path.len);
	hash_insert(&t->paths, &p->by_path, hash);
	return p;
}

static void drop_path_if_idle(struct watch_table *t, struct watched_path *p)
{
	for (int kind = 0; kind < WATCH_KINDS; kind++)
		if (!list_is_empty(&p->watches[kind]))
			return;
	hash_remove(&t->paths, &p->by_path);
	mem_free(p);
}

static uint64_t pair_hash(const struct client *c, const struct watched_path *p,
			  enum watch_kind kind)
{
	return hash_u64(c->serial * WATCH_KINDS + kind) ^ p->by_path.hash;
}

static bool is_armed(const struct watch_table *t, uint64_t hash, const struct client *c,
		     const struct watched_path *p, enum watch_kind kind)
{
	for (struct hash_node *n = hash_find(&t->pairs, hash); n; n = hash_find_next(n)) {
		const struct watch *w = container_of(n, struct watch, by_pair);

		if (w->client == c && w->path == p && w->kind == kind)
			return true;
	}
	return false;
}

/* Of the memory that a watch takes, paths may be most. */
static size_t watch_bytes(const struct watch *w)
{
	return sizeof(*w) + sizeof(*w->path) + w->path->len;
}

void watch_arm(struct watch_table *t, struct client *c, struct slice path, enum watch_kind kind)
{
	struct watched_path *p = take_path(t, path);
	uint64_t hash = pair_hash(c, p, kind);
	struct watch *w;

	if (is_armed(t, hash, c, p, kind))
		return;
	w = mem_new(sizeof(*w));
	w->path = p;
	w->client = c;
	w->kind = kind;
	list_append(&p->watches[kind], &w->on_path);
	list_append(&c->watches, &w->of_client);
	hash_insert(&t->pairs, &w->by_pair, hash);
	c->watch_bytes += watch_bytes(w);
	if (c->watch_count++ == 0)
		t->clients++;
}

/* Leaves the path, which may be idle then, to the caller. */
static void drop_watch(struct watch_table *t, struct watch *w)
{
	w->client->watch_bytes -= watch_bytes(w);
	if (--w->client->watch_count == 0)
		t->clients--;
	list_remove(&w->on_path);
	list_remove(&w->of_client);
	hash_remove(&t->pairs, &w->by_pair);
	mem_free(w);
}

static size_t fire_kind(struct watch_table *t, struct watched_path *p, enum watch_kind kind,
			void (*call)(void *ctx, struct client *c), void *ctx)
{
	size_t fired = 0;

	while (!list_is_empty(&p->watches[kind])) {
		struct watch *w = container_of(p->watches[kind].next, struct watch, on_path);
		struct client *c = w->client;

		drop_watch(t, w);
		if (c->told == t->event)
			continue;
		c->told = t->event;
		call(ctx, c);
		fired++;
	}
	return fired;
}

size_t watch_fire(struct watch_table *t, struct slice path, enum event_type type,
		  void (*call)(void *ctx, struct client *c), void *ctx)
{
	struct watched_path *p = find_path(t, path, hash_bytes(path.data, path.len));
	size_t fired = 0;

	if (!p)
		return 0;
	t->event++;
	if (type != EVENT_NODE_CHILDREN_CHANGED)
		fired += fire_kind(t, p, WATCH_DATA, call, ctx);
	if (type == EVENT_NODE_CHILDREN_CHANGED || type == EVENT_NODE_DELETED)
		fired += fire_kind(t, p, WATCH_CHILD, call, ctx);
	drop_path_if_idle(t, p);
	return fired;
}

void watch_drop_client(struct watch_table *t, struct client *c)
{
	while (!list_is_empty(&c->watches)) {
		struct watch *w = container_of(c->watches.next, struct watch, of_client);
		struct watched_path *p = w->path;

		drop_watch(t, w);
		drop_path_if_idle(t, p);
	}
}

struct watch_counts watch_counts(const struct watch_table *t)
{
	return (struct watch_counts){ t->pairs.count, t->paths.count, t->clients };
}
