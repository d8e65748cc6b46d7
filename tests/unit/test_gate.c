/* Who comes through the gate, who does not and why, its limits, and what it knows of peers that
 * wait. Real sockets on loopback, clients that block; the test waits for conditions, never for a
 * time. */
#include "net/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/shaker.h"
#include "tests/lib/pki.h"
#include "tests/unit/capture.h"

enum { PATIENCE_MS = 20000, STEP_US = 500, LOG_LEN = 64 * 1024, STORM = 40 };

static struct pki pki;

/* Look again until it is so; the bound is for a machine that is busy with other things. */
#define wait_until(condition)                                                     \
	do {                                                                      \
		int64_t end_us_ = clock_exact_us() + PATIENCE_MS * INT64_C(1000); \
		while (!(condition)) {                                            \
			if (clock_exact_us() > end_us_)                           \
				fail_msg("in vain: %s", #condition);              \
			usleep(STEP_US);                                          \
		}                                                                 \
	} while (0)

struct fixture {
	struct gate *gate;
	struct tls_context *context;
	uint16_t tls_port, plain_port, monitor_port;
	bool is_on;
	struct rlimit descriptors; /* as they were */
	struct capture capture;
	char log[LOG_LEN];
};

static struct fixture fix;

static void listen_at(enum gate_listener_kind kind, struct tls_context *tls, uint16_t *port)
{
	char reason[TLS_REASON_LEN];

	if (gate_listen(fix.gate, kind, "127.0.0.1", 0, tls, port, reason) != 0)
		fail_msg("%s", reason);
	assert_true(*port != 0);
}

static struct gate_options options(void)
{
	struct gate_options o;

	gate_options_init(&o);
	o.threads = 2;
	return o;
}

static void begin(const struct gate_options *o, enum tls_client_auth auth)
{
	memset(&fix, 0, sizeof(fix));
	metrics_reset();
	fix.context = pki_server_context(&pki, auth);
	fix.gate = gate_new(o);
	listen_at(GATE_TLS, fix.context, &fix.tls_port);
	listen_at(GATE_PLAIN, NULL, &fix.plain_port);
	listen_at(GATE_MONITOR, NULL, &fix.monitor_port);
	gate_start(fix.gate);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &fix.descriptors), 0);
	capture_begin(&fix.capture);
	fix.is_on = true;
}

static void finish(void)
{
	gate_stop(fix.gate);
	capture_end(&fix.capture, fix.log, sizeof(fix.log));
	gate_free(fix.gate);
	tls_context_unref(fix.context);
	fix.is_on = false;
}

/* Of a test that failed: what was said to stderr, by the test and by the gate. */
static int clean_up(void **state)
{
	(void)state;
	if (!fix.is_on)
		return 0;
	setrlimit(RLIMIT_NOFILE, &fix.descriptors);
	gate_stop(fix.gate);
	capture_end(&fix.capture, fix.log, sizeof(fix.log));
	fix.is_on = false;
	fprintf(stderr, "%s", fix.log);
	return 0;
}

/* So far. */
static const char *log_text(void)
{
	ssize_t len = pread(fix.capture.file, fix.log, sizeof(fix.log) - 1, 0);

	fix.log[len > 0 ? len : 0] = '\0';
	return fix.log;
}

static bool was_logged(const char *text)
{
	return strstr(log_text(), text) != NULL;
}

