/* Names of certificates, as Java prints them; what is no name of anybody. */
#include "net/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "tests/lib/certs.h"
#include "tests/lib/subjects.h"

static struct cert ca;

static int setup(void **state)
{
	struct cert_request request = { .cn = "CA", .is_ca = true };

	(void)state;
	cert_make(&ca, &request);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cert_fini(&ca);
	return 0;
}

static char *name_of(const struct subject *s)
{
	X509_NAME *name = subject_build(s);
	struct cert_request request = { .subject = name, .issuer = &ca };
	struct cert cert;
	char *text;

	assert_non_null(name);
	cert_make(&cert, &request);
	text = tls_subject_name(cert.x509);
	cert_fini(&cert);
	X509_NAME_free(name);
	return text;
}

static void test_subjects_as_java_prints_them(void **state)
{
	(void)state;
	assert_true(subject_count > 50);
	for (size_t i = 0; i < subject_count; i++) {
		char *text = name_of(&subjects[i]);

		assert_non_null(text);
		assert_string_equal(text, subjects[i].java);
		mem_free(text);
	}
}

static void test_no_common_name_is_forged(void **state)
{
	static const struct subject forged = {
		.parts = { { "2.5.4.3", V_ASN1_UTF8STRING, false, 15, "alice,O=corp,C=" } },
	};
	static const struct subject cut = {
		.parts = { { "2.5.4.3", V_ASN1_UTF8STRING, false, 9, "alice\0bob" } },
	};
	char *text;

	(void)state;
	text = name_of(&forged);
	assert_string_equal(text, "CN=alice\\,O\\=corp\\,C\\=");
	mem_free(text);
	text = name_of(&cut);
	assert_string_equal(text, "CN=alice\\00bob");
	mem_free(text);
}

/* More than anybody needs: refused, not cut, for a cut name is another one. */
static void test_too_long_subject_is_refused(void **state)
{
	char big[2000];
	X509_NAME *name = X509_NAME_new();
	struct cert_request request = { .subject = name, .issuer = &ca };
	struct tls_identity id;
	struct cert cert;

	(void)state;
	memset(big, ',', sizeof(big));
	for (int i = 0; i < 9; i++)
		assert_int_equal(X509_NAME_add_entry_by_OBJ(name, OBJ_nid2obj(NID_domainComponent),
							    V_ASN1_IA5STRING, (unsigned char *)big,
							    sizeof(big), -1, 0),
				 1);
	cert_make(&cert, &request);
	assert_null(tls_subject_name(cert.x509));
	assert_int_equal(tls_identity_read(cert.x509, &id), -1);
	assert_null(id.subject);
	assert_int_equal(id.san_count, 0);
	cert_fini(&cert);
	X509_NAME_free(name);
}

static void test_sans_and_fingerprint(void **state)
{
	struct cert_request request = {
		.cn = "svc",
		.issuer = &ca,
		.san = "DNS:a.example,URI:spiffe://d/svc,email:a@b,IP:10.0.0.7,IP:::1,"
		       "RID:1.2.3,DNS:*.example",
	};
	static const char *const expected[] = { "DNS:a.example", "URI:spiffe://d/svc",
						"EMAIL:a@b",     "IP:10.0.0.7",
						"IP:::1",        "DNS:*.example" };
	uint8_t digest[CRYPTO_SHA256_LEN];
	unsigned char *der = NULL;
	struct tls_identity id;
	struct cert cert;
	char hex[3];
	int len;

	(void)state;
	cert_make(&cert, &request);
	assert_int_equal(tls_identity_read(cert.x509, &id), 0);
	assert_string_equal(id.subject, "CN=svc");
	assert_int_equal(id.san_count, 6);
	assert_false(id.has_more_sans);
	assert_string_equal(id.cn, "CN:svc");
	for (size_t i = 0; i < id.san_count; i++)
		assert_string_equal(id.sans[i], expected[i]);
	len = i2d_X509(cert.x509, &der);
	crypto_sha256((struct slice){ (const char *)der, (size_t)len }, digest);
	OPENSSL_free(der);
	assert_int_equal(strlen(id.fingerprint), 64);
	for (size_t i = 0; i < sizeof(digest); i++) {
		snprintf(hex, sizeof(hex), "%02x", digest[i]);
		assert_memory_equal(id.fingerprint + 2 * i, hex, 2);
	}
	tls_identity_fini(&id);
	assert_null(id.subject);
	cert_fini(&cert);
}

