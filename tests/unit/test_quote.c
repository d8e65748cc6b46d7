#include "base/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_quoted(struct slice text, const char *expected)
{
	struct buf out;

	buf_init(&out, 4096);
	quote_json(&out, text);
	assert_false(out.is_cut);
	assert_true(slice_is(buf_slice(&out), expected));
	buf_fini(&out);
}

static void test_texts(void **state)
{
	(void)state;
	assert_quoted((struct slice){ 0 }, "null");
	assert_quoted(slice_of(""), "\"\"");
	assert_quoted(slice_of("/a b~"), "\"/a b~\"");
	assert_quoted(slice_of("a\"\\b"), "\"a\\\"\\\\b\"");
	assert_quoted((struct slice){ "\n\r\t\0\x7f", 5 },
		      "\"\\u000a\\u000d\\u0009\\u0000\\u007f\"");
	assert_quoted(slice_of("\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80"),
		      "\"\\u00e9\\u2028\\ud83d\\ude00\"");
}

/* Cut short, too long for what it says, a surrogate, beyond the last code point: each bad byte for
 * itself. */
static void test_no_utf8(void **state)
{
	(void)state;
	assert_quoted(slice_of("\xc3"), "\"\\ufffd\"");
	assert_quoted(slice_of("\xc3"
			       "a"),
		      "\"\\ufffda\"");
	assert_quoted(slice_of("\x80z"), "\"\\ufffdz\"");
	assert_quoted(slice_of("\xc0\x80"), "\"\\ufffd\\ufffd\"");
	assert_quoted(slice_of("\xe0\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
	assert_quoted(slice_of("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
	assert_quoted(slice_of("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

static void test_a_full_buffer(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	quote_json(&out, slice_of("0123456789"));
	assert_true(out.is_cut);
	assert_true(buf_len(&out) <= 8);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_no_utf8),
		cmocka_unit_test(test_a_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
