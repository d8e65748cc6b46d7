/* See the header. */
#include "tests/fault/core_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/session.h"

const char *const core_promise_names[CORE_PROMISES] = {
	"shown", "seen", "session", "sequence 0", "sequence 1", "sequence 2", "sequence 3",
};

enum expect_kind { EXPECT_OPENED, EXPECT_RESUMED, EXPECT_REFUSED, EXPECT_REPLY };

/* The next frame that a peer waits for, events apart. */
struct expect {
	struct list link;
	enum expect_kind kind;
	size_t session; /* OPENED, RESUMED */
	int32_t xid;
	int dir; /* of the sequential znode that it tells; -1: none */
	struct core_result result;
};

/* ---- the run ---- */

void run_init(struct core_run *r, struct core_subject *subject, uint64_t seed)
{
	r->subject = subject;
	r->random.state = seed;
	memcpy(r->promises, subject->promises, sizeof(r->promises));
	for (int i = 0; i < CORE_PEERS; i++)
		list_init(&r->peers[i].expected);
}

void run_lost(struct core_run *r, const char *format, ...)
{
	char text[POWERCUT_REASON_LEN];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (r->reason == NULL) {
		fprintf(stderr, "without any cut: %s\n", text);
		abort();
	}
	if (!r->failed)
		(void)snprintf(r->reason, POWERCUT_REASON_LEN, "%s", text);
	r->failed = true;
}

struct core_model *run_model(struct core_run *r)
{
	return &r->subject->model;
}

struct registry *run_registry(struct core_run *r)
{
	return r->headless.registry;
}

int64_t run_found_zxid(struct core_run *r)
{
	int64_t change = registry_last_change(run_registry(r));

	return change >> 32 == registry_last_zxid(run_registry(r)) >> 32 ? 0 : change;
}

void run_start_from(struct core_run *r, int64_t found)
{
	int64_t last = registry_last_zxid(run_registry(r));

	if (found == 0)
		core_model_begin(run_model(r), last);
	else
		core_model_truncate(run_model(r), found, last);
}

/* ---- what is promised ---- */

static void promise(struct core_run *r, unsigned what, int64_t value)
{
	if (value <= r->promises[what])
		return;
	r->promises[what] = value;
	if (r->trace != NULL)
		trace_note(r->trace, core_promise_names[what], value);
}

/* Compares a body with the one expected; that of getChildren2 begins with its names. */
static bool is_as_expected(struct jute_reader *body, const struct core_result *result)
{
	int32_t names = result->has_names ? jute_read_count(body, 4) : 0;
	uint64_t sum = 0;
	size_t left;

	for (int32_t i = 0; i < names; i++) {
		struct slice name = jute_read_buffer(body);

		sum += hash_bytes(name.data, name.len);
	}
	left = jute_reader_left(body);
	return !body->bad && names == result->names && sum == result->names_sum &&
	       slice_equal((struct slice){ (const char *)body->pos, left },
			   buf_slice(&result->body));
}

/* Of the sequential znode whose path the body begins with. */
static int64_t number_in(const struct core_result *result)
{
	char path[CORE_PATH_LEN];
	struct jute_reader body;
	struct slice text;

	jute_reader_init(&body, buf_slice(&result->body));
	text = jute_read_buffer(&body);
	(void)snprintf(path, sizeof(path), "%.*s", (int)text.len, text.data);
	return strtoll(strchr(path, '-') + 1, NULL, 10);
}

static void take_reply(struct core_run *r, const struct expect *e, struct headless_reply *reply)
{
	const struct core_result *result = &e->result;

	if (reply->header.xid != e->xid || reply->header.err != result->err ||
	    reply->header.zxid < result->zxid)
		run_lost(r, "reply %d, error %d, zxid 0x%llx instead of %d, %d, 0x%llx",
			 reply->header.xid, reply->header.err, (long long)reply->header.zxid,
			 e->xid, result->err, (long long)result->zxid);
	else if (result->err == ZERR_OK && !is_as_expected(&reply->body, result))
		run_lost(r, "reply %d, zxid 0x%llx, shows something else than 0x%llx did", e->xid,
			 (long long)reply->header.zxid, (long long)result->need);
	promise(r, CORE_SHOWN, result->need);
	promise(r, CORE_SEEN, reply->header.zxid);
	if (e->dir >= 0 && result->err == ZERR_OK)
		promise(r, CORE_SEQUENCE + (unsigned)e->dir, 1 + number_in(result));
}

static void take_event(struct core_run *r, struct headless_reply *reply)
{
	int32_t type = jute_read_int(&reply->body);
	char path[CORE_PATH_LEN];
	struct slice text;

	(void)jute_read_int(&reply->body);
	text = jute_read_buffer(&reply->body);
	(void)snprintf(path, sizeof(path), "%.*s", (int)text.len, text.data);
	if (!core_model_tells(run_model(r), reply->header.zxid, type, path))
		run_lost(r, "event %d of %s, zxid 0x%llx, tells what never was", type, path,
			 (long long)reply->header.zxid);
	promise(r, CORE_SHOWN, reply->header.zxid);
	promise(r, CORE_SEEN, reply->header.zxid);
}

