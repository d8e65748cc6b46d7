#include "wire/jute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* A reader over a copy that is exactly as large, so that a sanitizer sees a read past its end. */
struct input {
	struct jute_reader r;
	char *copy;
};

static struct jute_reader *input_init(struct input *in, const void *bytes, size_t len)
{
	in->copy = malloc(len > 0 ? len : 1);
	memcpy(in->copy, bytes, len);
	jute_reader_init(&in->r, (struct slice){ in->copy, len });
	return &in->r;
}

static void input_fini(struct input *in)
{
	free(in->copy);
}

#define INPUT(in, text) input_init(in, text, sizeof(text) - 1)

static void test_integers(void **state)
{
	struct input in;
	struct jute_reader *r;

	(void)state;
	r = INPUT(&in, "\x01\x02\x03\x04"
		       "\xff\xff\xff\xfe"
		       "\x80\x00\x00\x00\x00\x00\x00\x01"
		       "\x7f\x00\x01\x05");
	assert_int_equal(jute_reader_left(r), 20);
	assert_int_equal(jute_read_int(r), 0x01020304);
	assert_int_equal(jute_read_int(r), -2);
	assert_true(jute_read_long(r) == INT64_MIN + 1);
	assert_int_equal(jute_read_byte(r), 0x7f);
	assert_false(jute_read_bool(r));
	assert_true(jute_read_bool(r));
	assert_true(jute_read_bool(r));
	assert_int_equal(jute_reader_left(r), 0);
	assert_false(r->bad);
	input_fini(&in);
}

/* The first failure stays: even what would fit reads as nothing. */
static void test_first_failure_stays(void **state)
{
	struct input in;
	struct jute_reader *r;

	(void)state;
	r = INPUT(&in, "\x01\x02\x03");
	assert_int_equal(jute_read_int(r), 0);
	assert_true(r->bad);
	assert_int_equal(jute_read_byte(r), 0);
	assert_false(jute_read_bool(r));
	assert_true(jute_read_long(r) == 0);
	assert_null(jute_read_buffer(r).data);
	assert_int_equal(jute_read_count(r, 1), 0);
	assert_true(r->bad);
	input_fini(&in);
}

static void test_every_read_at_the_end(void **state)
{
	struct jute_reader r;

	(void)state;
	jute_reader_init(&r, (struct slice){ NULL, 0 });
	assert_int_equal(jute_reader_left(&r), 0);
	assert_false(r.bad);
	jute_read_byte(&r);
	assert_true(r.bad);
	jute_reader_init(&r, (struct slice){ "\x01\x02\x03\x04\x05\x06\x07", 7 });
	assert_true(jute_read_long(&r) == 0);
	assert_true(r.bad);
	jute_reader_init(&r, slice_of(""));
	assert_null(jute_read_buffer(&r).data);
	assert_true(r.bad);
}

static void test_buffers(void **state)
{
	struct input in;
	struct jute_reader *r;
	struct slice s;

	(void)state;
	r = INPUT(&in, "\x00\x00\x00\x03"
		       "a\0c"
		       "\xff\xff\xff\xff"
		       "\x00\x00\x00\x00");
	s = jute_read_buffer(r);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.data, "a\0c", 3);
	assert_ptr_equal(s.data, in.copy + 4);
	s = jute_read_buffer(r);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	assert_false(r->bad);
	/* Empty is not null, also as the last of the input. */
	s = jute_read_buffer(r);
	assert_non_null(s.data);
	assert_int_equal(s.len, 0);
	assert_false(r->bad);
	input_fini(&in);
}

static void assert_bad_buffer(const char *bytes, size_t len)
{
	struct input in;
	struct jute_reader *r = input_init(&in, bytes, len);
	struct slice s = jute_read_buffer(r);

	assert_true(r->bad);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	input_fini(&in);
}

static void test_bad_lengths(void **state)
{
	(void)state;
	assert_bad_buffer("\xff\xff\xff\xfe"
			  "abcd",
			  8);
	assert_bad_buffer("\x80\x00\x00\x00"
			  "abcd",
			  8);
	assert_bad_buffer("\x7f\xff\xff\xff"
			  "abcd",
			  8);
	assert_bad_buffer("\x00\x00\x00\x05"
			  "abcd",
			  8);
	assert_bad_buffer("\x00\x00\x00", 3);
}

