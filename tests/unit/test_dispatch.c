/* Frames in, replies out: which handler, what waits for the disk and what does not, the header's
 * zxid, malformed and unknown frames, writers that wait for replay. */
#include "base/metrics.h"
#include "tests/unit/registry_fixture.h"

#include "core/session.h"

/* --- what waits for the disk --- */

static void test_a_reply_waits_for_the_disk(void **state)
{
	struct slice frame;

	(void)state;
	headless_create(c, 1, OP_CREATE, "/a", slice_of("x"), headless_world(), 0);
	assert_false(headless_receive(c, &frame));
	assert_true(headless_gated(c) > 0);
	headless_flush(&h);
	assert_int_equal(headless_gated(c), 0);
	assert_true(headless_receive(c, &frame));
	assert_false(headless_receive(c, &frame));
}

/* Whoever reads what is not on disk yet waits for it too; whoever reads something else does not. */
static void test_a_read_waits_for_what_it_shows_alone(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	struct headless_reply reply;

	(void)state;
	create(c, "/a", "x", 0);
	create(c, "/b", "y", 0);
	headless_set_data(c, 50, "/a", slice_of("z"), -1);
	headless_read(other, 1, OP_GET_DATA, "/b", false);
	assert_int_equal(headless_gated(other), 0);
	assert_true(headless_receive_reply(other, &reply));
	headless_read(other, 2, OP_GET_CHILDREN, "/", false);
	assert_int_equal(headless_gated(other), 0);
	headless_read(other, 3, OP_GET_DATA, "/a", false);
	assert_true(headless_gated(other) > 0);
	headless_flush(&h);
	assert_int_equal(headless_gated(other), 0);
}

/* "It is not there" shows a deletion; a list shows its parent's children. */
static void test_an_absence_and_a_list_wait_too(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	struct headless_reply reply;

	(void)state;
	create(c, "/a", "", 0);
	create(c, "/a/b", "", 0);
	headless_delete(c, 50, "/a/b", -1);
	headless_read(other, 1, OP_EXISTS, "/a/b", false);
	assert_true(headless_gated(other) > 0);
	reply = headless_reply_to(other, 1);
	assert_int_equal(reply.header.err, ZERR_NO_NODE);
	headless_create(c, 51, OP_CREATE, "/a/c", slice_of(""), headless_world(), 0);
	headless_read(other, 2, OP_GET_CHILDREN, "/a", false);
	assert_true(headless_gated(other) > 0);
	headless_flush(&h);
	/* Long on disk: no reader waits any more, whatever else is written. */
	assert_int_equal(headless_reply_to(other, 2).header.err, ZERR_OK);
	headless_create(c, 52, OP_CREATE, "/z", slice_of(""), headless_world(), 0);
	headless_read(other, 3, OP_EXISTS, "/a/b", false);
	headless_read(other, 4, OP_GET_CHILDREN, "/a", false);
	assert_int_equal(headless_gated(other), 0);
}

/* It shows whatever was created or deleted below, and the znode itself knows nothing of that. */
static void test_a_sum_waits_too(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	create(c, "/a", "", 0);
	create(c, "/a/b", "", 0);
	headless_create(c, 51, OP_CREATE, "/a/b/c", slice_of(""), headless_world(), 0);
	headless_begin(other, 3, OP_GET_ALL_CHILDREN_NUMBER);
	jute_write_buffer(&other->w, slice_of("/a"));
	assert_int_equal(headless_send(other), DISPATCH_DONE);
	assert_true(headless_gated(other) > 0);
	last = headless_reply_to(other, 3);
	assert_int_equal(jute_read_int(&last.body), 2);
	expect_end();
}

/* Behind a reply that waits, everything waits: order is order. */
static void test_replies_keep_their_order(void **state)
{
	struct headless_reply reply;

	(void)state;
	create(c, "/a", "x", 0);
	headless_set_data(c, 101, "/a", slice_of("y"), -1);
	headless_read(c, 102, OP_GET_DATA, "/zookeeper", false);
	headless_create(c, 103, OP_CREATE, "/b", slice_of(""), headless_world(), 0);
	headless_read(c, 104, OP_EXISTS, "/nothing", false);
	assert_false(headless_receive_reply(c, &reply));
	for (int32_t i = 101; i <= 104; i++)
		assert_int_equal(headless_reply_to(c, i).header.xid, i);
	expect_silence(c);
}

