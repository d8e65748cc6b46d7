/* What is said of a policy file with an error, and that the sample is none. */
#include "app/policy_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/config.h"
#include "base/mem.h"
#include "tests/lib/tmpdir.h"

static char reason[POLICY_REASON_LEN];

static struct policy *parse(const char *text, unsigned max_rules)
{
	const struct policy_limits limits = { .max_rules = max_rules, .max_roles = 4 };

	reason[0] = 0;
	return policy_file_parse(slice_of(text), "p", &limits, reason);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "x", "p:1: x: a line begins with role, allow, deny or acl" },
		{ "\n# x\nrole", "p:3: a role reads: role NAME CONDITION..." },
		{ "role a/b anyone", "p:1: a/b: names of roles are letters, digits, and _-." },
		{ "role a everyone", "p:1: everyone: somebody is told by dn:, x509:, san:, "
				     "digest:, network: or anyone" },
		{ "role a dn:OU", "p:1: dn:OU: an attribute of a subject reads: dn:TYPE=TEXT" },
		{ "role a dn:OU=", "p:1: a: there is nothing to compare with" },
		{ "role a dn:SERIALNUMBER=1",
		  "p:1: a: attributes are CN, C, L, ST, O, OU, STREET, DC, UID" },
		{ "role a san:", "p:1: san:: there is nothing to compare with" },
		{ "role a san:${x}${y}",
		  "p:1: a: between two variables or '*' something must stand" },
		{ "role a san:${x", "p:1: a: a variable is written ${name} (a $ of its own: \\$)" },
		{ "role a network:10.0.0.0/33", "p:1: a: that is no address and no network" },
		{ "role a digest:carol",
		  "p:1: a: a user is named with the hash: digest:NAME:HASH" },
		{ "role a san:${1}/${2}/${3}/${4}/${5}/${6}/${7}/${8}/${9}",
		  "p:1: a: a role has no more than 8 variables" },
		{ "role a \"anyone", "p:1: the quotes are not closed" },
		{ "role a anyone\\", "p:1: there is nothing behind the backslash" },
		{ "role a anyone\001", "p:1: there is a control character in it" },
		{ "role a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
		  "p:1: there are more than 16 words" },
		{ "allow a read /", "p:1: a: no line before says who has that role" },
		{ "role a anyone\nallow a read",
		  "p:2: a rule reads: allow|deny ROLES RIGHTS PATH [only]" },
		{ "role a anyone\nallow a read / ever",
		  "p:2: a rule reads: allow|deny ROLES RIGHTS PATH [only]" },
		{ "role a anyone\nallow a,b read /",
		  "p:2: a,b: no line before says who has that role" },
		{ "role a anyone\nallow a, read /",
		  "p:2: a,: no line before says who has that role" },
		{ "role a anyone\nallow a reed /", "p:2: reed: rights are read, write, create, "
						   "delete, admin, all; none, alone" },
		{ "role a anyone\nallow a read,none /", "p:2: read,none: rights are read, write, "
							"create, delete, admin, all; none, alone" },
		{ "role a anyone\ndeny a none /", "p:2: none: rights are read, write, create, "
						  "delete, admin, all; none, alone" },
		{ "role a anyone\nallow a read x", "p:2: x: a path begins with /" },
		{ "role a anyone\nallow a read /x/", "p:2: /x/: no znode has such a path" },
		{ "role a anyone\nallow a read //x", "p:2: //x: no znode has such a path" },
		{ "role a anyone\nallow a read /x/..", "p:2: /x/..: no znode has such a path" },
		{ "role a anyone\nallow a read /x*", "p:2: /x*: '*' and variables stand for whole "
						     "parts of a path (else: \\* and \\$)" },
		{ "role a anyone\nallow a read /x${y}",
		  "p:2: /x${y}: '*' and variables stand for whole parts of a path "
		  "(else: \\* and \\$)" },
		{ "role a anyone\nallow a read /***",
		  "p:2: /***: '*' stands for one whole part of a path (else: \\*)" },
		{ "role a anyone\nallow a read /**/x", "p:2: /**/x: nothing stands behind '**'" },
		{ "role a anyone\nallow a read /${x}",
		  "p:2: a: no line of this role gives that variable a value" },
		{ "role a anyone\nallow a read /a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/"
		  "a/a/a/a/a/a/a/a",
		  "p:2: /a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a: it has more "
		  "than 32 parts" },
		{ "acl maybe /", "p:1: such a line reads: acl on|off PATH [only]" },
		{ "acl on /${x}", "p:1: /${x}: no line of this role gives that variable a value" },
		{ "role a anyone\nallow a read /1\nallow a read /2\nallow a read /3\nacl on /\n",
		  "p:5: /: there are more rules than zoolite.maxPolicyRules" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (parse(cases[i].text, 4) || strcmp(reason, cases[i].reason) != 0)
			fail_msg("\"%s\": \"%s\"", cases[i].text, reason);
	}
}

