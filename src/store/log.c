/* See the header. A loss of power must not leave a gap: the first commit to a segment is made when
 * all of the one before it is on disk, and its transaction stays open meanwhile. So at most one
 * -wal holds changes beyond F. */
#include "store/log.h"

#include <assert.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/point.h"

/* A -wal holds a page or more for each commit: with few changes in each it grows faster than the
 * rows. */
enum { WAL_RATIO = 4, WAL_LEAST_BYTES = 1024 * 1024 };
/* What a clean stop copies into the segment's file instead of leaving it to the next start. */
enum { CLOSE_WAL_PAGES = 4096 };
/* Where room is short segments end early, so that they may go. */
enum { SHORT_WAL_BYTES = 1024 * 1024 };
/* Pages that a transaction writes whatever it appends, and the rows of the server's own. */
enum { OPEN_BYTES = 128 * 1024 };
/* Of rows of the audit trail that stand beside no change. */
enum { AUDIT_SYNC_MS = 1000, AUDIT_TELL_MS = 60 * 1000 };

/* The audit trail. A head is told only when it is on disk: after a loss of power one that was not
 * would look as if somebody had cut the trail off. */
struct trail {
	struct audit_key *key;        /* NULL: there is none */
	struct audit_head head;       /* appended */
	struct audit_head asked_head; /* as of the newest request to flush */
	struct audit_head watched_head;
	uint64_t watched; /* the request that is watched */
	struct audit_head disk_head;
	int64_t told; /* number of the head that was told */
	int64_t told_ms;
	int64_t pruned;         /* up to this number the removal is on record, ... */
	uint64_t prune_request; /* ... on disk when this request is done; 0: long */
};

struct store_log {
	struct flush *flush;
	struct replay *replay;
	struct room *room;
	uint64_t segment_bytes;
	uint64_t committed_bytes; /* of live's rows */
	struct segment *live;
	struct segment *full;  /* the one before, not all of it on disk yet; NULL mostly */
	uint64_t full_request; /* on disk when this is done */
	uint64_t request;      /* the newest */
	bool open;             /* a transaction on live */
	bool must_flush;       /* what is open, though it may change nothing */
	int64_t unasked_ms;    /* since when committed rows wait for a request; -1: none */
	int64_t last;          /* appended */
	int64_t committed;
	uint32_t epoch;
	struct trail trail;
};

static void tell_head(struct store_log *l)
{
	char text[AUDIT_HEAD_TEXT_LEN];

	audit_head_format(&l->trail.disk_head, text);
	log_info("audit.head", LOG_TEXT("head", text), LOG_INT("segment", l->live->number));
	l->trail.told = l->trail.disk_head.number;
	l->trail.told_ms = clock_now_ms();
}

struct store_log *store_log_new(struct segment *live, int64_t last, uint64_t segment_bytes,
				struct audit_key *key, struct flush *flush, struct replay *replay,
				struct room *room)
{
	struct store_log *l = mem_new(sizeof(*l));

	l->flush = flush;
	l->replay = replay;
	l->room = room;
	l->segment_bytes = segment_bytes;
	l->live = live;
	l->last = l->committed = last;
	l->epoch = live->epoch;
	l->unasked_ms = -1;
	l->trail.key = key;
	l->trail.head = l->trail.asked_head = l->trail.disk_head = live->audit_last;
	if (key != NULL)
		tell_head(l);
	return l;
}

static uint64_t wal_bytes(const struct store_log *l)
{
	return (uint64_t)l->live->wal_pages * STORE_WAL_PAGE_BYTES;
}

uint64_t store_log_wal_bytes(const struct store_log *l)
{
	return wal_bytes(l);
}

void store_log_take_room(struct store_log *l, uint64_t bytes)
{
	struct segment *g = l->live;
	uint64_t open = g->row_bytes - l->committed_bytes + bytes;
	/* Rows fill half a page at least. */
	uint64_t want = wal_bytes(l) + 2 * open + OPEN_BYTES;

	if (want > g->reserved)
		g->reserved = room_reserve(l->room, g->sync_fd, g->reserved, want, true);
}

static void begin(struct store_log *l)
{
	if (l->open)
		return;
	segment_begin(l->live);
	l->open = true;
	if (l->live->state == SEGMENT_USED)
		return;
	l->live->prev = l->last;
	l->live->audit_prev = l->live->audit_last = l->trail.head;
	segment_stamp(l->live, l->epoch);
}

/* Sign a row that goes on the trail now. */
static void extend_trail(struct store_log *l, struct audit_row *row)
{
	struct audit_head next;

	row->number = l->trail.head.number + 1;
	audit_chain(l->trail.key, &l->trail.head, row, &next);
	l->trail.head = next;
	metrics_add(METRIC_audit_rows, 1);
}

static void append_audited(struct store_log *l, const struct record_head *head, struct slice body)
{
	struct audit_row row = {
		.kind = "change",
		.change = head,
		.record = body,
		.note = { .old_version = AUDIT_NO_VERSION, .version = AUDIT_NO_VERSION },
		.count = 1,
	};

	if (head->note != NULL) {
		row.note = *head->note;
		row.result = head->note->cause;
	}
	extend_trail(l, &row);
	segment_append(l->live, head, body, &row, &l->trail.head);
}

void store_log_audit(struct store_log *l, const struct audit_row *row)
{
	struct audit_row numbered = *row;

	if (l->trail.key == NULL)
		return;
	store_log_take_room(l, 0);
	begin(l);
	extend_trail(l, &numbered);
	segment_audit(l->live, &numbered, &l->trail.head);
}

