/* Found a data directory on a tree that is finished: what an import, a restore and a recovery end
 * with.
 *
 * Order of calls: found_open, then the tree is written to found_part by whatever means (rows,
 * SQLite's backup) and closed, found_finish, found_close. Until found_finish is through, a start
 * refuses the directory; afterwards store_open serves it, from the tree's zxid on. One
 * thread; no server may run on the directory, which the lock sees to. */
#ifndef STORE_FOUND_H
#define STORE_FOUND_H

#include <stdint.h>
#include <sys/types.h>

#include "base/cdefs.h"
#include "store/store.h"

struct found;

/* Make the directories where they are missing, lock them, remove what a founding left that
 * was cut short. log_dir: as in struct store_options. -1 with a reason; the caller frees with
 * found_close in any case. */
must_check int found_open(struct found **out, const char *data_dir, const char *log_dir,
			  char reason[STORE_REASON_LEN]);
/* -1 with a reason where the directory has a tree or a log already. */
must_check int found_check_unused(const struct found *f, char reason[STORE_REASON_LEN]);
/* Where the tree is to be written: a path beside tree.db, lent. */
const char *found_part(const struct found *f);
/* Whom what is founded shall belong to; -1, -1: whoever founds it. Before found_finish. */
void found_set_owner(struct found *f, uid_t uid, gid_t gid);
/* Give the tree a fresh database id, begin a log at its zxid, put it in its place; all of it is on
 * disk when this returns. The epochs of starts will be above epoch (0: above the tree's). -1 with a
 * reason where that cannot be: found_close leaves nothing of it then. */
must_check int found_finish(struct found *f, uint32_t epoch, char reason[STORE_REASON_LEN]);
/* For a start, which would begin an empty registry: -1 with a reason where a founding was cut
 * short. */
must_check int found_check_whole(const char *data_dir, char reason[STORE_REASON_LEN]);
/* Remove the part where there is one, and a log that found_finish began in vain; unlock, free. NULL
 * is allowed. */
void found_close(struct found *f);

#endif
