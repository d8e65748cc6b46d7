#include "base/quote.h"

#include <stdint.h>
#include <stdio.h>

#include "base/utf8.h"

enum { REPLACEMENT = 0xfffd };

/* The code point at *at, which moves behind it. */
static uint32_t next_point(const uint8_t **at, const uint8_t *end)
{
	uint32_t point;
	size_t len = utf8_decode(*at, (size_t)(end - *at), &point);

	*at += len > 0 ? len : 1;
	return len > 0 ? point : REPLACEMENT;
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
	buf_put(out, (struct slice){ text, (size_t)len });
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void quote_json(struct buf *out, struct slice text)
{
	const uint8_t *at = (const uint8_t *)text.data, *end = at + text.len;

	if (text.data == NULL) {
		buf_put(out, slice_of("null"));
		return;
	}
	buf_put(out, slice_of("\""));
	while (at < end) {
		const uint8_t *from = at;

		while (at < end && is_plain(*at))
			at++;
		buf_put(out, (struct slice){ (const char *)from, (size_t)(at - from) });
		if (at < end)
			put_point(out, next_point(&at, end));
	}
	buf_put(out, slice_of("\""));
}
