/* The facade: the order of a start and of a stop, the epoch, and who gets which connection.
 *
 *   core thread    writes the log's live segment, reads tree.db over a connection of its own
 *   flush thread   syncs the live segment's -wal
 *   replay thread  writes and checkpoints tree.db, reads the log, makes and closes segments
 *
 * Between store_open and store_begin there is the core thread alone, and it holds what the replay
 * thread gets. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/flush.h"
#include "store/found.h"
#include "store/inspect.h"
#include "store/log.h"
#include "store/marker.h"
#include "store/point.h"
#include "store/replay.h"
#include "store/restore.h"
#include "store/room.h"
#include "store/rows.h"
#include "store/scan.h"
#include "store/segment.h"
#include "store/settle.h"
#include "store/snapshot.h"
#include "store/survey.h"
#include "store/upgrade.h"
#include "store/vfs.h"

/* Day of the release in seconds since 1970 (configure.ac); a clock that shows an earlier day is not
 * believed. */
#ifndef RELEASE_TIME
#define RELEASE_TIME INT64_C(1795392000)
#endif

enum { EPOCH_UNIT_S = 600 };
#define EPOCH_BEGIN_S INT64_C(1577836800) /* 2020-01-01 */
#define EPOCH_YEARS_S (INT64_C(30) * 366 * 24 * 3600)
#define EPOCH_MOST UINT32_C(0x7fffffff)

enum { HELD_MS = 20 };
enum { UPGRADE_SPARE = 16 * 1024 * 1024 };
enum { TREE_PAGE_KIB = 4, TREE_WAL_LEAST_PAGES = 16 };

struct store {
	struct store_options o;
	char *dir;
	char *log_parent;
	char *log_dir;
	int lock_fd;
	int log_lock_fd;
	int wake_fd;
	struct marker *marker;
	struct rows *writer;     /* the replay thread's while it runs */
	struct rows *reader;     /* the core's */
	struct upgrade *upgrade; /* of the tree; NULL: it has the newest version, or waits */
	bool was_settled;        /* after a disk error */
	struct scan scan;
	struct room *room;
	uint32_t epoch;
	struct flush *flush;
	struct replay *replay;
	struct snapshot *snapshot;
	struct store_log *log;
};

void store_options_init(struct store_options *o)
{
	*o = (struct store_options){
		.segment_bytes = UINT64_C(64) << 20,
		.retention_bytes = UINT64_C(1) << 30,
		.replay_batch_rows = 10000,
		.replay_delay_ms = 100,
		.tree_cache_kib = 16 * 1024,
		.upgrade_rows = 500,
	};
}

/* ---- open ---- */

static int open_dirs(struct store *s, char reason[STORE_REASON_LEN])
{
	if (files_make_dir(s->dir, reason) != 0 || files_lock(s->dir, &s->lock_fd, reason) != 0 ||
	    files_make_dir(s->log_parent, reason) != 0)
		return -1;
	if (restore_is_cut_short(s->dir)) {
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: a restore was cut short: do it again (zoolited --restore)",
			       s->dir);
		return -1;
	}
	if (!files_same_dir(s->log_parent, s->dir) &&
	    files_lock(s->log_parent, &s->log_lock_fd, reason) != 0)
		return -1;
	return files_make_dir(s->log_dir, reason);
}

/* Whether there is a log with something in it: a tree is made only where there is none. */
static int find_log(struct store *s, bool *found, char reason[STORE_REASON_LEN])
{
	uint32_t *numbers, highest;
	size_t count;
	int rc = 0;

	*found = false;
	if (files_list_segments(s->log_dir, &numbers, &count, &highest, reason) != 0)
		return -1;
	for (size_t i = count; i > 0 && rc == 0 && !*found; i--) {
		struct segment *g;

		rc = scan_open_segment(&g, s->log_dir, numbers[i - 1], reason);
		if (rc != 0)
			break;
		*found = g->state == SEGMENT_USED;
		segment_close(g, true);
	}
	mem_free(numbers);
	return rc;
}

static void wake(void *ctx)
{
	const struct store *s = ctx;
	const uint64_t one = 1;
	ssize_t n = write(s->wake_fd, &one, sizeof(one));

	/* EAGAIN: so many wakes wait that it is readable anyway. */
	(void)n;
}