static void test_sync_and_failed_writes_wait_for_everything_before(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	struct headless_client *third = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	headless_create(c, 1, OP_CREATE, "/a", slice_of("x"), headless_world(), 0);
	headless_begin(other, 1, OP_SYNC);
	jute_write_buffer(&other->w, slice_of("/nowhere"));
	assert_int_equal(headless_send(other), DISPATCH_DONE);
	headless_delete(third, 1, "/nothing", -1);
	assert_true(headless_gated(other) > 0);
	assert_true(headless_gated(third) > 0);
	last = headless_reply_to(other, 1);
	assert_int_equal(last.header.err, ZERR_OK);
	assert_int_equal(last.header.zxid, registry_last_change(h.registry));
	expect_text("/nowhere");
	expect_end();
	assert_int_equal(headless_error_of(third, 1), ZERR_NO_NODE);
}

static void test_sync_echoes_a_null_path(void **state)
{
	(void)state;
	headless_begin(c, ++xid, OP_SYNC);
	jute_write_buffer(&c->w, (struct slice){ 0 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	assert_null(jute_read_buffer(&last.body).data);
	expect_end();
}

/* --- pings --- */

static void test_a_ping_goes_ahead_of_what_waits(void **state)
{
	int64_t flushed = registry_flushed(h.registry);
	struct headless_reply reply;

	(void)state;
	headless_create(c, 1, OP_CREATE, "/a", slice_of("x"), headless_world(), 0);
	headless_ping(c);
	assert_true(headless_receive_reply(c, &reply));
	assert_int_equal(reply.header.xid, XID_PING);
	assert_int_equal(reply.header.err, ZERR_OK);
	/* It tells nothing of what is not on disk. */
	assert_int_equal(reply.header.zxid, flushed);
	assert_int_equal(jute_reader_left(&reply.body), 0);
	assert_false(headless_receive_reply(c, &reply));
	assert_int_equal(headless_error_of(c, 1), ZERR_OK);
}

/* A client that does not wait for the answer to its connect request reads that first. */
static void test_a_ping_does_not_overtake_the_connect_reply(void **state)
{
	struct headless_client *fast = headless_connect(&h, NULL);
	struct headless_connect_reply connected;
	struct headless_reply reply;

	(void)state;
	headless_send_connect(fast, &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	headless_ping(fast);
	headless_flush(&h);
	assert_true(headless_receive_connect(fast, &connected));
	assert_int_equal(connected.timeout_ms, TIMEOUT_MS);
	assert_true(headless_receive_reply(fast, &reply));
	assert_int_equal(reply.header.xid, XID_PING);
}

/* Whatever its xid. */
static void test_a_ping_is_answered_with_its_own_xid(void **state)
{
	struct headless_reply reply;

	(void)state;
	headless_begin(c, 77, OP_PING);
	headless_send(c);
	assert_true(headless_receive_reply(c, &reply));
	assert_int_equal(reply.header.xid, XID_PING);
}

/* --- the header's zxid --- */

static void test_zxid_of_writes_and_reads(void **state)
{
	int64_t first;

	(void)state;
	create(c, "/a", "x", 0);
	first = last.header.zxid;
	assert_int_equal(first, registry_last_zxid(h.registry));
	set(c, "/a", "y");
	assert_int_equal(last.header.zxid, first + 1);
	/* A write that failed takes one as well, a read takes none. */
	assert_int_equal(set_version(c, "/a", "z", 7), ZERR_BAD_VERSION);
	assert_int_equal(last.header.zxid, first + 2);
	exists(c, "/a");
	assert_int_equal(last.header.zxid, first + 2);
	assert_int_equal(exists(c, "/nothing"), ZERR_NO_NODE);
	assert_int_equal(last.header.zxid, first + 2);
	set(c, "/a", "z");
	assert_int_equal(last.header.zxid, first + 3);
	assert_int_equal(stat_of("/a").mzxid, first + 3);
}

/* It never shows more than this connection waits for, and never falls. */
static void test_zxid_of_a_connection_that_waits(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	int64_t flushed = registry_flushed(h.registry);
	struct headless_reply reply;
	int64_t before = 0;

	(void)state;
	headless_create(c, 1, OP_CREATE, "/a", slice_of("x"), headless_world(), 0);
	headless_read(other, 1, OP_GET_DATA, "/zookeeper", false);
	assert_true(headless_receive_reply(other, &reply));
	assert_int_equal(reply.header.zxid, flushed);
	headless_read(other, 2, OP_GET_DATA, "/a", false);
	headless_read(other, 3, OP_GET_DATA, "/zookeeper", false);
	headless_create(c, 2, OP_CREATE, "/b", slice_of("x"), headless_world(), 0);
	headless_read(other, 4, OP_GET_DATA, "/a", false);
	headless_flush(&h);
	for (int32_t i = 2; i <= 4; i++) {
		reply = headless_reply_to(other, i);
		assert_int_equal(reply.header.zxid, flushed + 1);
		assert_true(reply.header.zxid >= before);
		before = reply.header.zxid;
	}
}

/* An event is a word of its zxid, as a reply is: what comes behind it does not say less. */
static void test_zxid_of_a_reply_behind_an_event(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, TIMEOUT_MS);
	struct headless_reply reply;
	struct headless_event e;
	int64_t changed;

	(void)state;
	create(c, "/a", "x", 0);
	create(c, "/other", "x", 0);
	assert_int_equal(ask(watcher, OP_GET_DATA, "/a", true), ZERR_OK);
	headless_set_data(c, 9, "/a", slice_of("y"), -1);
	changed = registry_last_zxid(h.registry);
	headless_read(watcher, 2, OP_EXISTS, "/other", false);
	/* Neither leaves before the change is on disk. */
	assert_false(headless_receive_reply(watcher, &reply));
	headless_flush(&h);
	assert_true(headless_receive_event(watcher, &e));
	assert_int_equal(e.zxid, changed);
	assert_true(headless_receive_reply(watcher, &reply));
	assert_int_equal(reply.header.xid, 2);
	assert_int_equal(reply.header.zxid, changed);
}

/* Many connections, random work: no header falls, nor does F. */
static void test_zxid_never_falls(void **state)
{
	enum { CLIENTS = 4, ROUNDS = 600 };
	struct headless_client *all[CLIENTS];
	int64_t seen[CLIENTS] = { 0 }, flushed = 0;
	struct headless_reply reply;

	(void)state;
	srand(11);
	for (int i = 0; i < CLIENTS; i++)
		all[i] = headless_new_session(&h, TIMEOUT_MS);
	for (int round = 0; round < ROUNDS; round++) {
		struct headless_client *by = all[rand() % CLIENTS];
		char path[8];

		snprintf(path, sizeof(path), "/%d", rand() % 5);
		switch (rand() % 6) {
		case 0:
			headless_create(by, round + 1, OP_CREATE, path, slice_of("x"),
					headless_world(), 0);
			break;
		case 1:
			headless_delete(by, round + 1, path, -1);
			break;
		case 2:
			headless_set_data(by, round + 1, path, slice_of("y"), -1);
			break;
		case 3:
			headless_read(by, round + 1, OP_GET_CHILDREN2, "/", false);
			break;
		case 4:
			headless_turn(&h);
			break;
		default:
			headless_read(by, round + 1, OP_GET_DATA, path, false);
		}
		for (int i = 0; i < CLIENTS; i++) {
			while (headless_receive_reply(all[i], &reply)) {
				assert_true(reply.header.zxid >= seen[i]);
				seen[i] = reply.header.zxid;
			}
		}
		assert_true(registry_flushed(h.registry) >= flushed);
		flushed = registry_flushed(h.registry);
	}
}

/* --- who must prove what --- */

static void restart(void)
{
	headless_stop(&h);
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
}

static void test_enforced_authentication(void **state)
{
	uint64_t refused = metrics_get(METRIC_requests_unauthenticated);
	static const int32_t types[] = { OP_EXISTS, OP_CREATE, OP_PING, OP_CLOSE_SESSION, 4711 };

	(void)state;
	h.registry_options.enforced_schemes = "sasl,digest,x509";
	restart();
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct headless_client *stranger = headless_new_session(&h, TIMEOUT_MS);

		headless_begin(stranger, 7, types[i]);
		headless_send(stranger);
		last = headless_reply_to(stranger, 7);
		assert_int_equal(last.header.err, ZERR_SESSION_CLOSED_REQUIRE_AUTH);
		assert_int_equal(last.header.zxid, 0);
		assert_non_null(stranger->closing);
		/* Nothing that stands behind it counts. */
		headless_create(stranger, 8, OP_CREATE, "/late", slice_of(""), headless_world(), 0);
		expect_silence(stranger);
	}
	assert_int_equal(metrics_get(METRIC_requests_unauthenticated), refused + 5);
	/* Behind a request that waits its ping is none that is answered ahead. */
	headless_begin(c, XID_PING, OP_PING);
	assert_false(headless_send_behind_parked(c));
	expect_silence(c);
	/* One of the schemes is enough, and proving it is allowed. */
	assert_int_equal(authenticate(c, "digest", "user:secret"), ZERR_OK);
	assert_int_equal(create(c, "/a", "", 0), ZERR_OK);
	assert_int_equal(exists(c, "/late"), ZERR_NO_NODE);
	{
		struct headless_client *known = headless_connect(&h, "CN=me");

		headless_open(known, TIMEOUT_MS);
		assert_int_equal(exists(known, "/a"), ZERR_OK);
	}
}

/* --- how much may wait for the disk --- */

static void test_outstanding_limit(void **state)
{
	struct headless_client *other;

	(void)state;
	h.registry_options.max_outstanding = 2;
	restart();
	other = headless_new_session(&h, TIMEOUT_MS);
	create(c, "/a", "", 0);
	for (int i = 0; i < 2; i++)
		headless_set_data(c, ++xid, "/a", slice_of("x"), -1);
	headless_begin(c, 90, OP_EXISTS);
	assert_int_equal(headless_send(c), DISPATCH_PARK);
	/* Whoever has nothing that waits is not held. */
	assert_int_equal(exists(other, "/zookeeper"), ZERR_OK);
	headless_flush(&h);
	headless_begin(c, 91, OP_EXISTS);
	jute_write_buffer(&c->w, slice_of("/a"));
	jute_write_bool(&c->w, false);
	assert_int_equal(headless_send(c), DISPATCH_DONE);
}

static void begin_write(struct headless_client *by)
{
	headless_begin(by, ++xid, OP_SET_DATA);
	jute_write_buffer(&by->w, slice_of("/a"));
	jute_write_buffer(&by->w, slice_of("x"));
	jute_write_int(&by->w, -1);
}

/* A write waits, a read of the same client does not, and no other identity does. */
static void test_write_rate(void **state)
{
	uint64_t paced = metrics_get(METRIC_writes_paced);
	struct headless_client *other;

	(void)state;
	h.registry_options.write_rate = 2;
	restart();
	other = headless_connect(&h, "CN=other");
	headless_send_connect(other,
			      &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	create(c, "/a", "", 0);
	begin_write(c);
	assert_int_equal(headless_send(c), DISPATCH_DONE);
	assert_int_equal(finish(c), ZERR_OK);
	begin_write(c);
	assert_int_equal(headless_send(c), DISPATCH_PACE);
	assert_int_equal(headless_send(c), DISPATCH_PACE);
	assert_int_equal(metrics_get(METRIC_writes_paced), paced + 1);
	assert_int_equal(exists(c, "/a"), ZERR_OK);
	begin_write(other);
	assert_int_equal(headless_send(other), DISPATCH_DONE);
	headless_advance(&h, 500);
	begin_write(c);
	assert_int_equal(headless_send(c), DISPATCH_DONE);
	assert_int_equal(headless_send(c), DISPATCH_PACE);
	assert_int_equal(metrics_get(METRIC_writes_paced), paced + 2);
}

/* As many as it holds, and a multi that fails as well. */
static void test_a_multi_counts_as_its_writes(void **state)
{
	(void)state;
	h.registry_options.write_rate = 10;
	restart();
	headless_begin(c, ++xid, OP_MULTI);
	for (int i = 0; i < 15; i++) {
		proto_write_multi_header(&c->w,
					 &(struct proto_multi_header){ OP_DELETE, false, -1 });
		jute_write_buffer(&c->w, slice_of("/nothing"));
		jute_write_int(&c->w, -1);
	}
	proto_write_multi_header(&c->w, &(struct proto_multi_header){ -1, true, -1 });
	assert_int_equal(headless_send(c), DISPATCH_DONE);
	headless_advance(&h, 550);
	begin_write(c);
	assert_int_equal(headless_send(c), DISPATCH_PACE);
	headless_advance(&h, 60);
	assert_int_equal(headless_send(c), DISPATCH_DONE);
}

/* --- what nobody should send --- */

/* check is one outside of a multi. */
static void test_an_unknown_type_is_answered_and_ends_the_connection(void **state)
{
	static const int32_t types[] = { 4711, -1, OP_CHECK };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct headless_reply reply;

		c = headless_new_session(&h, TIMEOUT_MS);
		headless_begin(c, 9, types[i]);
		jute_write_buffer(&c->w, slice_of("/"));
		jute_write_int(&c->w, -1);
		headless_send(c);
		reply = headless_reply_to(c, 9);
		assert_int_equal(reply.header.err, ZERR_UNIMPLEMENTED);
		assert_int_equal(reply.header.zxid, -1);
		assert_int_equal(jute_reader_left(&reply.body), 0);
		assert_non_null(c->closing);
		assert_false(c->failed);
		/* What comes behind it is not done. */
		headless_create(c, 10, OP_CREATE, "/a", slice_of(""), headless_world(), 0);
		expect_silence(c);
	}
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/a"), ZERR_NO_NODE);
}

/* Its answer stands behind those that wait. */
static void test_the_answer_to_an_unknown_type_keeps_its_place(void **state)
{
	struct slice frame;

	(void)state;
	headless_create(c, 1, OP_CREATE, "/a", slice_of(""), headless_world(), 0);
	headless_begin(c, 2, 4711);
	headless_send(c);
	assert_false(headless_receive(c, &frame));
	assert_int_equal(headless_error_of(c, 1), ZERR_OK);
	assert_int_equal(headless_error_of(c, 2), ZERR_UNIMPLEMENTED);
}

static void test_a_header_cut_short_ends_the_connection(void **state)
{
	(void)state;
	for (int len = 0; len < 8; len++) {
		struct headless_client *by = headless_new_session(&h, TIMEOUT_MS);

		headless_begin_raw(by);
		for (int i = 0; i < len; i++)
			jute_write_byte(&by->w, 0);
		assert_int_equal(headless_send(by), DISPATCH_DONE);
		assert_true(by->failed);
		expect_silence(by);
		headless_create(by, 1, OP_CREATE, "/late", slice_of(""), headless_world(), 0);
		expect_silence(by);
		assert_int_equal(exists(c, "/late"), ZERR_NO_NODE);
		/* The connection ends, not the session. */
		assert_non_null(session_find(registry_sessions(h.registry), by->session_id));
	}
}

/* Every type with a body, cut at every length: an answer, and the connection lives. */
static void test_bodies_cut_short(void **state)
{
	static const struct {
		int32_t type;
		int least; /* bytes of the shortest body that is whole */
		bool takes_zxid;
	} bodies[] = {
		{ OP_CREATE, 16, false },       { OP_CREATE2, 16, false },
		{ OP_DELETE, 8, false },        { OP_EXISTS, 5, false },
		{ OP_GET_DATA, 5, false },      { OP_SET_DATA, 12, false },
		{ OP_GET_ACL, 4, false },       { OP_SET_ACL, 12, false },
		{ OP_GET_CHILDREN, 5, false },  { OP_SYNC, 4, false },
		{ OP_GET_CHILDREN2, 5, false }, { OP_DELETE_CONTAINER, 4, false },
		{ OP_MULTI, 9, true },          { OP_RECONFIG, 20, false },
		{ OP_SET_WATCHES, 20, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		for (int len = 0; len < bodies[i].least; len++) {
			int64_t zxid = registry_last_zxid(h.registry);

			headless_begin(c, ++xid, bodies[i].type);
			for (int at = 0; at < len; at++)
				jute_write_byte(&c->w, 0);
			assert_int_equal(headless_send(c), DISPATCH_DONE);
			if (finish(c) != ZERR_MARSHALLING)
				fail_msg("type %d, %d bytes: error %d", bodies[i].type, len,
					 last.header.err);
			/* Only a multi is a write that failed. */
			assert_int_equal(last.header.zxid, zxid + bodies[i].takes_zxid);
			assert_int_equal(registry_last_zxid(h.registry), last.header.zxid);
		}
	}
	assert_null(c->closing);
	assert_int_equal(exists(c, "/zookeeper"), ZERR_OK);
}

static void write_null_path(int32_t type)
{
	const struct slice null = { 0 };

	headless_begin(c, ++xid, type);
	jute_write_buffer(&c->w, null);
	if (type == OP_CREATE || type == OP_CREATE2 || type == OP_SET_DATA)
		jute_write_buffer(&c->w, null);
	if (type == OP_CREATE || type == OP_CREATE2 || type == OP_SET_ACL)
		jute_write_raw(&c->w, headless_world().data, headless_world().len);
	jute_write_int(&c->w, 0);
}

static void test_null_paths(void **state)
{
	static const int32_t types[] = {
		OP_CREATE,   OP_CREATE2, OP_DELETE,       OP_EXISTS,
		OP_GET_DATA, OP_GET_ACL, OP_GET_CHILDREN, OP_GET_CHILDREN2
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		write_null_path(types[i]);
		headless_send(c);
		assert_int_equal(finish(c), ZERR_MARSHALLING);
	}
	write_null_path(OP_SET_DATA);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_BAD_ARGUMENTS);
	write_null_path(OP_SET_ACL);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_BAD_ARGUMENTS);
	assert_null(c->closing);
}

