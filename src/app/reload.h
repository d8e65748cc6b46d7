/* What is taken from files while the server runs: at SIGHUP and by the control socket all that the
 * configuration lets be taken (certificate, key and its password, trust store, lists of revoked
 * certificates and of networks, the policy, the level of the log; the rest waits for a restart),
 * and of a file that looks another way what stands in it. What is bad is logged, and all stays as
 * it was. Core thread. */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include <stdbool.h>

#include "app/config.h"
#include "app/setup.h"
#include "app/stamps.h"
#include "base/buf.h"
#include "base/timer.h"

struct audit;
struct gate;
struct registry;
struct sweep;
struct validity;

/* The server sets what is lent, as it comes to be. */
enum { RELOAD_TOLD_MAX = 16 * 1024 }; /* of what a reload tells */

struct reload {
	struct config *config; /* takes what is taken */
	const char *config_path;
	struct timer_wheel *wheel;
	struct gate *gate;
	struct registry *registry;
	struct sweep *sweep;
	struct validity *validity;
	struct audit *audit;     /* NULL: none */
	struct tls_context *tls; /* owned by the server, as it is now; NULL: there is no TLS */
	struct stamps stamps;    /* how the files of the rules looked */
	struct stamps policy_stamp;
	struct stamps seen, policy_seen; /* likewise, at the last look that found a change */
	unsigned unsettled;              /* looks in a row that left one alone */
	struct timer look;
};

/* At a start, when there is a gate, and a registry: the lists of networks, and the policy. They
 * were good a moment ago, when the configuration was checked. -1 with fault. */
must_check int reload_lists(struct reload *r, struct setup_fault *fault);
must_check int reload_policy(struct reload *r, const struct config *c, struct setup_fault *fault);
/* Look at the files from now on, every zoolite.reloadInterval. When all of it is there. A file that
 * changes from one look to the next is still being written, and left alone. */
void reload_watch(struct reload *r);
/* Read the configuration anew. op: what brought it about, for the audit trail. False: not all of it
 * was taken, and told says why; true: told names what waits for a restart, or nothing. */
bool reload_all(struct reload *r, const char *op, struct buf *told);

#endif
