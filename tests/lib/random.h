/* Random numbers that a seed gives again (splitmix64), and where the seed comes from. */
#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct random {
	uint64_t state;
};

/* What an argument says (NULL: none), or else this variable of the environment; where that is 0 or
 * nothing, another one each time. */
static inline uint64_t random_seed(const char *argument, const char *name)
{
	uint64_t seed = argument != NULL ? strtoull(argument, NULL, 10) : 0;
	const char *text = getenv(name);

	if (seed == 0 && text != NULL)
		seed = strtoull(text, NULL, 10);
	return seed != 0 ? seed : (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
}

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 … below - 1 */
static inline uint32_t random_below(struct random *r, uint32_t below)
{
	return (uint32_t)((random_next(r) >> 32) * below >> 32);
}

static inline bool random_percent(struct random *r, uint32_t percent)
{
	return random_below(r, 100) < percent;
}

#endif
