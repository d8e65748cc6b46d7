/* A chain of certificates, looked at after the handshake: until when it holds, and whether it would
 * hold today, by another store. Any thread. */
#ifndef NET_CHAIN_H
#define NET_CHAIN_H

#include <stdint.h>

#include <openssl/ssl.h>

#include "base/cdefs.h"

enum { CHAIN_REASON_LEN = 256 };

/* Seconds of the wall clock. A time that cannot be read is long ago. */
int64_t chain_seconds(const ASN1_TIME *at);
/* When the first of them runs out; INT64_MAX where there is none. */
int64_t chain_valid_until_s(STACK_OF(X509) * chain);

/* Verify a client's certificate anew, as a handshake by this context would, with others to build
 * the chain of. It is not held against it that no CRL of today tells of it, for it was let in when
 * one did. -1 with a reason, else *valid_until_s is that of the chain found. */
must_check int chain_verify(SSL_CTX *by, X509 *leaf, STACK_OF(X509) * others,
			    int64_t *valid_until_s, char reason[CHAIN_REASON_LEN]);
/* "certificate revoked (CN=alice, at its issuer CN=Inner CA)"; the names may be NULL, the second
 * one where the fault is the peer's own. */
void chain_explain(int error, const char *offered, const char *issuer,
		   char reason[CHAIN_REASON_LEN]);

#endif
