/* Which cipher suites a server offers, by their standard names. Any thread. */
#ifndef NET_CIPHERS_H
#define NET_CIPHERS_H

#include <openssl/ssl.h>

#include "base/cdefs.h"

enum { CIPHERS_REASON_LEN = 256 };

/* names: with commas, as RFCs and Java have them ("TLS_AES_128_GCM_SHA256,
 * TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"). Those of TLS 1.3 and those of 1.2 count for their own
 * version; one of which there is none is not offered any more. -1 with a reason: there is no such
 * suite, or the security level forbids it. */
must_check int ciphers_set(SSL_CTX *ssl, const char *names, char reason[CIPHERS_REASON_LEN]);

#endif
