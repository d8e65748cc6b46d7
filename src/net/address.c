#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { IPV6_NETWORK_LEN = 8 };

/* sockaddr_storage may be read as the family it holds; the compiler is told by a copy where it
 * could doubt. */
static const struct sockaddr_in *as_ipv4(const struct sockaddr_storage *a)
{
	return (const struct sockaddr_in *)(const void *)a;
}

static const struct sockaddr_in6 *as_ipv6(const struct sockaddr_storage *a)
{
	return (const struct sockaddr_in6 *)(const void *)a;
}

void address_normalise(struct sockaddr_storage *a)
{
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };
	const struct sockaddr_in6 *ipv6 = as_ipv6(a);

	if (a->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&ipv6->sin6_addr))
		return;
	ipv4.sin_port = ipv6->sin6_port;
	memcpy(&ipv4.sin_addr, &ipv6->sin6_addr.s6_addr[12], sizeof(ipv4.sin_addr));
	memset(a, 0, sizeof(*a));
	memcpy(a, &ipv4, sizeof(ipv4));
}

struct slice address_host_bytes(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *ipv4 = as_ipv4(a);
	const struct sockaddr_in6 *ipv6 = as_ipv6(a);

	switch (a->ss_family) {
	case AF_INET:
		return (struct slice){ (const char *)&ipv4->sin_addr, sizeof(ipv4->sin_addr) };
	case AF_INET6:
		return (struct slice){ (const char *)&ipv6->sin6_addr, sizeof(ipv6->sin6_addr) };
	default:
		return (struct slice){ "", 0 };
	}
}

struct slice address_network_bytes(const struct sockaddr_storage *a)
{
	struct slice bytes = address_host_bytes(a);

	if (a->ss_family == AF_INET6)
		bytes.len = IPV6_NETWORK_LEN;
	return bytes;
}

bool address_is_loopback(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ntohl(as_ipv4(a)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&as_ipv6(a)->sin6_addr);
}

uint16_t address_port(const struct sockaddr_storage *a)
{
	switch (a->ss_family) {
	case AF_INET:
		return ntohs(as_ipv4(a)->sin_port);
	case AF_INET6:
		return ntohs(as_ipv6(a)->sin6_port);
	default:
		return 0;
	}
}

void address_format_host(const struct sockaddr_storage *a, char text[ADDRESS_TEXT_LEN])
{
	struct slice host = address_host_bytes(a);
	size_t len;

	if (host.len == 0 || !inet_ntop(a->ss_family, host.data, text, ADDRESS_TEXT_LEN)) {
		snprintf(text, ADDRESS_TEXT_LEN, "unknown");
		return;
	}
	if (a->ss_family == AF_INET6 && as_ipv6(a)->sin6_scope_id != 0) {
		len = strlen(text);
		snprintf(text + len, ADDRESS_TEXT_LEN - len, "%%%u", as_ipv6(a)->sin6_scope_id);
	}
}

void address_format(const struct sockaddr_storage *a, char text[ADDRESS_TEXT_LEN])
{
	char host[ADDRESS_TEXT_LEN];
	int len;

	address_format_host(a, host);
	len = snprintf(text, ADDRESS_TEXT_LEN, a->ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
		       address_port(a));
	/* 46 + 11 bytes of host and scope, 8 of port and brackets: it always fits. */
	if (len < 0 || len >= ADDRESS_TEXT_LEN)
		text[0] = '\0';
}
