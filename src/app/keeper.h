/* What is to be done with a snapshot once it is copied, on a thread of its own, since all of it
 * waits for the disk: have another process of the lowest priority verify it (zoolited
 * --verify-part), give it its name and its seal where it is whole, or a name that says that it is
 * not; remove snapshots that are not to be kept. Core thread, but for what runs. */
#ifndef APP_KEEPER_H
#define APP_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/snapshot_file.h"

struct keeper;

struct keeper_order {
	const char *dir;
	uint32_t epoch;     /* for the seal */
	int64_t zxid;       /* what the copy is as of */
	int64_t timeout_ms; /* of the verification */
	/* Of those that are verified, so many newest stay, and all that are younger; removes: look
	 * for others at all. */
	unsigned keep;
	int64_t keep_ms;
	bool removes;
	bool only_removes; /* there is nothing to verify */
};

enum keeper_verdict {
	KEEPER_GOOD,
	KEEPER_BAD,     /* the copy is damaged */
	KEEPER_FAILED,  /* nobody can say, or it could not get its name */
	KEEPER_REMOVED, /* that was all there was to do */
};

struct keeper_result {
	enum keeper_verdict verdict;
	struct seal seal; /* of a good one */
	char *path;       /* its name, or that of a bad one; the caller's */
	int64_t took_ms;
	unsigned removed;
	unsigned kept; /* that are there now, with it */
	char reason[STORE_REASON_LEN];
};

/* NULL: the event descriptor that tells the loop cannot be had. */
struct keeper *keeper_new(void);
/* Ends what it does. NULL is allowed. */
void keeper_free(struct keeper *k);
/* Readable when it has a result. */
int keeper_fd(const struct keeper *k);
/* Verify <dir>/snapshot.part and so on. It must be idle. */
void keeper_start(struct keeper *k, const struct keeper_order *o);
bool keeper_is_busy(const struct keeper *k);
/* False: there is none yet. */
bool keeper_take(struct keeper *k, struct keeper_result *out);

#endif