static unsigned times_logged(const char *text)
{
	unsigned n = 0;

	for (const char *at = log_text(); (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* Clients. */

static int dial(uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

struct client {
	int fd;
	SSL *ssl;
};

/* 1.2, where a refusal is known when the handshake ends; the server does not care. */
static bool client_open(struct client *c, const struct cert *own, int version)
{
	SSL_CTX *context = certs_client_context(own, NULL, &pki.ca);
	bool good;

	SSL_CTX_set_max_proto_version(context, version);
	c->fd = dial(fix.tls_port);
	c->ssl = SSL_new(context);
	SSL_CTX_free(context);
	SSL_set_fd(c->ssl, c->fd);
	good = SSL_connect(c->ssl) == 1;
	return good;
}

static void client_close(struct client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* The peer closed: an end or a reset, within the patience. */
static void assert_closed(int fd)
{
	char bytes[256];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	assert_true(n == 0 || errno == ECONNRESET);
}

static struct arrival *take_one(void)
{
	struct list arrivals;
	struct list *link;

	wait_until(is_readable(gate_fd(fix.gate)));
	list_init(&arrivals);
	gate_take(fix.gate, &arrivals);
	link = list_take_first(&arrivals);
	assert_non_null(link);
	assert_true(list_is_empty(&arrivals));
	return container_of(link, struct arrival, link);
}

static bool has_taken_all(unsigned *count)
{
	struct list arrivals;
	struct list *link;

	list_init(&arrivals);
	gate_take(fix.gate, &arrivals);
	while ((link = list_take_first(&arrivals)) != NULL) {
		arrival_free(container_of(link, struct arrival, link));
		++*count;
	}
	return gate_connections(fix.gate) == 0;
}

/* Tests. */

static void test_a_good_client_arrives(void **state)
{
	struct gate_options o = options();
	int64_t before_ms = clock_update();
	struct arrival *a;
	struct client c;
	char byte;
	size_t n;
	int on = 0;
	socklen_t len = sizeof(on);

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	assert_true(client_open(&c, &pki.client, TLS1_3_VERSION));
	/* Sent with the end of the handshake, before anybody here has judged it. */
	assert_int_equal(SSL_write(c.ssl, "x", 1), 1);
	a = take_one();
	assert_int_equal(a->kind, GATE_TLS);
	assert_string_equal(a->identity.subject, "CN=alice");
	assert_string_equal(a->host, "127.0.0.1");
	assert_memory_equal(a->address, "127.0.0.1:", 10);
	assert_true(a->accepted_ms >= before_ms && a->accepted_ms <= clock_update());
	assert_true(a->since_ms <= a->accepted_ms);
	assert_int_equal(getsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_int_equal(on, 1);
	assert_int_equal(getsockopt(a->fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
	assert_int_equal(on, 1);
	wait_until(tls_read(a->tls, &byte, 1, &n) == TLS_OK);
	assert_int_equal(byte, 'x');
	assert_int_equal(gate_connections(fix.gate), 1);
	assert_false(is_readable(gate_fd(fix.gate)));
	arrival_free(a);
	assert_int_equal(gate_connections(fix.gate), 0);
	/* An end in order for the client. */
	assert_int_equal(SSL_read(c.ssl, &byte, 1), 0);
	assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
	client_close(&c);
	assert_int_equal(metrics_get(METRIC_connections_accepted), 1);
	assert_int_equal(metrics_get(METRIC_connections_rejected_tls), 0);
	finish();
}

static void test_plain_and_monitor_come_at_once(void **state)
{
	struct gate_options o = options();
	struct arrival *a;
	int fd;

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	fd = dial(fix.plain_port);
	a = take_one();
	assert_int_equal(a->kind, GATE_PLAIN);
	assert_null(a->tls);
	assert_null(a->identity.subject);
	arrival_free(a);
	assert_closed(fd);
	close(fd);
	fd = dial(fix.monitor_port);
	a = take_one();
	assert_int_equal(a->kind, GATE_MONITOR);
	arrival_free(a);
	close(fd);
	finish();
}

static struct networks *list_of(const char *text)
{
	char reason[NETWORKS_REASON_LEN];
	struct networks *n = networks_parse(slice_of(text), reason);

	assert_non_null(n);
	return n;
}

/* Denied and not allowed networks: closed at once, before a byte of TLS; probes are let in. */
static void test_networks(void **state)
{
	static const struct {
		const char *deny, *allow, *reason;
	} cases[] = {
		{ "127.0.0.0/8", NULL, "denied network" },
		{ "127.0.0.1", "127.0.0.0/8", "denied network" },
		{ NULL, "::1\n10.0.0.0/8", "not an allowed network" },
		{ NULL, "", "not an allowed network" },
		{ "10.0.0.0/8\n::/0", "127.0.0.0/8", "" },
		{ NULL, NULL, "" },
	};
	struct gate_options o = options();

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gate_networks networks = { 0 };
		unsigned before = gate_rules(fix.gate);
		const char *refusal;
		struct arrival *a;
		int fd;

		networks.deny = cases[i].deny ? list_of(cases[i].deny) : NULL;
		networks.allow = cases[i].allow ? list_of(cases[i].allow) : NULL;
		gate_set_networks(fix.gate, &networks);
		assert_true(gate_rules(fix.gate) > before);
		fd = dial(fix.monitor_port);
		a = take_one();
		assert_int_equal(a->rules, gate_rules(fix.gate));
		refusal = gate_refuses_address(fix.gate, &a->from);
		assert_string_equal(refusal ? refusal : "", cases[i].reason);
		arrival_free(a);
		close(fd);
		if (!refusal) {
			fd = dial(fix.plain_port);
			arrival_free(take_one());
			close(fd);
			continue;
		}
		fd = dial(fix.plain_port);
		assert_closed(fd);
		close(fd);
		fd = dial(fix.tls_port);
		assert_closed(fd);
		close(fd);
		assert_int_equal(metrics_get(METRIC_connections_denied), 2 * (i + 1));
	}
	assert_int_equal(metrics_get(METRIC_connections_refused), 0);
	assert_int_equal(metrics_get(METRIC_connections_rejected_tls), 0);
	finish();
}

static int dial_and_send(uint16_t port, const char *bytes, size_t len)
{
	int fd = dial(port);

	assert_int_equal(send(fd, bytes, len, 0), len);
	return fd;
}

/* Who comes is whom the header names; until then it is nobody, at any limit of an address; and the
 * gate stops with headers under way. */
static void test_balancers(void **state)
{
	static const char head[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
				   "\xc0\0\2\7\xc6\x33\x64\1\x9c\xa8\x08\x4d";
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	enum { LEN = sizeof(head) - 1, LOCAL_LEN = sizeof(local) - 1, HALF = 20, WAITING = 4 };
	struct gate_options o = options();
	struct gate_networks networks = { 0 };
	struct arrival *client, *balancer;
	int fds[WAITING], fd, other;
	unsigned rules;

	(void)state;
	o.max_per_address = 1;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	networks.balancers = list_of("127.0.0.1");
	gate_set_networks(fix.gate, &networks);
	for (int i = 0; i < WAITING; i++)
		fds[i] = dial_and_send(i % 2 ? fix.plain_port : fix.tls_port, head, HALF);
	fd = dial_and_send(fix.plain_port, head, HALF);
	wait_until(gate_connections(fix.gate) == WAITING + 1 &&
		   gate_handshakes(fix.gate) == WAITING + 1);
	rules = gate_rules(fix.gate);
	/* One that is off again knows of no balancers; who has begun as one goes on. */
	networks.balancers = NULL;
	gate_set_networks(fix.gate, &networks);
	assert_int_equal(send(fd, head + HALF, LEN - HALF, 0), LEN - HALF);
	client = take_one();
	assert_string_equal(client->address, "192.0.2.7:40104");
	assert_string_equal(client->host, "192.0.2.7");
	assert_int_equal(client->rules, rules);
	networks.balancers = list_of("127.0.0.1");
	gate_set_networks(fix.gate, &networks);
	other = dial_and_send(fix.plain_port, head, LEN);
	assert_closed(other);
	close(other);
	assert_int_equal(metrics_get(METRIC_connections_refused), 1);
	other = dial_and_send(fix.plain_port, local, LOCAL_LEN);
	balancer = take_one();
	assert_string_equal(balancer->host, "127.0.0.1");
	assert_int_equal(gate_connections(fix.gate), WAITING + 2);
	arrival_free(client);
	arrival_free(balancer);
	close(fd);
	close(other);
	finish();
	for (int i = 0; i < WAITING; i++)
		close(fds[i]);
}

static void test_bad_clients_are_refused_and_the_log_says_why(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct {
		const struct cert *own;
		const char *reason;
	} cases[] = {
		{ NULL, "reason=\"no certificate\"" },
		{ &pki.expired, "reason=\"certificate has expired (CN=old)\"" },
		{ &pki.foreign, "reason=\"unable to get local issuer certificate (CN=alice)\"" },
		{ &pki.weak, "reason=\"EE certificate key too weak (CN=weak)\"" },
	};
	struct gate_options o = options();
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t v = 0; v < 2; v++) {
			struct client c;

			begin(&o, TLS_CLIENT_AUTH_NEED);
			client_open(&c, cases[i].own, versions[v]);
			assert_closed(c.fd);
			client_close(&c);
			wait_until(gate_connections(fix.gate) == 0 &&
				   was_logged("event=gate.refused peer=127.0.0.1:"));
			if (!was_logged(cases[i].reason))
				fail_msg("%s: not in %s", cases[i].reason, fix.log);
			assert_int_equal(metrics_get(METRIC_connections_rejected_tls), 1);
			assert_false(is_readable(gate_fd(fix.gate)));
			refused++;
			finish();
		}
	}
	assert_int_equal(refused, 8);
}

/* What it sent behind its handshake is never read. */
static void test_who_has_none_of_the_names_is_refused(void **state)
{
	struct gate_options o = options();
	struct client c;

	(void)state;
	assert_int_equal(names_chain_parse(&o.names, "email"), 0);
	begin(&o, TLS_CLIENT_AUTH_NEED);
	assert_true(client_open(&c, &pki.client, TLS1_3_VERSION));
	assert_int_equal(SSL_write(c.ssl, "x", 1), 1);
	assert_closed(c.fd);
	client_close(&c);
	wait_until(gate_connections(fix.gate) == 0 &&
		   was_logged("reason=\"the certificate has no name that zoolite.identity"));
	assert_int_equal(metrics_get(METRIC_identities_rejected), 1);
	assert_false(is_readable(gate_fd(fix.gate)));
	finish();
}

static void test_no_tls_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *reason;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 18, "not a TLS peer (http request)" },
		{ "\0\0\0\x2d\0\0\0\0\0\0\0\0\0\0\0\0", 16, "not a TLS peer (plain text)" },
	};
	struct gate_options o = options();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd;

		begin(&o, TLS_CLIENT_AUTH_NEED);
		fd = dial(fix.tls_port);
		assert_int_equal(write(fd, cases[i].bytes, cases[i].len), cases[i].len);
		assert_closed(fd);
		close(fd);
		wait_until(was_logged(cases[i].reason));
		finish();
	}
}

static void test_old_tls_is_refused(void **state)
{
	struct gate_options o = options();
	SSL_CTX *context = certs_client_context(&pki.client, NULL, &pki.ca);
	SSL *ssl;
	int fd;

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
	fd = dial(fix.tls_port);
	ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	assert_int_not_equal(SSL_connect(ssl), 1);
	wait_until(was_logged("no TLS version in common"));
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
	finish();
}

static void test_handshake_deadline(void **state)
{
	struct gate_options o = options();
	int silent, dribbling;
	int64_t began_ms;

	(void)state;
	o.handshake_timeout_ms = 150;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	began_ms = clock_update();
	silent = dial(fix.tls_port);
	assert_closed(silent);
	assert_true(clock_update() - began_ms >= 150);
	close(silent);
	wait_until(was_logged("reason=\"handshake timed out\""));
	assert_int_equal(metrics_get(METRIC_handshakes_expired), 1);

	/* A byte now and then puts nothing off: a record of 16 KiB, one by one, is never sent to
	 * its end. */
	dribbling = dial(fix.tls_port);
	assert_int_equal(write(dribbling, "\x16\x03\x01\x40\x00", 5), 5);
	wait_until(send(dribbling, "\x01", 1, MSG_NOSIGNAL) != 1);
	close(dribbling);
	wait_until(metrics_get(METRIC_handshakes_expired) == 2);
	wait_until(gate_connections(fix.gate) == 0);
	finish();
}

static void test_limit_per_address(void **state)
{
	struct gate_options o = options();
	struct arrival *first, *second, *monitor;
	int fds[3], monitor_fd;

	(void)state;
	o.max_per_address = 2;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	fds[0] = dial(fix.plain_port);
	first = take_one();
	fds[1] = dial(fix.plain_port);
	second = take_one();
	fds[2] = dial(fix.plain_port);
	assert_closed(fds[2]);
	wait_until(was_logged("reason=\"too many connections from address\""));
	assert_int_equal(metrics_get(METRIC_connections_refused), 1);
	/* Probes come from one address by nature. */
	monitor_fd = dial(fix.monitor_port);
	monitor = take_one();
	arrival_free(monitor);
	close(monitor_fd);

	/* A handshake counts as well. */
	arrival_free(second);
	close(fds[1]);
	close(fds[2]);
	fds[1] = dial(fix.tls_port);
	wait_until(gate_connections(fix.gate) == 2);
	fds[2] = dial(fix.plain_port);
	assert_closed(fds[2]);
	close(fds[2]);

	/* Room again. */
	arrival_free(first);
	fds[2] = dial(fix.plain_port);
	arrival_free(take_one());
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	wait_until(gate_connections(fix.gate) == 0);
	finish();
}

static void test_limit_of_all(void **state)
{
	struct gate_options o = options();
	struct arrival *a;
	int first, second;

	(void)state;
	o.max_connections = 1;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	first = dial(fix.plain_port);
	a = take_one();
	second = dial(fix.tls_port);
	assert_closed(second);
	wait_until(was_logged("reason=\"too many connections\""));
	arrival_free(a);
	close(first);
	close(second);
	finish();
}

/* Somebody may look at a full house; but they are no crowd either. */
static void test_monitors_of_a_full_house(void **state)
{
	enum { PLACES = 16 };
	struct gate_options o = options();
	struct arrival *a, *monitors[PLACES];
	int first, fds[PLACES], other;

	(void)state;
	o.max_connections = 1;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	first = dial(fix.plain_port);
	a = take_one();
	for (int i = 0; i < PLACES; i++) {
		fds[i] = dial(fix.monitor_port);
		monitors[i] = take_one();
		assert_int_equal(monitors[i]->kind, GATE_MONITOR);
	}
	other = dial(fix.monitor_port);
	assert_closed(other);
	assert_int_equal(metrics_get(METRIC_connections_refused), 1);
	for (int i = 0; i < PLACES; i++) {
		arrival_free(monitors[i]);
		close(fds[i]);
	}
	arrival_free(a);
	close(first);
	close(other);
	finish();
}

/* More handshakes than may be under way wait in the backlog, and come when there is room. */
static void test_limit_of_handshakes(void **state)
{
	struct gate_options o = options();
	struct arrival *a;
	struct client c;
	int stuck, plain;

	(void)state;
	o.max_handshakes = 1;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	stuck = dial(fix.tls_port);
	wait_until(gate_connections(fix.gate) == 1);
	c.fd = dial(fix.tls_port);
	/* The other doors are open. */
	plain = dial(fix.plain_port);
	a = take_one();
	assert_int_equal(a->kind, GATE_PLAIN);
	assert_int_equal(gate_connections(fix.gate), 2);
	arrival_free(a);
	close(plain);
	assert_int_equal(gate_connections(fix.gate), 1);

	close(stuck);
	close(c.fd);
	assert_true(client_open(&c, &pki.client, TLS1_3_VERSION));
	arrival_free(take_one());
	client_close(&c);
	wait_until(gate_connections(fix.gate) == 0);
	finish();
}

/* Promise 9. */

static void test_nobody_waits_at_an_idle_gate(void **state)
{
	struct gate_options o = options();
	int64_t now_ms;

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	now_ms = clock_update();
	/* It may not know at first, but it looks when it is asked. */
	wait_until(!gate_has_waiting(fix.gate, now_ms));
	/* It stays known. */
	assert_false(gate_has_waiting(fix.gate, now_ms));
	assert_false(gate_has_shaking(fix.gate, now_ms));
	/* Of the future it knows nothing. */
	assert_true(gate_has_waiting(fix.gate, now_ms + 3600 * 1000));
	finish();
}

static void test_who_is_not_taken_waits(void **state)
{
	struct gate_options o = options();
	int64_t deadline_ms;
	unsigned taken = 0;
	int fd;

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	wait_until(!gate_has_waiting(fix.gate, clock_update()));
	fd = dial(fix.plain_port);
	deadline_ms = clock_update() + 1;
	wait_until(is_readable(gate_fd(fix.gate)));
	wait_until(clock_update() > deadline_ms + 2);
	for (int i = 0; i < 20; i++) {
		assert_true(gate_has_waiting(fix.gate, deadline_ms));
		usleep(STEP_US);
	}
	has_taken_all(&taken);
	assert_int_equal(taken, 1);
	wait_until(!gate_has_waiting(fix.gate, deadline_ms));
	close(fd);
	finish();
}

/* Connected, and owes us the first byte: that is not waiting for us, but it is known. */
static void test_who_owes_us_bytes_does_not_wait(void **state)
{
	struct gate_options o = options();
	int64_t deadline_ms;
	int fd;

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	deadline_ms = clock_update();
	wait_until(!gate_has_waiting(fix.gate, deadline_ms));
	fd = dial(fix.tls_port);
	wait_until(gate_connections(fix.gate) == 1);
	/* It came later. */
	assert_false(gate_has_shaking(fix.gate, deadline_ms));
	/* Looked at once, it has to be looked at again for a later deadline. */
	for (int i = 0; i < 3; i++) {
		deadline_ms = clock_update() + 1;
		wait_until(clock_update() > deadline_ms);
		wait_until(!gate_has_waiting(fix.gate, deadline_ms));
	}
	assert_true(gate_has_shaking(fix.gate, deadline_ms));
	assert_false(gate_has_waiting(fix.gate, deadline_ms));
	close(fd);
	wait_until(!gate_has_shaking(fix.gate, deadline_ms));
	finish();
}

/* When this returns, the accepting thread has done all that it was asked for before: the second
 * peer is accepted in a turn of its loop behind the first one's. */
static void let_gate_look(void)
{
	for (int i = 0; i < 2; i++) {
		int fd = dial(fix.plain_port);

		arrival_free(take_one());
		close(fd);
	}
	metrics_reset();
}

/* A line that never ends behind the deadline's last peer must not hold anything up for ever. */
static void test_line_in_the_backlog(void **state)
{
	struct gate_options o = options();
	struct client c = { 0 };
	SSL_CTX *context = certs_client_context(&pki.client, NULL, &pki.ca);
	int stuck[4];
	int64_t deadline_ms;

	(void)state;
	o.max_handshakes = 1;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	stuck[0] = dial(fix.tls_port);
	wait_until(gate_connections(fix.gate) == 1);
	/* Ours connects before the deadline, behind another one, and cannot be accepted. */
	stuck[1] = dial(fix.tls_port);
	c.fd = dial(fix.tls_port);
	/* A little later, for the kernel may put them in line after connect has returned. */
	deadline_ms = clock_update() + 20;
	wait_until(clock_update() > deadline_ms);
	for (int i = 0; i < 40; i++) {
		assert_true(gate_has_waiting(fix.gate, deadline_ms));
		usleep(STEP_US);
	}
	let_gate_look();
	/* Two more behind it, who will fill the gate up again. */
	stuck[2] = dial(fix.tls_port);
	stuck[3] = dial(fix.tls_port);
	close(stuck[0]);
	wait_until(metrics_get(METRIC_connections_accepted) == 1);
	for (int i = 0; i < 40; i++) {
		assert_true(gate_has_waiting(fix.gate, deadline_ms));
		usleep(STEP_US);
	}
	close(stuck[1]);
	/* Ours is in its handshake, and owes us its first byte. */
	wait_until(!gate_has_waiting(fix.gate, deadline_ms));
	assert_int_equal(metrics_get(METRIC_connections_accepted), 2);
	c.ssl = SSL_new(context);
	SSL_set_fd(c.ssl, c.fd);
	assert_int_equal(SSL_connect(c.ssl), 1);
	wait_until(is_readable(gate_fd(fix.gate)));
	assert_true(gate_has_waiting(fix.gate, deadline_ms));
	arrival_free(take_one());
	wait_until(gate_connections(fix.gate) == 1);
	/* One is stuck in its handshake and one stands in line; neither was there before. */
	wait_until(!gate_has_waiting(fix.gate, deadline_ms));
	close(stuck[2]);
	close(stuck[3]);
	client_close(&c);
	SSL_CTX_free(context);
	finish();
}

/* The only thread of a shaker is kept busy by its first peer while the second one waits for it. */

static struct {
	sem_t began, go_on;
	_Atomic unsigned passed, refused, ended;
} busy;

static void busy_passed(void *user, struct arrival *a)
{
	(void)user;
	arrival_free(a);
	busy.passed++;
}

static void busy_refused(void *user, struct arrival *a, const char *reason, bool expired)
{
	(void)user;
	(void)reason;
	(void)expired;
	arrival_free(a);
	busy.refused++;
	sem_post(&busy.began);
	sem_wait(&busy.go_on);
}

static void busy_ended(void *user)
{
	(void)user;
	busy.ended++;
}

/* So many refusals do not keep the thread. */
static struct shaker *busy_begin(unsigned go_on)
{
	static const struct shaker_handlers handlers = { .passed = busy_passed,
							 .refused = busy_refused,
							 .ended = busy_ended };
	struct shaker *s = shaker_new(1, PATIENCE_MS, &handlers, NULL);

	assert_non_null(s);
	memset(&busy, 0, sizeof(busy));
	sem_init(&busy.began, 0, 0);
	sem_init(&busy.go_on, 0, go_on);
	return s;
}

/* After the shaker. */
static void busy_end(struct tls_context *context)
{
	tls_context_unref(context);
	sem_destroy(&busy.began);
	sem_destroy(&busy.go_on);
}

static int add_handshake(struct shaker *s, struct tls_context *context)
{
	struct arrival *a = mem_new(sizeof(*a));
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	list_init(&a->link);
	a->fd = fds[0];
	a->tls = tls_new(context, fds[0]);
	a->accepted_ms = clock_update();
	shaker_add(s, a);
	return fds[1];
}

static void test_who_waits_for_a_busy_thread(void **state)
{
	struct tls_context *context = pki_server_context(&pki, TLS_CLIENT_AUTH_NEED);
	struct shaker *s = busy_begin(0);
	int64_t deadline_ms;
	int first, second;

	(void)state;
	first = add_handshake(s, context);
	second = add_handshake(s, context);
	deadline_ms = clock_update();
	wait_until(!shaker_has_waiting(s, deadline_ms));
	assert_true(shaker_has_any(s, deadline_ms));
	close(first);
	sem_wait(&busy.began);
	deadline_ms = clock_update() + 1;
	wait_until(clock_update() > deadline_ms);
	for (int i = 0; i < 20; i++) {
		assert_true(shaker_has_waiting(s, deadline_ms));
		usleep(STEP_US);
	}
	sem_post(&busy.go_on);
	wait_until(!shaker_has_waiting(s, deadline_ms));
	assert_int_equal(shaker_count(s), 1);
	wait_until(busy.ended == 1);
	assert_int_equal(busy.refused, 1);
	close(second);
	sem_post(&busy.go_on);
	wait_until(shaker_count(s) == 0);
	assert_false(shaker_has_any(s, INT64_MAX));
	shaker_free(s);
	assert_int_equal(busy.passed, 0);
	busy_end(context);
}

/* Room is made of those that have owed us bytes for long, the oldest first, and no more of them
 * than asked. */
static void test_room_is_made_of_the_silent(void **state)
{
	struct tls_context *context = pki_server_context(&pki, TLS_CLIENT_AUTH_NEED);
	struct shaker *s = busy_begin(2);
	int fds[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		fds[i] = add_handshake(s, context);
	wait_until(!shaker_has_waiting(s, clock_update()));
	usleep(5000);
	/* They have been silent, but not for an hour. */
	shaker_make_room(s, 3600 * 1000, 1, 4);
	wait_until(!shaker_has_waiting(s, clock_update()));
	assert_int_equal(shaker_count(s), 4);
	usleep(5000);
	shaker_make_room(s, 1, 3600 * 1000, 2);
	wait_until(busy.ended == 2);
	assert_closed(fds[0]);
	assert_closed(fds[1]);
	wait_until(!shaker_has_waiting(s, clock_update()));
	assert_int_equal(busy.refused, 2);
	assert_int_equal(shaker_count(s), 2);
	assert_false(is_readable(fds[2]) || is_readable(fds[3]));
	shaker_free(s);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	busy_end(context);
}

/* Who has begun to speak has more patience than who says nothing. */
static void test_room_is_not_made_of_who_has_begun(void **state)
{
	struct tls_context *context = pki_server_context(&pki, TLS_CLIENT_AUTH_NEED);
	SSL_CTX *client_context = certs_client_context(&pki.client, NULL, &pki.ca);
	SSL *client = SSL_new(client_context);
	struct shaker *s = busy_begin(2);
	BIO *hello = BIO_new(BIO_s_mem());
	char *bytes;
	long len;
	int begun;

	(void)state;
	begun = add_handshake(s, context);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), hello);
	assert_int_equal(SSL_connect(client), -1);
	len = BIO_get_mem_data(hello, &bytes);
	assert_int_equal(write(begun, bytes, (size_t)len), len);
	wait_until(is_readable(begun));
	wait_until(!shaker_has_waiting(s, clock_update()));
	usleep(5000);
	shaker_make_room(s, 1, 3600 * 1000, 2);
	wait_until(!shaker_has_waiting(s, clock_update()));
	assert_int_equal(shaker_count(s), 1);
	usleep(5000);
	shaker_make_room(s, 3600 * 1000, 1, 2);
	wait_until(busy.ended == 1);
	assert_int_equal(busy.refused, 1);
	shaker_free(s);
	SSL_free(client);
	SSL_CTX_free(client_context);
	close(begun);
	busy_end(context);
}

/* Its bytes have been there for long, but the thread was busy: the peer is not to blame. */
static void test_room_is_not_made_of_who_waits_for_us(void **state)
{
	struct tls_context *context = pki_server_context(&pki, TLS_CLIENT_AUTH_NEED);
	SSL_CTX *client_context = certs_client_context(&pki.client, NULL, &pki.ca);
	SSL *client = SSL_new(client_context);
	struct shaker *s = busy_begin(0);
	int first, second;

	(void)state;
	first = add_handshake(s, context);
	second = add_handshake(s, context);
	wait_until(!shaker_has_waiting(s, clock_update()));
	close(first);
	sem_wait(&busy.began);
	SSL_set_fd(client, second);
	assert_int_equal(SSL_connect(client), -1);
	usleep(5000);
	shaker_make_room(s, 1, 1, 2);
	sem_post(&busy.go_on);
	wait_until(SSL_connect(client) == 1);
	wait_until(busy.passed == 1);
	assert_int_equal(busy.refused, 1);
	shaker_free(s);
	SSL_free(client);
	SSL_CTX_free(client_context);
	close(second);
	busy_end(context);
}

static _Atomic unsigned told_expired;

static void count_expired(void *ctx, const char *address, const char *reason)
{
	(void)ctx;
	if (strncmp(address, "127.0.0.1:", 10) == 0 && strcmp(reason, "handshake timed out") == 0)
		told_expired++;
}

/* Silent peers in all places: others come in all the same, soon, and it is told who went. */
static void test_silent_peers_in_all_places(void **state)
{
	struct gate_options o = options();
	int64_t began_ms = clock_update();
	struct client c;
	int silent[4];

	(void)state;
	o.max_handshakes = 4;
	o.refused = count_expired;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	for (int i = 0; i < 4; i++)
		silent[i] = dial(fix.tls_port);
	wait_until(gate_connections(fix.gate) == 4);
	assert_true(client_open(&c, &pki.client, TLS1_3_VERSION));
	assert_true(clock_update() - began_ms < 5000);
	arrival_free(take_one());
	/* No more of them than had to. */
	wait_until(told_expired > 0);
	wait_until(metrics_get(METRIC_handshakes_expired) == told_expired);
	assert_in_range(metrics_get(METRIC_handshakes_expired), 1, 2);
	client_close(&c);
	for (int i = 0; i < 4; i++)
		close(silent[i]);
	wait_until(gate_connections(fix.gate) == 0);
	finish();
}

static void test_new_certificate_for_new_connections(void **state)
{
	struct gate_options o = options();
	struct cert renewed;
	struct tls_options t = { .client_auth = TLS_CLIENT_AUTH_NEED, .trust_file = pki.ca_file };
	struct cert_request request = { .cn = "renewed", .issuer = &pki.ca };
	struct arrival *first, *second;
	struct tls_fault fault;
	struct client a, b;
	char *cert, *key, byte;
	struct tls_context *context;
	size_t n;

	(void)state;
	cert_make(&renewed, &request);
	cert = certs_write_chain(pki.dir, "renewed.pem", &renewed, NULL);
	key = certs_write_key(pki.dir, "renewed.key", &renewed, NULL);
	t.cert_file = cert;
	t.key_file = key;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	assert_true(client_open(&a, &pki.client, TLS1_3_VERSION));
	first = take_one();
	context = tls_context_new(&t, &fault);
	assert_non_null(context);
	gate_set_tls(fix.gate, context);
	tls_context_unref(context);
	assert_true(client_open(&b, &pki.client, TLS1_3_VERSION));
	second = take_one();
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(a.ssl), pki.server.x509), 0);
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(b.ssl), renewed.x509), 0);
	/* The old connection goes on. */
	assert_int_equal(tls_write(first->tls, "x", 1, &n), TLS_OK);
	assert_int_equal(SSL_read(a.ssl, &byte, 1), 1);
	arrival_free(first);
	arrival_free(second);
	client_close(&a);
	client_close(&b);
	finish();
	cert_fini(&renewed);
	free(cert);
	free(key);
}

