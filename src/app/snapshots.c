#include "app/snapshots.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/drill_dir.h"
#include "app/keeper.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/files.h"
#include "store/room.h"
#include "store/snapshot.h"
#include "store/snapshot_file.h"
#include "store/store.h"

enum {
	LEAST_KEPT = 3, /* as in ZooKeeper, whatever the configuration says */
	MOST_WAITING = 64,
	FIRST_MS = 60 * 1000, /* after a start, which has other things to do */
	RETRY_MS = 10 * 60 * 1000,
	LEAST_RETRY_MS = 1000,
	WATCH_MS = 1000,
	HOUR_MS = 3600 * 1000,
};

struct waiter {
	struct list link;
	uint64_t ticket;
	int64_t zxid;
};

enum state {
	IDLE,
	CLEARING, /* old ones make room */
	COPYING,
	VERIFYING,
};

struct snapshots {
	const struct config *config;
	struct timer_wheel *wheel;
	struct snapshots_hooks hooks;
	struct store *store; /* NULL: not serving yet */
	char *dir;
	struct keeper *keeper;
	enum state state;
	struct timer due;      /* of the next one by schedule */
	struct timer deadline; /* of the copy under way */
	struct timer watch;    /* looks meanwhile whether there is room still */
	struct list waiters;
	unsigned waiting;
	int64_t wanted; /* somebody wants one with this change; -1: nobody does */
	int64_t began_ms;
	int64_t last_removal_ms;
	bool has_removed;
	/* figures */
	bool has_last, is_failing;
	struct seal last;
	char *last_path;
	unsigned kept;
	int64_t longest_step_us, last_took_ms;
};

char *snapshots_dir(const struct config *c)
{
	return c->snapshot_dir ? mem_strdup(c->snapshot_dir) : files_join(c->data_dir, "snapshots");
}

/* ---- what they keep ---- */

static struct keeper_order make_order(const struct snapshots *s)
{
	const struct config *c = s->config;
	int32_t keep = c->snap_retain > LEAST_KEPT ? c->snap_retain : LEAST_KEPT;
	int64_t since_ms = clock_now_ms() - s->last_removal_ms;

	return (struct keeper_order){
		.dir = s->dir,
		.epoch = store_epoch(s->store),
		.timeout_ms = c->snapshot_timeout_ms,
		.keep = (unsigned)keep,
		.keep_ms = c->snapshot_age_ms,
		.removes = !s->has_removed || since_ms >= (int64_t)c->purge_hours * HOUR_MS,
	};
}

static void note_removal(struct snapshots *s, bool removes)
{
	if (!removes)
		return;
	s->has_removed = true;
	s->last_removal_ms = clock_now_ms();
}

static void take_last(struct snapshots *s, const struct seal *seal, const char *path)
{
	s->has_last = true;
	s->last = *seal;
	mem_free(s->last_path);
	s->last_path = mem_strdup(path);
}

static void look_around(struct snapshots *s)
{
	struct snapshot_file *list;
	char reason[STORE_REASON_LEN];
	size_t count;

	snapshot_file_tidy(s->dir);
	drill_dir_tidy(s->dir);
	if (snapshot_file_list(s->dir, &list, &count, reason) != 0)
		log_warn("snapshot.unlisted", LOG_TEXT("reason", reason));
	s->kept = (unsigned)count;
	if (count > 0)
		take_last(s, &list[count - 1].seal, list[count - 1].path);
	snapshot_file_list_free(list, count);
}

/* So many bytes where they are. */
static bool has_bytes(const struct snapshots *s, uint64_t wanted, char reason[STORE_REASON_LEN])
{
	struct statvfs v;
	uint64_t is_free;

	if (statvfs(s->dir, &v) != 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: %s", s->dir, strerror(errno));
		return false;
	}
	is_free = (uint64_t)v.f_bavail * v.f_frsize;
	if (is_free >= wanted)
		return true;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%.300s: %llu bytes are free, and %llu are wanted "
		       "(zoolite.snapshotSpare)",
		       s->dir, (unsigned long long)is_free, (unsigned long long)wanted);
	return false;
}

