#include "app/setup.h"

#include <stdio.h>

#include "net/listen.h"

/* The property that named the file. */
static const char *property_of(const struct config *c, enum tls_part part)
{
	switch (part) {
	case TLS_PART_CERT:
		return c->key_store_file ? "ssl.keyStore.location" : "zoolite.certFile";
	case TLS_PART_KEY:
		return c->key_store_file ? "ssl.keyStore.location" : "zoolite.keyFile";
	case TLS_PART_TRUST:
		return c->trust_store_file ? "ssl.trustStore.location" : "zoolite.trustFile";
	case TLS_PART_LIBRARY:
		break;
	}
	return "secureClientPort";
}

static void tell_tls(const struct config *c, const struct tls_fault *found,
		     struct setup_fault *fault)
{
	fault->property = property_of(c, found->part);
	snprintf(fault->reason, sizeof(fault->reason), "%s", found->reason);
}

struct tls_context *setup_tls(const struct config *c, struct setup_fault *fault)
{
	struct tls_options o = {
		.cert_file = c->cert_file,
		.key_file = c->key_file,
		.key_password = c->key_password,
		.trust_file = c->trust_file,
		.client_auth = c->client_auth,
		.no_tls_1_2 = !c->tls_1_2,
		.no_tls_1_3 = !c->tls_1_3,
	};
	struct tls_fault found;
	struct tls_context *tls = tls_context_new(&o, &found);

	if (!tls)
		tell_tls(c, &found, fault);
	return tls;
}

static int check_host(const char *property, const char *host, struct setup_fault *fault)
{
	fault->property = property;
	return host ? listen_check_host(host, fault->reason, sizeof(fault->reason)) : 0;
}

int setup_check(const struct config *c, struct tls_context **tls, struct setup_fault *fault)
{
	*tls = NULL;
	if (check_host("clientPortAddress", c->client_host, fault) != 0 ||
	    check_host("secureClientPortAddress", c->secure_host, fault) != 0)
		return -1;
	if (c->secure_port == CONFIG_NO_PORT)
		return 0;
	*tls = setup_tls(c, fault);
	return *tls ? 0 : -1;
}