void store_log_append(struct store_log *l, const struct record_head *head, struct slice body)
{
	/* A gap or a step back in the log is found at the next start, when it is too late. */
	assert(head->prev == l->last && head->zxid > l->last);
	store_log_take_room(l, body.len);
	begin(l);
	if (l->trail.key != NULL)
		append_audited(l, head, body);
	else
		segment_append(l->live, head, body, NULL, NULL);
	l->last = head->zxid;
	metrics_add(METRIC_changes_logged, 1);
}

void store_log_set_epoch(struct store_log *l, uint32_t epoch)
{
	l->epoch = epoch;
	begin(l);
	segment_stamp(l->live, epoch);
}

int64_t store_log_last(const struct store_log *l)
{
	return l->last;
}

int64_t store_log_audited(const struct store_log *l)
{
	return l->trail.disk_head.number;
}

static bool is_full(const struct store_log *l)
{
	return l->live->row_bytes >= l->segment_bytes ||
	       wal_bytes(l) >= l->segment_bytes * WAL_RATIO + WAL_LEAST_BYTES ||
	       (wal_bytes(l) >= SHORT_WAL_BYTES && room_is_short(l->room));
}

/* Have all that is committed on disk. */
static void ask_for_flush(struct store_log *l)
{
	l->request = flush_request(l->flush, l->live->sync_fd, l->committed);
	l->unasked_ms = -1;
	l->must_flush = false;
	l->trail.asked_head = l->trail.head;
}

/* Go on with the next segment where the live one is full. Where none is prepared yet, it grows
 * beyond its size. */
static void roll_over(struct store_log *l)
{
	struct segment *next;

	if (!is_full(l))
		return;
	next = replay_take_prepared(l->replay);
	if (next == NULL)
		return;
	POINT(roll_over_ready);
	if (l->unasked_ms >= 0)
		ask_for_flush(l);
	l->full = l->live;
	l->full_request = l->request;
	l->live = next;
	l->committed_bytes = 0;
	metrics_add(METRIC_log_segments, 1);
	POINT(roll_over_done);
}

static void commit(struct store_log *l)
{
	bool has_changes = l->committed != l->last;

	POINT(commit_ready);
	segment_commit(l->live);
	POINT(commit_done);
	l->open = false;
	l->committed_bytes = l->live->row_bytes;
	metrics_add(METRIC_log_commits, 1);
	l->committed = l->last;
	if (has_changes || l->must_flush)
		ask_for_flush(l);
	else if (l->unasked_ms < 0)
		l->unasked_ms = clock_now_ms();
}

/* ---- the audit trail in a turn ---- */

/* What the disk has by now: a head to tell, a segment whose removal is on record. */
static void follow_disk(struct store_log *l)
{
	struct trail *t = &l->trail;

	if (t->watched > 0 && flush_has_done(l->flush, t->watched)) {
		t->disk_head = t->watched_head;
		t->watched = 0;
	}
	if (t->watched == 0 && t->asked_head.number != t->disk_head.number) {
		t->watched = l->request;
		t->watched_head = t->asked_head;
	}
	if (t->prune_request > 0 && flush_has_done(l->flush, t->prune_request)) {
		t->prune_request = 0;
		replay_allow_prune(l->replay, t->pruned);
	}
	if (t->disk_head.number != t->told && clock_now_ms() >= t->told_ms + AUDIT_TELL_MS)
		tell_head(l);
}

/* Put on record what is about to be removed: without that, a trail that begins late was cut. */
static void record_prune(struct store_log *l)
{
	struct audit_row row = {
		.kind = "prune",
		.time_ms = clock_wall_ms(),
		.note = { .old_version = AUDIT_NO_VERSION, .version = AUDIT_NO_VERSION },
		.count = 1,
	};
	char text[AUDIT_HEAD_TEXT_LEN];
	struct audit_head head = replay_prune_wish(l->replay);

	if (head.number <= l->trail.pruned || l->trail.prune_request > 0)
		return;
	audit_head_format(&head, text);
	row.note.detail = slice_of(text);
	store_log_audit(l, &row);
	l->trail.pruned = head.number;
	l->must_flush = true;
}

static void commit_and_roll(struct store_log *l)
{
	bool has_prune = l->must_flush;

	commit(l);
	if (has_prune)
		l->trail.prune_request = l->request;
	roll_over(l);
}

void store_log_end_turn(struct store_log *l)
{
	if (l->full != NULL) {
		if (!flush_has_done(l->flush, l->full_request))
			return;
		POINT(give_back);
		replay_give_back(l->replay, l->full);
		l->full = NULL;
	}
	if (l->trail.key != NULL) {
		follow_disk(l);
		record_prune(l);
	}
	if (l->open)
		commit_and_roll(l);
	else
		roll_over(l);
	if (l->unasked_ms >= 0 && clock_now_ms() >= l->unasked_ms + AUDIT_SYNC_MS)
		ask_for_flush(l);
}

void store_log_finish(struct store_log *l)
{
	/* A commit may have to wait for the segment before it. */
	flush_wait(l->flush, l->request);
	store_log_end_turn(l);
	if (l->unasked_ms >= 0)
		ask_for_flush(l);
	flush_wait(l->flush, l->request);
	if (l->trail.key == NULL)
		return;
	l->trail.disk_head = l->trail.head;
	tell_head(l);
}

void store_log_free(struct store_log *l, struct marker *marker)
{
	bool keep_wal;

	if (l == NULL)
		return;
	segment_close(l->full, true);
	keep_wal = l->live->wal_pages > CLOSE_WAL_PAGES || !segment_settle(l->live, marker);
	segment_close(l->live, keep_wal);
	mem_free(l);
}
