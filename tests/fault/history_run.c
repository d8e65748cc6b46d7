/* Concurrent sessions against a server that may be killed and started again at any time: their
 * requests, answers and events are a history (tests/fault/history.h), which is checked when the
 * server has stopped.
 *
 * Every other connection is TLS. Arguments: port, port for TLS, CA, certificate, key, directory of
 * the log, seed, answers wanted, mutants of each kind. The directories /h0 and so on are there.
 * Prints "done" when it has its answers, waits for a line (the server has stopped), checks, and
 * exits with 0 where all is explained and each mutant found. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/fault/history.h"
#include "tools/bench/stream.h"
#include "wire/proto.h"

enum {
	DEPTH = 12, /* requests under way on a connection, at most */
	TIMEOUT_MS = 600000,
	RETRY_MS = 20,
	OUT_LIMIT = 1 << 20,
	SILENCE_MS = 90000,
	CLOSE_ONE_IN = 150, /* times that it has all its answers */
};

struct slot {
	int fd;
	struct stream *stream;
	bool is_shaken; /* hands */
	bool is_established, is_closing, has_requests;
	int64_t retry_ms;
	int64_t session, last_zxid;
	uint8_t password[PROTO_PASSWORD_LEN];
	uint32_t ops[DEPTH];
	unsigned head, count, depth;
	int32_t xid;
	struct buf in, out, frame;
	int32_t versions[HISTORY_PATHS];
};

struct run {
	uint16_t ports[2];
	struct stream_context *contexts[2]; /* plain, TLS */
	struct random random;
	struct history history;
	struct slot slots[HISTORY_SLOTS];
	size_t wanted, answered, lost, events, connections;
	int64_t heard_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void fail(const char *what)
{
	printf("%s\n", what);
	exit(1);
}

/* ---- connections ---- */

static void add_item(struct run *r, const struct slot *s, struct history_item item)
{
	item.slot = (uint8_t)(s - r->slots);
	history_add_item(&r->history, &item);
}

static void drop(struct run *r, struct slot *s)
{
	stream_free(s->stream);
	s->stream = NULL;
	s->is_shaken = false;
	close(s->fd);
	s->fd = -1;
	if (s->is_established)
		add_item(r, s, (struct history_item){ .kind = HISTORY_LOST });
	r->lost += s->count;
	if (s->is_closing)
		s->session = 0;
	s->is_established = s->is_closing = false;
	s->head = s->count = 0;
	s->retry_ms = now_ms() + RETRY_MS;
	buf_clear(&s->in);
	buf_clear(&s->out);
}

static void begin_frame(struct slot *s, struct jute_writer *w)
{
	buf_clear(&s->frame);
	jute_writer_init(w, &s->frame);
	jute_write_int(w, 0);
}

static void end_frame(struct slot *s)
{
	struct slice frame = buf_slice(&s->frame);
	uint8_t *at = s->frame.data + s->frame.head;

	jute_put_int(at, (int32_t)frame.len - 4);
	if (buf_append(&s->out, frame.data, frame.len) != 0)
		abort();
}

static void connect_slot(struct run *r, struct slot *s)
{
	size_t way = (size_t)(s - r->slots) % 2;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(r->ports[way]) };
	static const uint8_t zeros[PROTO_PASSWORD_LEN];
	const uint8_t *password = s->session != 0 ? s->password : zeros;
	struct jute_writer w;
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		fail("no socket");
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		drop(r, s);
		return;
	}
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(s->fd, F_SETFL, O_NONBLOCK);
	s->stream = stream_new(r->contexts[way], s->fd);
	if (s->stream == NULL)
		fail("no TLS");
	r->connections++;
	begin_frame(s, &w);
	jute_write_int(&w, 0);
	jute_write_long(&w, s->last_zxid);
	jute_write_int(&w, TIMEOUT_MS);
	jute_write_long(&w, s->session);
	jute_write_buffer(&w, (struct slice){ (const char *)password, PROTO_PASSWORD_LEN });
	jute_write_bool(&w, false);
	end_frame(s);
}

/* ---- requests ---- */

