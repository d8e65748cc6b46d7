#include "core/sight.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/policy.h"

/* To look a child up costs about as much as to go through so many names of a list. */
enum { LOOKUP_COST = 16 };

/* Names that the policy speaks of below one znode. */
struct names {
	struct slice *items;
	size_t count, room;
};

static void add_name(void *ctx, struct slice name)
{
	struct names *n = ctx;

	if (n->count == n->room) {
		n->room = n->room ? 2 * n->room : 16;
		n->items = mem_grow(n->items, n->room * sizeof(*n->items));
	}
	n->items[n->count++] = name;
}

static int compare_names(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = len ? memcmp(x->data, y->data, len) : 0;

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Sorted, each once. */
static void sort_names(struct names *n)
{
	size_t kept = 0;

	if (n->count == 0)
		return;
	qsort(n->items, n->count, sizeof(*n->items), compare_names);
	for (size_t i = 1; i < n->count; i++)
		if (!slice_equal(n->items[kept], n->items[i]))
			n->items[++kept] = n->items[i];
	n->count = kept + 1;
}

static bool begin_walk(struct request *rq, struct slice path, struct policy_walk *w)
{
	struct access_ids *ids = &rq->client->ids;
	const struct policy_roles *roles = access_roles(ids);

	if (roles)
		policy_walk_init(w, ids->limits->policy, roles, path);
	return roles != NULL;
}

struct filter {
	const struct policy_walk *walk;
	void (*child)(void *ctx, struct slice name);
	void *ctx;
};

static void pass_child(void *ctx, struct slice name)
{
	const struct filter *f = ctx;

	if (policy_walk_child(f->walk, name) & PERM_READ)
		f->child(f->ctx, name);
}

bool sight_list(struct request *rq, const struct znode *parent,
		void (*child)(void *ctx, struct slice name), void *ctx)
{
	struct tree *tree = registry_tree(rq->registry);
	struct policy_walk w;
	struct filter f = { &w, child, ctx };

	if (!begin_walk(rq, znode_path(parent), &w))
		return tree_list(tree, parent, child, ctx);
	if (policy_walk_tells_children(&w, PERM_READ))
		return tree_list(tree, parent, pass_child, &f);
	if (policy_walk_child(&w, (struct slice){ 0 }) & PERM_READ)
		return tree_list(tree, parent, child, ctx);
	return true;
}

static void count_child(void *ctx, struct slice name)
{
	int32_t *count = ctx;

	(void)name;
	(*count)++;
}

/* 1 and 0: there is such a child, or none; -1: that could not be read. */
static int has_child(struct request *rq, struct slice parent, struct slice name)
{
	size_t above = slice_is(parent, "/") ? 0 : parent.len, len = above + 1 + name.len;
	char *text = mem_new(len);
	struct znode *z;
	int64_t mark;
	enum tree_result found;

	memcpy(text, parent.data, above);
	text[above] = '/';
	memcpy(text + above + 1, name.data, name.len);
	found = tree_find(registry_tree(rq->registry), (struct slice){ text, len }, &z, &mark);
	mem_free(text);
	if (found == TREE_UNREADABLE)
		return -1;
	return found == TREE_FOUND;
}

/* All children are judged alike but for those that the policy names. */
static bool count_by_names(struct request *rq, const struct znode *parent,
			   const struct policy_walk *w, const struct names *names, int32_t *count)
{
	int32_t others = policy_walk_child(w, (struct slice){ 0 }) & PERM_READ;

	*count = others ? parent->st.num_children : 0;
	for (size_t i = 0; i < names->count; i++) {
		int has;

		if ((policy_walk_child(w, names->items[i]) & PERM_READ) == others)
			continue;
		has = has_child(rq, znode_path(parent), names->items[i]);
		if (has < 0)
			return false;
		*count += others ? -has : has;
	}
	return true;
}

bool sight_count(struct request *rq, const struct znode *parent, int32_t *count)
{
	struct policy_walk w;
	struct names names = { 0 };
	bool ok;

	*count = parent->st.num_children;
	if (*count == 0 || !begin_walk(rq, znode_path(parent), &w))
		return true;
	policy_walk_names(&w, PERM_READ, add_name, &names);
	sort_names(&names);
	if (names.count * LOOKUP_COST <= (size_t)*count || names.count == 0) {
		ok = count_by_names(rq, parent, &w, &names, count);
	} else {
		*count = 0;
		ok = sight_list(rq, parent, count_child, count);
	}
	mem_free(names.items);
	return ok;
}

enum sight sight_below(struct request *rq, struct slice path)
{
	struct policy_walk w;
	int32_t rights, same;

	if (!begin_walk(rq, path, &w))
		return SIGHT_ALL;
	rights = policy_walk_below(&w, &same);
	if (!(same & PERM_READ))
		return SIGHT_SOME;
	return rights & PERM_READ ? SIGHT_ALL : SIGHT_NONE;
}
