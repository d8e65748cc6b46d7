/* The way from OpenSSL to the socket: bytes go out at once, or, while corked, are gathered and go
 * out in one call. Each frame has to be a TLS record of its own (see conn.c); this keeps it from
 * costing a system call each. One of net's TLS files. */
#ifndef NET_CORK_H
#define NET_CORK_H

#include <openssl/bio.h>
#include <stdbool.h>

#include "base/buf.h"

struct cork {
	int fd;
	bool is_in;
	bool is_out_of_memory; /* bytes were refused: what follows makes no sense to the peer */
	struct buf held;       /* not taken by the socket yet; what comes later queues behind it */
};

/* limit: most bytes to hold. */
void cork_init(struct cork *c, int fd, size_t limit);
void cork_fini(struct cork *c);
/* A BIO to write through c, which must outlive it. NULL: memory is out. */
must_check BIO *cork_bio_new(struct cork *c);
/* Send what is held. 1: all of it went; 0: the socket is full; -1: see errno. */
must_check int cork_flush(struct cork *c);

#endif
