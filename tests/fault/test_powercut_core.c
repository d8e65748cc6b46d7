/* Power cuts under the whole headless core: clients pipeline changes and read what the others just
 * changed, sessions open, move, close and expire, over a store of small segments, little retention
 * and busy replay. A model says what each frame must hold and which change it shows; a frame that
 * is released is noted with that. After each cut the registry must start, be exactly what the model
 * was at one zxid, and that not before anything that a released frame showed; its zxids, sequence
 * numbers and session ids must go on above all that were seen. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/session.h"
#include "tests/fault/core_run.h"

enum {
	RUNS = 2,
	TURNS = 100,
	TURN_MOST = 12,
	TURN_US = 1000,
	NAMES = 6,
	RECENT = 8,
	OPS_MOST = 5,
	TRIES = 6,
	TIMEOUT_LEAST_MS = 4000,
	TIMEOUT_MORE_MS = 16000,
	RESUMED_MOST = CORE_PEERS - 1,
};

struct work {
	struct core_run run;
	int64_t replayed; /* noted */
	char recent[RECENT][CORE_PATH_LEN];
	unsigned recent_next;
};

/* ---- start ---- */

/* Small, so that a short run has everything: changes of segment, removals, reads of tree.db. */
static void set_options(struct core_run *r)
{
	struct store_options *o = &r->headless.store_options;

	o->segment_bytes = 12 * 1024;
	o->retention_bytes = random_percent(&r->random, 40) ? 0 : 30 * 1024;
	o->replay_batch_rows = 500;
	o->tree_cache_kib = 256;
	if (random_percent(&r->random, 30))
		o->segment_bytes = 1 + random_below(&r->random, 4000);
	if (random_percent(&r->random, 30))
		o->replay_batch_rows = 1 + random_below(&r->random, 20);
	if (random_percent(&r->random, 70))
		r->headless.registry_options.cache_bytes = 4 * 1024;
}

/* The registry lives one level down, so that its own directory is made, and may be lost, as
 * well. */
static void init_headless(struct core_run *r, const char *top)
{
	size_t size = strlen(top) + sizeof("/data");
	char *dir = mem_new(size);

	(void)snprintf(dir, size, "%s/data", top);
	headless_init(&r->headless, dir);
	log_set_level(LOG_LEVEL_ERROR);
	set_options(r);
	mem_free(dir);
}

/* ---- sessions ---- */

static int32_t random_timeout(struct core_run *r)
{
	return (int32_t)(TIMEOUT_LEAST_MS + random_below(&r->random, TIMEOUT_MORE_MS));
}

/* Mostly one that is open, and a young one. */
static bool draw_session(struct core_run *r, size_t *session)
{
	const struct core_state *s = &run_model(r)->now;
	uint32_t count = (uint32_t)s->session_count;

	for (int i = 0; i < TRIES && count > 0; i++) {
		uint32_t most = 1 + random_below(&r->random, count);

		*session = count - 1 - random_below(&r->random, most);
		if (r->subject->secrets[*session].known &&
		    (s->sessions[*session].open || random_percent(&r->random, 10)))
			return true;
	}
	return false;
}

static void connect_peer(struct core_run *r, struct core_peer *p)
{
	int32_t timeout_ms = random_timeout(r);
	size_t session;

	if (random_percent(&r->random, 30) || !draw_session(r, &session)) {
		peer_open(r, p, timeout_ms);
		return;
	}
	if (random_percent(&r->random, 80))
		timeout_ms = run_model(r)->now.sessions[session].timeout_ms;
	peer_resume(r, p, session, timeout_ms);
}

/* ---- requests ---- */

static void random_path(struct core_run *r, char out[CORE_PATH_LEN])
{
	const struct core_state *s = &run_model(r)->now;
	unsigned dir = random_below(&r->random, CORE_DIRS), name = random_below(&r->random, NAMES);
	uint32_t kind = random_below(&r->random, 100);

	if (kind < 15)
		(void)snprintf(out, CORE_PATH_LEN, "/d%u", dir);
	else if (kind < 60)
		(void)snprintf(out, CORE_PATH_LEN, "/d%u/n%u", dir, name);
	else if (kind < 75)
		(void)snprintf(out, CORE_PATH_LEN, "/d%u/n%u/m%u", dir, name,
			       random_below(&r->random, 2));
	else
		memcpy(out, s->znodes[random_below(&r->random, (uint32_t)s->znode_count)].path,
		       CORE_PATH_LEN);
}

