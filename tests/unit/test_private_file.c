/* Whose files with a secret are for others' eyes, too. */
#include "base/private_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/lib/tmpdir.h"

static char *dir;
static char file[4200];

static int setup(void **state)
{
	int fd;

	(void)state;
	dir = tmpdir_make();
	(void)snprintf(file, sizeof(file), "%s/key", dir);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

/* NULL: it is private. */
static const char *fault_with(mode_t mode)
{
	static char reason[PRIVATE_FILE_REASON_LEN];

	assert_int_equal(chmod(file, mode), 0);
	return private_file_check(file, reason) == 0 ? NULL : reason;
}

static void test_others_never(void **state)
{
	(void)state;
	assert_null(fault_with(0600));
	assert_null(fault_with(0400));
	for (mode_t bit = 01; bit <= 04; bit <<= 1)
		assert_non_null(fault_with(0600 | bit));
	assert_string_equal(fault_with(0644),
			    "holds a secret, but others than its owner may use it (mode 0644)");
}

static void test_a_group_may_read_what_is_roots(void **state)
{
	bool is_root = geteuid() == 0;

	(void)state;
	assert_int_equal(fault_with(0640) == NULL, is_root);
	assert_int_equal(fault_with(0440) == NULL, is_root);
	assert_non_null(fault_with(0660));
	assert_non_null(fault_with(0650));
	if (is_root) {
		assert_int_equal(chown(file, 1, 1), 0);
		assert_string_equal(fault_with(0640), "holds a secret, but its group may use it, "
						      "and it is not root's (mode 0640)");
		assert_null(fault_with(0600));
	}
}

static void test_what_is_not_there_is_for_others_to_say(void **state)
{
	char reason[PRIVATE_FILE_REASON_LEN];

	(void)state;
	unlink(file);
	assert_int_equal(private_file_check(file, reason), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_others_never, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_group_may_read_what_is_roots, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_there_is_for_others_to_say, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
