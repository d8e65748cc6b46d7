/* All that a peer is judged by at the gate, from files: loaded as one, so that it is good as a
 * whole before any of it holds, and watched for changes. */
#ifndef APP_RULES_H
#define APP_RULES_H

#include <stdbool.h>

#include "app/config.h"
#include "app/setup.h"
#include "app/stamps.h"
#include "net/gate.h"

struct rules {
	struct tls_context *tls; /* NULL: there is no TLS */
	struct gate_networks networks;
};

/* tls: the server has TLS. -1 with fault. */
must_check int rules_load(const struct config *c, bool tls, struct rules *r,
			  struct setup_fault *fault);
/* They hold for all who come from now on. The lists are the gate's then, tls stays the caller's;
 * what the lists hold is logged. */
void rules_set(const struct rules *r, const struct config *c, struct gate *g);

/* How the files look now. */
void rules_stamp(const struct config *c, struct stamps *s);
/* A file that looks another way; NULL where none does. */
const char *rules_changed(const struct config *c, const struct stamps *before,
			  const struct stamps *now);

#endif
