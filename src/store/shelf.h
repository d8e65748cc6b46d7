/* The shelf: the log's segments as the replay thread sees them. Which one has the first change that
 * the tree lacks, which are full and to be closed, which may go and are to go. A segment is removed
 * only when the tree has passed it on disk. */
#ifndef STORE_SHELF_H
#define STORE_SHELF_H

#include <stdbool.h>
#include <stdint.h>

#include "store/flush.h"
#include "store/room.h"
#include "store/segment.h"

struct shelf;

struct shelf_options {
	const char *log_dir;
	const char *tree_path;   /* tree.db, whose -wal is synced before a segment goes */
	const uint8_t *database; /* DATABASE_ID_LEN bytes */
	struct marker *marker;   /* is told of a -wal before it goes; NULL: there is none */
	uint64_t retention_bytes;
	int64_t retention_ms; /* 0: no limit by age */
	/* Whether there is an audit trail, whose rows go only after shelf_allow_prune. */
	bool is_audited;
	struct room *room; /* lent; told of what may go, and asked whether it must */
	/* Called on the replay thread: there is a new wish. */
	void (*wished)(void *ctx);
	void *ctx;
};

/* Everything is copied but flush. */
struct shelf *shelf_new(const struct shelf_options *o, const struct flush *flush);
/* Closes what it has. NULL is allowed. */
void shelf_free(struct shelf *s);

/* Lowest number first: a segment that is there. One that the core does not write (old) has no row
 * above last, or where that is not known, none above it that the tree does not have. */
void shelf_add(struct shelf *s, uint32_t number, bool old, int64_t last);

/* On the replay thread, all of these; reached: the tree's zxid, which every read sees. */

/* The core is done with g: the shelf's from now on. */
void shelf_accept(struct shelf *s, struct segment *g);
/* A reader of the segment where the first change above reached is, or will be; NULL: there is none.
 * It is the shelf's, and good until the next shelf_tidy. What cannot be opened ends the process. */
struct segment_reader *shelf_reader(struct shelf *s, int64_t reached);
/* The path of the segment that shelf_reader gave a reader of last. */
const char *shelf_reading(const struct shelf *s);
/* Close what is full, remove what is to go. */
void shelf_tidy(struct shelf *s, int64_t reached);
/* Another file is the tree's from now on, at the same zxid; NULL: none, until the next call. */
void shelf_set_tree(struct shelf *s, const char *tree_path);
/* The thread ends: no reader stays open. */
void shelf_close_reader(struct shelf *s);

/* Bytes of all segments as of the last shelf_tidy. Any thread. */
uint64_t shelf_bytes(const struct shelf *s);
/* Core thread: the newest row of the audit trail in the segment that is to be removed next (number
 * 0: none is), and word that its removal is on record, on disk. */
struct audit_head shelf_prune_wish(struct shelf *s);
void shelf_allow_prune(struct shelf *s, int64_t number);

#endif
