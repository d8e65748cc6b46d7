/* Connections over socket pairs, on a loop that the test turns by hand and a clock that it moves:
 * frames and their limits, parking, gated output, slow peers, ends. What a frame says is what the
 * handler does. */
#include "net/conn.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "tests/lib/pki.h"
#include "tests/unit/capture.h"
#include "wire/jute.h"

enum { SEEN_LEN = 64 * 1024, BIG_LEN = 4096, START_MS = 1000000, MOST_TURNS = 200 };

static struct pki pki;

/* All that the handlers see. */
static struct {
	struct event_base *base;
	struct timer_wheel wheel;
	struct conn_set *set;
	struct conn_limits limits;
	char seen[SEEN_LEN]; /* "frame;" for each */
	size_t seen_len;
	unsigned frames, pings, closed, begun;
	size_t queued_at_ping; /* the most that waited to leave when one was answered */
	char reason[128];      /* of the last end */
	char failure[128];
	unsigned failures;
	bool parking, pacing;
	unsigned again; /* so often a frame is to come again */
	struct capture capture;
} w;

static void on_begun(struct conn *c, void *user)
{
	assert_ptr_equal(user, conn_user(c));
	/* Before the frames, not after them. */
	assert_int_equal(w.seen_len, w.begun == 0 ? 0 : strlen("hello;"));
	w.begun++;
}

static enum conn_next on_frame(struct conn *c, void *user, struct slice f)
{
	static const char big[BIG_LEN];
	char text[64] = "";
	long mark;
	int at;

	assert_ptr_equal(user, conn_user(c));
	memcpy(text, f.data, f.len < sizeof(text) ? f.len : sizeof(text) - 1);
	if (strncmp(text, "park", 4) == 0 && w.parking)
		return CONN_PARK;
	if (strncmp(text, "pace", 4) == 0 && w.pacing)
		return CONN_PACE;
	if (strncmp(text, "again", 5) == 0 && w.again > 0) {
		w.again--;
		return CONN_AGAIN;
	}
	w.frames++;
	if (w.seen_len + f.len < SEEN_LEN - 1 && f.len < sizeof(text))
		w.seen_len +=
			(size_t)snprintf(w.seen + w.seen_len, SEEN_LEN - w.seen_len, "%s;", text);
	if (strcmp(text, "hello") == 0)
		conn_set_established(c);
	else if (strcmp(text, "ping") == 0)
		conn_send_ahead(c, slice_of("pong"));
	else if (strncmp(text, "echo", 4) == 0 || strncmp(text, "park back", 9) == 0)
		conn_send(c, f, 0);
	else if (strcmp(text, "big") == 0)
		conn_send(c, (struct slice){ big, BIG_LEN }, 0);
	else if (sscanf(text, "mark %ld %n", &mark, &at) == 1)
		conn_send(c, (struct slice){ f.data + at, f.len - (size_t)at }, mark);
	else if (strcmp(text, "slow") == 0)
		clock_fake_advance(2);
	else if (strcmp(text, "close") == 0)
		conn_close(c, "asked to");
	else if (strcmp(text, "fail") == 0)
		conn_fail(c, "asked to fail");
	/* Whatever was done, the frame is still there. */
	assert_memory_equal(text, f.data, f.len < sizeof(text) ? f.len : sizeof(text) - 1);
	return CONN_TOOK;
}

static bool on_ping(struct conn *c, void *user, struct slice f)
{
	(void)user;
	if (!slice_is(f, "ping"))
		return false;
	w.pings++;
	if (conn_get_stats(c).queued > w.queued_at_ping)
		w.queued_at_ping = conn_get_stats(c).queued;
	conn_send_ahead(c, slice_of("pong"));
	return true;
}

/* "stmk" is a word of eight bytes here; at the ports for HTTP a line is a request. */
static enum conn_text on_text(struct conn *c, void *user, struct slice bytes)
{
	(void)user;
	assert_true(bytes.len >= 4);
	if (gate_kind_is_http(conn_peer(c)->kind)) {
		if (!memchr(bytes.data, '\n', bytes.len))
			return CONN_TEXT_PARTIAL;
	} else if (memcmp(bytes.data, "stmk", 4) == 0) {
		if (bytes.len < 8)
			return CONN_TEXT_PARTIAL;
	} else if (memcmp(bytes.data, "ruok", 4) != 0) {
		return CONN_TEXT_NONE;
	}
	conn_send_raw(c, slice_of("imok"));
	return CONN_TEXT_TAKEN;
}

static void on_closed(struct conn *c, void *user, const char *reason)
{
	assert_ptr_equal(user, conn_user(c));
	w.closed++;
	snprintf(w.reason, sizeof(w.reason), "%s", reason);
	/* To no avail, and to no harm. */
	conn_send(c, slice_of("too late"), 0);
	conn_close(c, "again");
	conn_fail(c, "again");
}

static void on_failed(struct conn *c, void *user, const char *reason)
{
	assert_ptr_equal(user, conn_user(c));
	assert_false(conn_is_closing(c));
	snprintf(w.failure, sizeof(w.failure), "%s", reason);
	w.failures++;
}

static void make_set_with(void (*begun)(struct conn *c, void *user))
{
	const struct conn_handlers handlers = {
		.begun = begun,
		.frame = on_frame,
		.ping = on_ping,
		.text = on_text,
		.failed = on_failed,
		.closed = on_closed,
	};

	w.set = conn_set_new(w.base, &w.wheel, &w.limits, &handlers);
}

static void make_set(void)
{
	make_set_with(NULL);
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	clock_fake_start(START_MS, 0);
	metrics_reset();
	w.base = event_base_new();
	timer_wheel_init(&w.wheel, START_MS);
	conn_limits_init(&w.limits);
	w.limits.max_frame = 8192;
	w.limits.max_first_frame = 64;
	w.limits.max_output = 64 * 1024;
	w.limits.max_gated = 1024;
	w.limits.max_parked_input = 2048;
	make_set();
	capture_begin(&w.capture);
	return 0;
}

static int teardown(void **state)
{
	char log[16 * 1024];

	(void)state;
	conn_set_free(w.set);
	assert_int_equal(w.wheel.armed, 0);
	event_base_free(w.base);
	clock_fake_stop();
	mem_fail_after(0);
	capture_end(&w.capture, log, sizeof(log));
	return 0;
}

