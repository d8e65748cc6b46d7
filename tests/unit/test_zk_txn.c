/* Transactions as ZooKeeper logs them. */
#include "wire/zk_txn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define SESSION INT64_C(0x100000000000007)

static struct buf body;
static struct jute_writer w;

static int setup(void **state)
{
	(void)state;
	buf_init(&body, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&body);
	return 0;
}

static void begin(int32_t type)
{
	buf_clear(&body);
	jute_writer_init(&w, &body);
	jute_write_long(&w, SESSION);
	jute_write_int(&w, 3);
	jute_write_long(&w, 0x500000009);
	jute_write_long(&w, 1700000000000);
	jute_write_int(&w, type);
}

static void write_text(const char *text)
{
	jute_write_buffer(&w, slice_of(text));
}

static void write_acl(void)
{
	const struct proto_acl anyone = { PERM_ALL, slice_of("world"), slice_of("anyone") };

	jute_write_int(&w, 1);
	proto_write_acl(&w, &anyone);
}

static void write_create(int32_t type, const char *path)
{
	write_text(path);
	write_text("data");
	write_acl();
	if (type == OP_CREATE || type == OP_CREATE2)
		jute_write_bool(&w, true);
	jute_write_int(&w, 4);
	if (type == OP_CREATE_TTL)
		jute_write_long(&w, 60000);
}

static void write_digest(void)
{
	jute_write_int(&w, 2);
	jute_write_long(&w, 0x123456789a);
}

static struct zk_txn read_good(void)
{
	struct zk_txn t;

	assert_int_equal(zk_txn_read(buf_slice(&body), &t), ZK_TXN_GOOD);
	assert_int_equal(t.session, SESSION);
	assert_int_equal(t.cxid, 3);
	assert_int_equal(t.zxid, 0x500000009);
	assert_int_equal(t.time_ms, 1700000000000);
	return t;
}

/* Without its last bytes it is none; with a digest behind it, it has that. */
static void assert_whole(void)
{
	struct slice all = buf_slice(&body);
	struct zk_txn t;

	for (size_t len = 0; len < all.len; len++) {
		char *part = malloc(len + 1);

		memcpy(part, all.data, len);
		assert_int_equal(zk_txn_read((struct slice){ part, len }, &t), ZK_TXN_DAMAGED);
		free(part);
	}
	assert_int_equal(read_good().digest_version, 0);
	write_digest();
	t = read_good();
	assert_int_equal(t.digest_version, 2);
	assert_int_equal(t.digest, 0x123456789a);
}

static void test_creates(void **state)
{
	static const int32_t types[] = { OP_CREATE2, OP_CREATE_CONTAINER, OP_CREATE_TTL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct zk_txn t;

		begin(types[i]);
		write_create(types[i], "/a");
		t = read_good();
		assert_int_equal(t.type, types[i]);
		assert_true(slice_is(t.path, "/a"));
		assert_true(slice_is(t.data, "data"));
		assert_int_equal(t.acl.count, 1);
		assert_int_equal(t.is_ephemeral, types[i] == OP_CREATE2);
		assert_int_equal(t.parent_creates, 4);
		assert_int_equal(t.ttl_ms, types[i] == OP_CREATE_TTL ? 60000 : 0);
		assert_whole();
	}
}

/* That of 3.3 has one number less. */
static void test_create_of_old(void **state)
{
	struct slice all;
	struct zk_txn t;

	(void)state;
	begin(OP_CREATE);
	write_create(OP_CREATE, "/a");
	t = read_good();
	assert_int_equal(t.parent_creates, 4);
	all = buf_slice(&body);
	all.len -= 4;
	assert_int_equal(zk_txn_read(all, &t), ZK_TXN_GOOD);
	assert_int_equal(t.parent_creates, -1);
	assert_true(t.is_ephemeral);
	all.len--;
	assert_int_equal(zk_txn_read(all, &t), ZK_TXN_DAMAGED);
}

static void test_changes(void **state)
{
	struct zk_txn t;

	(void)state;
	begin(OP_DELETE);
	write_text("/a");
	assert_true(slice_is(read_good().path, "/a"));
	assert_whole();

	begin(OP_DELETE_CONTAINER);
	write_text("/a");
	assert_int_equal(read_good().type, OP_DELETE_CONTAINER);

	begin(OP_SET_DATA);
	write_text("/a");
	jute_write_buffer(&w, (struct slice){ NULL, 0 });
	jute_write_int(&w, 7);
	t = read_good();
	assert_null(t.data.data);
	assert_int_equal(t.version, 7);
	assert_whole();

	begin(OP_RECONFIG);
	write_text("/zookeeper/config");
	write_text("server.1=a");
	jute_write_int(&w, -1);
	assert_int_equal(read_good().type, OP_SET_DATA);

	begin(OP_SET_ACL);
	write_text("/a");
	write_acl();
	jute_write_int(&w, 2);
	t = read_good();
	assert_int_equal(t.acl.count, 1);
	assert_int_equal(t.version, 2);
	assert_whole();

	begin(OP_ERROR);
	jute_write_int(&w, ZERR_NO_NODE);
	assert_int_equal(read_good().err, ZERR_NO_NODE);
	assert_whole();
}

