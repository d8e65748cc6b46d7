#include "net/chain.h"

#include <stdio.h>
#include <time.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "net/identity.h"
#include "net/revocation.h"

int64_t chain_seconds(const ASN1_TIME *at)
{
	struct tm tm;

	return ASN1_TIME_to_tm(at, &tm) == 1 ? timegm(&tm) : INT64_MIN;
}

int64_t chain_valid_until_s(STACK_OF(X509) * chain)
{
	int64_t until_s = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t at_s = chain_seconds(X509_get0_notAfter(sk_X509_value(chain, i)));

		if (at_s < until_s)
			until_s = at_s;
	}
	return until_s;
}

static int judge(int verdict, X509_STORE_CTX *verifying)
{
	if (verdict == 1)
		return 1;
	if (!revocation_is_unknown(X509_STORE_CTX_get_error(verifying)) &&
	    !revocation_is_of_anchor(verifying))
		return verdict;
	X509_STORE_CTX_set_error(verifying, X509_V_OK);
	return 1;
}

void chain_explain(int error, const char *offered, const char *issuer,
		   char reason[CHAIN_REASON_LEN])
{
	const char *text = X509_verify_cert_error_string(error);
	const char *name = offered ? offered : "unreadable subject";

	if (issuer)
		snprintf(reason, CHAIN_REASON_LEN, "%s (%s, at its issuer %s)", text, name, issuer);
	else
		snprintf(reason, CHAIN_REASON_LEN, "%s (%s)", text, name);
}

static void explain(X509_STORE_CTX *verifying, X509 *leaf, char reason[CHAIN_REASON_LEN])
{
	X509 *faulty = X509_STORE_CTX_get_current_cert(verifying);
	char *offered = tls_subject_name(leaf), *issuer = NULL;

	if (faulty && X509_STORE_CTX_get_error_depth(verifying) > 0)
		issuer = tls_subject_name(faulty);
	chain_explain(X509_STORE_CTX_get_error(verifying), offered, issuer, reason);
	mem_free(offered);
	mem_free(issuer);
}

/* What a handshake sets. */
static int set_up(X509_STORE_CTX *verifying, SSL_CTX *by, X509 *leaf, STACK_OF(X509) * others)
{
	X509_VERIFY_PARAM *param;

	if (!verifying ||
	    X509_STORE_CTX_init(verifying, SSL_CTX_get_cert_store(by), leaf, others) != 1 ||
	    X509_STORE_CTX_set_default(verifying, "ssl_client") != 1)
		return -1;
	param = X509_STORE_CTX_get0_param(verifying);
	X509_VERIFY_PARAM_set_auth_level(param, SSL_CTX_get_security_level(by));
	if (X509_VERIFY_PARAM_set1(param, SSL_CTX_get0_param(by)) != 1)
		return -1;
	X509_STORE_CTX_set_verify_cb(verifying, judge);
	return 0;
}

int chain_verify(SSL_CTX *by, X509 *leaf, STACK_OF(X509) * others, int64_t *valid_until_s,
		 char reason[CHAIN_REASON_LEN])
{
	X509_STORE_CTX *verifying = X509_STORE_CTX_new();
	int rc = -1;

	ERR_clear_error();
	if (set_up(verifying, by, leaf, others) != 0) {
		snprintf(reason, CHAIN_REASON_LEN, "the certificate cannot be judged now");
	} else if (X509_verify_cert(verifying) == 1) {
		*valid_until_s = chain_valid_until_s(X509_STORE_CTX_get0_chain(verifying));
		rc = 0;
	} else {
		explain(verifying, leaf, reason);
	}
	X509_STORE_CTX_free(verifying);
	ERR_clear_error();
	return rc;
}
