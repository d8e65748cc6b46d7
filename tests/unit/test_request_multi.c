/* multi: one zxid, all or nothing, the vector of errors. */
#include "base/metrics.h"
#include "tests/unit/registry_fixture.h"

static void begin(void)
{
	headless_begin(c, ++xid, OP_MULTI);
}

static void op_header(int32_t type)
{
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ type, false, -1 });
}

static void add_create(int32_t type, const char *path, const char *data, int32_t flags)
{
	op_header(type);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, data ? slice_of(data) : (struct slice){ 0 });
	jute_write_raw(&c->w, headless_world().data, headless_world().len);
	jute_write_int(&c->w, flags);
}

static void add_version(int32_t type, const char *path, int32_t version)
{
	op_header(type);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_int(&c->w, version);
}

static void add_set(const char *path, const char *data, int32_t version)
{
	op_header(OP_SET_DATA);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, slice_of(data));
	jute_write_int(&c->w, version);
}

static void end(void)
{
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	/* Its header says OK, whatever became of it. */
	assert_int_equal(finish(c), ZERR_OK);
}

static void expect_result(int32_t type)
{
	struct proto_multi_header header = proto_read_multi_header(&last.body);

	assert_int_equal(header.type, type);
	assert_false(header.done);
	assert_int_equal(header.err, ZERR_OK);
}

static void expect_done(void)
{
	struct proto_multi_header header = proto_read_multi_header(&last.body);

	assert_true(header.done);
	assert_int_equal(header.type, -1);
	assert_int_equal(header.err, -1);
	expect_end();
}

