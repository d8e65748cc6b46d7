/* See the header. */
#include "tests/fault/store_run.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "store/audit_read.h"
#include "store/files.h"
#include "store/snapshot.h"
#include "store/snapshot_file.h"
#include "store/store.h"
#include "store/verify.h"
#include "store/vfs.h"
#include "tests/fault/store_model.h"

enum { RUNS = 3, TURNS = 120, TURN_MOST = 6, TURN_US = 1000, WAIT_MS = 20000 };
/* What a start and a run come to, roughly, in events of the trace. */
enum { START_EVENTS = 60, RUN_EVENTS = 3000 };

struct subject {
	struct model model;
	/* What notes of earlier rounds promise. */
	int64_t shown;
	int64_t epoch;
	int64_t audited;
};

#define SNAPSHOTS "snapshots"

static const char *const dir_option = "data";
static bool kills = true;
static struct audit_key *key;

/* Small, so that a short run has everything: changes of segment, removals, checkpoints. */
static struct store_options options_for(const char *dir)
{
	struct store_options o;

	store_options_init(&o);
	o.data_dir = dir;
	o.segment_bytes = 12 * 1024;
	o.retention_bytes = 30 * 1024;
	o.replay_batch_rows = 500;
	o.replay_delay_ms = 0;
	o.tree_cache_kib = 256;
	o.audit_key = key;
	return o;
}

/* Sometimes smaller still, down to a log that keeps nothing that it need not. */
static void vary_options(struct store_options *o, struct random *r)
{
	if (random_percent(r, 40))
		o->retention_bytes = 0;
	/* Rows are of 1970. */
	if (random_percent(r, 30))
		o->retention_ms = 1;
	if (random_percent(r, 30))
		o->segment_bytes = 1 + random_below(r, 4000);
	if (random_percent(r, 30))
		o->replay_batch_rows = 1 + random_below(r, 20);
	if (random_percent(r, 30))
		o->replay_delay_ms = random_below(r, 20);
	/* Of an older tree, so that there are steps of it among all the rest. */
	o->upgrade_rows = 1 + random_below(r, 30);
}

/* The store lives one level down, so that its own directory is made, and may be lost, as well. */
static char *data_dir(const char *dir)
{
	size_t size = strlen(dir) + strlen(dir_option) + 2;
	char *path = mem_new(size);

	(void)snprintf(path, size, "%s/%s", dir, dir_option);
	return path;
}

static void wait_for(struct store *s, int64_t (*get)(const struct store *), int64_t zxid)
{
	for (int i = 0; get(s) < zxid; i++) {
		struct pollfd p = { store_wake_fd(s), POLLIN, 0 };

		if (i == WAIT_MS) {
			fprintf(stderr, "the store stands still\n");
			abort();
		}
		(void)poll(&p, 1, 1);
		store_wake(s);
		store_end_turn(s);
	}
}

/* ---- work ---- */

struct run {
	struct subject *subject;
	struct trace *trace;
	struct random random;
	struct store *store;
	const char *dir;
	struct buf body;
	int64_t zxid;
	int64_t last;
	int64_t audited; /* noted, */
	int64_t flushed; /* as are these */
	int64_t replayed;
};

static void ignore_session(void *ctx, const struct record_session *s)
{
	(void)ctx;
	(void)s;
}

static void ignore_znode(void *ctx, const struct record_znode *z)
{
	(void)ctx;
	(void)z;
}

static void ignore_change(void *ctx, const struct record_head *head, struct slice body)
{
	(void)ctx;
	(void)head;
	(void)body;
}

static void note_progress(struct run *r)
{
	store_wake(r->store);
	if (store_flushed(r->store) > r->flushed) {
		r->flushed = store_flushed(r->store);
		trace_note(r->trace, "ack", r->flushed);
	}
	if (store_replayed(r->store) > r->replayed) {
		r->replayed = store_replayed(r->store);
		trace_note(r->trace, "read", r->replayed);
	}
	if (store_audited(r->store) > r->audited) {
		r->audited = store_audited(r->store);
		trace_note(r->trace, "audited", r->audited);
	}
}

