/* What the commands of the control socket do, by the functions that the four-letter words and
 * signals use. Core thread. */
#ifndef APP_CONTROL_COMMANDS_H
#define APP_CONTROL_COMMANDS_H

#include <stdbool.h>

#include "app/control.h"

struct view;

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

#endif
