/* Containers and TTLs: what is removed, when, and what is not. */
#include "base/metrics.h"
#include "core/watch.h"
#include "tests/unit/registry_fixture.h"

enum { ROUND_MS = 60000 };

static void restart(void)
{
	headless_stop(&h);
	h.registry_options.extended_types = true;
	headless_start(&h);
	c = headless_new_session(&h, TIMEOUT_MS);
}

static int set_up_reaper(void **state)
{
	set_up(state);
	restart();
	return 0;
}

#define REAPER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_reaper, tear_down)

static void create_container(const char *path)
{
	assert_int_equal(create_with(c, OP_CREATE_CONTAINER, path, slice_of(""), headless_world(),
				     CREATE_CONTAINER),
			 ZERR_OK);
}

static void create_ttl(const char *path, int64_t ttl_ms)
{
	headless_begin(c, ++xid, OP_CREATE_TTL);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, slice_of(""));
	jute_write_raw(&c->w, headless_world().data, headless_world().len);
	jute_write_int(&c->w, CREATE_TTL);
	jute_write_long(&c->w, ttl_ms);
	headless_send(c);
	assert_int_equal(finish(c), ZERR_OK);
}

/* Time passes, the session stays, and what was written is in tree.db. */
static void wait_ms(int64_t ms)
{
	while (ms > 0) {
		int64_t step = ms < TIMEOUT_MS / 3 ? ms : TIMEOUT_MS / 3;

		headless_replay(&h);
		headless_advance(&h, step);
		headless_ping(c);
		assert_int_equal(headless_error_of(c, XID_PING), ZERR_OK);
		ms -= step;
	}
	headless_replay(&h);
}

static bool is_there(const char *path)
{
	return exists(c, path) == ZERR_OK;
}

static void test_an_empty_container_goes(void **state)
{
	uint64_t reaped = metrics_get(METRIC_znodes_reaped);
	struct headless_client *w = headless_new_session(&h, 40000);

	(void)state;
	create_container("/used");
	create(c, "/used/a", "", 0);
	create_container("/busy");
	create(c, "/busy/a", "", 0);
	create_container("/fresh");
	create(c, "/plain", "", 0);
	wait_ms(ROUND_MS + 1000);
	assert_true(is_there("/used"));
	delete_any(c, "/used/a");
	headless_disconnect(w);
	w = headless_new_session(&h, 40000);
	ask(w, OP_EXISTS, "/used", true);
	wait_ms(ROUND_MS / 2);
	assert_true(is_there("/used") || metrics_get(METRIC_znodes_reaped) == reaped + 1);
	headless_ping(w);
	wait_ms(ROUND_MS / 2 + 1000);
	assert_false(is_there("/used"));
	assert_int_equal(metrics_get(METRIC_znodes_reaped), reaped + 1);
	/* One that has a child, one that never had, and one that is none. */
	assert_true(is_there("/busy"));
	assert_true(is_there("/fresh"));
	assert_true(is_there("/plain"));
}

/* Its deletion is one like any other. */
static void test_watchers_are_told(void **state)
{
	struct headless_event e;

	(void)state;
	create_container("/used");
	create(c, "/used/a", "", 0);
	delete_any(c, "/used/a");
	ask(c, OP_EXISTS, "/used", true);
	headless_replay(&h);
	for (int i = 0; i < 7; i++) {
		struct slice frame;

		headless_advance(&h, TIMEOUT_MS / 3);
		headless_flush(&h);
		if (registry_watches(h.registry) &&
		    watch_counts(registry_watches(h.registry)).all == 0)
			break;
		headless_ping(c);
		assert_true(headless_receive(c, &frame));
	}
	assert_true(headless_receive_event(c, &e));
	assert_int_equal(e.type, EVENT_NODE_DELETED);
	assert_int_equal(e.zxid, registry_last_change(h.registry));
}

static void test_never_used(void **state)
{
	(void)state;
	headless_stop(&h);
	h.registry_options.container_never_used_ms = 150000;
	restart();
	create_container("/fresh");
	wait_ms(2 * ROUND_MS);
	assert_true(is_there("/fresh"));
	wait_ms(2 * ROUND_MS);
	assert_false(is_there("/fresh"));
}

static void test_ttl(void **state)
{
	(void)state;
	wait_ms(ROUND_MS / 2);
	create_ttl("/short", 1000);
	create_ttl("/long", 300000);
	create_ttl("/parent", 1000);
	create(c, "/parent/a", "", 0);
	create_ttl("/renewed", 100000);
	wait_ms(ROUND_MS);
	assert_false(is_there("/short"));
	assert_true(is_there("/long"));
	/* The age is that of the data, and children keep it. */
	assert_true(is_there("/parent"));
	set(c, "/renewed", "x");
	wait_ms(ROUND_MS);
	assert_true(is_there("/renewed"));
	delete_any(c, "/parent/a");
	wait_ms(ROUND_MS);
	assert_false(is_there("/parent"));
	wait_ms(ROUND_MS);
	assert_false(is_there("/renewed"));
	assert_true(is_there("/long"));
	wait_ms(2 * ROUND_MS);
	assert_false(is_there("/long"));
}

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)

static void jump(int64_t by_ms)
{
	clock_fake_start(clock_now_ms(), clock_wall_ms() + by_ms);
}

