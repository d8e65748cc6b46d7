#include "app/dispatch.h"

#include "app/latency.h"
#include "app/turn.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/audit.h"
#include "core/pace.h"
#include "core/registry.h"
#include "core/request.h"
#include "core/session.h"

struct dispatch {
	struct buf reply;
	struct latency *latency;
	struct turn *turn;
};

enum { SMALL_REPLY = 64 * 1024, PACE_LOG_BURST = 1 };

struct route {
	int32_t type;
	request_fn handle;
	bool is_write; /* waits while replay is behind */
};

static const struct route routes[] = {
	{ OP_CREATE, request_create, true },
	{ OP_CREATE2, request_create, true },
	{ OP_CREATE_CONTAINER, request_create, true },
	{ OP_CREATE_TTL, request_create, true },
	{ OP_DELETE, request_delete, true },
	{ OP_DELETE_CONTAINER, request_delete_container, true },
	{ OP_EXISTS, request_exists, false },
	{ OP_GET_DATA, request_get_data, false },
	{ OP_SET_DATA, request_set_data, true },
	{ OP_GET_ACL, request_get_acl, false },
	{ OP_SET_ACL, request_set_acl, true },
	{ OP_GET_CHILDREN, request_get_children, false },
	{ OP_GET_CHILDREN2, request_get_children, false },
	{ OP_SYNC, request_sync, false },
	{ OP_MULTI, request_multi, true },
	{ OP_MULTI_READ, request_multi_read, false },
	{ OP_SET_WATCHES, request_set_watches, false },
	{ OP_SET_WATCHES2, request_set_watches, false },
	{ OP_ADD_WATCH, request_add_watch, false },
	{ OP_CHECK_WATCHES, request_check_watches, false },
	{ OP_REMOVE_WATCHES, request_remove_watches, false },
	{ OP_GET_ALL_CHILDREN_NUMBER, request_get_all_children_number, false },
	{ OP_GET_EPHEMERALS, request_get_ephemerals, false },
	{ OP_WHO_AM_I, request_who_am_i, false },
	{ OP_CLOSE_SESSION, request_close_session, false },
	{ OP_AUTH, request_auth, false },
	{ OP_SASL, request_sasl, false },
	{ OP_RECONFIG, request_reconfig, true },
};

struct dispatch *dispatch_new(size_t max_reply, struct latency *latency, struct turn *turn)
{
	struct dispatch *d = mem_new(sizeof(*d));

	buf_init(&d->reply, max_reply);
	d->latency = latency;
	d->turn = turn;
	return d;
}

void dispatch_free(struct dispatch *d)
{
	if (!d)
		return;
	buf_fini(&d->reply);
	mem_free(d);
}

static const struct route *find_route(int32_t type)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (routes[i].type == type)
			return &routes[i];
	return NULL;
}

static void write_header(uint8_t *at, int32_t xid, int64_t zxid, int32_t err)
{
	jute_put_int(at, xid);
	jute_put_long(at + 4, zxid);
	jute_put_int(at + 12, err);
}

static void send_header_only(struct client *c, int32_t xid, int64_t zxid, int32_t err, int64_t mark)
{
	uint8_t header[PROTO_REPLY_HEADER_LEN];

	write_header(header, xid, zxid, err);
	c->sent++;
	c->link->send(c, (struct slice){ (const char *)header, sizeof(header) }, mark);
}

static void note_client(struct dispatch *d, struct client *c, int32_t op, int32_t xid,
			int64_t began_us, int64_t mark)
{
	struct latency_reply reply = { .op = op,
				       .xid = xid,
				       .zxid = c->last_header,
				       .began_us = began_us,
				       .mark = mark };

	latency_note_client(d->latency, c, &reply, registry_flushed(c->registry));
}

static void answer_ping(struct dispatch *d, struct client *c)
{
	int64_t began_us = clock_exact_us();
	uint8_t header[PROTO_REPLY_HEADER_LEN];
	struct slice frame = { (const char *)header, sizeof(header) };
	int64_t flushed = registry_flushed(c->registry);

	write_header(header, XID_PING, flushed, ZERR_OK);
	c->sent++;
	/* The first frame that a client reads is the answer to its connect request. */
	if (c->connect_mark > flushed)
		c->link->send(c, frame, 0);
	else
		c->link->send_ahead(c, frame);
	note_client(d, c, OP_PING, XID_PING, began_us, 0);
}

/* Zxid of the header: a write's own; else what is on disk or what this connection waits for, and it
 * never falls. */
