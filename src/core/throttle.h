/* A bucket of tokens: bursts pass, and no more than so many in a time on the average (ZooKeeper's
 * BlueThrottle, without its random part). */
#ifndef CORE_THROTTLE_H
#define CORE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
	int32_t max;        /* tokens that it holds; 0: everything passes */
	int32_t fill_count; /* tokens that come ... */
	int64_t fill_ms;    /* ... every so often */
	int64_t tokens;
	int64_t filled_ms; /* monotonic: when some came last */
};

/* Full. */
void throttle_init(struct throttle *t, int32_t max, int32_t fill_count, int64_t fill_ms,
		   int64_t now_ms);
/* Take a token. False where there is none. */
bool throttle_pass(struct throttle *t, int64_t now_ms);

#endif
