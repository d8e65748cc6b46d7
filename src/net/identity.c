/* Names out of certificates. The subject is walked in its DER, not through OpenSSL's name printers:
 * they know other keywords, escape other characters and convert by string type, where Java takes
 * every string's bytes for UTF-8. */
#include "net/identity.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"

enum {
	RDNS_MAX = 128, /* parts of a name; real ones have fewer than 20 */
	OID_TEXT_LEN = 128,
	ESCAPED_LEN = 3,  /* \00 */
	BAD_CHAR_LEN = 3, /* U+FFFD in UTF-8 */
};

struct der {
	const uint8_t *pos;
	const uint8_t *end;
};

static bool der_at_end(const struct der *d)
{
	return d->pos >= d->end;
}

/* Step over the next element: all gets its bytes, content those behind its header. -1 where it is
 * broken or of indefinite length, which DER does not know. */
static int der_next(struct der *d, int *tag, struct der *all, struct der *content)
{
	const uint8_t *pos = d->pos;
	long len;
	int class;
	int kind = ASN1_get_object(&pos, &len, tag, &class, d->end - d->pos);

	if ((kind & 0x80) != 0 || (kind & 0x01) != 0)
		return -1;
	/* A tag of another class, or a string in pieces, is no string to Java. */
	if (class != V_ASN1_UNIVERSAL)
		*tag = -1;
	if (kind == V_ASN1_CONSTRUCTED && *tag != V_ASN1_SEQUENCE && *tag != V_ASN1_SET)
		*tag = -1;
	*all = (struct der){ d->pos, pos + len };
	*content = (struct der){ pos, pos + len };
	d->pos = pos + len;
	return 0;
}

static int der_enter(struct der *d, int want_tag, struct der *content)
{
	struct der all;
	int tag;

	if (der_next(d, &tag, &all, content) != 0 || tag != want_tag)
		return -1;
	return 0;
}

static int put_text(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text));
}

/* The keyword that RFC 2253 has for an attribute, or its dotted number. */
static void attribute_name(const ASN1_OBJECT *oid, char name[OID_TEXT_LEN], bool *has_keyword)
{
	static const struct {
		int nid;
		const char *keyword;
	} keywords[] = {
		{ NID_commonName, "CN" },        { NID_countryName, "C" },
		{ NID_localityName, "L" },       { NID_stateOrProvinceName, "ST" },
		{ NID_organizationName, "O" },   { NID_organizationalUnitName, "OU" },
		{ NID_streetAddress, "STREET" }, { NID_domainComponent, "DC" },
		{ NID_userId, "UID" },
	};
	int nid = OBJ_obj2nid(oid);

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (keywords[i].nid != nid)
			continue;
		snprintf(name, OID_TEXT_LEN, "%s", keywords[i].keyword);
		*has_keyword = true;
		return;
	}
	if (OBJ_obj2txt(name, OID_TEXT_LEN, oid, 1) >= OID_TEXT_LEN)
		name[0] = '\0';
	*has_keyword = false;
}

static bool is_java_string(int tag)
{
	switch (tag) {
	case V_ASN1_UTF8STRING:
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_T61STRING:
	case V_ASN1_IA5STRING:
	case V_ASN1_GENERALSTRING:
	case V_ASN1_BMPSTRING:
		return true;
	default:
		return false;
	}
}

static bool is_continuation(const uint8_t *s, size_t len, size_t i)
{
	return i < len && (s[i] & 0xc0) == 0x80;
}

/* How many bytes the character at s takes, and whether it is one. A broken one takes what Java
 * replaces by one U+FFFD: the longest beginning of a character; of an encoded surrogate all three
 * bytes. */
static size_t utf8_step(const uint8_t *s, size_t len, bool *good)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t need;
	size_t n = 1;

	*good = s[0] < 0x80;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 1;
	need = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	if (s[0] == 0xf0)
		low = 0x90;
	if (s[0] == 0xf4)
		high = 0x8f;
	if (len < 2 || s[1] < low || s[1] > high)
		return 1;
	while (n < need && is_continuation(s, len, n))
		n++;
	*good = n == need && !(s[0] == 0xed && s[1] >= 0xa0);
	return n;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\r';
}