/* What a start needs more than the copy of an older tree. Whether that had any room. */
static bool give_copy(const struct store *s)
{
	bool had = upgrade_forget(s->dir);
	char *path = files_join(s->dir, "tree.db");

	if (had)
		log_warn("store.upgrade_waits", LOG_TEXT("file", path),
			 LOG_TEXT("for", "room on disk"));
	mem_free(path);
	return had;
}

static int open_room(struct store *s, char reason[STORE_REASON_LEN])
{
	const struct room_options o = { .data_dir = s->dir,
					.log_dir = s->log_parent,
					.low_bytes = s->o.low_bytes,
					.ballast_bytes = s->o.ballast_bytes,
					.moved = wake,
					.ctx = s };

	if (room_new(&s->room, &o, reason) != 0)
		return -1;
	if (room_open(s->room, reason) == 0)
		return 0;
	return give_copy(s) ? room_open(s->room, reason) : -1;
}

static int open_tree(struct store *s, char reason[STORE_REASON_LEN])
{
	char *path = files_join(s->dir, "tree.db");
	bool log_found;
	int rc = found_check_whole(s->dir, reason);

	if (rc == 0)
		rc = upgrade_mend(s->dir, reason);
	if (rc == 0)
		rc = find_log(s, &log_found, reason);
	if (rc != 0)
		goto out;
	if (log_found && files_database_bytes(path) == 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: is %s, but there is a log in %s",
			       path, access(path, F_OK) != 0 ? "missing" : "empty", s->log_dir);
		rc = STORE_DAMAGED;
		goto out;
	}
	rc = inspect_file(path, reason);
	if (rc == 0)
		rc = rows_open(&s->writer, path, DB_WRITE, s->o.tree_cache_kib, !log_found, reason);
	if (rc == 0)
		rc = rows_open(&s->reader, path, DB_READ, s->o.tree_cache_kib, false, reason);
out:
	mem_free(path);
	return rc;
}

static int open_marker(struct store *s, char reason[STORE_REASON_LEN])
{
	if (marker_open(&s->marker, s->dir, reason) != 0)
		return -1;
	if (marker_last_end(s->marker) == MARKER_CUT_OFF)
		log_warn("store.cut_off", LOG_TEXT("dir", s->dir),
			 LOG_TEXT("reason", "the server before this one did not come to its end"));
	return marker_check(s->marker, s->log_dir, reason);
}

/* One that was listed, so it was finished, and seems never to have been: its -wal, where all of it
 * stands, holds nothing any more that SQLite would take. */
static int check_unfinished(struct store *s, char reason[STORE_REASON_LEN])
{
	for (size_t i = s->scan.first; i < s->scan.count; i++) {
		const struct scan_item *item = &s->scan.items[i];

		if (item->state != SEGMENT_UNFINISHED || !marker_lists(s->marker, item->number))
			continue;
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s-wal: is damaged, changes that were acknowledged were in it",
			       item->segment->path);
		return STORE_DAMAGED;
	}
	return 0;
}

/* After a disk error the kernel may hold pages that the disk does not have, and tell nobody a
 * second time: what every -wal holds is written again, and synced. */
static int settle(struct store *s, char reason[STORE_REASON_LEN])
{
	const char *event = marker_disk_error(s->marker);
	int held_up;

	if (event == NULL)
		return 0;
	held_up = scan_settle(&s->scan, reason);
	if (held_up < 0)
		return held_up;
	held_up += !rows_settle(s->writer);
	/* Where the disk has the files other than they were written, the same would end this
	 * process as well, and the next. */
	if (rows_check(s->writer, reason) != 0)
		return STORE_DAMAGED;
	(void)upgrade_forget(s->dir);
	s->was_settled = true;
	log_warn("store.settled", LOG_TEXT("dir", s->dir), LOG_TEXT("after", event),
		 LOG_INT("held_up", held_up));
	return held_up > 0 ? 0 : marker_clear_error(s->marker, reason);
}

/* What a disk refused to this start, the next one must not believe. */
static void note_errors(struct store *s)
{
	if (vfs_had_errors())
		marker_note_error(s->marker, "store.start_failed");
}

/* All that a start asks of what it finds. */
static int open_files(struct store *s, char reason[STORE_REASON_LEN])
{
	int rc = open_marker(s, reason);

	if (rc == 0)
		rc = open_tree(s, reason);
	if (rc == 0)
		rc = scan_log(&s->scan, s->log_dir, rows_meta(s->writer), reason);
	if (rc == 0)
		rc = check_unfinished(s, reason);
	if (rc == 0)
		rc = settle(s, reason);
	return rc;
}

