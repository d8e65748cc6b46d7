#include "core/registry.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/audit.h"
#include "core/client.h"
#include "core/headcount.h"
#include "core/pace.h"
#include "core/policy.h"
#include "core/quota.h"
#include "core/reaper.h"
#include "core/session.h"
#include "core/throttle.h"
#include "store/room.h"
#include "wire/path.h"

enum {
	RECORD_KEPT = 1024 * 1024, /* a larger one gives its memory back */
	EVENT_LIMIT = 4 * 1024 * 1024,
	EXPIRY_HOLD_MS = 500, /* what peers that owe us bytes may cost the others */
	EXPIRY_LOOK_MS = 20,
	UNREADABLE_RETRY_MS = 1000,
	EXPIRY_LOG_BURST = 100,
};

enum { EVENT_TYPES = EVENT_NODE_CHILDREN_CHANGED + 1 };

struct registry {
	struct store *store;
	struct tree *tree;
	struct watch_table *watches;
	struct session_table *sessions;
	struct quota_table *quotas;
	struct pace_table *paces;
	struct headcount *headcount;
	struct reaper *reaper; /* once it serves */
	struct timer_wheel *wheel;
	struct throttle connects;
	struct registry_options options;
	struct registry_hooks hooks;
	struct policy *policy; /* options.access lends it */
	int64_t last_zxid;     /* given */
	int64_t last_change;   /* appended to the log */
	/* What the disk was known to hold when the store woke us last. It may hold more by now;
	 * but F moves together with what it releases, else a ping's reply that goes ahead would
	 * tell of a change whose event stands behind it. */
	int64_t on_disk;
	/* F as of the last change's begin: it must not fall by one that is not on disk yet. */
	int64_t flushed;
	int64_t change_time_ms;
	const char *cause; /* of the open change, for the audit trail; NULL: what asks is enough */
	struct buf record; /* body of the open change */
	struct buf event;  /* frame of the event that is told */
	struct summary fired[EVENT_TYPES]; /* watches, by the type of event */
};

void registry_options_init(struct registry_options *o)
{
	*o = (struct registry_options){
		.min_session_timeout_ms = 4000,
		.max_session_timeout_ms = 40000,
		.cache_bytes = 32 * 1024 * 1024,
		.max_watches = 1000000,
		.max_watch_bytes = 32 * 1024 * 1024,
		.max_ephemerals = 100000,
		.max_ephemeral_bytes = 16 * 1024 * 1024,
		.max_sessions = 100000,
		.max_acls = 100000,
		.max_path = 16 * 1024,
		.max_lag_rows = 200000,
		.max_pending_bytes = 64 * 1024 * 1024,
		.max_record = 64 * 1024 * 1024,
		.container_check_ms = 60000,
		.container_max_per_minute = 10000,
		.max_quotas = 10000,
		.connect_fill_count = 1,
		.connect_fill_ms = 1,
	};
	access_limits_init(&o->access);
}

struct tree *registry_tree(struct registry *r)
{
	return r->tree;
}

struct watch_table *registry_watches(struct registry *r)
{
	return r->watches;
}

struct session_table *registry_sessions(struct registry *r)
{
	return r->sessions;
}

struct quota_table *registry_quotas(struct registry *r)
{
	return r->quotas;
}

struct pace_table *registry_paces(struct registry *r)
{
	return r->paces;
}

struct headcount *registry_headcount(struct registry *r)
{
	return r->headcount;
}

struct store *registry_store(struct registry *r)
{
	return r->store;
}

struct audit *registry_audit(struct registry *r)
{
	return r->options.audit;
}

bool registry_pass_connect(struct registry *r)
{
	return throttle_pass(&r->connects, clock_now_ms());
}

const struct registry_options *registry_options(const struct registry *r)
{
	return &r->options;
}

int64_t registry_last_zxid(const struct registry *r)
{
	return r->last_zxid;
}

int64_t registry_last_change(const struct registry *r)
{
	return r->last_change;
}

