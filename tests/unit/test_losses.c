/* What ZooKeeper cannot say, in lines. */
#include "app/losses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/tmpdir.h"
#include "wire/jute.h"

enum { LIMIT = 1 << 20 };

/* An ACL with an entry for each scheme, a blank between them, so many znodes have. */
static void add(struct losses *l, const char *schemes, uint64_t znodes)
{
	struct slice names[32];
	struct jute_writer w;
	struct buf acl;
	int32_t count = 0;

	for (; *schemes != '\0'; count++) {
		names[count] = (struct slice){ schemes, strcspn(schemes, " ") };
		schemes += names[count].len;
		schemes += strspn(schemes, " ");
	}
	buf_init(&acl, LIMIT);
	jute_writer_init(&w, &acl);
	jute_write_int(&w, count);
	for (int32_t i = 0; i < count; i++) {
		jute_write_int(&w, 31);
		jute_write_buffer(&w, names[i]);
		jute_write_buffer(&w, slice_of("someone"));
	}
	losses_add_acl(l, buf_slice(&acl), znodes);
	buf_fini(&acl);
}

static void assert_schemes(const struct losses *l, const char *expected)
{
	struct buf out;

	buf_init(&out, LIMIT);
	losses_print_schemes(l, &out);
	if (!slice_is(buf_slice(&out), expected))
		fail_msg("%.*s", (int)buf_len(&out), (const char *)buf_head(&out));
	buf_fini(&out);
}

static void test_what_zookeeper_knows(void **state)
{
	struct losses l = { 0 };

	(void)state;
	assert_schemes(&l, "");
	add(&l, "world", 5);
	add(&l, "digest ip digest", 5);
	add(&l, "", 5);
	assert_schemes(&l, "");
	losses_add_acl(&l, (struct slice){ "\xff\xff\xff\xff", 4 }, 5);
	losses_add_acl(&l, (struct slice){ "\0\0\0\5san", 7 }, 5);
	assert_schemes(&l, "");
}

/* A znode counts once for a scheme, however often its ACL names that. */
static void test_schemes(void **state)
{
	struct losses l = { 0 };

	(void)state;
	add(&l, "san world san", 3);
	add(&l, "x509 san", 4);
	add(&l, "ba\nd", 1);
	assert_schemes(
		&l,
		"acl scheme san: in the ACLs of 7 znodes; ZooKeeper does not know it: nobody "
		"has there what it gives\n"
		"acl scheme x509: in the ACLs of 4 znodes; ZooKeeper needs authProvider.x509="
		"org.apache.zookeeper.server.auth.X509AuthenticationProvider to ask it\n"
		"acl scheme ba\\nd: in the ACLs of 1 znodes; ZooKeeper does not know it: nobody "
		"has there what it gives\n");
}

static void test_many_schemes(void **state)
{
	struct losses l = { 0 };
	char name[16];

	(void)state;
	for (int i = 0; i < 2 * LOSSES_SCHEMES; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		add(&l, name, 2);
		add(&l, "world", 1);
	}
	assert_int_equal(l.count, LOSSES_SCHEMES);
	/* world is one of those that there was room for. */
	assert_int_equal(l.others, 2 * (LOSSES_SCHEMES + 1));
}

/* ---- the policy ---- */

static void test_policy(void **state)
{
	static const char text[] = "role all anyone\n"
				   "# allow all all /\n"
				   "\n"
				   "allow all read /\n"
				   "\tdeny all write /a b\r\n"
				   "acl off /\x1b[2J\n"
				   "allowed by nobody\n"
				   "deny";
	char reason[LOSSES_REASON_LEN], expected[2048];
	char *dir = tmpdir_make(), *path;
	struct config c = { 0 };
	struct buf out;
	FILE *file;

	(void)state;
	assert_true(asprintf(&path, "%s/policy", dir) > 0);
	buf_init(&out, LIMIT);
	assert_int_equal(losses_print_policy(&c, &out, reason), 0);
	assert_int_equal(buf_len(&out), 0);
	c.policy_file = path;
	assert_int_equal(losses_print_policy(&c, &out, reason), -1);
	assert_non_null(strstr(reason, path));
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0 && fclose(file) == 0, 1);
	assert_int_equal(losses_print_policy(&c, &out, reason), 0);
	(void)snprintf(
		expected, sizeof(expected),
		"policy %s:4: not carried: allow all read /; an ACL is of one znode, for one "
		"identity, and nobody inherits it\n"
		"policy %s:5: not carried: deny all write /a b; an ACL denies nobody\n"
		"policy %s:6: not carried: acl off /\\x1b[2J; ZooKeeper asks every ACL\n"
		"policy %s:8: not carried: deny; an ACL denies nobody\n",
		path, path, path, path);
	if (!slice_is(buf_slice(&out), expected))
		fail_msg("%.*s", (int)buf_len(&out), (const char *)buf_head(&out));
	buf_fini(&out);
	free(path);
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_zookeeper_knows),
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_many_schemes),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
