/* Addresses of peers: one form for each, and the text that goes into logs and lists. Pure
 * functions. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

enum { ADDRESS_TEXT_LEN = 64 };

/* An IPv4 peer at an IPv6 socket (::ffff:10.0.0.7) becomes an IPv4 address; others stay as they
 * are. */
void address_normalise(struct sockaddr_storage *a);
/* The host's bytes without port: 4 or 16, borrowed from a; empty for a family that is neither. */
struct slice address_host_bytes(const struct sockaddr_storage *a);
/* The same, but of IPv6 the first 64 bits: whoever has one IPv6 address has its /64. */
struct slice address_network_bytes(const struct sockaddr_storage *a);
/* 127.0.0.0/8 or ::1. */
bool address_is_loopback(const struct sockaddr_storage *a);
uint16_t address_port(const struct sockaddr_storage *a);
/* "10.0.0.7", "::1" (a link-local one with its %scope). */
void address_format_host(const struct sockaddr_storage *a, char text[ADDRESS_TEXT_LEN]);
/* "10.0.0.7:40112", "[::1]:40112". */
void address_format(const struct sockaddr_storage *a, char text[ADDRESS_TEXT_LEN]);

#endif