/* No descriptors left: it waits, says so once, and goes on when there are some. */
static void test_out_of_descriptors(void **state)
{
	struct gate_options o = options();
	struct rlimit few;
	int fds[256];
	int count = 0;
	unsigned taken = 0;
	int64_t began_ms;
	int peer;

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	few = fix.descriptors;
	few.rlim_cur = 200;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < 256 && (fds[count] = dup(fix.capture.file)) >= 0)
		count++;
	assert_true(count > 0 && count < 256);
	close(fds[--count]);
	peer = dial(fix.plain_port);
	wait_until(was_logged("event=gate.starved"));
	/* It tries again ten times a second, silently, and does not spin. */
	began_ms = clock_update();
	wait_until(clock_update() - began_ms > 350);
	assert_true(gate_has_waiting(fix.gate, clock_update()));
	while (count > 0)
		close(fds[--count]);
	wait_until(is_readable(gate_fd(fix.gate)));
	wait_until(was_logged("event=gate.recovered"));
	assert_int_equal(times_logged("gate.starved"), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &fix.descriptors), 0);
	has_taken_all(&taken);
	assert_int_equal(taken, 1);
	close(peer);
	finish();
}

static void test_listening_fails_with_a_reason(void **state)
{
	struct gate_options o = options();
	char reason[TLS_REASON_LEN] = "";
	uint16_t port;

	(void)state;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	struct gate *other = gate_new(&o);
	assert_int_equal(
		gate_listen(other, GATE_PLAIN, "127.0.0.1", fix.plain_port, NULL, &port, reason),
		-1);
	assert_non_null(strstr(reason, "Address already in use"));
	assert_non_null(strstr(reason, "127.0.0.1 port"));
	assert_int_equal(gate_listen(other, GATE_PLAIN, "192.0.2.1", 0, NULL, &port, reason), -1);
	assert_non_null(strstr(reason, "192.0.2.1 port 0: "));
	/* All addresses; an IPv4 peer is an IPv4 peer. */
	assert_int_equal(gate_listen(other, GATE_PLAIN, NULL, 0, NULL, &port, reason), 0);
	gate_start(other);
	int fd = dial(port);
	struct list arrivals;
	wait_until(is_readable(gate_fd(other)));
	list_init(&arrivals);
	gate_take(other, &arrivals);
	struct arrival *a = container_of(arrivals.next, struct arrival, link);
	assert_string_equal(a->host, "127.0.0.1");
	list_remove(&a->link);
	arrival_free(a);
	close(fd);
	gate_free(other);
	finish();
}

