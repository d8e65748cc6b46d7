/* The registry over a store that a test holds in its hand: what is on disk to the row, zxids that
 * run out, a tree that cannot be read, a loss of what was not flushed. */
#include "tests/lib/fake_store.h"
#include "tests/unit/registry_fixture.h"

#include "app/policy_file.h"
#include "core/policy.h"
#include "core/session.h"

static struct store *fake;

static int set_up_fake(void **state)
{
	fake = fake_store_new();
	return set_up(state);
}

static int tear_down_fake(void **state)
{
	tear_down(state);
	fake_store_free(fake);
	return 0;
}

static void replay(void)
{
	fake_store_replay(fake, SIZE_MAX);
	fake_store_tell(fake);
	headless_turn(&h);
}

/* Everything is in the tree and nothing in memory. */
static void forget(void)
{
	replay();
	headless_restart(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
}

/* --- to the row --- */

static void test_each_reply_waits_for_its_own_row(void **state)
{
	struct headless_client *a = headless_new_session(&h, TIMEOUT_MS),
			       *b = headless_new_session(&h, TIMEOUT_MS);
	struct headless_client *reader = headless_new_session(&h, TIMEOUT_MS);
	struct headless_reply reply;
	int64_t zxid = registry_last_zxid(h.registry);

	(void)state;
	fake_store_hold(fake, true);
	headless_create(a, 1, OP_CREATE, "/a", slice_of(""), headless_world(), 0);
	headless_create(b, 1, OP_CREATE, "/b", slice_of(""), headless_world(), 0);
	headless_read(reader, 1, OP_EXISTS, "/a", false);
	headless_read(reader, 2, OP_EXISTS, "/b", false);
	headless_read(reader, 3, OP_EXISTS, "/zookeeper", false);
	headless_turn(&h);
	assert_int_equal(registry_flushed(h.registry), zxid);
	assert_false(headless_receive_reply(a, &reply));
	assert_false(headless_receive_reply(reader, &reply));
	fake_store_flush(fake, 1);
	headless_turn(&h);
	assert_int_equal(registry_flushed(h.registry), zxid + 1);
	assert_true(headless_receive_reply(a, &reply));
	assert_false(headless_receive_reply(b, &reply));
	assert_true(headless_receive_reply(reader, &reply));
	assert_int_equal(reply.header.xid, 1);
	assert_int_equal(reply.header.zxid, zxid + 1);
	assert_false(headless_receive_reply(reader, &reply));
	headless_ping(reader);
	assert_true(headless_receive_reply(reader, &reply));
	assert_int_equal(reply.header.xid, XID_PING);
	assert_int_equal(reply.header.zxid, zxid + 1);
	/* The set of children shows both. */
	headless_read(a, 2, OP_GET_CHILDREN, "/", false);
	assert_false(headless_receive_reply(a, &reply));
	fake_store_flush(fake, 1);
	headless_turn(&h);
	assert_true(headless_receive_reply(b, &reply));
	assert_true(headless_receive_reply(a, &reply));
	assert_true(headless_receive_reply(reader, &reply));
	assert_true(headless_receive_reply(reader, &reply));
}

/* F counts writes that failed once all before them are on disk, and never falls by a later
 * change. */
static void test_flushed_never_falls(void **state)
{
	int64_t zxid = registry_last_zxid(h.registry);

	(void)state;
	headless_delete(c, 1, "/nothing", -1);
	assert_int_equal(registry_flushed(h.registry), zxid + 1);
	fake_store_hold(fake, true);
	headless_set_data(c, 2, "/", slice_of("x"), -1);
	assert_int_equal(registry_flushed(h.registry), zxid + 1);
	headless_delete(c, 3, "/nothing", -1);
	assert_int_equal(registry_flushed(h.registry), zxid + 1);
	fake_store_flush(fake, 1);
	headless_turn(&h);
	assert_int_equal(registry_flushed(h.registry), zxid + 3);
}

/* The disk is done, and nothing is released yet: a ping's reply, which goes ahead of what waits,
 * does not tell of it either. */
static void test_a_ping_tells_of_nothing_that_is_behind_it(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);
	struct headless_event event;
	struct headless_reply reply;
	int64_t zxid;

	(void)state;
	create(c, "/a", "", 0);
	ask(watcher, OP_GET_DATA, "/a", true);
	zxid = registry_last_zxid(h.registry);
	fake_store_hold(fake, true);
	headless_set_data(c, 9, "/a", slice_of("x"), -1);
	fake_store_flush(fake, 1);
	headless_ping(watcher);
	assert_true(headless_receive_reply(watcher, &reply));
	assert_int_equal(reply.header.xid, XID_PING);
	assert_int_equal(reply.header.zxid, zxid);
	headless_turn(&h);
	assert_true(headless_receive_event(watcher, &event));
	assert_int_equal(event.zxid, zxid + 1);
}

