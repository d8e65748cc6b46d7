/* Room on disk. It is had before it is needed: blocks ahead of the log's -wal, and a ballast
 * (store/ballast.h) in each file system, given up piece by piece. What there is gives a level; at
 * each the core refuses more, before anything is executed. Where a user's quota or the like ends
 * room that statvfs still tells of, the blocks that cannot be had ahead say so.
 *
 * Any thread. */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"

struct room;

enum room_level {
	ROOM_PLENTY,
	ROOM_LOW,    /* nothing that lasts is put */
	ROOM_SCARCE, /* what is left is for the ends of sessions */
};

struct room_options {
	const char *data_dir; /* of tree.db */
	const char *log_dir;  /* of the log; may be in another file system */
	uint64_t low_bytes;   /* less is ROOM_LOW, until a quarter more is there; 0: no levels */
	/* The least ballast, where there is room for it; 0: none. Half of it, or what the sessions
	 * need for their ends, is ROOM_SCARCE. */
	uint64_t ballast_bytes;
	/* The level changed, or writers need not wait any more. */
	void (*moved)(void *ctx);
	void *ctx;
};

/* What is known of room, for metrics. */
struct room_figures {
	uint64_t data_free, log_free; /* by statvfs; UINT64_MAX: it does not tell */
	uint64_t ballast;
	enum room_level level;
};

/* The directories must be there and locked. -1 with a reason. */
must_check int room_new(struct room **out, const struct room_options *o,
			char reason[STORE_REASON_LEN]);
/* NULL is allowed. */
void room_free(struct room *r);
/* At a start: give up ballast until the files can be opened; where there is none, wait for a while.
 * -1 with a reason. */
must_check int room_open(struct room *r, char reason[STORE_REASON_LEN]);

/* The files are open and the log begun: what was given up for that and not needed is ballast
 * again, so that start after start can live on it. */
void room_end_start(struct room *r);

enum room_level room_level(const struct room *r);
void room_get_figures(const struct room *r, struct room_figures *out);
/* Whether old segments are to go, whatever is said of how long they are kept, and new ones to be
 * small: so that they are. */
bool room_is_short(const struct room *r);
/* Whether writers should wait until they are gone. */
bool room_is_tight(const struct room *r);
/* Look at the file systems again. */
void room_look(struct room *r);
/* Have blocks of a file of the log, beyond those up to had, so that it has some up to want and a
 * bit more. may_give: for that ballast is given up. Returns up to where it has some. */
uint64_t room_reserve(struct room *r, int fd, uint64_t had, uint64_t want, bool may_give);
enum room_part { ROOM_TREE, ROOM_LOG };
/* A write found a full disk: give up some of the ballast; what is kept for the sessions, too, where
 * all is to be given. False: there is no more. */
bool room_give(struct room *r, enum room_part part, bool all);
/* A segment could not be made: the same, where there is no room for one. It may have been for
 * another reason (no descriptors, say), of which room is not to blame. */
bool room_give_for_segment(struct room *r, bool all);
/* Whether a segment finds room, as far as that is known. */
bool room_has_segment(struct room *r);
/* A replay_chore: look, and fill the ballast up where there is room. */
int64_t room_keep(void *room, int64_t now_ms);

/* What counts as room beside free blocks: free pages in tree.db, and old segments that may go. */
void room_note_tree(struct room *r, uint64_t free_bytes);
void room_note_log(struct room *r, uint64_t prunable_bytes);
/* How many sessions and ephemeral znodes there are, whose ends will be logged. */
void room_note_owned(struct room *r, uint64_t sessions, uint64_t ephemerals);

/* --- of the store, core thread --- */

/* Before each write: the level now. Sees to it that the log has blocks for it. */
enum room_level store_room(struct store *s);
/* Whether writers should wait, for old segments to go. */
bool store_is_tight(const struct store *s);
void store_get_room(const struct store *s, struct room_figures *out);
void store_note_owned(struct store *s, uint64_t sessions, uint64_t ephemerals);

#endif
