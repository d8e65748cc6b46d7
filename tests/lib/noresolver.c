/* Preloaded into a server (LD_PRELOAD): no name server answers. Addresses in digits are none of its
 * business. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");
	struct addrinfo numeric = *hints;
	int rc;

	numeric.ai_flags |= AI_NUMERICHOST;
	rc = real(host, service, &numeric, list);
	return rc == EAI_NONAME ? EAI_AGAIN : rc;
}
