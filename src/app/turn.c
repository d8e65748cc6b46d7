#include "app/turn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

static void compare(struct turn *t, const char *what, int64_t took_us)
{
	if (took_us <= t->longest_us)
		return;
	t->longest_us = took_us;
	t->longest = what;
}

static void close_step(struct turn *t, int64_t now_us)
{
	if (t->step)
		compare(t, t->step, now_us - t->step_us);
}

void turn_step(struct turn *t, const char *step)
{
	int64_t now_us = clock_exact_us();

	if (t->began_us == 0)
		t->began_us = now_us;
	else
		close_step(t, now_us);
	t->step = step;
	t->step_us = now_us;
}

void turn_note(struct turn *t, const char *what, int64_t began_us, int64_t ended_us)
{
	if (t->began_us == 0)
		t->began_us = began_us;
	/* What goes on around it is counted without it. */
	close_step(t, began_us);
	t->step_us = ended_us;
	compare(t, what, ended_us - began_us);
}

void turn_end(struct turn *t)
{
	int64_t now_us = clock_exact_us();

	if (t->began_us == 0)
		return;
	close_step(t, now_us);
	if (now_us - t->began_us > TURN_SLOW_MS * 1000) {
		metrics_add(METRIC_loop_turns_slow, 1);
		log_warn("loop.slow", LOG_INT("took_ms", (now_us - t->began_us) / 1000),
			 LOG_TEXT("culprit", t->longest ? t->longest : "none"),
			 LOG_INT("culprit_ms", t->longest_us / 1000));
	}
	*t = (struct turn){ 0 };
}
