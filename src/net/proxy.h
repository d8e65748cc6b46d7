/* The header of the PROXY protocol, version 2 (haproxy's proxy-protocol.txt, section 2.2), by which
 * a balancer tells whom it connects: reading it from bytes as they come, and not one behind it.
 * Pure functions. */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/cdefs.h"

/* Signature, version and command, family, length; and two IPv6 addresses with ports. */
enum { PROXY_FIXED_LEN = 16, PROXY_ADDRESSES_LEN = 36 };

struct proxy_header {
	uint8_t bytes[PROXY_FIXED_LEN + PROXY_ADDRESSES_LEN]; /* what is kept of it */
	size_t len;                                           /* read so far */
	size_t total; /* its length, as far as that is known */
};

enum proxy_rc {
	PROXY_MORE,   /* more of it has to come */
	PROXY_LOCAL,  /* the balancer comes for itself */
	PROXY_CLIENT, /* it comes for somebody */
	PROXY_WRONG,  /* it is none, or none that tells who comes */
};

void proxy_init(struct proxy_header *h);
/* How many bytes it may be given now, at least one until it is whole. */
size_t proxy_wants(const struct proxy_header *h);
/* Give it len <= proxy_wants bytes. PROXY_CLIENT: *client is the source address, of TCP over IPv4
 * or IPv6; the destination and what extensions (TLVs) say count for nothing. PROXY_WRONG:
 * *reason. */
must_check enum proxy_rc proxy_take(struct proxy_header *h, const void *bytes, size_t len,
				    struct sockaddr_storage *client, const char **reason);

#endif
