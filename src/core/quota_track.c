#include "core/quota_track.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A NUL is none of them. */
static bool is_one_of(char c, const char *separators)
{
	return c && strchr(separators, c);
}

/* Up to one of the separators; text moves behind it. */
static struct slice cut(struct slice *text, const char *separators)
{
	struct slice part = { text->data, 0 };

	while (part.len < text->len && !is_one_of(part.data[part.len], separators))
		part.len++;
	text->data += part.len;
	text->len -= part.len;
	if (text->len > 0) {
		text->data++;
		text->len--;
	}
	return part;
}

/* As Java's parseLong; without any text it is -1. */
static bool read_number(struct slice text, int64_t *value)
{
	bool is_negative = text.len > 0 && text.data[0] == '-';
	int64_t sum = 0; /* below 0: there is one number more */

	*value = -1;
	if (text.len == 0)
		return true;
	if (is_negative || text.data[0] == '+') {
		text.data++;
		text.len--;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' ||
		    __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_sub_overflow(sum, text.data[i] - '0', &sum))
			return false;
	}
	if (text.len == 0 || (!is_negative && sum == INT64_MIN))
		return false;
	*value = is_negative ? sum : -sum;
	return true;
}

/* Java's split drops what is empty at the end. */
static struct slice trim_end(struct slice text, const char *separators)
{
	while (text.len > 0 && is_one_of(text.data[text.len - 1], separators))
		text.len--;
	return text;
}

static void read_pair(struct quota_track *t, struct slice pair)
{
	bool has_value = memchr(pair.data, '=', pair.len) != NULL;
	struct slice key = cut(&pair, "=");
	int64_t value;

	if (!read_number(cut(&pair, "="), &value) || !has_value)
		t->is_malformed = true;
	if (slice_is(key, "count")) {
		t->count = value;
	} else if (slice_is(key, "bytes")) {
		t->bytes = value;
	} else if (slice_is(key, "countHardLimit")) {
		t->count_hard = value;
		t->has_count_hard = true;
	} else if (slice_is(key, "byteHardLimit")) {
		t->bytes_hard = value;
		t->has_bytes_hard = true;
	}
}

struct quota_track quota_track_read(struct slice text)
{
	struct quota_track t = { .count = -1, .bytes = -1, .count_hard = -1, .bytes_hard = -1 };
	struct slice left = trim_end(text, ",;");

	/* No data is no text. */
	t.is_malformed = !text.data || (left.len > 0 && is_one_of(left.data[0], ",;"));
	while (left.len > 0) {
		struct slice pair = cut(&left, ",;");

		if (pair.len > 0)
			read_pair(&t, trim_end(pair, "="));
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
