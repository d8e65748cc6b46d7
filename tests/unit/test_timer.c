#include "base/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

enum { START = 5000003, ROUND_MS = TIMER_SLOTS * TIMER_SLOT_MS };

struct probe {
	struct timer timer;
	int fired;
	int64_t fired_ms;
	void (*then)(struct probe *p);
	struct probe *other;
};

static struct timer_wheel wheel;
static int64_t now;

static void on_fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	/* It is disarmed before it is told. */
	assert_false(timer_is_armed(t));
	p->fired++;
	p->fired_ms = now;
	if (p->then != NULL)
		p->then(p);
}

static void probe_init(struct probe *p)
{
	*p = (struct probe){ .fired = 0 };
	timer_init(&p->timer, on_fire);
}

static int set_up(void **state)
{
	(void)state;
	now = START;
	timer_wheel_init(&wheel, now);
	return 0;
}

static void run_at(int64_t at_ms)
{
	now = at_ms;
	timer_wheel_run(&wheel, now);
}

static void assert_on_time(const struct probe *p)
{
	assert_int_equal(p->fired, 1);
	assert_true(p->fired_ms >= p->timer.deadline_ms);
	assert_true(p->fired_ms < p->timer.deadline_ms + TIMER_SLOT_MS);
}

/* Every deadline over three rounds of the wheel, the owner turning it each millisecond. */
static void test_never_early_and_at_most_a_slot_late(void **state)
{
	enum { COUNT = 3 * ROUND_MS };
	struct probe *probes = calloc(COUNT, sizeof(*probes));

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		probe_init(&probes[i]);
		timer_arm(&wheel, &probes[i].timer, START + 1 + i);
	}
	assert_int_equal(wheel.armed, COUNT);
	for (int64_t at = START; at <= START + COUNT + TIMER_SLOT_MS; at++)
		run_at(at);
	for (int i = 0; i < COUNT; i++)
		assert_on_time(&probes[i]);
	assert_int_equal(wheel.armed, 0);
	free(probes);
}

/* The owner sleeps for exactly as long as the wheel says. */
static void test_wait_is_enough(void **state)
{
	enum { COUNT = 200 };
	struct probe probes[COUNT];
	int turns = 0;

	(void)state;
	srand(7);
	for (int i = 0; i < COUNT; i++) {
		probe_init(&probes[i]);
		timer_arm(&wheel, &probes[i].timer, START + rand() % (4 * ROUND_MS));
	}
	while (wheel.armed > 0) {
		run_at(now + timer_wheel_wait_ms(&wheel, now, 1000));
		turns++;
		assert_true(turns < 5 * COUNT);
	}
	for (int i = 0; i < COUNT; i++)
		assert_on_time(&probes[i]);
}

static void test_wait(void **state)
{
	struct probe p;

	(void)state;
	probe_init(&p);
	assert_int_equal(timer_wheel_wait_ms(&wheel, now, 300), 300);
	timer_arm(&wheel, &p.timer, START + 100);
	assert_int_equal(timer_wheel_wait_ms(&wheel, now, 50), 50);
	assert_true(timer_wheel_wait_ms(&wheel, now, 300) >= 100);
	assert_true(timer_wheel_wait_ms(&wheel, now, 300) <= 100 + TIMER_SLOT_MS);
	/* The turn was long: it is due, not overdue by less than nothing. */
	assert_int_equal(timer_wheel_wait_ms(&wheel, now + 500, 300), 0);
	timer_arm(&wheel, &p.timer, START - 100);
	assert_int_equal(timer_wheel_wait_ms(&wheel, now, 300), 0);
	timer_disarm(&wheel, &p.timer);
	assert_int_equal(timer_wheel_wait_ms(&wheel, now, 300), 300);
}

static void test_past_deadline_fires_at_the_next_run(void **state)
{
	struct probe past;
	struct probe same;

	(void)state;
	probe_init(&past);
	probe_init(&same);
	timer_arm(&wheel, &past.timer, START - 100000);
	timer_arm(&wheel, &same.timer, START / TIMER_SLOT_MS * TIMER_SLOT_MS);
	run_at(now);
	assert_int_equal(past.fired, 1);
	assert_int_equal(same.fired, 1);
	run_at(now + ROUND_MS * 2);
	assert_int_equal(past.fired, 1);
}

