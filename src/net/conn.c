/* Lists beside the one of all connections say what there is to do: ready (goes on without the
 * socket saying so, in the next turn), parked and paced (wait for conn_set_unpark and for
 * conn_set_unpace), again (parked until the next turn), dirty (has bytes to send), gated (has bytes
 * that wait for the log), heavy (holds much memory), ended (the owner is to be told, or it is to be
 * freed).
 *
 * Parked is a connection whose first frame the handler did not take; held is one that offers no
 * frame because too much waits to leave. Either is read on, up to a bound, and its pings are
 * answered.
 *
 * A read may wait for the socket to become writable and a write for it to become readable (TLS), so
 * each keeps its own direction. */
#include "net/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sm.h"
#include "net/input.h"
#include "net/output.h"
#include "net/stream.h"
#include "wire/jute.h"

enum {
	SCRATCH_LEN = STREAM_RECORD_LEN,
	TURN_BYTES = 64 * 1024, /* read from a connection before the others have their turn */
	TURN_FRAMES = 64,
	TURN_US = 5000, /* likewise, where a few frames take long */
	TURN_WRITE_BYTES = 128 * 1024,
	LEAST_READ_COST = 512,
	READ_NOW_BYTES = 1024 * 1024,
	SLOW_READER_BYTES =
		64 * 1024, /* a peer that takes these in output_timeout_ms is slow, not stuck */
	HEAVY_BYTES = 256 * 1024, /* who holds less is never cut for the sake of all */
	LINGER_MS = 1000,
	FIRST_FRAME_LEAST_SHARE =
		4, /* of the deadline is left to a peer whose handshake took the rest */
	LOG_BURST = 20,
	REASON_LEN = 96,
};

enum conn_state { CONN_OPEN, CONN_CLOSING, CONN_LINGERING, CONN_GONE };

static const struct sm_state conn_states[] = {
	[CONN_OPEN] = { "open", SM_TO(CONN_CLOSING) | SM_TO(CONN_GONE) },
	[CONN_CLOSING] = { "closing", SM_TO(CONN_LINGERING) | SM_TO(CONN_GONE) },
	[CONN_LINGERING] = { "lingering", SM_TO(CONN_GONE) },
	[CONN_GONE] = { "gone", 0 },
};

struct conn_set {
	struct event_base *base;
	struct timer_wheel *wheel;
	struct conn_limits limits;
	struct conn_handlers handlers;
	int64_t flushed;
	unsigned count;
	struct event *kick; /* makes the next turn come at once */
	struct list all, ready, parked, paced, again, dirty, gated, ended;
	struct list heavy;            /* hold more than HEAVY_BYTES */
	size_t buffered;              /* by all */
	struct list strangers;        /* without a session yet, oldest first */
	bool strangers_read;          /* in this turn */
	uint8_t scratch[SCRATCH_LEN]; /* between a read and input_put only */
};

struct conn {
	struct list link, ready_link, parked_link, dirty_link, gated_link, ended_link;
	struct list stranger_link, heavy_link;
	struct conn_set *set;
	struct arrival *peer;
	void *user;
	struct stream stream;
	unsigned state;
	bool is_established;
	bool is_begun; /* a frame or word was taken */
	bool in_handler;
	bool is_parked, is_held;
	bool is_eof;        /* the peer sends no more */
	bool is_write_over; /* the peer takes no more */
	bool is_told;
	short read_wants, write_wants; /* EV_READ or EV_WRITE */
	bool is_write_blocked;
	short watched; /* the events that are added */
	struct event readable, writable;
	struct input in;
	struct output out;
	size_t record_left;    /* bytes up to the end of the frames that are being sent */
	bool is_raw;           /* what is sent are not frames */
	struct buf ahead;      /* frames that go in front of the first gated byte, all at once */
	struct timer deadline; /* by state: the first frame, the last byte, the lingering */
	struct timer stall;    /* armed while more than max_output may leave and does not */
	int64_t stall_taken;   /* what the peer had taken when it was armed */
	size_t accounted;      /* of set->buffered */
	char *reason;          /* of its end */
	int64_t opened_ms;
	int64_t heard_ms; /* bytes of the peer were read */
	uint64_t received, sent;
};

void conn_limits_init(struct conn_limits *l)
{
	*l = (struct conn_limits){
		.max_frame = 0xfffff, /* ZooKeeper's jute.maxbuffer */
		.max_first_frame = 1024,
		.max_output = 1024 * 1024,
		.max_gated = 1024 * 1024,
		.max_queued = 64 * 1024 * 1024,
		.max_parked_input = 128 * 1024,
		.max_buffered = 48 * 1024 * 1024,
		.output_timeout_ms = 10000,
		.first_frame_timeout_ms = 10000,
		.http_timeout_ms = 10000,
	};
}

static bool in_list(const struct list *link)
{
	return !list_is_empty(link);
}

static void kick(struct conn_set *set)
{
	const struct timeval at_once = { 0 };

	/* A timer, not event_active, which would run in this turn for ever. */
	if (event_add(set->kick, &at_once) != 0)
		die("conn.broken", "cannot arm a timer");
}

