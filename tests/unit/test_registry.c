/* The registry over starts: what is there at first, what stays, zxids and epochs, sessions that
 * expire and sessions that must not, what the log says. */
#include "tests/unit/registry_fixture.h"

#include "core/session.h"
#include "core/watch.h"

/* --- the beginning --- */

static void test_the_first_znodes(void **state)
{
	struct proto_stat zero = { 0 }, s;

	(void)state;
	zero.cversion = -1;
	zero.num_children = 1;
	expect_stat(stat_of("/"), zero);
	zero.cversion = -2;
	zero.num_children = 2;
	expect_stat(stat_of("/zookeeper"), zero);
	s = stat_of("/zookeeper/config");
	expect_stat(s, (struct proto_stat){ .aversion = -1 });
	expect_stat(stat_of("/zookeeper/quota"), (struct proto_stat){ 0 });
	assert_string_equal(children("/"), "zookeeper");
	assert_string_equal(children("/zookeeper"), "config quota");
	/* Empty, not null: old Curators read it without looking. */
	expect_data("/zookeeper/config", "");
	assert_int_equal(tree_counts(registry_tree(h.registry)).znodes, 4);
}

static void test_they_are_made_once(void **state)
{
	struct proto_stat root;

	(void)state;
	create(c, "/a", "", 0);
	set(c, "/", "root");
	set(c, "/zookeeper/quota", "q");
	root = stat_of("/");
	for (int round = 0; round < 3; round++) {
		headless_restart(&h);
		c = headless_new_session(&h, TIMEOUT_MS);
		expect_stat(stat_of("/"), root);
		expect_data("/", "root");
		expect_data("/zookeeper/quota", "q");
		assert_int_equal(tree_counts(registry_tree(h.registry)).znodes, 5);
		if (round == 1)
			headless_replay(&h);
	}
}

/* --- over a restart --- */

static void expect_everything(const struct proto_stat *stats, const char *const *paths,
			      size_t count, int64_t owner)
{
	for (size_t i = 0; i < count; i++)
		expect_stat(stat_of(paths[i]), stats[i]);
	expect_data("/p/data", "two");
	assert_string_equal(children("/p"), "data e s0000000002");
	assert_int_equal(stat_of("/p/e").ephemeral_owner, owner);
	assert_int_equal(exists(c, "/p/gone"), ZERR_NO_NODE);
}

/* Whether the log was replayed before the end, or only in part, or not at all. */
static void test_everything_stays(void **state)
{
	static const char *const paths[] = { "/", "/p", "/p/data", "/p/e", "/p/s0000000002" };
	enum { COUNT = sizeof(paths) / sizeof(*paths) };
	struct proto_stat stats[COUNT];
	struct headless_client *again;
	int64_t owner = c->session_id;

	(void)state;
	for (int round = 0; round < 6; round++) {
		if (round == 0) {
			create(c, "/p", "", 0);
			create(c, "/p/data", "one", 0);
			create(c, "/p/gone", "", 0);
			headless_replay(&h);
			create(c, "/p/s", "", CREATE_SEQUENTIAL);
			clock_fake_advance(77);
			set(c, "/p/data", "two");
			create(c, "/p/e", "", CREATE_EPHEMERAL);
			delete_any(c, "/p/gone");
			for (size_t i = 0; i < COUNT; i++)
				stats[i] = stat_of(paths[i]);
		} else {
			if (round > 2)
				headless_replay(&h);
			headless_restart(&h);
			again = headless_connect(&h, NULL);
			assert_true(headless_resume(again, c));
			c = again;
			assert_int_equal(tree_counts(registry_tree(h.registry)).znodes, 8);
			assert_int_equal(tree_counts(registry_tree(h.registry)).ephemerals, 1);
		}
		expect_everything(stats, paths, COUNT, owner);
	}
	/* The counter goes on where it was. */
	assert_int_equal(create(c, "/p/s", "", CREATE_SEQUENTIAL), ZERR_OK);
	expect_text("/p/s0000000004");
}

