/* The table of sessions: ids, passwords, the deadline and who moves it, what the log is told. */
#include "core/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/client.h"

enum { START_MS = 5000000, TIMEOUT_MS = 10000 };

static struct timer_wheel wheel;
static struct session_table *table;
static struct session *overdue;
static unsigned overdue_count;
static uint8_t password[PROTO_PASSWORD_LEN];

static void on_overdue(void *ctx, struct session *s)
{
	assert_ptr_equal(ctx, &wheel);
	overdue = s;
	overdue_count++;
}

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(START_MS, 0);
	timer_wheel_init(&wheel, START_MS);
	table = session_table_new(&wheel, on_overdue, &wheel);
	session_set_epoch(table, 7);
	overdue = NULL;
	overdue_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	session_table_free(table);
	assert_int_equal(wheel.armed, 0);
	clock_fake_stop();
	return 0;
}

static struct session *open_one(const char *identity)
{
	return session_open(table, TIMEOUT_MS, identity, password);
}

static struct slice word(void)
{
	return (struct slice){ (const char *)password, sizeof(password) };
}

static void advance(int64_t ms)
{
	while (ms-- > 0) {
		clock_fake_advance(1);
		timer_wheel_run(&wheel, clock_now_ms());
	}
}

/* --- ids and passwords --- */

static void test_ids(void **state)
{
	struct session *a = open_one(NULL), *b = open_one(NULL);

	(void)state;
	assert_int_equal(a->id, INT64_C(7) << 32 | 1);
	assert_int_equal(b->id, INT64_C(7) << 32 | 2);
	assert_ptr_equal(session_find(table, a->id), a);
	assert_ptr_equal(session_find(table, b->id), b);
	assert_null(session_find(table, b->id + 1));
	assert_null(session_find(table, 0));
	assert_int_equal(session_count(table), 2);
	session_remove(a);
	assert_null(session_find(table, INT64_C(7) << 32 | 1));
	assert_int_equal(session_count(table), 1);
	/* Never again, though it is free. */
	assert_int_equal(open_one(NULL)->id, INT64_C(7) << 32 | 3);
	session_set_epoch(table, 0x1000000);
	assert_int_equal(open_one(NULL)->id >> 32, 1);
	session_set_epoch(table, 0x1abcdef);
	assert_int_equal(open_one(NULL)->id >> 32, 0xabcdef);
}

/* Those that came from a ZooKeeper have ids of its own. */
static void test_ids_that_are_taken(void **state)
{
	struct record_session r = { .id = INT64_C(7) << 32 | 1, .open = true, .timeout_ms = 1 };

	(void)state;
	session_load(table, &r);
	r.id += 1;
	session_load(table, &r);
	r.id += 2;
	session_load(table, &r);
	assert_int_equal(open_one(NULL)->id, INT64_C(7) << 32 | 3);
	assert_int_equal(open_one(NULL)->id, INT64_C(7) << 32 | 5);
	assert_int_equal(session_count(table), 5);
}

static struct session *load_unbound(void)
{
	struct record_session r = { .id = 99,
				    .open = true,
				    .timeout_ms = TIMEOUT_MS,
				    .identity = slice_of(RECORD_IDENTITY_UNBOUND) };
	struct session *known = open_one(NULL);

	memcpy(r.password_hash, known->password_hash, sizeof(r.password_hash));
	session_load(table, &r);
	return session_find(table, 99);
}

/* Whoever has the password may resume it, and is the only one from then on. */
static void test_binding(void **state)
{
	struct session *s = load_unbound();
	struct record_session r = session_record(s, true);

	(void)state;
	assert_true(slice_is(r.identity, RECORD_IDENTITY_UNBOUND));
	assert_int_equal(session_count_of(table, RECORD_IDENTITY_UNBOUND), 0);
	assert_true(session_admits(s, word(), "CN=a"));
	assert_true(session_admits(s, word(), NULL));
	assert_false(session_admits(s, slice_of("wrong"), "CN=a"));
	session_bind(s, "CN=a");
	assert_true(session_admits(s, word(), "CN=a"));
	assert_false(session_admits(s, word(), "CN=b"));
	assert_false(session_admits(s, word(), NULL));
	assert_int_equal(session_count_of(table, "CN=a"), 1);
	r = session_record(s, true);
	assert_true(slice_is(r.identity, "CN=a"));
	/* As the log gives it back. */
	session_load(table, &r);
	assert_false(session_admits(s, word(), "CN=b"));
}

