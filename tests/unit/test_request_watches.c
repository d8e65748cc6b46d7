/* Watches as clients see them: armed by reads and by setWatches, events in order, before what shows
 * the change. */
#include "base/metrics.h"
#include "tests/unit/registry_fixture.h"

#include "core/watch.h"

static struct headless_client *w; /* watches */

static void watcher(void)
{
	w = headless_new_session(&h, TIMEOUT_MS);
}

/* --- armed by reads --- */

static void test_data_watch(void **state)
{
	(void)state;
	watcher();
	create(c, "/a", "", 0);
	ask(w, OP_GET_DATA, "/a", true);
	create(c, "/a/child", "", 0);
	expect_silence(w);
	set(c, "/a", "x");
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/a", last.header.zxid);
	/* Once. */
	set(c, "/a", "y");
	expect_silence(w);
	ask(w, OP_GET_DATA, "/a", false);
	set(c, "/a", "z");
	expect_silence(w);
}

static void test_exists_watch(void **state)
{
	(void)state;
	watcher();
	assert_int_equal(ask(w, OP_EXISTS, "/a", true), ZERR_NO_NODE);
	create(c, "/a", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/a", last.header.zxid);
	assert_int_equal(ask(w, OP_EXISTS, "/a", true), ZERR_OK);
	set(c, "/a", "");
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/a", last.header.zxid);
	ask(w, OP_EXISTS, "/a", true);
	delete_any(c, "/a");
	expect_event(w, EVENT_NODE_DELETED, "/a", last.header.zxid);
	expect_silence(w);
}

/* Of a znode that is not there, only exists waits. */
static void test_reads_of_nothing_arm_nothing(void **state)
{
	(void)state;
	watcher();
	ask(w, OP_GET_DATA, "/a", true);
	ask(w, OP_GET_CHILDREN, "/a", true);
	ask(w, OP_GET_CHILDREN2, "/a", true);
	create(c, "/a", "", 0);
	create(c, "/a/b", "", 0);
	set(c, "/a", "x");
	expect_silence(w);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
}

static void test_child_watch(void **state)
{
	static const int32_t types[] = { OP_GET_CHILDREN, OP_GET_CHILDREN2 };

	(void)state;
	watcher();
	create(c, "/p", "", 0);
	for (int i = 0; i < 2; i++) {
		ask(w, types[i], "/p", true);
		set(c, "/p", "x");
		expect_silence(w);
		create(c, "/p/a", "", 0);
		expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/p", last.header.zxid);
		ask(w, types[i], "/p", true);
		create(c, "/p/a/b", "", 0);
		set(c, "/p/a", "x");
		expect_silence(w);
		delete_any(c, "/p/a/b");
		delete_any(c, "/p/a");
		expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/p", last.header.zxid);
		expect_silence(w);
	}
}

/* A deletion: one event for data and child watches of the znode together, then the parent's. */
static void test_deletion(void **state)
{
	(void)state;
	watcher();
	create(c, "/p", "", 0);
	create(c, "/p/a", "", 0);
	ask(w, OP_GET_CHILDREN, "/p", true);
	ask(w, OP_GET_CHILDREN, "/p/a", true);
	ask(w, OP_GET_DATA, "/p/a", true);
	delete_any(c, "/p/a");
	expect_event(w, EVENT_NODE_DELETED, "/p/a", last.header.zxid);
	expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/p", last.header.zxid);
	expect_silence(w);
}

static void test_creation_before_the_parents_children(void **state)
{
	(void)state;
	watcher();
	create(c, "/p", "", 0);
	ask(w, OP_GET_CHILDREN, "/p", true);
	ask(w, OP_EXISTS, "/p/a", true);
	create(c, "/p/a", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/p/a", last.header.zxid);
	expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/p", last.header.zxid);
	expect_silence(w);
}

static void test_an_event_comes_before_the_reply_that_caused_it(void **state)
{
	int64_t zxid;

	(void)state;
	create(c, "/a", "", 0);
	ask(c, OP_GET_DATA, "/a", true);
	headless_set_data(c, 50, "/a", slice_of("x"), -1);
	zxid = registry_last_zxid(h.registry);
	expect_event(c, EVENT_NODE_DATA_CHANGED, "/a", zxid);
	assert_int_equal(headless_error_of(c, 50), ZERR_OK);
}

/* No event before its change is on disk; none behind a reply that shows it. */
static void test_an_event_waits_for_the_disk(void **state)
{
	struct slice frame;

	(void)state;
	watcher();
	create(c, "/a", "", 0);
	create(c, "/b", "", 0);
	ask(w, OP_GET_DATA, "/a", true);
	headless_set_data(c, 50, "/a", slice_of("x"), -1);
	assert_false(headless_receive(w, &frame));
	headless_read(w, 60, OP_GET_DATA, "/b", false);
	assert_false(headless_receive(w, &frame));
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/a", registry_last_zxid(h.registry));
	assert_int_equal(headless_error_of(w, 60), ZERR_OK);
}

static void test_a_write_that_fails_tells_nobody(void **state)
{
	(void)state;
	watcher();
	create(c, "/a", "", 0);
	ask(w, OP_GET_DATA, "/a", true);
	ask(w, OP_GET_CHILDREN, "/", true);
	set_version(c, "/a", "", 9);
	create(c, "/a", "", 0);
	delete_version(c, "/a", 9);
	expect_silence(w);
}

/* However many are told. */
static void test_an_event_is_encoded_once(void **state)
{
	enum { WATCHERS = 1000 };
	uint64_t encoded, fired;

	(void)state;
	create(c, "/a", "", 0);
	for (int i = 0; i < WATCHERS; i++) {
		watcher();
		ask(w, OP_GET_CHILDREN, "/a", true);
	}
	encoded = metrics_get(METRIC_events_encoded);
	fired = metrics_get(METRIC_watches_fired);
	create(c, "/a/b", "", 0);
	assert_int_equal(metrics_get(METRIC_events_encoded), encoded + 1);
	assert_int_equal(metrics_get(METRIC_watches_fired), fired + WATCHERS);
}

static void test_watches_go_with_the_connection(void **state)
{
	struct headless_client *again = headless_connect(&h, NULL);

	(void)state;
	watcher();
	create(c, "/a", "", 0);
	ask(w, OP_GET_DATA, "/a", true);
	ask(w, OP_GET_CHILDREN, "/a", true);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 2);
	assert_int_equal(watch_counts(registry_watches(h.registry)).clients, 1);
	headless_disconnect(w);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
	assert_int_equal(watch_counts(registry_watches(h.registry)).paths, 0);
	assert_true(headless_resume(again, w));
	set(c, "/a", "x");
	expect_silence(again);
}

/* A watcher learns nothing of what it may not read. */
static void test_events_need_read(void **state)
{
	struct buf acls;

	(void)state;
	watcher();
	buf_init(&acls, 512);
	headless_add_acl(&acls, PERM_ALL & ~PERM_READ, "world", "anyone");
	ask(w, OP_EXISTS, "/secret", true);
	create_with(c, OP_CREATE, "/secret", slice_of(""), buf_slice(&acls), 0);
	expect_silence(w);
	/* Read away after the watch was set, the deletion included. */
	create(c, "/a", "", 0);
	ask(w, OP_GET_DATA, "/a", true);
	ask(w, OP_GET_CHILDREN, "/a", true);
	assert_int_equal(set_acl(c, "/a", buf_slice(&acls), -1), ZERR_OK);
	delete_any(c, "/a");
	expect_silence(w);
	assert_int_equal(ask(w, OP_EXISTS, "/secret", true), ZERR_NO_AUTH);
	assert_int_equal(ask(w, OP_GET_DATA, "/secret", true), ZERR_NO_AUTH);
	assert_int_equal(ask(w, OP_GET_CHILDREN, "/secret", true), ZERR_NO_AUTH);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
	buf_fini(&acls);
}

static void test_at_the_limit_the_connection_ends(void **state)
{
	(void)state;
	headless_stop(&h);
	h.registry_options.max_watches = 2;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	watcher();
	ask(w, OP_EXISTS, "/1", true);
	ask(w, OP_EXISTS, "/2", true);
	/* Nothing more than before. */
	ask(w, OP_EXISTS, "/2", true);
	assert_false(w->failed);
	headless_read(w, 70, OP_EXISTS, "/3", true);
	assert_true(w->failed);
	expect_silence(w);
	headless_read(w, 71, OP_EXISTS, "/3", false);
	expect_silence(w);
	assert_int_equal(ask(c, OP_EXISTS, "/3", true), ZERR_NO_NODE);
}

static void test_long_paths_reach_the_limit_sooner(void **state)
{
	uint64_t refused = metrics_get(METRIC_watches_refused);
	char path[1001];

	(void)state;
	headless_stop(&h);
	h.registry_options.max_watch_bytes = 4000;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	watcher();
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[1000] = 0;
	for (int i = 0; i < 3; i++) {
		path[1] = (char)('a' + i);
		assert_int_equal(ask(w, OP_EXISTS, path, true), ZERR_NO_NODE);
	}
	assert_false(w->failed);
	path[1] = 'd';
	headless_read(w, 70, OP_EXISTS, path, true);
	assert_true(w->failed);
	assert_int_equal(metrics_get(METRIC_watches_refused), refused + 1);
}

/* --- setWatches --- */

static void begin_set_watches(struct headless_client *by, int64_t since)
{
	headless_begin(by, ++xid, OP_SET_WATCHES);
	jute_write_long(&by->w, since);
}

/* Names of one vector, by spaces; "" is none. */
static void add_paths(struct headless_client *by, const char *paths)
{
	char copy[512], *rest = copy, *path;
	int32_t count = paths[0] ? 1 : 0;

	for (const char *p = paths; *p; p++)
		count += *p == ' ';
	jute_write_int(&by->w, count);
	snprintf(copy, sizeof(copy), "%s", paths);
	while (count > 0 && (path = strsep(&rest, " ")))
		jute_write_buffer(&by->w, slice_of(path));
}

static void set_watches(struct headless_client *by, int64_t since, const char *data,
			const char *exist, const char *child)
{
	begin_set_watches(by, since);
	add_paths(by, data);
	add_paths(by, exist);
	add_paths(by, child);
	assert_int_equal(headless_send(by), DISPATCH_DONE);
}

/* What changed meanwhile is told before the answer, with the right type; the rest is armed. */
static void test_set_watches(void **state)
{
	int64_t since;

	(void)state;
	watcher();
	create(c, "/changed", "", 0);
	create(c, "/same", "", 0);
	create(c, "/deleted", "", 0);
	create(c, "/parent", "", 0);
	create(c, "/parent2", "", 0);
	since = registry_last_zxid(h.registry);
	set(c, "/changed", "x");
	delete_any(c, "/deleted");
	create(c, "/created", "", 0);
	create(c, "/parent/a", "", 0);
	set_watches(w, since, "/changed /same /deleted", "/created /waiting",
		    "/parent /parent2 /deleted");
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/changed", -1);
	expect_event(w, EVENT_NODE_DELETED, "/deleted", -1);
	expect_event(w, EVENT_NODE_CREATED, "/created", -1);
	expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/parent", -1);
	expect_event(w, EVENT_NODE_DELETED, "/deleted", -1);
	assert_int_equal(finish(w), ZERR_OK);
	expect_end();
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 3);
	set(c, "/same", "x");
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/same", last.header.zxid);
	create(c, "/waiting", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/waiting", last.header.zxid);
	create(c, "/parent2/a", "", 0);
	expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/parent2", last.header.zxid);
	set(c, "/changed", "");
	create(c, "/deleted", "", 0);
	expect_silence(w);
}

/* A change that is not on disk yet is not told before it is. */
static void test_set_watches_waits_for_the_disk(void **state)
{
	int64_t since;
	struct slice frame;

	(void)state;
	watcher();
	create(c, "/a", "", 0);
	since = registry_last_zxid(h.registry);
	headless_set_data(c, 50, "/a", slice_of("x"), -1);
	set_watches(w, since, "/a", "", "");
	assert_false(headless_receive(w, &frame));
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/a", -1);
	assert_int_equal(finish(w), ZERR_OK);
}

/* A data watch looks at data, a child watch at children. */
static void test_set_watches_looks_at_the_right_zxid(void **state)
{
	int64_t since;

	(void)state;
	watcher();
	create(c, "/p", "", 0);
	create(c, "/q", "", 0);
	since = registry_last_zxid(h.registry);
	create(c, "/p/a", "", 0);
	set(c, "/q", "x");
	set_watches(w, since, "/p", "", "/q");
	assert_int_equal(finish(w), ZERR_OK);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 2);
}

