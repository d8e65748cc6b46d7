/* What is refused where room on disk is short, and what is not. The file system is played. */
#include <stdatomic.h>
#include <unistd.h>

#include "base/metrics.h"
#include "store/room.h"
#include "store/vfs.h"
#include "tests/unit/registry_fixture.h"

#define MIB (UINT64_C(1024) * 1024)

enum { LEVELS = ROOM_SCARCE + 1 };

static _Atomic uint64_t room_left;

static int played_free_bytes(const char *dir, uint64_t *bytes)
{
	(void)dir;
	*bytes = atomic_load(&room_left);
	return 0;
}

static int played_allocate(int fd, uint64_t from, uint64_t len)
{
	(void)fd;
	(void)from;
	(void)len;
	return 0;
}

static void begin_with(uint64_t max_lag_rows, uint32_t replay_delay_ms)
{
	static struct vfs_os os;

	os = *vfs_os();
	os.free_bytes = played_free_bytes;
	os.allocate = played_allocate;
	vfs_replace(&os, NULL);
	atomic_store(&room_left, 100 * MIB);
	headless_init(&h, NULL);
	h.store_options.low_bytes = 8 * MIB;
	h.store_options.replay_delay_ms = replay_delay_ms;
	h.registry_options.max_lag_rows = max_lag_rows;
	headless_start(&h);
	xid = 0;
	c = headless_new_session(&h, TIMEOUT_MS);
}

static int begin(void **state)
{
	(void)state;
	begin_with(1000, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	headless_fini(&h);
	vfs_replace(NULL, NULL);
	return 0;
}

static void reach(enum room_level level)
{
	static const uint64_t bytes[LEVELS] = { 100 * MIB, 6 * MIB, MIB / 2 };

	atomic_store(&room_left, bytes[level]);
	for (int i = 0; i < 2000 && store_room(h.store) != level; i++)
		usleep(10000);
	assert_int_equal(store_room(h.store), level);
}

static void expect_refusals(int count, int64_t zxid, uint64_t *counted)
{
	assert_int_equal(metrics_get(METRIC_writes_refused_room), *counted + (uint64_t)count);
	*counted += (uint64_t)count;
	/* None took a zxid, and the answer tells of none that is not on disk. */
	assert_true(registry_last_zxid(h.registry) == zxid);
	assert_true(last.header.zxid == zxid);
}

static void test_what_lasts_is_refused(void **state)
{
	uint64_t counted = metrics_get(METRIC_writes_refused_room);
	int64_t zxid;

	(void)state;
	assert_int_equal(create(c, "/a", "", CREATE_PERSISTENT), ZERR_OK);
	assert_int_equal(create(c, "/own", "", CREATE_EPHEMERAL), ZERR_OK);
	reach(ROOM_LOW);
	zxid = registry_last_zxid(h.registry);
	assert_int_equal(create(c, "/b", "", CREATE_PERSISTENT), ZERR_NOT_READ_ONLY);
	assert_int_equal(create(c, "/b", "", CREATE_SEQUENTIAL), ZERR_NOT_READ_ONLY);
	assert_int_equal(create_with(c, OP_CREATE2, "/b", slice_of(""), headless_world(), 0),
			 ZERR_NOT_READ_ONLY);
	/* Of these the flags say little. */
	assert_int_equal(create_with(c, OP_CREATE_CONTAINER, "/b", slice_of(""), headless_world(),
				     CREATE_EPHEMERAL),
			 ZERR_NOT_READ_ONLY);
	assert_int_equal(set(c, "/a", "x"), ZERR_NOT_READ_ONLY);
	assert_int_equal(set(c, "/nothing", "x"), ZERR_NOT_READ_ONLY);
	assert_int_equal(set_acl(c, "/a", headless_world(), -1), ZERR_NOT_READ_ONLY);
	expect_refusals(7, zxid, &counted);

	assert_int_equal(set(c, "/own", "x"), ZERR_OK);
	assert_int_equal(set_acl(c, "/own", headless_world(), -1), ZERR_OK);
	assert_int_equal(create(c, "/own-", "", CREATE_EPHEMERAL_SEQUENTIAL), ZERR_OK);
	assert_int_equal(delete_any(c, "/a"), ZERR_OK);
	assert_int_equal(exists(c, "/a"), ZERR_NO_NODE);
	assert_int_equal(exists(c, "/b"), ZERR_NO_NODE);
	reach(ROOM_PLENTY);
	assert_int_equal(create(c, "/b", "", CREATE_PERSISTENT), ZERR_OK);
	assert_int_equal(metrics_get(METRIC_writes_refused_room), counted);
}

static void test_all_writes_are_refused(void **state)
{
	uint64_t counted = metrics_get(METRIC_writes_refused_room);
	int64_t zxid;

	(void)state;
	assert_int_equal(create(c, "/a", "", CREATE_PERSISTENT), ZERR_OK);
	assert_int_equal(create(c, "/own", "", CREATE_EPHEMERAL), ZERR_OK);
	reach(ROOM_SCARCE);
	zxid = registry_last_zxid(h.registry);
	assert_int_equal(create(c, "/b", "", CREATE_EPHEMERAL), ZERR_NOT_READ_ONLY);
	assert_int_equal(set(c, "/own", "x"), ZERR_NOT_READ_ONLY);
	assert_int_equal(set_acl(c, "/own", headless_world(), -1), ZERR_NOT_READ_ONLY);
	assert_int_equal(delete_any(c, "/a"), ZERR_NOT_READ_ONLY);
	expect_refusals(4, zxid, &counted);
	assert_int_equal(exists(c, "/own"), ZERR_OK);
	headless_begin(c, ++xid, OP_CLOSE_SESSION);
	headless_send(c);
	assert_int_equal(headless_error_of(c, xid), ZERR_OK);
	reach(ROOM_LOW);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/own"), ZERR_NO_NODE);
}

static void op(int32_t type, const char *path)
{
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ type, false, -1 });
	jute_write_buffer(&c->w, slice_of(path));
}