static bool is_fixed(const char *path)
{
	return strrchr(path, '/') == path || strncmp(path, "/zookeeper", 10) == 0;
}

static struct core_data random_data(struct core_run *r)
{
	struct core_data d = { -1, random_next(&r->random) };
	uint32_t kind = random_below(&r->random, 20);

	if (kind > 0)
		d.len = kind == 1 ? 0
				  : (int32_t)random_below(&r->random,
							  kind == 2 ? CORE_DATA_MOST : 200);
	return d;
}

static int32_t random_version(struct core_run *r)
{
	return random_percent(&r->random, 80) ? PROTO_VERSION_ANY
					      : (int32_t)random_below(&r->random, 4);
}

static void random_create(struct core_run *r, struct core_op *op)
{
	op->type = random_percent(&r->random, 50) ? OP_CREATE : OP_CREATE2;
	if (random_percent(&r->random, 25)) {
		op->flags |= CREATE_SEQUENTIAL;
		(void)snprintf(op->path, CORE_PATH_LEN, "/d%u/s-",
			       random_below(&r->random, CORE_DIRS));
	}
	if (random_percent(&r->random, op->flags != 0 ? 70 : 30) && !is_fixed(op->path))
		op->flags |= CREATE_EPHEMERAL;
}

/* Mostly one that is there, or that is not. */
static void random_path_that(struct core_run *r, bool exists, char out[CORE_PATH_LEN])
{
	for (int i = 0; i < TRIES; i++) {
		random_path(r, out);
		if ((core_find(&run_model(r)->now, out) != NULL) == exists)
			return;
	}
}

/* Any write; fixed znodes stay, and let everybody work below them. */
static void random_op(struct core_run *r, struct core_op *op)
{
	uint32_t kind = random_below(&r->random, 100);

	memset(op, 0, sizeof(*op));
	random_path_that(r, kind >= 40, op->path);
	op->data = random_data(r);
	op->version = random_version(r);
	op->acl = random_percent(&r->random, 80)
			  ? CORE_ACL_WORLD
			  : CORE_ACL_FIRST + (int)random_below(&r->random, 20);
	if (is_fixed(op->path))
		op->acl = CORE_ACL_WORLD;
	if (kind < 40)
		random_create(r, op);
	else if (kind < 65 && !is_fixed(op->path))
		op->type = OP_DELETE;
	else if (kind < 90 || strlen(op->path) == 1)
		op->type = OP_SET_DATA;
	else
		op->type = OP_SET_ACL;
	if (op->type == OP_SET_ACL && strncmp(op->path, "/zookeeper", 10) == 0)
		op->type = OP_SET_DATA;
}

/* Mostly what somebody just changed. */
static void read_something(struct work *w, struct core_peer *p)
{
	struct core_run *r = &w->run;
	static const int32_t types[] = { OP_EXISTS, OP_GET_DATA, OP_GET_CHILDREN2, OP_GET_ACL };
	const char *recent = w->recent[random_below(&r->random, RECENT)];
	char path[CORE_PATH_LEN];

	random_path_that(r, random_percent(&r->random, 80), path);
	if (*recent != '\0' && random_percent(&r->random, 70))
		memcpy(path, recent, sizeof(path));
	peer_read(r, p, types[random_below(&r->random, 4)], path, random_percent(&r->random, 40));
}

static void note_recent(struct work *w, const char *path)
{
	memcpy(w->recent[w->recent_next++ % RECENT], path, CORE_PATH_LEN);
}

