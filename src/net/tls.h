/* TLS by OpenSSL, on non-blocking sockets, with five results. Contexts are built whole and swapped;
 * a context in use lives as long as its connections. The only files besides base/crypto,
 * net/chain, net/identity and net/revocation that include OpenSSL. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "net/identity.h"

enum tls_client_auth { TLS_CLIENT_AUTH_NONE, TLS_CLIENT_AUTH_WANT, TLS_CLIENT_AUTH_NEED };

struct tls_options {
	const char *cert_file;    /* PEM: leaf first, then intermediates */
	const char *key_file;     /* PEM; may be the same file */
	const char *key_password; /* NULL: none */
	const char *trust_file;   /* PEM: the CAs that may have signed a client */
	const char *crl_file;     /* PEM file or directory of such; NULL: no revocation */
	/* Whom no CRL of today tells of is let in, which tls_doubt tells; else he is refused. */
	bool may_lack_crl;
	enum tls_client_auth client_auth;
	const char *ciphers; /* suites, as ciphers_set has them; NULL: see set_ciphers */
	bool no_tls_1_2;     /* versions not offered, of 1.2 and 1.3 */
	bool no_tls_1_3;
};

enum { TLS_REASON_LEN = 256 };

/* What is wrong, and with which of the files. */
enum tls_part {
	TLS_PART_CERT,
	TLS_PART_KEY,
	TLS_PART_TRUST,
	TLS_PART_CRL,
	TLS_PART_CIPHERS,
	TLS_PART_LIBRARY,
};
struct tls_fault {
	enum tls_part part;
	char reason[TLS_REASON_LEN]; /* names file (the end of a long name) and fault */
};

/* Server side, one per listener; shared between threads, counted. */
struct tls_context;
/* NULL with fault. */
must_check struct tls_context *tls_context_new(const struct tls_options *o,
					       struct tls_fault *fault);
/* Whether the server's certificate is not valid today, which peers will not like, with a line in
 * reason that names the day. */
bool tls_context_is_out_of_date(const struct tls_context *c, char reason[TLS_REASON_LEN]);
/* Until when what it holds is good: the server's certificate and those behind it (TLS_PART_CERT),
 * the CAs (TRUST), and of each CA the newest CRL (CRL) that says when the next one comes. Seconds
 * of the wall clock. */
struct tls_validity {
	enum tls_part part;
	const char *name; /* subject, of a CRL its issuer; lives for the call */
	int64_t from_s, until_s;
};
void tls_context_foreach_validity(const struct tls_context *c,
				  void (*each)(void *ctx, const struct tls_validity *v), void *ctx);
/* The CAs alone, and the CRLs where crl_file is not NULL. -1 with fault. */
must_check int tls_check_trust(const char *file, const char *crl_file, struct tls_fault *fault);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

enum tls_rc { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_EOF, TLS_FAIL };

struct tls;
/* For an accepted socket; the caller keeps fd. NULL: memory is out. */
must_check struct tls *tls_new(struct tls_context *c, int fd);
void tls_free(struct tls *t); /* sends close_notify where that cannot block */
enum tls_rc tls_handshake(struct tls *t);
/* Whether the peer has said anything that a handshake begins with: then it has cost us work. */
bool tls_has_begun(const struct tls *t);
enum tls_rc tls_read(struct tls *t, void *dst, size_t cap, size_t *got);
enum tls_rc tls_write(struct tls *t, const void *src, size_t len, size_t *put);
/* From tls_cork on tls_write gathers records, and always takes what it is given; tls_uncork sends
 * them in one call. TLS_WANT_WRITE: the socket did not take all of them; uncork again when it is
 * writable, before anything is written. */
void tls_cork(struct tls *t);
enum tls_rc tls_uncork(struct tls *t);
/* Bytes that were taken by tls_write and not by the socket. */
size_t tls_held(const struct tls *t);
/* Whether bytes wait inside the TLS layer, which epoll cannot see. */
int tls_has_pending(struct tls *t);
/* Why the last call failed, for the log ("certificate has expired (CN=old)"); owned by t. */
const char *tls_reason(const struct tls *t);

/* Who the peer is, after the handshake; nobody (all empty) where it showed no certificate. -1: its
 * certificate cannot be read as a name, see tls_reason. */
must_check int tls_get_identity(struct tls *t, struct tls_identity *out);
/* When the first certificate of the peer's chain runs out, in seconds of the wall clock; INT64_MAX
 * where it showed none. */
int64_t tls_valid_until_s(const struct tls *t);
/* The same of its own certificate alone, and since when; INT64_MAX both. */
void tls_peer_times(const struct tls *t, int64_t *from_s, int64_t *until_s);
/* Whether the peer's certificate would still be good for c today, but for a CRL that is missing or
 * out of date; one that showed none always is. -1 with a reason, else *valid_until_s as above, by
 * the chain that c finds. */
must_check int tls_judge(const struct tls *t, const struct tls_context *c, int64_t *valid_until_s,
			 char reason[TLS_REASON_LEN]);
/* What was passed over when the peer was let in ("CRL has expired"); NULL: nothing. */
const char *tls_doubt(const struct tls *t);
const char *tls_version(const struct tls *t); /* "TLSv1.3" */

#endif
