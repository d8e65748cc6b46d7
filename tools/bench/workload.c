/* The tree of a run: ROOT/<random>/d<number>, and the znodes in these directories. A case that
 * works on keys has its keys made first, FILL_DIRECTORY to a directory; one that creates has a
 * directory for each connection. Everything that exists before the measurement is made by the same
 * filler that the case "fill" is measured with. */
#include "tools/bench/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "tools/bench/lock.h"
#include "tools/bench/picker.h"
#include "tools/bench/request.h"

enum {
	FILL_DIRECTORY = 500, /* znodes in a directory */
	PRELOAD_STEPS = 2,
	FILL_BATCH = 50, /* creates in a multi */
	BASE_LEN = 160,
	PATH_LEN = 256,
};

/* Makes znodes 0 .. count - 1 by multis. */
struct filler {
	void (*path)(const struct workload *w, unsigned number, char path[PATH_LEN]);
	unsigned count;
	unsigned next;
	unsigned value_len;
};

/* Connection 0 changes the first of the keys, the others watch it. */
struct fan_out {
	unsigned armed, told; /* connections, in this round */
	bool *arming;         /* connections that must read again */
	bool changing;        /* connection 0 has asked, and not all is over */
	int64_t changed_us;   /* when it did */
};

struct workload {
	const struct options *options;
	const struct workload_case *what;
	char base[BASE_LEN];
	unsigned preparation; /* the next step */
	unsigned ancestor;    /* bytes of base that were created */
	struct filler filler;
	char *value;
	char *keys; /* paths of the keys, each NUL-terminated, key_stride apart */
	size_t key_stride;
	struct picker *picker;
	unsigned key_directory; /* keys in a directory */
	uint64_t *created;      /* znodes that each connection has created */
	struct lock **locks;    /* of each connection, once it has asked */
	struct fan_out fan_out;
	bool *exists; /* whether the slot's ephemeral znode is there: connection * depth + slot */
};

static struct slice value_of(const struct workload *w, unsigned len)
{
	return (struct slice){ w->value, len };
}

/* ---- paths ---- */

static void directory_path(const struct workload *w, unsigned number, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/d%05u", w->base, number);
}

static void key_path(const struct workload *w, unsigned number, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/d%05u/k%08u", w->base, number / w->key_directory, number);
}

static void preload_directory_path(const struct workload *w, unsigned number, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/p%05u", w->base, number);
}

static void preload_path(const struct workload *w, unsigned number, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/p%05u/k%08u", w->base, number / FILL_DIRECTORY, number);
}

static const char *random_key(struct workload *w)
{
	return w->keys + picker_next(w->picker) * w->key_stride;
}

/* Directories that connections share out among each other. */
static unsigned spread(const struct workload *w)
{
	if (w->options->directories > 0)
		return w->options->directories;
	return w->what->shared ? 1 : w->options->connections;
}

/* ---- requests ---- */

static int take_any(struct workload *w, unsigned connection, struct session_reply *reply)
{
	(void)w;
	(void)connection;
	return reply->err == ZERR_OK ? 1 : -1;
}

/* ---- preparation: the ancestors, one after the other ---- */

static bool ancestor_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
			  int64_t intended_us)
{
	const char *end;
	char path[PATH_LEN];

	if (connection != 0 || slot != 0 || w->base[w->ancestor] == '\0')
		return false;
	end = strchr(w->base + w->ancestor + 1, '/');
	w->ancestor = end != NULL ? (unsigned)(end - w->base) : (unsigned)strlen(w->base);
	snprintf(path, sizeof(path), "%.*s", (int)w->ancestor, w->base);
	request_create(s, path, (struct slice){ "", 0 }, 0, slot, intended_us);
	return true;
}

static int ancestor_take(struct workload *w, unsigned connection, struct session_reply *reply)
{
	(void)w;
	(void)connection;
	return reply->err == ZERR_OK || reply->err == ZERR_NODE_EXISTS ? 1 : -1;
}

/* ---- the filler ---- */

static bool fill_next(struct workload *wl, struct session *s, unsigned connection, unsigned slot,
		      int64_t intended_us)
{
	struct filler *f = &wl->filler;
	char path[PATH_LEN];
	struct jute_writer *w;

	(void)connection;
	if (f->next >= f->count)
		return false;
	w = session_begin(s, OP_MULTI, slot, intended_us);
	for (unsigned n = 0; n < FILL_BATCH && f->next < f->count; n++) {
		f->path(wl, f->next++, path);
		proto_write_multi_header(w, &(struct proto_multi_header){ OP_CREATE, false, -1 });
		request_write_create(w, path, value_of(wl, f->value_len), 0);
	}
	proto_write_multi_header(w, &(struct proto_multi_header){ -1, true, -1 });
	session_end(s);
	return true;
}

