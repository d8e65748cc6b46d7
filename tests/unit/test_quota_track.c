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

	assert_false(t.is_malformed);
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
	expect("count=4;,", 4, -1, -1, -1);
	expect("count=4,,;bytes=5", 4, 5, -1, -1);
	expect("count=4=5,bytes==6", 4, -1, -1, -1);
	expect("=4,other=5,count=1,count=+2", 2, -1, -1, -1);
	expect("", -1, -1, -1, -1);
	expect(",;", -1, -1, -1, -1);
	expect("count=9223372036854775807,bytes=-9223372036854775808", INT64_MAX, INT64_MIN, -1,
	       -1);
	expect("count=000000000000000000000000000000000004", 4, -1, -1, -1);
}

/* What is no number limits nothing. */
static void test_malformed(void **state)
{
	static const char *const texts[] = {
		"nonsense",
		"count",
		"count=",
		"=",
		"count=x",
		"count=5x",
		"count= 5",
		"count=-",
		"count=+",
		"count=--1",
		",count=4=x",
		"count=4,bytes",
		";other=1",
		"other=",
		"count==x=x,y",
		"count=0x1",
		"count=9223372036854775808",
		"count=-9223372036854775809",
		"count=99999999999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_true(quota_track_read(slice_of(texts[i])).is_malformed);
	assert_true(quota_track_read((struct slice){ "count=4\0", 8 }).is_malformed);
	assert_true(quota_track_read((struct slice){ 0 }).is_malformed);
	assert_int_equal(quota_track_read((struct slice){ 0 }).count, -1);
	assert_int_equal(quota_track_read(slice_of("count=5x")).count, -1);
	assert_int_equal(quota_track_read(slice_of("count=x,bytes=6")).bytes, 6);
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
		struct quota_track longest = { .count = INT64_MIN,
					       .bytes = INT64_MIN,
					       .count_hard = INT64_MIN,
					       .bytes_hard = INT64_MIN,
					       .has_count_hard = true,
					       .has_bytes_hard = true };

		assert_in_range(quota_track_write(&longest, out), 1, QUOTA_TRACK_LEN - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
