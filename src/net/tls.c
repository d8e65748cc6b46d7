/* OpenSSL behind five results. Every call clears the thread's error queue first, for SSL_get_error
 * looks at it, and turns what is in it afterwards into one line for the log; nothing of it is left
 * to the next connection.
 *
 * A context is never changed once it is built, so threads share it without a lock; a connection is
 * used by one thread at a time. */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "net/chain.h"
#include "net/cork.h"
#include "net/ciphers.h"
#include "net/revocation.h"

enum {
	NAME_SHOWN = 96, /* two of them and some words make a reason */
	DAY_LEN = 32,
	LEAST_SECURITY_LEVEL = 2,         /* no RSA below 2048 bits, no SHA-1 */
	MAX_HELD_BYTES = 4 * 1024 * 1024, /* far above what one turn writes */
	ALERT_REASONS =
		SSL_AD_REASON_OFFSET, /* reasons from here on are alerts that the peer sent */
};

_Static_assert((int)TLS_REASON_LEN == (int)CHAIN_REASON_LEN, "one is filled in as the other");

#define NO_LIBRARY "the TLS library does not start: %s"

struct tls_context {
	SSL_CTX *ssl;
	bool may_lack_crl;
	atomic_uint refs;
};

struct tls {
	SSL *ssl;
	struct cork cork;
	bool shaken;  /* the handshake is done */
	bool is_over; /* a call failed: OpenSSL must not be asked for more, not even close_notify */
	bool is_write_over; /* nobody takes what we write; the peer's bytes may still be read */
	/* What verification found first, for the log. */
	int verify_error;
	int verify_depth;
	char *verify_issuer; /* the certificate at fault where it is not the peer's own */
	char *offered;       /* subject of the certificate the peer offered */
	bool may_lack_crl;
	int doubt; /* first error of verification that was passed over, or X509_V_OK */
	char reason[TLS_REASON_LEN];
};

static void printf_like(2, 3) set_reason(char reason[TLS_REASON_LEN], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, TLS_REASON_LEN, format, args);
	va_end(args);
}

/* The oldest error is the cause, the later ones say what it stopped. */
static const char *first_error(void)
{
	unsigned long code = ERR_peek_error();
	const char *text = ERR_reason_error_string(code);

	if (text)
		return text;
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	return "unknown error of the TLS library";
}

/* The context. */

static int give_password(char *to, int cap, int for_writing, void *user)
{
	const char *password = user;
	size_t len = password ? strlen(password) : 0;

	/* Without this function OpenSSL would ask on the terminal. */
	(void)for_writing;
	if (!password || cap < 0 || len > (size_t)cap)
		return -1;
	memcpy(to, password, len);
	return (int)len;
}

