/* The life of a session: connect and resume, authentication, close. */
#include "core/request.h"

#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "core/audit.h"
#include "core/session.h"

static void send_connect_reply(struct client *c, const struct proto_connect_reply *reply,
			       int64_t mark)
{
	uint8_t room[64];
	struct buf b = { .data = room, .cap = sizeof(room), .limit = sizeof(room) };
	struct jute_writer w;

	jute_writer_init(&w, &b);
	proto_write_connect_reply(&w, reply);
	c->sent++;
	c->connect_mark = mark;
	c->link->send(c, buf_slice(&b), mark);
}

static void stop(struct client *c, const struct proto_connect_request *rq, const char *reason)
{
	static struct log_limit limit;
	uint32_t suppressed;

	metrics_add(METRIC_sessions_refused, 1);
	audit_refuse_client(registry_audit(c->registry), c,
			    slice_of(rq->session_id != 0 ? "resumeSession" : "createSession"),
			    (struct slice){ 0 }, reason);
	if (log_limit_pass(&limit, 20, &suppressed))
		log_info("session.refused", LOG_TEXT("peer", c->address),
			 LOG_HEX("session", rq->session_id), LOG_TEXT("reason", reason),
			 LOG_HEX("seen", rq->last_zxid_seen), LOG_INT("suppressed", suppressed));
	client_close(c, reason);
}

/* Timeout 0, id 0, a password of zeros, then the close: "your session is over". */
static void refuse(struct client *c, const struct proto_connect_request *rq, const char *reason,
		   int64_t mark)
{
	struct proto_connect_reply reply = { .with_read_only = rq->has_read_only };

	send_connect_reply(c, &reply, mark);
	stop(c, rq, reason);
}

static int32_t negotiate_timeout(const struct registry *r, int32_t wanted)
{
	const struct registry_options *o = registry_options(r);

	if (wanted < o->min_session_timeout_ms)
		return o->min_session_timeout_ms;
	return wanted > o->max_session_timeout_ms ? o->max_session_timeout_ms : wanted;
}

static void accept_session(struct client *c, const struct proto_connect_request *rq,
			   struct session *s, const uint8_t *password, int64_t mark)
{
	struct proto_connect_reply reply = {
		.timeout = s->timeout_ms,
		.session_id = s->id,
		.with_read_only = rq->has_read_only,
	};

	memcpy(reply.passwd, password, sizeof(reply.passwd));
	session_attach(s, c);
	c->link->established(c);
	send_connect_reply(c, &reply, mark);
}

/* Put a session as it is now on record. */
static void log_session(struct client *c, struct session *s)
{
	change_begin(c->registry);
	if (!change_commit(c->registry, c, OP_CREATE_SESSION, (struct slice){ 0 }, s, NULL))
		die("session.record", "a session does not fit into a record");
}

/* Sessions without a certificate are nobody's, and not told apart. */
static bool has_too_many(const struct client *c)
{
	unsigned most = registry_options(c->registry)->max_sessions_per_identity;

	return most > 0 && c->subject &&
	       session_count_of(registry_sessions(c->registry), c->subject) >= most;
}

static void open_session(struct client *c, const struct proto_connect_request *rq)
{
	struct registry *r = c->registry;
	uint8_t password[PROTO_PASSWORD_LEN];
	struct session *s;

	if (session_count(registry_sessions(r)) >= registry_options(r)->max_sessions) {
		/* Not "your session is over": it may try again. */
		stop(c, rq, "too many sessions");
		return;
	}
	if (store_room(registry_store(r)) == ROOM_SCARCE) {
		metrics_add(METRIC_sessions_refused_room, 1);
		stop(c, rq, "no room on disk");
		return;
	}
	if (has_too_many(c)) {
		metrics_add(METRIC_sessions_refused_identity, 1);
		stop(c, rq, "too many sessions of its identity");
		return;
	}
	s = session_open(registry_sessions(r), negotiate_timeout(r, rq->timeout), c->subject,
			 password);
	log_session(c, s);
	accept_session(c, rq, s, password, registry_last_change(r));
	metrics_add(METRIC_sessions_opened, 1);
	log_debug("session.opened", LOG_HEX("session", s->id), LOG_TEXT("peer", c->address));
}

/* What resuming changes of a session. Whether it is to be put on record: a promise that a crash
 * must not take back. It costs a zxid that ZooKeeper does not take. */
static bool adapt_session(struct client *c, struct session *s, int32_t wanted_timeout_ms)
{
	int32_t timeout_ms = negotiate_timeout(c->registry, wanted_timeout_ms);
	bool is_new = s->is_unbound || timeout_ms != s->timeout_ms;

	s->timeout_ms = timeout_ms;
	if (s->is_unbound) {
		session_bind(s, c->subject);
		metrics_add(METRIC_sessions_bound, 1);
		log_info("session.bound", LOG_HEX("session", s->id), LOG_TEXT("peer", c->address),
			 LOG_TEXT("identity", c->subject ? c->subject : "none"));
	}
	return is_new;
}

