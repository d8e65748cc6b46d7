/* Hashes and random bytes over OpenSSL. None of these calls fails in a sound process, so a
 * failure ends it: a password compared with a hash that was never computed would be worse. */
#include "base/crypto.h"

#include <assert.h>
#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"

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

void crypto_hex(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

bool crypto_unhex(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]);
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * len] == '\0';
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

struct crypto_stream {
	EVP_MD_CTX *ctx;
};

static void must_hash(bool done)
{
	if (!done)
		die("crypto.hash", "OpenSSL computes no SHA-256");
}

struct crypto_stream *crypto_stream_new(void)
{
	struct crypto_stream *s = mem_new(sizeof(*s));

	s->ctx = EVP_MD_CTX_new();
	must_hash(s->ctx != NULL && EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) == 1);
	return s;
}

void crypto_stream_free(struct crypto_stream *s)
{
	if (s == NULL)
		return;
	EVP_MD_CTX_free(s->ctx);
	mem_free(s);
}

void crypto_stream_add(struct crypto_stream *s, const void *in, size_t len)
{
	must_hash(EVP_DigestUpdate(s->ctx, in, len) == 1);
}

void crypto_stream_end(struct crypto_stream *s, uint8_t out[CRYPTO_SHA256_LEN])
{
	must_hash(EVP_DigestFinal_ex(s->ctx, out, NULL) == 1);
}

struct crypto_hmac {
	EVP_MAC_CTX *ctx;
};

static void must_mac(bool done)
{
	if (!done)
		die("crypto.hmac", "OpenSSL computes no HMAC");
}

struct crypto_hmac *crypto_hmac_new(const uint8_t *key, size_t len)
{
	char name[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	struct crypto_hmac *h = mem_new(sizeof(*h));
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	must_mac(mac != NULL);
	h->ctx = EVP_MAC_CTX_new(mac);
	must_mac(h->ctx != NULL && EVP_MAC_init(h->ctx, key, len, params) == 1);
	EVP_MAC_free(mac);
	return h;
}

void crypto_hmac_free(struct crypto_hmac *h)
{
	if (h == NULL)
		return;
	EVP_MAC_CTX_free(h->ctx);
	mem_free(h);
}

void crypto_hmac_begin(struct crypto_hmac *h)
{
	/* Without a key: the one it has. */
	must_mac(EVP_MAC_init(h->ctx, NULL, 0, NULL) == 1);
}

void crypto_hmac_add(struct crypto_hmac *h, const void *in, size_t len)
{
	must_mac(EVP_MAC_update(h->ctx, in, len) == 1);
}

void crypto_hmac_end(struct crypto_hmac *h, uint8_t out[CRYPTO_SHA256_LEN])
{
	size_t len = 0;

	must_mac(EVP_MAC_final(h->ctx, out, &len, CRYPTO_SHA256_LEN) == 1 &&
		 len == CRYPTO_SHA256_LEN);
}
