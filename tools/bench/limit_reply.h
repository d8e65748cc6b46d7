/* What the limit answers: replies of the size that a server's would have, made up. It keeps nothing
 * and looks nothing up. */
#ifndef BENCH_LIMIT_REPLY_H
#define BENCH_LIMIT_REPLY_H

#include <stdbool.h>

#include "wire/jute.h"

enum limit_kind {
	LIMIT_READ,  /* may leave at once */
	LIMIT_WRITE, /* must not leave before the request is on disk */
	LIMIT_CLOSE, /* likewise, and the connection ends with it */
	LIMIT_BAD,   /* cannot be read: nothing was written */
};

/* value: what every znode holds. Both append one frame to out. */
enum limit_kind limit_answer(struct slice request, struct slice value, struct buf *out);
/* The first request of a connection; id: of the session. A session that is opened is a write. */
enum limit_kind limit_answer_connect(struct slice request, int64_t id, struct buf *out);

#endif
