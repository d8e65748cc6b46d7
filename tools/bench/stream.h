/* The bytes of one connection on a non-blocking socket: plain, or TLS with a client's certificate.
 * The only file of the bench that includes OpenSSL. One thread. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cdefs.h"

enum { STREAM_REASON_LEN = 256 };

struct stream_options {
	const char *ca_file;   /* PEM: who may have signed the server's certificate */
	const char *cert_file; /* PEM: ours, NULL: show none */
	const char *key_file;  /* PEM */
	const char *host;      /* the name or address that the server's certificate must be for */
};

/* What the streams to one server share. */
struct stream_context;
/* o NULL: plain. NULL with a line in reason where a file is not right. */
must_check struct stream_context *stream_context_new(const struct stream_options *o,
						     char reason[STREAM_REASON_LEN]);
void stream_context_free(struct stream_context *c);

enum stream_rc { STREAM_OK, STREAM_WANT_READ, STREAM_WANT_WRITE, STREAM_EOF, STREAM_FAIL };

struct stream;
/* On a connected socket, which stays the caller's. */
must_check struct stream *stream_new(struct stream_context *c, int fd);
/* Says good-bye where that cannot block. */
void stream_free(struct stream *s);
/* Needed before the first read or write; at once OK on a plain one. */
enum stream_rc stream_handshake(struct stream *s);
enum stream_rc stream_read(struct stream *s, void *dst, size_t cap, size_t *got);
enum stream_rc stream_write(struct stream *s, const void *src, size_t len, size_t *put);
/* Whether bytes were read from the socket and not given out yet: epoll does not tell of them. */
bool stream_has_pending(const struct stream *s);
/* Why the last call failed; owned by s. */
const char *stream_reason(const struct stream *s);
/* "plain", "TLSv1.3 TLS_AES_256_GCM_SHA384", …; owned by s. */
const char *stream_describe(struct stream *s);

#endif
