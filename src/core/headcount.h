/* How many znodes below a path a client sees, where the policy shows it some of them: all are gone
 * through, a share of them in each turn, so that nobody waits for a huge tree; but those that live
 * in memory, ephemerals and what is not replayed yet, are noted in the first turn (some 50 ms for
 * 100,000 of them). One count at a time; the others wait for it, or the memory of a count would be
 * every client's to take.
 *
 * A znode that is created or deleted while it runs may be counted or not, as with ZooKeeper; every
 * other one is counted once. Core thread. */
#ifndef CORE_HEADCOUNT_H
#define CORE_HEADCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/request.h"

struct headcount;

struct headcount *headcount_new(struct registry *r);
void headcount_free(struct headcount *h);

/* Whether the count under way is this client's, by the policy that is in force. */
bool headcount_is_of(struct headcount *h, const struct client *c);
/* Whether this client may begin one now. If not it is to ask again in a later turn, and by turns it
 * comes before who had one meanwhile. */
bool headcount_may_begin(struct headcount *h, const struct client *c);

enum headcount_result {
	HEADCOUNT_DONE,
	HEADCOUNT_LATER, /* ask again in a later turn */
	HEADCOUNT_UNREADABLE,
};
/* Begin a count of what is below path, or go on with the one that is the client's. */
enum headcount_result headcount_run(struct headcount *h, struct request *rq, struct slice path,
				    uint64_t *count);
/* The client is gone, or is told that it cannot be counted. */
void headcount_drop(struct headcount *h, const struct client *c);
/* A new turn, a new share. */
void headcount_end_turn(struct headcount *h);

#endif
