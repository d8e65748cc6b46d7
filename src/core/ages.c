/* A row of spans, oldest first. When there is no room for another, neighbours become one where that
 * does not matter at their age. */
#include "core/ages.h"

#include <assert.h>
#include <stdbool.h>

void ages_init(struct ages *a, int64_t now_ms)
{
	a->count = 1;
	a->spans[0] = (struct ages_span){ INT64_MIN, now_ms, now_ms };
}

static bool may_join(const struct ages_span *older, const struct ages_span *newer, int64_t now_ms,
		     int64_t part)
{
	return newer->until_ms - older->began_ms <= (now_ms - newer->until_ms) / part;
}

static void join(struct ages *a, int64_t now_ms, int64_t part)
{
	size_t kept = 0;

	for (size_t i = 1; i < a->count; i++) {
		if (may_join(&a->spans[kept], &a->spans[i], now_ms, part))
			a->spans[kept].until_ms = a->spans[i].until_ms;
		else
			a->spans[++kept] = a->spans[i];
	}
	a->count = kept + 1;
}

/* Ends: when a part is the whole, ages double from span to span but one. */
static void make_room(struct ages *a, int64_t now_ms)
{
	for (int64_t part = AGES_PART; part > 0 && a->count > AGES_MOST / 4 * 3; part /= 2)
		join(a, now_ms, part);
	assert(a->count < AGES_MOST);
}

void ages_note(struct ages *a, int64_t zxid, int64_t now_ms)
{
	struct ages_span *last = &a->spans[a->count - 1];

	/* What was before the start stays apart: the first changes are not older than they. */
	if (a->count > 1 && now_ms < last->began_ms + AGES_STEP_MS) {
		last->until_ms = now_ms;
		return;
	}
	if (a->count == AGES_MOST)
		make_room(a, now_ms);
	a->spans[a->count++] = (struct ages_span){ zxid, now_ms, now_ms };
}

int64_t ages_since(const struct ages *a, int64_t zxid)
{
	size_t low = 0, high = a->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (a->spans[middle].first <= zxid)
			low = middle;
		else
			high = middle;
	}
	return a->spans[low].until_ms;
}
