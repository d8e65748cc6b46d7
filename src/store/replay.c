/* The thread's own state (the shelf of segments, the reader, the merge) is touched by nobody else;
 * what the core and the flush thread give and take lies under the mutex. */
#include "store/replay.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/files.h"
#include "store/merge.h"
#include "store/thread.h"
#include "store/vfs.h"

/* A batch's records in memory. */
#define BATCH_BYTES ((size_t)16 * 1024 * 1024)
enum { RETRY_MS = 1000, IDLE_MS = 60 * 1000 };

/* The clock of pthread_cond_timedwait. */
static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A segment on the shelf, lowest number first; the core writes the last one or the last but one. */
struct shelf_item {
	struct list link;
	uint32_t number;
	char *path;
	struct segment *segment; /* its writing connection, given back; NULL where there is none */
	bool old;                /* the core is done with it */
	bool finished;           /* checkpointed and closed */
	int64_t last;            /* of an old one: no row is newer */
	uint64_t bytes;          /* of an old one, roughly */
	bool seen;               /* it is of this database, and the two below are known */
	bool empty;              /* without a row: a start left it behind */
	struct audit_head audit; /* its newest row of the audit trail; number 0: it has none */
	int64_t newest_ms;       /* time of its newest row */
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
	_Atomic uint64_t log_bytes;

	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool stop;
	struct segment *prepared;
	bool prepare_wanted;
	struct list given_back; /* of struct given */
	struct audit_head wish; /* replay_prune_wish */
	int64_t allowed;        /* up to this number of the audit trail segments may go */
	bool has_word;          /* allowed rose, and the thread has not looked yet */

	/* the thread's own */
	struct rows *rows;
	struct merge *merge;
	struct list shelf;
	struct shelf_item *reading; /* the item that reader stands on */
	struct segment_reader reader;
	uint32_t tree_wal_pages;
	int tree_wal_fd;
	int64_t tree_on_disk; /* the tree is on disk at least up to here */
	int64_t batch_due_ms; /* 0: nothing waits */
	int64_t retry_ms;     /* preparing failed for want of room: not before this */
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
	return SQLITE_OK;
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
	list_init(&r->shelf);
	pthread_mutex_init(&r->mutex, NULL);
	thread_init_cond(&r->cond);
	atomic_init(&r->reached, rows_meta(rows)->zxid);
	atomic_init(&r->rows_known, 0);
	atomic_init(&r->rows_done, 0);
	atomic_init(&r->znodes, rows_meta(rows)->znodes);
	atomic_init(&r->tree_bytes, files_database_bytes(db_path(rows_db(rows))));
	r->tree_wal_fd = vfs_wal_open(db_path(rows_db(rows)));
	(void)sqlite3_wal_hook(rows_db(rows), count_tree_pages, r);
	return r;
}

static struct shelf_item *shelve(struct replay *r, uint32_t number)
{
	struct shelf_item *item = mem_new(sizeof(*item));

	item->number = number;
	item->path = files_segment_path(r->log_dir, number);
	list_append(&r->shelf, &item->link);
	return item;
}

void replay_add_segment(struct replay *r, uint32_t number, bool old, int64_t last)
{
	struct shelf_item *item = shelve(r, number);

	item->old = old;
	item->last = last;
	if (!old)
		return;
	item->bytes = files_database_bytes(item->path);
	item->finished = !files_has_wal(item->path);
}

