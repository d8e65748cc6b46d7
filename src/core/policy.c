#include "core/policy.h"

#include <strings.h>

#include "base/mem.h"
#include "core/access_ip.h"
#include "core/policy_parts.h"
#include "wire/proto.h"

enum { RANK_BITS = 2 }; /* of an element; POLICY_ELEMENTS of them fill 64 bits */

void policy_limits_init(struct policy_limits *l)
{
	*l = (struct policy_limits){ .max_rules = 10000, .max_roles = 16 };
}

const char *policy_right_name(int32_t rights)
{
	static const char *const names[POLICY_RIGHTS] = { "read", "write", "create", "delete",
							  "admin" };

	for (unsigned i = 0; i < POLICY_RIGHTS; i++)
		if (rights & 1 << i)
			return names[i];
	return "none";
}

/* --- nodes --- */

static struct policy_node *new_node(void)
{
	static uint64_t serial;
	struct policy_node *n = mem_new(sizeof(*n));

	n->serial = ++serial;
	list_init(&n->children);
	list_init(&n->sibling);
	list_init(&n->open);
	list_init(&n->of_open);
	return n;
}

/* Not deeper than a pattern. */
static void free_node(struct policy_node *n)
{
	struct list *link;

	while ((link = list_take_first(&n->children)))
		free_node(container_of(link, struct policy_node, sibling));
	mem_free(n->text);
	mem_free(n);
}

static uint64_t edge_hash(const struct policy_node *parent, struct slice text)
{
	return hash_u64(parent->serial) ^ hash_bytes(text.data, text.len);
}

struct policy_node *policy_find_text(const struct policy *p, const struct policy_node *parent,
				     struct slice text)
{
	for (struct hash_node *h = hash_find(&p->edges, edge_hash(parent, text)); h;
	     h = hash_find_next(h)) {
		struct policy_node *n = container_of(h, struct policy_node, by_edge);

		if (n->parent == parent && slice_equal((struct slice){ n->text, n->len }, text))
			return n;
	}
	return NULL;
}

static struct policy_node *find_open(const struct policy_node *parent,
				     enum policy_element_kind kind, unsigned variable)
{
	list_foreach(link, &parent->open) {
		struct policy_node *n = container_of(link, struct policy_node, of_open);

		if (n->kind == kind && n->variable == variable)
			return n;
	}
	return NULL;
}

static struct policy_node *add_node(struct policy *p, struct policy_node *parent,
				    const struct policy_element *e, unsigned variable)
{
	struct policy_node *n = new_node();

	n->parent = parent;
	n->kind = e->kind;
	n->variable = variable;
	n->depth = parent->depth + 1;
	n->rank = parent->rank << RANK_BITS | (uint64_t)e->kind;
	n->shape = hash_u64(parent->shape ^ ((uint64_t)e->kind << RANK_BITS * 2 | variable));
	list_append(&parent->children, &n->sibling);
	if (e->kind != POLICY_TEXT) {
		list_append(&parent->open, &n->of_open);
		return n;
	}
	n->text = mem_dup(e->text.data, e->text.len);
	n->len = e->text.len;
	hash_insert(&p->edges, &n->by_edge, edge_hash(parent, e->text));
	return n;
}

/* --- roles --- */

static void init_role(struct policy_role *r)
{
	r->root = new_node();
}

static struct policy_role *find_role(const struct policy *p, struct slice name)
{
	uint64_t hash = hash_bytes(name.data, name.len);

	for (struct hash_node *h = hash_find(&p->names, hash); h; h = hash_find_next(h)) {
		struct policy_role *r = container_of(h, struct policy_role, by_name);

		if (slice_is(name, r->name))
			return r;
	}
	return NULL;
}

static struct policy_role *take_role(struct policy *p, struct slice name)
{
	struct policy_role *r = find_role(p, name);

	if (r)
		return r;
	r = mem_new(sizeof(*r));
	init_role(r);
	r->name = mem_dup(name.data, name.len);
	r->number = p->role_count;
	p->roles = mem_grow(p->roles, (p->role_count + 1) * sizeof(struct policy_role *));
	p->roles[p->role_count++] = r;
	hash_insert(&p->names, &r->by_name, hash_bytes(name.data, name.len));
	return r;
}

