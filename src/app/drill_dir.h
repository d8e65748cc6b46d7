/* The directory that a drill works in: .zoolite-drill-XXXXXX beside the snapshot, held by a lock
 * for as long as the drill runs, so that one that was left by a drill that was killed is known by
 * that. */
#ifndef APP_DRILL_DIR_H
#define APP_DRILL_DIR_H

#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"

struct drill_dir {
	char *path;
	int fd; /* holds the lock */
};

/* A new one in parent, where so many bytes are free. -1 with a reason; nothing is left then. */
must_check int drill_dir_make(struct drill_dir *d, const char *parent, uint64_t bytes,
			      char reason[STORE_REASON_LEN]);
/* With all that a restore and a start made there. */
void drill_dir_remove(struct drill_dir *d);
/* Those of ours in parent whose drill has ended otherwise. */
void drill_dir_tidy(const char *parent);

#endif
