/* From a frame to its handler and back to a reply: the table of opcodes. Knows clients, not
 * connections, so that it runs under a test's own link as well. Core thread. */
#ifndef APP_DISPATCH_H
#define APP_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "core/client.h"

struct dispatch;
struct latency;
struct turn;

/* max_reply: most bytes of one reply; a larger one ends its connection. latency and turn are told
 * of every request; they stay the caller's. */
struct dispatch *dispatch_new(size_t max_reply, struct latency *latency, struct turn *turn);
void dispatch_free(struct dispatch *d);

enum dispatch_result {
	DISPATCH_DONE,
	/* A write that has to wait for replay: nothing happened, offer the frame again later. */
	DISPATCH_PARK,
	/* One that has to wait for its identity's write rate; likewise. */
	DISPATCH_PACE,
	/* One that takes longer than a turn: offer the frame again in the next one. */
	DISPATCH_AGAIN,
};

/* Execute one frame of c and send the reply. */
enum dispatch_result dispatch_frame(struct dispatch *d, struct client *c, struct slice frame);
/* A frame that stands behind one that waits: answered and true if it is a ping, else false. */
bool dispatch_ping(struct dispatch *d, struct client *c, struct slice frame);

#endif
