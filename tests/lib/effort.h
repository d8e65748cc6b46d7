/* How much of what can be done without end: as much as CI has time for on an ordinary build, a
 * tenth where a sanitizer makes it slow or ZOOLITE_BRIEF is set, and many times that where
 * ZOOLITE_LONG is. */
#ifndef TESTS_LIB_EFFORT_H
#define TESTS_LIB_EFFORT_H

#include <stdbool.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EFFORT_SHARE 10u
#else
#define EFFORT_SHARE 1u
#endif

static inline bool effort_is_set(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0';
}

static inline bool effort_is_long(void)
{
	return effort_is_set("ZOOLITE_LONG");
}

/* Of what is done ordinary times in CI, and long_times as often otherwise; at least once. */
static inline unsigned effort_of(unsigned ordinary, unsigned long_times)
{
	unsigned share = ordinary / (effort_is_set("ZOOLITE_BRIEF") ? 10u : EFFORT_SHARE);

	return (share > 0 ? share : 1) * (effort_is_long() ? long_times : 1);
}

#endif