static uint8_t random_name(struct run *r)
{
	/* Few of them much, so that sessions meet. */
	unsigned name =
		random_below(&r->random, random_percent(&r->random, 50) ? 3 : HISTORY_NAMES);

	return (uint8_t)(random_below(&r->random, HISTORY_DIRS) * (1 + HISTORY_NAMES) + 1 + name);
}

static uint8_t random_dir(struct run *r)
{
	return (uint8_t)(random_below(&r->random, HISTORY_DIRS) * (1 + HISTORY_NAMES));
}

static void draw_op(struct run *r, const struct slot *s, struct history_op *op)
{
	uint32_t kind = random_below(&r->random, 100);

	op->path = op->other = random_name(r);
	op->version = -1;
	if (kind < 10) {
		op->type = HISTORY_CHILDREN;
		op->watch = random_percent(&r->random, 60);
		if (random_percent(&r->random, 70))
			op->path = op->other = random_dir(r);
	} else if (kind < 55) {
		op->type = kind < 42 ? HISTORY_GET : HISTORY_EXISTS;
		op->watch = random_percent(&r->random, 40);
		if (!op->watch && random_percent(&r->random, 15))
			op->path = op->other = random_dir(r);
	} else if (kind < 77) {
		op->type = HISTORY_SET;
	} else if (kind < 86) {
		op->type = kind < 82 ? HISTORY_CREATE : HISTORY_CREATE_EPHEMERAL;
	} else if (kind < 90) {
		op->type = HISTORY_CREATE_SEQUENTIAL;
		op->path = op->other = random_dir(r);
	} else if (kind < 95) {
		op->type = HISTORY_DELETE;
	} else {
		op->type = HISTORY_MULTI;
		while (op->other == op->path)
			op->other = random_name(r);
	}
	if ((op->type == HISTORY_SET || op->type == HISTORY_DELETE) &&
	    random_percent(&r->random, 30))
		op->version = s->versions[op->path];
}

static void write_set(struct jute_writer *w, unsigned at, uint64_t data, int32_t version)
{
	char path[32];

	history_path(at, path);
	jute_write_buffer(w, slice_of(path));
	jute_write_buffer(w, (struct slice){ (const char *)&data, sizeof(data) });
	jute_write_int(w, version);
}

static void write_create(struct jute_writer *w, const struct history_op *op, uint64_t data)
{
	char path[40];

	history_path(op->path, path);
	if (op->type == HISTORY_CREATE_SEQUENTIAL)
		(void)strcat(path, "/s-");
	jute_write_buffer(w, slice_of(path));
	jute_write_buffer(w, (struct slice){ (const char *)&data, sizeof(data) });
	jute_write_int(w, 1);
	proto_write_acl(w, &(struct proto_acl){ PERM_ALL, slice_of("world"), slice_of("anyone") });
	jute_write_int(w, op->type == HISTORY_CREATE ? 0
			  : op->type == HISTORY_CREATE_EPHEMERAL
				  ? CREATE_EPHEMERAL
				  : CREATE_EPHEMERAL | CREATE_SEQUENTIAL);
}

static void write_body(struct jute_writer *w, const struct history_op *op, uint64_t data)
{
	const struct proto_multi_header set = { OP_SET_DATA, false, -1 }, end = { -1, true, -1 };
	char path[32];

	history_path(op->path, path);
	switch (op->type) {
	case HISTORY_GET:
	case HISTORY_EXISTS:
	case HISTORY_CHILDREN:
		jute_write_buffer(w, slice_of(path));
		jute_write_bool(w, op->watch);
		break;
	case HISTORY_SET:
		write_set(w, op->path, data, op->version);
		break;
	case HISTORY_DELETE:
		jute_write_buffer(w, slice_of(path));
		jute_write_int(w, op->version);
		break;
	case HISTORY_MULTI:
		proto_write_multi_header(w, &set);
		write_set(w, op->path, data, -1);
		proto_write_multi_header(w, &set);
		write_set(w, op->other, data, -1);
		proto_write_multi_header(w, &end);
		break;
	default:
		write_create(w, op, data);
		break;
	}
}