/* However many wildcards there are, a decision stays cheap. */
static void test_too_many_shapes(void **state)
{
	char text[8192] = "role a anyone\n";
	struct policy *p;

	(void)state;
	for (int i = 0; i < 17; i++) {
		if (i == 16) {
			p = parse(text, 100);
			assert_non_null(p);
			policy_free(p);
		}
		sprintf(text + strlen(text), "allow a read /%s/%s/%s/%s/%s\n", i & 1 ? "*" : "a",
			i & 2 ? "*" : "a", i & 4 ? "*" : "a", i & 8 ? "*" : "a",
			i & 16 ? "*" : "a");
	}
	assert_null(parse(text, 100));
	assert_string_equal(reason, "p:18: a: variables and '*' stand in more than 16 ways in "
				    "patterns of one role");
}

static void test_good_lines(void **state)
{
	struct policy *p = parse("\t role  a dn:O=\"A B\" # here\r\n"
				 "allow a all /\\*/\\$x/\"a b\"/a\\ b only\n"
				 "role b anyone\nallow a,b read,write /",
				 100);

	(void)state;
	assert_non_null(p);
	assert_int_equal(policy_role_count(p), 2);
	assert_int_equal(policy_rule_count(p), 5);
	policy_free(p);
}

static void load(struct config *c, const char *expected)
{
	struct policy *p = policy_file_load(c, reason);

	if (expected) {
		assert_null(p);
		assert_non_null(strstr(reason, expected));
	} else if (!p) {
		fail_msg("%s", reason);
	}
	policy_free(p);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_files(void **state)
{
	struct config c = { .max_policy_bytes = 64, .max_policy_rules = 10, .max_roles = 4 };
	char *dir = tmpdir_make(), path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/policy", dir);
	c.policy_file = path;
	load(&c, "/policy: No such file or directory");
	write_file(path, "role a anyone\n");
	load(&c, NULL);
	assert_int_equal(chmod(path, 0666), 0);
	load(&c, "/policy: everybody may write to it");
	assert_int_equal(chmod(path, 0600), 0);
	write_file(path, "# 3456789012345678901234567890123456789012345678901234567890123");
	load(&c, NULL);
	write_file(path, "# 345678901234567890123456789012345678901234567890123456789012345");
	load(&c, "/policy: it is larger than zoolite.maxPolicySize");
	c.policy_file = dir;
	load(&c, ": that is no file");
	tmpdir_remove(dir);
}

static void test_sample(void **state)
{
	const char *tree = getenv("ZOOLITE_SRCDIR");
	struct config c = { .max_policy_bytes = 65536, .max_policy_rules = 100, .max_roles = 4 };
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/src/app/policy.sample", tree ? tree : ".");
	c.policy_file = path;
	load(&c, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),     cmocka_unit_test(test_too_many_shapes),
		cmocka_unit_test(test_good_lines), cmocka_unit_test(test_files),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