static void take_connect_reply(struct core_run *r, const struct expect *e, struct slice frame)
{
	const struct core_session *s = &run_model(r)->now.sessions[e->session];
	struct core_secret *secret = &r->subject->secrets[e->session];
	struct jute_reader in;
	struct slice password;
	int32_t timeout_ms;
	int64_t id;

	jute_reader_init(&in, frame);
	(void)jute_read_int(&in);
	timeout_ms = jute_read_int(&in);
	id = jute_read_long(&in);
	password = jute_read_buffer(&in);
	promise(r, CORE_SHOWN, e->result.need);
	if (e->kind == EXPECT_REFUSED) {
		if (timeout_ms != 0)
			run_lost(r, "session 0x%llx is open again", (long long)id);
		return;
	}
	if (timeout_ms == 0 || id != s->id || password.len != sizeof(secret->password)) {
		run_lost(r, "session 0x%llx was refused: 0x%llx, timeout %d", (long long)s->id,
			 (long long)id, timeout_ms);
		return;
	}
	secret->known = true;
	memcpy(secret->password, password.data, sizeof(secret->password));
	promise(r, CORE_SESSION, id);
}

static void drop_expect(struct list *link)
{
	struct expect *e = container_of(link, struct expect, link);

	core_result_fini(&e->result);
	mem_free(e);
}

static void take_frame(struct core_run *r, struct core_peer *p, struct slice frame)
{
	struct list *link;
	struct expect *e;
	struct headless_reply reply;

	jute_reader_init(&reply.body, frame);
	reply.header.xid = jute_read_int(&reply.body);
	reply.header.zxid = jute_read_long(&reply.body);
	reply.header.err = jute_read_int(&reply.body);
	e = list_is_empty(&p->expected) ? NULL
					: container_of(p->expected.next, struct expect, link);
	if (e != NULL && e->kind != EXPECT_REPLY) {
		take_connect_reply(r, e, frame);
	} else if (reply.header.xid == XID_EVENT) {
		take_event(r, &reply);
		return;
	} else if (reply.header.xid == XID_PING) {
		promise(r, CORE_SEEN, reply.header.zxid);
		return;
	} else if (e == NULL) {
		run_lost(r, "reply %d to nothing", reply.header.xid);
		return;
	} else {
		take_reply(r, e, &reply);
	}
	link = list_take_first(&p->expected);
	drop_expect(link);
}

/* Whatever a peer would have got by now. */
void run_take_frames(struct core_run *r)
{
	struct slice frame;

	for (int i = 0; i < CORE_PEERS; i++)
		while (r->peers[i].client != NULL && headless_receive(r->peers[i].client, &frame))
			take_frame(r, &r->peers[i], frame);
}

/* ---- peers ---- */

void peer_drop(struct core_peer *p)
{
	struct list *link;

	if (p->client != NULL && p->client->connected)
		headless_disconnect(p->client);
	while ((link = list_take_first(&p->expected)) != NULL)
		drop_expect(link);
	p->client = NULL;
	p->has_session = false;
}

void run_drop_peers(struct core_run *r)
{
	for (int i = 0; i < CORE_PEERS; i++)
		peer_drop(&r->peers[i]);
}

/* ---- sessions ---- */

void run_follow_expiry(struct core_run *r)
{
	struct core_model *m = run_model(r);

	for (size_t i = 0; i < m->now.session_count; i++) {
		const struct core_session *s = &m->now.sessions[i];

		if (s->open && session_find(registry_sessions(run_registry(r)), s->id) == NULL) {
			m->time_ms = clock_wall_ms();
			core_end_session(m, i);
		}
	}
	if (m->zxid != registry_last_zxid(run_registry(r)) ||
	    m->change != registry_last_change(run_registry(r)))
		run_lost(r, "the registry is at 0x%llx, 0x%llx, the model at 0x%llx, 0x%llx",
			 (long long)registry_last_zxid(run_registry(r)),
			 (long long)registry_last_change(run_registry(r)), (long long)m->zxid,
			 (long long)m->change);
}

static struct expect *expect_frame(struct core_peer *p, enum expect_kind kind)
{
	struct expect *e = mem_new(sizeof(*e));

	e->kind = kind;
	e->dir = -1;
	e->session = p->session;
	list_append(&p->expected, &e->link);
	return e;
}

static void send_connect(struct core_run *r, struct core_peer *p, const struct core_session *s,
			 const struct core_secret *secret, int32_t timeout_ms)
{
	static const uint8_t zeros[PROTO_PASSWORD_LEN];
	const uint8_t *password = secret != NULL ? secret->password : zeros;

	p->client = headless_connect(&r->headless, NULL);
	headless_send_connect(p->client,
			      &(struct headless_connect_request){
				      .last_zxid_seen = r->promises[CORE_SEEN],
				      .timeout_ms = timeout_ms,
				      .session_id = s != NULL ? s->id : 0,
				      .password = { (const char *)password, PROTO_PASSWORD_LEN },
			      });
}

