#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

static int64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Spins, because a test must not sleep. */
static void pass_ms(int64_t ms)
{
	int64_t until = monotonic_ms() + ms;

	while (monotonic_ms() < until)
		;
}

static void test_now_is_lent(void **state)
{
	int64_t now;

	(void)state;
	now = clock_update();
	assert_true(now <= monotonic_ms());
	assert_true(now > monotonic_ms() - 10000);
	pass_ms(3);
	assert_int_equal(clock_now_ms(), now);
	assert_true(clock_update() >= now + 3);
	assert_true(clock_now_ms() >= now + 3);
}

static void test_exact_is_read(void **state)
{
	int64_t now_us = clock_exact_us();

	(void)state;
	assert_true(now_us / 1000 <= monotonic_ms());
	assert_true(now_us / 1000 > monotonic_ms() - 10000);
	pass_ms(2);
	assert_true(clock_exact_us() >= now_us + 1000);
}

static void test_wall(void **state)
{
	int64_t now_ms = (int64_t)time(NULL) * 1000;

	(void)state;
	assert_true(clock_wall_ms() >= now_ms - 1000);
	assert_true(clock_wall_ms() < now_ms + 10000);
}

static void *read_now(void *arg)
{
	*(int64_t *)arg = clock_now_ms();
	return NULL;
}

static int64_t now_in_a_new_thread(void)
{
	pthread_t thread;
	int64_t now = -1;

	assert_int_equal(pthread_create(&thread, NULL, read_now, &now), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return now;
}

/* Each thread lends from its own reading. */
static void test_threads_have_their_own_now(void **state)
{
	int64_t mine = clock_update();
	int64_t theirs;

	(void)state;
	pass_ms(3);
	theirs = now_in_a_new_thread();
	assert_true(theirs >= mine + 3);
	assert_int_equal(clock_now_ms(), mine);
}

static void test_fake(void **state)
{
	(void)state;
	clock_fake_start(1000, 5000000);
	assert_int_equal(clock_now_ms(), 1000);
	assert_int_equal(clock_update(), 1000);
	assert_int_equal(clock_exact_us(), 1000000);
	assert_int_equal(clock_wall_ms(), 5000000);
	clock_fake_advance(25);
	assert_int_equal(clock_now_ms(), 1025);
	assert_int_equal(clock_exact_us(), 1025000);
	assert_int_equal(clock_wall_ms(), 5000025);
	assert_int_equal(now_in_a_new_thread(), 1025);
	clock_fake_stop();
	assert_true(clock_now_ms() > monotonic_ms() - 10000);
	assert_true(clock_now_ms() <= monotonic_ms());
	assert_true(clock_wall_ms() > 5000025);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_now_is_lent),
		cmocka_unit_test(test_exact_is_read),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_threads_have_their_own_now),
		cmocka_unit_test(test_fake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