static void turn(void)
{
	assert_true(event_base_loop(w.base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
	timer_wheel_run(&w.wheel, clock_update());
	conn_set_end_turn(w.set);
}

static void turns(void)
{
	for (int i = 0; i < 10; i++)
		turn();
}

static void advance(int64_t ms)
{
	clock_fake_advance(ms);
	turns();
}

static struct arrival *arrival_at(int fd, enum gate_listener_kind kind)
{
	struct arrival *a = mem_new(sizeof(*a));

	list_init(&a->link);
	a->fd = fd;
	a->kind = kind;
	a->accepted_ms = clock_now_ms();
	snprintf(a->address, sizeof(a->address), "10.0.0.7:1");
	return a;
}

/* The peer's end; ours goes to a connection. */
static int open_conn(struct conn **c, enum gate_listener_kind kind)
{
	struct conn *made;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	made = conn_open(w.set, arrival_at(fds[0], kind), NULL);
	assert_non_null(made);
	conn_set_user(made, made);
	if (c)
		*c = made;
	return fds[1];
}

static void send_bytes(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void send_frame(int fd, const char *body)
{
	uint8_t frame[256];
	size_t len = strlen(body);

	jute_put_int(frame, (int32_t)len);
	memcpy(frame + 4, body, len);
	send_bytes(fd, frame, 4 + len);
}

/* In one piece. */
static void send_many(int fd, const char *body, size_t count)
{
	size_t len = 4 + strlen(body);
	uint8_t *frames = malloc(count * len);

	for (size_t i = 0; i < count; i++) {
		jute_put_int(frames + i * len, (int32_t)len - 4);
		memcpy(frames + i * len + 4, body, len - 4);
	}
	send_bytes(fd, frames, count * len);
	free(frames);
}

static int open_established(struct conn **c)
{
	int fd = open_conn(c, GATE_PLAIN);

	send_frame(fd, "hello");
	turns();
	assert_int_equal(w.frames, 1);
	w.seen_len = 0;
	w.frames = 0;
	return fd;
}

static void assert_seen(const char *text)
{
	w.seen[w.seen_len] = '\0';
	assert_string_equal(w.seen, text);
}

/* All frames that wait at the peer, as "a;b;". */
static const char *received(int fd)
{
	static char text[SEEN_LEN];
	char bytes[SEEN_LEN / 2];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
	size_t len = 0;

	text[0] = '\0';
	for (ssize_t at = 0; at + 4 <= n;) {
		int32_t frame = jute_get_int((const uint8_t *)bytes + at);

		assert_true(frame > 0 && at + 4 + frame <= n);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s;", (int)frame,
					bytes + at + 4);
		at += 4 + frame;
	}
	return text;
}

static void assert_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static void assert_open(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Frames. */

static void test_frames_in_pieces(void **state)
{
	static const char bytes[] = "\0\0\0\5hello\0\0\0\6echo 1\0\0\0\1x\0\0\0\6echo 2";
	int fd = open_conn(NULL, GATE_PLAIN);

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		send_bytes(fd, bytes + i, 1);
		turn();
	}
	turns();
	assert_seen("hello;echo 1;x;echo 2;");
	assert_string_equal(received(fd), "echo 1;echo 2;");
	assert_int_equal(metrics_get(METRIC_packets_received), 4);
	assert_int_equal(metrics_get(METRIC_packets_sent), 2);
	close(fd);
	turns();
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "closed by the peer");
	assert_int_equal(conn_set_count(w.set), 0);
}

static void test_bad_lengths(void **state)
{
	static const struct {
		int32_t len;
		bool established;
		const char *reason;
	} cases[] = {
		{ 0, true, "frame of length 0" },
		{ -1, true, "frame of negative length -1" },
		{ 8193, true, "frame of 8193 bytes, at most 8192 are allowed" },
		{ INT32_MAX, true, "frame of 2147483647 bytes, at most 8192 are allowed" },
		{ 65, false, "frame of 65 bytes, at most 64 are allowed before the session" },
		{ 0, false, "frame of length 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd =
			cases[i].established ? open_established(NULL) : open_conn(NULL, GATE_PLAIN);
		uint8_t head[4];

		jute_put_int(head, cases[i].len);
		send_bytes(fd, head, 4);
		turns();
		assert_int_equal(w.closed, i + 1);
		assert_string_equal(w.reason, cases[i].reason);
		assert_string_equal(w.failure, cases[i].reason);
		assert_int_equal(w.failures, i + 1);
		assert_int_equal(metrics_get(METRIC_connections_failed), i + 1);
		assert_end(fd);
		close(fd);
	}
}

/* As long as is allowed, and the frames in front of a bad one are handled. */
static void test_longest_frame(void **state)
{
	static char body[8192 + 4];
	int fd = open_established(NULL);

	(void)state;
	jute_put_int((uint8_t *)body, 8192);
	memset(body + 4, 'x', 8192);
	send_frame(fd, "first");
	send_bytes(fd, body, sizeof(body));
	send_bytes(fd, "\0\0\0\0", 4);
	turns();
	assert_int_equal(w.frames, 2);
	assert_int_equal(w.closed, 1);
	close(fd);
}

static void test_one_pipeline_does_not_starve_others(void **state)
{
	struct conn *a, *b;
	int fd = open_established(&a), other;

	(void)state;
	other = open_established(&b);
	send_many(fd, "x", 1000);
	send_frame(other, "echo b");
	turn();
	assert_true(conn_get_stats(a).received < 200);
	assert_int_equal(conn_get_stats(b).received, 2);
	assert_string_equal(received(other), "echo b;");
	for (int i = 0; i < MOST_TURNS && conn_get_stats(a).received < 1001; i++)
		turn();
	assert_int_equal(conn_get_stats(a).received, 1001);
	close(fd);
	close(other);
}

/* However few they are. */
static void test_slow_frames_do_not_starve_others(void **state)
{
	struct conn *a, *b;
	int fd = open_established(&a), other;

	(void)state;
	other = open_established(&b);
	send_many(fd, "slow", 50);
	send_frame(other, "echo b");
	turn();
	assert_int_equal(conn_get_stats(a).received, 1 + 3);
	assert_string_equal(received(other), "echo b;");
	for (int i = 0; i < MOST_TURNS && conn_get_stats(a).received < 51; i++)
		turn();
	assert_int_equal(conn_get_stats(a).received, 51);
	close(fd);
	close(other);
}

/* Words. */

static void test_word(void **state)
{
	int fd = open_conn(NULL, GATE_PLAIN);
	char bytes[8];

	(void)state;
	/* As from a terminal: what stands behind it must not take the answer from the peer. */
	send_bytes(fd, "ruok\n", 5);
	turns();
	assert_int_equal(w.closed, 1);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 4);
	assert_memory_equal(bytes, "imok", 4);
	assert_end(fd);
	/* It lingers until the peer has closed too. */
	send_bytes(fd, "more", 4);
	turns();
	close(fd);
	turns();

	fd = open_conn(NULL, GATE_MONITOR);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(w.closed, 1);
		send_bytes(fd, &"ruok"[i], 1);
		turns();
	}
	assert_int_equal(w.closed, 2);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 4);
	close(fd);
	assert_int_equal(w.frames, 0);
}

/* What belongs to a word may come later, or never. */
static void test_word_in_parts(void **state)
{
	char bytes[8];
	struct conn *c;
	int fd = open_conn(&c, GATE_PLAIN);

	(void)state;
	send_bytes(fd, "stmk12", 6);
	turns();
	assert_int_equal(w.closed, 0);
	send_bytes(fd, "34", 2);
	turns();
	assert_int_equal(w.closed, 1);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 4);
	close(fd);
	fd = open_conn(NULL, GATE_PLAIN);
	send_bytes(fd, "stmk", 4);
	shutdown(fd, SHUT_WR);
	turns();
	assert_int_equal(w.closed, 2);
	assert_end(fd);
	close(fd);
	fd = open_conn(NULL, GATE_PLAIN);
	send_bytes(fd, "stmk", 4);
	turns();
	advance(w.limits.first_frame_timeout_ms);
	assert_int_equal(w.closed, 3);
	assert_string_equal(w.reason, "no session was asked for in time");
	close(fd);
	assert_int_equal(w.frames, 0);
}

/* Such a connection is no client's: it is not counted as one, holds no session's expiry up, and has
 * a deadline of its own. */
static void test_http(void **state)
{
	struct conn *c;
	char bytes[8];
	int fd;

	(void)state;
	fd = open_conn(&c, GATE_ADMIN);
	turns();
	assert_int_equal(conn_set_count(w.set), 0);
	assert_false(conn_set_has_strangers(w.set, INT64_MAX));
	send_bytes(fd, "GET ", 4);
	turns();
	assert_int_equal(w.closed, 0);
	assert_true(conn_get_stats(c).is_reading);
	send_bytes(fd, "/\n", 2);
	turns();
	assert_int_equal(w.closed, 1);
	assert_int_equal(conn_set_count(w.set), 0);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 4);
	close(fd);
	fd = open_conn(NULL, GATE_METRICS);
	send_frame(fd, "hello");
	turns();
	advance(w.limits.first_frame_timeout_ms);
	assert_int_equal(w.closed, 2);
	assert_string_equal(w.reason, "no request came in time");
	assert_int_equal(metrics_get(METRIC_sessionless_connections_expired), 1);
	assert_int_equal(w.frames, 0);
	close(fd);
}

