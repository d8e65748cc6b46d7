/* See the header. The encoding is the protocol's: a count, and for each entry permission bits,
 * scheme and id, all lengths and numbers as 32 bits in network order. */
#include "store/acl_row.h"

#include <stdbool.h>
#include <string.h>

#include "base/crypto.h"

#define WORLD "\0\0\0\5world\0\0\0\6anyone"

static const char open_bytes[] = "\0\0\0\1\0\0\0\37" WORLD;
static const char read_bytes[] = "\0\0\0\1\0\0\0\1" WORLD;
const struct slice acl_row_open = { open_bytes, sizeof(open_bytes) - 1 };
const struct slice acl_row_read = { read_bytes, sizeof(read_bytes) - 1 };

void acl_row_key(struct slice encoded, uint8_t key[ACL_ROW_KEY_LEN])
{
	uint8_t digest[CRYPTO_SHA256_LEN];

	crypto_sha256(encoded, digest);
	memcpy(key, digest, ACL_ROW_KEY_LEN);
}

static bool read_number(struct slice *in, uint32_t *out)
{
	const uint8_t *p = (const uint8_t *)in->data;

	if (in->len < 4)
		return false;
	*out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	in->data += 4;
	in->len -= 4;
	return true;
}

static bool read_text(struct slice *in, struct slice *out)
{
	uint32_t len;

	if (!read_number(in, &len))
		return false;
	if (len == UINT32_MAX) /* null */
		len = 0;
	if (len > in->len)
		return false;
	*out = (struct slice){ in->data, len };
	in->data += len;
	in->len -= len;
	return true;
}

static bool append_entry(struct slice *in, struct buf *out)
{
	static const struct {
		uint32_t bit;
		char letter;
	} letters[] = { { 4, 'c' }, { 8, 'd' }, { 1, 'r' }, { 2, 'w' }, { 16, 'a' } };
	struct slice scheme, id;
	uint32_t perms;

	if (!read_number(in, &perms) || !read_text(in, &scheme) || !read_text(in, &id))
		return false;
	if (buf_append(out, scheme.data, scheme.len) != 0 || buf_append(out, ":", 1) != 0 ||
	    buf_append(out, id.data, id.len) != 0 || buf_append(out, ":", 1) != 0)
		return false;
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if ((perms & letters[i].bit) && buf_append(out, &letters[i].letter, 1) != 0)
			return false;
	return true;
}

void acl_row_text(struct slice encoded, struct buf *out)
{
	uint32_t count;
	bool good;

	buf_clear(out);
	good = read_number(&encoded, &count);
	if (good && count == UINT32_MAX)
		count = 0;
	for (uint32_t i = 0; good && i < count; i++)
		good = (i == 0 || buf_append(out, ",", 1) == 0) && append_entry(&encoded, out);
	if (good && encoded.len == 0)
		return;
	buf_clear(out);
	if (buf_append(out, "?", 1) != 0)
		buf_clear(out);
}
