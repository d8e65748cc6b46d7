/* Who has which role, which line decides, and that a walk with tries decides as reading all lines
 * one by one would. */
#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/policy_file.h"
#include "base/mem.h"
#include "core/access.h"
#include "tests/lib/random.h"
#include "wire/proto.h"

static struct policy *read_policy(const char *text)
{
	char reason[POLICY_REASON_LEN];
	struct policy_limits limits;
	struct policy *p;

	policy_limits_init(&limits);
	p = policy_file_parse(slice_of(text), "p", &limits, reason);
	if (!p)
		fail_msg("%s", reason);
	return p;
}

/* Identities "scheme:id", with blanks between; a blank in one is written '_'. */
static struct policy_roles *roles_of(const struct policy *p, const char *names)
{
	char *text = mem_strdup(names), *rest = text, *word;
	struct access_limits limits;
	struct policy_roles *roles;
	struct access_ids ids;

	access_limits_init(&limits);
	limits.max_ids = 200;
	access_ids_init(&ids, &limits);
	while ((word = strtok_r(rest, " ", &rest))) {
		char *id = strchr(word, ':');

		*id++ = 0;
		for (char *c = id; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		assert_int_equal(access_ids_add(&ids, word, slice_of(id)), 0);
	}
	roles = policy_roles_new(p, ids.items, ids.count);
	access_ids_fini(&ids);
	mem_free(text);
	return roles;
}

/* "rwcda", as far as they are given. */
static void expect(const struct policy *p, const char *names, const char *path, const char *rights)
{
	struct policy_roles *roles = roles_of(p, names);
	int32_t have = policy_rights(p, roles, slice_of(path));
	char text[POLICY_RIGHTS + 1] = "";

	for (unsigned i = 0; i < POLICY_RIGHTS; i++)
		if (have & 1 << i)
			strncat(text, &"rwcda"[i], 1);
	if (strcmp(text, rights) != 0)
		fail_msg("%s on %s: %s, not %s", names, path, text, rights);
	policy_roles_free(roles);
}

static void test_most_specific_rule(void **state)
{
	struct policy *p = read_policy("role a anyone\n"
				       "role b network:10.0.0.0/8\n"
				       "allow a read /\n"
				       "allow a read,write /app\n"
				       "deny a write /app/locked\n"
				       "allow a write /app/locked/open\n"
				       "deny a read /app/*/secret\n"
				       "allow a read /app/shop/secret\n"
				       "allow a create /q/**\n"
				       "allow a delete /one only\n"
				       "allow a none /none\n"
				       "allow a admin /tie\n"
				       "deny a admin /tie\n"
				       "allow a all /x/*/z\n"
				       "deny a all /x/y\n"
				       "allow b write /\n"
				       "deny b read /app only\n"
				       "allow a write /t/*/b\n"
				       "deny a write /t/a/*\n");

	(void)state;
	expect(p, "", "/", "r");
	expect(p, "", "", "r");
	expect(p, "", "/other/deep/er", "r");
	expect(p, "", "/app", "rw");
	expect(p, "", "/application", "r");
	expect(p, "", "/app/x/y", "rw");
	expect(p, "", "/app/locked", "r");
	expect(p, "", "/app/locked/x", "r");
	expect(p, "", "/app/locked/open/x", "rw");
	expect(p, "", "/app/x/secret", "w");
	expect(p, "", "/app/x/secret/below", "w");
	expect(p, "", "/app/shop/secret/below", "rw");
	expect(p, "", "/q", "r");
	expect(p, "", "/q/x", "rc");
	expect(p, "", "/q/x/y", "rc");
	expect(p, "", "/one", "rd");
	expect(p, "", "/one/x", "r");
	expect(p, "", "/none", "");
	expect(p, "", "/none/x", "");
	expect(p, "", "/tie", "r");
	/* The longer pattern, though the shorter one names more. */
	expect(p, "", "/x/y", "");
	expect(p, "", "/x/y/z", "rwcda");
	expect(p, "", "/x/y/w", "");
	/* As long: the first that is named decides. */
	expect(p, "", "/t/a/b", "r");
	expect(p, "", "/t/c/b", "rw");
	/* All roles count alike. */
	expect(p, "ip:10.1.2.3", "/other", "rw");
	expect(p, "ip:10.1.2.3", "/app", "w");
	expect(p, "ip:10.1.2.3", "/app/x", "rw");
	expect(p, "ip:10.1.2.3", "/app/locked", "r");
	expect(p, "ip:11.1.2.3", "/other", "r");
	policy_free(p);
}

static void test_users(void **state)
{
	struct policy *p = read_policy("role a digest:carol:one=\n"
				       "role b network:10.0.0.0/8 digest:carol:two=\n"
				       "role b dn:O=carol\n"
				       "allow a read /\n");

	(void)state;
	assert_int_equal(policy_judge_user(p, slice_of("carol:one=")), POLICY_USER);
	assert_int_equal(policy_judge_user(p, slice_of("carol:two=")), POLICY_USER);
	assert_int_equal(policy_judge_user(p, slice_of("carol:one")), POLICY_IMPOSTOR);
	assert_int_equal(policy_judge_user(p, slice_of("carol:")), POLICY_IMPOSTOR);
	assert_int_equal(policy_judge_user(p, slice_of("carolin:one=")), POLICY_STRANGER);
	assert_int_equal(policy_judge_user(p, slice_of("car:one=")), POLICY_STRANGER);
	assert_int_equal(policy_judge_user(p, slice_of(":")), POLICY_STRANGER);
	policy_free(p);
}

static void test_conditions(void **state)
{
	struct policy *p = read_policy("role whole x509:CN=web,O=Example\n"
				       "allow whole read /whole\n"
				       "role part dn:OU=ops dn:O=\"Example, Corp\"\n"
				       "allow part read /part\n"
				       "role spiffe san:URI:spiffe://example.org/ops/*\n"
				       "allow spiffe read /spiffe\n"
				       "role user digest:carol:abc=\n"
				       "allow user read /user\n"
				       "role net network:2001:db8::/32 dn:CN=x\n"
				       "allow net read /net\n");

	(void)state;
	expect(p, "x509:CN=web,O=Example", "/whole", "r");
	expect(p, "x509:CN=web,O=Example,C=DE", "/whole", "");
	expect(p, "x509:OU=ops,O=Example\\,_Corp", "/part", "r");
	expect(p, "x509:ou=ops,o=Example\\2C_Corp", "/part", "r");
	expect(p, "x509:CN=a+OU=ops,O=Example\\,_Corp", "/part", "r");
	/* What only looks like two attributes. */
	expect(p, "x509:CN=x\\,OU\\=ops,O=Example\\,_Corp", "/part", "");
	expect(p, "x509:CN=OU=ops,O=Example\\,_Corp", "/part", "");
	expect(p, "x509:OU=Ops,O=Example\\,_Corp", "/part", "");
	expect(p, "x509:OU=ops,O=Example,_Corp", "/part", "");
	expect(p, "x509:OU=ops2,O=Example\\,_Corp", "/part", "");
	/* An attribute in hexadecimal is no text, nor is a name that is none. */
	expect(p, "x509:OU=#6f7073,O=Example\\,_Corp", "/part", "");
	expect(p, "x509:OU=ops,O=Example\\,_Corp,\"", "/part", "");
	/* The conditions of one line hold for one connection, not for one name. */
	expect(p, "san:URI:spiffe://example.org/ops/x", "/spiffe", "r");
	expect(p, "san:URI:spiffe://example.org/ops/x/y", "/spiffe", "");
	expect(p, "san:URI:spiffe://example.org.evil/ops/x", "/spiffe", "");
	expect(p, "x509:URI:spiffe://example.org/ops/x", "/spiffe", "");
	expect(p, "digest:carol:abc=", "/user", "r");
	expect(p, "digest:carol:abd=", "/user", "");
	expect(p, "ip:2001:db8::1 x509:CN=x", "/net", "r");
	expect(p, "ip:2001:db9::1 x509:CN=x", "/net", "");
	expect(p, "ip:2001:db8::1 x509:CN=y", "/net", "");
	expect(p, "ip:2001:db8::1", "/net", "");
	policy_free(p);
}

static void test_variables(void **state)
{
	struct policy *p = read_policy("role c dn:OU=room:${room}\n"
				       "role c san:URI:r/${room}/${svc}\n"
				       "allow c read /services/${room}\n"
				       "allow c create /services/${room}/${svc}/**\n"
				       "deny c read /services/*/private\n"
				       "role d dn:CN=${a}-${b} dn:L=${a}\n"
				       "allow d write /d/${a}/${b}\n");

	(void)state;
	expect(p, "x509:OU=room:r1", "/services/r1/x", "r");
	expect(p, "x509:OU=room:r1", "/services/r2", "");
	expect(p, "x509:OU=room:r1", "/services", "");
	expect(p, "x509:OU=room:r1", "/services/${room}", "");
	expect(p, "x509:OU=room:r1", "/services/r1/private", "");
	/* Both, where a certificate has both. */
	expect(p, "x509:OU=room:r1,OU=room:r2", "/services/r2", "r");
	expect(p, "san:URI:r/r1/web", "/services/r1/web/x", "rc");
	expect(p, "san:URI:r/r1/web", "/services/r1/db/x", "r");
	/* No value is put together of two memberships. */
	expect(p, "san:URI:r/r1/web san:URI:r/r2/db", "/services/r1/db/x", "r");
	expect(p, "san:URI:r/r1/web san:URI:r/r2/db", "/services/r2/db/x", "rc");
	/* What no part of a path can be. */
	expect(p, "x509:OU=room:", "/services/x", "");
	expect(p, "x509:OU=room:a/b", "/services/a/b", "");
	expect(p, "x509:OU=room:.", "/services/.", "");
	expect(p, "x509:OU=room:..", "/services/..", "");
	expect(p, "san:URI:r//web", "/services//web", "");
	/* A value is a text, not a pattern. */
	expect(p, "x509:OU=room:*", "/services/r1", "");
	/* One way to read it, and one value for a variable. */
	expect(p, "x509:CN=a-b-c,L=a", "/d/a/b-c", "w");
	expect(p, "x509:CN=a-b-c,L=a-b", "/d/a-b/c", "");
	expect(p, "x509:CN=a-b,L=b", "/d/a/b", "");
	policy_free(p);
}

static void test_too_many_roles(void **state)
{
	char reason[POLICY_REASON_LEN], names[4096] = "x509:";
	struct policy_limits limits = { .max_rules = 10, .max_roles = 2 };
	struct policy *p = policy_file_parse(slice_of("role r dn:OU=${x}\nallow r read /\n"), "p",
					     &limits, reason);
	struct policy_roles *roles;

	(void)state;
	expect(p, "x509:OU=1,OU=2", "/", "r");
	expect(p, "x509:OU=1,OU=2,OU=1,OU=2", "/", "r");
	roles = roles_of(p, "x509:OU=1,OU=2,OU=3");
	assert_true(roles->is_refused);
	assert_int_equal(roles->count, 0);
	assert_int_equal(policy_rights(p, roles, slice_of("/")), 0);
	assert_false(policy_reads_all(p, roles));
	policy_roles_free(roles);
	policy_free(p);
	/* The product of many names and many conditions is not gone through. */
	p = read_policy("role r dn:O=*a dn:O=*a dn:O=*a dn:O=*a dn:O=*a dn:O=*a dn:O=*a dn:O=*b\n"
			"allow r read /\n");
	for (int i = 0; i < 200; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "O=%da,", i);
	strcat(names, "O=x");
	roles = roles_of(p, names);
	assert_true(roles->is_refused);
	policy_roles_free(roles);
	policy_free(p);
}

static void test_acl_lines(void **state)
{
	struct policy *p = read_policy("acl off /services\nacl on /services/*/own\n"
				       "acl off /one only\n");
	struct policy *none = read_policy("");

	(void)state;
	assert_true(policy_asks_acl(p, slice_of("/")));
	assert_true(policy_asks_acl(p, slice_of("/servicesx")));
	assert_false(policy_asks_acl(p, slice_of("/services")));
	assert_false(policy_asks_acl(p, slice_of("/services/a/b/c")));
	assert_true(policy_asks_acl(p, slice_of("/services/a/own/c")));
	assert_false(policy_asks_acl(p, slice_of("/one")));
	assert_true(policy_asks_acl(p, slice_of("/one/x")));
	assert_true(policy_asks_acl(none, slice_of("/services")));
	assert_int_equal(policy_explain_acl(p, slice_of("/services/a"))->number, 1);
	assert_null(policy_explain_acl(p, slice_of("/x")));
	policy_free(p);
	policy_free(none);
}

static void expect_line(const struct policy *p, const struct policy_roles *roles, const char *path,
			int32_t right, unsigned number)
{
	const struct policy_line *line = policy_explain(p, roles, slice_of(path), right);

	assert_int_equal(line ? line->number : 0, number);
}

static void test_explains(void **state)
{
	struct policy *p = read_policy("# first\n"
				       "role a anyone\n"
				       "\n"
				       "allow a read /x   # all of it\n"
				       "deny a read,admin /x/y\n");
	struct policy_roles *roles = roles_of(p, "");

	(void)state;
	expect_line(p, roles, "/x", PERM_READ, 4);
	expect_line(p, roles, "/x/y/z", PERM_READ, 5);
	expect_line(p, roles, "/x/y/z", PERM_ADMIN, 5);
	expect_line(p, roles, "/x/y/z", PERM_WRITE, 0);
	expect_line(p, roles, "/", PERM_READ, 0);
	policy_roles_free(roles);
	policy_free(p);
}

static bool reads_all(const char *rules)
{
	char text[256];
	struct policy_roles *roles;
	struct policy *p;
	bool result;

	snprintf(text, sizeof(text), "role a anyone\nrole b network:10.0.0.1\n%s", rules);
	p = read_policy(text);
	roles = roles_of(p, "");
	result = policy_reads_all(p, roles);
	policy_roles_free(roles);
	policy_free(p);
	return result;
}

static void test_reads_all(void **state)
{
	(void)state;
	assert_true(reads_all("allow a read /\n"));
	assert_true(reads_all("allow a all /\ndeny a write /x\ndeny b read /\n"));
	assert_false(reads_all(""));
	assert_false(reads_all("allow a write /\n"));
	assert_false(reads_all("allow a read / only\n"));
	assert_false(reads_all("allow a read /x\n"));
	assert_false(reads_all("allow a read /\ndeny a read /x/y\n"));
	assert_false(reads_all("allow b read /\n"));
}

/* --- against reading all lines --- */

enum { LINES = 12, DEPTH = 4 };

/* Letters for parts: a, b, c; '*'; 'v', 'w': variables of which the values are a and b; '+': '**'
 * at the end. */
struct line {
	char parts[DEPTH + 1];
	unsigned role;
	unsigned rights;
	bool is_allow, only;
};

static void make_line(struct random *r, struct line *l)
{
	unsigned len = random_below(r, DEPTH + 1);

	for (unsigned i = 0; i < len; i++)
		l->parts[i] = "abc*vw+"[random_below(r, i + 1 == len ? 7 : 6)];
	l->parts[len] = 0;
	l->role = random_below(r, 2);
	l->rights = 1 + random_below(r, PERM_ALL);
	l->is_allow = random_percent(r, 60);
	l->only = random_percent(r, 25);
}

static void write_line(const struct line *l, char *out)
{
	static const char *const names[] = { "read", "write", "create", "delete", "admin" };
	const char *comma = "";

	out += sprintf(out, "%s r%u ", l->is_allow ? "allow" : "deny", l->role);
	for (int i = 0; i < POLICY_RIGHTS; i++)
		if (l->rights & 1U << i) {
			out += sprintf(out, "%s%s", comma, names[i]);
			comma = ",";
		}
	out += sprintf(out, " ");
	for (const char *part = l->parts; *part; part++)
		out += sprintf(out, "/%s",
			       *part == 'v'   ? "${v}"
			       : *part == 'w' ? "${w}"
			       : *part == '+' ? "**"
					      : (char[2]){ *part, 0 });
	sprintf(out, "%s%s\n", l->parts[0] ? "" : "/", l->only ? " only" : "");
}

/* The same for both roles: v is a, w is b. */
static bool part_matches(char part, char name)
{
	return part == '*' || part == '+' || part == name || (part == 'v' && name == 'a') ||
	       (part == 'w' && name == 'b');
}

static bool line_matches(const struct line *l, const char *path)
{
	size_t len = strlen(l->parts), path_len = strlen(path);

	if (path_len < len || (l->only && path_len != len))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!part_matches(l->parts[i], path[i]))
			return false;
	return true;
}