static void test_no_word(void **state)
{
	int fd;

	(void)state;
	/* Unknown: it is no frame either. */
	fd = open_conn(NULL, GATE_PLAIN);
	send_bytes(fd, "nope", 4);
	turns();
	assert_int_equal(w.closed, 1);
	assert_non_null(strstr(w.reason, "before the session"));
	close(fd);
	/* Later it is none. */
	fd = open_established(NULL);
	send_bytes(fd, "ruok", 4);
	turns();
	assert_int_equal(w.closed, 2);
	assert_non_null(strstr(w.reason, "frame of "));
	close(fd);
	/* The monitor's port speaks nothing else. */
	w.frames = 0;
	fd = open_conn(NULL, GATE_MONITOR);
	send_frame(fd, "hello");
	turns();
	assert_int_equal(w.closed, 3);
	assert_string_equal(w.reason, "not a four-letter word at the monitor's port");
	assert_int_equal(w.frames, 0);
	close(fd);
}

/* Parking. */

static void test_parked_frames_wait_and_pings_do_not(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	w.parking = true;
	send_frame(fd, "echo 0");
	send_frame(fd, "park");
	send_frame(fd, "ping");
	send_frame(fd, "echo 1");
	send_frame(fd, "ping");
	turns();
	assert_true(conn_is_parked(c));
	assert_seen("echo 0;");
	assert_string_equal(received(fd), "echo 0;pong;pong;");
	send_frame(fd, "echo 2");
	send_frame(fd, "ping");
	turns();
	assert_string_equal(received(fd), "pong;");
	assert_int_equal(w.pings, 3);
	assert_int_equal(metrics_get(METRIC_connections_parked), 1);

	/* Still no. */
	conn_set_unpark(w.set);
	turns();
	assert_true(conn_is_parked(c));
	assert_seen("echo 0;");

	w.parking = false;
	conn_set_unpark(w.set);
	turns();
	assert_false(conn_is_parked(c));
	assert_seen("echo 0;park;echo 1;echo 2;");
	assert_string_equal(received(fd), "echo 1;echo 2;");
	assert_int_equal(w.pings, 3);
	close(fd);
}

/* What waits for its rate is not asked again with what waits for us. */
static void test_paced_frames_wait_for_their_own(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	w.pacing = true;
	send_frame(fd, "pace");
	send_frame(fd, "echo 1");
	send_frame(fd, "ping");
	turns();
	assert_true(conn_is_parked(c) && conn_waits_for_us(c));
	assert_string_equal(received(fd), "pong;");
	w.pacing = false;
	conn_set_unpark(w.set);
	turns();
	assert_true(conn_is_parked(c));
	conn_set_unpace(w.set);
	turns();
	assert_false(conn_is_parked(c));
	assert_seen("pace;echo 1;");
	assert_string_equal(received(fd), "echo 1;");
	close(fd);
}

/* Nobody has to call for what takes several turns. Pings go on, and what stands behind waits. */
static void test_a_frame_of_several_turns(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	w.again = 3;
	send_frame(fd, "again");
	send_frame(fd, "echo 1");
	send_frame(fd, "ping");
	turn();
	assert_true(conn_is_parked(c) && conn_waits_for_us(c));
	assert_true(w.again > 0);
	turns();
	assert_false(conn_is_parked(c));
	assert_int_equal(w.again, 0);
	assert_seen("again;echo 1;");
	assert_string_equal(received(fd), "pong;echo 1;");
	assert_int_equal(w.pings, 1);
	assert_int_equal(metrics_get(METRIC_connections_parked), 0);
	/* It goes while it is at work. */
	w.again = 1000;
	send_frame(fd, "again");
	turn();
	assert_true(conn_is_parked(c));
	conn_fail(c, "asked to");
	turns();
	assert_int_equal(w.closed, 1);
	close(fd);
}

/* A stranger has no heartbeat. */
static void test_stranger_parked(void **state)
{
	int fd = open_conn(NULL, GATE_PLAIN);

	(void)state;
	w.parking = true;
	send_frame(fd, "park");
	send_frame(fd, "ping");
	turns();
	assert_int_equal(w.pings, 0);
	/* Our doing: it is not late. */
	advance(w.limits.first_frame_timeout_ms + 100);
	assert_int_equal(w.closed, 0);
	w.parking = false;
	conn_set_unpark(w.set);
	turns();
	assert_seen("park;ping;");
	advance(w.limits.first_frame_timeout_ms + 100);
	assert_int_equal(w.closed, 1);
	close(fd);
}

static void test_parked_input_is_bounded(void **state)
{
	enum { FRAMES = 20000 };
	struct conn *c;
	int fd = open_established(&c), small = 4096, sent = 0;
	uint8_t frame[8 + 4];

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	jute_put_int(frame, 8);
	memcpy(frame + 4, "12345678", 8);
	w.parking = true;
	send_frame(fd, "park");
	turns();
	while (sent < FRAMES &&
	       send(fd, frame, sizeof(frame), MSG_NOSIGNAL) == (ssize_t)sizeof(frame)) {
		sent++;
		turn();
	}
	/* The kernel's buffers and ours are full. */
	assert_true(sent < FRAMES);
	assert_true(sent * sizeof(frame) >= 2000);
	w.parking = false;
	conn_set_unpark(w.set);
	for (int i = 0; i < MOST_TURNS && w.frames < (unsigned)sent + 1; i++)
		turn();
	assert_int_equal(w.frames, sent + 1);
	close(fd);
}

/* A bad frame behind a parked one is met when its turn has come: what stands in front of it
 * counts. */
static void test_bad_frame_behind_a_parked_one(void **state)
{
	int fd = open_established(NULL);

	(void)state;
	w.parking = true;
	send_frame(fd, "park");
	send_frame(fd, "a");
	send_bytes(fd, "\xff\xff\xff\xff", 4);
	send_frame(fd, "ping");
	turns();
	assert_int_equal(w.closed, 0);
	assert_int_equal(w.pings, 0);
	w.parking = false;
	conn_set_unpark(w.set);
	turns();
	assert_seen("park;a;");
	assert_int_equal(w.closed, 1);
	close(fd);
}

/* Pings behind a long frame that waits: some in a turn, none lost, and each turn's answers go in
 * front of the gated bytes together. */
static void test_many_pings_behind_a_parked_frame(void **state)
{
	enum { LONG = 8000, PINGS = 100, SENT = 2 * PINGS + 20, A_TURN = 64, GATED = 900 };
	static const char big[GATED];
	static uint8_t bytes[4 + LONG], got[4 + LONG];
	unsigned before, turns_taken = 0;
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	conn_send(c, (struct slice){ big, GATED }, 5);
	w.parking = true;
	jute_put_int(bytes, LONG);
	memset(bytes + 4, 'x', LONG);
	memcpy(bytes + 4, "park back", 10);
	send_bytes(fd, bytes, sizeof(bytes));
	send_many(fd, "ping", PINGS);
	send_frame(fd, "echo 1");
	send_many(fd, "ping", PINGS);
	/* The tail comes in pieces. */
	send_bytes(fd, "\0\0\0\6ec", 6);
	while (w.pings < 2 * PINGS && turns_taken++ < MOST_TURNS) {
		before = w.pings;
		turn();
		assert_true(w.pings - before <= A_TURN);
	}
	assert_true(turns_taken > 2 * PINGS / A_TURN);
	assert_int_equal(w.queued_at_ping, 4 + GATED);
	send_bytes(fd, "ho 2", 4);
	send_many(fd, "ping", SENT - 2 * PINGS);
	turns();
	assert_int_equal(w.pings, SENT);
	assert_true(conn_is_parked(c));
	assert_int_equal(w.frames, 0);
	/* The pongs are all there is: the gated bytes stay. */
	for (int i = 0; i < SENT; i++) {
		assert_int_equal(recv(fd, got, 8, 0), 8);
		assert_memory_equal(got, "\0\0\0\4pong", 8);
	}
	assert_open(fd);

	w.parking = false;
	conn_set_unpark(w.set);
	conn_set_release(w.set, 5);
	turns();
	assert_int_equal(w.frames, 3);
	assert_int_equal(w.pings, SENT);
	assert_int_equal(recv(fd, got, 4 + GATED, MSG_WAITALL), 4 + GATED);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_WAITALL), sizeof(got));
	assert_memory_equal(got, bytes, sizeof(got));
	assert_string_equal(received(fd), "echo 1;echo 2;");
	close(fd);
}