/* What was never on disk was never seen. */
static void test_a_loss_of_power(void **state)
{
	struct headless_reply reply;
	struct headless_client *reader = headless_new_session(&h, TIMEOUT_MS), *again;
	struct headless_event event;

	(void)state;
	create(c, "/kept", "one", 0);
	ask(reader, OP_GET_DATA, "/kept", true);
	fake_store_hold(fake, true);
	headless_set_data(c, 50, "/kept", slice_of("two"), -1);
	headless_create(c, 51, OP_CREATE, "/lost", slice_of(""), headless_world(), 0);
	headless_read(reader, 52, OP_GET_DATA, "/kept", false);
	headless_turn(&h);
	assert_false(headless_receive_reply(c, &reply));
	assert_false(headless_receive_event(reader, &event));
	headless_restart(&h);
	again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, c));
	c = again;
	expect_data("/kept", "one");
	assert_int_equal(exists(c, "/lost"), ZERR_NO_NODE);
	assert_int_equal(tree_counts(registry_tree(h.registry)).znodes, 5);
}

/* "Your session is over" shows its end. */
static void test_a_refusal_waits_for_the_end_of_the_session(void **state)
{
	struct headless_client *gone = headless_new_session(&h, TIMEOUT_MS), *again;
	struct headless_connect_reply reply;

	(void)state;
	fake_store_hold(fake, true);
	headless_close_session(gone, 1);
	again = headless_connect(&h, NULL);
	headless_send_connect(again,
			      &(struct headless_connect_request){ .session_id = gone->session_id,
								  .timeout_ms = TIMEOUT_MS });
	headless_turn(&h);
	assert_false(headless_receive_connect(again, &reply));
	assert_non_null(again->closing);
	fake_store_flush(fake, 1);
	headless_turn(&h);
	assert_true(headless_receive_connect(again, &reply));
	assert_int_equal(reply.timeout_ms, 0);
}

/* --- zxids run out --- */

static void test_the_low_half_runs_out(void **state)
{
	int64_t epoch = 7, before, id;

	(void)state;
	headless_stop(&h);
	fake_store_set_first_zxid(fake, epoch << 32 | 0xfffffffc);
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	id = c->session_id;
	assert_int_equal(registry_last_zxid(h.registry), epoch << 32 | 0xfffffffd);
	create(c, "/a", "", 0);
	set(c, "/a", "x");
	before = last.header.zxid;
	assert_int_equal(before, epoch << 32 | 0xffffffff);
	/* No zxid has a low half of 0, and the first is that of the row with the new epoch. */
	set(c, "/a", "y");
	assert_int_equal(last.header.zxid, (epoch + 1) << 32 | 2);
	assert_int_equal(stat_of("/a").mzxid, (epoch + 1) << 32 | 2);
	assert_true(headless_new_session(&h, TIMEOUT_MS)->session_id > id);
	/* A write that fails may be the one. */
	headless_stop(&h);
	fake_store_set_first_zxid(fake, (epoch + 2) << 32 | 0xffffffff);
	headless_start(&h);
	c = headless_connect(&h, NULL);
	headless_open(c, TIMEOUT_MS);
	assert_int_equal(registry_last_zxid(h.registry), (epoch + 3) << 32 | 2);
	assert_int_equal(set(c, "/nothing", ""), ZERR_NO_NODE);
	assert_int_equal(last.header.zxid, (epoch + 3) << 32 | 3);
	expect_data("/a", "y");
}

