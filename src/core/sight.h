/* What of the tree a client sees where a policy is in force: which children a list names, and how
 * many a Stat counts. Without a policy, and for super users, all of them. Core thread. */
#ifndef CORE_SIGHT_H
#define CORE_SIGHT_H

#include "core/request.h"

/* Call for every child that the client may see, in no fixed order. False where tree.db could not be
 * read. */
must_check bool sight_list(struct request *rq, const struct znode *parent,
			   void (*child)(void *ctx, struct slice name), void *ctx);
/* How many these are. False where tree.db could not be read. */
must_check bool sight_count(struct request *rq, const struct znode *parent, int32_t *count);
/* How much the client may see of what is below path, however deep, whatever stands there. */
enum sight { SIGHT_NONE, SIGHT_SOME, SIGHT_ALL };
enum sight sight_below(struct request *rq, struct slice path);

#endif