/* Also of a parent whose children were never anything but ephemeral and are gone. */
static void test_counters_never_go_back(void **state)
{
	char wanted[32];

	(void)state;
	create(c, "/q", "", 0);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(create(c, "/q/n", "", CREATE_SEQUENTIAL | CREATE_EPHEMERAL),
				 ZERR_OK);
		snprintf(wanted, sizeof(wanted), "/q/n%010d", round);
		expect_text(wanted);
		headless_close_session(c, ++xid);
		finish(c);
		if (round % 2)
			headless_replay(&h);
		headless_restart(&h);
		c = headless_new_session(&h, TIMEOUT_MS);
		assert_string_equal(children("/q"), "");
		assert_int_equal(stat_of("/q").cversion, 2 * (round + 1));
	}
}

static void test_zxids_go_up_over_restarts(void **state)
{
	int64_t before;

	(void)state;
	for (int round = 0; round < 3; round++) {
		create(c, "/a", "", CREATE_SEQUENTIAL);
		/* The newest that a client saw may be that of a write that failed. */
		set(c, "/nothing", "");
		before = last.header.zxid;
		headless_restart(&h);
		c = headless_new_session(&h, TIMEOUT_MS);
		assert_true(registry_last_zxid(h.registry) >> 32 > before >> 32);
		set(c, "/", "x");
		assert_true(last.header.zxid > before);
		assert_true(stat_of("/").mzxid > before);
	}
	/* A start that changed nothing counts too. */
	before = registry_last_zxid(h.registry);
	headless_restart(&h);
	headless_restart(&h);
	assert_true(registry_last_zxid(h.registry) >> 32 >= (before >> 32) + 2);
}

/* Sessions get ids that no session had. */
static void test_session_ids_are_new(void **state)
{
	int64_t newest = c->session_id;

	(void)state;
	for (int round = 0; round < 5; round++) {
		int64_t id = headless_new_session(&h, TIMEOUT_MS)->session_id;

		assert_true(id > newest);
		newest = id;
		if (round % 2)
			headless_restart(&h);
	}
}

/* A client that was told of a write before the crash is not in the future after it. */
static void test_last_zxid_seen_over_a_restart(void **state)
{
	struct headless_client *by;

	(void)state;
	create(c, "/a", "", 0);
	headless_restart(&h);
	by = headless_connect(&h, NULL);
	headless_send_connect(
		by, &(struct headless_connect_request){ .last_zxid_seen = last.header.zxid,
							.timeout_ms = 5000 });
	assert_null(by->closing);
}

/* --- expiry --- */

static bool is_alive(const struct headless_client *by)
{
	return session_find(registry_sessions(h.registry), by->session_id) != NULL;
}

static void test_expiry(void **state)
{
	struct headless_client *watcher = headless_new_session(&h, 40000);
	int64_t zxid;

	(void)state;
	create(watcher, "/p", "", 0);
	create(c, "/p/a", "", CREATE_EPHEMERAL);
	create(c, "/p/b", "", CREATE_EPHEMERAL);
	create(watcher, "/p/c", "", CREATE_EPHEMERAL);
	ask(watcher, OP_GET_CHILDREN, "/p", true);
	ask(watcher, OP_EXISTS, "/p/a", true);
	ask(watcher, OP_EXISTS, "/p/c", true);
	zxid = registry_last_zxid(h.registry);
	headless_advance(&h, TIMEOUT_MS - 1);
	assert_true(is_alive(c));
	headless_ping(watcher);
	headless_advance(&h, 1 + TIMER_SLOT_MS);
	assert_false(is_alive(c));
	assert_non_null(c->closing);
	assert_false(c->failed);
	/* In one step. */
	assert_int_equal(registry_last_zxid(h.registry), zxid + 1);
	headless_flush(&h);
	struct headless_reply ping;
	assert_true(headless_receive_reply(watcher, &ping));
	assert_int_equal(ping.header.xid, XID_PING);
	struct headless_event first;
	assert_true(headless_receive_event(watcher, &first));
	if (first.type == EVENT_NODE_DELETED)
		expect_event(watcher, EVENT_NODE_CHILDREN_CHANGED, "/p", zxid + 1);
	else
		expect_event(watcher, EVENT_NODE_DELETED, "/p/a", zxid + 1);
	expect_silence(watcher);
	c = watcher;
	assert_string_equal(children("/p"), "c");
	assert_int_equal(stat_of("/p").cversion, 5);
	assert_int_equal(stat_of("/p").pzxid, zxid + 1);
}

