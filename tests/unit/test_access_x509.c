#include "core/access_x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/x509_ids.h"

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(x509_ids) / sizeof(*x509_ids); i++)
		if (access_x509_is_valid(slice_of(x509_ids[i].name)) != x509_ids[i].is_valid)
			fail_msg("%s", x509_ids[i].name);
}

/* No byte behind the end is looked at, wherever the text is cut. */
static void test_every_cut(void **state)
{
	static const char text[] =
		"CN = \"a\\\"b\" , O=x\\,\\61y + 2.5=#3080040161a0030201000000; OID.1.2=#04810161";

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
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
