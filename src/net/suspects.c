#include "net/suspects.h"

#include <string.h>

#include "base/mem.h"
#include "base/slice.h"
#include "net/address.h"

enum { SECOND_US = 1000000, US = 1000 };

struct host {
	struct hash_node node;
	struct list link;
	struct slice key; /* of bytes */
	char bytes[16];
	unsigned failures;
	int64_t window_end_ms;
	/* The time up to which what came is paid for; a second of it may be saved. */
	int64_t paid_us;
};

void suspects_init(struct suspects *s, unsigned max_failures, int64_t window_ms, unsigned max_rate)
{
	hash_init(&s->hosts);
	list_init(&s->order);
	s->max_failures = max_failures;
	s->window_ms = window_ms;
	s->max_rate = max_rate;
}

static void forget(struct suspects *s, struct host *h)
{
	hash_remove(&s->hosts, &h->node);
	list_remove(&h->link);
	mem_free(h);
}

void suspects_fini(struct suspects *s)
{
	while (!list_is_empty(&s->order))
		forget(s, container_of(s->order.next, struct host, link));
	hash_fini(&s->hosts);
}

static struct host *find(const struct suspects *s, struct slice key)
{
	struct hash_node *node = hash_find(&s->hosts, hash_bytes(key.data, key.len));

	for (; node; node = hash_find_next(node)) {
		struct host *h = container_of(node, struct host, node);

		if (slice_equal(h->key, key))
			return h;
	}
	return NULL;
}

/* It is the last to be forgotten now. */
static struct host *find_or_make(struct suspects *s, const struct sockaddr_storage *from)
{
	struct slice key = address_network_bytes(from);
	struct host *h = find(s, key);

	if (h) {
		list_remove(&h->link);
	} else {
		if (s->hosts.count >= SUSPECTS_MOST)
			forget(s, container_of(s->order.next, struct host, link));
		h = mem_new(sizeof(*h));
		memcpy(h->bytes, key.data, key.len);
		h->key = (struct slice){ h->bytes, key.len };
		hash_insert(&s->hosts, &h->node, hash_bytes(key.data, key.len));
	}
	list_append(&s->order, &h->link);
	return h;
}

static bool has_failed(const struct suspects *s, const struct host *h, int64_t now_ms)
{
	return h->failures >= s->max_failures && now_ms < h->window_end_ms;
}

/* False where it is not yet paid for. */
static bool pay(const struct suspects *s, struct host *h, int64_t now_ms)
{
	int64_t now_us = now_ms * US, begin_us = h->paid_us, price_us = SECOND_US / s->max_rate;

	if (begin_us < now_us - SECOND_US)
		begin_us = now_us - SECOND_US;
	if (begin_us + price_us > now_us)
		return false;
	h->paid_us = begin_us + price_us;
	return true;
}

enum suspects_rc suspects_ask(struct suspects *s, const struct sockaddr_storage *from,
			      int64_t now_ms)
{
	struct host *h;

	if (s->max_failures != 0) {
		h = find(s, address_network_bytes(from));
		if (h && has_failed(s, h, now_ms))
			return SUSPECTS_FAILED;
	}
	if (s->max_rate == 0)
		return SUSPECTS_OK;
	return pay(s, find_or_make(s, from), now_ms) ? SUSPECTS_OK : SUSPECTS_FAST;
}

void suspects_note_failure(struct suspects *s, const struct sockaddr_storage *from, int64_t now_ms)
{
	struct host *h;

	if (s->max_failures == 0)
		return;
	h = find_or_make(s, from);
	if (now_ms >= h->window_end_ms) {
		h->failures = 0;
		h->window_end_ms = now_ms + s->window_ms;
	}
	h->failures++;
}
