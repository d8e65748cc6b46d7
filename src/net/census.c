#include "net/census.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "net/address.h"

enum { HOST_MAX_LEN = 16 };

struct host {
	struct hash_node node;
	unsigned count;
	uint8_t len;
	char bytes[HOST_MAX_LEN];
};

void census_init(struct census *c)
{
	hash_init(&c->hosts);
	c->total = 0;
}

void census_fini(struct census *c)
{
	struct hash_node *node;

	while ((node = hash_first(&c->hosts)) != NULL) {
		hash_remove(&c->hosts, node);
		mem_free(container_of(node, struct host, node));
	}
	hash_fini(&c->hosts);
}

static struct host *find_host(const struct census *c, struct slice bytes)
{
	struct hash_node *node = hash_find(&c->hosts, hash_bytes(bytes.data, bytes.len));

	for (; node; node = hash_find_next(node)) {
		struct host *h = container_of(node, struct host, node);

		if (slice_equal((struct slice){ h->bytes, h->len }, bytes))
			return h;
	}
	return NULL;
}

static void add(struct census *c, struct host *h, struct slice bytes)
{
	if (!h) {
		h = mem_new(sizeof(*h));
		h->len = (uint8_t)bytes.len;
		memcpy(h->bytes, bytes.data, bytes.len);
		hash_insert(&c->hosts, &h->node, hash_bytes(bytes.data, bytes.len));
	}
	h->count++;
	c->total++;
}

enum census_rc census_enter(struct census *c, const struct sockaddr_storage *from,
			    unsigned max_total, unsigned max_per_host)
{
	struct slice bytes = address_network_bytes(from);
	struct host *h = find_host(c, bytes);

	if (max_total != 0 && c->total >= max_total)
		return CENSUS_FULL;
	if (max_per_host != 0 && h && h->count >= max_per_host)
		return CENSUS_HOST_FULL;
	add(c, h, bytes);
	return CENSUS_OK;
}

enum census_rc census_move(struct census *c, const struct sockaddr_storage *from,
			   const struct sockaddr_storage *to, unsigned max_per_host)
{
	struct slice bytes = address_network_bytes(from);
	enum census_rc rc;

	census_leave(c, from);
	rc = census_enter(c, to, 0, max_per_host);
	if (rc != CENSUS_OK)
		add(c, find_host(c, bytes), bytes);
	return rc;
}

void census_leave(struct census *c, const struct sockaddr_storage *from)
{
	struct host *h = find_host(c, address_network_bytes(from));

	assert(h && h->count > 0 && c->total > 0);
	c->total--;
	if (--h->count > 0)
		return;
	hash_remove(&c->hosts, &h->node);
	mem_free(h);
}