/* Room for the copy, and for what the server itself may need meanwhile. */
static bool has_room(const struct snapshots *s, char reason[STORE_REASON_LEN])
{
	if (store_room(s->store) == ROOM_PLENTY)
		return has_bytes(s, store_tree_bytes(s->store) + s->config->snapshot_spare_bytes,
				 reason);
	(void)snprintf(reason, STORE_REASON_LEN, "room on disk is short (zoolite.lowRoom)");
	return false;
}

/* ---- who waits ---- */

static void tell(struct snapshots *s, const struct waiter *w, bool is_good, const char *reason)
{
	const struct snapshots_outcome o = { .is_good = is_good,
					     .path = is_good ? s->last_path : NULL,
					     .zxid = is_good ? s->last.zxid : 0,
					     .reason = reason };

	s->hooks.outcome(s->hooks.ctx, w->ticket, &o);
}

static void drop_waiter(struct snapshots *s, struct waiter *w)
{
	list_remove(&w->link);
	s->waiting--;
	mem_free(w);
}

/* Those who have what they asked for, or after a failure all of them. */
static void tell_waiters(struct snapshots *s, bool is_good, const char *reason)
{
	list_foreach_safe(at, &s->waiters) {
		struct waiter *w = container_of(at, struct waiter, link);

		if (is_good && w->zxid > s->last.zxid)
			continue;
		tell(s, w, is_good, reason);
		drop_waiter(s, w);
	}
}

/* ---- one of them ---- */

static void schedule(struct snapshots *s, int64_t in_ms)
{
	if (s->config->snapshot_interval_ms > 0)
		timer_arm(s->wheel, &s->due, clock_now_ms() + in_ms);
}

static void end_bad(struct snapshots *s, const char *event, const char *file, const char *reason)
{
	int64_t interval = s->config->snapshot_interval_ms;

	s->state = IDLE;
	s->is_failing = true;
	s->wanted = -1;
	metrics_add(METRIC_snapshots_failed, 1);
	log_error(event, LOG_TEXT("file", file), LOG_TEXT("reason", reason));
	tell_waiters(s, false, reason);
	if (interval < LEAST_RETRY_MS)
		interval = LEAST_RETRY_MS;
	schedule(s, interval < RETRY_MS ? interval : RETRY_MS);
}

/* Its name on disk costs a sync, so it is made but once. */
static int make_dir(const struct snapshots *s, char reason[STORE_REASON_LEN])
{
	return access(s->dir, F_OK) == 0 ? 0 : files_make_dir(s->dir, reason);
}

static void copy(struct snapshots *s)
{
	char *part = snapshot_file_part(s->dir);
	const struct snapshot_order o = { .path = part,
					  .step_pages = s->config->snapshot_step,
					  .bytes_per_s = s->config->snapshot_rate,
					  .zxid = s->wanted };

	files_remove_database(part);
	if (!snapshot_start(store_snapshot(s->store), &o))
		die("snapshot.start", "the replay thread is at another one");
	mem_free(part);
	s->state = COPYING;
	timer_arm(s->wheel, &s->deadline, clock_now_ms() + s->config->snapshot_timeout_ms);
	timer_arm(s->wheel, &s->watch, clock_now_ms() + WATCH_MS);
}

static void start(struct snapshots *s)
{
	char reason[STORE_REASON_LEN];

	timer_disarm(s->wheel, &s->due);
	s->began_ms = clock_now_ms();
	if (make_dir(s, reason) != 0) {
		end_bad(s, "snapshot.failed", s->dir, reason);
	} else if (has_room(s, reason)) {
		copy(s);
	} else {
		struct keeper_order o = make_order(s);

		o.removes = o.only_removes = true;
		note_removal(s, true);
		keeper_start(s->keeper, &o);
		s->state = CLEARING;
	}
}

