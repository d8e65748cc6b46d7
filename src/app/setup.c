#include "app/setup.h"

#include <stdio.h>

#include "net/listen.h"

struct tls_context *setup_tls(const struct config *c, char reason[TLS_REASON_LEN])
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

	return tls_context_new(&o, reason);
}

static int check_host(const char *property, const char *host, char reason[SETUP_REASON_LEN])
{
	char why[TLS_REASON_LEN];

	if (!host || listen_check_host(host, why, sizeof(why)) == 0)
		return 0;
	snprintf(reason, SETUP_REASON_LEN, "%s: %s", property, why);
	return -1;
}

int setup_check(const struct config *c, struct tls_context **tls, char reason[SETUP_REASON_LEN])
{
	char why[TLS_REASON_LEN];

	*tls = NULL;
	if (check_host("clientPortAddress", c->client_host, reason) != 0 ||
	    check_host("secureClientPortAddress", c->secure_host, reason) != 0)
		return -1;
	if (c->secure_port == CONFIG_NO_PORT)
		return 0;
	*tls = setup_tls(c, why);
	if (*tls)
		return 0;
	snprintf(reason, SETUP_REASON_LEN, "%s", why);
	return -1;
}
