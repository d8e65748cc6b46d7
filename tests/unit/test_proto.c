#include "wire/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* Records are built with the jute writer, whose bytes test_jute.c pins. */
static struct buf out;
static struct jute_writer w;
static char *copy;

static int set_up(void **state)
{
	(void)state;
	buf_init(&out, 10000);
	jute_writer_init(&w, &out);
	copy = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	free(copy);
	return 0;
}

/* A reader over the first len bytes written, in a copy that is exactly as large. */
static struct jute_reader reader_over(size_t len)
{
	struct jute_reader r;

	free(copy);
	copy = malloc(len > 0 ? len : 1);
	memcpy(copy, buf_head(&out), len);
	jute_reader_init(&r, (struct slice){ copy, len });
	return r;
}

static struct jute_reader reader(void)
{
	assert_false(w.bad);
	return reader_over(buf_len(&out));
}

static void assert_done(const struct jute_reader *r)
{
	assert_false(r->bad);
	assert_int_equal(jute_reader_left(r), 0);
}

/* The ACL of two entries that most tests use. */
static void write_two_acls(void)
{
	const struct proto_acl anyone = { PERM_READ, slice_of("world"), slice_of("anyone") };
	const struct proto_acl owner = { PERM_ALL, slice_of("x509"), slice_of("CN=a,O=b") };

	jute_write_int(&w, 2);
	proto_write_acl(&w, &anyone);
	proto_write_acl(&w, &owner);
}

static void assert_two_acls(const struct proto_acls *acls)
{
	struct jute_reader items;
	struct proto_acl acl;

	assert_int_equal(acls->count, 2);
	jute_reader_init(&items, acls->raw);
	acl = proto_read_acl(&items);
	assert_int_equal(acl.perms, PERM_READ);
	assert_true(slice_is(acl.scheme, "world"));
	assert_true(slice_is(acl.id, "anyone"));
	acl = proto_read_acl(&items);
	assert_int_equal(acl.perms, PERM_ALL);
	assert_true(slice_is(acl.scheme, "x509"));
	assert_true(slice_is(acl.id, "CN=a,O=b"));
	assert_done(&items);
}

static void test_acls(void **state)
{
	struct jute_reader r;
	struct proto_acls acls;
	size_t len;

	(void)state;
	write_two_acls();
	len = buf_len(&out);
	r = reader();
	acls = proto_read_acls(&r);
	assert_done(&r);
	assert_two_acls(&acls);
	/* Kept as it came, but for the count. */
	assert_int_equal(acls.raw.len, len - 4);
	assert_memory_equal(acls.raw.data, (const char *)buf_head(&out) + 4, len - 4);
}