static void test_a_lost_connection_does_not_end_the_session(void **state)
{
	struct headless_client *again;

	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	headless_disconnect(c);
	headless_advance(&h, TIMEOUT_MS - 1);
	again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, c));
	headless_disconnect(again);
	headless_advance(&h, TIMEOUT_MS - 1);
	assert_true(is_alive(c));
	headless_advance(&h, 1 + TIMER_SLOT_MS);
	assert_false(is_alive(c));
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/e"), ZERR_NO_NODE);
}

/* Whatever a client sends is a sign of life. */
static void test_signs_of_life(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		headless_advance(&h, TIMEOUT_MS - 1);
		headless_ping(c);
		headless_advance(&h, TIMEOUT_MS - 1);
		headless_read(c, 7, OP_EXISTS, "/x", false);
		headless_advance(&h, TIMEOUT_MS - 1);
		headless_set_data(c, 8, "/nothing", slice_of(""), -1);
	}
	assert_true(is_alive(c));
}

static void ping_now(struct headless_client *by)
{
	headless_ping(by);
}

/* What the client sent before its deadline counts, though we did not read it. */
static void test_unread_input_is_read_first(void **state)
{
	(void)state;
	c->read_now = ping_now;
	headless_advance(&h, TIMEOUT_MS + 1000);
	assert_true(is_alive(c));
	c->read_now = NULL;
	headless_advance(&h, TIMEOUT_MS + TIMER_SLOT_MS);
	assert_false(is_alive(c));
}

static void close_now(struct headless_client *by)
{
	headless_close_session(by, 9);
}

static void test_unread_input_may_be_a_close(void **state)
{
	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	c->read_now = close_now;
	headless_advance(&h, TIMEOUT_MS + TIMER_SLOT_MS);
	assert_false(is_alive(c));
	assert_int_equal(headless_error_of(c, 9), ZERR_OK);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/e"), ZERR_NO_NODE);
}

static struct headless_client *stranger;

static void resume_now(struct headless *of)
{
	of->read_strangers = NULL;
	headless_send_connect(
		stranger, &(struct headless_connect_request){
				  .timeout_ms = TIMEOUT_MS,
				  .session_id = c->session_id,
				  .password = { (const char *)c->password, sizeof(c->password) },
			  });
}

/* The session's next connection may have said so already. */
static void test_unread_connects_are_read_first(void **state)
{
	(void)state;
	stranger = headless_connect(&h, NULL);
	headless_disconnect(c);
	h.read_strangers = resume_now;
	headless_advance(&h, TIMEOUT_MS + 1000);
	assert_true(is_alive(c));
	assert_ptr_equal(stranger->client.session->client, &stranger->client);
	headless_advance(&h, TIMEOUT_MS);
	assert_false(is_alive(c));
}

/* The session may sit in a connection that we have not looked at. */
static void test_nobody_expires_while_a_peer_waits_for_us(void **state)
{
	struct headless_client *again = headless_connect(&h, NULL);

	(void)state;
	headless_disconnect(c);
	h.waiting = true;
	headless_advance(&h, TIMEOUT_MS + 5000);
	assert_true(is_alive(c));
	h.waiting = false;
	assert_true(headless_resume(again, c));
	headless_advance(&h, TIMEOUT_MS - 1);
	assert_true(is_alive(c));
	h.waiting = true;
	headless_advance(&h, 5000);
	h.waiting = false;
	headless_advance(&h, 100);
	assert_false(is_alive(c));
}

/* We were stopped for longer than any hold: whoever came back meanwhile waits in the queue and must
 * be looked at. */
static void test_nobody_expires_because_we_were_away(void **state)
{
	struct headless_client *again;

	(void)state;
	headless_disconnect(c);
	clock_fake_advance(10 * TIMEOUT_MS);
	h.waiting = true;
	headless_turn(&h);
	headless_advance(&h, 100);
	assert_true(is_alive(c));
	again = headless_connect(&h, NULL);
	assert_true(headless_resume(again, c));
	h.waiting = false;
	headless_advance(&h, 1000);
	assert_true(is_alive(c));
}