static void expect_errors(const int32_t *errors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct proto_multi_header header = proto_read_multi_header(&last.body);

		assert_int_equal(header.type, OP_ERROR);
		assert_false(header.done);
		assert_int_equal(header.err, errors[i]);
		assert_int_equal(jute_read_int(&last.body), errors[i]);
	}
	expect_done();
}
#define EXPECT_ERRORS(...)                              \
	expect_errors((const int32_t[]){ __VA_ARGS__ }, \
		      sizeof((const int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t))

/* What Kafka registers with: create with null data, then setData of version 0. */
static void test_create_and_set(void **state)
{
	int64_t before = registry_last_zxid(h.registry);
	struct proto_stat s;

	(void)state;
	begin();
	add_create(OP_CREATE, "/broker", NULL, CREATE_EPHEMERAL);
	add_set("/broker", "host", 0);
	end();
	assert_int_equal(last.header.zxid, before + 1);
	expect_result(OP_CREATE);
	expect_text("/broker");
	expect_result(OP_SET_DATA);
	s = headless_read_stat(&last.body);
	expect_done();
	expect_stat(s, (struct proto_stat){ .czxid = before + 1,
					    .mzxid = before + 1,
					    .pzxid = before + 1,
					    .ctime = clock_wall_ms(),
					    .mtime = clock_wall_ms(),
					    .version = 1,
					    .ephemeral_owner = c->session_id,
					    .data_length = 4 });
	expect_stat(stat_of("/broker"), s);
	expect_data("/broker", "host");
}

static void test_every_kind_of_operation(void **state)
{
	struct proto_stat s;

	(void)state;
	create(c, "/old", "", 0);
	create(c, "/kept", "", 0);
	begin();
	add_version(OP_CHECK, "/kept", 0);
	add_create(OP_CREATE2, "/p", "data", 0);
	add_create(OP_CREATE, "/p/n-", "", CREATE_SEQUENTIAL);
	add_create(OP_CREATE, "/p/n-", "", CREATE_SEQUENTIAL);
	add_version(OP_DELETE, "/old", 0);
	end();
	expect_result(OP_CHECK);
	expect_result(OP_CREATE2);
	expect_text("/p");
	s = headless_read_stat(&last.body);
	assert_int_equal(s.czxid, last.header.zxid);
	/* As of that operation. */
	assert_int_equal(s.num_children, 0);
	expect_result(OP_CREATE);
	expect_text("/p/n-0000000000");
	expect_result(OP_CREATE);
	expect_text("/p/n-0000000001");
	expect_result(OP_DELETE);
	expect_done();
	assert_string_equal(children("/"), "kept p zookeeper");
	assert_string_equal(children("/p"), "n-0000000000 n-0000000001");
	s = stat_of("/p");
	assert_int_equal(s.pzxid, s.czxid);
	assert_int_equal(s.cversion, 2);
	assert_int_equal(stat_of("/p/n-0000000001").czxid, s.czxid);
}

static void test_an_empty_one(void **state)
{
	int64_t before = registry_last_zxid(h.registry);

	(void)state;
	begin();
	end();
	expect_done();
	assert_int_equal(last.header.zxid, before + 1);
}

/* 0 before the one that failed, its code, -2 behind it; and nothing of it happened. */
static void test_a_failure_takes_everything_back(void **state)
{
	struct proto_stat root, p, e;
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);
	int64_t before;

	(void)state;
	create(c, "/p", "one", 0);
	create(c, "/p/e", "", CREATE_EPHEMERAL);
	create(c, "/p/gone", "", 0);
	root = stat_of("/");
	p = stat_of("/p");
	e = stat_of("/p/e");
	before = registry_last_zxid(h.registry);
	ask(watcher, OP_GET_CHILDREN, "/p", true);
	ask(watcher, OP_GET_DATA, "/p", true);
	begin();
	add_set("/p", "two", 0);
	add_create(OP_CREATE, "/p/new", "", 0);
	add_create(OP_CREATE, "/p/new/child", "", 0);
	add_version(OP_DELETE, "/p/gone", -1);
	add_set("/p/e", "changed", -1);
	add_version(OP_DELETE, "/p/e", 1);
	add_create(OP_CREATE, "/p/s", "", CREATE_SEQUENTIAL | CREATE_EPHEMERAL);
	add_set("/p", "three", 0);
	add_create(OP_CREATE, "/q", "", 0);
	end();
	EXPECT_ERRORS(0, 0, 0, 0, 0, 0, 0, ZERR_BAD_VERSION, ZERR_RUNTIME_INCONSISTENCY);
	/* It takes a zxid, as every write that fails. */
	assert_int_equal(last.header.zxid, before + 1);
	expect_stat(stat_of("/"), root);
	expect_stat(stat_of("/p"), p);
	expect_stat(stat_of("/p/e"), e);
	expect_data("/p", "one");
	expect_data("/p/e", "");
	assert_string_equal(children("/p"), "e gone");
	assert_int_equal(exists(c, "/p/new"), ZERR_NO_NODE);
	assert_int_equal(exists(c, "/p/new/child"), ZERR_NO_NODE);
	expect_silence(watcher);
	/* The counter did not move. */
	assert_int_equal(create(c, "/p/s", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/p/s0000000002");
	/* And the log never heard of it. */
	headless_restart(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_string_equal(children("/p"), "e gone s0000000002");
	expect_data("/p", "one");
}

static void test_errors_by_place(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	begin();
	add_version(OP_CHECK, "/a", 5);
	end();
	EXPECT_ERRORS(ZERR_BAD_VERSION);
	begin();
	add_version(OP_DELETE, "/nothing", -1);
	add_create(OP_CREATE, "/b", "", 0);
	add_create(OP_CREATE, "/c", "", 0);
	end();
	EXPECT_ERRORS(ZERR_NO_NODE, ZERR_RUNTIME_INCONSISTENCY, ZERR_RUNTIME_INCONSISTENCY);
	begin();
	add_create(OP_CREATE, "/b", "", 0);
	add_create(OP_CREATE, "/b", "", 0);
	end();
	EXPECT_ERRORS(0, ZERR_NODE_EXISTS);
	begin();
	add_create(OP_CREATE, "/b", "", 0);
	add_version(OP_DELETE, "/b", 0);
	add_version(OP_CHECK, "/b", -1);
	end();
	EXPECT_ERRORS(0, 0, ZERR_NO_NODE);
	begin();
	add_create(OP_CREATE, "/b", "", CREATE_EPHEMERAL);
	add_create(OP_CREATE, "/b/c", "", 0);
	end();
	EXPECT_ERRORS(0, ZERR_NO_CHILDREN_FOR_EPHEMERALS);
	begin();
	add_create(OP_CREATE, "/b", "", 0);
	add_create(OP_CREATE, "/b/c", "", 0);
	add_version(OP_DELETE, "/b", -1);
	end();
	EXPECT_ERRORS(0, 0, ZERR_NOT_EMPTY);
	assert_string_equal(children("/"), "a zookeeper");
}

static void test_delete_and_create_in_one(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);
	struct proto_stat s;

	(void)state;
	create(c, "/p", "", 0);
	create(c, "/p/a", "old", 0);
	set(c, "/p/a", "older");
	ask(watcher, OP_GET_DATA, "/p/a", true);
	begin();
	add_version(OP_DELETE, "/p/a", 1);
	add_create(OP_CREATE, "/p/a", "new", CREATE_EPHEMERAL);
	end();
	expect_event(watcher, EVENT_NODE_DELETED, "/p/a", last.header.zxid);
	expect_silence(watcher);
	for (int round = 0; round < 2; round++) {
		s = stat_of("/p/a");
		assert_int_equal(s.version, 0);
		assert_int_equal(s.ephemeral_owner, c->session_id);
		expect_data("/p/a", "new");
		assert_int_equal(stat_of("/p").cversion, 3);
		assert_string_equal(children("/p"), "a");
		headless_replay(&h);
	}
	headless_close_session(c, ++xid);
	finish(c);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_string_equal(children("/p"), "");
}

/* Nobody ever saw it; the parent's counters moved. */
static void test_create_and_delete_in_one(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	create(c, "/p", "", 0);
	ask(watcher, OP_EXISTS, "/p/a", true);
	begin();
	add_create(OP_CREATE, "/p/a", "", 0);
	add_version(OP_DELETE, "/p/a", 0);
	end();
	expect_event(watcher, EVENT_NODE_CREATED, "/p/a", last.header.zxid);
	expect_silence(watcher);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(exists(c, "/p/a"), ZERR_NO_NODE);
		assert_string_equal(children("/p"), "");
		assert_int_equal(stat_of("/p").cversion, 2);
		headless_replay(&h);
		if (round == 0)
			continue;
		headless_restart(&h);
		c = headless_new_session(&h, TIMEOUT_MS);
	}
	assert_int_equal(create(c, "/p/a", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/p/a0000000001");
}

static void test_one_event_for_each_watcher_and_path(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);
	int64_t zxid;

	(void)state;
	create(c, "/p", "", 0);
	ask(watcher, OP_GET_CHILDREN, "/p", true);
	ask(watcher, OP_GET_DATA, "/p", true);
	begin();
	add_create(OP_CREATE, "/p/a", "", 0);
	add_create(OP_CREATE, "/p/b", "", 0);
	add_set("/p", "x", -1);
	add_set("/p", "y", -1);
	end();
	zxid = last.header.zxid;
	expect_event(watcher, EVENT_NODE_CHILDREN_CHANGED, "/p", zxid);
	expect_event(watcher, EVENT_NODE_DATA_CHANGED, "/p", zxid);
	expect_silence(watcher);
}

/* delete /n, create /n with this ACL. */
static void replace_with(struct slice acls)
{
	begin();
	add_version(OP_DELETE, "/n", -1);
	op_header(OP_CREATE);
	jute_write_buffer(&c->w, slice_of("/n"));
	jute_write_buffer(&c->w, slice_of("new"));
	jute_write_raw(&c->w, acls.data, acls.len);
	jute_write_int(&c->w, 0);
	end();
	expect_result(OP_DELETE);
	expect_result(OP_CREATE);
	expect_text("/n");
	expect_done();
}

/* Who may learn of a deletion says the ACL of what was deleted, not of what is there instead. */
static void test_acl_of_what_was_deleted(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);
	struct buf closed;

	(void)state;
	buf_init(&closed, 1024);
	assert_int_equal(authenticate(c, "digest", "user:password"), ZERR_OK);
	headless_add_acl(&closed, PERM_ALL, "digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=");
	create(c, "/n", "open", 0);
	assert_int_equal(ask(watcher, OP_GET_DATA, "/n", true), ZERR_OK);
	replace_with(buf_slice(&closed));
	expect_event(watcher, EVENT_NODE_DELETED, "/n", last.header.zxid);
	expect_silence(watcher);
	/* The other way round: the watch is from a time when it was not there. */
	assert_int_equal(delete_any(c, "/n"), ZERR_OK);
	assert_int_equal(ask(watcher, OP_EXISTS, "/n", true), ZERR_NO_NODE);
	assert_int_equal(create_with(c, OP_CREATE, "/n", slice_of("secret"), buf_slice(&closed), 0),
			 ZERR_OK);
	expect_silence(watcher);
	buf_fini(&closed);
}

static void test_a_stranger_is_not_told_of_a_deletion(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);
	struct buf closed;

	(void)state;
	buf_init(&closed, 1024);
	headless_add_acl(&closed, PERM_ALL & ~PERM_READ, "world", "anyone");
	create(c, "/n", "open", 0);
	assert_int_equal(ask(watcher, OP_GET_DATA, "/n", true), ZERR_OK);
	assert_int_equal(set_acl(c, "/n", buf_slice(&closed), -1), ZERR_OK);
	replace_with(headless_world());
	expect_silence(watcher);
	assert_int_equal(ask(watcher, OP_GET_DATA, "/n", false), ZERR_OK);
	buf_fini(&closed);
}

