#include "core/acl.h"

#include <assert.h>

#include "base/mem.h"

void acl_table_init(struct acl_table *t)
{
	hash_init(&t->entries);
	t->held = 0;
	t->last_serial = 0;
}

void acl_table_fini(struct acl_table *t)
{
	assert(t->entries.count == 0);
	hash_fini(&t->entries);
}

static struct acl *find(const struct acl_table *t, struct slice encoded, uint64_t hash)
{
	for (struct hash_node *n = hash_find(&t->entries, hash); n; n = hash_find_next(n)) {
		struct acl *a = container_of(n, struct acl, by_content);

		if (slice_equal(acl_encoded(a), encoded))
			return a;
	}
	return NULL;
}

static bool is_held(const struct acl *a)
{
	return a->refs > a->idle;
}

/* References change by so many. */
static void count(struct acl_table *t, struct acl *a, int refs, int idle)
{
	t->held -= is_held(a);
	a->refs += (unsigned)refs;
	a->idle += (unsigned)idle;
	assert(a->idle <= a->refs);
	t->held += is_held(a);
}

struct acl *acl_take(struct acl_table *t, struct slice encoded)
{
	uint64_t hash = hash_bytes(encoded.data, encoded.len);
	struct acl *a = find(t, encoded, hash);

	if (a)
		return acl_ref(t, a);
	a = mem_new(sizeof(*a) + encoded.len);
	a->serial = ++t->last_serial;
	a->len = encoded.len;
	memcpy(a->encoded, encoded.data, encoded.len);
	hash_insert(&t->entries, &a->by_content, hash);
	return acl_ref(t, a);
}

struct acl *acl_ref(struct acl_table *t, struct acl *a)
{
	count(t, a, 1, 0);
	return a;
}

void acl_unref(struct acl_table *t, struct acl *a)
{
	if (!a)
		return;
	assert(is_held(a));
	count(t, a, -1, 0);
	if (a->refs > 0)
		return;
	hash_remove(&t->entries, &a->by_content);
	mem_free(a);
}

void acl_rest(struct acl_table *t, struct acl *a)
{
	if (a)
		count(t, a, 0, 1);
}

void acl_wake(struct acl_table *t, struct acl *a)
{
	if (!a)
		return;
	assert(a->idle > 0);
	count(t, a, 0, -1);
}

bool acl_has_room(const struct acl_table *t, struct slice encoded, size_t most)
{
	const struct acl *a;

	if (t->held < most)
		return true;
	a = find(t, encoded, hash_bytes(encoded.data, encoded.len));
	return a && is_held(a);
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