/* The same behind one that is held for its output. */
static void test_many_pings_behind_a_held_frame(void **state)
{
	enum { PINGS = 150, A_TURN = 64 };
	static const char big[2000];
	unsigned before, turns_taken = 0;
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	conn_send(c, (struct slice){ big, sizeof(big) }, 5);
	send_frame(fd, "echo 1");
	send_many(fd, "ping", PINGS);
	send_frame(fd, "echo 2");
	while (w.pings < PINGS && turns_taken++ < MOST_TURNS) {
		before = w.pings;
		turn();
		assert_true(w.pings - before <= A_TURN);
	}
	assert_int_equal(w.pings, PINGS);
	assert_int_equal(w.frames, 0);
	assert_true(conn_is_parked(c));
	conn_set_release(w.set, 5);
	turns();
	assert_seen("echo 1;echo 2;");
	assert_int_equal(w.pings, PINGS);
	close(fd);
}

static void test_end_of_input_while_parked(void **state)
{
	int fd = open_established(NULL);

	(void)state;
	w.parking = true;
	send_frame(fd, "park");
	send_frame(fd, "echo 1");
	shutdown(fd, SHUT_WR);
	turns();
	assert_int_equal(w.closed, 0);
	w.parking = false;
	conn_set_unpark(w.set);
	turns();
	/* What it had asked for is done and answered, then it is over. */
	assert_seen("park;echo 1;");
	assert_string_equal(received(fd), "echo 1;");
	assert_int_equal(w.closed, 1);
	assert_end(fd);
	close(fd);
}

/* Output. */

static void test_gated_output_keeps_its_order(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	conn_set_release(w.set, 4);
	assert_int_equal(conn_last_mark(c), 4);
	send_frame(fd, "mark 4 a");
	send_frame(fd, "mark 6 b");
	send_frame(fd, "echo c");
	send_frame(fd, "ping");
	send_frame(fd, "mark 5 d");
	send_frame(fd, "mark 9 e");
	turns();
	assert_string_equal(received(fd), "a;pong;");
	assert_int_equal(conn_last_mark(c), 9);
	conn_set_release(w.set, 5);
	turns();
	assert_string_equal(received(fd), "");
	conn_set_release(w.set, 6);
	send_frame(fd, "ping");
	turns();
	assert_string_equal(received(fd), "b;echo c;d;pong;");
	conn_set_release(w.set, 12);
	turns();
	assert_string_equal(received(fd), "e;");
	assert_int_equal(conn_last_mark(c), 12);
	assert_int_equal(conn_get_stats(c).queued, 0);
	close(fd);
}

/* A ping's reply may overtake what waits for the disk; nothing that was asked for later overtakes
 * it. */
static void test_ping_stays_in_front_of_what_came_behind_it(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	send_frame(fd, "echo 1");
	send_frame(fd, "ping");
	send_frame(fd, "ping");
	send_frame(fd, "echo 2");
	send_frame(fd, "ping");
	send_frame(fd, "mark 6 a");
	send_frame(fd, "ping");
	send_frame(fd, "echo 3");
	turns();
	assert_string_equal(received(fd), "echo 1;pong;pong;echo 2;pong;pong;");
	conn_set_release(w.set, 6);
	turns();
	assert_string_equal(received(fd), "a;echo 3;");
	close(fd);
}

static void test_gated_output_above_its_bound_holds_the_next_request(void **state)
{
	char frame[200];
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	memset(frame, 'x', sizeof(frame));
	frame[sizeof(frame) - 1] = '\0';
	memcpy(frame, "mark 7 ", 7);
	/* Of 197 bytes each six pass the bound of 1024. */
	for (int i = 0; i < 6; i++)
		send_frame(fd, frame);
	send_frame(fd, "ping");
	send_frame(fd, "echo 1");
	send_frame(fd, "ping");
	turns();
	assert_int_equal(w.frames, 6);
	assert_true(conn_is_parked(c));
	assert_int_equal(metrics_get(METRIC_connections_held), 1);
	assert_string_equal(received(fd), "pong;pong;");
	/* A handler's unpark is not for it. */
	conn_set_unpark(w.set);
	turns();
	assert_int_equal(w.frames, 6);
	conn_set_release(w.set, 7);
	turns();
	assert_int_equal(w.frames, 7);
	assert_false(conn_is_parked(c));
	assert_non_null(strstr(received(fd), "x;echo 1;"));
	close(fd);
}

/* Ask for more than it takes; returns how much waits. */
static size_t stuff(int fd, struct conn *c)
{
	for (int i = 0; i < 400; i++) {
		send_frame(fd, "big");
		turn();
	}
	return conn_get_stats(c).queued;
}

static void test_who_does_not_read_is_held_and_cut(void **state)
{
	struct conn *c;
	int fd = open_established(&c);
	size_t queued = stuff(fd, c);

	(void)state;
	/* It stopped short: the rest of the requests waits unread. */
	assert_true(queued > w.limits.max_output && queued <= w.limits.max_output + BIG_LEN + 4);
	assert_true(w.frames < 400);
	assert_true(conn_is_parked(c));
	advance(w.limits.output_timeout_ms - 100);
	assert_int_equal(w.closed, 0);
	advance(200);
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "the peer does not take its replies");
	assert_int_equal(metrics_get(METRIC_connections_failed), 1);
	close(fd);
}

/* It would only have more of what it does not take. */
static void test_pings_of_who_does_not_read(void **state)
{
	enum { PINGS = 1000 };
	static char bytes[8192];
	struct conn *c;
	int fd = open_established(&c);
	size_t queued = stuff(fd, c);
	unsigned frames = w.frames;

	(void)state;
	send_many(fd, "ping", PINGS);
	turns();
	assert_int_equal(w.pings, 0);
	assert_true(conn_get_stats(c).queued <= queued);
	/* More of them wait in the socket than are read ahead. */
	assert_true(conn_waits_for_us(c));
	assert_int_equal(w.frames, frames);
	for (int i = 0; i < 4000 && w.frames < 400 + PINGS; i++) {
		while (recv(fd, bytes, sizeof(bytes), 0) > 0)
			;
		turn();
	}
	assert_int_equal(w.frames, 400 + PINGS);
	assert_false(conn_waits_for_us(c));
	close(fd);
}

static void test_heard(void **state)
{
	struct conn *c;
	int fd = open_established(&c);
	int64_t heard_ms;

	(void)state;
	assert_int_equal(conn_heard_ms(c), 0);
	send_bytes(fd, "\0\0\0\6ec", 6);
	turns();
	heard_ms = clock_now_ms();
	assert_int_equal(conn_heard_ms(c), heard_ms);
	advance(1000);
	assert_int_equal(conn_heard_ms(c), heard_ms);
	send_bytes(fd, "ho 1", 4);
	turns();
	assert_string_equal(received(fd), "echo 1;");
	assert_int_equal(conn_heard_ms(c), 0);
	close(fd);
}

