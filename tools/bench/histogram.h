/* Log-linear histogram: 128 buckets for each doubling, so a percentile is at most 1/128 too high,
 * whatever the range. Values are counts of any unit below 2^40; larger ones count as the largest.
 * One thread. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_SUB_BITS = 7,
	HISTOGRAM_VALUE_BITS = 40,
	HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t sum;
	uint64_t max;
};

void histogram_reset(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
/* The smallest bucket's upper end that per_mille thousandths of the values do not pass, never above
 * the largest value; 0 where there is none. per_mille is 0 .. 1000. */
uint64_t histogram_percentile(const struct histogram *h, double per_mille);
double histogram_mean(const struct histogram *h);

#endif
