/* What a change of a file looks like. */
#include "app/stamps.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/tmpdir.h"

static char *dir;
static char paths[4][512];

static const char *at(const char *name, int which)
{
	snprintf(paths[which], sizeof(paths[which]), "%s/%s", dir, name);
	return paths[which];
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_dir(void **state)
{
	(void)state;
	dir = tmpdir_make();
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

/* Whether the file looks another way than at the last call. */
static bool is_new(const char *file)
{
	static struct stamps last;
	struct stamps now;
	bool differs;

	stamps_take(&now, &file, 1);
	differs = stamps_compare(&last, &now, 1) == 0;
	assert_int_equal(stamps_compare(&now, &now, 1), 1);
	last = now;
	return differs;
}

static void test_file(void **state)
{
	const char *file = at("file", 0), *other = at("other", 1);
	struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };

	(void)state;
	(void)is_new(file);
	assert_false(is_new(file));
	put(file, "a");
	assert_true(is_new(file));
	assert_false(is_new(file));
	put(file, "ab");
	assert_true(is_new(file));
	assert_int_equal(utimensat(AT_FDCWD, file, old, 0), 0);
	assert_true(is_new(file));
	/* Another one in its place, of the same size and time. */
	put(other, "ba");
	assert_int_equal(utimensat(AT_FDCWD, other, old, 0), 0);
	assert_int_equal(rename(other, file), 0);
	assert_true(is_new(file));
	assert_int_equal(unlink(file), 0);
	assert_true(is_new(file));
	assert_false(is_new(file));
	assert_true(is_new(NULL));
}

/* A directory is swapped under two links, as Kubernetes does it with secrets. */
static void test_links(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("one", 0), 0700) | mkdir(at("two", 1), 0700), 0);
	put(at("one/file", 2), "same");
	put(at("two/file", 2), "same");
	assert_int_equal(symlink("one", at("..data", 0)), 0);
	assert_int_equal(symlink("..data/file", at("link", 1)), 0);
	(void)is_new(at("link", 1));
	assert_false(is_new(at("link", 1)));
	assert_int_equal(symlink("two", at("..new", 2)), 0);
	assert_int_equal(rename(at("..new", 2), at("..data", 0)), 0);
	assert_true(is_new(at("link", 1)));
	assert_false(is_new(at("link", 1)));
}

static void test_directory(void **state)
{
	const char *where = at("many", 0);

	(void)state;
	assert_int_equal(mkdir(where, 0700), 0);
	put(at("many/a", 1), "a");
	(void)is_new(where);
	assert_false(is_new(where));
	put(at("many/b", 1), "b");
	assert_true(is_new(where));
	put(at("many/a", 1), "longer");
	assert_true(is_new(where));
	assert_false(is_new(where));
	assert_int_equal(rename(at("many/a", 1), at("many/c", 2)), 0);
	assert_true(is_new(where));
	assert_int_equal(unlink(at("many/b", 1)), 0);
	assert_true(is_new(where));
}

static void test_which(void **state)
{
	const char *files[] = { NULL, at("x", 0), at("y", 1) };
	struct stamps before, now;

	(void)state;
	put(files[1], "x");
	put(files[2], "y");
	stamps_take(&before, files, 3);
	stamps_take(&now, files, 3);
	assert_int_equal(stamps_compare(&before, &now, 3), 3);
	put(files[2], "yy");
	stamps_take(&now, files, 3);
	assert_int_equal(stamps_compare(&before, &now, 3), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_which),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
