/* The flush thread: has what was committed to the log's live -wal file put on disk, one sync at a
 * time, and keeps F, the zxid up to which the log is on disk. Batches size themselves, for commits
 * go on meanwhile.
 *
 * Why a sync from here is as good as SQLite's own in COMMIT (synchronous=FULL): with NORMAL that
 * one sync is all that COMMIT leaves out. When COMMIT has returned, all frames of its transaction
 * have been handed to the kernel; a sync of that file that begins after that and succeeds has them
 * on disk, with the -wal's header (SQLite syncs it before the first frame) and all frames before
 * them, so that recovery reads up to them and further. Hence: the zxid is sampled before the sync
 * begins; the mutex orders COMMIT's return before that; the descriptor is an own one of the very
 * file (store/vfs.h); the log's -wal is never checkpointed or begun anew while it is written; and a
 * sync that fails, here or anywhere, ends the process. */
#ifndef STORE_FLUSH_H
#define STORE_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/summary.h"

struct flush;

/* moved: called on the flush thread after each sync. */
struct flush *flush_new(int64_t flushed, void (*moved)(void *ctx), void *ctx);
/* Begin the thread. */
void flush_start(struct flush *f);
/* Core thread: changes up to committed stand in the -wal that wal_fd is a description of, and
 * perhaps what is no change (then F does not rise). The descriptor stays open until that is on
 * disk. At most one -wal holds what is not. Returns the number of this request. */
uint64_t flush_request(struct flush *f, int wal_fd, int64_t committed);
/* Whether all that stood in the -wal at the request of that number is on disk. Any thread. */
bool flush_has_done(const struct flush *f, uint64_t request);
/* F. Any thread. */
int64_t flush_reached(const struct flush *f);
/* How long syncs took, in us, since the start or the last reset. Any thread. */
void flush_get_times(struct flush *f, struct summary *out);
void flush_reset_times(struct flush *f);
/* The longest sync since this was asked last, in us; one that is under way counts as it is. */
uint64_t flush_take_longest(struct flush *f);
/* Wait for a request. */
void flush_wait(struct flush *f, uint64_t request);
/* Sync what was requested and end the thread, if it runs. */
void flush_stop(struct flush *f);
/* The thread must have been stopped, if it was started. NULL is allowed. */
void flush_free(struct flush *f);

#endif
