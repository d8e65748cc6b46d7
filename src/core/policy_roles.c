/* Which roles a connection's names give it. */
#include <strings.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "core/access.h"
#include "core/access_ip.h"
#include "core/dn.h"
#include "core/policy_parts.h"

/* Comparisons for one member: a certificate with hundreds of names must not cost their product. */
enum { MOST_STEPS = 10000 };

/* A connection's names, its subjects taken apart. */
struct names {
	const struct access_id *ids;
	unsigned count;
	struct dn *subjects; /* by id; empty for those that are none */
};

struct search {
	const struct names *names;
	const struct policy_role *role;
	const struct policy_member *member;
	struct policy_roles **out;
	unsigned most;
	unsigned steps;
};

static void names_init(struct names *n, const struct access_id *ids, unsigned count)
{
	*n = (struct names){ ids, count, mem_new((count + 1) * sizeof(*n->subjects)) };
	for (unsigned i = 0; i < count; i++)
		if (strcmp(ids[i].scheme, "x509") == 0 &&
		    dn_parse(&n->subjects[i], slice_of(ids[i].id)) != 0)
			n->subjects[i] = (struct dn){ 0 };
}

static void names_fini(struct names *n)
{
	for (unsigned i = 0; i < n->count; i++)
		dn_fini(&n->subjects[i]);
	mem_free(n->subjects);
}

/* What can be an element of a path. */
static bool is_good_value(struct slice value)
{
	return value.len > 0 && !memchr(value.data, '/', value.len) &&
	       !memchr(value.data, 0, value.len) && !slice_is(value, ".") && !slice_is(value, "..");
}

static bool is_same(const struct policy_membership *m, unsigned role,
		    const struct slice values[POLICY_VARIABLES])
{
	if (m->role != role)
		return false;
	for (unsigned i = 0; i < POLICY_VARIABLES; i++)
		if ((m->values[i].data == NULL) != (values[i].data == NULL) ||
		    !slice_equal(m->values[i], values[i]))
			return false;
	return true;
}

static void refuse(struct search *s)
{
	(*s->out)->is_refused = true;
}

static void add_membership(struct search *s, const struct slice values[POLICY_VARIABLES])
{
	struct policy_roles *r = *s->out;
	struct policy_membership *m;

	for (unsigned i = 0; i < POLICY_VARIABLES; i++)
		if (values[i].data && !is_good_value(values[i]))
			return;
	for (unsigned i = 0; i < r->count; i++)
		if (is_same(&r->items[i], s->role->number, values))
			return;
	if (r->count == s->most) {
		refuse(s);
		return;
	}
	r = mem_grow(r, sizeof(*r) + (r->count + 1) * sizeof(*r->items));
	*s->out = r;
	m = &r->items[r->count++];
	*m = (struct policy_membership){ .role = s->role->number };
	for (unsigned i = 0; i < POLICY_VARIABLES; i++)
		if (values[i].data)
			m->values[i] = (struct slice){ mem_dup(values[i].data, values[i].len),
						       values[i].len };
}

static void match_from(struct search *s, unsigned index,
		       const struct slice values[POLICY_VARIABLES]);

/* One name for one condition: go on with the next condition where it fits. */
static void try_text(struct search *s, unsigned index, struct slice name,
		     const struct slice values[POLICY_VARIABLES])
{
	struct slice found[POLICY_VARIABLES];

	memcpy(found, values, sizeof(found));
	if (++s->steps > MOST_STEPS)
		refuse(s);
	else if (policy_text_matches(&s->member->conditions[index].text, name, found))
		match_from(s, index + 1, found);
}

static void try_subject(struct search *s, unsigned index, const struct dn *subject,
			const struct slice values[POLICY_VARIABLES])
{
	const char *type = s->member->conditions[index].type;

	for (size_t i = 0; i < subject->count; i++) {
		const struct dn_attribute *a = &subject->items[i];

		if (a->is_text && a->type.len == strlen(type) &&
		    strncasecmp(a->type.data, type, a->type.len) == 0)
			try_text(s, index, a->value, values);
	}
}

