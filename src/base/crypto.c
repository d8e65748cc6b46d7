/* Hashes and random bytes over OpenSSL. None of these calls fails in a sound process, so a
 * failure ends it: a password compared with a hash that was never computed would be worse. */
#include "base/crypto.h"

#include <assert.h>
#include <limits.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/log.h"

static void digest(const EVP_MD *type, struct slice in, uint8_t *out)
{
	if (EVP_Digest(in.data, in.len, out, NULL, type, NULL) != 1)
		die("crypto.digest", "OpenSSL computes no digest");
}

void crypto_sha1(struct slice in, uint8_t out[CRYPTO_SHA1_LEN])
{
	digest(EVP_sha1(), in, out);
}

void crypto_sha256(struct slice in, uint8_t out[CRYPTO_SHA256_LEN])
{
	digest(EVP_sha256(), in, out);
}

void crypto_base64(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t group = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			group |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			group |= in[i + 2];
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = i + 1 < len ? digits[group >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[group & 63] : '=';
	}
	*out = '\0';
}

void crypto_random(void *out, size_t len)
{
	assert(len <= INT_MAX);
	if (RAND_priv_bytes(out, (int)len) != 1)
		die("crypto.random", "OpenSSL has no random bytes");
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
