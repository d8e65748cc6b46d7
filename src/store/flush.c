/* See the header. */
#include "store/flush.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/point.h"
#include "store/thread.h"
#include "store/vfs.h"

enum { LONG_SYNC_US = 1000 * 1000 }; /* ZooKeeper's fsync.warningthresholdms */

struct flush {
	pthread_t thread;
	bool running;
	void (*moved)(void *ctx);
	void *ctx;
	_Atomic int64_t reached;
	pthread_mutex_t mutex; /* orders COMMIT's return before the sync that covers it */
	pthread_cond_t wanted; /* a request, or stop */
	pthread_cond_t risen;  /* done rose */
	int64_t requested;
	uint64_t requests;     /* how many there were */
	_Atomic uint64_t done; /* up to which of them all is on disk */
	int wal_fd;
	bool stop;
	struct summary times; /* of syncs, under the mutex, */
	int64_t began_us;     /* of the one that is under way; 0: none */
	uint64_t longest_us;  /* flush_take_longest */
};

struct flush *flush_new(int64_t flushed, void (*moved)(void *ctx), void *ctx)
{
	struct flush *f = mem_new(sizeof(*f));

	f->moved = moved;
	f->ctx = ctx;
	f->requested = flushed;
	f->wal_fd = -1;
	atomic_init(&f->reached, flushed);
	atomic_init(&f->done, 0);
	pthread_mutex_init(&f->mutex, NULL);
	pthread_cond_init(&f->wanted, NULL);
	pthread_cond_init(&f->risen, NULL);
	return f;
}

static void sync_wal(int wal_fd)
{
#ifndef ZOOLITE_MUTANT_NO_FLUSH
	vfs_wal_sync(wal_fd);
#else
	(void)wal_fd;
#endif
	metrics_add(METRIC_log_flushes, 1);
}

static void *flush_run(void *arg)
{
	struct flush *f = arg;
	int64_t began_us, took_us;

	pthread_mutex_lock(&f->mutex);
	for (;;) {
		int64_t upto = f->requested;
		uint64_t request = f->requests;
		int wal_fd = f->wal_fd;

		if (request == atomic_load(&f->done)) {
			if (f->stop)
				break;
			pthread_cond_wait(&f->wanted, &f->mutex);
			continue;
		}
		f->began_us = began_us = clock_exact_us();
		pthread_mutex_unlock(&f->mutex);
		POINT(flush_ready);
		sync_wal(wal_fd);
		took_us = clock_exact_us() - began_us;
		POINT(flush_synced);
		if (took_us > LONG_SYNC_US)
			metrics_add(METRIC_fsync_threshold_exceed_count, 1);
		pthread_mutex_lock(&f->mutex);
		summary_add(&f->times, took_us > 0 ? (uint64_t)took_us : 0, 1);
		f->began_us = 0;
		if (took_us > 0 && (uint64_t)took_us > f->longest_us)
			f->longest_us = (uint64_t)took_us;
		atomic_store(&f->reached, upto);
		atomic_store(&f->done, request);
		pthread_cond_broadcast(&f->risen);
		pthread_mutex_unlock(&f->mutex);
		POINT(flush_risen);
		f->moved(f->ctx);
		pthread_mutex_lock(&f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
	return NULL;
}

void flush_start(struct flush *f)
{
	f->running = true;
	thread_start(&f->thread, "flush", flush_run, f);
}

uint64_t flush_request(struct flush *f, int wal_fd, int64_t committed)
{
	uint64_t request;

	pthread_mutex_lock(&f->mutex);
	f->wal_fd = wal_fd;
	f->requested = committed;
	request = ++f->requests;
	pthread_cond_signal(&f->wanted);
	pthread_mutex_unlock(&f->mutex);
	return request;
}

bool flush_has_done(const struct flush *f, uint64_t request)
{
	return atomic_load(&f->done) >= request;
}

int64_t flush_reached(const struct flush *f)
{
	return atomic_load(&f->reached);
}

void flush_get_times(struct flush *f, struct summary *out)
{
	pthread_mutex_lock(&f->mutex);
	*out = f->times;
	pthread_mutex_unlock(&f->mutex);
}

uint64_t flush_take_longest(struct flush *f)
{
	uint64_t longest_us;
	int64_t now_us;

	pthread_mutex_lock(&f->mutex);
	longest_us = f->longest_us;
	f->longest_us = 0;
	now_us = f->began_us != 0 ? clock_exact_us() - f->began_us : 0;
	pthread_mutex_unlock(&f->mutex);
	return now_us > 0 && (uint64_t)now_us > longest_us ? (uint64_t)now_us : longest_us;
}

void flush_reset_times(struct flush *f)
{
	pthread_mutex_lock(&f->mutex);
	summary_reset(&f->times);
	pthread_mutex_unlock(&f->mutex);
}

void flush_wait(struct flush *f, uint64_t request)
{
	pthread_mutex_lock(&f->mutex);
	while (!flush_has_done(f, request))
		pthread_cond_wait(&f->risen, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
}

void flush_stop(struct flush *f)
{
	if (!f->running)
		return;
	pthread_mutex_lock(&f->mutex);
	f->stop = true;
	pthread_cond_signal(&f->wanted);
	pthread_mutex_unlock(&f->mutex);
	pthread_join(f->thread, NULL);
	f->running = false;
}

void flush_free(struct flush *f)
{
	if (f == NULL)
		return;
	pthread_cond_destroy(&f->risen);
	pthread_cond_destroy(&f->wanted);
	pthread_mutex_destroy(&f->mutex);
	mem_free(f);
}
