/* Contexts from files, and whom a handshake lets in: server and client are stepped in turn over a
 * socket pair. */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl3.h>

#include "base/metrics.h"
#include "tests/lib/pki.h"

enum { MOST_STEPS = 1000 };

static struct pki pki;

struct pair {
	int fds[2];
	struct tls_context *context;
	struct tls *server;
	SSL_CTX *client_context;
	SSL *client;
};

static void pair_open(struct pair *p, enum tls_client_auth auth, const struct cert *own,
		      const struct cert *issuer)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
	p->context = pki_server_context(&pki, auth);
	p->server = tls_new(p->context, p->fds[0]);
	assert_non_null(p->server);
	p->client_context = certs_client_context(own, issuer, &pki.ca);
	p->client = NULL;
}

static void pair_close(struct pair *p)
{
	tls_free(p->server);
	SSL_free(p->client);
	SSL_CTX_free(p->client_context);
	tls_context_unref(p->context);
	close(p->fds[0]);
	if (p->fds[1] >= 0)
		close(p->fds[1]);
}

/* Both sides in turn until the server knows; the client goes on a little, to get what was said to
 * it. */
static enum tls_rc shake(struct pair *p)
{
	enum tls_rc rc = TLS_WANT_READ;

	if (!p->client) {
		p->client = SSL_new(p->client_context);
		SSL_set_fd(p->client, p->fds[1]);
		SSL_set_connect_state(p->client);
	}
	for (int i = 0; i < MOST_STEPS && (rc == TLS_WANT_READ || rc == TLS_WANT_WRITE); i++) {
		ERR_clear_error();
		SSL_do_handshake(p->client);
		rc = tls_handshake(p->server);
	}
	ERR_clear_error();
	SSL_do_handshake(p->client);
	ERR_clear_error();
	return rc;
}

static void test_good_client_by_both_versions(void **state)
{
	static const struct {
		int number;
		const char *name;
	} versions[] = { { TLS1_2_VERSION, "TLSv1.2" }, { TLS1_3_VERSION, "TLSv1.3" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tls_identity id;
		struct pair p;

		pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
		SSL_CTX_set_min_proto_version(p.client_context, versions[i].number);
		SSL_CTX_set_max_proto_version(p.client_context, versions[i].number);
		assert_int_equal(shake(&p), TLS_OK);
		assert_string_equal(tls_version(p.server), versions[i].name);
		assert_int_equal(tls_get_identity(p.server, &id), 0);
		assert_string_equal(id.subject, "CN=alice");
		assert_int_equal(id.san_count, 1);
		assert_string_equal(id.sans[0], "DNS:alice.example");
		tls_identity_fini(&id);
		pair_close(&p);
	}
}

static void test_client_by_an_intermediate(void **state)
{
	struct tls_identity id;
	struct pair p;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.inner_client, &pki.inner_ca);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(tls_get_identity(p.server, &id), 0);
	assert_string_equal(id.subject, "CN=ivan");
	tls_identity_fini(&id);
	pair_close(&p);

	/* Without the intermediate nobody knows the way to our CA. */
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.inner_client, NULL);
	assert_int_equal(shake(&p), TLS_FAIL);
	assert_string_equal(tls_reason(p.server),
			    "unable to get local issuer certificate (CN=ivan)");
	pair_close(&p);
}

/* As in Java: what is trusted ends the chain, be it a root or not; and it is all that is
 * trusted. */
static void test_trusted_intermediate(void **state)
{
	char *trust = certs_write_chain(pki.dir, "inner.pem", &pki.inner_ca, NULL);
	const struct tls_options o = {
		.cert_file = pki.cert_file,
		.key_file = pki.key_file,
		.trust_file = trust,
		.client_auth = TLS_CLIENT_AUTH_NEED,
	};
	const struct {
		const struct cert *own, *issuer;
		enum tls_rc rc;
	} cases[] = {
		{ &pki.inner_client, NULL, TLS_OK },
		{ &pki.inner_client, &pki.inner_ca, TLS_OK },
		{ &pki.client, NULL, TLS_FAIL },
		{ &pki.client, &pki.ca, TLS_FAIL },
	};
	struct tls_fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pair p;

		pair_open(&p, TLS_CLIENT_AUTH_NEED, cases[i].own, cases[i].issuer);
		tls_free(p.server);
		tls_context_unref(p.context);
		p.context = tls_context_new(&o, &fault);
		assert_non_null(p.context);
		p.server = tls_new(p.context, p.fds[0]);
		assert_int_equal(shake(&p), cases[i].rc);
		pair_close(&p);
	}
	free(trust);
}

