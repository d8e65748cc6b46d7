/* Odd subject names, and what Java's X500Principal.getName() prints for each:
 * tests/interop/test_subject_names.sh asked it. Names are built as DER, so a string may have any
 * type and any bytes. */
#ifndef TESTS_LIB_SUBJECTS_H
#define TESTS_LIB_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

enum { SUBJECT_PARTS = 8, SUBJECT_VALUE_LEN = 200 };

struct subject_part {
	const char *oid; /* dotted; NULL ends the list */
	int tag;         /* V_ASN1_… */
	bool joins;      /* belongs to the same RDN as the part before it */
	size_t len;
	char value[SUBJECT_VALUE_LEN]; /* bytes behind the value's header */
};

struct subject {
	struct subject_part parts[SUBJECT_PARTS]; /* in the certificate's order */
	const char *java;
};

extern const struct subject subjects[];
extern const size_t subject_count;

/* The caller frees it. NULL where OpenSSL does not take such a name (a UTF8String that is not
 * UTF-8): no certificate with it comes through a handshake. */
X509_NAME *subject_build(const struct subject *s);

#endif
