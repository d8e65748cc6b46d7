/* Decode a raw block of Snappy (format_description.txt of google/snappy): its length as a varint,
 * then literals and copies of what stands before. Pure functions. */
#ifndef BASE_SNAPPY_H
#define BASE_SNAPPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"

/* How long the block is when it is decoded, as it says itself. -1: it does not say. */
must_check int snappy_length(struct slice block, size_t *len);
/* Decode to out, which has room for just what snappy_length gave. -1: the block is damaged. */
must_check int snappy_decode(struct slice block, uint8_t *out, size_t len);

#endif