/* An error of its own: no operation failed. Nothing of it is done, and the next one is as good as
 * ever. */
static void test_too_large_for_a_record(void **state)
{
	char path[16];

	(void)state;
	headless_stop(&h);
	h.registry_options.max_record = 4096;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	begin();
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		add_create(OP_CREATE, path, "", 0);
	}
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	assert_string_equal(children("/"), "zookeeper");
	begin();
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		add_create(OP_CREATE, path, "", 0);
	}
	end();
	expect_result(OP_CREATE);
	assert_int_equal(stat_of("/").num_children, 21);
	assert_null(c->closing);
}

static void test_malformed_ones_do_nothing(void **state)
{
	(void)state;
	/* An operation that no multi has, behind one that is fine. */
	begin();
	add_create(OP_CREATE, "/a", "", 0);
	add_version(OP_SYNC, "/a", 0);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	/* No end. */
	begin();
	add_create(OP_CREATE, "/a", "", 0);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	/* A null path. */
	begin();
	add_create(OP_CREATE, "/a", "", 0);
	op_header(OP_DELETE);
	jute_write_buffer(&c->w, (struct slice){ 0 });
	jute_write_int(&c->w, -1);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	assert_int_equal(exists(c, "/a"), ZERR_NO_NODE);
	assert_null(c->closing);
}