/* Ids stay out of what ZooKeeper keeps for containers and TTLs, and are never 0. */
static void test_session_ids_of_large_epochs(void **state)
{
	static const int64_t epochs[] = { 2, 0xffffff, 0x1000000, 0x1000001, 0x7ffffff0 };

	(void)state;
	for (size_t i = 0; i < sizeof(epochs) / sizeof(*epochs); i++) {
		headless_stop(&h);
		fake_store_set_first_zxid(fake, epochs[i] << 32);
		headless_start(&h);
		c = headless_new_session(&h, TIMEOUT_MS);
		assert_true(c->session_id > 0);
		assert_true(c->session_id >> 32 > 0);
		assert_true(c->session_id >> 56 == 0);
	}
}

/* --- a tree that cannot be read --- */

static int32_t do_multi(const char *path)
{
	struct proto_multi_header header;

	headless_begin(c, ++xid, OP_MULTI);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ OP_DELETE, false, -1 });
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_int(&c->w, -1);
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	header = proto_read_multi_header(&last.body);
	return header.err;
}

/* However long a start takes: who was there has the full timeout to come back from when it is
 * over, and ephemerals stay as long. */
static void test_a_start_that_takes_longer_than_a_timeout(void **state)
{
	struct headless_client *late;

	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	replay();
	/* One session is in the tree, one in the log alone. */
	late = headless_new_session(&h, TIMEOUT_MS);
	fake_store_set_load_ms(fake, 2 * TIMEOUT_MS);
	headless_restart(&h);
	headless_advance(&h, TIMEOUT_MS - 1);
	assert_non_null(session_find(registry_sessions(h.registry), c->session_id));
	assert_non_null(session_find(registry_sessions(h.registry), late->session_id));
	headless_advance(&h, 1 + TIMER_SLOT_MS);
	assert_null(session_find(registry_sessions(h.registry), c->session_id));
	assert_null(session_find(registry_sessions(h.registry), late->session_id));
}

static int32_t count_below(const char *path)
{
	headless_begin(c, ++xid, OP_GET_ALL_CHILDREN_NUMBER);
	jute_write_buffer(&c->w, slice_of(path));
	assert_int_equal(headless_send(c), DISPATCH_DONE);
	return finish(c);
}

static void test_requests_on_an_unreadable_tree(void **state)
{
	(void)state;
	create(c, "/p", "", 0);
	create(c, "/p/a", "x", 0);
	forget();
	fake_store_set_unreadable(fake, true);
	assert_int_equal(exists(c, "/p/a"), ZERR_SYSTEM);
	assert_int_equal(ask(c, OP_GET_DATA, "/p/a", true), ZERR_SYSTEM);
	assert_int_equal(ask(c, OP_GET_CHILDREN, "/p", true), ZERR_SYSTEM);
	assert_int_equal(ask(c, OP_EXISTS, "/nothing", true), ZERR_SYSTEM);
	assert_int_equal(create(c, "/p/b", "", 0), ZERR_SYSTEM);
	assert_int_equal(set(c, "/p/a", "y"), ZERR_SYSTEM);
	assert_int_equal(delete_any(c, "/p/a"), ZERR_SYSTEM);
	assert_int_equal(get_acl(c, "/p"), ZERR_SYSTEM);
	assert_int_equal(set_acl(c, "/p", headless_world(), -1), ZERR_SYSTEM);
	assert_int_equal(do_multi("/p/a"), ZERR_SYSTEM);
	assert_null(c->closing);
	/* Nothing is remembered of that. */
	fake_store_set_unreadable(fake, false);
	expect_data("/p/a", "x");
	assert_string_equal(children("/p"), "a");
	assert_int_equal(stat_of("/p").cversion, 1);
	assert_int_equal(create(c, "/nothing", "", 0), ZERR_OK);
	expect_silence(c);
}

