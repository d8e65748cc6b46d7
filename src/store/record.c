/* Encoding of records. A body is a format version (one byte) and items, each a kind byte and its
 * fields: numbers as varints (signed ones zigzag, so that small negatives stay short), byte strings
 * as a varint of length + 1 (0: null) and the bytes. Bodies outlive the program that wrote them: a
 * new layout takes a new version, and the reader of the old one stays. */
#include "store/record.h"

#include <assert.h>
#include <string.h>

enum { RECORD_VERSION = 1 };
enum { KIND_ZNODE = 1, KIND_SESSION_OPEN = 2, KIND_SESSION_GONE = 3 };

/* An item is written twice: first with out == NULL, to learn its length, then into the room that
 * was made, so that a full buffer never holds half an item. */
struct writer {
	uint8_t *out;
	size_t len;
};

static void write_byte(struct writer *w, uint8_t byte)
{
	if (w->out != NULL)
		w->out[w->len] = byte;
	w->len++;
}

static void write_bytes(struct writer *w, const void *src, size_t len)
{
	if (w->out != NULL && len > 0)
		memcpy(w->out + w->len, src, len);
	w->len += len;
}

static void write_unsigned(struct writer *w, uint64_t v)
{
	while (v >= 0x80) {
		write_byte(w, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	write_byte(w, (uint8_t)v);
}

static void write_signed(struct writer *w, int64_t v)
{
	uint64_t twice = (uint64_t)v << 1;

	write_unsigned(w, v < 0 ? ~twice : twice);
}

static void write_slice(struct writer *w, struct slice s)
{
	if (s.data == NULL) {
		write_unsigned(w, 0);
		return;
	}
	write_unsigned(w, (uint64_t)s.len + 1);
	write_bytes(w, s.data, s.len);
}

static void write_znode(struct writer *w, const void *item)
{
	const struct record_znode *z = item;

	write_byte(w, KIND_ZNODE);
	write_byte(w, (uint8_t)z->columns);
	write_slice(w, z->path);
	if (z->columns & RECORD_BIRTH) {
		write_signed(w, z->czxid);
		write_signed(w, z->ctime);
		write_signed(w, z->owner);
	}
	if (z->columns & RECORD_DATA) {
		write_slice(w, z->data);
		write_signed(w, z->mzxid);
		write_signed(w, z->mtime);
		write_signed(w, z->version);
	}
	if (z->columns & RECORD_ACL) {
		write_slice(w, z->acl);
		write_signed(w, z->aversion);
	}
	if (z->columns & RECORD_CHILDREN) {
		write_signed(w, z->pzxid);
		write_signed(w, z->creates);
		write_signed(w, z->num_children);
	}
}

static void write_session(struct writer *w, const void *item)
{
	const struct record_session *s = item;

	write_byte(w, s->open ? KIND_SESSION_OPEN : KIND_SESSION_GONE);
	write_signed(w, s->id);
	if (!s->open)
		return;
	write_signed(w, s->timeout_ms);
	write_bytes(w, s->password_hash, RECORD_PASSWORD_HASH_LEN);
	write_slice(w, s->identity);
}

static int put_item(struct buf *body, void (*write)(struct writer *, const void *),
		    const void *item)
{
	struct writer w = { .out = NULL };
	bool first = buf_len(body) == 0;

	if (first)
		write_byte(&w, RECORD_VERSION);
	write(&w, item);
	if (buf_reserve(body, w.len) != 0)
		return -1;
	w = (struct writer){ .out = buf_tail(body) };
	if (first)
		write_byte(&w, RECORD_VERSION);
	write(&w, item);
	buf_commit(body, w.len);
	return 0;
}

int record_put_znode(struct buf *body, const struct record_znode *z)
{
	assert((z->columns & ~(unsigned)RECORD_ALL) == 0);
	assert(!(z->columns & RECORD_BIRTH) || z->columns == RECORD_ALL);
	assert(z->path.data != NULL);
	assert(!(z->columns & RECORD_ACL) || z->acl.data != NULL);
	return put_item(body, write_znode, z);
}

int record_put_session(struct buf *body, const struct record_session *s)
{
	return put_item(body, write_session, s);
}

/* A damaged body is marked by pos == NULL; an empty one points at this byte instead. */
static const uint8_t no_items;

void record_reader_init(struct record_reader *r, struct slice body)
{
	*r = (struct record_reader){ .pos = &no_items, .end = &no_items };
	if (body.len == 0)
		return;
	r->pos = (const uint8_t *)body.data;
	r->end = r->pos + body.len;
	if (*r->pos++ != RECORD_VERSION)
		r->pos = NULL;
}

static bool read_byte(struct record_reader *r, uint8_t *out)
{
	if (r->pos == r->end)
		return false;
	*out = *r->pos++;
	return true;
}

static bool read_unsigned(struct record_reader *r, uint64_t *out)
{
	uint64_t v = 0;
	uint8_t byte;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (!read_byte(r, &byte))
			return false;
		/* The tenth byte holds the one bit that is left. */
		if (shift == 63 && byte > 1)
			return false;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = v;
			return true;
		}
	}
	return false;
}

