/* One connection on the core thread: frames in, ordered and gated output, its limits, its end.
 * Knows frames and bytes, not requests. States: open -> closing -> lingering -> gone; a connection
 * is freed by the sweep after the turn, never inside its own call chain (conn_close and conn_fail
 * only mark it). The owner's loop runs one pass over base, the wheel, then conn_set_end_turn, and
 * so on. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/timer.h"
#include "net/gate.h"

struct event_base;
struct conn;
struct conn_set; /* all connections of a core thread, and what they share */

enum conn_next {
	CONN_TOOK,  /* the frame was dealt with */
	CONN_PARK,  /* not now: offer it again after conn_set_unpark; pings behind it go on */
	CONN_PACE,  /* likewise after conn_set_unpace, however often conn_set_unpark is called */
	CONN_AGAIN, /* likewise in the next turn, without anybody calling */
};

enum conn_text {
	CONN_TEXT_NONE,    /* no such request */
	CONN_TEXT_PARTIAL, /* the beginning of one: ask again when more has come */
	CONN_TEXT_TAKEN,   /* it was answered; the connection closes */
};

struct conn_handlers {
	/* Work on a connection begins: its socket or its turn has come. May be NULL. */
	void (*begun)(struct conn *c, void *user);
	/* A whole frame (without its length). Slice lives for the call. */
	enum conn_next (*frame)(struct conn *c, void *user, struct slice frame);
	/* While parked: is this frame a ping? Then it was answered (conn_send_ahead) and is
	 * dropped. Never asked about the frame that the handler parked, nor before
	 * conn_set_established. May be NULL, as may text. */
	bool (*ping)(struct conn *c, void *user, struct slice frame);
	/* Before the first frame: all that has come, four bytes at least. Is it a request in text
	 * (a four-letter word, HTTP at a listener for that)? */
	enum conn_text (*text)(struct conn *c, void *user, struct slice bytes);
	/* The peer broke a rule, or a limit ends its connection; it goes. May be NULL. */
	void (*failed)(struct conn *c, void *user, const char *reason);
	/* The connection is going; last call. reason is for the log. */
	void (*closed)(struct conn *c, void *user, const char *reason);
};

struct conn_limits {
	size_t max_frame;        /* jute.maxbuffer */
	size_t max_first_frame;  /* before the session exists: <= 1 KiB */
	size_t max_output;       /* released bytes; above for output_timeout_ms: cut */
	size_t max_gated;        /* gated bytes; above: parked */
	size_t max_queued;       /* all bytes that wait to leave; above: the connection fails */
	size_t max_parked_input; /* bytes read ahead while parked */
	size_t max_buffered; /* all bytes in and out of all connections; above, the heaviest goes */
	int64_t output_timeout_ms;
	int64_t first_frame_timeout_ms; /* from its accept until conn_set_established */
	int64_t http_timeout_ms;        /* the same for a request in HTTP; the lower one counts */
};
void conn_limits_init(struct conn_limits *l);

struct conn_set *conn_set_new(struct event_base *base, struct timer_wheel *wheel,
			      const struct conn_limits *limits,
			      const struct conn_handlers *handlers);
void conn_set_free(struct conn_set *set); /* closes what is left */
/* Take over an arrival (freed here). NULL where memory is out: the peer was closed. user is given
 * to the handlers, the first time in the next turn. */
struct conn *conn_open(struct conn_set *set, struct arrival *a, void *user);
void conn_set_user(struct conn *c, void *user);
/* Once a turn: send what is sendable, then free what is marked. */
void conn_set_end_turn(struct conn_set *set);
/* F rose: release marks up to it; connections parked for their own gated bytes go on. */
void conn_set_release(struct conn_set *set, int64_t flushed);
/* Offer parked frames again on every connection that a handler parked, in the next turn. */
void conn_set_unpark(struct conn_set *set);
void conn_set_unpace(struct conn_set *set);
/* Memory for bytes in and out of all connections, and how many of them are parked or held. */
size_t conn_set_buffered(const struct conn_set *set);
unsigned conn_set_stopped(const struct conn_set *set);
/* Connections of which the closed handler was not told, without those for HTTP. */
unsigned conn_set_count(const struct conn_set *set);
/* For lists (cons, dump): calls each of them in no fixed order. */
void conn_set_foreach(struct conn_set *set, void (*each)(struct conn *c, void *user, void *ctx),
		      void *ctx);

/* Queue a frame body; the length is put before it. mark: zxid that must be on disk before it leaves
 * (0: none). A full output fails the connection. */
void conn_send(struct conn *c, struct slice body, int64_t mark);
/* Send raw bytes without a length (requests in text). */
void conn_send_raw(struct conn *c, struct slice bytes);
/* A ping's reply: goes in front of the first gated byte. */
void conn_send_ahead(struct conn *c, struct slice body);
/* The larger of the highest mark put so far and F as the set knows it: what a reply's header
 * carries at least. */
int64_t conn_last_mark(const struct conn *c);
/* The session exists: the frame limit and deadline of strangers end. */
void conn_set_established(struct conn *c);
/* The same for all that have no session yet, once in a turn: one of them may be about to resume the
 * session that is judged. And whether one of those that connected before deadline_ms (monotonic) is
 * still without one. */
void conn_set_read_strangers(struct conn_set *set);
bool conn_set_has_strangers(const struct conn_set *set, int64_t deadline_ms);
/* Read what the peer has sent already, and handle it, before a deadline is judged; no more of it
 * than in a turn, and the rest in its turns (conn_waits_for_us): others wait meanwhile. False where
 * the connection ended. Does nothing inside one of its handlers. */
bool conn_read_now(struct conn *c);
/* Whether requests of the peer are held back by us (parked, or for its unsent output). */
bool conn_is_parked(const struct conn *c);
/* Whether its silence is our doing: its request waits for the tree or for its turn, its replies for
 * the disk, or there is input that we do not read yet. Unsent output that it does not take is its
 * own. */
bool conn_waits_for_us(const struct conn *c);
/* When the last bytes of what is not handled yet were read (monotonic): a part of a request, or
 * such as stand behind one that waits. 0: there are none. */
int64_t conn_heard_ms(const struct conn *c);

/* Close after the output so far is sent (gated bytes included) or output_timeout_ms passed. Nothing
 * more is read. */
void conn_close(struct conn *c, const char *reason);
/* The peer broke a rule: count, log one limited line, drop unsent output. */
void conn_fail(struct conn *c, const char *reason);
bool conn_is_closing(const struct conn *c);

struct conn_stats {
	uint64_t received; /* frames and requests in text taken */
	uint64_t sent;     /* frames given */
	size_t queued;     /* bytes that wait to leave */
	bool is_reading;   /* requests are taken from it */
	bool is_blocked;   /* it does not take what may leave */
	int64_t opened_ms; /* monotonic */
};
struct conn_stats conn_get_stats(const struct conn *c);
/* received and sent begin anew. */
void conn_reset_stats(struct conn *c);
const struct arrival *conn_peer(
	const struct conn *c); /* address and identity; fd and tls belong to the connection */
void *conn_user(const struct conn *c);

#endif