/* The list cannot be read though the znode is at hand. */
static void test_an_unreadable_list(void **state)
{
	(void)state;
	create(c, "/p", "", 0);
	create(c, "/p/a", "", 0);
	forget();
	assert_int_equal(exists(c, "/p"), ZERR_OK);
	fake_store_set_unreadable(fake, true);
	assert_int_equal(ask(c, OP_GET_CHILDREN, "/p", true), ZERR_SYSTEM);
	/* Nor is it known what stands there. */
	assert_int_equal(create(c, "/p/a", "", 0), ZERR_SYSTEM);
	assert_int_equal(create(c, "/p/b", "", 0), ZERR_SYSTEM);
	fake_store_set_unreadable(fake, false);
	/* No watch was armed by it. */
	assert_int_equal(create(c, "/p/b", "", 0), ZERR_OK);
	expect_silence(c);
	assert_string_equal(children("/p"), "a b");
}

/* Where a policy shows a part, each is judged. */
static void test_an_unreadable_count(void **state)
{
	static const char text[] = "role r anyone\nallow r all /\nallow r none /p/b\n";
	char reason[POLICY_REASON_LEN];
	struct policy_limits limits;
	struct policy *policy;

	(void)state;
	policy_limits_init(&limits);
	policy = policy_file_parse(slice_of(text), "p", &limits, reason);
	assert_non_null(policy);
	create(c, "/p", "", 0);
	create(c, "/p/a", "", 0);
	create(c, "/p/b", "", 0);
	create(c, "/p/a/x", "", 0);
	forget();
	registry_take_policy(h.registry, policy);
	assert_int_equal(exists(c, "/p"), ZERR_OK);
	fake_store_set_unreadable(fake, true);
	assert_int_equal(count_below("/p"), ZERR_SYSTEM);
	fake_store_set_unreadable(fake, false);
	assert_int_equal(count_below("/p"), ZERR_OK);
	assert_int_equal(jute_read_int(&last.body), 2);
}

/* A session ends with its znodes or not at all. */
static void test_ends_of_sessions_on_an_unreadable_tree(void **state)
{
	struct headless_client *owner = headless_new_session(&h, TIMEOUT_MS), *again;
	size_t reads;

	(void)state;
	create(c, "/p", "", 0);
	create(owner, "/p/a", "", CREATE_EPHEMERAL);
	replay();
	headless_restart(&h);
	again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, owner));
	fake_store_set_unreadable(fake, true);
	headless_close_session(again, 1);
	assert_int_equal(headless_error_of(again, 1), ZERR_SYSTEM);
	assert_null(again->closing);
	headless_advance(&h, TIMEOUT_MS);
	reads = fake_store_reads(fake);
	headless_advance(&h, 5000);
	/* Tried again, but not all the time. */
	assert_in_range(fake_store_reads(fake) - reads, 3, 7);
	assert_non_null(session_find(registry_sessions(h.registry), owner->session_id));
	assert_null(again->closing);
	fake_store_set_unreadable(fake, false);
	headless_advance(&h, 1100);
	assert_null(session_find(registry_sessions(h.registry), owner->session_id));
	assert_non_null(again->closing);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_string_equal(children("/p"), "");
	assert_int_equal(stat_of("/p").cversion, 2);
}

/* --- the log --- */

/* A log that cannot be read as a whole is not served in part. */
static void test_a_damaged_log(void **state)
{
	(void)state;
	create(c, "/a", "", 0);
	headless_stop(&h);
	fake_store_damage(fake);
	assert_int_equal(headless_try_start(&h), -1);
	assert_true(strlen(h.reason) > 0);
	assert_null(h.registry);
}

static void expect_row(const char *op, const char *path, int64_t session, const char *identity)
{
	const struct record_head *head = fake_store_newest(fake);

	assert_string_equal(head->op, op);
	assert_true(slice_is(head->path, path));
	assert_int_equal(head->session, session);
	assert_int_equal(head->time_ms, clock_wall_ms());
	assert_int_equal(head->zxid, registry_last_change(h.registry));
	if (identity)
		assert_true(slice_is(head->identity, identity));
	else
		assert_null(head->identity.data);
	assert_true(slice_is(head->address, "10.1.1.1:1000"));
}

