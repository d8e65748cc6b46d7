#include "net/ciphers.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/slice.h"

enum {
	NAME_MOST = 64, /* of a suite */
	LIST_MOST = 4096,
};

#define NO_VERSION (SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3)

/* OpenSSL's names with colons. */
struct list_of {
	char text[LIST_MOST];
	size_t len;
};

struct lists {
	struct list_of tls_1_3, tls_1_2;
};

static int fail(char reason[CIPHERS_REASON_LEN], struct slice name, const char *what)
{
	snprintf(reason, CIPHERS_REASON_LEN, "%.*s: %s",
		 (int)(name.len < NAME_MOST ? name.len : NAME_MOST), name.data, what);
	return -1;
}

static bool add(struct list_of *l, const char *name)
{
	int len =
		snprintf(l->text + l->len, LIST_MOST - l->len, "%s%s", l->len > 0 ? ":" : "", name);

	l->len += (size_t)len;
	return l->len < LIST_MOST;
}

/* Suites that the context would use, at its security level. */
static bool is_offered(SSL_CTX *ssl, const char *name)
{
	SSL *probe = SSL_new(ssl);
	STACK_OF(SSL_CIPHER) *usable = probe ? SSL_get1_supported_ciphers(probe) : NULL;
	bool found = false;

	for (int i = 0; i < sk_SSL_CIPHER_num(usable) && !found; i++)
		found = strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(usable, i)), name) == 0;
	sk_SSL_CIPHER_free(usable);
	SSL_free(probe);
	return found;
}

/* The suite, alone: OpenSSL passes over what it does not know in a longer list. */
static bool is_usable(SSL_CTX *ssl, const char *name, bool is_1_3)
{
	return (is_1_3 ? SSL_CTX_set_ciphersuites(ssl, name)
		       : SSL_CTX_set_cipher_list(ssl, name)) == 1 &&
	       is_offered(ssl, name);
}

static int take(SSL_CTX *ssl, struct lists *lists, struct slice item,
		char reason[CIPHERS_REASON_LEN])
{
	char standard[NAME_MOST];
	const char *name;
	bool is_1_3;

	if (item.len >= sizeof(standard))
		return fail(reason, item, "there is no such cipher suite");
	memcpy(standard, item.data, item.len);
	standard[item.len] = '\0';
	name = OPENSSL_cipher_name(standard);
	if (item.len == 0 || strcmp(name, "(NONE)") == 0)
		return fail(reason, item, "there is no such cipher suite");
	/* Those of TLS 1.3 say nothing of keys: "TLS_AES_128_GCM_SHA256". */
	is_1_3 = strstr(standard, "_WITH_") == NULL;
	if (!is_usable(ssl, name, is_1_3))
		return fail(reason, item, "that cipher suite is not to be had, or too weak");
	if (!add(is_1_3 ? &lists->tls_1_3 : &lists->tls_1_2, name))
		return fail(reason, item, "the list is too long");
	return 0;
}

static int read_names(SSL_CTX *ssl, struct lists *lists, const char *names,
		      char reason[CIPHERS_REASON_LEN])
{
	for (;;) {
		size_t lead = strspn(names, " "), len = strcspn(names + lead, ", ");
		const char *end = names + lead + len + strspn(names + lead + len, " ");

		if (*end != ',' && *end != '\0')
			return fail(reason, (struct slice){ names + lead, strlen(names + lead) },
				    "between two suites stands a comma");
		if (take(ssl, lists, (struct slice){ names + lead, len }, reason) != 0)
			return -1;
		if (*end == '\0')
			return 0;
		names = end + 1;
	}
}

int ciphers_set(SSL_CTX *ssl, const char *names, char reason[CIPHERS_REASON_LEN])
{
	uint64_t options = SSL_CTX_get_options(ssl) & NO_VERSION;
	struct lists lists = { 0 };
	int rc;

	/* A suite of a version that is not offered is none the worse. */
	SSL_CTX_clear_options(ssl, NO_VERSION);
	rc = read_names(ssl, &lists, names, reason);
	SSL_CTX_set_options(ssl, options);
	ERR_clear_error();
	if (rc != 0)
		return -1;
	if (lists.tls_1_3.len == 0)
		SSL_CTX_set_options(ssl, SSL_OP_NO_TLSv1_3);
	if (lists.tls_1_2.len == 0)
		SSL_CTX_set_options(ssl, SSL_OP_NO_TLSv1_2);
	if (SSL_CTX_set_ciphersuites(ssl, lists.tls_1_3.text) == 1 &&
	    (lists.tls_1_2.len == 0 || SSL_CTX_set_cipher_list(ssl, lists.tls_1_2.text) == 1) &&
	    (SSL_CTX_get_options(ssl) & NO_VERSION) != NO_VERSION)
		return 0;
	return fail(reason, slice_of(names), "no suite of a version of TLS that is offered");
}
