/* Where connections and clients meet, over connections that the test plays itself (net/conn.h and
 * the gate's queue are answered here, so that libnet's are not linked). */
#include "app/peers.h"

#include "base/metrics.h"
#include "core/session.h"
#include "net/names.h"
#include "tests/unit/registry_fixture.h"

/* --- the other side --- */

struct conn {
	struct arrival *arrival;
	void *user;
	struct buf sent;  /* bodies, one behind the other */
	struct buf ahead; /* likewise, of pings */
	const char *closing, *failed;
	bool established;
	bool parked;                       /* what conn_waits_for_us says */
	int64_t heard_ms;                  /* what conn_heard_ms says */
	void (*unread)(struct conn *conn); /* what conn_read_now finds */
};

static struct conn conns[4];
static unsigned conn_count;
static const struct conn_handlers *handlers;
static struct arrival arrivals[4];
static unsigned unparks, unpaces, arrivals_freed;
static char word_seen[5];

struct conn_set *conn_set_new(struct event_base *base, struct timer_wheel *wheel,
			      const struct conn_limits *limits, const struct conn_handlers *of)
{
	(void)base;
	(void)wheel;
	(void)limits;
	handlers = of;
	return (struct conn_set *)(void *)&handlers;
}

static void lose(struct conn *conn)
{
	void *user = conn->user;

	conn->user = NULL;
	handlers->closed(conn, user, "test");
}

void conn_set_free(struct conn_set *set)
{
	(void)set;
	for (unsigned i = 0; i < conn_count; i++) {
		if (conns[i].user)
			lose(&conns[i]);
		buf_fini(&conns[i].sent);
		buf_fini(&conns[i].ahead);
	}
}

void conn_set_unpark(struct conn_set *set)
{
	(void)set;
	unparks++;
}

void conn_set_unpace(struct conn_set *set)
{
	(void)set;
	unpaces++;
}

void arrival_free(struct arrival *a)
{
	(void)a;
	arrivals_freed++;
}

struct conn *conn_open(struct conn_set *set, struct arrival *a, void *user)
{
	struct conn *conn = &conns[conn_count++];

	(void)set;
	*conn = (struct conn){ .arrival = a, .user = user };
	buf_init(&conn->sent, 1 << 20);
	buf_init(&conn->ahead, 1 << 20);
	return conn;
}

const struct arrival *conn_peer(const struct conn *conn)
{
	return conn->arrival;
}

void conn_send(struct conn *conn, struct slice body, int64_t mark)
{
	(void)mark;
	assert_int_equal(buf_append(&conn->sent, body.data, body.len), 0);
}

void conn_send_ahead(struct conn *conn, struct slice body)
{
	assert_int_equal(buf_append(&conn->ahead, body.data, body.len), 0);
}

void conn_close(struct conn *conn, const char *reason)
{
	conn->closing = reason;
}

void conn_fail(struct conn *conn, const char *reason)
{
	conn->failed = reason;
}

void conn_set_established(struct conn *conn)
{
	conn->established = true;
}

bool conn_read_now(struct conn *conn)
{
	if (conn->unread)
		conn->unread(conn);
	return !conn->closing && !conn->failed;
}

bool conn_waits_for_us(const struct conn *conn)
{
	return conn->parked;
}

int64_t conn_heard_ms(const struct conn *conn)
{
	return conn->heard_ms;
}

static struct arrival *arriving;

void gate_take(struct gate *g, struct list *to)
{
	(void)g;
	list_append(to, &arriving->link);
}

/* --- ours --- */

static struct peers *peers;

static enum conn_text on_text(void *ctx, struct conn *conn, struct slice bytes)
{
	(void)ctx;
	(void)conn;
	memcpy(word_seen, bytes.data, 4);
	return bytes.data[0] == 'r' ? CONN_TEXT_TAKEN : CONN_TEXT_NONE;
}

static int set_up_peers(void **state)
{
	set_up(state);
	conn_count = 0;
	unparks = unpaces = arrivals_freed = 0;
	peers = peers_new(NULL, &h.wheel, NULL, h.dispatch, &h.turn, on_text, NULL);
	memset(arrivals, 0, sizeof(arrivals));
	for (int i = 0; i < 4; i++) {
		snprintf(arrivals[i].address, sizeof(arrivals[i].address), "10.0.0.%d:77", i);
		snprintf(arrivals[i].host, sizeof(arrivals[i].host), "10.0.0.%d", i);
	}
	return 0;
}

