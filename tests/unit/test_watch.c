/* The watch table: who is called for what, once, and nothing is left behind. */
#include "core/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/hash.h"
#include "core/client.h"

enum { CLIENTS = 3 };

static struct watch_table *table;
static struct client clients[CLIENTS];
static unsigned called[CLIENTS];
static int kept; /* whom call does not tell; -1: nobody */

static int set_up(void **state)
{
	(void)state;
	table = watch_table_new();
	kept = -1;
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .serial = (uint64_t)i + 1 };
		list_init(&clients[i].watches);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		watch_drop_client(table, &clients[i]);
	watch_table_free(table);
	return 0;
}

static bool call(void *ctx, struct client *c)
{
	(void)ctx;
	called[c - clients]++;
	return c - clients != kept;
}

static size_t fire(const char *path, enum event_type type)
{
	memset(called, 0, sizeof(called));
	return watch_fire(table, slice_of(path), type, call, NULL);
}

static void arm(int i, const char *path, enum watch_mode mode)
{
	watch_arm(table, &clients[i], slice_of(path), mode);
}

/* all: in both of ZooKeeper's tables. */
static void expect_counts(size_t watches, size_t paths, size_t watchers, size_t all)
{
	struct watch_counts counts = watch_counts(table);

	assert_int_equal(counts.watches, watches);
	assert_int_equal(counts.paths, paths);
	assert_int_equal(counts.clients, watchers);
	assert_int_equal(counts.all, all);
}

/* Which mode hears of which event on the path itself, and which is there afterwards. */
static void test_modes(void **state)
{
	static const struct {
		enum event_type type;
		unsigned fires;
	} events[] = {
		{ EVENT_NODE_CREATED, WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE },
		{ EVENT_NODE_DATA_CHANGED, WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE },
		{ EVENT_NODE_DELETED, WATCH_ANY },
		{ EVENT_NODE_CHILDREN_CHANGED, WATCH_CHILD | WATCH_PERSISTENT },
	};
	static const unsigned stays = WATCH_PERSISTENT | WATCH_RECURSIVE;

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		for (unsigned mode = WATCH_DATA; mode <= WATCH_RECURSIVE; mode *= 2) {
			bool fires = (events[i].fires & mode) != 0;
			bool is_left = !fires || (stays & mode) != 0;

			arm(0, "/a", mode);
			assert_int_equal(fire("/a", events[i].type), fires);
			assert_int_equal(called[0], fires);
			assert_int_equal(watch_is_armed(table, &clients[0], slice_of("/a"), mode),
					 is_left);
			assert_int_equal(clients[0].watch_count, is_left);
			/* Again, or never again. */
			assert_int_equal(fire("/a", events[i].type), fires && is_left);
			watch_drop_client(table, &clients[0]);
			expect_counts(0, 0, 0, 0);
		}
	}
}

static void test_counts(void **state)
{
	(void)state;
	arm(0, "/a", WATCH_CHILD);
	expect_counts(0, 0, 0, 1);
	arm(0, "/a", WATCH_PERSISTENT);
	expect_counts(1, 1, 1, 2);
	arm(0, "/a", WATCH_DATA);
	arm(0, "/a", WATCH_RECURSIVE);
	expect_counts(1, 1, 1, 2);
	arm(1, "/a", WATCH_DATA);
	arm(1, "/b", WATCH_RECURSIVE);
	expect_counts(3, 2, 2, 4);
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 2);
	expect_counts(2, 2, 2, 3);
	assert_int_equal(clients[0].watch_count, 1);
	watch_drop_client(table, &clients[0]);
	expect_counts(1, 1, 1, 1);
}

/* From below, and from the path itself; never of lists of children. */
static void test_recursive(void **state)
{
	(void)state;
	arm(0, "/", WATCH_RECURSIVE);
	arm(1, "/a", WATCH_RECURSIVE);
	arm(1, "/a/b", WATCH_DATA);
	arm(2, "/a", WATCH_PERSISTENT);
	assert_int_equal(fire("/a/b", EVENT_NODE_CREATED), 2);
	assert_int_equal(called[0], 1);
	/* Two of its watches see it; it is told once. */
	assert_int_equal(called[1], 1);
	assert_int_equal(fire("/a/b/c/d", EVENT_NODE_DELETED), 2);
	assert_int_equal(fire("/ab", EVENT_NODE_DATA_CHANGED), 1);
	assert_int_equal(called[0], 1);
	assert_int_equal(fire("/", EVENT_NODE_DATA_CHANGED), 1);
	assert_int_equal(fire("/x", EVENT_NODE_CREATED), 1);
	assert_int_equal(fire("/a/b", EVENT_NODE_CHILDREN_CHANGED), 0);
	assert_int_equal(fire("/a", EVENT_NODE_CHILDREN_CHANGED), 1);
	assert_int_equal(called[2], 1);
	/* The path is no prefix of text, and what is not armed any more is not told. */
	watch_drop_client(table, &clients[0]);
	assert_int_equal(fire("/ab/c", EVENT_NODE_CREATED), 0);
	assert_int_equal(fire("/a/b", EVENT_NODE_CREATED), 1);
}

