/* A copy of tree.db into a new file, in steps of some pages. The source may be the connection that
 * writes: what it commits between two steps is in the copy, too, and each step is short. One
 * thread. */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include <sqlite3.h>

#include "store/db.h"

struct copy;

enum copy_result {
	COPY_MORE,
	COPY_DONE,
	COPY_FAILED, /* reason says why */
};

/* path must not be there. NULL with a reason. Nothing of it is synced. */
must_check struct copy *copy_begin(sqlite3 *from, const char *path, char reason[DB_REASON_LEN]);
/* No transaction may be open at from. The copy has a state as of the last step. */
must_check enum copy_result copy_step(struct copy *c, int pages, char reason[DB_REASON_LEN]);
/* Close the file; one that is not done is of no use. NULL is allowed. */
void copy_end(struct copy *c);

#endif