static int part_rank(char part)
{
	return part == '+' ? 0 : part == '*' ? 1 : part == 'v' || part == 'w' ? 2 : 3;
}

/* > 0: a is the more specific one. */
static int compare_lines(const struct line *a, const struct line *b)
{
	size_t a_len = strlen(a->parts), b_len = strlen(b->parts);

	if (a_len != b_len)
		return a_len > b_len ? 1 : -1;
	for (size_t i = 0; i < a_len; i++)
		if (part_rank(a->parts[i]) != part_rank(b->parts[i]))
			return part_rank(a->parts[i]) - part_rank(b->parts[i]);
	return (int)b->is_allow - (int)a->is_allow;
}

static int32_t judge(const struct line *lines, const char *path)
{
	int32_t rights = 0;

	for (int right = 0; right < POLICY_RIGHTS; right++) {
		const struct line *best = NULL;

		for (int i = 0; i < LINES; i++)
			if ((lines[i].rights & 1U << right) && line_matches(&lines[i], path) &&
			    (!best || compare_lines(&lines[i], best) > 0))
				best = &lines[i];
		if (best && best->is_allow)
			rights |= 1 << right;
	}
	return rights;
}

static void spell(const char *parts, char *path)
{
	if (!*parts)
		path += sprintf(path, "/");
	for (; *parts; parts++)
		path += sprintf(path, "/%c", *parts);
}

