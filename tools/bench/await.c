/* A connection may be refused, closed, or left waiting while the server starts: the first two are
 * tried again, the last is waited for. */
#include "tools/bench/await.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "tools/bench/session.h"
#include "tools/bench/target.h"

enum { US_PER_S = 1000000, PAUSE_US = 1000, TURN_US = 50000, PATIENCE_US = 5 * US_PER_S };

struct attempt {
	int64_t opened_us; /* 0: not yet */
	bool over;
};

static void opened(void *owner)
{
	((struct attempt *)owner)->opened_us = clock_exact_us();
}

static void closed(void *owner, const char *reason)
{
	(void)reason;
	((struct attempt *)owner)->over = true;
}

/* When a session was open, or 0. */
static int64_t try_once(struct loop *l, const struct conn_target *target, const struct options *o)
{
	static const struct session_events events = { opened, NULL, closed, NULL };
	int64_t end_us = clock_exact_us() + PATIENCE_US;
	struct attempt a = { 0 };
	char reason[STREAM_REASON_LEN];
	struct session *s = session_new(l, target, 1, o->timeout_ms, &events, &a, reason);

	if (s == NULL)
		return 0;
	while (a.opened_us == 0 && !a.over && clock_exact_us() < end_us)
		loop_turn(l, TURN_US);
	session_close(s);
	while (a.opened_us != 0 && !a.over && clock_exact_us() < end_us)
		loop_turn(l, TURN_US);
	session_free(s);
	return a.opened_us;
}

int64_t await_server(const struct options *o, double seconds)
{
	int64_t end_us = clock_exact_us() + (int64_t)(seconds * US_PER_S);
	struct loop *l = loop_new();
	struct conn_target target;
	int64_t at_us;

	target_init(&target, o);
	puts("waiting");
	fflush(stdout);
	while ((at_us = try_once(l, &target, o)) == 0 && clock_exact_us() < end_us)
		loop_turn(l, PAUSE_US);
	target_fini(&target);
	loop_free(l);
	return at_us != 0 ? at_us : -1;
}