static void add_create_ttl(const char *path, int32_t flags, int64_t ttl_ms)
{
	add_create(OP_CREATE_TTL, path, "", flags);
	jute_write_long(&c->w, ttl_ms);
}

/* What comes with a Stat is answered as create2. */
static void test_containers_and_ttls(void **state)
{
	(void)state;
	/* Without TTLs the multi fails there, as a whole. */
	begin();
	add_create_ttl("/t", CREATE_TTL, 1000);
	add_create(OP_CREATE, "/a", "", 0);
	end();
	EXPECT_ERRORS(ZERR_UNIMPLEMENTED, ZERR_RUNTIME_INCONSISTENCY);
	assert_int_equal(exists(c, "/a"), ZERR_NO_NODE);
	assert_null(c->closing);
	headless_stop(&h);
	h.registry_options.extended_types = true;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	begin();
	add_create(OP_CREATE_CONTAINER, "/c", "", CREATE_CONTAINER);
	add_create_ttl("/t", CREATE_TTL, 1000);
	add_create(OP_CREATE, "/c/a", "", 0);
	end();
	expect_result(OP_CREATE2);
	expect_text("/c");
	assert_int_equal(headless_read_stat(&last.body).ephemeral_owner, 0);
	expect_result(OP_CREATE2);
	expect_text("/t");
	assert_int_equal(headless_read_stat(&last.body).ephemeral_owner, 0);
	expect_result(OP_CREATE);
	expect_text("/c/a");
	expect_done();
}

