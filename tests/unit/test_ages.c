/* When changes were made: exact while they are young, bounded in room, never told as too old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/ages.h"

enum { START_MS = 5000 };

static struct ages *a;

static int set_up(void **state)
{
	(void)state;
	a = malloc(sizeof(*a));
	ages_init(a, START_MS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(a);
	return 0;
}

#define AGES_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void test_what_was_before_the_start(void **state)
{
	(void)state;
	assert_int_equal(ages_since(a, 0), START_MS);
	ages_note(a, 10, START_MS + 1);
	assert_int_equal(ages_since(a, 9), START_MS);
	assert_int_equal(ages_since(a, 10), START_MS + 1);
}

static void test_changes_close_to_each_other(void **state)
{
	int64_t at = START_MS + 1000;

	(void)state;
	ages_note(a, 10, at);
	ages_note(a, 11, at + AGES_STEP_MS - 1);
	ages_note(a, 12, at + AGES_STEP_MS);
	ages_note(a, 20, at + 10000);
	assert_int_equal(ages_since(a, 10), at + AGES_STEP_MS - 1);
	assert_int_equal(ages_since(a, 11), at + AGES_STEP_MS - 1);
	assert_int_equal(ages_since(a, 12), at + AGES_STEP_MS);
	assert_int_equal(ages_since(a, 20), at + 10000);
	assert_int_equal(ages_since(a, 25), at + 10000);
}

/* A change every step, for a week. */
static void test_many(void **state)
{
	const int64_t changes = 7 * 24 * 3600 * (1000 / AGES_STEP_MS);
	int64_t now = 0;

	(void)state;
	for (int64_t zxid = 1; zxid <= changes; zxid++) {
		now = START_MS + zxid * AGES_STEP_MS;
		ages_note(a, zxid, now);
		assert_in_range(a->count, 1, AGES_MOST);
	}
	for (int64_t zxid = 1; zxid <= changes; zxid += 97) {
		int64_t made = START_MS + zxid * AGES_STEP_MS;
		int64_t since = ages_since(a, zxid);

		assert_true(since >= made);
		assert_true(since - made <= (now - made) / AGES_PART + AGES_STEP_MS);
	}
}

/* So long that there is no room for that. */
static void test_years(void **state)
{
	int64_t now = START_MS, step = AGES_STEP_MS;

	(void)state;
	for (int64_t zxid = 1; zxid <= 200000; zxid++) {
		now += step;
		ages_note(a, zxid, now);
		assert_in_range(a->count, 1, AGES_MOST);
		/* Faster than any clock: ages that span all powers of two. */
		if (zxid % 5000 == 0 && step < INT64_C(1) << 40)
			step *= 2;
	}
	assert_true(ages_since(a, 1) >= START_MS + AGES_STEP_MS);
	assert_true(ages_since(a, 1) <= now / 2);
	for (int64_t zxid = 2; zxid <= 200000; zxid++)
		assert_true(ages_since(a, zxid) >= ages_since(a, zxid - 1));
	assert_int_equal(ages_since(a, 200000), now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AGES_TEST(test_what_was_before_the_start),
		AGES_TEST(test_changes_close_to_each_other),
		AGES_TEST(test_many),
		AGES_TEST(test_years),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
