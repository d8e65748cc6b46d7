/* What a policy is made of: for core/policy*.c alone. */
#ifndef CORE_POLICY_PARTS_H
#define CORE_POLICY_PARTS_H

#include "base/hash.h"
#include "base/list.h"
#include "core/policy.h"

/* Numbers of rules, from 1; 0: none. */
struct policy_marks {
	uint32_t inherited[POLICY_RIGHTS];
	uint32_t here[POLICY_RIGHTS]; /* for that place only */
};

/* A pattern, or the beginning of one. */
struct policy_node {
	struct policy_node *parent;
	enum policy_element_kind kind;
	unsigned variable;
	unsigned depth;
	uint64_t serial;
	uint64_t rank;  /* of the patterns of a depth the highest is the most specific */
	uint64_t shape; /* alike where variables and '*' stand at the same places */
	struct hash_node by_edge;
	struct list children, sibling;
	struct list open, of_open; /* children that are no texts */
	struct policy_marks marks;
	int32_t below; /* rights of which a rule further down speaks */
	char *text;
	size_t len;
};

struct policy_rule {
	struct policy_line line;
	bool is_allow;
};

struct policy_member_condition {
	enum policy_condition_kind kind;
	char *type;
	struct policy_text text;
	char *literal;
};

struct policy_member {
	struct policy_member_condition *conditions;
	unsigned count;
};

struct policy_shapes {
	uint64_t items[POLICY_SHAPES];
	unsigned count;
};

struct policy_role {
	struct hash_node by_name;
	char *name;
	unsigned number;
	struct policy_node *root;
	struct policy_member *members;
	unsigned member_count;
	char *variables[POLICY_VARIABLES];
	unsigned variable_count;
	int32_t denied; /* rights that some rule denies */
	struct policy_shapes shapes[POLICY_ELEMENTS + 1];
};

struct policy {
	uint64_t serial;
	struct policy_limits limits;
	struct hash edges, names;
	struct policy_role **roles;
	unsigned role_count;
	struct policy_rule *rules;
	unsigned rule_count;     /* members have numbers, too */
	struct policy_role acls; /* of which a rule on the first right speaks */
	bool has_acls;
};

struct policy_node *policy_find_text(const struct policy *p, const struct policy_node *parent,
				     struct slice text);

#endif
