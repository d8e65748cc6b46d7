#include "core/policy_text.h"

#include <ctype.h>
#include <stdint.h>

#include "base/mem.h"

static bool is_special(const struct policy_chars *c, size_t at, char special)
{
	return at < c->len && c->text[at] == special && !c->is_plain[at];
}

size_t policy_variable_at(const struct policy_chars *c, size_t at, struct slice *name)
{
	size_t end = at + 2;

	if (!is_special(c, at, '$'))
		return 0;
	if (!is_special(c, at + 1, '{'))
		return SIZE_MAX;
	while (end < c->len && (isalnum((unsigned char)c->text[end]) || c->text[end] == '_'))
		end++;
	*name = (struct slice){ c->text + at + 2, end - at - 2 };
	if (name->len == 0 || !is_special(c, end, '}'))
		return SIZE_MAX;
	return end + 1 - at;
}

static struct policy_piece *add_piece(struct policy_text *t, enum policy_piece_kind kind)
{
	t->pieces = mem_grow(t->pieces, (t->count + 1) * sizeof(*t->pieces));
	t->pieces[t->count] = (struct policy_piece){ .kind = kind };
	return &t->pieces[t->count++];
}

static bool ends_open(const struct policy_text *t)
{
	return t->count > 0 && t->pieces[t->count - 1].kind != POLICY_LITERAL;
}

static const char *add_variable(struct policy_text *t, struct slice name, policy_number_fn number,
				void *ctx)
{
	unsigned variable = number(ctx, name);

	if (variable == POLICY_VARIABLES)
		return "a role has no more than 8 variables";
	add_piece(t, POLICY_VARIABLE)->variable = variable;
	return NULL;
}

static void add_char(struct policy_text *t, char c)
{
	struct policy_piece *last = t->count > 0 ? &t->pieces[t->count - 1] : NULL;

	if (!last || last->kind != POLICY_LITERAL)
		last = add_piece(t, POLICY_LITERAL);
	last->literal = mem_grow(last->literal, last->len + 1);
	last->literal[last->len++] = c;
}

const char *policy_text_parse(struct policy_text *t, const struct policy_chars *c,
			      policy_number_fn number, void *ctx)
{
	*t = (struct policy_text){ 0 };
	for (size_t at = 0, len; at < c->len; at += len) {
		struct slice name;
		const char *reason = NULL;

		len = policy_variable_at(c, at, &name);
		if (len == SIZE_MAX)
			return "a variable is written ${name} (a $ of its own: \\$)";
		if (len == 0 && !is_special(c, at, '*')) {
			add_char(t, c->text[at]);
			len = 1;
			continue;
		}
		if (ends_open(t))
			return "between two variables or '*' something must stand";
		if (len > 0)
			reason = add_variable(t, name, number, ctx);
		else
			add_piece(t, POLICY_STAR);
		if (reason)
			return reason;
		len += len == 0;
	}
	return t->count > 0 ? NULL : "there is nothing to compare with";
}

void policy_text_fini(struct policy_text *t)
{
	for (unsigned i = 0; i < t->count; i++)
		mem_free(t->pieces[i].literal);
	mem_free(t->pieces);
	*t = (struct policy_text){ 0 };
}

/* How much of s a '*' or a variable takes. */
static size_t open_len(struct slice s, const struct policy_piece *next)
{
	size_t len = 0;

	while (len < s.len && s.data[len] != '/' && !(next && s.data[len] == next->literal[0]))
		len++;
	return len;
}

static bool keep_value(struct slice *value, struct slice found)
{
	if (found.len == 0)
		return false;
	if (value->data)
		return slice_equal(*value, found);
	*value = found;
	return true;
}

bool policy_text_matches(const struct policy_text *t, struct slice s,
			 struct slice values[POLICY_VARIABLES])
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct policy_piece *p = &t->pieces[i];
		size_t len = p->len;

		if (p->kind != POLICY_LITERAL)
			len = open_len(s, i + 1 < t->count ? p + 1 : NULL);
		else if (s.len < len || memcmp(s.data, p->literal, len) != 0)
			return false;
		if (p->kind == POLICY_VARIABLE &&
		    !keep_value(&values[p->variable], (struct slice){ s.data, len }))
			return false;
		s.data += len;
		s.len -= len;
	}
	return s.len == 0;
}