static void request(struct run *r, struct slot *s)
{
	static const int32_t opcodes[] = {
		[HISTORY_GET] = OP_GET_DATA,
		[HISTORY_EXISTS] = OP_EXISTS,
		[HISTORY_SET] = OP_SET_DATA,
		[HISTORY_CREATE] = OP_CREATE,
		[HISTORY_DELETE] = OP_DELETE,
		[HISTORY_CREATE_EPHEMERAL] = OP_CREATE,
		[HISTORY_MULTI] = OP_MULTI,
		[HISTORY_CREATE_SEQUENTIAL] = OP_CREATE,
		[HISTORY_CHILDREN] = OP_GET_CHILDREN2,
	};
	struct history_op op = { .slot = (uint8_t)(s - r->slots), .session = s->session };
	struct jute_writer w;
	size_t index;

	draw_op(r, s, &op);
	index = history_add_op(&r->history, &op);
	add_item(r, s, (struct history_item){ .kind = HISTORY_CALL, .op = (uint32_t)index });
	begin_frame(s, &w);
	jute_write_int(&w, ++s->xid);
	jute_write_int(&w, opcodes[op.type]);
	write_body(&w, &op, index + 1);
	end_frame(s);
	s->ops[(s->head + s->count++) % DEPTH] = (uint32_t)index;
}

static void close_session(struct slot *s)
{
	struct jute_writer w;

	begin_frame(s, &w);
	jute_write_int(&w, ++s->xid);
	jute_write_int(&w, OP_CLOSE_SESSION);
	end_frame(s);
	s->is_closing = true;
}

/* Mostly some requests at once, then none until all are answered. */
static void go_on(struct run *r, struct slot *s)
{
	if (!s->is_established || s->is_closing || r->answered >= r->wanted)
		return;
	if (s->count == 0) {
		s->depth = 1 + random_below(&r->random, DEPTH);
		if (random_below(&r->random, CLOSE_ONE_IN) == 0) {
			close_session(s);
			return;
		}
	}
	while (s->count < s->depth)
		request(r, s);
	s->depth = 0;
}

/* ---- answers ---- */

static void take_connect(struct run *r, struct slot *s, struct jute_reader *in)
{
	struct slice password;
	int64_t session;
	int32_t timeout_ms;

	(void)jute_read_int(in);
	timeout_ms = jute_read_int(in);
	session = jute_read_long(in);
	password = jute_read_buffer(in);
	if (timeout_ms == 0 || (s->session != 0 && s->session != session))
		fail("a session is gone");
	if (in->bad || password.len != sizeof(s->password))
		fail("a malformed answer to a connect request");
	s->session = session;
	memcpy(s->password, password.data, password.len);
	s->is_established = true;
	(void)r;
}

static void take_stat(struct history_op *op, struct jute_reader *in)
{
	op->czxid = jute_read_long(in);
	op->mzxid = jute_read_long(in);
	(void)jute_read_long(in);
	(void)jute_read_long(in);
	op->shown_version = jute_read_int(in);
	op->cversion = jute_read_int(in);
	(void)jute_read_int(in);
	(void)jute_read_long(in);
	(void)jute_read_int(in);
	op->children = jute_read_int(in);
	op->pzxid = jute_read_long(in);
}

/* The error of the step that failed, if one did. */
static int32_t multi_error(struct jute_reader *in)
{
	for (;;) {
		struct proto_multi_header step = proto_read_multi_header(in);
		struct history_op ignored;
		int32_t err;

		if (in->bad)
			fail("a malformed answer to a multi");
		if (step.done)
			return ZERR_OK;
		if (step.type != -1) {
			take_stat(&ignored, in);
			continue;
		}
		err = jute_read_int(in);
		if (err != ZERR_OK)
			return err;
	}
}

/* The ten digits at the end of a sequential's path. */
static int64_t number_behind(struct slice path)
{
	char digits[11] = "";

	if (path.len < 10)
		return -1;
	memcpy(digits, path.data + path.len - 10, 10);
	return strtoll(digits, NULL, 10);
}

static uint64_t take_names(struct jute_reader *in)
{
	int32_t count = jute_read_count(in, 4);
	uint64_t names = 0;

	for (int32_t i = 0; i < count; i++) {
		struct slice name = jute_read_buffer(in);

		names += history_name(name.data, name.len);
	}
	return names;
}