static void test_bad_clients(void **state)
{
	const struct {
		const struct cert *cert, *issuer;
		const char *reason;
	} cases[] = {
		{ NULL, NULL, "no certificate" },
		{ &pki.expired, NULL, "certificate has expired (CN=old)" },
		{ &pki.foreign, NULL, "unable to get local issuer certificate (CN=alice)" },
		{ &pki.foreign, &pki.foreign_ca,
		  "self-signed certificate in certificate chain "
		  "(CN=alice, at its issuer CN=Foreign CA)" },
		{ &pki.self, NULL, "self-signed certificate (CN=alice)" },
		{ &pki.weak, NULL, "EE certificate key too weak (CN=weak)" },
		{ &pki.for_servers, NULL, "unsuitable certificate purpose (CN=srv)" },
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t v = 0; v < 2; v++) {
			size_t n;
			struct pair p;

			pair_open(&p, TLS_CLIENT_AUTH_NEED, cases[i].cert, cases[i].issuer);
			SSL_CTX_set_max_proto_version(p.client_context, versions[v]);
			assert_int_equal(shake(&p), TLS_FAIL);
			assert_string_equal(tls_reason(p.server), cases[i].reason);
			/* Over is over. */
			assert_int_equal(tls_handshake(p.server), TLS_FAIL);
			assert_int_equal(tls_write(p.server, "x", 1, &n), TLS_FAIL);
			/* Nothing is left for the next connection of this thread. */
			assert_int_equal(ERR_peek_error(), 0);
			pair_close(&p);
		}
	}
}

static void test_want_and_none(void **state)
{
	struct tls_identity id;
	struct pair p;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_WANT, NULL, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(tls_get_identity(p.server, &id), 0);
	assert_null(id.subject);
	assert_string_equal(id.fingerprint, "");
	pair_close(&p);

	pair_open(&p, TLS_CLIENT_AUTH_WANT, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(tls_get_identity(p.server, &id), 0);
	assert_string_equal(id.subject, "CN=alice");
	tls_identity_fini(&id);
	pair_close(&p);

	/* Wanted is not "any". */
	pair_open(&p, TLS_CLIENT_AUTH_WANT, &pki.foreign, NULL);
	assert_int_equal(shake(&p), TLS_FAIL);
	pair_close(&p);

	/* Not asked for: nobody, whatever the client has. */
	pair_open(&p, TLS_CLIENT_AUTH_NONE, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(tls_get_identity(p.server, &id), 0);
	assert_null(id.subject);
	pair_close(&p);
}

/* Whether they are too old or switched off here: what is offered is said. */
static void test_other_versions_are_refused(void **state)
{
	static const struct {
		bool no_1_2, no_1_3;
		int least, most; /* of the client */
		const char *reason;
	} cases[] = {
		{ false, false, TLS1_VERSION, TLS1_1_VERSION,
		  "no TLS version in common (offered here: TLSv1.2, TLSv1.3)" },
		{ false, true, TLS1_3_VERSION, TLS1_3_VERSION,
		  "no TLS version in common (offered here: TLSv1.2)" },
		{ true, false, TLS1_2_VERSION, TLS1_2_VERSION,
		  "no TLS version in common (offered here: TLSv1.3)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tls_options o = {
			.cert_file = pki.cert_file,
			.key_file = pki.key_file,
			.no_tls_1_2 = cases[i].no_1_2,
			.no_tls_1_3 = cases[i].no_1_3,
		};
		struct tls_fault fault;
		struct pair p;

		pair_open(&p, TLS_CLIENT_AUTH_NONE, &pki.client, NULL);
		tls_free(p.server);
		tls_context_unref(p.context);
		p.context = tls_context_new(&o, &fault);
		assert_non_null(p.context);
		p.server = tls_new(p.context, p.fds[0]);
		SSL_CTX_set_cipher_list(p.client_context, "ALL:@SECLEVEL=0");
		SSL_CTX_set_min_proto_version(p.client_context, cases[i].least);
		SSL_CTX_set_max_proto_version(p.client_context, cases[i].most);
		assert_int_equal(shake(&p), TLS_FAIL);
		assert_string_equal(tls_reason(p.server), cases[i].reason);
		pair_close(&p);
	}
}

static void test_no_tls_at_all(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *reason;
	} cases[] = {
		{ "GET / HTTP/1.0\r\n\r\n", 18, "not a TLS peer (http request)" },
		{ "\0\0\0\x2d\0\0\0\0\0\0\0\0\0\0\0\0", 16, "not a TLS peer (plain text)" },
		{ "ruok, are you there?", 20, "not a TLS peer (plain text)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pair p;

		pair_open(&p, TLS_CLIENT_AUTH_NEED, NULL, NULL);
		assert_int_equal(write(p.fds[1], cases[i].bytes, cases[i].len), cases[i].len);
		assert_int_equal(tls_handshake(p.server), TLS_FAIL);
		assert_string_equal(tls_reason(p.server), cases[i].reason);
		pair_close(&p);
	}
}

static void test_peer_goes_away(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, NULL, NULL);
	close(p.fds[1]);
	p.fds[1] = -1;
	assert_int_equal(tls_handshake(p.server), TLS_EOF);
	pair_close(&p);
}

/* What the client says of our certificate is its alert. */
static void test_refused_by_the_client(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NONE, NULL, NULL);
	SSL_CTX_free(p.client_context);
	p.client_context = certs_client_context(NULL, NULL, &pki.foreign_ca);
	assert_int_equal(shake(&p), TLS_FAIL);
	assert_string_equal(tls_reason(p.server), "refused by the peer: tlsv1 alert unknown ca");
	pair_close(&p);
}

