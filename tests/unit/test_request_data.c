/* exists, getData, setData, check, delete, getChildren: what they answer, and what they leave
 * alone. */
#include "tests/unit/registry_fixture.h"

static void test_set_data(void **state)
{
	struct proto_stat before, s;

	(void)state;
	create(c, "/a", "one", 0);
	before = stat_of("/a");
	clock_fake_advance(50);
	assert_int_equal(set(c, "/a", "three"), ZERR_OK);
	before.mzxid = last.header.zxid;
	before.mtime = clock_wall_ms();
	before.version = 1;
	before.data_length = 5;
	s = take_stat();
	expect_stat(s, before);
	expect_stat(stat_of("/a"), before);
	expect_data("/a", "three");
	assert_int_equal(set(c, "/nothing", "x"), ZERR_NO_NODE);
	assert_int_equal(set(c, "/a/", "x"), ZERR_BAD_ARGUMENTS);
	assert_int_equal(set(c, "", "x"), ZERR_BAD_ARGUMENTS);
	expect_stat(stat_of("/a"), before);
}

static void test_versions(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	assert_int_equal(set_version(c, "/a", "x", 1), ZERR_BAD_VERSION);
	assert_int_equal(set_version(c, "/a", "x", 0), ZERR_OK);
	assert_int_equal(set_version(c, "/a", "y", 0), ZERR_BAD_VERSION);
	assert_int_equal(set_version(c, "/a", "y", -2), ZERR_BAD_VERSION);
	assert_int_equal(set_version(c, "/a", "y", 1), ZERR_OK);
	assert_int_equal(set_version(c, "/a", "z", -1), ZERR_OK);
	assert_int_equal(stat_of("/a").version, 3);
	assert_int_equal(delete_version(c, "/a", 2), ZERR_BAD_VERSION);
	assert_int_equal(delete_version(c, "/a", 3), ZERR_OK);
}

static void test_reads_of_nothing(void **state)
{
	static const char *const paths[] = { "/nothing", "/zookeeper/", "//", "x", "/a\x01" };
	static const int32_t types[] = { OP_EXISTS, OP_GET_DATA, OP_GET_CHILDREN,
					 OP_GET_CHILDREN2 };

	(void)state;
	for (size_t p = 0; p < sizeof(paths) / sizeof(*paths); p++)
		for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++)
			assert_int_equal(ask(c, types[t], paths[p], false), ZERR_NO_NODE);
	headless_begin(c, ++xid, OP_EXISTS);
	jute_write_buffer(&c->w, (struct slice){ "/a\0", 3 });
	jute_write_bool(&c->w, false);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_BAD_ARGUMENTS);
}

static void test_an_empty_path_is_the_root_for_reads(void **state)
{
	(void)state;
	assert_int_equal(exists(c, ""), ZERR_OK);
	(void)take_stat();
	assert_string_equal(children(""), "zookeeper");
	expect_data("", "");
}

/* Wherever the znode is by now: in memory alone, or in tree.db, too. */
static void test_two_slashes_are_not_one(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	create(c, "/a/b", "", 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(exists(c, "//a"), ZERR_NO_NODE);
		assert_int_equal(exists(c, "//a/b"), ZERR_NO_NODE);
		assert_int_equal(exists(c, "/a//b"), ZERR_NO_NODE);
		assert_int_equal(exists(c, "///a"), ZERR_NO_NODE);
		assert_int_equal(exists(c, "//"), ZERR_NO_NODE);
		assert_int_equal(set(c, "//a", "x"), ZERR_BAD_ARGUMENTS);
		assert_int_equal(delete_any(c, "//a"), ZERR_NO_NODE);
		assert_int_equal(create(c, "//a/c", "", 0), ZERR_NO_NODE);
		headless_replay(&h);
		if (i == 1) {
			headless_stop(&h);
			headless_start(&h);
			c = headless_new_session(&h, TIMEOUT_MS);
		}
	}
	assert_int_equal(exists(c, "/a"), ZERR_OK);
}

