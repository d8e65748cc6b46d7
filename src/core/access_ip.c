#include "core/access_ip.h"

#include <arpa/inet.h>
#include <stdint.h>

struct network {
	uint8_t bytes[16];
	unsigned len;  /* 4 or 16 */
	unsigned bits; /* of the prefix */
};

/* A number from 0 to most as Integer.parseInt reads it: a sign and any count of zeros may stand in
 * front. */
static bool parse_number(struct slice text, unsigned most, unsigned *out)
{
	size_t at = text.len > 0 && (text.data[0] == '+' || text.data[0] == '-');
	unsigned value = 0;

	if (at == text.len)
		return false;
	for (; at < text.len; at++) {
		if (text.data[at] < '0' || text.data[at] > '9')
			return false;
		value = value * 10 + (unsigned)(text.data[at] - '0');
		if (value > most)
			return false;
	}
	*out = value;
	return value == 0 || text.data[0] != '-';
}

/* What stands in front of the first separator, taken off rest with it; all of it where there is
 * none. */
static struct slice take_part(struct slice *rest, char separator)
{
	const char *at = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
	struct slice part = *rest;

	if (!at) {
		*rest = (struct slice){ 0 };
		return part;
	}
	part.len = (size_t)(at - rest->data);
	*rest = (struct slice){ at + 1, rest->len - part.len - 1 };
	return part;
}

/* Four decimal numbers. Not inet_pton: it takes none with zeros in front, and Java does. */
static bool parse_ipv4(struct slice text, uint8_t bytes[4])
{
	struct slice rest = text;
	unsigned value;

	for (int i = 0; i < 4; i++) {
		if (!rest.data || !parse_number(take_part(&rest, '.'), 255, &value))
			return false;
		bytes[i] = (uint8_t)value;
	}
	return !rest.data;
}

static bool parse_ipv6(struct slice text, uint8_t bytes[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || memchr(text.data, 0, text.len))
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = 0;
	return inet_pton(AF_INET6, copy, bytes) == 1;
}

static bool parse_address(struct slice text, struct network *out)
{
	bool is_ipv6 = text.len && memchr(text.data, ':', text.len);

	out->len = is_ipv6 ? 16 : 4;
	out->bits = out->len * 8;
	return is_ipv6 ? parse_ipv6(text, out->bytes) : parse_ipv4(text, out->bytes);
}

static bool parse_network(struct slice text, struct network *out)
{
	struct slice bits = text;
	struct slice address = take_part(&bits, '/');

	if (!parse_address(address, out))
		return false;
	/* An IPv4 part in an IPv6 address is none of ZooKeeper's forms: a peer that came over IPv4
	 * has an IPv4 address. */
	if (out->len == 16 && memchr(address.data, '.', address.len))
		return false;
	return !bits.data || parse_number(bits, out->len * 8, &out->bits);
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