/* What cannot be understood is no result of an operation: a null id in an ACL, for one. */
static void test_an_operation_that_is_malformed(void **state)
{
	int64_t before;

	(void)state;
	before = registry_last_zxid(h.registry);
	begin();
	add_create(OP_CREATE, "/a", "", 0);
	op_header(OP_CREATE);
	jute_write_buffer(&c->w, slice_of("/b"));
	jute_write_buffer(&c->w, slice_of(""));
	jute_write_int(&c->w, 1);
	jute_write_int(&c->w, PERM_ALL);
	jute_write_buffer(&c->w, slice_of("digest"));
	jute_write_buffer(&c->w, (struct slice){ 0 });
	jute_write_int(&c->w, 0);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	assert_int_equal(last.header.zxid, before + 1);
	assert_int_equal(exists(c, "/a"), ZERR_NO_NODE);
}

/* End the multi that was begun: malformed as a whole. */
static void expect_malformed(bool takes_zxid)
{
	int64_t before = registry_last_zxid(h.registry);

	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	assert_int_equal(last.header.zxid, before + takes_zxid);
	assert_int_equal(registry_last_zxid(h.registry), before + takes_zxid);
	assert_int_equal(exists(c, "/a"), ZERR_NO_NODE);
}

static void add_create_without_acl(int32_t type, const char *path)
{
	op_header(type);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, slice_of(""));
	jute_write_int(&c->w, -1);
	jute_write_int(&c->w, CREATE_PERSISTENT);
	if (type == OP_CREATE_TTL)
		jute_write_long(&c->w, -1);
}

/* Without an ACL there is nothing to create; only createTTL fails of it as by itself. */
static void test_creates_without_acl(void **state)
{
	static const int32_t types[] = { OP_CREATE, OP_CREATE2, OP_CREATE_CONTAINER };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		begin();
		add_create(OP_CREATE, "/a", "", 0);
		add_create_without_acl(types[i], "/b");
		expect_malformed(false);
	}
	/* Whatever a path is that stands in front of it: paths are looked at behind all. */
	begin();
	op_header(OP_DELETE);
	jute_write_buffer(&c->w, (struct slice){ 0 });
	jute_write_int(&c->w, 0);
	add_create_without_acl(OP_CREATE, "/b");
	expect_malformed(false);
	begin();
	add_create_without_acl(OP_CREATE_TTL, "/b");
	end();
	EXPECT_ERRORS(ZERR_INVALID_ACL);
}

/* Here the flags decide what a create is. */
static void test_flags_of_creates(void **state)
{
	static const int32_t bad[] = { CREATE_TTL, CREATE_TTL_SEQUENTIAL, -1, 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		begin();
		add_create(OP_CREATE, "/a", "", 0);
		add_create(OP_CREATE2, "/b", "", bad[i]);
		expect_malformed(true);
	}
	begin();
	add_create(OP_CREATE, "/c", "", CREATE_CONTAINER);
	add_create_ttl("/p", CREATE_PERSISTENT, 1000);
	add_create_ttl("/d", CREATE_CONTAINER, 1000);
	end();
	expect_result(OP_CREATE2);
	expect_text("/c");
	(void)headless_read_stat(&last.body);
	expect_result(OP_CREATE);
	expect_text("/p");
	expect_result(OP_CREATE2);
	expect_text("/d");
	(void)headless_read_stat(&last.body);
	expect_done();
	begin();
	add_create_ttl("/q", 9, 1000);
	end();
	EXPECT_ERRORS(ZERR_BAD_ARGUMENTS);
}

