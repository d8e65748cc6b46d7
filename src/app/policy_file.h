/* The file of zoolite.policyFile: lines for people, read into a policy (zoolite.policy(5) describes
 * them). Prints nothing. */
#ifndef APP_POLICY_FILE_H
#define APP_POLICY_FILE_H

#include <limits.h>
#include <stddef.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "core/policy.h"

enum { POLICY_REASON_LEN = PATH_MAX + 512 };

struct config;

/* As the file is now. NULL with "FILE:LINE: reason" (nothing in it is escaped). */
must_check struct policy *policy_file_load(const struct config *c, char reason[POLICY_REASON_LEN]);
/* The same for a text that is called name. */
must_check struct policy *policy_file_parse(struct slice text, const char *name,
					    const struct policy_limits *limits,
					    char reason[POLICY_REASON_LEN]);

#endif
