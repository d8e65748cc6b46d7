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
/* Whether the client may see all that is below path, however deep. */
bool sight_is_whole(struct request *rq, struct slice path);

#endif
