/* Fuzz target: whole frames into a registry without a network, as one client sends them: the
 * connect request first, then requests, which change the tree that the next ones find. In place of
 * a frame a negative length stands for what happens to a client: a new connection (-1), the session
 * resumed on one (-2), a restart of the server (-3), replay (-4), or time that passes. What must
 * hold:
 *   - each request gets one reply of its own, or the connection ends;
 *   - the zxids of a connection's replies never fall, and nothing stands behind an error;
 *   - another client, which watches everything, is told well-formed events and keeps its session
 *     and its ephemeral znode, into which nobody else may reach;
 *   - a restart finds the same tree.
 * The store is in memory, so that each input begins with an empty one. The same file is linked with
 * replay.c, which runs the seeds in make check. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/tree.h"
#include "tests/lib/fake_store.h"
#include "tests/lib/headless.h"

enum {
	TIMEOUT_MS = 30000,
	STEP_MS = 2000, /* of time that passes at once; the watcher pings as often */
	MOST_STEPS = 25,
	MOST_EVENTS = 8, /* what is no frame takes long */
	FRAME_LIMIT = 0xfffff,
	HEADER_LEN = 8,
	NEW_CONNECTION = -1,
	RESUMED = -2,
	RESTARTED = -3,
	REPLAYED = -4,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scene {
	struct headless h;
	struct store *store;
	struct headless_client *watcher;
	struct headless_client *peer; /* whose frames come from the input */
	int64_t told_zxid;            /* of the watcher's newest event */
	int64_t floor;                /* highest zxid of a reply on the peer's connection */
	bool greeted;                 /* the peer's connection has sent its first frame */
	int happened;                 /* what was no frame */
};

/* ---- what comes back ---- */

/* Take an event's body apart; it has nothing behind its path. */
static void check_event(struct headless_reply *event)
{
	int32_t type = jute_read_int(&event->body);
	struct slice path;

	jute_read_int(&event->body);
	path = jute_read_buffer(&event->body);
	assert(!event->body.bad && jute_reader_left(&event->body) == 0);
	assert(event->header.err == ZERR_OK && type >= 1 && type <= 4 && path.data);
}

static void drain_watcher(struct scene *s)
{
	struct headless_reply event;

	while (headless_receive_reply(s->watcher, &event)) {
		assert(event.header.xid == XID_EVENT || event.header.xid == XID_PING);
		if (event.header.xid == XID_PING)
			continue;
		check_event(&event);
		assert(event.header.zxid >= s->told_zxid);
		s->told_zxid = event.header.zxid;
	}
	assert(!s->watcher->closing);
}

static void check_reply(struct scene *s, const struct headless_reply *reply)
{
	if (reply->header.err != ZERR_OK)
		assert(jute_reader_left(&reply->body) == 0);
	if (reply->header.zxid <= 0 || reply->header.xid == XID_PING)
		return;
	assert(reply->header.zxid >= s->floor);
	s->floor = reply->header.zxid;
}

/* The peer's replies; events are taken with them unless the request asked for their xid. */
static int drain_replies(struct scene *s, int32_t xid)
{
	struct headless_reply reply;
	int count = 0;

	while (headless_receive_reply(s->peer, &reply)) {
		if (reply.header.xid == XID_EVENT && xid != XID_EVENT) {
			check_event(&reply);
			continue;
		}
		if (xid == XID_EVENT) {
			count = 1;
			continue;
		}
		assert(reply.header.xid == xid || reply.header.xid == XID_PING);
		check_reply(s, &reply);
		count++;
	}
	return count;
}

static void drain_greeting(struct scene *s)
{
	struct headless_connect_reply reply;

	if (!headless_receive_connect(s->peer, &reply)) {
		assert(s->peer->closing);
		return;
	}
	assert((reply.timeout_ms > 0) == (reply.session_id != 0));
	assert(reply.timeout_ms > 0 || s->peer->closing);
	s->peer->session_id = reply.session_id;
	s->peer->timeout_ms = reply.timeout_ms;
	memcpy(s->peer->password, reply.password, sizeof(reply.password));
}

/* ---- what happens ---- */

static void connect_peer(struct scene *s)
{
	struct headless_client *old = s->peer;

	if (old && old->connected)
		headless_disconnect(old);
	s->peer = headless_connect(&s->h, "CN=fuzz");
	s->greeted = false;
	s->floor = 0;
	if (!old)
		return;
	s->peer->session_id = old->session_id;
	s->peer->timeout_ms = old->timeout_ms;
	memcpy(s->peer->password, old->password, sizeof(old->password));
}

static void resume_peer(struct scene *s)
{
	struct headless_client *old = s->peer;

	connect_peer(s);
	if (old->session_id == 0)
		return;
	s->greeted = true;
	if (!headless_resume(s->peer, old))
		connect_peer(s);
}

static void pass_time(struct scene *s, int steps)
{
	for (int i = 0; i < steps; i++) {
		clock_fake_advance(STEP_MS);
		headless_ping(s->watcher);
		headless_turn(&s->h);
		drain_watcher(s);
		/* Its session may have ended, or it is told of what was removed. */
		drain_replies(s, XID_EVENT);
	}
}