/* Everything is checked before the present connection is touched: a session id is no secret. */
static void resume_session(struct client *c, const struct proto_connect_request *rq)
{
	struct session *s = session_find(registry_sessions(c->registry), rq->session_id);
	struct client *present;
	int64_t mark = 0;

	if (!s) {
		/* That shows its end, which may not be on disk yet. */
		refuse(c, rq, "no such session", registry_last_change(c->registry));
		return;
	}
	if (!session_admits(s, rq->passwd, c->subject)) {
		refuse(c, rq, "wrong password or identity", 0);
		return;
	}
	present = s->client;
	if (present) {
		session_detach(s);
		client_close(present, "session moved to another connection");
	}
	if (adapt_session(c, s, rq->timeout)) {
		log_session(c, s);
		mark = registry_last_change(c->registry);
	}
	/* Its password has the right length: it had the right hash. */
	accept_session(c, rq, s, (const uint8_t *)rq->passwd.data, mark);
	metrics_add(METRIC_sessions_resumed, 1);
	audit_resume(registry_audit(c->registry), c);
	log_debug("session.resumed", LOG_HEX("session", s->id), LOG_TEXT("peer", c->address));
}

void request_connect(struct client *c, struct slice frame)
{
	struct proto_connect_request rq;
	struct jute_reader in;

	jute_reader_init(&in, frame);
	rq = proto_read_connect(&in);
	if (in.bad) {
		c->stopped = true;
		c->link->fail(c, "malformed connect request");
		return;
	}
	c->connected = true;
	metrics_add(METRIC_connection_request_count, 1);
	if (rq.session_id != 0)
		metrics_add(METRIC_connection_revalidate_count, 1);
	if (!registry_pass_connect(c->registry))
		stop(c, &rq, "too many connect requests at once");
	else if (rq.last_zxid_seen > registry_last_zxid(c->registry))
		stop(c, &rq, "client has seen a later zxid");
	else if (rq.session_id == 0)
		open_session(c, &rq);
	else
		resume_session(c, &rq);
}

enum zerr request_close_session(struct request *rq)
{
	struct session *s = rq->client->session;
	int64_t id = s->id;

	if (!registry_end_session(rq->registry, s, rq->client, NULL))
		return ZERR_SYSTEM;
	rq->zxid = registry_last_zxid(rq->registry);
	rq->mark = registry_last_change(rq->registry);
	rq->closing = "session closed by its client";
	metrics_add(METRIC_sessions_closed, 1);
	log_debug("session.closed", LOG_HEX("session", id));
	return ZERR_OK;
}

enum zerr request_auth(struct request *rq)
{
	struct proto_auth auth = proto_read_auth(&rq->in);
	static struct log_limit limit;
	uint32_t suppressed;
	enum zerr err;

	if (rq->in.bad) {
		rq->client->stopped = true;
		rq->client->link->fail(rq->client, "malformed auth packet");
		return ZERR_MARSHALLING;
	}
	err = access_authenticate(&rq->client->ids, auth.scheme, auth.auth);
	if (err == ZERR_OK && !rq->client->ids.has_erred)
		return err;
	metrics_add(METRIC_auth_failed, 1);
	audit_refuse_client(registry_audit(rq->registry), rq->client, slice_of("auth"),
			    (struct slice){ 0 }, rq->client->ids.refusal);
	if (log_limit_pass(&limit, 20, &suppressed))
		log_warn("auth.failed", LOG_TEXT("peer", rq->client->address),
			 LOG_SLICE("scheme", auth.scheme.data ? auth.scheme : slice_of("")),
			 LOG_TEXT("reason", rq->client->ids.refusal),
			 LOG_INT("suppressed", suppressed));
	if (err != ZERR_OK)
		rq->closing = "authentication failed";
	return err;
}

/* Nobody configured SASL: the token is null, and clients go on without
 * (ZooKeeperServer.processSasl). */
enum zerr request_sasl(struct request *rq)
{
	struct slice token = jute_read_buffer(&rq->in);

	if (rq->in.bad || !token.data) {
		rq->client->stopped = true;
		rq->client->link->fail(rq->client, "sasl request without a token");
		return ZERR_MARSHALLING;
	}
	jute_write_buffer(&rq->out, (struct slice){ 0 });
	return ZERR_OK;
}

/* There is no ensemble to change, whether or not that is allowed. It counts as a write that failed,
 * as in a standalone ZooKeeper. */
enum zerr request_reconfig(struct request *rq)
{
	bool enabled = registry_options(rq->registry)->reconfig_enabled;

	for (int i = 0; i < 3; i++)
		jute_read_buffer(&rq->in);
	jute_read_long(&rq->in);
	if (rq->in.bad)
		return request_malformed_write(rq);
	change_begin(rq->registry);
	return request_end_change(rq, enabled ? ZERR_UNIMPLEMENTED : ZERR_RECONFIG_DISABLED,
				  (struct slice){ 0 });
}

enum zerr request_sync(struct request *rq)
{
	struct slice path = jute_read_buffer(&rq->in);

	if (rq->in.bad)
		return ZERR_MARSHALLING;
	rq->mark = registry_last_change(rq->registry);
	jute_write_buffer(&rq->out, path);
	return ZERR_OK;
}

/* The body, if there is any, is passed over. */
enum zerr request_who_am_i(struct request *rq)
{
	access_write_users(&rq->out, &rq->client->ids);
	return ZERR_OK;
}
