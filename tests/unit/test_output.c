/* Bytes leave in order, none before its mark is on disk; pings alone go ahead. */
#include "net/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LIMIT = 4096 };

static void put(struct output *o, const char *text, int64_t mark, int64_t flushed)
{
	assert_int_equal(output_append(o, slice_of(text), mark, flushed), 0);
}

static void assert_sendable(const struct output *o, const char *text)
{
	struct slice s = output_sendable(o);

	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.len ? s.data : "", text, s.len);
}

static void test_ungated_leaves_at_once(void **state)
{
	struct output o;

	(void)state;
	output_init(&o, LIMIT);
	assert_sendable(&o, "");
	put(&o, "abc", 0, 0);
	put(&o, "de", 7, 7);
	assert_sendable(&o, "abcde");
	assert_int_equal(output_next_mark(&o), 0);
	assert_int_equal(output_gated(&o), 0);
	assert_int_equal(o.last_mark, 7);
	output_drain(&o, 2);
	assert_sendable(&o, "cde");
	output_drain(&o, 3);
	assert_int_equal(output_len(&o), 0);
	assert_null(o.bytes.data);
	output_fini(&o);
}

static void test_gated_waits_for_its_mark(void **state)
{
	struct output o;

	(void)state;
	output_init(&o, LIMIT);
	put(&o, "abc", 5, 5);
	put(&o, "de", 6, 5);
	put(&o, "f", 8, 5);
	assert_sendable(&o, "abc");
	assert_int_equal(output_gated(&o), 3);
	assert_int_equal(output_next_mark(&o), 6);
	output_drain(&o, 3);
	assert_false(output_release(&o, 5));
	assert_true(output_release(&o, 6));
	assert_sendable(&o, "de");
	assert_true(output_release(&o, 7));
	assert_sendable(&o, "de");
	output_drain(&o, 1);
	assert_true(output_release(&o, 8));
	assert_sendable(&o, "ef");
	assert_int_equal(output_next_mark(&o), 0);
	output_fini(&o);
}

static void test_unmarked_stays_behind_a_marked_one(void **state)
{
	struct output o;

	(void)state;
	output_init(&o, LIMIT);
	put(&o, "w", 9, 3);
	put(&o, "r", 0, 3);
	put(&o, "s", 4, 3);
	assert_sendable(&o, "");
	assert_int_equal(output_gated(&o), 3);
	assert_int_equal(o.last_mark, 9);
	/* One mark for all three: the later ones are lower. */
	assert_int_equal(o.count, 1);
	assert_true(output_release(&o, 9));
	assert_sendable(&o, "wrs");
	output_fini(&o);
}

static void test_mark_reached_already_does_not_open_the_gate(void **state)
{
	struct output o;

	(void)state;
	output_init(&o, LIMIT);
	put(&o, "w", 9, 3);
	/* F rose to 10, but this connection was not released yet: order holds all the same. */
	put(&o, "x", 10, 10);
	assert_sendable(&o, "");
	assert_true(output_release(&o, 10));
	assert_sendable(&o, "wx");
	output_fini(&o);
}

static void test_insert_goes_in_front_of_the_first_gated_byte(void **state)
{
	struct output o;

	(void)state;
	output_init(&o, LIMIT);
	put(&o, "ab", 0, 0);
	put(&o, "CD", 5, 0);
	put(&o, "EF", 6, 0);
	assert_int_equal(output_insert(&o, slice_of("xyz")), 0);
	assert_sendable(&o, "abxyz");
	assert_int_equal(output_insert(&o, slice_of("!")), 0);
	assert_sendable(&o, "abxyz!");
	output_drain(&o, 6);
	assert_sendable(&o, "");
	assert_true(output_release(&o, 5));
	assert_sendable(&o, "CD");
	assert_true(output_release(&o, 6));
	assert_sendable(&o, "CDEF");
	/* Nothing gated: at the end. */
	assert_int_equal(output_insert(&o, slice_of("z")), 0);
	assert_sendable(&o, "CDEFz");
	output_fini(&o);
}