static void test_bytes_behind_a_request_are_passed_over(void **state)
{
	(void)state;
	headless_begin(c, ++xid, OP_EXISTS);
	jute_write_buffer(&c->w, slice_of("/zookeeper"));
	jute_write_bool(&c->w, false);
	jute_write_long(&c->w, -1);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	(void)take_stat();
}

/* Nobody configured SASL: OK and a null token, and clients go on without. */
static void test_sasl(void **state)
{
	(void)state;
	headless_begin(c, ++xid, OP_SASL);
	jute_write_buffer(&c->w, slice_of("token"));
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	assert_int_equal(last.header.zxid, 0);
	assert_null(jute_read_buffer(&last.body).data);
	expect_end();
	assert_null(c->closing);
}

/* As in ZooKeeper the connection ends, without an answer. */
static void test_sasl_without_a_token(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

		headless_begin(other, ++xid, OP_SASL);
		if (i == 1)
			jute_write_buffer(&other->w, (struct slice){ 0 });
		headless_send(other);
		assert_true(other->failed);
		expect_silence(other);
	}
}

static int64_t left_ms(void)
{
	return session_deadline_ms(c->client.session) - clock_now_ms();
}

/* As in ZooKeeper: who only says again who it is has not been heard. */
static void test_authentication_is_no_sign_of_life(void **state)
{
	(void)state;
	headless_advance(&h, TIMEOUT_MS / 2);
	headless_begin(c, ++xid, OP_AUTH);
	jute_write_int(&c->w, 0);
	jute_write_buffer(&c->w, slice_of("digest"));
	jute_write_buffer(&c->w, slice_of("anna:secret"));
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	headless_begin(c, ++xid, OP_SASL);
	jute_write_buffer(&c->w, slice_of("token"));
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	assert_int_equal(left_ms(), TIMEOUT_MS - TIMEOUT_MS / 2);
	assert_int_equal(exists(c, "/"), ZERR_OK);
	assert_int_equal(left_ms(), TIMEOUT_MS);
}