static void test_disarm_and_arm_again(void **state)
{
	struct probe p;

	(void)state;
	probe_init(&p);
	timer_disarm(&wheel, &p.timer);
	assert_int_equal(wheel.armed, 0);
	timer_arm(&wheel, &p.timer, START + 50);
	assert_true(timer_is_armed(&p.timer));
	timer_arm(&wheel, &p.timer, START + 500);
	assert_int_equal(wheel.armed, 1);
	run_at(START + 400);
	assert_int_equal(p.fired, 0);
	timer_disarm(&wheel, &p.timer);
	assert_false(timer_is_armed(&p.timer));
	run_at(START + 1000);
	assert_int_equal(p.fired, 0);
	timer_arm(&wheel, &p.timer, START + 1100);
	run_at(START + 1100 + TIMER_SLOT_MS - 1);
	assert_on_time(&p);
}

/* The owner was away for many rounds: everything fires once, later rounds stay. */
static void test_long_pause(void **state)
{
	struct probe p[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		probe_init(&p[i]);
	timer_arm(&wheel, &p[0].timer, START + 10);
	timer_arm(&wheel, &p[1].timer, START + ROUND_MS + 10);
	timer_arm(&wheel, &p[2].timer, START + 5 * ROUND_MS);
	timer_arm(&wheel, &p[3].timer, START + 20 * ROUND_MS + 10);
	run_at(START + 10 * ROUND_MS + 3);
	assert_int_equal(p[0].fired, 1);
	assert_int_equal(p[1].fired, 1);
	assert_int_equal(p[2].fired, 1);
	assert_int_equal(p[3].fired, 0);
	run_at(START + 20 * ROUND_MS + 9);
	assert_int_equal(p[3].fired, 0);
	run_at(START + 20 * ROUND_MS + 10 + TIMER_SLOT_MS - 1);
	assert_on_time(&p[3]);
}

/* A clock read twice in the same millisecond, or an older reading, turns nothing back. */
static void test_no_way_back(void **state)
{
	struct probe p;

	(void)state;
	probe_init(&p);
	run_at(START + 1000);
	timer_arm(&wheel, &p.timer, START + 1100);
	timer_wheel_run(&wheel, START);
	assert_int_equal(p.fired, 0);
	run_at(START + 1100 + TIMER_SLOT_MS - 1);
	assert_on_time(&p);
}

static void arm_in_the_past(struct probe *p)
{
	timer_arm(&wheel, &p->timer, now - TIMER_SLOT_MS);
}

static void test_callback_that_is_always_due(void **state)
{
	struct probe p;

	(void)state;
	probe_init(&p);
	p.then = arm_in_the_past;
	timer_arm(&wheel, &p.timer, now - TIMER_SLOT_MS);
	for (int turn = 1; turn <= 3; turn++) {
		run_at(now + TIMER_SLOT_MS);
		assert_int_equal(p.fired, turn);
		assert_int_equal(timer_wheel_wait_ms(&wheel, now, 1000), 0);
	}
	assert_int_equal(wheel.armed, 1);
}

static void disarm_other(struct probe *p)
{
	timer_disarm(&wheel, &p->other->timer);
}

static void postpone_other(struct probe *p)
{
	timer_arm(&wheel, &p->other->timer, now + 1000);
}

/* Two that are due together: the first to fire stops or moves the second. */
static void test_callback_touches_one_that_is_due_too(void **state)
{
	struct probe a;
	struct probe b;

	(void)state;
	probe_init(&a);
	probe_init(&b);
	a.then = disarm_other;
	b.then = disarm_other;
	a.other = &b;
	b.other = &a;
	timer_arm(&wheel, &a.timer, START + 100);
	timer_arm(&wheel, &b.timer, START + 100);
	run_at(START + 200);
	assert_int_equal(a.fired + b.fired, 1);
	assert_int_equal(wheel.armed, 0);

	a.fired = 0;
	b.fired = 0;
	a.then = postpone_other;
	b.then = postpone_other;
	timer_arm(&wheel, &a.timer, START + 300);
	timer_arm(&wheel, &b.timer, START + 300);
	run_at(START + 400);
	assert_int_equal(a.fired + b.fired, 1);
	assert_int_equal(wheel.armed, 1);
	a.then = NULL;
	b.then = NULL;
	run_at(START + 1400 + TIMER_SLOT_MS - 1);
	assert_int_equal(a.fired + b.fired, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_never_early_and_at_most_a_slot_late, set_up),
		cmocka_unit_test_setup(test_wait_is_enough, set_up),
		cmocka_unit_test_setup(test_wait, set_up),
		cmocka_unit_test_setup(test_past_deadline_fires_at_the_next_run, set_up),
		cmocka_unit_test_setup(test_disarm_and_arm_again, set_up),
		cmocka_unit_test_setup(test_long_pause, set_up),
		cmocka_unit_test_setup(test_no_way_back, set_up),
		cmocka_unit_test_setup(test_callback_that_is_always_due, set_up),
		cmocka_unit_test_setup(test_callback_touches_one_that_is_due_too, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
