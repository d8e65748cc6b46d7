#include "core/request.h"

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

/* All below it, however deep. That is a number for those alone who may see all of it. */
enum zerr request_get_all_children_number(struct request *rq)
{
	struct slice path = jute_read_buffer(&rq->in);
	struct tree *t = registry_tree(rq->registry);
	struct subtree_sum sum = { 0 };
	struct znode *z;
	enum zerr err;

	if (rq->in.bad || !path.data)
		return ZERR_MARSHALLING;
	err = request_find_permitted(rq, path, PERM_READ, &z);
	if (err == ZERR_OK && !sight_is_whole(rq, path))
		err = ZERR_NO_AUTH;
	if (err != ZERR_OK)
		return err;
	/* ZooKeeper's root has two names, and by the empty one it is below itself. */
	if (slice_is(znode_path(z), "/"))
		sum.znodes = tree_counts(t).znodes - (path.len > 0);
	else if (!subtree_sum(t, registry_store(rq->registry), path, &sum))
		return ZERR_SYSTEM;
	rq->mark = registry_last_change(rq->registry);
	jute_write_int(&rq->out, (int32_t)sum.znodes);
	return ZERR_OK;
}
