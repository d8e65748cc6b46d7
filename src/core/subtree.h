/* How much stands below a path: memory laid over tree.db. Reads a whole range of tree.db, so it is
 * for what is seldom asked. Core thread. */
#ifndef CORE_SUBTREE_H
#define CORE_SUBTREE_H

#include "core/tree.h"

struct subtree_sum {
	uint64_t znodes;
	uint64_t bytes; /* of their data */
};
/* Of all znodes below path, without the one at path; inside an open change with what that did.
 * False where tree.db could not be read. */
must_check bool subtree_sum(struct tree *t, struct store *store, struct slice path,
			    struct subtree_sum *out);

#endif
