/* Frames out of bytes, whatever the pieces they come in; pings found behind a frame that waits. */
#include "net/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/jute.h"

enum { MAX_FRAME = 32, LIMIT = 1024 };

static void put_frame(struct input *in, const char *body)
{
	uint8_t head[INPUT_LENGTH_LEN];

	jute_put_int(head, (int32_t)strlen(body));
	assert_int_equal(input_put(in, head, sizeof(head)), 0);
	assert_int_equal(input_put(in, body, strlen(body)), 0);
}

static void put_length(struct input *in, int32_t len)
{
	uint8_t head[INPUT_LENGTH_LEN];

	jute_put_int(head, len);
	assert_int_equal(input_put(in, head, sizeof(head)), 0);
}

static void assert_first(struct input *in, const char *body)
{
	struct slice frame;

	assert_int_equal(input_first(in, MAX_FRAME, &frame), INPUT_FRAME);
	assert_true(slice_is(frame, body));
	input_drop_first(in, frame);
}

static void test_byte_by_byte(void **state)
{
	static const char bytes[] = "\0\0\0\3abc\0\0\0\1d";
	struct slice frame;
	struct input in;

	(void)state;
	input_init(&in, LIMIT);
	assert_int_equal(input_first(&in, MAX_FRAME, &frame), INPUT_PARTIAL);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(input_put(&in, bytes + i, 1), 0);
		assert_int_equal(input_first(&in, MAX_FRAME, &frame), INPUT_PARTIAL);
	}
	assert_int_equal(input_put(&in, bytes + 6, 5), 0);
	assert_first(&in, "abc");
	assert_int_equal(input_put(&in, bytes + 11, 1), 0);
	assert_first(&in, "d");
	assert_int_equal(buf_len(&in.bytes), 0);
	assert_null(in.bytes.data);
	input_fini(&in);
}

static void test_lengths(void **state)
{
	static const struct {
		int32_t len;
		enum input_rc rc;
	} cases[] = {
		{ 0, INPUT_BAD },
		{ -1, INPUT_BAD },
		{ INT32_MIN, INPUT_BAD },
		{ INT32_MAX, INPUT_BAD },
		{ MAX_FRAME + 1, INPUT_BAD },
		{ MAX_FRAME, INPUT_PARTIAL },
		{ 1, INPUT_PARTIAL },
	};
	struct slice frame;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct input in;

		input_init(&in, LIMIT);
		put_length(&in, cases[i].len);
		assert_int_equal(input_first(&in, MAX_FRAME, &frame), cases[i].rc);
		assert_int_equal(input_scan(&in, MAX_FRAME, &frame), cases[i].rc);
		input_fini(&in);
	}
}

/* An announced length takes no memory. */
static void test_memory_follows_the_bytes(void **state)
{
	struct input in;

	(void)state;
	input_init(&in, 2 * 1024 * 1024);
	put_length(&in, 1024 * 1024);
	assert_true(in.bytes.cap <= 1024);
	input_fini(&in);
}

static void test_limit(void **state)
{
	static const char bytes[LIMIT];
	struct input in;

	(void)state;
	input_init(&in, LIMIT);
	assert_int_equal(input_put(&in, bytes, LIMIT), 0);
	assert_int_equal(input_put(&in, bytes, 1), -1);
	input_fini(&in);
}

static void test_scan_and_cut(void **state)
{
	struct slice frame;
	struct input in;

	(void)state;
	input_init(&in, LIMIT);
	put_frame(&in, "first");
	put_frame(&in, "ping1");
	put_frame(&in, "second!");
	put_frame(&in, "p2");
	put_length(&in, 3);
	/* Over the parked one. */
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
	assert_true(slice_is(frame, "first"));
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
	assert_true(slice_is(frame, "ping1"));
	input_cut_scanned(&in, frame);
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
	assert_true(slice_is(frame, "second!"));
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
	assert_true(slice_is(frame, "p2"));
	input_cut_scanned(&in, frame);
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_PARTIAL);
	input_scan_end(&in);
	/* The rest of the frame that was in part there. */
	assert_int_equal(input_put(&in, "xyz", 3), 0);
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
	assert_true(slice_is(frame, "xyz"));
	/* All the others are there, in their order. */
	assert_first(&in, "first");
	assert_int_equal(in.scanned, 4 + 7 + 4 + 3);
	assert_first(&in, "second!");
	put_frame(&in, "last");
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
	assert_true(slice_is(frame, "last"));
	assert_first(&in, "xyz");
	assert_first(&in, "last");
	assert_int_equal(in.scanned, 0);
	input_fini(&in);
}

