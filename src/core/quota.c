#include "core/quota.h"

#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/quota_track.h"
#include "core/subtree.h"
#include "wire/path.h"

#define QUOTA_ROOT "/zookeeper/quota"
#define LIMITS_NAME "zookeeper_limits"
#define STATS_NAME "zookeeper_stats"

enum { PATH_LIMIT = 1024 * 1024, LOG_BURST = 20 };

struct quota_path {
	struct hash_node by_path;
	size_t len;
	char text[];
};

/* A path with all below it, as the open change has left it so far. */
struct quota_sum {
	char *path;
	size_t len;
	int64_t znodes, bytes;
};

struct quota_table {
	struct hash paths;
	/* Paths whose limits came or went in the open change. */
	char **touched;
	size_t touched_count, touched_cap;
	/* What was counted in the open change, and is kept up with it: one that has its statistics
	 * begin anew thousands of times must not have all znodes looked at as often. */
	struct quota_sum *sums;
	size_t sum_count, sum_cap;
};

struct quota_table *quota_table_new(void)
{
	struct quota_table *q = mem_new(sizeof(*q));

	hash_init(&q->paths);
	return q;
}

static void forget_change(struct quota_table *q)
{
	while (q->touched_count > 0)
		mem_free(q->touched[--q->touched_count]);
	while (q->sum_count > 0)
		mem_free(q->sums[--q->sum_count].path);
}

void quota_table_free(struct quota_table *q)
{
	struct hash_node *n;

	if (!q)
		return;
	while ((n = hash_first(&q->paths))) {
		hash_remove(&q->paths, n);
		mem_free(container_of(n, struct quota_path, by_path));
	}
	hash_fini(&q->paths);
	forget_change(q);
	mem_free(q->touched);
	mem_free(q->sums);
	mem_free(q);
}

unsigned quota_count(const struct quota_table *q)
{
	return (unsigned)q->paths.count;
}

/* --- the table --- */

static struct quota_path *find_hashed(const struct quota_table *q, struct slice path, uint64_t hash)
{
	for (struct hash_node *n = hash_find(&q->paths, hash); n; n = hash_find_next(n)) {
		struct quota_path *p = container_of(n, struct quota_path, by_path);

		if (slice_equal((struct slice){ p->text, p->len }, path))
			return p;
	}
	return NULL;
}

static struct quota_path *find(const struct quota_table *q, struct slice path)
{
	return find_hashed(q, path, hash_bytes(path.data, path.len));
}

static void set(struct quota_table *q, struct slice path, bool has_quota)
{
	struct quota_path *p = find(q, path);

	if (has_quota && !p) {
		p = mem_new(sizeof(*p) + path.len);
		p->len = path.len;
		memcpy(p->text, path.data, path.len);
		hash_insert(&q->paths, &p->by_path, hash_bytes(path.data, path.len));
	} else if (!has_quota && p) {
		hash_remove(&q->paths, &p->by_path);
		mem_free(p);
	}
}

static void touch(struct quota_table *q, struct slice path)
{
	if (q->touched_count == q->touched_cap) {
		q->touched_cap = q->touched_cap ? 2 * q->touched_cap : 4;
		q->touched = mem_grow(q->touched, q->touched_cap * sizeof(*q->touched));
	}
	q->touched[q->touched_count++] = mem_dup(path.data, path.len);
}

/* The longest path above path, or path itself, that has a quota; empty: none. */
static struct slice covering(const struct quota_table *q, struct slice path)
{
	struct slice longest = { "", 0 };
	struct hash_prefixes hashes;
	size_t len = 1; /* of the root, which has none */

	if (q->paths.count == 0)
		return longest;
	hash_prefixes_init(&hashes, path.data);
	while ((len = path_next_prefix(path, len)) > 0) {
		struct slice above = { path.data, len };

		if (find_hashed(q, above, hash_prefix(&hashes, len)))
			longest = above;
	}
	return longest;
}

/* What quota a znode of that name belongs to: "/a" for /zookeeper/quota/a/NAME; empty: none. */
static struct slice quota_of(struct slice path, const char *name)
{
	const size_t root = sizeof(QUOTA_ROOT) - 1;
	struct slice parent;

	if (path.len <= root || !path_is_within(path, slice_of(QUOTA_ROOT)) ||
	    !slice_is(path_name(path), name))
		return (struct slice){ "", 0 };
	parent = path_parent(path);
	return (struct slice){ parent.data + root, parent.len - root };
}

/* --- limits and statistics --- */

/* Clients may write any number into statistics: sums wrap, as Java's do. */
static int64_t add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* The znode of that name for a quota's path; *z is NULL where there is none. */
static bool find_znode(struct registry *r, struct slice quota, const char *name, struct znode **z)
{
	struct buf path;
	enum tree_result result = TREE_UNREADABLE;
	int64_t mark;

	buf_init(&path, PATH_LIMIT);
	if (buf_append(&path, QUOTA_ROOT, sizeof(QUOTA_ROOT) - 1) == 0 &&
	    buf_append(&path, quota.data, quota.len) == 0 && buf_append(&path, "/", 1) == 0 &&
	    buf_append(&path, name, strlen(name)) == 0)
		result = tree_find(registry_tree(r), buf_slice(&path), z, &mark);
	buf_fini(&path);
	return result != TREE_UNREADABLE;
}