static int fill_take(struct workload *w, unsigned connection, struct session_reply *reply)
{
	int count = 0;

	(void)w;
	(void)connection;
	if (reply->err != ZERR_OK)
		return -1;
	for (;;) {
		struct proto_multi_header h = proto_read_multi_header(&reply->body);

		if (reply->body.bad || (!h.done && h.type != OP_CREATE))
			return -1;
		if (h.done)
			return count;
		jute_read_buffer(&reply->body); /* the path */
		count++;
	}
}

/* ---- the cases ---- */

static bool get_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
		     int64_t intended_us)
{
	(void)connection;
	request_read(s, OP_GET_DATA, random_key(w), false, slot, intended_us);
	return true;
}

static int get_take(struct workload *w, unsigned connection, struct session_reply *reply)
{
	(void)connection;
	if (reply->err != ZERR_OK || jute_read_buffer(&reply->body).len != w->options->value_size)
		return -1;
	return reply->body.bad ? -1 : 1;
}

static bool exists_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
			int64_t intended_us)
{
	(void)connection;
	request_read(s, OP_EXISTS, random_key(w), false, slot, intended_us);
	return true;
}

static bool set_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
		     int64_t intended_us)
{
	(void)connection;
	request_set(s, random_key(w), value_of(w, w->options->value_size), slot, intended_us);
	return true;
}

/* A name that was not there, in the connection's directory or, with --directories, in one of them
 * after the other. */
static void created_path(struct workload *w, unsigned connection, char path[PATH_LEN])
{
	unsigned directories = w->options->directories;
	uint64_t number = w->created[connection]++;

	if (directories == 0)
		snprintf(path, PATH_LEN, "%s/d%05u/n%010" PRIu64, w->base, connection, number);
	else
		snprintf(path, PATH_LEN, "%s/d%05u/c%05u-%010" PRIu64, w->base,
			 (unsigned)((number + connection) % directories), connection, number);
}

static bool create_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
			int64_t intended_us)
{
	char path[PATH_LEN];

	created_path(w, connection, path);
	request_create(s, path, value_of(w, w->options->value_size), 0, slot, intended_us);
	return true;
}

static bool multi_next(struct workload *wl, struct session *s, unsigned connection, unsigned slot,
		       int64_t intended_us)
{
	struct jute_writer *w = session_begin(s, OP_MULTI, slot, intended_us);
	char path[PATH_LEN];

	for (unsigned n = 0; n < wl->options->batch; n++) {
		created_path(wl, connection, path);
		proto_write_multi_header(w, &(struct proto_multi_header){ OP_CREATE, false, -1 });
		request_write_create(w, path, value_of(wl, wl->options->value_size), 0);
	}
	proto_write_multi_header(w, &(struct proto_multi_header){ -1, true, -1 });
	session_end(s);
	return true;
}

static int multi_take(struct workload *w, unsigned connection, struct session_reply *reply)
{
	int count = fill_take(w, connection, reply);

	return count >= 0 && (unsigned)count == w->options->batch ? 1 : -1;
}

static bool children_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
			  int64_t intended_us)
{
	char path[PATH_LEN];

	(void)connection;
	directory_path(w, 0, path);
	request_read(s, OP_GET_CHILDREN2, path, false, slot, intended_us);
	return true;
}

static int children_take(struct workload *w, unsigned connection, struct session_reply *reply)
{
	int32_t count;

	(void)connection;
	if (reply->err != ZERR_OK)
		return -1;
	count = jute_read_int(&reply->body);
	return !reply->body.bad && count >= 0 && (unsigned)count == w->options->keys ? 1 : -1;
}

static bool lock_next_step(struct workload *w, struct session *s, unsigned connection,
			   unsigned slot, int64_t intended_us)
{
	char path[PATH_LEN];

	if (w->locks[connection] == NULL) {
		directory_path(w, connection % spread(w), path);
		w->locks[connection] = lock_new(path);
	}
	return lock_next(w->locks[connection], s, slot, intended_us);
}

static int lock_take_step(struct workload *w, unsigned connection, struct session_reply *reply)
{
	return lock_take(w->locks[connection], reply);
}

static int64_t lock_told(struct workload *w, unsigned connection, int64_t now_us)
{
	(void)now_us;
	if (w->locks[connection] != NULL)
		lock_event(w->locks[connection]);
	return -1;
}

/* ---- the fan-out: a round is over when all have read what they were told of ---- */

static unsigned watchers(const struct workload *w)
{
	return w->options->connections - 1;
}