static void test_data_both_ways(void **state)
{
	static char big[200 * 1024], got[sizeof(big)], places[2][16384];
	size_t put, n, sent = 0, received = 0;
	struct pair p;
	char byte;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(tls_read(p.server, &byte, 1, &n), TLS_WANT_READ);
	/* Two records; the first read takes a part of one, the rest of it waits inside. */
	assert_int_equal(SSL_write(p.client, "hello", 5), 5);
	assert_int_equal(tls_has_pending(p.server), 0);
	assert_int_equal(tls_read(p.server, &byte, 1, &n), TLS_OK);
	assert_int_equal(byte, 'h');
	assert_true(tls_has_pending(p.server));
	assert_int_equal(tls_read(p.server, got, 16, &n), TLS_OK);
	assert_int_equal(n, 4);
	assert_false(tls_has_pending(p.server));

	/* More than the socket takes: the same bytes are offered again from another place in
	 * memory. */
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	for (int i = 0; i < MOST_STEPS && received < sizeof(big); i++) {
		size_t len = sizeof(big) - sent < 16384 ? sizeof(big) - sent : 16384;
		char *elsewhere = places[i % 2];
		int rc;

		memcpy(elsewhere, big + sent, len);
		if (len > 0 && tls_write(p.server, elsewhere, len, &put) == TLS_OK)
			sent += put;
		if (i % 3 == 0)
			continue;
		rc = SSL_read(p.client, got + received, (int)(sizeof(got) - received));
		received += rc > 0 ? (size_t)rc : 0;
	}
	assert_int_equal(received, sizeof(big));
	assert_memory_equal(got, big, sizeof(big));
	pair_close(&p);
}

static void test_ends(void **state)
{
	struct pair p;
	char byte;
	size_t n;

	(void)state;
	/* In order, what was sent before is read first. */
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(SSL_write(p.client, "a", 1), 1);
	SSL_shutdown(p.client);
	assert_int_equal(tls_read(p.server, &byte, 1, &n), TLS_OK);
	assert_int_equal(tls_read(p.server, &byte, 1, &n), TLS_EOF);
	/* Ours may still go. */
	assert_int_equal(tls_write(p.server, "b", 1, &n), TLS_OK);
	assert_int_equal(SSL_read(p.client, &byte, 1), 1);
	pair_close(&p);

	/* Without a word. */
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(SSL_write(p.client, "a", 1), 1);
	close(p.fds[1]);
	p.fds[1] = -1;
	/* Nobody takes ours any more, but what it had sent is there. */
	assert_int_equal(tls_write(p.server, "b", 1, &n), TLS_EOF);
	assert_int_equal(tls_write(p.server, "b", 1, &n), TLS_EOF);
	assert_int_equal(tls_read(p.server, &byte, 1, &n), TLS_OK);
	assert_int_equal(tls_read(p.server, &byte, 1, &n), TLS_EOF);
	pair_close(&p);

	/* We close: the client sees an end in order. */
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	tls_free(p.server);
	p.server = NULL;
	assert_int_equal(SSL_read(p.client, &byte, 1), 0);
	assert_int_equal(SSL_get_error(p.client, 0), SSL_ERROR_ZERO_RETURN);
	pair_close(&p);
}