static struct tls *tls_of_ssl(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* For the log. */
static void note_failure(struct tls *t, X509_STORE_CTX *store)
{
	X509 *offered = X509_STORE_CTX_get0_cert(store);
	X509 *faulty = X509_STORE_CTX_get_current_cert(store);

	if (t->verify_error != X509_V_OK)
		return;
	t->verify_error = X509_STORE_CTX_get_error(store);
	t->verify_depth = X509_STORE_CTX_get_error_depth(store);
	if (offered)
		t->offered = tls_subject_name(offered);
	if (faulty && t->verify_depth > 0)
		t->verify_issuer = tls_subject_name(faulty);
	if (t->verify_error == X509_V_ERR_CERT_REVOKED)
		metrics_add(METRIC_connections_revoked, 1);
}

/* The verdict is returned as it came, but where nothing is known about revocation and that is no
 * reason. */
static int judge_verification(int verdict, X509_STORE_CTX *store)
{
	struct tls *t =
		tls_of_ssl(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
	int error = X509_STORE_CTX_get_error(store);
	bool is_of_anchor;

	if (verdict == 1)
		return verdict;
	is_of_anchor = revocation_is_of_anchor(store);
	if (is_of_anchor || (t->may_lack_crl && revocation_is_unknown(error))) {
		if (!is_of_anchor && t->doubt == X509_V_OK)
			t->doubt = error;
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	note_failure(t, store);
	return verdict;
}

/* A key was read, and it is another one than the certificate's. */
static bool is_mismatch(void)
{
	unsigned long code = ERR_peek_error();
	int why = ERR_GET_REASON(code);

	return ERR_GET_LIB(code) == ERR_LIB_X509 &&
	       (why == X509_R_KEY_VALUES_MISMATCH || why == X509_R_KEY_TYPE_MISMATCH);
}

/* The end of a long file name: what is behind it must not be pushed out. */
static const char *shown(const char *file)
{
	size_t len = strlen(file);

	return len > NAME_SHOWN ? file + len - NAME_SHOWN : file;
}

static int printf_like(3, 4)
	fail(struct tls_fault *fault, enum tls_part part, const char *format, ...)
{
	va_list args;

	fault->part = part;
	va_start(args, format);
	vsnprintf(fault->reason, sizeof(fault->reason), format, args);
	va_end(args);
	return -1;
}

/* To open a pipe may take for ever. What else cannot be read has a reason of its own. */
static int check_file(const char *file, struct tls_fault *fault, enum tls_part part)
{
	struct stat st;

	if (stat(file, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;
	return fail(fault, part, "%s: that is no file", shown(file));
}

static int load_identity(SSL_CTX *ssl, const struct tls_options *o, struct tls_fault *fault)
{
	const char *key_file = o->key_file ? o->key_file : o->cert_file;

	if (!o->cert_file) {
		return fail(fault, TLS_PART_CERT, "no certificate of the server is configured");
	}
	if (check_file(o->cert_file, fault, TLS_PART_CERT) != 0 ||
	    check_file(key_file, fault, TLS_PART_KEY) != 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ssl, o->cert_file) != 1) {
		return fail(fault, TLS_PART_CERT, "%s: no usable certificate: %s",
			    shown(o->cert_file), first_error());
	}
	SSL_CTX_set_default_passwd_cb(ssl, give_password);
	SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)(uintptr_t)o->key_password);
	if (SSL_CTX_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1 && !is_mismatch()) {
		return fail(fault, TLS_PART_KEY, "%s: no usable private key%s: %s", shown(key_file),
			    o->key_password ? " (or the password is wrong)" : "", first_error());
	}
	/* The password is borrowed for this call only. */
	SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
	if (SSL_CTX_check_private_key(ssl) != 1) {
		return fail(fault, TLS_PART_KEY,
			    "%s: the key does not belong to the certificate in %s", shown(key_file),
			    shown(o->cert_file));
	}
	return 0;
}

/* OpenSSL takes a certificate's extensions apart when it first needs them. That is done before
 * threads share it: several of them would meet at the first handshakes. */
static void take_apart(X509_STORE *store)
{
	STACK_OF(X509) *certs = X509_STORE_get1_all_certs(store);

	for (int i = 0; i < sk_X509_num(certs); i++)
		(void)X509_check_purpose(sk_X509_value(certs, i), -1, 0);
	sk_X509_pop_free(certs, X509_free);
}

/* The file is read where it is named, though nobody may be asked for a certificate. */
static int read_trust(SSL_CTX *ssl, const char *file, struct tls_fault *fault)
{
	STACK_OF(X509_NAME) * names;

	if (check_file(file, fault, TLS_PART_TRUST) != 0)
		return -1;
	names = SSL_load_client_CA_file(file);
	if (!names || SSL_CTX_load_verify_file(ssl, file) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return fail(fault, TLS_PART_TRUST, "%s: no usable CA certificate: %s", shown(file),
			    first_error());
	}
	SSL_CTX_set_client_CA_list(ssl, names); /* takes it */
	take_apart(SSL_CTX_get_cert_store(ssl));
	return 0;
}

static int read_crls(SSL_CTX *ssl, const char *file, struct tls_fault *fault)
{
	char reason[REVOCATION_REASON_LEN];

	if (revocation_load(SSL_CTX_get_cert_store(ssl), SSL_CTX_get0_param(ssl), file, reason) ==
	    0)
		return 0;
	return fail(fault, TLS_PART_CRL, "%s", reason);
}

static int load_trust(SSL_CTX *ssl, const struct tls_options *o, struct tls_fault *fault)
{
	int mode = SSL_VERIFY_PEER;

	if (o->trust_file && read_trust(ssl, o->trust_file, fault) != 0)
		return -1;
	if (o->crl_file && read_crls(ssl, o->crl_file, fault) != 0)
		return -1;
	if (o->client_auth == TLS_CLIENT_AUTH_NONE) {
		SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	if (!o->trust_file)
		return fail(fault, TLS_PART_TRUST,
			    "client certificates are asked for, but no file of trusted CAs is set");
	/* As in Java, a trusted certificate ends the chain, a root or not. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
	if (o->client_auth == TLS_CLIENT_AUTH_NEED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl, mode, judge_verification);
	return 0;
}

static int set_protocol(SSL_CTX *ssl, const struct tls_options *o, struct tls_fault *fault)
{
	static const unsigned char session_context[] = "zoolite";
	uint64_t options = SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			   SSL_OP_IGNORE_UNEXPECTED_EOF;
	long mode = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		    SSL_MODE_RELEASE_BUFFERS;

	if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) != 1) {
		return fail(fault, TLS_PART_LIBRARY, "TLS 1.2 and 1.3 are not to be had: %s",
			    first_error());
	}
	if (o->no_tls_1_2)
		options |= SSL_OP_NO_TLSv1_2;
	if (o->no_tls_1_3)
		options |= SSL_OP_NO_TLSv1_3;
	/* No resumption: it would carry an old verdict on a certificate past a revocation. */
	SSL_CTX_set_options(ssl, options);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ssl, session_context, sizeof(session_context) - 1);
	SSL_CTX_set_mode(ssl, mode);
	/* Else one SSL_read works off key updates for as long as the peer sends them. */
	SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
	if (SSL_CTX_get_security_level(ssl) < LEAST_SECURITY_LEVEL)
		SSL_CTX_set_security_level(ssl, LEAST_SECURITY_LEVEL);
	return 0;
}

/* Of TLS 1.2: with forward secrecy and authenticated encryption, as all of TLS 1.3 are. */
static const char own_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static int set_ciphers(SSL_CTX *ssl, const struct tls_options *o, struct tls_fault *fault)
{
	char reason[CIPHERS_REASON_LEN];

	if (!o->ciphers && SSL_CTX_set_cipher_list(ssl, own_ciphers) != 1)
		return fail(fault, TLS_PART_LIBRARY, "the usual suites are not to be had: %s",
			    first_error());
	if (!o->ciphers || ciphers_set(ssl, o->ciphers, reason) == 0)
		return 0;
	return fail(fault, TLS_PART_CIPHERS, "%s", reason);
}

struct tls_context *tls_context_new(const struct tls_options *o, struct tls_fault *fault)
{
	struct tls_context *c = mem_new(sizeof(*c));

	atomic_init(&c->refs, 1);
	c->may_lack_crl = o->may_lack_crl;
	ERR_clear_error();
	c->ssl = SSL_CTX_new(TLS_server_method());
	if (!c->ssl) {
		(void)fail(fault, TLS_PART_LIBRARY, NO_LIBRARY, first_error());
		goto failed;
	}
	if (set_protocol(c->ssl, o, fault) != 0 || set_ciphers(c->ssl, o, fault) != 0 ||
	    load_identity(c->ssl, o, fault) != 0 || load_trust(c->ssl, o, fault) != 0)
		goto failed;
	return c;
failed:
	ERR_clear_error();
	tls_context_unref(c);
	return NULL;
}

int tls_check_trust(const char *file, const char *crl_file, struct tls_fault *fault)
{
	SSL_CTX *ssl;
	int rc;

	ERR_clear_error();
	ssl = SSL_CTX_new(TLS_server_method());
	if (ssl)
		rc = read_trust(ssl, file, fault);
	else
		rc = fail(fault, TLS_PART_LIBRARY, NO_LIBRARY, first_error());
	if (rc == 0 && crl_file)
		rc = read_crls(ssl, crl_file, fault);
	SSL_CTX_free(ssl);
	ERR_clear_error();
	return rc;
}

static void write_day(const ASN1_TIME *at, char day[DAY_LEN])
{
	struct tm tm;

	if (ASN1_TIME_to_tm(at, &tm) != 1 || strftime(day, DAY_LEN, "%Y-%m-%d", &tm) == 0)
		snprintf(day, DAY_LEN, "an unreadable day");
}

bool tls_context_is_out_of_date(const struct tls_context *c, char reason[TLS_REASON_LEN])
{
	const X509 *cert = SSL_CTX_get0_certificate(c->ssl);
	char day[DAY_LEN];

	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
		write_day(X509_get0_notAfter(cert), day);
		set_reason(reason, "the certificate has expired on %s", day);
		return true;
	}
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
		write_day(X509_get0_notBefore(cert), day);
		set_reason(reason, "the certificate is not valid before %s", day);
		return true;
	}
	return false;
}

