#include "core/headcount.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "core/policy.h"
#include "core/subtree.h"
#include "wire/path.h"

enum {
	TURN_ZNODES = 2048,    /* judged in a turn, a few ms */
	PASSED_BY = 16,        /* so many that are only looked at cost as much as one */
	MOST_SILENCE_MS = 1000 /* whoever does not come for its share loses it */
};

/* What memory knows better than tree.db, or alone, as of the count's begin. */
struct known {
	struct hash_node by_path;
	struct list link; /* until it was judged */
	bool counts;      /* it is there */
	uint32_t len;
	char path[];
};

struct headcount {
	struct registry *registry;
	const struct client *client; /* NULL: none is under way */
	const struct client *next;   /* was the first to wait for it; NULL: nobody */
	int64_t asked_ms;            /* by next */
	uint64_t policy;             /* serial */
	int64_t stepped_ms;
	char *path;
	char *after; /* znodes of tree.db up to here were judged; NULL: none yet */
	struct hash known;
	struct list unjudged;
	uint64_t count;
	size_t left; /* of this turn's share */

	/* While tree.db's rows are gone through. */
	struct policy_walk *walk;
	const struct policy_roles *roles;
	char *parent; /* where walk is; NULL: nowhere */
};

struct headcount *headcount_new(struct registry *r)
{
	struct headcount *h = mem_new(sizeof(*h));

	h->registry = r;
	h->left = TURN_ZNODES;
	hash_init(&h->known);
	list_init(&h->unjudged);
	return h;
}

static void end(struct headcount *h)
{
	struct hash_node *n = hash_first(&h->known);

	while (n) {
		struct known *k = container_of(n, struct known, by_path);

		n = hash_after(&h->known, n);
		mem_free(k);
	}
	hash_fini(&h->known);
	hash_init(&h->known);
	list_init(&h->unjudged);
	mem_free(h->path);
	mem_free(h->after);
	h->path = h->after = NULL;
	h->count = 0;
	h->client = NULL;
}

void headcount_free(struct headcount *h)
{
	if (!h)
		return;
	end(h);
	mem_free(h);
}

void headcount_drop(struct headcount *h, const struct client *c)
{
	if (h->client == c)
		end(h);
	if (h->next == c)
		h->next = NULL;
}

void headcount_end_turn(struct headcount *h)
{
	h->left = TURN_ZNODES;
}

static uint64_t serial_now(const struct headcount *h)
{
	const struct policy *p = registry_options(h->registry)->access.policy;

	return p ? policy_serial(p) : 0;
}

bool headcount_is_of(struct headcount *h, const struct client *c)
{
	if (h->client && h->policy != serial_now(h))
		end(h);
	return h->client == c;
}

static bool is_silent(const struct client *c, int64_t since_ms)
{
	return c->stopped || !c->session || clock_now_ms() - since_ms > MOST_SILENCE_MS;
}

/* Who has just had a count stands behind who waited for it, however many more it has asked for. */
static void wait_for_turn(struct headcount *h, const struct client *c)
{
	if (!h->next)
		h->next = c;
	if (h->next == c)
		h->asked_ms = clock_now_ms();
}

bool headcount_may_begin(struct headcount *h, const struct client *c)
{
	if (h->client && is_silent(h->client, h->stepped_ms))
		end(h);
	if (h->next && is_silent(h->next, h->asked_ms))
		h->next = NULL;
	if (!h->client && h->left > 0 && (!h->next || h->next == c)) {
		h->next = NULL;
		return true;
	}
	wait_for_turn(h, c);
	return false;
}

static void spend(struct headcount *h, size_t cost)
{
	h->left -= cost < h->left ? cost : h->left;
}

/* --- memory --- */

