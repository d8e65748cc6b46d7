#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static void test_append_and_drain(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_append(&b, "hello ", 6), 0);
	assert_int_equal(buf_append(&b, "world", 5), 0);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_true(slice_is(buf_slice(&b), "hello world"));
	buf_drain(&b, 6);
	assert_int_equal(buf_len(&b), 5);
	assert_memory_equal(buf_head(&b), "world", 5);
	buf_drain(&b, 5);
	assert_int_equal(buf_len(&b), 0);
	/* An empty queue begins at the front again. */
	assert_int_equal(b.head, 0);
	assert_int_equal(b.tail, 0);
	buf_fini(&b);
}

static void test_empty_is_not_null(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_non_null(buf_slice(&b).data);
	assert_int_equal(buf_slice(&b).len, 0);
	buf_fini(&b);
}

static void test_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_append(&b, "0123456789", 10), 0);
	assert_int_equal(buf_append(&b, "x", 1), -1);
	assert_true(slice_is(buf_slice(&b), "0123456789"));
	buf_drain(&b, 1);
	assert_int_equal(buf_append(&b, "xy", 2), -1);
	assert_int_equal(buf_append(&b, "x", 1), 0);
	assert_true(slice_is(buf_slice(&b), "123456789x"));
	/* The limit bounds the memory as well, and no sum of lengths may wrap around. */
	assert_true(b.cap <= 10);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -1);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 5), -1);
	buf_fini(&b);
}

/* Doubling stops at the limit; there the queue still takes what the limit allows. */
static void test_memory_is_bounded_by_the_limit(void **state)
{
	const char chunk[300] = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(buf_append(&b, chunk, sizeof(chunk)), 0);
	assert_int_equal(b.cap, 1000);
	buf_drain(&b, 1);
	assert_int_equal(buf_append(&b, chunk, 101), 0);
	assert_int_equal(b.cap, 1000);
	assert_int_equal(buf_append(&b, chunk, 1), -1);
	buf_fini(&b);
}

static void test_reserve_and_commit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	assert_int_equal(buf_reserve(&b, 5000), 0);
	assert_int_equal(buf_len(&b), 0);
	memset(buf_tail(&b), 'a', 5000);
	buf_commit(&b, 3000);
	assert_int_equal(buf_len(&b), 3000);
	assert_int_equal(buf_head(&b)[2999], 'a');
	buf_fini(&b);
}

/* Memory follows what is held, not what has gone through. */
static void test_drained_bytes_are_used_again(void **state)
{
	struct buf b;
	uint8_t chunk[100];
	uint8_t next_in = 0;
	uint8_t next_out = 0;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int turn = 0; turn < 10000; turn++) {
		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = next_in++;
		assert_int_equal(buf_append(&b, chunk, sizeof(chunk)), 0);
		if (turn < 5)
			continue;
		for (size_t i = 0; i < sizeof(chunk); i++)
			assert_int_equal(buf_head(&b)[i], next_out++);
		buf_drain(&b, sizeof(chunk));
	}
	assert_int_equal(buf_len(&b), 500);
	assert_true(b.cap <= 2048);
	buf_fini(&b);
}

/* A long queue that is drained in small bites is not moved at each of them. */
static void test_small_bites_move_little(void **state)
{
	enum { HELD = 1 << 16, TURNS = 1000 };
	struct buf b;
	int moves = 0;

	(void)state;
	buf_init(&b, HELD * 4);
	assert_int_equal(buf_reserve(&b, HELD), 0);
	memset(buf_tail(&b), 'x', HELD);
	buf_commit(&b, HELD);
	for (int turn = 0; turn < TURNS; turn++) {
		size_t head;

		buf_drain(&b, 10);
		head = b.head;
		assert_int_equal(buf_append(&b, "0123456789", 10), 0);
		moves += b.head < head;
	}
	assert_true(moves <= 1);
	assert_int_equal(buf_len(&b), HELD);
	buf_fini(&b);
}

static void test_no_memory(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(buf_append(&b, "kept", 4), 0);
	mem_fail_after(1);
	assert_int_equal(buf_reserve(&b, 5000), -1);
	assert_true(slice_is(buf_slice(&b), "kept"));
	assert_int_equal(buf_reserve(&b, 5000), 0);
	assert_true(slice_is(buf_slice(&b), "kept"));
	buf_fini(&b);
}

/* Where the move would have been too dear but no memory is left, it is made. */
static void test_no_memory_but_room_at_the_head(void **state)
{
	struct buf b;
	size_t len;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(buf_reserve(&b, 1000), 0);
	len = b.cap;
	memset(buf_tail(&b), 'x', len);
	buf_commit(&b, len);
	buf_drain(&b, 10);
	mem_fail_after(1);
	assert_int_equal(buf_append(&b, "0123456789", 10), 0);
	mem_fail_after(0);
	assert_int_equal(b.cap, len);
	assert_int_equal(buf_len(&b), len);
	assert_memory_equal(buf_head(&b) + len - 12, "xx0123456789", 12);
	buf_fini(&b);
}

static void test_clear_and_release(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	buf_release(&b);
	assert_true(slice_is(buf_slice(&b), "abc"));
	buf_clear(&b);
	assert_int_equal(buf_len(&b), 0);
	assert_true(b.cap > 0);
	buf_release(&b);
	assert_int_equal(b.cap, 0);
	assert_null(b.data);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	/* The limit outlives the memory. */
	assert_int_equal(buf_reserve(&b, 97), 0);
	assert_int_equal(buf_reserve(&b, 98), -1);
	buf_fini(&b);
}

/* What is left of a large content does not keep its memory; small ones are not worth a copy. */
static void test_trim(void **state)
{
	static const char bytes[200000];
	struct buf b;
	size_t cap;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(buf_append(&b, bytes, sizeof(bytes)), 0);
	assert_int_equal(buf_append(&b, "end", 3), 0);
	cap = b.cap;
	buf_drain(&b, sizeof(bytes) / 2);
	buf_trim(&b);
	assert_int_equal(b.cap, cap);
	buf_drain(&b, sizeof(bytes) / 2);
	/* Without memory for a smaller one it stays. */
	mem_fail_after(1);
	buf_trim(&b);
	mem_fail_after(0);
	assert_int_equal(b.cap, cap);
	buf_trim(&b);
	assert_true(b.cap <= 16 * 1024);
	assert_true(slice_is(buf_slice(&b), "end"));
	cap = b.cap;
	buf_trim(&b);
	assert_int_equal(b.cap, cap);
	buf_drain(&b, 3);
	buf_trim(&b);
	assert_int_equal(b.cap, 0);
	assert_int_equal(buf_reserve(&b, (1 << 20) + 1), -1);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_and_drain),
		cmocka_unit_test(test_empty_is_not_null),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_memory_is_bounded_by_the_limit),
		cmocka_unit_test(test_reserve_and_commit),
		cmocka_unit_test(test_drained_bytes_are_used_again),
		cmocka_unit_test(test_small_bites_move_little),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_but_room_at_the_head),
		cmocka_unit_test(test_clear_and_release),
		cmocka_unit_test(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