static void fini_member(struct policy_member *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		mem_free(m->conditions[i].type);
		mem_free(m->conditions[i].literal);
		policy_text_fini(&m->conditions[i].text);
	}
	mem_free(m->conditions);
}

static void fini_role(struct policy_role *r)
{
	free_node(r->root);
	for (unsigned i = 0; i < r->member_count; i++)
		fini_member(&r->members[i]);
	for (unsigned i = 0; i < r->variable_count; i++)
		mem_free(r->variables[i]);
	mem_free(r->members);
	mem_free(r->name);
}

/* --- the whole --- */

struct policy *policy_new(const struct policy_limits *l)
{
	static uint64_t serial;
	struct policy *p = mem_new(sizeof(*p));

	p->serial = ++serial;
	p->limits = *l;
	hash_init(&p->edges);
	hash_init(&p->names);
	init_role(&p->acls);
	return p;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->role_count; i++) {
		fini_role(p->roles[i]);
		mem_free(p->roles[i]);
	}
	fini_role(&p->acls);
	for (unsigned i = 0; i < p->rule_count; i++)
		mem_free((char *)p->rules[i].line.source.data);
	mem_free(p->roles);
	mem_free(p->rules);
	hash_fini(&p->edges);
	hash_fini(&p->names);
	mem_free(p);
}

uint64_t policy_serial(const struct policy *p)
{
	return p->serial;
}

unsigned policy_role_count(const struct policy *p)
{
	return p->role_count;
}

unsigned policy_rule_count(const struct policy *p)
{
	return p->rule_count;
}

const char *policy_role_name(const struct policy *p, unsigned role)
{
	return p->roles[role]->name;
}

const char *policy_variable_name(const struct policy *p, unsigned role, unsigned variable)
{
	const struct policy_role *r = p->roles[role];

	return variable < r->variable_count ? r->variables[variable] : NULL;
}

/* The number of a line, from 1. */
static uint32_t add_line(struct policy *p, const struct policy_line *line, bool is_allow)
{
	struct policy_rule *rule;

	/* One line may be several rules: each has a copy. */
	if ((p->rule_count & (p->rule_count - 1)) == 0)
		p->rules = mem_grow(p->rules,
				    (p->rule_count ? 2 * p->rule_count : 1) * sizeof(*p->rules));
	rule = &p->rules[p->rule_count++];
	*rule = (struct policy_rule){ *line, is_allow };
	rule->line.source.data = mem_dup(line->source.data, line->source.len);
	return p->rule_count;
}

static bool is_full(const struct policy *p)
{
	return p->rule_count >= p->limits.max_rules;
}

#define TOO_MANY "there are more rules than zoolite.maxPolicyRules"

/* --- members --- */

static unsigned number_variable(void *ctx, struct slice name)
{
	struct policy_role *r = ctx;

	for (unsigned i = 0; i < r->variable_count; i++)
		if (slice_is(name, r->variables[i]))
			return i;
	if (r->variable_count < POLICY_VARIABLES)
		r->variables[r->variable_count++] = mem_dup(name.data, name.len);
	else
		return POLICY_VARIABLES;
	return r->variable_count - 1;
}

