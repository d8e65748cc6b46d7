/* Items, reader and what is on disk are the replay thread's; what the core asks for and allows lies
 * under the mutex. */
#include "store/shelf.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/files.h"
#include "store/marker.h"
#include "store/point.h"
#include "store/vfs.h"

enum { CHECKPOINT_RETRY_MS = 10 * 1000, US_PER_MS = 1000 };

/* A segment on the shelf, lowest number first; the core writes the last one or the last but one. */
struct item {
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
	int64_t newest_ms;       /* when its newest row was written, by own_time_ms */
	int64_t retry_ms;        /* its checkpoint was held up: not before this */
};

struct shelf {
	struct shelf_options o;
	char *log_dir;
	uint8_t database[DATABASE_ID_LEN];
	const struct flush *flush;
	struct list items;
	struct item *reading; /* the item that reader stands on */
	struct segment_reader reader;
	int tree_wal_fd;
	int64_t tree_on_disk;  /* the tree is on disk at least up to here */
	int64_t wall_ahead_ms; /* the wall clock before the monotonic one, as of the start */

	_Atomic uint64_t bytes;

	pthread_mutex_t mutex;
	struct audit_head wish; /* shelf_prune_wish */
	int64_t allowed;        /* up to this number of the audit trail segments may go */
};

/* The wall clock as it was at the start, going on evenly: where it jumps, nothing becomes older. */
static int64_t own_time_ms(const struct shelf *s)
{
	return clock_exact_us() / US_PER_MS + s->wall_ahead_ms;
}

/* ---- made and ended ---- */

struct shelf *shelf_new(const struct shelf_options *o, const struct flush *flush)
{
	struct shelf *s = mem_new(sizeof(*s));

	s->o = *o;
	s->log_dir = mem_strdup(o->log_dir);
	memcpy(s->database, o->database, sizeof(s->database));
	s->flush = flush;
	list_init(&s->items);
	s->tree_wal_fd = vfs_wal_open(o->tree_path);
	s->wall_ahead_ms = clock_wall_ms() - clock_exact_us() / US_PER_MS;
	atomic_init(&s->bytes, 0);
	pthread_mutex_init(&s->mutex, NULL);
	return s;
}

void shelf_add(struct shelf *s, uint32_t number, bool old, int64_t last)
{
	struct item *item = mem_new(sizeof(*item));

	item->number = number;
	item->path = files_segment_path(s->log_dir, number);
	item->old = old;
	item->last = last;
	list_append(&s->items, &item->link);
	if (!old)
		return;
	item->bytes = files_database_bytes(item->path);
	item->finished = !files_has_wal(item->path);
}

static void drop(struct item *item)
{
	list_remove(&item->link);
	segment_close(item->segment, true);
	mem_free(item->path);
	mem_free(item);
}

void shelf_free(struct shelf *s)
{
	if (s == NULL)
		return;
	shelf_close_reader(s);
	list_foreach_safe(at, &s->items)
		drop(container_of(at, struct item, link));
	vfs_wal_close(s->tree_wal_fd);
	pthread_mutex_destroy(&s->mutex);
	mem_free(s->log_dir);
	mem_free(s);
}

/* ---- reading ---- */

/* The segment where the first change that the tree lacks is, or will be. */
static struct item *item_to_read(struct shelf *s, int64_t reached)
{
	list_foreach(at, &s->items) {
		struct item *item = container_of(at, struct item, link);

		if (!item->old || item->last > reached)
			return item;
	}
	return NULL;
}

void shelf_close_reader(struct shelf *s)
{
	if (s->reading != NULL)
		segment_reader_close(&s->reader);
	s->reading = NULL;
}

struct segment_reader *shelf_reader(struct shelf *s, int64_t reached)
{
	struct item *item = item_to_read(s, reached);
	char reason[STORE_REASON_LEN];

	if (item == NULL)
		return NULL;
	if (s->reading == item)
		return &s->reader;
	shelf_close_reader(s);
	/* A connection of its own, also beside the core's: readers and the writer of a -wal don't
	 * disturb each other. */
	if (segment_reader_open(&s->reader, item->path, reason) != 0)
		die("store.segment_unreadable", reason);
	s->reading = item;
	return &s->reader;
}