static int tear_down_peers(void **state)
{
	peers_free(peers);
	return tear_down(state);
}

static struct conn *arrive(char *subject)
{
	struct conn *conn = &conns[conn_count];

	arriving = &arrivals[conn_count];
	list_init(&arriving->link);
	arriving->identity.subject = subject;
	peers_take(peers, NULL);
	return conn;
}

static uint8_t frame_bytes[256];
static struct buf frame;
static struct jute_writer w;

static void begin(void)
{
	frame = (struct buf){ .data = frame_bytes,
			      .cap = sizeof(frame_bytes),
			      .limit = sizeof(frame_bytes) };
	jute_writer_init(&w, &frame);
}

static enum conn_next offer(struct conn *conn)
{
	return handlers->frame(conn, conn->user, buf_slice(&frame));
}

static void write_connect(void)
{
	begin();
	jute_write_int(&w, 0);
	jute_write_long(&w, 0);
	jute_write_int(&w, TIMEOUT_MS);
	jute_write_long(&w, 0);
	jute_write_buffer(&w, slice_of("0123456789abcdef"));
	jute_write_bool(&w, false);
}

static void write_header(int32_t type)
{
	begin();
	jute_write_int(&w, 5);
	jute_write_int(&w, type);
}

static struct conn *established(void)
{
	struct conn *conn = arrive(NULL);

	peers_set_registry(peers, h.registry);
	write_connect();
	assert_int_equal(offer(conn), CONN_TOOK);
	assert_true(conn->established);
	return conn;
}

static void test_frames_wait_until_the_registry_serves(void **state)
{
	struct conn *conn = arrive(NULL);

	(void)state;
	write_connect();
	assert_int_equal(offer(conn), CONN_PARK);
	assert_null(peers_client(conn->user));
	write_header(OP_PING);
	assert_false(handlers->ping(conn, conn->user, buf_slice(&frame)));
	/* Words do not wait. */
	assert_int_equal(handlers->text(conn, conn->user, slice_of("ruok")), CONN_TEXT_TAKEN);
	assert_memory_equal(word_seen, "ruok", 4);
	assert_int_equal(handlers->text(conn, conn->user, slice_of("xxxx")), CONN_TEXT_NONE);
	assert_int_equal(unparks, 0);
	peers_set_registry(peers, h.registry);
	assert_int_equal(unparks, 1);
	write_connect();
	assert_int_equal(offer(conn), CONN_TOOK);
	assert_true(conn->established);
	assert_int_equal(buf_len(&conn->sent), 4 + 4 + 8 + 4 + PROTO_PASSWORD_LEN + 1);
	assert_non_null(peers_client(conn->user)->session);
}

/* One that goes before it ever had a client. */
static void test_a_stranger_goes(void **state)
{
	(void)state;
	lose(arrive(NULL));
	peers_set_registry(peers, h.registry);
	lose(arrive(NULL));
	assert_int_equal(session_count(registry_sessions(h.registry)), 1);
}

static void test_identity_and_address(void **state)
{
	struct conn *conn = arrive((char *)(uintptr_t) "CN=a");
	const struct client *client;

	(void)state;
	peers_set_registry(peers, h.registry);
	write_connect();
	assert_int_equal(offer(conn), CONN_TOOK);
	client = peers_client(conn->user);
	assert_string_equal(client->subject, "CN=a");
	assert_string_equal(client->address, "10.0.0.0:77");
	assert_string_equal(client->session->identity, "CN=a");
	assert_int_equal(client->ids.count, 2);
	assert_string_equal(client->ids.items[0].id, "10.0.0.0");
	assert_string_equal(client->ids.items[1].scheme, "x509");
}

static void test_names_by_the_chain(void **state)
{
	char *sans[] = { "URI:spiffe://d/svc", "DNS:a" };
	struct conn *conn = arrive((char *)(uintptr_t) "");
	const struct client *client;
	struct names_chain chain;

	(void)state;
	arrivals[0].identity.sans = sans;
	arrivals[0].identity.san_count = 2;
	names_chain_init(&chain);
	assert_int_equal(names_chain_parse(&chain, "dn,dns,uri"), 0);
	peers_name_by(peers, &chain);
	peers_set_registry(peers, h.registry);
	write_connect();
	assert_int_equal(offer(conn), CONN_TOOK);
	client = peers_client(conn->user);
	assert_int_equal(client->ids.count, 3);
	assert_string_equal(client->ids.items[1].scheme, "san");
	assert_string_equal(client->ids.items[1].id, "DNS:a");
	assert_string_equal(client->ids.items[2].id, "URI:spiffe://d/svc");
	/* The subject is empty: the first name owns the session. */
	assert_string_equal(client->session->identity, "DNS:a");
}