static void end_clearing(struct snapshots *s)
{
	char reason[STORE_REASON_LEN];

	if (has_room(s, reason))
		copy(s);
	else
		end_bad(s, "snapshot.failed", s->dir, reason);
}

/* Whether the newest is all that could be had now. (One that knows what did not happen yet was
 * brought from elsewhere.) */
static bool has_all(const struct snapshots *s, int64_t zxid)
{
	return s->has_last && s->last.zxid >= zxid && s->last.zxid <= store_flushed(s->store) &&
	       access(s->last_path, F_OK) == 0;
}

static void on_due(struct timer *t)
{
	struct snapshots *s = container_of(t, struct snapshots, due);
	int64_t newest = store_flushed(s->store);

	if (s->state != IDLE)
		return;
	if (has_all(s, newest)) {
		schedule(s, s->config->snapshot_interval_ms);
		return;
	}
	s->wanted = newest;
	start(s);
}

static void on_deadline(struct timer *t)
{
	struct snapshots *s = container_of(t, struct snapshots, deadline);

	if (s->state == COPYING)
		snapshot_cancel(store_snapshot(s->store),
				"the copy took too long (zoolite.snapshotTimeout)");
}

/* A copy is the first that must give way to what fills the disk. */
static void on_watch(struct timer *t)
{
	struct snapshots *s = container_of(t, struct snapshots, watch);
	char reason[STORE_REASON_LEN];

	if (s->state != COPYING)
		return;
	if (has_bytes(s, s->config->snapshot_spare_bytes / 2, reason))
		timer_arm(s->wheel, &s->watch, clock_now_ms() + WATCH_MS);
	else
		snapshot_cancel(store_snapshot(s->store),
				"the disk is filling (zoolite.snapshotSpare)");
}

static void end_copy(struct snapshots *s, const struct snapshot_result *r)
{
	struct keeper_order o = make_order(s);

	timer_disarm(s->wheel, &s->deadline);
	if (r->longest_us > s->longest_step_us)
		s->longest_step_us = r->longest_us;
	log_info("snapshot.copied", LOG_HEX("zxid", r->zxid), LOG_INT("bytes", r->bytes),
		 LOG_INT("took_ms", r->took_us / 1000), LOG_INT("longest_step_us", r->longest_us));
	o.zxid = r->zxid;
	note_removal(s, o.removes);
	keeper_start(s->keeper, &o);
	s->state = VERIFYING;
}

static void end_good(struct snapshots *s, const struct keeper_result *r)
{
	s->state = IDLE;
	s->is_failing = false;
	s->last_took_ms = clock_now_ms() - s->began_ms;
	take_last(s, &r->seal, r->path);
	metrics_add(METRIC_snapshots_written, 1);
	log_info("snapshot.verified", LOG_TEXT("file", r->path), LOG_HEX("zxid", r->seal.zxid),
		 LOG_INT("znodes", r->seal.znodes), LOG_TEXT("digest", r->seal.digest.whole),
		 LOG_INT("verify_ms", r->took_ms), LOG_INT("removed", r->removed),
		 LOG_INT("kept", r->kept));
	tell_waiters(s, true, NULL);
	/* Asked for meanwhile, with what is newer. */
	if (s->waiting > 0 || s->wanted > s->last.zxid) {
		start(s);
		return;
	}
	s->wanted = -1;
	schedule(s, s->config->snapshot_interval_ms);
}

static void end_verified(struct snapshots *s, const struct keeper_result *r)
{
	s->kept = r->kept;
	if (r->verdict == KEEPER_REMOVED)
		end_clearing(s);
	else if (r->verdict == KEEPER_GOOD)
		end_good(s, r);
	else
		end_bad(s, r->verdict == KEEPER_BAD ? "snapshot.bad" : "snapshot.failed",
			r->path ? r->path : s->dir, r->reason);
}

