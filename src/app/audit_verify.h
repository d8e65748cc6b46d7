/* "zoolited --verify-audit": whether the audit trail is as the server wrote it. Beside a server
 * that runs, or on a copy of its files; writes nothing. */
#ifndef APP_AUDIT_VERIFY_H
#define APP_AUDIT_VERIFY_H

#include "app/config.h"
#include "base/buf.h"
#include "base/cdefs.h"

enum audit_verdict {
	AUDIT_GOOD,
	AUDIT_BROKEN,  /* the first broken row is named */
	AUDIT_UNKNOWN, /* it could not be checked */
};

/* heads: what the server's log told, "number:mac"; each must be a row of the trail, or long
 * removed. out gets lines that say what was found, in printable ASCII. */
must_check enum audit_verdict audit_verify(const struct config *c, char *const heads[],
					   size_t count, struct buf *out);

#endif
