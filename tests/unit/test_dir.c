#include "core/dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_names(void **state)
{
	struct dir *d = dir_new(slice_of("/a"));
	size_t one;

	(void)state;
	assert_int_equal(d->path_len, 2);
	assert_memory_equal(d->path, "/a", 2);
	assert_false(d->complete);
	assert_false(dir_has_name(d, slice_of("x")));
	dir_add_name(d, slice_of("x"));
	one = d->names_bytes;
	assert_true(one > 1);
	dir_add_name(d, slice_of("xy"));
	assert_int_equal(d->names_bytes, 2 * one + 1);
	assert_true(dir_has_name(d, slice_of("x")));
	assert_true(dir_has_name(d, slice_of("xy")));
	assert_false(dir_has_name(d, slice_of("y")));
	dir_remove_name(d, slice_of("nothing"));
	dir_remove_name(d, slice_of("x"));
	assert_false(dir_has_name(d, slice_of("x")));
	assert_int_equal(d->names_bytes, one + 1);
	dir_remove_name(d, slice_of("xy"));
	assert_int_equal(d->names_bytes, 0);
	dir_free(d);
}

static void test_many_and_none(void **state)
{
	struct dir *d = dir_new(slice_of("/"));
	char name[16];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "n%d", i);
			dir_add_name(d, slice_of(name));
		}
		d->complete = true;
		assert_true(dir_has_name(d, slice_of("n999")));
		dir_forget_names(d);
		assert_false(d->complete);
		assert_int_equal(d->names_bytes, 0);
		assert_int_equal(d->names.count, 0);
		assert_false(dir_has_name(d, slice_of("n999")));
	}
	dir_add_name(d, slice_of("left"));
	dir_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_many_and_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
