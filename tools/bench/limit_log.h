/* The limit's log: what is appended goes to a file and is flushed by a thread of its own, one flush
 * after the other; all that was appended meanwhile goes with the next. Ends the process where the
 * disk fails. The thread of the event loop only. */
#ifndef BENCH_LIMIT_LOG_H
#define BENCH_LIMIT_LOG_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/slice.h"

struct limit_log;

/* flushed is called from the loop when what was begun with limit_log_flush is on disk. */
struct limit_log *limit_log_open(struct event_base *base, const char *directory,
				 void (*flushed)(void *owner), void *owner);
void limit_log_close(struct limit_log *l);
void limit_log_append(struct limit_log *l, struct slice bytes);
/* Where something was appended since the last and no flush is under way: write and flush it.
 * Returns whether one was begun. */
bool limit_log_flush(struct limit_log *l);

#endif
