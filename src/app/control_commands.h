/* What the commands of the control socket do, by the functions that the four-letter words and
 * signals use. Core thread. */
#ifndef APP_CONTROL_COMMANDS_H
#define APP_CONTROL_COMMANDS_H

#include <stdbool.h>

#include "app/control.h"

struct snapshots_outcome;
struct view;

/* How many times zoolite.snapshotTimeout who asks for a snapshot may have to wait. */
enum { CONTROL_SNAPSHOT_TIMES = 4 };

/* The server's part. */
struct control_hooks {
	void *ctx;
	/* As SIGHUP. False: refused, and told says why; true: told names what waits for a restart,
	 * or nothing. Any bytes may stand in it. */
	bool (*reload)(void *ctx, struct buf *told);
	/* As SIGTERM. */
	void (*stop)(void *ctx);
};

/* Do it, log it where it acts, and append the answer. */
void control_run(const struct view *v, const struct control_hooks *hooks,
		 struct control_request *rq);

/* "snapshot=" and "zxid=", a line each. */
void control_print_snapshot(struct buf *out, const char *path, int64_t zxid);
/* The answer to who waited for a snapshot. */
void control_print_outcome(struct buf *out, const struct snapshots_outcome *o);

#endif
