#include "core/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/quote.h"
#include "core/client.h"
#include "core/session.h"
#include "core/repeats.h"
#include "core/tree.h"
#include "store/room.h"
#include "store/store.h"
#include "wire/path.h"

/* What a change of the largest record says: a path may take six bytes for one. */
#define DETAIL_LIMIT ((size_t)1024 * 1024 * 1024)
enum { DETAIL_KEPT = 64 * 1024 };

/* Names stand in each row of who has them, and those of users cost nothing: so few bytes of JSON
 * are told. What certificates say comes first, and events that are counted keep as much whole. */
enum { NAMES_MAX = REPEATS_TEXT_MAX };
static const char more_names[] = ",\"...\"]";

/* Apart from each other, so that none takes the places of another. Those of whom no certificate
 * tells are apart from the others: a crowd of them costs nothing. */
enum table { REFUSALS, COMMANDS, CONNECTIONS, READS, TABLES };

struct audit {
	struct store *store;
	struct repeats *of_owners[TABLES];
	struct repeats *of_others[TABLES];
	const char *read_prefixes;
	bool has_begun;
	struct buf detail;
};

struct audit *audit_new(struct store *store, const struct audit_options *o)
{
	struct audit *a = mem_new(sizeof(*a));

	a->store = store;
	for (int i = 0; i < TABLES; i++) {
		a->of_owners[i] = repeats_new(o->max_events);
		a->of_others[i] = repeats_new(o->max_events);
	}
	a->read_prefixes = o->reads;
	buf_init(&a->detail, DETAIL_LIMIT);
	return a;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	for (int i = 0; i < TABLES; i++) {
		repeats_free(a->of_owners[i]);
		repeats_free(a->of_others[i]);
	}
	buf_fini(&a->detail);
	mem_free(a);
}

void audit_begin(struct audit *a)
{
	if (a)
		a->has_begun = true;
}

/* --- events --- */

static void write_event(struct audit *a, const struct audit_event *e, int64_t count,
			int64_t time_ms)
{
	const struct audit_row row = {
		.kind = e->kind,
		.time_ms = time_ms,
		.session = e->session,
		.address = e->address,
		.op = e->op,
		.path = e->path,
		.note = { .who = e->who,
			  .old_version = AUDIT_NO_VERSION,
			  .version = AUDIT_NO_VERSION,
			  .detail = e->detail },
		.result = e->result,
		.count = count,
	};

	store_audit(a->store, &row);
}

static void count_event(struct audit *a, enum table table, const struct audit_event *e)
{
	struct repeats *t = e->owner.data ? a->of_owners[table] : a->of_others[table];
	const struct repeats_event event = {
		.kind = e->kind,
		.host = e->host,
		.address = e->address,
		.session = e->session,
		.who = e->who,
		.op = e->op,
		.path = e->path,
		.result = e->result,
		.owner = e->owner,
	};

	repeats_add(t, &event);
}

void audit_record(struct audit *a, const struct audit_event *e)
{
	if (a && a->has_begun)
		write_event(a, e, 1, clock_wall_ms());
	else if (a)
		count_event(a, COMMANDS, e);
}

void audit_command(struct audit *a, const struct audit_event *e)
{
	if (a)
		count_event(a, COMMANDS, e);
}

void audit_refuse(struct audit *a, const struct audit_event *e)
{
	if (a)
		count_event(a, REFUSALS, e);
}

void audit_connect(struct audit *a, const struct audit_event *e)
{
	if (a)
		count_event(a, CONNECTIONS, e);
}

/* The last of the room on disk is for the ends of sessions. */
static bool has_room(const struct audit *a, int64_t count)
{
	if (store_room(a->store) != ROOM_SCARCE)
		return true;
	metrics_add(METRIC_audit_unwritten, (uint64_t)count);
	return false;
}

static void write_counted(void *ctx, const struct repeats_event *t, int64_t count, int64_t time_ms)
{
	const struct audit_event e = {
		.kind = t->kind,
		/* Several came from several ports. */
		.address = count == 1 && t->address.data ? t->address : t->host,
		.session = t->session,
		.who = t->who,
		.op = t->op,
		.path = t->path,
		.result = t->result,
	};

	if (has_room(ctx, count))
		write_event(ctx, &e, count, time_ms);
}

void audit_end_turn(struct audit *a, bool all)
{
	if (!a || !a->has_begun)
		return;
	for (int i = 0; i < TABLES; i++) {
		repeats_drain(a->of_owners[i], all, write_counted, a);
		repeats_drain(a->of_others[i], all, write_counted, a);
	}
}

