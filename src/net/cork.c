#include "net/cork.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/log.h"

void cork_init(struct cork *c, int fd, size_t limit)
{
	*c = (struct cork){ .fd = fd };
	buf_init(&c->held, limit);
}

void cork_fini(struct cork *c)
{
	buf_fini(&c->held);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int bio_write(BIO *bio, const char *src, int len)
{
	struct cork *c = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	if (c->is_in || buf_len(&c->held) > 0) {
		if (buf_append(&c->held, src, (size_t)len) == 0)
			return len;
		c->is_out_of_memory = true;
		errno = ENOBUFS;
		return -1;
	}
	n = send(c->fd, src, (size_t)len, MSG_NOSIGNAL);
	if (n < 0 && would_block())
		BIO_set_retry_write(bio);
	return (int)n;
}

static long bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	/* What is held goes out by cork_flush, when the caller wants it. */
	return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cork");
	if (!method || BIO_meth_set_write(method, bio_write) != 1 ||
	    BIO_meth_set_ctrl(method, bio_ctrl) != 1 ||
	    BIO_meth_set_create(method, bio_create) != 1)
		die("tls.cork", "no memory for the way to the socket");
}

BIO *cork_bio_new(struct cork *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_method);
	bio = BIO_new(method);
	if (bio)
		BIO_set_data(bio, c);
	return bio;
}

int cork_flush(struct cork *c)
{
	while (buf_len(&c->held) > 0) {
		ssize_t n = send(c->fd, buf_head(&c->held), buf_len(&c->held), MSG_NOSIGNAL);

		if (n < 0)
			return would_block() ? 0 : -1;
		buf_drain(&c->held, (size_t)n);
	}
	buf_release(&c->held);
	return 1;
}
