/* Opening a listening TCP socket. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"

/* A non-blocking socket that listens at host and port, by IPv6 and IPv4 at once where host is NULL
 * (all addresses). A name means its first IPv4 address, else its first IPv6 address, as in Java.
 * port 0: the system chooses; *bound_port (may be NULL) tells. backlog -1: the system's. -1 with a
 * line in reason. */
must_check int listen_open(const char *host, uint16_t port, int backlog, uint16_t *bound_port,
			   char *reason, size_t reason_len);

/* Whether a host to listen at means an address at all; a line in reason where it is not known to do
 * so. */
enum listen_host {
	LISTEN_HOST_GOOD,
	LISTEN_HOST_BAD,
	LISTEN_HOST_UNKNOWN, /* it could not be found out: another time it may be */
};
must_check enum listen_host listen_check_host(const char *host, char *reason, size_t reason_len);

#endif