static void expect_reconfig(enum zerr err)
{
	int64_t before = registry_last_zxid(h.registry);

	headless_begin(c, ++xid, OP_RECONFIG);
	for (int i = 0; i < 3; i++)
		jute_write_buffer(&c->w, slice_of(""));
	jute_write_long(&c->w, -1);
	headless_send(c);
	assert_int_equal(finish(c), err);
	assert_int_equal(last.header.zxid, before + 1);
	assert_null(c->closing);
}

static void test_reconfig_is_a_write_that_fails(void **state)
{
	(void)state;
	expect_reconfig(ZERR_RECONFIG_DISABLED);
	headless_stop(&h);
	h.registry_options.reconfig_enabled = true;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	expect_reconfig(ZERR_UNIMPLEMENTED);
}

/* A reply above the limit ends its connection, not the process. */
static void test_a_reply_too_large(void **state)
{
	struct dispatch *small = dispatch_new(64, h.latency, &h.turn);
	struct dispatch *own = h.dispatch;

	(void)state;
	create(c, "/a", "0123456789012345678901234567890123456789012345678901234567890123456789",
	       0);
	h.dispatch = small;
	headless_read(c, 60, OP_GET_DATA, "/a", false);
	h.dispatch = own;
	dispatch_free(small);
	assert_true(c->failed);
	expect_silence(c);
}

