#include "net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"

enum { PORT_TEXT_LEN = 8, HOST_MAX_LEN = 255 };

/* -1 with errno. */
static int open_at(const struct addrinfo *at, bool any, int backlog)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int only_ipv6 = any ? 0 : 1;
	int saved_errno;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		goto failed;
	if (at->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof(only_ipv6)) != 0)
		goto failed;
	if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 ||
	    listen(fd, backlog < 0 ? SOMAXCONN : backlog) != 0)
		goto failed;
	return fd;
failed:
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

/* The first address of this family that can be had; -1 with errno (as it was where there is
 * none). */
static int open_family(const struct addrinfo *list, int family, bool any, int backlog)
{
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		int fd;

		if (at->ai_family != family)
			continue;
		fd = open_at(at, any, backlog);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static void tell_port(int fd, uint16_t *bound_port)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);

	if (bound_port && getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		*bound_port = address_port(&at);
}

/* What host and service (may be NULL) mean, to be freed; NULL with getaddrinfo's code and why. */
static struct addrinfo *resolve(const char *host, const char *service, int *code, const char **why)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	*code = getaddrinfo(host, service, &hints, &list);
	if (*code == 0)
		return list;
	*why = *code == EAI_SYSTEM ? strerror(errno) : gai_strerror(*code);
	return NULL;
}

enum listen_host listen_check_host(const char *host, char *reason, size_t reason_len)
{
	struct addrinfo *list;
	const char *why;
	int code;

	list = resolve(host, NULL, &code, &why);
	if (list) {
		freeaddrinfo(list);
		return LISTEN_HOST_GOOD;
	}
	/* No name is longer. */
	snprintf(reason, reason_len, "%.*s: %s", HOST_MAX_LEN, host, why);
	return code == EAI_AGAIN || code == EAI_MEMORY || code == EAI_SYSTEM ? LISTEN_HOST_UNKNOWN
									     : LISTEN_HOST_BAD;
}

int listen_open(const char *host, uint16_t port, int backlog, uint16_t *bound_port, char *reason,
		size_t reason_len)
{
	const char *shown = host ? host : "*";
	bool any = host == NULL;
	char service[PORT_TEXT_LEN];
	struct addrinfo *list;
	const char *why;
	int code;
	int fd;

	snprintf(service, sizeof(service), "%u", port);
	list = resolve(host, service, &code, &why);
	if (!list) {
		snprintf(reason, reason_len, "%s port %u: %s", shown, port, why);
		return -1;
	}
	/* All addresses: one IPv6 socket takes IPv4 too; where the kernel has no IPv6 the other one
	 * does. */
	errno = EADDRNOTAVAIL;
	fd = open_family(list, any ? AF_INET6 : AF_INET, any, backlog);
	if (fd < 0 && errno != EADDRINUSE && errno != EACCES)
		fd = open_family(list, any ? AF_INET : AF_INET6, any, backlog);
	if (fd < 0)
		snprintf(reason, reason_len, "%s port %u: %s", shown, port, strerror(errno));
	else
		tell_port(fd, bound_port);
	freeaddrinfo(list);
	return fd;
}