/* Some fail on their way. */
static void write_multi(struct work *w, struct core_peer *p)
{
	struct random *random = &w->run.random;
	struct core_op ops[OPS_MOST];
	int count = (int)random_below(random, OPS_MOST + 1);

	for (int i = 0; i < count; i++) {
		random_op(&w->run, &ops[i]);
		if (ops[i].type == OP_SET_ACL)
			ops[i].type = OP_CHECK;
		if (ops[i].type != OP_CREATE && ops[i].type != OP_CREATE2)
			ops[i].version = random_percent(random, 90) ? PROTO_VERSION_ANY : 77;
		else if (random_percent(random, 50))
			random_create(&w->run, &ops[i]);
		note_recent(w, ops[i].path);
	}
	peer_multi(&w->run, p, ops, count);
}

static void make_dirs(struct core_run *r, struct core_peer *p)
{
	for (unsigned i = 0; i < CORE_DIRS; i++) {
		struct core_op op = { .type = OP_CREATE, .acl = CORE_ACL_WORLD };

		(void)snprintf(op.path, sizeof(op.path), "/d%u", i);
		if (core_find(&run_model(r)->now, op.path) == NULL)
			peer_write(r, p, &op);
	}
}

static void request_something(struct work *w, struct core_peer *p)
{
	struct core_run *r = &w->run;
	uint32_t kind = random_below(&r->random, 100);
	struct core_op op;

	random_op(r, &op);
	if (kind < 40) {
		note_recent(w, op.path);
		peer_write(r, p, &op);
	} else if (kind < 52) {
		write_multi(w, p);
	} else if (kind < 91) {
		read_something(w, p);
	} else if (kind < 94) {
		peer_sync(r, p);
	} else if (kind < 98) {
		peer_ping(p);
	} else {
		peer_close(r, p);
	}
}

/* ---- work ---- */

/* A session is about to be judged. */
static void session_is_judged(struct headless *h)
{
	run_follow_expiry(container_of(h, struct core_run, headless));
}

static void act(struct work *w, struct core_peer *p)
{
	struct core_run *r = &w->run;

	if (p->client == NULL) {
		connect_peer(r, p);
		if (p->has_session)
			make_dirs(r, p);
	} else if (p->client->closing != NULL) {
		/* What was sent to it may still come, or be lost. */
		if (list_is_empty(&p->expected) || random_percent(&r->random, 10))
			peer_drop(p);
	} else if (random_percent(&r->random, 2)) {
		peer_drop(p);
	} else if (p->has_session) {
		request_something(w, p);
	}
	run_follow_expiry(r);
}

/* Whoever is connected says so, or some of them do; then time passes. */
static void let_time_pass(struct core_run *r)
{
	for (int i = 0; i < CORE_PEERS; i++)
		if (r->peers[i].has_session && r->peers[i].client->closing == NULL &&
		    random_percent(&r->random, 90))
			peer_ping(&r->peers[i]);
	clock_fake_advance(random_below(&r->random, TIMEOUT_LEAST_MS));
}

/* That the tree went on promises nobody anything; but what it has must be on disk in the log, and
 * that is best looked at now, before the log's next sync ends. */
static void note_tree(struct work *w)
{
	int64_t replayed = store_replayed(w->run.headless.store);

	if (replayed > w->replayed)
		trace_note(w->run.trace, "tree", replayed);
	w->replayed = replayed;
}

static void work_a_turn(struct work *w)
{
	struct core_run *r = &w->run;
	uint32_t acts = random_below(&r->random, TURN_MOST + 1);

	for (uint32_t i = 0; i < acts; i++)
		act(w, &r->peers[random_below(&r->random, CORE_PEERS)]);
	if (random_percent(&r->random, 20))
		let_time_pass(r);
	if (random_percent(&r->random, 30))
		run_take_frames(r);
	headless_turn(&r->headless);
	run_follow_expiry(r);
	run_take_frames(r);
	/* Turns take their time, so that commits fall into syncs and between them. */
	if (random_percent(&r->random, 80))
		usleep(random_below(&r->random, TURN_US));
	note_tree(w);
}

