#define HASH_PRIVATE
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cdefs.h"

struct item {
	struct hash_node node;
	int key;
	int seen;
};

static struct item *item_of(struct hash_node *node)
{
	return node != NULL ? container_of(node, struct item, node) : NULL;
}

static struct item *find(const struct hash *h, uint64_t hash, int key)
{
	struct hash_node *n;

	for (n = hash_find(h, hash); n != NULL; n = hash_find_next(n)) {
		if (item_of(n)->key == key)
			return item_of(n);
	}
	return NULL;
}

/* Key and text are 00 01 02 ..., as in the paper; the results are those of OpenSSL's SipHash
 * with one and three rounds. */
static void test_siphash_vectors(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} cases[] = {
		{ 0, UINT64_C(0xabac0158050fc4dc) },  { 1, UINT64_C(0xc9f49bf37d57ca93) },
		{ 2, UINT64_C(0x82cb9b024dc7d44d) },  { 7, UINT64_C(0xd3927d989bb11140) },
		{ 8, UINT64_C(0x369095118d299a8e) },  { 15, UINT64_C(0xd320d86d2a519956) },
		{ 63, UINT64_C(0x9d199062b7bbb3a8) },
	};
	uint8_t key[HASH_KEY_LEN];
	uint8_t text[63];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(hash_siphash13(key, text, cases[i].len) == cases[i].hash);
}

static void test_one_key_per_process(void **state)
{
	const uint64_t number = 0x123456789;

	(void)state;
	assert_true(hash_bytes("abc", 3) == hash_bytes("abc", 3));
	assert_true(hash_bytes("abc", 3) != hash_bytes("abd", 3));
	assert_true(hash_bytes("abc", 3) != hash_bytes("abc", 2));
	assert_true(hash_u64(number) == hash_bytes(&number, sizeof(number)));
	/* The key was drawn: an all-zero one would give this for no bytes. */
	assert_true(hash_bytes("", 0) != hash_siphash13((const uint8_t[HASH_KEY_LEN]){ 0 }, "", 0));
}

static void test_prefixes(void **state)
{
	const char text[] = "/a/bc/def/ghij/klmno/pqrstu/vwxyz01/23456789/";
	struct hash_prefixes h;

	(void)state;
	hash_prefixes_init(&h, text);
	for (size_t len = 0; len < sizeof(text); len++) {
		assert_true(hash_prefix(&h, len) == hash_bytes(text, len));
		assert_true(hash_prefix(&h, len) == hash_bytes(text, len));
	}
	/* In leaps, too. */
	hash_prefixes_init(&h, text);
	for (size_t len = 3; len < sizeof(text); len += 13)
		assert_true(hash_prefix(&h, len) == hash_bytes(text, len));
}

static void test_empty(void **state)
{
	struct hash h;

	(void)state;
	hash_init(&h);
	assert_null(hash_find(&h, 7));
	assert_null(hash_first(&h));
	hash_fini(&h);
	hash_fini(&h);
}

/* Twenty items share one hash: each is found by its key and goes alone. */
static void test_same_hash(void **state)
{
	enum { COUNT = 20, HASH = 16 * 77 + 5 };
	struct item items[COUNT];
	struct hash h;

	(void)state;
	hash_init(&h);
	for (int i = 0; i < COUNT; i++) {
		items[i].key = i;
		hash_insert(&h, &items[i].node, HASH);
	}
	assert_int_equal(h.count, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_ptr_equal(find(&h, HASH, i), &items[i]);
		/* The same slot, another hash. */
		assert_null(hash_find(&h, HASH + (UINT64_C(1) << 40)));
	}
	for (int i = 0; i < COUNT; i += 2)
		hash_remove(&h, &items[i].node);
	for (int i = 0; i < COUNT; i++)
		assert_ptr_equal(find(&h, HASH, i), i % 2 == 1 ? &items[i] : NULL);
	assert_int_equal(h.count, COUNT / 2);
	hash_fini(&h);
}

static int count_all(const struct hash *h)
{
	int count = 0;

	for (struct hash_node *n = hash_first(h); n != NULL; n = hash_after(h, n)) {
		item_of(n)->seen++;
		count++;
	}
	return count;
}

static void test_many(void **state)
{
	enum { COUNT = 5000 };
	struct item *items = calloc(COUNT, sizeof(*items));
	struct hash_node *after;
	struct hash h;

	(void)state;
	hash_init(&h);
	for (int i = 0; i < COUNT; i++) {
		items[i].key = i;
		hash_insert(&h, &items[i].node, hash_u64((uint64_t)i));
		/* Never more items than slots: chains stay short. */
		assert_true(h.mask + 1 >= h.count);
	}
	assert_int_equal(count_all(&h), COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(items[i].seen, 1);
		assert_ptr_equal(find(&h, hash_u64((uint64_t)i), i), &items[i]);
	}
	/* The next is taken before one is removed. */
	for (struct hash_node *n = hash_first(&h); n != NULL; n = after) {
		after = hash_after(&h, n);
		if (item_of(n)->key % 3 == 0)
			hash_remove(&h, n);
	}
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(find(&h, hash_u64((uint64_t)i), i) != NULL, i % 3 != 0);
	assert_int_equal(count_all(&h), h.count);
	assert_int_equal(h.count, COUNT - (COUNT + 2) / 3);
	hash_fini(&h);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash_vectors),     cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_one_key_per_process), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_same_hash),           cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