/* Go on with c in the next turn. */
static void make_ready(struct conn *c)
{
	if (in_list(&c->ready_link))
		return;
	list_append(&c->set->ready, &c->ready_link);
	kick(c->set);
}

/* What the socket is watched for. */

static bool is_stopped(const struct conn *c)
{
	return c->is_parked || c->is_held;
}

static size_t frame_limit(const struct conn *c)
{
	const struct conn_limits *l = &c->set->limits;

	return c->is_established ? l->max_frame : l->max_first_frame;
}

/* How much may be read now. */
static size_t input_allowed(const struct conn *c)
{
	const struct conn_limits *l = &c->set->limits;
	size_t room;

	if (c->state != CONN_OPEN || c->is_eof)
		return 0;
	if (!is_stopped(c))
		return SCRATCH_LEN;
	room = input_room(&c->in, frame_limit(c),
			  c->is_established ? l->max_parked_input : l->max_first_frame);
	return room < SCRATCH_LEN ? room : SCRATCH_LEN;
}

static void end(struct conn *c, const char *reason);

static void watch_event(struct conn *c, struct event *event, short what, short wanted)
{
	if ((c->watched & what) == (wanted & what))
		return;
	if ((wanted & what) == 0) {
		event_del(event);
	} else if (event_add(event, NULL) != 0) {
		/* The kernel's limit of watched descriptors, or its memory. */
		end(c, "its socket cannot be watched");
		return;
	}
	c->watched = (short)(c->watched ^ what);
}

static void watch(struct conn *c)
{
	short wanted = 0;

	if (c->state == CONN_LINGERING)
		wanted = EV_READ;
	else if (input_allowed(c) > 0)
		wanted = c->read_wants;
	if (c->is_write_blocked && c->state != CONN_GONE)
		wanted = (short)(wanted | c->write_wants);
	watch_event(c, &c->readable, EV_READ, wanted);
	watch_event(c, &c->writable, EV_WRITE, wanted);
}

/* Ends. */

static void move(struct conn *c, enum conn_state next)
{
	sm_move("conn", conn_states, &c->state, next);
	/* Nothing of what was under way in the last state goes on in this one. */
	c->is_parked = false;
	c->is_held = false;
	list_remove(&c->ready_link);
	list_remove(&c->parked_link);
	list_remove(&c->stranger_link);
	timer_disarm(c->set->wheel, &c->deadline);
	timer_disarm(c->set->wheel, &c->stall);
	/* The input stays until the turn ends: a handler up the call chain may be reading a frame
	 * in it. */
}

static void set_reason(struct conn *c, const char *reason)
{
	if (!c->reason)
		c->reason = mem_strdup(reason);
}

static void drop_output(struct conn *c)
{
	output_fini(&c->out);
	output_init(&c->out, c->set->limits.max_queued);
	buf_fini(&c->ahead);
	list_remove(&c->dirty_link);
	list_remove(&c->gated_link);
	c->is_write_blocked = false;
}

/* Memory. */

/* What c holds has changed. */
static void account(struct conn *c)
{
	size_t now = 0;

	if (c->state != CONN_GONE)
		now = output_memory(&c->out) + stream_held(&c->stream) + input_memory(&c->in);
	c->set->buffered += now - c->accounted;
	c->accounted = now;
	if (now <= HEAVY_BYTES)
		list_remove(&c->heavy_link);
	else if (!in_list(&c->heavy_link))
		list_append(&c->set->heavy, &c->heavy_link);
}

static struct conn *heaviest(const struct conn_set *set)
{
	struct conn *most = NULL;

	list_foreach(link, &set->heavy) {
		struct conn *c = container_of(link, struct conn, heavy_link);

		if (!most || c->accounted > most->accounted)
			most = c;
	}
	return most;
}

/* Too much in all: whoever holds most of it has to go. One alone has its own limits. */
static void shed(struct conn_set *set)
{
	while (set->buffered > set->limits.max_buffered && !list_is_empty(&set->heavy) &&
	       set->heavy.next != set->heavy.prev) {
		struct conn *c = heaviest(set);

		metrics_add(METRIC_connections_shed, 1);
		conn_fail(c, "all connections hold too much, and this one most of it");
		end(c, "");
	}
}

/* From any state but the last one to the last one; the sweep does the rest. */
static void end(struct conn *c, const char *reason)
{
	if (c->state == CONN_GONE)
		return;
	set_reason(c, reason);
	move(c, CONN_GONE);
	drop_output(c);
	account(c);
	watch(c);
	if (!in_list(&c->ended_link))
		list_append(&c->set->ended, &c->ended_link);
}

/* All has been written. Were the socket closed while bytes of the peer are unread or still come,
 * the kernel would send a reset, which can take our last reply from the peer: so say that it was
 * the last, and wait a little for the peer's. */
