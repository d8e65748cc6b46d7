/* One round: looking (steps of LOOK_ROWS rows of tree.db, a step a timer), then removing (one
 * candidate a timer), then a pause until the next interval. */
#include "core/reaper.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/quota.h"
#include "wire/path.h"

enum {
	LOOK_ROWS = 256,
	LOOK_PAUSE_MS = TIMER_SLOT_MS, /* the others have their turn */
	MOST_CANDIDATES = 10000,       /* of a round; the rest has the next one */
	MOST_CANDIDATE_BYTES = 4 * 1024 * 1024,
	MINUTE_MS = 60 * 1000,
};

/* A znode with an age: since when its data is what it is, in the server's own time. */
struct age {
	struct hash_node by_path; /* by the hash of its path alone */
	int64_t mzxid;
	int64_t since_ms; /* monotonic */
	uint32_t round;   /* in which it was seen last */
};

struct candidate {
	struct list link;
	int64_t mzxid;
	size_t len;
	char path[];
};

struct reaper {
	struct registry *registry;
	struct timer_wheel *wheel;
	struct timer timer;
	struct hash ages;
	struct list candidates;
	size_t candidate_count, candidate_bytes;
	char *after; /* the last path that was looked at; NULL: not looking */
	uint32_t round;
	int64_t round_began_ms, last_round_ms; /* monotonic; the last one is the start at first */
	unsigned rows;                         /* of the step */
};

/* --- looking --- */

static struct age *find_age(const struct reaper *p, uint64_t hash)
{
	struct hash_node *n = hash_find(&p->ages, hash);

	return n ? container_of(n, struct age, by_path) : NULL;
}

/* How long the server has seen this znode's data as it is. What is met for the first time came
 * after the last round, and its clock does not make it older than that. */
static int64_t age_of(struct reaper *p, const struct record_znode *z)
{
	uint64_t hash = hash_bytes(z->path.data, z->path.len);
	struct age *a = find_age(p, hash);
	int64_t by_clock = clock_wall_ms() - z->mtime;
	int64_t most = p->round_began_ms - p->last_round_ms;

	if (!a) {
		a = mem_new(sizeof(*a));
		hash_insert(&p->ages, &a->by_path, hash);
	}
	a->round = p->round;
	if (a->mzxid != z->mzxid) {
		a->mzxid = z->mzxid;
		a->since_ms = p->round_began_ms - (by_clock < 0      ? 0
						   : by_clock < most ? by_clock
								     : most);
	}
	return clock_now_ms() - a->since_ms;
}

static bool is_due(struct reaper *p, const struct record_znode *z)
{
	int64_t never_used_ms = registry_options(p->registry)->container_never_used_ms;

	if (z->owner != PROTO_OWNER_CONTAINER)
		return age_of(p, z) > (z->owner & ~PROTO_OWNER_TTL) && z->num_children == 0;
	if (z->num_children > 0)
		return false;
	/* One that nobody has used yet was perhaps made a moment ago. */
	return z->creates > 0 || (never_used_ms > 0 && age_of(p, z) > never_used_ms);
}

static void add_candidate(struct reaper *p, const struct record_znode *z)
{
	struct candidate *c;

	if (p->candidate_count >= MOST_CANDIDATES ||
	    p->candidate_bytes + z->path.len > MOST_CANDIDATE_BYTES)
		return;
	c = mem_new(sizeof(*c) + z->path.len);
	c->mzxid = z->mzxid;
	c->len = z->path.len;
	memcpy(c->path, z->path.data, z->path.len);
	list_append(&p->candidates, &c->link);
	p->candidate_count++;
	p->candidate_bytes += c->len;
}

static void look_at(void *ctx, const struct record_znode *z)
{
	struct reaper *p = ctx;

	p->rows++;
	mem_free(p->after);
	p->after = mem_dup(z->path.data, z->path.len);
	if (is_due(p, z))
		add_candidate(p, z);
}

/* Of what was not seen in this round nothing needs to be known. */
static void forget_ages(struct reaper *p)
{
	struct hash_node *next;

	for (struct hash_node *n = hash_first(&p->ages); n; n = next) {
		struct age *a = container_of(n, struct age, by_path);

		next = hash_after(&p->ages, n);
		if (a->round == p->round)
			continue;
		hash_remove(&p->ages, n);
		mem_free(a);
	}
}