/* A kill alone loses nothing that was shown. */
static void check_kept(struct run *r)
{
	const size_t all = trace_length(r->trace);
	int64_t shown = trace_highest_note(r->trace, all, "ack", r->subject->shown);

	shown = trace_highest_note(r->trace, all, "read", shown);
	if (r->last >= shown)
		return;
	fprintf(stderr, "the log ends at 0x%llx, 0x%llx was shown\n", (unsigned long long)r->last,
		(unsigned long long)shown);
	abort();
}

static void start(struct run *r, const char *dir)
{
	const struct store_loader loader = { NULL, ignore_session, ignore_znode, ignore_change };
	struct store_options o = options_for(dir);
	char reason[STORE_REASON_LEN], *snapshots;

	vary_options(&o, &r->random);
	if (store_open(&r->store, &o, reason) != 0 || store_load(r->store, &loader, reason) != 0) {
		fprintf(stderr, "cannot start: %s\n", reason);
		abort();
	}
	r->last = store_last_zxid(r->store);
	check_kept(r);
	model_truncate(&r->subject->model, r->last);
	r->flushed = r->replayed = r->audited = 0;
	note_progress(r);
	r->zxid = store_begin(r->store);
	trace_note(r->trace, "epoch", r->zxid >> 32);
	/* What was cut short is of no use. */
	snapshots = files_join(dir, SNAPSHOTS);
	snapshot_file_tidy(snapshots);
	mem_free(snapshots);
}

static void refuse_fault(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "a snapshot that is not whole: %s\n", text);
	abort();
}

static const struct verify_teller teller = { .fault = refuse_fault, .failure = refuse_fault };

/* The part gets its name, and those before it go, as the keeper does it. */
static void keep_snapshot(struct run *r, const char *dir, const char *part)
{
	char reason[STORE_REASON_LEN], *path;
	struct verify_report found;
	struct snapshot_file *list;
	struct seal seal;
	size_t count;

	if (snapshot_file_settle(part, reason) != 0)
		refuse_fault(NULL, reason);
	if (verify_tree(part, &teller, &found) != 0)
		abort();
	seal = (struct seal){ .time_ms = 1, .zxid = found.meta.zxid, .digest = found.digest };
	if (snapshot_file_accept(dir, &seal, &path, reason) != 0)
		refuse_fault(NULL, reason);
	trace_note(r->trace, "snapshot", seal.zxid);
	mem_free(path);
	if (snapshot_file_list(dir, &list, &count, reason) != 0)
		refuse_fault(NULL, reason);
	for (size_t i = 0; i + 1 < count; i++)
		snapshot_file_remove(&list[i]);
	snapshot_file_list_free(list, count);
}

/* Copies of the tree, one after the other: whatever becomes of them, the tree is as it was. */
static void work_on_snapshots(struct run *r)
{
	struct snapshot *s = store_snapshot(r->store);
	char *dir = files_join(r->dir, SNAPSHOTS), *part = snapshot_file_part(dir);
	char reason[STORE_REASON_LEN];
	const struct snapshot_order o = { .path = part,
					  .step_pages = 1 + (int)random_below(&r->random, 8) };
	struct snapshot_result result;
	enum snapshot_state state = snapshot_poll(s, &result);

	if (state == SNAPSHOT_DONE) {
		keep_snapshot(r, dir, part);
	} else if (state == SNAPSHOT_IDLE && random_percent(&r->random, 10)) {
		if (files_make_dir(dir, reason) != 0)
			refuse_fault(NULL, reason);
		files_remove_database(part);
		if (!snapshot_start(s, &o))
			abort();
	}
	mem_free(part);
	mem_free(dir);
}

static void append_change(struct run *r)
{
	struct record_head head = { .op = "setData", .address = slice_of("127.0.0.1:1") };

	if (random_below(&r->random, 200) == 0)
		r->zxid = store_next_epoch(r->store);
	head.zxid = ++r->zxid;
	head.prev = r->last;
	head.time_ms = r->zxid;
	model_write_change(&r->subject->model, &r->random, head.zxid, &r->body);
	model_append(&r->subject->model, head.zxid, head.prev, buf_slice(&r->body));
	store_append(r->store, &head, buf_slice(&r->body));
	r->last = head.zxid;
}

/* Something that is no change. */
static void append_event(struct run *r)
{
	const struct audit_row row = {
		.kind = "refuse",
		.time_ms = r->zxid,
		.note = { .old_version = AUDIT_NO_VERSION, .version = AUDIT_NO_VERSION },
		.count = 1,
	};

	store_audit(r->store, &row);
}

