#include "tools/bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct histogram h;

static int setup(void **state)
{
	(void)state;
	histogram_reset(&h);
	return 0;
}

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(histogram_percentile(&h, 500), 0);
	assert_true(histogram_mean(&h) == 0.0);
}

/* Below 128 each value has its own bucket. */
static void test_small_values_are_exact(void **state)
{
	(void)state;
	for (uint64_t v = 1; v <= 100; v++)
		histogram_add(&h, v);
	assert_int_equal(h.count, 100);
	assert_int_equal(histogram_percentile(&h, 0), 1);
	assert_int_equal(histogram_percentile(&h, 10), 1);
	assert_int_equal(histogram_percentile(&h, 11), 2);
	assert_int_equal(histogram_percentile(&h, 500), 50);
	assert_int_equal(histogram_percentile(&h, 990), 99);
	assert_int_equal(histogram_percentile(&h, 1000), 100);
	assert_true(histogram_mean(&h) == 50.5);
}

static void test_zero_counts(void **state)
{
	(void)state;
	histogram_add(&h, 0);
	histogram_add(&h, 0);
	histogram_add(&h, 9);
	assert_int_equal(histogram_percentile(&h, 500), 0);
	assert_int_equal(histogram_percentile(&h, 999), 9);
}

/* A percentile is never below the value and never more than 1/128 above it, whatever the range; the
 * edges of the doublings are where a mistake would show. */
static void test_error_is_bounded(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < HISTOGRAM_VALUE_BITS; bit++) {
		for (int step = -2; step <= 2; step++) {
			uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)step;
			uint64_t shown;

			if (value >= UINT64_C(1) << HISTOGRAM_VALUE_BITS)
				continue;
			histogram_reset(&h);
			histogram_add(&h, value);
			/* A larger one, so that the maximum does not hide the bucket's end. */
			histogram_add(&h, (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1);
			shown = histogram_percentile(&h, 500);
			assert_true(shown >= value);
			assert_true(shown - value <= value / 128);
		}
	}
}

static void test_never_above_the_largest(void **state)
{
	(void)state;
	histogram_add(&h, 1000001);
	assert_int_equal(histogram_percentile(&h, 500), 1000001);
	assert_int_equal(histogram_percentile(&h, 1000), 1000001);
}

static void test_too_large_counts_as_largest(void **state)
{
	const uint64_t largest = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

	(void)state;
	histogram_add(&h, UINT64_MAX);
	histogram_add(&h, largest + 1);
	assert_int_equal(h.max, largest);
	assert_int_equal(h.buckets[HISTOGRAM_BUCKETS - 1], 2);
	assert_int_equal(histogram_percentile(&h, 1000), largest);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Against the plain definition: sort, and take the one at ceil(count * p). */
static void test_against_sorting(void **state)
{
	enum { COUNT = 20000 };
	static const unsigned per_mille[] = { 1, 100, 500, 900, 990, 999, 1000 };
	static uint64_t values[COUNT];
	uint64_t x = 88172645463325252;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		values[i] = x >> (34 + x % 20);
		histogram_add(&h, values[i]);
	}
	qsort(values, COUNT, sizeof(values[0]), compare);
	for (unsigned i = 0; i < sizeof(per_mille) / sizeof(per_mille[0]); i++) {
		uint64_t exact = values[(COUNT * per_mille[i] + 999) / 1000 - 1];
		uint64_t shown = histogram_percentile(&h, per_mille[i]);

		assert_true(shown >= exact && shown - exact <= exact / 128);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_small_values_are_exact, setup),
		cmocka_unit_test_setup(test_zero_counts, setup),
		cmocka_unit_test_setup(test_error_is_bounded, setup),
		cmocka_unit_test_setup(test_never_above_the_largest, setup),
		cmocka_unit_test_setup(test_too_large_counts_as_largest, setup),
		cmocka_unit_test_setup(test_against_sorting, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