static bool fan_out_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
			 int64_t intended_us)
{
	struct fan_out *f = &w->fan_out;

	if (connection != 0) {
		if (!f->arming[connection])
			return false;
		f->arming[connection] = false;
		request_read(s, OP_GET_DATA, w->keys, true, slot, intended_us);
		return true;
	}
	if (f->changing || f->armed < watchers(w))
		return false;
	f->armed = 0;
	f->told = 0;
	f->changing = true;
	f->changed_us = intended_us;
	request_set(s, w->keys, value_of(w, w->options->value_size), slot, intended_us);
	return true;
}

static int fan_out_take(struct workload *w, unsigned connection, struct session_reply *reply)
{
	struct fan_out *f = &w->fan_out;
	bool over;

	if (reply->err != ZERR_OK)
		return -1;
	if (connection == 0) {
		f->changing = false;
		return 0;
	}
	over = ++f->armed == watchers(w) && f->changed_us != 0;
	reply->intended_us = f->changed_us;
	return over ? 1 : 0;
}

static int64_t fan_out_told(struct workload *w, unsigned connection, int64_t now_us)
{
	struct fan_out *f = &w->fan_out;

	f->arming[connection] = true;
	return ++f->told == watchers(w) ? now_us - f->changed_us : -1;
}

static bool ephemeral_next(struct workload *wl, struct session *s, unsigned connection,
			   unsigned slot, int64_t intended_us)
{
	bool *exists = &wl->exists[(size_t)connection * wl->options->depth + slot];
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/d%05u/e%05u", wl->base, connection, slot);
	*exists = !*exists;
	if (*exists) {
		request_create(s, path, value_of(wl, wl->options->value_size), CREATE_EPHEMERAL,
			       slot, intended_us);
		return true;
	}
	request_delete(s, path, slot, intended_us);
	return true;
}

/* Once for each connection. */
static bool register_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
			  int64_t intended_us)
{
	char path[PATH_LEN];

	if (w->created[connection]++ > 0)
		return false;
	snprintf(path, sizeof(path), "%s/d%05u/r%06u", w->base, connection % spread(w), connection);
	request_create(s, path, value_of(w, w->options->value_size), CREATE_EPHEMERAL, slot,
		       intended_us);
	return true;
}

static bool mixed_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
		       int64_t intended_us)
{
	if (picker_percent(w->picker) < w->options->read_percent)
		return get_next(w, s, connection, slot, intended_us);
	return set_next(w, s, connection, slot, intended_us);
}

const struct workload_case workload_cases[] = {
	{ .name = "get",
	  .help = "read one of the keys",
	  .tree = TREE_OF_KEYS,
	  .job = { get_next, get_take, NULL } },
	{ .name = "hot",
	  .help = "read one of the keys of a tree that has --preload znodes more",
	  .tree = TREE_OF_KEYS,
	  .preloads = true,
	  .job = { get_next, get_take, NULL } },
	{ .name = "exists",
	  .help = "ask for the Stat of one of the keys",
	  .tree = TREE_OF_KEYS,
	  .job = { exists_next, take_any, NULL } },
	{ .name = "children",
	  .help = "list a znode that has the keys as children",
	  .tree = TREE_OF_CHILDREN,
	  .job = { children_next, children_take, NULL } },
	{ .name = "set",
	  .help = "write one of the keys",
	  .tree = TREE_OF_KEYS,
	  .job = { set_next, take_any, NULL } },
	{ .name = "mixed",
	  .help = "get and set, see -m",
	  .tree = TREE_OF_KEYS,
	  .job = { mixed_next, take_any, NULL } },
	{ .name = "create",
	  .help = "create a persistent znode",
	  .tree = TREE_BY_CONNECTION,
	  .job = { create_next, take_any, NULL } },
	{ .name = "multi",
	  .help = "create --batch persistent znodes by one request",
	  .tree = TREE_BY_CONNECTION,
	  .job = { multi_next, multi_take, NULL } },
	{ .name = "ephemeral",
	  .help = "create an ephemeral znode, then delete it (two operations)",
	  .tree = TREE_BY_CONNECTION,
	  .job = { ephemeral_next, take_any, NULL } },
	{ .name = "lock",
	  .help = "take a lock by ZooKeeper's recipe and let it go (latency: of all of that)",
	  .tree = TREE_BY_CONNECTION,
	  .shared = true,
	  .single = true,
	  .job = { lock_next_step, lock_take_step, lock_told } },
	{ .name = "fan-out",
	  .help = "one connection changes a znode that the others watch and then read again\n"
		  "             (counted: changes; latency: until the last has read)",
	  .tree = TREE_OF_KEYS,
	  .single = true,
	  .job = { fan_out_next, fan_out_take, fan_out_told } },
	{ .name = "register",
	  .help = "connect at once, create an ephemeral znode each (latency: of the create;\n"
		  "             all of it takes as long as is said for the operations)",
	  .tree = TREE_BY_CONNECTION,
	  .shared = true,
	  .joins = true,
	  .job = { register_next, take_any, NULL } },
	{ .name = "fill",
	  .help = "create -n znodes by multis of 50 (counted: znodes; latency: of a multi)",
	  .tree = TREE_TO_FILL,
	  .until_done = true,
	  .job = { fill_next, fill_take, NULL } },
	{ 0 },
};