/* The process is killed in some runs: in its start, or anywhere. */
static void plan_kill(struct run *r)
{
	uint32_t kind = kills ? random_below(&r->random, 100) : 100;
	size_t now = trace_length(r->trace);

	if (kind < 15)
		trace_kill_at(r->trace, now + random_below(&r->random, START_EVENTS));
	else if (kind < 50)
		trace_kill_at(r->trace, now + random_below(&r->random, RUN_EVENTS));
}

static void work_a_turn(struct run *r)
{
	uint32_t changes = random_below(&r->random, TURN_MOST);

	for (uint32_t i = 0; i < changes; i++)
		append_change(r);
	if (random_percent(&r->random, 30))
		append_event(r);
	store_end_turn(r->store);
	work_on_snapshots(r);
	/* Turns take their time, so that commits fall into syncs and between them. */
	if (random_percent(&r->random, 80))
		usleep(random_below(&r->random, TURN_US));
	note_progress(r);
}

static int is_made(void *ctx, int columns, char **values, char **names)
{
	bool *made = ctx;

	(void)columns;
	(void)names;
	*made = strcmp(values[0], "0") != 0;
	return 0;
}

/* What stands in the tree is the same in the version before: the next start has it to copy. */
static void make_older(const char *dir)
{
	size_t size = strlen(dir) + sizeof("/tree.db");
	char *path = mem_new(size);
	sqlite3 *db = NULL;
	bool made = false;

	(void)snprintf(path, size, "%s/tree.db", dir);
	if (access(path, F_OK) == 0 &&
	    (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, VFS_NAME) != SQLITE_OK ||
	     sqlite3_exec(db, "PRAGMA user_version", is_made, &made, NULL) != SQLITE_OK ||
	     (made &&
	      sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL) != SQLITE_OK))) {
		fprintf(stderr, "cannot make an older tree: %s\n", sqlite3_errmsg(db));
		abort();
	}
	/* The start may need its -wal. */
	if (db != NULL)
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(db);
	mem_free(path);
}

static void work(void *ctx, const char *top, struct trace *t, uint64_t seed)
{
	struct run r = { .subject = ctx, .trace = t, .random = { seed } };
	char *dir = data_dir(top);

	buf_init(&r.body, 1 << 20);
	r.dir = dir;
	for (int run = 0; run < RUNS; run++) {
		if (random_percent(&r.random, 40))
			make_older(dir);
		plan_kill(&r);
		start(&r, dir);
		for (int turn = 0; turn < TURNS && !trace_is_killed(t); turn++)
			work_a_turn(&r);
		if (random_percent(&r.random, 50)) {
			store_end_turn(r.store);
			wait_for(r.store, store_flushed, r.last);
			note_progress(&r);
		}
		store_close(r.store);
		if (trace_is_killed(t))
			trace_revive(t);
	}
	buf_fini(&r.body);
	mem_free(dir);
}

/* ---- check ---- */

struct check {
	const struct subject *subject;
	char *reason;
	bool failed;
	struct model_state tree;   /* as the model has it at the tree's zxid */
	struct model_state loaded; /* as the loader gave it */
	int64_t at;                /* zxid of the last change loaded */
};

__attribute__((format(printf, 2, 3))) static void lost(struct check *c, const char *format, ...)
{
	va_list args;

	if (c->failed)
		return;
	c->failed = true;
	va_start(args, format);
	(void)vsnprintf(c->reason, POWERCUT_REASON_LEN, format, args);
	va_end(args);
}

static void take_session(void *ctx, const struct record_session *s)
{
	struct check *c = ctx;
	int i = model_session_index(s->id);

	if (i < 0 || !model_session_equal(s, &c->tree.sessions[i]))
		lost(c, "session 0x%llx is not as it was", (unsigned long long)s->id);
	else
		c->loaded.sessions[i].open = true;
}

static void take_ephemeral(void *ctx, const struct record_znode *z)
{
	struct check *c = ctx;
	int i = model_znode_index(z->path);

	if (i < 0 || !model_znode_equal(z, &c->tree.znodes[i]))
		lost(c, "ephemeral %.*s is not as it was", (int)z->path.len, z->path.data);
	else
		c->loaded.znodes[i].columns = RECORD_ALL;
}