int64_t registry_flushed(const struct registry *r)
{
	/* Zxids of writes that failed are in no row: when all rows are on disk, so is
	 * everything. */
	if (r->on_disk >= r->last_change)
		return r->last_zxid;
	return r->on_disk > r->flushed ? r->on_disk : r->flushed;
}

void registry_take_policy(struct registry *r, struct policy *policy)
{
	policy_free(r->policy);
	r->policy = policy;
	r->options.access.policy = policy;
}

bool registry_is_behind(const struct registry *r)
{
	return store_lag_rows(r->store) > r->options.max_lag_rows || store_is_tight(r->store) ||
	       tree_counts(r->tree).pending_bytes > r->options.max_pending_bytes;
}

/* --- a change --- */

/* The low half is used up: a row of its own, for which everything later waits, puts the new epoch
 * on disk. */
static void begin_epoch(struct registry *r)
{
	struct record_head head = { .op = "epoch", .prev = r->last_change };

	r->last_zxid = store_next_epoch(r->store);
	head.zxid = ++r->last_zxid;
	head.time_ms = clock_wall_ms();
	store_append(r->store, &head, (struct slice){ 0 });
	r->last_change = r->last_zxid;
}

int64_t change_begin(struct registry *r)
{
	r->flushed = registry_flushed(r);
	if ((r->last_zxid & 0xffffffff) == 0xffffffff)
		begin_epoch(r);
	r->last_zxid++;
	r->change_time_ms = clock_wall_ms();
	tree_begin(r->tree, r->last_zxid, r->change_time_ms);
	return r->last_zxid;
}

int64_t change_time_ms(const struct registry *r)
{
	return r->change_time_ms;
}

void change_abort(struct registry *r)
{
	tree_rollback(r->tree);
	quota_end_change(r, false);
}

static int write_record(struct registry *r, const struct session *opened,
			const struct session *closed)
{
	struct record_session s;

	buf_clear(&r->record);
	if (tree_record(r->tree, &r->record) != 0)
		return -1;
	if (opened) {
		s = session_record(opened, true);
		if (record_put_session(&r->record, &s) != 0)
			return -1;
	}
	if (closed) {
		s = session_record(closed, false);
		if (record_put_session(&r->record, &s) != 0)
			return -1;
	}
	return 0;
}

static void forget_record(struct registry *r)
{
	buf_clear(&r->record);
	if (r->record.cap > RECORD_KEPT)
		buf_release(&r->record);
}

struct telling {
	struct registry *r;
	const struct tree_event *event;
	bool encoded;
};

static void encode_event(struct registry *r, enum event_type type, struct slice path, int64_t zxid)
{
	struct proto_reply_header header = { XID_EVENT, zxid, ZERR_OK };
	struct jute_writer w;

	metrics_add(METRIC_events_encoded, 1);
	buf_clear(&r->event);
	jute_writer_init(&w, &r->event);
	proto_write_reply_header(&w, &header);
	proto_write_watcher_event(&w, (int32_t)type, EVENT_STATE_SYNC_CONNECTED, path);
	assert(!w.bad);
}

static void send_event(struct registry *r, struct client *c, int64_t mark)
{
	c->sent++;
	/* A reply behind it does not say less. */
	if (mark > c->last_header)
		c->last_header = mark;
	c->link->send(c, buf_slice(&r->event), mark);
	metrics_add(METRIC_watches_fired, 1);
	metrics_add(METRIC_watch_bytes, buf_len(&r->event));
}

const struct summary *registry_fired(const struct registry *r, enum event_type type)
{
	return &r->fired[type];
}

void registry_reset_fired(struct registry *r)
{
	for (int type = 0; type < EVENT_TYPES; type++)
		summary_reset(&r->fired[type]);
}

void registry_send_event(struct registry *r, struct client *c, enum event_type type,
			 struct slice path, int64_t zxid, int64_t mark)
{
	encode_event(r, type, path, zxid);
	send_event(r, c, mark);
}

/* A watcher learns nothing of what it may not read (CVE-2024-23944). Where an ACL keeps it from it
 * the watch is used up, as in ZooKeeper, whose ACLs hide no znode; where the policy does it
 * stays. */
