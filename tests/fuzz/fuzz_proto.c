/* Fuzz target: the bytes of one connection, as a peer sends them: frames, the connect request
 * first, then requests. Every record is read, written and read again. What must hold:
 *   - no slice points outside the input, the reader never leaves it;
 *   - what was read whole is written at the same length, and reads the same the second time;
 *   - a record without its last byte is bad;
 *   - a valid path can be taken apart and put together again.
 * The same file is linked with replay.c, which runs the seeds in make check. */
#include <assert.h>
#include <stdlib.h>

#include "wire/path.h"
#include "wire/proto.h"

enum { OUT_LIMIT = 1 << 22, MULTI_MOST_OPS = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One record under way: read from r, written to w; the input begins at start. */
struct copy {
	struct jute_reader r;
	struct jute_writer w;
	const uint8_t *start;
	const uint8_t *end;
};

typedef void (*copy_fn)(struct copy *c);

/* ---- paths ---- */

static void check_valid_path(struct slice path)
{
	struct slice parent = path_parent(path);
	struct slice name = path_name(path);
	size_t slash = parent.len > 1 ? 1 : 0;

	assert(path.data[0] == '/');
	assert(!path_has_nul(path));
	assert(path_is_within(path, path));
	assert(path_is_within(path, parent));
	assert(path_is_valid(parent));
	if (path.len == 1)
		return;
	assert(name.len > 0);
	assert(memchr(name.data, '/', name.len) == NULL);
	assert(parent.len + slash + name.len == path.len);
	assert(!path_is_within(parent, path));
}

static void check_path(struct slice path)
{
	if (path_is_valid(path)) {
		check_valid_path(path);
	} else if (path.len > 0 && memchr(path.data, '/', path.len) != NULL) {
		struct slice name = path_name(path);

		assert(name.data + name.len == path.data + path.len);
		assert(path_parent(path).len <= path.len);
	}
	assert(path_has_nul(path) == (path.len > 0 && memchr(path.data, 0, path.len) != NULL));
}

/* ---- fields ---- */

static void check_inside(const struct copy *c, struct slice s)
{
	const uint8_t *data = (const uint8_t *)s.data;

	assert(s.data != NULL || s.len == 0);
	assert(s.data == NULL || (data >= c->start && s.len <= (size_t)(c->end - data)));
}

static void put_slice(struct copy *c, struct slice s)
{
	check_inside(c, s);
	jute_write_buffer(&c->w, s);
}

static void put_path(struct copy *c, struct slice path)
{
	put_slice(c, path);
	check_path(path);
}

static void put_acls(struct copy *c, const struct proto_acls *acls)
{
	struct jute_reader items;

	check_inside(c, acls->raw);
	assert(acls->count >= -1);
	jute_reader_init(&items, acls->raw);
	for (int32_t i = 0; i < acls->count; i++) {
		struct proto_acl acl = proto_read_acl(&items);

		check_inside(c, acl.scheme);
		check_inside(c, acl.id);
	}
	assert(!items.bad && jute_reader_left(&items) == 0);
	jute_write_int(&c->w, acls->count);
	jute_write_raw(&c->w, acls->raw.data, acls->raw.len);
}

static void copy_strings(struct copy *c)
{
	struct jute_reader items;
	int32_t count = proto_read_strings(&c->r, &items);

	assert(count >= -1);
	jute_write_int(&c->w, count);
	for (int32_t i = 0; i < count; i++)
		put_path(c, jute_read_buffer(&items));
	assert(!items.bad && jute_reader_left(&items) == 0);
}

/* ---- records ---- */

static void copy_connect(struct copy *c)
{
	struct proto_connect_request v = proto_read_connect(&c->r);

	jute_write_int(&c->w, v.protocol_version);
	jute_write_long(&c->w, v.last_zxid_seen);
	jute_write_int(&c->w, v.timeout);
	jute_write_long(&c->w, v.session_id);
	put_slice(c, v.passwd);
	if (v.has_read_only)
		jute_write_bool(&c->w, v.read_only);
	else
		assert(!v.read_only);
}

static void copy_nothing(struct copy *c)
{
	(void)c;
}

static void copy_path(struct copy *c)
{
	put_path(c, jute_read_buffer(&c->r));
}

static void copy_buffer(struct copy *c)
{
	put_slice(c, jute_read_buffer(&c->r));
}

static void copy_any_create(struct copy *c, int32_t type)
{
	struct proto_create v = proto_read_create(&c->r, type);

	put_path(c, v.path);
	put_slice(c, v.data);
	put_acls(c, &v.acl);
	jute_write_int(&c->w, v.flags);
	if (type == OP_CREATE_TTL)
		jute_write_long(&c->w, v.ttl_ms);
}

static void copy_create(struct copy *c)
{
	copy_any_create(c, OP_CREATE);
}

static void copy_create_ttl(struct copy *c)
{
	copy_any_create(c, OP_CREATE_TTL);
}

static void copy_path_version(struct copy *c)
{
	struct proto_path_version v = proto_read_path_version(&c->r);

	put_path(c, v.path);
	jute_write_int(&c->w, v.version);
}

static void copy_path_watch(struct copy *c)
{
	struct proto_path_watch v = proto_read_path_watch(&c->r);

	put_path(c, v.path);
	jute_write_bool(&c->w, v.watch);
}

static void copy_set_data(struct copy *c)
{
	struct proto_set_data v = proto_read_set_data(&c->r);

	put_path(c, v.path);
	put_slice(c, v.data);
	jute_write_int(&c->w, v.version);
}

static void copy_set_acl(struct copy *c)
{
	struct proto_set_acl v = proto_read_set_acl(&c->r);

	put_path(c, v.path);
	put_acls(c, &v.acl);
	jute_write_int(&c->w, v.version);
}

static void copy_auth(struct copy *c)
{
	struct proto_auth v = proto_read_auth(&c->r);

	jute_write_int(&c->w, v.type);
	put_slice(c, v.scheme);
	put_slice(c, v.auth);
}

static void copy_set_watches(struct copy *c)
{
	jute_write_long(&c->w, jute_read_long(&c->r));
	for (int i = 0; i < 3; i++)
		copy_strings(c);
}

static void copy_set_watches2(struct copy *c)
{
	jute_write_long(&c->w, jute_read_long(&c->r));
	for (int i = 0; i < 5; i++)
		copy_strings(c);
}

static void copy_reconfig(struct copy *c)
{
	for (int i = 0; i < 3; i++)
		put_slice(c, jute_read_buffer(&c->r));
	jute_write_long(&c->w, jute_read_long(&c->r));
}

static void copy_multi(struct copy *c);

static copy_fn copy_of(int32_t type)
{
	switch (type) {
	case OP_CREATE:
	case OP_CREATE2:
	case OP_CREATE_CONTAINER:
		return copy_create;
	case OP_CREATE_TTL:
		return copy_create_ttl;
	case OP_DELETE:
	case OP_CHECK:
	case OP_CHECK_WATCHES:
	case OP_REMOVE_WATCHES:
	case OP_ADD_WATCH:
		return copy_path_version;
	case OP_EXISTS:
	case OP_GET_DATA:
	case OP_GET_CHILDREN:
	case OP_GET_CHILDREN2:
		return copy_path_watch;
	case OP_SET_DATA:
		return copy_set_data;
	case OP_SET_ACL:
		return copy_set_acl;
	case OP_GET_ACL:
	case OP_SYNC:
	case OP_DELETE_CONTAINER:
	case OP_GET_EPHEMERALS:
	case OP_GET_ALL_CHILDREN_NUMBER:
		return copy_path;
	case OP_MULTI:
	case OP_MULTI_READ:
		return copy_multi;
	case OP_AUTH:
		return copy_auth;
	case OP_SASL:
		return copy_buffer;
	case OP_SET_WATCHES:
		return copy_set_watches;
	case OP_SET_WATCHES2:
		return copy_set_watches2;
	case OP_RECONFIG:
		return copy_reconfig;
	default:
		return copy_nothing;
	}
}

/* A multi inside a multi is read as an operation without a body, as a server that refuses it
 * would. */
static void copy_multi(struct copy *c)
{
	for (int i = 0; i < MULTI_MOST_OPS && !c->r.bad; i++) {
		struct proto_multi_header h = proto_read_multi_header(&c->r);

		proto_write_multi_header(&c->w, &h);
		if (h.done)
			return;
		if (h.type != OP_MULTI && h.type != OP_MULTI_READ)
			copy_of(h.type)(c);
	}
}

/* ---- the invariants ---- */

struct result {
	bool bad;
	size_t len; /* of what was read */
};

/* A bad reader stays bad and gives nothing. */
static void check_bad(struct jute_reader *r)
{
	assert(jute_read_int(r) == 0 && jute_read_long(r) == 0 && !jute_read_bool(r));
	assert(jute_read_buffer(r).data == NULL);
	assert(jute_read_count(r, 1) == 0);
	assert(r->bad);
}

/* Read the record from an allocation that ends where the input ends, so that a sanitizer sees one
 * byte too far. */
static struct result copy_run(copy_fn copy, struct slice in, struct buf *out)
{
	char *exact = malloc(in.len > 0 ? in.len : 1);
	struct result result;
	struct copy c;

