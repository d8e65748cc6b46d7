/* Text into a buffer. What does not fit into it (a list beyond all bounds) is left out, and so is
 * all behind it. */
#ifndef APP_PRINT_H
#define APP_PRINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/cdefs.h"

/* What is answered instead. */
#define PRINT_TOO_LARGE "The answer is larger than zoolite.maxReply"

/* At most 1,023 bytes at once. */
void print(struct buf *out, const char *format, ...) printf_like(2, 3);
void print_slice(struct buf *out, struct slice text);
/* Java's text of a double that was rounded to four places: "0.0", "1.8333". */
void print_rounded(struct buf *out, double value);
/* Whether something was left out of the answer to what was asked: then out is emptied, and the
 * answer counted and logged as one above zoolite.maxReply. */
bool print_too_large(struct buf *out, const char *what);

#endif
