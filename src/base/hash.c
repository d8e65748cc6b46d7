/* Chained hash table with as many slots as items, doubled when full, and SipHash (Aumasson and
 * Bernstein, 2012) with one round per block and three at the end: enough for tables whose hashes
 * are never shown. */
#define HASH_PRIVATE
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"

enum { HASH_FIRST_SLOTS = 16 };

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint8_t process_key[HASH_KEY_LEN];

static void draw_key(void)
{
	ssize_t n;

	do
		n = getrandom(process_key, sizeof(process_key), 0);
	while (n < 0 && errno == EINTR);
	/* Up to 256 bytes come whole or not at all. */
	if (n != (ssize_t)sizeof(process_key))
		die("hash.key", "getrandom failed");
}

static uint64_t rotate_left(uint64_t v, int bits)
{
	return (v << bits) | (v >> (64 - bits));
}

static uint64_t load_le64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

static void sip_round(struct hash_prefixes *s)
{
	s->v0 += s->v1;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left(s->v2, 32);
}

static void sip_block(struct hash_prefixes *s, uint64_t block)
{
	s->v3 ^= block;
	sip_round(s);
	s->v0 ^= block;
}

static void sip_init(struct hash_prefixes *s, const uint8_t secret[HASH_KEY_LEN], const void *key)
{
	uint64_t k0 = load_le64(secret);
	uint64_t k1 = load_le64(secret + 8);

	*s = (struct hash_prefixes){
		/* The constants of the paper: "somepseudorandomlygeneratedbytes". */
		.v0 = k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = k1 ^ UINT64_C(0x7465646279746573),
		.key = key,
	};
}

/* Whole blocks stay in the state; what is behind them, and the end, go into a copy. */
uint64_t hash_prefix(struct hash_prefixes *h, size_t len)
{
	uint64_t last = (uint64_t)(len & 0xff) << 56;
	struct hash_prefixes s;

	for (; len - h->done >= 8; h->done += 8)
		sip_block(h, load_le64(h->key + h->done));
	for (size_t i = 0; i < len - h->done; i++)
		last |= (uint64_t)h->key[h->done + i] << (8 * i);
	s = *h;
	sip_block(&s, last);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_siphash13(const uint8_t secret[HASH_KEY_LEN], const void *key, size_t len)
{
	struct hash_prefixes h;

	sip_init(&h, secret, key);
	return hash_prefix(&h, len);
}

void hash_prefixes_init(struct hash_prefixes *h, const void *key)
{
	pthread_once(&key_once, draw_key);
	sip_init(h, process_key, key);
}

uint64_t hash_bytes(const void *key, size_t len)
{
	struct hash_prefixes h;

	hash_prefixes_init(&h, key);
	return hash_prefix(&h, len);
}

uint64_t hash_u64(uint64_t key)
{
	return hash_bytes(&key, sizeof(key));
}

void hash_init(struct hash *h)
{
	*h = (struct hash){ 0 };
}

void hash_fini(struct hash *h)
{
	mem_free(h->slots);
	hash_init(h);
}

static void link_node(struct hash *h, struct hash_node *node)
{
	struct hash_node **slot = &h->slots[(size_t)node->hash & h->mask];

	node->next = *slot;
	*slot = node;
}

static void hash_grow(struct hash *h)
{
	size_t count = h->slots != NULL ? (h->mask + 1) * 2 : HASH_FIRST_SLOTS;
	struct hash bigger = { .mask = count - 1, .count = h->count };
	struct hash_node *node = hash_first(h);

	bigger.slots = mem_new(count * sizeof(struct hash_node *));
	while (node != NULL) {
		struct hash_node *after = hash_after(h, node);

		link_node(&bigger, node);
		node = after;
	}
	mem_free(h->slots);
	*h = bigger;
}

void hash_insert(struct hash *h, struct hash_node *node, uint64_t hash)
{
	if (h->slots == NULL || h->count > h->mask)
		hash_grow(h);
	node->hash = hash;
	link_node(h, node);
	h->count++;
}

void hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **at = &h->slots[(size_t)node->hash & h->mask];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = NULL;
	h->count--;
}

static struct hash_node *skip_others(struct hash_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_node *hash_find(const struct hash *h, uint64_t hash)
{
	return h->slots != NULL ? skip_others(h->slots[(size_t)hash & h->mask], hash) : NULL;
}

struct hash_node *hash_find_next(const struct hash_node *node)
{
	return skip_others(node->next, node->hash);
}

static struct hash_node *first_from(const struct hash *h, size_t slot)
{
	if (h->slots == NULL)
		return NULL;
	for (; slot <= h->mask; slot++) {
		if (h->slots[slot] != NULL)
			return h->slots[slot];
	}
	return NULL;
}

struct hash_node *hash_first(const struct hash *h)
{
	return first_from(h, 0);
}

struct hash_node *hash_after(const struct hash *h, const struct hash_node *node)
{
	if (node->next != NULL)
		return node->next;
	return first_from(h, ((size_t)node->hash & h->mask) + 1);
}
