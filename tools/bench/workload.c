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

enum {
	FILL_DIRECTORY = 500, /* znodes in a directory */
	PRELOAD_STEPS = 2,
	FILL_BATCH = 50, /* creates in a multi */
	BASE_LEN = 160,
	PATH_LEN = 256,
	PERCENT = 100,
};

/* Makes znodes 0 .. count - 1 by multis. */
struct filler {
	void (*path)(const struct workload *w, unsigned number, char path[PATH_LEN]);
	unsigned count;
	unsigned next;
	unsigned value_len;
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
	uint64_t random;
	uint64_t *created; /* znodes that each connection has created */
	bool *exists; /* whether the slot's ephemeral znode is there: connection * depth + slot */
};

static uint64_t random_next(struct workload *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

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
	snprintf(path, PATH_LEN, "%s/d%05u/k%08u", w->base, number / FILL_DIRECTORY, number);
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
	return w->keys + (random_next(w) >> 16) % w->options->keys * w->key_stride;
}

/* ---- records ---- */

static void write_create(struct jute_writer *w, const char *path, struct slice value, int32_t flags)
{
	static const struct proto_acl anyone = { PERM_ALL, { "world", 5 }, { "anyone", 6 } };

	jute_write_buffer(w, slice_of(path));
	jute_write_buffer(w, value);
	jute_write_int(w, 1);
	proto_write_acl(w, &anyone);
	jute_write_int(w, flags);
}

static void send_path_watch(struct session *s, enum opcode op, const char *path, unsigned slot,
			    int64_t intended_us)
{
	struct jute_writer *w = session_begin(s, op, slot, intended_us);

	jute_write_buffer(w, slice_of(path));
	jute_write_bool(w, false);
	session_end(s);
}

static void send_create(struct session *s, const char *path, struct slice value, int32_t flags,
			unsigned slot, int64_t intended_us)
{
	write_create(session_begin(s, OP_CREATE, slot, intended_us), path, value, flags);
	session_end(s);
}

static void send_set(struct workload *wl, struct session *s, const char *path, unsigned slot,
		     int64_t intended_us)
{
	struct jute_writer *w = session_begin(s, OP_SET_DATA, slot, intended_us);

	jute_write_buffer(w, slice_of(path));
	jute_write_buffer(w, value_of(wl, wl->options->value_size));
	jute_write_int(w, PROTO_VERSION_ANY);
	session_end(s);
}

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
	send_create(s, path, (struct slice){ "", 0 }, 0, slot, intended_us);
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
		write_create(w, path, value_of(wl, f->value_len), 0);
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
	send_path_watch(s, OP_GET_DATA, random_key(w), slot, intended_us);
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
	send_path_watch(s, OP_EXISTS, random_key(w), slot, intended_us);
	return true;
}

static bool set_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
		     int64_t intended_us)
{
	(void)connection;
	send_set(w, s, random_key(w), slot, intended_us);
	return true;
}

static bool create_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
			int64_t intended_us)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/d%05u/n%010" PRIu64, w->base, connection,
		 w->created[connection]++);
	send_create(s, path, value_of(w, w->options->value_size), 0, slot, intended_us);
	return true;
}

static bool ephemeral_next(struct workload *wl, struct session *s, unsigned connection,
			   unsigned slot, int64_t intended_us)
{
	bool *exists = &wl->exists[(size_t)connection * wl->options->depth + slot];
	char path[PATH_LEN];
	struct jute_writer *w;

	snprintf(path, sizeof(path), "%s/d%05u/e%05u", wl->base, connection, slot);
	*exists = !*exists;
	if (*exists) {
		send_create(s, path, value_of(wl, wl->options->value_size), CREATE_EPHEMERAL, slot,
			    intended_us);
		return true;
	}
	w = session_begin(s, OP_DELETE, slot, intended_us);
	jute_write_buffer(w, slice_of(path));
	jute_write_int(w, PROTO_VERSION_ANY);
	session_end(s);
	return true;
}

static bool mixed_next(struct workload *w, struct session *s, unsigned connection, unsigned slot,
		       int64_t intended_us)
{
	if ((random_next(w) >> 16) % PERCENT < w->options->read_percent)
		return get_next(w, s, connection, slot, intended_us);
	return set_next(w, s, connection, slot, intended_us);
}

const struct workload_case workload_cases[] = {
	{ "get", "read one of the keys", TREE_OF_KEYS, false, false, { get_next, get_take } },
	{ "hot",
	  "read one of the keys of a tree that has --preload znodes more",
	  TREE_OF_KEYS,
	  false,
	  true,
	  { get_next, get_take } },
	{ "exists",
	  "ask for the Stat of one of the keys",
	  TREE_OF_KEYS,
	  false,
	  false,
	  { exists_next, take_any } },
	{ "set", "write one of the keys", TREE_OF_KEYS, false, false, { set_next, take_any } },
	{ "mixed", "get and set, see -m", TREE_OF_KEYS, false, false, { mixed_next, take_any } },
	{ "create",
	  "create a persistent znode",
	  TREE_BY_CONNECTION,
	  false,
	  false,
	  { create_next, take_any } },
	{ "ephemeral",
	  "create an ephemeral znode, then delete it (two operations)",
	  TREE_BY_CONNECTION,
	  false,
	  false,
	  { ephemeral_next, take_any } },
	{ "fill",
	  "create -n znodes by multis of 50 (counted: znodes; latency: of a multi)",
	  TREE_TO_FILL,
	  true,
	  false,
	  { fill_next, fill_take } },
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

static unsigned directories_for(unsigned znodes)
{
	return (znodes + FILL_DIRECTORY - 1) / FILL_DIRECTORY;
}

static unsigned directory_count(const struct workload *w)
{
	if (w->what->tree == TREE_BY_CONNECTION)
		return w->options->connections;
	return directories_for(w->what->tree == TREE_TO_FILL ? w->options->count
							     : w->options->keys);
}

const struct job *workload_next_preparation(struct workload *w)
{
	static const struct job ancestors = { ancestor_next, ancestor_take };
	static const struct job fill = { fill_next, fill_take };

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
		return w->what->tree == TREE_OF_KEYS ? &fill : NULL;
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
	uint32_t run;

	w->options = o;
	w->what = c;
	crypto_random(&run, sizeof(run));
	crypto_random(&w->random, sizeof(w->random));
	w->random |= 1; /* xorshift must not begin at 0 */
	snprintf(w->base, sizeof(w->base), "%s/%08" PRIx32, o->root, run);
	w->value = mem_new(o->value_size + 1);
	crypto_random(w->value, o->value_size);
	w->created = mem_new(o->connections * sizeof(*w->created));
	w->exists = mem_new((size_t)o->connections * o->depth * sizeof(*w->exists));
	if (c->tree == TREE_OF_KEYS)
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
	mem_free(w);
}
