#include "tests/lib/certs.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, PATH_LEN = 512 };

/* The directories that are there, for a program that ends without a certs_dir_remove. */
struct made_dir {
	struct made_dir *next;
	pid_t owner; /* not a child that ends */
	char path[PATH_LEN];
};
static struct made_dir *made;

static void remove_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[PATH_LEN + 256];

	while (d && (entry = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static void remove_forgotten(void)
{
	for (struct made_dir *m = made; m; m = m->next) {
		if (m->owner == getpid())
			remove_files(m->path);
	}
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "certs: %s failed\n", what);
	ERR_print_errors_fp(stderr);
	remove_forgotten();
	abort();
}

static void add_extension(X509 *x509, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x509, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	need(ext && X509_add_ext(x509, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

static void set_subject(X509 *x509, const struct cert_request *r)
{
	X509_NAME *name = X509_NAME_new();

	if (r->subject) {
		need(X509_set_subject_name(x509, r->subject) == 1, "subject");
	} else {
		need(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
						(const unsigned char *)r->cn, -1, -1, 0) == 1,
		     "CN");
		need(X509_set_subject_name(x509, name) == 1, "subject");
	}
	X509_NAME_free(name);
}

void cert_make(struct cert *c, const struct cert_request *r)
{
	static long serial;
	const struct cert *issuer = r->issuer ? r->issuer : c;
	long begin_s = r->is_expired ? -2 * DAY_S : -HOUR_S;

	c->key = r->rsa_bits ? EVP_RSA_gen((unsigned)r->rsa_bits) : EVP_EC_gen("P-256");
	c->x509 = X509_new();
	need(c->key && c->x509, "key");
	X509_set_version(c->x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x509), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c->x509), begin_s);
	X509_gmtime_adj(X509_getm_notAfter(c->x509), begin_s + DAY_S);
	X509_set_pubkey(c->x509, c->key);
	set_subject(c->x509, r);
	X509_set_issuer_name(c->x509, X509_get_subject_name(issuer->x509));
	add_extension(c->x509, issuer->x509, NID_basic_constraints,
		      r->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	add_extension(c->x509, issuer->x509, NID_subject_key_identifier, "hash");
	if (r->san)
		add_extension(c->x509, issuer->x509, NID_subject_alt_name, r->san);
	if (r->usage)
		add_extension(c->x509, issuer->x509, NID_ext_key_usage, r->usage);
	need(X509_sign(c->x509, issuer->key, EVP_sha256()) > 0, "signature");
}

void cert_fini(struct cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	*c = (struct cert){ 0 };
}

char *certs_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");
	struct made_dir *m = calloc(1, sizeof(*m));
	static bool is_registered;

	need(m != NULL, "calloc");
	snprintf(m->path, sizeof(m->path), "%s/zoolite-certs-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	need(mkdtemp(m->path) != NULL, "mkdtemp");
	m->owner = getpid();
	m->next = made;
	made = m;
	if (!is_registered)
		need(atexit(remove_forgotten) == 0, "atexit");
	is_registered = true;
	return m->path;
}

void certs_dir_remove(char *dir)
{
	struct made_dir **at = &made;
	struct made_dir *m;

	while (*at && (*at)->path != dir)
		at = &(*at)->next;
	m = *at;
	need(m != NULL, "certs_dir_remove");
	*at = m->next;
	remove_files(dir);
	free(m);
}

static FILE *open_file(const char *dir, const char *name, char **path)
{
	char text[PATH_LEN];
	FILE *f;

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	f = fopen(text, "w");
	need(f != NULL, text);
	*path = strdup(text);
	return f;
}

char *certs_write_chain(const char *dir, const char *name, const struct cert *first, ...)
{
	char *path;
	FILE *f = open_file(dir, name, &path);
	va_list more;

	va_start(more, first);
	for (const struct cert *c = first; c; c = va_arg(more, const struct cert *))
		need(PEM_write_X509(f, c->x509) == 1, name);
	va_end(more);
	fclose(f);
	return path;
}

char *certs_write_key(const char *dir, const char *name, const struct cert *c, const char *password)
{
	char *path;
	FILE *f = open_file(dir, name, &path);
	const EVP_CIPHER *cipher = password ? EVP_aes_128_cbc() : NULL;

	need(PEM_write_PKCS8PrivateKey(f, c->key, cipher, password,
				       password ? (int)strlen(password) : 0, NULL, NULL) == 1,
	     name);
	fclose(f);
	return path;
}

static void add_revoked(X509_CRL *crl, const struct cert *c)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *when = X509_gmtime_adj(NULL, -HOUR_S);

	need(entry && when &&
		     X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(c->x509)) == 1 &&
		     X509_REVOKED_set_revocationDate(entry, when) == 1 &&
		     X509_CRL_add0_revoked(crl, entry) == 1,
	     "revoked");
	ASN1_TIME_free(when);
}

char *certs_write_crl(const char *dir, const char *name, const struct cert *issuer,
		      const struct cert *revoked, bool is_expired)
{
	long begin_s = is_expired ? -2 * DAY_S : -HOUR_S;
	ASN1_TIME *begin = X509_gmtime_adj(NULL, begin_s);
	ASN1_TIME *end = X509_gmtime_adj(NULL, begin_s + DAY_S);
	X509_CRL *crl = X509_CRL_new();
	char *path;
	FILE *f = open_file(dir, name, &path);

	need(crl && begin && end && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
		     X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509)) == 1 &&
		     X509_CRL_set1_lastUpdate(crl, begin) == 1 &&
		     X509_CRL_set1_nextUpdate(crl, end) == 1,
	     "CRL");
	if (revoked)
		add_revoked(crl, revoked);
	need(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0 && PEM_write_X509_CRL(f, crl) == 1,
	     name);
	ASN1_TIME_free(begin);
	ASN1_TIME_free(end);
	X509_CRL_free(crl);
	fclose(f);
	return path;
}

char *certs_write_text(const char *dir, const char *name, const char *text)
{
	char *path;
	FILE *f = open_file(dir, name, &path);

	fputs(text, f);
	fclose(f);
	return path;
}

SSL_CTX *certs_client_context(const struct cert *own, const struct cert *issuer,
			      const struct cert *trust)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	need(ctx != NULL, "client context");
	/* A client may show what no server should take. */
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	need(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), trust->x509) == 1, "trust");
	if (!own)
		return ctx;
	need(SSL_CTX_use_certificate(ctx, own->x509) == 1 &&
		     SSL_CTX_use_PrivateKey(ctx, own->key) == 1,
	     "own");
	if (issuer)
		need(SSL_CTX_add1_chain_cert(ctx, issuer->x509) == 1, "chain");
	return ctx;
}
