/* Input is read into one block shared by all connections and parsed there; only the rest of a frame
 * that has not arrived whole is kept with its connection. */
#include "tools/bench/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	FRAME_HEAD_LEN = 4,
	FRAME_LIMIT = 16 * 1024 * 1024,
	QUEUE_LIMIT = 64 * 1024 * 1024,
	INPUT_LEN = 64 * 1024,
};

enum conn_state { CONN_CONNECTING, CONN_SHAKING, CONN_OPEN, CONN_CLOSED };

struct conn {
	struct loop_watch watch;
	struct loop *loop;
	struct stream *stream;
	int fd;
	enum conn_state state;
	bool wants_write; /* as epoll knows it */
	const struct conn_events *events;
	void *owner;
	struct buf in; /* the beginning of a frame */
	struct buf out;
	struct jute_writer writer;
	size_t frame_at; /* where the frame under way began in out */
};

static uint8_t input[INPUT_LEN];

void conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	loop_remove(c->loop, c->fd);
	stream_free(c->stream);
	c->stream = NULL;
	close(c->fd);
	c->fd = -1;
}

static void fail(struct conn *c, const char *reason)
{
	char copy[STREAM_REASON_LEN];

	if (c->state == CONN_CLOSED)
		return;
	snprintf(copy, sizeof(copy), "%s", reason);
	conn_close(c);
	c->events->closed(c->owner, copy);
}

static void end(struct conn *c, enum stream_rc rc)
{
	fail(c, rc == STREAM_EOF ? "the server closed the connection" : stream_reason(c->stream));
}

static void want_write(struct conn *c, bool wanted)
{
	if (c->wants_write == wanted)
		return;
	c->wants_write = wanted;
	loop_change(c->loop, c->fd, &c->watch, wanted);
}

/* Give every whole frame in data out; returns the bytes taken. */
static size_t take_frames(struct conn *c, const uint8_t *data, size_t len, int64_t now_us)
{
	size_t at = 0;

	while (c->state == CONN_OPEN && len - at >= FRAME_HEAD_LEN) {
		int32_t frame_len = jute_get_int(data + at);

		if (frame_len < 0 || frame_len > FRAME_LIMIT) {
			fail(c, "a frame of an impossible length");
			return len;
		}
		if (len - at - FRAME_HEAD_LEN < (size_t)frame_len)
			break;
		at += FRAME_HEAD_LEN;
		c->events->frame(c->owner,
				 (struct slice){ (const char *)data + at, (size_t)frame_len },
				 now_us);
		at += (size_t)frame_len;
	}
	return at;
}

static void take_input(struct conn *c, size_t len)
{
	int64_t now_us = clock_exact_us();
	size_t taken;

	if (buf_len(&c->in) == 0) {
		taken = take_frames(c, input, len, now_us);
		if (c->state == CONN_OPEN && buf_append(&c->in, input + taken, len - taken) != 0)
			fail(c, "out of memory");
		return;
	}
	if (buf_append(&c->in, input, len) != 0) {
		fail(c, "out of memory");
		return;
	}
	buf_drain(&c->in, take_frames(c, buf_head(&c->in), buf_len(&c->in), now_us));
	buf_release(&c->in);
}

/* Returns whether the stream waits for the socket to become writable. */
static bool read_input(struct conn *c)
{
	enum stream_rc rc;
	size_t got;

	do {
		rc = stream_read(c->stream, input, sizeof(input), &got);
		if (rc == STREAM_OK)
			take_input(c, got);
	} while (rc == STREAM_OK && c->state == CONN_OPEN && stream_has_pending(c->stream));
	if (rc == STREAM_FAIL || rc == STREAM_EOF)
		end(c, rc);
	return rc == STREAM_WANT_WRITE;
}