static void name_command(const struct store *s, int rc, char reason[STORE_REASON_LEN])
{
	bool apart = strcmp(s->dir, s->log_parent) != 0;

	if (rc == STORE_DAMAGED)
		inspect_name_command(s->dir, apart ? s->log_parent : NULL, reason);
}

int store_open(struct store **out, const struct store_options *o, char reason[STORE_REASON_LEN])
{
	struct store *s = mem_new(sizeof(*s));
	int rc;

	s->lock_fd = s->log_lock_fd = s->wake_fd = -1;
	s->dir = mem_strdup(o->data_dir);
	s->log_parent = mem_strdup(o->log_dir != NULL ? o->log_dir : o->data_dir);
	s->o = *o;
	s->o.data_dir = s->dir;
	s->o.log_dir = s->log_parent;
	s->log_dir = files_join(s->log_parent, "log");
	vfs_register();
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0)
		die("store.no_eventfd", strerror(errno));
	rc = open_dirs(s, reason);
	if (rc == 0)
		rc = open_room(s, reason);
	if (rc == 0)
		rc = open_files(s, reason);
	if (rc != 0) {
		name_command(s, rc, reason);
		note_errors(s);
		store_close(s);
		*out = NULL;
		return rc;
	}
	scan_sync(&s->scan);
	*out = s;
	return 0;
}

int store_load(struct store *s, const struct store_loader *l, char reason[STORE_REASON_LEN])
{
	int rc = rows_load(s->writer, l, reason);

	if (rc == 0)
		rc = scan_load(&s->scan, l, reason);
	if (rc == 0)
		scan_close(&s->scan);
	name_command(s, rc, reason);
	return rc;
}

int store_refuse(const struct store *s, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s", s->dir, what);
	name_command(s, STORE_DAMAGED, reason);
	return STORE_DAMAGED;
}

int store_settle(struct store *s, char reason[STORE_REASON_LEN])
{
	if (settle_tree(&s->scan, s->writer, s->o.replay_batch_rows, reason) != 0)
		return -1;
	scan_close(&s->scan);
	return 0;
}

int64_t store_last_zxid(const struct store *s)
{
	return s->log != NULL ? store_log_last(s->log) : s->scan.last;
}

/* ---- begin ---- */

static uint32_t zxid_epoch(int64_t zxid)
{
	return (uint32_t)((uint64_t)zxid >> 32);
}

/* Ten-minute units since 2020, 0 where the clock cannot be right. */
static uint32_t clock_epoch(void)
{
	int64_t now_s = clock_wall_ms() / 1000;

	if (now_s < RELEASE_TIME || now_s > RELEASE_TIME + EPOCH_YEARS_S)
		return 0;
	return (uint32_t)((now_s - EPOCH_BEGIN_S) / EPOCH_UNIT_S);
}

static uint32_t raise_epoch(uint32_t epoch)
{
	if (epoch >= EPOCH_MOST)
		die("store.epochs_used_up", "no epoch is left below 2^31");
	return epoch + 1;
}

static uint32_t next_epoch(const struct store *s)
{
	uint32_t epoch = s->scan.epoch;
	uint32_t by_clock = clock_epoch();

	if (zxid_epoch(s->scan.last) > epoch)
		epoch = zxid_epoch(s->scan.last);
	if (zxid_epoch(s->scan.tree.zxid) > epoch)
		epoch = zxid_epoch(s->scan.tree.zxid);
	epoch = raise_epoch(epoch);
	return by_clock > epoch ? by_clock : epoch;
}

static void wake_chores(void *ctx)
{
	const struct store *s = ctx;

	replay_wake_chores(s->replay);
}

static struct rows *tree_of(void *ctx)
{
	const struct store *s = ctx;

	return replay_rows(s->replay);
}

static void lend_tree(void *ctx, bool is_lent)
{
	const struct store *s = ctx;

	replay_lend_tree(s->replay, is_lent);
}

/* None begins while the tree is exchanged for another file. */
static int64_t run_snapshot(void *ctx, int64_t now_ms)
{
	const struct store *s = ctx;

	if (replay_is_held(s->replay) && !replay_is_tree_lent(s->replay))
		return now_ms + HELD_MS;
	return snapshot_run(s->snapshot, now_ms);
}

static void on_flushed(void *ctx)
{
	const struct store *s = ctx;

	replay_poke(s->replay);
	wake(ctx);
}

static struct slice audit_key(const struct store *s)
{
	return s->o.audit_key != NULL ? audit_key_id(s->o.audit_key) : (struct slice){ 0 };
}

