/* Path rules (ZooKeeper's PathUtils and PrepRequestProcessor) and path arithmetic. Pure
 * functions. */
#ifndef WIRE_PATH_H
#define WIRE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { PATH_SEQUENCE_LEN = 11 }; /* "%010d" of an int32, a sign included */

/* Whether PathUtils.validatePath takes it: begins with '/', no empty, "." or ".." part, no
 * trailing '/' but for the root, no NUL, no control characters (U+0001..1F, U+007F..9F), no
 * U+D800..F8FF, U+FFF0..FFFF; malformed UTF-8 and code points above U+FFFF (surrogates in Java's
 * text) are refused as well. */
bool path_is_valid(struct slice path);
/* Whether there is a NUL in it. */
bool path_has_nul(struct slice path);

/* All up to the last '/', "/" itself for a child of the root. path must hold a '/'. */
struct slice path_parent(struct slice path);
/* What stands behind the last '/'. */
struct slice path_name(struct slice path);
/* The path itself and all above it, from the root down: the length of the one behind that of len
 * (0: the root's), 0 behind the last. */
size_t path_next_prefix(struct slice path, size_t len);
/* Whether path is prefix itself or stands below it. */
bool path_is_within(struct slice path, struct slice prefix);

/* The suffix of a sequential znode: "%010d" of the parent's counter of creates, a signed 32-bit
 * number as in ZooKeeper. Returns its length. */
size_t path_write_sequence(char out[PATH_SEQUENCE_LEN + 1], int32_t counter);

#endif