/* Every path of a, b, c, d up to one longer than the patterns. */
static void compare_all(const struct policy *p, const struct policy_roles *roles,
			const struct line *lines, const char *text, char *parts)
{
	size_t len = strlen(parts);
	char path[2 * DEPTH + 8];
	struct policy_walk w;
	int32_t same, below;

	spell(parts, path);
	policy_walk_init(&w, p, roles, slice_of(path));
	if (policy_walk_rights(&w) != judge(lines, parts))
		fail_msg("%s: %x, not %x, by\n%s", path, (unsigned)policy_walk_rights(&w),
			 (unsigned)judge(lines, parts), text);
	if (len > DEPTH)
		return;
	below = policy_walk_below(&w, &same);
	for (const char *c = "abcd"; *c; c++) {
		int32_t child = policy_walk_child(&w, (struct slice){ c, 1 });

		parts[len] = *c;
		parts[len + 1] = 0;
		assert_int_equal(child, judge(lines, parts));
		assert_int_equal(child & same, below);
		if (!policy_walk_tells_children(&w, PERM_READ))
			assert_int_equal(child & PERM_READ,
					 policy_walk_child(&w, (struct slice){ 0 }) & PERM_READ);
		compare_all(p, roles, lines, text, parts);
	}
	/* No line names d. */
	assert_int_equal(policy_walk_child(&w, (struct slice){ 0 }),
			 policy_walk_child(&w, slice_of("d")));
	parts[len] = 0;
}

static void test_decides_as_reading_all_lines(void **state)
{
	struct random r = { 4 };

	(void)state;
	for (int round = 0; round < 60; round++) {
		char text[4096] = "role r0 dn:L=${v} dn:OU=${w}\nrole r1 dn:L=${v} dn:OU=${w}\n";
		char parts[DEPTH + 3] = "";
		struct line lines[LINES];
		struct policy_roles *roles;
		struct policy *p;

		for (int i = 0; i < LINES; i++) {
			make_line(&r, &lines[i]);
			write_line(&lines[i], text + strlen(text));
		}
		p = read_policy(text);
		roles = roles_of(p, "x509:L=a,OU=b");
		assert_int_equal(roles->count, 2);
		compare_all(p, roles, lines, text, parts);
		policy_roles_free(roles);
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most_specific_rule),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_too_many_roles),
		cmocka_unit_test(test_acl_lines),
		cmocka_unit_test(test_explains),
		cmocka_unit_test(test_reads_all),
		cmocka_unit_test(test_decides_as_reading_all_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