/* --- writers that wait for replay --- */

static void lag(uint64_t most)
{
	headless_replay(&h);
	headless_stop(&h);
	h.registry_options.max_lag_rows = most;
	/* Replay gathers for longer than the test runs. */
	h.store_options.replay_delay_ms = 3600 * 1000;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
}

static void test_writers_wait_while_replay_is_behind(void **state)
{
	struct slice frame;

	(void)state;
	lag(3);
	assert_int_equal(create(c, "/a", "", 0), ZERR_OK);
	assert_int_equal(create(c, "/b", "", 0), ZERR_OK);
	assert_false(registry_is_behind(h.registry));
	assert_int_equal(create(c, "/c", "", 0), ZERR_OK);
	assert_true(registry_is_behind(h.registry));
	headless_begin(c, 90, OP_DELETE);
	jute_write_buffer(&c->w, slice_of("/a"));
	jute_write_int(&c->w, -1);
	assert_int_equal(headless_send(c), DISPATCH_PARK);
	assert_int_equal(headless_send(c), DISPATCH_PARK);
	expect_silence(c);
	/* Pings behind it are answered, nothing else is. */
	headless_begin(c, XID_PING, OP_PING);
	assert_true(headless_send_behind_parked(c));
	assert_true(headless_receive(c, &frame));
	headless_begin(c, 91, OP_EXISTS);
	jute_write_buffer(&c->w, slice_of("/a"));
	jute_write_bool(&c->w, false);
	assert_false(headless_send_behind_parked(c));
	expect_silence(c);
	/* Another connection's reads go on. */
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/a"), ZERR_OK);
}

