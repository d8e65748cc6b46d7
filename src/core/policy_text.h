/* A text of a policy's role that identities are compared with: it may hold '*', which stands for
 * any run of characters, and variables (${name}), which stand for one that is not empty and keep
 * it. Neither goes over a '/' nor over the character that follows it in the pattern, so that there
 * is never more than one way to read a name. Pure functions. */
#ifndef CORE_POLICY_TEXT_H
#define CORE_POLICY_TEXT_H

#include <stdbool.h>

#include "base/slice.h"

enum { POLICY_VARIABLES = 8 }; /* of a role */

/* Characters of a policy file; those that were escaped stand for themselves. */
struct policy_chars {
	const char *text;
	const bool *is_plain;
	size_t len;
};

/* At `at` begins "${name}": its length, with the name; 0: no variable begins there. SIZE_MAX: it
 * has no end or no good name. */
size_t policy_variable_at(const struct policy_chars *c, size_t at, struct slice *name);

enum policy_piece_kind { POLICY_LITERAL, POLICY_STAR, POLICY_VARIABLE };

struct policy_piece {
	enum policy_piece_kind kind;
	unsigned variable;
	char *literal; /* owned */
	size_t len;
};

struct policy_text {
	struct policy_piece *pieces;
	unsigned count;
};

/* The number of a variable, or POLICY_VARIABLES where there is no room for another one. */
typedef unsigned (*policy_number_fn)(void *ctx, struct slice name);

/* NULL, or what is wrong with it. policy_text_fini in both cases. */
const char *policy_text_parse(struct policy_text *t, const struct policy_chars *c,
			      policy_number_fn number, void *ctx);
void policy_text_fini(struct policy_text *t);

/* Whether s is such a text. values: by variable, data NULL where it has none yet; one that has must
 * have the same again. After false they may have been changed. Values point into s. */
bool policy_text_matches(const struct policy_text *t, struct slice s,
			 struct slice values[POLICY_VARIABLES]);

#endif
