#include "store/snapshot.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/copy.h"
#include "store/files.h"
#include "store/point.h"
#include "store/vfs.h"

enum { REPLAY_WAIT_MS = 10, MS_PER_S = 1000 };

struct snapshot {
	struct snapshot_hooks hooks;
	/* The replay thread's, while one runs. */
	char *path;
	struct copy *copy;
	int64_t began_us;
	struct snapshot_result result;
	/* Under the mutex. */
	pthread_mutex_t mutex;
	enum snapshot_state state;
	struct snapshot_order order;
	const char *cancelled; /* why; NULL: it is not */
};

struct snapshot *snapshot_new(const struct snapshot_hooks *hooks)
{
	struct snapshot *s = mem_new(sizeof(*s));

	s->hooks = *hooks;
	pthread_mutex_init(&s->mutex, NULL);
	return s;
}

static const struct rows_meta *meta(const struct snapshot *s)
{
	return rows_meta(s->hooks.rows(s->hooks.ctx));
}

static void begin_copy(struct snapshot *s)
{
	s->began_us = clock_exact_us();
	s->copy = copy_begin(rows_db(s->hooks.rows(s->hooks.ctx)), s->path, s->result.reason);
	if (s->copy != NULL)
		s->hooks.lend(s->hooks.ctx, true);
}

static void drop_copy(struct snapshot *s, bool keep)
{
	if (s->copy != NULL)
		s->hooks.lend(s->hooks.ctx, false);
	copy_end(s->copy);
	s->copy = NULL;
	if (!keep)
		files_remove_database(s->path);
}

void snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	if (s->copy != NULL)
		drop_copy(s, false);
	pthread_mutex_destroy(&s->mutex);
	mem_free(s->path);
	mem_free(s);
}

/* ---- core thread ---- */

bool snapshot_start(struct snapshot *s, const struct snapshot_order *o)
{
	bool is_free;

	pthread_mutex_lock(&s->mutex);
	is_free = s->state == SNAPSHOT_IDLE;
	if (is_free) {
		mem_free(s->path);
		s->path = mem_strdup(o->path);
		s->order = *o;
		s->cancelled = NULL;
		s->result = (struct snapshot_result){ 0 };
		s->state = SNAPSHOT_RUNNING;
	}
	pthread_mutex_unlock(&s->mutex);
	if (is_free)
		s->hooks.poke(s->hooks.ctx);
	return is_free;
}

void snapshot_cancel(struct snapshot *s, const char *reason)
{
	pthread_mutex_lock(&s->mutex);
	s->cancelled = reason;
	pthread_mutex_unlock(&s->mutex);
	s->hooks.poke(s->hooks.ctx);
}

enum snapshot_state snapshot_poll(struct snapshot *s, struct snapshot_result *out)
{
	enum snapshot_state state;

	pthread_mutex_lock(&s->mutex);
	state = s->state;
	if (state == SNAPSHOT_DONE || state == SNAPSHOT_FAILED) {
		*out = s->result;
		s->state = SNAPSHOT_IDLE;
	}
	pthread_mutex_unlock(&s->mutex);
	return state;
}

/* ---- replay thread ---- */

static void finish(struct snapshot *s, enum snapshot_state state)
{
	s->result.zxid = meta(s)->zxid;
	s->result.took_us = clock_exact_us() - s->began_us;
	drop_copy(s, state == SNAPSHOT_DONE);
	if (state == SNAPSHOT_DONE)
		POINT(snapshot_copied);
	s->result.bytes = files_database_bytes(s->path);
	pthread_mutex_lock(&s->mutex);
	s->state = state;
	pthread_mutex_unlock(&s->mutex);
	s->hooks.woke(s->hooks.ctx);
}

/* When the next step is due, so that the disk has time for others. */
static int64_t pause_ms(const struct snapshot *s)
{
	uint64_t bytes = (uint64_t)s->order.step_pages * 4096;

	return s->order.bytes_per_s > 0 ? (int64_t)(bytes * MS_PER_S / s->order.bytes_per_s) : 0;
}

static int64_t step(struct snapshot *s, int64_t now_ms)
{
	int64_t began_us = clock_exact_us(), took_us;
	enum copy_result rc;

	rc = copy_step(s->copy, s->order.step_pages, s->result.reason);
	took_us = clock_exact_us() - began_us;
	if (took_us > s->result.longest_us)
		s->result.longest_us = took_us;
	if (rc == COPY_MORE) {
		POINT(snapshot_step);
		return now_ms + pause_ms(s);
	}
	finish(s, rc == COPY_DONE ? SNAPSHOT_DONE : SNAPSHOT_FAILED);
	return INT64_MAX;
}

int64_t snapshot_run(void *snapshot, int64_t now_ms)
{
	struct snapshot *s = snapshot;
	const char *cancelled;
	bool is_running;

	pthread_mutex_lock(&s->mutex);
	is_running = s->state == SNAPSHOT_RUNNING;
	cancelled = s->cancelled;
	pthread_mutex_unlock(&s->mutex);
	if (!is_running)
		return INT64_MAX;
	if (cancelled != NULL) {
		(void)snprintf(s->result.reason, sizeof(s->result.reason), "%s", cancelled);
		finish(s, SNAPSHOT_FAILED);
		return INT64_MAX;
	}
	if (meta(s)->zxid < s->order.zxid)
		return now_ms + REPLAY_WAIT_MS;
	if (s->copy == NULL)
		begin_copy(s);
	if (s->copy == NULL) {
		finish(s, SNAPSHOT_FAILED);
		return INT64_MAX;
	}
	if (s->result.longest_us == 0)
		POINT(snapshot_begun);
	return step(s, now_ms);
}