/* Many at once, good and bad, and a stop in the middle of handshakes and with peers not taken. */
static void test_storm_and_stop(void **state)
{
	struct gate_options o = options();
	struct client clients[STORM];
	int strangers[STORM];
	unsigned taken = 0;

	(void)state;
	o.max_per_address = 0;
	o.max_handshakes = 8;
	begin(&o, TLS_CLIENT_AUTH_NEED);
	for (int i = 0; i < STORM; i++) {
		client_open(&clients[i], i % 3 ? &pki.client : NULL, TLS1_3_VERSION);
		strangers[i] = dial(fix.plain_port);
		if (i % 8 == 0)
			gate_has_waiting(fix.gate, clock_update());
	}
	for (int i = 0; i < STORM; i++) {
		client_close(&clients[i]);
		close(strangers[i]);
	}
	/* The last ones may still stand in line, so that nobody is counted at the moment. */
	wait_until(has_taken_all(&taken) && taken >= STORM + STORM - (STORM + 2) / 3);
	assert_int_equal(taken, STORM + STORM - (STORM + 2) / 3);
	assert_int_equal(metrics_get(METRIC_connections_rejected_tls), (STORM + 2) / 3);

	for (int i = 0; i < 6; i++)
		strangers[i] = dial(i % 2 ? fix.plain_port : fix.tls_port);
	wait_until(gate_connections(fix.gate) == 6);
	finish();
	for (int i = 0; i < 6; i++)
		close(strangers[i]);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_DEBUG);
	pki_init(&pki);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