static void take_body(struct slot *s, struct history_op *op, struct jute_reader *in)
{
	struct slice text;

	if (op->type == HISTORY_MULTI) {
		op->err = multi_error(in);
		return;
	}
	if (op->type == HISTORY_GET) {
		text = jute_read_buffer(in);
		if (text.len == sizeof(op->data))
			memcpy(&op->data, text.data, sizeof(op->data));
	}
	if (op->type == HISTORY_CHILDREN)
		op->names = take_names(in);
	if (op->type <= HISTORY_SET) {
		take_stat(op, in);
		s->versions[op->path] = op->shown_version;
	} else if (op->type == HISTORY_CREATE_SEQUENTIAL) {
		op->number = number_behind(jute_read_buffer(in));
	}
}

static void take_event(struct run *r, struct slot *s, int64_t zxid, struct jute_reader *in)
{
	int32_t event = jute_read_int(in);
	struct slice path;
	int index;

	(void)jute_read_int(in);
	path = jute_read_buffer(in);
	index = history_find_path(path.data, path.len);
	if (index < 0 || in->bad)
		fail("an event of a znode that is none of ours");
	add_item(r, s,
		 (struct history_item){ .kind = HISTORY_EVENT,
					.path = (uint8_t)index,
					.event = (uint8_t)event,
					.zxid = zxid });
	r->events++;
}

static void take_reply(struct run *r, struct slot *s, struct jute_reader *in)
{
	int32_t xid = jute_read_int(in);
	int64_t zxid = jute_read_long(in);
	int32_t err = jute_read_int(in);
	struct history_op *op;
	uint32_t index;

	if (xid == XID_EVENT) {
		take_event(r, s, zxid, in);
		return;
	}
	if (zxid < s->last_zxid)
		fail("the zxid of a header fell");
	s->last_zxid = zxid;
	if (s->is_closing && s->count == 0)
		return;
	if (s->count == 0 || xid != s->xid - (int32_t)s->count + 1)
		fail("an answer to nothing");
	index = s->ops[s->head];
	s->head = (s->head + 1) % DEPTH;
	s->count--;
	op = &r->history.ops[index];
	op->answered = true;
	op->err = err;
	op->zxid = zxid;
	if (err == ZERR_OK)
		take_body(s, op, in);
	add_item(r, s, (struct history_item){ .kind = HISTORY_ANSWER, .op = index });
	r->answered++;
}

static void take_frames(struct run *r, struct slot *s)
{
	while (buf_len(&s->in) >= 4) {
		size_t len = (size_t)jute_get_int(buf_head(&s->in));
		struct jute_reader in;

		if (buf_len(&s->in) < 4 + len)
			return;
		jute_reader_init(&in, (struct slice){ (const char *)buf_head(&s->in) + 4, len });
		if (s->is_established)
			take_reply(r, s, &in);
		else
			take_connect(r, s, &in);
		buf_drain(&s->in, 4 + len);
	}
}

/* Whether the connection is still there. */
static bool go_on_after(struct run *r, struct slot *s, enum stream_rc rc)
{
	if (rc != STREAM_EOF && rc != STREAM_FAIL)
		return true;
	drop(r, s);
	return false;
}

static void shake(struct run *r, struct slot *s)
{
	enum stream_rc rc = stream_handshake(s->stream);

	if (go_on_after(r, s, rc))
		s->is_shaken = rc == STREAM_OK;
}

static void receive(struct run *r, struct slot *s)
{
	enum stream_rc rc;
	size_t n;

	do {
		if (buf_reserve(&s->in, 65536) != 0)
			abort();
		rc = stream_read(s->stream, buf_tail(&s->in), 65536, &n);
		if (rc != STREAM_OK)
			break;
		buf_commit(&s->in, n);
		r->heard_ms = now_ms();
		take_frames(r, s);
	} while (stream_has_pending(s->stream));
	(void)go_on_after(r, s, rc);
}

static void transmit(struct run *r, struct slot *s)
{
	enum stream_rc rc;
	size_t n;

	if (s->fd < 0 || buf_len(&s->out) == 0)
		return;
	if (!s->is_shaken)
		shake(r, s);
	if (!s->is_shaken)
		return;
	rc = stream_write(s->stream, buf_head(&s->out), buf_len(&s->out), &n);
	if (go_on_after(r, s, rc) && rc == STREAM_OK)
		buf_drain(&s->out, n);
}

