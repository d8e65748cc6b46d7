#include "tests/lib/subjects.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#define OID_CN "2.5.4.3"
#define OID_SN "2.5.4.4"
#define OID_SERIAL "2.5.4.5"
#define OID_C "2.5.4.6"
#define OID_L "2.5.4.7"
#define OID_ST "2.5.4.8"
#define OID_STREET "2.5.4.9"
#define OID_O "2.5.4.10"
#define OID_OU "2.5.4.11"
#define OID_TITLE "2.5.4.12"
#define OID_GN "2.5.4.42"
#define OID_DNQ "2.5.4.46"
#define OID_UID "0.9.2342.19200300.100.1.1"
#define OID_DC "0.9.2342.19200300.100.1.25"
#define OID_EMAIL "1.2.840.113549.1.9.1"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X50_HEX                                              \
	"78787878787878787878787878787878787878787878787878" \
	"78787878787878787878787878787878787878787878787878"

const struct subject subjects[] = {
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "alice" },
		},
		.java = "CN=alice",
	},
	{
		.parts = {
			{ OID_C, V_ASN1_PRINTABLESTRING, false, 2, "DE" },
			{ OID_ST, V_ASN1_UTF8STRING, false, 6, "Bayern" },
			{ OID_L, V_ASN1_UTF8STRING, false, 8, "M\303\274nchen" },
			{ OID_O, V_ASN1_UTF8STRING, false, 4, "Corp" },
			{ OID_OU, V_ASN1_UTF8STRING, false, 3, "Ops" },
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "alice" },
		},
		.java = "CN=alice,OU=Ops,O=Corp,L=M\303\274nchen,ST=Bayern,C=DE",
	},
	{
		.parts = {
			{ OID_DC, V_ASN1_IA5STRING, false, 3, "com" },
			{ OID_DC, V_ASN1_IA5STRING, false, 7, "example" },
			{ OID_UID, V_ASN1_UTF8STRING, false, 2, "u1" },
			{ OID_STREET, V_ASN1_UTF8STRING, false, 9, "Main St 1" },
		},
		.java = "STREET=Main St 1,UID=u1,DC=example,DC=com",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "alice" },
			{ OID_EMAIL, V_ASN1_IA5STRING, false, 13, "a@example.com" },
		},
		.java = "1.2.840.113549.1.9.1=#160d61406578616d706c652e636f6d,CN=alice",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 1, "x" },
			{ OID_SERIAL, V_ASN1_PRINTABLESTRING, false, 3, "123" },
			{ OID_TITLE, V_ASN1_UTF8STRING, false, 2, "Dr" },
			{ OID_GN, V_ASN1_UTF8STRING, false, 1, "G" },
			{ OID_SN, V_ASN1_UTF8STRING, false, 1, "S" },
			{ OID_DNQ, V_ASN1_PRINTABLESTRING, false, 1, "q" },
		},
		.java = "2.5.4.46=#130171,2.5.4.4=#0c0153,2.5.4.42=#0c0147,2.5.4.12=#0c024472,"
			"2.5.4.5=#1303313233,CN=x",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 19, "a,b+c\"d\\e<f>g;h=i#j" },
		},
		.java = "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\=i\\#j",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, " lead" },
		},
		.java = "CN=\\ lead",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 6, "trail " },
		},
		.java = "CN=trail\\ ",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 8, "  both  " },
		},
		.java = "CN=\\ \\ both\\ \\ ",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 1, " " },
		},
		.java = "CN=\\ ",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 3, "   " },
		},
		.java = "CN=\\ \\ \\ ",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 8, "in  side" },
		},
		.java = "CN=in  side",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "#hash" },
		},
		.java = "CN=\\#hash",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "ha#sh" },
		},
		.java = "CN=ha\\#sh",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 4, " #x " },
		},
		.java = "CN=\\ \\#x\\ ",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "\015\015cr\015" },
		},
		.java = "CN=\\\015\\\015cr\\\015",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 4, "\012lf\012" },
		},
		.java = "CN=\012lf\012",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "\011tab\011" },
		},
		.java = "CN=\011tab\011",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 0, "" },
		},
		.java = "CN=",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 3, "a\000b" },
		},
		.java = "CN=a\\00b",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 1, "\000" },
		},
		.java = "CN=\\00",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 3, " \000 " },
		},
		.java = "CN=\\ \\00\\ ",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 2, "\\ " },
		},
		.java = "CN=\\\\\\ ",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 4, "a\001\177b" },
		},
		.java = "CN=a\001\177b",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 15, "CN=alice,O=corp" },
		},
		.java = "CN=CN\\=alice\\,O\\=corp",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 15,
			  "J\303\274rgen \316\251 \360\237\230\200" },
		},
		.java = "CN=J\303\274rgen \316\251 \360\237\230\200",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_BMPSTRING, false, 10, "\000\326\000m\000e\000g\000a" },
		},
		.java = "CN=\\00\357\277\275\\00m\\00e\\00g\\00a",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UNIVERSALSTRING, false, 12,
			  "\000\000\000U\000\000\000n\000\000\000i" },
		},
		.java = "CN=#1c0c000000550000006e00000069",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 4, "T\351l\351" },
		},
		.java = "CN=T\357\277\275l\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_NUMERICSTRING, false, 5, "12 34" },
		},
		.java = "CN=#12053132203334",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_IA5STRING, false, 5, "ia5@x" },
		},
		.java = "CN=ia5@x",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_PRINTABLESTRING, false, 20, "print'able()+,-./:=?" },
		},
		.java = "CN=print'able()\\+\\,-./:\\=?",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 2, "\377\376" },
		},
		.java = "CN=\357\277\275\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 2, "a\303" },
		},
		.java = "CN=a\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 2, "\342\202" },
		},
		.java = "CN=\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 3, "\342\202x" },
		},
		.java = "CN=\357\277\275x",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 4, "\355\240\200z" },
		},
		.java = "CN=\357\277\275z",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 3, "\360\237\230" },
		},
		.java = "CN=\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 3, "\360\237x" },
		},
		.java = "CN=\357\277\275x",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 2, "\300\257" },
		},
		.java = "CN=\357\277\275\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 4, "\364\220\200\200" },
		},
		.java = "CN=\357\277\275\357\277\275\357\277\275\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 4, "\365\200\200\200" },
		},
		.java = "CN=\357\277\275\357\277\275\357\277\275\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 3, "\340\200\200" },
		},
		.java = "CN=\357\277\275\357\277\275\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 3, "\355\240x" },
		},
		.java = "CN=\357\277\275x",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_T61STRING, false, 5, "\360\237\230\200\200" },
		},
		.java = "CN=\360\237\230\200\357\277\275",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 2, "m1" },
			{ OID_OU, V_ASN1_UTF8STRING, true, 2, "m2" },
			{ OID_O, V_ASN1_UTF8STRING, false, 1, "o" },
		},
		.java = "O=o,CN=m1+OU=m2",
	},
	{
		.parts = {
			{ OID_O, V_ASN1_UTF8STRING, false, 1, "o" },
			{ OID_UID, V_ASN1_UTF8STRING, false, 1, "z" },
			{ OID_CN, V_ASN1_UTF8STRING, true, 1, "a" },
			{ OID_EMAIL, V_ASN1_IA5STRING, true, 1, "e" },
		},
		.java = "UID=z+CN=a+1.2.840.113549.1.9.1=#160165,O=o",
	},
	{
		.parts = {
			{ "1.3.6.1.4.1.99999.1.2", V_ASN1_UTF8STRING, false, 7, "private" },
		},
		.java = "1.3.6.1.4.1.99999.1.2=#0c0770726976617465",
	},
	{
		.parts = {
			{ "2.999.1", V_ASN1_UTF8STRING, false, 8, "long arc" },
		},
		.java = "2.999.1=#0c086c6f6e6720617263",
	},
	{
		.parts = {
			{ "2.5.4.97", V_ASN1_UTF8STRING, false, 7, "VATDE-1" },
		},
		.java = "2.5.4.97=#0c0756415444452d31",
	},
	{
		.parts = {
			{ OID_OU, V_ASN1_SEQUENCE, false, 3, "\002\001\005" },
		},
		.java = "OU=#3003020105",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_BIT_STRING, false, 2, "\000\200" },
		},
		.java = "CN=#03020080",
	},
	{
		.parts = {
			{ "1.2.3.4", V_ASN1_SEQUENCE, false, 3, "\014\001a" },
		},
		.java = "1.2.3.4=#30030c0161",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 150, X50 X50 X50 },
		},
		.java = "CN=" X50 X50 X50,
	},
	{
		.parts = {
			{ OID_EMAIL, V_ASN1_IA5STRING, false, 150, X50 X50 X50 },
		},
		.java = "1.2.840.113549.1.9.1=#168196" X50_HEX X50_HEX X50_HEX,
	},
	{
		.parts = {
		},
		.java = "",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "first" },
			{ OID_CN, V_ASN1_UTF8STRING, false, 6, "second" },
		},
		.java = "CN=second,CN=first",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 8, "\302\240nbsp\302\240" },
		},
		.java = "CN=\302\240nbsp\302\240",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 6, "\357\273\277bom" },
		},
		.java = "CN=\357\273\277bom",
	},
	{
		.parts = {
			{ OID_CN, V_ASN1_UTF8STRING, false, 5, "a\357\277\275b" },
		},
		.java = "CN=a\357\277\275b",
	},
	{
		.parts = {
			{ OID_C, V_ASN1_UTF8STRING, false, 4, "d e " },
		},
		.java = "C=d e\\ ",
	},
	{
		.parts = {
			{ OID_O, V_ASN1_PRINTABLESTRING, false, 10, "Acme, Inc." },
		},
		.java = "O=Acme\\, Inc.",
	},
	{
		.parts = {
			{ OID_O, V_ASN1_UTF8STRING, false, 12, "back\\slash \\" },
		},
		.java = "O=back\\\\slash \\\\",
	},
};
const size_t subject_count = sizeof(subjects) / sizeof(subjects[0]);

