/* Jute: ZooKeeper's encoding. Integers are big-endian two's complement, a buffer or string is a
 * 32-bit length and bytes (length -1 is null), a vector is a 32-bit count and its items, a bool
 * is one byte. Reader and writer remember the first failure: read a whole record, then ask once.
 * No state, any thread. */
#ifndef WIRE_JUTE_H
#define WIRE_JUTE_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/cdefs.h"
#include "base/slice.h"

struct jute_reader {
	const uint8_t *pos;
	const uint8_t *end;
	bool bad; /* a read passed the end or met a bad length: later ones give zeros and nulls */
};

void jute_reader_init(struct jute_reader *r, struct slice in);
size_t jute_reader_left(const struct jute_reader *r);

uint8_t jute_read_byte(struct jute_reader *r);
bool jute_read_bool(struct jute_reader *r); /* any byte but 0 is true, as Java's readBoolean */
int32_t jute_read_int(struct jute_reader *r);
int64_t jute_read_long(struct jute_reader *r);
/* A buffer or string; borrows the input. data is NULL for null and only then. A length below -1
 * is bad. */
struct slice jute_read_buffer(struct jute_reader *r);
/* A vector's count: -1 (null) .. what the rest can hold at min_item_len (>= 1) bytes an item;
 * else bad and 0. */
int32_t jute_read_count(struct jute_reader *r, size_t min_item_len);

struct jute_writer {
	struct buf *out;
	bool bad; /* out was full; what was written so far is to be thrown away */
};

void jute_writer_init(struct jute_writer *w, struct buf *out);
void jute_write_byte(struct jute_writer *w, uint8_t v);
void jute_write_bool(struct jute_writer *w, bool v);
void jute_write_int(struct jute_writer *w, int32_t v);
void jute_write_long(struct jute_writer *w, int64_t v);
void jute_write_buffer(struct jute_writer *w, struct slice v);
void jute_write_raw(struct jute_writer *w, const void *src, size_t len);

/* Big-endian integers in memory. */
static inline void jute_put_int(uint8_t *at, int32_t v)
{
	uint32_t be = htobe32((uint32_t)v);

	memcpy(at, &be, sizeof(be));
}

static inline void jute_put_long(uint8_t *at, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v);

	memcpy(at, &be, sizeof(be));
}

static inline int32_t jute_get_int(const uint8_t *at)
{
	uint32_t be;

	memcpy(&be, at, sizeof(be));
	return (int32_t)be32toh(be);
}

static inline int64_t jute_get_long(const uint8_t *at)
{
	uint64_t be;

	memcpy(&be, at, sizeof(be));
	return (int64_t)be64toh(be);
}

#endif
