/* See the header. A loss of power must not leave a gap: the first commit to a segment is made when
 * all of the one before it is on disk, and its transaction stays open meanwhile. So at most one
 * -wal holds changes beyond F. */
#include "store/log.h"

#include <assert.h>
#include <stdbool.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

/* A -wal holds a page or more for each commit: with few changes in each it grows faster than the
 * rows. */
enum { WAL_PAGE_BYTES = 4096 + 24, WAL_RATIO = 4, WAL_LEAST_BYTES = 1024 * 1024 };
/* What a clean stop copies into the segment's file instead of leaving it to the next start. */
enum { CLOSE_WAL_PAGES = 4096 };

struct store_log {
	struct flush *flush;
	struct replay *replay;
	uint64_t segment_bytes;
	struct segment *live;
	struct segment *full; /* the one before, not all of it on disk yet; NULL mostly */
	bool open;            /* a transaction on live */
	int64_t last;         /* appended */
	int64_t committed;
	uint32_t epoch;
};

struct store_log *store_log_new(struct segment *live, int64_t last, uint64_t segment_bytes,
				struct flush *flush, struct replay *replay)
{
	struct store_log *l = mem_new(sizeof(*l));

	l->flush = flush;
	l->replay = replay;
	l->segment_bytes = segment_bytes;
	l->live = live;
	l->last = l->committed = last;
	l->epoch = live->epoch;
	return l;
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
	segment_stamp(l->live, l->epoch);
}

void store_log_append(struct store_log *l, const struct record_head *head, struct slice body)
{
	/* A gap or a step back in the log is found at the next start, when it is too late. */
	assert(head->prev == l->last && head->zxid > l->last);
	begin(l);
	segment_append(l->live, head, body);
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

static bool is_full(const struct store_log *l)
{
	uint64_t wal_bytes = (uint64_t)l->live->wal_pages * WAL_PAGE_BYTES;

	return l->live->row_bytes >= l->segment_bytes ||
	       wal_bytes >= l->segment_bytes * WAL_RATIO + WAL_LEAST_BYTES;
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
	l->full = l->live;
	l->live = next;
	metrics_add(METRIC_log_segments, 1);
}

static void commit(struct store_log *l)
{
	segment_commit(l->live);
	l->open = false;
	metrics_add(METRIC_log_commits, 1);
	if (l->committed == l->last)
		return;
	l->committed = l->last;
	flush_request(l->flush, l->live->sync_fd, l->committed);
}

void store_log_end_turn(struct store_log *l)
{
	if (l->full != NULL) {
		if (flush_reached(l->flush) < l->full->last)
			return;
		replay_give_back(l->replay, l->full);
		l->full = NULL;
	}
	if (!l->open)
		return;
	commit(l);
	roll_over(l);
}

void store_log_finish(struct store_log *l)
{
	/* A commit may have to wait for the segment before it. */
	flush_wait(l->flush, l->committed);
	store_log_end_turn(l);
	flush_wait(l->flush, l->committed);
}

void store_log_free(struct store_log *l)
{
	if (l == NULL)
		return;
	segment_close(l->full, true);
	segment_close(l->live, l->live->wal_pages > CLOSE_WAL_PAGES);
	mem_free(l);
}
