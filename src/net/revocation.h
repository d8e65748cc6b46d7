/* Lists of revoked certificates (CRLs): from a file or a directory into a store, and what their
 * lack means while a chain is verified. */
#ifndef NET_REVOCATION_H
#define NET_REVOCATION_H

#include <stdbool.h>

#include <openssl/x509_vfy.h>

#include "base/cdefs.h"

enum { REVOCATION_REASON_LEN = 256 };

/* Add the CRLs of a PEM file, or of each file of a directory whose name does not begin with a dot
 * (a link to a file is one; directories in it are passed over), and have every certificate of a
 * chain checked by them. Each file must hold a CRL, and each CRL whose issuer is in the store must
 * be signed by it. -1 with a reason that names the file. */
must_check int revocation_load(X509_STORE *store, X509_VERIFY_PARAM *param, const char *path,
			       char reason[REVOCATION_REASON_LEN]);

/* Of each CA the newest CRL; the caller's with all that is in it. */
STACK_OF(X509_CRL) * revocation_newest(X509_STORE *store);

/* Whether an error of verification says that we do not know: no CRL, or none of today. */
bool revocation_is_unknown(int error);
/* In a callback of verification that was called with such an error: whether it is the trusted
 * certificate at the chain's end that no CRL tells of. Whoever trusts it no longer takes it from
 * the store. */
bool revocation_is_of_anchor(X509_STORE_CTX *verifying);

#endif