static void linger(struct conn *c)
{
	if (c->is_eof || c->is_write_over) {
		end(c, "");
		return;
	}
	move(c, CONN_LINGERING);
	tls_free(c->peer->tls);
	c->peer->tls = NULL;
	c->stream.tls = NULL;
	if (shutdown(c->peer->fd, SHUT_WR) != 0) {
		end(c, "");
		return;
	}
	timer_arm(c->set->wheel, &c->deadline, clock_now_ms() + LINGER_MS);
	list_append(&c->set->ended, &c->ended_link);
	watch(c);
}

static void discard_input(struct conn *c)
{
	ssize_t n = recv(c->peer->fd, c->set->scratch, SCRATCH_LEN, MSG_DONTWAIT);

	/* An error other than "not yet" ends it as the end does; one read a turn is enough to throw
	 * away. */
	if (n == 0 || (n < 0 && !(errno == EAGAIN || errno == EINTR)))
		end(c, "");
}

void conn_fail(struct conn *c, const char *reason)
{
	static struct log_limit limit;
	uint32_t suppressed;

	if (c->state == CONN_GONE || c->state == CONN_LINGERING)
		return;
	metrics_add(METRIC_connections_failed, 1);
	if (log_limit_pass(&limit, LOG_BURST, &suppressed)) {
		if (suppressed > 0)
			log_warn("conn.failed", LOG_TEXT("peer", c->peer->address),
				 LOG_TEXT("reason", reason), LOG_INT("suppressed", suppressed));
		else
			log_warn("conn.failed", LOG_TEXT("peer", c->peer->address),
				 LOG_TEXT("reason", reason));
	}
	if (c->set->handlers.failed && !c->is_told)
		c->set->handlers.failed(c, c->user, reason);
	end(c, reason);
}

/* Output. */

static void mark_dirty(struct conn *c)
{
	if (!in_list(&c->dirty_link))
		list_append(&c->set->dirty, &c->dirty_link);
}

void conn_close(struct conn *c, const char *reason)
{
	if (c->state != CONN_OPEN)
		return;
	set_reason(c, reason);
	move(c, CONN_CLOSING);
	timer_arm(c->set->wheel, &c->deadline, clock_now_ms() + c->set->limits.output_timeout_ms);
	mark_dirty(c);
	watch(c);
}

/* Bytes that have reached the peer, give or take what TLS adds: the socket's buffer may hold more
 * than we do, and it becomes writable only after much of it has gone. */
static int64_t taken_by_peer(const struct conn *c)
{
	int unsent = 0;

	if (ioctl(c->peer->fd, SIOCOUTQ, &unsent) != 0)
		unsent = 0;
	return (int64_t)c->out.drained - (int64_t)stream_held(&c->stream) - unsent;
}

/* Released bytes that wait for the peer here. */
static size_t waiting_for_peer(const struct conn *c)
{
	return output_sendable(&c->out).len + stream_held(&c->stream);
}

static void time_stall(struct conn *c)
{
	const struct conn_limits *l = &c->set->limits;
	bool is_stalled = c->state == CONN_OPEN && waiting_for_peer(c) > l->max_output;

	if (!is_stalled) {
		timer_disarm(c->set->wheel, &c->stall);
	} else if (!timer_is_armed(&c->stall)) {
		c->stall_taken = taken_by_peer(c);
		timer_arm(c->set->wheel, &c->stall, clock_now_ms() + l->output_timeout_ms);
	}
}

/* Output was put or released: see that it is sent, or released later. */
static void note_output(struct conn *c)
{
	if (output_next_mark(&c->out) == 0)
		list_remove(&c->gated_link);
	else if (!in_list(&c->gated_link))
		list_append(&c->set->gated, &c->gated_link);
	if (c->is_write_blocked)
		time_stall(c);
	else if (output_sendable(&c->out).len > 0)
		mark_dirty(c);
}

static bool has_too_much_output(const struct conn *c)
{
	const struct conn_limits *l = &c->set->limits;

	return output_gated(&c->out) > l->max_gated || waiting_for_peer(c) > l->max_output;
}

static void unhold(struct conn *c)
{
	if (!c->is_held || has_too_much_output(c))
		return;
	c->is_held = false;
	make_ready(c);
}

static void fail_unread(struct conn *c, const char *reason)
{
	metrics_add(METRIC_connections_unread, 1);
	conn_fail(c, reason);
}

static void on_stall(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, stall);

	if (taken_by_peer(c) - c->stall_taken >= SLOW_READER_BYTES)
		time_stall(c);
	else
		fail_unread(c, "the peer does not take its replies");
}

/* Nobody takes our bytes any more. What the peer had sent before is still a request: it is read to
 * its end. */
static void stop_writing(struct conn *c)
{
	c->is_write_over = true;
	drop_output(c);
	if (c->state == CONN_CLOSING)
		end(c, stream_reason(&c->stream));
	else
		make_ready(c);
}

static size_t frame_len(struct slice bytes, size_t at)
{
	return INPUT_LENGTH_LEN + (size_t)jute_get_int((const uint8_t *)bytes.data + at);
}