/* Java escapes a blank at either end, each of ,=+<>#;"\ anywhere, NUL as \00, and nothing else. */
static int put_char(struct buf *out, uint8_t c, bool at_edge)
{
	static const char escapees[] = ",=+<>#;\"\\";
	char text[ESCAPED_LEN + 1] = { '\\', (char)c };

	if (c == '\0')
		return put_text(out, "\\00");
	if (at_edge || strchr(escapees, c))
		return buf_append(out, text, 2);
	return buf_append(out, text + 1, 1);
}

static int put_string(struct buf *out, const uint8_t *s, size_t len)
{
	size_t lead = 0, trail = len;

	while (lead < len && is_blank(s[lead]))
		lead++;
	while (trail > lead && is_blank(s[trail - 1]))
		trail--;
	for (size_t i = 0, n; i < len; i += n) {
		bool good;
		int rc;

		n = utf8_step(s + i, len - i, &good);
		if (!good)
			rc = buf_append(out, "\xef\xbf\xbd", BAD_CHAR_LEN);
		else if (n == 1)
			rc = put_char(out, s[i], i < lead || i >= trail);
		else
			rc = buf_append(out, s + i, n);
		if (rc != 0)
			return -1;
	}
	return 0;
}

static int put_hex(struct buf *out, const struct der *der)
{
	char digits[3];

	if (put_text(out, "#") != 0)
		return -1;
	for (const uint8_t *p = der->pos; p < der->end; p++) {
		snprintf(digits, sizeof(digits), "%02x", *p);
		if (put_text(out, digits) != 0)
			return -1;
	}
	return 0;
}

/* AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static int put_attribute(struct buf *out, struct der attribute)
{
	struct der all, content;
	char name[OID_TEXT_LEN];
	bool has_keyword;
	ASN1_OBJECT *oid;
	int tag;

	if (der_next(&attribute, &tag, &all, &content) != 0 || tag != V_ASN1_OBJECT)
		return -1;
	oid = d2i_ASN1_OBJECT(NULL, &all.pos, all.end - all.pos);
	if (!oid)
		return -1;
	attribute_name(oid, name, &has_keyword);
	ASN1_OBJECT_free(oid);
	if (name[0] == '\0' || der_next(&attribute, &tag, &all, &content) != 0)
		return -1;
	if (put_text(out, name) != 0 || put_text(out, "=") != 0)
		return -1;
	if (!has_keyword || !is_java_string(tag))
		return put_hex(out, &all);
	return put_string(out, content.pos, (size_t)(content.end - content.pos));
}

/* RelativeDistinguishedName ::= SET OF AttributeTypeAndValue, joined by '+' in the order they
 * stand. */
static int put_rdn(struct buf *out, struct der rdn)
{
	bool is_first = true;

	while (!der_at_end(&rdn)) {
		struct der attribute;

		if (der_enter(&rdn, V_ASN1_SEQUENCE, &attribute) != 0)
			return -1;
		if (!is_first && put_text(out, "+") != 0)
			return -1;
		if (put_attribute(out, attribute) != 0)
			return -1;
		is_first = false;
	}
	return 0;
}

/* Name ::= SEQUENCE OF RelativeDistinguishedName; RFC 2253 prints the last one first. */
static int put_name(struct buf *out, struct der name)
{
	struct der rdns[RDNS_MAX];
	struct der sequence;
	size_t count = 0;

	if (der_enter(&name, V_ASN1_SEQUENCE, &sequence) != 0)
		return -1;
	while (!der_at_end(&sequence)) {
		if (count == RDNS_MAX || der_enter(&sequence, V_ASN1_SET, &rdns[count]) != 0)
			return -1;
		count++;
	}
	for (size_t i = count; i-- > 0;) {
		if (i + 1 < count && put_text(out, ",") != 0)
			return -1;
		if (put_rdn(out, rdns[i]) != 0)
			return -1;
	}
	return 0;
}

char *tls_name_text(const X509_NAME *of)
{
	struct buf out;
	struct der name;
	unsigned char *der = NULL;
	char *text = NULL;
	int len = i2d_X509_NAME(of, &der);

	buf_init(&out, IDENTITY_SUBJECT_MAX);
	if (len < 0)
		return NULL;
	name = (struct der){ der, der + len };
	if (put_name(&out, name) == 0 && buf_append(&out, "", 1) == 0)
		text = mem_dup(buf_head(&out), buf_len(&out) - 1);
	buf_fini(&out);
	OPENSSL_free(der);
	return text;
}

char *tls_subject_name(struct x509_st *cert)
{
	return tls_name_text(X509_get_subject_name(cert));
}

