/* The change of tree.db to the newest version of its schema while the server serves: the tree is
 * copied to tree.db.next in the order of its keys, some znodes at a time, as a chore between the
 * batches of replay, which go into the copy too as far as it has come. When all is copied, batches
 * are held; the core reads the finished copy, the files change their names (the old tree is kept as
 * tree-<version>.db), the copy becomes the tree that replay writes, and the core reads that. So the
 * core waits for nothing, no session and no znode is touched, and a start finds either tree whole:
 * after a crash the copy goes on where it was the tree's equal, or else begins again.
 *
 * Beside what a function says, all of it belongs to the replay thread. */
#ifndef STORE_UPGRADE_H
#define STORE_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/replay.h"
#include "store/store.h"

struct marker;
struct upgrade;

struct upgrade_options {
	const char *data_dir;
	uint32_t cache_kib;    /* of each connection */
	uint32_t step_rows;    /* most znodes copied at a time */
	uint64_t spare_bytes;  /* of room on disk, which the copy leaves to others */
	struct marker *marker; /* is told of the tree's -wal; NULL: there is none */
	/* Called on the replay thread: there is a reader to take. */
	void (*moved)(void *ctx);
	void *ctx;
};

/* Before the tree is opened: bring to its end a change of names that was cut short. -1 with a
 * reason. */
must_check int upgrade_mend(const char *data_dir, char reason[STORE_REASON_LEN]);

/* Before upgrade_new: remove what there is of a copy, where its room is needed, or its pages may be
 * the kernel's alone, which the disk refused. Not where it is all there is of the tree. Whether
 * there was one. */
bool upgrade_forget(const char *data_dir);

/* Core thread, before replay_start: have the tree that replay writes copied, whose version is not
 * the newest. replay goes on using what is made here until it has been stopped. */
struct upgrade *upgrade_new(const struct upgrade_options *o, struct replay *replay);
/* NULL is allowed. Replay must have been stopped, and the core's reader be closed. */
void upgrade_free(struct upgrade *u);

/* Core thread, at the end of a turn: the reader that is to be used from now on, for the present one
 * in exchange; the same where nothing is to be exchanged. NULL is allowed for u. */
struct rows *upgrade_exchange(struct upgrade *u, struct rows *reader);

/* Any thread. Version of the tree; znodes that are not copied yet. */
int upgrade_version(const struct upgrade *u);
uint64_t upgrade_left(const struct upgrade *u);

#endif
