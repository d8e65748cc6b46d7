/* The certificates that a test of TLS needs, made once a program: our CA, a server and clients of
 * it, and what no server may let in. */
#ifndef TESTS_LIB_PKI_H
#define TESTS_LIB_PKI_H

#include "net/tls.h"
#include "tests/lib/certs.h"

struct pki {
	char *dir;
	struct cert ca, server, client;
	struct cert inner_ca, inner_client;              /* by an intermediate of ours */
	struct cert expired;                             /* ours, too old */
	struct cert foreign_ca, foreign;                 /* another CA's, with our client's name */
	struct cert weak;                                /* ours, RSA with 1024 bits */
	struct cert for_servers;                         /* ours, but good for servers only */
	struct cert self;                                /* signed itself */
	char *ca_file, *cert_file, *key_file, *all_file; /* all: certificate and key in one */
};

void pki_init(struct pki *p);
void pki_fini(struct pki *p);
/* A server's context that asks as told and trusts our CA. */
struct tls_context *pki_server_context(const struct pki *p, enum tls_client_auth auth);

#endif
