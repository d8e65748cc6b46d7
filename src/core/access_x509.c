#include "core/access_x509.h"

#include <ctype.h>
#include <stdint.h>
#include <strings.h>

#include "base/hex.h"

/* The first octet of a length in BER (X.690, 8.1.3): no length but an end further on, and how many
 * octets of a length may follow. */
#define LEN_INDEFINITE 0x80U
#define LEN_MOST_BYTES 4

static struct slice part_of(struct slice text, size_t from, size_t to)
{
	return (struct slice){ text.data + from, to - from };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n';
}

static bool is_one_of(char c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

/* ---- types of attributes ---- */

/* Java's names, in capitals. */
static const char *const keywords[] = {
	"C",          "CN",           "DC",       "DNQ",    "DNQUALIFIER", "EMAIL", "EMAILADDRESS",
	"GENERATION", "GIVENNAME",    "INITIALS", "IP",     "L",           "O",     "OU",
	"S",          "SERIALNUMBER", "ST",       "STREET", "SURNAME",     "T",     "UID",
};

static bool is_keyword(struct slice type)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (strlen(keywords[i]) == type.len &&
		    strncasecmp(type.data, keywords[i], type.len) == 0)
			return true;
	return false;
}

/* One number of an OID, at most `most` (as far as that is below 100). Java allows "-0". */
static bool is_arc(struct slice text, unsigned most)
{
	bool is_negative = text.len > 0 && text.data[0] == '-';
	unsigned value = 0;

	if (text.len == (size_t)is_negative)
		return false;
	for (size_t i = is_negative; i < text.len; i++) {
		if (!isdigit((unsigned char)text.data[i]))
			return false;
		/* What it is above 100 matters to nobody. */
		value = value * 10 + (unsigned)(text.data[i] - '0');
		value = value > 100 ? 100 : value;
	}
	return value <= most && (value == 0 || !is_negative);
}

/* The first arc is 0, 1 or 2, the second below 40 under 0 and 1; there are at least two. */
static bool is_oid(struct slice text)
{
	unsigned most = 2;
	size_t start = 0, count = 0;

	if (text.len == 0 || !isdigit((unsigned char)text.data[0]))
		return false;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.data[i] != '.')
			continue;
		if (!is_arc(part_of(text, start, i), most))
			return false;
		most = count == 0 && text.data[i - 1] != '2' ? 39 : 100;
		start = i + 1;
		count++;
	}
	return count >= 2;
}

static bool is_type(struct slice text)
{
	/* As Java's String.trim(). */
	while (text.len > 0 && (unsigned char)text.data[0] <= ' ')
		text = part_of(text, 1, text.len);
	while (text.len > 0 && (unsigned char)text.data[text.len - 1] <= ' ')
		text.len--;
	if (is_keyword(text))
		return true;
	if (text.len >= 4 && strncasecmp(text.data, "OID.", 4) == 0)
		text = part_of(text, 4, text.len);
	return is_oid(text);
}

/* ---- values ---- */

/* Pairs of hexadecimal digits, read as bytes. */
struct octets {
	const char *digits;
	size_t len; /* in bytes */
	size_t at;
};

static unsigned octet_at(const struct octets *o, size_t at)
{
	return (unsigned)hex_value(o->digits[2 * at]) << 4 |
	       (unsigned)hex_value(o->digits[2 * at + 1]);
}

/* Read the rest of a length that begins with `first`; false for one that Java does not take. */
static bool take_length(struct octets *o, unsigned first, size_t *out)
{
	size_t count = first & 0x7f;
	uint32_t len = 0;

	*out = first;
	if (first < 0x80)
		return true;
	if (count > LEN_MOST_BYTES || o->len - o->at < count)
		return false;
	while (count-- > 0)
		len = len << 8 | octet_at(o, o->at++);
	*out = len;
	return len <= INT32_MAX;
}

/* Past the content of an indefinite length, which ends with a pair of zeros, as those in it do. */
static bool skip_indefinite(struct octets *o)
{
	for (size_t depth = 1; depth > 0;) {
		unsigned tag, first;
		size_t len;

		if (o->len - o->at < 2)
			return false;
		tag = octet_at(o, o->at++);
		first = octet_at(o, o->at++);
		if (tag == 0 && first == 0) {
			depth--;
		} else if (first == LEN_INDEFINITE) {
			depth++;
		} else {
			if (!take_length(o, first, &len) || o->len - o->at < len)
				return false;
			o->at += len;
		}
	}
	return true;
}

