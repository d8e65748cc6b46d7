/* What is refused where room on disk is short, before anything is executed. */
#include "core/request.h"

#include "store/room.h"
#include "wire/path.h"

static bool is_ephemeral_mode(int32_t type, int32_t flags)
{
	return (type == OP_CREATE || type == OP_CREATE2) &&
	       (flags == CREATE_EPHEMERAL || flags == CREATE_EPHEMERAL_SEQUENTIAL);
}

/* Whether path is an ephemeral znode that the client may do this to. Who may not learns nothing. */
static bool is_ephemeral(const struct request *rq, struct slice path, int32_t perms)
{
	struct znode *z;
	int64_t mark;

	if (!path.data || !path_is_valid(path) ||
	    (access_rights(&rq->client->ids, path) & perms) == 0)
		return false;
	return tree_find(registry_tree(rq->registry), path, &z, &mark) == TREE_FOUND &&
	       znode_is_ephemeral(z);
}

bool op_lacks_room(const struct request *rq, enum room_level level, int32_t type, int32_t flags,
		   struct slice path)
{
	switch (type) {
	case OP_CREATE:
	case OP_CREATE2:
	case OP_CREATE_CONTAINER:
	case OP_CREATE_TTL:
		return level == ROOM_SCARCE || !is_ephemeral_mode(type, flags);
	case OP_SET_DATA:
		return level == ROOM_SCARCE || !is_ephemeral(rq, path, PERM_WRITE);
	case OP_SET_ACL:
		return level == ROOM_SCARCE || !is_ephemeral(rq, path, PERM_ADMIN);
	case OP_DELETE:
		return level == ROOM_SCARCE;
	default:
		/* It changes nothing, or is refused anyway. */
		return false;
	}
}

bool request_lacks_room(const struct request *rq)
{
	enum room_level level = store_room(registry_store(rq->registry));
	struct jute_reader in = rq->in;
	struct slice path = { 0 };
	int32_t flags = 0;

	if (level == ROOM_PLENTY)
		return false;
	switch (rq->type) {
	case OP_MULTI:
		return multi_lacks_room(rq, level);
	case OP_SET_DATA:
		path = proto_read_set_data(&in).path;
		break;
	case OP_SET_ACL:
		path = proto_read_set_acl(&in).path;
		break;
	case OP_DELETE:
		path = proto_read_path_version(&in).path;
		break;
	case OP_CREATE:
	case OP_CREATE2:
	case OP_CREATE_CONTAINER:
	case OP_CREATE_TTL:
		flags = proto_read_create(&in, rq->type).flags;
		break;
	default:
		break;
	}
	/* What cannot be read has an answer of its own. */
	return !in.bad && op_lacks_room(rq, level, rq->type, flags, path);
}
