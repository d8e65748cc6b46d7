/* Addresses of peers. */
#include "net/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct sockaddr_storage at(const char *host)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;

	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		a.ss_family = AF_INET;
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		a.ss_family = AF_INET6;
	}
	return a;
}

static bool is_loopback(const char *host)
{
	struct sockaddr_storage a = at(host);

	return address_is_loopback(&a);
}

static void test_loopback(void **state)
{
	(void)state;
	assert_true(is_loopback("127.0.0.1"));
	assert_true(is_loopback("127.255.255.254"));
	assert_true(is_loopback("::1"));
	assert_false(is_loopback("126.255.255.255"));
	assert_false(is_loopback("128.0.0.1"));
	assert_false(is_loopback("0.0.0.0"));
	assert_false(is_loopback("::"));
	assert_false(is_loopback("::2"));
	assert_false(is_loopback("::ffff:127.0.0.1"));
	assert_false(is_loopback("neither"));
}

static void test_mapped_is_ipv4(void **state)
{
	struct sockaddr_storage a = at("::ffff:127.0.0.1");
	char text[ADDRESS_TEXT_LEN];

	(void)state;
	address_normalise(&a);
	assert_true(address_is_loopback(&a));
	address_format(&a, text);
	assert_string_equal(text, "127.0.0.1:0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_mapped_is_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