static void test_set_watches_leaks_nothing(void **state)
{
	struct buf acls;
	int64_t since = registry_last_zxid(h.registry);

	(void)state;
	watcher();
	buf_init(&acls, 512);
	headless_add_acl(&acls, PERM_ALL & ~PERM_READ, "world", "anyone");
	create_with(c, OP_CREATE, "/secret", slice_of(""), buf_slice(&acls), 0);
	set_watches(w, since, "/secret", "/secret", "/secret");
	assert_int_equal(finish(w), ZERR_OK);
	delete_any(c, "/secret");
	expect_silence(w);
	buf_fini(&acls);
}

/* A path that no znode can have is refused before it is told or armed, in each of the vectors. */
static void test_set_watches_on_a_long_path(void **state)
{
	const char *longest = "/45678901234567890123456789012345678901234567890123456789012345";
	const char *longer = "/456789012345678901234567890123456789012345678901234567890123456";

	(void)state;
	headless_stop(&h);
	h.registry_options.max_path = strlen(longest);
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	watcher();
	for (int i = 0; i < 3; i++) {
		set_watches(w, 0, i == 0 ? longer : "", i == 1 ? longer : "", i == 2 ? longer : "");
		assert_int_equal(finish(w), ZERR_BAD_ARGUMENTS);
		expect_silence(w);
	}
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
	set_watches(w, 0, longest, longest, "");
	expect_event(w, EVENT_NODE_DELETED, longest, -1);
	assert_int_equal(finish(w), ZERR_OK);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 1);
}

