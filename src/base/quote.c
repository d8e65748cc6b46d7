#include "base/quote.h"

#include <stdint.h>
#include <stdio.h>

enum { REPLACEMENT = 0xfffd };

void quote_raw(struct buf *out, struct slice text)
{
	if (out->is_cut || buf_append(out, text.data, text.len) != 0)
		return; /* is_cut tells */
}

/* The code point at *at, which moves behind it. */
static uint32_t next_point(const uint8_t **at, const uint8_t *end)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t first = *(*at)++;
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	uint32_t point;

	if (first < 0x80)
		return first;
	if (first < 0xc2 || first > 0xf4 || (size_t)(end - *at) < more)
		return REPLACEMENT;
	point = first & (0x3fU >> more);
	for (unsigned i = 0; i < more; i++) {
		if (((*at)[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		point = point << 6 | ((*at)[i] & 0x3f);
	}
	if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return REPLACEMENT;
	*at += more;
	return point;
}

static void put_point(struct buf *out, uint32_t point)
{
	char text[16];
	int len;

	if (point == '"' || point == '\\')
		len = snprintf(text, sizeof(text), "\\%c", (char)point);
	else if (point >= 0x20 && point < 0x7f)
		len = snprintf(text, sizeof(text), "%c", (char)point);
	else if (point < 0x10000)
		len = snprintf(text, sizeof(text), "\\u%04x", (unsigned)point);
	else
		len = snprintf(text, sizeof(text), "\\u%04x\\u%04x",
			       (unsigned)(0xd7c0 + (point >> 10)),
			       (unsigned)(0xdc00 + (point & 0x3ff)));
	quote_raw(out, (struct slice){ text, (size_t)len });
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void quote_json(struct buf *out, struct slice text)
{
	const uint8_t *at = (const uint8_t *)text.data, *end = at + text.len;

	if (text.data == NULL) {
		quote_raw(out, slice_of("null"));
		return;
	}
	quote_raw(out, slice_of("\""));
	while (at < end) {
		const uint8_t *from = at;

		while (at < end && is_plain(*at))
			at++;
		quote_raw(out, (struct slice){ (const char *)from, (size_t)(at - from) });
		if (at < end)
			put_point(out, next_point(&at, end));
	}
	quote_raw(out, slice_of("\""));
}