/* "DNS:good.example" with a NUL behind it would be good.example to whoever compares C strings. */
static void test_san_with_nul_is_nobody(void **state)
{
	struct cert_request request = { .cn = "svc", .issuer = &ca };
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	struct tls_identity id;
	struct cert cert;

	(void)state;
	cert_make(&cert, &request);
	ASN1_STRING_set(text, "good.example\0.evil", 18);
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, name);
	assert_int_equal(X509_add1_ext_i2d(cert.x509, NID_subject_alt_name, names, 0, 0), 1);
	GENERAL_NAMES_free(names);
	assert_true(X509_sign(cert.x509, ca.key, EVP_sha256()) > 0);
	assert_int_equal(tls_identity_read(cert.x509, &id), 0);
	assert_int_equal(id.san_count, 0);
	tls_identity_fini(&id);
	cert_fini(&cert);
}

static void test_sans_are_bounded(void **state)
{
	char san[16 * IDENTITY_SANS_MAX] = "DNS:h0";
	struct cert_request request = { .cn = "svc", .issuer = &ca, .san = san };
	struct tls_identity id;
	struct cert cert;
	size_t len = strlen(san);

	(void)state;
	for (int i = 1; i < IDENTITY_SANS_MAX + 10; i++)
		len += (size_t)snprintf(san + len, sizeof(san) - len, ",DNS:h%d", i);
	assert_true(len < sizeof(san));
	cert_make(&cert, &request);
	assert_int_equal(tls_identity_read(cert.x509, &id), 0);
	assert_int_equal(id.san_count, IDENTITY_SANS_MAX);
	assert_true(id.has_more_sans);
	tls_identity_fini(&id);
	cert_fini(&cert);
}

static void expect_cn(const X509_NAME *subject, const char *expected)
{
	struct cert_request request = { .subject = subject, .issuer = &ca };
	struct tls_identity id;
	struct cert cert;

	cert_make(&cert, &request);
	assert_int_equal(tls_identity_read(cert.x509, &id), 0);
	if (expected)
		assert_string_equal(id.cn, expected);
	else
		assert_null(id.cn);
	tls_identity_fini(&id);
	cert_fini(&cert);
}

static void add_cn(X509_NAME *subject, int type, const char *value, int len)
{
	const ASN1_OBJECT *cn = OBJ_nid2obj(NID_commonName);
	const unsigned char *bytes = (const unsigned char *)value;

	assert_int_equal(X509_NAME_add_entry_by_OBJ(subject, cn, type, bytes, len, -1, 0), 1);
}

static void test_common_name(void **state)
{
	static const struct {
		int type;
		const char *value;
		int len;
		const char *expected;
	} cases[] = {
		{ V_ASN1_UTF8STRING, "j\xc3\xbcrgen, x", 10, "CN:j\xc3\xbcrgen, x" },
		{ V_ASN1_PRINTABLESTRING, "bob", 3, "CN:bob" },
		{ V_ASN1_UTF8STRING, "bob\0x", 5, NULL },
		{ V_ASN1_UTF8STRING, "bob\n", 4, NULL },
		{ V_ASN1_T61STRING, "bob", 3, NULL },
		{ V_ASN1_PRINTABLESTRING, "b\xc3\xbc", 3, NULL }, /* no ASCII */
	};
	X509_NAME *two = X509_NAME_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		X509_NAME *one = X509_NAME_new();

		add_cn(one, cases[i].type, cases[i].value, cases[i].len);
		expect_cn(one, cases[i].expected);
		X509_NAME_free(one);
	}
	expect_cn(two, NULL);
	add_cn(two, V_ASN1_UTF8STRING, "alice", 5);
	add_cn(two, V_ASN1_UTF8STRING, "root", 4);
	expect_cn(two, NULL);
	X509_NAME_free(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subjects_as_java_prints_them),
		cmocka_unit_test(test_no_common_name_is_forged),
		cmocka_unit_test(test_too_long_subject_is_refused),
		cmocka_unit_test(test_sans_and_fingerprint),
		cmocka_unit_test(test_san_with_nul_is_nobody),
		cmocka_unit_test(test_sans_are_bounded),
		cmocka_unit_test(test_common_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