static void test_binding_to_nobody(void **state)
{
	struct session *s = load_unbound();

	(void)state;
	session_bind(s, NULL);
	assert_null(session_record(s, true).identity.data);
	assert_true(session_admits(s, word(), NULL));
	assert_false(session_admits(s, word(), "CN=a"));
}

static void test_admits(void **state)
{
	struct session *s = open_one("CN=a");
	struct session *nobody;
	uint8_t wrong[PROTO_PASSWORD_LEN + 1] = { 0 };

	(void)state;
	assert_true(session_admits(s, word(), "CN=a"));
	assert_false(session_admits(s, word(), "CN=b"));
	assert_false(session_admits(s, word(), NULL));
	assert_false(session_admits(s, word(), ""));
	assert_false(session_admits(s, (struct slice){ 0 }, "CN=a"));
	assert_false(session_admits(s, slice_of(""), "CN=a"));
	memcpy(wrong, password, sizeof(password));
	assert_false(session_admits(s, (struct slice){ (char *)wrong, sizeof(wrong) }, "CN=a"));
	assert_false(
		session_admits(s, (struct slice){ (char *)wrong, sizeof(password) - 1 }, "CN=a"));
	wrong[15] ^= 1;
	assert_false(session_admits(s, (struct slice){ (char *)wrong, sizeof(password) }, "CN=a"));
	nobody = open_one(NULL);
	assert_true(session_admits(nobody, word(), NULL));
	assert_false(session_admits(nobody, word(), "CN=a"));
	assert_false(session_admits(nobody, word(), ""));
	/* Each has its own. */
	assert_false(session_admits(s, word(), "CN=a"));
}

/* --- the deadline --- */

static void test_deadline(void **state)
{
	struct session *s = open_one(NULL);

	(void)state;
	assert_int_equal(session_deadline_ms(s), START_MS + TIMEOUT_MS);
	advance(TIMEOUT_MS - 1);
	assert_int_equal(overdue_count, 0);
	advance(1 + TIMER_SLOT_MS);
	assert_int_equal(overdue_count, 1);
	assert_ptr_equal(overdue, s);
	/* Told once, until somebody postpones it. */
	advance(TIMEOUT_MS);
	assert_int_equal(overdue_count, 1);
	session_postpone(s, clock_now_ms() + 100);
	advance(99);
	assert_int_equal(overdue_count, 1);
	advance(1 + TIMER_SLOT_MS);
	assert_int_equal(overdue_count, 2);
}

static void test_signs_of_life_move_it(void **state)
{
	struct session *s = open_one(NULL);

	(void)state;
	advance(TIMEOUT_MS - 1);
	session_touch(s, clock_now_ms());
	/* What is heard of late does not count against it. */
	session_touch(s, clock_now_ms() - 1000);
	advance(TIMEOUT_MS - 1);
	assert_int_equal(overdue_count, 0);
	advance(1 + TIMER_SLOT_MS);
	assert_int_equal(overdue_count, 1);
}

static void test_attach(void **state)
{
	struct session *s = open_one(NULL);
	struct client a = { 0 }, b = { 0 };

	(void)state;
	advance(5000);
	session_attach(s, &a);
	assert_ptr_equal(a.session, s);
	assert_ptr_equal(s->client, &a);
	/* It was heard just now. */
	assert_int_equal(session_deadline_ms(s), START_MS + 5000 + TIMEOUT_MS);
	session_detach(s);
	assert_null(a.session);
	assert_null(s->client);
	/* Detached or not, silence is silence. */
	assert_int_equal(session_deadline_ms(s), START_MS + 5000 + TIMEOUT_MS);
	session_attach(s, &b);
	session_remove(s);
	assert_null(b.session);
	assert_int_equal(session_count(table), 0);
	advance(2 * TIMEOUT_MS);
	assert_int_equal(overdue_count, 0);
}