/* path has changed by so much: what was counted in this change moves. */
static void keep_sums(struct registry *r, struct slice path, int64_t znodes, int64_t bytes)
{
	struct quota_table *q = registry_quotas(r);

	for (size_t i = 0; i < q->sum_count; i++) {
		struct quota_sum *s = &q->sums[i];

		if (path_is_within(path, (struct slice){ s->path, s->len })) {
			s->znodes += znodes;
			s->bytes += bytes;
		}
	}
}

static bool write_stats(struct registry *r, struct znode *z, const struct quota_track *stats)
{
	char text[QUOTA_TRACK_LEN];
	size_t len = quota_track_write(stats, text);
	int64_t before = z->st.data_len;

	if (tree_set_counters(registry_tree(r), z, (struct slice){ text, len }) != 0)
		return false;
	keep_sums(r, znode_path(z), 0, (int64_t)len - before);
	return true;
}

/* path has changed by so much: the statistics of its quota move. */
static bool count(struct registry *r, struct slice path, int64_t znodes, int64_t bytes)
{
	struct slice quota = covering(registry_quotas(r), path);
	struct quota_track stats;
	struct znode *z;

	if (quota.len == 0)
		return true;
	if (!find_znode(r, quota, STATS_NAME, &z))
		return false;
	/* Limits without statistics limit nothing, as in ZooKeeper. */
	if (!z)
		return true;
	stats = quota_track_read(znode_data(z));
	stats.count = add(stats.count, znodes);
	stats.bytes = add(stats.bytes, bytes);
	return write_stats(r, z, &stats);
}

static struct quota_sum *find_sum(const struct quota_table *q, struct slice path)
{
	for (size_t i = 0; i < q->sum_count; i++)
		if (slice_equal((struct slice){ q->sums[i].path, q->sums[i].len }, path))
			return &q->sums[i];
	return NULL;
}

static struct quota_sum *add_sum(struct quota_table *q, struct slice path)
{
	struct quota_sum *s;

	if (q->sum_count == q->sum_cap) {
		q->sum_cap = q->sum_cap ? 2 * q->sum_cap : 4;
		q->sums = mem_grow(q->sums, q->sum_cap * sizeof(*q->sums));
	}
	s = &q->sums[q->sum_count++];
	*s = (struct quota_sum){ .path = mem_dup(path.data, path.len), .len = path.len };
	return s;
}

/* What is there; NULL where it cannot be read. */
static const struct quota_sum *sum_up(struct registry *r, struct slice quota)
{
	struct quota_table *q = registry_quotas(r);
	struct quota_sum *s = find_sum(q, quota);
	struct subtree_sum below;
	struct znode *top;
	int64_t mark;

	if (s)
		return s;
	if (tree_find(registry_tree(r), quota, &top, &mark) == TREE_UNREADABLE ||
	    !subtree_sum(registry_tree(r), registry_store(r), quota, &below))
		return NULL;
	metrics_add(METRIC_quotas_counted, 1);
	s = add_sum(q, quota);
	s->znodes = (int64_t)below.znodes + (top ? 1 : 0);
	s->bytes = (int64_t)below.bytes + (top ? top->st.data_len : 0);
	return s;
}

/* Statistics that are made begin with what is there. */
static bool begin_stats(struct registry *r, struct znode *z, struct slice quota)
{
	const struct quota_sum *sum = sum_up(r, quota);
	struct quota_track stats = { 0 };

	if (!sum)
		return false;
	stats.count = sum->znodes;
	stats.bytes = sum->bytes;
	return write_stats(r, z, &stats);
}

/* Statistics that did not count for a while, or not everything below them. */
static bool renew_stats(struct registry *r, struct slice quota)
{
	struct znode *z;

	if (quota.len == 0)
		return true;
	if (!find_znode(r, quota, STATS_NAME, &z))
		return false;
	return !z || begin_stats(r, z, quota);
}

/* --- limits --- */

static void log_exceeded(struct slice quota, const char *what, int64_t now, int64_t limit,
			 bool is_hard)
{
	static struct log_limit log_limit;
	uint32_t suppressed;

	metrics_add(METRIC_quotas_exceeded, 1);
	if (log_limit_pass(&log_limit, LOG_BURST, &suppressed))
		log_warn("quota.exceeded", LOG_SLICE("path", quota), LOG_TEXT("what", what),
			 LOG_INT("now", now), LOG_INT("limit", limit),
			 LOG_TEXT("kind", is_hard ? "hard" : "soft"),
			 LOG_INT("suppressed", suppressed));
}

/* Whether one of both counts stays within its limit; the hard one stands for both where it is
 * given. */
static bool is_within(struct slice quota, const char *what, int64_t now, int64_t soft, int64_t hard,
		      bool enforced)
{
	bool is_hard = hard > -1;
	int64_t limit = is_hard ? hard : soft;

	if (limit <= -1 || now <= limit)
		return true;
	log_exceeded(quota, what, now, limit, is_hard);
	return !(is_hard && enforced);
}

