/* One round: looking at all marked rows of tree.db, LOOK_ROWS a timer; what a step found is removed
 * before the next one. Then a pause until the interval is over. */
#include "core/reaper.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/ages.h"
#include "core/quota.h"
#include "store/room.h"
#include "wire/path.h"

enum {
	LOOK_ROWS = 256,
	LOOK_PAUSE_MS = TIMER_SLOT_MS, /* the others have their turn */
	/* A timer may come that late: what it could not remove is made up for. */
	LATE_US = 2 * TIMER_SLOT_MS * 1000,
	MINUTE_US = 60 * 1000 * 1000,
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
	struct ages ages;
	struct list candidates;
	char *after;            /* the last path that was looked at; NULL: not looking */
	int64_t round_began_ms; /* monotonic; the start at first */
	int64_t next_us;        /* monotonic: from when on one more may be removed */
	unsigned rows;          /* of the step */
};

/* --- looking --- */

/* How long the server has seen this znode's data as it is. */
static int64_t age_of(const struct reaper *p, const struct record_znode *z)
{
	return clock_now_ms() - ages_since(&p->ages, z->mzxid);
}

static bool is_due(const struct reaper *p, const struct record_znode *z)
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
	struct candidate *c = mem_new(sizeof(*c) + z->path.len);

	c->mzxid = z->mzxid;
	c->len = z->path.len;
	memcpy(c->path, z->path.data, z->path.len);
	list_append(&p->candidates, &c->link);
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

static void begin_round(struct reaper *p)
{
	p->round_began_ms = clock_now_ms();
	p->after = mem_strdup("/");
}

/* The next step of a round; it is over when there is no more to look at. */
static void look(struct reaper *p)
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
		return;
	mem_free(p->after);
	p->after = NULL;
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
	mem_free(c);
}

/* As many as may be now. They wait for replay, and for room on disk, like any writer. */
static void remove_some(struct reaper *p)
{
	int64_t now_us = clock_now_ms() * 1000;

	if (p->next_us < now_us - LATE_US)
		p->next_us = now_us - LATE_US;
	while (!list_is_empty(&p->candidates) && p->next_us <= now_us &&
	       !registry_is_behind(p->registry) &&
	       store_room(registry_store(p->registry)) != ROOM_SCARCE) {
		remove_first(p);
		p->next_us += MINUTE_US / registry_options(p->registry)->container_max_per_minute;
	}
}

/* --- rounds --- */

static void arm(struct reaper *p, int64_t in_ms)
{
	timer_arm(p->wheel, &p->timer, clock_now_ms() + in_ms);
}

static int64_t until_next_step(const struct reaper *p)
{
	int64_t next_ms = p->round_began_ms + registry_options(p->registry)->container_check_ms;
	int64_t wait_ms = LOOK_PAUSE_MS;

	if (!list_is_empty(&p->candidates))
		wait_ms = p->next_us / 1000 - clock_now_ms();
	else if (!p->after)
		wait_ms = next_ms - clock_now_ms();
	return wait_ms > LOOK_PAUSE_MS ? wait_ms : LOOK_PAUSE_MS;
}

static void on_timer(struct timer *t)
{
	struct reaper *p = container_of(t, struct reaper, timer);

	if (list_is_empty(&p->candidates)) {
		if (!p->after)
			begin_round(p);
		look(p);
	}
	remove_some(p);
	arm(p, until_next_step(p));
}

struct reaper *reaper_new(struct registry *r, struct timer_wheel *wheel)
{
	struct reaper *p = mem_new(sizeof(*p));

	p->registry = r;
	p->wheel = wheel;
	p->round_began_ms = clock_now_ms();
	ages_init(&p->ages, clock_now_ms());
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
	mem_free(p->after);
	mem_free(p);
}

void reaper_note(struct reaper *p, int64_t zxid)
{
	ages_note(&p->ages, zxid, clock_now_ms());
}
