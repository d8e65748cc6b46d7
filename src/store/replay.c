/* The thread's own state (the segments, the merge, the chores) is touched by nobody else;
 * what the core and the flush thread give and take lies under the mutex. */
#include "store/replay.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/files.h"
#include "store/marker.h"
#include "store/merge.h"
#include "store/point.h"
#include "store/shelf.h"
#include "store/thread.h"

/* A batch's records in memory. */
#define BATCH_BYTES ((size_t)16 * 1024 * 1024)
/* Where room is short: less to take of it before the tree is checkpointed. */
#define SHORT_BATCH_BYTES ((size_t)1024 * 1024)
enum { RETRY_MS = 1000, IDLE_MS = 60 * 1000, MAX_CHORES = 4 };

/* The clock of pthread_cond_timedwait. */
static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct chore {
	replay_chore *run;
	void *ctx;
	int64_t due_ms;
};

struct replay {
	struct replay_options o;
	char *log_dir;
	uint8_t audit_key[AUDIT_KEY_ID_LEN];
	size_t audit_key_len;
	pthread_t thread;
	bool running;
	const struct flush *flush;

	_Atomic int64_t reached;
	_Atomic uint64_t rows_known;
	_Atomic uint64_t rows_done;
	_Atomic uint64_t znodes;
	_Atomic uint64_t tree_bytes;
	_Atomic uint64_t tree_wal_bytes;

	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool stop;
	struct segment *prepared;
	bool prepare_wanted;
	struct list given_back; /* of struct given */
	bool has_word;          /* segments were allowed to go, and the thread has not looked yet */
	bool has_chores;        /* replay_wake_chores, and the thread has not looked yet */

	/* the thread's own */
	struct rows *rows;
	struct merge *merge;
	struct shelf *shelf;
	struct chore chores[MAX_CHORES];
	size_t chore_count;
	replay_follower *follow; /* NULL: nobody */
	void *follow_ctx;
	bool is_held; /* batches are */
	int lent;     /* so many work on the writing connection */
	uint32_t tree_wal_pages;
	int64_t batch_due_ms; /* 0: nothing waits */
	int64_t retry_ms;     /* preparing failed for want of room: not before this */
	bool was_not_made;    /* ..., which was told */
	bool was_undone;      /* the last batch was, for want of room, which was told */
	bool is_held_up;      /* the tree's -wal is as large as it may be, which was told */
};

/* A segment on its way back from the core. */
struct given {
	struct list link;
	struct segment *segment;
};

/* ---- made and ended, on the core thread ---- */

static int count_tree_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct replay *r = ctx;

	(void)db;
	(void)name;
	r->tree_wal_pages = (uint32_t)pages;
	atomic_store(&r->tree_wal_bytes, (uint64_t)pages * STORE_WAL_PAGE_BYTES);
	return SQLITE_OK;
}

static struct shelf *new_shelf(struct replay *r)
{
	const struct shelf_options o = { .log_dir = r->log_dir,
					 .marker = r->o.marker,
					 .tree_path = db_path(rows_db(r->rows)),
					 .database = rows_meta(r->rows)->database,
					 .retention_bytes = r->o.retention_bytes,
					 .retention_ms = r->o.retention_ms,
					 .is_audited = r->o.is_audited,
					 .room = r->o.room,
					 .wished = r->o.moved,
					 .ctx = r->o.ctx };

	return shelf_new(&o, r->flush);
}

struct replay *replay_new(const struct replay_options *o, struct rows *rows,
			  const struct flush *flush)
{
	struct replay *r = mem_new(sizeof(*r));

	r->o = *o;
	r->log_dir = mem_strdup(o->log_dir);
	r->audit_key_len = o->audit_key.len;
	if (o->audit_key.len > 0)
		memcpy(r->audit_key, o->audit_key.data, o->audit_key.len);
	r->flush = flush;
	r->rows = rows;
	r->merge = merge_new();
	r->prepare_wanted = true;
	list_init(&r->given_back);
	r->shelf = new_shelf(r);
	pthread_mutex_init(&r->mutex, NULL);
	thread_init_cond(&r->cond);
	atomic_init(&r->reached, rows_meta(rows)->zxid);
	atomic_init(&r->rows_known, 0);
	atomic_init(&r->rows_done, 0);
	atomic_init(&r->znodes, rows_meta(rows)->znodes);
	atomic_init(&r->tree_bytes, files_database_bytes(db_path(rows_db(rows))));
	(void)sqlite3_wal_hook(rows_db(rows), count_tree_pages, r);
	return r;
}