static void assert_count(const char *bytes, size_t len, size_t min_item_len, int32_t count,
			 bool bad)
{
	struct input in;
	struct jute_reader *r = input_init(&in, bytes, len);

	assert_int_equal(jute_read_count(r, min_item_len), count);
	assert_int_equal(r->bad, bad);
	input_fini(&in);
}

static void test_counts(void **state)
{
	(void)state;
	assert_count("\xff\xff\xff\xff", 4, 4, -1, false);
	assert_count("\xff\xff\xff\xfe", 4, 4, 0, true);
	assert_count("\x80\x00\x00\x00", 4, 4, 0, true);
	assert_count("\x00\x00\x00\x00", 4, 4, 0, false);
	assert_count("\x00\x00\x00\x02"
		     "12345678",
		     12, 4, 2, false);
	assert_count("\x00\x00\x00\x02"
		     "1234567",
		     11, 4, 0, true);
	assert_count("\x00\x00\x00\x03"
		     "12345678",
		     12, 4, 0, true);
	/* No product of a count and a length may wrap around. */
	assert_count("\x40\x00\x00\x00"
		     "12345678",
		     12, 4, 0, true);
	assert_count("\x7f\xff\xff\xff"
		     "12345678",
		     12, 1, 0, true);
	assert_count("\x00\x00\x00", 3, 1, 0, true);
}

static void test_write(void **state)
{
	struct jute_writer w;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	jute_writer_init(&w, &out);
	jute_write_int(&w, -2);
	jute_write_long(&w, INT64_C(0x0102030405060708));
	jute_write_bool(&w, true);
	jute_write_bool(&w, false);
	jute_write_byte(&w, 0xab);
	jute_write_buffer(&w, slice_of("xyz"));
	jute_write_buffer(&w, slice_of(""));
	jute_write_buffer(&w, (struct slice){ NULL, 0 });
	jute_write_raw(&w, "raw", 3);
	assert_false(w.bad);
	assert_int_equal(buf_len(&out), 4 + 8 + 3 + 7 + 4 + 4 + 3);
	assert_memory_equal(buf_head(&out),
			    "\xff\xff\xff\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x01\x00\xab"
			    "\x00\x00\x00\x03xyz\x00\x00\x00\x00\xff\xff\xff\xffraw",
			    33);
	buf_fini(&out);
}

/* What is written before the failure is a prefix, nothing follows a gap. */
static void test_full_output(void **state)
{
	struct jute_writer w;
	struct buf out;

	(void)state;
	buf_init(&out, 10);
	jute_writer_init(&w, &out);
	jute_write_long(&w, 1);
	assert_false(w.bad);
	jute_write_int(&w, 2);
	assert_true(w.bad);
	jute_write_byte(&w, 3);
	jute_write_buffer(&w, slice_of(""));
	assert_true(w.bad);
	assert_int_equal(buf_len(&out), 8);
	buf_fini(&out);
}

static void test_too_long_for_the_protocol(void **state)
{
	struct jute_writer w;
	struct buf out;

	(void)state;
	buf_init(&out, 10);
	jute_writer_init(&w, &out);
	/* Its bytes are never looked at. */
	jute_write_buffer(&w, (struct slice){ "", (size_t)INT32_MAX + 1 });
	assert_true(w.bad);
	assert_int_equal(buf_len(&out), 0);
	buf_fini(&out);
}

static void test_integers_in_memory(void **state)
{
	static const int64_t values[] = { 0, 1, -1, INT32_MIN, INT32_MAX, 0x01020304 };
	uint8_t bytes[9];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		/* Unaligned, as in a frame. */
		jute_put_int(bytes + 1, (int32_t)values[i]);
		assert_int_equal(jute_get_int(bytes + 1), values[i]);
		jute_put_long(bytes + 1, values[i] * INT32_MAX);
		assert_true(jute_get_long(bytes + 1) == values[i] * INT32_MAX);
	}
	jute_put_int(bytes, 0x01020304);
	assert_memory_equal(bytes, "\x01\x02\x03\x04", 4);
	jute_put_long(bytes, INT64_MIN);
	assert_memory_equal(bytes, "\x80\0\0\0\0\0\0\0", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_first_failure_stays),
		cmocka_unit_test(test_every_read_at_the_end),
		cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_bad_lengths),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_full_output),
		cmocka_unit_test(test_too_long_for_the_protocol),
		cmocka_unit_test(test_integers_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