static void take_change(void *ctx, const struct record_head *head, struct slice body)
{
	struct check *c = ctx;
	const struct model_row *row = model_next(&c->subject->model, c->at);

	if (row == NULL || row->zxid != head->zxid || row->prev != head->prev)
		lost(c, "change 0x%llx does not follow 0x%llx", (unsigned long long)head->zxid,
		     (unsigned long long)c->at);
	else if (!slice_equal(body, (struct slice){ row->body, row->len }))
		lost(c, "change 0x%llx has another content", (unsigned long long)head->zxid);
	c->at = head->zxid;
}

static void check_loaded(struct check *c)
{
	for (int i = 0; i < MODEL_SESSIONS; i++)
		if (c->loaded.sessions[i].open != c->tree.sessions[i].open)
			lost(c, "session %d is missing", i);
	for (int i = 0; i < MODEL_ZNODES; i++)
		if (c->tree.znodes[i].columns != 0 && c->tree.znodes[i].owner > 0 &&
		    c->loaded.znodes[i].columns == 0)
			lost(c, "ephemeral %d is missing", i);
}

struct listing {
	const struct model_state *state;
	char parent[32];
	int count;
	bool foreign;
};

static void take_child(void *ctx, struct slice name)
{
	struct listing *l = ctx;
	char path[80];
	int i;

	(void)snprintf(path, sizeof(path), "%s/%.*s", strcmp(l->parent, "/") == 0 ? "" : l->parent,
		       (int)name.len, name.data);
	i = model_znode_index(slice_of(path));
	l->foreign |= i < 0 || l->state->znodes[i].columns == 0 || l->state->znodes[i].owner > 0;
	l->count++;
}

static int count_children(const struct model_state *state, int parent)
{
	int count = 0;

	for (int i = 1; i < MODEL_ZNODES; i++) {
		int of = i <= MODEL_DIRS ? 0 : 1 + (i - 1 - MODEL_DIRS) / MODEL_CHILDREN;

		count += of == parent && state->znodes[i].columns != 0 &&
			 state->znodes[i].owner <= 0;
	}
	return count;
}

/* The tree's persistent znodes, lists and count against a state. */
static void check_tree(struct check *c, struct store *s, const struct model_state *state)
{
	struct record_znode z;
	uint64_t persistent = 0;

	for (int i = 0; i < MODEL_ZNODES && !c->failed; i++) {
		struct listing l = { .state = state };
		bool there = state->znodes[i].columns != 0 && state->znodes[i].owner <= 0;

		model_path(i, l.parent);
		persistent += there;
		switch (store_read_znode(s, slice_of(l.parent), &z)) {
		case STORE_FOUND:
			if (!there || !model_znode_equal(&z, &state->znodes[i]))
				lost(c, "%s is not as it was", l.parent);
			break;
		case STORE_ABSENT:
			if (there)
				lost(c, "%s is missing", l.parent);
			break;
		case STORE_UNREADABLE:
			lost(c, "%s cannot be read", l.parent);
			break;
		}
		if (i > MODEL_DIRS)
			continue;
		(void)store_list_children(s, slice_of(l.parent), take_child, &l);
		if (l.foreign || l.count != count_children(state, i))
			lost(c, "the list of %s is wrong", l.parent);
	}
	if (store_znode_count(s) != persistent)
		lost(c, "the tree counts %llu znodes and has %llu",
		     (unsigned long long)store_znode_count(s), (unsigned long long)persistent);
}

/* Go on from there: the epoch, one more change, and everything into the tree. */
static void check_goes_on(struct check *c, struct store *s, const struct trace *t, size_t cut)
{
	int64_t last = store_last_zxid(s);
	int64_t epoch = trace_highest_note(t, cut, "epoch", c->subject->epoch);
	struct record_head head = { .op = "createSession", .prev = last };
	struct record_session session = { .id = INT64_MAX, .open = true };
	struct model_state state;
	struct buf body;

	head.zxid = store_begin(s) + 1;
	if (head.zxid >> 32 <= epoch || head.zxid >> 32 <= last >> 32)
		lost(c, "epoch %lld comes back", (long long)(head.zxid >> 32));
	buf_init(&body, 1 << 20);
	if (record_put_session(&body, &session) != 0)
		abort();
	store_append(s, &head, buf_slice(&body));
	buf_fini(&body);
	store_end_turn(s);
	wait_for(s, store_replayed, head.zxid);
	if (model_at(&c->subject->model, last, &state))
		check_tree(c, s, &state);
}

