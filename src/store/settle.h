/* Settle a data directory whose server is stopped: have everything that its log says in its tree,
 * as the replay thread of a server would. The log stays as it is. */
#ifndef STORE_SETTLE_H
#define STORE_SETTLE_H

#include <stdint.h>

#include "base/cdefs.h"
#include "store/rows.h"
#include "store/scan.h"

/* rows: the writing connection to the tree that scan was made with; the log is on disk (scan_sync).
 * batch_rows: of the log, in one transaction. -1 with a reason; a failed write ends the process. */
must_check int settle_tree(struct scan *s, struct rows *rows, uint32_t batch_rows,
			   char reason[STORE_REASON_LEN]);

#endif
