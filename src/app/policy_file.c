#include "app/policy_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "base/mem.h"
#include "wire/proto.h"

enum { MOST_WORDS = 16, NAME_SHOWN = 300, WORD_SHOWN = 60 };

/* A line, split at blanks. Quotes keep blanks together, and a backslash lets what follows stand for
 * itself. */
struct words {
	struct policy_chars items[MOST_WORDS];
	unsigned count;
	char *text; /* what the items point into */
	bool *is_plain;
};

struct reading {
	struct policy *policy;
	const char *name;
	struct policy_line line;
	struct words words;
	char *reason;
	bool failed;
};

static struct slice slice_of_word(const struct policy_chars *w)
{
	return (struct slice){ w->text, w->len };
}

/* word: what it is about; NULL: the line as a whole. */
static void fail(struct reading *r, const struct policy_chars *word, const char *reason)
{
	int shown = word ? (int)(word->len < WORD_SHOWN ? word->len : WORD_SHOWN) : 0;

	r->failed = true;
	snprintf(r->reason, POLICY_REASON_LEN, "%.*s:%u: %.*s%s%s", NAME_SHOWN, r->name,
		 r->line.number, shown, word ? word->text : "", word ? ": " : "", reason);
}

/* --- words --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void put(struct words *w, size_t *len, char c, bool is_plain)
{
	w->text[*len] = c;
	w->is_plain[(*len)++] = is_plain;
}

/* One word from *at on; NULL, or what is wrong. */
static const char *take_word(struct words *w, struct slice line, size_t *at, size_t *len)
{
	bool is_quoted = false;
	size_t start = *len;

	for (; *at < line.len && (is_quoted || !is_blank(line.data[*at])); ++*at) {
		char c = line.data[*at];

		if (c == '"') {
			is_quoted = !is_quoted;
		} else if (c != '\\') {
			put(w, len, c, false);
		} else if (++*at < line.len) {
			put(w, len, line.data[*at], true);
		} else {
			return "there is nothing behind the backslash";
		}
	}
	if (is_quoted)
		return "the quotes are not closed";
	w->items[w->count++] =
		(struct policy_chars){ w->text + start, w->is_plain + start, *len - start };
	return NULL;
}

static const char *split(struct words *w, struct slice line)
{
	const char *reason = NULL;
	size_t len = 0, at = 0;

	w->count = 0;
	w->text = mem_grow(w->text, line.len + 1);
	w->is_plain = mem_grow(w->is_plain, line.len + 1);
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.data[i] < ' ' && !is_blank(line.data[i]))
			return "there is a control character in it";
	while (!reason) {
		while (at < line.len && is_blank(line.data[at]))
			at++;
		if (at == line.len || line.data[at] == '#')
			break;
		if (w->count == MOST_WORDS)
			return "there are more than 16 words";
		reason = take_word(w, line, &at, &len);
	}
	return reason;
}

/* --- paths --- */

static const char *parse_element(const struct policy_chars *c, struct policy_element *e)
{
	size_t len = policy_variable_at(c, 0, &e->text);

	if (len == c->len && c->len > 0) {
		e->kind = POLICY_NAMED;
		return NULL;
	}
	e->text = slice_of_word(c);
	if (c->len == 0 || slice_is(e->text, ".") || slice_is(e->text, ".."))
		return "no znode has such a path";
	e->kind = POLICY_TEXT;
	if (c->text[0] == '*' && !c->is_plain[0]) {
		e->kind = c->len == 1 ? POLICY_ANY : POLICY_REST;
		return c->len == 1 || (c->len == 2 && c->text[1] == '*' && !c->is_plain[1])
			       ? NULL
			       : "'*' stands for one whole part of a path (else: \\*)";
	}
	for (size_t i = 0; i < c->len; i++)
		if ((c->text[i] == '*' || c->text[i] == '$') && !c->is_plain[i])
			return "'*' and variables stand for whole parts of a path "
			       "(else: \\* and \\$)";
	return NULL;
}

static const char *parse_path(const struct policy_chars *word, struct policy_pattern *out)
{
	size_t at = 1;

	out->count = 0;
	if (word->len == 0 || word->text[0] != '/')
		return "a path begins with /";
	while (word->len > 1 && at <= word->len) {
		const char *slash = memchr(word->text + at, '/', word->len - at);
		size_t end = slash ? (size_t)(slash - word->text) : word->len;
		struct policy_chars part = { word->text + at, word->is_plain + at, end - at };
		const char *reason;

		if (out->count > 0 && out->elements[out->count - 1].kind == POLICY_REST)
			return "nothing stands behind '**'";
		if (out->count == POLICY_ELEMENTS)
			return "it has more than 32 parts";
		reason = parse_element(&part, &out->elements[out->count++]);
		if (reason)
			return reason;
		at = end + 1;
	}
	return NULL;
}

