/* A copy of tree.db made while the server writes: a chore of the replay thread (store/replay.h), a
 * step of some pages between two batches. What comes of it is the state as of its last step,
 * neither synced nor looked at yet. */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/rows.h"

struct snapshot;
struct store;

/* Of a store that has begun; the store's. */
struct snapshot *store_snapshot(struct store *s);
/* The highest that is in use. */
uint32_t store_epoch(const struct store *s);

struct snapshot_order {
	const char *path; /* a new file; copied */
	int step_pages;
	uint64_t bytes_per_s; /* 0: no limit */
	int64_t zxid;         /* a change that must be in it */
};

enum snapshot_state {
	SNAPSHOT_IDLE,
	SNAPSHOT_RUNNING,
	SNAPSHOT_DONE,   /* the file is there */
	SNAPSHOT_FAILED, /* it is not */
};

struct snapshot_result {
	int64_t zxid; /* what the copy is as of */
	uint64_t bytes;
	int64_t took_us;    /* from the first step to the last */
	int64_t longest_us; /* of the steps */
	char reason[STORE_REASON_LEN];
};

/* Core thread. False: one is under way. */
must_check bool snapshot_start(struct snapshot *s, const struct snapshot_order *o);
/* The one that is under way, if any, is to fail for this reason (lent for good). */
void snapshot_cancel(struct snapshot *s, const char *reason);
/* How it stands. DONE and FAILED are told once, with *out, then it is idle; the store's wake_fd
 * becomes readable when it comes to that. */
enum snapshot_state snapshot_poll(struct snapshot *s, struct snapshot_result *out);

/* The store's part. */
struct snapshot_hooks {
	void *ctx;
	void (*poke)(void *ctx); /* have the replay thread call snapshot_run soon */
	/* On the replay thread: the connection that writes now; whether it is read from one call of
	 * snapshot_run to another, and must stay; what is told has come about. */
	struct rows *(*rows)(void *ctx);
	void (*lend)(void *ctx, bool is_lent);
	void (*woke)(void *ctx);
};
struct snapshot *snapshot_new(const struct snapshot_hooks *hooks);
/* After the thread has ended. NULL is allowed. */
void snapshot_free(struct snapshot *s);
/* The chore: a step, where one is to be made. When it wants to be called again. */
int64_t snapshot_run(void *snapshot, int64_t now_ms);

#endif
