/* Removes containers that have no children any more and znodes whose TTL is over, as ZooKeeper's
 * ContainerManager: it looks at all of them every so often, a few at a time, and then removes what
 * it found at a bounded rate.
 *
 * A TTL counts time while the server runs, from the last change of the data; neither a clock that
 * jumps nor a server that was down ends it early. Core thread. */
#ifndef CORE_REAPER_H
#define CORE_REAPER_H

#include "base/timer.h"
#include "core/registry.h"

struct reaper;

/* Begins to look one interval from now; both must outlive it. */
struct reaper *reaper_new(struct registry *r, struct timer_wheel *wheel);
void reaper_free(struct reaper *p);
/* A change was made, now. */
void reaper_note(struct reaper *p, int64_t zxid);

#endif