static void test_who_waits_for_us(void **state)
{
	struct conn *c;
	int fd = open_established(&c);
	char frame[1200];

	(void)state;
	assert_false(conn_waits_for_us(c));
	w.parking = true;
	send_frame(fd, "park");
	turns();
	assert_true(conn_waits_for_us(c));
	w.parking = false;
	conn_set_unpark(w.set);
	turns();
	assert_false(conn_waits_for_us(c));
	memset(frame, 'x', sizeof(frame));
	memcpy(frame, "mark 7 ", 7);
	frame[sizeof(frame) - 1] = 0;
	send_many(fd, frame, 1);
	send_frame(fd, "echo 1");
	turns();
	assert_int_equal(conn_set_stopped(w.set), 1);
	assert_true(conn_waits_for_us(c));
	conn_set_release(w.set, 7);
	turns();
	assert_int_equal(conn_set_stopped(w.set), 0);
	assert_false(conn_waits_for_us(c));
	close(fd);
}

/* Above the bound of all, whoever holds most goes, until it is kept; one alone may hold it all. */
static void test_bound_of_all(void **state)
{
	enum { KIB = 1024 };
	static const char big[300 * KIB];
	struct conn *c[3];
	int fd[3];

	(void)state;
	conn_set_free(w.set);
	w.limits.max_buffered = 1400 * KIB;
	w.limits.max_queued = 4096 * KIB;
	make_set();
	for (int i = 0; i < 3; i++)
		fd[i] = open_established(&c[i]);
	/* They wait for the disk. */
	for (int i = 0; i < 5; i++)
		conn_send(c[0], (struct slice){ big, sizeof(big) }, 5);
	assert_true(conn_set_buffered(w.set) > w.limits.max_buffered);
	conn_send(c[1], slice_of("small"), 5);
	assert_false(conn_is_closing(c[0]));
	conn_send(c[1], (struct slice){ big, sizeof(big) }, 5);
	assert_true(conn_is_closing(c[0]));
	assert_false(conn_is_closing(c[1]));
	assert_int_equal(metrics_get(METRIC_connections_shed), 1);
	conn_send(c[2], (struct slice){ big, sizeof(big) }, 5);
	assert_false(conn_is_closing(c[2]));
	turns();
	assert_int_equal(w.closed, 1);
	assert_in_range(conn_set_buffered(w.set), 2 * sizeof(big), w.limits.max_buffered);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	conn_set_release(w.set, 5);
	turns();
	assert_int_equal(conn_set_buffered(w.set), 0);
}

/* Long answers in text count too. */
static void test_long_texts_are_shed(void **state)
{
	enum { KIB = 1024 };
	static const char big[256 * KIB];
	struct slice text = { big, sizeof(big) };
	struct conn *c[2];
	int fd[2];

	(void)state;
	conn_set_free(w.set);
	w.limits.max_buffered = 600 * KIB;
	make_set();
	fd[0] = open_established(&c[0]);
	fd[1] = open_conn(&c[1], GATE_ADMIN);
	conn_send(c[0], text, 5);
	conn_send_raw(c[1], text);
	assert_false(conn_is_closing(c[1]));
	conn_send_raw(c[1], text);
	assert_true(conn_is_closing(c[1]));
	assert_false(conn_is_closing(c[0]));
	assert_int_equal(metrics_get(METRIC_connections_shed), 1);
	close(fd[0]);
	close(fd[1]);
}

static void test_who_reads_slowly_is_not_cut(void **state)
{
	static char bytes[8192];
	struct conn *c;
	int fd = open_established(&c);
	size_t taken = 0;
	ssize_t n;

	(void)state;
	stuff(fd, c);
	for (int s = 0; s < 30; s++) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		taken += n > 0 ? (size_t)n : 0;
		advance(1000);
	}
	assert_int_equal(w.closed, 0);
	assert_true(taken > 200 * 1024);
	/* Then all of it. */
	for (int i = 0; i < 2000 && w.frames < 400; i++) {
		taken += (n = recv(fd, bytes, sizeof(bytes), 0)) > 0 ? (size_t)n : 0;
		turn();
	}
	turns();
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		taken += (size_t)n;
		turn();
	}
	assert_int_equal(w.frames, 400);
	assert_int_equal(taken, 400 * (BIG_LEN + 4));
	close(fd);
}

static void test_hard_bound_of_output(void **state)
{
	static const char big[BIG_LEN];
	struct conn *c;
	int fd, sent = 0;

	(void)state;
	conn_set_free(w.set);
	w.limits.max_queued = 256 * 1024;
	make_set();
	fd = open_established(&c);
	/* Events come without being asked for. */
	while (!conn_is_closing(c) && sent < 1000) {
		conn_send(c, (struct slice){ big, BIG_LEN }, 5);
		sent++;
	}
	assert_true(sent > 60 && sent < 70);
	turns();
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "more output waits than a connection may hold");
	close(fd);
}

/* Ends. */

static void test_close_sends_what_waits_first(void **state)
{
	static char bytes[64 * 1024];
	struct conn *c;
	int fd = open_established(&c);
	size_t taken = 0;
	ssize_t n;

	(void)state;
	for (int i = 0; i < 200; i++)
		conn_send(c, (struct slice){ bytes, BIG_LEN }, 0);
	conn_send(c, slice_of("gated"), 8);
	conn_close(c, "asked to");
	send_frame(fd, "echo never");
	turns();
	assert_true(conn_is_closing(c));
	conn_send(c, slice_of("too late"), 0);
	conn_send_ahead(c, slice_of("too late"));
	assert_int_equal(w.closed, 0);
	for (int i = 0; i < MOST_TURNS; i++) {
		taken += (n = recv(fd, bytes, sizeof(bytes), 0)) > 0 ? (size_t)n : 0;
		turn();
	}
	assert_int_equal(taken, 200 * (BIG_LEN + 4));
	assert_int_equal(w.closed, 0);
	conn_set_release(w.set, 8);
	turns();
	assert_string_equal(received(fd), "gated;");
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "asked to");
	assert_end(fd);
	assert_seen("");
	close(fd);
	turns();
	assert_int_equal(metrics_get(METRIC_connections_failed), 0);
}

static void test_close_does_not_wait_for_ever(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	conn_send(c, slice_of("gated"), 8);
	conn_close(c, "why not");
	advance(w.limits.output_timeout_ms - 100);
	assert_int_equal(w.closed, 0);
	advance(200);
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "why not");
	assert_end(fd);
	close(fd);
}

static void test_lingering_ends(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	conn_close(c, "done");
	turns();
	assert_int_equal(w.closed, 1);
	assert_end(fd);
	send_bytes(fd, "still here", 10);
	advance(500);
	send_bytes(fd, "still here", 10);
	advance(600);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
}

static void test_close_inside_a_handler(void **state)
{
	int fd = open_established(NULL);

	(void)state;
	send_frame(fd, "echo 1");
	send_frame(fd, "close");
	send_frame(fd, "echo never");
	turns();
	assert_seen("echo 1;close;");
	assert_string_equal(received(fd), "echo 1;");
	assert_end(fd);
	assert_int_equal(w.closed, 1);
	close(fd);
}

static void test_fail_inside_a_handler(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	conn_send(c, slice_of("unsent"), 99);
	send_frame(fd, "fail");
	send_frame(fd, "echo never");
	turns();
	assert_seen("fail;");
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "asked to fail");
	close(fd);
}

/* It asked, left and did not wait for answers: what it asked for is done. */
static void test_requests_of_one_who_left(void **state)
{
	int fd = open_established(NULL);

	(void)state;
	send_many(fd, "echo", 300);
	close(fd);
	turns();
	turns();
	assert_int_equal(w.frames, 300);
	assert_int_equal(w.closed, 1);
}