static int64_t header_zxid(struct client *c, const struct request *rq)
{
	int64_t zxid = rq->zxid ? rq->zxid : registry_flushed(c->registry);

	if (rq->mark > zxid)
		zxid = rq->mark;
	if (zxid > c->last_header)
		c->last_header = zxid;
	return c->last_header;
}

static void send_reply(struct dispatch *d, struct client *c, const struct request *rq,
		       enum zerr err)
{
	/* ZooKeeper answers these outside of the order of changes. */
	bool is_apart = rq->type == OP_AUTH || rq->type == OP_SASL;
	int64_t zxid = is_apart ? 0 : header_zxid(c, rq);

	if (err != ZERR_OK)
		d->reply.tail = d->reply.head + PROTO_REPLY_HEADER_LEN;
	write_header(d->reply.data + d->reply.head, rq->xid, zxid, err);
	c->sent++;
	if (rq->mark > c->last_mark)
		c->last_mark = rq->mark;
	latency_note_size(d->latency, buf_len(&d->reply));
	c->link->send(c, buf_slice(&d->reply), rq->mark);
}

static enum dispatch_result run(struct dispatch *d, struct client *c, const struct route *route,
				struct request *rq)
{
	uint8_t header[PROTO_REPLY_HEADER_LEN] = { 0 };
	int64_t began_us = clock_exact_us();
	enum zerr err;

	buf_clear(&d->reply);
	jute_writer_init(&rq->out, &d->reply);
	jute_write_raw(&rq->out, header, sizeof(header));
	err = route->handle(rq);
	if (route->is_write)
		pace_spend(c->pace, rq->writes > 0 ? rq->writes : 1, clock_now_ms());
	if (c->stopped)
		return DISPATCH_DONE;
	if (rq->is_unfinished) {
		c->received--; /* it will come again */
		return DISPATCH_AGAIN;
	}
	if (rq->out.bad) {
		metrics_add(METRIC_replies_refused, 1);
		c->stopped = true;
		c->link->fail(c, "reply too large");
		return DISPATCH_DONE;
	}
	send_reply(d, c, rq, err);
	latency_note(d->latency, rq->zxid ? LATENCY_UPDATE : LATENCY_READ, began_us, rq->mark,
		     registry_flushed(c->registry));
	note_client(d, c, rq->type, rq->xid, began_us, rq->mark);
	if (rq->closing)
		client_close(c, rq->closing);
	/* One large reply must not keep its memory for all the small ones. */
	if (d->reply.cap > SMALL_REPLY) {
		buf_clear(&d->reply);
		buf_release(&d->reply);
	}
	return DISPATCH_DONE;
}

/* Who only proves again who it is has not been heard, as with ZooKeeper: a client caught in an
 * endless SASL dialogue learns by the end of its session that it leads nowhere. */
static bool is_sign_of_life(int32_t type)
{
	return type != OP_AUTH && type != OP_SASL;
}

static void count_request(struct client *c, const struct proto_request_header *header)
{
	c->received++;
	c->last_xid = header->xid;
	if (is_sign_of_life(header->type))
		session_touch(c->session, clock_now_ms());
}

/* Whether a request has to wait: for replay, or because too much waits for the disk already and
 * this client has its share of it. */
static bool must_wait(const struct dispatch *d, const struct client *c, bool is_write)
{
	int32_t most = registry_options(c->registry)->max_outstanding;

	if (is_write && registry_is_behind(c->registry))
		return true;
	return most > 0 && c->last_mark > registry_flushed(c->registry) &&
	       latency_waiting(d->latency) >= (uint64_t)most;
}

/* Whether a write has to wait because its identity writes too fast. */
static bool must_slow_down(struct client *c, bool is_write)
{
	static struct log_limit limit;
	uint32_t suppressed;
	bool was_paced = c->is_paced;

	if (!is_write)
		return false;
	c->is_paced = pace_wait_ms(c->pace, clock_now_ms()) > 0;
	if (!c->is_paced || was_paced)
		return c->is_paced;
	metrics_add(METRIC_writes_paced, 1);
	if (log_limit_pass(&limit, PACE_LOG_BURST, &suppressed))
		log_info("writes.paced", LOG_TEXT("peer", c->address),
			 LOG_TEXT("identity", c->subject ? c->subject : "none"),
			 LOG_INT("suppressed", suppressed));
	return true;
}

