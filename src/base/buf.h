/* A byte queue with a hard cap: appended at the tail, drained at the head, contiguous.
 * An empty queue holds no memory once buf_release was called. One thread. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"

struct buf {
	uint8_t *data;
	size_t head;  /* first byte not drained */
	size_t tail;  /* first free byte */
	size_t cap;   /* bytes allocated */
	size_t limit; /* most bytes the queue may hold */
	bool is_cut;  /* something did not fit when it was appended; until all is dropped */
};

void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);

/* Make room for n more bytes at the tail. -1 where that passes the limit or memory is out;
 * nothing changes then. */
must_check int buf_reserve(struct buf *b, size_t n);
/* Where the next byte goes; valid for what buf_reserve made room for. */
uint8_t *buf_tail(struct buf *b);
/* n bytes were written at the tail. */
void buf_commit(struct buf *b, size_t n);
must_check int buf_append(struct buf *b, const void *src, size_t n);
/* For a text that is made piece by piece: append unless something did not fit before, so that it
 * has no holes. is_cut tells in the end. */
void buf_put(struct buf *b, struct slice text);

size_t buf_len(const struct buf *b);
const uint8_t *buf_head(const struct buf *b);
struct slice buf_slice(const struct buf *b);
/* Drop n bytes at the head. */
void buf_drain(struct buf *b, size_t n);
/* Drop all, keep the memory. */
void buf_clear(struct buf *b);
/* Give the memory back where the queue is empty. */
void buf_release(struct buf *b);
/* Give memory back where far more is held than is used (a large content that has mostly gone). */
void buf_trim(struct buf *b);

#endif
