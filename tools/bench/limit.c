/* zoolite-limit: what is to be had at most on this machine. A server with TLS as zoolited has it
 * and one event loop, that answers ZooKeeper's requests with replies of the right size without
 * doing anything; writes are appended to a file and answered once they are flushed, in groups.
 * Nothing is kept: not for any use but as a measure.
 *
 * Output of a connection is in three parts: what may leave, what waits for the flush under way, and
 * what waits for the next one. A read is answered in the last part that is not empty. */
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "net/tls.h"
#include "tools/bench/limit_log.h"
#include "tools/bench/limit_reply.h"

enum {
	STATUS_USAGE = 2,
	INPUT_LEN = 64 * 1024,
	FRAME_HEAD_LEN = 4,
	FRAME_LIMIT = 1024 * 1024,
	OUT_LIMIT = 64 * 1024 * 1024,
	BACKLOG = 4096,
	MOST_VALUE = 900 * 1024,
	MOST_PORT = 65535,
};

struct limit {
	struct event_base *base;
	struct tls_context *tls;
	struct limit_log *log;
	struct list conns;
	struct slice value;
	int64_t last_session;
};

struct conn {
	struct list link;
	struct limit *limit;
	struct tls *tls;
	struct event *readable, *writable;
	int fd;
	bool shaken, has_session, closing, broken;
	struct buf in, out;
	size_t free_len;     /* of out, what may leave */
	size_t flushing_len; /* behind it, what waits for the flush under way */
};

static uint8_t input[INPUT_LEN];