static void test_garbage_in_the_stream(void **state)
{
	struct pair p;
	char byte;
	size_t n;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_int_equal(write(p.fds[1],
			       "\x17\x03\x03\0\x20"
			       "................................",
			       37),
			 37);
	assert_int_equal(tls_read(p.server, &byte, 1, &n), TLS_FAIL);
	assert_true(strlen(tls_reason(p.server)) > 0);
	assert_int_equal(ERR_peek_error(), 0);
	pair_close(&p);
}

/* --- Renegotiation: what a client of OpenSSL does not send, made by hand. --- */

/* The key block of TLS 1.2 (RFC 5246, 6.3), for AES-128-GCM with SHA-256. */
static void derive_keys(const SSL *ssl, uint8_t *block, size_t len)
{
	uint8_t master[48], randoms[2 * SSL3_RANDOM_SIZE];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[5], *p = params;

	assert_int_equal(SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master)),
			 sizeof(master));
	SSL_get_server_random(ssl, randoms, SSL3_RANDOM_SIZE);
	SSL_get_client_random(ssl, randoms + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256",
						0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof(master));
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED,
						 (char *)(uintptr_t) "key expansion", 13);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, randoms, sizeof(randoms));
	*p = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_KDF_derive(context, block, len, params), 1);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

/* Encrypts the client's record number seq; gives its length. */
static size_t seal(const uint8_t *block, uint8_t seq, uint8_t type, const uint8_t *body, size_t len,
		   uint8_t *record)
{
	uint8_t aad[13] = { [7] = seq, type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len };
	uint8_t nonce[12] = { [11] = seq };
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	size_t rest = 8 + len + 16;
	int n;

	/* Keys of the client and the server, then their salts. */
	memcpy(nonce, block + 32, 4);
	record[0] = type;
	record[1] = record[2] = 3;
	record[3] = (uint8_t)(rest >> 8);
	record[4] = (uint8_t)rest;
	memcpy(record + 5, nonce + 4, 8);
	assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, block, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(c, NULL, &n, aad, sizeof(aad)), 1);
	assert_int_equal(EVP_EncryptUpdate(c, record + 13, &n, body, (int)len), 1);
	assert_int_equal(EVP_EncryptFinal_ex(c, record + 13 + n, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, record + 13 + len), 1);
	EVP_CIPHER_CTX_free(c);
	return 5 + rest;
}

/* A ClientHello with nothing in it but what must be there. */
static size_t make_hello(uint8_t *hello)
{
	static const uint8_t tail[] = { 0, 0, 2, 0xc0, 0x2b, 1, 0 };

	memset(hello, 7, 4 + 2 + SSL3_RANDOM_SIZE);
	hello[0] = SSL3_MT_CLIENT_HELLO;
	hello[1] = hello[2] = 0;
	hello[3] = 2 + SSL3_RANDOM_SIZE + sizeof(tail);
	hello[4] = hello[5] = 3;
	memcpy(hello + 6 + SSL3_RANDOM_SIZE, tail, sizeof(tail));
	return 6 + SSL3_RANDOM_SIZE + sizeof(tail);
}

/* TLS 1.2: each ClientHello is refused in a read of its own, however many there are, and what comes
 * behind them is read. */
