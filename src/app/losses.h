/* What ZooKeeper cannot say of what this server does: lines for who moves there. Prints to a
 * buffer. */
#ifndef APP_LOSSES_H
#define APP_LOSSES_H

#include <stdint.h>

#include "app/config.h"
#include "base/buf.h"
#include "base/cdefs.h"
#include "base/slice.h"

enum { LOSSES_REASON_LEN = 512, LOSSES_SCHEMES = 16, LOSSES_SCHEME_LEN = 64 };

struct losses_scheme {
	char name[LOSSES_SCHEME_LEN];
	uint64_t znodes; /* whose ACL names it */
};

struct losses {
	struct losses_scheme schemes[LOSSES_SCHEMES];
	unsigned count;
	uint64_t others; /* of schemes beyond these */
};

/* An ACL, jute's encoding, that so many znodes have. l begins as zeros. */
void losses_add_acl(struct losses *l, struct slice encoded, uint64_t znodes);
/* A line for each scheme that ZooKeeper does not ask as it comes. */
void losses_print_schemes(const struct losses *l, struct buf *out);
/* A line for each rule of zoolite.policyFile, none where there is no such file. -1 with a
 * reason. */
must_check int losses_print_policy(const struct config *c, struct buf *out,
				   char reason[LOSSES_REASON_LEN]);

#endif