static void unshelve(struct shelf_item *item)
{
	list_remove(&item->link);
	segment_close(item->segment, true);
	mem_free(item->path);
	mem_free(item);
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
	if (r->prepared != NULL) {
		char *path = mem_strdup(r->prepared->path);

		segment_close(r->prepared, true);
		files_remove_database(path);
		mem_free(path);
	}
	list_foreach_safe(at, &r->shelf)
		unshelve(container_of(at, struct shelf_item, link));
	vfs_wal_close(r->tree_wal_fd);
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

uint64_t replay_log_bytes(const struct replay *r)
{
	return atomic_load(&r->log_bytes);
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
	struct audit_head wish;

	pthread_mutex_lock(&r->mutex);
	wish = r->wish;
	pthread_mutex_unlock(&r->mutex);
	return wish;
}

void replay_allow_prune(struct replay *r, int64_t number)
{
	pthread_mutex_lock(&r->mutex);
	r->allowed = number;
	r->has_word = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
}

/* ---- segments ---- */

static void note_audit(struct shelf_item *item, const struct segment *g)
{
	if (g->audit_last.number > g->audit_prev.number)
		item->audit = g->audit_last;
}

/* Put what the core gave back on the shelf: it is there already, as the item that the core
 * wrote. */
static void accept_given_back(struct replay *r, struct list *given)
{
	struct list *link;

	while ((link = list_take_first(given)) != NULL) {
		struct given *g = container_of(link, struct given, link);

		list_foreach(at, &r->shelf) {
			struct shelf_item *item = container_of(at, struct shelf_item, link);

			if (item->number != g->segment->number)
				continue;
			item->segment = g->segment;
			item->last = g->segment->last;
			item->bytes = g->segment->row_bytes;
			item->newest_ms = g->segment->last_ms;
			note_audit(item, g->segment);
			item->seen = true;
			item->old = true;
		}
		mem_free(g);
	}
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
	if (segment_create(&g, r->log_dir, &like, reason) != 0) {
		log_warn("store.segment_not_made", LOG_TEXT("reason", reason));
		r->retry_ms = now_ms() + RETRY_MS;
		return;
	}
	r->retry_ms = 0;
	r->o.next_number++;
	shelve(r, g->number);
	pthread_mutex_lock(&r->mutex);
	r->prepared = g;
	r->prepare_wanted = false;
	pthread_mutex_unlock(&r->mutex);
	r->o.moved(r->o.ctx);
}

/* Time of the newest row of a segment that has one. */
static int64_t read_newest_ms(struct segment *g)
{
	struct record_head head;
	struct segment_reader reader;
	struct slice body;
	int64_t ms = INT64_MAX; /* unreadable: kept until its bytes are too many */

	segment_reader_init(&reader, g);
	segment_reader_seek(&reader, g->last - 1, g->last);
	if (segment_reader_next(&reader, &head, &body) == 1)
		ms = head.time_ms;
	segment_reader_close(&reader);
	return ms;
}

/* Open an old segment that the start passed over, since it lies below the tree, and see what it is,
 * before anything is done to it. False: it is another database's, left alone and no longer on the
 * shelf. */
static bool look_into(struct replay *r, struct shelf_item *item)
{
	char reason[STORE_REASON_LEN];
	struct segment *g;

	item->seen = true;
	item->newest_ms = INT64_MAX;
	if (segment_open(&item->segment, r->log_dir, item->number, reason) != 0) {
		log_error("store.segment_unreadable", LOG_TEXT("reason", reason));
		item->segment = NULL;
		return true;
	}
	g = item->segment;
	if (g->state != SEGMENT_UNFINISHED &&
	    memcmp(g->database, rows_meta(r->rows)->database, DATABASE_ID_LEN) != 0) {
		log_error("store.segment_foreign", LOG_TEXT("file", item->path),
			  LOG_TEXT("reason", "belongs to another database than tree.db"));
		unshelve(item);
		return false;
	}
	note_audit(item, g);
	item->empty = g->state != SEGMENT_USED || (g->last == g->prev && item->audit.number == 0);
	if (g->state == SEGMENT_USED && g->last > g->prev)
		item->newest_ms = read_newest_ms(g);
	else if (!item->empty)
		item->newest_ms = g->last_ms;
	if (item->finished) {
		segment_close(g, false);
		item->segment = NULL;
	}
	return true;
}

/* Copy an old segment's -wal into the file and close it. What a visitor holds up is done at the
 * next start. */
static void finish_segment(struct replay *r, struct shelf_item *item)
{
	if (r->reading == item) {
		segment_reader_close(&r->reader);
		r->reading = NULL;
	}
	item->finished = true;
	/* Unreadable. */
	if (item->segment == NULL)
		return;
	if (segment_checkpoint(item->segment)) {
		segment_close(item->segment, false);
	} else {
		log_warn("store.checkpoint_held_up", LOG_TEXT("file", item->path));
		segment_close(item->segment, true);
	}
	item->segment = NULL;
	item->bytes = files_database_bytes(item->path);
}

/* Have the tree's last commit on disk. */
static void sync_tree(struct replay *r)
{
#ifndef ZOOLITE_MUTANT_EARLY_UNLINK
	vfs_wal_sync(r->tree_wal_fd);
#endif
	r->tree_on_disk = atomic_load(&r->reached);
}

static uint64_t old_bytes(const struct replay *r)
{
	uint64_t sum = 0;

	list_foreach(at, &r->shelf) {
		const struct shelf_item *item = container_of(at, struct shelf_item, link);

		if (item->old)
			sum += item->bytes;
	}
	return sum;
}

/* Whether the oldest segment may go: the tree has it, and the log on disk goes on behind it. (The
 * newest change stays, whatever it costs; unless a row of the audit trail, which waits_for_word has
 * on disk in a later segment, names that change as the one before it.) */
static bool may_go(const struct replay *r, const struct shelf_item *item)
{
	return item->old && item->last <= atomic_load(&r->reached) &&
	       (item->last < flush_reached(r->flush) ||
		(r->o.is_audited && (!item->seen || item->audit.number > 0)));
}

/* Whether its removal must be on record first; asks for that. */
static bool waits_for_word(struct replay *r, const struct shelf_item *item)
{
	bool waits, is_new;

	if (!r->o.is_audited || item->audit.number == 0)
		return false;
	pthread_mutex_lock(&r->mutex);
	waits = item->audit.number > r->allowed;
	is_new = waits && r->wish.number != item->audit.number;
	if (is_new)
		r->wish = item->audit;
	pthread_mutex_unlock(&r->mutex);
	if (is_new)
		r->o.moved(r->o.ctx);
	return waits;
}

/* Whether it is one to remove then: it says nothing, or is too much or too old. */
static bool is_to_remove(const struct replay *r, const struct shelf_item *item)
{
	return item->empty || old_bytes(r) > r->o.retention_bytes ||
	       (r->o.retention_ms > 0 && item->newest_ms < clock_wall_ms() - r->o.retention_ms);
}

static void remove_segment(struct replay *r, struct shelf_item *item)
{
	if (r->tree_on_disk < item->last)
		sync_tree(r);
	if (r->reading == item) {
		segment_reader_close(&r->reader);
		r->reading = NULL;
	}
	/* No checkpoint of what goes anyway. */
	segment_close(item->segment, true);
	item->segment = NULL;
	files_remove_database(item->path);
	unshelve(item);
	metrics_add(METRIC_log_segments_pruned, 1);
}

static void remove_segments(struct replay *r)
{
	while (!list_is_empty(&r->shelf)) {
		struct shelf_item *item = container_of(r->shelf.next, struct shelf_item, link);

		if (!may_go(r, item))
			return;
		if (!item->seen && !look_into(r, item))
			continue;
		if (!is_to_remove(r, item) || waits_for_word(r, item))
			return;
		remove_segment(r, item);
	}
}

/* Those that the core still writes are as large as their files. */
static void measure_log(struct replay *r)
{
	uint64_t sum = 0;

	list_foreach(at, &r->shelf) {
		const struct shelf_item *item = container_of(at, struct shelf_item, link);

		sum += item->old ? item->bytes : files_database_bytes(item->path);
	}
	atomic_store(&r->log_bytes, sum);
}

static void tidy_segments(struct replay *r)
{
	remove_segments(r);
	list_foreach_safe(at, &r->shelf) {
		struct shelf_item *item = container_of(at, struct shelf_item, link);

		if (!item->old || item->finished || item->last > atomic_load(&r->reached))
			continue;
		if (item->seen || look_into(r, item))
			finish_segment(r, item);
	}
	remove_segments(r);
	measure_log(r);
}

/* ---- batches ---- */

/* The segment where the first change that the tree lacks is, or will be. */
static struct shelf_item *item_to_read(struct replay *r)
{
	list_foreach(at, &r->shelf) {
		struct shelf_item *item = container_of(at, struct shelf_item, link);

		if (!item->old || item->last > atomic_load(&r->reached))
			return item;
	}
	return NULL;
}

static void open_reader(struct replay *r, struct shelf_item *item)
{
	char reason[STORE_REASON_LEN];

	if (r->reading == item)
		return;
	if (r->reading != NULL)
		segment_reader_close(&r->reader);
	/* A connection of its own, also beside the core's: readers and the writer of a -wal don't
	 * disturb each other. */
	if (segment_reader_open(&r->reader, item->path, reason) != 0)
		die("store.segment_unreadable", reason);
	r->reading = item;
}

/* Read rows up to upto into the merge. Returns their number; *last is the newest one's zxid. */
static uint32_t read_batch(struct replay *r, int64_t upto, int64_t *last)
{
	struct record_head head;
	struct slice body;
	uint32_t rows = 0;
	int rc = 0;

	segment_reader_seek(&r->reader, *last, upto);
	while (rows < r->o.batch_rows && merge_bytes(r->merge) < BATCH_BYTES &&
	       (rc = segment_reader_next(&r->reader, &head, &body)) == 1) {
		if (head.prev != *last)
			die("store.log_broken", r->reading->path);
		if (merge_add(r->merge, body) != 0)
			die("store.record_damaged", r->reading->path);
		*last = head.zxid;
		rows++;
	}
	if (rc < 0)
		db_die(r->reader.db, "store.read_failed");
	segment_reader_reset(&r->reader);
	return rows;
}

static void checkpoint_tree(struct replay *r)
{
	int rc;

	if (r->tree_wal_pages < r->o.tree_wal_pages)
		return;
	/* The core's reads are short, so little is left over; the next one takes it. */
	rc = sqlite3_wal_checkpoint_v2(rows_db(r->rows), "main", SQLITE_CHECKPOINT_PASSIVE, NULL,
				       NULL);
	if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_FULL && rc != SQLITE_OK)
		db_die(rows_db(r->rows), "store.checkpoint_failed");
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
	struct shelf_item *item = item_to_read(r);
	uint32_t rows;

	if (upto <= last || item == NULL)
		return false;
	open_reader(r, item);
	rows = read_batch(r, upto, &last);
	if (rows == 0)
		return false;
	rows_begin(r->rows);
	merge_apply(r->merge, r->rows);
	rows_commit(r->rows, last);
	atomic_store(&r->znodes, rows_meta(r->rows)->znodes);
	atomic_store(&r->tree_bytes, files_database_bytes(db_path(rows_db(r->rows))));
	atomic_fetch_add(&r->rows_done, rows);
	/* After COMMIT: a read that begins when this is seen finds the batch. */
	atomic_store(&r->reached, last);
	metrics_add(METRIC_replay_batches, 1);
	metrics_add(METRIC_replay_rows, rows);
	r->o.moved(r->o.ctx);
	checkpoint_tree(r);
	return true;
}

