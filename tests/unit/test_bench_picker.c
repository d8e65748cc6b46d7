#include "tools/bench/picker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { COUNT = 10, DRAWS = 200000, SEED = 20260101, TOLERANCE_PERCENT = 5 };

static void draw(double exponent, unsigned counts[COUNT])
{
	struct picker *p = picker_new(COUNT, exponent, SEED);

	for (unsigned i = 0; i < DRAWS; i++) {
		unsigned number = picker_next(p);

		assert_in_range(number, 0, COUNT - 1);
		counts[number]++;
	}
	picker_free(p);
}

static void assert_near(unsigned count, double share)
{
	double wanted = share * DRAWS;

	assert_in_range(count, (uintmax_t)(wanted * (100 - TOLERANCE_PERCENT) / 100),
			(uintmax_t)(wanted * (100 + TOLERANCE_PERCENT) / 100));
}

static void test_all_alike(void **state)
{
	unsigned counts[COUNT] = { 0 };

	(void)state;
	draw(0, counts);
	for (unsigned n = 0; n < COUNT; n++)
		assert_near(counts[n], 1.0 / COUNT);
}

static void test_zipf(void **state)
{
	unsigned counts[COUNT] = { 0 };
	double sum = 0;

	(void)state;
	draw(1, counts);
	for (unsigned n = 0; n < COUNT; n++)
		sum += 1.0 / (n + 1);
	for (unsigned n = 0; n < COUNT; n++)
		assert_near(counts[n], 1.0 / (n + 1) / sum);
}

static void test_one_number(void **state)
{
	struct picker *alike = picker_new(1, 0, SEED), *zipf = picker_new(1, 2, SEED);

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(picker_next(alike), 0);
		assert_int_equal(picker_next(zipf), 0);
	}
	picker_free(alike);
	picker_free(zipf);
}

static void test_percents(void **state)
{
	struct picker *p = picker_new(1, 1, SEED);
	unsigned below_90 = 0;

	(void)state;
	for (unsigned i = 0; i < DRAWS; i++) {
		unsigned percent = picker_percent(p);

		assert_in_range(percent, 0, 99);
		below_90 += percent < 90;
	}
	assert_near(below_90, 0.9);
	picker_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_alike),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_one_number),
		cmocka_unit_test(test_percents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