/* What puts znodes waits; what reads does not, nor what only makes less of everything. */
static void test_which_types_wait(void **state)
{
	static const int32_t writes[] = { OP_CREATE,     OP_CREATE2, OP_CREATE_CONTAINER,
					  OP_CREATE_TTL, OP_DELETE,  OP_DELETE_CONTAINER,
					  OP_SET_DATA,   OP_SET_ACL, OP_MULTI,
					  OP_RECONFIG };
	static const int32_t others[] = { OP_EXISTS,         OP_GET_DATA,
					  OP_GET_ACL,        OP_GET_CHILDREN,
					  OP_SYNC,           OP_GET_CHILDREN2,
					  OP_MULTI_READ,     OP_SET_WATCHES,
					  OP_SET_WATCHES2,   OP_ADD_WATCH,
					  OP_CHECK_WATCHES,  OP_REMOVE_WATCHES,
					  OP_GET_EPHEMERALS, OP_GET_ALL_CHILDREN_NUMBER,
					  OP_WHO_AM_I,       OP_SASL,
					  OP_CLOSE_SESSION };

	(void)state;
	lag(1);
	assert_int_equal(create(c, "/a", "", 0), ZERR_OK);
	for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++) {
		headless_begin(c, 90, writes[i]);
		if (headless_send(c) != DISPATCH_PARK)
			fail_msg("type %d does not wait", writes[i]);
	}
	expect_silence(c);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		headless_begin(c, ++xid, others[i]);
		if (others[i] == OP_SASL)
			jute_write_buffer(&c->w, slice_of("token"));
		if (headless_send(c) != DISPATCH_DONE)
			fail_msg("type %d waits", others[i]);
		(void)finish(c);
	}
	/* New sessions come in. */
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/a"), ZERR_OK);
}

