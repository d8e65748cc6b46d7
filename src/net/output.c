/* Two regions of one byte queue: what may leave, and what waits for the log. The border is the
 * offset of the first mark, always the beginning of a frame. It only moves towards the tail, by
 * output_release, so a byte that was sendable once stays so, and nothing is put in front of what
 * was handed to TLS (its place in memory may change). */
#include "net/output.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { MARKS_FIRST_CAP = 8, MARKS_MAX_CAP = 1 << 22 };

void output_init(struct output *o, size_t limit)
{
	memset(o, 0, sizeof(*o));
	buf_init(&o->bytes, limit);
}

void output_fini(struct output *o)
{
	buf_fini(&o->bytes);
	mem_free(o->marks);
	o->marks = NULL;
	o->first = 0;
	o->count = 0;
	o->cap = 0;
}

static struct output_mark *mark_at(const struct output *o, uint32_t i)
{
	return &o->marks[(o->first + i) & (o->cap - 1)];
}

/* Room for one more mark; the ring's capacity is a power of two. */
static int marks_reserve(struct output *o)
{
	struct output_mark *bigger;
	uint32_t cap = o->cap ? o->cap * 2 : MARKS_FIRST_CAP;

	if (o->count < o->cap)
		return 0;
	if (cap > MARKS_MAX_CAP)
		return -1;
	bigger = mem_try(cap * sizeof(*bigger));
	if (!bigger)
		return -1;
	for (uint32_t i = 0; i < o->count; i++)
		bigger[i] = *mark_at(o, i);
	mem_free(o->marks);
	o->marks = bigger;
	o->first = 0;
	o->cap = cap;
	return 0;
}

int output_append(struct output *o, struct slice frame, int64_t mark, int64_t flushed)
{
	bool waits = mark > flushed && mark > o->last_mark;

#ifdef ZOOLITE_MUTANT_MARKS_IGNORED
	waits = false;
#endif
	if (waits && marks_reserve(o) != 0)
		return -1;
	uint64_t offset = o->drained + buf_len(&o->bytes);
	if (buf_append(&o->bytes, frame.data, frame.len) != 0)
		return -1;
	if (waits) {
		o->count++;
		*mark_at(o, o->count - 1) = (struct output_mark){ offset, mark };
	}
	if (mark > o->last_mark)
		o->last_mark = mark;
	return 0;
}

int output_insert(struct output *o, struct slice frame)
{
	size_t gated = output_gated(o);
	uint8_t *border;

	if (frame.len == 0)
		return 0;
	if (buf_reserve(&o->bytes, frame.len) != 0)
		return -1;
	border = buf_tail(&o->bytes) - gated;
	memmove(border + frame.len, border, gated);
	memcpy(border, frame.data, frame.len);
	buf_commit(&o->bytes, frame.len);
	for (uint32_t i = 0; i < o->count; i++)
		mark_at(o, i)->offset += frame.len;
	return 0;
}

bool output_release(struct output *o, int64_t flushed)
{
	while (o->count > 0 && mark_at(o, 0)->zxid <= flushed) {
		o->first = (o->first + 1) & (o->cap - 1);
		o->count--;
	}
	return output_sendable(o).len > 0;
}

struct slice output_sendable(const struct output *o)
{
	size_t len = buf_len(&o->bytes);

	if (o->count > 0)
		len = (size_t)(mark_at(o, 0)->offset - o->drained);
	return (struct slice){ (const char *)buf_head(&o->bytes), len };
}

void output_drain(struct output *o, size_t n)
{
	assert(n <= output_sendable(o).len);
	buf_drain(&o->bytes, n);
	o->drained += n;
	if (buf_len(&o->bytes) > 0) {
		buf_trim(&o->bytes);
		return;
	}
	/* An idle connection keeps no memory here; an empty queue has no marks. */
	buf_release(&o->bytes);
	mem_free(o->marks);
	o->marks = NULL;
	o->first = 0;
	o->count = 0;
	o->cap = 0;
}

size_t output_gated(const struct output *o)
{
	return buf_len(&o->bytes) - output_sendable(o).len;
}

size_t output_len(const struct output *o)
{
	return buf_len(&o->bytes);
}

size_t output_memory(const struct output *o)
{
	return o->bytes.cap + o->cap * sizeof(*o->marks);
}

int64_t output_next_mark(const struct output *o)
{
	return o->count > 0 ? mark_at(o, 0)->zxid : 0;
}