/* What to send at once. Over TLS the last frame of all goes in records of its own, those before it
 * share records. kazoo, for one, asks select() before each frame, and does not see what its TLS
 * layer has decrypted already: but it sees the record behind, and asks TLS again, until that
 * record holds the last frame and nothing more. */
static size_t sendable_len(const struct conn *c, struct slice bytes)
{
	size_t len = c->record_left, next;

	if (c->is_raw || !stream_has_records(&c->stream))
		return bytes.len;
	if (len == 0)
		len = frame_len(bytes, 0);
	while (len < bytes.len) {
		next = len + frame_len(bytes, len);
		if (next >= bytes.len || next > STREAM_RECORD_LEN)
			break;
		len = next;
	}
	return len;
}

/* What a write said: true where it may go on. */
static bool may_go_on(struct conn *c, enum tls_rc rc)
{
	switch (rc) {
	case TLS_OK:
		return true;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		c->is_write_blocked = true;
		c->write_wants = rc == TLS_WANT_READ ? EV_READ : EV_WRITE;
		return false;
	case TLS_EOF:
		stop_writing(c);
		return false;
	case TLS_FAIL:
		break;
	}
	conn_fail(c, stream_reason(&c->stream));
	return false;
}

/* Hand over what may leave. False where the connection ended or has to wait for the socket. */
static bool write_frames(struct conn *c)
{
	size_t budget = TURN_WRITE_BYTES;
	struct slice bytes;
	size_t len, put;

	while ((bytes = output_sendable(&c->out)).len > 0) {
		/* A socket that takes everything: the others first. It will say that it is
		 * writable. */
		if (budget == 0)
			return may_go_on(c, TLS_WANT_WRITE);
		len = sendable_len(c, bytes);
		if (!may_go_on(c, stream_write(&c->stream, bytes.data, len < budget ? len : budget,
					       &put)))
			return false;
		output_drain(&c->out, put);
		c->record_left = len - put;
		budget -= put;
	}
	return true;
}

static void write_output(struct conn *c)
{
	enum tls_rc rc;

	/* What the socket did not take the last time goes first. */
	if (!may_go_on(c, stream_uncork(&c->stream)))
		return;
	stream_cork(&c->stream);
	if (!write_frames(c) && !c->is_write_blocked)
		return;
	rc = stream_uncork(&c->stream);
	if (rc != TLS_OK)
		(void)may_go_on(c, rc);
}

static void fail_full(struct conn *c)
{
	fail_unread(c, "more output waits than a connection may hold");
}

/* False where the connection ended. */
static bool insert_ahead(struct conn *c)
{
	int rc = output_insert(&c->out, buf_slice(&c->ahead));

	buf_clear(&c->ahead);
	buf_release(&c->ahead);
	if (rc != 0)
		fail_full(c);
	return rc == 0;
}

static void flush(struct conn *c)
{
	list_remove(&c->dirty_link);
	if (c->state != CONN_OPEN && c->state != CONN_CLOSING)
		return;
	if (buf_len(&c->ahead) > 0 && !insert_ahead(c))
		return;
	if (c->state == CONN_CLOSING)
		input_fini(&c->in);
	if (!c->is_write_blocked)
		write_output(c);
	if (c->state == CONN_CLOSING && output_len(&c->out) == 0 && !c->is_write_blocked)
		linger(c);
	if (c->state == CONN_OPEN) {
		time_stall(c);
		unhold(c);
	}
	account(c);
	watch(c);
}

static bool may_send(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->is_write_over;
}

static void count_sent(struct conn *c, struct slice body)
{
	c->sent++;
	metrics_add(METRIC_packets_sent, 1);
	metrics_add(METRIC_response_bytes, INPUT_LENGTH_LEN + body.len);
}

void conn_send(struct conn *c, struct slice body, int64_t mark)
{
	uint8_t length[INPUT_LENGTH_LEN];
	struct slice head = { (const char *)length, sizeof(length) };

	if (!may_send(c))
		return;
	/* Where nothing is gated, what goes ahead came before this. */
	if (buf_len(&c->ahead) > 0 && output_gated(&c->out) == 0 && !insert_ahead(c))
		return;
	jute_put_int(length, (int32_t)body.len);
	/* The body's mark is the head's too: marks never fall, so it puts none of its own. */
	if (output_append(&c->out, head, mark, c->set->flushed) != 0 ||
	    output_append(&c->out, body, mark, c->set->flushed) != 0) {
		fail_full(c);
		return;
	}
	count_sent(c, body);
	account(c);
	note_output(c);
	shed(c->set);
}

void conn_send_raw(struct conn *c, struct slice bytes)
{
	if (!may_send(c))
		return;
	c->is_raw = true;
	if (output_append(&c->out, bytes, 0, c->set->flushed) != 0)
		fail_full(c);
	else
		note_output(c);
	account(c);
	shed(c->set);
}

void conn_send_ahead(struct conn *c, struct slice body)
{
	uint8_t length[INPUT_LENGTH_LEN];

	if (!may_send(c))
		return;
	/* Gathered until the turn ends: every insert moves all that is gated. */
	jute_put_int(length, (int32_t)body.len);
	if (buf_append(&c->ahead, length, sizeof(length)) != 0 ||
	    buf_append(&c->ahead, body.data, body.len) != 0) {
		fail_full(c);
		return;
	}
	count_sent(c, body);
	mark_dirty(c);
}