/* A shorter timeout counts at once, a longer one as well. */
static void test_attach_with_another_timeout(void **state)
{
	struct session *s = open_one(NULL);
	struct client c = { 0 };

	(void)state;
	s->timeout_ms = 4000;
	session_attach(s, &c);
	advance(3999);
	assert_int_equal(overdue_count, 0);
	s->timeout_ms = 20000;
	session_attach(s, &c);
	advance(19999);
	assert_int_equal(overdue_count, 0);
	s->timeout_ms = 4000;
	session_attach(s, &c);
	advance(4000 + TIMER_SLOT_MS);
	assert_int_equal(overdue_count, 1);
	session_remove(s);
}

static void test_touch_all(void **state)
{
	(void)state;
	open_one(NULL);
	open_one(NULL);
	advance(TIMEOUT_MS - 1);
	session_touch_all(table, clock_now_ms());
	advance(TIMEOUT_MS - 1);
	assert_int_equal(overdue_count, 0);
	advance(1 + TIMER_SLOT_MS);
	assert_int_equal(overdue_count, 2);
}

/* --- the log --- */

static void test_record_and_load(void **state)
{
	struct session *s = open_one("CN=a,O=b");
	struct record_session r = session_record(s, true);
	int64_t id = s->id;

	(void)state;
	assert_int_equal(r.id, id);
	assert_true(r.open);
	assert_int_equal(r.timeout_ms, TIMEOUT_MS);
	assert_true(slice_is(r.identity, "CN=a,O=b"));
	/* The password itself is nowhere. */
	assert_memory_not_equal(r.password_hash, password, sizeof(password));
	assert_memory_not_equal(r.password_hash + sizeof(password), password, sizeof(password));
	r.identity = slice_of("CN=a,O=b");
	session_remove(s);
	session_load(table, &r);
	s = session_find(table, id);
	assert_non_null(s);
	assert_true(session_admits(s, word(), "CN=a,O=b"));
	assert_int_equal(s->timeout_ms, TIMEOUT_MS);
	/* A later record changes it, one that closes removes it, and both may come twice. */
	r.timeout_ms = 5000;
	session_load(table, &r);
	assert_ptr_equal(session_find(table, id), s);
	assert_int_equal(s->timeout_ms, 5000);
	assert_int_equal(session_count(table), 1);
	r.open = false;
	session_load(table, &r);
	session_load(table, &r);
	assert_null(session_find(table, id));
	/* Nobody's certificate. */
	r = (struct record_session){ .id = 99, .open = true, .timeout_ms = 4000 };
	session_load(table, &r);
	assert_null(session_find(table, 99)->identity);
	r = session_record(session_find(table, 99), false);
	assert_false(r.open);
	assert_null(r.identity.data);
}

static void count_one(void *ctx, struct session *s)
{
	int64_t *sum = ctx;

	*sum += s->id & 0xffffffff;
}

static void test_foreach(void **state)
{
	int64_t sum = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		open_one(NULL);
	session_foreach(table, count_one, &sum);
	assert_int_equal(sum, 100 * 101 / 2);
}

#define SESSION_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void test_count_of_an_identity(void **state)
{
	struct record_session r;
	struct session *s = open_one("CN=a");

	(void)state;
	open_one("CN=a");
	open_one("CN=b");
	open_one(NULL);
	assert_int_equal(session_count_of(table, "CN=a"), 2);
	assert_int_equal(session_count_of(table, "CN=b"), 1);
	assert_int_equal(session_count_of(table, "CN=c"), 0);
	/* A new timeout on record is no new session. */
	r = session_record(s, true);
	session_load(table, &r);
	assert_int_equal(session_count_of(table, "CN=a"), 2);
	r = session_record(s, true);
	r.id += 100;
	session_load(table, &r);
	assert_int_equal(session_count_of(table, "CN=a"), 3);
	session_remove(s);
	assert_int_equal(session_count_of(table, "CN=a"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION_TEST(test_ids),
		SESSION_TEST(test_admits),
		SESSION_TEST(test_ids_that_are_taken),
		SESSION_TEST(test_binding),
		SESSION_TEST(test_binding_to_nobody),
		SESSION_TEST(test_deadline),
		SESSION_TEST(test_signs_of_life_move_it),
		SESSION_TEST(test_attach),
		SESSION_TEST(test_attach_with_another_timeout),
		SESSION_TEST(test_touch_all),
		SESSION_TEST(test_record_and_load),
		SESSION_TEST(test_foreach),
		SESSION_TEST(test_count_of_an_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
