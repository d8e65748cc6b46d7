/* Write rates: what may be written when, by whom together, and what is kept of those who went. */
#include "core/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { RATE = 10, T0 = 5000 };

/* How many writes pass at this time. */
static unsigned pass(struct pace *p, int64_t now_ms)
{
	unsigned passed = 0;

	for (; passed < 1000 && pace_wait_ms(p, now_ms) == 0; passed++)
		pace_spend(p, 1, now_ms);
	return passed;
}

static void test_rate(void **state)
{
	struct pace_table *t = pace_table_new(RATE);
	struct pace *p = pace_take(t, "a", T0);

	(void)state;
	assert_int_equal(pass(p, T0), RATE);
	assert_int_equal(pace_wait_ms(p, T0), 100);
	assert_int_equal(pass(p, T0 + 99), 0);
	assert_int_equal(pace_wait_ms(p, T0 + 99), 1);
	assert_int_equal(pass(p, T0 + 100), 1);
	/* The rest of a time is not lost, and no more come than fit. */
	assert_int_equal(pass(p, T0 + 350), 2);
	assert_int_equal(pass(p, T0 + 400), 1);
	assert_int_equal(pass(p, T0 + 100000), RATE);
	assert_int_equal(pass(p, INT64_MAX / 2), RATE);
	pace_give_back(t, p, INT64_MAX / 2);
	pace_table_free(t);
}

static void test_a_debt_is_paid_off(void **state)
{
	struct pace_table *t = pace_table_new(RATE);
	struct pace *p = pace_take(t, "a", T0);

	(void)state;
	pace_spend(p, RATE + 20, T0);
	assert_int_equal(pace_wait_ms(p, T0), 2100);
	assert_int_equal(pass(p, T0 + 2099), 0);
	assert_int_equal(pass(p, T0 + 2100), 1);
	pace_spend(p, UINT32_MAX, T0 + 2100);
	assert_true(pace_wait_ms(p, T0 + 2100) > 1000LL * UINT32_MAX / RATE);
	pace_give_back(t, p, T0);
	pace_table_free(t);
}

static void test_who_shares(void **state)
{
	struct pace_table *t = pace_table_new(RATE);
	struct pace *a = pace_take(t, "a", T0), *b = pace_take(t, "b", T0);

	(void)state;
	assert_ptr_equal(pace_take(t, "a", T0), a);
	assert_ptr_not_equal(a, b);
	assert_int_equal(pass(a, T0), RATE);
	assert_int_equal(pass(b, T0), RATE);
	pace_give_back(t, a, T0);
	pace_give_back(t, a, T0);
	pace_give_back(t, b, T0);
	pace_table_free(t);
}

static void test_nobody_gains_by_coming_anew(void **state)
{
	struct pace_table *t = pace_table_new(RATE);
	struct pace *p = pace_take(t, "a", T0);
	char name[16];

	(void)state;
	assert_int_equal(pass(p, T0), RATE);
	pace_give_back(t, p, T0);
	assert_int_equal(pace_count(t), 1);
	p = pace_take(t, "a", T0 + 500);
	assert_int_equal(pass(p, T0 + 500), RATE / 2);
	pace_give_back(t, p, T0 + 500);
	/* When it is full it is forgotten; so many who came once take no memory. */
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		p = pace_take(t, name, T0 + 10 * i);
		pace_spend(p, 1, T0 + 10 * i);
		pace_give_back(t, p, T0 + 10 * i);
		assert_true(pace_count(t) < 200);
	}
	pace_table_free(t);
}

static void test_without_a_rate(void **state)
{
	struct pace_table *t = pace_table_new(0);
	struct pace *p = pace_take(t, "a", T0);

	(void)state;
	assert_null(p);
	pace_spend(p, 1000, T0);
	assert_int_equal(pace_wait_ms(p, T0), 0);
	pace_give_back(t, p, T0);
	pace_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_a_debt_is_paid_off),
		cmocka_unit_test(test_who_shares),
		cmocka_unit_test(test_nobody_gains_by_coming_anew),
		cmocka_unit_test(test_without_a_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
