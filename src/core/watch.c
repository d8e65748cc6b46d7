#include "core/watch.h"

#include <assert.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/client.h"
#include "wire/path.h"

/* One-shot modes. */
enum { USED_UP = WATCH_DATA | WATCH_CHILD };

struct watched_path {
	struct hash_node by_path;
	struct list watches; /* watch.on_path */
	size_t data, child;  /* watches in each of ZooKeeper's tables */
	size_t recursive;    /* watches with that mode */
	uint32_t len;
	char text[];
};

struct watch {
	struct list on_path;
	struct list of_client;
	struct hash_node by_pair; /* of client and path */
	struct watched_path *path;
	struct client *client;
	unsigned modes; /* enum watch_mode; never 0 */
};

struct watch_table {
	struct hash paths;
	struct hash pairs;
	size_t data, child;  /* watches in each of ZooKeeper's tables */
	size_t recursive;    /* with none, nobody looks at the paths above an event's */
	size_t data_paths;   /* with a watch of the data table */
	size_t data_clients; /* likewise */
	uint64_t event;      /* number of the event told last */
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

static struct watched_path *find_hashed(const struct watch_table *t, struct slice path,
					uint64_t hash)
{
	for (struct hash_node *n = hash_find(&t->paths, hash); n; n = hash_find_next(n)) {
		struct watched_path *p = container_of(n, struct watched_path, by_path);

		if (slice_equal((struct slice){ p->text, p->len }, path))
			return p;
	}
	return NULL;
}

static struct watched_path *find_path(const struct watch_table *t, struct slice path)
{
	return find_hashed(t, path, hash_bytes(path.data, path.len));
}

static struct watched_path *take_path(struct watch_table *t, struct slice path)
{
	struct watched_path *p = find_path(t, path);

	if (p)
		return p;
	p = mem_new(sizeof(*p) + path.len);
	list_init(&p->watches);
	p->len = (uint32_t)path.len;
	if (path.len)
		memcpy(p->text, path.data, path.len);
	hash_insert(&t->paths, &p->by_path, hash_bytes(path.data, path.len));
	return p;
}

static void drop_path_if_idle(struct watch_table *t, struct watched_path *p)
{
	if (!list_is_empty(&p->watches))
		return;
	hash_remove(&t->paths, &p->by_path);
	mem_free(p);
}

static uint64_t pair_hash(const struct client *c, const struct watched_path *p)
{
	return hash_u64(c->serial) ^ p->by_path.hash;
}

static struct watch *find_watch(const struct watch_table *t, const struct client *c,
				const struct watched_path *p)
{
	for (struct hash_node *n = hash_find(&t->pairs, pair_hash(c, p)); n;
	     n = hash_find_next(n)) {
		struct watch *w = container_of(n, struct watch, by_pair);

		if (w->client == c && w->path == p)
			return w;
	}
	return NULL;
}

/* Of the memory that a watch takes, paths may be most. */
static size_t watch_bytes(const struct watch *w)
{
	return sizeof(*w) + sizeof(*w->path) + w->path->len;
}

static struct watch *take_watch(struct watch_table *t, struct client *c, struct watched_path *p)
{
	struct watch *w = find_watch(t, c, p);

