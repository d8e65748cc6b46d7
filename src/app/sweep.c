/* Each connection has a verdict, with the number of the rules that it came from. A sweep looks at
 * those with an older number, for a few milliseconds a turn, until there is none; a peer that comes
 * with an older one, because the rules changed during its handshake, is judged at once. */
#include "app/sweep.h"

#include <stdio.h>

#include "app/peers.h"
#include "app/validity.h"
#include "app/witness.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/timer.h"
#include "core/registry.h"
#include "core/session.h"
#include "net/gate.h"

enum {
	SLICE_US = 5000, /* of a turn, for verifying certificates */
	WATCH_MS = 1000, /* how often it is asked which certificates have run out */
	LOG_BURST = 100, /* lines a second */
	MS = 1000,
};

struct sweep {
	struct peers *peers;
	struct gate *gate;
	struct validity *validity;
	struct timer_wheel *wheel;
	struct registry *registry; /* NULL until it serves */
	struct tls_context *tls;   /* NULL: there is no TLS */
	struct timer slice;
	struct timer watch;
	unsigned rules; /* what connections are judged by */
	/* Of the sweep that is under way. */
	int64_t judged, cut;
	int64_t stop_us; /* of this slice */
	bool has_more;
};

static void log_cut(const struct arrival *a, int64_t session, const char *reason)
{
	const char *subject = a->identity.subject ? a->identity.subject : "none";
	static struct log_limit limit;
	uint32_t suppressed;

	if (log_limit_pass(&limit, LOG_BURST, &suppressed))
		log_warn("connection.cut", LOG_TEXT("peer", a->address),
			 LOG_TEXT("subject", subject), LOG_HEX("session", session),
			 LOG_TEXT("reason", reason), LOG_INT("suppressed", suppressed));
}

/* A session whose znodes cannot be read just now ends by its timeout: nobody can resume it. */
static void end_session(struct sweep *s, struct session *session, const char *reason)
{
	if (registry_end_session(s->registry, session, NULL, reason))
		metrics_add(METRIC_sessions_closed, 1);
}

static void cut(struct sweep *s, struct conn *c, void *user, const char *reason)
{
	struct client *client = peers_client(user);
	struct session *session = client ? client->session : NULL;

	log_cut(conn_peer(c), session ? session->id : 0, reason);
	metrics_add(METRIC_connections_cut, 1);
	s->cut++;
	/* Nothing goes there any more, not what was asked for before either. */
	conn_fail(c, reason);
	if (session && s->registry)
		end_session(s, session, reason);
	if (client)
		client_close(client, reason);
}

/* By the rules of now. False with a reason. */
static bool passes(struct sweep *s, const struct arrival *a, int64_t *valid_until_s,
		   char reason[TLS_REASON_LEN])
{
	const char *refusal = gate_refuses_address(s->gate, &a->from);

	if (!refusal)
		return !a->tls || !s->tls || tls_judge(a->tls, s->tls, valid_until_s, reason) == 0;
	snprintf(reason, TLS_REASON_LEN, "%s", refusal);
	return false;
}

static bool is_judged(struct conn *c)
{
	return gate_kind_has_sessions(conn_peer(c)->kind) && !conn_is_closing(c);
}

static void judge(struct conn *c, void *user, void *ctx)
{
	struct peer_verdict *verdict = peers_verdict(user);
	char reason[TLS_REASON_LEN];
	struct sweep *s = ctx;

	if (verdict->rules == s->rules || s->has_more || !is_judged(c))
		return;
	if (clock_exact_us() >= s->stop_us) {
		s->has_more = true;
		return;
	}
	verdict->rules = s->rules;
	s->judged++;
	if (!passes(s, conn_peer(c), &verdict->valid_until_s, reason))
		cut(s, c, user, reason);
}

static void on_slice(struct timer *t)
{
	struct sweep *s = container_of(t, struct sweep, slice);

	s->has_more = false;
	s->stop_us = clock_exact_us() + SLICE_US;
	conn_set_foreach(peers_connections(s->peers), judge, s);
	if (s->has_more)
		timer_arm(s->wheel, t, clock_now_ms());
	else
		log_info("sweep.done", LOG_INT("judged", s->judged), LOG_INT("cut", s->cut));
}

static void look_at_time(struct conn *c, void *user, void *ctx)
{
	struct peer_verdict *verdict = peers_verdict(user);
	struct sweep *s = ctx;

	if (!is_judged(c))
		return;
	validity_peer(s->validity, conn_peer(c), &verdict->told);
	if (verdict->valid_until_s <= clock_wall_ms() / MS)
		cut(s, c, user, "a certificate of its chain has run out");
}

static void on_watch(struct timer *t)
{
	struct sweep *s = container_of(t, struct sweep, watch);

	validity_look(s->validity);
	validity_peers_begin(s->validity);
	conn_set_foreach(peers_connections(s->peers), look_at_time, s);
	validity_peers_end(s->validity);
	timer_arm(s->wheel, t, clock_now_ms() + WATCH_MS);
}

static bool admits(void *ctx, struct arrival *a)
{
	char reason[TLS_REASON_LEN];
	struct sweep *s = ctx;

	if (a->rules == s->rules || !gate_kind_has_sessions(a->kind))
		return true;
	a->rules = s->rules;
	if (passes(s, a, &a->valid_until_s, reason))
		return true;
	log_cut(a, 0, reason);
	witness_refuse(peers_audit(s->peers), a, "connect", reason);
	metrics_add(METRIC_connections_cut, 1);
	return false;
}

struct sweep *sweep_new(struct peers *peers, struct gate *gate, struct validity *validity,
			struct timer_wheel *wheel)
{
	struct sweep *s = mem_new(sizeof(*s));

	s->peers = peers;
	s->gate = gate;
	s->validity = validity;
	s->wheel = wheel;
	s->rules = gate_rules(gate);
	timer_init(&s->slice, on_slice);
	timer_init(&s->watch, on_watch);
	timer_arm(wheel, &s->watch, clock_now_ms() + WATCH_MS);
	peers_ask(peers, admits, s);
	return s;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	timer_disarm(s->wheel, &s->slice);
	timer_disarm(s->wheel, &s->watch);
	tls_context_unref(s->tls);
	mem_free(s);
}

void sweep_set_registry(struct sweep *s, struct registry *registry)
{
	s->registry = registry;
}

void sweep_begin(struct sweep *s, struct tls_context *tls)
{
	tls_context_unref(s->tls);
	s->tls = tls ? tls_context_ref(tls) : NULL;
	s->rules = gate_rules(s->gate);
	s->judged = 0;
	s->cut = 0;
	timer_arm(s->wheel, &s->slice, clock_now_ms());
}
