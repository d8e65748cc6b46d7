#include "core/throttle.h"

void throttle_init(struct throttle *t, int32_t max, int32_t fill_count, int64_t fill_ms,
		   int64_t now_ms)
{
	*t = (struct throttle){ max, fill_count, fill_ms, max, now_ms };
}

static void fill(struct throttle *t, int64_t now_ms)
{
	int64_t times = (now_ms - t->filled_ms) / t->fill_ms;
	int64_t room = t->max - t->tokens;

	t->filled_ms += times * t->fill_ms;
	/* Times that would fill it more than once need not be multiplied. */
	t->tokens += times > room                   ? room
		     : times * t->fill_count > room ? room
						    : times * t->fill_count;
}

bool throttle_pass(struct throttle *t, int64_t now_ms)
{
	if (t->max == 0)
		return true;
	fill(t, now_ms);
	if (t->tokens == 0)
		return false;
	t->tokens--;
	return true;
}
