/* create and create2: modes, names, Stat, the order of checks. */
#include "tests/unit/registry_fixture.h"

#include "core/session.h"

static void test_create(void **state)
{
	int64_t created, wall = clock_wall_ms();
	struct proto_stat root = stat_of("/"), s;

	(void)state;
	assert_int_equal(create(c, "/a", "hello", 0), ZERR_OK);
	expect_text("/a");
	expect_end();
	created = last.header.zxid;
	s = stat_of("/a");
	expect_stat(s, (struct proto_stat){ .czxid = created,
					    .mzxid = created,
					    .pzxid = created,
					    .ctime = wall,
					    .mtime = wall,
					    .data_length = 5 });
	expect_data("/a", "hello");
	/* The parent: one child more, its own data untouched. */
	root.cversion++;
	root.num_children++;
	root.pzxid = created;
	expect_stat(stat_of("/"), root);
}

static void test_create2(void **state)
{
	struct proto_stat s;

	(void)state;
	clock_fake_advance(1234);
	assert_int_equal(create_with(c, OP_CREATE2, "/a", slice_of("abc"), headless_world(), 0),
			 ZERR_OK);
	expect_text("/a");
	s = take_stat();
	expect_stat(s, (struct proto_stat){ .czxid = last.header.zxid,
					    .mzxid = last.header.zxid,
					    .pzxid = last.header.zxid,
					    .ctime = clock_wall_ms(),
					    .mtime = clock_wall_ms(),
					    .data_length = 3 });
	expect_stat(stat_of("/a"), s);
}

/* Null is not empty, and stays what it is. */
static void test_null_and_empty_data(void **state)
{
	struct slice data;

	(void)state;
	for (int round = 0; round < 3; round++) {
		if (round == 0) {
			create_with(c, OP_CREATE, "/null", (struct slice){ 0 }, headless_world(),
				    0);
			create(c, "/empty", "", 0);
		} else if (round == 1) {
			headless_replay(&h);
		} else {
			headless_restart(&h);
			c = headless_new_session(&h, TIMEOUT_MS);
		}
		assert_int_equal(ask(c, OP_GET_DATA, "/null", false), ZERR_OK);
		assert_null(jute_read_buffer(&last.body).data);
		assert_int_equal(take_stat().data_length, 0);
		assert_int_equal(ask(c, OP_GET_DATA, "/empty", false), ZERR_OK);
		data = jute_read_buffer(&last.body);
		assert_non_null(data.data);
		assert_int_equal(data.len, 0);
	}
}

static void test_ephemeral(void **state)
{
	(void)state;
	assert_int_equal(create(c, "/e", "x", CREATE_EPHEMERAL), ZERR_OK);
	assert_int_equal(stat_of("/e").ephemeral_owner, c->session_id);
	assert_int_equal(create(c, "/e/child", "", 0), ZERR_NO_CHILDREN_FOR_EPHEMERALS);
	assert_int_equal(create(c, "/e/child", "", CREATE_EPHEMERAL),
			 ZERR_NO_CHILDREN_FOR_EPHEMERALS);
	assert_int_equal(create(c, "/p", "", 0), ZERR_OK);
	assert_int_equal(stat_of("/p").ephemeral_owner, 0);
}