/* Cuts in any place are one gap until the end; a tail of any length moves with the rest. */
static void test_cuts_close_once(void **state)
{
	static const char tail[] = "\0\0\0\3xyz";

	(void)state;
	for (size_t part = 0; part < sizeof(tail) - 1; part++) {
		struct slice frame;
		struct input in;
		size_t len;

		input_init(&in, LIMIT);
		for (int i = 0; i < 5; i++) {
			put_frame(&in, i == 0 ? "parked" : "kept");
			put_frame(&in, "ping");
			put_frame(&in, "ping");
		}
		assert_int_equal(input_put(&in, tail, part), 0);
		len = buf_len(&in.bytes);
		for (int i = 0; i < 15; i++) {
			assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
			assert_true(slice_is(frame, i % 3 ? "ping" : i ? "kept" : "parked"));
			if (i % 3)
				input_cut_scanned(&in, frame);
		}
		assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_PARTIAL);
		/* Nothing behind the gap was moved so far. */
		assert_int_equal(buf_len(&in.bytes), len);
		assert_int_equal(in.gap, 10 * 8);
		input_scan_end(&in);
		assert_int_equal(buf_len(&in.bytes), len - 10 * 8);
		assert_int_equal(in.scanned, 10 + 4 * 8);
		/* Again, to no effect. */
		input_scan_end(&in);
		assert_int_equal(buf_len(&in.bytes), len - 10 * 8);
		assert_int_equal(input_put(&in, tail + part, sizeof(tail) - 1 - part), 0);
		assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
		assert_true(slice_is(frame, "xyz"));
		assert_first(&in, "parked");
		for (int i = 0; i < 4; i++)
			assert_first(&in, "kept");
		assert_first(&in, "xyz");
		assert_int_equal(buf_len(&in.bytes), 0);
		assert_null(in.bytes.data);
		input_fini(&in);
	}
}

/* A scan that stops halfway (its turn is over) goes on where it stopped. */
static void test_scan_in_parts(void **state)
{
	struct slice frame;
	struct input in;

	(void)state;
	input_init(&in, LIMIT);
	put_frame(&in, "parked");
	for (int i = 0; i < 20; i++)
		put_frame(&in, i % 2 ? "kept" : "ping");
	put_length(&in, -1);
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_FRAME);
		assert_true(slice_is(frame, i % 2 ? "kept" : "ping"));
		if (i % 2 == 0)
			input_cut_scanned(&in, frame);
		if (i % 3 == 0)
			input_scan_end(&in);
	}
	assert_int_equal(input_scan(&in, MAX_FRAME, &frame), INPUT_BAD);
	input_scan_end(&in);
	assert_first(&in, "parked");
	for (int i = 0; i < 10; i++)
		assert_first(&in, "kept");
	assert_int_equal(input_first(&in, MAX_FRAME, &frame), INPUT_BAD);
	input_fini(&in);
}

static void test_room(void **state)
{
	struct input in;

	(void)state;
	input_init(&in, LIMIT);
	assert_int_equal(input_room(&in, MAX_FRAME, 10), 14);
	put_length(&in, 3);
	assert_int_equal(input_room(&in, MAX_FRAME, 10), 13);
	assert_int_equal(input_put(&in, "abc", 3), 0);
	assert_int_equal(input_room(&in, MAX_FRAME, 10), 10);
	assert_int_equal(input_room(&in, MAX_FRAME, 0), 0);
	assert_int_equal(input_put(&in, "0123456789ab", 12), 0);
	assert_int_equal(input_room(&in, MAX_FRAME, 10), 0);
	input_fini(&in);
	put_length(&in, -5);
	assert_int_equal(input_room(&in, MAX_FRAME, 10), 0);
	input_fini(&in);
}

static void test_word(void **state)
{
	char word[INPUT_LENGTH_LEN];
	struct input in;

	(void)state;
	input_init(&in, LIMIT);
	assert_int_equal(input_put(&in, "ruo", 3), 0);
	assert_false(input_get_word(&in, word));
	assert_int_equal(input_put(&in, "k\n", 2), 0);
	assert_true(input_get_word(&in, word));
	assert_memory_equal(word, "ruok", 4);
	input_fini(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_memory_follows_the_bytes),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_scan_and_cut),
		cmocka_unit_test(test_cuts_close_once),
		cmocka_unit_test(test_scan_in_parts),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
