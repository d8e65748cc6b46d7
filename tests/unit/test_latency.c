/* How long requests took: at once, or when the disk caught up. */
#include "app/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

static struct latency *latency;

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(1000000, 0);
	latency = latency_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	latency_free(latency);
	clock_fake_stop();
	return 0;
}

static void expect(uint64_t count, uint64_t min_ms, double avg_ms, uint64_t max_ms)
{
	struct latency_figures f = latency_figures(latency);

	assert_int_equal(f.count, count);
	assert_int_equal(f.min_ms, min_ms);
	assert_int_equal(f.max_ms, max_ms);
	assert_true(f.avg_ms > avg_ms - 0.0001 && f.avg_ms < avg_ms + 0.0001);
}

static void test_nothing_yet(void **state)
{
	(void)state;
	expect(0, 0, 0, 0);
	latency_flushed(latency, 100);
	expect(0, 0, 0, 0);
	assert_int_equal(latency_waiting(latency), 0);
}

static void test_at_once(void **state)
{
	int64_t began_us = clock_exact_us();

	(void)state;
	latency_note(latency, began_us, 0, 0);
	expect(1, 0, 0, 0);
	clock_fake_advance(4);
	latency_note(latency, began_us, 7, 7);
	clock_fake_advance(4);
	latency_note(latency, began_us, 6, 7);
	expect(3, 0, 4, 8);
	assert_int_equal(latency_waiting(latency), 0);
	/* A clock that went back counts as nothing. */
	latency_note(latency, clock_exact_us() + 1000000, 0, 0);
	expect(4, 0, 3, 8);
}

static void test_when_the_disk_caught_up(void **state)
{
	(void)state;
	latency_note(latency, clock_exact_us(), 10, 9);
	latency_note(latency, clock_exact_us(), 12, 9);
	latency_note(latency, clock_exact_us(), 12, 9);
	latency_note(latency, clock_exact_us(), 11, 9);
	expect(0, 0, 0, 0);
	assert_int_equal(latency_waiting(latency), 4);
	clock_fake_advance(5);
	latency_flushed(latency, 9);
	assert_int_equal(latency_waiting(latency), 4);
	latency_flushed(latency, 11);
	expect(1, 5, 5, 5);
	assert_int_equal(latency_waiting(latency), 3);
	clock_fake_advance(10);
	latency_flushed(latency, 12);
	expect(4, 5, (5 + 3 * 15) / 4.0, 15);
	assert_int_equal(latency_waiting(latency), 0);
}

/* The ring grows while it is wound: many marks, released in portions. */
static void test_many(void **state)
{
	int64_t noted = 0, flushed = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 37; i++)
			latency_note(latency, clock_exact_us(), ++noted, flushed);
		clock_fake_advance(1);
		flushed += 17;
		latency_flushed(latency, flushed);
		assert_int_equal(latency_waiting(latency), (uint64_t)(noted - flushed));
		assert_int_equal(latency_figures(latency).count, flushed);
	}
	latency_flushed(latency, noted);
	assert_int_equal(latency_waiting(latency), 0);
	assert_int_equal(latency_figures(latency).count, noted);
	assert_int_equal(latency_figures(latency).min_ms, 1);
}

static void test_reset(void **state)
{
	(void)state;
	latency_note(latency, clock_exact_us() - 9000, 0, 0);
	latency_note(latency, clock_exact_us(), 5, 0);
	latency_reset(latency);
	expect(0, 0, 0, 0);
	/* What waits is still counted when it is through. */
	clock_fake_advance(3);
	latency_flushed(latency, 5);
	expect(1, 3, 3, 3);
}

#define LATENCY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LATENCY_TEST(test_nothing_yet),
		LATENCY_TEST(test_at_once),
		LATENCY_TEST(test_when_the_disk_caught_up),
		LATENCY_TEST(test_many),
		LATENCY_TEST(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
