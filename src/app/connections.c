#include "app/connections.h"

#include "app/latency.h"
#include "app/peers.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/metrics.h"
#include "core/access_ip.h"
#include "core/registry.h"
#include "core/session.h"

enum { JAVA_OP_READ = 1, JAVA_OP_WRITE = 4 };

/* ZooKeeper's names of what a client did last. */
static const struct {
	int32_t op;
	const char *name;
} last_ops[] = {
	{ OP_CREATE, "CREA" },
	{ OP_CREATE2, "CREA" },
	{ OP_CREATE_CONTAINER, "CREA" },
	{ OP_CREATE_TTL, "CREA" },
	{ OP_DELETE, "DELE" },
	{ OP_DELETE_CONTAINER, "DELE" },
	{ OP_EXISTS, "EXIS" },
	{ OP_GET_DATA, "GETD" },
	{ OP_SET_DATA, "SETD" },
	{ OP_GET_ACL, "GETA" },
	{ OP_SET_ACL, "SETA" },
	{ OP_GET_CHILDREN, "GETC" },
	{ OP_GET_CHILDREN2, "GETC" },
	{ OP_GET_ALL_CHILDREN_NUMBER, "GETACN" },
	{ OP_GET_EPHEMERALS, "GETE" },
	{ OP_SYNC, "SYNC" },
	{ OP_PING, "PING" },
	{ OP_CHECK, "CHEC" },
	{ OP_MULTI, "MULT" },
	{ OP_MULTI_READ, "MLTR" },
	{ OP_RECONFIG, "RECO" },
	{ OP_CHECK_WATCHES, "CHKW" },
	{ OP_REMOVE_WATCHES, "REMW" },
	{ OP_SET_WATCHES, "SETW" },
	{ OP_SET_WATCHES2, "STW2" },
	{ OP_ADD_WATCH, "ADDW" },
	{ OP_WHO_AM_I, "HOMI" },
	{ OP_CREATE_SESSION, "SESS" },
	{ OP_CLOSE_SESSION, "CLOS" },
};

static const char *last_op_name(int32_t op)
{
	for (size_t i = 0; i < sizeof(last_ops) / sizeof(*last_ops); i++)
		if (last_ops[i].op == op)
			return last_ops[i].name;
	return "NA";
}

static void describe_session(struct connection *out, const struct client *client)
{
	const struct client_stats *s = &client->stats;

	out->session_id = client->session->id;
	out->timeout_ms = client->session->timeout_ms;
	out->session_deadline_ms = session_deadline_ms(client->session);
	out->established_ms = clock_wall_ms() - (clock_now_ms() - out->opened_ms);
	out->last_op = last_op_name(s->last_op);
	out->last_cxid = s->last_xid;
	out->last_zxid = s->last_zxid;
	out->last_response_ms = s->last_response_ms;
	out->last_latency_ms = s->last_us / 1000;
	out->min_latency_ms = s->min_us / 1000;
	out->avg_latency_ms = s->count > 0 ? s->sum_us / s->count / 1000 : 0;
	out->max_latency_ms = s->max_us / 1000;
}

static struct connection describe(struct conn *c, const struct client *client)
{
	struct conn_stats stats = conn_get_stats(c);
	struct connection out = {
		.address = conn_peer(c)->address,
		.is_secure = conn_peer(c)->kind == GATE_TLS,
		.interest_ops = (stats.is_reading ? JAVA_OP_READ : 0) |
				(stats.is_blocked ? JAVA_OP_WRITE : 0),
		.received = stats.received,
		.sent = stats.sent,
		.opened_ms = stats.opened_ms,
		.last_op = "NA",
		.last_cxid = -1,
		.last_zxid = -1,
	};

	if (client)
		out.queued = latency_waiting_of(client);
	if (client && client->session)
		describe_session(&out, client);
	return out;
}

struct listing {
	void (*each)(void *ctx, const struct connection *c);
	void *ctx;
};

static void list_one(struct conn *c, void *user, void *ctx)
{
	const struct listing *l = ctx;
	struct connection one;

	if (gate_kind_is_http(conn_peer(c)->kind))
		return;
	one = describe(c, peers_client(user));
	l->each(l->ctx, &one);
}

void connections_foreach(struct peers *p, void (*each)(void *ctx, const struct connection *c),
			 void *ctx)
{
	struct listing l = { each, ctx };

	conn_set_foreach(peers_connections(p), list_one, &l);
}

static void reset_one(struct conn *c, void *user, void *ctx)
{
	struct client *client = peers_client(user);

	(void)ctx;
	conn_reset_stats(c);
	if (client)
		client_reset_stats(client);
}

void connections_reset(struct peers *p)
{
	conn_set_foreach(peers_connections(p), reset_one, NULL);
}

struct shedding {
	unsigned percent;
	unsigned count;
};

/* A lot of its own for each, so that what is asked of many servers comes true in all. */
static bool is_drawn(unsigned percent)
{
	uint32_t lot;

	crypto_random(&lot, sizeof(lot));
	return (uint64_t)lot * 100 < ((uint64_t)percent << 32);
}

static void shed_one(struct conn *c, void *user, void *ctx)
{
	struct shedding *s = ctx;

	(void)user;
	if (!gate_kind_has_sessions(conn_peer(c)->kind) || conn_is_closing(c) ||
	    !is_drawn(s->percent))
		return;
	conn_close(c, "shed at the control socket");
	s->count++;
}

unsigned connections_shed(struct peers *p, unsigned percent)
{
	struct shedding s = { percent, 0 };

	conn_set_foreach(peers_connections(p), shed_one, &s);
	return s.count;
}

/* --- kicks --- */

static const char kick_reason[] = "kicked by an administrator";

static void end_session(struct connections_kicked *k, struct registry *r, struct session *s)
{
	if (!registry_end_session(r, s, NULL, kick_reason)) {
		k->is_whole = false;
		return;
	}
	metrics_add(METRIC_sessions_closed, 1);
	k->sessions++;
}

static void cut_client(struct connections_kicked *k, struct client *client)
{
	client_cut(client, kick_reason);
	metrics_add(METRIC_connections_kicked, 1);
	k->connections++;
}

struct connections_kicked connections_kick_session(struct registry *r, struct session *s)
{
	struct connections_kicked k = { .is_whole = true };
	struct client *client = s->client;

	end_session(&k, r, s);
	if (client)
		cut_client(&k, client);
	return k;
}

struct kicking {
	struct slice range;
	struct connections_kicked kicked;
};

static void kick_one(struct conn *c, void *user, void *ctx)
{
	struct kicking *k = ctx;
	struct client *client = peers_client(user);

	if (!gate_kind_has_sessions(conn_peer(c)->kind) ||
	    !access_ip_matches(slice_of(conn_peer(c)->host), k->range))
		return;
	if (client && client->session)
		end_session(&k->kicked, client->registry, client->session);
	if (client) {
		cut_client(&k->kicked, client);
		return;
	}
	conn_fail(c, kick_reason);
	metrics_add(METRIC_connections_kicked, 1);
	k->kicked.connections++;
}

struct connections_kicked connections_kick(struct peers *p, struct slice range)
{
	struct kicking k = { .range = range, .kicked.is_whole = true };

	conn_set_foreach(peers_connections(p), kick_one, &k);
	return k.kicked;
}
