/* The watch table: who is called for what, once, and nothing is left behind. */
#include "core/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/client.h"

enum { CLIENTS = 3 };

static struct watch_table *table;
static struct client clients[CLIENTS];
static unsigned called[CLIENTS];

static int set_up(void **state)
{
	(void)state;
	table = watch_table_new();
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

static void call(void *ctx, struct client *c)
{
	(void)ctx;
	called[c - clients]++;
}

static size_t fire(const char *path, enum event_type type)
{
	memset(called, 0, sizeof(called));
	return watch_fire(table, slice_of(path), type, call, NULL);
}

static void arm(int i, const char *path, enum watch_kind kind)
{
	watch_arm(table, &clients[i], slice_of(path), kind);
}

static void expect_counts(size_t watches, size_t paths, size_t watchers)
{
	struct watch_counts counts = watch_counts(table);

	assert_int_equal(counts.watches, watches);
	assert_int_equal(counts.paths, paths);
	assert_int_equal(counts.clients, watchers);
}

/* Which kind hears of which event. */
static void test_kinds(void **state)
{
	static const struct {
		enum event_type type;
		bool fires[WATCH_KINDS];
	} events[] = {
		{ EVENT_NODE_CREATED, { [WATCH_DATA] = true } },
		{ EVENT_NODE_DATA_CHANGED, { [WATCH_DATA] = true } },
		{ EVENT_NODE_DELETED, { [WATCH_DATA] = true, [WATCH_CHILD] = true } },
		{ EVENT_NODE_CHILDREN_CHANGED, { [WATCH_CHILD] = true } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		for (int kind = 0; kind < WATCH_KINDS; kind++) {
			arm(0, "/a", kind);
			assert_int_equal(fire("/a", events[i].type), events[i].fires[kind]);
			assert_int_equal(called[0], events[i].fires[kind]);
			expect_counts(!events[i].fires[kind], !events[i].fires[kind],
				      !events[i].fires[kind]);
			/* Once. */
			assert_int_equal(fire("/a", events[i].type), 0);
			watch_drop_client(table, &clients[0]);
		}
	}
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
	expect_counts(1, 1, 1);
}

static void test_arming_twice_is_arming_once(void **state)
{
	(void)state;
	arm(0, "/a", WATCH_DATA);
	arm(0, "/a", WATCH_DATA);
	assert_int_equal(clients[0].watch_count, 1);
	arm(0, "/a", WATCH_CHILD);
	arm(1, "/a", WATCH_DATA);
	arm(0, "/b", WATCH_DATA);
	assert_int_equal(clients[0].watch_count, 3);
	expect_counts(4, 2, 2);
	assert_int_equal(fire("/a", EVENT_NODE_DATA_CHANGED), 2);
	assert_int_equal(called[0], 1);
	assert_int_equal(called[1], 1);
	assert_int_equal(called[2], 0);
	expect_counts(2, 2, 1);
}

/* A deletion is one event for data and child watches together. */
static void test_each_client_hears_once(void **state)
{
	(void)state;
	arm(0, "/a", WATCH_DATA);
	arm(0, "/a", WATCH_CHILD);
	arm(1, "/a", WATCH_CHILD);
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 2);
	assert_int_equal(called[0], 1);
	assert_int_equal(called[1], 1);
	expect_counts(0, 0, 0);
	/* The next event is another one. */
	arm(0, "/a", WATCH_DATA);
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 1);
	assert_int_equal(called[0], 1);
}

static void test_a_client_that_goes(void **state)
{
	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		arm(i, "/a", WATCH_DATA);
		arm(i, "/a", WATCH_CHILD);
		arm(i, i == 1 ? "/own" : "/b", WATCH_DATA);
	}
	expect_counts(9, 3, 3);
	watch_drop_client(table, &clients[1]);
	expect_counts(6, 2, 2);
	assert_int_equal(clients[1].watch_count, 0);
	assert_int_equal(fire("/a", EVENT_NODE_DELETED), 2);
	assert_int_equal(called[1], 0);
	watch_drop_client(table, &clients[1]);
	expect_counts(2, 1, 2);
}

static void test_many_paths(void **state)
{
	char path[16];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		arm(i % CLIENTS, path, WATCH_DATA);
	}
	expect_counts(3000, 3000, CLIENTS);
	for (int i = 0; i < 3000; i += 2) {
		snprintf(path, sizeof(path), "/n%d", i);
		assert_int_equal(fire(path, EVENT_NODE_CREATED), 1);
		assert_int_equal(called[i % CLIENTS], 1);
	}
	expect_counts(1500, 1500, CLIENTS);
}

#define WATCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(test_kinds),
		WATCH_TEST(test_path_is_the_whole_path),
		WATCH_TEST(test_arming_twice_is_arming_once),
		WATCH_TEST(test_each_client_hears_once),
		WATCH_TEST(test_a_client_that_goes),
		WATCH_TEST(test_many_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
