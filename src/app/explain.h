/* zoolited --explain-access: which line of the policy decides what for somebody on a path. */
#ifndef APP_EXPLAIN_H
#define APP_EXPLAIN_H

#include <stddef.h>

#include "app/config.h"
#include "base/buf.h"
#include "base/cdefs.h"

struct policy;

/* names: "x509:CN=web,OU=dc1", "san:URI:…", "digest:NAME:HASH", "ip:10.0.0.1": what one connection
 * has. NULL after printing the answer, or what is wrong with the question. policy NULL: there is
 * none. */
must_check const char *explain_access(const struct config *c, const struct policy *policy,
				      char *const names[], size_t count, const char *path,
				      struct buf *out);

#endif