static void test_sequential(void **state)
{
	(void)state;
	create(c, "/q", "", 0);
	assert_int_equal(create(c, "/q/n-", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/q/n-0000000000");
	assert_int_equal(create(c, "/q/m-", "", CREATE_SEQUENTIAL | CREATE_EPHEMERAL), ZERR_OK);
	expect_text("/q/m-0000000001");
	assert_int_equal(stat_of("/q/m-0000000001").ephemeral_owner, c->session_id);
	/* The name may be the number alone. */
	assert_int_equal(create(c, "/q/", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/q/0000000002");
	assert_int_equal(create(c, "/q/.", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/q/.0000000003");
	assert_string_equal(children("/q"), ".0000000003 0000000002 m-0000000001 n-0000000000");
	/* Below the root. */
	assert_int_equal(create(c, "/", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/0000000001");
}

/* The counter counts creates, plain ones too; deletes and failures do not move it. */
static void test_the_counter(void **state)
{
	(void)state;
	create(c, "/q", "", 0);
	create(c, "/q/plain", "", 0);
	assert_int_equal(create(c, "/q/n", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/q/n0000000001");
	delete_any(c, "/q/n0000000001");
	delete_any(c, "/q/plain");
	assert_int_equal(create(c, "/q/x/y", "", CREATE_SEQUENTIAL), ZERR_NO_NODE);
	assert_int_equal(create(c, "/q/n", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/q/n0000000002");
	assert_int_equal(create(c, "/q/n0000000002", "", 0), ZERR_NODE_EXISTS);
	/* The name of the next number is taken: it fails, and goes on failing. */
	create(c, "/q/n0000000004", "", 0);
	assert_int_equal(create(c, "/q/n", "", CREATE_SEQUENTIAL), ZERR_NODE_EXISTS);
	assert_int_equal(create(c, "/q/n", "", CREATE_SEQUENTIAL), ZERR_NODE_EXISTS);
	assert_int_equal(create(c, "/q/m", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/q/m0000000004");
	assert_int_equal(create(c, "/q/n", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/q/n0000000005");
}

static void test_cversion_counts_both_ways(void **state)
{
	(void)state;
	create(c, "/p", "", 0);
	create(c, "/p/a", "", 0);
	create(c, "/p/b", "", CREATE_EPHEMERAL);
	assert_int_equal(stat_of("/p").cversion, 2);
	delete_any(c, "/p/a");
	assert_int_equal(last.header.zxid, stat_of("/p").pzxid);
	assert_int_equal(stat_of("/p").cversion, 3);
	set(c, "/p/b", "x");
	assert_int_equal(stat_of("/p").cversion, 3);
	assert_int_equal(stat_of("/p").num_children, 1);
}

static void test_flags(void **state)
{
	static const int32_t bad[] = { -1, -2, INT32_MIN, 7, 8, 64, INT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(create(c, "/f", "", bad[i]), ZERR_BAD_ARGUMENTS);
	/* TTLs are not switched on. */
	assert_int_equal(create(c, "/f", "", 5), ZERR_UNIMPLEMENTED);
	assert_int_equal(create(c, "/f", "", 6), ZERR_UNIMPLEMENTED);
	assert_null(c->closing);
	/* Of a plain create, 4 makes an ordinary znode. */
	assert_int_equal(create(c, "/f", "", 4), ZERR_OK);
	expect_text("/f");
	assert_int_equal(stat_of("/f").ephemeral_owner, 0);
	assert_int_equal(create(c, "/f/g", "", 0), ZERR_OK);
}

static void test_bad_paths(void **state)
{
	static const char *const bad[] = {
		"",       "a",       "/p/",     "/p/.",    "/p/..",
		"/p/./a", "/p/\x01", "/p/\x7f", "/p/\xff", "/p/\xee\x80\x80"
	};

	(void)state;
	create(c, "/p", "", 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int32_t err = create(c, bad[i], "", 0);

		/* The parent is looked for before the path is looked at closely. */
		assert_int_equal(err,
				 strcmp(bad[i], "/p/./a") == 0 ? ZERR_NO_NODE : ZERR_BAD_ARGUMENTS);
	}
	assert_int_equal(create_with(c, OP_CREATE, "/p", slice_of(""), headless_world(), 0),
			 ZERR_NODE_EXISTS);
	headless_begin(c, ++xid, OP_CREATE);
	jute_write_buffer(&c->w, (struct slice){ "/p/a\0b", 6 });
	jute_write_buffer(&c->w, slice_of(""));
	jute_write_raw(&c->w, headless_world().data, headless_world().len);
	jute_write_int(&c->w, 0);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_BAD_ARGUMENTS);
	assert_int_equal(create(c, "/p//b", "", 0), ZERR_NO_NODE);
	assert_int_equal(create(c, "p/b", "", 0), ZERR_NO_NODE);
	assert_int_equal(create(c, "/", "", 0), ZERR_NODE_EXISTS);
	assert_int_equal(create(c, "/p/\xc3\xa4%2F:?&=", "", 0), ZERR_OK);
}

/* InvalidACL, NoNode, NoAuth, BadArguments, NodeExists, NoChildrenForEphemerals: the first that
 * applies. */
static void test_order_of_checks(void **state)
{
	struct slice none = { "\0\0\0\0", 4 };
	struct buf readers;

	(void)state;
	buf_init(&readers, 256);
	headless_add_acl(&readers, PERM_READ, "world", "anyone");
	create(c, "/e", "", CREATE_EPHEMERAL);
	create_with(c, OP_CREATE, "/closed", slice_of(""), buf_slice(&readers), 0);
	assert_int_equal(create_with(c, OP_CREATE, "no slash", slice_of(""), none, 0),
			 ZERR_BAD_ARGUMENTS);
	assert_int_equal(create_with(c, OP_CREATE, "/nothing/x", slice_of(""), none, 0),
			 ZERR_INVALID_ACL);
	assert_int_equal(
		create_with(c, OP_CREATE, "/nothing/x/", slice_of(""), headless_world(), 0),
		ZERR_NO_NODE);
	assert_int_equal(create_with(c, OP_CREATE, "/closed/", slice_of(""), headless_world(), 0),
			 ZERR_NO_AUTH);
	assert_int_equal(create_with(c, OP_CREATE, "/e/", slice_of(""), headless_world(), 0),
			 ZERR_BAD_ARGUMENTS);
	assert_int_equal(create_with(c, OP_CREATE, "/e", slice_of(""), headless_world(), 0),
			 ZERR_NODE_EXISTS);
	assert_int_equal(create_with(c, OP_CREATE, "/e/x", slice_of(""), headless_world(), 0),
			 ZERR_NO_CHILDREN_FOR_EPHEMERALS);
	buf_fini(&readers);
}

static void test_a_failed_create_changes_nothing(void **state)
{
	struct proto_stat root = stat_of("/");

	(void)state;
	create(c, "/zookeeper", "", 0);
	create(c, "/x/y", "", 0);
	create(c, "/bad/", "", CREATE_EPHEMERAL);
	expect_stat(stat_of("/"), root);
}

static void test_delete_and_create_again(void **state)
{
	struct proto_stat s;

	(void)state;
	create(c, "/a", "one", 0);
	set(c, "/a", "two");
	create(c, "/a/b", "", 0);
	delete_any(c, "/a/b");
	delete_any(c, "/a");
	assert_int_equal(create(c, "/a", "three", CREATE_EPHEMERAL), ZERR_OK);
	s = stat_of("/a");
	assert_int_equal(s.czxid, last.header.zxid);
	expect_stat(s, (struct proto_stat){ .czxid = s.czxid,
					    .mzxid = s.czxid,
					    .pzxid = s.czxid,
					    .ctime = s.ctime,
					    .mtime = s.ctime,
					    .ephemeral_owner = c->session_id,
					    .data_length = 5 });
}

static void test_most_ephemerals_of_a_session(void **state)
{
	struct headless_client *other;

	(void)state;
	headless_stop(&h);
	h.registry_options.max_ephemerals = 2;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(create(c, "/a", "", CREATE_EPHEMERAL), ZERR_OK);
	assert_int_equal(create(c, "/b", "", CREATE_EPHEMERAL), ZERR_OK);
	assert_int_equal(create(c, "/c", "", CREATE_EPHEMERAL), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(create(c, "/c", "", 0), ZERR_OK);
	other = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(create(other, "/d", "", CREATE_EPHEMERAL), ZERR_OK);
	delete_any(c, "/a");
	assert_int_equal(create(c, "/e", "", CREATE_EPHEMERAL), ZERR_OK);
}

/* Their memory counts too, whoever makes them grow. */
static void test_most_bytes_of_ephemerals(void **state)
{
	char large[3001];
	struct headless_client *other;

	(void)state;
	headless_stop(&h);
	h.registry_options.max_ephemeral_bytes = 8000;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	assert_int_equal(create(c, "/a", large, CREATE_EPHEMERAL), ZERR_OK);
	assert_int_equal(create(c, "/b", large, CREATE_EPHEMERAL), ZERR_OK);
	assert_int_equal(create(c, "/c", large, CREATE_EPHEMERAL), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(exists(c, "/c"), ZERR_NO_NODE);
	assert_int_equal(create(c, "/c", "", CREATE_EPHEMERAL), ZERR_OK);
	assert_int_equal(create(c, "/p", large, 0), ZERR_OK);
	other = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(set(other, "/c", large), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(set(other, "/a", ""), ZERR_OK);
	assert_int_equal(set(other, "/c", large), ZERR_OK);
	assert_int_equal(set(other, "/a", large), ZERR_QUOTA_EXCEEDED);
	delete_any(c, "/c");
	assert_int_equal(set(other, "/a", large), ZERR_OK);
	/* What is there is counted after a restart as before. */
	headless_restart(&h);
	other = headless_connect(&h, NULL);
	assert_true(headless_resume(other, c));
	assert_int_equal(create(other, "/c", large, CREATE_EPHEMERAL), ZERR_QUOTA_EXCEEDED);
	assert_int_equal(create(other, "/c", "", CREATE_EPHEMERAL), ZERR_OK);
}

static void test_longest_path(void **state)
{
	char path[64];

	(void)state;
	headless_stop(&h);
	h.registry_options.max_path = 40;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[40] = 0;
	assert_int_equal(create(c, path, "", 0), ZERR_OK);
	path[40] = 'x';
	path[41] = 0;
	assert_int_equal(create(c, path, "", 0), ZERR_BAD_ARGUMENTS);
	assert_int_equal(ask(c, OP_EXISTS, path, false), ZERR_NO_NODE);
	/* Nobody may wait for what cannot be. */
	assert_int_equal(ask(c, OP_EXISTS, path, true), ZERR_BAD_ARGUMENTS);
	/* With its number. */
	path[31] = 0;
	assert_int_equal(create(c, path, "", CREATE_SEQUENTIAL), ZERR_BAD_ARGUMENTS);
	path[30] = 0;
	assert_int_equal(create(c, path, "", CREATE_SEQUENTIAL), ZERR_OK);
	assert_null(c->closing);
}

static int32_t create_ttl(const char *path, int32_t flags, int64_t ttl_ms)
{
	headless_begin(c, ++xid, OP_CREATE_TTL);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, slice_of(""));
	jute_write_raw(&c->w, headless_world().data, headless_world().len);
	jute_write_int(&c->w, flags);
	jute_write_long(&c->w, ttl_ms);
	headless_send(c);
	return finish(c);
}

/* Answered as create2; whatever the flags say, it is a container, numbered if they say so. */
static void test_create_container(void **state)
{
	static const struct {
		int32_t flags;
		const char *made;
	} ways[] = {
		{ CREATE_CONTAINER, "/c4" },
		{ CREATE_PERSISTENT, "/c0" },
		{ CREATE_EPHEMERAL, "/c1" },
		{ CREATE_SEQUENTIAL, "/c20000000003" },
		{ CREATE_EPHEMERAL_SEQUENTIAL, "/c30000000004" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char path[8];

		snprintf(path, sizeof(path), "/c%d", ways[i].flags);
		assert_int_equal(create_with(c, OP_CREATE_CONTAINER, path, slice_of("x"),
					     headless_world(), ways[i].flags),
				 ZERR_OK);
		expect_text(ways[i].made);
		assert_int_equal(take_stat().ephemeral_owner, 0);
	}
	/* It has children, as an ephemeral one has not, and stays when the session ends. */
	assert_int_equal(create(c, "/c1/a", "", 0), ZERR_OK);
	headless_close_session(c, ++xid);
	assert_int_equal(finish(c), ZERR_OK);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/c1/a"), ZERR_OK);
	assert_int_equal(
		create_with(c, OP_CREATE_CONTAINER, "/c9", slice_of(""), headless_world(), 9),
		ZERR_BAD_ARGUMENTS);
}

static void test_create_ttl(void **state)
{
	(void)state;
	assert_int_equal(create_ttl("/t", CREATE_TTL, 1000), ZERR_UNIMPLEMENTED);
	assert_null(c->closing);
	headless_stop(&h);
	h.registry_options.extended_types = true;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(create_ttl("/t", CREATE_TTL, 1000), ZERR_OK);
	expect_text("/t");
	assert_int_equal(take_stat().ephemeral_owner, 0);
	assert_int_equal(create_ttl("/t-", CREATE_TTL_SEQUENTIAL, 1), ZERR_OK);
	expect_text("/t-0000000001");
	assert_int_equal(create_ttl("/long", CREATE_TTL, PROTO_TTL_MAX_MS), ZERR_OK);
	assert_int_equal(create_ttl("/u", CREATE_TTL, 0), ZERR_BAD_ARGUMENTS);
	assert_int_equal(create_ttl("/u", CREATE_TTL, -1), ZERR_BAD_ARGUMENTS);
	assert_int_equal(create_ttl("/u", CREATE_TTL, PROTO_TTL_MAX_MS + 1), ZERR_BAD_ARGUMENTS);
	assert_int_equal(create_ttl("/u", CREATE_PERSISTENT, 1000), ZERR_BAD_ARGUMENTS);
	assert_int_equal(create_ttl("/u", CREATE_PERSISTENT, -1), ZERR_BAD_ARGUMENTS);
	/* A plain create has no TTL to give. */
	assert_int_equal(create(c, "/u", "", CREATE_TTL), ZERR_BAD_ARGUMENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_create),
		REGISTRY_TEST(test_create2),
		REGISTRY_TEST(test_null_and_empty_data),
		REGISTRY_TEST(test_ephemeral),
		REGISTRY_TEST(test_sequential),
		REGISTRY_TEST(test_the_counter),
		REGISTRY_TEST(test_cversion_counts_both_ways),
		REGISTRY_TEST(test_flags),
		REGISTRY_TEST(test_bad_paths),
		REGISTRY_TEST(test_order_of_checks),
		REGISTRY_TEST(test_a_failed_create_changes_nothing),
		REGISTRY_TEST(test_delete_and_create_again),
		REGISTRY_TEST(test_most_ephemerals_of_a_session),
		REGISTRY_TEST(test_most_bytes_of_ephemerals),
		REGISTRY_TEST(test_longest_path),
		REGISTRY_TEST(test_create_container),
		REGISTRY_TEST(test_create_ttl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