/* Null, empty and a count below -1, which Java's loop takes for empty. */
static void test_acls_without_entries(void **state)
{
	static const struct {
		int32_t sent;
		int32_t read;
	} cases[] = { { -1, -1 }, { 0, 0 }, { -2, 0 }, { INT32_MIN, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jute_reader r;
		struct proto_acls acls;

		buf_clear(&out);
		jute_write_int(&w, cases[i].sent);
		jute_write_int(&w, 77);
		r = reader();
		acls = proto_read_acls(&r);
		assert_int_equal(acls.count, cases[i].read);
		assert_int_equal(acls.raw.len, 0);
		assert_int_equal(acls.raw.data == NULL, cases[i].read == -1);
		assert_int_equal(jute_read_int(&r), 77);
		assert_done(&r);
	}
}

static void test_acls_that_are_cut_short(void **state)
{
	(void)state;
	write_two_acls();
	for (size_t len = 0; len < buf_len(&out); len++) {
		struct jute_reader r = reader_over(len);
		struct proto_acls acls = proto_read_acls(&r);

		assert_true(r.bad);
		assert_int_equal(acls.count, 0);
		assert_null(acls.raw.data);
	}
}

static void test_count_beyond_the_input(void **state)
{
	struct jute_reader r;
	struct jute_reader items;

	(void)state;
	jute_write_int(&w, INT32_MAX);
	jute_write_long(&w, 0);
	jute_write_long(&w, 0);
	r = reader();
	proto_read_acls(&r);
	assert_true(r.bad);
	r = reader();
	assert_int_equal(proto_read_strings(&r, &items), 0);
	assert_true(r.bad);
}

static void test_strings(void **state)
{
	struct jute_reader r;
	struct jute_reader items;

	(void)state;
	jute_write_int(&w, 3);
	jute_write_buffer(&w, slice_of("/a"));
	jute_write_buffer(&w, (struct slice){ NULL, 0 });
	jute_write_buffer(&w, slice_of(""));
	jute_write_int(&w, -1);
	jute_write_int(&w, -5);
	jute_write_int(&w, 77);
	r = reader();
	assert_int_equal(proto_read_strings(&r, &items), 3);
	assert_true(slice_is(jute_read_buffer(&items), "/a"));
	assert_null(jute_read_buffer(&items).data);
	assert_non_null(jute_read_buffer(&items).data);
	assert_done(&items);
	assert_int_equal(proto_read_strings(&r, &items), -1);
	assert_done(&items);
	assert_int_equal(proto_read_strings(&r, &items), 0);
	assert_done(&items);
	assert_int_equal(jute_read_int(&r), 77);
	assert_done(&r);
}

static void test_strings_that_are_cut_short(void **state)
{
	(void)state;
	jute_write_int(&w, 2);
	jute_write_buffer(&w, slice_of("/a"));
	jute_write_buffer(&w, slice_of("/b"));
	for (size_t len = 0; len < buf_len(&out); len++) {
		struct jute_reader r = reader_over(len);
		struct jute_reader items;

		assert_int_equal(proto_read_strings(&r, &items), 0);
		assert_true(r.bad);
		assert_done(&items);
	}
}

static void write_connect(void)
{
	jute_write_int(&w, 0);
	jute_write_long(&w, INT64_C(0x1122334455));
	jute_write_int(&w, 30000);
	jute_write_long(&w, INT64_C(0x10000000001));
	jute_write_buffer(&w, slice_of("0123456789abcdef"));
}

static void test_connect(void **state)
{
	struct proto_connect_request c;
	struct jute_reader r;

	(void)state;
	write_connect();
	r = reader();
	c = proto_read_connect(&r);
	assert_done(&r);
	assert_int_equal(c.protocol_version, 0);
	assert_true(c.last_zxid_seen == INT64_C(0x1122334455));
	assert_int_equal(c.timeout, 30000);
	assert_true(c.session_id == INT64_C(0x10000000001));
	assert_true(slice_is(c.passwd, "0123456789abcdef"));
	assert_false(c.has_read_only);
	assert_false(c.read_only);

	jute_write_bool(&w, false);
	r = reader();
	c = proto_read_connect(&r);
	assert_done(&r);
	assert_true(c.has_read_only);
	assert_false(c.read_only);

	buf_clear(&out);
	write_connect();
	jute_write_bool(&w, true);
	r = reader();
	c = proto_read_connect(&r);
	assert_true(c.has_read_only);
	assert_true(c.read_only);
}

static void test_connect_that_is_cut_short(void **state)
{
	(void)state;
	write_connect();
	for (size_t len = 0; len < buf_len(&out); len++) {
		struct jute_reader r = reader_over(len);
		struct proto_connect_request c = proto_read_connect(&r);

		assert_true(r.bad);
		assert_false(c.has_read_only);
		assert_false(c.read_only);
	}
}

static void test_connect_reply(void **state)
{
	struct proto_connect_reply reply = { 30000, 0x10000000001, { 0 }, false };

	(void)state;
	memcpy(reply.passwd, "0123456789abcdef", PROTO_PASSWORD_LEN);
	proto_write_connect_reply(&w, &reply);
	assert_int_equal(buf_len(&out), 36);
	assert_memory_equal(buf_head(&out),
			    "\0\0\0\0"
			    "\0\0\x75\x30"
			    "\0\0\x01\0\0\0\0\x01"
			    "\0\0\0\x10"
			    "0123456789abcdef",
			    36);
	buf_clear(&out);
	reply.with_read_only = true;
	proto_write_connect_reply(&w, &reply);
	assert_int_equal(buf_len(&out), 37);
	assert_int_equal(buf_head(&out)[36], 0);
}

static void test_headers(void **state)
{
	const struct proto_reply_header reply = { 7, INT64_C(0x100000002), ZERR_NO_NODE };
	struct proto_request_header h;
	struct jute_reader r;

	(void)state;
	jute_write_int(&w, XID_PING);
	jute_write_int(&w, OP_PING);
	r = reader();
	h = proto_read_request_header(&r);
	assert_done(&r);
	assert_int_equal(h.xid, -2);
	assert_int_equal(h.type, 11);
	buf_clear(&out);
	proto_write_reply_header(&w, &reply);
	assert_int_equal(buf_len(&out), PROTO_REPLY_HEADER_LEN);
	assert_memory_equal(buf_head(&out),
			    "\0\0\0\x07"
			    "\0\0\0\x01\0\0\0\x02"
			    "\xff\xff\xff\x9b",
			    16);
}

static void test_create(void **state)
{
	struct proto_create c;
	struct jute_reader r;

	(void)state;
	jute_write_buffer(&w, slice_of("/a"));
	jute_write_buffer(&w, (struct slice){ NULL, 0 });
	write_two_acls();
	jute_write_int(&w, CREATE_EPHEMERAL | CREATE_SEQUENTIAL);
	r = reader();
	c = proto_read_create(&r, OP_CREATE);
	assert_done(&r);
	assert_true(slice_is(c.path, "/a"));
	assert_null(c.data.data);
	assert_two_acls(&c.acl);
	assert_int_equal(c.flags, 3);
	for (size_t len = 0; len < buf_len(&out); len++) {
		r = reader_over(len);
		proto_read_create(&r, OP_CREATE);
		assert_true(r.bad);
	}
}

static void test_set_data(void **state)
{
	struct proto_set_data v;
	struct jute_reader r;

	(void)state;
	jute_write_buffer(&w, slice_of("/a"));
	jute_write_buffer(&w, slice_of("data"));
	jute_write_int(&w, -1);
	r = reader();
	v = proto_read_set_data(&r);
	assert_done(&r);
	assert_true(slice_is(v.path, "/a"));
	assert_true(slice_is(v.data, "data"));
	assert_int_equal(v.version, PROTO_VERSION_ANY);
}

static void test_set_acl(void **state)
{
	struct proto_set_acl v;
	struct jute_reader r;

	(void)state;
	jute_write_buffer(&w, slice_of("/a"));
	write_two_acls();
	jute_write_int(&w, 4);
	r = reader();
	v = proto_read_set_acl(&r);
	assert_done(&r);
	assert_true(slice_is(v.path, "/a"));
	assert_two_acls(&v.acl);
	assert_int_equal(v.version, 4);
}

static void test_small_requests(void **state)
{
	struct proto_path_version version;
	struct proto_path_watch watch;
	struct proto_auth auth;
	struct jute_reader r;

	(void)state;
	jute_write_buffer(&w, slice_of("/v"));
	jute_write_int(&w, 3);
	jute_write_buffer(&w, slice_of("/w"));
	jute_write_bool(&w, true);
	jute_write_int(&w, 1);
	jute_write_buffer(&w, slice_of("digest"));
	jute_write_buffer(&w, slice_of("user:secret"));
	r = reader();
	version = proto_read_path_version(&r);
	assert_true(slice_is(version.path, "/v"));
	assert_int_equal(version.version, 3);
	watch = proto_read_path_watch(&r);
	assert_true(slice_is(watch.path, "/w"));
	assert_true(watch.watch);
	auth = proto_read_auth(&r);
	assert_int_equal(auth.type, 1);
	assert_true(slice_is(auth.scheme, "digest"));
	assert_true(slice_is(auth.auth, "user:secret"));
	assert_done(&r);
}

static void test_multi_header(void **state)
{
	const struct proto_multi_header end = { -1, true, -1 };
	struct proto_multi_header h;
	struct jute_reader r;

	(void)state;
	proto_write_multi_header(&w, &end);
	assert_memory_equal(buf_head(&out), "\xff\xff\xff\xff\x01\xff\xff\xff\xff", 9);
	r = reader();
	h = proto_read_multi_header(&r);
	assert_done(&r);
	assert_int_equal(h.type, -1);
	assert_true(h.done);
	assert_int_equal(h.err, -1);
	buf_clear(&out);
	proto_write_multi_header(&w, &(struct proto_multi_header){ OP_CHECK, false, -103 });
	assert_memory_equal(buf_head(&out), "\0\0\0\x0d\0\xff\xff\xff\x99", 9);
}

/* Each field has a value of its own, so that no two can be exchanged. */
static void test_stat(void **state)
{
	const struct proto_stat stat = {
		.czxid = 1,
		.mzxid = 2,
		.ctime = 3,
		.mtime = 4,
		.version = 5,
		.cversion = 6,
		.aversion = 7,
		.ephemeral_owner = 8,
		.data_length = 9,
		.num_children = 10,
		.pzxid = 11,
	};
	struct jute_reader r;

	(void)state;
	proto_write_stat(&w, &stat);
	assert_int_equal(buf_len(&out), 68);
	r = reader();
	for (int i = 1; i <= 4; i++)
		assert_true(jute_read_long(&r) == i);
	for (int i = 5; i <= 7; i++)
		assert_int_equal(jute_read_int(&r), i);
	assert_true(jute_read_long(&r) == 8);
	assert_int_equal(jute_read_int(&r), 9);
	assert_int_equal(jute_read_int(&r), 10);
	assert_true(jute_read_long(&r) == 11);
	assert_done(&r);
}

static void test_watcher_event(void **state)
{
	(void)state;
	proto_write_watcher_event(&w, EVENT_NODE_DELETED, EVENT_STATE_SYNC_CONNECTED,
				  slice_of("/a"));
	assert_int_equal(buf_len(&out), 14);
	assert_memory_equal(buf_head(&out), "\0\0\0\x02\0\0\0\x03\0\0\0\x02/a", 14);
}

static void test_opcode_names(void **state)
{
	static const struct {
		int32_t op;
		const char *name;
	} cases[] = {
		{ 0, "notification" },
		{ 1, "create" },
		{ 2, "delete" },
		{ 3, "exists" },
		{ 4, "getData" },
		{ 5, "setData" },
		{ 6, "getACL" },
		{ 7, "setACL" },
		{ 8, "getChildren" },
		{ 9, "sync" },
		{ 11, "ping" },
		{ 12, "getChildren2" },
		{ 13, "check" },
		{ 14, "multi" },
		{ 15, "create2" },
		{ 16, "reconfig" },
		{ 17, "checkWatches" },
		{ 18, "removeWatches" },
		{ 19, "createContainer" },
		{ 20, "deleteContainer" },
		{ 21, "createTTL" },
		{ 22, "multiRead" },
		{ 100, "auth" },
		{ 101, "setWatches" },
		{ 102, "sasl" },
		{ 103, "getEphemerals" },
		{ 104, "getAllChildrenNumber" },
		{ 105, "setWatches2" },
		{ 106, "addWatch" },
		{ 107, "whoAmI" },
		{ -10, "createSession" },
		{ -11, "closeSession" },
		{ -1, "error" },
		{ 10, "unknown" },
		{ 23, "unknown" },
		{ -2, "unknown" },
		{ INT32_MIN, "unknown" },
		{ INT32_MAX, "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(opcode_name(cases[i].op), cases[i].name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_acls),
		TEST(test_acls_without_entries),
		TEST(test_acls_that_are_cut_short),
		TEST(test_count_beyond_the_input),
		TEST(test_strings),
		TEST(test_strings_that_are_cut_short),
		TEST(test_connect),
		TEST(test_connect_that_is_cut_short),
		TEST(test_connect_reply),
		TEST(test_headers),
		TEST(test_create),
		TEST(test_set_data),
		TEST(test_set_acl),
		TEST(test_small_requests),
		TEST(test_multi_header),
		TEST(test_stat),
		TEST(test_watcher_event),
		TEST(test_opcode_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
