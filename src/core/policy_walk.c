/* Decisions: down a path, through the tries of all roles at once. */
#include <assert.h>

#include "core/policy_parts.h"
#include "wire/proto.h"

enum { MOST_STATES = POLICY_MOST_ROLES * POLICY_SHAPES };

static bool denies(const struct policy *p, uint32_t rule)
{
	return !p->rules[rule - 1].is_allow;
}

/* The more specific one; of equal ones that which denies. */
static void merge(const struct policy *p, struct policy_choice *c, uint32_t rule, uint64_t rank)
{
	if (rule == 0)
		return;
	if (c->rule != 0 && (rank < c->rank || (rank == c->rank && !denies(p, rule))))
		return;
	*c = (struct policy_choice){ rule, rank };
}

/* What the patterns of one length say of a place. */
struct level {
	struct policy_choice inherited[POLICY_RIGHTS];
	struct policy_choice here[POLICY_RIGHTS];
};

static void add_marks(const struct policy *p, struct level *l, const struct policy_node *n)
{
	for (unsigned i = 0; i < POLICY_RIGHTS; i++) {
		merge(p, &l->inherited[i], n->marks.inherited[i], n->rank);
		merge(p, &l->here[i], n->marks.inherited[i], n->rank);
		merge(p, &l->here[i], n->marks.here[i], n->rank);
	}
}

/* Longer patterns are more specific than all that was inherited. */
static void apply(const struct level *l, struct policy_choice inherited[POLICY_RIGHTS],
		  struct policy_choice here[POLICY_RIGHTS])
{
	for (unsigned i = 0; i < POLICY_RIGHTS; i++) {
		here[i] = l->here[i].rule ? l->here[i] : inherited[i];
		if (l->inherited[i].rule)
			inherited[i] = l->inherited[i];
	}
}

static struct slice value_of(const struct policy_walk *w, const struct policy_state *s,
			     unsigned variable)
{
	return w->roles->items[s->membership].values[variable];
}

static bool fits(const struct policy_walk *w, const struct policy_state *s,
		 const struct policy_node *open, struct slice name)
{
	struct slice value;

	if (open->kind != POLICY_NAMED)
		return true;
	value = value_of(w, s, open->variable);
	return name.data && value.data && slice_equal(value, name);
}

/* Call for every node that stands for a child of where w is. */
static void foreach_next(const struct policy_walk *w, struct slice name,
			 void (*each)(void *ctx, const struct policy_node *n, unsigned membership),
			 void *ctx)
{
	for (unsigned i = 0; i < w->count; i++) {
		const struct policy_state *s = &w->states[i];
		const struct policy_node *text =
			name.data ? policy_find_text(w->policy, s->node, name) : NULL;

		if (text)
			each(ctx, text, s->membership);
		list_foreach(link, &s->node->open) {
			const struct policy_node *n =
				container_of(link, struct policy_node, of_open);

			if (fits(w, s, n, name))
				each(ctx, n, s->membership);
		}
	}
}

struct stepping {
	const struct policy *policy;
	struct level level;
	unsigned count;
	struct policy_state states[MOST_STATES];
};

static void take_node(void *ctx, const struct policy_node *n, unsigned membership)
{
	struct stepping *s = ctx;

	add_marks(s->policy, &s->level, n);
	if (list_is_empty(&n->children))
		return;
	assert(s->count < MOST_STATES);
	s->states[s->count++] = (struct policy_state){ n, membership };
}

static void step(struct policy_walk *w, struct slice name)
{
	struct stepping s;

	s.policy = w->policy;
	s.level = (struct level){ 0 };
	s.count = 0;
	foreach_next(w, name, take_node, &s);
	apply(&s.level, w->inherited, w->here);
	w->count = s.count;
	memcpy(w->states, s.states, s.count * sizeof(*s.states));
}

static void begin(struct policy_walk *w)
{
	struct stepping s;
	unsigned count = w->roles ? w->roles->count : 1;

	s.policy = w->policy;
	s.level = (struct level){ 0 };
	s.count = 0;
	for (unsigned i = 0; i < count; i++)
		take_node(&s,
			  w->roles ? w->policy->roles[w->roles->items[i].role]->root
				   : w->policy->acls.root,
			  i);
	memset(w->inherited, 0, sizeof(w->inherited));
	apply(&s.level, w->inherited, w->here);
	w->count = s.count;
	memcpy(w->states, s.states, s.count * sizeof(*s.states));
}

/* Where no pattern goes on, all that follows is inherited. */
static void leave(struct policy_walk *w)
{
	memcpy(w->here, w->inherited, sizeof(w->here));
}