/* Peers that owe us bytes hold for half a second in all, from the moment that we look. */
static void test_slow_peers_hold_for_a_while(void **state)
{
	(void)state;
	headless_disconnect(c);
	h.shaking = true;
	headless_advance(&h, TIMEOUT_MS + 490);
	assert_true(is_alive(c));
	headless_advance(&h, 60);
	assert_false(is_alive(c));
	/* Also after we were away. */
	c = headless_new_session(&h, TIMEOUT_MS);
	headless_disconnect(c);
	clock_fake_advance(10 * TIMEOUT_MS);
	headless_turn(&h);
	headless_advance(&h, 490);
	assert_true(is_alive(c));
	headless_advance(&h, 60);
	assert_false(is_alive(c));
}

/* While others at the door wait for us nobody's half second runs: a peer whose turn has not come
 * owes us nothing yet. */
static void test_slow_peers_behind_a_crowd(void **state)
{
	(void)state;
	headless_disconnect(c);
	h.shaking = true;
	h.waiting = true;
	headless_advance(&h, TIMEOUT_MS + 5000);
	h.waiting = false;
	headless_advance(&h, 450);
	assert_true(is_alive(c));
	headless_advance(&h, 100);
	assert_false(is_alive(c));
}

/* A start gives everyone the full timeout, then expiry goes on. */
static void test_expiry_after_a_restart(void **state)
{
	struct headless_client *old = c;

	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	headless_advance(&h, TIMEOUT_MS - 1);
	headless_restart(&h);
	headless_advance(&h, TIMEOUT_MS - 1);
	assert_true(is_alive(old));
	headless_advance(&h, 1 + TIMER_SLOT_MS);
	assert_false(is_alive(old));
	headless_restart(&h);
	assert_false(is_alive(old));
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(exists(c, "/e"), ZERR_NO_NODE);
}

/* Own watches on own ephemerals still fire, before the reply. */
static void test_own_watches_at_the_close(void **state)
{
	int64_t zxid;

	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	ask(c, OP_EXISTS, "/e", true);
	headless_close_session(c, ++xid);
	zxid = registry_last_zxid(h.registry);
	expect_event(c, EVENT_NODE_DELETED, "/e", zxid);
	assert_int_equal(finish(c), ZERR_OK);
	expect_silence(c);
}

/* --- what does not start --- */

static void test_two_registries_in_one_directory(void **state)
{
	struct store_options options = h.store_options;
	char reason[STORE_REASON_LEN] = "";
	struct store *second = NULL;

	(void)state;
	assert_int_equal(store_open(&second, &options, reason), -1);
	assert_true(strlen(reason) > 0);
	/* The first one goes on. */
	assert_int_equal(create(c, "/a", "", 0), ZERR_OK);
}

/* --- memory --- */

/* A cache of nothing: every read is one of tree.db, and answers are the same. */
static void test_without_a_cache(void **state)
{
	char path[32];

	(void)state;
	headless_stop(&h);
	h.registry_options.cache_bytes = 0;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	create(c, "/p", "", 0);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/p/n%02d", i);
		create(c, path, path, i % 4 == 0 ? CREATE_EPHEMERAL : 0);
	}
	headless_replay(&h);
	headless_turn(&h);
	assert_int_equal(tree_counts(registry_tree(h.registry)).cached, 0);
	assert_int_equal(tree_counts(registry_tree(h.registry)).pending, 0);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/p/n%02d", i);
		expect_data(path, path);
	}
	assert_int_equal(strlen(children("/p")), 50 * 4 - 1);
	delete_any(c, "/p/n07");
	assert_int_equal(strlen(children("/p")), 49 * 4 - 1);
	headless_replay(&h);
	assert_int_equal(strlen(children("/p")), 49 * 4 - 1);
	assert_int_equal(exists(c, "/p/n07"), ZERR_NO_NODE);
	assert_int_equal(create(c, "/p/n07", "again", 0), ZERR_OK);
	expect_data("/p/n07", "again");
}

