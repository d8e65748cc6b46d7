/* The first address that the name resolves to is the one that counts. */
#include "tools/bench/target.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_USAGE = 2 };

static no_return void refuse(const char *what, const char *reason)
{
	fprintf(stderr, "zoolite-bench: %s: %s\n", what, reason);
	exit(STATUS_USAGE);
}

void target_init(struct conn_target *t, const struct options *o)
{
	const struct stream_options files = { o->ca_file, o->cert_file, o->key_file, o->host };
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char reason[STREAM_REASON_LEN];
	struct addrinfo *found;
	int rc;

	rc = getaddrinfo(o->host, o->port, &hints, &found);
	if (rc != 0)
		refuse(o->host, gai_strerror(rc));
	memcpy(&t->address, found->ai_addr, found->ai_addrlen);
	t->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	t->context = stream_context_new(o->plain ? NULL : &files, reason);
	if (t->context == NULL)
		refuse("TLS", reason);
}

void target_fini(struct conn_target *t)
{
	stream_context_free(t->context);
}
