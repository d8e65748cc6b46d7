/* Hashes and random bytes by OpenSSL's EVP interface (works with a FIPS provider). Any thread. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { CRYPTO_SHA1_LEN = 20, CRYPTO_SHA256_LEN = 32, CRYPTO_HASH_LEN = 64 };

/* Those that hash passwords. */
enum crypto_hash { CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA512, CRYPTO_SHA3_256 };

/* How many bytes it put into out. */
size_t crypto_hash(enum crypto_hash hash, struct slice in, uint8_t out[CRYPTO_HASH_LEN]);
void crypto_sha256(struct slice in, uint8_t out[CRYPTO_SHA256_LEN]);
/* SHA-256 of a text that comes in parts: new, add, end; free in any case. */
struct crypto_stream;
struct crypto_stream *crypto_stream_new(void);
/* NULL is allowed. */
void crypto_stream_free(struct crypto_stream *s);
void crypto_stream_add(struct crypto_stream *s, const void *in, size_t len);
/* Nothing may be added afterwards. */
void crypto_stream_end(struct crypto_stream *s, uint8_t out[CRYPTO_SHA256_LEN]);

/* Base64 with padding (RFC 4648, 4) and a NUL; out holds 4 * ((len + 2) / 3) + 1 bytes. */
void crypto_base64(const uint8_t *in, size_t len, char *out);
/* 2 * len lower-case hex digits and a NUL. */
void crypto_hex(const uint8_t *in, size_t len, char *out);
/* 2 * len hex digits and nothing behind them, to len bytes. False where text is anything else. */
bool crypto_unhex(const char *text, uint8_t *out, size_t len);
/* From the private generator; ends the process where there is no entropy. */
void crypto_random(void *out, size_t len);

/* HMAC-SHA-256 with one key, for many messages: begin, add in parts, end. */
struct crypto_hmac;
struct crypto_hmac *crypto_hmac_new(const uint8_t *key, size_t len);
/* NULL is allowed. Wipes the key. */
void crypto_hmac_free(struct crypto_hmac *h);
void crypto_hmac_begin(struct crypto_hmac *h);
void crypto_hmac_add(struct crypto_hmac *h, const void *in, size_t len);
void crypto_hmac_end(struct crypto_hmac *h, uint8_t out[CRYPTO_SHA256_LEN]);
/* Equal? In time that does not depend on the content. */
bool crypto_equal(const void *a, const void *b, size_t len);

#endif
