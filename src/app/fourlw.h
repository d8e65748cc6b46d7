/* Four-letter words: ZooKeeper's text, so that probes and dashboards go on working. Which are
 * answered is 4lw.commands.whitelist's to say. Core thread. */
#ifndef APP_FOURLW_H
#define APP_FOURLW_H

#include <stdbool.h>

#include "app/config.h"
#include "base/buf.h"

struct latency;
struct peers;
struct registry;
struct store;

/* What the words speak of; all lent. */
struct fourlw_view {
	const struct config *config;
	struct registry *registry; /* NULL: not serving yet */
	struct store *store;
	struct peers *peers;
	struct latency *latency;
};

/* The version told to clients: that of the ZooKeeper whose features are here, then ours. */
const char *fourlw_version(void);

/* If word is one that ZooKeeper knows, append its answer to out (a refusal where it is not allowed)
 * and return true. */
bool fourlw_answer(const struct fourlw_view *v, const char word[4], struct buf *out);

#endif