static enum zerr check_limits(struct registry *r, struct slice quota, int64_t more_bytes,
			      bool is_create)
{
	bool enforced = registry_options(r)->enforce_quota;
	struct quota_track limits, stats;
	struct znode *z;

	if (!find_znode(r, quota, LIMITS_NAME, &z))
		return ZERR_SYSTEM;
	if (!z)
		return ZERR_OK;
	limits = quota_track_read(znode_data(z));
	if (limits.is_malformed)
		return enforced ? ZERR_MARSHALLING : ZERR_OK;
	if (!find_znode(r, quota, STATS_NAME, &z))
		return ZERR_SYSTEM;
	if (!z)
		return ZERR_OK;
	stats = quota_track_read(znode_data(z));
	if ((is_create && !is_within(quota, "count", add(stats.count, 1), limits.count,
				     limits.count_hard, enforced)) ||
	    (more_bytes != 0 && !is_within(quota, "bytes", add(stats.bytes, more_bytes),
					   limits.bytes, limits.bytes_hard, enforced)))
		return ZERR_QUOTA_EXCEEDED;
	return ZERR_OK;
}

enum zerr quota_check(struct registry *r, struct slice path, int64_t more_bytes, bool is_create)
{
	struct quota_table *q = registry_quotas(r);
	struct slice quota = covering(q, path);
	enum zerr err = ZERR_OK;

	if (quota.len > 0)
		err = check_limits(r, quota, more_bytes, is_create);
	if (err == ZERR_OK && is_create && quota_of(path, LIMITS_NAME).len > 0 &&
	    quota_count(q) >= registry_options(r)->max_quotas)
		err = ZERR_QUOTA_EXCEEDED;
	if (err == ZERR_QUOTA_EXCEEDED)
		metrics_add(METRIC_quotas_refused, 1);
	return err;
}

/* --- changes --- */

struct znode *quota_create(struct registry *r, struct znode *parent, struct slice path,
			   struct slice data, struct acl *acl, int64_t owner)
{
	struct quota_table *q = registry_quotas(r);
	struct znode *z = tree_create(registry_tree(r), parent, path, data, acl, owner);
	struct slice limited = quota_of(path, LIMITS_NAME);
	struct slice counted = quota_of(path, STATS_NAME);

	if (!z) {
		acl_unref(tree_acls(registry_tree(r)), acl);
		return NULL;
	}
	keep_sums(r, path, 1, (int64_t)data.len);
	if (limited.len > 0) {
		touch(q, limited);
		set(q, limited, true);
	}
	if (counted.len > 0 && !begin_stats(r, z, counted))
		return NULL;
	if (!count(r, path, 1, (int64_t)data.len))
		return NULL;
	return renew_stats(r, limited) ? z : NULL;
}

bool quota_delete(struct registry *r, struct znode *parent, struct znode *z)
{
	struct quota_table *q = registry_quotas(r);
	struct slice limited = quota_of(znode_path(z), LIMITS_NAME);
	int64_t bytes = z->st.data_len;

	tree_delete(registry_tree(r), parent, z);
	keep_sums(r, znode_path(z), -1, -bytes);
	if (limited.len > 0) {
		touch(q, limited);
		set(q, limited, false);
	}
	if (!count(r, znode_path(z), -1, -bytes))
		return false;
	/* What stands here belongs to the quota above from now on, which does not know what came
	 * and went meanwhile. */
	return limited.len == 0 || renew_stats(r, covering(q, limited));
}

int quota_set_data(struct registry *r, struct znode *z, struct slice data, int32_t version)
{
	int64_t more = (int64_t)data.len - z->st.data_len;

	if (tree_set_data(registry_tree(r), z, data, version) != 0)
		return -1;
	keep_sums(r, znode_path(z), 0, more);
	return count(r, znode_path(z), 0, more) ? 0 : -1;
}

void quota_end_change(struct registry *r, bool stays)
{
	struct quota_table *q = registry_quotas(r);

	for (size_t i = 0; i < q->touched_count && !stays; i++) {
		struct slice quota = slice_of(q->touched[i]);
		struct znode *z;

		/* It was in memory a moment ago. */
		if (find_znode(r, quota, LIMITS_NAME, &z))
			set(q, quota, z != NULL);
	}
	forget_change(q);
}

/* --- start --- */

static void load_stored(void *ctx, struct slice path)
{
	struct slice quota = quota_of(path, LIMITS_NAME);

	if (quota.len > 0)
		set(registry_quotas(ctx), quota, true);
}

static void load_held(void *ctx, const struct znode *z)
{
	struct slice quota = quota_of(znode_path(z), LIMITS_NAME);

	if (quota.len > 0)
		set(registry_quotas(ctx), quota, z->st.exists);
}

bool quota_load(struct registry *r)
{
	if (store_list_named(registry_store(r), slice_of(QUOTA_ROOT), slice_of(LIMITS_NAME),
			     load_stored, r) != STORE_FOUND)
		return false;
	tree_visit(registry_tree(r), load_held, r);
	return true;
}