/* Connections, with a session or without; those without a certificate are nobody's. */
static void test_most_connections_of_an_identity(void **state)
{
	char *alice = (char *)(uintptr_t) "CN=alice", *bob = (char *)(uintptr_t) "CN=bob";
	uint64_t refused = metrics_get(METRIC_connections_refused_identity);
	struct conn *first;

	(void)state;
	peers_limit_identity(peers, 1);
	first = arrive(alice);
	assert_int_equal(conn_count, 1);
	arrive(alice);
	assert_int_equal(conn_count, 1);
	assert_int_equal(arrivals_freed, 1);
	assert_int_equal(metrics_get(METRIC_connections_refused_identity), refused + 1);
	arrive(bob);
	assert_int_equal(conn_count, 2);
	lose(first);
	arrive(alice);
	assert_int_equal(conn_count, 3);
	arrivals[3].identity.subject = NULL;
	arrive(NULL);
	assert_int_equal(conn_count, 4);
	assert_int_equal(arrivals_freed, 1);
}

static void test_writers_are_asked_again_when_they_may(void **state)
{
	struct conn *conn;

	(void)state;
	peers_free(peers);
	headless_stop(&h);
	h.registry_options.write_rate = 1;
	headless_start(&h);
	conn_count = 0;
	peers = peers_new(NULL, &h.wheel, NULL, h.dispatch, &h.turn, on_text, NULL);
	conn = established();
	for (int i = 0; i < 2; i++) {
		write_header(OP_DELETE);
		jute_write_buffer(&w, slice_of("/a"));
		jute_write_int(&w, -1);
		assert_int_equal(offer(conn), i == 0 ? CONN_TOOK : CONN_PACE);
	}
	headless_advance(&h, 900);
	assert_int_equal(unpaces, 0);
	headless_advance(&h, 200);
	assert_int_equal(unpaces, 1);
	assert_int_equal(offer(conn), CONN_TOOK);
	assert_int_equal(offer(conn), CONN_PACE);
}

static void test_replies_and_ends(void **state)
{
	struct conn *conn = established();
	struct session *s;

	(void)state;
	buf_clear(&conn->sent);
	headless_flush(&h);
	write_header(OP_PING);
	assert_int_equal(offer(conn), CONN_TOOK);
	assert_int_equal(buf_len(&conn->ahead), PROTO_REPLY_HEADER_LEN);
	assert_true(handlers->ping(conn, conn->user, buf_slice(&frame)));
	assert_int_equal(buf_len(&conn->ahead), 2 * PROTO_REPLY_HEADER_LEN);
	assert_int_equal(buf_len(&conn->sent), 0);
	write_header(OP_CLOSE_SESSION);
	assert_int_equal(offer(conn), CONN_TOOK);
	assert_int_equal(buf_len(&conn->sent), PROTO_REPLY_HEADER_LEN);
	assert_non_null(conn->closing);
	assert_null(conn->failed);
	lose(conn);
	conn = established();
	begin();
	assert_int_equal(offer(conn), CONN_TOOK);
	assert_non_null(conn->failed);
	/* The session outlives its connection. */
	s = peers_client(conn->user)->session;
	lose(conn);
	assert_null(s->client);
}

static void test_a_writer_parks(void **state)
{
	struct conn *conn;

	(void)state;
	peers_free(peers);
	headless_replay(&h);
	headless_stop(&h);
	h.registry_options.max_lag_rows = 1;
	h.store_options.replay_delay_ms = 3600 * 1000;
	headless_start(&h);
	conn_count = 0;
	peers = peers_new(NULL, &h.wheel, NULL, h.dispatch, &h.turn, on_text, NULL);
	c = headless_new_session(&h, TIMEOUT_MS);
	assert_int_equal(create(c, "/a", "", 0), ZERR_OK);
	conn = established();
	write_header(OP_DELETE);
	jute_write_buffer(&w, slice_of("/a"));
	jute_write_int(&w, -1);
	assert_int_equal(offer(conn), CONN_PARK);
}

/* --- deadlines --- */

static void ping_unread(struct conn *conn)
{
	write_header(OP_PING);
	assert_int_equal(offer(conn), CONN_TOOK);
}

