#include "wire/zk_txn.h"

enum { PART_MIN_LEN = 8, DIGEST_LEN = 12 };

static void read_create(struct jute_reader *r, struct zk_txn *t)
{
	t->path = jute_read_buffer(r);
	t->data = jute_read_buffer(r);
	t->acl = proto_read_acls(r);
	if (t->type == OP_CREATE || t->type == OP_CREATE2)
		t->is_ephemeral = jute_read_bool(r);
	t->parent_creates = jute_read_int(r);
	if (t->type == OP_CREATE_TTL)
		t->ttl_ms = jute_read_long(r);
}

/* Those that may stand in a multi and alone. False where t is none of them. */
static bool read_change(struct jute_reader *r, struct zk_txn *t)
{
	switch (t->type) {
	case OP_CREATE:
	case OP_CREATE2:
	case OP_CREATE_TTL:
	case OP_CREATE_CONTAINER:
		read_create(r, t);
		return true;
	case OP_DELETE:
	case OP_DELETE_CONTAINER:
		t->path = jute_read_buffer(r);
		return true;
	case OP_SET_DATA:
		t->path = jute_read_buffer(r);
		t->data = jute_read_buffer(r);
		t->version = jute_read_int(r);
		return true;
	case OP_ERROR:
		t->err = jute_read_int(r);
		return true;
	default:
		return false;
	}
}

/* What an old server, or one that was told so, wrote has no paths, so that a digest may stand where
 * they would. */
static void read_close_session(struct jute_reader *r, struct zk_txn *t)
{
	struct jute_reader at = *r;
	size_t left;

	t->path_count = proto_read_strings(&at, &t->paths);
	left = jute_reader_left(&at);
	if (!at.bad && (left == 0 || left >= DIGEST_LEN)) {
		*r = at;
		return;
	}
	t->path_count = 0;
	jute_reader_init(&t->paths, (struct slice){ NULL, 0 });
}

static void read_multi(struct jute_reader *r, struct zk_txn *t)
{
	struct jute_reader start;

	t->part_count = jute_read_count(r, PART_MIN_LEN);
	start = *r;
	for (int32_t i = 0; i < t->part_count && !r->bad; i++) {
		jute_read_int(r);
		jute_read_buffer(r);
	}
	if (t->part_count < 0)
		r->bad = true;
	t->parts = (struct jute_reader){ .pos = start.pos, .end = r->pos, .bad = r->bad };
}

static enum zk_txn_result read_body(struct jute_reader *r, struct zk_txn *t)
{
	struct jute_reader start = *r;

	switch (t->type) {
	case OP_CREATE_SESSION:
		t->timeout_ms = jute_read_int(r);
		break;
	case OP_CLOSE_SESSION:
		read_close_session(r, t);
		break;
	case OP_SET_ACL:
		t->path = jute_read_buffer(r);
		t->acl = proto_read_acls(r);
		t->version = jute_read_int(r);
		break;
	case OP_RECONFIG:
		t->type = OP_SET_DATA; /* of /zookeeper/config */
		(void)read_change(r, t);
		break;
	case OP_MULTI:
		read_multi(r, t);
		break;
	default:
		if (!read_change(r, t))
			return ZK_TXN_UNSUPPORTED;
	}
	/* One of 3.3 does not say what the parent's count is. */
	if (r->bad && t->type == OP_CREATE) {
		*r = start;
		t->path = jute_read_buffer(r);
		t->data = jute_read_buffer(r);
		t->acl = proto_read_acls(r);
		t->is_ephemeral = jute_read_bool(r);
		t->parent_creates = -1;
	}
	return r->bad ? ZK_TXN_DAMAGED : ZK_TXN_GOOD;
}

static void read_digest(struct jute_reader *r, struct zk_txn *t)
{
	if (jute_reader_left(r) < DIGEST_LEN)
		return;
	t->digest_version = jute_read_int(r);
	t->digest = jute_read_long(r);
}

static struct zk_txn read_header(struct jute_reader *r)
{
	struct zk_txn t = { 0 };

	t.session = jute_read_long(r);
	t.cxid = jute_read_int(r);
	t.zxid = jute_read_long(r);
	t.time_ms = jute_read_long(r);
	t.type = jute_read_int(r);
	return t;
}

enum zk_txn_result zk_txn_read(struct slice record, struct zk_txn *t)
{
	struct jute_reader r;
	enum zk_txn_result result;

	jute_reader_init(&r, record);
	*t = read_header(&r);
	if (r.bad)
		return ZK_TXN_DAMAGED;
	result = read_body(&r, t);
	if (result == ZK_TXN_GOOD)
		read_digest(&r, t);
	return result;
}

bool zk_txn_has_failed(const struct zk_txn *multi)
{
	struct jute_reader r = multi->parts;
	bool failed = false;

	for (int32_t i = 0; i < multi->part_count; i++) {
		failed |= jute_read_int(&r) == OP_ERROR;
		jute_read_buffer(&r);
	}
	return failed;
}

int zk_txn_next_part(struct zk_txn *multi, struct zk_txn *part)
{
	struct jute_reader r;

	if (multi->part_count <= 0)
		return 0;
	multi->part_count--;
	*part = (struct zk_txn){
		.session = multi->session,
		.cxid = multi->cxid,
		.zxid = multi->zxid,
		.time_ms = multi->time_ms,
		.type = jute_read_int(&multi->parts),
	};
	jute_reader_init(&r, jute_read_buffer(&multi->parts));
	if (part->type == OP_CHECK) {
		part->path = jute_read_buffer(&r);
		part->version = jute_read_int(&r);
	} else if (!read_change(&r, part)) {
		return -1;
	}
	return r.bad ? -1 : 1;
}