static void test_malformed_set_watches(void **state)
{
	(void)state;
	watcher();
	/* A null vector. */
	for (int null = 0; null < 3; null++) {
		begin_set_watches(w, 0);
		for (int i = 0; i < 3; i++)
			jute_write_int(&w->w, i == null ? -1 : 0);
		headless_send(w);
		assert_int_equal(finish(w), ZERR_MARSHALLING);
	}
	/* A count that the frame does not hold. */
	begin_set_watches(w, 0);
	jute_write_int(&w->w, INT32_MAX);
	jute_write_int(&w->w, 0);
	jute_write_int(&w->w, 0);
	headless_send(w);
	assert_int_equal(finish(w), ZERR_MARSHALLING);
	/* Counts below -1 are empty vectors, as in Java's loops. */
	begin_set_watches(w, 0);
	jute_write_int(&w->w, -2);
	jute_write_int(&w->w, INT32_MIN);
	jute_write_int(&w->w, -7);
	headless_send(w);
	assert_int_equal(finish(w), ZERR_OK);
	assert_null(w->closing);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
}

static void test_set_watches_at_the_limit(void **state)
{
	(void)state;
	headless_stop(&h);
	h.registry_options.max_watches = 2;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
	watcher();
	set_watches(w, 0, "", "/1 /2 /3 /4", "");
	assert_true(w->failed);
	expect_silence(w);
	headless_disconnect(w);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
}