	if (w)
		return w;
	w = mem_new(sizeof(*w));
	w->path = p;
	w->client = c;
	list_append(&p->watches, &w->on_path);
	list_append(&c->watches, &w->of_client);
	hash_insert(&t->pairs, &w->by_pair, pair_hash(c, p));
	c->watch_bytes += watch_bytes(w);
	c->watch_count++;
	return w;
}

/* Leaves the path, which may be idle then, to the caller. */
static void drop_watch(struct watch_table *t, struct watch *w)
{
	w->client->watch_bytes -= watch_bytes(w);
	w->client->watch_count--;
	list_remove(&w->on_path);
	list_remove(&w->of_client);
	hash_remove(&t->pairs, &w->by_pair);
	mem_free(w);
}

/* One more or one less of what some counters count. */
static void count_data(struct watch_table *t, struct watch *w, int by)
{
	size_t path_before = w->path->data, client_before = w->client->data_watches;

	w->path->data += (size_t)by;
	w->client->data_watches += (size_t)by;
	t->data += (size_t)by;
	t->data_paths += (size_t)(w->path->data > 0) - (size_t)(path_before > 0);
	t->data_clients += (size_t)(w->client->data_watches > 0) - (size_t)(client_before > 0);
}

static void count_child(struct watch_table *t, struct watch *w, int by)
{
	w->path->child += (size_t)by;
	t->child += (size_t)by;
}

static void count_recursive(struct watch_table *t, struct watch *w, int by)
{
	w->path->recursive += (size_t)by;
	t->recursive += (size_t)by;
}

static int difference(unsigned before, unsigned after, unsigned modes)
{
	return ((after & modes) != 0) - ((before & modes) != 0);
}

/* What w waits for from now on; nothing: it goes. */
static void set_modes(struct watch_table *t, struct watch *w, unsigned modes)
{
	unsigned before = w->modes;

	w->modes = modes;
	count_data(t, w, difference(before, modes, WATCH_DATA_TABLE));
	count_child(t, w, difference(before, modes, WATCH_CHILD_TABLE));
	count_recursive(t, w, difference(before, modes, WATCH_RECURSIVE));
	if (modes == 0)
		drop_watch(t, w);
}

void watch_arm(struct watch_table *t, struct client *c, struct slice path, enum watch_mode mode)
{
	struct watch *w = take_watch(t, c, take_path(t, path));

	set_modes(t, w, w->modes | mode);
}

bool watch_disarm(struct watch_table *t, struct client *c, struct slice path, unsigned modes)
{
	struct watched_path *p = find_path(t, path);
	struct watch *w = p ? find_watch(t, c, p) : NULL;

	if (!w || (w->modes & modes) == 0)
		return false;
	set_modes(t, w, w->modes & ~modes);
	drop_path_if_idle(t, p);
	return true;
}

bool watch_is_armed(const struct watch_table *t, const struct client *c, struct slice path,
		    unsigned modes)
{
	const struct watched_path *p = find_path(t, path);
	const struct watch *w = p ? find_watch(t, c, p) : NULL;

	return w && (w->modes & modes) != 0;
}

struct firing {
	struct watch_table *table;
	watch_call_fn call;
	void *ctx;
	size_t fired;
};

/* Whether c may notice the event, of which it is told now or was by another of its watches. */
static bool tell(struct firing *f, struct client *c)
{
	if (c->told == f->table->event)
		return c->was_told;
	c->told = f->table->event;
	c->was_told = f->call(f->ctx, c);
	f->fired += c->was_told;
	return c->was_told;
}

/* Everybody at p who waits for one of modes. */
static void fire_at(struct firing *f, struct watched_path *p, unsigned modes)
{
	list_foreach_safe(link, &p->watches) {
		struct watch *w = container_of(link, struct watch, on_path);

		if ((w->modes & modes) != 0 && tell(f, w->client))
			set_modes(f->table, w, w->modes & ~(modes & USED_UP));
	}
}

/* Paths may be thousands deep: they are hashed once, not once for each above them. */
static void fire_above(struct firing *f, struct slice path)
{
	struct hash_prefixes hashes;
	size_t len = 0;

	if (f->table->recursive == 0)
		return;
	hash_prefixes_init(&hashes, path.data);
	while ((len = path_next_prefix(path, len)) < path.len) {
		struct slice above = { path.data, len };
		struct watched_path *p = find_hashed(f->table, above, hash_prefix(&hashes, len));

		if (p && p->recursive > 0)
			fire_at(f, p, WATCH_RECURSIVE);
	}
}

size_t watch_fire(struct watch_table *t, struct slice path, enum event_type type,
		  watch_call_fn call, void *ctx)
{
	struct firing f = { t, call, ctx, 0 };
	struct watched_path *p = find_path(t, path);

	t->event++;
	if (p && type != EVENT_NODE_CHILDREN_CHANGED && p->data > 0)
		fire_at(&f, p, WATCH_DATA_TABLE);
	if (type != EVENT_NODE_CHILDREN_CHANGED)
		fire_above(&f, path);
	if (p && (type == EVENT_NODE_CHILDREN_CHANGED || type == EVENT_NODE_DELETED) &&
	    p->child > 0)
		fire_at(&f, p, WATCH_CHILD_TABLE);
	if (p)
		drop_path_if_idle(t, p);
	return f.fired;
}

void watch_drop_client(struct watch_table *t, struct client *c)
{
	while (!list_is_empty(&c->watches)) {
		struct watch *w = container_of(c->watches.next, struct watch, of_client);
		struct watched_path *p = w->path;

		set_modes(t, w, 0);
		drop_path_if_idle(t, p);
	}
}

struct watch_counts watch_counts(const struct watch_table *t)
{
	return (struct watch_counts){ t->data, t->data_paths, t->data_clients, t->data + t->child };
}

void watch_visit_paths(const struct watch_table *t, const struct watch_visitor *v)
{
	for (struct hash_node *n = hash_first(&t->paths); n; n = hash_after(&t->paths, n)) {
		struct watched_path *p = container_of(n, struct watched_path, by_path);

		if (p->data == 0)
			continue;
		v->path(v->ctx, (struct slice){ p->text, p->len });
		list_foreach(link, &p->watches) {
			const struct watch *w = container_of(link, struct watch, on_path);

			if (w->modes & WATCH_DATA_TABLE)
				v->watcher(v->ctx, w->client);
		}
	}
}

void watch_visit_client(const struct client *c, const struct watch_visitor *v)
{
	list_foreach(link, &c->watches) {
		const struct watch *w = container_of(link, struct watch, of_client);

		if (w->modes & WATCH_DATA_TABLE)
			v->path(v->ctx, (struct slice){ w->path->text, w->path->len });
	}
}