static void test_first_frame_deadline(void **state)
{
	struct conn *silent, *late;
	int fds[2];

	(void)state;
	fds[0] = open_conn(&silent, GATE_PLAIN);
	fds[1] = open_conn(&late, GATE_PLAIN);
	turns();
	advance(w.limits.first_frame_timeout_ms - 100);
	assert_int_equal(w.closed, 0);
	/* It is there in time, though we look late. */
	send_frame(fds[1], "hello");
	clock_fake_advance(5000);
	timer_wheel_run(&w.wheel, clock_update());
	conn_set_end_turn(w.set);
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "no session was asked for in time");
	assert_seen("hello;");
	assert_end(fds[0]);
	advance(3600 * 1000);
	assert_int_equal(w.closed, 1);
	assert_open(fds[1]);
	close(fds[0]);
	close(fds[1]);
}

static void test_read_now(void **state)
{
	struct conn *c;
	int fd = open_established(&c);

	(void)state;
	send_many(fd, "x", 200);
	assert_true(conn_read_now(c));
	/* Many sessions may be judged in one turn: each has no more of it than any other. */
	assert_int_equal(w.frames, 64);
	assert_true(conn_waits_for_us(c));
	turns();
	assert_int_equal(w.frames, 200);
	assert_false(conn_waits_for_us(c));
	send_many(fd, "slow", 50);
	assert_true(conn_read_now(c));
	assert_int_equal(w.frames, 203);
	assert_true(conn_waits_for_us(c));
	for (int i = 0; i < MOST_TURNS && conn_waits_for_us(c); i++)
		turn();
	assert_int_equal(w.frames, 250);
	send_frame(fd, "fail");
	assert_false(conn_read_now(c));
	assert_false(conn_read_now(c));
	turns();
	assert_int_equal(w.closed, 1);
	close(fd);
}

/* A connection queued for its turn is read as well when its time is to be judged. */
static void test_read_strangers(void **state)
{
	int fds[2] = { open_conn(NULL, GATE_PLAIN), open_conn(NULL, GATE_PLAIN) };
	struct conn *busy;

	(void)state;
	/* Both wait for their first turn. */
	send_frame(fds[0], "hello");
	send_frame(fds[1], "x");
	conn_set_read_strangers(w.set);
	assert_seen("hello;x;");
	/* Once in a turn. */
	send_frame(fds[1], "y");
	conn_set_read_strangers(w.set);
	assert_seen("hello;x;");
	conn_set_end_turn(w.set);
	conn_set_read_strangers(w.set);
	assert_seen("hello;x;y;");
	close(fds[0]);
	close(fds[1]);
	turns();
	/* One that is known, and queued for the rest of what it sent. */
	w.frames = 0;
	fds[0] = open_established(&busy);
	send_many(fds[0], "x", 200);
	turn();
	assert_int_equal(w.frames, 64);
	assert_true(conn_read_now(busy));
	assert_int_equal(w.frames, 128);
	close(fds[0]);
}

static int open_since(int64_t since_ms, struct conn **c)
{
	struct arrival *a;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	a = arrival_at(fds[0], GATE_PLAIN);
	a->since_ms = since_ms;
	*c = conn_open(w.set, a, NULL);
	conn_set_user(*c, *c);
	return fds[1];
}

