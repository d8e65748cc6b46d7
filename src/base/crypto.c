/* Hashes and random bytes over OpenSSL. None of these calls fails in a sound process, so a
 * failure ends it: a password compared with a hash that was never computed would be worse. */
#include "base/crypto.h"

#include <assert.h>
#include <limits.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/log.h"

static size_t digest(const EVP_MD *type, struct slice in, uint8_t *out)
{
	unsigned len = 0;

	if (EVP_Digest(in.data, in.len, out, &len, type, NULL) != 1)
		die("crypto.digest", "OpenSSL computes no digest");
	return len;
}

size_t crypto_hash(enum crypto_hash hash, struct slice in, uint8_t out[CRYPTO_HASH_LEN])
{
	const EVP_MD *type = NULL;

	switch (hash) {
	case CRYPTO_SHA1:
		type = EVP_sha1();
		break;
	case CRYPTO_SHA256:
		type = EVP_sha256();
		break;
	case CRYPTO_SHA512:
		type = EVP_sha512();
		break;
	case CRYPTO_SHA3_256:
		type = EVP_sha3_256();
		break;
	}
	return digest(type, in, out);
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