/* Input. */

static void fail_bad_frame(struct conn *c)
{
	char reason[REASON_LEN];
	char word[INPUT_LENGTH_LEN];
	int32_t len;

	if (!input_get_word(&c->in, word))
		return;
	len = jute_get_int((const uint8_t *)word);
	if (len == 0)
		snprintf(reason, sizeof(reason), "frame of length 0");
	else if (len < 0)
		snprintf(reason, sizeof(reason), "frame of negative length %ld", (long)len);
	else
		snprintf(reason, sizeof(reason), "frame of %ld bytes, at most %zu are allowed%s",
			 (long)len, frame_limit(c), c->is_established ? "" : " before the session");
	metrics_add(METRIC_frames_refused, 1);
	conn_fail(c, reason);
}

static enum conn_text offer_text(struct conn *c)
{
	enum conn_text what;

	c->in_handler = true;
	what = c->set->handlers.text(c, c->user, input_bytes(&c->in));
	c->in_handler = false;
	return what;
}

/* What a connection begins with: true where no frame is to be looked for (yet). */
static bool take_text(struct conn *c)
{
	char word[INPUT_LENGTH_LEN];
	bool is_text_alone = !gate_kind_has_sessions(c->peer->kind);
	enum conn_text what = CONN_TEXT_NONE;

	if (c->is_begun || (c->is_established && !is_text_alone))
		return false;
	if (!input_get_word(&c->in, word))
		return true;
	/* No first frame is as long as letters make it. */
	if (c->set->handlers.text && (is_text_alone || word[0] != 0))
		what = offer_text(c);
	switch (what) {
	case CONN_TEXT_TAKEN:
		c->is_begun = true;
		c->received++;
		conn_close(c, "request in text answered");
		return true;
	case CONN_TEXT_PARTIAL:
		return true;
	case CONN_TEXT_NONE:
		break;
	}
	if (is_text_alone)
		conn_fail(c, "not a four-letter word at the monitor's port");
	return is_text_alone;
}

/* Its first frame has to wait, for one reason or the other. */
static void stop(const struct conn *c, bool *why, const char *reason)
{
	metrics_add(METRIC_connections_parked, 1);
	log_debug("conn.waits", LOG_TEXT("peer", c->peer->address), LOG_TEXT("reason", reason));
	*why = true;
}

static void hold(struct conn *c)
{
	static struct log_limit limit;
	uint32_t suppressed;

	stop(c, &c->is_held, "too much waits to leave");
	if (output_gated(&c->out) <= c->set->limits.max_gated)
		return;
	metrics_add(METRIC_connections_held, 1);
	if (log_limit_pass(&limit, LOG_BURST, &suppressed))
		log_info("conn.held", LOG_TEXT("peer", c->peer->address),
			 LOG_TEXT("reason", "too many replies wait for the disk"),
			 LOG_INT("suppressed", suppressed));
}

static void park(struct conn *c, enum conn_next until)
{
	struct conn_set *set = c->set;

	if (until == CONN_AGAIN) {
		/* It is at work, not held up. */
		c->is_parked = true;
		list_append(&set->again, &c->parked_link);
		kick(set);
		return;
	}
	stop(c, &c->is_parked, "its next request cannot be done now");
	list_append(until == CONN_PARK ? &set->parked : &set->paced, &c->parked_link);
}

static void count_received(struct conn *c, struct slice frame)
{
	c->received++;
	metrics_add(METRIC_packets_received, 1);
	metrics_add(METRIC_bytes_received_count, INPUT_LENGTH_LEN + frame.len);
}

static void offer(struct conn *c, struct slice frame)
{
	enum conn_next next;

	c->in_handler = true;
	next = c->set->handlers.frame(c, c->user, frame);
	c->in_handler = false;
	if (c->state != CONN_OPEN)
		return;
	if (next != CONN_TOOK) {
		park(c, next);
		return;
	}
	c->is_begun = true;
	count_received(c, frame);
	input_drop_first(&c->in, frame);
}

/* Answer the pings that stand behind what has to wait. */
static bool answer_ping(struct conn *c, struct slice frame)
{
	bool was_ping;

	c->in_handler = true;
	was_ping = c->set->handlers.ping(c, c->user, frame);
	c->in_handler = false;
	return was_ping;
}

/* What a connection may have of a turn. */
struct share {
	size_t bytes;
	unsigned frames;
	int64_t until_us;
};

static struct share share_of_turn(void)
{
	return (struct share){ TURN_BYTES, TURN_FRAMES, clock_exact_us() + TURN_US };
}