/* Room for a segment, where that is what it lacks; of the copy's a log elsewhere has nothing. */
static bool make_way(const struct store *s)
{
	struct stat data, log;
	bool is_one_disk = stat(s->dir, &data) == 0 && stat(s->log_dir, &log) == 0 &&
			   data.st_dev == log.st_dev;

	if (room_has_segment(s->room))
		return false;
	return room_give(s->room, ROOM_LOG, true) || (is_one_disk && give_copy(s));
}

/* NULL where it cannot be made. */
static struct segment *make_first_segment(struct store *s)
{
	struct segment like = { .number = s->scan.highest + 1,
				.state = SEGMENT_USED,
				.epoch = s->epoch,
				.prev = s->scan.last,
				.audit_prev = s->scan.audit,
				.is_audited = s->o.audit_key != NULL };
	struct slice key = audit_key(s);
	struct segment *g;
	char reason[STORE_REASON_LEN];

	memcpy(like.database, s->scan.tree.database, DATABASE_ID_LEN);
	like.audit_key_len = key.len;
	if (key.len > 0)
		memcpy(like.audit_key, key.data, key.len);
	while (segment_create(&g, s->log_dir, &like, reason) != 0) {
		if (!make_way(s)) {
			log_error("store.segment_not_made", LOG_TEXT("reason", reason));
			return NULL;
		}
	}
	g->reserved = room_reserve(s->room, g->sync_fd, 0, 0, true);
	return g;
}

/* Segments without a row, of the audit trail neither: made ahead and never used, or of runs that
 * changed nothing. The new one is on disk and has a higher epoch, so they are not needed. */
static bool is_needless(const struct scan *n, size_t i)
{
	const struct scan_item *item = &n->items[i];

	return i >= n->first && !item->has_audit &&
	       (item->state != SEGMENT_USED || item->last == item->prev);
}

/* From here on a start misses what has a -wal now. */
static void mark_begin(struct store *s, uint32_t live)
{
	const struct scan *n = &s->scan;
	uint32_t *numbers = mem_new((n->count + 1) * sizeof(*numbers));
	char reason[STORE_REASON_LEN];
	size_t count = 0;

	for (size_t i = 0; i < n->count; i++) {
		char *path = files_segment_path(s->log_dir, n->items[i].number);

		if (!is_needless(n, i) && files_wal_bytes(path) > 0)
			numbers[count++] = n->items[i].number;
		mem_free(path);
	}
	numbers[count++] = live;
	if (marker_begin(s->marker, numbers, count, reason) != 0)
		die("store.state_not_written", reason);
	mem_free(numbers);
}

static void sort_segments(struct store *s)
{
	const struct scan *n = &s->scan;

	for (size_t i = 0; i < n->count; i++) {
		const struct scan_item *item = &n->items[i];
		bool known = i >= n->first;

		if (is_needless(n, i)) {
			char *path = files_segment_path(s->log_dir, item->number);

			files_remove_database(path);
			mem_free(path);
			continue;
		}
		/* What was not opened lies below the first that was, and that begins at or below
		 * the tree. */
		replay_add_segment(s->replay, item->number, true,
				   known ? item->last : n->items[n->first].prev);
	}
}

static void make_upgrade(struct store *s)
{
	const struct upgrade_options o = {
		.data_dir = s->dir,
		.cache_kib = s->o.tree_cache_kib,
		.step_rows = s->o.upgrade_rows,
		/* More than would have writes refused. */
		.spare_bytes = s->o.low_bytes + s->o.low_bytes / 4 + UPGRADE_SPARE,
		.marker = s->marker,
		.moved = wake,
		.ctx = s,
	};

	if (rows_version(s->writer) == DB_VERSION)
		return;
	/* If it was the copy that met the error, every run would end by it. */
	if (s->was_settled)
		log_warn("store.upgrade_waits", LOG_TEXT("file", db_path(rows_db(s->writer))),
			 LOG_TEXT("for", "another start: the last run met a disk error"));
	else
		s->upgrade = upgrade_new(&o, s->replay);
}