static void op_create_with(const char *path, int32_t flags)
{
	op(OP_CREATE, path);
	jute_write_buffer(&c->w, slice_of(""));
	jute_write_raw(&c->w, headless_world().data, headless_world().len);
	jute_write_int(&c->w, flags);
}

static void op_version(int32_t type, const char *path)
{
	op(type, path);
	jute_write_int(&c->w, -1);
}

static int32_t end_multi(void)
{
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	last = headless_reply_to(c, xid);
	return last.header.err;
}

static void test_a_multi_is_refused_as_a_whole(void **state)
{
	(void)state;
	assert_int_equal(create(c, "/a", "", CREATE_PERSISTENT), ZERR_OK);
	reach(ROOM_LOW);
	headless_begin(c, ++xid, OP_MULTI);
	op_create_with("/own", CREATE_EPHEMERAL);
	op_create_with("/b", CREATE_PERSISTENT);
	assert_int_equal(end_multi(), ZERR_NOT_READ_ONLY);
	assert_int_equal(jute_reader_left(&last.body), 0);
	assert_int_equal(exists(c, "/own"), ZERR_NO_NODE);
	headless_begin(c, ++xid, OP_MULTI);
	op_version(OP_DELETE, "/a");
	op_create_with("/own", CREATE_EPHEMERAL);
	assert_int_equal(end_multi(), ZERR_OK);
	assert_int_equal(exists(c, "/own"), ZERR_OK);
	reach(ROOM_SCARCE);
	headless_begin(c, ++xid, OP_MULTI);
	op_version(OP_CHECK, "/own");
	assert_int_equal(end_multi(), ZERR_OK);
	headless_begin(c, ++xid, OP_MULTI);
	op_version(OP_CHECK, "/own");
	op_version(OP_DELETE, "/own");
	assert_int_equal(end_multi(), ZERR_NOT_READ_ONLY);
}

static void test_what_cannot_be_read_is_answered_as_ever(void **state)
{
	(void)state;
	reach(ROOM_SCARCE);
	headless_begin(c, ++xid, OP_CREATE);
	jute_write_buffer(&c->w, slice_of("/a"));
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
	headless_begin(c, ++xid, OP_MULTI);
	op_create_with("/b", CREATE_PERSISTENT);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
}

/* Behind replay writers wait; those that are refused need not. */
static void test_refusals_do_not_wait(void **state)
{
	(void)state;
	headless_fini(&h);
	begin_with(5, 3600 * 1000);
	while (!registry_is_behind(h.registry))
		assert_int_equal(create(c, "/a-", "", CREATE_SEQUENTIAL), ZERR_OK);
	reach(ROOM_LOW);
	headless_begin(c, ++xid, OP_SET_DATA);
	jute_write_buffer(&c->w, slice_of("/a"));
	jute_write_buffer(&c->w, slice_of("x"));
	jute_write_int(&c->w, -1);
	assert_int_equal(headless_send(c), DISPATCH_DONE);
	assert_int_equal(finish(c), ZERR_NOT_READ_ONLY);
	headless_begin(c, ++xid, OP_DELETE);
	jute_write_buffer(&c->w, slice_of("/a"));
	jute_write_int(&c->w, -1);
	assert_int_equal(headless_send(c), DISPATCH_PARK);
}

static void test_new_sessions_are_refused(void **state)
{
	struct headless_client *fresh, *again;
	uint64_t refused = metrics_get(METRIC_sessions_refused_room);

	(void)state;
	reach(ROOM_SCARCE);
	fresh = headless_connect(&h, NULL);
	headless_send_connect(fresh,
			      &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	assert_string_equal(fresh->closing, "no room on disk");
	assert_int_equal(metrics_get(METRIC_sessions_refused_room), refused + 1);
	headless_disconnect(c);
	again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, c));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_lasts_is_refused),
		TEST(test_all_writes_are_refused),
		TEST(test_a_multi_is_refused_as_a_whole),
		TEST(test_what_cannot_be_read_is_answered_as_ever),
		TEST(test_refusals_do_not_wait),
		TEST(test_new_sessions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