static void scan_pings(struct conn *c, unsigned *frames)
{
	struct slice frame;

	if (!c->is_established || !c->set->handlers.ping)
		return;
	/* Pings go in front of what waits for the disk, not of what the peer does not take: it
	 * would only have more of that. */
	if (waiting_for_peer(c) > c->set->limits.max_output)
		return;
	/* The parked frame itself was offered, and is no ping. */
	if (c->is_parked && c->in.scanned == 0 &&
	    input_scan(&c->in, frame_limit(c), &frame) != INPUT_FRAME)
		return;
	while (c->state == CONN_OPEN && *frames > 0 &&
	       input_scan(&c->in, frame_limit(c), &frame) == INPUT_FRAME) {
		(*frames)--;
		if (!answer_ping(c, frame) || c->state != CONN_OPEN)
			continue;
		count_received(c, frame);
		input_cut_scanned(&c->in, frame);
	}
	input_scan_end(&c->in);
	if (c->state == CONN_OPEN && *frames == 0)
		make_ready(c);
}

static void handle_input(struct conn *c, struct share *share)
{
	struct slice frame;

	while (c->state == CONN_OPEN && !is_stopped(c)) {
		if (take_text(c))
			return;
		switch (input_first(&c->in, frame_limit(c), &frame)) {
		case INPUT_PARTIAL:
			return;
		case INPUT_BAD:
			fail_bad_frame(c);
			return;
		case INPUT_FRAME:
			break;
		}
		if (has_too_much_output(c)) {
			hold(c);
			break;
		}
		if (share->frames == 0) {
			make_ready(c);
			return;
		}
		offer(c, frame);
		share->frames = clock_exact_us() < share->until_us ? share->frames - 1 : 0;
	}
	if (c->state == CONN_OPEN)
		scan_pings(c, &share->frames);
}

/* Read once. False where nothing more is to be had now. */
static bool fill_input(struct conn *c, size_t *budget)
{
	size_t allowed = input_allowed(c);
	size_t got, cost;

	if (allowed > *budget)
		allowed = *budget;
	if (allowed == 0)
		return false;
	switch (stream_read(&c->stream, c->set->scratch, allowed, &got)) {
	case TLS_OK:
		break;
	case TLS_WANT_READ:
		c->read_wants = EV_READ;
		return false;
	case TLS_WANT_WRITE:
		c->read_wants = EV_WRITE;
		return false;
	case TLS_EOF:
		c->is_eof = true;
		return false;
	case TLS_FAIL:
		conn_fail(c, stream_reason(&c->stream));
		return false;
	}
	c->read_wants = EV_READ;
	c->heard_ms = clock_now_ms();
	/* A record of one byte is work, too. */
	cost = got < LEAST_READ_COST ? LEAST_READ_COST : got;
	*budget -= cost < *budget ? cost : *budget;
	if (input_put(&c->in, c->set->scratch, got) != 0) {
		conn_fail(c, "no memory for its input");
		return false;
	}
	return true;
}

/* Handle what is there and read more. */
static void work(struct conn *c, struct share share)
{
	do
		handle_input(c, &share);
	while (c->state == CONN_OPEN && !in_list(&c->ready_link) && fill_input(c, &share.bytes));

	/* Nothing more comes, and no whole frame is left. */
	if (c->state == CONN_OPEN && c->is_eof && !is_stopped(c) && !in_list(&c->ready_link))
		conn_close(c, stream_reason(&c->stream));
	/* epoll does not know what TLS has taken from the socket already. */
	if (c->state == CONN_OPEN && share.bytes == 0 && input_allowed(c) > 0 &&
	    stream_has_pending(&c->stream))
		make_ready(c);
	account(c);
	shed(c->set);
	watch(c);
}

bool conn_read_now(struct conn *c)
{
	if (c->state == CONN_OPEN && !c->in_handler) {
		struct share share = share_of_turn();

		/* What is queued for its turn would not be read. */
		list_remove(&c->ready_link);
		share.bytes = READ_NOW_BYTES;
		work(c, share);
	}
	return c->state == CONN_OPEN;
}

/* Events. */

static void tell_begun(struct conn *c)
{
	/* After closed its user is gone. */
	if (c->set->handlers.begun && !c->is_told)
		c->set->handlers.begun(c, c->user);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	tell_begun(c);
	if (c->state == CONN_LINGERING) {
		discard_input(c);
		return;
	}
	if (c->is_write_blocked && (what & c->write_wants) != 0) {
		c->is_write_blocked = false;
		flush(c);
	}
	if (c->state == CONN_OPEN && (what & c->read_wants) != 0)
		work(c, share_of_turn());
}

static void go_on(struct list *parked)
{
	struct list *link;

	while ((link = list_take_first(parked)) != NULL) {
		struct conn *c = container_of(link, struct conn, parked_link);

		c->is_parked = false;
		make_ready(c);
	}
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct conn_set *set = arg;
	struct list ready;
	struct list *link;

	(void)fd;
	(void)what;
	/* What becomes ready meanwhile has its turn in the next one. */
	go_on(&set->again);
	list_init(&ready);
	list_splice(&ready, &set->ready);
	while ((link = list_take_first(&ready)) != NULL) {
		struct conn *c = container_of(link, struct conn, ready_link);

		tell_begun(c);
		work(c, share_of_turn());
	}
}