/* What was sendable once was perhaps offered to TLS, which wants the very same bytes again. */
static void test_offered_bytes_never_change(void **state)
{
	char offered[16];
	struct output o;
	size_t len;

	(void)state;
	output_init(&o, LIMIT);
	put(&o, "abcdef", 0, 0);
	put(&o, "GHI", 5, 0);
	output_drain(&o, 2);
	len = output_sendable(&o).len;
	memcpy(offered, output_sendable(&o).data, len);
	assert_int_equal(output_insert(&o, slice_of("ping")), 0);
	put(&o, "jkl", 0, 0);
	assert_true(output_release(&o, 5));
	assert_int_equal(output_insert(&o, slice_of("ping")), 0);
	assert_true(output_sendable(&o).len >= len);
	assert_memory_equal(output_sendable(&o).data, offered, len);
	output_fini(&o);
}

static void test_full_changes_nothing(void **state)
{
	struct output o;

	(void)state;
	output_init(&o, 8);
	put(&o, "abcdef", 5, 0);
	assert_int_equal(output_append(&o, slice_of("ghi"), 9, 0), -1);
	assert_int_equal(output_insert(&o, slice_of("ghi")), -1);
	assert_int_equal(o.last_mark, 5);
	assert_int_equal(output_len(&o), 6);
	assert_int_equal(output_insert(&o, slice_of("gh")), 0);
	assert_sendable(&o, "gh");
	assert_true(output_release(&o, 5));
	assert_sendable(&o, "ghabcdef");
	output_fini(&o);
}

/* Against the plainest model: a list of bytes with their marks. */
static void test_random_against_model(void **state)
{
	enum { ROUNDS = 20000, MOST = 4096 };
	static struct {
		char c;
		int64_t mark;
	} model[MOST];
	size_t count = 0, gate, n;
	int64_t flushed = 0, zxid = 0, last = 0;
	struct output o;

	(void)state;
	srand(7);
	output_init(&o, MOST);
	for (int i = 0; i < ROUNDS; i++) {
		char c = (char)('a' + rand() % 26);
		struct slice frame = { &c, 1 };
		int64_t mark = rand() % 3 ? 0 : ++zxid;

		for (gate = 0; gate < count && model[gate].mark <= flushed;)
			gate++;
		switch (rand() % 5) {
		case 0:
		case 1:
			if (output_append(&o, frame, mark, flushed) != 0)
				break;
			last = mark > last ? mark : last;
			model[count].c = c;
			model[count++].mark = last;
			break;
		case 2:
			if (output_insert(&o, frame) != 0)
				break;
			memmove(&model[gate + 1], &model[gate], (count - gate) * sizeof(model[0]));
			model[gate].c = c;
			model[gate].mark = 0;
			count++;
			break;
		case 3:
			flushed += rand() % (int)(zxid - flushed + 1);
			output_release(&o, flushed);
			break;
		default:
			n = gate ? (size_t)rand() % (gate + 1) : 0;
			output_drain(&o, n);
			memmove(model, &model[n], (count - n) * sizeof(model[0]));
			count -= n;
			break;
		}
		for (gate = 0; gate < count && model[gate].mark <= flushed;)
			gate++;
		assert_int_equal(output_len(&o), count);
		assert_int_equal(output_sendable(&o).len, gate);
		assert_int_equal(output_next_mark(&o), gate < count ? model[gate].mark : 0);
		for (size_t k = 0; k < count; k++)
			assert_int_equal(buf_head(&o.bytes)[k], model[k].c);
	}
	assert_true(zxid > 1000);
	output_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ungated_leaves_at_once),
		cmocka_unit_test(test_gated_waits_for_its_mark),
		cmocka_unit_test(test_unmarked_stays_behind_a_marked_one),
		cmocka_unit_test(test_mark_reached_already_does_not_open_the_gate),
		cmocka_unit_test(test_insert_goes_in_front_of_the_first_gated_byte),
		cmocka_unit_test(test_offered_bytes_never_change),
		cmocka_unit_test(test_full_changes_nothing),
		cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
