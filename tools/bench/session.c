/* Replies come in the order of their requests, so what is under way is a ring. Events of watches
 * and replies to pings have xids of their own; the latter are passed over. */
#include "tools/bench/session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { PINGS_PER_TIMEOUT = 3, US_PER_MS = 1000 };

enum session_state {
	SESSION_CONNECTING,
	SESSION_ASKED,
	SESSION_OPEN,
	SESSION_CLOSING,
	SESSION_OVER
};

struct under_way {
	int32_t xid;
	unsigned slot;
	int64_t intended_us;
};

struct session {
	struct conn *conn;
	enum session_state state;
	const struct session_events *events;
	void *owner;
	int32_t timeout_ms; /* as the server gave it, once open */
	struct session_ticket ticket;
	bool refused;
	int32_t xid;
	int64_t sent_us;
	int64_t heard_us;
	struct under_way *ring;
	unsigned ring_len; /* one more than depth: the request to close needs a place too */
	unsigned ring_head;
	unsigned ring_count;
};

static void over(struct session *s, const char *reason)
{
	bool asked = s->state == SESSION_CLOSING;

	if (s->state == SESSION_OVER)
		return;
	s->state = SESSION_OVER;
	s->events->closed(s->owner, asked ? NULL : reason);
}

static void fail(struct session *s, const char *reason)
{
	conn_close(s->conn);
	over(s, reason);
}

static void ask_session(void *owner)
{
	struct session *s = owner;
	struct jute_writer *w = conn_begin_frame(s->conn);

	jute_write_int(w, 0); /* protocol version */
	jute_write_long(w, s->ticket.last_zxid);
	jute_write_int(w, s->timeout_ms);
	jute_write_long(w, s->ticket.id); /* 0: a new session */
	jute_write_buffer(w, (struct slice){ s->ticket.password, sizeof(s->ticket.password) });
	jute_write_bool(w, false); /* a read-only server will not do */
	conn_end_frame(s->conn);
	s->state = SESSION_ASKED;
}

static void take_session(struct session *s, struct jute_reader *r, int64_t now_us)
{
	struct slice password;

	jute_read_int(r); /* protocol version */
	s->timeout_ms = jute_read_int(r);
	s->ticket.id = jute_read_long(r);
	password = jute_read_buffer(r);
	if (r->bad || s->timeout_ms <= 0 || password.len != sizeof(s->ticket.password)) {
		s->refused = true;
		fail(s, "the server refused the session");
		return;
	}
	memcpy(s->ticket.password, password.data, password.len);
	s->state = SESSION_OPEN;
	s->sent_us = now_us;
	s->events->opened(s->owner);
}

static void take_reply(struct session *s, const struct proto_reply_header *h, struct jute_reader *r,
		       int64_t now_us)
{
	struct under_way *first = &s->ring[s->ring_head];
	struct session_reply reply;

	if (s->ring_count == 0 || first->xid != h->xid) {
		fail(s, "a reply that was not asked for, or out of order");
		return;
	}
	reply = (struct session_reply){ first->slot, first->intended_us, now_us, h->err, *r };
	if (h->zxid > s->ticket.last_zxid)
		s->ticket.last_zxid = h->zxid;
	s->ring_head = (s->ring_head + 1) % s->ring_len;
	s->ring_count--;
	if (s->state != SESSION_CLOSING) {
		s->events->reply(s->owner, &reply);
		return;
	}
	conn_close(s->conn);
	over(s, NULL);
}

static void take_event(struct session *s, const struct proto_reply_header *h, struct jute_reader *r)
{
	struct session_event e = { .zxid = h->zxid > 0 ? h->zxid : 0 };

	e.type = (enum event_type)jute_read_int(r);
	jute_read_int(r); /* the session's state */
	e.path = jute_read_buffer(r);
	if (r->bad)
		fail(s, "an event that cannot be read");
	else if (s->events->event != NULL && s->state == SESSION_OPEN)
		s->events->event(s->owner, &e);
}

static void frame(void *owner, struct slice in, int64_t now_us)
{
	struct session *s = owner;
	struct proto_reply_header h;
	struct jute_reader r;

	s->heard_us = now_us;
	jute_reader_init(&r, in);
	if (s->state == SESSION_ASKED) {
		take_session(s, &r, now_us);
		return;
	}
	h.xid = jute_read_int(&r);
	h.zxid = jute_read_long(&r);
	h.err = jute_read_int(&r);
	if (r.bad)
		fail(s, "a reply without a header");
	else if (h.xid == XID_EVENT)
		take_event(s, &h, &r);
	else if (h.xid != XID_PING)
		take_reply(s, &h, &r, now_us);
}

static void closed(void *owner, const char *reason)
{
	over(owner, reason);
}

struct session *session_new(struct loop *l, const struct conn_target *target, unsigned depth,
			    int32_t timeout_ms, const struct session_events *events, void *owner,
			    char reason[STREAM_REASON_LEN])
{
	static const struct conn_events conn_events = { ask_session, frame, closed };
	struct session *s = mem_new(sizeof(*s));

	s->events = events;
	s->owner = owner;
	s->timeout_ms = timeout_ms;
	s->ring_len = depth + 1;
	s->ring = mem_new(s->ring_len * sizeof(*s->ring));
	s->conn = conn_new(l, target, &conn_events, s, reason);
	if (s->conn == NULL) {
		session_free(s);
		return NULL;
	}
	return s;
}

void session_use_ticket(struct session *s, const struct session_ticket *t)
{
	s->ticket = *t;
}

const struct session_ticket *session_get_ticket(const struct session *s)
{
	return &s->ticket;
}

bool session_is_refused(const struct session *s)
{
	return s->refused;
}

void session_free(struct session *s)
{
	if (s == NULL)
		return;
	conn_free(s->conn);
	mem_free(s->ring);
	mem_free(s);
}

struct jute_writer *session_begin(struct session *s, enum opcode op, unsigned slot,
				  int64_t intended_us)
{
	struct under_way *last = &s->ring[(s->ring_head + s->ring_count) % s->ring_len];
	struct jute_writer *w;

	assert(s->ring_count < s->ring_len);
	s->xid = s->xid < INT32_MAX ? s->xid + 1 : 1;
	*last = (struct under_way){ s->xid, slot, intended_us };
	s->ring_count++;
	s->sent_us = intended_us;
	w = conn_begin_frame(s->conn);
	jute_write_int(w, s->xid);
	jute_write_int(w, op);
	return w;
}

void session_end(struct session *s)
{
	conn_end_frame(s->conn);
}

void session_flush(struct session *s)
{
	conn_flush(s->conn);
}

void session_keep_alive(struct session *s, int64_t now_us)
{
	struct jute_writer *w;

	if (s->state != SESSION_OPEN ||
	    now_us - s->sent_us < (int64_t)s->timeout_ms * US_PER_MS / PINGS_PER_TIMEOUT)
		return;
	s->sent_us = now_us;
	w = conn_begin_frame(s->conn);
	jute_write_int(w, XID_PING);
	jute_write_int(w, OP_PING);
	conn_end_frame(s->conn);
	conn_flush(s->conn);
}

void session_close(struct session *s)
{
	if (s->state != SESSION_OPEN)
		return;
	session_begin(s, OP_CLOSE_SESSION, 0, clock_exact_us());
	session_end(s);
	s->state = SESSION_CLOSING;
	session_flush(s);
}

int64_t session_heard_us(const struct session *s)
{
	return s->heard_us;
}

bool session_is_open(const struct session *s)
{
	return s->state == SESSION_OPEN;
}

const char *session_describe(const struct session *s)
{
	return conn_describe(s->conn);
}
