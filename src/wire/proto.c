/* Records of the client protocol, field by field in the order of zookeeper.jute. */
#include "wire/proto.h"

enum {
	STRING_MIN_LEN = 4, /* the length alone */
	ACL_MIN_LEN = 12,   /* permissions and two empty strings */
	STAT_LEN = 68,
};

const char *opcode_name(int32_t op)
{
	switch (op) {
	case OP_NOTIFICATION:
		return "notification";
	case OP_CREATE:
		return "create";
	case OP_DELETE:
		return "delete";
	case OP_EXISTS:
		return "exists";
	case OP_GET_DATA:
		return "getData";
	case OP_SET_DATA:
		return "setData";
	case OP_GET_ACL:
		return "getACL";
	case OP_SET_ACL:
		return "setACL";
	case OP_GET_CHILDREN:
		return "getChildren";
	case OP_SYNC:
		return "sync";
	case OP_PING:
		return "ping";
	case OP_GET_CHILDREN2:
		return "getChildren2";
	case OP_CHECK:
		return "check";
	case OP_MULTI:
		return "multi";
	case OP_CREATE2:
		return "create2";
	case OP_RECONFIG:
		return "reconfig";
	case OP_CHECK_WATCHES:
		return "checkWatches";
	case OP_REMOVE_WATCHES:
		return "removeWatches";
	case OP_CREATE_CONTAINER:
		return "createContainer";
	case OP_DELETE_CONTAINER:
		return "deleteContainer";
	case OP_CREATE_TTL:
		return "createTTL";
	case OP_MULTI_READ:
		return "multiRead";
	case OP_AUTH:
		return "auth";
	case OP_SET_WATCHES:
		return "setWatches";
	case OP_SASL:
		return "sasl";
	case OP_GET_EPHEMERALS:
		return "getEphemerals";
	case OP_GET_ALL_CHILDREN_NUMBER:
		return "getAllChildrenNumber";
	case OP_SET_WATCHES2:
		return "setWatches2";
	case OP_ADD_WATCH:
		return "addWatch";
	case OP_WHO_AM_I:
		return "whoAmI";
	case OP_CREATE_SESSION:
		return "createSession";
	case OP_CLOSE_SESSION:
		return "closeSession";
	case OP_ERROR:
		return "error";
	default:
		return "unknown";
	}
}

/* In one piece: it is in most replies. */
void proto_write_stat(struct jute_writer *w, const struct proto_stat *s)
{
	uint8_t bytes[STAT_LEN];

	jute_put_long(bytes, s->czxid);
	jute_put_long(bytes + 8, s->mzxid);
	jute_put_long(bytes + 16, s->ctime);
	jute_put_long(bytes + 24, s->mtime);
	jute_put_int(bytes + 32, s->version);
	jute_put_int(bytes + 36, s->cversion);
	jute_put_int(bytes + 40, s->aversion);
	jute_put_long(bytes + 44, s->ephemeral_owner);
	jute_put_int(bytes + 52, s->data_length);
	jute_put_int(bytes + 56, s->num_children);
	jute_put_long(bytes + 60, s->pzxid);
	jute_write_raw(w, bytes, sizeof(bytes));
}

/* The count of a vector that a client sent. Java's loop runs no turn for a count below -1, so
 * ZooKeeper takes it for an empty vector, where jute_read_count is strict. */
static int32_t read_vector_count(struct jute_reader *r, size_t min_item_len)
{
	if (jute_reader_left(r) >= sizeof(int32_t) && !r->bad && jute_get_int(r->pos) < -1) {
		jute_read_int(r);
		return 0;
	}
	return jute_read_count(r, min_item_len);
}

struct proto_acl proto_read_acl(struct jute_reader *r)
{
	struct proto_acl acl;

	acl.perms = jute_read_int(r);
	acl.scheme = jute_read_buffer(r);
	acl.id = jute_read_buffer(r);
	return acl;
}

void proto_write_acl(struct jute_writer *w, const struct proto_acl *acl)
{
	jute_write_int(w, acl->perms);
	jute_write_buffer(w, acl->scheme);
	jute_write_buffer(w, acl->id);
}

struct proto_acls proto_read_acls(struct jute_reader *r)
{
	struct proto_acls acls = { read_vector_count(r, ACL_MIN_LEN), { NULL, 0 } };
	const uint8_t *start = r->pos;

	for (int32_t i = 0; i < acls.count && !r->bad; i++)
		proto_read_acl(r);
	if (r->bad)
		return (struct proto_acls){ 0, { NULL, 0 } };
	if (acls.count >= 0)
		acls.raw = (struct slice){ (const char *)start, (size_t)(r->pos - start) };
	return acls;
}

