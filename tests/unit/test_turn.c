/* The watch on the core loop's turns: which are slow, and who is to blame. */
#include "app/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "tests/unit/capture.h"

static struct turn turn;
static char text[4096];

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(1000000, 0);
	metrics_reset();
	turn = (struct turn){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_fake_stop();
	return 0;
}

static void step(const char *name, int64_t took_ms)
{
	turn_step(&turn, name);
	clock_fake_advance(took_ms);
}

/* What the end of the turn logs. */
static const char *end(void)
{
	struct capture capture;

	capture_begin(&capture);
	turn_end(&turn);
	capture_end(&capture, text, sizeof(text));
	return text;
}

static void test_a_quick_turn_says_nothing(void **state)
{
	(void)state;
	step("frames", 60);
	step("commit", 40);
	assert_string_equal(end(), "");
	assert_int_equal(metrics_get(METRIC_loop_turns_slow), 0);
}

static void test_a_slow_one_names_the_culprit(void **state)
{
	(void)state;
	step("store", 30);
	step("frames", 50);
	step("commit", 40);
	assert_non_null(strstr(end(), "event=loop.slow"));
	assert_non_null(strstr(text, "took_ms=120"));
	assert_non_null(strstr(text, "culprit=frames"));
	assert_non_null(strstr(text, "culprit_ms=50"));
	assert_int_equal(metrics_get(METRIC_loop_turns_slow), 1);
}

/* The last step counts up to the turn's end, the first one from its own beginning. */
static void test_last_and_only_steps(void **state)
{
	(void)state;
	step("store", 10);
	step("send", 500);
	assert_non_null(strstr(end(), "culprit=send"));
	assert_non_null(strstr(text, "culprit_ms=500"));
	step("timers", 101);
	assert_non_null(strstr(end(), "culprit=timers"));
	assert_int_equal(metrics_get(METRIC_loop_turns_slow), 2);
}

/* A request that was measured by itself is to blame before the step that ran it, where it took the
 * longest. */
static void test_notes(void **state)
{
	int64_t began_us = clock_exact_us();

	(void)state;
	clock_fake_advance(80);
	turn_note(&turn, "multi", began_us, clock_exact_us());
	turn_note(&turn, "exists", clock_exact_us(), clock_exact_us());
	step("commit", 30);
	assert_non_null(strstr(end(), "took_ms=110"));
	assert_non_null(strstr(text, "culprit=multi"));
	assert_non_null(strstr(text, "culprit_ms=80"));
}

/* What was measured by itself counts for itself alone: what goes on before and behind it is counted
 * by its step, each in one piece. */
static void test_a_note_inside_a_step(void **state)
{
	int64_t began_us;

	(void)state;
	step("sockets", 45);
	began_us = clock_exact_us();
	clock_fake_advance(20);
	turn_note(&turn, "exists", began_us, clock_exact_us());
	clock_fake_advance(50);
	turn_step(&turn, "store");
	assert_non_null(strstr(end(), "took_ms=115"));
	assert_non_null(strstr(text, "culprit=sockets"));
	assert_non_null(strstr(text, "culprit_ms=50"));
	/* In front of the first note as well. */
	step("sockets", 90);
	began_us = clock_exact_us();
	clock_fake_advance(20);
	turn_note(&turn, "exists", began_us, clock_exact_us());
	assert_non_null(strstr(end(), "culprit=sockets"));
	assert_non_null(strstr(text, "culprit_ms=90"));
}

/* The sleep between two turns is nobody's fault, and a turn knows nothing of the one before. */
static void test_turns_are_apart(void **state)
{
	(void)state;
	step("frames", 90);
	assert_string_equal(end(), "");
	clock_fake_advance(60000);
	step("store", 20);
	assert_string_equal(end(), "");
	assert_string_equal(end(), "");
	assert_int_equal(metrics_get(METRIC_loop_turns_slow), 0);
}

#define TURN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TURN_TEST(test_a_quick_turn_says_nothing),
		TURN_TEST(test_a_slow_one_names_the_culprit),
		TURN_TEST(test_last_and_only_steps),
		TURN_TEST(test_notes),
		TURN_TEST(test_a_note_inside_a_step),
		TURN_TEST(test_turns_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