/* --- clients --- */

/* A proof is no name: what stands behind the user of the scheme digest. */
static struct slice name_of(const struct access_id *id)
{
	struct slice name = slice_of(id->id);
	const char *colon;

	if (strcmp(id->scheme, "digest") != 0)
		return name;
	colon = memchr(name.data, ':', name.len);
	if (colon)
		name.len = (size_t)(colon - name.data);
	return name;
}

/* The first len bytes of its name. */
static void quote_name(struct buf *out, const struct access_id *id, size_t len)
{
	struct slice name = name_of(id);
	size_t size = strlen(id->scheme) + 1 + len + sizeof("...");
	char *text = mem_new(size);

	snprintf(text, size, "%s:%.*s%s", id->scheme, (int)len, name.data,
		 len < name.len ? "..." : "");
	buf_clear(out);
	quote_json(out, slice_of(text));
	mem_free(text);
}

/* Whether all of it is told. */
static bool put_name(struct buf *out, const struct access_id *id)
{
	size_t whole = name_of(id).len, len = whole, taken = buf_len(out) + sizeof(more_names);
	size_t room = taken < NAMES_MAX ? NAMES_MAX - taken : 0;
	struct buf name;
	bool fits;

	buf_init(&name, DETAIL_LIMIT);
	quote_name(&name, id, len);
	while (buf_len(&name) > room && len > 0) {
		len /= 2;
		quote_name(&name, id, len);
	}
	fits = buf_len(&name) <= room;
	if (fits) {
		buf_put(out, slice_of(buf_len(out) == 0 ? "[" : ","));
		buf_put(out, buf_slice(&name));
	}
	buf_fini(&name);
	return fits && len == whole;
}

static void make_names(struct client *c)
{
	bool is_all = true;
	struct buf out;

	buf_init(&out, DETAIL_LIMIT);
	for (unsigned i = 0; i < c->ids.count && is_all; i++)
		/* The address has a column of its own. */
		if (strcmp(c->ids.items[i].scheme, "ip") != 0)
			is_all = put_name(&out, &c->ids.items[i]);
	if (buf_len(&out) > 0)
		buf_put(&out, slice_of(is_all ? "]" : more_names));
	mem_free(c->names);
	c->names = buf_len(&out) > 0 ? mem_dup(buf_head(&out), buf_len(&out)) : NULL;
	c->names_of = c->ids.count;
	buf_fini(&out);
}

static bool is_of_certificate(const struct access_id *id)
{
	return strcmp(id->scheme, "x509") == 0 || strcmp(id->scheme, "san") == 0;
}

/* Kept like the names; NULL where no certificate tells who it is. */
static struct slice owner_of(struct client *c)
{
	struct buf out;

	for (unsigned i = 0; i < c->ids.count && !c->owner; i++) {
		if (!is_of_certificate(&c->ids.items[i]))
			continue;
		buf_init(&out, DETAIL_LIMIT);
		(void)put_name(&out, &c->ids.items[i]);
		buf_put(&out, slice_of("]"));
		c->owner = mem_dup(buf_head(&out), buf_len(&out));
		buf_fini(&out);
	}
	return c->owner ? slice_of(c->owner) : (struct slice){ 0 };
}

struct slice audit_names(struct client *c)
{
	/* Identities are only ever added. */
	if (c->names_of != c->ids.count)
		make_names(c);
	return c->names ? slice_of(c->names) : (struct slice){ 0 };
}

struct slice audit_host(const char *address)
{
	struct slice host = slice_of(address);
	const char *colon = strrchr(address, ':');

	if (colon)
		host.len = (size_t)(colon - address);
	if (host.len > 1 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = (struct slice){ host.data + 1, host.len - 2 };
	return host;
}

static struct audit_event event_of(struct client *c, const char *kind, struct slice op,
				   struct slice path, const char *why)
{
	struct audit_event e = {
		.kind = kind,
		.host = audit_host(c->address),
		.address = slice_of(c->address),
		.session = c->session ? c->session->id : 0,
		.who = audit_names(c),
		.owner = owner_of(c),
		.op = op,
		.path = path,
	};

