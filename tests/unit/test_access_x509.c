#include "core/access_x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_valid(void **state)
{
	static const char *const valid[] = {
		"",
		"CN=nobody",
		"CN=a,O=b,C=DE",
		"CN=a;O=b",
		"CN=a+UID=b,O=c",
		"CN = a , O = b",
		"CN=",
		"CN=,O=b",
		"2.5.4.3=a",
		"OID.2.5.4.3=a",
		"CN=a\\,b",
		"CN=a\\\\",
		"CN=\\\"a\\\"",
		"CN=a\\+b\\;c",
		"CN=\"a,b;c+d\"",
		"CN=\"a\\\"b\" , O=x",
		"CN=\"\"",
		"CN=a b c",
		"CN=a=b",
		"CN=#0401",
		"CN=J\xc3\xbcrgen,O=x",
	};
	static const char *const invalid[] = {
		"nobody",  "no name", ",",        "CN=a,",     "CN=a,,O=b",
		"CN=a+",   "=a",      "CN",       "CN=a,O",    " ",
		"CN=a\\",  "CN=\"a",  "CN=\"a\\", "CN=\"a\"b", "CN=\"a\" b,O=c",
		"CN=a\"b", ";CN=a",   "C N=a",    "C_N=a",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
		if (!access_x509_is_valid(slice_of(valid[i])))
			fail_msg("%s", valid[i]);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++)
		if (access_x509_is_valid(slice_of(invalid[i])))
			fail_msg("%s", invalid[i]);
}

/* No byte behind the end is looked at, wherever the text is cut. */
static void test_every_cut(void **state)
{
	static const char text[] = "CN = \"a\\\"b\" , O=x\\,y + 2.5=z ; C=DE";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len ? len : 1);

		memcpy(copy, text, len);
		(void)access_x509_is_valid((struct slice){ copy, len });
		free(copy);
	}
	assert_true(access_x509_is_valid(slice_of(text)));
	assert_true(access_x509_is_valid((struct slice){ text, 4 }));
	assert_false(access_x509_is_valid((struct slice){ text, 2 }));
	assert_false(access_x509_is_valid((struct slice){ text, 8 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
