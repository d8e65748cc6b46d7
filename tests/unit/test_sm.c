#include "base/sm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "capture.h"

enum { SHAKING, OPEN, CLOSING, STATES };

static const struct sm_state table[STATES] = {
	[SHAKING] = { "shaking", SM_TO(OPEN) | SM_TO(CLOSING) },
	[OPEN] = { "open", SM_TO(CLOSING) },
	[CLOSING] = { "closing", 0 },
};

static unsigned from;
static unsigned to;

static void move(void)
{
	unsigned now = from;

	sm_move("conn", table, &now, to);
}

/* Every pair: it moves where the table says so, else the process ends and the log says why. */
static void test_every_move(void **state)
{
	char text[1000];
	char reason[100];

	(void)state;
	for (from = 0; from < STATES; from++) {
		for (to = 0; to < STATES; to++) {
			unsigned now = from;

			if (table[from].next & (1U << to)) {
				sm_move("conn", table, &now, to);
				assert_int_equal(now, to);
				continue;
			}
			capture_abort(move, text, sizeof(text));
			snprintf(reason, sizeof(reason), "reason=\"conn: %s -> %s\"\n",
				 table[from].name, table[to].name);
			assert_non_null(strstr(text, "event=state.forbidden"));
			assert_non_null(strstr(text, reason));
		}
	}
}

static void test_no_such_state(void **state)
{
	char text[1000];

	(void)state;
	from = OPEN;
	/* 34 would be a shift by 2 on many machines, which the table allows. */
	to = 34;
	capture_abort(move, text, sizeof(text));
	assert_non_null(strstr(text, "event=state.unknown"));
	assert_non_null(strstr(text, "reason=\"conn: open -> 34\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_move),
		cmocka_unit_test(test_no_such_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