static void fail_late(struct conn *c)
{
	metrics_add(METRIC_sessionless_connections_expired, 1);
	conn_fail(c, gate_kind_has_sessions(c->peer->kind) ? "no session was asked for in time"
							   : "no request came in time");
}

static void on_first_frame_late(struct conn *c)
{
	/* What has arrived is read before it is judged; and who waits for us is not late. */
	if (!conn_read_now(c) || c->is_established)
		return;
	if (is_stopped(c))
		timer_arm(c->set->wheel, &c->deadline,
			  clock_now_ms() + c->set->limits.first_frame_timeout_ms);
	else
		fail_late(c);
}

static void on_deadline(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, deadline);

	switch (c->state) {
	case CONN_OPEN:
		on_first_frame_late(c);
		break;
	case CONN_CLOSING:
		end(c, "");
		break;
	case CONN_LINGERING:
		end(c, "");
		break;
	default:
		break;
	}
}

void conn_set_established(struct conn *c)
{
	c->is_established = true;
	list_remove(&c->stranger_link);
	if (c->state == CONN_OPEN)
		timer_disarm(c->set->wheel, &c->deadline);
}

/* The set. */

struct conn_set *conn_set_new(struct event_base *base, struct timer_wheel *wheel,
			      const struct conn_limits *limits,
			      const struct conn_handlers *handlers)
{
	struct conn_set *set = mem_new(sizeof(*set));

	set->base = base;
	set->wheel = wheel;
	set->limits = *limits;
	set->handlers = *handlers;
	set->kick = evtimer_new(base, on_kick, set);
	if (!set->kick)
		die("conn.broken", "no memory for a timer");
	list_init(&set->all);
	list_init(&set->ready);
	list_init(&set->parked);
	list_init(&set->paced);
	list_init(&set->again);
	list_init(&set->dirty);
	list_init(&set->gated);
	list_init(&set->ended);
	list_init(&set->strangers);
	list_init(&set->heavy);
	return set;
}

static void arm_first_deadline(struct conn *c)
{
	const struct conn_limits *l = &c->set->limits;
	int64_t timeout_ms = l->first_frame_timeout_ms;
	int64_t deadline_ms, least_ms;

	if (gate_kind_is_http(c->peer->kind) && l->http_timeout_ms < timeout_ms)
		timeout_ms = l->http_timeout_ms;
	deadline_ms = c->peer->accepted_ms + timeout_ms;
	least_ms = c->opened_ms + timeout_ms / FIRST_FRAME_LEAST_SHARE;
	timer_arm(c->set->wheel, &c->deadline, deadline_ms > least_ms ? deadline_ms : least_ms);
}

struct conn *conn_open(struct conn_set *set, struct arrival *a, void *user)
{
	struct conn *c = mem_try(sizeof(*c));
	const struct conn_limits *l = &set->limits;

	if (!c) {
		arrival_free(a);
		return NULL;
	}
	c->set = set;
	c->peer = a;
	c->user = user;
	c->stream = (struct stream){ .fd = a->fd, .tls = a->tls };
	c->state = CONN_OPEN;
	c->read_wants = EV_READ;
	c->write_wants = EV_WRITE;
	c->opened_ms = clock_now_ms();
	c->heard_ms = c->opened_ms;
	list_init(&c->heavy_link);
	list_init(&c->ready_link);
	list_init(&c->parked_link);
	list_init(&c->dirty_link);
	list_init(&c->gated_link);
	list_init(&c->ended_link);
	list_append(&set->all, &c->link);
	list_init(&c->stranger_link);
	/* Who cannot ask for a session holds no session's expiry up. */
	if (gate_kind_has_sessions(a->kind))
		list_append(&set->strangers, &c->stranger_link);
	if (!gate_kind_is_http(a->kind))
		set->count++;
	event_assign(&c->readable, set->base, a->fd, EV_READ | EV_PERSIST, on_socket, c);
	event_assign(&c->writable, set->base, a->fd, EV_WRITE | EV_PERSIST, on_socket, c);
	input_init(&c->in, INPUT_LENGTH_LEN + l->max_frame + l->max_parked_input + TURN_BYTES);
	output_init(&c->out, l->max_queued);
	buf_init(&c->ahead, l->max_queued);
	timer_init(&c->deadline, on_deadline);
	timer_init(&c->stall, on_stall);
	arm_first_deadline(c);
	/* TLS may hold bytes that came with the end of the handshake. */
	make_ready(c);
	return c;
}

static void conn_free(struct conn *c)
{
	list_remove(&c->link);
	list_remove(&c->ready_link);
	list_remove(&c->parked_link);
	list_remove(&c->dirty_link);
	list_remove(&c->gated_link);
	list_remove(&c->ended_link);
	input_fini(&c->in);
	output_fini(&c->out);
	arrival_free(c->peer);
	mem_free(c->reason);
	mem_free(c);
}

