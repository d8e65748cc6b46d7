/* What came in on a connection: bytes that become frames (a 32-bit length, then that many bytes).
 * Memory grows with the bytes that arrived, never with a length that was announced. Pure, no
 * sockets, one thread.
 *
 *   first frame, which may have to wait | frames that were scanned | frames | part of a frame */
#ifndef NET_INPUT_H
#define NET_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { INPUT_LENGTH_LEN = 4 };

struct input {
	struct buf bytes;
	size_t scanned; /* length of the frames at the head that input_scan has passed */
	size_t gap; /* bytes behind those that input_cut_scanned took out, until input_scan_end */
};

enum input_rc {
	INPUT_FRAME,
	INPUT_PARTIAL, /* more bytes are needed */
	INPUT_BAD,     /* its length is not above 0, or above the limit */
};

/* limit: most bytes it may hold. */
void input_init(struct input *in, size_t limit);
void input_fini(struct input *in);
/* Bytes of memory that it takes. */
size_t input_memory(const struct input *in);
/* -1 where the limit is passed or memory is out. */
must_check int input_put(struct input *in, const void *src, size_t len);

/* The first frame without its length; borrowed until the next call that changes in. */
enum input_rc input_first(const struct input *in, size_t max_frame, struct slice *frame);
/* Drop the first frame, as input_first gave it. Memory goes with the last byte. */
void input_drop_first(struct input *in, struct slice frame);
/* The first four bytes, where they are there. */
bool input_get_word(const struct input *in, char word[INPUT_LENGTH_LEN]);
/* All that has come; borrowed as above. */
struct slice input_bytes(const struct input *in);

/* Step over the next frame that was not scanned. While scanning nothing else may be asked until
 * input_scan_end. */
enum input_rc input_scan(struct input *in, size_t max_frame, struct slice *frame);
/* Take out the frame that input_scan gave last. */
void input_cut_scanned(struct input *in, struct slice frame);
/* Close the gap that was cut. */
void input_scan_end(struct input *in);

/* How many more bytes make the first frame whole and extra bytes behind it; 0 where its length is
 * bad. */
size_t input_room(const struct input *in, size_t max_frame, size_t extra);

#endif