/* ---- the thread ---- */

/* How long the thread may sleep now, in ms; 0: there is something to do. The mutex is held. */
static int64_t idle_ms(struct replay *r, int64_t now)
{
	int64_t wait = r->o.retention_ms > 0 ? IDLE_MS : INT64_MAX;

	if (r->stop || r->has_word || !list_is_empty(&r->given_back))
		return 0;
	if (r->prepare_wanted) {
		if (r->retry_ms <= now)
			return 0;
		wait = r->retry_ms - now;
	}
	if (flush_reached(r->flush) > atomic_load(&r->reached)) {
		if (r->batch_due_ms == 0)
			r->batch_due_ms = now + r->o.delay_ms;
		if (replay_lag_rows(r) >= r->o.batch_rows)
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
static bool wait_for_work(struct replay *r, struct list *given, bool *prepare)
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
	*prepare = r->prepare_wanted && r->retry_ms <= now_ms();
	stop = r->stop;
	pthread_mutex_unlock(&r->mutex);
	return !stop;
}

static void *replay_run(void *arg)
{
	struct replay *r = arg;
	struct list given;
	bool prepare, goes_on;

	list_init(&given);
	do {
		goes_on = wait_for_work(r, &given, &prepare);
		accept_given_back(r, &given);
		if (goes_on && prepare)
			prepare_segment(r);
		if (goes_on && r->batch_due_ms != 0 && r->batch_due_ms <= now_ms()) {
			/* A full batch leaves the rest due at once, so that a lag is worked off
			 * without pauses. */
			if (!replay_batch(r) || flush_reached(r->flush) <= atomic_load(&r->reached))
				r->batch_due_ms = 0;
		}
		if (goes_on)
			tidy_segments(r);
	} while (goes_on);
	if (r->reading != NULL)
		segment_reader_close(&r->reader);
	r->reading = NULL;
	return NULL;
}
