/* Addresses of sockets from their texts. */
#ifndef TESTS_UNIT_ADDRESS_AT_H
#define TESTS_UNIT_ADDRESS_AT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static inline struct sockaddr_storage at(const char *text)
{
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
	struct sockaddr_storage a = { 0 };

	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		memcpy(&a, &ipv4, sizeof(ipv4));
	else if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1)
		memcpy(&a, &ipv6, sizeof(ipv6));
	return a;
}

#endif