/* --- addWatch, setWatches2, checkWatches, removeWatches --- */

static int32_t with_number(struct headless_client *by, int32_t type, const char *path,
			   int32_t number)
{
	headless_begin(by, ++xid, type);
	jute_write_buffer(&by->w, path ? slice_of(path) : (struct slice){ 0 });
	jute_write_int(&by->w, number);
	assert_int_equal(headless_send(by), DISPATCH_DONE);
	return finish(by);
}

static void add_watch(const char *path, int32_t mode)
{
	assert_int_equal(with_number(w, OP_ADD_WATCH, path, mode), ZERR_OK);
	/* An ErrorResponse. */
	assert_int_equal(jute_read_int(&last.body), ZERR_OK);
	expect_end();
}

static void test_persistent_watch(void **state)
{
	(void)state;
	watcher();
	add_watch("/a", ADD_WATCH_PERSISTENT);
	for (int i = 0; i < 2; i++) {
		create(c, "/a", "", 0);
		expect_event(w, EVENT_NODE_CREATED, "/a", last.header.zxid);
		create(c, "/a/b", "", 0);
		expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/a", last.header.zxid);
		set(c, "/a/b", "x");
		expect_silence(w);
		set(c, "/a", "x");
		expect_event(w, EVENT_NODE_DATA_CHANGED, "/a", last.header.zxid);
		delete_any(c, "/a/b");
		expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/a", last.header.zxid);
		delete_any(c, "/a");
		expect_event(w, EVENT_NODE_DELETED, "/a", last.header.zxid);
		expect_silence(w);
	}
}