/* Handshakes do not end in the order in which their peers came: each stranger is asked. */
static void test_who_is_a_stranger(void **state)
{
	static const int64_t since_ms[] = { 3000, 1000, 2000 };
	struct conn *c[3];
	int fds[3];

	(void)state;
	assert_false(conn_set_has_strangers(w.set, INT64_MAX));
	for (int i = 0; i < 3; i++)
		fds[i] = open_since(since_ms[i], &c[i]);
	assert_false(conn_set_has_strangers(w.set, 1000));
	assert_true(conn_set_has_strangers(w.set, 1001));
	conn_set_established(c[1]);
	assert_false(conn_set_has_strangers(w.set, 2000));
	assert_true(conn_set_has_strangers(w.set, 2001));
	conn_fail(c[2], "test");
	assert_false(conn_set_has_strangers(w.set, 3000));
	assert_true(conn_set_has_strangers(w.set, 3001));
	conn_set_established(c[0]);
	assert_false(conn_set_has_strangers(w.set, INT64_MAX));
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* Whoever measures a turn hears of each piece of work on a connection before it begins. */
static void test_work_is_announced(void **state)
{
	struct conn *c;
	int fd;

	(void)state;
	conn_set_free(w.set);
	make_set_with(on_begun);
	/* Its first turn is of our own making. */
	fd = open_conn(&c, GATE_PLAIN);
	turn();
	assert_int_equal(w.begun, 1);
	w.begun = 0;
	send_frame(fd, "hello");
	turns();
	assert_int_equal(w.begun, 1);
	send_frame(fd, "x");
	turns();
	assert_int_equal(w.begun, 2);
	assert_seen("hello;x;");
	conn_set_free(w.set);
	make_set();
	close(fd);
}

static void count_one(struct conn *c, void *user, void *ctx)
{
	assert_ptr_equal(c, user);
	++*(int *)ctx;
	conn_close(c, "all go");
}

static void test_list_of_all(void **state)
{
	int fds[3], n = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		fds[i] = open_conn(NULL, GATE_PLAIN);
	assert_int_equal(conn_set_count(w.set), 3);
	conn_set_foreach(w.set, count_one, &n);
	assert_int_equal(n, 3);
	turns();
	assert_int_equal(conn_set_count(w.set), 0);
	n = 0;
	/* They linger, but they are nobody's any more. */
	conn_set_foreach(w.set, count_one, &n);
	assert_int_equal(n, 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_free_tells_each_once(void **state)
{
	struct conn *c[4];
	int fds[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		fds[i] = open_conn(&c[i], GATE_PLAIN);
	turns();
	conn_close(c[0], "a");
	turns();
	conn_send(c[1], slice_of("gated"), 5);
	conn_close(c[1], "b");
	conn_fail(c[2], "c");
	conn_set_free(w.set);
	assert_int_equal(w.closed, 4);
	make_set();
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

static void test_out_of_memory(void **state)
{
	struct arrival *a;
	int fds[2], fd = open_established(NULL);

	(void)state;
	mem_fail_after(1);
	send_frame(fd, "x");
	turns();
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "no memory for its input");
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	a = arrival_at(fds[0], GATE_PLAIN);
	mem_fail_after(1);
	assert_null(conn_open(w.set, a, NULL));
	assert_end(fds[1]);
	close(fds[1]);
}

/* Over TLS. */

struct tls_peer {
	SSL_CTX *client_context;
	struct tls_context *server_context;
	SSL *ssl;
	struct conn *conn;
};

static void tls_open(struct tls_peer *p, const char *with_finished)
{
	struct arrival *a;
	enum tls_rc rc;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->server_context = pki_server_context(&pki, TLS_CLIENT_AUTH_NEED);
	p->client_context = certs_client_context(&pki.client, NULL, &pki.ca);
	p->ssl = SSL_new(p->client_context);
	SSL_set_fd(p->ssl, fds[1]);
	a = arrival_at(fds[0], GATE_TLS);
	a->tls = tls_new(p->server_context, fds[0]);
	SSL_set_connect_state(p->ssl);
	SSL_set_mode(p->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	do {
		if (SSL_do_handshake(p->ssl) == 1 && with_finished) {
			assert_true(SSL_write(p->ssl, with_finished, 9) == 9);
			with_finished = NULL;
		}
		rc = tls_handshake(a->tls);
	} while (rc == TLS_WANT_READ || rc == TLS_WANT_WRITE);
	assert_int_equal(rc, TLS_OK);
	p->conn = conn_open(w.set, a, NULL);
	conn_set_user(p->conn, p->conn);
}

static void tls_close(struct tls_peer *p)
{
	close(SSL_get_fd(p->ssl));
	SSL_free(p->ssl);
	SSL_CTX_free(p->client_context);
	tls_context_unref(p->server_context);
	turns();
}

static void test_tls_frames(void **state)
{
	static char bytes[40 * 1024];
	struct tls_peer p;
	int n, taken = 0;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	/* The bytes that came with the handshake are not lost. */
	assert_seen("hello;");
	/* Many frames in one record, more than one turn takes. */
	for (int i = 0; i < 300; i++)
		memcpy(bytes + 7 * i, "\0\0\0\3big", 7);
	assert_int_equal(SSL_write(p.ssl, bytes, 7 * 300), 7 * 300);
	for (int i = 0; i < 2000 && taken < 300 * (BIG_LEN + 4); i++) {
		turn();
		n = SSL_read(p.ssl, bytes, sizeof(bytes));
		taken += n > 0 ? n : 0;
	}
	assert_int_equal(taken, 300 * (BIG_LEN + 4));
	/* In order, and the peer hears of it. */
	conn_send(p.conn, slice_of("bye"), 0);
	conn_close(p.conn, "done");
	turns();
	assert_int_equal(SSL_read(p.ssl, bytes, sizeof(bytes)), 7);
	n = SSL_read(p.ssl, bytes, sizeof(bytes));
	assert_int_equal(n, 0);
	assert_int_equal(SSL_get_error(p.ssl, n), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(w.closed, 1);
	tls_close(&p);
}

/* TLS has taken the whole record from the socket when the turn's budget ends: nobody but us
 * knows. */
static void test_tls_bytes_that_the_socket_does_not_show(void **state)
{
	enum { FRAME = 4096, RECORD = 3 * FRAME, RECORDS = 6 };
	static char bytes[RECORD];
	struct tls_peer p;
	struct conn *c;

	(void)state;
	tls_open(&p, NULL);
	c = p.conn;
	conn_set_established(c);
	for (size_t at = 0; at < sizeof(bytes); at += FRAME)
		jute_put_int((uint8_t *)bytes + at, FRAME - 4);
	/* The turn's 64 KiB end in the last record, behind its first frame. */
	for (int i = 0; i < RECORDS; i++)
		assert_int_equal(SSL_write(p.ssl, bytes, RECORD), RECORD);
	for (int i = 0; i < MOST_TURNS && w.frames < 3 * RECORDS; i++)
		turn();
	assert_int_equal(w.frames, 3 * RECORDS);
	/* A parked one as well. */
	w.parking = true;
	assert_int_equal(SSL_write(p.ssl, "\0\0\0\4park", 8), 8);
	assert_int_equal(SSL_write(p.ssl, bytes, RECORD), RECORD);
	turns();
	assert_true(conn_is_parked(c));
	w.parking = false;
	conn_set_unpark(w.set);
	for (int i = 0; i < MOST_TURNS && w.frames < 3 * RECORDS + 4; i++)
		turn();
	assert_int_equal(w.frames, 3 * RECORDS + 4);
	tls_close(&p);
	assert_int_equal(w.closed, 1);
}

static bool socket_has_more(const struct tls_peer *p)
{
	char byte;

	return recv(SSL_get_fd(p->ssl), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void read_whole(struct tls_peer *p, char *bytes, size_t len)
{
	for (size_t got = 0; got < len;) {
		int n = SSL_read(p->ssl, bytes + got, (int)(len - got));

		assert_true(n > 0);
		got += (size_t)n;
		turn();
	}
}

/* kazoo asks select() for the socket before each frame: it does not see what its TLS layer has
 * decrypted already, unless there is more behind it. */
static void test_tls_last_frame_has_a_record_of_its_own(void **state)
{
	static const size_t lens[] = { 1, 500, 16384, 40000, 4, 300, 200 };
	static char bytes[64 * 1024];
	struct tls_peer p;
	int shared = 0;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	for (size_t i = 0; i < 7; i++)
		conn_send(p.conn, (struct slice){ bytes, lens[i] }, i == 3 ? 7 : 0);
	conn_send_ahead(p.conn, slice_of("pong"));
	conn_set_release(w.set, 7);
	turns();
	for (size_t i = 0; i < 8; i++) {
		/* pong stands in front of the gated one. */
		read_whole(&p, bytes, 4 + (i < 3 ? lens[i] : i == 3 ? 4 : lens[i - 1]));
		assert_true(SSL_pending(p.ssl) == 0 || socket_has_more(&p));
		shared += SSL_pending(p.ssl) > 0;
	}
	assert_int_equal(SSL_pending(p.ssl), 0);
	/* 1 and 500; the end of 16384 and pong; the end of 40000, 4 and 300. */
	assert_int_equal(shared, 4);
	assert_int_equal(conn_get_stats(p.conn).queued, 0);
	tls_close(&p);
}

/* The frames before it share records. */
static void test_tls_frames_share_records(void **state)
{
	char bytes[8];
	struct tls_peer p;
	int shared = 0;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	for (int i = 0; i < 1000; i++)
		conn_send(p.conn, slice_of("body"), 0);
	turns();
	for (int i = 0; i < 1000; i++) {
		read_whole(&p, bytes, 8);
		shared += SSL_pending(p.ssl) > 0;
	}
	/* 999 in one, the last in another. */
	assert_int_equal(shared, 998);
	tls_close(&p);
}

static void stuff_tls(struct tls_peer *p)
{
	char requests[20 * 7];

	for (int i = 0; i < 20; i++)
		memcpy(requests + 7 * i, "\0\0\0\3big", 7);
	for (int i = 0; i < 20; i++) {
		SSL_write(p->ssl, requests, sizeof(requests));
		turns();
	}
}

static void send_much(struct conn *c)
{
	static const char big[BIG_LEN];

	for (int i = 0; i < 200; i++)
		conn_send(c, (struct slice){ big, BIG_LEN }, 0);
}

static void test_tls_who_does_not_read_is_held_and_cut(void **state)
{
	struct tls_peer p;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	stuff_tls(&p);
	assert_true(conn_is_parked(p.conn));
	/* What TLS has made of it counts, with 22 bytes a record. */
	assert_true(conn_get_stats(p.conn).queued > w.limits.max_output);
	assert_true(conn_get_stats(p.conn).queued <= w.limits.max_output + 2 * BIG_LEN);
	advance(w.limits.output_timeout_ms - 100);
	assert_int_equal(w.closed, 0);
	advance(200);
	assert_int_equal(w.closed, 1);
	assert_string_equal(w.reason, "the peer does not take its replies");
	tls_close(&p);
}

static void test_tls_who_reads_slowly_is_not_cut(void **state)
{
	static char bytes[8192];
	struct tls_peer p;
	int taken = 0, n;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	send_much(p.conn);
	turns();
	assert_true(conn_get_stats(p.conn).queued > w.limits.max_output);
	for (int s = 0; s < 40; s++) {
		for (int i = 0; i < 3; i++)
			taken += (n = SSL_read(p.ssl, bytes, sizeof(bytes))) > 0 ? n : 0;
		advance(1000);
	}
	assert_int_equal(w.closed, 0);
	assert_true(taken > 200 * 1024);
	tls_close(&p);
}

static void test_tls_close_sends_what_waits_first(void **state)
{
	static char bytes[8192];
	struct tls_peer p;
	int taken = 0, n = 0;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	send_much(p.conn);
	conn_close(p.conn, "done");
	turns();
	assert_int_equal(w.closed, 0);
	for (int i = 0; i < 2000 && taken < 200 * (BIG_LEN + 4); i++) {
		taken += (n = SSL_read(p.ssl, bytes, sizeof(bytes))) > 0 ? n : 0;
		turn();
	}
	assert_int_equal(taken, 200 * (BIG_LEN + 4));
	assert_int_equal(w.closed, 1);
	n = SSL_read(p.ssl, bytes, sizeof(bytes));
	assert_int_equal(SSL_get_error(p.ssl, n), SSL_ERROR_ZERO_RETURN);
	tls_close(&p);
}

/* A key update of TLS 1.3 is answered while our output waits for the peer. */
static void test_tls_key_update_with_full_output(void **state)
{
	static char bytes[16 * 1024];
	struct tls_peer p;
	int n, taken = 0;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	for (int i = 0; i < 100; i++)
		conn_send(p.conn, (struct slice){ bytes, BIG_LEN }, 0);
	turns();
	assert_true(conn_get_stats(p.conn).queued > 0);
	assert_int_equal(SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_write(p.ssl, "\0\0\0\6echo 1", 10), 10);
	turns();
	for (int i = 0; i < 2000 && taken < 100 * (BIG_LEN + 4) + 10; i++) {
		turn();
		n = SSL_read(p.ssl, bytes, sizeof(bytes));
		taken += n > 0 ? n : 0;
	}
	assert_int_equal(taken, 100 * (BIG_LEN + 4) + 10);
	assert_seen("hello;echo 1;");
	tls_close(&p);
}

/* Records that the peer has made in advance, all of them there at once. */
struct stored {
	BIO *bio;
	char *data;
	size_t len;
};

static void store_begin(struct tls_peer *p, struct stored *st)
{
	st->bio = BIO_new(BIO_s_mem());
	BIO_up_ref(st->bio);
	SSL_set0_wbio(p->ssl, st->bio);
}

static void store_send(struct tls_peer *p, struct stored *st)
{
	st->len = (size_t)BIO_get_mem_data(st->bio, &st->data);
	send_bytes(SSL_get_fd(p->ssl), st->data, st->len);
	BIO_free(st->bio);
}

static int unread(const struct conn *c)
{
	int len = 0;

	assert_int_equal(ioctl(conn_peer(c)->fd, FIONREAD, &len), 0);
	return len;
}

/* Turns until we have read all, in none of them more than so much. The peer throws away what it is
 * answered. */
static unsigned read_in_steps(struct tls_peer *p, int most_in_a_turn)
{
	char answers[4096];
	unsigned count = 0;

	for (int left = unread(p->conn), next; left > 0; left = next) {
		assert_true(count++ < 5000);
		turn();
		next = unread(p->conn);
		assert_true(left - next <= most_in_a_turn);
		while (recv(SSL_get_fd(p->ssl), answers, sizeof(answers), 0) > 0)
			;
	}
	return count;
}

/* A byte in a record of its own costs us as much as many bytes do. */
static void test_tls_small_records(void **state)
{
	enum { LEN = 2000, RECORD = 5 + 1 + 1 + 16, A_TURN = 128 };
	static uint8_t frame[4 + LEN];
	struct stored st;
	struct tls_peer p;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	jute_put_int(frame, LEN);
	store_begin(&p, &st);
	for (int i = 0; i < 4 + LEN; i++)
		assert_int_equal(SSL_write(p.ssl, frame + i, 1), 1);
	store_send(&p, &st);
	assert_int_equal(st.len, (4 + LEN) * RECORD);
	assert_true(read_in_steps(&p, A_TURN * RECORD) >= LEN / A_TURN);
	turns();
	assert_int_equal(w.frames, 2);
	tls_close(&p);
}

/* Key updates are worked off one by one, not for as long as the peer likes to send them. */
static void test_tls_many_key_updates(void **state)
{
	enum { UPDATES = 1000, RECORD = 5 + 5 + 1 + 16, A_TURN = 64 };
	static const int kinds[] = { SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED };
	struct stored st;
	struct tls_peer p;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	for (int k = 0; k < 2; k++) {
		store_begin(&p, &st);
		for (int i = 0; i < UPDATES; i++) {
			assert_int_equal(SSL_key_update(p.ssl, kinds[k]), 1);
			assert_int_equal(SSL_do_handshake(p.ssl), 1);
		}
		assert_int_equal(SSL_write(p.ssl, "\0\0\0\6echo 1", 10), 10);
		store_send(&p, &st);
		assert_true(st.len >= UPDATES * RECORD);
		read_in_steps(&p, A_TURN * RECORD);
		turns();
		assert_int_equal(w.frames, 2 + k);
		assert_int_equal(w.closed, 0);
	}
	tls_close(&p);
}

static void test_tls_garbage(void **state)
{
	struct tls_peer p;

	(void)state;
	tls_open(&p, "\0\0\0\5hello");
	turns();
	send_bytes(SSL_get_fd(p.ssl),
		   "\x17\x03\x03\0\x20"
		   "................................",
		   37);
	turns();
	assert_int_equal(w.closed, 1);
	assert_int_equal(metrics_get(METRIC_connections_failed), 1);
	tls_close(&p);
}

static int setup_all(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_init(&pki);
	return 0;
}

static int teardown_all(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

#define conn_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		conn_test(test_frames_in_pieces),
		conn_test(test_bad_lengths),
		conn_test(test_longest_frame),
		conn_test(test_one_pipeline_does_not_starve_others),
		conn_test(test_slow_frames_do_not_starve_others),
		conn_test(test_word),
		conn_test(test_word_in_parts),
		conn_test(test_http),
		conn_test(test_no_word),
		conn_test(test_parked_frames_wait_and_pings_do_not),
		conn_test(test_paced_frames_wait_for_their_own),
		conn_test(test_a_frame_of_several_turns),
		conn_test(test_stranger_parked),
		conn_test(test_parked_input_is_bounded),
		conn_test(test_bad_frame_behind_a_parked_one),
		conn_test(test_many_pings_behind_a_parked_frame),
		conn_test(test_many_pings_behind_a_held_frame),
		conn_test(test_end_of_input_while_parked),
		conn_test(test_gated_output_keeps_its_order),
		conn_test(test_ping_stays_in_front_of_what_came_behind_it),
		conn_test(test_gated_output_above_its_bound_holds_the_next_request),
		conn_test(test_who_does_not_read_is_held_and_cut),
		conn_test(test_pings_of_who_does_not_read),
		conn_test(test_heard),
		conn_test(test_who_waits_for_us),
		conn_test(test_bound_of_all),
		conn_test(test_long_texts_are_shed),
		conn_test(test_who_reads_slowly_is_not_cut),
		conn_test(test_hard_bound_of_output),
		conn_test(test_close_sends_what_waits_first),
		conn_test(test_close_does_not_wait_for_ever),
		conn_test(test_lingering_ends),
		conn_test(test_close_inside_a_handler),
		conn_test(test_fail_inside_a_handler),
		conn_test(test_requests_of_one_who_left),
		conn_test(test_first_frame_deadline),
		conn_test(test_read_now),
		conn_test(test_read_strangers),
		conn_test(test_who_is_a_stranger),
		conn_test(test_work_is_announced),
		conn_test(test_list_of_all),
		conn_test(test_free_tells_each_once),
		conn_test(test_out_of_memory),
		conn_test(test_tls_frames),
		conn_test(test_tls_bytes_that_the_socket_does_not_show),
		conn_test(test_tls_last_frame_has_a_record_of_its_own),
		conn_test(test_tls_frames_share_records),
		conn_test(test_tls_who_does_not_read_is_held_and_cut),
		conn_test(test_tls_who_reads_slowly_is_not_cut),
		conn_test(test_tls_close_sends_what_waits_first),
		conn_test(test_tls_key_update_with_full_output),
		conn_test(test_tls_small_records),
		conn_test(test_tls_many_key_updates),
		conn_test(test_tls_garbage),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
