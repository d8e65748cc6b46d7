/* How many there are of each name. */
#include "base/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_counts(void **state)
{
	struct tally_entry *entries[4];
	struct tally t;

	(void)state;
	tally_init(&t);
	assert_int_equal(tally_count(&t, "a"), 0);
	for (int i = 0; i < 3; i++)
		entries[i] = tally_add(&t, "a");
	entries[3] = tally_add(&t, "ab");
	assert_int_equal(tally_count(&t, "a"), 3);
	assert_int_equal(tally_count(&t, "ab"), 1);
	assert_int_equal(tally_count(&t, ""), 0);
	for (int i = 0; i < 3; i++)
		tally_drop(&t, entries[i]);
	assert_int_equal(tally_count(&t, "a"), 0);
	assert_int_equal(tally_count(&t, "ab"), 1);
	tally_drop(&t, NULL);
	tally_drop(&t, entries[3]);
	/* Says that none is left. */
	tally_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
