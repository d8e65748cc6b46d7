/* ZooKeeper's recipe for a lock, one contender: create an ephemeral sequential znode, list them
 * all, and where another was there before, watch the one just before ours until it goes, then list
 * again; who is the first holds the lock, and deletes its znode to let go. */
#ifndef BENCH_LOCK_H
#define BENCH_LOCK_H

#include "tools/bench/session.h"

struct lock;

/* directory: a znode, where all contenders of this lock meet. */
struct lock *lock_new(const char *directory);
void lock_free(struct lock *l);
/* Send what comes next. False: it waits for the one before it. Nothing may be under way. */
bool lock_next(struct lock *l, struct session *s, unsigned slot, int64_t intended_us);
/* Judge the reply: 1 where the lock was had and is let go (intended_us is then when the contender
 * began), 0 for a step on the way, -1 where it is not what was to come. */
int lock_take(struct lock *l, struct session_reply *reply);
void lock_event(struct lock *l);

#endif