static void test_renegotiation_is_refused(void **state)
{
	enum { HELLOS = 100 };
	uint8_t block[40], hello[64], record[128];
	size_t len = make_hello(hello), n;
	unsigned reads = 0;
	struct pair p;
	char byte;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	SSL_CTX_set_max_proto_version(p.client_context, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(p.client_context, "ECDHE-ECDSA-AES128-GCM-SHA256"),
			 1);
	assert_int_equal(shake(&p), TLS_OK);
	derive_keys(p.client, block, sizeof(block));
	/* Record 0 was the client's Finished. */
	for (int i = 1; i <= HELLOS; i++) {
		n = seal(block, (uint8_t)i, SSL3_RT_HANDSHAKE, hello, len, record);
		assert_int_equal(write(p.fds[1], record, n), n);
	}
	n = seal(block, HELLOS + 1, SSL3_RT_APPLICATION_DATA, (const uint8_t *)"x", 1, record);
	assert_int_equal(write(p.fds[1], record, n), n);
	while (tls_read(p.server, &byte, 1, &n) == TLS_WANT_READ && reads < MOST_STEPS)
		reads++;
	assert_int_equal(reads, HELLOS);
	assert_int_equal(n, 1);
	assert_int_equal(byte, 'x');
	pair_close(&p);
}

/* TLS 1.3: the same with key updates. */
static void test_key_updates_one_by_one(void **state)
{
	enum { UPDATES = 100 };
	unsigned reads = 0;
	struct pair p;
	char byte;
	size_t n;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	for (int i = 0; i < UPDATES; i++) {
		assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p.client), 1);
	}
	assert_int_equal(SSL_write(p.client, "x", 1), 1);
	while (tls_read(p.server, &byte, 1, &n) == TLS_WANT_READ && reads < MOST_STEPS)
		reads++;
	assert_int_equal(reads, UPDATES);
	assert_int_equal(byte, 'x');
	pair_close(&p);
}

static void test_no_resumption(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	SSL_SESSION *session;
	char byte;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pair p;

		pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
		SSL_CTX_set_max_proto_version(p.client_context, versions[i]);
		assert_int_equal(shake(&p), TLS_OK);
		SSL_read(p.client, &byte, 1);
		session = SSL_get1_session(p.client);
		/* No ticket came; and whatever session the client thinks it has is of no use to
		 * it. */
		assert_false(SSL_SESSION_has_ticket(session));
		/* Else the library would forget a session that did not end in order. */
		SSL_set_shutdown(p.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(p.client);
		tls_free(p.server);
		close(p.fds[0]);
		close(p.fds[1]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fds), 0);
		p.server = tls_new(p.context, p.fds[0]);
		p.client = SSL_new(p.client_context);
		SSL_set_session(p.client, session);
		SSL_set_fd(p.client, p.fds[1]);
		SSL_set_connect_state(p.client);
		assert_int_equal(shake(&p), TLS_OK);
		assert_false(SSL_session_reused(p.client));
		SSL_SESSION_free(session);
		pair_close(&p);
	}
}

static void test_the_client_is_told_our_cas(void **state)
{
	const STACK_OF(X509_NAME) * names;
	struct pair p;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	names = SSL_get0_peer_CA_list(p.client);
	assert_int_equal(sk_X509_NAME_num(names), 1);
	assert_int_equal(
		X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(pki.ca.x509)), 0);
	pair_close(&p);
}

/* Revocation. */

/* A server that trusts our CA and asks for revocation by these CRLs. */
static struct tls_context *revoking_context(const char *crls, bool may_lack)
{
	const struct tls_options o = {
		.cert_file = pki.cert_file,
		.key_file = pki.key_file,
		.trust_file = pki.ca_file,
		.crl_file = crls,
		.may_lack_crl = may_lack,
		.client_auth = TLS_CLIENT_AUTH_NEED,
	};
	struct tls_fault fault;
	struct tls_context *c = tls_context_new(&o, &fault);

	if (!c)
		fail_msg("%s", fault.reason);
	return c;
}

static void pair_open_at(struct pair *p, struct tls_context *context, const struct cert *own,
			 const struct cert *issuer)
{
	pair_open(p, TLS_CLIENT_AUTH_NEED, own, issuer);
	tls_free(p->server);
	tls_context_unref(p->context);
	p->context = tls_context_ref(context);
	p->server = tls_new(context, p->fds[0]);
	assert_non_null(p->server);
}

/* reason NULL: let in; doubt: with what. */
static void expect_judged(struct tls_context *context, const struct cert *own,
			  const struct cert *issuer, const char *reason, const char *doubt)
{
	struct pair p;

	pair_open_at(&p, context, own, issuer);
	assert_int_equal(shake(&p), reason ? TLS_FAIL : TLS_OK);
	if (reason)
		assert_string_equal(tls_reason(p.server), reason);
	else if (doubt)
		assert_string_equal(tls_doubt(p.server), doubt);
	else
		assert_null(tls_doubt(p.server));
	pair_close(&p);
}