	if (why)
		e.result = slice_of(why);
	return e;
}

void audit_refuse_client(struct audit *a, struct client *c, struct slice op, struct slice path,
			 const char *why)
{
	struct audit_event e;

	if (!a)
		return;
	e = event_of(c, "refuse", op, path, why);
	audit_refuse(a, &e);
}

void audit_resume(struct audit *a, struct client *c)
{
	struct audit_event e;

	if (!a)
		return;
	e = event_of(c, "resume", (struct slice){ 0 }, (struct slice){ 0 }, NULL);
	audit_connect(a, &e);
}

static bool is_below(struct slice path, struct slice prefix)
{
	while (prefix.len > 0 && prefix.data[prefix.len - 1] == '/')
		prefix.len--;
	return path_is_within(path, prefix);
}

static void note_read(struct audit *a, struct client *c, struct slice op, struct slice path,
		      bool and_below)
{
	struct audit_event e;

	if (!a || !a->read_prefixes || path.len == 0)
		return;
	for (const char *at = a->read_prefixes; *at;) {
		size_t len = strcspn(at, ",");
		struct slice prefix = { at, len };

		if (len > 0 && (is_below(path, prefix) || (and_below && is_below(prefix, path)))) {
			e = event_of(c, "read", op, path, NULL);
			count_event(a, READS, &e);
			return;
		}
		at += len + (at[len] == ',');
	}
}

void audit_read_client(struct audit *a, struct client *c, struct slice op, struct slice path)
{
	note_read(a, c, op, path, false);
}

void audit_read_below(struct audit *a, struct client *c, struct slice op, struct slice path)
{
	note_read(a, c, op, path, true);
}

/* --- changes --- */

static bool is_of_acl(const struct znode_state *before, const struct znode_state *after)
{
	return before->exists && after->exists && before->aversion != after->aversion &&
	       before->version == after->version;
}

/* Parents whose list of children changed and counters of quotas are none of its purposes. */
static bool is_told(const struct znode_state *before, const struct znode_state *after)
{
	return before->exists != after->exists ||
	       (after->exists &&
		(before->version != after->version || before->aversion != after->aversion ||
		 before->czxid != after->czxid));
}

/* The versions of a change of one znode. */
static void describe_one(void *ctx, const struct znode *z, const struct znode_state *before)
{
	struct audit_note *note = ctx;
	bool is_acl = is_of_acl(before, &z->st);

	if (!is_told(before, &z->st))
		return;
	note->old_version = !before->exists ? AUDIT_NO_VERSION
			    : is_acl        ? before->aversion
					    : before->version;
	note->version = !z->st.exists ? AUDIT_NO_VERSION : is_acl ? z->st.aversion : z->st.version;
}

/* NULL: nobody's doing. */
static const char *name_of_event(enum event_type type)
{
	switch (type) {
	case EVENT_NODE_CREATED:
		return "create";
	case EVENT_NODE_DATA_CHANGED:
		return "setData";
	case EVENT_NODE_DELETED:
		return "delete";
	default:
		return NULL;
	}
}

static void put_number(struct buf *out, const char *key, int64_t number)
{
	char text[64];

	snprintf(text, sizeof(text), ",\"%s\":%" PRId64, key, number);
	buf_put(out, slice_of(text));
}

static void put_step(struct buf *out, const struct tree_event *e, const char *name)
{
	buf_put(out, slice_of(buf_len(out) == 0 ? "[{\"op\":\"" : ",{\"op\":\""));
	buf_put(out, slice_of(name));
	buf_put(out, slice_of("\",\"path\":"));
	quote_json(out, znode_path(e->z));
	if (e->type != EVENT_NODE_CREATED)
		put_number(out, "old", e->old_version);
	if (e->type != EVENT_NODE_DELETED)
		put_number(out, "new", e->version);
	buf_put(out, slice_of("}"));
}

/* Each step of a change of several znodes, what it made and took away again, too. */
static void describe_steps(struct audit *a, const struct tree *t, struct audit_note *note)
{
	size_t count;
	const struct tree_event *events = tree_events(t, &count);

	for (size_t i = 0; i < count; i++) {
		const char *name = name_of_event(events[i].type);

		if (name)
			put_step(&a->detail, &events[i], name);
	}
	if (buf_len(&a->detail) == 0)
		return;
	buf_put(&a->detail, slice_of("]"));
	note->detail = buf_slice(&a->detail);
}

struct audit_note audit_describe(struct audit *a, struct client *c, const struct tree *t,
				 bool has_path, const char *cause)
{
	struct audit_note note = { .old_version = AUDIT_NO_VERSION, .version = AUDIT_NO_VERSION };

	if (!a)
		return note;
	if (c)
		note.who = audit_names(c);
	buf_clear(&a->detail);
	if (a->detail.cap > DETAIL_KEPT)
		buf_release(&a->detail);
	if (has_path)
		tree_visit_changed(t, describe_one, &note);
	else
		describe_steps(a, t, &note);
	if (cause)
		note.cause = slice_of(cause);
	return note;
}
