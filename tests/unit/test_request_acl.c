/* getACL, setACL, and which permission each operation asks for. */
#include "tests/unit/registry_fixture.h"

static struct buf acls;

static int set_up_acls(void **state)
{
	buf_init(&acls, 4096);
	return set_up(state);
}

static int tear_down_acls(void **state)
{
	buf_fini(&acls);
	return tear_down(state);
}

static struct slice acl_of(int32_t perms, const char *scheme, const char *id)
{
	buf_clear(&acls);
	headless_add_acl(&acls, perms, scheme, id);
	return buf_slice(&acls);
}

/* The reply's vector and Stat. */
static struct proto_stat expect_acls(struct slice wanted)
{
	struct jute_reader at = last.body;
	struct proto_acls got = proto_read_acls(&at);

	(void)got;
	assert_int_equal((size_t)(at.pos - last.body.pos), wanted.len);
	assert_memory_equal(last.body.pos, wanted.data, wanted.len);
	last.body = at;
	return take_stat();
}

static void test_get_and_set(void **state)
{
	struct proto_stat s;
	struct slice mine;

	(void)state;
	create(c, "/a", "x", 0);
	s = stat_of("/a");
	assert_int_equal(get_acl(c, "/a"), ZERR_OK);
	expect_stat(expect_acls(headless_world()), s);
	mine = acl_of(PERM_ALL, "world", "anyone");
	headless_add_acl(&acls, PERM_READ, "ip", "10.0.0.0/8");
	mine = buf_slice(&acls);
	assert_int_equal(set_acl(c, "/a", mine, 0), ZERR_OK);
	s.aversion = 1;
	expect_stat(take_stat(), s);
	assert_int_equal(get_acl(c, "/a"), ZERR_OK);
	expect_stat(expect_acls(mine), s);
	assert_int_equal(set_acl(c, "/a", mine, 0), ZERR_BAD_VERSION);
	assert_int_equal(set_acl(c, "/a", mine, 1), ZERR_OK);
	assert_int_equal(set_acl(c, "/a", mine, -1), ZERR_OK);
	assert_int_equal(stat_of("/a").aversion, 3);
	assert_int_equal(set_acl(c, "/nothing", mine, -1), ZERR_NO_NODE);
	assert_int_equal(set_acl(c, "/a/", mine, -1), ZERR_BAD_ARGUMENTS);
	assert_int_equal(get_acl(c, "/nothing"), ZERR_NO_NODE);
	/* And it is there after replay and after a restart. */
	headless_replay(&h);
	assert_int_equal(get_acl(c, "/a"), ZERR_OK);
	(void)expect_acls(mine);
	headless_restart(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(get_acl(c, "/a"), ZERR_OK);
	(void)expect_acls(mine);
}

static void test_bad_ones(void **state)
{
	struct slice none = { "\0\0\0\0", 4 }, null = { "\xff\xff\xff\xff", 4 };

	(void)state;
	create(c, "/a", "", 0);
	assert_int_equal(set_acl(c, "/a", none, -1), ZERR_INVALID_ACL);
	assert_int_equal(set_acl(c, "/a", null, -1), ZERR_INVALID_ACL);
	assert_int_equal(set_acl(c, "/a", acl_of(PERM_ALL, "nonsense", "x"), -1), ZERR_INVALID_ACL);
	assert_int_equal(set_acl(c, "/a", acl_of(PERM_ALL, "world", "someone"), -1),
			 ZERR_INVALID_ACL);
	assert_int_equal(set_acl(c, "/a", acl_of(PERM_ALL, "auth", ""), -1), ZERR_INVALID_ACL);
	assert_int_equal(create_with(c, OP_CREATE, "/b", slice_of(""), none, 0), ZERR_INVALID_ACL);
	assert_int_equal(create_with(c, OP_CREATE, "/b", slice_of(""), null, 0), ZERR_INVALID_ACL);
	assert_int_equal(stat_of("/a").aversion, 0);
}

/* One permission each, given or taken: the operation must be refused exactly where it lacks its
 * own. */
static void test_permission_of_each_operation(void **state)
{
	static const struct {
		const char *what;
		int32_t perm; /* 0: none */
	} operations[] = {
		{ "create", PERM_CREATE },    { "delete", PERM_DELETE },
		{ "exists", PERM_READ },      { "getData", PERM_READ },
		{ "getChildren", PERM_READ }, { "setData", PERM_WRITE },
		{ "setACL", PERM_ADMIN },     { "getACL", PERM_READ | PERM_ADMIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		for (int32_t perms = 0; perms <= PERM_ALL; perms++) {
			char parent[32], child[40];
			int32_t err = ZERR_SYSTEM;

			snprintf(parent, sizeof(parent), "/%zu-%d", i, perms);
			snprintf(child, sizeof(child), "%s/child", parent);
			/* The child is open to all: a deletion asks the parent alone. */
			headless_create(c, 1, OP_CREATE, parent, slice_of(""), headless_world(), 0);
			headless_create(c, 2, OP_CREATE, child, slice_of(""),
					acl_of(0, "world", "anyone"), 0);
			headless_reply_to(c, 1);
			headless_reply_to(c, 2);
			assert_int_equal(set_acl(c, parent, acl_of(perms, "world", "anyone"), -1),
					 ZERR_OK);
			switch (i) {
			case 0: {
				char other[48];

				snprintf(other, sizeof(other), "%s/other", parent);
				err = create(c, other, "", 0);
				break;
			}
			case 1:
				err = delete_any(c, child);
				break;
			case 2:
				err = exists(c, parent);
				break;
			case 3:
				err = ask(c, OP_GET_DATA, parent, false);
				break;
			case 4:
				err = ask(c, OP_GET_CHILDREN, parent, false);
				break;
			case 5:
				err = set(c, parent, "x");
				break;
			case 6:
				err = set_acl(c, parent, headless_world(), -1);
				break;
			case 7:
				err = get_acl(c, parent);
				break;
			}
			if (err != (perms & operations[i].perm ? ZERR_OK : ZERR_NO_AUTH))
				fail_msg("%s with permissions %d: error %d", operations[i].what,
					 perms, err);
		}
	}
}

/* Whether a child is there is the parent's readers' business: permission is asked first. */
static void test_permission_before_existence(void **state)
{
	(void)state;
	create_with(c, OP_CREATE, "/p", slice_of(""), acl_of(PERM_READ, "world", "anyone"), 0);
	assert_int_equal(create(c, "/p/a", "", 0), ZERR_NO_AUTH);
	assert_int_equal(delete_any(c, "/p/nothing"), ZERR_NO_AUTH);
	create_with(c, OP_CREATE, "/q", slice_of(""),
		    acl_of(PERM_WRITE | PERM_ADMIN, "ip", "10.9.9.9"), 0);
	assert_int_equal(set_version(c, "/q", "", 77), ZERR_NO_AUTH);
	assert_int_equal(set_acl(c, "/q", headless_world(), 77), ZERR_NO_AUTH);
}

/* Without ADMIN, hashes are not shown. */
static void test_digests_are_masked(void **state)
{
	struct slice wanted;
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	assert_int_equal(authenticate(c, "digest", "user:password"), ZERR_OK);
	acl_of(PERM_ALL, "digest", "user:0123456789=");
	headless_add_acl(&acls, PERM_READ, "world", "anyone");
	headless_add_acl(&acls, PERM_ADMIN, "auth", "");
	assert_int_equal(create_with(c, OP_CREATE, "/a", slice_of(""), buf_slice(&acls), 0),
			 ZERR_OK);
	assert_int_equal(get_acl(other, "/a"), ZERR_OK);
	acl_of(PERM_ALL, "digest", "user:x");
	headless_add_acl(&acls, PERM_READ, "world", "anyone");
	headless_add_acl(&acls, PERM_ADMIN, "digest", "user:x");
	wanted = buf_slice(&acls);
	(void)expect_acls(wanted);
	assert_int_equal(get_acl(c, "/a"), ZERR_OK);
	acl_of(PERM_ALL, "digest", "user:0123456789=");
	headless_add_acl(&acls, PERM_READ, "world", "anyone");
	/* base64(sha1("user:password")) */
	headless_add_acl(&acls, PERM_ADMIN, "digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=");
	(void)expect_acls(buf_slice(&acls));
}

static void test_addresses(void **state)
{
	struct headless_client *near = headless_connect_from(&h, "10.1.2.3", NULL);
	struct headless_client *far = headless_connect_from(&h, "192.168.1.1", NULL);

	(void)state;
	headless_open(near, TIMEOUT_MS);
	headless_open(far, TIMEOUT_MS);
	create_with(c, OP_CREATE, "/a", slice_of(""), acl_of(PERM_ALL, "ip", "10.0.0.0/8"), 0);
	assert_int_equal(ask(near, OP_GET_DATA, "/a", false), ZERR_OK);
	assert_int_equal(ask(far, OP_GET_DATA, "/a", false), ZERR_NO_AUTH);
	/* Whatever it says of itself. */
	assert_int_equal(authenticate(far, "ip", "10.1.2.3"), ZERR_OK);
	assert_int_equal(ask(far, OP_GET_DATA, "/a", false), ZERR_NO_AUTH);
}

static void test_the_first_znodes(void **state)
{
	(void)state;
	assert_int_equal(get_acl(c, "/"), ZERR_OK);
	(void)expect_acls(headless_world());
	assert_int_equal(get_acl(c, "/zookeeper"), ZERR_OK);
	(void)expect_acls(headless_world());
	assert_int_equal(get_acl(c, "/zookeeper/config"), ZERR_OK);
	(void)expect_acls(acl_of(PERM_READ, "world", "anyone"));
	assert_int_equal(set(c, "/zookeeper/config", "server.1=x"), ZERR_NO_AUTH);
}

/* A longer ACL is more that the owner of an ephemeral znode holds, whoever gives it. */
static void test_acls_of_ephemerals_count(void **state)
{
	struct headless_client *other;
	struct slice large;

	(void)state;
	headless_stop(&h);
	h.registry_options.max_ephemeral_bytes = 4000;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	other = headless_new_session(&h, TIMEOUT_MS);
	large = acl_of(PERM_ALL, "world", "anyone");
	for (int i = 0; i < 80; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.0.0.%d", i);
		headless_add_acl(&acls, PERM_READ, "ip", address);
	}
	large = buf_slice(&acls);
	create(c, "/a", "", CREATE_EPHEMERAL);
	create(c, "/b", "", CREATE_EPHEMERAL);
	create(c, "/lasting", "", 0);
	assert_int_equal(set_acl(c, "/a", large, -1), ZERR_OK);
	assert_int_equal(set_acl(c, "/b", large, -1), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(set_acl(other, "/b", large, -1), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(stat_of("/b").aversion, 0);
	assert_int_equal(set_acl(c, "/lasting", large, -1), ZERR_OK);
	/* The same again is no more. */
	assert_int_equal(set_acl(c, "/a", large, -1), ZERR_OK);
	assert_int_equal(set_acl(other, "/a", headless_world(), -1), ZERR_OK);
	assert_int_equal(set_acl(other, "/b", large, -1), ZERR_OK);
}

#define ACL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_acls, tear_down_acls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACL_TEST(test_get_and_set),
		ACL_TEST(test_bad_ones),
		ACL_TEST(test_permission_of_each_operation),
		ACL_TEST(test_permission_before_existence),
		ACL_TEST(test_digests_are_masked),
		ACL_TEST(test_addresses),
		ACL_TEST(test_the_first_znodes),
		ACL_TEST(test_acls_of_ephemerals_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
