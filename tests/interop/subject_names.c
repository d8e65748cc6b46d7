/* For test_subject_names.sh: makes certificates with odd subjects and prints how net/identity names
 * them.
 *
 *   subject_names table DIR            the table of tests/lib/subjects.c
 *   subject_names random DIR SEED N    N names of random types and bytes
 *
 * Writes DIR/NNNNN.pem and prints "NNNNN.pem<TAB>name in hexadecimal UTF-8" a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/identity.h"
#include "tests/lib/certs.h"
#include "tests/lib/subjects.h"

static struct cert ca;

static void show(const char *dir, size_t number, const struct subject *s)
{
	X509_NAME *name = subject_build(s);
	struct cert_request request = { .subject = name, .issuer = &ca };
	struct cert cert;
	char file[32];
	char *text, *path;

	if (!name)
		return;
	cert_make(&cert, &request);
	snprintf(file, sizeof(file), "%05zu.pem", number);
	path = certs_write_chain(dir, file, &cert, NULL);
	text = tls_subject_name(cert.x509);
	printf("%s\t", file);
	for (const char *c = text ? text : ""; *c; c++)
		printf("%02x", (unsigned char)*c);
	printf("\n");
	mem_free(text);
	free(path);
	cert_fini(&cert);
	X509_NAME_free(name);
}

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

/* Bytes that matter to escaping and to UTF-8, more often than others. */
static char pick_byte(void)
{
	static const char often[] = " ,+\"\\<>;=#\r\n\0ab\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
				    "\xed\xa0\xe0\xf4\x90\xc0\xff";

	return pick(4) ? often[pick(sizeof(often) - 1)] : (char)pick(256);
}

static void make_random(struct subject *s)
{
	static const char *const oids[] = { "2.5.4.3",
					    "2.5.4.6",
					    "2.5.4.7",
					    "2.5.4.8",
					    "2.5.4.10",
					    "2.5.4.11",
					    "2.5.4.9",
					    "0.9.2342.19200300.100.1.25",
					    "0.9.2342.19200300.100.1.1",
					    "2.5.4.5",
					    "1.2.840.113549.1.9.1",
					    "1.2.3.4.5" };
	/* The types that take any bytes; Java's parser looks into the others. */
	static const int tags[] = { V_ASN1_UTF8STRING, V_ASN1_UTF8STRING, V_ASN1_PRINTABLESTRING,
				    V_ASN1_IA5STRING, V_ASN1_T61STRING };
	unsigned count = pick(SUBJECT_PARTS);

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < count; i++) {
		struct subject_part *p = &s->parts[i];

		p->oid = oids[pick(sizeof(oids) / sizeof(oids[0]))];
		p->tag = tags[pick(sizeof(tags) / sizeof(tags[0]))];
		p->joins = i > 0 && pick(4) == 0;
		p->len = pick(12);
		for (size_t k = 0; k < p->len; k++)
			p->value[k] = pick_byte();
	}
}

int main(int argc, char **argv)
{
	struct cert_request request = { .cn = "test CA", .is_ca = true };
	struct subject s;

	cert_make(&ca, &request);
	if (argc == 3 && strcmp(argv[1], "table") == 0) {
		for (size_t i = 0; i < subject_count; i++)
			show(argv[2], i, &subjects[i]);
	} else if (argc == 5 && strcmp(argv[1], "random") == 0) {
		srand((unsigned)atoi(argv[3]));
		for (size_t i = 0; i < (size_t)atoi(argv[4]); i++) {
			make_random(&s);
			show(argv[2], i, &s);
		}
	} else {
		fprintf(stderr, "usage: subject_names table DIR | random DIR SEED COUNT\n");
		return 2;
	}
	cert_fini(&ca);
	return 0;
}
