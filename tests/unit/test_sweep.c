/* Who is looked at when, and what becomes of those who no longer pass. Plays connections, the gate
 * and the registry. */
#include "app/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/peers.h"
#include "app/validity.h"
#include "app/witness.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/timer.h"
#include "core/registry.h"
#include "core/session.h"
#include "tests/unit/capture.h"

enum { COUNT = 8, JUDGING_MS = 2, NOW_S = 1000 };

/* --- the others --- */

struct conn {
	struct arrival peer;
	struct peer_verdict verdict;
	struct client client;
	struct session session;
	const char *judgement; /* NULL: good */
	const char *failed;
	unsigned judged;
	bool is_closing, is_denied;
};

static struct conn conns[COUNT];
static unsigned rules, ended, closed, recorded;
static peers_admits_fn admits;
static void *admits_ctx;
static struct timer_wheel wheel;
static struct sweep *sweep;

static struct conn *conn_of(const struct arrival *a)
{
	return container_of(a, struct conn, peer);
}

struct conn_set *peers_connections(struct peers *p)
{
	(void)p;
	return NULL;
}

struct audit *peers_audit(struct peers *p)
{
	(void)p;
	return NULL;
}

void witness_refuse(struct audit *audit, const struct arrival *from, const char *op,
		    const char *why)
{
	(void)audit;
	assert_non_null(from);
	assert_string_equal(op, "connect");
	assert_non_null(why);
	recorded++;
}

struct client *peers_client(void *user)
{
	struct conn *c = user;

	return c->client.session ? &c->client : NULL;
}

struct peer_verdict *peers_verdict(void *user)
{
	struct conn *c = user;

	return &c->verdict;
}

void peers_ask(struct peers *p, peers_admits_fn fn, void *ctx)
{
	(void)p;
	admits = fn;
	admits_ctx = ctx;
}

void conn_set_foreach(struct conn_set *set, void (*each)(struct conn *c, void *user, void *ctx),
		      void *ctx)
{
	(void)set;
	for (int i = 0; i < COUNT; i++)
		each(&conns[i], &conns[i], ctx);
}

const struct arrival *conn_peer(const struct conn *c)
{
	return &c->peer;
}

bool conn_is_closing(const struct conn *c)
{
	return c->is_closing;
}

void conn_fail(struct conn *c, const char *reason)
{
	c->failed = strdup(reason);
	/* It tells the audit trail. */
	recorded++;
	c->is_closing = true;
}

unsigned gate_rules(struct gate *g)
{
	(void)g;
	return rules;
}

bool gate_kind_has_sessions(enum gate_listener_kind kind)
{
	return kind == GATE_PLAIN || kind == GATE_TLS;
}

const char *gate_refuses_address(struct gate *g, const struct sockaddr_storage *from)
{
	const struct arrival *a = container_of(from, struct arrival, from);

	(void)g;
	return conn_of(a)->is_denied ? "denied network" : NULL;
}

/* The connection that a pointer to its TLS means. */
static struct tls *tls_of(struct conn *c)
{
	return (struct tls *)(void *)c;
}

int tls_judge(const struct tls *t, const struct tls_context *c, int64_t *valid_until_s,
	      char reason[TLS_REASON_LEN])
{
	struct conn *conn = (struct conn *)(uintptr_t)t;

	assert_non_null(c);
	clock_fake_advance(JUDGING_MS);
	conn->judged++;
	*valid_until_s = NOW_S + 50;
	if (!conn->judgement)
		return 0;
	snprintf(reason, TLS_REASON_LEN, "%s", conn->judgement);
	return -1;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
	return c;
}

void tls_context_unref(struct tls_context *c)
{
	(void)c;
}

static unsigned rounds, looked_at;

void validity_look(struct validity *v)
{
	(void)v;
}

void validity_peers_begin(struct validity *v)
{
	(void)v;
	looked_at = 0;
}

void validity_peer(struct validity *v, const struct arrival *a, unsigned *told)
{
	(void)v;
	assert_ptr_equal(told, &conn_of(a)->verdict.told);
	looked_at++;
}

void validity_peers_end(struct validity *v)
{
	(void)v;
	rounds++;
}

bool registry_end_session(struct registry *r, struct session *s, struct client *client,
			  const char *cause)
{
	(void)r;
	assert_null(client);
	assert_non_null(cause);
	ended++;
	return s->id != 0x13; /* whose znodes cannot be read */
}

void client_close(struct client *c, const char *reason)
{
	(void)c;
	(void)reason;
	closed++;
}

/* --- ours --- */

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(5000, NOW_S * 1000);
	timer_wheel_init(&wheel, clock_update());
	metrics_reset();
	memset(conns, 0, sizeof(conns));
	rules = 1;
	ended = closed = recorded = 0;
	for (int i = 0; i < COUNT; i++) {
		struct conn *c = &conns[i];

		c->peer.kind = GATE_TLS;
		c->peer.tls = tls_of(c);
		c->peer.valid_until_s = INT64_MAX;
		c->verdict = (struct peer_verdict){ rules, NOW_S + 100, 0 };
		c->session.id = 0x10 + i;
		c->client.session = &c->session;
	}
	sweep = sweep_new(NULL, NULL, NULL, &wheel);
	sweep_set_registry(sweep, (struct registry *)(void *)&rules);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sweep_free(sweep);
	for (int i = 0; i < COUNT; i++)
		free((char *)(uintptr_t)conns[i].failed);
	clock_fake_stop();
	return 0;
}

