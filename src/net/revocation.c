#include "net/revocation.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum { NAME_SHOWN = 96 /* of a file in a reason, which goes on behind it */ };

static int printf_like(3, 4)
	fail(char reason[REVOCATION_REASON_LEN], const char *path, const char *format, ...)
{
	size_t len = strlen(path);
	int at = snprintf(reason, REVOCATION_REASON_LEN,
			  "%s: ", len > NAME_SHOWN ? path + len - NAME_SHOWN : path);
	va_list args;

	va_start(args, format);
	vsnprintf(reason + at, REVOCATION_REASON_LEN - (size_t)at, format, args);
	va_end(args);
	return -1;
}

/* One of another CA with the same name is no harm: verification asks each. */
static bool is_signed_by_namesake(X509_STORE *store, X509_CRL *crl)
{
	STACK_OF(X509) *certs = X509_STORE_get1_all_certs(store);
	bool has_namesake = false, is_signed = false;

	for (int i = 0; i < sk_X509_num(certs) && !is_signed; i++) {
		X509 *cert = sk_X509_value(certs, i);

		if (X509_NAME_cmp(X509_get_subject_name(cert), X509_CRL_get_issuer(crl)) != 0)
			continue;
		has_namesake = true;
		is_signed = X509_CRL_verify(crl, X509_get0_pubkey(cert)) == 1;
	}
	sk_X509_pop_free(certs, X509_free);
	ERR_clear_error();
	return is_signed || !has_namesake;
}

static int add_crl(X509_STORE *store, X509_CRL *crl, const char *path,
		   char reason[REVOCATION_REASON_LEN])
{
	if (!is_signed_by_namesake(store, crl))
		return fail(reason, path, "the CRL is not signed by the CA that it names");
	if (X509_STORE_add_crl(store, crl) != 1)
		return fail(reason, path, "the CRL cannot be used");
	return 0;
}

/* The reader found no further beginning of a PEM block, and nothing else is wrong. */
static bool is_at_end(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static int load_file(X509_STORE *store, const char *path, const struct stat *st,
		     char reason[REVOCATION_REASON_LEN])
{
	unsigned count = 0;
	X509_CRL *crl;
	FILE *file;
	int rc = 0;

	/* To open a pipe may take for ever. */
	if (!S_ISREG(st->st_mode))
		return fail(reason, path, "that is no file");
	file = fopen(path, "re");
	if (!file)
		return fail(reason, path, "%s", strerror(errno));
	ERR_clear_error();
	while (rc == 0 && (crl = PEM_read_X509_CRL(file, NULL, NULL, NULL)) != NULL) {
		rc = add_crl(store, crl, path, reason);
		X509_CRL_free(crl);
		count++;
	}
	if (rc == 0 && ferror(file))
		rc = fail(reason, path, "it cannot be read");
	else if (rc == 0 && !is_at_end())
		rc = fail(reason, path, "no usable CRL: %s",
			  ERR_reason_error_string(ERR_peek_error()));
	else if (rc == 0 && count == 0)
		rc = fail(reason, path, "there is no CRL in it (PEM)");
	ERR_clear_error();
	fclose(file);
	return rc;
}

static int is_seen(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int load_entry(X509_STORE *store, const char *path, unsigned *files,
		      char reason[REVOCATION_REASON_LEN])
{
	struct stat st;

	if (stat(path, &st) != 0)
		return fail(reason, path, "%s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return 0;
	++*files;
	return load_file(store, path, &st, reason);
}

static int load_directory(X509_STORE *store, const char *path, char reason[REVOCATION_REASON_LEN])
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_seen, alphasort);
	char file[PATH_MAX];
	unsigned files = 0;
	int rc = 0;

	if (count < 0)
		return fail(reason, path, "%s", strerror(errno));
	for (int i = 0; i < count; i++) {
		if (rc == 0 && snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) >=
				       (int)sizeof(file))
			rc = fail(reason, path, "%s", strerror(ENAMETOOLONG));
		else if (rc == 0)
			rc = load_entry(store, file, &files, reason);
		free(entries[i]);
	}
	free(entries);
	if (rc == 0 && files == 0)
		rc = fail(reason, path, "there is no file in it");
	return rc;
}

int revocation_load(X509_STORE *store, X509_VERIFY_PARAM *param, const char *path,
		    char reason[REVOCATION_REASON_LEN])
{
	struct stat st;

	if (stat(path, &st) != 0)
		return fail(reason, path, "%s", strerror(errno));
	if ((S_ISDIR(st.st_mode) ? load_directory(store, path, reason)
				 : load_file(store, path, &st, reason)) != 0)
		return -1;
	/* CRL_CHECK alone looks at the peer's own certificate and at none of its issuers. */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

/* Put it in, or in the place of an older one. */
static void keep_newest(STACK_OF(X509_CRL) * crls, X509_CRL *crl)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		X509_CRL *other = sk_X509_CRL_value(crls, i);

		if (X509_NAME_cmp(X509_CRL_get_issuer(other), X509_CRL_get_issuer(crl)) != 0)
			continue;
		if (ASN1_TIME_compare(X509_CRL_get0_lastUpdate(other),
				      X509_CRL_get0_lastUpdate(crl)) < 0 &&
		    X509_CRL_up_ref(crl) == 1) {
			(void)sk_X509_CRL_set(crls, i, crl);
			X509_CRL_free(other);
		}
		return;
	}
	if (X509_CRL_up_ref(crl) == 1 && sk_X509_CRL_push(crls, crl) == 0)
		X509_CRL_free(crl);
}

STACK_OF(X509_CRL) * revocation_newest(X509_STORE *store)
{
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	STACK_OF(X509_OBJECT) * objects;

	/* A search in it may sort it. */
	if (!crls || X509_STORE_lock(store) != 1)
		return crls;
	objects = X509_STORE_get0_objects(store);
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));

		if (crl)
			keep_newest(crls, crl);
	}
	X509_STORE_unlock(store);
	return crls;
}

bool revocation_is_unknown(int error)
{
	return error == X509_V_ERR_UNABLE_TO_GET_CRL ||
	       error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER ||
	       error == X509_V_ERR_CRL_NOT_YET_VALID || error == X509_V_ERR_CRL_HAS_EXPIRED;
}

/* What comes of looking the last one of a chain up in the list of a CA that is not in the chain,
 * and so cannot be asked whether it signed the list. */
static bool is_about_crl(int error)
{
	switch (error) {
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
		return true;
	default:
		return false;
	}
}

bool revocation_is_of_anchor(X509_STORE_CTX *verifying)
{
	/* A chain is looked at for revocation when it was found to end in what is trusted. */
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(verifying);
	int last = sk_X509_num(chain) - 1, error = X509_STORE_CTX_get_error(verifying);
	X509 *anchor;

	if (last < 0 || X509_STORE_CTX_get_error_depth(verifying) != last)
		return false;
	anchor = sk_X509_value(chain, last);
	return error == X509_V_ERR_UNABLE_TO_GET_CRL ||
	       error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER ||
	       (is_about_crl(error) && X509_check_issued(anchor, anchor) != X509_V_OK);
}