enum { NAME_LEN = 4096 };

struct der {
	uint8_t bytes[NAME_LEN];
	size_t len;
};

static void put(struct der *d, const void *src, size_t len)
{
	if (len > sizeof(d->bytes) - d->len)
		abort();
	memcpy(d->bytes + d->len, src, len);
	d->len += len;
}

static void put_header(struct der *d, uint8_t tag, size_t len)
{
	const uint8_t head[] = { tag, 0x82, (uint8_t)(len >> 8), (uint8_t)len };
	const uint8_t head_1[] = { tag, 0x81, (uint8_t)len };
	const uint8_t head_0[] = { tag, (uint8_t)len };

	if (len < 0x80)
		put(d, head_0, sizeof(head_0));
	else if (len < 0x100)
		put(d, head_1, sizeof(head_1));
	else
		put(d, head, sizeof(head));
}

static void put_wrapped(struct der *d, uint8_t tag, const struct der *content)
{
	put_header(d, tag, content->len);
	put(d, content->bytes, content->len);
}

static void put_part(struct der *rdn, const struct subject_part *p)
{
	struct der attribute = { .len = 0 };
	ASN1_OBJECT *oid = OBJ_txt2obj(p->oid, 1);
	uint8_t constructed = p->tag == V_ASN1_SEQUENCE ? V_ASN1_CONSTRUCTED : 0;
	unsigned char *oid_der = NULL;
	int oid_len = i2d_ASN1_OBJECT(oid, &oid_der);

	if (oid_len < 0)
		abort();
	put(&attribute, oid_der, (size_t)oid_len);
	put_header(&attribute, (uint8_t)(p->tag | constructed), p->len);
	put(&attribute, p->value, p->len);
	put_wrapped(rdn, V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, &attribute);
	OPENSSL_free(oid_der);
	ASN1_OBJECT_free(oid);
}

X509_NAME *subject_build(const struct subject *s)
{
	struct der rdns = { .len = 0 }, name = { .len = 0 };
	const unsigned char *pos = name.bytes;
	X509_NAME *built;

	for (size_t i = 0; i < SUBJECT_PARTS && s->parts[i].oid;) {
		struct der rdn = { .len = 0 };

		do
			put_part(&rdn, &s->parts[i++]);
		while (i < SUBJECT_PARTS && s->parts[i].oid && s->parts[i].joins);
		put_wrapped(&rdns, V_ASN1_SET | V_ASN1_CONSTRUCTED, &rdn);
	}
	put_wrapped(&name, V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, &rdns);
	built = d2i_X509_NAME(NULL, &pos, (long)name.len);
	ERR_clear_error();
	return built;
}
