/* Four-letter words: ZooKeeper's text, so that probes and dashboards go on working. Which are
 * answered is 4lw.commands.whitelist's to say. Core thread. */
#ifndef APP_FOURLW_H
#define APP_FOURLW_H

#include "app/view.h"
#include "base/buf.h"

enum fourlw_result {
	FOURLW_UNKNOWN,
	FOURLW_PARTIAL, /* more bytes belong to it */
	FOURLW_ANSWERED,
};

/* If bytes (four at least) begin with a word that ZooKeeper knows, append its answer to out: a
 * refusal where it is not allowed. */
enum fourlw_result fourlw_answer(const struct view *v, struct slice bytes, struct buf *out);

#endif
