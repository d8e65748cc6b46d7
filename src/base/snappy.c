#include "base/snappy.h"

#include <stdbool.h>
#include <string.h>

enum { LENGTH_MOST_BYTES = 5, LITERAL_IN_TAG = 60 };

struct decoder {
	const uint8_t *in;
	const uint8_t *in_end;
	uint8_t *begin;
	uint8_t *out;
	uint8_t *out_end;
};

/* The varint that a block begins with. 0: there is none. */
static size_t read_length(struct slice block, uint32_t *len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < LENGTH_MOST_BYTES && i < block.len; i++) {
		uint8_t byte = (uint8_t)block.data[i];

		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		*len = (uint32_t)v;
		return v <= UINT32_MAX ? i + 1 : 0;
	}
	return 0;
}

int snappy_length(struct slice block, size_t *len)
{
	uint32_t v = 0;

	if (read_length(block, &v) == 0)
		return -1;
	*len = v;
	return 0;
}

/* count bytes, lowest first */
static bool read_little(struct decoder *d, size_t count, uint32_t *v)
{
	if ((size_t)(d->in_end - d->in) < count)
		return false;
	*v = 0;
	for (size_t i = 0; i < count; i++)
		*v |= (uint32_t)d->in[i] << (8 * i);
	d->in += count;
	return true;
}

static bool put_literal(struct decoder *d, uint8_t tag)
{
	uint32_t less_one = tag >> 2;

	if (less_one >= LITERAL_IN_TAG && !read_little(d, less_one - LITERAL_IN_TAG + 1, &less_one))
		return false;
	if (less_one >= (size_t)(d->in_end - d->in) || less_one >= (size_t)(d->out_end - d->out))
		return false;
	memcpy(d->out, d->in, (size_t)less_one + 1);
	d->out += (size_t)less_one + 1;
	d->in += (size_t)less_one + 1;
	return true;
}

static bool put_copy(struct decoder *d, uint32_t offset, size_t len)
{
	if (offset == 0 || offset > (size_t)(d->out - d->begin) ||
	    len > (size_t)(d->out_end - d->out))
		return false;
	/* Byte by byte: it may reach into what it writes. */
	for (; len > 0; len--, d->out++)
		*d->out = d->out[-(ptrdiff_t)offset];
	return true;
}

static bool put_element(struct decoder *d)
{
	uint8_t tag = *d->in++;
	uint32_t offset;

	switch (tag & 3) {
	case 0:
		return put_literal(d, tag);
	case 1:
		return read_little(d, 1, &offset) &&
		       put_copy(d, (uint32_t)(tag >> 5) << 8 | offset, ((tag >> 2) & 7U) + 4);
	case 2:
		return read_little(d, 2, &offset) && put_copy(d, offset, (tag >> 2) + 1U);
	default:
		return read_little(d, 4, &offset) && put_copy(d, offset, (tag >> 2) + 1U);
	}
}

int snappy_decode(struct slice block, uint8_t *out, size_t len)
{
	uint32_t claimed = 0;
	size_t at = read_length(block, &claimed);
	struct decoder d = { .in = (const uint8_t *)block.data + at,
			     .in_end = (const uint8_t *)block.data + block.len,
			     .begin = out,
			     .out = out,
			     .out_end = out + len };

	if (at == 0 || claimed != len)
		return -1;
	while (d.in < d.in_end)
		if (!put_element(&d))
			return -1;
	return d.out == d.out_end ? 0 : -1;
}