struct listing {
	void (*each)(void *ctx, const struct tls_validity *v);
	void *ctx;
};

static void list_name(const struct listing *l, enum tls_part part, char *name,
		      const ASN1_TIME *from, const ASN1_TIME *until)
{
	const struct tls_validity v = { .part = part,
					.name = name ? name : "unreadable name",
					.from_s = chain_seconds(from),
					.until_s = chain_seconds(until) };

	l->each(l->ctx, &v);
	mem_free(name);
}

static void list_certs(const struct listing *l, enum tls_part part, STACK_OF(X509) * certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *cert = sk_X509_value(certs, i);

		list_name(l, part, tls_subject_name(cert), X509_get0_notBefore(cert),
			  X509_get0_notAfter(cert));
	}
}

static void list_crls(const struct listing *l, X509_STORE *store)
{
	STACK_OF(X509_CRL) *crls = revocation_newest(store);

	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		const X509_CRL *crl = sk_X509_CRL_value(crls, i);

		if (X509_CRL_get0_nextUpdate(crl))
			list_name(l, TLS_PART_CRL, tls_name_text(X509_CRL_get_issuer(crl)),
				  X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_nextUpdate(crl));
	}
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
}

void tls_context_foreach_validity(const struct tls_context *c,
				  void (*each)(void *ctx, const struct tls_validity *v), void *ctx)
{
	const struct listing l = { each, ctx };
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
	STACK_OF(X509) *certs = sk_X509_new_null();

	ERR_clear_error();
	if (certs && sk_X509_push(certs, SSL_CTX_get0_certificate(c->ssl)) > 0)
		list_certs(&l, TLS_PART_CERT, certs);
	sk_X509_free(certs);
	certs = NULL;
	if (SSL_CTX_get0_chain_certs(c->ssl, &certs) == 1)
		list_certs(&l, TLS_PART_CERT, certs);
	certs = X509_STORE_get1_all_certs(store);
	list_certs(&l, TLS_PART_TRUST, certs);
	sk_X509_pop_free(certs, X509_free);
	list_crls(&l, store);
	ERR_clear_error();
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void tls_context_unref(struct tls_context *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(c->ssl);
	mem_free(c);
}

/* Connections. */

/* Reads go to the socket, writes through the cork. */
static bool set_ways(struct tls *t, int fd)
{
	BIO *out;

	if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1)
		return false;
	out = cork_bio_new(&t->cork);
	if (!out)
		return false;
	SSL_set0_wbio(t->ssl, out);
	return true;
}