	assert(exact != NULL);
	memcpy(exact, in.data, in.len);
	jute_reader_init(&c.r, (struct slice){ exact, in.len });
	jute_writer_init(&c.w, out);
	c.start = c.r.pos;
	c.end = c.r.end;
	copy(&c);
	assert(c.r.pos >= c.start && c.r.pos <= c.end && c.r.end == c.end);
	assert(!c.w.bad);
	result = (struct result){ c.r.bad, (size_t)(c.r.pos - c.start) };
	if (c.r.bad)
		check_bad(&c.r);
	free(exact);
	return result;
}

static void check_record(copy_fn copy, struct slice in)
{
	struct result first;
	struct result second;
	struct buf once;
	struct buf again;

	buf_init(&once, OUT_LIMIT);
	buf_init(&again, OUT_LIMIT);
	first = copy_run(copy, in, &once);
	if (!first.bad) {
		assert(buf_len(&once) == first.len);
		second = copy_run(copy, buf_slice(&once), &again);
		assert(!second.bad && second.len == first.len);
		assert(slice_equal(buf_slice(&once), buf_slice(&again)));
	}
	if (!first.bad && first.len > 0) {
		buf_clear(&again);
		second = copy_run(copy, (struct slice){ in.data, first.len - 1 }, &again);
		/* The last byte of a connect request is the one that may be left out. */
		assert(second.bad || copy == copy_connect);
	}
	buf_fini(&once);
	buf_fini(&again);
}

static void check_request(struct slice frame)
{
	struct jute_reader r;
	struct proto_request_header h;

	jute_reader_init(&r, frame);
	h = proto_read_request_header(&r);
	if (r.bad) {
		assert(h.xid == 0 || h.type == 0);
		return;
	}
	assert(opcode_name(h.type)[0] != '\0');
	check_record(copy_of(h.type), (struct slice){ (const char *)r.pos, jute_reader_left(&r) });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool connected = false;

	check_path((struct slice){ (const char *)data, size });
	while (size >= sizeof(int32_t)) {
		int32_t announced = jute_get_int(data);
		struct slice frame = { (const char *)data + sizeof(int32_t), 0 };

		size -= sizeof(int32_t);
		if (announced < 0)
			break;
		/* A frame that is cut short by the end is looked at as far as it goes. */
		frame.len = (size_t)announced < size ? (size_t)announced : size;
		if (connected)
			check_request(frame);
		else
			check_record(copy_connect, frame);
		connected = true;
		data = (const uint8_t *)frame.data + frame.len;
		size -= frame.len;
	}
	return 0;
}
