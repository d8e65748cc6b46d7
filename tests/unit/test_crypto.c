#include "base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* FIPS 180-4 examples. */
static void test_sha1(void **state)
{
	static const uint8_t abc[CRYPTO_SHA1_LEN] = {
		0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
		0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d,
	};
	static const uint8_t empty[CRYPTO_SHA1_LEN] = {
		0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b, 0x0d, 0x32, 0x55,
		0xbf, 0xef, 0x95, 0x60, 0x18, 0x90, 0xaf, 0xd8, 0x07, 0x09,
	};
	uint8_t out[CRYPTO_HASH_LEN];

	(void)state;
	assert_int_equal(crypto_hash(CRYPTO_SHA1, slice_of("abc"), out), sizeof(abc));
	assert_memory_equal(out, abc, sizeof(abc));
	assert_int_equal(crypto_hash(CRYPTO_SHA1, (struct slice){ NULL, 0 }, out), sizeof(empty));
	assert_memory_equal(out, empty, sizeof(empty));
}

static void test_sha256(void **state)
{
	static const uint8_t abc[CRYPTO_SHA256_LEN] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
		0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
	};
	uint8_t out[CRYPTO_SHA256_LEN];

	(void)state;
	crypto_sha256(slice_of("abc"), out);
	assert_memory_equal(out, abc, sizeof(abc));
}

/* RFC 4648, section 10, and both digits that are no letters. */
static void test_base64(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xbf", "+/+/" },
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		crypto_base64((const uint8_t *)cases[i].in, strlen(cases[i].in), out);
		assert_string_equal(out, cases[i].out);
	}
}

static void test_random(void **state)
{
	uint8_t a[33] = { 0 };
	uint8_t b[33] = { 0 };

	(void)state;
	/* The last byte stays: no more is written than was asked for. */
	crypto_random(a, 32);
	crypto_random(b, 32);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(a[32], 0);
	crypto_random(a, 0);
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(crypto_equal("abcd", "abcd", 4));
	assert_false(crypto_equal("abcd", "abce", 4));
	assert_false(crypto_equal("xbcd", "abcd", 4));
	assert_true(crypto_equal("abcd", "abce", 3));
	assert_true(crypto_equal("a", "b", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha1),   cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_base64), cmocka_unit_test(test_random),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
