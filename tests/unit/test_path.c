#include "wire/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* From a copy that is exactly as large, so that a sanitizer sees a read past its end. */
static bool is_valid(const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	bool valid;

	memcpy(copy, bytes, len);
	valid = path_is_valid((struct slice){ copy, len });
	free(copy);
	return valid;
}

static void test_good_paths(void **state)
{
	static const char *const good[] = {
		"/",
		"/a",
		"/a/b/c",
		"/zookeeper/quota",
		"/ with space",
		"/.a",
		"/a.",
		"/..a",
		"/a..",
		"/...",
		"/a/.../b",
		"/a./b",
		"/a../b",
		"/HelloWorldService/1.0.0/100.19.20.01:16888",
		"/dubbo/com.foo.BarService/providers/dubbo%3A%2F%2F10.0.0.1%3A20880%2Fcom.foo",
		"/~!@#$%^&*()_+",
		"/\xc2\xa0",              /* U+00A0, the first behind the control characters */
		"/\xc3\xa4/\xe2\x82\xac", /* two and three bytes */
		"/\xe0\xa0\x80",          /* U+0800, the first of three bytes */
		"/\xed\x9f\xbf",          /* U+D7FF */
		"/\xef\xa4\x80",          /* U+F900 */
		"/\xef\xbf\xaf",          /* U+FFEF */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!is_valid(good[i], strlen(good[i])))
			fail_msg("refused: %s", good[i]);
	}
}

static void test_bad_paths(void **state)
{
	static const char *const bad[] = {
		"",
		"a",
		"a/b",
		"//",
		"/a/",
		"//a",
		"/a//b",
		"/a//",
		"/.",
		"/..",
		"/./a",
		"/../a",
		"/a/.",
		"/a/..",
		"/a/./b",
		"/a/../b",
		"/\x01",
		"/a\x1f",
		"/a\x7f",
		"/\xc2\x80",         /* U+0080 */
		"/\xc2\x9f",         /* U+009F */
		"/\xed\xa0\x80",     /* U+D800, a surrogate */
		"/\xee\x80\x80",     /* U+E000 */
		"/\xef\xa3\xbf",     /* U+F8FF */
		"/\xef\xbf\xb0",     /* U+FFF0 */
		"/\xef\xbf\xbd",     /* U+FFFD, what Java makes of malformed bytes */
		"/\xef\xbf\xbf",     /* U+FFFF */
		"/\xf0\x9f\x98\x80", /* above U+FFFF */
		"/\x80",             /* a byte that continues nothing */
		"/\xc3",             /* cut short */
		"/\xe2\x82",
		"/\xc3/",
		"/\xc3(",
		"/\xe2(\xac",
		"/\xe2\x82(",
		"/\xc0\xaf", /* '/' in two bytes */
		"/\xc1\xbf",
		"/\xe0\x80\xaf", /* '/' in three */
		"/\xe0\x9f\xbf",
		"/\xff",
		"/\xfe",
		"/ok/\xff/ok",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (is_valid(bad[i], strlen(bad[i])))
			fail_msg("accepted: number %zu, %s", i, bad[i]);
	}
	assert_false(path_is_valid((struct slice){ NULL, 0 }));
	assert_false(is_valid("/a\0b", 4));
	assert_false(is_valid("/\0", 2));
}

/* Every code point up to U+FFFF, against the rule as ZooKeeper writes it. */
static void test_every_character(void **state)
{
	char path[8];

	(void)state;
	for (unsigned c = 1; c <= 0xffff; c++) {
		bool allowed = !(c <= 0x1f || (c >= 0x7f && c <= 0x9f) ||
				 (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0);
		size_t len = 0;

		path[len++] = '/';
		path[len++] = 'x';
		if (c < 0x80) {
			path[len++] = (char)c;
		} else if (c < 0x800) {
			path[len++] = (char)(0xc0 | c >> 6);
			path[len++] = (char)(0x80 | (c & 0x3f));
		} else {
			path[len++] = (char)(0xe0 | c >> 12);
			path[len++] = (char)(0x80 | (c >> 6 & 0x3f));
			path[len++] = (char)(0x80 | (c & 0x3f));
		}
		path[len++] = 'y';
		if (is_valid(path, len) != allowed)
			fail_msg("U+%04X", c);
	}
}

static void test_nul(void **state)
{
	(void)state;
	assert_false(path_has_nul(slice_of("/a")));
	assert_true(path_has_nul((struct slice){ "/a\0", 3 }));
	assert_true(path_has_nul((struct slice){ "\0", 1 }));
	assert_false(path_has_nul((struct slice){ NULL, 0 }));
}

static void test_parent_and_name(void **state)
{
	static const struct {
		const char *path;
		const char *parent;
		const char *name;
	} cases[] = {
		{ "/a", "/", "a" },      { "/a/b", "/a", "b" }, { "/a/b/c", "/a/b", "c" },
		{ "/", "/", "" },        { "/a/", "/a", "" },   { "//b", "/", "b" },
		{ "/p//b", "/p/", "b" }, { "x/y", "x", "y" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(slice_is(path_parent(slice_of(cases[i].path)), cases[i].parent));
		assert_true(slice_is(path_name(slice_of(cases[i].path)), cases[i].name));
	}
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *path;
		size_t lens[4]; /* to the first 0 */
	} cases[] = {
		{ "", { 0 } },          { "/", { 1 } },          { "/a", { 1, 2 } },
		{ "/ab", { 1, 3 } },    { "/a/b", { 1, 2, 4 } }, { "/ab/c", { 1, 3, 5 } },
		{ "/a/", { 1, 2, 3 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = 0;

		for (size_t k = 0; k < 4; k++) {
			len = path_next_prefix(slice_of(cases[i].path), len);
			assert_int_equal(len, cases[i].lens[k]);
			if (len == 0)
				break;
		}
	}
}

static bool is_within(const char *path, const char *prefix)
{
	return path_is_within(slice_of(path), slice_of(prefix));
}

static void test_within(void **state)
{
	(void)state;
	assert_true(is_within("/a", "/a"));
	assert_true(is_within("/a/b", "/a"));
	assert_true(is_within("/a/b/c", "/a/b"));
	assert_false(is_within("/ab", "/a"));
	assert_false(is_within("/a", "/a/b"));
	assert_false(is_within("/b/a", "/a"));
	assert_true(is_within("/", "/"));
	assert_true(is_within("/a", "/"));
	assert_false(is_within("/", "/a"));
	assert_false(is_within("", "/"));
}

static void test_sequence(void **state)
{
	static const struct {
		int32_t counter;
		const char *suffix;
	} cases[] = {
		{ 0, "0000000000" },         { 1, "0000000001" },  { 42, "0000000042" },
		{ INT32_MAX, "2147483647" }, { -1, "-000000001" }, { INT32_MIN, "-2147483648" },
	};
	char out[PATH_SEQUENCE_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(path_write_sequence(out, cases[i].counter),
				 strlen(cases[i].suffix));
		assert_string_equal(out, cases[i].suffix);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_paths),      cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_every_character), cmocka_unit_test(test_nul),
		cmocka_unit_test(test_parent_and_name), cmocka_unit_test(test_within),
		cmocka_unit_test(test_prefixes),        cmocka_unit_test(test_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