/* With the path of what changed, and never of a list of children. */
static void test_recursive_watch(void **state)
{
	(void)state;
	watcher();
	add_watch("/a", ADD_WATCH_RECURSIVE);
	create(c, "/a", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/a", last.header.zxid);
	create(c, "/a/b", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/a/b", last.header.zxid);
	create(c, "/a/b/c", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/a/b/c", last.header.zxid);
	set(c, "/a/b/c", "x");
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/a/b/c", last.header.zxid);
	create(c, "/ab", "", 0);
	expect_silence(w);
	delete_any(c, "/a/b/c");
	expect_event(w, EVENT_NODE_DELETED, "/a/b/c", last.header.zxid);
	expect_silence(w);
}

/* One-shot watches on the same path neither take its place nor tell twice. */
static void test_modes_live_side_by_side(void **state)
{
	(void)state;
	watcher();
	create(c, "/a", "", 0);
	add_watch("/a", ADD_WATCH_PERSISTENT);
	add_watch("/a", ADD_WATCH_RECURSIVE);
	ask(w, OP_GET_DATA, "/a", true);
	set(c, "/a", "x");
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/a", last.header.zxid);
	expect_silence(w);
	assert_int_equal(with_number(w, OP_CHECK_WATCHES, "/a", WATCHER_DATA), ZERR_NO_WATCHER);
	assert_int_equal(with_number(w, OP_CHECK_WATCHES, "/a", WATCHER_PERSISTENT), ZERR_OK);
	assert_int_equal(with_number(w, OP_CHECK_WATCHES, "/a", WATCHER_RECURSIVE), ZERR_OK);
}

static void test_recursive_watch_shows_what_may_be_read(void **state)
{
	struct buf acls;

	(void)state;
	watcher();
	add_watch("/", ADD_WATCH_RECURSIVE);
	buf_init(&acls, 1024);
	headless_add_acl(&acls, PERM_WRITE | PERM_CREATE | PERM_DELETE, "world", "anyone");
	create_with(c, OP_CREATE, "/secret", slice_of(""), buf_slice(&acls), 0);
	set(c, "/secret", "x");
	create(c, "/secret/open", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/secret/open", last.header.zxid);
	delete_any(c, "/secret/open");
	expect_event(w, EVENT_NODE_DELETED, "/secret/open", last.header.zxid);
	delete_any(c, "/secret");
	expect_silence(w);
	buf_fini(&acls);
}

static void test_remove_watches(void **state)
{
	static const struct {
		int32_t type;
		bool has[4]; /* of the types beside it, after it was removed */
	} steps[] = {
		{ WATCHER_DATA, { true, false, true, true } },
		{ WATCHER_PERSISTENT, { true, false, false, true } },
		{ WATCHER_CHILDREN, { false, false, false, true } },
		{ WATCHER_RECURSIVE, { false, false, false, false } },
	};
	static const int32_t types[] = { WATCHER_CHILDREN, WATCHER_DATA, WATCHER_PERSISTENT,
					 WATCHER_RECURSIVE };

	(void)state;
	watcher();
	create(c, "/a", "", 0);
	ask(w, OP_GET_DATA, "/a", true);
	ask(w, OP_GET_CHILDREN, "/a", true);
	add_watch("/a", ADD_WATCH_PERSISTENT);
	add_watch("/a", ADD_WATCH_RECURSIVE);
	/* Somebody else's watches are none of the caller's. */
	assert_int_equal(with_number(c, OP_CHECK_WATCHES, "/a", WATCHER_ANY), ZERR_NO_WATCHER);
	assert_int_equal(with_number(c, OP_REMOVE_WATCHES, "/a", WATCHER_ANY), ZERR_NO_WATCHER);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(with_number(w, OP_REMOVE_WATCHES, "/a", steps[i].type), ZERR_OK);
		expect_end();
		assert_int_equal(with_number(w, OP_REMOVE_WATCHES, "/a", steps[i].type),
				 ZERR_NO_WATCHER);
		for (int k = 0; k < 4; k++)
			assert_int_equal(with_number(w, OP_CHECK_WATCHES, "/a", types[k]),
					 steps[i].has[k] ? ZERR_OK : ZERR_NO_WATCHER);
		assert_int_equal(with_number(w, OP_CHECK_WATCHES, "/a", WATCHER_ANY),
				 i < 3 ? ZERR_OK : ZERR_NO_WATCHER);
	}
	set(c, "/a", "x");
	expect_silence(w);
	ask(w, OP_GET_DATA, "/a", true);
	add_watch("/a", ADD_WATCH_RECURSIVE);
	assert_int_equal(with_number(w, OP_REMOVE_WATCHES, "/a", WATCHER_ANY), ZERR_OK);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
}

static void test_malformed_watch_requests(void **state)
{
	static const int32_t types[] = { OP_ADD_WATCH, OP_CHECK_WATCHES, OP_REMOVE_WATCHES };

	(void)state;
	watcher();
	for (int i = 0; i < 3; i++) {
		headless_begin(w, ++xid, types[i]);
		jute_write_buffer(&w->w, slice_of("/a"));
		headless_send(w);
		assert_int_equal(finish(w), ZERR_MARSHALLING);
		assert_int_equal(with_number(w, types[i], "/a", -1), ZERR_MARSHALLING);
		assert_int_equal(with_number(w, types[i], "/a", 6), ZERR_MARSHALLING);
	}
	assert_int_equal(with_number(w, OP_ADD_WATCH, "/a", 2), ZERR_MARSHALLING);
	assert_int_equal(with_number(w, OP_CHECK_WATCHES, "/a", 0), ZERR_MARSHALLING);
	assert_int_equal(with_number(w, OP_CHECK_WATCHES, NULL, WATCHER_ANY), ZERR_NO_WATCHER);
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 0);
	/* The empty path is one, and null is none. */
	add_watch("", ADD_WATCH_PERSISTENT);
	assert_int_equal(with_number(w, OP_CHECK_WATCHES, NULL, WATCHER_ANY), ZERR_NO_WATCHER);
	assert_int_equal(with_number(w, OP_REMOVE_WATCHES, NULL, WATCHER_ANY), ZERR_NO_WATCHER);
	assert_int_equal(with_number(w, OP_REMOVE_WATCHES, "", WATCHER_ANY), ZERR_OK);
}

/* The lists that setWatches has not: armed, and nothing told of what was missed. */
static void test_set_watches2(void **state)
{
	(void)state;
	watcher();
	create(c, "/a", "", 0);
	create(c, "/a/b", "", 0);
	headless_begin(w, ++xid, OP_SET_WATCHES2);
	jute_write_long(&w->w, 0);
	add_paths(w, "/a/b");
	add_paths(w, "/new");
	add_paths(w, "");
	add_paths(w, "/a");
	add_paths(w, "/gone /a/b");
	assert_int_equal(headless_send(w), DISPATCH_DONE);
	expect_event(w, EVENT_NODE_DATA_CHANGED, "/a/b", -1);
	assert_int_equal(finish(w), ZERR_OK);
	expect_end();
	assert_int_equal(watch_counts(registry_watches(h.registry)).all, 5);
	create(c, "/a/c", "", 0);
	expect_event(w, EVENT_NODE_CHILDREN_CHANGED, "/a", last.header.zxid);
	create(c, "/a/b/d", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/a/b/d", last.header.zxid);
	create(c, "/new", "", 0);
	expect_event(w, EVENT_NODE_CREATED, "/new", last.header.zxid);
	/* Without them it is malformed. */
	headless_begin(w, ++xid, OP_SET_WATCHES2);
	jute_write_long(&w->w, 0);
	for (int i = 0; i < 3; i++)
		add_paths(w, "");
	assert_int_equal(headless_send(w), DISPATCH_DONE);
	assert_int_equal(finish(w), ZERR_MARSHALLING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REGISTRY_TEST(test_data_watch),
		REGISTRY_TEST(test_exists_watch),
		REGISTRY_TEST(test_reads_of_nothing_arm_nothing),
		REGISTRY_TEST(test_child_watch),
		REGISTRY_TEST(test_deletion),
		REGISTRY_TEST(test_creation_before_the_parents_children),
		REGISTRY_TEST(test_an_event_comes_before_the_reply_that_caused_it),
		REGISTRY_TEST(test_an_event_waits_for_the_disk),
		REGISTRY_TEST(test_a_write_that_fails_tells_nobody),
		REGISTRY_TEST(test_an_event_is_encoded_once),
		REGISTRY_TEST(test_watches_go_with_the_connection),
		REGISTRY_TEST(test_events_need_read),
		REGISTRY_TEST(test_at_the_limit_the_connection_ends),
		REGISTRY_TEST(test_set_watches),
		REGISTRY_TEST(test_set_watches_waits_for_the_disk),
		REGISTRY_TEST(test_set_watches_looks_at_the_right_zxid),
		REGISTRY_TEST(test_set_watches_leaks_nothing),
		REGISTRY_TEST(test_set_watches_on_a_long_path),
		REGISTRY_TEST(test_malformed_set_watches),
		REGISTRY_TEST(test_long_paths_reach_the_limit_sooner),
		REGISTRY_TEST(test_set_watches_at_the_limit),
		REGISTRY_TEST(test_persistent_watch),
		REGISTRY_TEST(test_recursive_watch),
		REGISTRY_TEST(test_modes_live_side_by_side),
		REGISTRY_TEST(test_recursive_watch_shows_what_may_be_read),
		REGISTRY_TEST(test_remove_watches),
		REGISTRY_TEST(test_malformed_watch_requests),
		REGISTRY_TEST(test_set_watches2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
