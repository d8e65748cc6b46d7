/* Snapshots of a running server: when one is taken (on schedule, by SIGUSR1, over HTTP, at the
 * control socket), what becomes of it, and who waits for it. Copied by the replay thread
 * (store/snapshot.h), verified and named by the keeper (app/keeper.h). Core thread. */
#ifndef APP_SNAPSHOTS_H
#define APP_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/config.h"
#include "base/buf.h"
#include "base/cdefs.h"
#include "base/timer.h"

struct snapshots;
struct store;

/* What somebody who waits is told. */
struct snapshots_outcome {
	bool is_good;
	const char *path; /* of the snapshot; NULL: there is none */
	int64_t zxid;
	const char *reason; /* why there is none */
};

struct snapshots_hooks {
	void *ctx;
	void (*outcome)(void *ctx, uint64_t ticket, const struct snapshots_outcome *o);
};

/* c is lent. NULL: no event descriptor is left. */
struct snapshots *snapshots_new(const struct config *c, struct timer_wheel *wheel,
				const struct snapshots_hooks *hooks);
/* Before the store is closed. NULL is allowed. */
void snapshots_free(struct snapshots *s);
/* It serves now: what an earlier run left behind goes, and the schedule begins. */
void snapshots_begin(struct snapshots *s, struct store *store);
/* Readable when there is something for snapshots_wake. */
int snapshots_fd(const struct snapshots *s);
/* That, or the store woke the loop. */
void snapshots_wake(struct snapshots *s);

enum { SNAPSHOTS_REASON_LEN = 128 };

enum snapshots_asked {
	SNAPSHOTS_BEGUN,   /* or under way already */
	SNAPSHOTS_THERE,   /* the newest has all that is asked for */
	SNAPSHOTS_REFUSED, /* reason says why */
};
/* One that has all changes up to zxid; who names whoever asks, for the log. ticket: whom the hook
 * names when it is BEGUN, perhaps before this returns; 0: nobody waits. */
enum snapshots_asked snapshots_ask(struct snapshots *s, int64_t zxid, const char *who,
				   uint64_t ticket, char reason[SNAPSHOTS_REASON_LEN]);

struct snapshots_figures {
	bool has_last;
	int64_t last_zxid;
	int64_t last_time_ms; /* when it was verified, wall clock */
	const char *last_path;
	unsigned kept;
	bool is_under_way;
	bool is_failing; /* the one taken last is no good */
	int64_t longest_step_us;
	int64_t last_took_ms; /* from the request to its name */
};
struct snapshots_figures snapshots_figures(const struct snapshots *s);
void snapshots_reset(struct snapshots *s);

/* Where they are: zoolite.snapshotDir, or in dataDir; the caller frees. */
char *snapshots_dir(const struct config *c);

#endif
