/* multi: all of its operations or none, with one zxid; multiRead: several reads in one frame. */
#include "core/request.h"

/* One operation of a multi, decoded. */
struct multi_op {
	int32_t type;
	struct slice path;
	union {
		struct proto_create create;
		struct proto_path_version version; /* delete, check */
		struct proto_set_data set_data;
	};
};

static bool is_create(int32_t type)
{
	return type == OP_CREATE || type == OP_CREATE2 || type == OP_CREATE_CONTAINER ||
	       type == OP_CREATE_TTL;
}

/* What the next bytes of a multi are. Nothing is done of one with what cannot be read, nor of one
 * with a create without ACL, which 3.9 refuses (CreateOptions): the first takes a zxid, the second
 * none. */
enum reading { READ_OP, READ_END, READ_MALFORMED, READ_REFUSED };

/* In a multi the flags decide what a create is (MultiOperationRecord, Op.Create of 3.9): those of a
 * container make one, a TTL needs createTTL, and createTTL without its flags is a create. */
static enum reading read_create(struct jute_reader *in, struct multi_op *op)
{
	bool with_ttl = op->type == OP_CREATE_TTL;
	int32_t flags;

	op->create = proto_read_create(in, op->type);
	op->path = op->create.path;
	flags = op->create.flags;
	if (in->bad)
		return READ_MALFORMED;
	if (!with_ttl && (flags < CREATE_PERSISTENT || flags > CREATE_TTL_SEQUENTIAL))
		return READ_MALFORMED;
	if (!with_ttl && op->create.acl.count < 0)
		return READ_REFUSED;
	if (flags == CREATE_TTL || flags == CREATE_TTL_SEQUENTIAL)
		return with_ttl ? READ_OP : READ_MALFORMED;
	op->create.ttl_ms = -1;
	if (flags == CREATE_CONTAINER)
		op->type = OP_CREATE_CONTAINER;
	else if (with_ttl)
		op->type = OP_CREATE;
	return READ_OP;
}

static enum reading read_op(struct jute_reader *in, struct multi_op *op)
{
	struct proto_multi_header header = proto_read_multi_header(in);

	if (in->bad)
		return READ_MALFORMED;
	if (header.done)
		return READ_END;
	op->type = header.type;
	switch (header.type) {
	case OP_CREATE:
	case OP_CREATE2:
	case OP_CREATE_CONTAINER:
	case OP_CREATE_TTL:
		return read_create(in, op);
	case OP_DELETE:
	case OP_CHECK:
		op->version = proto_read_path_version(in);
		op->path = op->version.path;
		break;
	case OP_SET_DATA:
		op->set_data = proto_read_set_data(in);
		op->path = op->set_data.path;
		break;
	default:
		return READ_MALFORMED;
	}
	return in->bad ? READ_MALFORMED : READ_OP;
}

/* Read all before anything is done: READ_END where it can be, with how many there are. */
static enum reading count_ops(struct jute_reader in, int32_t *count, struct slice *first_path)
{
	bool lacks_path = false;
	enum reading last;
	struct multi_op op;

	for (*count = 0; (last = read_op(&in, &op)) == READ_OP; ++*count) {
		lacks_path |= !op.path.data;
		if (*count == 0)
			*first_path = op.path;
	}
	return last == READ_END && lacks_path ? READ_MALFORMED : last;
}

bool multi_lacks_room(const struct request *rq, enum room_level level)
{
	struct jute_reader in = rq->in;
	enum reading reading;
	struct multi_op op;
	bool lacks = false;

	while ((reading = read_op(&in, &op)) == READ_OP)
		lacks |= op_lacks_room(rq, level, op.type, is_create(op.type) ? op.create.flags : 0,
				       op.path);
	/* What cannot be read has an answer of its own. */
	return lacks && reading == READ_END;
}

static void write_header(struct jute_writer *out, int32_t type, bool done, int32_t err)
{
	proto_write_multi_header(out, &(struct proto_multi_header){ type, done, err });
}

/* Whatever comes with a Stat is answered as create2. */
static int32_t result_type(int32_t type)
{
	return is_create(type) && type != OP_CREATE ? OP_CREATE2 : type;
}

static enum zerr do_op(struct request *rq, const struct multi_op *op)
{
	struct jute_writer *out = &rq->out;
	struct op_result result;
	enum zerr err;