static void check_store(struct check *c, struct store *s, const struct trace *t, size_t cut)
{
	const struct store_loader loader = { c, take_session, take_ephemeral, take_change };
	const struct subject *subject = c->subject;
	int64_t shown = trace_highest_note(t, cut, "ack", subject->shown);
	int64_t last = store_last_zxid(s);
	char reason[STORE_REASON_LEN];

	shown = trace_highest_note(t, cut, "read", shown);
	c->at = store_replayed(s);
	if (last < shown)
		lost(c, "the log ends at 0x%llx, 0x%llx was shown", (unsigned long long)last,
		     (unsigned long long)shown);
	if (!model_at(&subject->model, c->at, &c->tree))
		lost(c, "the tree is at 0x%llx, which never was", (unsigned long long)c->at);
	if (store_load(s, &loader, reason) != 0)
		lost(c, "refused: %s", reason);
	if (c->at != last)
		lost(c, "changes end at 0x%llx, not 0x%llx", (unsigned long long)c->at,
		     (unsigned long long)last);
	check_loaded(c);
	check_tree(c, s, &c->tree);
	if (!c->failed)
		check_goes_on(c, s, t, cut);
}

/* The table acl against the znodes that name its rows; the store is closed. */
static void check_acls(struct check *c, const char *dir)
{
	static const char sql[] =
		"SELECT (SELECT count(*) FROM znode WHERE acl NOT IN "
		"(SELECT key FROM acl)) + (SELECT count(*) FROM acl WHERE "
		"znodes <> (SELECT count(*) FROM znode WHERE znode.acl = acl.key))";
	size_t size = strlen(dir) + sizeof("/tree.db");
	char *path = mem_new(size);
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db;

	(void)snprintf(path, size, "%s/tree.db", dir);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		lost(c, "the ACLs of the tree: %s", sqlite3_errmsg(db));
	else if (sqlite3_column_int64(stmt, 0) != 0)
		lost(c, "the tree counts its ACLs wrong");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	mem_free(path);
}

struct trail {
	struct audit_head first, last;
	bool has_begun, is_first_pruned;
};

static bool is_same_head(const struct audit_head *a, const struct audit_head *b)
{
	return a->number == b->number && memcmp(a->mac, b->mac, AUDIT_MAC_LEN) == 0;
}

static void check_segment(struct check *c, struct trail *t, const struct audit_segment *g)
{
	if (!t->has_begun)
		t->first = t->last = g->prev;
	t->has_begun = true;
	if (!is_same_head(&t->last, &g->prev))
		lost(c, "audit row %lld is missing", (long long)t->last.number + 1);
	if (g->has_unrecorded)
		lost(c, "change 0x%llx has no audit row", (unsigned long long)g->unrecorded);
}

static void check_item(struct check *c, struct trail *t, const struct audit_item *item)
{
	struct audit_head next, pruned;

	audit_chain(key, &t->last, &item->row, &next);
	if (item->row.number != t->last.number + 1 || item->is_damaged ||
	    !slice_equal(item->mac, (struct slice){ (char *)next.mac, AUDIT_MAC_LEN }))
		lost(c, "audit row %lld is broken", (long long)t->last.number + 1);
	t->last = next;
	if (strcmp(item->row.kind, "prune") == 0 &&
	    audit_head_parse(item->row.note.detail.data, &pruned))
		t->is_first_pruned |= is_same_head(&pruned, &t->first);
}