void replay_add_segment(struct replay *r, uint32_t number, bool old, int64_t last)
{
	shelf_add(r->shelf, number, old, last);
}

static void *replay_run(void *arg);

void replay_start(struct replay *r)
{
	r->running = true;
	thread_start(&r->thread, "replay", replay_run, r);
}

void replay_stop(struct replay *r)
{
	if (!r->running)
		return;
	pthread_mutex_lock(&r->mutex);
	r->stop = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
	pthread_join(r->thread, NULL);
	r->running = false;
}

static void discard_segment(struct replay *r, struct segment *g)
{
	char *path = mem_strdup(g->path), reason[STORE_REASON_LEN];
	uint32_t number = g->number;

	segment_close(g, true);
	if (marker_remove(r->o.marker, number, reason) == 0)
		files_remove_database(path);
	mem_free(path);
}

void replay_free(struct replay *r)
{
	struct list *link;

	if (r == NULL)
		return;
	while ((link = list_take_first(&r->given_back)) != NULL) {
		struct given *g = container_of(link, struct given, link);

		segment_close(g->segment, true);
		mem_free(g);
	}
	/* A segment that nobody used yet is made anew by the next start. */
	if (r->prepared != NULL)
		discard_segment(r, r->prepared);
	shelf_free(r->shelf);
	(void)sqlite3_wal_hook(rows_db(r->rows), NULL, NULL);
	merge_free(r->merge);
	pthread_cond_destroy(&r->cond);
	pthread_mutex_destroy(&r->mutex);
	mem_free(r->log_dir);
	mem_free(r);
}

/* ---- from other threads ---- */

void replay_poke(struct replay *r)
{
	pthread_mutex_lock(&r->mutex);
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
}

int64_t replay_reached(const struct replay *r)
{
	return atomic_load(&r->reached);
}

void replay_add_lag(struct replay *r, uint64_t rows)
{
	atomic_fetch_add(&r->rows_known, rows);
}

uint64_t replay_lag_rows(const struct replay *r)
{
	/* Done first: read the other way round, a batch in between would show a lag below
	 * nothing. */
	uint64_t done = atomic_load(&r->rows_done);

	return atomic_load(&r->rows_known) - done;
}

uint64_t replay_znode_count(const struct replay *r)
{
	return atomic_load(&r->znodes);
}

uint64_t replay_tree_bytes(const struct replay *r)
{
	return atomic_load(&r->tree_bytes);
}

uint64_t replay_tree_wal_bytes(const struct replay *r)
{
	return atomic_load(&r->tree_wal_bytes);
}

uint64_t replay_log_bytes(const struct replay *r)
{
	return shelf_bytes(r->shelf);
}

struct segment *replay_take_prepared(struct replay *r)
{
	struct segment *g;

	pthread_mutex_lock(&r->mutex);
	g = r->prepared;
	r->prepared = NULL;
	if (g != NULL) {
		r->prepare_wanted = true;
		pthread_cond_signal(&r->cond);
	}
	pthread_mutex_unlock(&r->mutex);
	return g;
}

void replay_give_back(struct replay *r, struct segment *segment)
{
	struct given *g = mem_new(sizeof(*g));

	g->segment = segment;
	pthread_mutex_lock(&r->mutex);
	list_append(&r->given_back, &g->link);
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
}

struct audit_head replay_prune_wish(struct replay *r)
{
	return shelf_prune_wish(r->shelf);
}

void replay_wake_chores(struct replay *r)
{
	pthread_mutex_lock(&r->mutex);
	r->has_chores = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
}

void replay_allow_prune(struct replay *r, int64_t number)
{
	shelf_allow_prune(r->shelf, number);
	pthread_mutex_lock(&r->mutex);
	r->has_word = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
}

/* ---- segments ---- */

static void accept_given_back(struct replay *r, struct list *given)
{
	struct list *link;

	while ((link = list_take_first(given)) != NULL) {
		struct given *g = container_of(link, struct given, link);

		shelf_accept(r->shelf, g->segment);
		mem_free(g);
	}
}