static no_return void give_up(const char *what, const char *why)
{
	fprintf(stderr, "zoolite-limit: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void conn_end(struct conn *c)
{
	list_remove(&c->link);
	event_free(c->readable);
	event_free(c->writable);
	tls_free(c->tls);
	close(c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	mem_free(c);
}

static void send_output(struct conn *c)
{
	enum tls_rc rc = TLS_OK;
	size_t put;

	while (rc == TLS_OK && c->free_len > 0) {
		rc = tls_write(c->tls, buf_head(&c->out), c->free_len, &put);
		if (rc == TLS_OK) {
			buf_drain(&c->out, put);
			c->free_len -= put;
		}
	}
	if (rc == TLS_WANT_WRITE)
		event_add(c->writable, NULL);
	else if (rc == TLS_FAIL || rc == TLS_EOF)
		c->broken = true;
	buf_release(&c->out);
	if (c->closing && buf_len(&c->out) == 0)
		c->broken = true;
}

static void take_request(struct conn *c, struct slice request)
{
	struct limit *l = c->limit;
	size_t before = buf_len(&c->out);
	bool waiting = before > c->free_len + c->flushing_len;
	enum limit_kind kind;

	kind = c->has_session ? limit_answer(request, l->value, &c->out)
			      : limit_answer_connect(request, ++l->last_session, &c->out);
	c->has_session = true;
	if (kind == LIMIT_BAD) {
		fprintf(stderr, "zoolite-limit: a request that it does not know\n");
		c->broken = true;
	} else if (kind == LIMIT_READ) {
		if (!waiting && c->flushing_len > 0)
			c->flushing_len += buf_len(&c->out) - before;
		else if (!waiting)
			c->free_len = buf_len(&c->out);
	} else {
		limit_log_append(l->log, request);
	}
	c->closing |= kind == LIMIT_CLOSE;
}

/* Returns the bytes taken. */
static size_t take_frames(struct conn *c, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (!c->broken && len - at >= FRAME_HEAD_LEN) {
		int32_t frame_len = jute_get_int(data + at);

		if (frame_len < 0 || frame_len > FRAME_LIMIT) {
			c->broken = true;
			break;
		}
		if (len - at - FRAME_HEAD_LEN < (size_t)frame_len)
			break;
		at += FRAME_HEAD_LEN;
		take_request(c, (struct slice){ (const char *)data + at, (size_t)frame_len });
		at += (size_t)frame_len;
	}
	return at;
}

static void take_input(struct conn *c, size_t len)
{
	if (buf_len(&c->in) == 0) {
		size_t taken = take_frames(c, input, len);

		c->broken |= buf_append(&c->in, input + taken, len - taken) != 0;
	} else if (buf_append(&c->in, input, len) != 0) {
		c->broken = true;
	} else {
		buf_drain(&c->in, take_frames(c, buf_head(&c->in), buf_len(&c->in)));
	}
	buf_release(&c->in);
}

static void read_input(struct conn *c)
{
	enum tls_rc rc;
	size_t got;

	do {
		rc = tls_read(c->tls, input, sizeof(input), &got);
		if (rc == TLS_OK)
			take_input(c, got);
	} while (rc == TLS_OK && !c->broken && tls_has_pending(c->tls));
	if (rc == TLS_WANT_WRITE)
		event_add(c->writable, NULL);
	c->broken |= rc == TLS_FAIL || rc == TLS_EOF;
}

static void shake(struct conn *c)
{
	enum tls_rc rc = tls_handshake(c->tls);

	c->shaken = rc == TLS_OK;
	if (rc == TLS_WANT_WRITE)
		event_add(c->writable, NULL);
	c->broken |= rc == TLS_FAIL || rc == TLS_EOF;
}

static void conn_ready(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	if (!c->shaken)
		shake(c);
	if (c->shaken && !c->broken && ((what & EV_READ) != 0 || tls_has_pending(c->tls)))
		read_input(c);
	if (c->shaken && !c->broken)
		send_output(c);
	if (c->broken)
		conn_end(c);
}

static void conn_begin(struct evconnlistener *listener, evutil_socket_t fd,
		       struct sockaddr *address, int len, void *arg)
{
	struct limit *l = arg;
	struct conn *c = mem_new(sizeof(*c));
	int on = 1;

	(void)listener;
	(void)address;
	(void)len;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->limit = l;
	c->fd = fd;
	c->tls = tls_new(l->tls, fd);
	c->readable = event_new(l->base, fd, EV_READ | EV_PERSIST, conn_ready, c);
	c->writable = event_new(l->base, fd, EV_WRITE, conn_ready, c);
	if (c->tls == NULL || c->readable == NULL || c->writable == NULL)
		give_up("a connection", "out of memory");
	buf_init(&c->in, FRAME_LIMIT + FRAME_HEAD_LEN + INPUT_LEN);
	buf_init(&c->out, OUT_LIMIT);
	list_append(&l->conns, &c->link);
	event_add(c->readable, NULL);
}

/* What waited for it may leave. */
static void flushed(void *owner)
{
	struct limit *l = owner;

	list_foreach_safe(at, &l->conns) {
		struct conn *c = container_of(at, struct conn, link);

		if (c->flushing_len == 0)
			continue;
		c->free_len += c->flushing_len;
		c->flushing_len = 0;
		send_output(c);
		if (c->broken)
			conn_end(c);
	}
}

static void turn_end(struct limit *l)
{
	if (!limit_log_flush(l->log))
		return;
	list_foreach(at, &l->conns) {
		struct conn *c = container_of(at, struct conn, link);

		c->flushing_len = buf_len(&c->out) - c->free_len;
	}
}

/* ---- start ---- */

struct limit_options {
	struct tls_options tls;
	const char *directory;
	unsigned value_size;
	unsigned port;
};

static no_return void usage(int status)
{
	fputs("usage: zoolite-limit --ca FILE --cert FILE --key FILE [--dir DIR]\n"
	      "                     [--value-size N] PORT\n"
	      "Answer ZooKeeper's requests on 127.0.0.1:PORT without doing anything, as a\n"
	      "measure of what a server could do at most. DIR [.] holds a file that writes are\n"
	      "appended to.\n",
	      status == EXIT_SUCCESS ? stdout : stderr);
	exit(status);
}

static unsigned number(const char *text, unsigned long most)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value > most)
		usage(STATUS_USAGE);
	return (unsigned)value;
}

static void parse(struct limit_options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "ca", required_argument, NULL, 'a' },
		{ "cert", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },
		{ "dir", required_argument, NULL, 'd' },
		{ "value-size", required_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int which;

	*o = (struct limit_options){ .directory = ".", .value_size = 128 };
	o->tls.client_auth = TLS_CLIENT_AUTH_NEED;
	while ((which = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		/* clang-format off */
		switch (which) {
		case 'a': o->tls.trust_file = optarg; break;
		case 'c': o->tls.cert_file = optarg; break;
		case 'k': o->tls.key_file = optarg; break;
		case 'd': o->directory = optarg; break;
		case 'v': o->value_size = number(optarg, MOST_VALUE); break;
		case 'h': usage(EXIT_SUCCESS);
		default: usage(STATUS_USAGE);
		}
		/* clang-format on */
	}
	if (argc - optind != 1 || !o->tls.trust_file || !o->tls.cert_file || !o->tls.key_file)
		usage(STATUS_USAGE);
	o->port = number(argv[optind], MOST_PORT);
}

static void stop(evutil_socket_t signal_number, short what, void *arg)
{
	struct limit *l = arg;

	(void)signal_number;
	(void)what;
	event_base_loopbreak(l->base);
}

static struct evconnlistener *begin_listening(struct limit *l, unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct evconnlistener *listener;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = evconnlistener_new_bind(
		l->base, conn_begin, l,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG,
		(const struct sockaddr *)&address, sizeof(address));
	if (listener == NULL)
		give_up("cannot listen", strerror(errno));
	return listener;
}

static void serve(struct limit *l, unsigned port)
{
	struct evconnlistener *listener = begin_listening(l, port);
	struct event *terminated = evsignal_new(l->base, SIGTERM, stop, l);

	if (terminated == NULL || event_add(terminated, NULL) != 0)
		give_up("signals", "out of memory");
	while (!event_base_got_break(l->base)) {
		if (event_base_loop(l->base, EVLOOP_ONCE) != 0)
			give_up("the event loop", strerror(errno));
		turn_end(l);
	}
	evconnlistener_free(listener);
	event_free(terminated);
	list_foreach_safe(at, &l->conns)
		conn_end(container_of(at, struct conn, link));
}

int main(int argc, char **argv)
{
	struct limit_options o;
	struct tls_fault fault;
	struct limit l = { 0 };
	struct rlimit files;
	char *value;

	parse(&o, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	list_init(&l.conns);
	value = mem_new(o.value_size + 1);
	l.value = (struct slice){ value, o.value_size };
	l.tls = tls_context_new(&o.tls, &fault);
	if (l.tls == NULL)
		give_up("TLS", fault.reason);
	l.base = event_base_new();
	if (l.base == NULL)
		give_up("the event loop", "cannot be made");
	l.log = limit_log_open(l.base, o.directory, flushed, &l);
	serve(&l, o.port);
	limit_log_close(l.log);
	event_base_free(l.base);
	tls_context_unref(l.tls);
	mem_free(value);
	return EXIT_SUCCESS;
}
