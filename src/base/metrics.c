/* One array of counters. They tell people what happened and order nothing, so they are counted
 * relaxed. */
#include "base/metrics.h"

#include <assert.h>
#include <stdatomic.h>

static _Atomic uint64_t counters[METRIC_COUNT];

static const struct {
	const char *name;
	const char *help;
} texts[METRIC_COUNT] = {
#define METRIC_TEXT(name, help) { #name, help },
	METRICS(METRIC_TEXT)
#undef METRIC_TEXT
};

void metrics_add(enum metric m, uint64_t n)
{
	assert(m < METRIC_COUNT);
	atomic_fetch_add_explicit(&counters[m], n, memory_order_relaxed);
}

uint64_t metrics_get(enum metric m)
{
	assert(m < METRIC_COUNT);
	return atomic_load_explicit(&counters[m], memory_order_relaxed);
}

const char *metrics_name(enum metric m)
{
	assert(m < METRIC_COUNT);
	return texts[m].name;
}

const char *metrics_help(enum metric m)
{
	assert(m < METRIC_COUNT);
	return texts[m].help;
}

void metrics_reset(void)
{
	for (int m = 0; m < METRIC_COUNT; m++)
		atomic_store_explicit(&counters[m], 0, memory_order_relaxed);
}
