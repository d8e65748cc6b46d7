/* Which names of a certificate count. */
#include "net/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char *sans[] = { "DNS:a.example", "URI:spiffe://d/svc", "EMAIL:a@b",
			"IP:10.0.0.7",   "DNS:b.example",      "URI:" };
static struct tls_identity id;
static struct names_chain chain;

static int set_up(void **state)
{
	(void)state;
	id = (struct tls_identity){ .subject = "CN=svc,O=x", .cn = "CN:svc", .sans = sans };
	id.san_count = sizeof(sans) / sizeof(*sans);
	names_chain_init(&chain);
	return 0;
}

/* "scheme:id scheme:id ..." */
static const char *listed(void)
{
	static char text[2000];
	struct name names[NAMES_MOST];
	size_t count = names_list(&chain, &id, names), len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%s", i ? " " : "",
					names[i].scheme, names[i].id);
	return text;
}

static void test_without_a_chain_it_is_the_subject(void **state)
{
	(void)state;
	assert_string_equal(listed(), "x509:CN=svc,O=x");
	assert_false(names_chain_has_san(&chain));
	id.subject = "";
	assert_string_equal(listed(), "");
	assert_null(names_refusal(&chain, &id));
}

static void test_a_chain_has_an_order(void **state)
{
	(void)state;
	assert_int_equal(names_chain_parse(&chain, "uri, dns ,email,cn,dn"), 0);
	assert_true(names_chain_has_san(&chain));
	assert_string_equal(listed(), "san:URI:spiffe://d/svc san:DNS:a.example san:DNS:b.example "
				      "san:EMAIL:a@b san:CN:svc x509:CN=svc,O=x");
	assert_int_equal(names_chain_parse(&chain, "dn,uri"), 0);
	assert_string_equal(listed(), "x509:CN=svc,O=x san:URI:spiffe://d/svc");
	assert_int_equal(names_chain_parse(&chain, "cn"), 0);
	assert_string_equal(listed(), "san:CN:svc");
	assert_int_equal(names_chain_parse(&chain, "dn"), 0);
	assert_false(names_chain_has_san(&chain));
}

static void test_owner(void **state)
{
	(void)state;
	assert_int_equal(names_chain_parse(&chain, "dns,uri"), 0);
	assert_string_equal(names_owner(&chain, &id), "CN=svc,O=x");
	id.subject = "";
	assert_string_equal(names_owner(&chain, &id), "DNS:a.example");
	id.san_count = 0;
	assert_null(names_owner(&chain, &id));
	id = (struct tls_identity){ 0 };
	assert_null(names_owner(&chain, &id));
}

static void test_bad_chains_change_nothing(void **state)
{
	static const char *const bad[] = { "",     " ",       ",",      "uri,",  ",uri",
					   "URI",  "uri dns", "uri,ip", "dn,dn", "uri,dns,uri",
					   "urix", "u",       "uri;dns" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(names_chain_parse(&chain, bad[i]), -1);
	assert_string_equal(listed(), "x509:CN=svc,O=x");
	assert_false(chain.is_required);
}

static void test_who_has_no_such_name_is_refused(void **state)
{
	(void)state;
	assert_int_equal(names_chain_parse(&chain, "email"), 0);
	assert_null(names_refusal(&chain, &id));
	id.san_count = 2;
	assert_non_null(names_refusal(&chain, &id));
	/* An empty name is none. */
	assert_int_equal(names_chain_parse(&chain, "uri"), 0);
	id.sans = sans + 5;
	id.san_count = 1;
	assert_non_null(names_refusal(&chain, &id));
	/* Without a certificate: that is for ssl.clientAuth to say. */
	id = (struct tls_identity){ 0 };
	assert_null(names_refusal(&chain, &id));
}

static void test_who_has_too_many_names_is_refused(void **state)
{
	(void)state;
	assert_int_equal(names_chain_parse(&chain, "dns,dn"), 0);
	chain.max_names = 3;
	assert_null(names_refusal(&chain, &id));
	chain.max_names = 2;
	assert_non_null(names_refusal(&chain, &id));
	chain.max_names = NAMES_MOST;
	id.has_more_sans = true;
	assert_non_null(names_refusal(&chain, &id));
	assert_int_equal(names_chain_parse(&chain, "dn"), 0);
	assert_null(names_refusal(&chain, &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_without_a_chain_it_is_the_subject, set_up),
		cmocka_unit_test_setup(test_a_chain_has_an_order, set_up),
		cmocka_unit_test_setup(test_owner, set_up),
		cmocka_unit_test_setup(test_bad_chains_change_nothing, set_up),
		cmocka_unit_test_setup(test_who_has_no_such_name_is_refused, set_up),
		cmocka_unit_test_setup(test_who_has_too_many_names_is_refused, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