static bool tell_client(void *ctx, struct client *c)
{
	struct telling *telling = ctx;
	struct registry *r = telling->r;
	struct znode *z = telling->event->z;

	if (!access_allows(&c->ids, znode_path(z), telling->event->acl, PERM_READ)) {
		metrics_add(METRIC_events_withheld, 1);
		return (access_rights(&c->ids, znode_path(z)) & PERM_READ) != 0;
	}
	if (!telling->encoded)
		encode_event(r, telling->event->type, znode_path(z), r->last_zxid);
	telling->encoded = true;
	send_event(r, c, r->last_zxid);
	return true;
}

static void tell_watchers(struct registry *r)
{
	size_t count;
	const struct tree_event *events = tree_events(r->tree, &count);

	for (size_t i = 0; i < count; i++) {
		struct telling telling = { r, &events[i], false };
		size_t fired = watch_fire(r->watches, znode_path(events[i].z), events[i].type,
					  tell_client, &telling);

		if (fired > 0)
			summary_add(&r->fired[events[i].type], fired, 1);
	}
}

bool change_commit(struct registry *r, struct client *client, int32_t op, struct slice path,
		   const struct session *opened, const struct session *closed)
{
	struct audit_note note;
	struct record_head head = {
		.zxid = r->last_zxid,
		.prev = r->last_change,
		.time_ms = r->change_time_ms,
		.op = opcode_name(op),
		.path = path,
	};

	if (client) {
		head.session = client->session ? client->session->id : opened ? opened->id : 0;
		head.address = slice_of(client->address);
		if (client->subject)
			head.identity = slice_of(client->subject);
	} else if (closed) {
		head.session = closed->id;
	}
	if (write_record(r, opened, closed) != 0) {
		log_warn("change.too_large", LOG_HEX("zxid", r->last_zxid),
			 LOG_TEXT("op", head.op));
		forget_record(r);
		return false;
	}
	/* The path of a multi is that of its first operation. */
	note = audit_describe(r->options.audit, client, r->tree,
			      path.data != NULL && op != OP_MULTI, r->cause);
	head.note = &note;
	store_append(r->store, &head, buf_slice(&r->record));
	forget_record(r);
	r->last_change = r->last_zxid;
	if (r->reaper)
		reaper_note(r->reaper, r->last_zxid);
	tell_watchers(r);
	tree_commit(r->tree);
	quota_end_change(r, true);
	return true;
}

/* --- sessions' ends --- */

static bool delete_owned(struct registry *r, struct session *s)
{
	struct list *owned;

	while ((owned = tree_owned(r->tree, s->id))) {
		struct znode *z = container_of(owned->next, struct znode, owned);
		struct znode *parent;
		int64_t mark;

		if (tree_find(r->tree, path_parent(znode_path(z)), &parent, &mark) != TREE_FOUND ||
		    !quota_delete(r, parent, z))
			return false;
	}
	return true;
}

bool registry_end_session(struct registry *r, struct session *s, struct client *client,
			  const char *cause)
{
	bool is_done;

	change_begin(r);
	r->cause = cause;
	is_done = delete_owned(r, s) &&
		  change_commit(r, client, OP_CLOSE_SESSION, (struct slice){ 0 }, NULL, s);
	r->cause = NULL;
	if (is_done)
		session_remove(s);
	else
		change_abort(r);
	return is_done;
}

static void expire(struct registry *r, struct session *s)
{
	struct client *c = s->client;
	int64_t id = s->id;
	int32_t timeout_ms = s->timeout_ms;
	static struct log_limit limit;
	uint32_t suppressed;
	bool is_ended;

	/* A session ends with its znodes or not at all: what cannot be read now is tried again. */
	is_ended = registry_end_session(r, s, NULL, "expired");
	if (!is_ended) {
		session_postpone(s, clock_now_ms() + UNREADABLE_RETRY_MS);
		return;
	}
	metrics_add(METRIC_sessions_expired, 1);
	if (log_limit_pass(&limit, EXPIRY_LOG_BURST, &suppressed))
		log_info("session.expired", LOG_HEX("session", id),
			 LOG_INT("timeout_ms", timeout_ms), LOG_INT("suppressed", suppressed));
	if (c)
		client_close(c, "session expired");
}

