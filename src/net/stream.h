/* Bytes to and from a peer, over TLS or not, by the same calls and with tls.h's five results. Core
 * thread. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"

enum {
	STREAM_RECORD_LEN = 16 * 1024
}; /* RFC 8446, 5.1: a longer write would be cut into records of this length anyway */

struct stream {
	int fd;          /* borrowed */
	struct tls *tls; /* borrowed; NULL: plain */
	int error;       /* errno of the last failure of a plain one */
};

/* TLS_EOF: the peer closed, in order or not. Never reads beyond cap. */
enum tls_rc stream_read(struct stream *s, void *dst, size_t cap, size_t *got);
/* TLS_EOF: nobody is there to take it; what the peer sent before may still be read. After
 * TLS_WANT_* the same bytes must be offered again, and at least as many. */
enum tls_rc stream_write(struct stream *s, const void *src, size_t len, size_t *put);
/* As tls_cork and tls_uncork; a plain stream has nothing to gather. */
void stream_cork(struct stream *s);
enum tls_rc stream_uncork(struct stream *s);
/* Bytes that were taken by stream_write and still wait for the socket here. */
size_t stream_held(const struct stream *s);
/* Whether what is written in one call, up to STREAM_RECORD_LEN, arrives as a unit: a TLS
 * record. */
bool stream_has_records(const struct stream *s);
/* Bytes have been taken from the socket and wait for stream_read, so the socket may not report
 * them. */
bool stream_has_pending(const struct stream *s);
/* Why the last call gave TLS_EOF or TLS_FAIL. */
const char *stream_reason(const struct stream *s);

#endif
