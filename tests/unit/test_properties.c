/* Java's .properties syntax, as java.util.Properties reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/properties.h"

/* One pair that a text must give; the last of a list has no key. */
struct pair {
	const char *key;
	const char *value;
	unsigned line;
};

static void expect_pairs_of(struct slice text, const struct pair *expected)
{
	const char *reason = NULL;
	struct properties p;
	struct property got;

	properties_init(&p, text);
	for (; expected->key != NULL; expected++) {
		assert_int_equal(properties_next(&p, &got, &reason), PROPERTIES_PAIR);
		assert_string_equal(got.key, expected->key);
		assert_string_equal(got.value, expected->value);
		assert_int_equal(got.line, expected->line);
	}
	assert_int_equal(properties_next(&p, &got, &reason), PROPERTIES_END);
	properties_fini(&p);
}

static void expect_pairs(const char *text, const struct pair *expected)
{
	expect_pairs_of(slice_of(text), expected);
}

#define EXPECT(text, ...) expect_pairs(text, (const struct pair[]){ __VA_ARGS__, { 0 } })

static void expect_bad(struct slice text, unsigned line, const char *why)
{
	const char *reason = NULL;
	struct properties p;
	struct property got;

	properties_init(&p, text);
	assert_int_equal(properties_next(&p, &got, &reason), PROPERTIES_BAD);
	assert_int_equal(got.line, line);
	assert_string_equal(reason, why);
	properties_fini(&p);
}

static void test_separators(void **state)
{
	(void)state;
	EXPECT("a=b", { "a", "b", 1 });
	EXPECT("a:b", { "a", "b", 1 });
	EXPECT("a b", { "a", "b", 1 });
	EXPECT("a\tb", { "a", "b", 1 });
	EXPECT("  a  =  b  ", { "a", "b", 1 });
	EXPECT("a : b = c", { "a", "b = c", 1 });
	EXPECT("a==b", { "a", "=b", 1 });
	EXPECT("a b=c", { "a", "b=c", 1 });
	EXPECT("a", { "a", "", 1 });
	EXPECT("a=", { "a", "", 1 });
	EXPECT("=b", { "", "b", 1 });
	EXPECT("server.1=h:2888:3888;2181", { "server.1", "h:2888:3888;2181", 1 });
}

static void test_lines(void **state)
{
	(void)state;
	EXPECT("a=1\nb=2\r\nc=3\rd=4", { "a", "1", 1 }, { "b", "2", 2 }, { "c", "3", 3 },
	       { "d", "4", 4 });
	EXPECT("\n \t\f\n\r\na=1\n\n", { "a", "1", 4 });
	EXPECT("# one\n  ! two\n#a=1\\\nb=2 # no comment", { "b", "2 # no comment", 4 });
}

static void test_joined_lines(void **state)
{
	(void)state;
	EXPECT("a=1,\\\n   2,\\\r\n\t3\nb=4", { "a", "1,2,3", 1 }, { "b", "4", 4 });
	EXPECT("a=1\\\\\nb=2", { "a", "1\\", 1 }, { "b", "2", 2 });
	EXPECT("a=1\\\\\\\n2", { "a", "1\\2", 1 });
	EXPECT("a=1\\\n\nb=2", { "a", "1", 1 }, { "b", "2", 3 });
	EXPECT("a=1\\\n#2", { "a", "1#2", 1 });
	EXPECT("a=1\\", { "a", "1", 1 });
	EXPECT("\\\n# a comment\nb=2", { "b", "2", 3 });
	EXPECT("long\\\n  name = x", { "longname", "x", 1 });
}

static void test_escapes(void **state)
{
	(void)state;
	EXPECT("a\\ b\\=c\\:d = x", { "a b=c:d", "x", 1 });
	EXPECT("a=C:\\\\x\\q", { "a", "C:\\xq", 1 });
	EXPECT("a=x\\ty\\nz\\fw\\rv", { "a", "x\ty\nz\fw\rv", 1 });
	EXPECT("a=\\u0041\\u00e4\\u20AC", { "a", "A\xc3\xa4\xe2\x82\xac", 1 });
	EXPECT("a=\\ud83d\\ude00", { "a", "\xf0\x9f\x98\x80", 1 });
	EXPECT("\\u0061\\u003d=1", { "a=", "1", 1 });
	/* Bytes as they are: a path in UTF-8. */
	EXPECT("dataDir=/srv/\xc3\xa4", { "dataDir", "/srv/\xc3\xa4", 1 });
}

static void test_trims_as_zookeeper(void **state)
{
	(void)state;
	EXPECT("a=b \\t", { "a", "b", 1 });
	EXPECT("a=\\u0020b", { "a", "b", 1 });
	EXPECT("\\ a=b", { "a", "b", 1 });
}

static void test_bad_escapes(void **state)
{
	static const char *const bad[] = {
		"a=\\u12",          "a=\\u12g4", "a=\\u",     "a=\\ud83d",
		"a=\\ud83dx",       "a=\\udc00", "\\u000=1",  "a=\\ud83d\\u0041",
		"a=\\ud83d\\ud83d", "a=\\u0000", "a=\\u-123",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_bad(slice_of(bad[i]), 1, "a malformed \\uXXXX");
	expect_bad((struct slice){ "\n\na=\0b", 6 }, 3, "a NUL byte");
}

static void test_empty(void **state)
{
	const struct pair none[] = { { 0 } };

	(void)state;
	expect_pairs("", none);
	expect_pairs("\n", none);
	expect_pairs("# only this", none);
	expect_pairs("\\", none);
	expect_pairs_of((struct slice){ "", 0 }, none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_separators),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_joined_lines),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_trims_as_zookeeper),
		cmocka_unit_test(test_bad_escapes),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