/* The log is in the rows that the tree reads, and memory may let go of it. */
static void replay(struct scene *s)
{
	fake_store_replay(s->store, SIZE_MAX);
	fake_store_tell(s->store);
	headless_turn(&s->h);
}

static void restart(struct scene *s)
{
	struct headless_client *old = s->watcher;
	uint64_t znodes = tree_counts(registry_tree(s->h.registry)).znodes;
	struct headless_reply reply;

	headless_restart(&s->h);
	assert(tree_counts(registry_tree(s->h.registry)).znodes == znodes);
	s->watcher = headless_connect(&s->h, "CN=watcher");
	assert(headless_resume(s->watcher, old));
	headless_read(s->watcher, 1, OP_EXISTS, "/watcher/here", false);
	reply = headless_reply_to(s->watcher, 1);
	assert(reply.header.err == ZERR_OK);
	assert(headless_read_stat(&reply.body).ephemeral_owner == s->watcher->session_id);
	headless_begin(s->watcher, 2, OP_ADD_WATCH);
	jute_write_buffer(&s->watcher->w, slice_of("/"));
	jute_write_int(&s->watcher->w, 1);
	assert(headless_send(s->watcher) == DISPATCH_DONE);
	assert(headless_error_of(s->watcher, 2) == ZERR_OK);
	connect_peer(s);
}

static void happen(struct scene *s, int32_t what)
{
	if (++s->happened > MOST_EVENTS)
		return;
	switch (what) {
	case NEW_CONNECTION:
		connect_peer(s);
		break;
	case RESUMED:
		resume_peer(s);
		break;
	case RESTARTED:
		restart(s);
		break;
	case REPLAYED:
		replay(s);
		break;
	default:
		pass_time(s, (int)(-(int64_t)what % MOST_STEPS) + 1);
		break;
	}
}

/* ---- frames ---- */

/* A write that has to wait for replay is offered again once that is done. */
static void dispatch(struct scene *s, struct slice frame)
{
	if (dispatch_frame(s->h.dispatch, &s->peer->client, frame) == DISPATCH_DONE)
		return;
	replay(s);
	assert(dispatch_frame(s->h.dispatch, &s->peer->client, frame) == DISPATCH_DONE);
}

static void send_frame(struct scene *s, struct slice in)
{
	char *exact = malloc(in.len > 0 ? in.len : 1);
	int32_t xid = in.len >= HEADER_LEN ? jute_get_int((const uint8_t *)in.data) : 0;

	/* A sanitizer sees a byte too far. */
	assert(exact);
	memcpy(exact, in.data, in.len);
	dispatch(s, (struct slice){ exact, in.len });
	free(exact);
	headless_turn(&s->h);
	if (s->greeted)
		assert(drain_replies(s, xid) == 1 || s->peer->closing);
	else
		drain_greeting(s);
	s->greeted = true;
	drain_watcher(s);
	if (s->peer->closing)
		connect_peer(s);
}

/* ---- the scene ---- */

/* A directory that is the watcher's alone, and in it what goes with its session. */
static void settle_watcher(struct scene *s)
{
	struct buf acl;

	buf_init(&acl, FRAME_LIMIT);
	headless_add_acl(&acl, PERM_ALL, "x509", "CN=watcher");
	s->watcher = headless_connect(&s->h, "CN=watcher");
	headless_open(s->watcher, TIMEOUT_MS);
	headless_create(s->watcher, 1, OP_CREATE, "/watcher", slice_of(""), buf_slice(&acl), 0);
	assert(headless_error_of(s->watcher, 1) == ZERR_OK);
	headless_create(s->watcher, 2, OP_CREATE, "/watcher/here", slice_of(""), buf_slice(&acl),
			1);
	assert(headless_error_of(s->watcher, 2) == ZERR_OK);
	buf_fini(&acl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = { .store = fake_store_new() };

	headless_init(&s.h, ".");
	log_set_level(LOG_LEVEL_ERROR);
	s.h.registry_options.extended_types = true;
	s.h.registry_options.enforce_quota = true;
	s.h.registry_options.container_check_ms = STEP_MS;
	/* Small, so that limits are met and writers have to wait. */
	s.h.registry_options.max_watches = 40;
	s.h.registry_options.max_ephemerals = 20;
	s.h.registry_options.max_lag_rows = 30;
	headless_start(&s.h);
	settle_watcher(&s);
	restart(&s);
	while (size >= sizeof(int32_t)) {
		int32_t announced = jute_get_int(data);
		size_t len = 0;

		data += sizeof(int32_t);
		size -= sizeof(int32_t);
		if (announced >= 0) {
			len = (size_t)announced < size ? (size_t)announced : size;
			len = len < FRAME_LIMIT ? len : FRAME_LIMIT;
			send_frame(&s, (struct slice){ (const char *)data, len });
		} else {
			happen(&s, announced);
		}
		data += len;
		size -= len;
	}
	restart(&s);
	headless_fini(&s.h);
	fake_store_free(s.store);
	return 0;
}