/* Nothing is written to one that a start would not miss. */
static int make_listed(struct replay *r, struct segment **out, const struct segment *like,
		       char reason[STORE_REASON_LEN])
{
	if (segment_create(out, r->log_dir, like, reason) != 0)
		return -1;
	if (marker_add(r->o.marker, like->number, reason) == 0)
		return 0;
	discard_segment(r, *out);
	return -1;
}

static void prepare_segment(struct replay *r)
{
	struct segment like = { .number = r->o.next_number,
				.state = SEGMENT_PREPARED,
				.epoch = r->o.epoch,
				.is_audited = r->o.is_audited,
				.audit_key_len = r->audit_key_len };
	struct segment *g;
	char reason[STORE_REASON_LEN];

	memcpy(like.audit_key, r->audit_key, sizeof(like.audit_key));
	memcpy(like.database, rows_meta(r->rows)->database, DATABASE_ID_LEN);
	if (make_listed(r, &g, &like, reason) != 0) {
		/* The live one goes on meanwhile, beyond its size. */
		if (!r->was_not_made)
			log_warn("store.segment_not_made", LOG_TEXT("reason", reason));
		r->was_not_made = true;
		(void)room_give_for_segment(r->o.room, false);
		r->retry_ms = now_ms() + RETRY_MS;
		return;
	}
	r->was_not_made = false;
	r->retry_ms = 0;
	g->reserved = room_reserve(r->o.room, g->sync_fd, 0, 0, false);
	r->o.next_number++;
	shelf_add(r->shelf, g->number, false, 0);
	pthread_mutex_lock(&r->mutex);
	r->prepared = g;
	r->prepare_wanted = false;
	pthread_mutex_unlock(&r->mutex);
	r->o.moved(r->o.ctx);
}

/* ---- batches ---- */

/* Read rows up to upto into the merge. Returns their number; *last is the newest one's zxid. */
static uint32_t read_batch(struct replay *r, struct segment_reader *reader, int64_t upto,
			   int64_t *last)
{
	size_t most = room_is_short(r->o.room) ? SHORT_BATCH_BYTES : BATCH_BYTES;
	struct record_head head;
	struct slice body;
	uint32_t rows = 0;
	int rc = 0;

	segment_reader_seek(reader, *last, upto);
	while (rows < r->o.batch_rows && merge_bytes(r->merge) < most &&
	       (rc = segment_reader_next(reader, &head, &body)) == 1) {
		if (head.prev != *last)
			die("store.log_broken", shelf_reading(r->shelf));
		if (merge_add(r->merge, body) != 0)
			die("store.record_damaged", shelf_reading(r->shelf));
		*last = head.zxid;
		rows++;
	}
	if (rc < 0)
		db_die(reader->db, "store.read_failed");
	segment_reader_reset(reader);
	return rows;
}

static void checkpoint_tree(struct replay *r)
{
	int rc;

	if (r->tree_wal_pages < r->o.tree_wal_pages && !room_is_short(r->o.room))
		return;
	POINT(tree_checkpoint_ready);
	/* The core's reads are short, so little is left over; the next one takes it. */
	rc = sqlite3_wal_checkpoint_v2(rows_db(r->rows), "main", SQLITE_CHECKPOINT_PASSIVE, NULL,
				       NULL);
	if ((rc & 0xff) == SQLITE_FULL)
		(void)room_give(r->o.room, ROOM_TREE, false);
	else if ((rc & 0xff) != SQLITE_BUSY && rc != SQLITE_OK)
		db_die(rows_db(r->rows), "store.checkpoint_failed");
	POINT(tree_checkpoint_done);
}

/* The log has all of the batch, so nothing is lost: it is tried again. */
static void wait_for_room(struct replay *r)
{
	if (!r->was_undone)
		log_warn("store.replay_waits", LOG_TEXT("file", db_path(rows_db(r->rows))),
			 LOG_TEXT("reason", "no room on disk"));
	r->was_undone = true;
	(void)room_give(r->o.room, ROOM_TREE, false);
	checkpoint_tree(r);
	r->batch_due_ms = now_ms() + RETRY_MS;
}