/* --- multiRead --- */

static void add_read(int32_t type, const char *path)
{
	op_header(type);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_bool(&c->w, true);
}

static void expect_read_error(int32_t err)
{
	struct proto_multi_header header = proto_read_multi_header(&last.body);

	assert_int_equal(header.type, OP_ERROR);
	assert_false(header.done);
	assert_int_equal(header.err, err);
	assert_int_equal(jute_read_int(&last.body), err);
}

/* Each has its own result; no watch is armed, whatever the flag says. */
static void test_multi_read(void **state)
{
	struct buf closed;
	int64_t before;

	(void)state;
	buf_init(&closed, 256);
	headless_add_acl(&closed, PERM_CREATE, "world", "anyone");
	create(c, "/a", "data", 0);
	create(c, "/a/b", "", 0);
	create(c, "/a/c", "", 0);
	create_with(c, OP_CREATE, "/closed", slice_of(""), buf_slice(&closed), 0);
	before = registry_last_zxid(h.registry);
	headless_begin(c, ++xid, OP_MULTI_READ);
	add_read(OP_GET_DATA, "/a");
	add_read(OP_GET_DATA, "/none");
	add_read(OP_GET_CHILDREN, "/a");
	add_read(OP_GET_CHILDREN, "/closed");
	add_read(OP_GET_CHILDREN, "/a/b");
	end();
	assert_int_equal(registry_last_zxid(h.registry), before);
	expect_result(OP_GET_DATA);
	expect_text("data");
	assert_int_equal(headless_read_stat(&last.body).num_children, 2);
	expect_read_error(ZERR_NO_NODE);
	expect_result(OP_GET_CHILDREN);
	assert_string_equal(take_names(), "b c");
	expect_read_error(ZERR_NO_AUTH);
	expect_result(OP_GET_CHILDREN);
	assert_string_equal(take_names(), "");
	expect_done();
	set(c, "/a", "x");
	expect_silence(c);
	headless_begin(c, ++xid, OP_MULTI_READ);
	end();
	expect_done();
	buf_fini(&closed);
}

/* The highest of its parts, whichever comes last. */
static void test_multi_read_waits_for_the_disk(void **state)
{
	struct slice frame;

	(void)state;
	create(c, "/old", "", 0);
	create(c, "/fixed", "", 0);
	headless_set_data(c, ++xid, "/old", slice_of("new"), -1);
	headless_begin(c, ++xid, OP_MULTI_READ);
	add_read(OP_GET_DATA, "/old");
	add_read(OP_GET_DATA, "/fixed");
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_false(headless_receive(c, &frame));
	headless_flush(&h);
	assert_true(headless_receive(c, &frame));
	assert_true(headless_receive(c, &frame));
}

/* What is behind the part that makes the reply too large is not even looked for. */
static void test_a_multi_read_that_is_too_large(void **state)
{
	enum { DATA = 1000 * 1000, PARTS = 70, LOOKED_FOR = 100 };
	char *data = calloc(1, DATA + 1);
	char path[32];
	uint64_t reads;

	(void)state;
	memset(data, 'x', DATA);
	create(c, "/big", data, 0);
	free(data);
	reads = metrics_get(METRIC_tree_reads);
	headless_begin(c, ++xid, OP_MULTI_READ);
	for (int i = 0; i < PARTS; i++)
		add_read(OP_GET_DATA, "/big");
	for (int i = 0; i < LOOKED_FOR; i++) {
		snprintf(path, sizeof(path), "/none%d/a", i);
		add_read(OP_GET_DATA, path);
	}
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_true(c->failed);
	assert_int_equal(metrics_get(METRIC_tree_reads), reads);
	/* They would have been, otherwise. */
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/none0/a"), ZERR_NO_NODE);
	assert_true(metrics_get(METRIC_tree_reads) > reads);
}