/* Neither a clock that jumps nor a server that was down makes anything older. */
static void test_a_jump_of_the_clock_ends_nothing(void **state)
{
	(void)state;
	create_ttl("/t", 150000);
	wait_ms(ROUND_MS);
	jump(10 * YEAR_MS);
	create_ttl("/u", 150000);
	wait_ms(ROUND_MS);
	assert_true(is_there("/t"));
	jump(-20 * YEAR_MS);
	create_ttl("/v", 150000);
	wait_ms(ROUND_MS / 2);
	assert_true(is_there("/t"));
	restart();
	wait_ms(2 * ROUND_MS);
	assert_true(is_there("/t"));
	assert_true(is_there("/u"));
	assert_true(is_there("/v"));
	wait_ms(3 * ROUND_MS);
	assert_false(is_there("/t"));
	assert_false(is_there("/u"));
	assert_false(is_there("/v"));
}

/* Not even one that is to live for a shorter time than there is between two looks. */
static void test_a_jump_ends_no_short_ttl(void **state)
{
	(void)state;
	wait_ms(ROUND_MS - 2000);
	create_ttl("/t", 10000);
	jump(YEAR_MS);
	wait_ms(3000);
	assert_true(is_there("/t"));
	wait_ms(ROUND_MS);
	assert_false(is_there("/t"));
}

static void create_used_container(const char *path)
{
	char child[64];

	create_container(path);
	snprintf(child, sizeof(child), "%s/a", path);
	create(c, child, "", 0);
	delete_any(c, child);
}

/* What is made while a round lasts is as old as it is, not as the round. */
static void test_a_long_round_ends_no_ttl(void **state)
{
	char path[32];

	(void)state;
	headless_stop(&h);
	h.registry_options.container_max_per_minute = 60;
	restart();
	for (int i = 0; i < 260; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		create_used_container(path);
	}
	wait_ms(ROUND_MS + 200 * 1000);
	create_ttl("/t", 150000);
	/* The second step of the round, where it is met, comes in between. */
	wait_ms(80 * 1000);
	assert_true(is_there("/t"));
	wait_ms(300 * 1000);
	assert_false(is_there("/t"));
}

/* As many as there may be, though timers are coarser. */
static void test_a_high_rate(void **state)
{
	uint64_t reaped = metrics_get(METRIC_znodes_reaped);
	char path[32];

	(void)state;
	headless_stop(&h);
	h.registry_options.container_max_per_minute = 30000;
	restart();
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		create_used_container(path);
	}
	wait_ms(ROUND_MS + 1000);
	assert_in_range(metrics_get(METRIC_znodes_reaped) - reaped, 450, 510);
	wait_ms(2000);
	assert_int_equal(metrics_get(METRIC_znodes_reaped) - reaped, 1000);
}

/* No more than so many in a minute, and more than one step of looking. */
static void test_rate(void **state)
{
	uint64_t reaped = metrics_get(METRIC_znodes_reaped);
	char path[32];

	(void)state;
	headless_stop(&h);
	h.registry_options.container_max_per_minute = 60;
	restart();
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		create_used_container(path);
	}
	wait_ms(ROUND_MS + 10000);
	assert_in_range(metrics_get(METRIC_znodes_reaped) - reaped, 5, 11);
	wait_ms(300 * 1000 + ROUND_MS);
	assert_int_equal(metrics_get(METRIC_znodes_reaped) - reaped, 300);
}

/* It got a child after it was found. */
static void test_a_candidate_that_is_none_any_more(void **state)
{
	(void)state;
	headless_stop(&h);
	h.registry_options.container_max_per_minute = 1;
	restart();
	create_used_container("/c0");
	create_used_container("/c1");
	wait_ms(ROUND_MS + 20000);
	/* Found both, removed one yet. */
	assert_false(is_there("/c0"));
	create(c, "/c1/b", "", 0);
	wait_ms(3 * ROUND_MS);
	assert_true(is_there("/c1"));
}

/* Its data changed after it was found: its time begins anew. */
static void test_a_candidate_that_was_written_to(void **state)
{
	(void)state;
	headless_stop(&h);
	h.registry_options.container_max_per_minute = 1;
	restart();
	create_ttl("/t0", 50000);
	create_ttl("/t1", 50000);
	wait_ms(ROUND_MS + 20000);
	/* Found both, removed one yet. */
	assert_false(is_there("/t0"));
	set(c, "/t1", "x");
	wait_ms(ROUND_MS - 15000);
	assert_true(is_there("/t1"));
	wait_ms(ROUND_MS);
	assert_false(is_there("/t1"));
}

/* It takes no other's turn either. */
static void test_children_keep_a_ttl(void **state)
{
	(void)state;
	headless_stop(&h);
	h.registry_options.container_max_per_minute = 1;
	restart();
	create_ttl("/p", 1000);
	create(c, "/p/a", "", 0);
	create_ttl("/q", 1000);
	wait_ms(ROUND_MS + 20000);
	assert_false(is_there("/q"));
	assert_true(is_there("/p"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REAPER_TEST(test_an_empty_container_goes),
		REAPER_TEST(test_watchers_are_told),
		REAPER_TEST(test_never_used),
		REAPER_TEST(test_ttl),
		REAPER_TEST(test_a_jump_of_the_clock_ends_nothing),
		REAPER_TEST(test_a_jump_ends_no_short_ttl),
		REAPER_TEST(test_a_long_round_ends_no_ttl),
		REAPER_TEST(test_rate),
		REAPER_TEST(test_a_high_rate),
		REAPER_TEST(test_a_candidate_that_is_none_any_more),
		REAPER_TEST(test_a_candidate_that_was_written_to),
		REAPER_TEST(test_children_keep_a_ttl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