/* --- lines --- */

/* The next of a list with commas; false behind the last one. */
static bool take_item(const struct policy_chars *list, size_t *at, struct slice *item)
{
	const char *comma;
	size_t end;

	if (*at > list->len)
		return false;
	comma = memchr(list->text + *at, ',', list->len - *at);
	end = comma ? (size_t)(comma - list->text) : list->len;
	*item = (struct slice){ list->text + *at, end - *at };
	*at = end + 1;
	return true;
}

static int32_t right_of(struct slice name)
{
	if (slice_is(name, "all"))
		return PERM_ALL;
	for (int32_t right = 1; right & PERM_ALL; right <<= 1)
		if (slice_is(name, policy_right_name(right)))
			return right;
	return 0;
}

/* "none" is all of them, denied. */
static const char *parse_rights(const struct policy_chars *word, int32_t *out, bool *is_allow)
{
	struct slice item;
	size_t at = 0;

	*out = 0;
	if (slice_is(slice_of_word(word), "none") && *is_allow) {
		*is_allow = false;
		*out = PERM_ALL;
		return NULL;
	}
	while (take_item(word, &at, &item)) {
		int32_t right = right_of(item);

		if (right == 0)
			return "rights are read, write, create, delete, admin, all; none, alone";
		*out |= right;
	}
	return NULL;
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.data[i]) && !memchr("_-.", name.data[i], 3))
			return false;
	return name.len > 0;
}

/* Whether the last word is "only", which is taken off. */
static bool take_only(struct words *w, unsigned at)
{
	if (w->count != at + 1 || !slice_is(slice_of_word(&w->items[at]), "only"))
		return false;
	w->count--;
	return true;
}

/* allow ROLE[,ROLE...] RIGHT[,RIGHT...] PATH [only], deny likewise */
static void read_rule(struct reading *r, bool is_allow)
{
	struct words *w = &r->words;
	bool only = take_only(w, 4);
	struct policy_pattern pattern;
	const char *reason;
	struct slice role;
	size_t at = 0;
	int32_t given;

	if (w->count != 4) {
		fail(r, NULL, "a rule reads: allow|deny ROLES RIGHTS PATH [only]");
		return;
	}
	reason = parse_rights(&w->items[2], &given, &is_allow);
	if (reason) {
		fail(r, &w->items[2], reason);
		return;
	}
	reason = parse_path(&w->items[3], &pattern);
	if (reason) {
		fail(r, &w->items[3], reason);
		return;
	}
	while (!r->failed && take_item(&w->items[1], &at, &role)) {
		reason =
			policy_add_rule(r->policy, role, given, is_allow, &pattern, only, &r->line);
		if (reason)
			fail(r, &w->items[1], reason);
	}
}

/* acl on|off PATH [only] */
static void read_acl(struct reading *r)
{
	struct words *w = &r->words;
	bool only = take_only(w, 3);
	struct policy_pattern pattern;
	const char *reason;
	bool is_on;

	is_on = w->count == 3 && slice_is(slice_of_word(&w->items[1]), "on");
	if (w->count != 3 || (!is_on && !slice_is(slice_of_word(&w->items[1]), "off"))) {
		fail(r, NULL, "such a line reads: acl on|off PATH [only]");
		return;
	}
	reason = parse_path(&w->items[2], &pattern);
	if (!reason)
		reason = policy_add_acl(r->policy, is_on, &pattern, only, &r->line);
	if (reason)
		fail(r, &w->items[2], reason);
}

static bool take_prefix(struct policy_chars *c, const char *prefix)
{
	size_t len = strlen(prefix);

	if (c->len < len || memcmp(c->text, prefix, len) != 0)
		return false;
	c->text += len;
	c->is_plain += len;
	c->len -= len;
	return true;
}

/* "OU=text": behind the prefix that was taken. */
static const char *parse_attribute(struct policy_condition *c)
{
	const char *equals = c->text.len ? memchr(c->text.text, '=', c->text.len) : NULL;
	size_t len;

	if (!equals || equals == c->text.text)
		return "an attribute of a subject reads: dn:TYPE=TEXT";
	len = (size_t)(equals - c->text.text);
	c->type = (struct slice){ c->text.text, len };
	c->text.text += len + 1;
	c->text.is_plain += len + 1;
	c->text.len -= len + 1;
	return NULL;
}