static void work(void *ctx, const char *top, struct trace *t, uint64_t seed)
{
	struct work *w = mem_new(sizeof(*w));
	struct core_run *r = &w->run;

	run_init(r, ctx, seed);
	r->trace = t;
	init_headless(r, top);
	r->headless.read_strangers = session_is_judged;
	for (int i = 0; i < RUNS; i++) {
		headless_start(&r->headless);
		run_start_from(r, run_found_zxid(r));
		for (int n = 0; n < TURNS; n++)
			work_a_turn(w);
		if (random_percent(&r->random, 50)) {
			headless_flush(&r->headless);
			run_take_frames(r);
		}
		run_drop_peers(r);
		headless_stop(&r->headless);
	}
	headless_fini(&r->headless);
	mem_free(w);
}

/* ---- check ---- */

/* Peers of a check wait for the disk, and must get all that they expect. */
static void wait_for_frames(struct core_run *r)
{
	headless_flush(&r->headless);
	run_take_frames(r);
	for (int i = 0; i < CORE_PEERS; i++)
		if (!list_is_empty(&r->peers[i].expected))
			run_lost(r, "a reply does not come");
}

static void check_sessions(struct core_run *r)
{
	const struct core_state *s = &run_model(r)->now;
	struct session_table *table = registry_sessions(run_registry(r));
	unsigned open = 0;

	for (size_t i = 0; i < s->session_count; i++) {
		const struct session *found = session_find(table, s->sessions[i].id);

		open += s->sessions[i].open;
		if ((found != NULL) != s->sessions[i].open)
			run_lost(r, "session 0x%llx is %s", (long long)s->sessions[i].id,
				 found != NULL ? "open" : "not open");
		else if (found != NULL && found->timeout_ms != s->sessions[i].timeout_ms)
			run_lost(r, "session 0x%llx has another timeout", (long long)found->id);
	}
	if (session_count(table) != open)
		run_lost(r, "there are %u sessions instead of %u", session_count(table), open);
}

/* Their clients come back, having seen what they have seen; closed ones are refused. */
static void check_resuming(struct core_run *r)
{
	const struct core_state *s = &run_model(r)->now;
	int peer = 1;

	for (size_t i = s->session_count; i > 0 && peer <= RESUMED_MOST; i--) {
		if (!r->subject->secrets[i - 1].known || random_percent(&r->random, 60))
			continue;
		peer_resume(r, &r->peers[peer++], i - 1, s->sessions[i - 1].timeout_ms);
	}
	wait_for_frames(r);
}

/* Every znode in full, and through the lists of children that there is no other. */
static void check_znodes(struct core_run *r)
{
	const struct core_state *s = &run_model(r)->now;
	struct core_peer *p = &r->peers[0];
	char path[CORE_PATH_LEN];

	for (size_t i = 0; i < s->znode_count && !r->failed; i++) {
		if (!s->znodes[i].exists)
			continue;
		memcpy(path, s->znodes[i].path, sizeof(path));
		peer_read(r, p, OP_GET_DATA, path, false);
		peer_read(r, p, OP_GET_CHILDREN2, path, false);
		peer_read(r, p, OP_GET_ACL, path, false);
		headless_turn(&r->headless);
		run_take_frames(r);
		if (r->failed)
			(void)snprintf(r->reason + strlen(r->reason),
				       POWERCUT_REASON_LEN - strlen(r->reason), " (%s)", path);
	}
	wait_for_frames(r);
}

static void check_sequences(struct core_run *r)
{
	for (unsigned i = 0; i < CORE_DIRS; i++) {
		struct core_op op = { .type = OP_CREATE2, .flags = CREATE_SEQUENTIAL };
		int64_t before = r->promises[CORE_SEQUENCE + i];

		(void)snprintf(op.path, sizeof(op.path), "/d%u", i);
		if (core_find(&run_model(r)->now, op.path) == NULL) {
			if (before > 0)
				run_lost(r, "%s is gone", op.path);
			continue;
		}
		(void)snprintf(op.path, sizeof(op.path), "/d%u/c-", i);
		peer_write(r, &r->peers[0], &op);
		wait_for_frames(r);
		if (r->promises[CORE_SEQUENCE + i] <= before)
			run_lost(r, "number %lld of /d%u comes back", (long long)before - 1, i);
	}
}