void peer_open(struct core_run *r, struct core_peer *p, int32_t timeout_ms)
{
	struct core_subject *s = r->subject;

	send_connect(r, p, NULL, NULL, timeout_ms);
	if (p->client->client.session == NULL) {
		run_lost(r, "a client that has seen 0x%llx gets no session",
			 (long long)r->promises[CORE_SEEN]);
		return;
	}
	p->session = core_open_session(&s->model, p->client->client.session->id, timeout_ms);
	p->has_session = true;
	if (p->session >= s->secret_count) {
		s->secret_count = p->session + 1;
		s->secrets = mem_grow(s->secrets, s->secret_count * sizeof(*s->secrets));
	}
	memset(&s->secrets[p->session], 0, sizeof(*s->secrets));
	expect_frame(p, EXPECT_OPENED)->result.need = s->model.change;
}

/* Of a session that may have ended, be served by another peer, or want another timeout. */
void peer_resume(struct core_run *r, struct core_peer *p, size_t session, int32_t timeout_ms)
{
	struct core_model *m = run_model(r);
	const struct core_session *s = &m->now.sessions[session];
	struct expect *e;

	send_connect(r, p, s, &r->subject->secrets[session], timeout_ms);
	p->session = session;
	if (!s->open) {
		expect_frame(p, EXPECT_REFUSED)->result.need = m->change;
		return;
	}
	p->has_session = true;
	e = expect_frame(p, EXPECT_RESUMED);
	if (s->timeout_ms == timeout_ms)
		return;
	core_set_timeout(m, session, timeout_ms);
	e->result.need = m->change;
}

/* ---- requests ---- */

static void write_op(struct jute_writer *w, const struct core_op *op)
{
	jute_write_buffer(w, slice_of(op->path));
	if (op->type == OP_CREATE || op->type == OP_CREATE2 || op->type == OP_SET_DATA)
		core_put_data(w, op->data);
	if (op->type == OP_CREATE || op->type == OP_CREATE2 || op->type == OP_SET_ACL)
		core_put_acl(w, op->acl);
	jute_write_int(w,
		       op->type == OP_CREATE || op->type == OP_CREATE2 ? op->flags : op->version);
}

static void send_request(struct core_run *r, struct core_peer *p)
{
	if (headless_send(p->client) != DISPATCH_DONE)
		run_lost(r, "a request was parked");
}

static struct expect *begin_request(struct core_run *r, struct core_peer *p, int32_t type)
{
	struct expect *e = expect_frame(p, EXPECT_REPLY);

	e->xid = ++p->xid;
	headless_begin(p->client, e->xid, type);
	run_model(r)->time_ms = clock_wall_ms();
	return e;
}

static int64_t session_id(struct core_run *r, const struct core_peer *p)
{
	return run_model(r)->now.sessions[p->session].id;
}

void peer_write(struct core_run *r, struct core_peer *p, const struct core_op *op)
{
	struct expect *e = begin_request(r, p, op->type);

	write_op(&p->client->w, op);
	core_write(run_model(r), session_id(r, p), op, &e->result);
	if (op->flags & CREATE_SEQUENTIAL)
		e->dir = op->path[2] - '0';
	send_request(r, p);
}

void peer_multi(struct core_run *r, struct core_peer *p, const struct core_op *ops, int count)
{
	struct expect *e = begin_request(r, p, OP_MULTI);
	struct jute_writer *w = &p->client->w;

	for (int i = 0; i < count; i++) {
		proto_write_multi_header(w, &(struct proto_multi_header){ ops[i].type, false, -1 });
		write_op(w, &ops[i]);
	}
	proto_write_multi_header(w, &(struct proto_multi_header){ -1, true, -1 });
	core_multi(run_model(r), session_id(r, p), ops, count, &e->result);
	send_request(r, p);
}

void peer_read(struct core_run *r, struct core_peer *p, int32_t type, const char *path, bool watch)
{
	struct expect *e = begin_request(r, p, type);

	jute_write_buffer(&p->client->w, slice_of(path));
	if (type != OP_GET_ACL)
		jute_write_bool(&p->client->w, watch);
	core_read(&run_model(r)->now, type, path, &e->result);
	send_request(r, p);
}

void peer_sync(struct core_run *r, struct core_peer *p)
{
	struct expect *e = begin_request(r, p, OP_SYNC);

	jute_write_buffer(&p->client->w, slice_of("/d0"));
	core_sync(run_model(r), "/d0", &e->result);
	send_request(r, p);
}

void peer_close(struct core_run *r, struct core_peer *p)
{
	struct expect *e = begin_request(r, p, OP_CLOSE_SESSION);

	core_end_session(run_model(r), p->session);
	e->result.zxid = e->result.need = run_model(r)->change;
	p->has_session = false;
	send_request(r, p);
}

/* The answer goes ahead of all that waits: a client that asks before it is let in takes it for
 * something else. */
void peer_ping(struct core_peer *p)
{
	list_foreach(link, &p->expected)
		if (container_of(link, struct expect, link)->kind != EXPECT_REPLY)
			return;
	headless_ping(p->client);
}
