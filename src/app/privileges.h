/* Root's privileges, given up for good once the ports are bound (zoolite.user). */
#ifndef APP_PRIVILEGES_H
#define APP_PRIVILEGES_H

#include <sys/types.h>

#include "base/cdefs.h"

enum { PRIVILEGES_REASON_LEN = 256 };

/* Whether this process can become that user: it is there and not root, and we are root or that user
 * already. -1 with a reason. */
must_check int privileges_check(const char *user, char reason[PRIVILEGES_REASON_LEN]);
/* Who that user is. -1 with a reason. */
must_check int privileges_find(const char *user, uid_t *uid, gid_t *gid,
			       char reason[PRIVILEGES_REASON_LEN]);
/* Become that user, with its groups and no others, in all threads, and make sure that there is no
 * way back. -1 with a reason: then nothing may go on. */
must_check int privileges_drop(const char *user, char reason[PRIVILEGES_REASON_LEN]);

#endif
