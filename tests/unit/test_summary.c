/* Figures of many values. */
#include "base/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_nothing(void **state)
{
	static const struct summary s;

	(void)state;
	assert_true(summary_average(&s) == 0);
	assert_int_equal(summary_quantile(&s, 0.5), 0);
}

static void test_figures(void **state)
{
	static struct summary s;

	(void)state;
	summary_add(&s, 7, 2);
	summary_add(&s, 3, 1);
	summary_add(&s, 11, 1);
	summary_add(&s, 1000, 0);
	assert_int_equal(s.count, 4);
	assert_int_equal(s.sum, 28);
	assert_int_equal(s.min, 3);
	assert_int_equal(s.max, 11);
	assert_true(summary_average(&s) == 7);
	assert_int_equal(summary_quantile(&s, 0), 3);
	assert_int_equal(summary_quantile(&s, 0.25), 3);
	assert_int_equal(summary_quantile(&s, 0.5), 7);
	assert_int_equal(summary_quantile(&s, 1), 11);
	summary_reset(&s);
	assert_int_equal(s.count, 0);
	summary_add(&s, 5, 1);
	assert_int_equal(s.min, 5);
	assert_int_equal(s.max, 5);
}

/* A quantile is never above the value, and at most an eighth below it; huge ones share a bucket. */
static void test_precision(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < SUMMARY_MOST_BITS; bits++) {
		for (uint64_t more = 0; more < 3; more++) {
			uint64_t value = (UINT64_C(1) << bits) + (more << bits) / 3;
			struct summary s = { 0 };
			uint64_t got;

			if (value >> SUMMARY_MOST_BITS != 0)
				continue;
			summary_add(&s, 0, 1);
			summary_add(&s, value, 99);
			got = summary_quantile(&s, 0.9);
			assert_true(got <= value && got >= value - value / 8);
		}
	}
	for (int i = 0; i < 2; i++) {
		struct summary s = { 0 };

		summary_add(&s, i == 0 ? UINT64_C(1) << SUMMARY_MOST_BITS : UINT64_MAX, 1);
		assert_int_equal(summary_quantile(&s, 0.5), s.max);
	}
}

static void test_very_many(void **state)
{
	static struct summary s;

	(void)state;
	summary_add(&s, 1, UINT64_C(1) << 33);
	summary_add(&s, 1, 1);
	summary_add(&s, 9, 1);
	assert_int_equal(s.count, (UINT64_C(1) << 33) + 2);
	assert_int_equal(s.buckets[1], UINT32_MAX);
	assert_int_equal(summary_quantile(&s, 0.25), 1);
	assert_int_equal(summary_quantile(&s, 1), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_precision),
		cmocka_unit_test(test_very_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
