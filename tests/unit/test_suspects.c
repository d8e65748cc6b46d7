/* Addresses that fail or come too fast. */
#include "net/suspects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/address_at.h"

static enum suspects_rc ask(struct suspects *s, const char *text, int64_t now_ms)
{
	struct sockaddr_storage a = at(text);

	return suspects_ask(s, &a, now_ms);
}

static void fail_at(struct suspects *s, const char *text, int64_t now_ms)
{
	struct sockaddr_storage a = at(text);

	suspects_note_failure(s, &a, now_ms);
}

static void test_failures(void **state)
{
	struct suspects s;

	(void)state;
	suspects_init(&s, 3, 1000, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&s, "10.0.0.1", 5000 + i), SUSPECTS_OK);
		fail_at(&s, "10.0.0.1", 5000 + i);
	}
	assert_int_equal(ask(&s, "10.0.0.1", 5003), SUSPECTS_FAILED);
	assert_int_equal(ask(&s, "10.0.0.2", 5003), SUSPECTS_OK);
	/* The window counts from the first one, and those that come late put off nothing. */
	fail_at(&s, "10.0.0.1", 5900);
	assert_int_equal(ask(&s, "10.0.0.1", 5999), SUSPECTS_FAILED);
	assert_int_equal(ask(&s, "10.0.0.1", 6000), SUSPECTS_OK);
	fail_at(&s, "10.0.0.1", 6000);
	assert_int_equal(ask(&s, "10.0.0.1", 6000), SUSPECTS_OK);
	/* A few now and then are nothing. */
	for (int i = 0; i < 20; i++) {
		fail_at(&s, "10.0.0.3", 10000 + i * 600);
		assert_int_equal(ask(&s, "10.0.0.3", 10000 + i * 600), SUSPECTS_OK);
	}
	suspects_fini(&s);
}

static void test_networks_of_ipv6(void **state)
{
	struct suspects s;

	(void)state;
	suspects_init(&s, 1, 1000, 0);
	fail_at(&s, "2001:db8::1", 5000);
	assert_int_equal(ask(&s, "2001:db8::ffff", 5000), SUSPECTS_FAILED);
	assert_int_equal(ask(&s, "2001:db8:0:1::1", 5000), SUSPECTS_OK);
	suspects_fini(&s);
}

static unsigned passed(struct suspects *s, int64_t now_ms, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		n += ask(s, "10.0.0.1", now_ms) == SUSPECTS_OK;
	return n;
}

static void test_rate(void **state)
{
	struct suspects s;

	(void)state;
	suspects_init(&s, 0, 1000, 10);
	assert_int_equal(passed(&s, 5000, 50), 10);
	assert_int_equal(ask(&s, "10.0.0.1", 5000), SUSPECTS_FAST);
	assert_int_equal(ask(&s, "10.0.0.2", 5000), SUSPECTS_OK);
	assert_int_equal(passed(&s, 5099, 5), 0);
	assert_int_equal(passed(&s, 5100, 5), 1);
	assert_int_equal(passed(&s, 5350, 5), 2);
	/* No more than a second's is saved. */
	assert_int_equal(passed(&s, 60000, 50), 10);
	/* Failures count for nothing where they have no limit. */
	fail_at(&s, "10.0.0.9", 60000);
	assert_int_equal(ask(&s, "10.0.0.9", 60000), SUSPECTS_OK);
	suspects_fini(&s);
}

static void test_no_limits(void **state)
{
	struct suspects s;

	(void)state;
	suspects_init(&s, 0, 1000, 0);
	for (int i = 0; i < 100; i++) {
		fail_at(&s, "10.0.0.1", 5000);
		assert_int_equal(ask(&s, "10.0.0.1", 5000), SUSPECTS_OK);
	}
	assert_int_equal(s.hosts.count, 0);
	suspects_fini(&s);
}

static void test_memory_is_bounded(void **state)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_storage a = { 0 };
	struct suspects s;

	(void)state;
	suspects_init(&s, 1, 1000, 0);
	fail_at(&s, "192.0.2.1", 5000);
	fail_at(&s, "192.0.2.2", 5000);
	for (uint32_t i = 0; i < SUSPECTS_MOST - 1; i++) {
		from.sin_addr.s_addr = htonl(0x0a000000 + i);
		memcpy(&a, &from, sizeof(from));
		suspects_note_failure(&s, &a, 5000);
		/* Who goes on is remembered. */
		if (i == 0)
			fail_at(&s, "192.0.2.1", 5000);
	}
	assert_int_equal(s.hosts.count, SUSPECTS_MOST);
	assert_int_equal(ask(&s, "192.0.2.1", 5001), SUSPECTS_FAILED);
	assert_int_equal(ask(&s, "192.0.2.2", 5001), SUSPECTS_OK);
	assert_int_equal(ask(&s, "10.0.0.1", 5001), SUSPECTS_FAILED);
	suspects_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_networks_of_ipv6),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_no_limits),
		cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