static bool is_literal(const struct policy_member_condition *c, const struct access_id *id)
{
	struct slice have = slice_of(id->id), want = slice_of(c->literal);

	switch (c->kind) {
	case POLICY_SUBJECT:
		return strcmp(id->scheme, "x509") == 0 && slice_equal(have, want);
	case POLICY_DIGEST:
		return strcmp(id->scheme, "digest") == 0 && slice_equal(have, want);
	case POLICY_NETWORK:
		return strcmp(id->scheme, "ip") == 0 && access_ip_matches(have, want);
	default:
		return false;
	}
}

static void try_id(struct search *s, unsigned index, unsigned id,
		   const struct slice values[POLICY_VARIABLES])
{
	const struct policy_member_condition *c = &s->member->conditions[index];
	const struct access_id *have = &s->names->ids[id];

	if (c->kind == POLICY_DN)
		try_subject(s, index, &s->names->subjects[id], values);
	else if (c->kind == POLICY_SAN && strcmp(have->scheme, "san") == 0)
		try_text(s, index, slice_of(have->id), values);
}

static bool meets_literal(const struct search *s, const struct policy_member_condition *c)
{
	if (c->kind == POLICY_ANYONE)
		return true;
	for (unsigned i = 0; i < s->names->count; i++)
		if (is_literal(c, &s->names->ids[i]))
			return true;
	return false;
}

/* Every way to meet the conditions from index on. */
static void match_from(struct search *s, unsigned index,
		       const struct slice values[POLICY_VARIABLES])
{
	const struct policy_member_condition *c = &s->member->conditions[index];

	if (index == s->member->count) {
		add_membership(s, values);
	} else if (c->kind != POLICY_DN && c->kind != POLICY_SAN) {
		if (meets_literal(s, c))
			match_from(s, index + 1, values);
	} else {
		for (unsigned i = 0; i < s->names->count && !(*s->out)->is_refused; i++)
			try_id(s, index, i, values);
	}
}

static void drop_all(struct policy_roles *r)
{
	for (unsigned i = 0; i < r->count; i++)
		for (unsigned k = 0; k < POLICY_VARIABLES; k++)
			mem_free((char *)r->items[i].values[k].data);
	r->count = 0;
}

struct policy_roles *policy_roles_new(const struct policy *p, const struct access_id *ids,
				      unsigned count)
{
	static const struct slice none[POLICY_VARIABLES];
	struct policy_roles *r = mem_new(sizeof(*r));
	struct names names;

	r->serial = p->serial;
	names_init(&names, ids, count);
	for (unsigned i = 0; i < p->role_count && !r->is_refused; i++) {
		const struct policy_role *role = p->roles[i];

		for (unsigned k = 0; k < role->member_count && !r->is_refused; k++) {
			struct search s = {
				&names, role, &role->members[k], &r, p->limits.max_roles, 0
			};

			match_from(&s, 0, none);
		}
	}
	names_fini(&names);
	/* Some of them would be a matter of chance, and one left out may be what denies. */
	if (r->is_refused)
		drop_all(r);
	return r;
}

void policy_roles_free(struct policy_roles *r)
{
	if (!r)
		return;
	drop_all(r);
	mem_free(r);
}

static enum policy_user judge_condition(const struct policy_member_condition *c, struct slice id,
					size_t user_len)
{
	size_t len;

	if (c->kind != POLICY_DIGEST || strncmp(c->literal, id.data, user_len) != 0)
		return POLICY_STRANGER;
	len = strlen(c->literal);
	return len == id.len && crypto_equal(c->literal, id.data, len) ? POLICY_USER
								       : POLICY_IMPOSTOR;
}

enum policy_user policy_judge_user(const struct policy *p, struct slice id)
{
	/* With the colon. */
	size_t user_len = (size_t)((const char *)memchr(id.data, ':', id.len) - id.data) + 1;
	enum policy_user best = POLICY_STRANGER;

	for (unsigned r = 0; r < p->role_count; r++)
		for (unsigned m = 0; m < p->roles[r]->member_count; m++) {
			const struct policy_member *member = &p->roles[r]->members[m];

			for (unsigned i = 0; i < member->count; i++) {
				enum policy_user judged =
					judge_condition(&member->conditions[i], id, user_len);

				if (judged > best)
					best = judged;
			}
		}
	return best;
}