static void test_revocation(void **state)
{
	char *dir = certs_dir_make(), *outer, *inner;
	struct tls_context *c;

	(void)state;
	/* Of the issuer of an intermediate nothing is known. */
	inner = certs_write_crl(dir, "inner.pem", &pki.inner_ca, NULL, false);
	c = revoking_context(dir, false);
	expect_judged(c, &pki.client, NULL, "unable to get certificate CRL (CN=alice)", NULL);
	expect_judged(c, &pki.inner_client, &pki.inner_ca,
		      "unable to get certificate CRL (CN=ivan, at its issuer CN=Inner CA)", NULL);
	tls_context_unref(c);
	c = revoking_context(dir, true);
	expect_judged(c, &pki.inner_client, &pki.inner_ca, NULL, "unable to get certificate CRL");
	tls_context_unref(c);

	outer = certs_write_crl(dir, "outer.pem", &pki.ca, NULL, false);
	c = revoking_context(dir, false);
	expect_judged(c, &pki.client, NULL, NULL, NULL);
	expect_judged(c, &pki.inner_client, &pki.inner_ca, NULL, NULL);
	tls_context_unref(c);
	free(outer);

	outer = certs_write_crl(dir, "outer.pem", &pki.ca, &pki.client, false);
	metrics_reset();
	c = revoking_context(dir, true);
	expect_judged(c, &pki.client, NULL, "certificate revoked (CN=alice)", NULL);
	assert_int_equal(metrics_get(METRIC_connections_revoked), 1);
	expect_judged(c, &pki.inner_client, &pki.inner_ca, NULL, NULL);
	tls_context_unref(c);
	free(outer);

	outer = certs_write_crl(dir, "outer.pem", &pki.ca, &pki.inner_ca, false);
	c = revoking_context(dir, true);
	expect_judged(c, &pki.client, NULL, NULL, NULL);
	expect_judged(c, &pki.inner_client, &pki.inner_ca,
		      "certificate revoked (CN=ivan, at its issuer CN=Inner CA)", NULL);
	tls_context_unref(c);
	free(outer);

	/* An old list tells of those that it names. */
	outer = certs_write_crl(dir, "outer.pem", &pki.ca, &pki.client, true);
	c = revoking_context(dir, false);
	expect_judged(c, &pki.inner_client, &pki.inner_ca,
		      "CRL has expired (CN=ivan, at its issuer CN=Inner CA)", NULL);
	tls_context_unref(c);
	c = revoking_context(dir, true);
	expect_judged(c, &pki.inner_client, &pki.inner_ca, NULL, "CRL has expired");
	expect_judged(c, &pki.client, NULL, "certificate revoked (CN=alice)", NULL);
	tls_context_unref(c);
	free(inner);
	free(outer);
	certs_dir_remove(dir);
}

static void expect_again(struct tls *t, struct tls_context *by, const char *reason)
{
	char found[TLS_REASON_LEN] = "";
	int64_t until_s = 0;

	assert_int_equal(tls_judge(t, by, &until_s, found), reason ? -1 : 0);
	assert_string_equal(found, reason ? reason : "");
	if (!reason)
		assert_int_equal(until_s, tls_valid_until_s(t));
	assert_int_equal(ERR_peek_error(), 0);
}