/* Whether the tree's -wal may not grow any more, and cannot be begun anew: somebody from outside is
 * in it, or the file has no room. Then the log grows instead, and writers wait when the tree is too
 * far behind. */
static bool is_held_up(struct replay *r)
{
	const char *path = db_path(rows_db(r->rows));
	bool was = r->is_held_up;
	enum rows_restart how;
	pid_t pid;

	if (r->o.most_wal_pages == 0 || r->tree_wal_pages < r->o.most_wal_pages)
		return false;
	how = rows_restart_wal(r->rows, &pid);
	if (how == ROWS_FULL) {
		wait_for_room(r);
		return true;
	}
	r->is_held_up = how == ROWS_VISITED;
	if (r->is_held_up && !was)
		log_warn("store.tree_held_up", LOG_TEXT("file", path), LOG_INT("pid", pid),
			 LOG_INT("wal_bytes", atomic_load(&r->tree_wal_bytes)),
			 LOG_TEXT("reason", "a long read keeps the -wal from being begun anew"));
	if (was && !r->is_held_up)
		log_info("store.tree_goes_on", LOG_TEXT("file", path));
	if (!r->is_held_up)
		r->tree_wal_pages = 0;
	else
		r->batch_due_ms = now_ms() + RETRY_MS;
	return r->is_held_up;
}

/* Take what is on disk in the log and not in the tree yet. Whether there was anything. */
static bool replay_batch(struct replay *r)
{
#ifndef ZOOLITE_MUTANT_REPLAY_UNFLUSHED
	int64_t upto = flush_reached(r->flush);
#else
	int64_t upto = INT64_MAX;
#endif
	int64_t last = atomic_load(&r->reached);
	struct segment_reader *reader = upto > last ? shelf_reader(r->shelf, last) : NULL;
	uint32_t rows;

	if (reader == NULL)
		return false;
	if (is_held_up(r))
		return true;
	merge_clear(r->merge);
	rows = read_batch(r, reader, upto, &last);
	if (rows == 0)
		return false;
	POINT(batch_read);
	rows_begin(r->rows);
	merge_write(r->merge, r->rows, NULL);
	POINT(batch_applied);
	if (!rows_try_commit(r->rows, last)) {
		metrics_add(METRIC_replay_undone, 1);
		wait_for_room(r);
		return true;
	}
	POINT(batch_committed);
	r->was_undone = false;
	room_note_tree(r->o.room, rows_free_bytes(r->rows));
	if (r->follow != NULL)
		r->follow(r->follow_ctx, r->merge, last);
	atomic_store(&r->znodes, rows_meta(r->rows)->znodes);
	atomic_store(&r->tree_bytes, files_database_bytes(db_path(rows_db(r->rows))));
	atomic_fetch_add(&r->rows_done, rows);
	/* After COMMIT: a read that begins when this is seen finds the batch. */
	atomic_store(&r->reached, last);
	metrics_add(METRIC_replay_batches, 1);
	metrics_add(METRIC_replay_rows, rows);
	POINT(batch_told);
	r->o.moved(r->o.ctx);
	checkpoint_tree(r);
	return true;
}

/* ---- another tree ---- */

void replay_set_follower(struct replay *r, replay_follower *follow, void *ctx)
{
	r->follow = follow;
	r->follow_ctx = ctx;
}

struct rows *replay_rows(const struct replay *r)
{
	return r->rows;
}

void replay_hold(struct replay *r, bool is_held)
{
	r->is_held = is_held;
}

bool replay_is_held(const struct replay *r)
{
	return r->is_held;
}

void replay_lend_tree(struct replay *r, bool is_lent)
{
	r->lent = is_lent ? r->lent + 1 : r->lent - 1;
}

bool replay_is_tree_lent(const struct replay *r)
{
	return r->lent > 0;
}

struct rows *replay_release_tree(struct replay *r)
{
	struct rows *rows = r->rows;

	shelf_set_tree(r->shelf, NULL);
	(void)sqlite3_wal_hook(rows_db(rows), NULL, NULL);
	r->rows = NULL;
	return rows;
}