void snapshots_wake(struct snapshots *s)
{
	struct snapshot_result copied;
	struct keeper_result verified;
	enum snapshot_state state;

	if (s->state == COPYING) {
		state = snapshot_poll(store_snapshot(s->store), &copied);
		if (state == SNAPSHOT_DONE) {
			end_copy(s, &copied);
		} else if (state == SNAPSHOT_FAILED) {
			timer_disarm(s->wheel, &s->deadline);
			end_bad(s, "snapshot.failed", s->dir, copied.reason);
		}
	}
	if ((s->state == VERIFYING || s->state == CLEARING) && keeper_take(s->keeper, &verified)) {
		end_verified(s, &verified);
		mem_free(verified.path);
	}
}

enum snapshots_asked snapshots_ask(struct snapshots *s, int64_t zxid, const char *who,
				   uint64_t ticket, char reason[SNAPSHOTS_REASON_LEN])
{
	struct waiter *w;

	if (has_all(s, zxid))
		return SNAPSHOTS_THERE;
	if (ticket != 0 && s->waiting >= MOST_WAITING) {
		(void)snprintf(reason, SNAPSHOTS_REASON_LEN, "too many wait for one already");
		return SNAPSHOTS_REFUSED;
	}
	log_info("snapshot.asked", LOG_TEXT("by", who), LOG_HEX("zxid", zxid));
	if (ticket != 0) {
		w = mem_new(sizeof(*w));
		w->ticket = ticket;
		w->zxid = zxid;
		list_append(&s->waiters, &w->link);
		s->waiting++;
	}
	if (zxid > s->wanted)
		s->wanted = zxid;
	if (s->state == IDLE)
		start(s);
	return SNAPSHOTS_BEGUN;
}

/* ---- life ---- */

struct snapshots *snapshots_new(const struct config *c, struct timer_wheel *wheel,
				const struct snapshots_hooks *hooks)
{
	struct keeper *keeper = keeper_new();
	struct snapshots *s;

	if (!keeper)
		return NULL;
	s = mem_new(sizeof(*s));
	s->config = c;
	s->wheel = wheel;
	s->hooks = *hooks;
	s->keeper = keeper;
	s->dir = snapshots_dir(c);
	s->wanted = -1;
	list_init(&s->waiters);
	timer_init(&s->due, on_due);
	timer_init(&s->deadline, on_deadline);
	timer_init(&s->watch, on_watch);
	return s;
}

void snapshots_begin(struct snapshots *s, struct store *store)
{
	int64_t interval = s->config->snapshot_interval_ms, age = interval;
	int64_t first = interval < FIRST_MS ? interval : FIRST_MS;

	s->store = store;
	look_around(s);
	if (s->has_last)
		age = clock_wall_ms() - s->last.time_ms;
	/* A clock that was set back says nothing. */
	if (age < 0)
		age = 0;
	schedule(s, interval - age > first ? interval - age : first);
}

int snapshots_fd(const struct snapshots *s)
{
	return keeper_fd(s->keeper);
}

struct snapshots_figures snapshots_figures(const struct snapshots *s)
{
	return (struct snapshots_figures){
		.has_last = s->has_last,
		.last_zxid = s->last.zxid,
		.last_time_ms = s->last.time_ms,
		.last_path = s->last_path,
		.kept = s->kept,
		.is_under_way = s->state != IDLE,
		.is_failing = s->is_failing,
		.longest_step_us = s->longest_step_us,
		.last_took_ms = s->last_took_ms,
	};
}

void snapshots_reset(struct snapshots *s)
{
	s->longest_step_us = s->last_took_ms = 0;
}

void snapshots_free(struct snapshots *s)
{
	if (!s)
		return;
	keeper_free(s->keeper);
	timer_disarm(s->wheel, &s->due);
	timer_disarm(s->wheel, &s->deadline);
	timer_disarm(s->wheel, &s->watch);
	while (!list_is_empty(&s->waiters))
		drop_waiter(s, container_of(s->waiters.next, struct waiter, link));
	mem_free(s->last_path);
	mem_free(s->dir);
	mem_free(s);
}
