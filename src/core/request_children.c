#include "core/request.h"

#include "core/headcount.h"
#include "core/sight.h"
#include "core/subtree.h"

struct name_writer {
	struct jute_writer *out;
	int32_t count;
};

static void write_name(void *ctx, struct slice name)
{
	struct name_writer *w = ctx;

	jute_write_buffer(w->out, name);
	w->count++;
}

/* The names, and the znode that has them. */
static enum zerr write_children(struct request *rq, struct slice path, struct znode **z)
{
	struct name_writer names = { &rq->out, 0 };
	size_t count_at;
	enum zerr err = request_find_permitted(rq, path, PERM_READ, z);

	if (err != ZERR_OK)
		return err;
	count_at = buf_len(rq->out.out);
	jute_write_int(&rq->out, 0);
	if (!sight_list(rq, *z, write_name, &names))
		return ZERR_SYSTEM;
	if (!rq->out.bad)
		jute_put_int(rq->out.out->data + rq->out.out->head + count_at, names.count);
	return ZERR_OK;
}

enum zerr op_get_children(struct request *rq, struct slice path)
{
	struct znode *z;

	return write_children(rq, path, &z);
}

enum zerr request_get_children(struct request *rq)
{
	struct proto_path_watch op = proto_read_path_watch(&rq->in);
	struct proto_stat stat;
	struct znode *z;
	enum zerr err;

	if (rq->in.bad || !op.path.data)
		return ZERR_MARSHALLING;
	err = write_children(rq, op.path, &z);
	if (err != ZERR_OK)
		return err;
	if (rq->type == OP_GET_CHILDREN2) {
		err = request_stat(rq, z, &stat);
		if (err != ZERR_OK)
			return err;
		proto_write_stat(&rq->out, &stat);
	}
	return op.watch ? request_watch(rq, op.path, WATCH_CHILD) : ZERR_OK;
}

/* False where tree.db could not be read. */
static bool count_all(struct request *rq, struct slice path, uint64_t *count)
{
	struct tree *t = registry_tree(rq->registry);
	struct subtree_sum sum = { 0 };
	bool is_root = path.len == 0 || slice_is(path, "/");

	if (is_root)
		*count = tree_counts(t).znodes - 1;
	else if (subtree_sum(t, registry_store(rq->registry), path, &sum))
		*count = sum.znodes;
	else
		return false;
	return true;
}

/* Each by itself, in more than one turn where there are many. */
static enum zerr count_some(struct request *rq, struct slice path, uint64_t *count)
{
	switch (headcount_run(registry_headcount(rq->registry), rq, path, count)) {
	case HEADCOUNT_LATER:
		rq->is_unfinished = true;
		break;
	case HEADCOUNT_DONE:
		break;
	case HEADCOUNT_UNREADABLE:
		return ZERR_SYSTEM;
	}
	return ZERR_OK;
}

static enum zerr count_seen(struct request *rq, struct slice path, uint64_t *count)
{
	struct headcount *h = registry_headcount(rq->registry);
	enum sight seen;
	struct znode *z;
	enum zerr err;

	if (headcount_is_of(h, rq->client))
		return count_some(rq, path, count);
	seen = sight_below(rq, path);
	if (seen == SIGHT_SOME && !headcount_may_begin(h, rq->client)) {
		rq->is_unfinished = true;
		return ZERR_OK;
	}
	err = request_find_permitted(rq, path, PERM_READ, &z);
	if (err != ZERR_OK || seen == SIGHT_NONE)
		return err;
	if (seen == SIGHT_SOME)
		return count_some(rq, path, count);
	return count_all(rq, path, count) ? ZERR_OK : ZERR_SYSTEM;
}

/* All below it, however deep, that the client sees. */
enum zerr request_get_all_children_number(struct request *rq)
{
	struct slice path = jute_read_buffer(&rq->in);
	uint64_t count = 0;
	enum zerr err;

	if (rq->in.bad || !path.data)
		return ZERR_MARSHALLING;
	err = count_seen(rq, path, &count);
	if (err != ZERR_OK || rq->is_unfinished)
		return err;
	/* ZooKeeper's root has two names, and by the empty one it is below itself. */
	if (path.len == 0)
		count++;
	rq->mark = registry_last_change(rq->registry);
	jute_write_int(&rq->out, (int32_t)count);
	return ZERR_OK;
}