static void run_timers(int64_t ms)
{
	clock_fake_advance(ms);
	timer_wheel_run(&wheel, clock_update());
}

/* As after a reload. */
static void change(void)
{
	rules++;
	sweep_begin(sweep, (struct tls_context *)(void *)&rules);
}

static unsigned judged(void)
{
	unsigned n = 0;

	for (int i = 0; i < COUNT; i++)
		n += conns[i].judged;
	return n;
}

/* What takes long is spread over turns, and nobody is asked twice. */
static void test_slices(void **state)
{
	struct capture capture;
	char log[4096];

	(void)state;
	capture_begin(&capture);
	change();
	run_timers(TIMER_SLOT_MS);
	assert_int_equal(judged(), 3);
	run_timers(TIMER_SLOT_MS);
	assert_int_equal(judged(), 6);
	/* Another change meanwhile: all are asked by what holds now. */
	change();
	for (int i = 0; i < 10; i++)
		run_timers(TIMER_SLOT_MS);
	capture_end(&capture, log, sizeof(log));
	assert_int_equal(judged(), 6 + COUNT);
	assert_non_null(strstr(log, "event=sweep.done judged=8 cut=0\n"));
	assert_int_equal(conns[7].verdict.rules, rules);
	assert_int_equal(conns[7].verdict.valid_until_s, NOW_S + 50);
	assert_int_equal(metrics_get(METRIC_connections_cut), 0);
}

static void test_who_is_cut(void **state)
{
	struct capture capture;
	char log[4096];

	(void)state;
	conns[0].judgement = "certificate revoked (CN=a)";
	conns[0].peer.identity.subject = (char *)(uintptr_t) "CN=a";
	conns[1].is_denied = true;
	conns[1].peer.kind = GATE_PLAIN;
	conns[1].peer.tls = NULL;
	conns[2].is_denied = true;
	conns[2].peer.kind = GATE_ADMIN;
	conns[3].judgement = "certificate revoked (CN=b)";
	conns[4].judgement = "certificate revoked (CN=c)";
	conns[4].client.session = NULL;
	conns[5].judgement = "certificate revoked (CN=d)";
	conns[5].is_closing = true;
	capture_begin(&capture);
	change();
	for (int i = 0; i < 10; i++)
		run_timers(TIMER_SLOT_MS);
	capture_end(&capture, log, sizeof(log));
	assert_string_equal(conns[0].failed, "certificate revoked (CN=a)");
	assert_string_equal(conns[1].failed, "denied network");
	assert_null(conns[2].failed);
	assert_string_equal(conns[3].failed, "certificate revoked (CN=b)");
	assert_string_equal(conns[4].failed, "certificate revoked (CN=c)");
	assert_null(conns[5].failed);
	assert_null(conns[6].failed);
	assert_int_equal(ended, 3);
	assert_int_equal(recorded, metrics_get(METRIC_connections_cut));
	assert_int_equal(closed, 3);
	assert_int_equal(metrics_get(METRIC_connections_cut), 4);
	assert_int_equal(metrics_get(METRIC_sessions_closed), 2);
	assert_non_null(strstr(log, "subject=\"CN=a\" session=0x10 "
				    "reason=\"certificate revoked (CN=a)\""));
	assert_non_null(strstr(log, "subject=none session=0x11 reason=\"denied network\""));
	assert_non_null(strstr(log, "event=sweep.done judged=6 cut=4\n"));
}

static void test_time_that_runs_out(void **state)
{
	struct capture capture;
	char log[4096];

	(void)state;
	conns[1].verdict.valid_until_s = NOW_S + 3;
	conns[2].verdict.valid_until_s = INT64_MAX;
	capture_begin(&capture);
	conns[3].is_closing = true;
	rounds = 0;
	run_timers(2000);
	assert_int_equal(rounds, 1);
	assert_int_equal(looked_at, COUNT - 1);
	assert_null(conns[1].failed);
	run_timers(2000);
	capture_end(&capture, log, sizeof(log));
	assert_string_equal(conns[1].failed, "a certificate of its chain has run out");
	assert_int_equal(metrics_get(METRIC_connections_cut), 1);
	assert_int_equal(ended, 1);
}

static void test_newcomers(void **state)
{
	struct capture capture;
	char log[4096];

	(void)state;
	conns[0].peer.rules = rules;
	assert_true(admits(admits_ctx, &conns[0].peer));
	assert_int_equal(conns[0].judged, 0);
	capture_begin(&capture);
	change();
	assert_true(admits(admits_ctx, &conns[0].peer));
	assert_int_equal(conns[0].judged, 1);
	assert_int_equal(conns[0].peer.rules, rules);
	assert_int_equal(conns[0].peer.valid_until_s, NOW_S + 50);
	conns[1].judgement = "certificate revoked (CN=b)";
	assert_false(admits(admits_ctx, &conns[1].peer));
	conns[2].is_denied = true;
	assert_false(admits(admits_ctx, &conns[2].peer));
	conns[2].peer.rules = 0;
	conns[2].peer.kind = GATE_MONITOR;
	assert_true(admits(admits_ctx, &conns[2].peer));
	capture_end(&capture, log, sizeof(log));
	assert_int_equal(metrics_get(METRIC_connections_cut), 2);
	assert_non_null(strstr(log, "session=0x0 reason=\"certificate revoked (CN=b)\""));
}

#define SWEEP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SWEEP_TEST(test_slices),
		SWEEP_TEST(test_who_is_cut),
		SWEEP_TEST(test_time_that_runs_out),
		SWEEP_TEST(test_newcomers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
