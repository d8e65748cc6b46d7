/* See the header. Records are copied once, as a whole, to blocks that are freed together; items
 * borrow from there. */
#include "store/merge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "store/record.h"

enum { BLOCK_BYTES = 256 * 1024 };

struct block {
	struct list link;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

struct merged_znode {
	struct hash_node node;
	struct record_znode z;
	struct slice parent; /* of z.path, with name: what rows are sorted by */
	struct slice name;
	bool wipe; /* deleted before what z puts */
};

struct merged_session {
	struct hash_node node;
	struct record_session s;
};

struct merge {
	struct list blocks;
	size_t bytes;
	struct hash znodes;
	struct hash sessions;
};

struct merge *merge_new(void)
{
	struct merge *m = mem_new(sizeof(*m));

	list_init(&m->blocks);
	hash_init(&m->znodes);
	hash_init(&m->sessions);
	return m;
}

void merge_clear(struct merge *m)
{
	struct list *link;

	while ((link = list_take_first(&m->blocks)) != NULL)
		mem_free(container_of(link, struct block, link));
	hash_fini(&m->znodes);
	hash_fini(&m->sessions);
	hash_init(&m->znodes);
	hash_init(&m->sessions);
	m->bytes = 0;
}

void merge_free(struct merge *m)
{
	if (m == NULL)
		return;
	merge_clear(m);
	mem_free(m);
}

size_t merge_bytes(const struct merge *m)
{
	return m->bytes;
}

/* Room that lives until the next clear. */
static void *take(struct merge *m, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct block *b =
		list_is_empty(&m->blocks) ? NULL : container_of(m->blocks.prev, struct block, link);
	void *out;

	size = (size + align - 1) / align * align;
	if (b == NULL || b->size - b->used < size) {
		size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		b = mem_new(sizeof(*b) + room);
		b->size = room;
		list_append(&m->blocks, &b->link);
	}
	out = b->bytes + b->used;
	b->used += size;
	m->bytes += size;
	return out;
}

/* ---- take in ---- */

static struct merged_znode *find_znode(struct merge *m, struct slice path)
{
	uint64_t hash = hash_bytes(path.data, path.len);
	struct merged_znode *z;

	for (struct hash_node *n = hash_find(&m->znodes, hash); n != NULL; n = hash_find_next(n)) {
		z = container_of(n, struct merged_znode, node);
		if (slice_equal(z->z.path, path))
			return z;
	}
	z = take(m, sizeof(*z));
	z->z.path = path;
	rows_split_path(path, &z->parent, &z->name);
	hash_insert(&m->znodes, &z->node, hash);
	return z;
}

static void add_znode(struct merge *m, const struct record_znode *put)
{
	struct merged_znode *at = find_znode(m, put->path);
	struct record_znode *z = &at->z;

	if (put->columns == 0) {
		at->wipe = true;
		z->columns = 0;
		return;
	}
	z->columns |= put->columns;
	if (put->columns & RECORD_BIRTH) {
		z->czxid = put->czxid;
		z->ctime = put->ctime;
		z->owner = put->owner;
	}
	if (put->columns & RECORD_DATA) {
		z->data = put->data;
		z->mzxid = put->mzxid;
		z->mtime = put->mtime;
		z->version = put->version;
	}
	if (put->columns & RECORD_ACL) {
		z->acl = put->acl;
		z->aversion = put->aversion;
	}
	if (put->columns & RECORD_CHILDREN) {
		z->pzxid = put->pzxid;
		z->creates = put->creates;
		z->num_children = put->num_children;
	}
}

static void add_session(struct merge *m, const struct record_session *put)
{
	uint64_t hash = hash_u64((uint64_t)put->id);
	struct merged_session *s = NULL;

	for (struct hash_node *n = hash_find(&m->sessions, hash); n != NULL;
	     n = hash_find_next(n)) {
		s = container_of(n, struct merged_session, node);
		if (s->s.id == put->id)
			break;
		s = NULL;
	}
	if (s == NULL) {
		s = take(m, sizeof(*s));
		hash_insert(&m->sessions, &s->node, hash);
	}
	s->s = *put;
}

int merge_add(struct merge *m, struct slice body)
{
	struct record_reader reader;
	struct record_item item;
	char *copy = take(m, body.len);

	if (body.len > 0)
		memcpy(copy, body.data, body.len);
	record_reader_init(&reader, (struct slice){ copy, body.len });
	for (;;) {
		switch (record_read(&reader, &item)) {
		case RECORD_ITEM_ZNODE:
			add_znode(m, &item.znode);
			break;
		case RECORD_ITEM_SESSION:
			add_session(m, &item.session);
			break;
		case RECORD_ITEM_END:
			return 0;
		case RECORD_ITEM_BAD:
			return -1;
		}
	}
}

/* ---- write ---- */

/* As SQLite orders the index on (parent, name): bytes, shorter first. */
static int compare_znodes(const void *a, const void *b)
{
	const struct merged_znode *x = *(struct merged_znode *const *)a;
	const struct merged_znode *y = *(struct merged_znode *const *)b;
	int order = slice_compare(x->parent, y->parent);

	return order != 0 ? order : slice_compare(x->name, y->name);
}

/* Whether a key is one of those up to the upto. */
static bool is_within(const struct merged_znode *z, const struct rows_key *upto)
{
	int order;

	if (upto == NULL)
		return true;
	order = slice_compare(z->parent, upto->parent);
	return order != 0 ? order < 0 : slice_compare(z->name, upto->name) <= 0;
}

void merge_write(struct merge *m, struct rows *rows, const struct rows_key *upto)
{
	struct merged_znode **sorted;
	size_t count = 0;

	for (struct hash_node *n = hash_first(&m->sessions); n != NULL;
	     n = hash_after(&m->sessions, n))
		rows_put_session(rows, &container_of(n, struct merged_session, node)->s);
	if (m->znodes.count > 0) {
		sorted = mem_new(m->znodes.count * sizeof(struct merged_znode *));
		for (struct hash_node *n = hash_first(&m->znodes); n != NULL;
		     n = hash_after(&m->znodes, n)) {
			struct merged_znode *z = container_of(n, struct merged_znode, node);

			if (is_within(z, upto))
				sorted[count++] = z;
		}
		qsort(sorted, count, sizeof(struct merged_znode *), compare_znodes);
		for (size_t i = 0; i < count; i++)
			rows_put_znode(rows, &sorted[i]->z, sorted[i]->wipe);
		mem_free(sorted);
	}
}

void merge_apply(struct merge *m, struct rows *rows)
{
	merge_write(m, rows, NULL);
	merge_clear(m);
}
