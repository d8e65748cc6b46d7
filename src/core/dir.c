#include "core/dir.h"

#include "base/mem.h"

struct dir *dir_new(struct slice path)
{
	struct dir *d = mem_new(sizeof(*d) + path.len + 1);

	list_init(&d->live);
	list_init(&d->link);
	hash_init(&d->names);
	d->path_len = (uint32_t)path.len;
	memcpy(d->path, path.data, path.len);
	return d;
}

void dir_free(struct dir *d)
{
	dir_forget_names(d);
	mem_free(d);
}

static struct dir_name *find_name(const struct dir *d, struct slice name, uint64_t hash)
{
	for (struct hash_node *n = hash_find(&d->names, hash); n; n = hash_find_next(n)) {
		struct dir_name *have = container_of(n, struct dir_name, by_name);

		if (slice_equal((struct slice){ have->text, have->len }, name))
			return have;
	}
	return NULL;
}

bool dir_has_name(const struct dir *d, struct slice name)
{
	return find_name(d, name, hash_bytes(name.data, name.len)) != NULL;
}

size_t dir_name_bytes(size_t len)
{
	return sizeof(struct dir_name) + sizeof(void *) + len;
}

void dir_add_name(struct dir *d, struct slice name)
{
	struct dir_name *added = mem_new(sizeof(*added) + name.len);

	added->len = (uint32_t)name.len;
	memcpy(added->text, name.data, name.len);
	hash_insert(&d->names, &added->by_name, hash_bytes(name.data, name.len));
	d->names_bytes += dir_name_bytes(name.len);
}

void dir_remove_name(struct dir *d, struct slice name)
{
	struct dir_name *have = find_name(d, name, hash_bytes(name.data, name.len));

	if (!have)
		return;
	hash_remove(&d->names, &have->by_name);
	d->names_bytes -= dir_name_bytes(name.len);
	mem_free(have);
}

void dir_forget_names(struct dir *d)
{
	struct hash_node *next;

	for (struct hash_node *n = hash_first(&d->names); n; n = next) {
		next = hash_after(&d->names, n);
		mem_free(container_of(n, struct dir_name, by_name));
	}
	hash_fini(&d->names);
	hash_init(&d->names);
	d->names_bytes = 0;
	d->complete = false;
}