struct tls *tls_new(struct tls_context *c, int fd)
{
	struct tls *t = mem_try(sizeof(*t));

	if (!t)
		return NULL;
	cork_init(&t->cork, fd, MAX_HELD_BYTES);
	ERR_clear_error();
	t->verify_error = X509_V_OK;
	t->doubt = X509_V_OK;
	t->may_lack_crl = c->may_lack_crl;
	t->ssl = SSL_new(c->ssl); /* holds the context itself */
	if (!set_ways(t, fd)) {
		ERR_clear_error();
		t->is_over = true;
		tls_free(t);
		return NULL;
	}
	SSL_set_app_data(t->ssl, t);
	SSL_set_accept_state(t->ssl);
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	ERR_clear_error();
	if (t->ssl && t->shaken && !t->is_over && !t->is_write_over)
		SSL_shutdown(t->ssl); /* once, without waiting for the answer */
	ERR_clear_error();
	SSL_free(t->ssl);
	cork_fini(&t->cork);
	mem_free(t->verify_issuer);
	mem_free(t->offered);
	mem_free(t);
}

static const char *versions_offered(const SSL *ssl)
{
	uint64_t options = SSL_get_options(ssl);

	if (options & SSL_OP_NO_TLSv1_2)
		return "TLSv1.3";
	return options & SSL_OP_NO_TLSv1_3 ? "TLSv1.2" : "TLSv1.2, TLSv1.3";
}

/* What the library put into its queue, for somebody who reads the log. */
static void explain_error(struct tls *t)
{
	unsigned long code = ERR_peek_error();
	int why = ERR_GET_REASON(code);

	if (t->verify_error != X509_V_OK) {
		chain_explain(t->verify_error, t->offered, t->verify_issuer, t->reason);
		return;
	}
	if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
		set_reason(t->reason, "%s", first_error());
		return;
	}
	switch (why) {
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		set_reason(t->reason, "not a TLS peer (http request)");
		break;
	case SSL_R_WRONG_VERSION_NUMBER:
		/* After the handshake it is a broken record, before it no TLS at all. */
		set_reason(t->reason,
			   t->shaken ? "wrong version number" : "not a TLS peer (plain text)");
		break;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		set_reason(t->reason, "no certificate");
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
		set_reason(t->reason, "no TLS version in common (offered here: %s)",
			   versions_offered(t->ssl));
		break;
	case SSL_R_NO_SHARED_CIPHER:
		set_reason(t->reason, "no cipher in common");
		break;
	default:
		set_reason(t->reason, why >= ALERT_REASONS ? "refused by the peer: %s" : "%s",
			   first_error());
		break;
	}
}