void policy_walk_init(struct policy_walk *w, const struct policy *p,
		      const struct policy_roles *roles, struct slice path)
{
	size_t at = path.len > 0 && path.data[0] == '/';

	w->policy = p;
	w->roles = roles;
	begin(w);
	while (at < path.len && w->count > 0) {
		const char *slash = memchr(path.data + at, '/', path.len - at);
		size_t end = slash ? (size_t)(slash - path.data) : path.len;

		step(w, (struct slice){ path.data + at, end - at });
		at = end + 1;
	}
	if (at < path.len)
		leave(w);
}

static int32_t rights_of(const struct policy *p, const struct policy_choice choices[POLICY_RIGHTS])
{
	int32_t rights = 0;

	for (unsigned i = 0; i < POLICY_RIGHTS; i++)
		if (choices[i].rule && !denies(p, choices[i].rule))
			rights |= 1 << i;
	return rights;
}

int32_t policy_walk_rights(const struct policy_walk *w)
{
	return rights_of(w->policy, w->here);
}

static void take_level(void *ctx, const struct policy_node *n, unsigned membership)
{
	struct stepping *s = ctx;

	(void)membership;
	add_marks(s->policy, &s->level, n);
}

int32_t policy_walk_child(const struct policy_walk *w, struct slice name)
{
	struct policy_choice inherited[POLICY_RIGHTS], here[POLICY_RIGHTS];
	struct stepping s;

	s.policy = w->policy;
	s.level = (struct level){ 0 };
	foreach_next(w, name, take_level, &s);
	memcpy(inherited, w->inherited, sizeof(inherited));
	apply(&s.level, inherited, here);
	return rights_of(w->policy, here);
}

static bool speaks_of(const struct policy_node *n, int32_t rights)
{
	for (unsigned i = 0; i < POLICY_RIGHTS; i++)
		if ((rights & 1 << i) && (n->marks.inherited[i] || n->marks.here[i]))
			return true;
	return false;
}

void policy_walk_names(const struct policy_walk *w, int32_t rights,
		       void (*each)(void *ctx, struct slice name), void *ctx)
{
	for (unsigned i = 0; i < w->count; i++) {
		const struct policy_state *s = &w->states[i];

		if ((s->node->below & rights) == 0)
			continue;
		list_foreach(link, &s->node->children) {
			const struct policy_node *n =
				container_of(link, struct policy_node, sibling);
			struct slice name = { n->text, n->len };

			if (n->kind == POLICY_NAMED)
				name = value_of(w, s, n->variable);
			if (name.data && speaks_of(n, rights))
				each(ctx, name);
		}
	}
}

bool policy_walk_tells_children(const struct policy_walk *w, int32_t rights)
{
	for (unsigned i = 0; i < w->count; i++)
		if (w->states[i].node->below & rights)
			return true;
	return false;
}

int32_t policy_walk_below(const struct policy_walk *w, int32_t *same)
{
	*same = PERM_ALL;
	for (unsigned i = 0; i < w->count; i++)
		*same &= ~w->states[i].node->below;
	return rights_of(w->policy, w->inherited) & *same;
}

int32_t policy_rights(const struct policy *p, const struct policy_roles *roles, struct slice path)
{
	struct policy_walk w;

	if (roles->count == 0)
		return 0;
	policy_walk_init(&w, p, roles, path);
	return policy_walk_rights(&w);
}

bool policy_reads_all(const struct policy *p, const struct policy_roles *roles)
{
	struct policy_walk w;

	if (roles->count == 0)
		return false;
	for (unsigned i = 0; i < roles->count; i++)
		if (p->roles[roles->items[i].role]->denied & PERM_READ)
			return false;
	policy_walk_init(&w, p, roles, slice_of("/"));
	return (rights_of(p, w.inherited) & PERM_READ) != 0;
}

static const struct policy_line *line_of(const struct policy *p, const struct policy_choice *c)
{
	return c->rule ? &p->rules[c->rule - 1].line : NULL;
}

const struct policy_line *policy_explain(const struct policy *p, const struct policy_roles *roles,
					 struct slice path, int32_t right)
{
	struct policy_walk w;
	unsigned i = 0;

	policy_walk_init(&w, p, roles, path);
	while (1 << i != right)
		i++;
	return line_of(p, &w.here[i]);
}

bool policy_asks_acl(const struct policy *p, struct slice path)
{
	struct policy_walk w;

	if (!p->has_acls)
		return true;
	policy_walk_init(&w, p, NULL, path);
	return w.here[0].rule == 0 || !denies(p, w.here[0].rule);
}

const struct policy_line *policy_explain_acl(const struct policy *p, struct slice path)
{
	struct policy_walk w;

	policy_walk_init(&w, p, NULL, path);
	return line_of(p, &w.here[0]);
}
