/* How long requests took: at once, or when the disk caught up. */
#include "app/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/client.h"

static struct latency *latency;

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(1000000, 0);
	latency = latency_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	latency_free(latency);
	clock_fake_stop();
	return 0;
}

static void expect(uint64_t count, uint64_t min_ms, double avg_ms, uint64_t max_ms)
{
	struct latency_figures f = latency_figures(latency);

	assert_int_equal(f.count, count);
	assert_int_equal(f.min_ms, min_ms);
	assert_int_equal(f.max_ms, max_ms);
	assert_true(f.avg_ms > avg_ms - 0.0001 && f.avg_ms < avg_ms + 0.0001);
}

static void test_nothing_yet(void **state)
{
	(void)state;
	expect(0, 0, 0, 0);
	latency_flushed(latency, 100);
	expect(0, 0, 0, 0);
	assert_int_equal(latency_waiting(latency), 0);
}

static void test_at_once(void **state)
{
	int64_t began_us = clock_exact_us();

	(void)state;
	latency_note(latency, LATENCY_READ, began_us, 0, 0);
	expect(1, 0, 0, 0);
	clock_fake_advance(4);
	latency_note(latency, LATENCY_READ, began_us, 7, 7);
	clock_fake_advance(4);
	latency_note(latency, LATENCY_READ, began_us, 6, 7);
	expect(3, 0, 4, 8);
	assert_int_equal(latency_waiting(latency), 0);
	/* A clock that went back counts as nothing. */
	latency_note(latency, LATENCY_READ, clock_exact_us() + 1000000, 0, 0);
	expect(4, 0, 3, 8);
}

static void test_when_the_disk_caught_up(void **state)
{
	(void)state;
	latency_note(latency, LATENCY_READ, clock_exact_us(), 10, 9);
	latency_note(latency, LATENCY_READ, clock_exact_us(), 12, 9);
	latency_note(latency, LATENCY_READ, clock_exact_us(), 12, 9);
	latency_note(latency, LATENCY_READ, clock_exact_us(), 11, 9);
	expect(0, 0, 0, 0);
	assert_int_equal(latency_waiting(latency), 4);
	clock_fake_advance(5);
	latency_flushed(latency, 9);
	assert_int_equal(latency_waiting(latency), 4);
	latency_flushed(latency, 11);
	expect(1, 5, 5, 5);
	assert_int_equal(latency_waiting(latency), 3);
	clock_fake_advance(10);
	latency_flushed(latency, 12);
	expect(4, 5, (5 + 3 * 15) / 4.0, 15);
	assert_int_equal(latency_waiting(latency), 0);
}

/* The ring grows while it is wound: many marks, released in portions. */
static void test_many(void **state)
{
	int64_t noted = 0, flushed = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 37; i++)
			latency_note(latency, LATENCY_READ, clock_exact_us(), ++noted, flushed);
		clock_fake_advance(1);
		flushed += 17;
		latency_flushed(latency, flushed);
		assert_int_equal(latency_waiting(latency), (uint64_t)(noted - flushed));
		assert_int_equal(latency_figures(latency).count, flushed);
	}
	latency_flushed(latency, noted);
	assert_int_equal(latency_waiting(latency), 0);
	assert_int_equal(latency_figures(latency).count, noted);
	assert_int_equal(latency_figures(latency).min_ms, 1);
}

static void test_kinds(void **state)
{
	(void)state;
	latency_note(latency, LATENCY_READ, clock_exact_us() - 2000, 0, 0);
	latency_note(latency, LATENCY_UPDATE, clock_exact_us() - 1000, 5, 0);
	latency_note(latency, LATENCY_READ, clock_exact_us() - 1000, 5, 0);
	clock_fake_advance(3);
	latency_flushed(latency, 5);
	assert_int_equal(latency_summary(latency, LATENCY_READ)->count, 2);
	assert_int_equal(latency_summary(latency, LATENCY_READ)->min, 2000);
	assert_int_equal(latency_summary(latency, LATENCY_UPDATE)->count, 1);
	assert_int_equal(latency_summary(latency, LATENCY_UPDATE)->max, 4000);
	expect(3, 2, 10 / 3.0, 4);
}

