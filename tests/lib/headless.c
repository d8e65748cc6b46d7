#include "tests/lib/headless.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/latency.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/session.h"

enum {
	OUTPUT_LIMIT = 512 * 1024 * 1024,
	REPLY_LIMIT = 64 * 1024 * 1024,
	PATIENCE_S = 60, /* a disk that takes longer is a bug of ours */
	POLL_MS = 50,
	LENGTH_LEN = 4,
};
/* After the day of the release, so that the store believes it. */
static const int64_t fake_now_ms = 1000000;
static const int64_t fake_wall_ms = INT64_C(1800000000000);

/* --- the links of its clients --- */

static struct headless_client *of(struct client *c)
{
	return container_of(c, struct headless_client, client);
}

static struct slice with_length(struct buf *b, struct slice frame)
{
	uint8_t length[LENGTH_LEN];

	jute_put_int(length, (int32_t)frame.len);
	buf_clear(b);
	if (buf_append(b, length, sizeof(length)) != 0 || buf_append(b, frame.data, frame.len) != 0)
		die("headless.output", "frame too large");
	return buf_slice(b);
}

static void link_send(struct client *client, struct slice frame, int64_t mark)
{
	struct headless_client *c = of(client);
	struct buf b;

	buf_init(&b, REPLY_LIMIT + LENGTH_LEN);
	if (output_append(&c->output, with_length(&b, frame), mark,
			  registry_flushed(client->registry)) != 0)
		die("headless.output", "full");
	buf_fini(&b);
}

static void link_send_ahead(struct client *client, struct slice frame)
{
	struct buf b;

	buf_init(&b, REPLY_LIMIT + LENGTH_LEN);
	if (output_insert(&of(client)->output, with_length(&b, frame)) != 0)
		die("headless.output", "full");
	buf_fini(&b);
}

static void link_close(struct client *client, const char *reason)
{
	if (!of(client)->closing)
		of(client)->closing = reason;
}

static void link_fail(struct client *client, const char *reason)
{
	link_close(client, reason);
	of(client)->failed = true;
}

static void link_established(struct client *client)
{
	of(client)->established = true;
}

static void link_read_now(struct client *client)
{
	struct headless_client *c = of(client);

	if (c->read_now)
		c->read_now(c);
}

static const struct client_link headless_link = {
	.send = link_send,
	.send_ahead = link_send_ahead,
	.close = link_close,
	.fail = link_fail,
	.established = link_established,
	.read_now = link_read_now,
};

/* --- its life --- */

static char *make_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/headless-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(path))
		die("headless.dir", path);
	return mem_strdup(path);
}

void headless_init(struct headless *h, const char *dir)
{
	*h = (struct headless){ .own_dir = !dir };
	clock_fake_start(fake_now_ms, fake_wall_ms);
	log_set_level(LOG_LEVEL_WARN);
	h->dir = dir ? mem_strdup(dir) : make_dir();
	list_init(&h->clients);
	store_options_init(&h->store_options);
	h->store_options.data_dir = h->dir;
	h->store_options.segment_bytes = 1024 * 1024;
	h->store_options.replay_delay_ms = 0;
	registry_options_init(&h->registry_options);
}

static void read_strangers(void *ctx)
{
	struct headless *h = ctx;

	if (h->read_strangers)
		h->read_strangers(h);
}

static bool has_waiting(void *ctx, int64_t deadline_ms)
{
	struct headless *h = ctx;

	(void)deadline_ms;
	return h->waiting;
}

static bool has_shaking(void *ctx, int64_t deadline_ms)
{
	struct headless *h = ctx;

	(void)deadline_ms;
	return h->shaking;
}

int headless_try_start(struct headless *h)
{
	const struct registry_hooks hooks = { h, read_strangers, has_waiting, has_shaking };

	if (store_open(&h->store, &h->store_options, h->reason) != 0) {
		h->store = NULL;
		return -1;
	}
	timer_wheel_init(&h->wheel, clock_update());
	h->registry = registry_new(h->store, &h->wheel, &h->registry_options, &hooks);
	h->latency = latency_new();
	h->dispatch = dispatch_new(REPLY_LIMIT, h->latency, &h->turn);
	if (registry_start(h->registry, h->reason) == 0)
		return 0;
	headless_stop(h);
	return -1;
}

void headless_start(struct headless *h)
{
	if (headless_try_start(h) != 0)
		die("headless.start", h->reason);
}