static bool write_output(struct conn *c)
{
	enum stream_rc rc = STREAM_OK;
	size_t put;

	while (rc == STREAM_OK && buf_len(&c->out) > 0) {
		rc = stream_write(c->stream, buf_head(&c->out), buf_len(&c->out), &put);
		if (rc == STREAM_OK)
			buf_drain(&c->out, put);
	}
	if (rc == STREAM_FAIL || rc == STREAM_EOF)
		end(c, rc);
	return rc == STREAM_WANT_WRITE;
}

static bool shake(struct conn *c)
{
	enum stream_rc rc = stream_handshake(c->stream);

	if (rc == STREAM_OK) {
		c->state = CONN_OPEN;
		c->events->opened(c->owner);
	} else if (rc == STREAM_FAIL || rc == STREAM_EOF) {
		end(c, rc);
	}
	return rc == STREAM_WANT_WRITE;
}

static void finish_connect(struct conn *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == EINPROGRESS)
		return;
	if (error != 0)
		fail(c, strerror(error));
	else
		c->state = CONN_SHAKING;
}

static void ready(struct loop_watch *w)
{
	struct conn *c = container_of(w, struct conn, watch);
	bool wants = false;

	if (c->state == CONN_CONNECTING)
		finish_connect(c);
	if (c->state == CONN_SHAKING)
		wants = shake(c);
	/* With read-ahead, the server's first bytes may have come along with its handshake. */
	if (c->state == CONN_OPEN)
		wants = read_input(c);
	if (c->state == CONN_OPEN)
		wants |= write_output(c);
	if (c->state == CONN_SHAKING || c->state == CONN_OPEN)
		want_write(c, wants);
}

static int open_socket(struct conn *c, const struct conn_target *target)
{
	int on = 1;

	c->fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)&target->address, target->address_len) == 0)
		return 0;
	return errno == EINPROGRESS ? 0 : -1;
}

struct conn *conn_new(struct loop *l, const struct conn_target *target,
		      const struct conn_events *events, void *owner, char reason[STREAM_REASON_LEN])
{
	struct conn *c = mem_new(sizeof(*c));

	c->watch.ready = ready;
	c->loop = l;
	c->events = events;
	c->owner = owner;
	c->state = CONN_CONNECTING;
	buf_init(&c->in, FRAME_LIMIT + FRAME_HEAD_LEN + INPUT_LEN);
	buf_init(&c->out, QUEUE_LIMIT);
	if (open_socket(c, target) != 0) {
		snprintf(reason, STREAM_REASON_LEN, "%s", strerror(errno));
		goto failed;
	}
	c->stream = stream_new(target->context, c->fd);
	if (c->stream == NULL) {
		snprintf(reason, STREAM_REASON_LEN, "TLS: out of memory");
		goto failed;
	}
	c->wants_write = true;
	loop_add(l, c->fd, &c->watch, true);
	return c;
failed:
	if (c->fd >= 0)
		close(c->fd);
	mem_free(c);
	return NULL;
}

void conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	conn_close(c);
	buf_fini(&c->in);
	buf_fini(&c->out);
	mem_free(c);
}

bool conn_is_open(const struct conn *c)
{
	return c->state == CONN_OPEN;
}

struct jute_writer *conn_begin_frame(struct conn *c)
{
	jute_writer_init(&c->writer, &c->out);
	c->frame_at = buf_len(&c->out);
	jute_write_int(&c->writer, 0);
	return &c->writer;
}

void conn_end_frame(struct conn *c)
{
	size_t len = buf_len(&c->out) - c->frame_at;

	if (c->writer.bad)
		die("bench.failed", "the queue of requests is full");
	jute_put_int(c->out.data + c->out.head + c->frame_at, (int32_t)(len - FRAME_HEAD_LEN));
}

void conn_flush(struct conn *c)
{
	bool wants;

	if (c->state != CONN_OPEN)
		return;
	wants = write_output(c);
	if (c->state == CONN_OPEN)
		want_write(c, wants);
}

const char *conn_describe(struct conn *c)
{
	return stream_describe(c->stream);
}
