/* Equal events within a minute, counted: the first of them is told at once, the others as one
 * number when the minute is over. However many come, and from however many owners, memory and what
 * is told stay bounded: an owner has its share of the places, and what finds none is counted by
 * owner, operation and result, then by owner, then as one. Any thread may add; one drains. */
#ifndef CORE_REPEATS_H
#define CORE_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct repeats;

/* Of a longer text this many bytes count. */
enum { REPEATS_TEXT_MAX = 1024 };

/* What makes events equal is all but the address. data == NULL: none. */
struct repeats_event {
	const char *kind; /* static */
	struct slice host;
	struct slice address; /* host with port */
	int64_t session;      /* 0: none */
	struct slice who, op, path, result;
	/* Who it surely is, in the words of who; then shares are by that and not by the host. */
	struct slice owner;
};

/* places: different events of a minute, an eighth of them for one owner, and as many again for what
 * found no place. */
struct repeats *repeats_new(unsigned places);
/* NULL is allowed. */
void repeats_free(struct repeats *t);
void repeats_add(struct repeats *t, const struct repeats_event *e);

/* e: as it was added first, long texts cut; where it counts what found no place, with owner for who
 * and without session and path, or with nothing but kind and owner (host), or kind. count: how many
 * that were not told before, the last at time_ms. */
typedef void (*repeats_fn)(void *ctx, const struct repeats_event *e, int64_t count,
			   int64_t time_ms);
/* Tell what is due; all: the rest of the minute, too. */
void repeats_drain(struct repeats *t, bool all, repeats_fn tell, void *ctx);

#endif