static void make_replay(struct store *s, uint32_t live)
{
	uint32_t wal_pages = s->o.tree_cache_kib / TREE_PAGE_KIB;
	const struct snapshot_hooks snapshots = { .ctx = s,
						  .poke = wake_chores,
						  .rows = tree_of,
						  .lend = lend_tree,
						  .woke = wake };
	const struct replay_options o = {
		.log_dir = s->log_dir,
		.marker = s->marker,
		.retention_bytes = s->o.retention_bytes,
		.retention_ms = s->o.retention_ms,
		.batch_rows = s->o.replay_batch_rows > 0 ? s->o.replay_batch_rows : 1,
		.delay_ms = s->o.replay_delay_ms,
		/* The -wal of the tree is let grow to what its cache holds. */
		.tree_wal_pages =
			wal_pages > TREE_WAL_LEAST_PAGES ? wal_pages : TREE_WAL_LEAST_PAGES,
		.most_wal_pages = (uint32_t)(s->o.most_tree_wal_bytes / STORE_WAL_PAGE_BYTES),
		.next_number = live + 1,
		.epoch = s->epoch,
		.is_audited = s->o.audit_key != NULL,
		.audit_key = audit_key(s),
		.room = s->room,
		.moved = wake,
		.ctx = s,
	};

	s->replay = replay_new(&o, s->writer, s->flush);
	replay_add_chore(s->replay, room_keep, s->room);
	make_upgrade(s);
	sort_segments(s);
	replay_add_segment(s->replay, live, false, 0);
	replay_add_lag(s->replay, s->scan.rows);
	s->snapshot = snapshot_new(&snapshots);
	replay_add_chore(s->replay, run_snapshot, s);
}

struct snapshot *store_snapshot(struct store *s)
{
	return s->snapshot;
}

uint32_t store_epoch(const struct store *s)
{
	return s->epoch;
}

int64_t store_begin(struct store *s)
{
	struct segment *live;

	scan_close(&s->scan);
	s->epoch = next_epoch(s);
	live = make_first_segment(s);
	if (live == NULL)
		return -1;
	mark_begin(s, live->number);
	room_note_tree(s->room, rows_free_bytes(s->writer));
	s->flush = flush_new(s->scan.last, on_flushed, s);
	make_replay(s, live->number);
	s->log = store_log_new(live, s->scan.last, s->o.segment_bytes, s->o.audit_key, s->flush,
			       s->replay, s->room);
	room_end_start(s->room);
	flush_start(s->flush);
	replay_start(s->replay);
	POINT(begun);
	log_info("store.ready", LOG_TEXT("dir", s->dir), LOG_INT("epoch", s->epoch),
		 LOG_HEX("zxid", s->scan.last), LOG_HEX("tree", s->scan.tree.zxid),
		 LOG_INT("rows", s->scan.rows));
	return (int64_t)((uint64_t)s->epoch << 32);
}

int64_t store_next_epoch(struct store *s)
{
	s->epoch = raise_epoch(s->epoch);
	store_log_set_epoch(s->log, s->epoch);
	return (int64_t)((uint64_t)s->epoch << 32);
}

/* ---- turns ---- */

void store_append(struct store *s, const struct record_head *head, struct slice body)
{
	store_log_append(s->log, head, body);
	replay_add_lag(s->replay, 1);
}

void store_audit(struct store *s, const struct audit_row *row)
{
	store_log_audit(s->log, row);
}

int64_t store_audited(const struct store *s)
{
	return s->log != NULL ? store_log_audited(s->log) : s->scan.audit.number;
}

void store_end_turn(struct store *s)
{
	store_log_end_turn(s->log);
	s->reader = upgrade_exchange(s->upgrade, s->reader);
}

int store_wake_fd(const struct store *s)
{
	return s->wake_fd;
}

void store_wake(struct store *s)
{
	uint64_t count;
	ssize_t n = read(s->wake_fd, &count, sizeof(count));

	/* EAGAIN: nothing waits. */
	(void)n;
}

int64_t store_flushed(const struct store *s)
{
	return s->flush != NULL ? flush_reached(s->flush) : s->scan.last;
}

int64_t store_replayed(const struct store *s)
{
	return s->replay != NULL ? replay_reached(s->replay) : s->scan.tree.zxid;
}

uint64_t store_lag_rows(const struct store *s)
{
	return s->replay != NULL ? replay_lag_rows(s->replay) : s->scan.rows;
}

enum store_result store_read_znode(struct store *s, struct slice path, struct record_znode *out)
{
	return rows_read_znode(s->reader, path, out);
}

enum store_result store_list_children(struct store *s, struct slice path,
				      void (*child)(void *ctx, struct slice name), void *ctx)
{
	return rows_list_children(s->reader, path, child, ctx);
}

