#include "core/acl.h"

#include <assert.h>

#include "base/mem.h"

void acl_table_init(struct acl_table *t)
{
	hash_init(&t->entries);
	t->last_serial = 0;
}

void acl_table_fini(struct acl_table *t)
{
	assert(t->entries.count == 0);
	hash_fini(&t->entries);
}

struct acl *acl_take(struct acl_table *t, struct slice encoded)
{
	uint64_t hash = hash_bytes(encoded.data, encoded.len);
	struct acl *a;

	for (struct hash_node *n = hash_find(&t->entries, hash); n; n = hash_find_next(n)) {
		a = container_of(n, struct acl, by_content);
		if (slice_equal(acl_encoded(a), encoded))
			return acl_ref(a);
	}
	a = mem_new(sizeof(*a) + encoded.len);
	a->refs = 1;
	a->serial = ++t->last_serial;
	a->len = encoded.len;
	memcpy(a->encoded, encoded.data, encoded.len);
	hash_insert(&t->entries, &a->by_content, hash);
	return a;
}

struct acl *acl_ref(struct acl *a)
{
	a->refs++;
	return a;
}

void acl_unref(struct acl_table *t, struct acl *a)
{
	if (!a)
		return;
	assert(a->refs > 0);
	if (--a->refs > 0)
		return;
	hash_remove(&t->entries, &a->by_content);
	mem_free(a);
}

struct slice acl_encoded(const struct acl *a)
{
	return (struct slice){ a->encoded, a->len };
}

struct proto_acls acl_entries(const struct acl *a)
{
	struct jute_reader r;

	jute_reader_init(&r, acl_encoded(a));
	return proto_read_acls(&r);
}