/* Whether somebody who connected in time may be this session's client, and we do not know yet. A
 * peer that waits for us holds everybody; one that owes us bytes holds for a while, counted from
 * when we looked first: a server that was stopped must look before it judges. */
static bool is_held(struct registry *r, struct session *s)
{
	int64_t deadline = session_deadline_ms(s);
	bool waiting, shaking;

	if (s->held_deadline_ms != deadline) {
		s->held_deadline_ms = deadline;
		s->held_since_ms = clock_now_ms();
	}
	waiting = r->hooks.has_waiting && r->hooks.has_waiting(r->hooks.ctx, deadline);
	/* While they wait for us, nobody's time runs. */
	if (waiting)
		s->held_since_ms = clock_now_ms();
	shaking = r->hooks.has_shaking && r->hooks.has_shaking(r->hooks.ctx, deadline);
	return waiting || (shaking && clock_now_ms() < s->held_since_ms + EXPIRY_HOLD_MS);
}

static void session_overdue(void *ctx, struct session *s)
{
	struct registry *r = ctx;
	int64_t id = s->id;

	/* What is read may close the session, or give it another client. */
	if (r->hooks.read_strangers)
		r->hooks.read_strangers(r->hooks.ctx);
	s = session_find(r->sessions, id);
	if (s && s->client) {
		s->client->link->read_now(s->client);
		s = session_find(r->sessions, id);
	}
	if (!s)
		return;
	if (session_deadline_ms(s) > clock_now_ms()) {
		session_postpone(s, session_deadline_ms(s));
		return;
	}
	if (is_held(r, s)) {
		session_postpone(s, clock_now_ms() + EXPIRY_LOOK_MS);
		return;
	}
	expire(r, s);
}

/* --- start, turns, end --- */

struct registry *registry_new(struct store *store, struct timer_wheel *wheel,
			      const struct registry_options *o, const struct registry_hooks *hooks)
{
	struct registry *r = mem_new(sizeof(*r));

	r->store = store;
	r->options = *o;
	r->hooks = *hooks;
	r->watches = watch_table_new();
	r->sessions = session_table_new(wheel, session_overdue, r);
	r->quotas = quota_table_new();
	r->paces = pace_table_new(o->write_rate);
	r->headcount = headcount_new(r);
	r->wheel = wheel;
	throttle_init(&r->connects, o->connect_tokens, o->connect_fill_count, o->connect_fill_ms,
		      clock_now_ms());
	buf_init(&r->record, o->max_record);
	buf_init(&r->event, EVENT_LIMIT);
	return r;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	reaper_free(r->reaper);
	headcount_free(r->headcount);
	session_table_free(r->sessions);
	quota_table_free(r->quotas);
	pace_table_free(r->paces);
	watch_table_free(r->watches);
	tree_free(r->tree);
	buf_fini(&r->record);
	buf_fini(&r->event);
	policy_free(r->policy);
	mem_free(r);
}

struct loading {
	struct registry *r;
	bool failed;
};

static void load_session(void *ctx, const struct record_session *s)
{
	struct loading *l = ctx;

	session_load(l->r->sessions, s);
}

static void load_ephemeral(void *ctx, const struct record_znode *z)
{
	struct loading *l = ctx;

	tree_load_ephemeral(l->r->tree, z);
}

static void load_change(void *ctx, const struct record_head *head, struct slice body)
{
	struct loading *l = ctx;
	struct record_reader reader;
	struct record_item item;
	enum record_item_kind kind;

	record_reader_init(&reader, body);
	while ((kind = record_read(&reader, &item)) != RECORD_ITEM_END && !l->failed) {
		if (kind == RECORD_ITEM_ZNODE)
			l->failed = !tree_load_change(l->r->tree, head->zxid, &item.znode);
		else if (kind == RECORD_ITEM_SESSION)
			session_load(l->r->sessions, &item.session);
		else
			l->failed = true;
	}
	if (l->failed)
		log_error("log.unusable", LOG_HEX("zxid", head->zxid));
	/* A long log must not fill memory with clean copies of what it touched. */
	tree_end_turn(l->r->tree);
}