static void sweep(struct conn *c)
{
	if (!c->is_told) {
		c->is_told = true;
		if (!gate_kind_is_http(c->peer->kind))
			c->set->count--;
		metrics_add(METRIC_connections_closed, 1);
		log_debug("conn.closed", LOG_TEXT("peer", c->peer->address),
			  LOG_TEXT("reason", c->reason));
		c->set->handlers.closed(c, c->user, c->reason);
	}
	if (c->state == CONN_GONE)
		conn_free(c);
}

void conn_set_end_turn(struct conn_set *set)
{
	set->strangers_read = false;
	struct list *link;

	/* Telling an owner may make it write to others, or close them. */
	while (!list_is_empty(&set->dirty) || !list_is_empty(&set->ended)) {
		while ((link = list_take_first(&set->dirty)) != NULL)
			flush(container_of(link, struct conn, dirty_link));
		while ((link = list_take_first(&set->ended)) != NULL)
			sweep(container_of(link, struct conn, ended_link));
	}
}

void conn_set_free(struct conn_set *set)
{
	if (!set)
		return;
	conn_set_end_turn(set);
	list_foreach(link, &set->all)
		end(container_of(link, struct conn, link), "the server stops");
	conn_set_end_turn(set);
	event_free(set->kick);
	mem_free(set);
}

void conn_set_release(struct conn_set *set, int64_t flushed)
{
	if (flushed > set->flushed)
		set->flushed = flushed;
	list_foreach_safe(link, &set->gated) {
		struct conn *c = container_of(link, struct conn, gated_link);

		if (buf_len(&c->ahead) > 0 && !insert_ahead(c))
			continue;
		output_release(&c->out, set->flushed);
		note_output(c);
		unhold(c);
		account(c);
	}
}

void conn_set_unpark(struct conn_set *set)
{
	go_on(&set->parked);
}

void conn_set_unpace(struct conn_set *set)
{
	go_on(&set->paced);
}

size_t conn_set_buffered(const struct conn_set *set)
{
	return set->buffered;
}

unsigned conn_set_stopped(const struct conn_set *set)
{
	unsigned count = 0;

	list_foreach(link, &set->all)
		count += is_stopped(container_of(link, struct conn, link));
	return count;
}

unsigned conn_set_count(const struct conn_set *set)
{
	return set->count;
}

void conn_set_foreach(struct conn_set *set, void (*each)(struct conn *c, void *user, void *ctx),
		      void *ctx)
{
	/* each may close or fail c, which leaves it in this list until the sweep. */
	list_foreach(link, &set->all) {
		struct conn *c = container_of(link, struct conn, link);

		if (!c->is_told)
			each(c, c->user, ctx);
	}
}

/* Questions. */

void conn_set_user(struct conn *c, void *user)
{
	c->user = user;
}

void *conn_user(const struct conn *c)
{
	return c->user;
}

const struct arrival *conn_peer(const struct conn *c)
{
	return c->peer;
}

int64_t conn_last_mark(const struct conn *c)
{
	return c->out.last_mark > c->set->flushed ? c->out.last_mark : c->set->flushed;
}

bool conn_is_closing(const struct conn *c)
{
	return c->state != CONN_OPEN;
}

void conn_set_read_strangers(struct conn_set *set)
{
	struct list unread, *link;

	if (set->strangers_read)
		return;
	set->strangers_read = true;
	list_init(&unread);
	list_splice(&unread, &set->strangers);
	while ((link = list_take_first(&unread))) {
		list_append(&set->strangers, link);
		(void)conn_read_now(container_of(link, struct conn, stranger_link));
	}
}

bool conn_set_has_strangers(const struct conn_set *set, int64_t deadline_ms)
{
	/* They stand in the order in which their handshakes ended, not in that in which they
	 * came. */
	list_foreach(link, &set->strangers)
		if (container_of(link, struct conn, stranger_link)->peer->since_ms < deadline_ms)
			return true;
	return false;
}

bool conn_is_parked(const struct conn *c)
{
	return is_stopped(c);
}

/* What the kernel has and we do not take, because enough of it waits here already. */
static bool has_unread_input(const struct conn *c)
{
	int len = 0;

	return is_stopped(c) && input_allowed(c) == 0 && !c->is_eof &&
	       ioctl(c->peer->fd, FIONREAD, &len) == 0 && len > 0;
}

bool conn_waits_for_us(const struct conn *c)
{
	return c->is_parked || in_list(&c->ready_link) ||
	       (c->is_held && output_gated(&c->out) > c->set->limits.max_gated) ||
	       has_unread_input(c);
}

int64_t conn_heard_ms(const struct conn *c)
{
	return buf_len(&c->in.bytes) > 0 ? c->heard_ms : 0;
}

struct conn_stats conn_get_stats(const struct conn *c)
{
	return (struct conn_stats){
		.received = c->received,
		.sent = c->sent,
		.queued = output_len(&c->out) + stream_held(&c->stream),
		.is_reading = c->state == CONN_OPEN && !is_stopped(c),
		.is_blocked = c->is_write_blocked,
		.opened_ms = c->opened_ms,
	};
}

void conn_reset_stats(struct conn *c)
{
	c->received = 0;
	c->sent = 0;
}