static void check_trail(struct check *c, const char *dir, int64_t audited)
{
	static const struct audit_head none;
	size_t size = strlen(dir) + sizeof("/log");
	char *path = mem_new(size), reason[STORE_REASON_LEN];
	struct trail t = { 0 };
	struct audit_reader *r;
	struct audit_item item;
	enum audit_read got;

	(void)snprintf(path, size, "%s/log", dir);
	if (access(path, F_OK) != 0 && audited == 0)
		goto out;
	r = audit_reader_open(path, reason);
	got = r != NULL ? AUDIT_READ_ROW : AUDIT_READ_FAILED;
	while (got != AUDIT_READ_END && got != AUDIT_READ_FAILED) {
		got = audit_reader_next(r, &item, reason);
		if (got == AUDIT_READ_SEGMENT)
			check_segment(c, &t, audit_reader_segment(r));
		else if (got == AUDIT_READ_ROW)
			check_item(c, &t, &item);
	}
	if (got == AUDIT_READ_FAILED)
		lost(c, "the audit trail: %s", reason);
	if (t.last.number < audited)
		lost(c, "audit rows end at %lld, %lld was told", (long long)t.last.number,
		     (long long)audited);
	if (t.has_begun && !is_same_head(&t.first, &none) && !t.is_first_pruned)
		lost(c, "audit rows begin behind %lld, and none says why",
		     (long long)t.first.number);
	audit_reader_close(r);
out:
	mem_free(path);
}

static void lose_fault(void *ctx, const char *text)
{
	lost(ctx, "a snapshot with a seal is not whole: %s", text);
}

/* What has a seal is whole, and still what was sealed; the newest that was told of is there. */
static void check_snapshots(struct check *c, const char *dir, int64_t told)
{
	const struct verify_teller loser = { c, lose_fault, lose_fault };
	char *snapshots = files_join(dir, SNAPSHOTS), why[STORE_REASON_LEN] = "";
	struct verify_report found;
	struct snapshot_file *list;
	int64_t newest = 0;
	size_t count;

	if (snapshot_file_list(snapshots, &list, &count, why) != 0)
		lost(c, "%s", why);
	for (size_t i = 0; i < count; i++) {
		newest = list[i].seal.zxid;
		if (verify_tree(list[i].path, &loser, &found) == 0 &&
		    strcmp(found.digest.whole, list[i].seal.digest.whole) != 0)
			lost(c, "%s: has another digest than its seal", list[i].path);
	}
	if (newest < told)
		lost(c, "the snapshot 0x%" PRIx64 " is not there, the newest is 0x%" PRIx64,
		     (uint64_t)told, (uint64_t)newest);
	snapshot_file_list_free(list, count);
	mem_free(snapshots);
}

static int check(void *ctx, const char *top, const struct trace *t, size_t cut,
		 char reason[POWERCUT_REASON_LEN])
{
	struct check *c = mem_new(sizeof(*c));
	char *dir = data_dir(top);
	struct store_options o = options_for(dir);
	char why[STORE_REASON_LEN];
	int64_t audited;
	struct store *s;
	int rc;

	c->subject = ctx;
	c->reason = reason;
	audited = trace_highest_note(t, cut, "audited", c->subject->audited);
	if (cut % 2 == 0)
		o.retention_ms = 1;
	check_snapshots(c, dir, trace_highest_note(t, cut, "snapshot", 0));
	/* As it was left: what a start does may hide what was missing. It takes its time. */
	if (cut % 4 == 0)
		check_trail(c, dir, audited);
	if (store_open(&s, &o, why) != 0) {
		lost(c, "refused: %s", why);
	} else {
		check_store(c, s, t, cut);
		store_close(s);
		check_acls(c, dir);
		if (cut % 4 >= 2)
			check_trail(c, dir, audited);
	}
	rc = c->failed ? -1 : 0;
	mem_free(dir);
	mem_free(c);
	return rc;
}

/* ---- the subject ---- */

static void *create(void)
{
	return mem_new(sizeof(struct subject));
}

static void adopt(void *ctx, const struct trace *t, size_t cut)
{
	struct subject *s = ctx;

	s->shown = trace_highest_note(t, cut, "ack", s->shown);
	s->shown = trace_highest_note(t, cut, "read", s->shown);
	s->epoch = trace_highest_note(t, cut, "epoch", s->epoch);
	s->audited = trace_highest_note(t, cut, "audited", s->audited);
}

static void delete (void *ctx)
{
	struct subject *s = ctx;

	model_fini(&s->model);
	mem_free(s);
}

void store_run_without_kills(void)
{
	kills = false;
}

static const struct powercut_subject subject = {
	.name = "store",
	.cuts = 400,
	.create = create,
	.work = work,
	.check = check,
	.adopt = adopt,
	.delete = delete,
};

const struct powercut_subject *store_run_init(void)
{
	key = audit_key_new((const uint8_t *)"0123456789abcdef0123456789abcdef");
	return &subject;
}

void store_run_fini(void)
{
	audit_key_free(key);
}
