#include "tools/bench/limit_reply.h"

#include "wire/proto.h"

enum { FRAME_HEAD_LEN = 4 };

/* Returns where the frame begins in out, counted from its head. */
static size_t begin_frame(struct jute_writer *w, struct buf *out)
{
	size_t at = buf_len(out);

	jute_writer_init(w, out);
	jute_write_int(w, 0);
	return at;
}

static enum limit_kind end_frame(const struct jute_writer *w, size_t at, enum limit_kind kind)
{
	struct buf *out = w->out;

	if (w->bad)
		return LIMIT_BAD;
	jute_put_int(out->data + out->head + at, (int32_t)(buf_len(out) - at - FRAME_HEAD_LEN));
	return kind;
}

static void write_stat(struct jute_writer *w, struct slice value)
{
	proto_write_stat(w, &(struct proto_stat){ .data_length = (int32_t)value.len });
}

/* The results of one operation each, as far as the bench sends such. */
static bool answer_multi(struct jute_reader *r, struct jute_writer *w)
{
	for (;;) {
		struct proto_multi_header h = proto_read_multi_header(r);

		if (r->bad || (!h.done && h.type != OP_CREATE))
			return false;
		if (h.done)
			break;
		h.err = ZERR_OK;
		proto_write_multi_header(w, &h);
		jute_write_buffer(w, proto_read_create(r, OP_CREATE).path);
	}
	proto_write_multi_header(w, &(struct proto_multi_header){ -1, true, -1 });
	return true;
}

static enum limit_kind answer_body(int32_t type, struct jute_reader *r, struct slice value,
				   struct jute_writer *w)
{
	switch (type) {
	case OP_PING:
		return LIMIT_READ;
	case OP_GET_DATA:
		jute_write_buffer(w, value);
		write_stat(w, value);
		return LIMIT_READ;
	case OP_EXISTS:
		write_stat(w, value);
		return LIMIT_READ;
	case OP_SET_DATA:
		write_stat(w, value);
		return LIMIT_WRITE;
	case OP_CREATE:
		jute_write_buffer(w, jute_read_buffer(r));
		return LIMIT_WRITE;
	case OP_MULTI:
		return answer_multi(r, w) ? LIMIT_WRITE : LIMIT_BAD;
	case OP_DELETE:
		return LIMIT_WRITE;
	case OP_CLOSE_SESSION:
		return LIMIT_CLOSE;
	default:
		return LIMIT_BAD;
	}
}

enum limit_kind limit_answer(struct slice request, struct slice value, struct buf *out)
{
	struct proto_request_header h;
	enum limit_kind kind;
	struct jute_reader r;
	struct jute_writer w;
	size_t at;

	jute_reader_init(&r, request);
	h = proto_read_request_header(&r);
	at = begin_frame(&w, out);
	proto_write_reply_header(&w, &(struct proto_reply_header){ h.xid, 1, ZERR_OK });
	kind = answer_body(h.type, &r, value, &w);
	return r.bad ? LIMIT_BAD : end_frame(&w, at, kind);
}

enum limit_kind limit_answer_connect(struct slice request, int64_t id, struct buf *out)
{
	struct proto_connect_request c;
	struct jute_reader r;
	struct jute_writer w;
	size_t at;

	jute_reader_init(&r, request);
	c = proto_read_connect(&r);
	at = begin_frame(&w, out);
	proto_write_connect_reply(&w, &(struct proto_connect_reply){
					      .timeout = c.timeout,
					      .session_id = id,
					      .with_read_only = c.has_read_only,
				      });
	return r.bad ? LIMIT_BAD : end_frame(&w, at, LIMIT_WRITE);
}