/* Who is in is judged by another context than that which let him in. */
static void test_judged_again(void **state)
{
	char *dir = certs_dir_make(), *outer, *inner, *trust;
	struct tls_options o = { .cert_file = pki.cert_file,
				 .key_file = pki.key_file,
				 .client_auth = TLS_CLIENT_AUTH_NEED };
	struct tls_context *c;
	struct tls_fault fault;
	struct pair p;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.inner_client, &pki.inner_ca);
	assert_int_equal(shake(&p), TLS_OK);
	/* Made in this program, for a day from an hour ago. */
	assert_in_range(tls_valid_until_s(p.server), time(NULL) + 22 * 3600,
			time(NULL) + 23 * 3600);
	expect_again(p.server, p.context, NULL);
	inner = certs_write_crl(dir, "inner.pem", &pki.inner_ca, NULL, true);
	c = revoking_context(dir, false);
	/* What is missing and out of date is not held against him. */
	expect_again(p.server, c, NULL);
	tls_context_unref(c);
	outer = certs_write_crl(dir, "outer.pem", &pki.ca, &pki.inner_ca, false);
	c = revoking_context(dir, true);
	expect_again(p.server, c, "certificate revoked (CN=ivan, at its issuer CN=Inner CA)");
	tls_context_unref(c);
	trust = certs_write_chain(pki.dir, "judge.pem", &pki.foreign_ca, NULL);
	o.trust_file = trust;
	c = tls_context_new(&o, &fault);
	assert_non_null(c);
	expect_again(p.server, c,
		     "unable to get local issuer certificate (CN=ivan, at its issuer CN=Inner CA)");
	tls_context_unref(c);
	pair_close(&p);

	pair_open(&p, TLS_CLIENT_AUTH_WANT, NULL, NULL);
	assert_int_equal(shake(&p), TLS_OK);
	assert_true(tls_valid_until_s(p.server) == INT64_MAX);
	expect_again(p.server, p.context, NULL);
	pair_close(&p);
	free(inner);
	free(outer);
	free(trust);
	certs_dir_remove(dir);
}

/* Contexts. */

