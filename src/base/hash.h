/* Intrusive hash table: links live in the items, the caller compares keys. Grows by itself, one
 * thread. Keys that peers choose are hashed with SipHash under a key drawn at start, so nobody
 * can aim at one bucket. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **slots; /* NULL until the first insert */
	size_t mask;
	size_t count;
};

/* SipHash-1-3 of a key under the process's random key. */
uint64_t hash_bytes(const void *key, size_t len);
/* The same for a 64-bit number (session ids). */
uint64_t hash_u64(uint64_t key);

/* The hashes of a key's prefixes, each as hash_bytes gives it: all of them together cost little
 * more than that of the whole. */
struct hash_prefixes {
	uint64_t v0, v1, v2, v3;
	const uint8_t *key;
	size_t done;
};
/* key is borrowed. */
void hash_prefixes_init(struct hash_prefixes *h, const void *key);
/* len does not fall from call to call. */
uint64_t hash_prefix(struct hash_prefixes *h, size_t len);

void hash_init(struct hash *h);
/* Free the table, not the items. */
void hash_fini(struct hash *h);
void hash_insert(struct hash *h, struct hash_node *node, uint64_t hash);
/* node must be in h. */
void hash_remove(struct hash *h, struct hash_node *node);
/* The first item with this hash, or NULL; then the next one. Compare the key yourself. */
struct hash_node *hash_find(const struct hash *h, uint64_t hash);
struct hash_node *hash_find_next(const struct hash_node *node);

/* Every item in no fixed order: for (n = hash_first(h); n; n = hash_after(h, n)). Take the next
 * before removing one. */
struct hash_node *hash_first(const struct hash *h);
struct hash_node *hash_after(const struct hash *h, const struct hash_node *node);

#ifdef HASH_PRIVATE
enum { HASH_KEY_LEN = 16 };
/* SipHash-1-3 under a given secret. */
uint64_t hash_siphash13(const uint8_t secret[HASH_KEY_LEN], const void *key, size_t len);
#endif

#endif