static void note(void *ctx, const struct znode *z)
{
	struct headcount *h = ctx;
	struct slice path = znode_path(z), below = slice_of(h->path);
	struct known *k;

	if (path.len <= below.len || !path_is_within(path, below))
		return;
	if (!tree_is_ahead(z) && !znode_is_ephemeral(z))
		return;
	k = mem_new(sizeof(*k) + path.len);
	k->counts = z->st.exists;
	k->len = (uint32_t)path.len;
	memcpy(k->path, path.data, path.len);
	hash_insert(&h->known, &k->by_path, hash_bytes(path.data, path.len));
	list_append(&h->unjudged, &k->link);
}

static void begin(struct headcount *h, const struct request *rq, struct slice path)
{
	struct tree *t = registry_tree(h->registry);

	h->client = rq->client;
	h->policy = serial_now(h);
	h->path = mem_dup(path.len > 0 ? path.data : "/", path.len > 0 ? path.len : 1);
	tree_visit(t, note, h);
	spend(h, tree_counts(t).held / PASSED_BY);
}

static bool is_known(const struct headcount *h, struct slice path)
{
	struct hash_node *n = hash_find(&h->known, hash_bytes(path.data, path.len));

	for (; n; n = hash_find_next(n)) {
		const struct known *k = container_of(n, struct known, by_path);

		if (slice_equal((struct slice){ k->path, k->len }, path))
			return true;
	}
	return false;
}

static void judge_known(struct headcount *h, struct access_ids *ids)
{
	struct list *link;

	while (h->left > 0 && (link = list_take_first(&h->unjudged))) {
		const struct known *k = container_of(link, struct known, link);
		struct slice path = { k->path, k->len };

		h->left--;
		h->count += k->counts && (access_rights(ids, path) & PERM_READ) != 0;
	}
}

/* --- tree.db --- */

static void go_to(struct headcount *h, struct slice parent)
{
	if (h->parent && slice_is(parent, h->parent))
		return;
	mem_free(h->parent);
	h->parent = mem_dup(parent.data, parent.len);
	policy_walk_init(h->walk, registry_options(h->registry)->access.policy, h->roles, parent);
}

static char *join(struct slice parent, struct slice name)
{
	size_t above = slice_is(parent, "/") ? 0 : parent.len;
	char *path = mem_new(above + 1 + name.len + 1);

	memcpy(path, parent.data, above);
	path[above] = '/';
	memcpy(path + above + 1, name.data, name.len);
	return path;
}

static void judge_row(void *ctx, struct slice parent, struct slice name)
{
	struct headcount *h = ctx;

	h->left--;
	go_to(h, parent);
	mem_free(h->after);
	h->after = join(parent, name);
	if ((policy_walk_child(h->walk, name) & PERM_READ) && !is_known(h, slice_of(h->after)))
		h->count++;
}

/* False where tree.db could not be read. */
static bool judge_rows(struct headcount *h, struct access_ids *ids)
{
	/* judge_row moves it, while the store still reads it. */
	char *after = h->after ? mem_strdup(h->after) : NULL;
	enum store_result result;

	h->walk = mem_new(sizeof(*h->walk));
	h->roles = access_roles(ids);
	result = store_list_below(registry_store(h->registry), slice_of(h->path),
				  after ? slice_of(after) : (struct slice){ 0 }, (unsigned)h->left,
				  judge_row, h);
	mem_free(after);
	mem_free(h->walk);
	mem_free(h->parent);
	h->walk = NULL;
	h->parent = NULL;
	return result == STORE_FOUND;
}

enum headcount_result headcount_run(struct headcount *h, struct request *rq, struct slice path,
				    uint64_t *count)
{
	struct access_ids *ids = &rq->client->ids;
	bool is_read = true;

	h->stepped_ms = clock_now_ms();
	if (!h->client)
		begin(h, rq, path);
	judge_known(h, ids);
	if (h->left > 0)
		is_read = judge_rows(h, ids);
	if (is_read && h->left == 0)
		return HEADCOUNT_LATER;
	*count = h->count;
	end(h);
	return is_read ? HEADCOUNT_DONE : HEADCOUNT_UNREADABLE;
}