static void test_delete(void **state)
{
	struct proto_stat parent;

	(void)state;
	create(c, "/p", "", 0);
	create(c, "/p/a", "", 0);
	parent = stat_of("/p");
	assert_int_equal(delete_any(c, "/p"), ZERR_NOT_EMPTY);
	assert_int_equal(delete_any(c, "/p/a"), ZERR_OK);
	expect_end();
	parent.cversion++;
	parent.num_children = 0;
	parent.pzxid = last.header.zxid;
	expect_stat(stat_of("/p"), parent);
	assert_int_equal(exists(c, "/p/a"), ZERR_NO_NODE);
	assert_int_equal(delete_any(c, "/p/a"), ZERR_NO_NODE);
	assert_int_equal(delete_any(c, "/p/a/b"), ZERR_NO_NODE);
	assert_int_equal(delete_any(c, "/p/"), ZERR_NO_NODE);
	assert_int_equal(delete_any(c, "p"), ZERR_BAD_ARGUMENTS);
	assert_int_equal(delete_any(c, ""), ZERR_BAD_ARGUMENTS);
	assert_int_equal(delete_any(c, "/p"), ZERR_OK);
	assert_string_equal(children("/"), "zookeeper");
}

static void test_the_first_znodes_stay(void **state)
{
	(void)state;
	assert_int_equal(delete_any(c, "/"), ZERR_BAD_ARGUMENTS);
	assert_int_equal(delete_any(c, "/zookeeper"), ZERR_BAD_ARGUMENTS);
	assert_int_equal(delete_any(c, "/zookeeper/config"), ZERR_BAD_ARGUMENTS);
	assert_int_equal(delete_any(c, "/zookeeper/quota"), ZERR_BAD_ARGUMENTS);
	assert_string_equal(children("/zookeeper"), "config quota");
}

/* Anybody may delete another session's ephemeral, as in ZooKeeper. */
static void test_delete_of_an_ephemeral(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	create(other, "/e", "", CREATE_EPHEMERAL);
	assert_int_equal(delete_any(c, "/e"), ZERR_OK);
	assert_int_equal(exists(c, "/e"), ZERR_NO_NODE);
	/* The session ends without it. */
	headless_close_session(other, ++xid);
	assert_int_equal(finish(other), ZERR_OK);
	assert_int_equal(create(c, "/e", "", 0), ZERR_OK);
	assert_int_equal(exists(c, "/e"), ZERR_OK);
}

static void test_children(void **state)
{
	struct proto_stat s;

	(void)state;
	create(c, "/p", "", 0);
	assert_string_equal(children("/p"), "");
	create(c, "/p/b", "", 0);
	create(c, "/p/a", "", CREATE_EPHEMERAL);
	create(c, "/p/b/c", "", 0);
	assert_string_equal(children("/p"), "a b");
	assert_int_equal(ask(c, OP_GET_CHILDREN2, "/p", false), ZERR_OK);
	assert_string_equal(take_names(), "a b");
	s = take_stat();
	expect_stat(s, stat_of("/p"));
	assert_int_equal(s.num_children, 2);
}

static void test_large_data(void **state)
{
	enum { LEN = 1000000 };
	char *text = malloc(LEN + 1);

	(void)state;
	memset(text, 'd', LEN);
	text[LEN] = 0;
	assert_int_equal(create(c, "/a", text, 0), ZERR_OK);
	headless_replay(&h);
	expect_data("/a", text);
	text[7] = 'e';
	assert_int_equal(set(c, "/a", text), ZERR_OK);
	expect_data("/a", text);
	headless_restart(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	expect_data("/a", text);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_set_data),
		REGISTRY_TEST(test_versions),
		REGISTRY_TEST(test_reads_of_nothing),
		REGISTRY_TEST(test_an_empty_path_is_the_root_for_reads),
		REGISTRY_TEST(test_two_slashes_are_not_one),
		REGISTRY_TEST(test_delete),
		REGISTRY_TEST(test_the_first_znodes_stay),
		REGISTRY_TEST(test_delete_of_an_ephemeral),
		REGISTRY_TEST(test_children),
		REGISTRY_TEST(test_large_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