static void refuse_context(struct tls_options o, enum tls_part part, const char *file,
			   const char *why)
{
	struct tls_fault fault = { 0 };

	assert_null(tls_context_new(&o, &fault));
	if (!strstr(fault.reason, why) || strncmp(fault.reason, file, strlen(file)) != 0)
		fail_msg("%s: not what was expected: %s, %s", fault.reason, file, why);
	assert_int_equal(fault.part, part);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_bad_files(void **state)
{
	const struct tls_options good = {
		.cert_file = pki.cert_file,
		.key_file = pki.key_file,
		.trust_file = pki.ca_file,
		.client_auth = TLS_CLIENT_AUTH_NEED,
	};
	char *junk = certs_write_text(pki.dir, "junk.pem", "nothing\n");
	char *other = certs_write_key(pki.dir, "other.key", &pki.client, NULL);
	const struct cert liar = { pki.ca.x509, pki.foreign_ca.key };
	char *wrong_crl = certs_write_crl(pki.dir, "liar.pem", &liar, NULL, false);
	struct tls_options o;
	char long_name[2000];
	char tail[97] = "";

	(void)state;
	memset(long_name, '/', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	memset(tail, '/', sizeof(tail) - 1);
	o = good, o.cert_file = "/nowhere/x.pem";
	refuse_context(o, TLS_PART_CERT, "/nowhere/x.pem: ", "No such file");
	o = good, o.cert_file = junk;
	refuse_context(o, TLS_PART_CERT, junk, "no start line");
	o = good, o.key_file = junk;
	refuse_context(o, TLS_PART_KEY, junk, "no usable private key");
	o = good, o.key_file = other;
	refuse_context(o, TLS_PART_KEY, other, pki.cert_file);
	o = good, o.trust_file = junk;
	refuse_context(o, TLS_PART_TRUST, junk, "no usable CA certificate");
	o = good, o.trust_file = "/nowhere/ca.pem";
	refuse_context(o, TLS_PART_TRUST, "/nowhere/ca.pem: ", "no usable CA certificate");
	o = good, o.crl_file = junk;
	refuse_context(o, TLS_PART_CRL, junk, "there is no CRL in it");
	o = good, o.crl_file = "/nowhere/crl.pem";
	refuse_context(o, TLS_PART_CRL, "/nowhere/crl.pem: ", "No such file");
	o = good, o.crl_file = wrong_crl;
	refuse_context(o, TLS_PART_CRL, wrong_crl, "not signed by the CA");
	o = good, o.trust_file = NULL;
	refuse_context(o, TLS_PART_TRUST, "client certificates are asked for",
		       "no file of trusted CAs");
	o = good, o.cert_file = NULL;
	refuse_context(o, TLS_PART_CERT, "no certificate of the server", "configured");
	/* However long the name is, the fault stands behind it. */
	o = good, o.cert_file = long_name;
	refuse_context(o, TLS_PART_CERT, tail, "no usable certificate: ");
	o = good, o.key_file = long_name;
	refuse_context(o, TLS_PART_KEY, tail, "no usable private key: ");
	o = good, o.trust_file = long_name;
	refuse_context(o, TLS_PART_TRUST, tail, "no usable CA certificate: ");
	free(junk);
	free(other);
	free(wrong_crl);
}

static void test_bad_ciphers(void **state)
{
	static const char suite[] = "TLS_AES_128_GCM_SHA256,";
	static const struct {
		const char *ciphers, *named, *reason;
	} cases[] = {
		{ "TLS_AES_128_GCM_SHA256 , TLS_SHA", "TLS_SHA: ", "there is no such" },
		{ "ECDHE-RSA-AES128-GCM-SHA256",
		  "ECDHE-RSA-AES128-GCM-SHA256: ", "there is no such" },
		{ "", ": ", "there is no such" },
		{ "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384",
		  "TLS_AES_128_GCM_SHA256 TLS_AES_256", "a comma" },
		/* Below the security level, and without a certificate. */
		{ "TLS_RSA_WITH_NULL_SHA", "TLS_RSA_WITH_NULL_SHA: ", "too weak" },
		{ "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
		  "TLS_DH_anon_WITH_AES_128_GCM_SHA256: ", "too weak" },
	};
	struct tls_options o = { .cert_file = pki.cert_file, .key_file = pki.key_file };
	char many[300 * (sizeof(suite) - 1) + 1];

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
		o.ciphers = cases[n].ciphers;
		refuse_context(o, TLS_PART_CIPHERS, cases[n].named, cases[n].reason);
	}
	o.ciphers = "TLS_AES_128_GCM_SHA256";
	o.no_tls_1_3 = true;
	refuse_context(o, TLS_PART_CIPHERS, "TLS_AES_128_GCM_SHA256: ", "no suite of a version");
	many[0] = '\0';
	for (int i = 0; i < 300; i++)
		strcat(many, suite);
	o.ciphers = many;
	refuse_context(o, TLS_PART_CIPHERS, "TLS_AES_128_GCM_SHA256: ", "too long");
}

static void test_keys(void **state)
{
	char *locked = certs_write_key(pki.dir, "locked.key", &pki.server, "s3cret");
	struct tls_fault fault;
	struct tls_options o = {
		.cert_file = pki.cert_file,
		.key_file = locked,
		.key_password = "s3cret",
		.trust_file = pki.ca_file,
		.client_auth = TLS_CLIENT_AUTH_NEED,
	};
	struct tls_context *c;

	(void)state;
	c = tls_context_new(&o, &fault);
	assert_non_null(c);
	tls_context_unref(c);
	o.key_password = "wrong";
	refuse_context(o, TLS_PART_KEY, locked, "the password is wrong");
	/* Must not ask on the terminal. */
	o.key_password = NULL;
	refuse_context(o, TLS_PART_KEY, locked, "no usable private key");
	free(locked);

	/* Certificate and key in one file, named once. */
	o.cert_file = pki.all_file;
	o.key_file = NULL;
	c = tls_context_new(&o, &fault);
	assert_non_null(c);
	tls_context_unref(c);
}

/* A connection outlives the context that everybody else has dropped. */
static void test_context_lives_as_long_as_needed(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, TLS_CLIENT_AUTH_NEED, &pki.client, NULL);
	tls_context_unref(tls_context_ref(p.context));
	tls_context_unref(p.context);
	p.context = NULL;
	assert_int_equal(shake(&p), TLS_OK);
	pair_close(&p);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_init(&pki);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_client_by_both_versions),
		cmocka_unit_test(test_client_by_an_intermediate),
		cmocka_unit_test(test_trusted_intermediate),
		cmocka_unit_test(test_bad_clients),
		cmocka_unit_test(test_want_and_none),
		cmocka_unit_test(test_other_versions_are_refused),
		cmocka_unit_test(test_no_tls_at_all),
		cmocka_unit_test(test_peer_goes_away),
		cmocka_unit_test(test_refused_by_the_client),
		cmocka_unit_test(test_data_both_ways),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_garbage_in_the_stream),
		cmocka_unit_test(test_renegotiation_is_refused),
		cmocka_unit_test(test_key_updates_one_by_one),
		cmocka_unit_test(test_no_resumption),
		cmocka_unit_test(test_the_client_is_told_our_cas),
		cmocka_unit_test(test_revocation),
		cmocka_unit_test(test_judged_again),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_bad_ciphers),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_context_lives_as_long_as_needed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
