/* Equal events within a minute, counted: the first of them is told at once, the others as one
 * number when the minute is over. However many come, and from how many hosts, memory and what is
 * told stay bounded: a host has its share of the places, and what finds none is counted by host,
 * then as one. Any thread may add; one drains. */
#ifndef CORE_REPEATS_H
#define CORE_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct repeats;

/* What makes events equal is all but the address. data == NULL: none. */
struct repeats_event {
	const char *kind; /* static */
	struct slice host;
	struct slice address; /* host with port */
	int64_t session;      /* 0: none */
	struct slice who, op, path, result;
};

/* places: different events of a minute, an eighth of them for one host. */
struct repeats *repeats_new(unsigned places);
/* NULL is allowed. */
void repeats_free(struct repeats *t);
void repeats_add(struct repeats *t, const struct repeats_event *e);

/* e: as it was added first, long texts cut; or with nothing but kind and host, or kind, where it
 * counts what found no place. count: how many that were not told before, the last at time_ms. */
typedef void (*repeats_fn)(void *ctx, const struct repeats_event *e, int64_t count,
			   int64_t time_ms);
/* Tell what is due; all: the rest of the minute, too. */
void repeats_drain(struct repeats *t, bool all, repeats_fn tell, void *ctx);

#endif
