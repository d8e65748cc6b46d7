#include "core/request.h"

#include <string.h>

#include "core/audit.h"
#include "core/quota.h"
#include "wire/path.h"

/* Those that are there from the start stay. */
static bool is_special(struct slice path)
{
	return slice_is(path, "/") || slice_is(path, "/zookeeper") ||
	       slice_is(path, "/zookeeper/quota") || slice_is(path, "/zookeeper/config");
}

enum zerr op_delete(struct request *rq, const struct proto_path_version *op)
{
	struct znode *parent, *z;
	int32_t next;
	enum zerr err;

	if (!op->path.len || !memchr(op->path.data, '/', op->path.len) || path_has_nul(op->path) ||
	    is_special(op->path))
		return ZERR_BAD_ARGUMENTS;
	err = request_pass_policy(rq, op->path, PERM_DELETE);
	if (err == ZERR_OK)
		err = request_hide(rq, op->path, request_find_parent(rq, op->path, &parent));
	if (err == ZERR_OK)
		err = request_permit_child(rq, parent, op->path, PERM_DELETE);
	if (err == ZERR_OK)
		err = request_hide(rq, op->path, request_find(rq, op->path, &z));
	if (err == ZERR_OK)
		err = request_next_version(z->st.version, op->version, &next);
	if (err != ZERR_OK)
		return err;
	if (z->st.num_children > 0)
		return ZERR_NOT_EMPTY;
	return quota_delete(rq->registry, parent, z) ? ZERR_OK : ZERR_SYSTEM;
}

enum zerr request_delete(struct request *rq)
{
	struct proto_path_version op = proto_read_path_version(&rq->in);

	if (rq->in.bad)
		return request_malformed_write(rq);
	change_begin(rq->registry);
	return request_end_change(rq, op.path.data ? op_delete(rq, &op) : ZERR_MARSHALLING,
				  op.path);
}

/* The server's own business: ZooKeeper asks nobody for a permission here, so that any client could
 * delete every container. */
enum zerr request_delete_container(struct request *rq)
{
	struct slice path = jute_read_buffer(&rq->in);

	if (rq->in.bad)
		return request_malformed_write(rq);
	audit_refuse_client(registry_audit(rq->registry), rq->client,
			    slice_of(opcode_name(rq->type)), path, "the server's own business");
	change_begin(rq->registry);
	return request_end_change(rq, ZERR_NO_AUTH, path);
}
