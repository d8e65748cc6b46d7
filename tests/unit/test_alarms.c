/* When an alarm is told, and when that it is over. */
#include "app/alarms.h"

#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "tests/unit/capture.h"

static uint64_t figures[ALARM_COUNT];

static void measure(void *ctx, uint64_t values[ALARM_COUNT])
{
	(void)ctx;
	memcpy(values, figures, sizeof(figures));
}

/* What the log tells when a second has passed. */
static const char *told(struct timer_wheel *wheel)
{
	static char text[4096];
	struct capture c;

	clock_fake_advance(1010);
	capture_begin(&c);
	timer_wheel_run(wheel, clock_now_ms());
	capture_end(&c, text, sizeof(text));
	return text;
}

static void test_alarms(void **state)
{
	const struct alarms_options o = {
		.limits = { [ALARM_LAG] = 100, [ALARM_SYNC_TIME] = 50, [ALARM_FREE_ROOM] = 1000 },
		.measure = measure
	};
	struct timer_wheel wheel;
	struct alarms *a;

	(void)state;
	clock_fake_start(1000, 1000);
	timer_wheel_init(&wheel, clock_now_ms());
	a = alarms_new(&wheel, &o);
	figures[ALARM_LAG] = 100;
	figures[ALARM_TREE_WAL] = 1 << 30; /* has no limit */
	figures[ALARM_FREE_ROOM] = 1000;
	assert_string_equal(told(&wheel), "");
	figures[ALARM_LAG] = 101;
	assert_non_null(strstr(told(&wheel), "level=warn event=alarm.raised name=replay_lag_rows "
					     "value=101 limit=100 option=zoolite.alarmLag\n"));
	assert_int_equal(alarms_count(a), 1);
	/* Once. */
	figures[ALARM_LAG] = 200;
	assert_string_equal(told(&wheel), "");
	figures[ALARM_LAG] = 81;
	assert_string_equal(told(&wheel), "");
	figures[ALARM_FREE_ROOM] = 999;
	assert_non_null(strstr(told(&wheel), "event=alarm.raised name=disk_free_bytes value=999 "));
	assert_int_equal(alarms_count(a), 2);
	figures[ALARM_FREE_ROOM] = 1249;
	figures[ALARM_LAG] = 80;
	assert_non_null(strstr(told(&wheel), "level=info event=alarm.cleared name=replay_lag_rows "
					     "value=80 limit=100\n"));
	figures[ALARM_FREE_ROOM] = UINT64_MAX; /* it is not known */
	assert_string_equal(told(&wheel), "");
	figures[ALARM_FREE_ROOM] = 1250;
	assert_non_null(strstr(told(&wheel), "event=alarm.cleared name=disk_free_bytes"));
	assert_int_equal(alarms_count(a), 0);
	alarms_free(a);
	assert_int_equal(wheel.armed, 0);
	clock_fake_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_alarms) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