static bool has_session(const struct conn *conn)
{
	return peers_client(conn->user)->session != NULL;
}

static void test_unread_input_counts(void **state)
{
	struct conn *conn = established();

	(void)state;
	conn->unread = ping_unread;
	headless_advance(&h, 3 * TIMEOUT_MS);
	assert_true(has_session(conn));
	conn->unread = NULL;
	headless_advance(&h, TIMEOUT_MS + TIMER_SLOT_MS);
	assert_false(has_session(conn));
	assert_non_null(conn->closing);
}

/* Whom we do not read is not silent (src/README.md, promise 9). */
static void test_a_client_that_is_held_back_does_not_expire(void **state)
{
	struct conn *conn = established();

	(void)state;
	conn->parked = true;
	headless_advance(&h, 3 * TIMEOUT_MS);
	assert_true(has_session(conn));
	assert_null(conn->closing);
	/* From then on it has its full timeout again. */
	conn->parked = false;
	headless_advance(&h, TIMEOUT_MS + TIMER_SLOT_MS);
	assert_false(has_session(conn));
}

/* A part of a request is a sign of life, as old as it is. */
static void hear(struct conn *conn)
{
	conn->heard_ms = clock_now_ms() - TIMEOUT_MS / 2;
	conn->unread = NULL;
}

static void test_a_part_of_a_request(void **state)
{
	struct conn *conn = established();

	(void)state;
	conn->unread = hear;
	headless_advance(&h, TIMEOUT_MS + TIMER_SLOT_MS);
	assert_true(has_session(conn));
	headless_advance(&h, TIMEOUT_MS / 2 - 2 * TIMER_SLOT_MS);
	assert_true(has_session(conn));
	headless_advance(&h, 3 * TIMER_SLOT_MS);
	assert_false(has_session(conn));
}

/* One that ended while it was read is silent as any other. */
static void end_unread(struct conn *conn)
{
	conn->failed = "test";
}

static void test_an_end_in_unread_input(void **state)
{
	struct conn *conn = established();

	(void)state;
	conn->unread = end_unread;
	conn->parked = true;
	headless_advance(&h, TIMEOUT_MS + TIMER_SLOT_MS);
	assert_false(has_session(conn));
}

/* Time that a turn spends on a connection, before its first frame and without any, has a name. */
static void test_work_on_sockets_is_a_step(void **state)
{
	struct conn *conn = arrive(NULL);

	(void)state;
	assert_non_null(handlers->begun);
	handlers->begun(conn, conn->user);
	assert_string_equal(h.turn.step, "sockets");
}

static bool admits(void *ctx, struct arrival *a)
{
	unsigned *asked = ctx;

	++*asked;
	return strcmp(a->host, "10.0.0.0") != 0;
}

/* Who is refused at the last moment never becomes a connection. */
static void test_asking(void **state)
{
	struct conn *conn;
	unsigned asked = 0;

	(void)state;
	arrivals_freed = 0;
	peers_ask(peers, admits, &asked);
	arrive(NULL);
	assert_int_equal(asked, 1);
	assert_int_equal(arrivals_freed, 1);
	assert_int_equal(conn_count, 0);
	snprintf(arrivals[0].host, sizeof(arrivals[0].host), "10.0.0.7");
	arrivals[0].rules = 3;
	arrivals[0].valid_until_s = 77;
	conn = arrive(NULL);
	assert_int_equal(arrivals_freed, 1);
	assert_int_equal(conn_count, 1);
	assert_int_equal(peers_verdict(conn->user)->rules, 3);
	assert_int_equal(peers_verdict(conn->user)->valid_until_s, 77);
}

#define PEERS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_peers, tear_down_peers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEERS_TEST(test_asking),
		PEERS_TEST(test_frames_wait_until_the_registry_serves),
		PEERS_TEST(test_a_stranger_goes),
		PEERS_TEST(test_identity_and_address),
		PEERS_TEST(test_names_by_the_chain),
		PEERS_TEST(test_most_connections_of_an_identity),
		PEERS_TEST(test_writers_are_asked_again_when_they_may),
		PEERS_TEST(test_replies_and_ends),
		PEERS_TEST(test_work_on_sockets_is_a_step),
		PEERS_TEST(test_a_writer_parks),
		PEERS_TEST(test_unread_input_counts),
		PEERS_TEST(test_a_client_that_is_held_back_does_not_expire),
		PEERS_TEST(test_a_part_of_a_request),
		PEERS_TEST(test_an_end_in_unread_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