/* What a call that returned rc means. */
static enum tls_rc result(struct tls *t, int rc)
{
	int saved_errno = errno;

	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_NONE:
		return TLS_OK;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		set_reason(t->reason, "closed by the peer");
		return TLS_EOF;
	case SSL_ERROR_SYSCALL:
		/* That is no peer's doing, who would wait for an answer that cannot come. */
		if (t->cork.is_out_of_memory) {
			set_reason(t->reason, "no memory for what is sent");
			t->is_over = true;
			ERR_clear_error();
			return TLS_FAIL;
		}
		set_reason(t->reason, "%s",
			   saved_errno ? strerror(saved_errno) : "closed by the peer");
		t->is_write_over = true;
		ERR_clear_error();
		return TLS_EOF;
	default:
		explain_error(t);
		t->is_over = true;
		ERR_clear_error();
		return TLS_FAIL;
	}
}

static enum tls_rc is_over(struct tls *t)
{
	if (t->reason[0] == '\0')
		set_reason(t->reason, "connection is over");
	return TLS_FAIL;
}

enum tls_rc tls_handshake(struct tls *t)
{
	enum tls_rc rc;

	if (t->is_over)
		return is_over(t);
	ERR_clear_error();
	errno = 0;
	rc = result(t, SSL_do_handshake(t->ssl));
	if (rc == TLS_OK)
		t->shaken = true;
	return rc;
}

bool tls_has_begun(const struct tls *t)
{
	return SSL_get_state(t->ssl) != TLS_ST_BEFORE || BIO_number_read(SSL_get_rbio(t->ssl)) > 0;
}

enum tls_rc tls_read(struct tls *t, void *dst, size_t cap, size_t *got)
{
	*got = 0;
	if (t->is_over)
		return is_over(t);
	ERR_clear_error();
	errno = 0;
	return result(t, SSL_read_ex(t->ssl, dst, cap, got));
}

enum tls_rc tls_write(struct tls *t, const void *src, size_t len, size_t *put)
{
	*put = 0;
	if (t->is_over)
		return is_over(t);
	if (t->is_write_over)
		return TLS_EOF;
	ERR_clear_error();
	errno = 0;
	return result(t, SSL_write_ex(t->ssl, src, len, put));
}

void tls_cork(struct tls *t)
{
	t->cork.is_in = true;
}

enum tls_rc tls_uncork(struct tls *t)
{
	t->cork.is_in = false;
	switch (cork_flush(&t->cork)) {
	case 1:
		return TLS_OK;
	case 0:
		return TLS_WANT_WRITE;
	default:
		set_reason(t->reason, "%s", strerror(errno));
		t->is_write_over = true;
		return TLS_EOF;
	}
}

size_t tls_held(const struct tls *t)
{
	/* Where nobody takes them any more they are nobody's. */
	return t->is_write_over ? 0 : buf_len(&t->cork.held);
}

int tls_has_pending(struct tls *t)
{
	return !t->is_over && SSL_has_pending(t->ssl);
}

const char *tls_reason(const struct tls *t)
{
	return t->reason;
}

int tls_get_identity(struct tls *t, struct tls_identity *out)
{
	X509 *cert = SSL_get1_peer_certificate(t->ssl);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!cert)
		return 0;
	/* Not asked for is not verified: nobody. */
	if (SSL_get_verify_mode(t->ssl) == SSL_VERIFY_NONE ||
	    SSL_get_verify_result(t->ssl) != X509_V_OK) {
		X509_free(cert);
		return 0;
	}
	rc = tls_identity_read(cert, out);
	X509_free(cert);
	if (rc != 0)
		set_reason(t->reason, "the certificate's names cannot be read");
	return rc;
}

int64_t tls_valid_until_s(const struct tls *t)
{
	return chain_valid_until_s(SSL_get0_verified_chain(t->ssl));
}

void tls_peer_times(const struct tls *t, int64_t *from_s, int64_t *until_s)
{
	const X509 *cert = SSL_get0_peer_certificate(t->ssl);

	*from_s = cert ? chain_seconds(X509_get0_notBefore(cert)) : INT64_MAX;
	*until_s = cert ? chain_seconds(X509_get0_notAfter(cert)) : INT64_MAX;
}

int tls_judge(const struct tls *t, const struct tls_context *c, int64_t *valid_until_s,
	      char reason[TLS_REASON_LEN])
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);

	if (cert && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE)
		return chain_verify(c->ssl, cert, SSL_get_peer_cert_chain(t->ssl), valid_until_s,
				    reason);
	*valid_until_s = INT64_MAX;
	return 0;
}

const char *tls_doubt(const struct tls *t)
{
	return t->doubt == X509_V_OK ? NULL : X509_verify_cert_error_string(t->doubt);
}

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}
