/* exists, getData, setData; check, an operation of multis alone. */
#include "core/request.h"

#include "core/quota.h"
#include "core/sight.h"
#include "wire/path.h"

enum zerr request_exists(struct request *rq)
{
	struct proto_path_watch op = proto_read_path_watch(&rq->in);
	struct proto_stat stat;
	struct znode *z;
	enum zerr err;

	if (rq->in.bad || !op.path.data)
		return ZERR_MARSHALLING;
	if (path_has_nul(op.path))
		return ZERR_BAD_ARGUMENTS;
	err = request_find_permitted(rq, op.path, PERM_READ, &z);
	/* A znode that is not there yet may be waited for. */
	if (op.watch && (err == ZERR_OK || err == ZERR_NO_NODE)) {
		enum zerr refused = request_watch(rq, op.path, WATCH_DATA);

		if (refused != ZERR_OK)
			return refused;
	}
	if (err == ZERR_OK)
		err = request_stat(rq, z, &stat);
	if (err == ZERR_OK)
		proto_write_stat(&rq->out, &stat);
	return err;
}

enum zerr op_get_data(struct request *rq, struct slice path)
{
	struct proto_stat stat;
	struct znode *z;
	enum zerr err = request_find_permitted(rq, path, PERM_READ, &z);

	if (err == ZERR_OK)
		err = request_stat(rq, z, &stat);
	if (err != ZERR_OK)
		return err;
	jute_write_buffer(&rq->out, znode_data(z));
	proto_write_stat(&rq->out, &stat);
	return ZERR_OK;
}

enum zerr request_get_data(struct request *rq)
{
	struct proto_path_watch op = proto_read_path_watch(&rq->in);
	enum zerr err;

	if (rq->in.bad || !op.path.data)
		return ZERR_MARSHALLING;
	err = op_get_data(rq, op.path);
	if (err == ZERR_OK && op.watch)
		err = request_watch(rq, op.path, WATCH_DATA);
	return err;
}

enum zerr op_set_data(struct request *rq, const struct proto_set_data *op, struct op_result *out)
{
	struct znode *z;
	int32_t children, next;
	enum zerr err;

	if (!op->path.data || !path_is_valid(op->path))
		return ZERR_BAD_ARGUMENTS;
	err = request_find_permitted(rq, op->path, PERM_WRITE, &z);
	if (err == ZERR_OK && !sight_count(rq, z, &children))
		err = ZERR_SYSTEM;
	if (err == ZERR_OK)
		err = request_allow_quota(rq, op->path, (int64_t)op->data.len - z->st.data_len,
					  false);
	if (err == ZERR_OK)
		err = request_next_version(z->st.version, op->version, &next);
	if (err == ZERR_OK && znode_is_ephemeral(z) && op->data.len > z->st.data_len)
		err = request_allow_ephemeral(rq, op->path, z->st.owner, 0,
					      op->data.len - z->st.data_len);
	if (err != ZERR_OK)
		return err;
	if (quota_set_data(rq->registry, z, op->data, next) != 0)
		return ZERR_SYSTEM;
	out->stat = znode_stat(z);
	out->stat.num_children = children;
	return ZERR_OK;
}

enum zerr request_set_data(struct request *rq)
{
	struct proto_set_data op = proto_read_set_data(&rq->in);
	struct op_result result;
	enum zerr err;

	if (rq->in.bad)
		return request_malformed_write(rq);
	change_begin(rq->registry);
	err = op_set_data(rq, &op, &result);
	if (err == ZERR_OK)
		proto_write_stat(&rq->out, &result.stat);
	return request_end_change(rq, err, op.path);
}

enum zerr op_check(struct request *rq, const struct proto_path_version *op)
{
	struct znode *z;
	int32_t next;
	enum zerr err;

	if (!op->path.data || !path_is_valid(op->path))
		return ZERR_BAD_ARGUMENTS;
	err = request_find_permitted(rq, op->path, PERM_READ, &z);
	if (err == ZERR_OK)
		err = request_next_version(z->st.version, op->version, &next);
	return err;
}
