/* JSON as Jackson lays it out. */
#include "app/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct buf out;
static struct json j;

static int set_up(void **state)
{
	(void)state;
	buf_init(&out, 4096);
	json_init(&j, &out);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void expect(const char *text)
{
	assert_false(out.is_cut);
	assert_int_equal(buf_append(&out, "", 1), 0);
	assert_string_equal((const char *)buf_head(&out), text);
}

static void test_layout(void **state)
{
	(void)state;
	json_open_object(&j);
	json_put_text(&j, "a", "text");
	json_put_int(&j, "b", INT64_MIN);
	json_put_bool(&j, "c", true);
	json_key(&j, slice_of("d"));
	json_null(&j);
	json_key(&j, slice_of("e"));
	json_open_object(&j);
	json_close_object(&j);
	json_key(&j, slice_of("f"));
	json_open_array(&j);
	json_close_array(&j);
	json_key(&j, slice_of("g"));
	json_open_array(&j);
	json_int(&j, 1);
	json_real(&j, 1.5);
	json_close_array(&j);
	json_key(&j, slice_of("h"));
	json_open_array(&j);
	for (int i = 0; i < 2; i++) {
		json_open_object(&j);
		json_put_bool(&j, "i", false);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_close_object(&j);
	expect("{\n  \"a\" : \"text\",\n  \"b\" : -9223372036854775808,\n  \"c\" : true,\n"
	       "  \"d\" : null,\n  \"e\" : { },\n  \"f\" : [ ],\n  \"g\" : [ 1, 1.5 ],\n"
	       "  \"h\" : [ {\n    \"i\" : false\n  }, {\n    \"i\" : false\n  } ]\n}");
}

static void expect_text(struct slice text, const char *wanted)
{
	buf_clear(&out);
	json_text(&j, text);
	expect(wanted);
}

static void test_escapes(void **state)
{
	(void)state;
	expect_text(slice_of(""), "\"\"");
	expect_text(slice_of("/a\"b\\c"), "\"/a\\\"b\\\\c\"");
	expect_text(slice_of("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	expect_text((struct slice){ "\0\x1f\x7f", 3 }, "\"\\u0000\\u001F\x7f\"");
	expect_text(slice_of("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

#define REPLACED "\xef\xbf\xbd"

/* Cut short, too long for what they say, surrogates, beyond Unicode. */
static void test_no_utf8(void **state)
{
	(void)state;
	expect_text(slice_of("a\xff z"), "\"a" REPLACED " z\"");
	expect_text(slice_of("\x80"), "\"" REPLACED "\"");
	expect_text(slice_of("\xc3"), "\"" REPLACED "\"");
	expect_text(slice_of("\xc3\"x"), "\"" REPLACED "\\\"x\"");
	expect_text(slice_of("\xc0\xaf"), "\"" REPLACED REPLACED "\"");
	expect_text(slice_of("\xe0\x80\xaf"), "\"" REPLACED REPLACED REPLACED "\"");
	expect_text(slice_of("\xed\xa0\x80"), "\"" REPLACED REPLACED REPLACED "\"");
	expect_text(slice_of("\xf4\x90\x80\x80"), "\"" REPLACED REPLACED REPLACED REPLACED "\"");
	expect_text(slice_of("\xf0\x9f\x98"), "\"" REPLACED REPLACED REPLACED "\"");
}

static void test_full(void **state)
{
	struct buf small;

	(void)state;
	buf_init(&small, 16);
	json_init(&j, &small);
	json_open_object(&j);
	json_put_text(&j, "key", "much too long a text");
	json_close_object(&j);
	assert_true(small.is_cut);
	buf_fini(&small);
}

#define JSON_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JSON_TEST(test_layout),
		JSON_TEST(test_escapes),
		JSON_TEST(test_no_utf8),
		JSON_TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
