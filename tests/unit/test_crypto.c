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

/* RFC 4231, 4.3 and 4.7, one after the other with keys of their own; and in parts. */
static void test_hmac(void **state)
{
	static const uint8_t expected[CRYPTO_SHA256_LEN] = {
		0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
		0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
		0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
	};
	static const uint8_t of_long_key[CRYPTO_SHA256_LEN] = {
		0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26,
		0xaa, 0xcb, 0xf5, 0xb7, 0x7f, 0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28,
		0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54,
	};
	static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	struct crypto_hmac *h = crypto_hmac_new((const uint8_t *)"Jefe", 4);
	uint8_t out[CRYPTO_SHA256_LEN], key[131];

	(void)state;
	for (int i = 0; i < 2; i++) {
		crypto_hmac_begin(h);
		crypto_hmac_add(h, "what do ya want ", 16);
		crypto_hmac_add(h, "for nothing?", 12);
		crypto_hmac_end(h, out);
		assert_memory_equal(out, expected, sizeof(out));
	}
	crypto_hmac_free(h);
	memset(key, 0xaa, sizeof(key));
	h = crypto_hmac_new(key, sizeof(key));
	crypto_hmac_begin(h);
	crypto_hmac_add(h, text, sizeof(text) - 1);
	crypto_hmac_end(h, out);
	assert_memory_equal(out, of_long_key, sizeof(out));
	crypto_hmac_free(h);
}

static void test_unhex(void **state)
{
	uint8_t out[2];

	(void)state;
	assert_true(crypto_unhex("0aFf", out, sizeof(out)));
	assert_int_equal(out[0], 0x0a);
	assert_int_equal(out[1], 0xff);
	assert_false(crypto_unhex("0aF", out, sizeof(out)));
	assert_false(crypto_unhex("0aFf0", out, sizeof(out)));
	assert_false(crypto_unhex("0aFg", out, sizeof(out)));
	assert_false(crypto_unhex("", out, sizeof(out)));
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

static void test_stream(void **state)
{
	uint8_t whole[CRYPTO_SHA256_LEN], parts[CRYPTO_SHA256_LEN];
	struct crypto_stream *s = crypto_stream_new();
	char hex[2 * CRYPTO_SHA256_LEN + 1];

	(void)state;
	crypto_sha256(slice_of("abc"), whole);
	crypto_stream_add(s, "a", 1);
	crypto_stream_add(s, "", 0);
	crypto_stream_add(s, "bc", 2);
	crypto_stream_end(s, parts);
	crypto_stream_free(s);
	crypto_stream_free(NULL);
	assert_memory_equal(whole, parts, sizeof(whole));
	crypto_hex(parts, sizeof(parts), hex);
	/* FIPS 180-2, B.1 */
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
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
		cmocka_unit_test(test_hmac),   cmocka_unit_test(test_unhex),
		cmocka_unit_test(test_base64), cmocka_unit_test(test_random),
		cmocka_unit_test(test_equal),  cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
