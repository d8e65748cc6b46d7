/* What goes out on a connection: bytes in order, some with a mark "nothing beyond this offset
 * before the log is on disk up to zxid N" (src/README.md, promise 1). Pure, no sockets.
 *
 *   sendable bytes | gated bytes (first mark > flushed)
 *
 * Ping replies alone may go in front of the first gated byte, at a frame boundary. One thread. */
#ifndef NET_OUTPUT_H
#define NET_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct output_mark {
	uint64_t offset; /* stream offset of the first byte that waits */
	int64_t zxid;
};

struct output {
	struct buf bytes;
	uint64_t drained;          /* stream offset of buf's head */
	struct output_mark *marks; /* ring of rising offsets and rising zxids */
	uint32_t first, count, cap;
	int64_t last_mark; /* highest mark ever put: marks never fall on a connection */
};

void output_init(struct output *o, size_t limit);
void output_fini(struct output *o);
/* Append a frame that may leave once zxid mark is on disk, and after everything before it. -1:
 * full. */
must_check int output_append(struct output *o, struct slice frame, int64_t mark, int64_t flushed);
/* Put a frame in front of the first gated byte. */
must_check int output_insert(struct output *o, struct slice frame);
/* Marks up to flushed are released. True where there are bytes to send. */
bool output_release(struct output *o, int64_t flushed);
/* Bytes that may go now (contiguous, from the head). Drop what was sent with output_drain. */
struct slice output_sendable(const struct output *o);
void output_drain(struct output *o, size_t n);
size_t output_gated(const struct output *o);
size_t output_len(const struct output *o);
/* Bytes of memory that it takes. */
size_t output_memory(const struct output *o);
/* Highest mark that waits, 0 where none does; the first zxid that would release something. */
int64_t output_next_mark(const struct output *o);

#endif