static void test_sizes(void **state)
{
	struct latency_sizes s = latency_sizes(latency);

	(void)state;
	assert_true(s.last == -1 && s.min == -1 && s.max == -1);
	latency_note_size(latency, 20);
	latency_note_size(latency, 90);
	latency_note_size(latency, 30);
	s = latency_sizes(latency);
	assert_true(s.last == 30 && s.min == 20 && s.max == 90);
	latency_reset(latency);
	assert_int_equal(latency_sizes(latency).max, -1);
}

static void note_client(struct client *c, int32_t op, int32_t xid, int64_t mark, int64_t flushed)
{
	const struct latency_reply reply = { .op = op,
					     .xid = xid,
					     .zxid = 100 + xid,
					     .began_us = clock_exact_us(),
					     .mark = mark };

	latency_note_client(latency, c, &reply, flushed);
}

/* Figures of one client: what waits for the disk counts when it is there, pings meanwhile. */
static void test_client(void **state)
{
	static struct client c;
	const struct client_stats *s = &c.stats;

	(void)state;
	c = (struct client){ 0 };
	list_init(&c.stats.link);
	client_reset_stats(&c);
	note_client(&c, OP_EXISTS, 1, 0, 0);
	assert_int_equal(s->last_op, OP_EXISTS);
	assert_int_equal(s->count, 1);
	note_client(&c, OP_CREATE, 2, 5, 0);
	clock_fake_advance(2);
	note_client(&c, OP_SET_DATA, 3, 6, 0);
	/* It stands behind a write. */
	note_client(&c, OP_GET_DATA, 4, 0, 0);
	assert_int_equal(latency_waiting_of(&c), 3);
	assert_int_equal(s->last_op, OP_EXISTS);
	note_client(&c, OP_PING, XID_PING, 0, 0);
	assert_int_equal(s->last_op, OP_PING);
	assert_int_equal(s->last_xid, 1);
	clock_fake_advance(2);
	latency_flushed(latency, 4);
	assert_int_equal(latency_waiting_of(&c), 3);
	latency_flushed(latency, 5);
	assert_int_equal(latency_waiting_of(&c), 1);
	assert_int_equal(s->max_us, 4000);
	latency_flushed(latency, 6);
	assert_int_equal(latency_waiting_of(&c), 0);
	assert_true(list_is_empty(&s->link));
	assert_int_equal(s->count, 5);
	assert_int_equal(s->sum_us, 4000 + 2000 + 2000);
	assert_int_equal(s->last_us, 2000);
	assert_int_equal(s->last_response_ms, clock_exact_us() / 1000);
	client_reset_stats(&c);
	assert_int_equal(s->count + s->max_us, 0);
	assert_int_equal(s->last_zxid, -1);
}

static void test_reset(void **state)
{
	(void)state;
	latency_note(latency, LATENCY_READ, clock_exact_us() - 9000, 0, 0);
	latency_note(latency, LATENCY_READ, clock_exact_us(), 5, 0);
	latency_reset(latency);
	expect(0, 0, 0, 0);
	/* What waits is still counted when it is through. */
	clock_fake_advance(3);
	latency_flushed(latency, 5);
	expect(1, 3, 3, 3);
}

#define LATENCY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LATENCY_TEST(test_nothing_yet), LATENCY_TEST(test_at_once),
		LATENCY_TEST(test_kinds),       LATENCY_TEST(test_sizes),
		LATENCY_TEST(test_client),      LATENCY_TEST(test_when_the_disk_caught_up),
		LATENCY_TEST(test_many),        LATENCY_TEST(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
