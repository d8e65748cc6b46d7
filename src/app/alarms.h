/* Figures of the store that should not get out of hand: each has a limit, and the log tells once
 * when it is passed and once when the figure is a fifth on the good side again. Core thread. */
#ifndef APP_ALARMS_H
#define APP_ALARMS_H

#include <stdint.h>

struct alarms;
struct store;
struct timer_wheel;

enum alarm {
	ALARM_LAG,          /* rows of log that are not in the tree */
	ALARM_TREE_WAL,     /* bytes of tree.db's -wal */
	ALARM_TREE_SIZE,    /* bytes of tree.db */
	ALARM_LOG_SIZE,     /* bytes of the log */
	ALARM_LOG_WAL,      /* bytes of the -wal of the segment that is written */
	ALARM_SYNC_TIME,    /* ms of the longest sync of the log since it was looked at last */
	ALARM_FREE_ROOM,    /* bytes free on disk: too little */
	ALARM_SNAPSHOT_AGE, /* ms since the newest snapshot, where it lacks changes */
	ALARM_COUNT
};

struct alarms_options {
	uint64_t limits[ALARM_COUNT]; /* 0: none */
	/* What there is to be judged; UINT64_MAX: that is not known. */
	void (*measure)(void *ctx, uint64_t values[ALARM_COUNT]);
	void *ctx;
};

/* Looks each second. */
struct alarms *alarms_new(struct timer_wheel *wheel, const struct alarms_options *o);
/* NULL is allowed. */
void alarms_free(struct alarms *a);
/* How many there are now. */
unsigned alarms_count(const struct alarms *a);

/* alarms_options.measure of a struct store. */
void alarms_measure_store(void *store, uint64_t values[ALARM_COUNT]);

#endif