#define gate_test(f) cmocka_unit_test_teardown(f, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		gate_test(test_a_good_client_arrives),
		gate_test(test_plain_and_monitor_come_at_once),
		gate_test(test_bad_clients_are_refused_and_the_log_says_why),
		gate_test(test_who_has_none_of_the_names_is_refused),
		gate_test(test_no_tls_is_refused),
		gate_test(test_old_tls_is_refused),
		gate_test(test_handshake_deadline),
		gate_test(test_limit_per_address),
		gate_test(test_limit_of_all),
		gate_test(test_monitors_of_a_full_house),
		gate_test(test_limit_of_handshakes),
		gate_test(test_nobody_waits_at_an_idle_gate),
		gate_test(test_who_is_not_taken_waits),
		gate_test(test_who_owes_us_bytes_does_not_wait),
		gate_test(test_line_in_the_backlog),
		gate_test(test_who_waits_for_a_busy_thread),
		gate_test(test_room_is_made_of_the_silent),
		gate_test(test_room_is_not_made_of_who_has_begun),
		gate_test(test_room_is_not_made_of_who_waits_for_us),
		gate_test(test_silent_peers_in_all_places),
		gate_test(test_new_certificate_for_new_connections),
		gate_test(test_out_of_descriptors),
		gate_test(test_listening_fails_with_a_reason),
		gate_test(test_storm_and_stop),
		gate_test(test_networks),
		gate_test(test_balancers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