const struct workload_case *workload_find(const char *name)
{
	for (const struct workload_case *c = workload_cases; c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

static bool has_keys(const struct workload_case *c)
{
	return c->tree == TREE_OF_KEYS || c->tree == TREE_OF_CHILDREN;
}

static unsigned directories_for(unsigned znodes)
{
	return (znodes + FILL_DIRECTORY - 1) / FILL_DIRECTORY;
}

static unsigned directory_count(const struct workload *w)
{
	if (w->what->tree == TREE_OF_CHILDREN)
		return 1;
	if (w->what->tree == TREE_BY_CONNECTION)
		return spread(w);
	return directories_for(w->what->tree == TREE_TO_FILL ? w->options->count
							     : w->options->keys);
}

const struct job *workload_next_preparation(struct workload *w)
{
	static const struct job ancestors = { ancestor_next, ancestor_take, NULL };
	static const struct job fill = { fill_next, fill_take, NULL };

	switch (w->preparation++) {
	case 0:
		return &ancestors;
	case 1:
		/* Before the keys, which are then what was used last. */
		if (!w->what->preloads || w->options->preload == 0) {
			w->preparation += PRELOAD_STEPS - 1;
			return workload_next_preparation(w);
		}
		w->filler = (struct filler){ preload_directory_path,
					     directories_for(w->options->preload), 0, 0 };
		return &fill;
	case 2:
		w->filler = (struct filler){ preload_path, w->options->preload, 0,
					     w->options->value_size };
		return &fill;
	case 3:
		w->filler = (struct filler){ directory_path, directory_count(w), 0, 0 };
		return &fill;
	case 4:
		/* For TREE_TO_FILL this is the case itself. */
		w->filler =
			(struct filler){ key_path, w->options->keys, 0, w->options->value_size };
		if (w->what->tree == TREE_TO_FILL)
			w->filler.count = w->options->count;
		return has_keys(w->what) ? &fill : NULL;
	default:
		return NULL;
	}
}

static void make_keys(struct workload *w)
{
	char path[PATH_LEN];

	key_path(w, w->options->keys, path);
	w->key_stride = strlen(path) + 1;
	w->keys = mem_new(w->options->keys * w->key_stride);
	for (unsigned i = 0; i < w->options->keys; i++) {
		key_path(w, i, path);
		memcpy(w->keys + i * w->key_stride, path, strlen(path) + 1);
	}
}

struct workload *workload_new(const struct workload_case *c, const struct options *o)
{
	struct workload *w = mem_new(sizeof(*w));
	uint64_t seed;
	uint32_t run;

	w->options = o;
	w->what = c;
	crypto_random(&run, sizeof(run));
	crypto_random(&seed, sizeof(seed));
	w->picker = picker_new(o->keys, o->zipf, seed);
	w->key_directory = c->tree == TREE_OF_CHILDREN ? o->keys : FILL_DIRECTORY;
	snprintf(w->base, sizeof(w->base), "%s/%08" PRIx32, o->root, run);
	w->value = mem_new(o->value_size + 1);
	crypto_random(w->value, o->value_size);
	w->created = mem_new(o->connections * sizeof(*w->created));
	w->exists = mem_new((size_t)o->connections * o->depth * sizeof(*w->exists));
	w->locks = mem_new(o->connections * sizeof(*w->locks));
	w->fan_out.arming = mem_new(o->connections * sizeof(*w->fan_out.arming));
	memset(w->fan_out.arming, true, o->connections);
	if (has_keys(c))
		make_keys(w);
	return w;
}

void workload_free(struct workload *w)
{
	if (w == NULL)
		return;
	mem_free(w->value);
	mem_free(w->created);
	mem_free(w->exists);
	mem_free(w->keys);
	picker_free(w->picker);
	for (unsigned i = 0; i < w->options->connections; i++)
		lock_free(w->locks[i]);
	mem_free(w->locks);
	mem_free(w->fan_out.arming);
	mem_free(w);
}