void headless_stop(struct headless *h)
{
	list_foreach(link, &h->clients) {
		struct headless_client *c = container_of(link, struct headless_client, link);

		if (c->connected)
			headless_disconnect(c);
	}
	dispatch_free(h->dispatch);
	latency_free(h->latency);
	registry_free(h->registry);
	store_close(h->store);
	h->dispatch = NULL;
	h->latency = NULL;
	h->registry = NULL;
	h->store = NULL;
}

void headless_restart(struct headless *h)
{
	headless_stop(h);
	headless_start(h);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void headless_fini(struct headless *h)
{
	struct list *link;

	headless_stop(h);
	while ((link = list_take_first(&h->clients))) {
		struct headless_client *c = container_of(link, struct headless_client, link);

		output_fini(&c->output);
		buf_fini(&c->released);
		buf_fini(&c->request);
		mem_free(c);
	}
	if (h->own_dir && nftw(h->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die("headless.dir", h->dir);
	mem_free(h->dir);
	clock_fake_stop();
}

/* --- time --- */

/* What may leave has left. */
static void pump(struct headless_client *c)
{
	struct slice bytes = output_sendable(&c->output);

	if (bytes.len == 0)
		return;
	if (buf_append(&c->released, bytes.data, bytes.len) != 0)
		die("headless.output", "released too much");
	output_drain(&c->output, bytes.len);
}

void headless_turn(struct headless *h)
{
	timer_wheel_run(&h->wheel, clock_now_ms());
	registry_end_turn(h->registry);
	registry_wake(h->registry);
	latency_flushed(h->latency, registry_flushed(h->registry));
	list_foreach(link, &h->clients) {
		struct headless_client *c = container_of(link, struct headless_client, link);

		if (!c->connected)
			continue;
		output_release(&c->output, registry_flushed(h->registry));
		pump(c);
	}
}

static bool is_flushed(struct headless *h)
{
	return registry_flushed(h->registry) >= registry_last_zxid(h->registry);
}

static bool is_replayed(struct headless *h)
{
	return is_flushed(h) && store_lag_rows(h->store) == 0 &&
	       tree_counts(registry_tree(h->registry)).pending == 0;
}

static void turn_until(struct headless *h, bool (*done)(struct headless *h), const char *what)
{
	struct pollfd fd = { .fd = store_wake_fd(h->store), .events = POLLIN };
	struct timespec began, now;

	clock_gettime(CLOCK_MONOTONIC, &began);
	headless_turn(h);
	while (!done(h)) {
		/* The clocks of base/clock stand still. */
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - began.tv_sec > PATIENCE_S)
			die("headless.wait", what);
		poll(&fd, 1, POLL_MS);
		headless_turn(h);
	}
	/* It may have come true behind the last turn's back: what it releases shall leave too. */
	headless_turn(h);
}

void headless_flush(struct headless *h)
{
	turn_until(h, is_flushed, "the log is not on disk");
}

void headless_replay(struct headless *h)
{
	turn_until(h, is_replayed, "the log is not replayed");
}

void headless_advance(struct headless *h, int64_t by_ms)
{
	while (by_ms > 0) {
		int64_t step_ms = by_ms < TIMER_SLOT_MS ? by_ms : TIMER_SLOT_MS;

		clock_fake_advance(step_ms);
		by_ms -= step_ms;
		headless_turn(h);
	}
}

/* --- clients --- */

struct headless_client *headless_connect_from(struct headless *h, const char *host,
					      const char *subject)
{
	struct headless_client *c = mem_new(sizeof(*c));
	const struct access_name name = { "x509", subject };
	const struct access_peer peer = { .host = host,
					  .subject = subject,
					  .owner = subject && *subject ? subject : NULL,
					  .names = &name,
					  .name_count = subject && *subject };
	char address[CLIENT_ADDRESS_LEN];

	c->headless = h;
	c->connected = true;
	snprintf(address, sizeof(address), "%s:1000", host);
	client_init(&c->client, h->registry, &headless_link, address, &peer);
	output_init(&c->output, OUTPUT_LIMIT);
	buf_init(&c->released, OUTPUT_LIMIT);
	buf_init(&c->request, REPLY_LIMIT);
	list_append(&h->clients, &c->link);
	return c;
}

struct headless_client *headless_connect(struct headless *h, const char *subject)
{
	return headless_connect_from(h, "127.0.0.1", subject);
}

void headless_disconnect(struct headless_client *c)
{
	client_fini(&c->client);
	c->connected = false;
}

/* --- requests --- */

void headless_begin_raw(struct headless_client *c)
{
	buf_clear(&c->request);
	jute_writer_init(&c->w, &c->request);
}

void headless_begin(struct headless_client *c, int32_t xid, int32_t type)
{
	headless_begin_raw(c);
	jute_write_int(&c->w, xid);
	jute_write_int(&c->w, type);
}

enum dispatch_result headless_send(struct headless_client *c)
{
	if (c->w.bad)
		die("headless.request", "too large");
	return dispatch_frame(c->headless->dispatch, &c->client, buf_slice(&c->request));
}

bool headless_send_behind_parked(struct headless_client *c)
{
	return dispatch_ping(c->headless->dispatch, &c->client, buf_slice(&c->request));
}

static void send_or_die(struct headless_client *c)
{
	if (headless_send(c) != DISPATCH_DONE)
		die("headless.request", "was parked");
}

void headless_send_connect(struct headless_client *c, const struct headless_connect_request *rq)
{
	headless_begin_raw(c);
	jute_write_int(&c->w, 0);
	jute_write_long(&c->w, rq->last_zxid_seen);
	jute_write_int(&c->w, rq->timeout_ms);
	jute_write_long(&c->w, rq->session_id);
	jute_write_buffer(&c->w, rq->password);
	if (!rq->without_read_only)
		jute_write_bool(&c->w, false);
	send_or_die(c);
}

void headless_create(struct headless_client *c, int32_t xid, int32_t type, const char *path,
		     struct slice data, struct slice acls, int32_t flags)
{
	headless_begin(c, xid, type);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, data);
	jute_write_raw(&c->w, acls.data, acls.len);
	jute_write_int(&c->w, flags);
	send_or_die(c);
}

void headless_delete(struct headless_client *c, int32_t xid, const char *path, int32_t version)
{
	headless_begin(c, xid, OP_DELETE);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_int(&c->w, version);
	send_or_die(c);
}

void headless_set_data(struct headless_client *c, int32_t xid, const char *path, struct slice data,
		       int32_t version)
{
	headless_begin(c, xid, OP_SET_DATA);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_buffer(&c->w, data);
	jute_write_int(&c->w, version);
	send_or_die(c);
}

void headless_read(struct headless_client *c, int32_t xid, int32_t type, const char *path,
		   bool watch)
{
	headless_begin(c, xid, type);
	jute_write_buffer(&c->w, slice_of(path));
	jute_write_bool(&c->w, watch);
	send_or_die(c);
}

void headless_ping(struct headless_client *c)
{
	headless_begin(c, XID_PING, OP_PING);
	send_or_die(c);
}

void headless_close_session(struct headless_client *c, int32_t xid)
{
	headless_begin(c, xid, OP_CLOSE_SESSION);
	send_or_die(c);
}

void headless_add_acl(struct buf *b, int32_t perms, const char *scheme, const char *id)
{
	struct proto_acl entry = { perms, slice_of(scheme), slice_of(id) };
	struct jute_writer w;

	jute_writer_init(&w, b);
	if (buf_len(b) == 0)
		jute_write_int(&w, 0);
	proto_write_acl(&w, &entry);
	jute_put_int(b->data + b->head, jute_get_int(buf_head(b)) + 1);
}

struct slice headless_world(void)
{
	static uint8_t bytes[64];
	static struct buf b = { .data = bytes, .cap = sizeof(bytes), .limit = sizeof(bytes) };

	if (buf_len(&b) == 0)
		headless_add_acl(&b, PERM_ALL, "world", "anyone");
	return buf_slice(&b);
}

/* --- what comes back --- */

bool headless_receive(struct headless_client *c, struct slice *frame)
{
	struct slice have;
	size_t len;

	pump(c);
	have = buf_slice(&c->released);
	if (have.len < LENGTH_LEN)
		return false;
	len = (size_t)jute_get_int(buf_head(&c->released));
	if (have.len < LENGTH_LEN + len)
		die("headless.output", "half a frame left");
	*frame = (struct slice){ have.data + LENGTH_LEN, len };
	/* The bytes stay where they are until more is released. */
	buf_drain(&c->released, LENGTH_LEN + len);
	return true;
}

bool headless_receive_reply(struct headless_client *c, struct headless_reply *out)
{
	struct slice frame;

	if (!headless_receive(c, &frame))
		return false;
	jute_reader_init(&out->body, frame);
	out->header.xid = jute_read_int(&out->body);
	out->header.zxid = jute_read_long(&out->body);
	out->header.err = jute_read_int(&out->body);
	if (out->body.bad)
		die("headless.reply", "shorter than its header");
	return true;
}

struct headless_reply headless_reply_to(struct headless_client *c, int32_t xid)
{
	struct headless_reply reply;
	char text[96];

	headless_flush(c->headless);
	if (!headless_receive_reply(c, &reply))
		die("headless.reply", "there is none");
	if (reply.header.xid != xid) {
		snprintf(text, sizeof(text), "xid %d instead of %d", reply.header.xid, xid);
		die("headless.reply", text);
	}
	return reply;
}

int32_t headless_error_of(struct headless_client *c, int32_t xid)
{
	return headless_reply_to(c, xid).header.err;
}

size_t headless_gated(const struct headless_client *c)
{
	return output_gated(&c->output);
}

bool headless_receive_connect(struct headless_client *c, struct headless_connect_reply *out)
{
	struct jute_reader r;
	struct slice frame, password;

	if (!headless_receive(c, &frame))
		return false;
	jute_reader_init(&r, frame);
	out->protocol_version = jute_read_int(&r);
	out->timeout_ms = jute_read_int(&r);
	out->session_id = jute_read_long(&r);
	password = jute_read_buffer(&r);
	out->has_read_only = jute_reader_left(&r) == 1;
	if (r.bad || password.len != sizeof(out->password) || jute_reader_left(&r) > 1)
		die("headless.connect", "malformed reply");
	memcpy(out->password, password.data, password.len);
	return true;
}

static bool take_session(struct headless_client *c)
{
	struct headless_connect_reply reply;

	headless_flush(c->headless);
	if (!headless_receive_connect(c, &reply))
		die("headless.connect", "no reply");
	c->session_id = reply.session_id;
	c->timeout_ms = reply.timeout_ms;
	memcpy(c->password, reply.password, sizeof(c->password));
	return reply.timeout_ms > 0;
}

void headless_open(struct headless_client *c, int32_t timeout_ms)
{
	const uint8_t zeros[PROTO_PASSWORD_LEN] = { 0 };

	headless_send_connect(c, &(struct headless_connect_request){
					 .timeout_ms = timeout_ms,
					 .password = { (const char *)zeros, sizeof(zeros) },
				 });
	if (!take_session(c))
		die("headless.connect", "refused");
}

bool headless_resume(struct headless_client *c, const struct headless_client *old)
{
	headless_send_connect(
		c, &(struct headless_connect_request){
			   .timeout_ms = old->timeout_ms,
			   .session_id = old->session_id,
			   .password = { (const char *)old->password, sizeof(old->password) },
		   });
	return take_session(c);
}

struct headless_client *headless_new_session(struct headless *h, int32_t timeout_ms)
{
	struct headless_client *c = headless_connect(h, NULL);

	headless_open(c, timeout_ms);
	return c;
}

struct proto_stat headless_read_stat(struct jute_reader *r)
{
	struct proto_stat s;

	s.czxid = jute_read_long(r);
	s.mzxid = jute_read_long(r);
	s.ctime = jute_read_long(r);
	s.mtime = jute_read_long(r);
	s.version = jute_read_int(r);
	s.cversion = jute_read_int(r);
	s.aversion = jute_read_int(r);
	s.ephemeral_owner = jute_read_long(r);
	s.data_length = jute_read_int(r);
	s.num_children = jute_read_int(r);
	s.pzxid = jute_read_long(r);
	return s;
}

bool headless_receive_event(struct headless_client *c, struct headless_event *out)
{
	struct headless_reply reply;

	if (!headless_receive_reply(c, &reply))
		return false;
	if (reply.header.xid != XID_EVENT || reply.header.err != ZERR_OK)
		die("headless.event", "something else came");
	out->zxid = reply.header.zxid;
	out->type = jute_read_int(&reply.body);
	out->state = jute_read_int(&reply.body);
	out->path = jute_read_buffer(&reply.body);
	if (reply.body.bad || jute_reader_left(&reply.body) > 0)
		die("headless.event", "malformed");
	return true;
}
