#include "core/request.h"

#include <string.h>

#include "base/mem.h"
#include "core/quota.h"
#include "core/session.h"
#include "wire/path.h"

enum { ACLS_LIMIT = 1024 * 1024 };

/* ZooKeeper looks no closer before the parent is found and permits. */
static bool is_creatable(struct slice path)
{
	return path.len && memchr(path.data, '/', path.len) && !path_has_nul(path);
}

static enum zerr take_acl(struct request *rq, struct slice path, const struct proto_acls *given,
			  struct acl **acl)
{
	struct buf fixed;
	enum zerr err;

	buf_init(&fixed, ACLS_LIMIT);
	err = request_fix_acls(rq, path, given, &fixed);
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
		return request_hide(rq, path, ZERR_NODE_EXISTS);
	if (err != ZERR_NO_NODE)
		return err;
	if (znode_is_ephemeral(parent))
		return request_hide(rq, znode_path(parent), ZERR_NO_CHILDREN_FOR_EPHEMERALS);
	return ZERR_OK;
}

static bool is_ttl(int32_t flags)
{
	return flags == CREATE_TTL || flags == CREATE_TTL_SEQUENTIAL;
}

static bool is_sequential(int32_t flags)
{
	return flags == CREATE_SEQUENTIAL || flags == CREATE_EPHEMERAL_SEQUENTIAL ||
	       flags == CREATE_TTL_SEQUENTIAL;
}

/* Whose znode it will be. createContainer makes a container whatever its flags say, and those of a
 * container make none in a create, as in ZooKeeper. */
static int64_t owner_of(const struct request *rq, int32_t type, const struct proto_create *op)
{
	if (type == OP_CREATE_CONTAINER)
		return PROTO_OWNER_CONTAINER;
	if (type == OP_CREATE_TTL)
		return PROTO_OWNER_TTL | op->ttl_ms;
	if (op->flags == CREATE_EPHEMERAL || op->flags == CREATE_EPHEMERAL_SEQUENTIAL)
		return rq->client->session->id;
	return 0;
}

static enum zerr create_at(struct request *rq, struct znode *parent, const struct proto_create *op,
			   struct slice path, struct acl *acl, int64_t owner, struct op_result *out)
{
	enum zerr err = check_place(rq, parent, path);
	struct znode *z;

	if (err == ZERR_OK && owner > 0)
		err = request_allow_ephemeral(rq, path, rq->client->session->id, 1,
					      path.len + op->data.len + acl->len);
	if (err == ZERR_OK)
		err = request_allow_quota(rq, path, (int64_t)op->data.len, true);
	if (err != ZERR_OK)
		return err;
	z = quota_create(rq->registry, parent, path, op->data,
			 acl_ref(tree_acls(registry_tree(rq->registry)), acl), owner);
	if (!z)
		return ZERR_SYSTEM;
	out->path = znode_path(z);
	out->stat = znode_stat(z);
	return ZERR_OK;
}

/* The path with a number (that of the parent's next child); NULL where memory is out. */
static char *sequence_path(const struct proto_create *op, int32_t creates, struct slice *path)
{
	char *text = mem_try(op->path.len + PATH_SEQUENCE_LEN + 1);

	if (!text)
		return NULL;
	memcpy(text, op->path.data, op->path.len);
	path->data = text;
	path->len = op->path.len + path_write_sequence(text + op->path.len, creates);
	return text;
}

/* Whether there is such a way to create, and what it needs. */
static enum zerr check_mode(const struct request *rq, int32_t type, const struct proto_create *op)
{
	bool has_ttl = op->ttl_ms > 0 && op->ttl_ms <= PROTO_TTL_MAX_MS;

	if (op->flags < CREATE_PERSISTENT || op->flags > CREATE_TTL_SEQUENTIAL)
		return ZERR_BAD_ARGUMENTS;
	if (is_ttl(op->flags) && !registry_options(rq->registry)->extended_types)
		return ZERR_UNIMPLEMENTED;
	if (is_ttl(op->flags) ? !has_ttl : op->ttl_ms >= 0)
		return ZERR_BAD_ARGUMENTS;
	/* ZooKeeper takes this for a TTL that it cannot encode, and ends. */
	if (type == OP_CREATE_TTL && !is_ttl(op->flags))
		return ZERR_BAD_ARGUMENTS;
	return ZERR_OK;
}

/* The parent, and path with its number where it gets one. The policy is asked for the path that the
 * znode will have, and before anything is said of the parent. */
static enum zerr find_place(struct request *rq, const struct proto_create *op,
			    struct znode **parent, struct slice *path, char **numbered)
{
	enum zerr err = ZERR_OK;

	*path = op->path;
	if (is_sequential(op->flags)) {
		*numbered = sequence_path(op, 0, path);
		err = *numbered ? ZERR_OK : ZERR_SYSTEM;
	}
	if (err == ZERR_OK)
		err = request_pass_policy(rq, *path, PERM_CREATE);
	if (err == ZERR_OK)
		err = request_hide(rq, path_parent(op->path),
				   request_find_parent(rq, op->path, parent));
	if (err == ZERR_OK)
		err = request_permit_child(rq, *parent, *path, PERM_CREATE);
	if (err != ZERR_OK || !*numbered)
		return err;
	path->len =
		op->path.len + path_write_sequence(*numbered + op->path.len, (*parent)->st.creates);
	return request_pass_policy(rq, *path, PERM_CREATE);
}

enum zerr op_create(struct request *rq, int32_t type, const struct proto_create *op,
		    struct op_result *out)
{
	struct acl *acl = NULL;
	char *numbered = NULL;
	struct znode *parent;
	struct slice path;
	enum zerr err = check_mode(rq, type, op);

	if (err != ZERR_OK)
		return err;
	if (!op->path.data)
		return ZERR_MARSHALLING;
	if (!is_creatable(op->path))
		return ZERR_BAD_ARGUMENTS;
	err = take_acl(rq, op->path, &op->acl, &acl);
	if (err == ZERR_OK)
		err = find_place(rq, op, &parent, &path, &numbered);
	if (err == ZERR_OK)
		err = create_at(rq, parent, op, path, acl, owner_of(rq, type, op), out);
	acl_unref(tree_acls(registry_tree(rq->registry)), acl);
	mem_free(numbered);
	return err;
}

enum zerr request_create(struct request *rq)
{
	struct proto_create op = proto_read_create(&rq->in, rq->type);
	struct op_result result;
	enum zerr err;

	if (rq->in.bad)
		return request_malformed_write(rq);
	change_begin(rq->registry);
	err = op_create(rq, rq->type, &op, &result);
	if (err == ZERR_OK) {
		/* Encoded while the znode is sure to be there. */
		jute_write_buffer(&rq->out, result.path);
		if (rq->type != OP_CREATE)
			proto_write_stat(&rq->out, &result.stat);
	}
	return request_end_change(rq, err, err == ZERR_OK ? result.path : op.path);
}
