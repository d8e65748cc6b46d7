#include "app/peers.h"

#include "app/turn.h"
#include "app/witness.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/tally.h"
#include "core/audit.h"
#include "core/pace.h"
#include "core/registry.h"
#include "core/session.h"
#include "net/names.h"

enum {
	LOG_BURST = 20,
	LEAST_PACE_MS = 20, /* however fast an identity may write */
};

struct peer {
	struct client client;
	struct peers *peers;
	struct conn *conn;
	struct peer_verdict verdict;
	struct tally_entry *counted; /* under its identity; NULL: it has none */
	bool has_client;             /* initialised: the registry serves */
};

struct peers {
	struct conn_set *connections;
	struct dispatch *dispatch;
	struct turn *turn;
	struct registry *registry; /* NULL until it serves */
	struct audit *audit;       /* NULL: none */
	peers_text_fn text;
	void *ctx;
	peers_admits_fn admits; /* NULL: all */
	void *admits_ctx;
	struct names_chain chain;
	struct tally identities; /* how many connections each has */
	unsigned max_per_identity;
	struct timer_wheel *wheel;
	struct timer pace; /* while writers wait for the rate of their identity */
	int64_t pace_due_ms;
};

/* --- from the registry to the connection --- */

static struct conn *conn_of(struct client *c)
{
	return container_of(c, struct peer, client)->conn;
}

static void link_send(struct client *c, struct slice frame, int64_t mark)
{
	conn_send(conn_of(c), frame, mark);
}

static void link_send_ahead(struct client *c, struct slice frame)
{
	conn_send_ahead(conn_of(c), frame);
}

static void link_close(struct client *c, const char *reason)
{
	conn_close(conn_of(c), reason);
}

static void link_fail(struct client *c, const char *reason)
{
	conn_fail(conn_of(c), reason);
}

static void link_established(struct client *c)
{
	conn_set_established(conn_of(c));
}

static void link_read_now(struct client *c)
{
	struct conn *conn = conn_of(c);

	if (!conn_read_now(conn) || !c->session)
		return;
	/* Whom we hold back is not silent: what it sends may lie behind what we do not read yet.
	 * Nor is who is in the middle of a long request. */
	session_touch(c->session, conn_waits_for_us(conn) ? clock_now_ms() : conn_heard_ms(conn));
}

static const struct client_link peer_link = {
	.send = link_send,
	.send_ahead = link_send_ahead,
	.close = link_close,
	.fail = link_fail,
	.established = link_established,
	.read_now = link_read_now,
};

/* --- from the connection to the registry --- */

/* What the gate knows of who came. */
struct known {
	struct name names[NAMES_MOST];
	struct access_name by[NAMES_MOST];
	struct access_peer peer;
};

static void know(struct known *k, const struct peers *p, const struct arrival *from)
{
	k->peer = (struct access_peer){ .host = from->host,
					.subject = from->identity.subject,
					.owner = names_owner(&p->chain, &from->identity),
					.names = k->by };
	k->peer.name_count = names_list(&p->chain, &from->identity, k->names);
	for (size_t i = 0; i < k->peer.name_count; i++)
		k->by[i] = (struct access_name){ k->names[i].scheme, k->names[i].id };
}

static void give_client(struct peer *p)
{
	const struct arrival *from = conn_peer(p->conn);
	struct known known;

	know(&known, p->peers, from);
	client_init(&p->client, p->peers->registry, &peer_link, from->address, &known.peer);
	p->has_client = true;
}

static void on_begun(struct conn *c, void *user)
{
	const struct peer *p = user;

	(void)c;
	turn_step(p->peers->turn, "sockets");
}

/* The first of them that may write decides when all are asked again. */
static void wait_for_pace(struct peers *p, struct client *c)
{
	int64_t now_ms = clock_now_ms();
	int64_t wait_ms = pace_wait_ms(c->pace, now_ms);
	int64_t due_ms = now_ms + (wait_ms > LEAST_PACE_MS ? wait_ms : LEAST_PACE_MS);

	if (!timer_is_armed(&p->pace) || due_ms < p->pace_due_ms) {
		p->pace_due_ms = due_ms;
		timer_arm(p->wheel, &p->pace, due_ms);
	}
}

static void on_pace(struct timer *t)
{
	conn_set_unpace(container_of(t, struct peers, pace)->connections);
}

static enum conn_next on_frame(struct conn *c, void *user, struct slice frame)
{
	struct peer *p = user;

	(void)c;
	if (!p->peers->registry)
		return CONN_PARK;
	if (!p->has_client)
		give_client(p);
	/* Sessions must not be touched with the time of before the wait. */
	clock_update();
	switch (dispatch_frame(p->peers->dispatch, &p->client, frame)) {
	case DISPATCH_DONE:
		break;
	case DISPATCH_PARK:
		return CONN_PARK;
	case DISPATCH_PACE:
		wait_for_pace(p->peers, &p->client);
		return CONN_PACE;
	case DISPATCH_AGAIN:
		return CONN_AGAIN;
	}
	return CONN_TOOK;
}

static bool on_ping(struct conn *c, void *user, struct slice frame)
{
	struct peer *p = user;

	(void)c;
	clock_update();
	return p->has_client && dispatch_ping(p->peers->dispatch, &p->client, frame);
}

static enum conn_text on_text(struct conn *c, void *user, struct slice bytes)
{
	struct peer *p = user;

