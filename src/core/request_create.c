#include "core/request.h"

#include <string.h>

#include "base/mem.h"
#include "core/session.h"
#include "wire/path.h"

enum { ACLS_LIMIT = 1024 * 1024, FLAGS_CONTAINER = 4, FLAGS_TTL = 5, FLAGS_TTL_SEQUENTIAL = 6 };

/* ZooKeeper looks no closer before the parent is found and permits. */
static bool is_creatable(struct slice path)
{
	return path.len && memchr(path.data, '/', path.len) && !path_has_nul(path);
}

static enum zerr take_acl(struct request *rq, const struct proto_acls *given, struct acl **acl)
{
	struct buf fixed;
	enum zerr err;

	buf_init(&fixed, ACLS_LIMIT);
	err = access_fix_acls(&rq->client->ids, given, &fixed);
	if (err == ZERR_OK)
		*acl = acl_take(tree_acls(registry_tree(rq->registry)), buf_slice(&fixed));
	buf_fini(&fixed);
	return err;
}

/* Everything but the ACL of the new znode; path is complete. */
static enum zerr check_place(struct request *rq, const struct znode *parent, struct slice path)
{
	struct znode *z;
	enum zerr err;

	if (!path_is_valid(path))
		return ZERR_BAD_ARGUMENTS;
	err = request_allow_path(rq, path);
	if (err != ZERR_OK)
		return err;
	err = request_find(rq, path, &z);
	if (err == ZERR_OK)
		return ZERR_NODE_EXISTS;
	if (err != ZERR_NO_NODE)
		return err;
	if (znode_is_ephemeral(parent))
		return ZERR_NO_CHILDREN_FOR_EPHEMERALS;
	return ZERR_OK;
}

static enum zerr create_at(struct request *rq, struct znode *parent, const struct proto_create *op,
			   struct slice path, struct acl *acl, struct op_result *out)
{
	bool ephemeral = op->flags != FLAGS_CONTAINER && (op->flags & CREATE_EPHEMERAL);
	enum zerr err = check_place(rq, parent, path);
	struct znode *z;

	if (err == ZERR_OK && ephemeral)
		err = request_allow_ephemeral(rq, rq->client->session->id, 1,
					      path.len + op->data.len + acl->len);
	if (err != ZERR_OK)
		return err;
	z = tree_create(registry_tree(rq->registry), parent, path, op->data, acl_ref(acl),
			ephemeral ? rq->client->session->id : 0);
	if (!z) {
		acl_unref(tree_acls(registry_tree(rq->registry)), acl);
		return ZERR_SYSTEM;
	}
	out->path = znode_path(z);
	out->stat = znode_stat(z);
	return ZERR_OK;
}

/* The path with the number of the parent's next child; NULL where memory is out. */
static char *sequence_path(const struct proto_create *op, const struct znode *parent,
			   struct slice *path)
{
	char *text = mem_try(op->path.len + PATH_SEQUENCE_LEN + 1);

	if (!text)
		return NULL;
	memcpy(text, op->path.data, op->path.len);
	path->data = text;
	path->len = op->path.len + path_write_sequence(text + op->path.len, parent->st.creates);
	return text;
}

enum zerr op_create(struct request *rq, int32_t type, const struct proto_create *op,
		    struct op_result *out)
{
	struct slice path = op->path;
	struct acl *acl = NULL;
	char *numbered = NULL;
	struct znode *parent;
	enum zerr err;

	if (type != OP_CREATE && type != OP_CREATE2)
		return ZERR_UNIMPLEMENTED;
	if (op->flags < 0 || op->flags > FLAGS_TTL_SEQUENTIAL)
		return ZERR_BAD_ARGUMENTS;
	if (op->flags == FLAGS_TTL || op->flags == FLAGS_TTL_SEQUENTIAL)
		return ZERR_UNIMPLEMENTED;
	if (!is_creatable(path))
		return ZERR_BAD_ARGUMENTS;
	err = take_acl(rq, &op->acl, &acl);
	if (err == ZERR_OK)
		err = request_find_parent(rq, path, &parent);
	if (err == ZERR_OK)
		err = request_permit(rq, parent, PERM_CREATE);
	if (err != ZERR_OK)
		goto out;
	if (op->flags != FLAGS_CONTAINER && (op->flags & CREATE_SEQUENTIAL)) {
		numbered = sequence_path(op, parent, &path);
		if (!numbered)
			err = ZERR_SYSTEM;
	}
	if (err == ZERR_OK)
		err = create_at(rq, parent, op, path, acl, out);
out:
	acl_unref(tree_acls(registry_tree(rq->registry)), acl);
	mem_free(numbered);
	return err;
}

enum zerr request_create(struct request *rq)
{
	struct proto_create op = proto_read_create(&rq->in);
	struct op_result result;
	enum zerr err;

	if (rq->in.bad || !op.path.data)
		return request_malformed_write(rq);
	change_begin(rq->registry);
	err = op_create(rq, rq->type, &op, &result);
	if (err == ZERR_OK) {
		/* Encoded while the znode is sure to be there. */
		jute_write_buffer(&rq->out, result.path);
		if (rq->type == OP_CREATE2)
			proto_write_stat(&rq->out, &result.stat);
	}
	return request_end_change(rq, err, err == ZERR_OK ? result.path : op.path);
}
