/* zoolited --export: the registry as a snapshot that Apache ZooKeeper starts from, from a snapshot
 * file, from the data directory of a server that is stopped, or from one that runs. Prints to a
 * buffer. */
#ifndef APP_EXPORT_H
#define APP_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "app/config.h"
#include "base/buf.h"
#include "base/cdefs.h"

enum { EXPORT_REASON_LEN = 1024 };

struct export_order {
	const char *target; /* what becomes ZooKeeper's dataDir; made where it is missing */
	bool is_packed;     /* by gzip */
	size_t max_data;    /* bytes of a znode's data that the ZooKeeper takes */
};

/* Append to out what was carried and what was not. -1 with a reason, nothing was written then; out
 * may name znodes that are at fault. */

/* From files: a snapshot, which is verified first, or a data directory. c: of their server, whose
 * policy is listed, and whose log may be elsewhere; NULL: not known. */
must_check int export_files(const struct export_order *o, const char *source,
			    const struct config *c, struct buf *out,
			    char reason[EXPORT_REASON_LEN]);
/* Of the server of this configuration; what its policy says is listed as well. */
must_check int export_server(const struct export_order *o, const struct config *c, struct buf *out,
			     char reason[EXPORT_REASON_LEN]);

#endif
