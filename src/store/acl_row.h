/* How an access control list is stored: under a key made of its content, with a text for readers.
 * Pure functions; what an ACL means is the core's. */
#ifndef STORE_ACL_ROW_H
#define STORE_ACL_ROW_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum { ACL_ROW_KEY_LEN = 16 };

/* Lists, encoded, by which everybody may do everything, and read. */
extern const struct slice acl_row_open;
extern const struct slice acl_row_read;

/* First bytes of the SHA-256 of the encoded list. */
void acl_row_key(struct slice encoded, uint8_t key[ACL_ROW_KEY_LEN]);
/* Write "scheme:id:perms", several with a comma between, to out, which is cleared first.
 * Permissions are the letters of "rwcda" in the order c, d, r, w, a. What cannot be decoded gives
 * "?". */
void acl_row_text(struct slice encoded, struct buf *out);

#endif
