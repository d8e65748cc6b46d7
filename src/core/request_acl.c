#include "core/request.h"

#include "core/sight.h"
#include "wire/path.h"

enum { ACLS_LIMIT = 1024 * 1024 };

enum zerr request_get_acl(struct request *rq)
{
	struct slice path = jute_read_buffer(&rq->in);
	struct proto_stat stat;
	struct znode *z;
	enum zerr err;

	if (rq->in.bad || !path.data)
		return ZERR_MARSHALLING;
	err = request_find_permitted(rq, path, PERM_READ | PERM_ADMIN, &z);
	if (err == ZERR_OK)
		err = request_stat(rq, z, &stat);
	if (err != ZERR_OK)
		return err;
	if (access_allows(&rq->client->ids, path, z->st.acl, PERM_ADMIN))
		jute_write_raw(&rq->out, z->st.acl->encoded, z->st.acl->len);
	else
		access_write_masked(&rq->out, z->st.acl);
	proto_write_stat(&rq->out, &stat);
	return ZERR_OK;
}

static enum zerr set_fixed(struct request *rq, const struct proto_set_acl *op, struct slice fixed,
			   struct op_result *out)
{
	struct tree *tree = registry_tree(rq->registry);
	struct znode *z;
	int32_t children, next;
	enum zerr err = request_find_permitted(rq, op->path, PERM_ADMIN, &z);

	if (err == ZERR_OK && !sight_count(rq, z, &children))
		err = ZERR_SYSTEM;
	if (err == ZERR_OK)
		err = request_next_version(z->st.aversion, op->version, &next);
	if (err == ZERR_OK && znode_is_ephemeral(z) && fixed.len > z->st.acl->len)
		err = request_allow_ephemeral(rq, op->path, z->st.owner, 0,
					      fixed.len - z->st.acl->len);
	if (err != ZERR_OK)
		return err;
	tree_set_acl(tree, z, acl_take(tree_acls(tree), fixed), next);
	out->stat = znode_stat(z);
	out->stat.num_children = children;
	return ZERR_OK;
}

enum zerr op_set_acl(struct request *rq, const struct proto_set_acl *op, struct op_result *out)
{
	struct buf fixed;
	enum zerr err;

	if (!op->path.data || !path_is_valid(op->path))
		return ZERR_BAD_ARGUMENTS;
	buf_init(&fixed, ACLS_LIMIT);
	err = request_fix_acls(rq, op->path, &op->acl, &fixed);
	if (err == ZERR_OK)
		err = set_fixed(rq, op, buf_slice(&fixed), out);
	buf_fini(&fixed);
	return err;
}

enum zerr request_set_acl(struct request *rq)
{
	struct proto_set_acl op = proto_read_set_acl(&rq->in);
	struct op_result result;
	enum zerr err;

	if (rq->in.bad)
		return request_malformed_write(rq);
	change_begin(rq->registry);
	err = op_set_acl(rq, &op, &result);
	if (err == ZERR_OK)
		proto_write_stat(&rq->out, &result.stat);
	return request_end_change(rq, err, op.path);
}