/* Others are written as numbers and digits (net/identity): nobody would ever have one. */
static bool is_attribute_type(struct slice type)
{
	static const char *const types[] = {
		"CN", "C", "L", "ST", "O", "OU", "STREET", "DC", "UID",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (type.len == strlen(types[i]) && strncasecmp(type.data, types[i], type.len) == 0)
			return true;
	return false;
}

static const char *take_condition(struct policy_role *r, const struct policy_condition *from,
				  struct policy_member_condition *to)
{
	struct slice text = { from->text.text, from->text.len };

	to->kind = from->kind;
	switch (from->kind) {
	case POLICY_ANYONE:
		return NULL;
	case POLICY_DN:
		if (!is_attribute_type(from->type))
			return "attributes are CN, C, L, ST, O, OU, STREET, DC, UID";
		to->type = mem_dup(from->type.data, from->type.len);
		return policy_text_parse(&to->text, &from->text, number_variable, r);
	case POLICY_SAN:
		return policy_text_parse(&to->text, &from->text, number_variable, r);
	case POLICY_NETWORK:
		if (!access_ip_is_valid(text))
			return "that is no address and no network";
		break;
	case POLICY_DIGEST:
		/* Anybody may say any user's name: it is the hash that proves it. */
		if (!memchr(text.data, ':', text.len))
			return "a user is named with the hash: digest:NAME:HASH";
		break;
	case POLICY_SUBJECT:
		break;
	}
	to->literal = mem_dup(text.data, text.len);
	return NULL;
}

const char *policy_add_member(struct policy *p, struct slice role,
			      const struct policy_condition *conditions, unsigned count,
			      const struct policy_line *line)
{
	struct policy_role *r = take_role(p, role);
	struct policy_member *m;

	if (is_full(p))
		return TOO_MANY;
	add_line(p, line, true);
	r->members = mem_grow(r->members, (r->member_count + 1) * sizeof(*r->members));
	m = &r->members[r->member_count++];
	*m = (struct policy_member){ mem_new(count * sizeof(*m->conditions)), count };
	for (unsigned i = 0; i < count; i++) {
		const char *reason = take_condition(r, &conditions[i], &m->conditions[i]);

		if (reason)
			return reason;
	}
	return NULL;
}

/* --- rules --- */

static const char *count_shape(struct policy_role *r, const struct policy_node *n)
{
	struct policy_shapes *s = &r->shapes[n->depth];

	for (unsigned i = 0; i < s->count; i++)
		if (s->items[i] == n->shape)
			return NULL;
	if (s->count == POLICY_SHAPES)
		return "variables and '*' stand in more than 16 ways in patterns of one role";
	s->items[s->count++] = n->shape;
	return NULL;
}

/* The variable's number; 0 where the element is none. */
static const char *look_up(const struct policy_role *r, const struct policy_element *e,
			   unsigned *variable)
{
	*variable = 0;
	if (e->kind != POLICY_NAMED)
		return NULL;
	for (unsigned i = 0; i < r->variable_count; i++) {
		*variable = i;
		if (slice_is(e->text, r->variables[i]))
			return NULL;
	}
	return "no line of this role gives that variable a value";
}

static const char *take_place(struct policy *p, struct policy_role *r,
			      const struct policy_pattern *pattern, struct policy_node **place)
{
	struct policy_node *n = r->root;

	for (unsigned i = 0; i < pattern->count; i++) {
		const struct policy_element *e = &pattern->elements[i];
		struct policy_node *next;
		unsigned variable;
		const char *reason = look_up(r, e, &variable);

		if (reason)
			return reason;
		next = e->kind == POLICY_TEXT ? policy_find_text(p, n, e->text)
					      : find_open(n, e->kind, variable);
		if (!next) {
			next = add_node(p, n, e, variable);
			reason = count_shape(r, next);
		}
		if (reason)
			return reason;
		n = next;
	}
	*place = n;
	return NULL;
}

/* A rule that denies is not overruled by one that stands at the same place. */
static void mark(const struct policy *p, uint32_t *at, uint32_t rule)
{
	if (*at == 0 || (p->rules[*at - 1].is_allow && !p->rules[rule - 1].is_allow))
		*at = rule;
}

static const char *add_rule(struct policy *p, struct policy_role *r, int32_t rights, bool is_allow,
			    const struct policy_pattern *pattern, bool only,
			    const struct policy_line *line)
{
	struct policy_node *place;
	const char *reason;
	uint32_t rule;

	if (is_full(p))
		return TOO_MANY;
	reason = take_place(p, r, pattern, &place);
	if (reason)
		return reason;
	rule = add_line(p, line, is_allow);
	for (unsigned i = 0; i < POLICY_RIGHTS; i++)
		if (rights & 1 << i)
			mark(p, only ? &place->marks.here[i] : &place->marks.inherited[i], rule);
	for (struct policy_node *n = place->parent; n; n = n->parent)
		n->below |= rights;
	if (!is_allow)
		r->denied |= rights;
	return NULL;
}

const char *policy_add_rule(struct policy *p, struct slice role, int32_t rights, bool is_allow,
			    const struct policy_pattern *pattern, bool only,
			    const struct policy_line *line)
{
	struct policy_role *r = find_role(p, role);

	if (!r)
		return "no line before says who has that role";
	return add_rule(p, r, rights, is_allow, pattern, only, line);
}

const char *policy_add_acl(struct policy *p, bool is_asked, const struct policy_pattern *pattern,
			   bool only, const struct policy_line *line)
{
	p->has_acls = true;
	return add_rule(p, &p->acls, PERM_READ, is_asked, pattern, only, line);
}
