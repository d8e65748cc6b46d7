#include "app/properties.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

enum { HEX_DIGITS = 4 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

void properties_init(struct properties *p, struct slice text)
{
	p->at = text.data;
	p->end = text.data + text.len;
	p->next_line = 1;
	p->size = text.len + 1;
	p->line = mem_new(p->size);
	p->len = 0;
}

void properties_fini(struct properties *p)
{
	/* Passwords went through here. */
	explicit_bzero(p->line, p->size);
	mem_free(p->line);
	p->line = NULL;
}

/* Pass over what ends a line: \n, \r or \r\n. */
static void skip_line_end(struct properties *p)
{
	if (p->at == p->end)
		return;
	if (*p->at == '\r' && p->at + 1 < p->end && p->at[1] == '\n')
		p->at++;
	p->at++;
	p->next_line++;
}

static void skip_line(struct properties *p)
{
	while (p->at < p->end && !is_line_end(*p->at))
		p->at++;
	skip_line_end(p);
}

/* Append the rest of a line. True where its last backslash joins the next one (and is dropped). */
static bool append_line(struct properties *p)
{
	bool escaping = false;

	while (p->at < p->end && !is_line_end(*p->at)) {
		escaping = *p->at == '\\' && !escaping;
		p->line[p->len++] = *p->at++;
	}
	skip_line_end(p);
	if (escaping)
		p->len--;
	return escaping;
}

/* Bring the next line that says something into p->line, joined. *first gets where it begins. */
static bool gather_line(struct properties *p, unsigned *first)
{
	p->len = 0;
	while (p->at < p->end) {
		while (p->at < p->end && is_blank(*p->at))
			p->at++;
		if (p->len == 0) {
			*first = p->next_line;
			if (p->at < p->end && (*p->at == '#' || *p->at == '!')) {
				skip_line(p);
				continue;
			}
		}
		if (!append_line(p) && p->len > 0)
			break;
	}
	return p->len > 0;
}

/* Where the key ends and the value begins. */
static size_t find_value(const struct properties *p, size_t *key_len)
{
	bool escaping = false, separated = false;
	size_t i = 0;

	for (; i < p->len; i++) {
		char c = p->line[i];

		if (!escaping && (is_blank(c) || c == '=' || c == ':'))
			break;
		escaping = c == '\\' && !escaping;
	}
	*key_len = i;
	for (; i < p->len; i++) {
		char c = p->line[i];

		if (is_blank(c))
			continue;
		if (separated || (c != '=' && c != ':'))
			break;
		separated = true;
	}
	return i;
}

/* The number behind \u at src; -1 where there are no four digits. */
static int32_t read_code_unit(const char *src, const char *end)
{
	int32_t unit = 0;

	if (end - src < HEX_DIGITS)
		return -1;
	for (int i = 0; i < HEX_DIGITS; i++) {
		int digit = hex_value(src[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static char *put_utf8(char *dst, uint32_t code)
{
	if (code < 0x80) {
		*dst++ = (char)code;
		return dst;
	}
	if (code < 0x800) {
		*dst++ = (char)(0xc0 | (code >> 6));
	} else {
		if (code < 0x10000) {
			*dst++ = (char)(0xe0 | (code >> 12));
		} else {
			*dst++ = (char)(0xf0 | (code >> 18));
			*dst++ = (char)(0x80 | ((code >> 12) & 0x3f));
		}
		*dst++ = (char)(0x80 | ((code >> 6) & 0x3f));
	}
	*dst++ = (char)(0x80 | (code & 0x3f));
	return dst;
}

/* Turn \uXXXX (src behind the u), or a surrogate pair of two, into UTF-8. NULL where it is no
 * character. */
static const char *unescape_unicode(const char *src, const char *end, char **dst)
{
	int32_t unit = read_code_unit(src, end);
	int32_t low;

	if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return NULL;
	src += HEX_DIGITS;
	if (unit < 0xd800 || unit > 0xdbff) {
		*dst = put_utf8(*dst, (uint32_t)unit);
		return src;
	}
	if (end - src < 2 || src[0] != '\\' || src[1] != 'u')
		return NULL;
	low = read_code_unit(src + 2, end);
	if (low < 0xdc00 || low > 0xdfff)
		return NULL;
	*dst = put_utf8(*dst,
			0x10000U + (((uint32_t)unit - 0xd800U) << 10) + ((uint32_t)low - 0xdc00U));
	return src + 2 + HEX_DIGITS;
}

/* Unescape what stands from start to end, in place (it never grows), and put a NUL behind it. NULL:
 * a bad \u. */
static char *unescape(char *start, const char *end)
{
	const char *src = start;
	char *dst = start;

	while (src < end) {
		if (*src != '\\' || src + 1 == end) {
			*dst++ = *src++;
			continue;
		}
		src++;
		switch (*src++) {
		case 't':
			*dst++ = '\t';
			break;
		case 'n':
			*dst++ = '\n';
			break;
		case 'r':
			*dst++ = '\r';
			break;
		case 'f':
			*dst++ = '\f';
			break;
		case 'u':
			src = unescape_unicode(src, end, &dst);
			if (src == NULL)
				return NULL;
			break;
		default:
			*dst++ = src[-1];
			break;
		}
	}
	*dst = '\0';
	return start;
}

/* ZooKeeper trims what it read once more, as Java's trim does: all up to and with the space. */
static const char *trim(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (unsigned char)text[len - 1] <= ' ')
		text[--len] = '\0';
	while (*text != '\0' && (unsigned char)*text <= ' ')
		text++;
	return text;
}

enum properties_result properties_next(struct properties *p, struct property *out,
				       const char **reason)
{
	size_t key_len, value_at;
	char *key, *value;

	if (!gather_line(p, &out->line))
		return PROPERTIES_END;
	if (memchr(p->line, '\0', p->len) != NULL) {
		*reason = "a NUL byte";
		return PROPERTIES_BAD;
	}
	value_at = find_value(p, &key_len);
	value = unescape(p->line + value_at, p->line + p->len);
	/* Where there is no value the two ends meet: then the key's NUL serves both. */
	key = value == NULL ? NULL : unescape(p->line, p->line + key_len);
	if (key == NULL) {
		*reason = "a malformed \\uXXXX";
		return PROPERTIES_BAD;
	}
	out->key = trim(key);
	out->value = trim(value);
	return PROPERTIES_PAIR;
}
