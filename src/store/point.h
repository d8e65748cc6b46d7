/* Points in the work of the store at which a test can kill the process, or cut the power, and count
 * how often they are passed. In the product they are nothing; test libraries are made with
 * -DZOOLITE_POINTS (tests/fault/local.mk), and tests/fault/test_points kills at each of them and
 * fails where one is never passed.
 *
 * A new one: a line in POINTS, and POINT(name) where it stands. Whoever has something that a store
 * does not do by itself (a snapshot, an upgrade) lets tests/fault/store_run.c do it now and then,
 * in work_a_turn or in start, or else the label is never passed. A new place of which a power cut
 * can leave a half needs two of them: before it, and behind it. */
#ifndef STORE_POINT_H
#define STORE_POINT_H

#define POINTS(X)                                                 \
	/* a segment is made */                                   \
	X(segment_filled)                                         \
	X(segment_synced)                                         \
	X(segment_made)                                           \
	X(begun)                                                  \
	/* the core commits, and goes on with the next segment */ \
	X(commit_ready)                                           \
	X(commit_done)                                            \
	X(roll_over_ready)                                        \
	X(roll_over_done)                                         \
	X(give_back)                                              \
	X(given_back)                                             \
	/* the log is synced, and F rises */                      \
	X(flush_ready)                                            \
	X(flush_synced)                                           \
	X(flush_risen)                                            \
	/* the tree takes a batch, and is checkpointed */         \
	X(batch_read)                                             \
	X(batch_applied)                                          \
	X(batch_committed)                                        \
	X(batch_told)                                             \
	X(tree_checkpoint_ready)                                  \
	X(tree_checkpoint_done)                                   \
	/* a full segment is checkpointed, or removed */          \
	X(segment_checkpoint_ready)                               \
	X(segment_checkpoint_done)                                \
	X(prune_ready)                                            \
	X(prune_noted)                                            \
	X(prune_synced)                                           \
	X(prune_half)                                             \
	X(prune_done)                                             \
	/* the tree is copied, between batches */                 \
	X(snapshot_begun)                                         \
	X(snapshot_step)                                          \
	X(snapshot_copied)                                        \
	/* one of an older version is, and the copy exchanged */  \
	X(upgrade_made)                                           \
	X(upgrade_step)                                           \
	X(upgrade_followed)                                       \
	X(upgrade_whole)                                          \
	X(upgrade_released)                                       \
	X(upgrade_half)                                           \
	X(upgrade_renamed)                                        \
	X(upgrade_exchanged)                                      \
	X(upgrade_done)

#ifdef ZOOLITE_POINTS

#define POINT_NAME(name) POINT_##name,
enum point { POINTS(POINT_NAME) POINT_COUNT };
#undef POINT_NAME

/* The test's. Any thread. */
void point_pass(enum point p);
#define POINT(name) point_pass(POINT_##name)

#else
#define POINT(name) ((void)0)
#endif

#endif