static const char *parse_condition(const struct policy_chars *word, struct policy_condition *c)
{
	static const struct {
		const char *prefix;
		enum policy_condition_kind kind;
	} kinds[] = {
		{ "dn:", POLICY_DN },           { "x509:", POLICY_SUBJECT },
		{ "san:", POLICY_SAN },         { "digest:", POLICY_DIGEST },
		{ "network:", POLICY_NETWORK },
	};

	*c = (struct policy_condition){ .kind = POLICY_ANYONE, .text = *word };
	if (slice_is(slice_of_word(word), "anyone"))
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!take_prefix(&c->text, kinds[i].prefix))
			continue;
		c->kind = kinds[i].kind;
		if (c->text.len == 0)
			return "there is nothing to compare with";
		return c->kind == POLICY_DN ? parse_attribute(c) : NULL;
	}
	return "somebody is told by dn:, x509:, san:, digest:, network: or anyone";
}

/* role NAME CONDITION... */
static void read_role(struct reading *r)
{
	struct policy_condition conditions[MOST_WORDS];
	const struct words *w = &r->words;
	const char *reason;

	if (w->count < 3) {
		fail(r, NULL, "a role reads: role NAME CONDITION...");
		return;
	}
	if (!is_name(slice_of_word(&w->items[1]))) {
		fail(r, &w->items[1], "names of roles are letters, digits, and _-.");
		return;
	}
	for (unsigned i = 2; i < w->count; i++) {
		reason = parse_condition(&w->items[i], &conditions[i - 2]);
		if (reason) {
			fail(r, &w->items[i], reason);
			return;
		}
	}
	reason = policy_add_member(r->policy, slice_of_word(&w->items[1]), conditions, w->count - 2,
				   &r->line);
	if (reason)
		fail(r, &w->items[1], reason);
}

static struct slice trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

static void read_line(struct reading *r, struct slice text)
{
	const char *reason = split(&r->words, text);
	struct slice first;

	if (reason) {
		fail(r, NULL, reason);
		return;
	}
	if (r->words.count == 0)
		return;
	r->line.source = trim(text);
	first = slice_of_word(&r->words.items[0]);
	if (slice_is(first, "role"))
		read_role(r);
	else if (slice_is(first, "allow") || slice_is(first, "deny"))
		read_rule(r, slice_is(first, "allow"));
	else if (slice_is(first, "acl"))
		read_acl(r);
	else
		fail(r, &r->words.items[0], "a line begins with role, allow, deny or acl");
}

struct policy *policy_file_parse(struct slice text, const char *name,
				 const struct policy_limits *limits, char reason[POLICY_REASON_LEN])
{
	struct reading r = { .policy = policy_new(limits), .name = name, .reason = reason };

	for (size_t at = 0; at < text.len && !r.failed;) {
		const char *end = memchr(text.data + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.data) - at : text.len - at;

		r.line.number++;
		read_line(&r, (struct slice){ text.data + at, len });
		at += len + 1;
	}
	mem_free(r.words.text);
	mem_free(r.words.is_plain);
	if (!r.failed)
		return r.policy;
	policy_free(r.policy);
	return NULL;
}

/* --- the file --- */

/* NULL, or what is wrong with it. */
static const char *check_file(int fd, uint64_t most)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "that is no file";
	/* Who writes it is who decides. */
	if (st.st_mode & S_IWOTH)
		return "everybody may write to it";
	if ((uint64_t)st.st_size > most)
		return "it is larger than zoolite.maxPolicySize";
	return NULL;
}

static const char *read_file(const char *path, uint64_t most, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *wrong;
	ssize_t n = 0;

	if (fd < 0)
		return strerror(errno);
	wrong = check_file(fd, most);
	if (!wrong) {
		*text = mem_new(most + 1);
		*len = 0;
		while (*len <= most && (n = read(fd, *text + *len, most + 1 - *len)) > 0)
			*len += (size_t)n;
		if (n < 0)
			wrong = strerror(errno);
		else if (*len > most)
			wrong = "it is larger than zoolite.maxPolicySize";
	}
	close(fd);
	return wrong;
}

struct policy *policy_file_load(const struct config *c, char reason[POLICY_REASON_LEN])
{
	const struct policy_limits limits = { (unsigned)c->max_policy_rules,
					      (unsigned)c->max_roles };
	struct policy *policy = NULL;
	char *text = NULL;
	size_t len = 0;
	const char *wrong = read_file(c->policy_file, c->max_policy_bytes, &text, &len);

	if (wrong)
		snprintf(reason, POLICY_REASON_LEN, "%.*s: %s", NAME_SHOWN, c->policy_file, wrong);
	else
		policy = policy_file_parse((struct slice){ text, len }, c->policy_file, &limits,
					   reason);
	mem_free(text);
	return policy;
}