/* ---- the run ---- */

static bool is_over(const struct run *r)
{
	for (int i = 0; i < HISTORY_SLOTS; i++)
		if (r->slots[i].count > 0)
			return false;
	return r->answered >= r->wanted;
}

static void turn(struct run *r)
{
	struct pollfd polls[HISTORY_SLOTS];
	int64_t now = now_ms();

	if (now - r->heard_ms > SILENCE_MS)
		fail("the server says nothing");
	for (int i = 0; i < HISTORY_SLOTS; i++) {
		struct slot *s = &r->slots[i];

		if (s->fd < 0 && s->retry_ms <= now)
			connect_slot(r, s);
		go_on(r, s);
		transmit(r, s);
		polls[i] = (struct pollfd){ s->fd, POLLIN, 0 };
		if (s->is_shaken && buf_len(&s->out) > 0)
			polls[i].events |= POLLOUT;
	}
	(void)poll(polls, HISTORY_SLOTS, RETRY_MS);
	for (int i = 0; i < HISTORY_SLOTS; i++)
		if (r->slots[i].is_shaken && (polls[i].revents & ~POLLOUT) != 0)
			receive(r, &r->slots[i]);
}

static void run_init(struct run *r, char **argv)
{
	const struct stream_options tls = { argv[3], argv[4], argv[5], "localhost" };
	char reason[STREAM_REASON_LEN] = "";

	r->ports[0] = (uint16_t)strtoul(argv[1], NULL, 10);
	r->ports[1] = (uint16_t)strtoul(argv[2], NULL, 10);
	r->contexts[0] = stream_context_new(NULL, reason);
	r->contexts[1] = stream_context_new(&tls, reason);
	if (r->contexts[0] == NULL || r->contexts[1] == NULL)
		fail(reason);
	r->random.state = strtoull(argv[7], NULL, 10);
	r->wanted = strtoul(argv[8], NULL, 10);
	r->heard_ms = now_ms();
	for (int i = 0; i < HISTORY_SLOTS; i++) {
		struct slot *s = &r->slots[i];

		s->fd = -1;
		buf_init(&s->in, OUT_LIMIT);
		buf_init(&s->out, OUT_LIMIT);
		buf_init(&s->frame, OUT_LIMIT);
	}
}

static void run_fini(struct run *r)
{
	for (int i = 0; i < HISTORY_SLOTS; i++) {
		stream_free(r->slots[i].stream);
		if (r->slots[i].fd >= 0)
			close(r->slots[i].fd);
		buf_fini(&r->slots[i].in);
		buf_fini(&r->slots[i].out);
		buf_fini(&r->slots[i].frame);
	}
	for (int i = 0; i < 2; i++)
		stream_context_free(r->contexts[i]);
	history_fini(&r->history);
	mem_free(r);
}

static int check(struct run *r, const char *log_dir, unsigned times)
{
	char reason[HISTORY_REASON_LEN] = "";
	int mutants;

	if (history_read_log(&r->history, log_dir, reason) != 0 ||
	    history_check(&r->history, reason) != 0) {
		printf("WRONG: %s\n", reason);
		return -1;
	}
	printf("%zu answers, %zu events, %zu requests without an answer, %zu connections, %zu "
	       "changes in the log: one order explains them\n",
	       r->answered, r->events, r->lost, r->connections, r->history.row_count);
	mutants = history_check_mutants(&r->history, &r->random, times, reason);
	if (mutants < 0)
		printf("MUTANT: %s\n", reason);
	else
		printf("%d mutants of it were found\n", mutants);
	return mutants < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct run *r = mem_new(sizeof(*r));
	char line[16];
	int rc;

	if (argc != 10) {
		fprintf(stderr, "usage: %s port tls-port ca cert key log seed answers mutants\n",
			argv[0]);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	run_init(r, argv);
	while (!is_over(r))
		turn(r);
	printf("done\n");
	if (fgets(line, sizeof(line), stdin) == NULL)
		fail("nobody says that the server has stopped");
	rc = check(r, argv[6], (unsigned)strtoul(argv[9], NULL, 10));
	run_fini(r);
	return rc == 0 ? 0 : 1;
}