/* Behind '#': one value in BER, in hexadecimal. */
static bool is_hex_value(struct slice text)
{
	struct octets o = { .digits = text.data, .len = text.len / 2 };
	unsigned tag, first;
	size_t len;

	for (size_t i = 0; i < text.len; i++)
		if (hex_value(text.data[i]) < 0)
			return false;
	if (text.len % 2 != 0 || o.len < 2)
		return false;
	tag = octet_at(&o, o.at++);
	first = octet_at(&o, o.at++);
	/* A tag of several bytes, which nothing that stands in names has. */
	if ((tag & 0x1f) == 0x1f)
		return false;
	if (first != LEN_INDEFINITE)
		return take_length(&o, first, &len) && o.len - o.at == len;
	/* Only what is made of parts has no length of its own. */
	return (tag & 0x20) != 0 && skip_indefinite(&o) && o.at == o.len;
}

/* What stands behind a backslash at `at`: a pair of hexadecimal digits, or one of specials. Its
 * length, 0 where it is neither. */
static size_t escape_len(struct slice text, size_t at, const char *specials)
{
	if (at >= text.len)
		return 0;
	if (hex_value(text.data[at]) >= 0)
		return at + 1 < text.len && hex_value(text.data[at + 1]) >= 0 ? 2 : 0;
	return is_one_of(text.data[at], specials);
}

/* Behind the opening quote: up to the closing one, and blanks. */
static bool is_quoted_value(struct slice text)
{
	size_t i = 0;

	for (; i < text.len && text.data[i] != '"'; i++) {
		size_t escaped = 0;

		if (text.data[i] != '\\')
			continue;
		escaped = escape_len(text, i + 1, ",=\n+<>#;\\\"");
		if (escaped == 0)
			return false;
		i += escaped;
	}
	if (i == text.len)
		return false;
	for (i++; i < text.len; i++)
		if (!is_blank(text.data[i]))
			return false;
	return true;
}

static bool is_plain_value(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		/* Java looks no further than to a separator, which can stand here where splitting
		 * took it for escaped. */
		if (i > 0 && is_one_of(c, "+,;"))
			return true;
		if (c == '\\') {
			size_t escaped = escape_len(text, i + 1, ",=\n+<>#;\\\" ");

			if (escaped == 0)
				return false;
			i += escaped;
		} else if (is_one_of(c, ",+<>;\"")) {
			return false;
		}
	}
	return true;
}

/* "type=value" */
static bool is_attribute(struct slice text)
{
	const char *equals = text.len ? memchr(text.data, '=', text.len) : NULL;
	struct slice value;

	if (!equals || !is_type(part_of(text, 0, (size_t)(equals - text.data))))
		return false;
	value = part_of(text, (size_t)(equals - text.data) + 1, text.len);
	while (value.len > 0 && is_blank(value.data[0]))
		value = part_of(value, 1, value.len);
	if (value.len == 0)
		return true;
	if (value.data[0] == '#')
		return is_hex_value(part_of(value, 1, value.len));
	if (value.data[0] == '"')
		return is_quoted_value(part_of(value, 1, value.len));
	return is_plain_value(value);
}

/* ---- splitting ---- */

/* Quotes in front of which no backslash stands, be that escaped itself or not. */
static unsigned count_quotes(struct slice text, size_t from, size_t to)
{
	unsigned count = 0;

	for (size_t i = from; i < to; i++)
		if (text.data[i] == '"' && (i == from || text.data[i - 1] != '\\'))
			count++;
	return count;
}

/* Whether the separator at `at` is escaped: a backslash stands before it, and if that has another
 * one before it, the count of all since `from`, the last separator, is odd. */
static bool is_escaped(struct slice text, size_t from, size_t at)
{
	size_t count = 0;

	if (at == 0 || text.data[at - 1] != '\\')
		return false;
	if (at == 1 || text.data[at - 2] != '\\')
		return true;
	for (size_t i = from; i < at; i++)
		count += text.data[i] == '\\';
	return count % 2 != 0;
}

/* Attributes with '+' between them. */
static bool is_rdn(struct slice text)
{
	size_t start = 0, from = 0;
	unsigned quotes = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '+')
			continue;
		quotes += count_quotes(text, from, i);
		from = i + 1;
		if (i == 0 || text.data[i - 1] == '\\' || quotes == 1)
			continue;
		if (!is_attribute(part_of(text, start, i)))
			return false;
		start = i + 1;
		quotes = 0;
	}
	return is_attribute(part_of(text, start, text.len));
}

bool access_x509_is_valid(struct slice name)
{
	size_t start = 0, from = 0;
	unsigned quotes = 0;

	if (name.len == 0)
		return true;
	for (size_t i = 0; i < name.len; i++) {
		if (!is_one_of(name.data[i], ",;"))
			continue;
		quotes += count_quotes(name, from, i);
		if (quotes != 1 && !is_escaped(name, from, i)) {
			if (!is_rdn(part_of(name, start, i)))
				return false;
			start = i + 1;
			quotes = 0;
		}
		from = i + 1;
	}
	return is_rdn(part_of(name, start, name.len));
}