/* A name with a NUL or another control character in it is nobody's: it could end early where it is
 * compared. Nor is one in bytes that are no text: what is not UTF-8 where that may stand, and not
 * ASCII elsewhere. */
static bool is_clean(const ASN1_STRING *s, bool is_utf8)
{
	const unsigned char *data = ASN1_STRING_get0_data(s);
	size_t len = (size_t)ASN1_STRING_length(s);
	bool good = true;

	for (size_t i = 0, n; i < len && good; i += n) {
		n = utf8_step(data + i, len - i, &good);
		if (data[i] < ' ' || data[i] == 0x7f || (n > 1 && !is_utf8))
			return false;
	}
	return good;
}

static char *name_of_string(const char *kind, const ASN1_STRING *s, bool is_utf8)
{
	size_t kind_len = strlen(kind);
	size_t len = (size_t)ASN1_STRING_length(s);
	char *text;

	if (!is_clean(s, is_utf8))
		return NULL;
	text = mem_try(kind_len + len + 1);
	if (text) {
		memcpy(text, kind, kind_len);
		memcpy(text + kind_len, ASN1_STRING_get0_data(s), len);
	}
	return text;
}

static char *san_of_ip(const ASN1_OCTET_STRING *ip)
{
	static const char kind[] = "IP:";
	char text[sizeof(kind) + INET6_ADDRSTRLEN] = "IP:";
	int len = ASN1_STRING_length(ip);
	int family = len == 4 ? AF_INET : AF_INET6;

	if (len != 4 && len != 16)
		return NULL;
	if (!inet_ntop(family, ASN1_STRING_get0_data(ip), text + sizeof(kind) - 1,
		       INET6_ADDRSTRLEN))
		return NULL;
	return mem_strdup(text);
}

/* NULL for kinds that no rule speaks of. */
static char *san_text(const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_DNS:
		return name_of_string("DNS:", name->d.dNSName, false);
	case GEN_URI:
		return name_of_string("URI:", name->d.uniformResourceIdentifier, false);
	case GEN_EMAIL:
		return name_of_string("EMAIL:", name->d.rfc822Name, false);
	case GEN_IPADD:
		return san_of_ip(name->d.iPAddress);
	default:
		return NULL;
	}
}

static void read_sans(X509 *cert, struct tls_identity *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int count = names ? sk_GENERAL_NAME_num(names) : 0;

	if (count > 0)
		out->sans = mem_new(IDENTITY_SANS_MAX * sizeof(*out->sans));
	for (int i = 0; i < count && !out->has_more_sans; i++) {
		char *text = san_text(sk_GENERAL_NAME_value(names, i));

		if (text && out->san_count == IDENTITY_SANS_MAX) {
			out->has_more_sans = true;
			mem_free(text);
		} else if (text) {
			out->sans[out->san_count++] = text;
		}
	}
	if (out->san_count > 0)
		out->sans = mem_grow(out->sans, out->san_count * sizeof(*out->sans));
	GENERAL_NAMES_free(names);
}

/* One of several would be chosen by who wrote the request for the certificate. */
static char *read_cn(X509 *cert)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *value;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return NULL;
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	switch (ASN1_STRING_type(value)) {
	case V_ASN1_UTF8STRING:
		return name_of_string("CN:", value, true);
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_IA5STRING:
		return name_of_string("CN:", value, false);
	default:
		return NULL;
	}
}

static int read_fingerprint(X509 *cert, char text[65])
{
	uint8_t digest[CRYPTO_SHA256_LEN];
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len < 0)
		return -1;
	crypto_sha256((struct slice){ (const char *)der, (size_t)len }, digest);
	OPENSSL_free(der);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int tls_identity_read(struct x509_st *cert, struct tls_identity *out)
{
	memset(out, 0, sizeof(*out));
	out->subject = tls_subject_name(cert);
	if (!out->subject || read_fingerprint(cert, out->fingerprint) != 0) {
		tls_identity_fini(out);
		return -1;
	}
	read_sans(cert, out);
	out->cn = read_cn(cert);
	return 0;
}

void tls_identity_fini(struct tls_identity *id)
{
	mem_free(id->subject);
	for (size_t i = 0; i < id->san_count; i++)
		mem_free(id->sans[i]);
	mem_free(id->sans);
	mem_free(id->cn);
	memset(id, 0, sizeof(*id));
}
