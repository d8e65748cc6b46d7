#include "base/tally.h"

#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

void tally_init(struct tally *t)
{
	hash_init(&t->by_name);
}

void tally_fini(struct tally *t)
{
	assert(t->by_name.count == 0);
	hash_fini(&t->by_name);
}

static struct tally_entry *find(const struct tally *t, const char *name, uint64_t hash)
{
	for (struct hash_node *n = hash_find(&t->by_name, hash); n; n = hash_find_next(n)) {
		struct tally_entry *entry = container_of(n, struct tally_entry, node);

		if (strcmp(entry->name, name) == 0)
			return entry;
	}
	return NULL;
}

unsigned tally_count(const struct tally *t, const char *name)
{
	const struct tally_entry *entry = find(t, name, hash_bytes(name, strlen(name)));

	return entry ? entry->count : 0;
}

struct tally_entry *tally_add(struct tally *t, const char *name)
{
	size_t len = strlen(name);
	uint64_t hash = hash_bytes(name, len);
	struct tally_entry *entry = find(t, name, hash);

	if (!entry) {
		entry = mem_new(sizeof(*entry) + len + 1);
		memcpy(entry->name, name, len + 1);
		hash_insert(&t->by_name, &entry->node, hash);
	}
	entry->count++;
	return entry;
}

void tally_drop(struct tally *t, struct tally_entry *entry)
{
	if (!entry || --entry->count > 0)
		return;
	hash_remove(&t->by_name, &entry->node);
	mem_free(entry);
}