/* Random work over segments, replay and restarts; a plain array is the model. */
static void test_random_work_over_restarts(void **state)
{
	enum { NAMES = 12, ROUNDS = 1500 };
	int32_t versions[NAMES];
	bool ephemeral[NAMES] = { false };
	int64_t mzxids[NAMES];
	struct headless_client *again;
	char path[16];

	(void)state;
	headless_stop(&h);
	h.store_options.segment_bytes = 64 * 1024;
	h.store_options.replay_batch_rows = 7;
	h.registry_options.cache_bytes = 3000;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	srand(5);
	for (int i = 0; i < NAMES; i++)
		versions[i] = -1;
	for (int round = 0; round < ROUNDS; round++) {
		int i = rand() % NAMES;
		int what = rand() % 100;

		snprintf(path, sizeof(path), "/n%d", i);
		if (what < 30) {
			bool as = rand() % 2;
			int32_t err = create(c, path, "x", as ? CREATE_EPHEMERAL : 0);

			assert_int_equal(err, versions[i] < 0 ? ZERR_OK : ZERR_NODE_EXISTS);
			if (err == ZERR_OK) {
				versions[i] = 0;
				ephemeral[i] = as;
				mzxids[i] = last.header.zxid;
			}
		} else if (what < 50) {
			assert_int_equal(delete_any(c, path),
					 versions[i] < 0 ? ZERR_NO_NODE : ZERR_OK);
			versions[i] = -1;
		} else if (what < 70) {
			assert_int_equal(set(c, path, "y"),
					 versions[i] < 0 ? ZERR_NO_NODE : ZERR_OK);
			if (versions[i] >= 0) {
				versions[i]++;
				mzxids[i] = last.header.zxid;
			}
		} else if (what < 72) {
			headless_replay(&h);
		} else if (what < 74) {
			headless_restart(&h);
			again = headless_connect(&h, NULL);
			assert_true(headless_resume(again, c));
			c = again;
		} else {
			struct proto_stat s;

			assert_int_equal(exists(c, path), versions[i] < 0 ? ZERR_NO_NODE : ZERR_OK);
			if (versions[i] < 0)
				continue;
			s = take_stat();
			assert_int_equal(s.version, versions[i]);
			assert_int_equal(s.mzxid, mzxids[i]);
			assert_int_equal(s.ephemeral_owner, ephemeral[i] ? c->session_id : 0);
		}
	}
	headless_close_session(c, ++xid);
	finish(c);
	headless_restart(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	for (int i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		assert_int_equal(exists(c, path),
				 versions[i] < 0 || ephemeral[i] ? ZERR_NO_NODE : ZERR_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_the_first_znodes),
		REGISTRY_TEST(test_they_are_made_once),
		REGISTRY_TEST(test_everything_stays),
		REGISTRY_TEST(test_counters_never_go_back),
		REGISTRY_TEST(test_zxids_go_up_over_restarts),
		REGISTRY_TEST(test_session_ids_are_new),
		REGISTRY_TEST(test_last_zxid_seen_over_a_restart),
		REGISTRY_TEST(test_expiry),
		REGISTRY_TEST(test_a_lost_connection_does_not_end_the_session),
		REGISTRY_TEST(test_signs_of_life),
		REGISTRY_TEST(test_unread_input_is_read_first),
		REGISTRY_TEST(test_unread_input_may_be_a_close),
		REGISTRY_TEST(test_unread_connects_are_read_first),
		REGISTRY_TEST(test_nobody_expires_while_a_peer_waits_for_us),
		REGISTRY_TEST(test_nobody_expires_because_we_were_away),
		REGISTRY_TEST(test_slow_peers_hold_for_a_while),
		REGISTRY_TEST(test_slow_peers_behind_a_crowd),
		REGISTRY_TEST(test_expiry_after_a_restart),
		REGISTRY_TEST(test_own_watches_at_the_close),
		REGISTRY_TEST(test_two_registries_in_one_directory),
		REGISTRY_TEST(test_without_a_cache),
		REGISTRY_TEST(test_random_work_over_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