enum store_result store_sum_below(struct store *s, struct slice path, const struct slice *except,
				  size_t count, struct store_sum *out)
{
	return survey_sum_below(s->reader, path, except, count, out);
}

enum store_result store_list_below(struct store *s, struct slice path, struct slice after,
				   unsigned limit,
				   void (*each)(void *ctx, struct slice parent, struct slice name),
				   void *ctx)
{
	return survey_list_below(s->reader, path, after, limit, each, ctx);
}

enum store_result store_list_marked(struct store *s, struct slice after, unsigned limit,
				    void (*each)(void *ctx, const struct record_znode *z),
				    void *ctx)
{
	return survey_list_marked(s->reader, after, limit, each, ctx);
}

enum store_result store_list_named(struct store *s, struct slice below, struct slice name,
				   void (*each)(void *ctx, struct slice path), void *ctx)
{
	return survey_list_named(s->reader, below, name, each, ctx);
}

uint64_t store_znode_count(const struct store *s)
{
	return s->replay != NULL ? replay_znode_count(s->replay) : s->scan.tree.znodes;
}

uint64_t store_tree_bytes(const struct store *s)
{
	return s->replay != NULL ? replay_tree_bytes(s->replay)
				 : files_database_bytes(db_path(rows_db(s->writer)));
}

enum room_level store_room(struct store *s)
{
	if (s->log != NULL)
		store_log_take_room(s->log, 0);
	return room_level(s->room);
}

bool store_is_tight(const struct store *s)
{
	return room_is_tight(s->room);
}

void store_get_room(const struct store *s, struct room_figures *out)
{
	room_get_figures(s->room, out);
}

void store_note_owned(struct store *s, uint64_t sessions, uint64_t ephemerals)
{
	room_note_owned(s->room, sessions, ephemerals);
}

uint64_t store_log_bytes(const struct store *s)
{
	return s->replay != NULL ? replay_log_bytes(s->replay) : 0;
}

int store_tree_version(const struct store *s)
{
	return s->upgrade != NULL ? upgrade_version(s->upgrade) : rows_version(s->writer);
}

uint64_t store_upgrade_left(const struct store *s)
{
	return s->upgrade != NULL ? upgrade_left(s->upgrade) : 0;
}

uint64_t store_tree_wal_bytes(const struct store *s)
{
	return s->replay != NULL ? replay_tree_wal_bytes(s->replay) : 0;
}

uint64_t store_log_wal_size(const struct store *s)
{
	return s->log != NULL ? store_log_wal_bytes(s->log) : 0;
}

uint64_t store_take_longest_sync(struct store *s)
{
	return s->flush != NULL ? flush_take_longest(s->flush) : 0;
}

void store_get_sync_times(const struct store *s, struct summary *out)
{
	summary_reset(out);
	if (s->flush != NULL)
		flush_get_times(s->flush, out);
}

void store_reset_sync_times(struct store *s)
{
	if (s->flush != NULL)
		flush_reset_times(s->flush);
}

/* ---- close ---- */

/* The tree's -wal goes where there was a run, and all of it is in the file. */
static void close_tree(struct store *s)
{
	bool began = s->log != NULL, settled = false;
	char reason[STORE_REASON_LEN];

	/* The reader first: whoever is last puts the -wal away, and that is the writer's. */
	rows_close(s->reader, true);
	upgrade_free(s->upgrade);
	if (began) {
		settled = rows_settle(s->writer);
		if (marker_end(s->marker, !settled, reason) != 0) {
			log_warn("store.state_not_written", LOG_TEXT("reason", reason));
			settled = false;
		}
	}
	rows_close(s->writer, !settled);
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->log != NULL) {
		store_log_finish(s->log);
		/* The flush thread pokes the replay thread, so it ends first. */
		flush_stop(s->flush);
		replay_stop(s->replay);
	}
	/* It reads over the replay thread's connection. */
	snapshot_free(s->snapshot);
	/* An upgrade may have made another one. */
	if (s->replay != NULL)
		s->writer = replay_rows(s->replay);
	replay_free(s->replay);
	store_log_free(s->log, s->marker);
	flush_free(s->flush);
	scan_fini(&s->scan);
	close_tree(s);
	marker_close(s->marker);
	room_free(s->room);
	if (s->log_lock_fd >= 0)
		close(s->log_lock_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	close(s->wake_fd);
	mem_free(s->log_dir);
	mem_free(s->log_parent);
	mem_free(s->dir);
	mem_free(s);
}
