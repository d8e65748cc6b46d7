/* Equal events of a minute, counted, in bounded room. */
#include "core/repeats.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"

enum { PLACES = 16, MINUTE_MS = 60 * 1000, THREADS = 4, EACH = 5000 };

struct told {
	unsigned rows;
	int64_t events;
	int64_t rests; /* told without what they were */
	char last[64]; /* path of the last one */
	int64_t last_count;
};

static void tell(void *ctx, const struct repeats_event *e, int64_t count, int64_t time_ms)
{
	struct told *t = ctx;

	assert_true(time_ms > 0);
	t->rows++;
	t->events += count;
	t->rests += e->path.data == NULL ? count : 0;
	snprintf(t->last, sizeof(t->last), "%.*s", (int)(e->path.data ? e->path.len : 0),
		 e->path.data ? e->path.data : "");
	t->last_count = count;
}

static void add(struct repeats *t, const char *host, const char *path)
{
	const struct repeats_event e = {
		.kind = "refuse",
		.host = slice_of(host),
		.address = slice_of(host),
		.op = slice_of("create"),
		.path = slice_of(path),
	};

	repeats_add(t, &e);
}

static struct told drain(struct repeats *t, bool all)
{
	struct told told = { 0 };

	repeats_drain(t, all, tell, &told);
	return told;
}

static void test_the_first_at_once_the_others_as_one(void **state)
{
	struct repeats *t = repeats_new(PLACES);
	struct told told;

	(void)state;
	clock_fake_start(1000, 1000000);
	assert_int_equal(drain(t, false).rows, 0);
	add(t, "a", "/x");
	told = drain(t, false);
	assert_int_equal(told.rows, 1);
	assert_true(told.last_count == 1);
	for (int i = 0; i < 10; i++)
		add(t, "a", "/x");
	assert_int_equal(drain(t, false).rows, 0);
	add(t, "b", "/x");
	told = drain(t, false);
	assert_int_equal(told.rows, 1);
	clock_fake_advance(MINUTE_MS - 1);
	assert_int_equal(drain(t, false).rows, 0);
	clock_fake_advance(1);
	told = drain(t, false);
	assert_int_equal(told.rows, 1);
	assert_true(told.events == 10);
	/* Another minute, another first. */
	add(t, "a", "/x");
	assert_int_equal(drain(t, false).rows, 1);
	assert_int_equal(drain(t, true).rows, 0);
	repeats_free(t);
	clock_fake_stop();
}

static void test_what_differs_is_told_apart(void **state)
{
	struct repeats *t = repeats_new(PLACES * 8);
	struct repeats_event e = { .kind = "refuse",
				   .host = slice_of("a"),
				   .path = slice_of("/x") };

	(void)state;
	clock_fake_start(1000, 1000000);
	repeats_add(t, &e);
	e.kind = "read";
	repeats_add(t, &e);
	e.session = 7;
	repeats_add(t, &e);
	e.who = slice_of("");
	repeats_add(t, &e);
	e.result = slice_of("no");
	repeats_add(t, &e);
	e.op = slice_of("create");
	repeats_add(t, &e);
	e.path = slice_of("/y");
	repeats_add(t, &e);
	/* The port makes no difference. */
	e.address = slice_of("a:2");
	repeats_add(t, &e);
	assert_int_equal(drain(t, false).rows, 7);
	repeats_free(t);
	clock_fake_stop();
}

/* One host cannot take the places of the others, nor all of them together more than there are. */
static void test_a_flood_is_bounded(void **state)
{
	struct repeats *t = repeats_new(PLACES);
	struct told told, rest;
	char text[32];

	(void)state;
	clock_fake_start(1000, 1000000);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "/%d", i);
		add(t, "loud", text);
	}
	add(t, "quiet", "/here");
	told = drain(t, false);
	assert_string_equal(told.last, "/here");
	assert_true(told.events == 1001 && told.rests == 1000 - PLACES / 8);
	assert_int_equal(told.rows, PLACES / 8 + 1 + 1);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "host%d", i);
		add(t, text, "/x");
	}
	rest = drain(t, true);
	assert_true(rest.events == 1000);
	assert_true(told.rows + rest.rows <= 2 * PLACES + 2);
	/* Room again in the next minute. */
	add(t, "late", "/x");
	assert_string_equal(drain(t, true).last, "/x");
	repeats_free(t);
	clock_fake_stop();
}

struct seen {
	bool is_delete_told;
	bool is_quiet_told;
	int64_t of_loud;
};

static bool has(struct slice text, const char *wanted)
{
	return text.data && slice_is(text, wanted);
}

static void look(void *ctx, const struct repeats_event *e, int64_t count, int64_t time_ms)
{
	struct seen *s = ctx;

	(void)time_ms;
	if (has(e->who, "[\"loud\"]")) {
		s->of_loud += count;
		s->is_delete_told |= has(e->op, "delete") && has(e->result, "no");
	}
	s->is_quiet_told |= has(e->who, "[\"quiet\"]") && has(e->path, "/here");
}

static void add_owned(struct repeats *t, const char *host, const char *owner, const char *op,
		      const char *path)
{
	const struct repeats_event e = {
		.kind = "refuse",
		.host = slice_of(host),
		.address = slice_of(host),
		.who = slice_of(owner),
		.op = slice_of(op),
		.path = slice_of(path),
		.result = slice_of("no"),
		.owner = slice_of(owner),
	};

	repeats_add(t, &e);
}

/* From wherever, and however many: not what it did else, nor what others on its host did. */
static void test_an_owner_hides_nothing_behind_a_flood(void **state)
{
	struct repeats *t = repeats_new(PLACES);
	char path[32], host[32];
	struct seen seen = { 0 };

	(void)state;
	clock_fake_start(1000, 1000000);
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		add_owned(t, "a", "[\"loud\"]", "create", path);
	}
	add_owned(t, "a", "[\"loud\"]", "delete", "/secret");
	add_owned(t, "a", "[\"quiet\"]", "create", "/here");
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "host%d", i);
		add_owned(t, host, "[\"loud\"]", "create", "/x");
	}
	repeats_drain(t, true, look, &seen);
	assert_true(seen.is_delete_told);
	assert_true(seen.is_quiet_told);
	assert_true(seen.of_loud == 2001);
	repeats_free(t);
	clock_fake_stop();
}

static void test_long_texts_are_cut(void **state)
{
	static char text[100000];
	struct repeats *t = repeats_new(PLACES);
	struct told told;

	(void)state;
	clock_fake_start(1000, 1000000);
	memset(text, 'x', sizeof(text) - 1);
	add(t, "a", text);
	add(t, "a", text);
	told = drain(t, true);
	assert_int_equal(told.rows, 1);
	assert_true(told.events == 2);
	repeats_free(t);
	clock_fake_stop();
}

static void *add_many(void *arg)
{
	for (int i = 0; i < EACH; i++)
		add(arg, "a", "/x");
	return NULL;
}

static void test_from_threads(void **state)
{
	struct repeats *t = repeats_new(PLACES);
	pthread_t threads[THREADS];
	int64_t events = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, t), 0);
	for (int i = 0; i < 100; i++)
		events += drain(t, i % 2 == 0).events;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	events += drain(t, true).events;
	assert_true(events == (int64_t)THREADS * EACH);
	repeats_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_at_once_the_others_as_one),
		cmocka_unit_test(test_what_differs_is_told_apart),
		cmocka_unit_test(test_a_flood_is_bounded),
		cmocka_unit_test(test_an_owner_hides_nothing_behind_a_flood),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
