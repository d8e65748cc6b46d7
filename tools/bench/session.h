/* One ZooKeeper session on a connection of its own: opened or resumed, kept alive, used with many
 * requests under way, closed. Where its connection ends, it ends here; a ticket resumes it in
 * another. Events come as conn.h says. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/bench/conn.h"
#include "wire/proto.h"

struct session;

struct session_reply {
	unsigned slot;           /* as given with the request */
	int64_t intended_us;     /* likewise */
	int64_t now_us;          /* when the reply was read */
	int32_t err;             /* enum zerr */
	struct jute_reader body; /* lent for the call */
};

/* What a watch tells. */
struct session_event {
	enum event_type type;
	struct slice path; /* lent for the call */
	int64_t zxid;      /* of the change; 0: not told */
};

struct session_events {
	void (*opened)(void *owner);
	void (*reply)(void *owner, struct session_reply *reply);
	/* It is over, once: reason is NULL after session_close, else why it broke. */
	void (*closed)(void *owner, const char *reason);
	void (*event)(void *owner, const struct session_event *event); /* NULL: passed over */
};

/* What a client must know to go on with a session. */
struct session_ticket {
	int64_t id;
	char password[PROTO_PASSWORD_LEN];
	int64_t last_zxid; /* that a reply has shown */
};

/* Begin to open one that has at most depth requests under way. NULL with a reason where that fails
 * at once. */
must_check struct session *session_new(struct loop *l, const struct conn_target *target,
				       unsigned depth, int32_t timeout_ms,
				       const struct session_events *events, void *owner,
				       char reason[STREAM_REASON_LEN]);
/* Before the next turn of the loop: resume that one instead of opening a new one. */
void session_use_ticket(struct session *s, const struct session_ticket *t);
/* Of one that was opened, also when it is over. */
const struct session_ticket *session_get_ticket(const struct session *s);
/* Over, because the server knows of no such session. */
bool session_is_refused(const struct session *s);
/* Between turns of the loop only. */
void session_free(struct session *s);

/* Write one request: begin, encode its body, end. Below depth only. It leaves as conn_begin_frame
 * says, or with session_flush. */
struct jute_writer *session_begin(struct session *s, enum opcode op, unsigned slot,
				  int64_t intended_us);
void session_end(struct session *s);
void session_flush(struct session *s);
/* Send a ping where the session has said nothing for a third of its timeout. */
void session_keep_alive(struct session *s, int64_t now_us);
/* Ask the server to end the session; closed follows. Nothing may be under way. */
void session_close(struct session *s);

/* When the server was heard last, once opened (clock_exact_us). */
int64_t session_heard_us(const struct session *s);
/* Opened, and not over. */
bool session_is_open(const struct session *s);
const char *session_describe(const struct session *s);

#endif
