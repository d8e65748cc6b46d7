#include "core/access_ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_valid(void **state)
{
	static const char *const valid[] = {
		"0.0.0.0",
		"10.1.2.3",
		"255.255.255.255",
		"10.0.0.0/0",
		"10.0.0.0/8",
		"10.0.0.0/32",
		"::",
		"fe80::1",
		"2001:db8::/32",
		"::1/128",
		"1:2:3:4:5:6:7:8",
		/* Numbers as Java's Integer.parseInt reads them. */
		"10.0.0.0/08",
		"10.1.2.3/0008",
		"10.1.2.3/+8",
		"10.1.2.3/-0",
		"127.0.0.01",
		"0127.0.0.1",
		"+127.0.0.1",
		"-0.0.0.0",
		"0000000000000000000000000010.000000.2.3",
		"::/+08",
	};
	static const char *const invalid[] = {
		"",
		"x",
		"10",
		"10.1.2",
		"10.1.2.3.4",
		"256.1.1.1",
		"10.1.2.3/33",
		"10.1.2.3/",
		"10.1.2.3/x",
		"10.1.2.3/-1",
		"10.1.2.3/ 8",
		"10.1.2.3/8 ",
		"10.1.2.3/8/8",
		"10.1.2.3/+",
		"10.1.2.3/-",
		"10.1.2.3/+-8",
		"10.1.2.3/0x8",
		"10..2.3",
		".1.2.3",
		"10.1.2.",
		"10.1.2.3.",
		"10.1.2.-3",
		"10.1.2.+",
		"4294967306.1.2.3",
		"/",
		" 10.1.2.3",
		"10.1.2.3 ",
		"/8",
		"::1/129",
		":::",
		"localhost",
		"10.1.2.3/4294967296",
		"fe80::1%eth0",
		"::ffff:10.1.2.3",
		"::1.2.3.4/8",
		"1:2:3:4:5:6:7",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
		if (!access_ip_is_valid(slice_of(valid[i])))
			fail_msg("%s", valid[i]);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++)
		if (access_ip_is_valid(slice_of(invalid[i])))
			fail_msg("%s", invalid[i]);
	assert_false(access_ip_is_valid((struct slice){ "10.1.2.3\0", 9 }));
	assert_false(access_ip_is_valid((struct slice){ "10.1.2.3\0/8", 11 }));
	assert_false(access_ip_is_valid((struct slice){ 0 }));
	/* The slice ends where it says, not where a NUL is. */
	assert_true(access_ip_is_valid((struct slice){ "10.1.2.34", 8 }));
}

static void test_matches(void **state)
{
	static const struct {
		const char *address, *expression;
		bool matches;
	} cases[] = {
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.4", false },
		{ "10.1.2.3", "10.0.0.0/8", true },
		{ "11.1.2.3", "10.0.0.0/8", false },
		/* What lies behind the prefix does not count. */
		{ "10.1.2.3", "10.9.9.9/8", true },
		{ "1.2.3.4", "10.0.0.0/0", true },
		{ "10.1.2.3", "10.1.2.2/31", true },
		{ "10.1.2.4", "10.1.2.2/31", false },
		{ "10.1.2.127", "10.1.2.0/25", true },
		{ "10.1.2.128", "10.1.2.0/25", false },
		{ "10.1.128.0", "10.1.0.0/17", false },
		{ "10.1.127.255", "10.1.0.0/17", true },
		{ "10.1.2.3", "10.1.2.3/32", true },
		{ "10.1.2.2", "10.1.2.3/32", false },
		{ "127.0.0.1", "127.0.0.01", true },
		{ "127.0.0.1", "0127.0.0.1", true },
		{ "127.0.0.1", "127.000.+0.-0/0008", true },
		{ "128.0.0.1", "127.0.0.1/+8", false },
		{ "10.0.0.1", "012.0.0.1", false },
		{ "2001:db8::1", "2001:db8::/32", true },
		{ "2001:db9::1", "2001:db8::/32", false },
		{ "2001:db8:8000::", "2001:db8::/33", false },
		{ "2001:db8:7fff::", "2001:db8::/33", true },
		{ "fe80::1", "FE80:0::1", true },
		{ "::1", "::1/128", true },
		{ "::2", "::1/128", false },
		/* Families are never the same. */
		{ "10.1.2.3", "::/0", false },
		{ "::1", "0.0.0.0/0", false },
		{ "10.1.2.3", "x", false },
		{ "x", "0.0.0.0/0", false },
		{ "", "0.0.0.0/0", false },
		{ "10.1.2.3/32", "0.0.0.0/0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (access_ip_matches(slice_of(cases[i].address), slice_of(cases[i].expression)) !=
		    cases[i].matches)
			fail_msg("%s, %s", cases[i].address, cases[i].expression);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
