#include "core/quota_track.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_LEN = 24 };

/* Up to one of the separators; text moves behind it. */
static struct slice cut(struct slice *text, const char *separators)
{
	struct slice part = { text->data, 0 };

	while (part.len < text->len && !strchr(separators, part.data[part.len]))
		part.len++;
	text->data += part.len;
	text->len -= part.len;
	if (text->len > 0) {
		text->data++;
		text->len--;
	}
	return part;
}

static int64_t number_of(struct slice text)
{
	char copy[NUMBER_LEN];
	char *end;
	long long value;

	if (text.len == 0 || text.len >= sizeof(copy))
		return -1;
	memcpy(copy, text.data, text.len);
	copy[text.len] = 0;
	errno = 0;
	value = strtoll(copy, &end, 10);
	return *end == 0 && errno == 0 ? value : -1;
}

struct quota_track quota_track_read(struct slice text)
{
	struct quota_track t = { .count = -1, .bytes = -1, .count_hard = -1, .bytes_hard = -1 };

	while (text.len > 0) {
		struct slice pair = cut(&text, ",;");
		struct slice key = cut(&pair, "=");
		int64_t value = number_of(cut(&pair, "="));

		if (slice_is(key, "count")) {
			t.count = value;
		} else if (slice_is(key, "bytes")) {
			t.bytes = value;
		} else if (slice_is(key, "countHardLimit")) {
			t.count_hard = value;
			t.has_count_hard = true;
		} else if (slice_is(key, "byteHardLimit")) {
			t.bytes_hard = value;
			t.has_bytes_hard = true;
		}
	}
	return t;
}

size_t quota_track_write(const struct quota_track *t, char text[QUOTA_TRACK_LEN])
{
	size_t len = (size_t)snprintf(text, QUOTA_TRACK_LEN, "count=%" PRId64 ",bytes=%" PRId64,
				      t->count, t->bytes);

	/* The sign that stands alone keeps readers of 3.4 from stumbling over what follows. */
	if (t->has_bytes_hard || t->has_count_hard)
		len += (size_t)snprintf(text + len, QUOTA_TRACK_LEN - len, "=");
	if (t->has_bytes_hard)
		len += (size_t)snprintf(text + len, QUOTA_TRACK_LEN - len,
					";byteHardLimit=%" PRId64, t->bytes_hard);
	if (t->has_count_hard)
		len += (size_t)snprintf(text + len, QUOTA_TRACK_LEN - len,
					";countHardLimit=%" PRId64, t->count_hard);
	return len;
}
