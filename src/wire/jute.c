/* Jute reader and writer. Every read goes through take(), every write through jute_write_raw():
 * the two places that know about bounds. */
#include "wire/jute.h"

enum { INT_LEN = 4, LONG_LEN = 8 };

void jute_reader_init(struct jute_reader *r, struct slice in)
{
	/* A null body reads as an empty one; pos is never NULL, so an empty buffer is never
	 * mistaken for null. */
	r->pos = (const uint8_t *)(in.data != NULL ? in.data : "");
	r->end = r->pos + (in.data != NULL ? in.len : 0);
	r->bad = false;
}

size_t jute_reader_left(const struct jute_reader *r)
{
	return (size_t)(r->end - r->pos);
}

/* The next len bytes, or NULL and the reader is bad. */
static const uint8_t *take(struct jute_reader *r, size_t len)
{
	const uint8_t *at = r->pos;

	if (r->bad || len > jute_reader_left(r)) {
		r->bad = true;
		return NULL;
	}
	r->pos += len;
	return at;
}

uint8_t jute_read_byte(struct jute_reader *r)
{
	const uint8_t *at = take(r, 1);

	return at != NULL ? *at : 0;
}

bool jute_read_bool(struct jute_reader *r)
{
	return jute_read_byte(r) != 0;
}

int32_t jute_read_int(struct jute_reader *r)
{
	const uint8_t *at = take(r, INT_LEN);

	return at != NULL ? jute_get_int(at) : 0;
}

int64_t jute_read_long(struct jute_reader *r)
{
	const uint8_t *at = take(r, LONG_LEN);

	return at != NULL ? jute_get_long(at) : 0;
}

struct slice jute_read_buffer(struct jute_reader *r)
{
	int32_t len = jute_read_int(r);
	const uint8_t *at;

	if (len < -1)
		r->bad = true;
	if (r->bad || len == -1)
		return (struct slice){ NULL, 0 };
	at = take(r, (size_t)len);
	return (struct slice){ (const char *)at, at != NULL ? (size_t)len : 0 };
}

int32_t jute_read_count(struct jute_reader *r, size_t min_item_len)
{
	int32_t count = jute_read_int(r);

	if (count < -1 || (count > 0 && (size_t)count > jute_reader_left(r) / min_item_len))
		r->bad = true;
	return r->bad ? 0 : count;
}

void jute_writer_init(struct jute_writer *w, struct buf *out)
{
	w->out = out;
	w->bad = false;
}

void jute_write_raw(struct jute_writer *w, const void *src, size_t len)
{
	/* Nothing follows a gap: what was written must stay a prefix of the record. */
	if (!w->bad && buf_append(w->out, src, len) != 0)
		w->bad = true;
}

void jute_write_byte(struct jute_writer *w, uint8_t v)
{
	jute_write_raw(w, &v, 1);
}

void jute_write_bool(struct jute_writer *w, bool v)
{
	jute_write_byte(w, v ? 1 : 0);
}

void jute_write_int(struct jute_writer *w, int32_t v)
{
	uint8_t be[INT_LEN];

	jute_put_int(be, v);
	jute_write_raw(w, be, sizeof(be));
}

void jute_write_long(struct jute_writer *w, int64_t v)
{
	uint8_t be[LONG_LEN];

	jute_put_long(be, v);
	jute_write_raw(w, be, sizeof(be));
}

void jute_write_buffer(struct jute_writer *w, struct slice v)
{
	if (v.data == NULL) {
		jute_write_int(w, -1);
		return;
	}
	if (v.len > INT32_MAX) {
		w->bad = true;
		return;
	}
	jute_write_int(w, (int32_t)v.len);
	jute_write_raw(w, v.data, v.len);
}
