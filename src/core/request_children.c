#include "core/request.h"

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

enum zerr request_get_children(struct request *rq)
{
	struct proto_path_watch op = proto_read_path_watch(&rq->in);
	struct name_writer names = { &rq->out, 0 };
	struct proto_stat stat;
	struct znode *z;
	size_t count_at;
	enum zerr err;

	if (rq->in.bad || !op.path.data)
		return ZERR_MARSHALLING;
	err = request_find(rq, op.path, &z);
	if (err == ZERR_OK)
		err = request_permit(rq, z, PERM_READ);
	if (err != ZERR_OK)
		return err;
	count_at = buf_len(rq->out.out);
	jute_write_int(&rq->out, 0);
	if (!tree_list(registry_tree(rq->registry), z, write_name, &names))
		return ZERR_SYSTEM;
	if (op.watch)
		err = request_watch(rq, op.path, WATCH_CHILD);
	stat = znode_stat(z);
	if (rq->type == OP_GET_CHILDREN2)
		proto_write_stat(&rq->out, &stat);
	if (!rq->out.bad)
		jute_put_int(rq->out.out->data + rq->out.out->head + count_at, names.count);
	return err;
}
