/* OpenSSL reads ahead here: one read(2) brings as many records as fit, where it would otherwise
 * take two for each. */
#include "tools/bench/stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct stream_context {
	SSL_CTX *ssl; /* NULL: plain */
	char *host;
};

struct stream {
	int fd;
	SSL *ssl; /* NULL: plain */
	bool shaken;
	char reason[STREAM_REASON_LEN];
	char description[STREAM_REASON_LEN];
};

/* OpenSSL's first complaint, or another. */
static void explain(char reason[STREAM_REASON_LEN], const char *what, const char *otherwise)
{
	unsigned long code = ERR_get_error();
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

	snprintf(reason, STREAM_REASON_LEN, "%s: %s", what, text != NULL ? text : otherwise);
	ERR_clear_error();
}

static int load_files(SSL_CTX *ssl, const struct stream_options *o, char reason[STREAM_REASON_LEN])
{
	if (SSL_CTX_load_verify_file(ssl, o->ca_file) != 1) {
		explain(reason, o->ca_file, "no certificate in it");
		return -1;
	}
	if (o->cert_file == NULL)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(ssl, o->cert_file) != 1) {
		explain(reason, o->cert_file, "no certificate in it");
		return -1;
	}
	if (SSL_CTX_use_PrivateKey_file(ssl, o->key_file, SSL_FILETYPE_PEM) != 1) {
		explain(reason, o->key_file, "no private key in it");
		return -1;
	}
	return 0;
}

struct stream_context *stream_context_new(const struct stream_options *o,
					  char reason[STREAM_REASON_LEN])
{
	struct stream_context *c = mem_new(sizeof(*c));

	if (o == NULL)
		return c;
	c->host = mem_strdup(o->host);
	c->ssl = SSL_CTX_new(TLS_client_method());
	if (c->ssl == NULL) {
		explain(reason, "TLS", "out of memory");
		goto failed;
	}
	SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(c->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_read_ahead(c->ssl, 1);
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	if (load_files(c->ssl, o, reason) != 0)
		goto failed;
	return c;
failed:
	stream_context_free(c);
	return NULL;
}

void stream_context_free(struct stream_context *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->ssl);
	mem_free(c->host);
	mem_free(c);
}

/* The name in the certificate must be that of the host, be it a name or an address. */
static int expect_host(SSL *ssl, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
		return 0;
	ERR_clear_error();
	if (SSL_set_tlsext_host_name(ssl, host) != 1)
		return -1;
	return SSL_set1_host(ssl, host) == 1 ? 0 : -1;
}

struct stream *stream_new(struct stream_context *c, int fd)
{
	struct stream *s = mem_new(sizeof(*s));

	s->fd = fd;
	if (c->ssl == NULL)
		return s;
	s->ssl = SSL_new(c->ssl);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, fd) != 1 || expect_host(s->ssl, c->host) != 0) {
		ERR_clear_error();
		stream_free(s);
		return NULL;
	}
	SSL_set_connect_state(s->ssl);
	return s;
}

void stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	if (s->shaken && s->ssl != NULL) {
		SSL_shutdown(s->ssl);
		ERR_clear_error();
	}
	SSL_free(s->ssl);
	mem_free(s);
}

static enum stream_rc result_of(struct stream *s, int rc, const char *what)
{
	int error = errno;
	long verified;

	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return STREAM_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_EOF;
	case SSL_ERROR_SYSCALL:
		snprintf(s->reason, sizeof(s->reason), "%s: %s", what,
			 error != 0 ? strerror(error) : "connection closed");
		return STREAM_FAIL;
	default:
		verified = SSL_get_verify_result(s->ssl);
		explain(s->reason, what, "protocol error");
		if (!s->shaken && verified != X509_V_OK)
			snprintf(s->reason, sizeof(s->reason), "%s: the server's certificate: %s",
				 what, X509_verify_cert_error_string(verified));
		return STREAM_FAIL;
	}
}

enum stream_rc stream_handshake(struct stream *s)
{
	int rc;

	if (s->ssl == NULL) {
		s->shaken = true;
		return STREAM_OK;
	}
	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(s->ssl);
	if (rc != 1)
		return result_of(s, rc, "TLS handshake");
	s->shaken = true;
	return STREAM_OK;
}

static enum stream_rc plain_result(struct stream *s, enum stream_rc again, const char *what)
{
	if (errno == EAGAIN || errno == EINTR)
		return again;
	snprintf(s->reason, sizeof(s->reason), "%s: %s", what, strerror(errno));
	return STREAM_FAIL;
}

enum stream_rc stream_read(struct stream *s, void *dst, size_t cap, size_t *got)
{
	ssize_t n;
	int rc;

	if (s->ssl == NULL) {
		n = read(s->fd, dst, cap);
		if (n < 0)
			return plain_result(s, STREAM_WANT_READ, "read");
		*got = (size_t)n;
		return n > 0 ? STREAM_OK : STREAM_EOF;
	}
	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(s->ssl, dst, cap, got);
	return rc == 1 ? STREAM_OK : result_of(s, rc, "TLS read");
}

enum stream_rc stream_write(struct stream *s, const void *src, size_t len, size_t *put)
{
	ssize_t n;
	int rc;

	if (s->ssl == NULL) {
		n = write(s->fd, src, len);
		if (n < 0)
			return plain_result(s, STREAM_WANT_WRITE, "write");
		*put = (size_t)n;
		return STREAM_OK;
	}
	ERR_clear_error();
	errno = 0;
	rc = SSL_write_ex(s->ssl, src, len, put);
	return rc == 1 ? STREAM_OK : result_of(s, rc, "TLS write");
}

bool stream_has_pending(const struct stream *s)
{
	return s->ssl != NULL && SSL_has_pending(s->ssl) == 1;
}

const char *stream_reason(const struct stream *s)
{
	return s->reason;
}

const char *stream_describe(struct stream *s)
{
	if (s->ssl == NULL)
		return "plain";
	snprintf(s->description, sizeof(s->description), "%s %s", SSL_get_version(s->ssl),
		 SSL_get_cipher_name(s->ssl));
	return s->description;
}
