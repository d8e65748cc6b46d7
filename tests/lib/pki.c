#include "tests/lib/pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

static void make(struct cert *c, const char *cn, const struct cert *issuer, struct cert_request r)
{
	r.cn = cn;
	r.issuer = issuer;
	cert_make(c, &r);
}

void pki_init(struct pki *p)
{
	const struct cert_request plain = { 0 }, ca = { .is_ca = true };
	FILE *f;

	memset(p, 0, sizeof(*p));
	make(&p->ca, "Our CA", NULL, ca);
	make(&p->server, "localhost", &p->ca, (struct cert_request){ .san = "DNS:localhost" });
	make(&p->client, "alice", &p->ca, (struct cert_request){ .san = "DNS:alice.example" });
	make(&p->inner_ca, "Inner CA", &p->ca, ca);
	make(&p->inner_client, "ivan", &p->inner_ca, plain);
	make(&p->expired, "old", &p->ca, (struct cert_request){ .is_expired = true });
	make(&p->foreign_ca, "Foreign CA", NULL, ca);
	make(&p->foreign, "alice", &p->foreign_ca, plain);
	make(&p->weak, "weak", &p->ca, (struct cert_request){ .rsa_bits = 1024 });
	make(&p->for_servers, "srv", &p->ca, (struct cert_request){ .usage = "serverAuth" });
	make(&p->self, "alice", NULL, plain);
	p->dir = certs_dir_make();
	p->ca_file = certs_write_chain(p->dir, "ca.pem", &p->ca, NULL);
	p->cert_file = certs_write_chain(p->dir, "server.pem", &p->server, NULL);
	p->key_file = certs_write_key(p->dir, "server.key", &p->server, NULL);
	p->all_file = certs_write_chain(p->dir, "all.pem", &p->server, NULL);
	f = fopen(p->all_file, "a");
	if (!f || PEM_write_PrivateKey(f, p->server.key, NULL, NULL, 0, NULL, NULL) != 1)
		abort();
	fclose(f);
}

void pki_fini(struct pki *p)
{
	struct cert *all[] = { &p->ca,           &p->server,      &p->client,     &p->inner_ca,
			       &p->inner_client, &p->expired,     &p->foreign_ca, &p->foreign,
			       &p->weak,         &p->for_servers, &p->self };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		cert_fini(all[i]);
	certs_dir_remove(p->dir);
	free(p->ca_file);
	free(p->cert_file);
	free(p->key_file);
	free(p->all_file);
}

struct tls_context *pki_server_context(const struct pki *p, enum tls_client_auth auth)
{
	const struct tls_options o = {
		.cert_file = p->cert_file,
		.key_file = p->key_file,
		.trust_file = p->ca_file,
		.client_auth = auth,
	};
	struct tls_fault fault;
	struct tls_context *c = tls_context_new(&o, &fault);

	if (!c) {
		fprintf(stderr, "pki: %s\n", fault.reason);
		abort();
	}
	return c;
}