const char *shelf_reading(const struct shelf *s)
{
	return s->reading->path;
}

static void note_audit(struct item *item, const struct segment *g)
{
	if (g->audit_last.number > g->audit_prev.number)
		item->audit = g->audit_last;
}

/* It is there already, as the item that the core wrote. */
void shelf_accept(struct shelf *s, struct segment *g)
{
	list_foreach(at, &s->items) {
		struct item *item = container_of(at, struct item, link);

		if (item->number != g->number)
			continue;
		item->segment = g;
		item->last = g->last;
		item->bytes = g->row_bytes;
		item->newest_ms = own_time_ms(s);
		note_audit(item, g);
		item->seen = true;
		item->old = true;
		POINT(given_back);
	}
}

/* ---- closing and removing ---- */

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
static bool look_into(struct shelf *s, struct item *item)
{
	char reason[STORE_REASON_LEN];
	struct segment *g;

	item->seen = true;
	item->newest_ms = INT64_MAX;
	if (segment_open(&item->segment, s->log_dir, item->number, reason) != 0) {
		log_error("store.segment_unreadable", LOG_TEXT("reason", reason));
		item->segment = NULL;
		return true;
	}
	g = item->segment;
	if (g->state != SEGMENT_UNFINISHED &&
	    memcmp(g->database, s->database, DATABASE_ID_LEN) != 0) {
		log_error("store.segment_foreign", LOG_TEXT("file", item->path),
			  LOG_TEXT("reason", "belongs to another database than tree.db"));
		drop(item);
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

/* Copy an old segment's -wal into the file and close it. A visitor, or a full disk, may hold that
 * up for a while. */
static void finish_segment(struct shelf *s, struct item *item)
{
	/* Unreadable, where there is none. */
	if (item->segment != NULL) {
		if (own_time_ms(s) < item->retry_ms)
			return;
		if (s->reading == item)
			shelf_close_reader(s);
		POINT(segment_checkpoint_ready);
		if (!segment_settle(item->segment, s->o.marker)) {
			if (item->retry_ms == 0)
				log_warn("store.checkpoint_held_up", LOG_TEXT("file", item->path));
			item->retry_ms = own_time_ms(s) + CHECKPOINT_RETRY_MS;
			return;
		}
		POINT(segment_checkpoint_done);
		segment_close(item->segment, false);
		item->segment = NULL;
	} else if (s->reading == item) {
		shelf_close_reader(s);
	}
	item->finished = true;
	item->bytes = files_database_bytes(item->path);
}

void shelf_set_tree(struct shelf *s, const char *tree_path)
{
	vfs_wal_close(s->tree_wal_fd);
	s->tree_wal_fd = tree_path != NULL ? vfs_wal_open(tree_path) : -1;
}

/* Have the tree's last commit on disk. */
static void sync_tree(struct shelf *s, int64_t reached)
{
#ifndef ZOOLITE_MUTANT_EARLY_UNLINK
	vfs_wal_sync(s->tree_wal_fd);
#endif
	s->tree_on_disk = reached;
}

static uint64_t old_bytes(const struct shelf *s)
{
	uint64_t sum = 0;

	list_foreach(at, &s->items) {
		const struct item *item = container_of(at, struct item, link);

		if (item->old)
			sum += item->bytes;
	}
	return sum;
}

/* Whether the oldest segment may go: the tree has it, and the log on disk goes on behind it. (The
 * newest change stays, whatever it costs; unless a row of the audit trail, which waits_for_word has
 * on disk in a later segment, names that change as the one before it.) */
static bool may_go(const struct shelf *s, const struct item *item, int64_t reached)
{
	return item->old && item->last <= reached &&
	       (item->last < flush_reached(s->flush) ||
		(s->o.is_audited && (!item->seen || item->audit.number > 0)));
}

/* Whether its removal must be on record first; asks for that. */
static bool waits_for_word(struct shelf *s, const struct item *item)
{
	bool waits, is_new;

	if (!s->o.is_audited || item->audit.number == 0)
		return false;
	pthread_mutex_lock(&s->mutex);
	waits = item->audit.number > s->allowed;
	is_new = waits && s->wish.number != item->audit.number;
	if (is_new)
		s->wish = item->audit;
	pthread_mutex_unlock(&s->mutex);
	if (is_new)
		s->o.wished(s->o.ctx);
	return waits;
}

/* Whether it is one to remove then: it says nothing, its room is needed, or it is too much or too
 * old. */
static bool is_to_remove(const struct shelf *s, const struct item *item)
{
	return item->empty || room_is_short(s->o.room) || old_bytes(s) > s->o.retention_bytes ||
	       (s->o.retention_ms > 0 && item->newest_ms < own_time_ms(s) - s->o.retention_ms);
}

/* False: its removal cannot be noted, and it stays for now. */
static bool remove_segment(struct shelf *s, struct item *item, int64_t reached)
{
	char reason[STORE_REASON_LEN];

	POINT(prune_ready);
	if (marker_remove(s->o.marker, item->number, reason) != 0) {
		log_warn("store.state_not_written", LOG_TEXT("reason", reason));
		return false;
	}
	POINT(prune_noted);
	if (s->tree_on_disk < item->last)
		sync_tree(s, reached);
	POINT(prune_synced);
	if (s->reading == item)
		shelf_close_reader(s);
	/* No checkpoint of what goes anyway. */
	segment_close(item->segment, true);
	item->segment = NULL;
	files_remove_database(item->path);
	/* Before the next one goes: after a loss of power this one may be there again, and the next
	 * one not, which is a hole in the audit trail. */
	if (vfs_os()->sync_dir(s->log_dir) != 0)
		die("store.sync_failed", s->log_dir);
	drop(item);
	metrics_add(METRIC_log_segments_pruned, 1);
	room_look(s->o.room);
	POINT(prune_done);
	return true;
}

static void remove_segments(struct shelf *s, int64_t reached)
{
	while (!list_is_empty(&s->items)) {
		struct item *item = container_of(s->items.next, struct item, link);

		if (!may_go(s, item, reached))
			return;
		if (!item->seen && !look_into(s, item))
			continue;
		if (!is_to_remove(s, item) || waits_for_word(s, item) ||
		    !remove_segment(s, item, reached))
			return;
	}
}

/* Those that the core still writes are as large as their files. */
static void measure_log(struct shelf *s)
{
	uint64_t sum = 0;

	list_foreach(at, &s->items) {
		const struct item *item = container_of(at, struct item, link);

		sum += item->old ? item->bytes : files_database_bytes(item->path);
	}
	atomic_store(&s->bytes, sum);
}

/* What could go if it had to. */
static void measure_prunable(struct shelf *s, int64_t reached)
{
	uint64_t sum = 0;

	list_foreach(at, &s->items) {
		const struct item *item = container_of(at, struct item, link);

		if (!may_go(s, item, reached))
			break;
		sum += item->bytes;
	}
	room_note_log(s->o.room, sum);
}

void shelf_tidy(struct shelf *s, int64_t reached)
{
	remove_segments(s, reached);
	list_foreach_safe(at, &s->items) {
		struct item *item = container_of(at, struct item, link);

		if (!item->old || item->finished || item->last > reached)
			continue;
		/* No copy where room is short: the segment will go. */
		if (room_is_short(s->o.room))
			break;
		if (item->seen || look_into(s, item))
			finish_segment(s, item);
	}
	remove_segments(s, reached);
	measure_prunable(s, reached);
	measure_log(s);
}

/* ---- from other threads ---- */

uint64_t shelf_bytes(const struct shelf *s)
{
	return atomic_load(&s->bytes);
}

struct audit_head shelf_prune_wish(struct shelf *s)
{
	struct audit_head wish;

	pthread_mutex_lock(&s->mutex);
	wish = s->wish;
	pthread_mutex_unlock(&s->mutex);
	return wish;
}

void shelf_allow_prune(struct shelf *s, int64_t number)
{
	pthread_mutex_lock(&s->mutex);
	s->allowed = number;
	pthread_mutex_unlock(&s->mutex);
}