/* Who changed what: every row says it in clear. */
static void test_rows_of_the_log(void **state)
{
	struct headless_client *by = headless_connect_from(&h, "10.1.1.1", "CN=by");

	(void)state;
	headless_open(by, TIMEOUT_MS);
	expect_row("createSession", "", by->session_id, "CN=by");
	clock_fake_advance(1000);
	create(by, "/q", "", CREATE_SEQUENTIAL);
	expect_row("create", "/q0000000000", by->session_id, "CN=by");
	create_with(by, OP_CREATE2, "/e", slice_of(""), headless_world(), CREATE_EPHEMERAL);
	expect_row("create2", "/e", by->session_id, "CN=by");
	set(by, "/e", "x");
	expect_row("setData", "/e", by->session_id, "CN=by");
	set_acl(by, "/e", headless_world(), -1);
	expect_row("setACL", "/e", by->session_id, "CN=by");
	headless_begin(by, ++xid, OP_MULTI);
	for (int i = 0; i < 2; i++) {
		proto_write_multi_header(&by->w,
					 &(struct proto_multi_header){ OP_SET_DATA, false, -1 });
		jute_write_buffer(&by->w, slice_of(i ? "/" : "/q0000000000"));
		jute_write_buffer(&by->w, slice_of(""));
		jute_write_int(&by->w, -1);
	}
	proto_write_multi_header(&by->w, &(struct proto_multi_header){ -1, true, -1 });
	headless_send(by);
	assert_int_equal(finish(by), ZERR_OK);
	expect_row("multi", "/q0000000000", by->session_id, "CN=by");
	delete_any(by, "/q0000000000");
	expect_row("delete", "/q0000000000", by->session_id, "CN=by");
	/* What failed is no change. */
	set(by, "/nothing", "");
	expect_row("delete", "/q0000000000", by->session_id, "CN=by");
	headless_close_session(by, ++xid);
	finish(by);
	expect_row("closeSession", "", by->session_id, "CN=by");
}

/* Nobody asked for an expiry. */
static void test_the_row_of_an_expiry(void **state)
{
	const struct record_head *head;

	(void)state;
	headless_advance(&h, TIMEOUT_MS + TIMER_SLOT_MS);
	head = fake_store_newest(fake);
	assert_string_equal(head->op, "closeSession");
	assert_int_equal(head->session, c->session_id);
	assert_null(head->address.data);
	assert_null(head->identity.data);
}

/* Sessions that a run opened and closed, and timeouts that changed, are as the log says, replayed
 * or not. */
static void test_sessions_in_the_log(void **state)
{
	struct headless_client *gone = headless_new_session(&h, TIMEOUT_MS);
	struct headless_client *stays = headless_new_session(&h, TIMEOUT_MS), *again;

	(void)state;
	headless_close_session(gone, 1);
	headless_error_of(gone, 1);
	again = headless_connect(&h, NULL);
	stays->timeout_ms = 7000;
	assert_true(headless_resume(again, stays));
	/* Logged with the next change, whoever makes it. */
	create(c, "/a", "", 0);
	for (int round = 0; round < 2; round++) {
		const struct session *s;

		headless_restart(&h);
		assert_null(session_find(registry_sessions(h.registry), gone->session_id));
		s = session_find(registry_sessions(h.registry), stays->session_id);
		assert_non_null(s);
		assert_int_equal(s->timeout_ms, 7000);
		replay();
	}
}

#define FAULTS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_fake, tear_down_fake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAULTS_TEST(test_each_reply_waits_for_its_own_row),
		FAULTS_TEST(test_flushed_never_falls),
		FAULTS_TEST(test_a_ping_tells_of_nothing_that_is_behind_it),
		FAULTS_TEST(test_a_loss_of_power),
		FAULTS_TEST(test_a_refusal_waits_for_the_end_of_the_session),
		FAULTS_TEST(test_the_low_half_runs_out),
		FAULTS_TEST(test_session_ids_of_large_epochs),
		FAULTS_TEST(test_a_start_that_takes_longer_than_a_timeout),
		FAULTS_TEST(test_requests_on_an_unreadable_tree),
		FAULTS_TEST(test_an_unreadable_list),
		FAULTS_TEST(test_an_unreadable_count),
		FAULTS_TEST(test_ends_of_sessions_on_an_unreadable_tree),
		FAULTS_TEST(test_a_damaged_log),
		FAULTS_TEST(test_rows_of_the_log),
		FAULTS_TEST(test_the_row_of_an_expiry),
		FAULTS_TEST(test_sessions_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
