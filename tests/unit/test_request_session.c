/* Connect and resume, who may, takeover, timeouts, close, authentication. */
#include "tests/unit/registry_fixture.h"

#include "base/metrics.h"
#include "core/session.h"

static struct headless_connect_request request_of(const struct headless_client *old)
{
	return (struct headless_connect_request){
		.timeout_ms = old->timeout_ms,
		.session_id = old->session_id,
		.password = { (const char *)old->password, sizeof(old->password) },
	};
}

/* --- connect --- */

static void test_open(void **state)
{
	struct headless_client *by = headless_connect(&h, NULL);
	int64_t zxid = registry_last_zxid(h.registry);
	struct headless_connect_reply reply;
	uint8_t zeros[PROTO_PASSWORD_LEN] = { 0 };

	(void)state;
	headless_send_connect(by, &(struct headless_connect_request){ .timeout_ms = 10000 });
	/* The session must be on disk before anybody knows of it. */
	assert_false(headless_receive_connect(by, &reply));
	assert_true(by->established);
	headless_flush(&h);
	assert_true(headless_receive_connect(by, &reply));
	assert_int_equal(reply.protocol_version, 0);
	assert_int_equal(reply.timeout_ms, 10000);
	assert_true(reply.has_read_only);
	assert_memory_not_equal(reply.password, zeros, sizeof(zeros));
	/* Ids carry the epoch and are never handed out twice. */
	assert_int_equal(reply.session_id >> 32, (zxid >> 32) & 0xffffff);
	assert_true(reply.session_id > c->session_id);
	/* It takes a zxid. */
	assert_int_equal(registry_last_zxid(h.registry), zxid + 1);
	assert_null(by->closing);
}

static void test_without_read_only(void **state)
{
	struct headless_connect_reply reply;
	struct headless_connect_request rq = request_of(c);
	struct headless_client *by;

	(void)state;
	rq.without_read_only = true;
	by = headless_connect(&h, NULL);
	headless_send_connect(by, &rq);
	headless_flush(&h);
	assert_true(headless_receive_connect(by, &reply));
	assert_false(reply.has_read_only);
	/* A refusal as well. */
	rq.session_id = 99;
	by = headless_connect(&h, NULL);
	headless_send_connect(by, &rq);
	assert_true(headless_receive_connect(by, &reply));
	assert_false(reply.has_read_only);
	assert_int_equal(reply.timeout_ms, 0);
}