	return p->peers->text(p->peers->ctx, c, bytes);
}

static void on_failed(struct conn *c, void *user, const char *reason)
{
	struct peer *p = user;

	if (p->has_client)
		audit_refuse_client(p->peers->audit, &p->client, slice_of("connection"),
				    (struct slice){ 0 }, reason);
	else
		witness_refuse(p->peers->audit, conn_peer(c), "connection", reason);
}

static void on_closed(struct conn *c, void *user, const char *reason)
{
	struct peer *p = user;

	log_debug("connection.closed", LOG_TEXT("peer", conn_peer(c)->address),
		  LOG_TEXT("reason", reason));
	if (p->has_client)
		client_fini(&p->client);
	tally_drop(&p->peers->identities, p->counted);
	mem_free(p);
}

/* --- all of them --- */

struct peers *peers_new(struct event_base *base, struct timer_wheel *wheel,
			const struct conn_limits *limits, struct dispatch *dispatch,
			struct turn *turn, peers_text_fn text, void *ctx)
{
	static const struct conn_handlers handlers = { on_begun, on_frame,  on_ping,
						       on_text,  on_failed, on_closed };
	struct peers *p = mem_new(sizeof(*p));

	p->dispatch = dispatch;
	p->turn = turn;
	p->text = text;
	p->ctx = ctx;
	names_chain_init(&p->chain);
	tally_init(&p->identities);
	timer_init(&p->pace, on_pace);
	p->wheel = wheel;
	p->connections = conn_set_new(base, wheel, limits, &handlers);
	return p;
}

void peers_name_by(struct peers *p, const struct names_chain *chain)
{
	p->chain = *chain;
}

void peers_limit_identity(struct peers *p, unsigned most)
{
	p->max_per_identity = most;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	conn_set_free(p->connections);
	timer_disarm(p->wheel, &p->pace);
	tally_fini(&p->identities);
	mem_free(p);
}

void peers_set_registry(struct peers *p, struct registry *registry)
{
	p->registry = registry;
	conn_set_unpark(p->connections);
}

void peers_set_audit(struct peers *p, struct audit *audit)
{
	p->audit = audit;
}

struct audit *peers_audit(struct peers *p)
{
	return p->audit;
}

void peers_ask(struct peers *p, peers_admits_fn admits, void *ctx)
{
	p->admits = admits;
	p->admits_ctx = ctx;
}

static void refuse(struct peers *p, struct arrival *a, const char *owner)
{
	static const char reason[] = "too many connections of its identity";
	static struct log_limit limit;
	uint32_t suppressed;

	metrics_add(METRIC_connections_refused_identity, 1);
	if (log_limit_pass(&limit, LOG_BURST, &suppressed))
		log_warn("connection.refused", LOG_TEXT("peer", a->address),
			 LOG_TEXT("identity", owner), LOG_TEXT("reason", reason),
			 LOG_INT("suppressed", suppressed));
	witness_refuse(p->audit, a, "connect", reason);
	arrival_free(a);
}

static void take_one(struct peers *p, struct arrival *a)
{
	const char *owner = names_owner(&p->chain, &a->identity);
	struct peer *peer;

	if (p->admits && !p->admits(p->admits_ctx, a)) {
		arrival_free(a);
		return;
	}
	if (owner && p->max_per_identity > 0 &&
	    tally_count(&p->identities, owner) >= p->max_per_identity) {
		refuse(p, a, owner);
		return;
	}
	witness_connect(p->audit, a);
	peer = mem_new(sizeof(*peer));
	peer->peers = p;
	peer->verdict = (struct peer_verdict){ a->rules, a->valid_until_s, 0 };
	peer->counted = owner ? tally_add(&p->identities, owner) : NULL;
	peer->conn = conn_open(p->connections, a, peer);
	if (!peer->conn) {
		tally_drop(&p->identities, peer->counted);
		mem_free(peer);
	}
}

void peers_take(struct peers *p, struct gate *gate)
{
	struct list arrivals;
	struct list *link;

	list_init(&arrivals);
	gate_take(gate, &arrivals);
	while ((link = list_take_first(&arrivals)))
		take_one(p, container_of(link, struct arrival, link));
}

struct peer_verdict *peers_verdict(void *user)
{
	struct peer *p = user;

	return &p->verdict;
}

struct conn_set *peers_connections(struct peers *p)
{
	return p->connections;
}

struct client *peers_client(void *user)
{
	struct peer *p = user;

	return p->has_client ? &p->client : NULL;
}

bool peers_reads_all(const struct peers *p, const struct access_limits *limits,
		     const struct conn *c)
{
	struct access_ids ids;
	struct known known;
	bool reads_all;

	know(&known, p, conn_peer(c));
	access_ids_init(&ids, limits);
	reads_all = access_ids_add_peer(&ids, &known.peer) == 0 && access_reads_all(&ids);
	access_ids_fini(&ids);
	return reads_all;
}

bool peers_administers(const struct peers *p, const struct access_limits *limits,
		       const struct conn *c)
{
	struct access_ids ids;
	struct known known;
	bool administers;

	know(&known, p, conn_peer(c));
	access_ids_init(&ids, limits);
	administers = access_ids_add_peer(&ids, &known.peer) == 0 &&
		      (access_rights(&ids, slice_of("/")) & PERM_ADMIN) != 0;
	access_ids_fini(&ids);
	return administers;
}