static bool read_signed(struct record_reader *r, int64_t *out)
{
	uint64_t v;

	if (!read_unsigned(r, &v))
		return false;
	*out = (int64_t)((v >> 1) ^ (UINT64_C(0) - (v & 1)));
	return true;
}

static bool read_int32(struct record_reader *r, int32_t *out)
{
	int64_t v;

	if (!read_signed(r, &v) || v < INT32_MIN || v > INT32_MAX)
		return false;
	*out = (int32_t)v;
	return true;
}

static bool read_slice(struct record_reader *r, struct slice *out)
{
	uint64_t n;

	*out = (struct slice){ 0 };
	if (!read_unsigned(r, &n))
		return false;
	if (n == 0)
		return true;
	if (n - 1 > (uint64_t)(r->end - r->pos))
		return false;
	*out = (struct slice){ (const char *)r->pos, (size_t)(n - 1) };
	r->pos += n - 1;
	return true;
}

static bool read_znode(struct record_reader *r, struct record_znode *z)
{
	uint8_t columns;

	if (!read_byte(r, &columns) || columns > RECORD_ALL)
		return false;
	/* A znode is born whole. */
	if ((columns & RECORD_BIRTH) && columns != RECORD_ALL)
		return false;
	z->columns = columns;
	if (!read_slice(r, &z->path) || z->path.len == 0 || z->path.data[0] != '/')
		return false;
	if ((columns & RECORD_BIRTH) &&
	    !(read_signed(r, &z->czxid) && read_signed(r, &z->ctime) && read_signed(r, &z->owner)))
		return false;
	if ((columns & RECORD_DATA) && !(read_slice(r, &z->data) && read_signed(r, &z->mzxid) &&
					 read_signed(r, &z->mtime) && read_int32(r, &z->version)))
		return false;
	if ((columns & RECORD_ACL) &&
	    !(read_slice(r, &z->acl) && z->acl.data != NULL && read_int32(r, &z->aversion)))
		return false;
	if ((columns & RECORD_CHILDREN) &&
	    !(read_signed(r, &z->pzxid) && read_int32(r, &z->creates) &&
	      read_int32(r, &z->num_children)))
		return false;
	return true;
}

static bool read_session(struct record_reader *r, struct record_session *s, bool open)
{
	s->open = open;
	if (!read_signed(r, &s->id))
		return false;
	if (!open)
		return true;
	if (!read_int32(r, &s->timeout_ms) || r->end - r->pos < RECORD_PASSWORD_HASH_LEN)
		return false;
	memcpy(s->password_hash, r->pos, RECORD_PASSWORD_HASH_LEN);
	r->pos += RECORD_PASSWORD_HASH_LEN;
	return read_slice(r, &s->identity);
}

static enum record_item_kind read_item(struct record_reader *r, struct record_item *item)
{
	uint8_t kind;

	if (!read_byte(r, &kind))
		return RECORD_ITEM_BAD;
	switch (kind) {
	case KIND_ZNODE:
		return read_znode(r, &item->znode) ? RECORD_ITEM_ZNODE : RECORD_ITEM_BAD;
	case KIND_SESSION_OPEN:
	case KIND_SESSION_GONE:
		return read_session(r, &item->session, kind == KIND_SESSION_OPEN)
			       ? RECORD_ITEM_SESSION
			       : RECORD_ITEM_BAD;
	default:
		return RECORD_ITEM_BAD;
	}
}

enum record_item_kind record_read(struct record_reader *r, struct record_item *item)
{
	memset(item, 0, sizeof(*item));
	if (r->pos == NULL)
		item->kind = RECORD_ITEM_BAD;
	else if (r->pos == r->end)
		item->kind = RECORD_ITEM_END;
	else
		item->kind = read_item(r, item);
	if (item->kind == RECORD_ITEM_BAD)
		r->pos = NULL;
	return item->kind;
}
