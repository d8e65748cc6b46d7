/* Who a peer is, by the certificate it showed: names in the form that ACLs and rules hold, exactly
 * as Java prints them, for ids of ZooKeeper's x509 scheme were written by Java. Pure functions, any
 * thread. */
#ifndef NET_IDENTITY_H
#define NET_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cdefs.h"

struct x509_st;      /* OpenSSL's X509 */
struct X509_name_st; /* and X509_NAME */

enum {
	IDENTITY_SUBJECT_MAX = 16 * 1024, /* a longer one is refused */
	IDENTITY_SANS_MAX = 64,           /* more are passed over, and noted */
};

/* By a verified certificate. All strings owned, freed by tls_identity_fini. */
struct tls_identity {
	char *subject; /* as Java's X500Principal.getName() prints it; NULL: no certificate */
	char **sans;   /* "DNS:host", "URI:spiffe://…", "EMAIL:…", "IP:…" */
	size_t san_count;
	bool has_more_sans; /* than IDENTITY_SANS_MAX */
	char *cn; /* "CN:…": the one common name of the subject; NULL: it has none, or several */
	char fingerprint[65]; /* SHA-256 of the DER, lower-case hex; "" where there is none */
};

/* -1 where the certificate cannot be read, is too big, or memory is out; *out is empty then. */
must_check int tls_identity_read(struct x509_st *cert, struct tls_identity *out);
void tls_identity_fini(struct tls_identity *id);

/* The subject alone, for the log; NULL as above. The caller frees it (mem_free). */
must_check char *tls_subject_name(struct x509_st *cert);
must_check char *tls_name_text(const struct X509_name_st *name);

#endif
