/* Figures of many values: number, sum, least, most, and quantiles from a histogram of fixed size
 * (steps of an eighth, so a quantile is at most that much too low). One thread. */
#ifndef BASE_SUMMARY_H
#define BASE_SUMMARY_H

#include <stdint.h>

enum {
	SUMMARY_STEP_BITS = 3,
	SUMMARY_MOST_BITS = 40,
	SUMMARY_BUCKETS = (SUMMARY_MOST_BITS - SUMMARY_STEP_BITS + 1) << SUMMARY_STEP_BITS,
};

struct summary {
	uint64_t count, sum;
	uint64_t min, max; /* 0 where count is */
	uint32_t buckets[SUMMARY_BUCKETS];
};

/* count times the same value. */
void summary_add(struct summary *s, uint64_t value, uint64_t count);
/* 0 where there is no value. */
double summary_average(const struct summary *s);
/* What this share (0 to 1) of all values does not exceed; 0 where there is none. */
uint64_t summary_quantile(const struct summary *s, double share);
void summary_reset(struct summary *s);

#endif
