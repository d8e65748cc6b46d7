/* Numbers 0 .. count - 1 at random: all alike, or by Zipf's law, where number n comes as often as
 * 1 / (n + 1)^exponent says. One thread. */
#ifndef BENCH_PICKER_H
#define BENCH_PICKER_H

#include <stdint.h>

struct picker;

/* exponent 0: all alike. count is above 0; seed says which numbers come. */
struct picker *picker_new(unsigned count, double exponent, uint64_t seed);
void picker_free(struct picker *p);
unsigned picker_next(struct picker *p);
/* Percents for a choice, 0 .. 99, from the same source. */
unsigned picker_percent(struct picker *p);

#endif
