/* The replay thread: writes what the log says into tree.db, in batches; prepares the log's next
 * segment; looks after the others (store/shelf.h); does chores in between. It takes only changes
 * that are on disk in the log, so the tree is never ahead of it. */
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/flush.h"
#include "store/merge.h"
#include "store/room.h"
#include "store/rows.h"
#include "store/segment.h"

struct marker;
struct replay;

struct replay_options {
	const char *log_dir;
	struct marker *marker; /* the thread's while it runs; NULL: there is none */
	uint64_t retention_bytes;
	int64_t retention_ms; /* 0: no limit by age */
	uint32_t batch_rows;
	uint32_t delay_ms;
	uint32_t tree_wal_pages; /* tree.db is checkpointed when its -wal has so many */
	uint32_t most_wal_pages; /* with more, replay waits until it can begin anew; 0: for ever */
	uint32_t next_number;    /* of the segment that is prepared first */
	uint32_t epoch;
	/* Whether there is an audit trail, whose rows go only after replay_allow_prune, and its
	 * key. */
	bool is_audited;
	struct slice audit_key;
	struct room *room; /* lent */
	/* Called on the replay thread: the tree went on, or a segment is ready. */
	void (*moved)(void *ctx);
	void *ctx;
};

/* rows: the writing connection, owned by the thread from replay_start until replay_stop. */
struct replay *replay_new(const struct replay_options *o, struct rows *rows,
			  const struct flush *flush);
/* Before replay_start, lowest number first: a segment that is there. One that the core does not
 * write (old) has no row above last, or where that is not known, none above it that the tree does
 * not have. */
void replay_add_segment(struct replay *r, uint32_t number, bool old, int64_t last);
/* Before replay_start: a piece of work between batches, on the thread, which may use the writing
 * connection (no transaction is open). now_ms: of CLOCK_MONOTONIC. Returns when it wants to be
 * called next, in the same clock (now_ms: when the others had their turn; INT64_MAX: only by
 * replay_wake_chores). A call holds up replay and the preparation of segments: keep it short. */
typedef int64_t replay_chore(void *ctx, int64_t now_ms);
void replay_add_chore(struct replay *r, replay_chore *run, void *ctx);

/* Before replay_start: called on the thread when a batch is in the tree, with what it came to. */
typedef void replay_follower(void *ctx, struct merge *m, int64_t zxid);
void replay_set_follower(struct replay *r, replay_follower *follow, void *ctx);

/* For chores: the writing connection. It may be another one at the next call. */
struct rows *replay_rows(const struct replay *r);
/* For chores: no batch is taken while it is held. */
void replay_hold(struct replay *r, bool is_held);
bool replay_is_held(const struct replay *r);
/* For chores: whoever has work under way on the writing connection from one call to another (a
 * backup) says so, and when it is over: the tree is not exchanged meanwhile. It is not to begin
 * while batches are held. */
void replay_lend_tree(struct replay *r, bool is_lent);
bool replay_is_tree_lent(const struct replay *r);
/* For a chore, while batches are held and nobody is lent the tree: the writing connection, which
 * the caller owns now; and another tree in its stead, at the same zxid. Within one call. */
struct rows *replay_release_tree(struct replay *r);
void replay_take_tree(struct replay *r, struct rows *rows);

void replay_start(struct replay *r);
/* Finish the batch under way, if any, and end the thread. */
void replay_stop(struct replay *r);
/* NULL is allowed. The thread must have been stopped, if it was started. rows stays open. */
void replay_free(struct replay *r);

/* From any thread: F has risen. */
void replay_poke(struct replay *r);
/* From any thread: all chores are due now. */
void replay_wake_chores(struct replay *r);
/* Core thread: so many rows were appended to the log. */
void replay_add_lag(struct replay *r, uint64_t rows);
/* Rows appended and not yet in tree.db. */
uint64_t replay_lag_rows(const struct replay *r);
/* Zxid of the newest change in tree.db that every read sees. */
int64_t replay_reached(const struct replay *r);
uint64_t replay_znode_count(const struct replay *r);
uint64_t replay_tree_bytes(const struct replay *r);
/* Bytes in use of the tree's -wal. Any thread. */
uint64_t replay_tree_wal_bytes(const struct replay *r);
/* Bytes of all segments as of the last batch. Any thread. */
uint64_t replay_log_bytes(const struct replay *r);

/* Core thread: the segment that was prepared, owned by the caller now, or NULL where none is ready
 * yet. */
struct segment *replay_take_prepared(struct replay *r);
/* Core thread: the newest row of the audit trail in the segment that is to be removed next (number
 * 0: none is), and word that its removal is on record, on disk. moved tells of a wish. */
struct audit_head replay_prune_wish(struct replay *r);
void replay_allow_prune(struct replay *r, int64_t number);
/* Core thread: g is full and on disk, and owned by the replay thread now. */
void replay_give_back(struct replay *r, struct segment *g);

#endif