struct proto_connect_request proto_read_connect(struct jute_reader *r)
{
	struct proto_connect_request c;

	c.protocol_version = jute_read_int(r);
	c.last_zxid_seen = jute_read_long(r);
	c.timeout = jute_read_int(r);
	c.session_id = jute_read_long(r);
	c.passwd = jute_read_buffer(r);
	c.has_read_only = !r->bad && jute_reader_left(r) > 0;
	c.read_only = c.has_read_only && jute_read_bool(r);
	return c;
}

void proto_write_connect_reply(struct jute_writer *w, const struct proto_connect_reply *reply)
{
	jute_write_int(w, 0); /* the protocol's version */
	jute_write_int(w, reply->timeout);
	jute_write_long(w, reply->session_id);
	jute_write_buffer(w, (struct slice){ (const char *)reply->passwd, PROTO_PASSWORD_LEN });
	if (reply->with_read_only)
		jute_write_bool(w, false);
}

struct proto_request_header proto_read_request_header(struct jute_reader *r)
{
	struct proto_request_header h;

	h.xid = jute_read_int(r);
	h.type = jute_read_int(r);
	return h;
}

void proto_write_reply_header(struct jute_writer *w, const struct proto_reply_header *h)
{
	uint8_t bytes[PROTO_REPLY_HEADER_LEN];

	jute_put_int(bytes, h->xid);
	jute_put_long(bytes + 4, h->zxid);
	jute_put_int(bytes + 12, h->err);
	jute_write_raw(w, bytes, sizeof(bytes));
}

struct proto_create proto_read_create(struct jute_reader *r, int32_t type)
{
	struct proto_create c;

	c.path = jute_read_buffer(r);
	c.data = jute_read_buffer(r);
	c.acl = proto_read_acls(r);
	c.flags = jute_read_int(r);
	c.ttl_ms = type == OP_CREATE_TTL ? jute_read_long(r) : -1;
	return c;
}

struct proto_path_version proto_read_path_version(struct jute_reader *r)
{
	struct proto_path_version v;

	v.path = jute_read_buffer(r);
	v.version = jute_read_int(r);
	return v;
}

struct proto_path_number proto_read_path_number(struct jute_reader *r)
{
	struct proto_path_number v;

	v.path = jute_read_buffer(r);
	v.number = jute_read_int(r);
	return v;
}

struct proto_path_watch proto_read_path_watch(struct jute_reader *r)
{
	struct proto_path_watch v;

	v.path = jute_read_buffer(r);
	v.watch = jute_read_bool(r);
	return v;
}

struct proto_set_data proto_read_set_data(struct jute_reader *r)
{
	struct proto_set_data v;

	v.path = jute_read_buffer(r);
	v.data = jute_read_buffer(r);
	v.version = jute_read_int(r);
	return v;
}

struct proto_set_acl proto_read_set_acl(struct jute_reader *r)
{
	struct proto_set_acl v;

	v.path = jute_read_buffer(r);
	v.acl = proto_read_acls(r);
	v.version = jute_read_int(r);
	return v;
}

struct proto_auth proto_read_auth(struct jute_reader *r)
{
	struct proto_auth v;

	v.type = jute_read_int(r);
	v.scheme = jute_read_buffer(r);
	v.auth = jute_read_buffer(r);
	return v;
}

struct proto_multi_header proto_read_multi_header(struct jute_reader *r)
{
	struct proto_multi_header h;

	h.type = jute_read_int(r);
	h.done = jute_read_bool(r);
	h.err = jute_read_int(r);
	return h;
}

void proto_write_multi_header(struct jute_writer *w, const struct proto_multi_header *h)
{
	jute_write_int(w, h->type);
	jute_write_bool(w, h->done);
	jute_write_int(w, h->err);
}

int32_t proto_read_strings(struct jute_reader *r, struct jute_reader *items)
{
	int32_t count = read_vector_count(r, STRING_MIN_LEN);
	const uint8_t *start = r->pos;

	for (int32_t i = 0; i < count && !r->bad; i++)
		jute_read_buffer(r);
	if (r->bad) {
		jute_reader_init(items, (struct slice){ NULL, 0 });
		return 0;
	}
	jute_reader_init(items, (struct slice){ (const char *)start, (size_t)(r->pos - start) });
	return count;
}

void proto_write_watcher_event(struct jute_writer *w, int32_t type, int32_t state,
			       struct slice path)
{
	jute_write_int(w, type);
	jute_write_int(w, state);
	jute_write_buffer(w, path);
}