static void test_sessions(void **state)
{
	struct zk_txn t;

	(void)state;
	begin(OP_CREATE_SESSION);
	jute_write_int(&w, 30000);
	assert_int_equal(read_good().timeout_ms, 30000);
	assert_whole();

	begin(OP_CLOSE_SESSION);
	jute_write_int(&w, 2);
	write_text("/a");
	write_text("/b");
	t = read_good();
	assert_int_equal(t.path_count, 2);
	assert_true(slice_is(jute_read_buffer(&t.paths), "/a"));
	assert_true(slice_is(jute_read_buffer(&t.paths), "/b"));
	write_digest();
	t = read_good();
	assert_int_equal(t.path_count, 2);
	assert_int_equal(t.digest_version, 2);
}

/* Before 3.6 it had no body; and where it was told not to have one, a digest may follow. */
static void test_close_session_of_old(void **state)
{
	struct zk_txn t;

	(void)state;
	begin(OP_CLOSE_SESSION);
	t = read_good();
	assert_int_equal(t.path_count, 0);
	assert_int_equal(jute_reader_left(&t.paths), 0);
	write_digest();
	t = read_good();
	assert_int_equal(t.path_count, 0);
	assert_int_equal(t.digest_version, 2);
}

static void write_part(int32_t type, void (*write)(int32_t type))
{
	struct buf outer = body;
	struct jute_writer outer_writer = w;

	buf_init(&body, 1 << 16);
	jute_writer_init(&w, &body);
	write(type);
	{
		struct buf part = body;

		body = outer;
		w = outer_writer;
		w.out = &body;
		jute_write_int(&w, type);
		jute_write_buffer(&w, buf_slice(&part));
		buf_fini(&part);
	}
}

static void part_create(int32_t type)
{
	write_create(type, "/m");
}

static void part_check(int32_t type)
{
	(void)type;
	write_text("/c");
	jute_write_int(&w, 5);
}

static void part_error(int32_t type)
{
	(void)type;
	jute_write_int(&w, ZERR_BAD_VERSION);
}

static void test_multi(void **state)
{
	struct zk_txn t, part;

	(void)state;
	begin(OP_MULTI);
	jute_write_int(&w, 3);
	write_part(OP_CREATE, part_create);
	write_part(OP_CHECK, part_check);
	write_part(OP_CREATE_TTL, part_create);
	t = read_good();
	assert_false(zk_txn_has_failed(&t));
	assert_int_equal(zk_txn_next_part(&t, &part), 1);
	assert_int_equal(part.type, OP_CREATE);
	assert_int_equal(part.zxid, t.zxid);
	assert_int_equal(part.session, SESSION);
	assert_true(slice_is(part.path, "/m"));
	assert_int_equal(zk_txn_next_part(&t, &part), 1);
	assert_int_equal(part.type, OP_CHECK);
	assert_int_equal(part.version, 5);
	assert_int_equal(zk_txn_next_part(&t, &part), 1);
	assert_int_equal(part.ttl_ms, 60000);
	assert_int_equal(zk_txn_next_part(&t, &part), 0);
	assert_whole();
}

static void test_multi_that_failed(void **state)
{
	struct zk_txn t;

	(void)state;
	begin(OP_MULTI);
	jute_write_int(&w, 2);
	write_part(OP_CREATE, part_create);
	write_part(OP_ERROR, part_error);
	t = read_good();
	assert_true(zk_txn_has_failed(&t));
}

static void test_multi_without_parts(void **state)
{
	struct zk_txn t, part;

	(void)state;
	begin(OP_MULTI);
	jute_write_int(&w, 0);
	t = read_good();
	assert_int_equal(zk_txn_next_part(&t, &part), 0);
	begin(OP_MULTI);
	jute_write_int(&w, -1);
	assert_int_equal(zk_txn_read(buf_slice(&body), &t), ZK_TXN_DAMAGED);
}

static void test_parts_that_no_multi_has(void **state)
{
	struct zk_txn t, part;

	(void)state;
	begin(OP_MULTI);
	jute_write_int(&w, 1);
	write_part(OP_SET_ACL, part_check);
	t = read_good();
	assert_int_equal(zk_txn_next_part(&t, &part), -1);
	/* One of 3.3 has no multi: none of its creates is in one. */
	begin(OP_MULTI);
	jute_write_int(&w, 1);
	write_part(OP_CREATE, part_error);
	t = read_good();
	assert_int_equal(zk_txn_next_part(&t, &part), -1);
}

static void test_unsupported(void **state)
{
	static const int32_t types[] = { OP_CHECK, OP_SYNC, 99, 0 };
	struct zk_txn t;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		begin(types[i]);
		write_text("/a");
		jute_write_int(&w, 1);
		assert_int_equal(zk_txn_read(buf_slice(&body), &t), ZK_TXN_UNSUPPORTED);
		assert_int_equal(t.type, types[i]);
		assert_int_equal(t.zxid, 0x500000009);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_creates),
		TEST(test_create_of_old),
		TEST(test_changes),
		TEST(test_sessions),
		TEST(test_close_session_of_old),
		TEST(test_multi),
		TEST(test_multi_that_failed),
		TEST(test_multi_without_parts),
		TEST(test_parts_that_no_multi_has),
		TEST(test_unsupported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
