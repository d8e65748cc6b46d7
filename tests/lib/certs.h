/* Throw-away certificates for tests, made in memory with EC P-256 keys, written to files where a
 * file is wanted. Everything here ends the test program where it fails. */
#ifndef TESTS_LIB_CERTS_H
#define TESTS_LIB_CERTS_H

#include <stdbool.h>

#include <openssl/ssl.h>

struct cert {
	X509 *x509;
	EVP_PKEY *key;
};

struct cert_request {
	const char *cn;
	const X509_NAME *subject;  /* instead of cn */
	const struct cert *issuer; /* NULL: signs itself */
	bool is_ca;
	bool is_expired;   /* else valid for a day, from an hour ago */
	const char *san;   /* as in openssl.cnf: "DNS:a,IP:10.0.0.1"; NULL: none */
	const char *usage; /* extendedKeyUsage, as in openssl.cnf; NULL: none */
	int rsa_bits;      /* instead of an EC key; 0: EC */
};
void cert_make(struct cert *c, const struct cert_request *r);
void cert_fini(struct cert *c);

/* A directory of its own under TMPDIR, removed with what was written into it by certs_dir_remove,
 * or where the program ends without it. */
char *certs_dir_make(void);
void certs_dir_remove(char *dir);
/* Write PEM files dir/name; what they hold one after another, NULL ends it. The caller frees the
 * path. */
char *certs_write_chain(const char *dir, const char *name, const struct cert *first, ...);
/* password NULL: not encrypted. */
char *certs_write_key(const char *dir, const char *name, const struct cert *c,
		      const char *password);
/* issuer's list of revoked certificates; revoked NULL: none. */
char *certs_write_crl(const char *dir, const char *name, const struct cert *issuer,
		      const struct cert *revoked, bool is_expired);
char *certs_write_text(const char *dir, const char *name, const char *text);

/* A client's context: own (may be NULL) is shown with issuer (may be NULL) behind it; trust
 * verifies the server. */
SSL_CTX *certs_client_context(const struct cert *own, const struct cert *issuer,
			      const struct cert *trust);

#endif
