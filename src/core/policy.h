/* A compiled policy: which rights a role has on which paths. Built once (app/policy_file reads it
 * from a file), then only read. Pure, no I/O.
 *
 * A rule stands at a *pattern* of path elements: a text, a variable, '*' (any one element), and at
 * the end '**' (all that is below). It holds for what matches it and is inherited by all below,
 * unless it is for that place only. For each right by itself the most specific rule that gives or
 * denies it decides: the longest pattern; of several as long the one that from the left on first
 * has a text where the others have a variable, a variable where they have '*', '*' where they have
 * '**'; of equal ones that which denies. Without a rule nobody has a right.
 *
 * Each role has a trie of its patterns, so a decision walks down a path once, however many rules
 * there are. */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "core/policy_text.h"

struct access_id;
struct policy;

enum {
	POLICY_RIGHTS = 5,    /* bits of PERM_ALL */
	POLICY_ELEMENTS = 32, /* of a pattern */
	POLICY_SHAPES = 16,   /* ways to place variables and '*', for a role and a length */
	POLICY_MOST_ROLES = 64,
};

struct policy_limits {
	unsigned max_rules; /* lines that say something */
	unsigned max_roles; /* that one connection may have, at most POLICY_MOST_ROLES */
};
void policy_limits_init(struct policy_limits *l);

/* What a file calls the lowest of rights ("read"). */
const char *policy_right_name(int32_t rights);

/* --- building; each function gives NULL or what is wrong --- */

enum policy_condition_kind {
	POLICY_ANYONE,
	POLICY_DN,      /* an attribute of the subject: type, text */
	POLICY_SUBJECT, /* all of it, as the scheme x509 has it */
	POLICY_SAN,     /* the scheme san */
	POLICY_DIGEST,  /* "user:hash", as the scheme digest has it */
	POLICY_NETWORK, /* of the address */
};
struct policy_condition {
	enum policy_condition_kind kind;
	struct slice type;
	struct policy_chars text;
};

enum policy_element_kind { POLICY_REST, POLICY_ANY, POLICY_NAMED, POLICY_TEXT };
struct policy_element {
	enum policy_element_kind kind;
	struct slice text; /* or the variable's name */
};
struct policy_pattern {
	struct policy_element elements[POLICY_ELEMENTS];
	unsigned count;
};

/* What a line says; source is kept for who asks why. */
struct policy_line {
	unsigned number;
	struct slice source;
};

struct policy *policy_new(const struct policy_limits *l);
void policy_free(struct policy *p);
/* Whoever meets all the conditions has the role. */
const char *policy_add_member(struct policy *p, struct slice role,
			      const struct policy_condition *conditions, unsigned count,
			      const struct policy_line *line);
/* rights: of PERM_ALL. only: not inherited. Members are added before. */
const char *policy_add_rule(struct policy *p, struct slice role, int32_t rights, bool is_allow,
			    const struct policy_pattern *pattern, bool only,
			    const struct policy_line *line);
/* Whether a znode's own ACL is asked as well; by default it is. No variables. */
const char *policy_add_acl(struct policy *p, bool is_asked, const struct policy_pattern *pattern,
			   bool only, const struct policy_line *line);
unsigned policy_role_count(const struct policy *p);
unsigned policy_rule_count(const struct policy *p);

/* --- who has which role --- */

struct policy_membership {
	unsigned role;
	struct slice values[POLICY_VARIABLES]; /* owned */
};

/* What a connection is to a policy. It does not look into the policy any more. */
struct policy_roles {
	uint64_t serial; /* of the policy */
	unsigned count;
	bool is_refused; /* it would have too many: then it has none */
	struct policy_membership items[];
};

/* id: "user:hash". A user whom no role names, one who is named with another hash, and with this. */
enum policy_user { POLICY_STRANGER, POLICY_IMPOSTOR, POLICY_USER };
enum policy_user policy_judge_user(const struct policy *p, struct slice id);

/* Unlike that of any other policy of this process. */
uint64_t policy_serial(const struct policy *p);
struct policy_roles *policy_roles_new(const struct policy *p, const struct access_id *ids,
				      unsigned count);
void policy_roles_free(struct policy_roles *r);
const char *policy_role_name(const struct policy *p, unsigned role);
/* NULL where there are fewer. */
const char *policy_variable_name(const struct policy *p, unsigned role, unsigned variable);

/* --- decisions; roles are those of the same policy --- */

/* Rights of PERM_ALL on path; "" is the root. */
int32_t policy_rights(const struct policy *p, const struct policy_roles *roles, struct slice path);
bool policy_asks_acl(const struct policy *p, struct slice path);
/* Whether there is nothing that these roles may not read. */
bool policy_reads_all(const struct policy *p, const struct policy_roles *roles);

/* Which line decided: NULL where none speaks of it. */
const struct policy_line *policy_explain(const struct policy *p, const struct policy_roles *roles,
					 struct slice path, int32_t right);
const struct policy_line *policy_explain_acl(const struct policy *p, struct slice path);

/* --- a way down, for lists --- */

struct policy_choice {
	uint32_t rule; /* from 1; 0: none */
	uint64_t rank;
};

struct policy_state {
	const struct policy_node *node;
	unsigned membership;
};

struct policy_walk {
	const struct policy *policy;
	const struct policy_roles *roles; /* NULL: of the ACLs */
	struct policy_choice inherited[POLICY_RIGHTS];
	struct policy_choice here[POLICY_RIGHTS];
	unsigned count;
	struct policy_state states[POLICY_MOST_ROLES * POLICY_SHAPES];
};

/* At path. */
void policy_walk_init(struct policy_walk *w, const struct policy *p,
		      const struct policy_roles *roles, struct slice path);
int32_t policy_walk_rights(const struct policy_walk *w);
/* Rights on a child of where w is; name NULL: on all those that no rule names. */
int32_t policy_walk_child(const struct policy_walk *w, struct slice name);
/* Every child that a rule about one of rights names, perhaps more than once. */
void policy_walk_names(const struct policy_walk *w, int32_t rights,
		       void (*each)(void *ctx, struct slice name), void *ctx);
/* Whether children differ in rights. */
bool policy_walk_tells_children(const struct policy_walk *w, int32_t rights);
/* Rights on everything below, however deep, that are the same for all of it; *same gets which. */
int32_t policy_walk_below(const struct policy_walk *w, int32_t *same);

#endif
