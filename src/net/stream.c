#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static enum tls_rc plain_result(struct stream *s, enum tls_rc would_block)
{
	if (errno == EAGAIN || errno == EINTR)
		return would_block;
	s->error = errno;
	return errno == ECONNRESET || errno == EPIPE || errno == ETIMEDOUT ? TLS_EOF : TLS_FAIL;
}

enum tls_rc stream_read(struct stream *s, void *dst, size_t cap, size_t *got)
{
	ssize_t n;

	if (s->tls)
		return tls_read(s->tls, dst, cap, got);
	*got = 0;
	n = recv(s->fd, dst, cap, 0);
	if (n < 0)
		return plain_result(s, TLS_WANT_READ);
	s->error = 0;
	*got = (size_t)n;
	return n > 0 ? TLS_OK : TLS_EOF;
}

enum tls_rc stream_write(struct stream *s, const void *src, size_t len, size_t *put)
{
	ssize_t n;

	if (s->tls)
		return tls_write(s->tls, src, len < STREAM_RECORD_LEN ? len : STREAM_RECORD_LEN,
				 put);
	*put = 0;
	n = send(s->fd, src, len, MSG_NOSIGNAL);
	if (n < 0)
		return plain_result(s, TLS_WANT_WRITE);
	*put = (size_t)n;
	return TLS_OK;
}

void stream_cork(struct stream *s)
{
	if (s->tls)
		tls_cork(s->tls);
}

enum tls_rc stream_uncork(struct stream *s)
{
	return s->tls ? tls_uncork(s->tls) : TLS_OK;
}

size_t stream_held(const struct stream *s)
{
	return s->tls ? tls_held(s->tls) : 0;
}

bool stream_has_records(const struct stream *s)
{
	return s->tls != NULL;
}

bool stream_has_pending(const struct stream *s)
{
	return s->tls && tls_has_pending(s->tls);
}

const char *stream_reason(const struct stream *s)
{
	if (s->tls)
		return tls_reason(s->tls);
	return s->error ? strerror(s->error) : "closed by the peer";
}