/* Who waits for us is alive. */
static void test_a_parked_writer_does_not_expire(void **state)
{
	(void)state;
	lag(1);
	create(c, "/a", "", 0);
	for (int i = 0; i < 6; i++) {
		headless_advance(&h, TIMEOUT_MS / 2);
		headless_begin(c, 90, OP_DELETE);
		jute_write_buffer(&c->w, slice_of("/a"));
		jute_write_int(&c->w, -1);
		assert_int_equal(headless_send(c), DISPATCH_PARK);
	}
	assert_non_null(session_find(registry_sessions(h.registry), c->session_id));
	assert_null(c->closing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_a_reply_waits_for_the_disk),
		REGISTRY_TEST(test_a_read_waits_for_what_it_shows_alone),
		REGISTRY_TEST(test_an_absence_and_a_list_wait_too),
		REGISTRY_TEST(test_a_sum_waits_too),
		REGISTRY_TEST(test_replies_keep_their_order),
		REGISTRY_TEST(test_sync_and_failed_writes_wait_for_everything_before),
		REGISTRY_TEST(test_sync_echoes_a_null_path),
		REGISTRY_TEST(test_a_ping_goes_ahead_of_what_waits),
		REGISTRY_TEST(test_a_ping_does_not_overtake_the_connect_reply),
		REGISTRY_TEST(test_a_ping_is_answered_with_its_own_xid),
		REGISTRY_TEST(test_zxid_of_writes_and_reads),
		REGISTRY_TEST(test_zxid_of_a_connection_that_waits),
		REGISTRY_TEST(test_zxid_of_a_reply_behind_an_event),
		REGISTRY_TEST(test_zxid_never_falls),
		REGISTRY_TEST(test_an_unknown_type_is_answered_and_ends_the_connection),
		REGISTRY_TEST(test_the_answer_to_an_unknown_type_keeps_its_place),
		REGISTRY_TEST(test_a_header_cut_short_ends_the_connection),
		REGISTRY_TEST(test_bodies_cut_short),
		REGISTRY_TEST(test_null_paths),
		REGISTRY_TEST(test_bytes_behind_a_request_are_passed_over),
		REGISTRY_TEST(test_enforced_authentication),
		REGISTRY_TEST(test_outstanding_limit),
		REGISTRY_TEST(test_write_rate),
		REGISTRY_TEST(test_a_multi_counts_as_its_writes),
		REGISTRY_TEST(test_sasl),
		REGISTRY_TEST(test_sasl_without_a_token),
		REGISTRY_TEST(test_authentication_is_no_sign_of_life),
		REGISTRY_TEST(test_reconfig_is_a_write_that_fails),
		REGISTRY_TEST(test_a_reply_too_large),
		REGISTRY_TEST(test_writers_wait_while_replay_is_behind),
		REGISTRY_TEST(test_which_types_wait),
		REGISTRY_TEST(test_a_parked_writer_does_not_expire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
