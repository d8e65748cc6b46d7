#include "core/access_ip.h"

#include <arpa/inet.h>
#include <stdint.h>

struct network {
	uint8_t bytes[16];
	unsigned len;  /* 4 or 16 */
	unsigned bits; /* of the prefix */
};

static bool parse_address(struct slice text, struct network *out)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || (text.len && memchr(text.data, 0, text.len)))
		return false;
	if (text.len)
		memcpy(copy, text.data, text.len);
	copy[text.len] = 0;
	if (inet_pton(AF_INET, copy, out->bytes) == 1)
		out->len = 4;
	else if (inet_pton(AF_INET6, copy, out->bytes) == 1)
		out->len = 16;
	else
		return false;
	out->bits = out->len * 8;
	return true;
}

static bool parse_bits(struct slice text, unsigned most, unsigned *out)
{
	unsigned value = 0;

	if (text.len == 0 || text.len > 3)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.data[i] - '0');
	}
	*out = value;
	return value <= most;
}

static bool parse_network(struct slice text, struct network *out)
{
	const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
	struct slice address = text;

	if (slash)
		address.len = (size_t)(slash - text.data);
	if (!parse_address(address, out))
		return false;
	if (!slash)
		return true;
	return parse_bits((struct slice){ slash + 1, text.len - address.len - 1 }, out->len * 8,
			  &out->bits);
}

bool access_ip_is_valid(struct slice expression)
{
	struct network n;

	return parse_network(expression, &n);
}

bool access_ip_matches(struct slice address, struct slice expression)
{
	struct network have, want;
	unsigned whole, rest;

	if (!parse_address(address, &have) || !parse_network(expression, &want) ||
	    have.len != want.len)
		return false;
	whole = want.bits / 8;
	rest = want.bits % 8;
	if (memcmp(have.bytes, want.bytes, whole) != 0)
		return false;
	return rest == 0 || ((have.bytes[whole] ^ want.bytes[whole]) >> (8 - rest)) == 0;
}