static void test_malformed_multi_read(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	headless_begin(c, ++xid, OP_MULTI_READ);
	add_read(OP_GET_DATA, "/a");
	add_version(OP_DELETE, "/a", -1);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	headless_begin(c, ++xid, OP_MULTI_READ);
	add_read(OP_GET_DATA, "/a");
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	/* Nor does a multi read. */
	begin();
	add_create(OP_CREATE, "/b", "", 0);
	add_read(OP_GET_DATA, "/a");
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	assert_int_equal(exists(c, "/a"), ZERR_OK);
	assert_int_equal(exists(c, "/b"), ZERR_NO_NODE);
}

static void test_permissions_hold_inside(void **state)
{
	struct buf readers;

	(void)state;
	buf_init(&readers, 256);
	headless_add_acl(&readers, PERM_READ, "world", "anyone");
	create_with(c, OP_CREATE, "/closed", slice_of(""), buf_slice(&readers), 0);
	begin();
	add_create(OP_CREATE, "/a", "", 0);
	add_set("/closed", "x", -1);
	end();
	EXPECT_ERRORS(0, ZERR_NO_AUTH);
	begin();
	add_create(OP_CREATE, "/closed/a", "", 0);
	end();
	EXPECT_ERRORS(ZERR_NO_AUTH);
	assert_int_equal(exists(c, "/a"), ZERR_NO_NODE);
	buf_fini(&readers);
}

/* As large as a frame may be: many znodes, one zxid, over a restart too. */
static void test_a_large_one(void **state)
{
	enum { COUNT = 3000 };
	char path[32];

	(void)state;
	begin();
	add_create(OP_CREATE, "/p", "", 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(path, sizeof(path), "/p/n%d", i);
		add_create(OP_CREATE, path, "data", i % 3 == 0 ? CREATE_EPHEMERAL : 0);
	}
	end();
	assert_int_equal(stat_of("/p").num_children, COUNT);
	headless_restart(&h);
	struct headless_client *again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, c));
	c = again;
	assert_int_equal(stat_of("/p").num_children, COUNT);
	assert_int_equal(stat_of("/p/n2997").ephemeral_owner, c->session_id);
	assert_int_equal(stat_of("/p/n2998").ephemeral_owner, 0);
	headless_close_session(c, ++xid);
	finish(c);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(stat_of("/p").num_children, COUNT - COUNT / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_create_and_set),
		REGISTRY_TEST(test_every_kind_of_operation),
		REGISTRY_TEST(test_an_empty_one),
		REGISTRY_TEST(test_a_failure_takes_everything_back),
		REGISTRY_TEST(test_errors_by_place),
		REGISTRY_TEST(test_delete_and_create_in_one),
		REGISTRY_TEST(test_create_and_delete_in_one),
		REGISTRY_TEST(test_one_event_for_each_watcher_and_path),
		REGISTRY_TEST(test_acl_of_what_was_deleted),
		REGISTRY_TEST(test_a_stranger_is_not_told_of_a_deletion),
		REGISTRY_TEST(test_too_large_for_a_record),
		REGISTRY_TEST(test_malformed_ones_do_nothing),
		REGISTRY_TEST(test_containers_and_ttls),
		REGISTRY_TEST(test_an_operation_that_is_malformed),
		REGISTRY_TEST(test_creates_without_acl),
		REGISTRY_TEST(test_flags_of_creates),
		REGISTRY_TEST(test_multi_read),
		REGISTRY_TEST(test_multi_read_waits_for_the_disk),
		REGISTRY_TEST(test_a_multi_read_that_is_too_large),
		REGISTRY_TEST(test_malformed_multi_read),
		REGISTRY_TEST(test_permissions_hold_inside),
		REGISTRY_TEST(test_a_large_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