static void begin_round(struct reaper *p)
{
	p->round++;
	p->round_began_ms = clock_now_ms();
	p->after = mem_strdup("/");
}

/* False when there is no more to look at. */
static bool look(struct reaper *p)
{
	enum store_result result;
	char *after = p->after;

	/* look_at moves it, while the store still reads it. */
	p->after = mem_strdup(after);
	p->rows = 0;
	result = store_list_marked(registry_store(p->registry), slice_of(after), LOOK_ROWS, look_at,
				   p);
	mem_free(after);
	if (result == STORE_FOUND && p->rows == LOOK_ROWS)
		return true;
	mem_free(p->after);
	p->after = NULL;
	if (result == STORE_FOUND)
		forget_ages(p);
	p->last_round_ms = p->round_began_ms;
	return false;
}

/* --- removing --- */

static bool is_still_due(const struct candidate *c, const struct znode *z)
{
	return z->st.owner < 0 && z->st.num_children == 0 && z->st.mzxid == c->mzxid;
}

/* In a change of its own. */
static bool remove_znode(struct registry *r, struct znode *z)
{
	struct znode *parent;
	int64_t mark;

	if (tree_find(registry_tree(r), path_parent(znode_path(z)), &parent, &mark) != TREE_FOUND)
		return false;
	change_begin(r);
	if (quota_delete(r, parent, z) &&
	    change_commit(r, NULL, OP_DELETE_CONTAINER, znode_path(z), NULL, NULL))
		return true;
	change_abort(r);
	return false;
}

static void remove_first(struct reaper *p)
{
	struct list *link = list_take_first(&p->candidates);
	struct candidate *c = container_of(link, struct candidate, link);
	struct slice path = { c->path, c->len };
	struct znode *z;
	int64_t mark;

	if (tree_find(registry_tree(p->registry), path, &z, &mark) == TREE_FOUND &&
	    is_still_due(c, z) && remove_znode(p->registry, z)) {
		metrics_add(METRIC_znodes_reaped, 1);
		log_debug("znode.reaped", LOG_SLICE("path", path));
	}
	tree_trim(registry_tree(p->registry));
	p->candidate_count--;
	p->candidate_bytes -= c->len;
	mem_free(c);
}

/* --- rounds --- */

static void arm(struct reaper *p, int64_t in_ms)
{
	timer_arm(p->wheel, &p->timer, clock_now_ms() + in_ms);
}

static int64_t until_next_round(const struct reaper *p)
{
	int64_t next = p->last_round_ms + registry_options(p->registry)->container_check_ms;
	int64_t wait = next - clock_now_ms();

	return wait > LOOK_PAUSE_MS ? wait : LOOK_PAUSE_MS;
}

static void on_timer(struct timer *t)
{
	struct reaper *p = container_of(t, struct reaper, timer);
	const struct registry_options *o = registry_options(p->registry);

	if (!list_is_empty(&p->candidates)) {
		/* It waits for replay like any writer. */
		if (!registry_is_behind(p->registry))
			remove_first(p);
	} else {
		if (!p->after)
			begin_round(p);
		if (look(p)) {
			arm(p, LOOK_PAUSE_MS);
			return;
		}
	}
	if (!list_is_empty(&p->candidates))
		arm(p, MINUTE_MS / o->container_max_per_minute);
	else
		arm(p, until_next_round(p));
}

struct reaper *reaper_new(struct registry *r, struct timer_wheel *wheel)
{
	struct reaper *p = mem_new(sizeof(*p));

	p->registry = r;
	p->wheel = wheel;
	p->last_round_ms = clock_now_ms();
	hash_init(&p->ages);
	list_init(&p->candidates);
	timer_init(&p->timer, on_timer);
	arm(p, registry_options(r)->container_check_ms);
	return p;
}

void reaper_free(struct reaper *p)
{
	struct list *link;

	if (!p)
		return;
	timer_disarm(p->wheel, &p->timer);
	while ((link = list_take_first(&p->candidates)))
		mem_free(container_of(link, struct candidate, link));
	p->round++;
	forget_ages(p);
	hash_fini(&p->ages);
	mem_free(p->after);
	mem_free(p);
}

unsigned reaper_known(const struct reaper *p)
{
	return (unsigned)p->ages.count;
}
