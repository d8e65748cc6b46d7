#include "base/summary.h"

#include <string.h>

enum { STEPS = 1 << SUMMARY_STEP_BITS };

static unsigned bucket_of(uint64_t value)
{
	unsigned bits;

	if (value >> SUMMARY_MOST_BITS != 0)
		return SUMMARY_BUCKETS - 1;
	if (value < STEPS)
		return (unsigned)value;
	bits = 63 - (unsigned)__builtin_clzll(value);
	return ((bits - SUMMARY_STEP_BITS + 1) << SUMMARY_STEP_BITS) +
	       (unsigned)(value >> (bits - SUMMARY_STEP_BITS)) % STEPS;
}

/* The least value of a bucket. */
static uint64_t value_of(unsigned bucket)
{
	unsigned row = bucket >> SUMMARY_STEP_BITS;

	if (row == 0)
		return bucket;
	return (uint64_t)(STEPS + bucket % STEPS) << (row - 1);
}

void summary_add(struct summary *s, uint64_t value, uint64_t count)
{
	uint32_t *bucket = &s->buckets[bucket_of(value)];

	if (count == 0)
		return;
	if (s->count == 0 || value < s->min)
		s->min = value;
	if (value > s->max)
		s->max = value;
	s->count += count;
	s->sum += value * count;
	*bucket = count > UINT32_MAX - *bucket ? UINT32_MAX : *bucket + (uint32_t)count;
}

double summary_average(const struct summary *s)
{
	return s->count > 0 ? (double)s->sum / (double)s->count : 0;
}

uint64_t summary_quantile(const struct summary *s, double share)
{
	double wanted = share * (double)s->count;
	uint64_t seen = 0, value;

	if (s->count == 0)
		return 0;
	for (unsigned i = 0; i < SUMMARY_BUCKETS; i++) {
		seen += s->buckets[i];
		if (s->buckets[i] == 0 || (double)seen < wanted)
			continue;
		value = value_of(i);
		return value < s->min ? s->min : value;
	}
	return s->max;
}

void summary_reset(struct summary *s)
{
	memset(s, 0, sizeof(*s));
}
