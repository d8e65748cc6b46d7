/* "zoolited --export-audit": the audit trail as JSON, a line for each row, oldest first. Beside a
 * server that runs, or on a copy of its files; writes nothing but that. It checks nothing: that is
 * --verify-audit's. */
#ifndef APP_AUDIT_EXPORT_H
#define APP_AUDIT_EXPORT_H

#include <stdio.h>

#include "app/config.h"
#include "base/cdefs.h"

enum { AUDIT_EXPORT_REASON_LEN = 1024 };

/* -1 with a reason; the lines before stand in out. */
must_check int audit_export(const struct config *c, FILE *out,
			    char reason[AUDIT_EXPORT_REASON_LEN]);

#endif