static void test_disarm(void **state)
{
	(void)state;
	assert_false(watch_disarm(table, &clients[0], slice_of("/a"), WATCH_ANY));
	arm(0, "/a", WATCH_DATA);
	arm(0, "/a", WATCH_PERSISTENT);
	arm(1, "/a", WATCH_CHILD);
	/* Another client's is none of ours. */
	assert_false(watch_is_armed(table, &clients[0], slice_of("/a"), WATCH_CHILD));
	assert_false(watch_disarm(table, &clients[0], slice_of("/a"), WATCH_CHILD));
	assert_false(watch_disarm(table, &clients[0], slice_of("/b"), WATCH_DATA));
	assert_true(watch_disarm(table, &clients[0], slice_of("/a"), WATCH_DATA));
	assert_false(watch_disarm(table, &clients[0], slice_of("/a"), WATCH_DATA));
	assert_true(watch_is_armed(table, &clients[0], slice_of("/a"), WATCH_ANY));
	assert_int_equal(fire("/a", EVENT_NODE_DATA_CHANGED), 1);
	assert_true(watch_disarm(table, &clients[0], slice_of("/a"), WATCH_ANY));
	expect_counts(0, 0, 0, 1);
	assert_true(watch_disarm(table, &clients[1], slice_of("/a"), WATCH_ANY));
	expect_counts(0, 0, 0, 0);
}

static char seen[256];

static void see_path(void *ctx, struct slice path)
{
	(void)ctx;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%.*s:", (int)path.len,
		 path.data);
}

static void see_watcher(void *ctx, const struct client *c)
{
	(void)ctx;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%d,", (int)(c - clients));
}

static void test_visits(void **state)
{
	static const struct watch_visitor visitor = { see_path, see_watcher, NULL };

	(void)state;
	arm(0, "/a", WATCH_RECURSIVE);
	arm(1, "/a", WATCH_CHILD);
	arm(2, "/a", WATCH_PERSISTENT);
	arm(1, "/child", WATCH_CHILD);
	seen[0] = 0;
	watch_visit_paths(table, &visitor);
	assert_string_equal(seen, "/a:0,2,");
	arm(2, "/b", WATCH_DATA);
	arm(2, "/c", WATCH_CHILD);
	seen[0] = 0;
	watch_visit_client(&clients[2], &visitor);
	assert_string_equal(seen, "/a:/b:");
}

static void test_path_is_the_whole_path(void **state)
{
	(void)state;
	arm(0, "/a", WATCH_DATA);
	arm(0, "", WATCH_DATA);
	assert_int_equal(fire("/", EVENT_NODE_DATA_CHANGED), 0);
	assert_int_equal(fire("/aa", EVENT_NODE_DATA_CHANGED), 0);
	assert_int_equal(fire("/a/b", EVENT_NODE_DATA_CHANGED), 0);
	assert_int_equal(fire("/A", EVENT_NODE_DATA_CHANGED), 0);
	assert_int_equal(fire("/a", EVENT_NODE_DATA_CHANGED), 1);
	expect_counts(1, 1, 1, 1);
}

static void test_arming_twice_is_arming_once(void **state)
{
	(void)state;
	arm(0, "/a", WATCH_DATA);
	arm(0, "/a", WATCH_DATA);
	assert_int_equal(clients[0].watch_count, 1);
	expect_counts(1, 1, 1, 1);
	arm(0, "/a", WATCH_CHILD);
	arm(1, "/a", WATCH_DATA);
	arm(0, "/b", WATCH_DATA);
	assert_int_equal(clients[0].watch_count, 2);
	expect_counts(3, 2, 2, 4);
	assert_int_equal(fire("/a", EVENT_NODE_DATA_CHANGED), 2);
	assert_int_equal(called[0], 1);
	assert_int_equal(called[1], 1);
	assert_int_equal(called[2], 0);
	expect_counts(1, 1, 1, 2);
}

