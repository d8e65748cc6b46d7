/* The control socket: a unix stream socket for the server's own user and root. One request a
 * connection: a line (control_line.h); the answer is text, "ok" or "error: reason" in its first
 * line, then the connection ends. Here are its connections with their limits; what a command does
 * is the handler's. Core thread. */
#ifndef APP_CONTROL_H
#define APP_CONTROL_H

#include <stdint.h>
#include <sys/types.h>

#include "app/control_line.h"
#include "app/control_socket.h"
#include "base/buf.h"
#include "base/cdefs.h"
#include "base/timer.h"

struct control;
struct event_base;
struct turn;

struct control_request {
	const struct control_line *line;
	uid_t uid;       /* whose process asks, */
	pid_t pid;       /* and which it is */
	uint64_t ticket; /* by which control_answer finds it */
	struct buf *answer;
	int64_t mark; /* the handler's to set: zxid that must be on disk before the answer leaves */
	/* Also his: > 0: the answer comes by control_answer, and it may take so long. */
	int64_t later_ms;
};

struct control_options {
	const char *path;
	unsigned max_peers; /* at once */
	int64_t timeout_ms; /* from the accept until the answer is out */
	void (*run)(void *ctx, struct control_request *rq);
	/* Somebody was not served, or not as asked. */
	void (*refused)(void *ctx, uid_t uid, const char *reason);
	void *ctx;
};

/* Make the socket and listen from the next turn on. NULL with a line in reason. */
must_check struct control *control_new(struct event_base *base, struct timer_wheel *wheel,
				       struct turn *turn, const struct control_options *o,
				       char reason[CONTROL_SOCKET_REASON_LEN]);
/* Ends all connections, removes the socket. */
void control_free(struct control *c);
/* The answer to a request that was to get it later; nothing where nobody waits for it any more. */
void control_answer(struct control *c, uint64_t ticket, struct slice answer);
/* F rose: answers that waited for it leave. */
void control_release(struct control *c, int64_t flushed);

#endif
