/* A byte queue in one block. Drained bytes at the head are reclaimed by moving the rest down,
 * but only when enough was drained to pay for the move: a peer that takes a few bytes at a time
 * must not make us copy all of a long queue each time. */
#include "base/buf.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

enum { BUF_FIRST_LEN = 256, BUF_MOVE_RATIO = 4, BUF_TRIM_ABOVE = 64 * 1024 };

void buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){ .limit = limit };
}

void buf_fini(struct buf *b)
{
	mem_free(b->data);
	buf_init(b, b->limit);
}

static void buf_compact(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->head == 0)
		return;
	memmove(b->data, b->data + b->head, len);
	b->head = 0;
	b->tail = len;
}

/* To need bytes at least, twice what there was if the limit allows. */
static int buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap > b->limit / 2 ? b->limit : b->cap * 2;
	uint8_t *data;

	if (cap < BUF_FIRST_LEN)
		cap = BUF_FIRST_LEN < b->limit ? BUF_FIRST_LEN : b->limit;
	if (cap < need)
		cap = need;
	data = mem_try_grow(b->data, cap);
	if (data == NULL)
		return -1;
	b->data = data;
	b->cap = cap;
	return 0;
}

static int make_room(struct buf *b, size_t n)
{
	size_t len = buf_len(b);
	bool worth_moving = b->head >= len / BUF_MOVE_RATIO;

	if (n > b->limit - len)
		return -1;
	if ((n > b->cap - len || !worth_moving) && buf_grow(b, len + n) != 0 && n > b->cap - len)
		return -1;
	if (n > b->cap - b->tail)
		buf_compact(b);
	return 0;
}

int buf_reserve(struct buf *b, size_t n)
{
	/* What is allocated is never more than the limit. */
	return n <= b->cap - b->tail ? 0 : make_room(b, n);
}

uint8_t *buf_tail(struct buf *b)
{
	return b->data != NULL ? b->data + b->tail : NULL;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->tail);
	b->tail += n;
}

int buf_append(struct buf *b, const void *src, size_t n)
{
	if (buf_reserve(b, n) != 0) {
		b->is_cut = true;
		return -1;
	}
	if (n > 0)
		memcpy(b->data + b->tail, src, n);
	b->tail += n;
	return 0;
}

void buf_put(struct buf *b, struct slice text)
{
	if (b->is_cut || buf_append(b, text.data, text.len) != 0)
		return;
}

size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

const uint8_t *buf_head(const struct buf *b)
{
	return b->data != NULL ? b->data + b->head : NULL;
}

struct slice buf_slice(const struct buf *b)
{
	/* No memory yet is an empty run of bytes, not the protocol's null. */
	if (b->data == NULL)
		return (struct slice){ "", 0 };
	return (struct slice){ (const char *)b->data + b->head, buf_len(b) };
}

void buf_drain(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->head += n;
	if (b->head == b->tail)
		buf_clear(b);
}

void buf_clear(struct buf *b)
{
	b->head = 0;
	b->tail = 0;
	b->is_cut = false;
}

void buf_release(struct buf *b)
{
	if (buf_len(b) == 0)
		buf_fini(b);
}

void buf_trim(struct buf *b)
{
	size_t len = buf_len(b), cap = 2 * len;
	uint8_t *smaller;

	if (len == 0)
		buf_fini(b);
	if (b->cap <= BUF_TRIM_ABOVE || len > b->cap / 4)
		return;
	if (cap < BUF_TRIM_ABOVE / 4)
		cap = BUF_TRIM_ABOVE / 4;
	/* Where memory is out the larger one stays. */
	smaller = mem_try(cap);
	if (smaller == NULL)
		return;
	memcpy(smaller, buf_head(b), len);
	mem_free(b->data);
	b->data = smaller;
	b->cap = cap;
	b->head = 0;
	b->tail = len;
}
