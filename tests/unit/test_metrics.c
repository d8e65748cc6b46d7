#include "base/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { THREADS = 4, TURNS = 500000 };

static void test_count_and_reset(void **state)
{
	(void)state;
	metrics_reset();
	metrics_add(METRIC_packets_received, 2);
	metrics_add(METRIC_packets_received, 3);
	metrics_add(METRIC_bugs, UINT64_C(1) << 40);
	assert_int_equal(metrics_get(METRIC_packets_received), 5);
	assert_int_equal(metrics_get(METRIC_packets_sent), 0);
	assert_true(metrics_get(METRIC_bugs) == UINT64_C(1) << 40);
	metrics_reset();
	assert_int_equal(metrics_get(METRIC_packets_received), 0);
	assert_int_equal(metrics_get(METRIC_bugs), 0);
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(metrics_name(METRIC_packets_received), "packets_received");
	assert_string_equal(metrics_name(METRIC_bugs), "bugs");
	assert_string_equal(metrics_help(METRIC_sessions_expired), "sessions expired");
	for (int m = 0; m < METRIC_COUNT; m++) {
		const char *name = metrics_name((enum metric)m);

		assert_true(strlen(name) > 0);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789"),
				 strlen(name));
		assert_true(strlen(metrics_help((enum metric)m)) > 0);
	}
}

static void *count(void *arg)
{
	for (int i = 0; i < TURNS; i++)
		metrics_add(METRIC_watches_fired, 1);
	return arg;
}

static void test_threads_lose_no_count(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	metrics_reset();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(metrics_get(METRIC_watches_fired), THREADS * TURNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_and_reset),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_threads_lose_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