static void check_serving(struct core_run *r)
{
	int64_t id = r->promises[CORE_SESSION];

	check_sessions(r);
	check_resuming(r);
	if (r->failed)
		return;
	peer_open(r, &r->peers[0], TIMEOUT_LEAST_MS);
	wait_for_frames(r);
	if (r->promises[CORE_SESSION] <= id)
		run_lost(r, "session id 0x%llx comes back", (long long)id);
	if (r->failed)
		return;
	check_znodes(r);
	if (!r->failed)
		check_sequences(r);
}

/* Where the registry is, it was once, and not before what was shown. */
static bool check_place(struct core_run *r, const struct core_model *whole, int64_t found)
{
	int64_t shown = r->promises[CORE_SHOWN], seen = r->promises[CORE_SEEN];
	struct core_state then;
	bool was;

	if (found < shown)
		run_lost(r, "the registry is at 0x%llx, 0x%llx was shown", (long long)found,
			 (long long)shown);
	if (found < core_model_change_before(whole, seen))
		run_lost(r, "the registry is at 0x%llx, a header said 0x%llx", (long long)found,
			 (long long)seen);
	if (registry_last_zxid(run_registry(r)) <= seen)
		run_lost(r, "zxid 0x%llx comes back", (long long)seen);
	was = core_model_at(whole, found, &then);
	core_state_fini(&then);
	if (!was)
		run_lost(r, "the registry is at 0x%llx, which never was", (long long)found);
	return !r->failed;
}

/* The check goes on from the cut with a subject of its own. */
static struct core_subject *copy_subject(const struct core_subject *s)
{
	struct core_subject *copy = mem_new(sizeof(*copy));

	core_model_copy(&copy->model, &s->model);
	copy->secrets = mem_new((s->secret_count + 1) * sizeof(*copy->secrets));
	if (s->secret_count > 0)
		memcpy(copy->secrets, s->secrets, s->secret_count * sizeof(*copy->secrets));
	copy->secret_count = s->secret_count;
	return copy;
}

static void free_subject(void *ctx)
{
	struct core_subject *s = ctx;

	core_model_fini(&s->model);
	mem_free(s->secrets);
	mem_free(s);
}

static int check(void *ctx, const char *top, const struct trace *t, size_t cut,
		 char reason[POWERCUT_REASON_LEN])
{
	const struct core_subject *subject = ctx;
	struct core_subject *own = copy_subject(subject);
	struct core_run *r = mem_new(sizeof(*r));
	int64_t found;
	int rc;

	run_init(r, own, cut);
	r->reason = reason;
	for (unsigned i = 0; i < CORE_PROMISES; i++)
		r->promises[i] =
			trace_highest_note(t, cut, core_promise_names[i], subject->promises[i]);
	init_headless(r, top);
	if (headless_try_start(&r->headless) != 0) {
		run_lost(r, "refused: %s", r->headless.reason);
	} else {
		found = run_found_zxid(r);
		if (check_place(r, &own->model, found)) {
			run_start_from(r, found);
			check_serving(r);
		}
	}
	run_drop_peers(r);
	headless_fini(&r->headless);
	free_subject(own);
	rc = r->failed ? -1 : 0;
	mem_free(r);
	return rc;
}

/* ---- the subject ---- */

static void *create(void)
{
	return mem_new(sizeof(struct core_subject));
}

static void adopt(void *ctx, const struct trace *t, size_t cut)
{
	struct core_subject *s = ctx;

	for (unsigned i = 0; i < CORE_PROMISES; i++)
		s->promises[i] = trace_highest_note(t, cut, core_promise_names[i], s->promises[i]);
}

int main(int argc, char **argv)
{
	static const struct powercut_subject subject = {
		.name = "core",
		.cuts = 700,
		.create = create,
		.work = work,
		.check = check,
		.adopt = adopt,
		.delete = free_subject,
	};

	return powercut_main(argc, argv, &subject);
}