	switch (op->type) {
	case OP_DELETE:
		err = op_delete(rq, &op->version);
		break;
	case OP_CHECK:
		err = op_check(rq, &op->version);
		break;
	case OP_SET_DATA:
		err = op_set_data(rq, &op->set_data, &result);
		break;
	default:
		err = op_create(rq, op->type, &op->create, &result);
	}
	if (err != ZERR_OK)
		return err;
	write_header(out, result_type(op->type), false, ZERR_OK);
	if (is_create(op->type))
		jute_write_buffer(out, result.path);
	if (op->type == OP_SET_DATA || (is_create(op->type) && op->type != OP_CREATE))
		proto_write_stat(out, &result.stat);
	return ZERR_OK;
}

static void write_error(struct jute_writer *out, int32_t code)
{
	write_header(out, OP_ERROR, false, code);
	jute_write_int(out, code);
}

/* Instead of the results: OK for those before the one that failed, its error, and "not tried"
 * behind it. */
static void write_errors(struct jute_writer *out, int32_t count, int32_t failed, enum zerr err)
{
	for (int32_t i = 0; i < count; i++) {
		int32_t code = i < failed    ? ZERR_OK
			       : i == failed ? (int32_t)err
					     : ZERR_RUNTIME_INCONSISTENCY;

		write_error(out, code);
	}
}

enum zerr request_multi(struct request *rq)
{
	struct slice first_path = { 0 };
	int32_t count;
	enum reading reading = count_ops(rq->in, &count, &first_path);
	size_t start = buf_len(rq->out.out);
	struct multi_op op;
	enum zerr err = ZERR_OK;

	if (reading == READ_REFUSED)
		return request_malformed_write(rq);
	rq->writes = (uint32_t)count;
	change_begin(rq->registry);
	if (reading == READ_MALFORMED)
		return request_end_change(rq, ZERR_MARSHALLING, first_path);
	for (int32_t i = 0; i < count && err == ZERR_OK; i++) {
		read_op(&rq->in, &op);
		err = do_op(rq, &op);
		/* What cannot be understood is no result of an operation. */
		if (err == ZERR_MARSHALLING)
			return request_end_change(rq, err, first_path);
		if (err != ZERR_OK) {
			rq->out.out->tail = rq->out.out->head + start;
			write_errors(&rq->out, count, i, err);
		}
	}
	write_header(&rq->out, OP_ERROR, true, -1);
	/* The header of a multi that failed says OK: the errors are in the body. One that is too
	 * large for a record did not fail before, and has an error of its own. */
	if (request_end_change(rq, err, first_path) == ZERR_MARSHALLING && err == ZERR_OK)
		return ZERR_MARSHALLING;
	return ZERR_OK;
}

/* One operation of a multiRead: its result, or nothing and its error. */
static enum zerr do_read(struct request *rq, int32_t type, struct slice path)
{
	size_t start = buf_len(rq->out.out);
	enum zerr err;

	write_header(&rq->out, type, false, ZERR_OK);
	err = type == OP_GET_DATA ? op_get_data(rq, path) : op_get_children(rq, path);
	if (err == ZERR_NO_NODE || err == ZERR_NO_AUTH) {
		rq->out.out->tail = rq->out.out->head + start;
		write_error(&rq->out, err);
		return ZERR_OK;
	}
	return err;
}

enum zerr request_multi_read(struct request *rq)
{
	struct proto_multi_header header = proto_read_multi_header(&rq->in);
	enum zerr err = ZERR_OK;

	/* A reply that is too large is the end of the connection: nothing more is read for it. */
	for (; !rq->in.bad && !rq->out.bad && !header.done && err == ZERR_OK;
	     header = proto_read_multi_header(&rq->in)) {
		/* Its flag for a watch is passed over, as in ZooKeeper. */
		struct proto_path_watch op = proto_read_path_watch(&rq->in);

		if (rq->in.bad || !op.path.data ||
		    (header.type != OP_GET_DATA && header.type != OP_GET_CHILDREN))
			return ZERR_MARSHALLING;
		err = do_read(rq, header.type, op.path);
		/* No znode is held from here to the next one. */
		tree_trim(registry_tree(rq->registry));
	}
	write_header(&rq->out, OP_ERROR, true, -1);
	return rq->in.bad ? ZERR_MARSHALLING : err;
}