static void test_each_client_hears_once(void **state)
{
	(void)state;
	arm(0, "/a", WATCH_DATA);
	arm(0, "/a", WATCH_CHILD);
	arm(1, "/a", WATCH_CHILD);
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 2);
	assert_int_equal(called[0], 1);
	assert_int_equal(called[1], 1);
	expect_counts(0, 0, 0, 0);
	/* The next event is another one. */
	arm(0, "/a", WATCH_DATA);
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 1);
	assert_int_equal(called[0], 1);
}

/* Who is not told cannot tell by its watches that there was an event; it is asked once, too. */
static void test_a_client_that_is_not_told(void **state)
{
	(void)state;
	arm(0, "/a", WATCH_DATA);
	arm(0, "/a", WATCH_CHILD);
	arm(1, "/a", WATCH_DATA);
	kept = 0;
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 1);
	assert_int_equal(called[0], 1);
	assert_true(watch_is_armed(table, &clients[0], slice_of("/a"), WATCH_DATA));
	assert_true(watch_is_armed(table, &clients[0], slice_of("/a"), WATCH_CHILD));
	assert_false(watch_is_armed(table, &clients[1], slice_of("/a"), WATCH_DATA));
	kept = -1;
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 1);
	assert_int_equal(clients[0].watch_count, 0);
}

static void test_a_client_that_goes(void **state)
{
	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		arm(i, "/a", WATCH_DATA);
		arm(i, "/a", WATCH_CHILD);
		arm(i, i == 1 ? "/own" : "/b", WATCH_DATA);
	}
	expect_counts(6, 3, 3, 9);
	watch_drop_client(table, &clients[1]);
	expect_counts(4, 2, 2, 6);
	assert_int_equal(clients[1].watch_count, 0);
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 2);
	assert_int_equal(called[1], 0);
	watch_drop_client(table, &clients[1]);
	expect_counts(2, 1, 2, 2);
}

static void test_many_paths(void **state)
{
	char path[16];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		arm(i % CLIENTS, path, WATCH_DATA);
	}
	expect_counts(3000, 3000, CLIENTS, 3000);
	for (int i = 0; i < 3000; i += 2) {
		snprintf(path, sizeof(path), "/n%d", i);
		assert_int_equal(fire(path, EVENT_NODE_CREATED), 1);
		assert_int_equal(called[i % CLIENTS], 1);
	}
	expect_counts(1500, 1500, CLIENTS, 1500);
}

/* The paths above a very deep one cost less than a fifth of hashing each of them. */
static void test_a_very_deep_path(void **state)
{
	enum { LEN = 16384, EVENTS = 20, PASSES = LEN / 2 / 10 };
	char path[LEN + 1];
	volatile uint64_t sum = 0;
	clock_t began, firing, hashing;

	(void)state;
	for (int i = 0; i < LEN; i += 2)
		memcpy(path + i, "/a", 2);
	path[LEN] = '\0';
	arm(0, "/a/a/a", WATCH_RECURSIVE);
	arm(1, "/", WATCH_RECURSIVE);
	arm(2, "/b", WATCH_RECURSIVE);
	began = clock();
	for (int i = 0; i < EVENTS; i++)
		assert_int_equal(fire(path, EVENT_NODE_DATA_CHANGED), 2);
	firing = clock() - began;
	began = clock();
	for (int i = 0; i < EVENTS * PASSES; i++)
		sum += hash_bytes(path, LEN);
	hashing = clock() - began;
	assert_true(sum != 0);
	assert_true(firing < hashing);
}

#define WATCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(test_modes),
		WATCH_TEST(test_counts),
		WATCH_TEST(test_recursive),
		WATCH_TEST(test_disarm),
		WATCH_TEST(test_visits),
		WATCH_TEST(test_path_is_the_whole_path),
		WATCH_TEST(test_arming_twice_is_arming_once),
		WATCH_TEST(test_each_client_hears_once),
		WATCH_TEST(test_a_client_that_is_not_told),
		WATCH_TEST(test_a_client_that_goes),
		WATCH_TEST(test_many_paths),
		WATCH_TEST(test_a_very_deep_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