static struct acl *acl_of_world(struct tree *t, int32_t perms)
{
	struct proto_acl entry = { perms, slice_of("world"), slice_of("anyone") };
	struct jute_writer w;
	struct buf b;
	struct acl *acl;

	buf_init(&b, 256);
	jute_writer_init(&w, &b);
	jute_write_int(&w, 1);
	proto_write_acl(&w, &entry);
	acl = acl_take(tree_acls(t), buf_slice(&b));
	buf_fini(&b);
	return acl;
}

/* The znodes that are there from the start have zxids and times 0, as in ZooKeeper (DataTree's
 * constructor): they are counted as children, but nobody created them, so that cversion of "/"
 * begins at -1. */
static void make_first_znodes(struct registry *r)
{
	static const struct {
		const char *path;
		int32_t perms;
		int32_t children;
		int32_t aversion;
	} first[] = {
		{ "/", PERM_ALL, 1, 0 },
		{ "/zookeeper", PERM_ALL, 2, 0 },
		{ "/zookeeper/config", PERM_READ, 0, -1 },
		{ "/zookeeper/quota", PERM_ALL, 0, 0 },
	};
	struct record_head head = { .op = "begin" };

	head.zxid = ++r->last_zxid;
	head.time_ms = clock_wall_ms();
	buf_clear(&r->record);
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
		struct acl *acl = acl_of_world(r->tree, first[i].perms);
		struct record_znode z = {
			.path = slice_of(first[i].path),
			.columns = RECORD_ALL,
			.data = slice_of(""),
			.acl = acl_encoded(acl),
			.aversion = first[i].aversion,
			.num_children = first[i].children,
		};

		if (record_put_znode(&r->record, &z) != 0 ||
		    !tree_load_change(r->tree, head.zxid, &z))
			die("registry.begin", "the first znodes cannot be made");
		acl_unref(tree_acls(r->tree), acl);
	}
	store_append(r->store, &head, buf_slice(&r->record));
	r->last_change = r->last_zxid;
}

int registry_start(struct registry *r, char reason[STORE_REASON_LEN])
{
	struct loading l = { r, false };
	struct store_loader loader = { &l, load_session, load_ephemeral, load_change };
	bool empty;

	r->tree = tree_new(r->store, r->options.cache_bytes);
	if (store_load(r->store, &loader, reason) != 0)
		return -1;
	if (l.failed)
		return store_refuse(r->store, "the log does not fit the tree: see the line before",
				    reason);
	r->last_change = store_last_zxid(r->store);
	empty = r->last_change == 0;
	/* The reserve is sized by them from the first look on. */
	store_note_owned(r->store, session_count(r->sessions), tree_counts(r->tree).ephemerals);
	r->last_zxid = store_begin(r->store);
	if (r->last_zxid < 0) {
		snprintf(reason, STORE_REASON_LEN,
			 "no segment of the log can be begun: see the line before");
		return -1;
	}
	r->on_disk = store_flushed(r->store);
	session_set_epoch(r->sessions, r->last_zxid >> 32);
	if (empty)
		make_first_znodes(r);
	if (!quota_load(r))
		return store_refuse(r->store, "the quotas cannot be read", reason);
	session_touch_all(r->sessions, clock_update());
	r->reaper = reaper_new(r, r->wheel);
	registry_end_turn(r);
	return 0;
}

void registry_wake(struct registry *r)
{
	store_wake(r->store);
	r->on_disk = store_flushed(r->store);
	tree_replayed(r->tree, store_replayed(r->store));
}

void registry_end_turn(struct registry *r)
{
	audit_end_turn(r->options.audit, false);
	store_note_owned(r->store, session_count(r->sessions), tree_counts(r->tree).ephemerals);
	store_end_turn(r->store);
	tree_end_turn(r->tree);
	headcount_end_turn(r->headcount);
}
