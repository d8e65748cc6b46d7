/* Addresses in one form each, and how many connections come from them. */
#include "net/census.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/address.h"

static struct sockaddr_storage address(int family, const char *host, uint16_t port)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (family == AF_INET) {
		assert_int_equal(inet_pton(AF_INET, host, &ipv4.sin_addr), 1);
		memcpy(&a, &ipv4, sizeof(ipv4));
	} else {
		assert_int_equal(inet_pton(AF_INET6, host, &ipv6.sin6_addr), 1);
		memcpy(&a, &ipv6, sizeof(ipv6));
	}
	return a;
}

static void assert_text(const struct sockaddr_storage *a, const char *host, const char *full)
{
	char text[ADDRESS_TEXT_LEN];

	address_format_host(a, text);
	assert_string_equal(text, host);
	address_format(a, text);
	assert_string_equal(text, full);
}

static void test_text(void **state)
{
	struct sockaddr_storage v4 = address(AF_INET, "10.0.0.7", 40112);
	struct sockaddr_storage v6 = address(AF_INET6, "::1", 2281);
	struct sockaddr_storage mapped = address(AF_INET6, "::ffff:10.0.0.7", 40112);
	struct sockaddr_storage none = { 0 };

	(void)state;
	assert_text(&v4, "10.0.0.7", "10.0.0.7:40112");
	assert_text(&v6, "::1", "[::1]:2281");
	assert_text(&none, "unknown", "unknown:0");
	address_normalise(&mapped);
	assert_text(&mapped, "10.0.0.7", "10.0.0.7:40112");
	assert_int_equal(mapped.ss_family, AF_INET);
	address_normalise(&v6);
	assert_text(&v6, "::1", "[::1]:2281");
	/* The longest there is fits. */
	v6 = address(AF_INET6, "fe80:1111:2222:3333:4444:5555:6666:7777", 65535);
	((struct sockaddr_in6 *)(void *)&v6)->sin6_scope_id = UINT32_MAX;
	assert_text(&v6, "fe80:1111:2222:3333:4444:5555:6666:7777%4294967295",
		    "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
}

static void test_limits(void **state)
{
	struct sockaddr_storage a = address(AF_INET, "10.0.0.7", 1),
				a2 = address(AF_INET, "10.0.0.7", 2);
	struct sockaddr_storage b = address(AF_INET, "10.0.0.8", 1),
				c = address(AF_INET6, "::1", 1);
	struct census n;

	(void)state;
	census_init(&n);
	assert_int_equal(census_enter(&n, &a, 4, 2), CENSUS_OK);
	assert_int_equal(census_enter(&n, &a2, 4, 2), CENSUS_OK);
	/* The port makes no difference. */
	assert_int_equal(census_enter(&n, &a, 4, 2), CENSUS_HOST_FULL);
	assert_int_equal(n.total, 2);
	assert_int_equal(census_enter(&n, &b, 4, 2), CENSUS_OK);
	assert_int_equal(census_enter(&n, &c, 4, 2), CENSUS_OK);
	assert_int_equal(census_enter(&n, &c, 4, 2), CENSUS_FULL);
	census_leave(&n, &a2);
	assert_int_equal(census_enter(&n, &a, 4, 2), CENSUS_OK);
	/* 0 is no limit. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(census_enter(&n, &a, 0, 0), CENSUS_OK);
	assert_int_equal(n.total, 14);
	assert_int_equal(n.hosts.count, 3);
	census_leave(&n, &b);
	assert_int_equal(n.hosts.count, 2);
	census_fini(&n);
}

/* Whoever has one IPv6 address has 2^64 of them. */
static void test_an_ipv6_network_is_one_host(void **state)
{
	struct sockaddr_storage a = address(AF_INET6, "2001:db8:1:2::1", 1);
	struct sockaddr_storage same = address(AF_INET6, "2001:db8:1:2:ffff:ffff:ffff:ffff", 1);
	struct sockaddr_storage next = address(AF_INET6, "2001:db8:1:3::1", 1);
	/* The first bytes of a, but not an address of its kind. */
	struct sockaddr_storage v4 = address(AF_INET, "32.1.13.184", 1);
	struct census n;

	(void)state;
	census_init(&n);
	assert_int_equal(census_enter(&n, &a, 0, 2), CENSUS_OK);
	assert_int_equal(census_enter(&n, &same, 0, 2), CENSUS_OK);
	assert_int_equal(n.hosts.count, 1);
	assert_int_equal(census_enter(&n, &same, 0, 2), CENSUS_HOST_FULL);
	assert_int_equal(census_enter(&n, &a, 0, 2), CENSUS_HOST_FULL);
	assert_int_equal(census_enter(&n, &next, 0, 1), CENSUS_OK);
	assert_int_equal(census_enter(&n, &v4, 0, 1), CENSUS_OK);
	assert_int_equal(n.hosts.count, 3);
	/* Each leaves from where it was counted. */
	census_leave(&n, &same);
	assert_int_equal(census_enter(&n, &same, 0, 2), CENSUS_OK);
	census_leave(&n, &a);
	census_leave(&n, &same);
	assert_int_equal(n.hosts.count, 2);
	census_leave(&n, &next);
	census_leave(&n, &v4);
	assert_int_equal(n.total, 0);
	census_fini(&n);
}

/* Whom a balancer connects is counted as who it is, and where that cannot be nothing changes. */
static void test_one_that_turns_out_to_be_another(void **state)
{
	struct sockaddr_storage balancer = address(AF_INET, "10.0.0.1", 1);
	struct sockaddr_storage a = address(AF_INET, "10.0.0.7", 1);
	struct census n;

	(void)state;
	census_init(&n);
	for (int i = 0; i < 3; i++)
		assert_int_equal(census_enter(&n, &balancer, 3, 0), CENSUS_OK);
	assert_int_equal(census_move(&n, &balancer, &a, 1), CENSUS_OK);
	assert_int_equal(census_move(&n, &balancer, &a, 1), CENSUS_HOST_FULL);
	assert_int_equal(census_move(&n, &balancer, &balancer, 1), CENSUS_HOST_FULL);
	assert_int_equal(census_move(&n, &balancer, &balancer, 2), CENSUS_OK);
	assert_int_equal(census_enter(&n, &a, 3, 0), CENSUS_FULL);
	assert_int_equal(n.total, 3);
	census_leave(&n, &a);
	assert_int_equal(n.hosts.count, 1);
	census_leave(&n, &balancer);
	census_leave(&n, &balancer);
	assert_int_equal(n.total, 0);
	census_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_an_ipv6_network_is_one_host),
		cmocka_unit_test(test_one_that_turns_out_to_be_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
