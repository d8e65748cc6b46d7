/* The data directory: a log of changes and the tree it was replayed into, both in SQLite, and the
 * threads that sync, replay and prune. The one door for core and app; everything else in store/ is
 * behind it.
 *
 * Order of calls: store_open, store_load, store_begin, then turns (store_append …, store_end_turn),
 * store_close. All of them on the core thread. A failed write, commit or sync ends the process
 * (die). */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/summary.h"
#include "store/record.h"

struct audit_key;
struct audit_row;
struct store;

struct store_options {
	const char *data_dir;   /* holds tree.db and the lock; made if missing (mode 0700) */
	const char *log_dir;    /* holds log/; NULL: data_dir (ZooKeeper's dataLogDir) */
	uint64_t segment_bytes; /* a segment's log rows before the next one is begun */
	/* Whole segments beyond this are unlinked, oldest first, once the tree has them on disk. */
	uint64_t retention_bytes;
	int64_t retention_ms;       /* and those whose newest row is older; 0: no limit by age */
	uint32_t replay_batch_rows; /* most log rows in one transaction on the tree */
	/* How long replay gathers before it writes a batch that is not full. */
	uint32_t replay_delay_ms;
	uint32_t tree_cache_kib; /* SQLite's page cache for each connection to tree.db */
	uint32_t upgrade_rows;   /* znodes copied at a time for a newer version of the schema */
	/* Room on disk below which writes are refused, and blocks kept for what goes on then
	 * (store/room.h); 0: it is not looked at, and none. */
	uint64_t low_bytes;
	uint64_t ballast_bytes;
	/* Replay waits while the tree's -wal is larger and a reader from outside keeps it so; 0: it
	 * may grow. */
	uint64_t most_tree_wal_bytes;
	/* Of the audit trail, lent for the store's life; NULL: nothing is recorded. */
	struct audit_key *audit_key;
};
void store_options_init(struct store_options *o); /* defaults; data_dir stays NULL */

enum { STORE_REASON_LEN = 1024 };
/* Instead of -1: what is in the directory is damaged, or not all of it is there. The reason names
 * the command that salvages the rest. */
enum { STORE_DAMAGED = -2 };

/* Lock the directory, open or make the files, check that log and tree belong together (database id,
 * chain of predecessors above the tree's zxid, log not below the tree), sync what the newest
 * segment holds. -1 with one line in reason where the directory cannot be used. The caller frees
 * with store_close. */
must_check int store_open(struct store **out, const struct store_options *o,
			  char reason[STORE_REASON_LEN]);

/* What the core must know before it serves, in this order: sessions and ephemeral znodes as of the
 * tree's zxid, then every log row above it, oldest first. Slices live for the call. */
struct store_loader {
	void *ctx;
	void (*session)(void *ctx, const struct record_session *s);
	void (*ephemeral)(void *ctx, const struct record_znode *z);
	void (*change)(void *ctx, const struct record_head *head, struct slice body);
};
must_check int store_load(struct store *s, const struct store_loader *l,
			  char reason[STORE_REASON_LEN]);
/* Instead of store_load and store_begin, in a directory that no server uses: have everything that
 * the log says in tree.db, which may be read then until store_close. */
must_check int store_settle(struct store *s, char reason[STORE_REASON_LEN]);

/* What was loaded makes no sense to the caller: writes what and the command that salvages the rest
 * to reason, returns STORE_DAMAGED. */
int store_refuse(const struct store *s, const char *what, char reason[STORE_REASON_LEN]);

/* Raise the epoch (src/README.md, promise 4), begin a new segment that holds it, sync both, start
 * the threads. Returns the epoch's first zxid minus one (epoch << 32): the first change of this run
 * takes the next one. -1: no segment can be made. */
int64_t store_begin(struct store *s);
/* Zxid of the newest row, as store_load found it; 0 in an empty registry. */
int64_t store_last_zxid(const struct store *s);
/* When the low 32 bits are used up: the next epoch, stored in the open transaction before its first
 * zxid. Returns epoch << 32. */
int64_t store_next_epoch(struct store *s);