void replay_take_tree(struct replay *r, struct rows *rows)
{
	assert(r->rows == NULL && rows_meta(rows)->zxid == atomic_load(&r->reached));
	r->rows = rows;
	r->tree_wal_pages = 0;
	atomic_store(&r->tree_wal_bytes, 0);
	shelf_set_tree(r->shelf, db_path(rows_db(rows)));
	(void)sqlite3_wal_hook(rows_db(rows), count_tree_pages, r);
	atomic_store(&r->tree_bytes, files_database_bytes(db_path(rows_db(rows))));
}

/* ---- chores ---- */

void replay_add_chore(struct replay *r, replay_chore *run, void *ctx)
{
	assert(r->chore_count < MAX_CHORES);
	r->chores[r->chore_count++] = (struct chore){ .run = run, .ctx = ctx };
}

static void run_chores(struct replay *r, bool all)
{
	for (size_t i = 0; i < r->chore_count; i++) {
		struct chore *chore = &r->chores[i];
		int64_t now = now_ms();

		if (all || chore->due_ms <= now)
			chore->due_ms = chore->run(chore->ctx, now);
	}
}

/* When the first of them is due. */
static int64_t chores_due_ms(const struct replay *r)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < r->chore_count; i++)
		if (r->chores[i].due_ms < due)
			due = r->chores[i].due_ms;
	return due;
}

/* ---- the thread ---- */

/* How long the thread may sleep now, in ms; 0: there is something to do. The mutex is held. */
static int64_t idle_ms(struct replay *r, int64_t now)
{
	int64_t wait = r->o.retention_ms > 0 ? IDLE_MS : INT64_MAX;
	int64_t due = chores_due_ms(r);

	if (r->stop || r->has_word || r->has_chores || !list_is_empty(&r->given_back))
		return 0;
	if (due <= now)
		return 0;
	if (due != INT64_MAX && due - now < wait)
		wait = due - now;
	if (r->prepare_wanted) {
		if (r->retry_ms <= now)
			return 0;
		if (r->retry_ms - now < wait)
			wait = r->retry_ms - now;
	}
	if (!r->is_held && flush_reached(r->flush) > atomic_load(&r->reached)) {
		if (r->batch_due_ms == 0)
			r->batch_due_ms = now + r->o.delay_ms;
		if (replay_lag_rows(r) >= r->o.batch_rows && !r->was_undone && !r->is_held_up)
			r->batch_due_ms = now;
		if (r->batch_due_ms <= now)
			return 0;
		if (r->batch_due_ms - now < wait)
			wait = r->batch_due_ms - now;
	}
	return wait;
}

static void wait_ms(struct replay *r, int64_t ms)
{
	struct timespec until;

	if (ms == INT64_MAX) {
		pthread_cond_wait(&r->cond, &r->mutex);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&r->cond, &r->mutex, &until);
}

/* Sleep until there is something to do, take over what was given back. False: the thread is to
 * end. */
static bool wait_for_work(struct replay *r, struct list *given, bool *prepare, bool *chores)
{
	int64_t ms;
	bool stop;

	pthread_mutex_lock(&r->mutex);
	while ((ms = idle_ms(r, now_ms())) > 0) {
		wait_ms(r, ms);
		if (ms == IDLE_MS)
			break;
	}
	list_splice(given, &r->given_back);
	r->has_word = false;
	*chores = r->has_chores;
	r->has_chores = false;
	*prepare = r->prepare_wanted && r->retry_ms <= now_ms();
	stop = r->stop;
	pthread_mutex_unlock(&r->mutex);
	return !stop;
}

static void *replay_run(void *arg)
{
	struct replay *r = arg;
	struct list given;
	bool prepare, chores, goes_on;

	list_init(&given);
	do {
		goes_on = wait_for_work(r, &given, &prepare, &chores);
		accept_given_back(r, &given);
		if (goes_on && prepare)
			prepare_segment(r);
		if (goes_on && !r->is_held && r->batch_due_ms != 0 && r->batch_due_ms <= now_ms()) {
			/* A full batch leaves the rest due at once, so that a lag is worked off
			 * without pauses. */
			if (!replay_batch(r) || flush_reached(r->flush) <= atomic_load(&r->reached))
				r->batch_due_ms = 0;
		}
		if (goes_on) {
			shelf_tidy(r->shelf, atomic_load(&r->reached));
			run_chores(r, chores);
		}
	} while (goes_on);
	shelf_close_reader(r->shelf);
	return NULL;
}
