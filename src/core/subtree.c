#include "core/subtree.h"

#include "base/mem.h"
#include "wire/path.h"

/* What memory knows better than tree.db, or alone. */
struct overlay {
	struct slice path;
	struct slice *ahead; /* paths of which tree.db's word does not count */
	size_t count, cap;
	struct subtree_sum sum; /* of those that memory has */
};

static void look_at(void *ctx, const struct znode *z)
{
	struct overlay *o = ctx;
	bool is_ahead = tree_is_ahead(z);

	if (z->path_len <= o->path.len || !path_is_within(znode_path(z), o->path))
		return;
	if (is_ahead) {
		if (o->count == o->cap) {
			o->cap = o->cap ? 2 * o->cap : 64;
			o->ahead = mem_grow(o->ahead, o->cap * sizeof(*o->ahead));
		}
		o->ahead[o->count++] = znode_path(z);
	}
	if (z->st.exists && (is_ahead || znode_is_ephemeral(z))) {
		o->sum.znodes++;
		o->sum.bytes += z->st.data_len;
	}
}

bool subtree_sum(struct tree *t, struct store *store, struct slice path, struct subtree_sum *out)
{
	struct overlay o = { .path = path };
	struct store_sum stored = { 0 };
	enum store_result result;

	tree_visit(t, look_at, &o);
	result = store_sum_below(store, path, o.ahead, o.count, &stored);
	mem_free(o.ahead);
	out->znodes = o.sum.znodes + stored.znodes;
	out->bytes = o.sum.bytes + stored.bytes;
	return result == STORE_FOUND;
}
