/* Hashes and random bytes by OpenSSL's EVP interface (works with a FIPS provider). Any thread. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { CRYPTO_SHA1_LEN = 20, CRYPTO_SHA256_LEN = 32 };

void crypto_sha1(struct slice in, uint8_t out[CRYPTO_SHA1_LEN]);
void crypto_sha256(struct slice in, uint8_t out[CRYPTO_SHA256_LEN]);
/* Base64 with padding (RFC 4648, 4) and a NUL; out holds 4 * ((len + 2) / 3) + 1 bytes. */
void crypto_base64(const uint8_t *in, size_t len, char *out);
/* From the private generator; ends the process where there is no entropy. */
void crypto_random(void *out, size_t len);
/* Equal? In time that does not depend on the content. */
bool crypto_equal(const void *a, const void *b, size_t len);

#endif
