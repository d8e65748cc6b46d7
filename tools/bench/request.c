#include "tools/bench/request.h"

void request_write_create(struct jute_writer *w, const char *path, struct slice value,
			  int32_t flags)
{
	static const struct proto_acl anyone = { PERM_ALL, { "world", 5 }, { "anyone", 6 } };

	jute_write_buffer(w, slice_of(path));
	jute_write_buffer(w, value);
	jute_write_int(w, 1);
	proto_write_acl(w, &anyone);
	jute_write_int(w, flags);
}

void request_read(struct session *s, enum opcode op, const char *path, bool watch, unsigned slot,
		  int64_t intended_us)
{
	struct jute_writer *w = session_begin(s, op, slot, intended_us);

	jute_write_buffer(w, slice_of(path));
	jute_write_bool(w, watch);
	session_end(s);
}

void request_create(struct session *s, const char *path, struct slice value, int32_t flags,
		    unsigned slot, int64_t intended_us)
{
	request_write_create(session_begin(s, OP_CREATE, slot, intended_us), path, value, flags);
	session_end(s);
}

void request_set(struct session *s, const char *path, struct slice value, unsigned slot,
		 int64_t intended_us)
{
	struct jute_writer *w = session_begin(s, OP_SET_DATA, slot, intended_us);

	jute_write_buffer(w, slice_of(path));
	jute_write_buffer(w, value);
	jute_write_int(w, PROTO_VERSION_ANY);
	session_end(s);
}

void request_delete(struct session *s, const char *path, unsigned slot, int64_t intended_us)
{
	struct jute_writer *w = session_begin(s, OP_DELETE, slot, intended_us);

	jute_write_buffer(w, slice_of(path));
	jute_write_int(w, PROTO_VERSION_ANY);
	session_end(s);
}
