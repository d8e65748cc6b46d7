/* A bucket of tokens. */
#include "core/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned pass(struct throttle *t, int64_t now_ms)
{
	unsigned passed = 0;

	while (passed < 1000 && throttle_pass(t, now_ms))
		passed++;
	return passed;
}

static void test_bucket(void **state)
{
	struct throttle t;

	(void)state;
	throttle_init(&t, 10, 3, 100, 5000);
	assert_int_equal(pass(&t, 5000), 10);
	assert_int_equal(pass(&t, 5099), 0);
	assert_int_equal(pass(&t, 5100), 3);
	/* The rest of a time is not lost, and no more come than it holds. */
	assert_int_equal(pass(&t, 5350), 6);
	assert_int_equal(pass(&t, 5400), 3);
	assert_int_equal(pass(&t, 1000000000), 10);
	assert_int_equal(pass(&t, INT64_MAX), 10);
}

static void test_none(void **state)
{
	struct throttle t;

	(void)state;
	throttle_init(&t, 0, 1, 1, 0);
	assert_int_equal(pass(&t, 0), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
