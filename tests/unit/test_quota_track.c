/* The text of limits and statistics of a quota. */
#include "core/quota_track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, int64_t count, int64_t bytes, int64_t count_hard,
		   int64_t bytes_hard)
{
	struct quota_track t = quota_track_read(slice_of(text));

	assert_int_equal(t.count, count);
	assert_int_equal(t.bytes, bytes);
	assert_int_equal(t.count_hard, count_hard);
	assert_int_equal(t.bytes_hard, bytes_hard);
}

static void test_read(void **state)
{
	(void)state;
	expect("count=4,bytes=5", 4, 5, -1, -1);
	expect("count=4,bytes=5=;byteHardLimit=6;countHardLimit=7", 4, 5, 7, 6);
	expect("bytes=5;count=4", 4, 5, -1, -1);
	expect("count=-1,bytes=-1", -1, -1, -1, -1);
	expect("countHardLimit=3", -1, -1, 3, -1);
	expect(",;count=4;,", 4, -1, -1, -1);
	/* What is no number limits nothing. */
	expect("", -1, -1, -1, -1);
	expect("count=,bytes=x", -1, -1, -1, -1);
	expect("count=5x,bytes=99999999999999999999999999", -1, -1, -1, -1);
	expect("=4,count", -1, -1, -1, -1);
	expect("count=9223372036854775807,bytes=9223372036854775808", INT64_MAX, -1, -1, -1);
	expect("count=-9223372036854775808,bytes=-9223372036854775809", INT64_MIN, -1, -1, -1);
	assert_int_equal(quota_track_read((struct slice){ 0 }).count, -1);
}

static void test_write(void **state)
{
	static const char *const texts[] = {
		"count=4,bytes=5",
		"count=-1,bytes=9223372036854775807",
		"count=4,bytes=5=;countHardLimit=7",
		"count=4,bytes=5=;byteHardLimit=6",
		"count=4,bytes=5=;byteHardLimit=-1;countHardLimit=7",
	};
	char out[QUOTA_TRACK_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct quota_track t = quota_track_read(slice_of(texts[i]));

		assert_int_equal(quota_track_write(&t, out), strlen(texts[i]));
		assert_string_equal(out, texts[i]);
	}
	{
		struct quota_track longest = { INT64_MIN, INT64_MIN, INT64_MIN,
					       INT64_MIN, true,      true };

		assert_in_range(quota_track_write(&longest, out), 1, QUOTA_TRACK_LEN - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
