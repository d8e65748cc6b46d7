#include "app/alarms.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/timer.h"
#include "store/room.h"
#include "store/store.h"

enum { LOOK_MS = 1000, US_PER_MS = 1000 };

struct alarms {
	struct alarms_options o;
	struct timer_wheel *wheel;
	struct timer timer;
	bool is_raised[ALARM_COUNT];
	unsigned count;
};

static const struct {
	const char *name; /* of the figure, as metrics call it where there is one */
	const char *option;
	bool is_least; /* too little is wrong */
} kinds[ALARM_COUNT] = {
	[ALARM_LAG] = { "replay_lag_rows", "zoolite.alarmLag", false },
	[ALARM_TREE_WAL] = { "tree_wal_size", "zoolite.alarmTreeWal", false },
	[ALARM_TREE_SIZE] = { "approximate_data_size", "zoolite.alarmTreeSize", false },
	[ALARM_LOG_SIZE] = { "log_size", "zoolite.alarmLogSize", false },
	[ALARM_LOG_WAL] = { "log_wal_size", "zoolite.alarmLogWal", false },
	[ALARM_SYNC_TIME] = { "sync_time_ms", "zoolite.alarmSyncTime", false },
	[ALARM_FREE_ROOM] = { "disk_free_bytes", "zoolite.alarmFreeRoom", true },
	[ALARM_SNAPSHOT_AGE] = { "snapshot_age", "zoolite.alarmSnapshotAge", false },
};

static bool is_wrong(enum alarm alarm, uint64_t value, uint64_t limit, bool was)
{
	if (kinds[alarm].is_least)
		return value < (was ? limit + limit / 4 : limit);
	return value > (was ? limit - limit / 5 : limit);
}

static void judge(struct alarms *a, enum alarm alarm, uint64_t value)
{
	uint64_t limit = a->o.limits[alarm];
	bool was = a->is_raised[alarm];

	if (limit == 0 || value == UINT64_MAX || is_wrong(alarm, value, limit, was) == was)
		return;
	a->is_raised[alarm] = !was;
	if (was) {
		a->count--;
		log_info("alarm.cleared", LOG_TEXT("name", kinds[alarm].name),
			 LOG_INT("value", value), LOG_INT("limit", limit));
	} else {
		a->count++;
		metrics_add(METRIC_alarms_raised, 1);
		log_warn("alarm.raised", LOG_TEXT("name", kinds[alarm].name),
			 LOG_INT("value", value), LOG_INT("limit", limit),
			 LOG_TEXT("option", kinds[alarm].option));
	}
}

static void on_timer(struct timer *t)
{
	struct alarms *a = container_of(t, struct alarms, timer);
	uint64_t values[ALARM_COUNT];

	for (int i = 0; i < ALARM_COUNT; i++)
		values[i] = UINT64_MAX;
	a->o.measure(a->o.ctx, values);
	for (int i = 0; i < ALARM_COUNT; i++)
		judge(a, (enum alarm)i, values[i]);
	timer_arm(a->wheel, t, clock_now_ms() + LOOK_MS);
}

struct alarms *alarms_new(struct timer_wheel *wheel, const struct alarms_options *o)
{
	struct alarms *a = mem_new(sizeof(*a));

	a->o = *o;
	a->wheel = wheel;
	timer_init(&a->timer, on_timer);
	timer_arm(wheel, &a->timer, clock_now_ms() + LOOK_MS);
	return a;
}

void alarms_free(struct alarms *a)
{
	if (!a)
		return;
	timer_disarm(a->wheel, &a->timer);
	mem_free(a);
}

unsigned alarms_count(const struct alarms *a)
{
	return a->count;
}

void alarms_measure_store(void *store, uint64_t values[ALARM_COUNT])
{
	struct store *s = store;
	struct room_figures room;

	store_get_room(s, &room);
	values[ALARM_LAG] = store_lag_rows(s);
	values[ALARM_TREE_WAL] = store_tree_wal_bytes(s);
	values[ALARM_TREE_SIZE] = store_tree_bytes(s);
	values[ALARM_LOG_SIZE] = store_log_bytes(s);
	values[ALARM_LOG_WAL] = store_log_wal_size(s);
	values[ALARM_SYNC_TIME] = store_take_longest_sync(s) / US_PER_MS;
	values[ALARM_FREE_ROOM] = room.data_free < room.log_free ? room.data_free : room.log_free;
}
