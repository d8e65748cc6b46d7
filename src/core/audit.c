#include "core/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/quote.h"
#include "core/client.h"
#include "core/session.h"
#include "core/repeats.h"
#include "core/tree.h"
#include "store/store.h"

/* What a change of the largest record says: a path may take six bytes for one. */
#define DETAIL_LIMIT ((size_t)1024 * 1024 * 1024)
enum { DETAIL_KEPT = 64 * 1024, NAMES_LIMIT = 1024 * 1024 };

struct audit {
	struct store *store;
	struct repeats *refusals;
	struct repeats *commands;
	struct repeats *connections;
	struct repeats *reads;
	const char *read_prefixes;
	bool has_begun;
	struct buf detail;
};

struct audit *audit_new(struct store *store, const struct audit_options *o)
{
	struct audit *a = mem_new(sizeof(*a));

	a->store = store;
	a->refusals = repeats_new(o->max_events);
	a->commands = repeats_new(o->max_events);
	a->connections = repeats_new(o->max_events);
	a->reads = repeats_new(o->max_events);
	a->read_prefixes = o->reads;
	buf_init(&a->detail, DETAIL_LIMIT);
	return a;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	repeats_free(a->refusals);
	repeats_free(a->commands);
	repeats_free(a->connections);
	repeats_free(a->reads);
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

static void count_event(struct repeats *t, const struct audit_event *e)
{
	const struct repeats_event event = {
		.kind = e->kind,
		.host = e->host,
		.address = e->address,
		.session = e->session,
		.who = e->who,
		.op = e->op,
		.path = e->path,
		.result = e->result,
	};

	repeats_add(t, &event);
}

void audit_record(struct audit *a, const struct audit_event *e)
{
	if (a && a->has_begun)
		write_event(a, e, 1, clock_wall_ms());
	else if (a)
		count_event(a->commands, e);
}

void audit_command(struct audit *a, const struct audit_event *e)
{
	if (a)
		count_event(a->commands, e);
}

void audit_refuse(struct audit *a, const struct audit_event *e)
{
	if (a)
		count_event(a->refusals, e);
}

void audit_connect(struct audit *a, const struct audit_event *e)
{
	if (a)
		count_event(a->connections, e);
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

	write_event(ctx, &e, count, time_ms);
}

void audit_end_turn(struct audit *a, bool all)
{
	if (!a || !a->has_begun)
		return;
	repeats_drain(a->refusals, all, write_counted, a);
	repeats_drain(a->commands, all, write_counted, a);
	repeats_drain(a->connections, all, write_counted, a);
	repeats_drain(a->reads, all, write_counted, a);
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

static void put_name(struct buf *out, const struct access_id *id)
{
	struct slice name = name_of(id);
	size_t size = strlen(id->scheme) + 1 + name.len + 1;
	char *text = mem_new(size);

	snprintf(text, size, "%s:%.*s", id->scheme, (int)name.len, name.data);
	buf_put(out, slice_of(buf_len(out) == 0 ? "[" : ","));
	quote_json(out, slice_of(text));
	mem_free(text);
}

static void make_names(struct client *c)
{
	struct buf out;

	buf_init(&out, NAMES_LIMIT);
	for (unsigned i = 0; i < c->ids.count; i++)
		/* The address has a column of its own. */
		if (strcmp(c->ids.items[i].scheme, "ip") != 0)
			put_name(&out, &c->ids.items[i]);
	if (buf_len(&out) > 0)
		buf_put(&out, slice_of("]"));
	mem_free(c->names);
	c->names = buf_len(&out) > 0 ? mem_dup(buf_head(&out), buf_len(&out)) : NULL;
	c->names_of = c->ids.count;
	buf_fini(&out);
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
	return path.len >= prefix.len && memcmp(path.data, prefix.data, prefix.len) == 0 &&
	       (path.len == prefix.len || path.data[prefix.len] == '/');
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
			count_event(a->reads, &e);
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
