/* Path rules and path arithmetic on bytes. ZooKeeper checks Java's UTF-16 text; here UTF-8 is
 * decoded strictly, because what Java would replace (malformed bytes, U+FFFD) or split
 * (surrogate pairs) is refused there anyway. */
#include "wire/path.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"

/* A code point that PathUtils refuses; above U+FFFF Java sees surrogates. */
static bool is_forbidden(uint32_t c)
{
	return c <= 0x1f || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}

static bool has_good_characters(struct slice path)
{
	const uint8_t *at = (const uint8_t *)path.data;
	size_t left = path.len;

	while (left > 0) {
		uint32_t c = 0;
		size_t len = utf8_decode(at, left, &c);

		if (len == 0 || is_forbidden(c))
			return false;
		at += len;
		left -= len;
	}
	return true;
}

static bool is_good_part(struct slice part)
{
	return part.len > 0 && !slice_is(part, ".") && !slice_is(part, "..");
}

bool path_is_valid(struct slice path)
{
	const char *end;
	const char *part;

	if (path.data == NULL || path.len == 0 || path.data[0] != '/')
		return false;
	if (path.len == 1)
		return true;
	part = path.data + 1;
	end = path.data + path.len;
	for (;;) {
		const char *slash = memchr(part, '/', (size_t)(end - part));
		const char *part_end = slash != NULL ? slash : end;

		if (!is_good_part((struct slice){ part, (size_t)(part_end - part) }))
			return false;
		if (slash == NULL)
			break;
		part = slash + 1;
	}
	return has_good_characters(path);
}

bool path_has_nul(struct slice path)
{
	return path.len > 0 && memchr(path.data, '\0', path.len) != NULL;
}

/* Where the last '/' stands. */
static size_t last_slash(struct slice path)
{
	size_t at = path.len;

	while (at > 0 && path.data[at - 1] != '/')
		at--;
	assert(at > 0);
	return at - 1;
}

struct slice path_parent(struct slice path)
{
	size_t at = last_slash(path);

	return (struct slice){ path.data, at > 0 ? at : 1 };
}

struct slice path_name(struct slice path)
{
	size_t start = last_slash(path) + 1;

	return (struct slice){ path.data + start, path.len - start };
}

size_t path_next_prefix(struct slice path, size_t len)
{
	size_t name = len + (len > 1);
	const char *slash;

	if (len >= path.len)
		return 0;
	if (len == 0)
		return 1;
	slash = memchr(path.data + name, '/', path.len - name);
	return slash ? (size_t)(slash - path.data) : path.len;
}

bool path_is_within(struct slice path, struct slice prefix)
{
	if (slice_is(prefix, "/"))
		return path.len > 0 && path.data[0] == '/';
	if (path.len < prefix.len ||
	    (prefix.len > 0 && memcmp(path.data, prefix.data, prefix.len) != 0))
		return false;
	return path.len == prefix.len || path.data[prefix.len] == '/';
}

size_t path_write_sequence(char out[PATH_SEQUENCE_LEN + 1], int32_t counter)
{
	int len = snprintf(out, PATH_SEQUENCE_LEN + 1, "%010" PRId32, counter);

	return (size_t)len;
}
