#include "net/proxy.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

/* Of the fixed part. */
enum { AT_COMMAND = 12, AT_FAMILY = 13, AT_LENGTH = 14 };
enum { LOCAL_V2 = 0x20, PROXY_V2 = 0x21, TCP_IPV4 = 0x11, TCP_IPV6 = 0x21 };
/* Source and destination address, then their ports. */
enum { IPV4_LEN = 4, IPV6_LEN = 16, IPV4_ADDRESSES_LEN = 12, IPV6_ADDRESSES_LEN = 36 };

static const uint8_t signature[AT_COMMAND] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
					       0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

void proxy_init(struct proxy_header *h)
{
	*h = (struct proxy_header){ .total = PROXY_FIXED_LEN };
}

size_t proxy_wants(const struct proxy_header *h)
{
	return h->total - h->len;
}

static void keep(struct proxy_header *h, const void *bytes, size_t len)
{
	size_t room = h->len < sizeof(h->bytes) ? sizeof(h->bytes) - h->len : 0;

	if (room > 0)
		memcpy(h->bytes + h->len, bytes, len < room ? len : room);
	h->len += len;
}

/* Why the fixed part will not do; NULL where it will. */
static const char *judge_fixed(const struct proxy_header *h)
{
	size_t length = h->total - PROXY_FIXED_LEN;

	if (h->bytes[AT_COMMAND] == LOCAL_V2)
		return NULL;
	if (h->bytes[AT_COMMAND] != PROXY_V2)
		return "not a PROXY protocol command of version 2";
	switch (h->bytes[AT_FAMILY]) {
	case TCP_IPV4:
		return length >= IPV4_ADDRESSES_LEN ? NULL : "PROXY header too short";
	case TCP_IPV6:
		return length >= IPV6_ADDRESSES_LEN ? NULL : "PROXY header too short";
	default:
		return "PROXY header without the address of a TCP client";
	}
}

static void read_client(const struct proxy_header *h, struct sockaddr_storage *client)
{
	const uint8_t *addresses = h->bytes + PROXY_FIXED_LEN;

	memset(client, 0, sizeof(*client));
	if (h->bytes[AT_FAMILY] == TCP_IPV4) {
		struct sockaddr_in *in = (struct sockaddr_in *)client;

		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, addresses, IPV4_LEN);
		memcpy(&in->sin_port, addresses + 2 * IPV4_LEN, sizeof(in->sin_port));
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)client;

		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, addresses, IPV6_LEN);
		memcpy(&in6->sin6_port, addresses + 2 * IPV6_LEN, sizeof(in6->sin6_port));
	}
}

enum proxy_rc proxy_take(struct proxy_header *h, const void *bytes, size_t len,
			 struct sockaddr_storage *client, const char **reason)
{
	assert(len <= proxy_wants(h));
	keep(h, bytes, len);
	*reason = "no PROXY header";
	if (memcmp(h->bytes, signature, h->len < AT_COMMAND ? h->len : AT_COMMAND) != 0)
		return PROXY_WRONG;
	if (h->len == PROXY_FIXED_LEN) {
		h->total += (size_t)h->bytes[AT_LENGTH] << 8 | h->bytes[AT_LENGTH + 1];
		*reason = judge_fixed(h);
		if (*reason != NULL)
			return PROXY_WRONG;
	}
	*reason = NULL;
	if (h->len < h->total)
		return PROXY_MORE;
	if (h->bytes[AT_COMMAND] == LOCAL_V2)
		return PROXY_LOCAL;
	read_client(h, client);
	return PROXY_CLIENT;
}