/* Append a change to the open transaction, beginning one where there is none. zxids rise. */
void store_append(struct store *s, const struct record_head *head, struct slice body);
/* A row of the audit trail in the open transaction, for what is no change: each change gets its row
 * with store_append. Whoever gives the row need not know number and mac. On disk within a second,
 * or with the next change. */
void store_audit(struct store *s, const struct audit_row *row);
/* Number of the newest row of the audit trail that is known to be on disk; 0: there is none. */
int64_t store_audited(const struct store *s);
/* End of a loop turn: commit what was appended and have it synced. Never waits for the disk. Also
 * call after store_wake_fd was readable: a commit that waited for the segment before it is made up
 * for. */
void store_end_turn(struct store *s);

/* Readable when the two below have moved or a prepared segment arrived; store_wake clears it. */
int store_wake_fd(const struct store *s);
void store_wake(struct store *s);
/* All changes up to this zxid are on disk (F of the design); what was loaded is on disk. */
int64_t store_flushed(const struct store *s);
/* All changes up to this zxid are in tree.db, as the core's reads see it. */
int64_t store_replayed(const struct store *s);
/* Log rows appended and not yet replayed: writers wait above a bound that the core sets. */
uint64_t store_lag_rows(const struct store *s);

enum store_result { STORE_FOUND, STORE_ABSENT, STORE_UNREADABLE };

/* A persistent znode (owner <= 0) from tree.db. *out's slices live until the next store call. Rows
 * with an owner are passed over (memory is their authority). UNREADABLE: an I/O error, logged; the
 * client gets an error. */
enum store_result store_read_znode(struct store *s, struct slice path, struct record_znode *out);
/* Names of the persistent children of path; FOUND also for none. */
enum store_result store_list_children(struct store *s, struct slice path,
				      void (*child)(void *ctx, struct slice name), void *ctx);
struct store_sum {
	uint64_t znodes;
	uint64_t bytes; /* of their data */
};
/* How many persistent znodes stand below path in tree.db, but for the count ones in except. Reads
 * all of them. */
enum store_result store_sum_below(struct store *s, struct slice path, const struct slice *except,
				  size_t count, struct store_sum *out);
/* Persistent znodes below path in tree.db, those behind the path after (len 0: from the first one
 * on), limit at most; children of one parent come together. */
enum store_result store_list_below(struct store *s, struct slice path, struct slice after,
				   unsigned limit,
				   void (*each)(void *ctx, struct slice parent, struct slice name),
				   void *ctx);
/* Containers and znodes with a TTL in tree.db, those behind the path after, limit at most, in an
 * order of their own. Of each: path, mzxid, mtime, owner, creates, num_children. */
enum store_result store_list_marked(struct store *s, struct slice after, unsigned limit,
				    void (*each)(void *ctx, const struct record_znode *z),
				    void *ctx);
/* Persistent znodes of that name below a path in tree.db. */
enum store_result store_list_named(struct store *s, struct slice below, struct slice name,
				   void (*each)(void *ctx, struct slice path), void *ctx);
/* Persistent znodes in tree.db (kept as a counter, not counted), for mntr. */
uint64_t store_znode_count(const struct store *s);
/* Bytes of the data in tree.db, roughly (file size), for mntr. */
uint64_t store_tree_bytes(const struct store *s);
/* Bytes of the log's segments, as of the last batch. */
uint64_t store_log_bytes(const struct store *s);
/* Version of tree.db's schema, which rises while the server runs where the file was of an older
 * one; and how many znodes are still to be copied for that. */
int store_tree_version(const struct store *s);
uint64_t store_upgrade_left(const struct store *s);
/* Bytes in use of the -wal files of tree.db and of the segment that is written. */
uint64_t store_tree_wal_bytes(const struct store *s);
uint64_t store_log_wal_size(const struct store *s);
/* The longest sync of the log since this was asked last, in us, also one that is under way. */
uint64_t store_take_longest_sync(struct store *s);
/* How long syncs of the log took, in us; reset: from now on. */
void store_get_sync_times(const struct store *s, struct summary *out);
void store_reset_sync_times(struct store *s);

/* Flush what is committed, stop the threads (replay finishes its batch), close, unlock. NULL is
 * allowed. */
void store_close(struct store *s);

#endif