/* Whether the client has proved who it is, as far as that is asked for. */
static bool is_authenticated(const struct client *c, int32_t type)
{
	const char *schemes = registry_options(c->registry)->enforced_schemes;

	return !schemes || type == OP_AUTH || type == OP_SASL ||
	       access_has_scheme(&c->ids, schemes);
}

static void refuse_stranger(struct client *c, const struct proto_request_header *header)
{
	static const char reason[] = "no identity of a scheme that is asked for";

	metrics_add(METRIC_requests_unauthenticated, 1);
	audit_refuse_client(registry_audit(c->registry), c, slice_of(opcode_name(header->type)),
			    (struct slice){ 0 }, reason);
	send_header_only(c, header->xid, 0, ZERR_SESSION_CLOSED_REQUIRE_AUTH, 0);
	client_close(c, reason);
}

static void refuse_unknown(struct client *c, const struct proto_request_header *header)
{
	static const char reason[] = "unknown type of request";

	audit_refuse_client(registry_audit(c->registry), c, slice_of("connection"),
			    (struct slice){ 0 }, reason);
	send_header_only(c, header->xid, -1, ZERR_UNIMPLEMENTED, 0);
	client_close(c, reason);
}

/* The log tells when that begins and ends, not each of them. */
static void refuse_for_room(struct client *c, const struct request *rq)
{
	metrics_add(METRIC_writes_refused_room, 1);
	audit_refuse_client(registry_audit(c->registry), c, slice_of(opcode_name(rq->type)),
			    (struct slice){ 0 }, "no room on disk");
	send_header_only(c, rq->xid, header_zxid(c, rq), ZERR_NOT_READ_ONLY, 0);
}

static void connect(struct dispatch *d, struct client *c, struct slice frame)
{
	int64_t began_us = clock_exact_us();

	c->received++;
	request_connect(c, frame);
	if (c->session)
		note_client(d, c, OP_CREATE_SESSION, 0, began_us, c->connect_mark);
}

static enum dispatch_result execute(struct dispatch *d, struct client *c, struct slice frame)
{
	struct request rq = { .registry = c->registry, .client = c };
	struct proto_request_header header;
	const struct route *route;
	bool lacks_room, is_write;

	if (c->stopped)
		return DISPATCH_DONE;
	if (!c->connected) {
		connect(d, c, frame);
		return DISPATCH_DONE;
	}
	jute_reader_init(&rq.in, frame);
	header = proto_read_request_header(&rq.in);
	if (rq.in.bad) {
		c->stopped = true;
		c->link->fail(c, "request header cut short");
		return DISPATCH_DONE;
	}
	if (!c->session)
		return DISPATCH_DONE;
	route = find_route(header.type);
	rq.xid = header.xid;
	rq.type = header.type;
	lacks_room = route && route->is_write && request_lacks_room(&rq);
	/* What is refused waits for nothing that a write waits for. */
	is_write = route && route->is_write && !lacks_room;
	if (must_wait(d, c, is_write)) {
		/* Alive it is, whatever it waits for. */
		session_touch(c->session, clock_now_ms());
		return DISPATCH_PARK;
	}
	if (must_slow_down(c, is_write)) {
		session_touch(c->session, clock_now_ms());
		return DISPATCH_PACE;
	}
	count_request(c, &header);
	if (!is_authenticated(c, header.type)) {
		refuse_stranger(c, &header);
	} else if (header.type == OP_PING) {
		answer_ping(d, c);
	} else if (!route) {
		refuse_unknown(c, &header);
	} else if (lacks_room) {
		refuse_for_room(c, &rq);
	} else {
		return run(d, c, route, &rq);
	}
	return DISPATCH_DONE;
}

enum dispatch_result dispatch_frame(struct dispatch *d, struct client *c, struct slice frame)
{
	int64_t began_us = clock_exact_us();
	bool is_request = c->connected && frame.len >= 8;
	enum dispatch_result result = execute(d, c, frame);

	turn_note(d->turn,
		  is_request ? opcode_name(jute_get_int((const uint8_t *)frame.data + 4))
			     : "connect",
		  began_us, clock_exact_us());
	/* Nobody holds a znode between two requests. */
	tree_trim(registry_tree(c->registry));
	return result;
}

bool dispatch_ping(struct dispatch *d, struct client *c, struct slice frame)
{
	struct proto_request_header header;
	struct jute_reader in;

	jute_reader_init(&in, frame);
	header = proto_read_request_header(&in);
	if (in.bad || header.type != OP_PING || !c->session || c->stopped ||
	    !is_authenticated(c, header.type))
		return false;
	count_request(c, &header);
	answer_ping(d, c);
	return true;
}
