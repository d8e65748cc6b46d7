/* xorshift64; Zipf's law by a table of the sums, which is searched. */
#include "tools/bench/picker.h"

#include <math.h>

#include "base/mem.h"

enum { PERCENT = 100, UNUSED_BITS = 11 };

struct picker {
	unsigned count;
	uint64_t random;
	double *sums; /* sums[n]: how likely a number up to n is; NULL: all alike */
};

static uint64_t random_next(struct picker *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random >> UNUSED_BITS;
}

struct picker *picker_new(unsigned count, double exponent, uint64_t seed)
{
	struct picker *p = mem_new(sizeof(*p));
	double sum = 0;

	p->count = count;
	p->random = seed | 1; /* xorshift must not begin at 0 */
	if (exponent <= 0)
		return p;
	p->sums = mem_new(count * sizeof(*p->sums));
	for (unsigned n = 0; n < count; n++)
		p->sums[n] = sum += pow(n + 1.0, -exponent);
	for (unsigned n = 0; n < count; n++)
		p->sums[n] /= sum;
	return p;
}

void picker_free(struct picker *p)
{
	if (p == NULL)
		return;
	mem_free(p->sums);
	mem_free(p);
}

unsigned picker_next(struct picker *p)
{
	unsigned low = 0, high = p->count - 1;
	double wanted;

	if (p->sums == NULL)
		return (unsigned)(random_next(p) % p->count);
	wanted = ldexp((double)random_next(p), UNUSED_BITS - 64);
	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (p->sums[middle] > wanted)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

unsigned picker_percent(struct picker *p)
{
	return (unsigned)(random_next(p) % PERCENT);
}