static void test_timeout_is_negotiated(void **state)
{
	static const int32_t asked[][2] = { { 0, 4000 },         { -1, 4000 },     { 3999, 4000 },
					    { 4000, 4000 },      { 40000, 40000 }, { 40001, 40000 },
					    { INT32_MAX, 40000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
		assert_int_equal(headless_new_session(&h, asked[i][0])->timeout_ms, asked[i][1]);
}

static void test_a_malformed_connect_request(void **state)
{
	(void)state;
	for (int len = 0; len < 28; len++) {
		struct headless_client *by = headless_connect(&h, NULL);

		headless_begin_raw(by);
		for (int i = 0; i < len; i++)
			jute_write_byte(&by->w, 0);
		headless_send(by);
		assert_true(by->failed);
		assert_false(by->established);
		expect_silence(by);
		/* Nothing that follows counts. */
		headless_send_connect(by,
				      &(struct headless_connect_request){ .timeout_ms = 10000 });
		expect_silence(by);
	}
	assert_int_equal(session_count(registry_sessions(h.registry)), 1);
}

static void test_a_client_that_saw_the_future(void **state)
{
	struct headless_client *by = headless_connect(&h, NULL);
	struct headless_connect_request rq = request_of(c);

	(void)state;
	rq.last_zxid_seen = registry_last_zxid(h.registry) + 1;
	headless_send_connect(by, &rq);
	assert_non_null(by->closing);
	expect_silence(by);
	assert_ptr_equal(c->client.session->client, &c->client);
	/* A new session likewise. */
	by = headless_connect(&h, NULL);
	rq.session_id = 0;
	headless_send_connect(by, &rq);
	assert_non_null(by->closing);
	expect_silence(by);
	assert_int_equal(session_count(registry_sessions(h.registry)), 1);
	/* What was given, be it to a write that failed, is the past. */
	set(c, "/nothing", "");
	by = headless_connect(&h, NULL);
	rq.last_zxid_seen = last.header.zxid;
	headless_send_connect(by, &rq);
	assert_null(by->closing);
}

/* At the limit a new one is not told that its session is over, and those that are there come
 * back. */
static void test_most_sessions(void **state)
{
	struct headless_client *by, *again;

	(void)state;
	headless_stop(&h);
	h.registry_options.max_sessions = 2;
	headless_start(&h);
	again = headless_new_session(&h, TIMEOUT_MS);
	by = headless_connect(&h, NULL);
	headless_send_connect(by, &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	assert_non_null(by->closing);
	assert_false(by->failed);
	expect_silence(by);
	by = headless_connect(&h, NULL);
	assert_true(headless_resume(by, c));
	headless_close_session(again, ++xid);
	assert_int_equal(finish(again), ZERR_OK);
	headless_new_session(&h, TIMEOUT_MS);
}

static void test_most_sessions_of_an_identity(void **state)
{
	uint64_t refused = metrics_get(METRIC_sessions_refused_identity);
	struct headless_client *by, *first;

	(void)state;
	headless_stop(&h);
	h.registry_options.max_sessions_per_identity = 1;
	headless_start(&h);
	first = headless_connect(&h, "CN=a");
	headless_send_connect(first,
			      &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	assert_null(first->closing);
	by = headless_connect(&h, "CN=a");
	headless_send_connect(by, &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	assert_non_null(by->closing);
	expect_silence(by);
	assert_int_equal(metrics_get(METRIC_sessions_refused_identity), refused + 1);
	/* Others have theirs; who has no certificate is nobody. */
	by = headless_connect(&h, "CN=b");
	headless_send_connect(by, &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	assert_null(by->closing);
	headless_new_session(&h, TIMEOUT_MS);
	headless_new_session(&h, TIMEOUT_MS);
}

/* --- resume --- */

static void test_resume(void **state)
{
	struct headless_client *again;
	int64_t zxid;

	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	headless_disconnect(c);
	headless_advance(&h, TIMEOUT_MS / 2);
	zxid = registry_last_zxid(h.registry);
	again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, c));
	assert_int_equal(again->session_id, c->session_id);
	assert_int_equal(again->timeout_ms, TIMEOUT_MS);
	assert_memory_equal(again->password, c->password, PROTO_PASSWORD_LEN);
	/* Neither a change nor a new znode. */
	assert_int_equal(registry_last_zxid(h.registry), zxid);
	c = again;
	assert_int_equal(stat_of("/e").ephemeral_owner, c->session_id);
	headless_advance(&h, TIMEOUT_MS - 100);
	assert_int_equal(exists(c, "/e"), ZERR_OK);
}

static void expect_refused(const struct headless_connect_request *rq, const char *subject)
{
	struct headless_client *by = headless_connect(&h, subject);
	const uint8_t zeros[PROTO_PASSWORD_LEN] = { 0 };
	struct headless_connect_reply reply;

	headless_send_connect(by, rq);
	assert_true(headless_receive_connect(by, &reply));
	assert_int_equal(reply.timeout_ms, 0);
	assert_int_equal(reply.session_id, 0);
	assert_memory_equal(reply.password, zeros, sizeof(zeros));
	assert_non_null(by->closing);
	assert_false(by->failed);
	assert_false(by->established);
	headless_ping(by);
	expect_silence(by);
}

/* A session id is no secret: who lacks the password or the certificate does not even disturb. */
static void test_resume_refused(void **state)
{
	struct headless_client *owner = headless_connect(&h, "CN=owner");
	struct headless_connect_request rq;
	uint8_t password[PROTO_PASSWORD_LEN + 1] = { 0 };

	(void)state;
	headless_open(owner, TIMEOUT_MS);
	create(owner, "/e", "", CREATE_EPHEMERAL);
	memcpy(password, owner->password, PROTO_PASSWORD_LEN);
	rq = request_of(owner);
	for (size_t bit = 0; bit < 8 * PROTO_PASSWORD_LEN; bit += 9) {
		password[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rq.password = (struct slice){ (const char *)password, PROTO_PASSWORD_LEN };
		expect_refused(&rq, "CN=owner");
		password[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	rq.password.len = PROTO_PASSWORD_LEN + 1;
	expect_refused(&rq, "CN=owner");
	rq.password.len = PROTO_PASSWORD_LEN - 1;
	expect_refused(&rq, "CN=owner");
	rq.password = (struct slice){ 0 };
	expect_refused(&rq, "CN=owner");
	rq = request_of(owner);
	expect_refused(&rq, NULL);
	expect_refused(&rq, "CN=other");
	expect_refused(&rq, "CN=owne");
	rq.session_id++;
	expect_refused(&rq, "CN=owner");
	rq = request_of(c);
	expect_refused(&rq, "CN=owner");
	assert_null(owner->closing);
	assert_int_equal(exists(owner, "/e"), ZERR_OK);
	assert_true(headless_resume(headless_connect(&h, "CN=owner"), owner));
}

static void test_takeover(void **state)
{
	struct headless_client *again = headless_connect(&h, NULL);

	(void)state;
	ask(c, OP_EXISTS, "/watched", true);
	assert_true(headless_resume(again, c));
	assert_non_null(c->closing);
	assert_false(c->failed);
	/* However long it takes to be gone. */
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
	/* The old connection says nothing any more, and its end takes nothing with it. */
	headless_create(c, 70, OP_CREATE, "/late", slice_of(""), headless_world(), 0);
	expect_silence(c);
	headless_disconnect(c);
	c = again;
	assert_int_equal(exists(c, "/late"), ZERR_NO_NODE);
	headless_advance(&h, TIMEOUT_MS - 100);
	assert_int_equal(create(c, "/alive", "", 0), ZERR_OK);
}

static void test_resume_changes_the_timeout(void **state)
{
	struct headless_connect_request rq = request_of(c);
	struct headless_client *again = headless_connect(&h, NULL);
	struct headless_connect_reply reply;

	(void)state;
	rq.timeout_ms = 5000;
	headless_send_connect(again, &rq);
	/* It is promised when it is on disk. */
	assert_false(headless_receive_connect(again, &reply));
	headless_flush(&h);
	assert_true(headless_receive_connect(again, &reply));
	assert_int_equal(reply.timeout_ms, 5000);
	headless_advance(&h, 4900);
	assert_non_null(session_find(registry_sessions(h.registry), c->session_id));
	headless_advance(&h, 200);
	assert_null(session_find(registry_sessions(h.registry), c->session_id));
	assert_non_null(again->closing);
}

/* The timeout that a client was told holds over a restart, with no change between. */
static void test_a_changed_timeout_is_kept(void **state)
{
	struct headless_client *by = headless_new_session(&h, 5000);
	struct headless_client *again = headless_connect(&h, NULL);

	(void)state;
	by->timeout_ms = 40000;
	assert_true(headless_resume(again, by));
	assert_int_equal(again->timeout_ms, 40000);
	headless_restart(&h);
	headless_advance(&h, 39900);
	by = headless_connect(&h, NULL);
	assert_true(headless_resume(by, again));
}

/* Who is told that a session is over must not find it again after a crash. */
static void test_an_end_is_told_when_it_is_on_disk(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	struct headless_client *again = headless_connect(&h, NULL);
	struct headless_connect_request rq = request_of(other);
	struct headless_connect_reply reply;

	(void)state;
	headless_close_session(other, 5);
	headless_send_connect(again, &rq);
	assert_false(headless_receive_connect(again, &reply));
	headless_flush(&h);
	assert_true(headless_receive_connect(again, &reply));
	assert_int_equal(reply.timeout_ms, 0);
	assert_non_null(again->closing);
}

/* --- after a restart --- */

static void test_resume_after_a_restart(void **state)
{
	struct headless_client *owner = headless_connect(&h, "CN=owner"), *again;
	int64_t newest;

	(void)state;
	headless_open(owner, TIMEOUT_MS);
	create(owner, "/e", "x", CREATE_EPHEMERAL);
	for (int round = 0; round < 3; round++) {
		newest = headless_new_session(&h, TIMEOUT_MS)->session_id;
		if (round == 1)
			headless_replay(&h);
		headless_advance(&h, TIMEOUT_MS - 100);
		headless_restart(&h);
		/* Everybody has the full timeout again. */
		headless_advance(&h, TIMEOUT_MS - 100);
		struct headless_connect_request rq = request_of(owner);
		expect_refused(&rq, "CN=other");
		rq.password = (struct slice){ 0 };
		expect_refused(&rq, "CN=owner");
		again = headless_connect(&h, "CN=owner");
		assert_true(headless_resume(again, owner));
		assert_int_equal(again->session_id, owner->session_id);
		owner = again;
		assert_int_equal(exists(owner, "/e"), ZERR_OK);
		assert_true(headless_new_session(&h, TIMEOUT_MS)->session_id > newest);
	}
}

/* --- close --- */

static void test_close(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	struct headless_connect_request rq = request_of(other);
	struct headless_reply reply;
	int64_t zxid;

	(void)state;
	create(c, "/p", "", 0);
	create(other, "/p/a", "", CREATE_EPHEMERAL);
	create(other, "/p/b", "", CREATE_EPHEMERAL);
	zxid = last.header.zxid;
	ask(other, OP_EXISTS, "/watched", true);
	headless_close_session(other, 5);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
	assert_false(headless_receive_reply(other, &reply));
	reply = headless_reply_to(other, 5);
	assert_int_equal(reply.header.err, ZERR_OK);
	assert_int_equal(reply.header.zxid, zxid + 1);
	assert_non_null(other->closing);
	assert_false(other->failed);
	/* All with one zxid; the parent counts each. */
	assert_string_equal(children("/p"), "");
	assert_int_equal(stat_of("/p").pzxid, zxid + 1);
	assert_int_equal(stat_of("/p").cversion, 4);
	expect_refused(&rq, NULL);
	/* What comes behind a close is not done. */
	headless_create(other, 6, OP_CREATE, "/late", slice_of(""), headless_world(), 0);
	expect_silence(other);
	assert_int_equal(exists(c, "/late"), ZERR_NO_NODE);
	headless_restart(&h);
	expect_refused(&rq, NULL);
}

/* --- authentication --- */

/* It cannot happen where the limits are in proportion; where they are not, the session stays as a
 * whole. */
static void test_an_end_too_large_for_a_record(void **state)
{
	char path[128];

	(void)state;
	headless_stop(&h);
	h.registry_options.max_record = 2048;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "/%0100d", i);
		assert_int_equal(create(c, path, "", CREATE_EPHEMERAL), ZERR_OK);
	}
	headless_close_session(c, ++xid);
	assert_int_equal(finish(c), ZERR_SYSTEM);
	assert_null(c->closing);
	assert_int_equal(stat_of("/").num_children, 31);
	for (int i = 0; i < 25; i++) {
		snprintf(path, sizeof(path), "/%0100d", i);
		assert_int_equal(delete_any(c, path), ZERR_OK);
	}
	headless_close_session(c, ++xid);
	assert_int_equal(finish(c), ZERR_OK);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(stat_of("/").num_children, 1);
}

static void test_digest(void **state)
{
	struct buf acls;
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	buf_init(&acls, 256);
	headless_add_acl(&acls, PERM_ALL, "auth", "");
	/* Nobody yet. */
	assert_int_equal(create_with(c, OP_CREATE, "/a", slice_of("x"), buf_slice(&acls), 0),
			 ZERR_INVALID_ACL);
	assert_int_equal(authenticate(c, "digest", "user:password"), ZERR_OK);
	assert_int_equal(last.header.zxid, 0);
	expect_end();
	assert_int_equal(create_with(c, OP_CREATE, "/a", slice_of("x"), buf_slice(&acls), 0),
			 ZERR_OK);
	expect_data("/a", "x");
	assert_int_equal(ask(other, OP_GET_DATA, "/a", false), ZERR_NO_AUTH);
	/* A wrong password is another identity, no failure. */
	assert_int_equal(authenticate(other, "digest", "user:wrong"), ZERR_OK);
	assert_int_equal(ask(other, OP_GET_DATA, "/a", false), ZERR_NO_AUTH);
	assert_int_equal(authenticate(other, "digest", "user:password"), ZERR_OK);
	assert_int_equal(ask(other, OP_GET_DATA, "/a", false), ZERR_OK);
	/* An identity is the connection's, not the session's. */
	headless_disconnect(other);
	struct headless_client *again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, other));
	assert_int_equal(ask(again, OP_GET_DATA, "/a", false), ZERR_NO_AUTH);
	buf_fini(&acls);
}

static void expect_auth_failed(struct headless_client *by)
{
	last = headless_reply_to(by, XID_AUTH);
	assert_int_equal(last.header.err, ZERR_AUTH_FAILED);
	assert_int_equal(last.header.zxid, 0);
	assert_non_null(by->closing);
	assert_false(by->failed);
	headless_ping(by);
	expect_silence(by);
	assert_non_null(session_find(registry_sessions(h.registry), by->session_id));
}

static void test_authentication_that_fails(void **state)
{
	struct headless_client *by;

	(void)state;
	send_auth(c, "nonsense", slice_of("x"));
	expect_auth_failed(c);
	by = headless_new_session(&h, TIMEOUT_MS);
	send_auth(by, "x509", slice_of(""));
	expect_auth_failed(by);
	by = headless_connect(&h, "CN=somebody");
	headless_open(by, TIMEOUT_MS);
	send_auth(by, "x509", slice_of("whatever"));
	assert_int_equal(headless_error_of(by, XID_AUTH), ZERR_OK);
	assert_null(by->closing);
	/* "ip" is taken and passed over. */
	assert_int_equal(authenticate(by, "ip", "10.0.0.1"), ZERR_OK);
	assert_null(by->closing);
}

/* The answer stands where it was asked for. */
static void test_a_failed_authentication_keeps_its_place(void **state)
{
	struct headless_reply reply;

	(void)state;
	headless_create(c, 1, OP_CREATE, "/a", slice_of(""), headless_world(), 0);
	send_auth(c, "nonsense", slice_of("x"));
	assert_false(headless_receive_reply(c, &reply));
	assert_int_equal(headless_error_of(c, 1), ZERR_OK);
	expect_auth_failed(c);
}

static void test_too_many_identities(void **state)
{
	char auth[32];

	(void)state;
	/* The address is one of them. */
	for (int i = 0; i < (int)h.registry_options.access.max_ids - 1; i++) {
		snprintf(auth, sizeof(auth), "user%d:x", i);
		assert_int_equal(authenticate(c, "digest", auth), ZERR_OK);
		assert_int_equal(authenticate(c, "digest", auth), ZERR_OK);
	}
	send_auth(c, "digest", slice_of("one:more"));
	expect_auth_failed(c);
}

static void test_malformed_authentication_ends_the_connection(void **state)
{
	(void)state;
	headless_begin(c, XID_AUTH, OP_AUTH);
	jute_write_int(&c->w, 0);
	jute_write_buffer(&c->w, slice_of("digest"));
	headless_send(c);
	assert_true(c->failed);
	expect_silence(c);
}

static void test_identity_of_the_certificate(void **state)
{
	struct headless_client *owner = headless_connect(&h, "CN=owner,O=x");
	struct headless_client *other = headless_connect(&h, "CN=other,O=x");
	struct buf acls;

	(void)state;
	headless_open(owner, TIMEOUT_MS);
	headless_open(other, TIMEOUT_MS);
	buf_init(&acls, 256);
	headless_add_acl(&acls, PERM_ALL, "x509", "CN=owner,O=x");
	assert_int_equal(create_with(c, OP_CREATE, "/a", slice_of("x"), buf_slice(&acls), 0),
			 ZERR_OK);
	assert_int_equal(ask(owner, OP_GET_DATA, "/a", false), ZERR_OK);
	assert_int_equal(ask(other, OP_GET_DATA, "/a", false), ZERR_NO_AUTH);
	assert_int_equal(ask(c, OP_GET_DATA, "/a", false), ZERR_NO_AUTH);
	buf_fini(&acls);
}

static void expect_user(const char *scheme, const char *user)
{
	expect_text(scheme);
	expect_text(user);
}

/* A burst passes, then no more than come in a time; who is too early may try again. */
static void test_connect_throttle(void **state)
{
	struct headless_client *one;

	(void)state;
	headless_stop(&h);
	h.registry_options.connect_tokens = 2;
	h.registry_options.connect_fill_count = 1;
	h.registry_options.connect_fill_ms = 1000;
	headless_start(&h);
	for (int i = 0; i < 2; i++)
		c = headless_new_session(&h, TIMEOUT_MS);
	one = headless_connect(&h, NULL);
	headless_send_connect(one, &(struct headless_connect_request){ .timeout_ms = TIMEOUT_MS });
	assert_non_null(one->closing);
	expect_silence(one);
	headless_advance(&h, 1000);
	c = headless_new_session(&h, TIMEOUT_MS);
}

/* --- super --- */

/* Is asked for no permission, by the digest or by the certificate; "auth" is not for it. */
static void test_super(void **state)
{
	struct headless_client *super[2];
	struct buf acls;

	(void)state;
	headless_stop(&h);
	/* super:secret */
	h.registry_options.access.super_digest = "super:lK75jTNcA+U9vtVEw5vB51mj/w4=";
	h.registry_options.access.super_x509 = "CN=root";
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	buf_init(&acls, 256);
	headless_add_acl(&acls, PERM_READ, "digest", "nobody:x");
	assert_int_equal(create_with(c, OP_CREATE, "/a", slice_of(""), buf_slice(&acls), 0),
			 ZERR_OK);
	super[0] = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(set(super[0], "/a", "x"), ZERR_NO_AUTH);
	assert_int_equal(authenticate(super[0], "digest", "super:wrong"), ZERR_OK);
	assert_int_equal(set(super[0], "/a", "x"), ZERR_NO_AUTH);
	assert_int_equal(authenticate(super[0], "digest", "super:secret"), ZERR_OK);
	super[1] = headless_connect(&h, "CN=root");
	headless_open(super[1], TIMEOUT_MS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(set(super[i], "/a", "x"), ZERR_OK);
		assert_int_equal(ask(super[i], OP_GET_DATA, "/a", false), ZERR_OK);
	}
	headless_begin(super[1], ++xid, OP_WHO_AM_I);
	headless_send(super[1]);
	assert_int_equal(finish(super[1]), ZERR_OK);
	assert_int_equal(jute_read_int(&last.body), 3);
	expect_user("ip", "127.0.0.1");
	expect_user("super", "");
	expect_user("x509", "CN=root");
	/* An ACL cannot name it. */
	buf_clear(&acls);
	headless_add_acl(&acls, PERM_ALL, "super", "");
	assert_int_equal(create_with(c, OP_CREATE, "/b", slice_of(""), buf_slice(&acls), 0),
			 ZERR_INVALID_ACL);
	buf_fini(&acls);
}

/* --- whoAmI, getEphemerals, deleteContainer --- */

static void test_who_am_i(void **state)
{
	struct headless_client *known = headless_connect(&h, "CN=me,O=Here");

	(void)state;
	headless_open(known, TIMEOUT_MS);
	assert_int_equal(authenticate(known, "digest", "user:secret"), ZERR_OK);
	/* Without a body, or with any. */
	headless_begin(known, ++xid, OP_WHO_AM_I);
	jute_write_int(&known->w, 7);
	headless_send(known);
	assert_int_equal(finish(known), ZERR_OK);
	assert_int_equal(jute_read_int(&last.body), 3);
	expect_user("ip", "127.0.0.1");
	expect_user("x509", "CN=me,O=Here");
	expect_user("digest", "user");
	expect_end();
}

static const char *ephemerals(const char *prefix)
{
	headless_begin(c, ++xid, OP_GET_EPHEMERALS);
	jute_write_buffer(&c->w, prefix ? slice_of(prefix) : (struct slice){ 0 });
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
	return take_names();
}

static void test_get_ephemerals(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);

	(void)state;
	assert_string_equal(ephemerals("/"), "");
	create(c, "/p", "", 0);
	create(c, "/a1", "", CREATE_EPHEMERAL);
	create(c, "/p/a2", "", CREATE_EPHEMERAL);
	create(c, "/gone", "", CREATE_EPHEMERAL);
	create(other, "/a3", "", CREATE_EPHEMERAL);
	delete_any(c, "/gone");
	assert_string_equal(ephemerals("/"), "/a1 /p/a2");
	assert_string_equal(ephemerals(NULL), "/a1 /p/a2");
	assert_string_equal(ephemerals(" \t"), "/a1 /p/a2");
	assert_string_equal(ephemerals(" / "), "/a1 /p/a2");
	/* A prefix of text. */
	assert_string_equal(ephemerals("/a"), "/a1");
	assert_string_equal(ephemerals("/p"), "/p/a2");
	assert_string_equal(ephemerals("/p/a"), "/p/a2");
	assert_string_equal(ephemerals("a"), "");
	headless_begin(c, ++xid, OP_GET_EPHEMERALS);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_MARSHALLING);
}

/* That one of them is gone may not be on disk yet. */
static void test_get_ephemerals_waits_for_the_disk(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	struct headless_reply reply;

	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	headless_begin(other, 5, OP_DELETE);
	jute_write_buffer(&other->w, slice_of("/e"));
	jute_write_int(&other->w, -1);
	headless_send(other);
	headless_begin(c, ++xid, OP_GET_EPHEMERALS);
	jute_write_buffer(&c->w, slice_of("/"));
	headless_send(c);
	assert_false(headless_receive_reply(c, &reply));
	assert_int_equal(finish(c), ZERR_OK);
	assert_string_equal(take_names(), "");
}

/* The server's own business. */
static void test_delete_container_is_refused(void **state)
{
	(void)state;
	create_with(c, OP_CREATE_CONTAINER, "/c", slice_of(""), headless_world(), 4);
	headless_begin(c, ++xid, OP_DELETE_CONTAINER);
	jute_write_buffer(&c->w, slice_of("/c"));
	headless_send(c);
	assert_int_equal(finish(c), ZERR_NO_AUTH);
	assert_int_equal(last.header.zxid, registry_last_zxid(h.registry));
	assert_int_equal(exists(c, "/c"), ZERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_open),
		REGISTRY_TEST(test_without_read_only),
		REGISTRY_TEST(test_timeout_is_negotiated),
		REGISTRY_TEST(test_a_malformed_connect_request),
		REGISTRY_TEST(test_a_client_that_saw_the_future),
		REGISTRY_TEST(test_most_sessions),
		REGISTRY_TEST(test_most_sessions_of_an_identity),
		REGISTRY_TEST(test_resume),
		REGISTRY_TEST(test_resume_refused),
		REGISTRY_TEST(test_takeover),
		REGISTRY_TEST(test_resume_changes_the_timeout),
		REGISTRY_TEST(test_a_changed_timeout_is_kept),
		REGISTRY_TEST(test_an_end_is_told_when_it_is_on_disk),
		REGISTRY_TEST(test_resume_after_a_restart),
		REGISTRY_TEST(test_close),
		REGISTRY_TEST(test_an_end_too_large_for_a_record),
		REGISTRY_TEST(test_digest),
		REGISTRY_TEST(test_authentication_that_fails),
		REGISTRY_TEST(test_a_failed_authentication_keeps_its_place),
		REGISTRY_TEST(test_too_many_identities),
		REGISTRY_TEST(test_malformed_authentication_ends_the_connection),
		REGISTRY_TEST(test_identity_of_the_certificate),
		REGISTRY_TEST(test_connect_throttle),
		REGISTRY_TEST(test_super),
		REGISTRY_TEST(test_who_am_i),
		REGISTRY_TEST(test_get_ephemerals),
		REGISTRY_TEST(test_get_ephemerals_waits_for_the_disk),
		REGISTRY_TEST(test_delete_container_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
