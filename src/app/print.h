/* Text into a buffer. What does not fit into it (a list beyond all bounds) is cut off. */
#ifndef APP_PRINT_H
#define APP_PRINT_H

#include "base/buf.h"
#include "base/cdefs.h"

/* At most 1,023 bytes at once. */
void print(struct buf *out, const char *format, ...) printf_like(2, 3);
void print_slice(struct buf *out, struct slice text);
/* Java's text of a double that was rounded to four places: "0.0", "1.8333". */
void print_rounded(struct buf *out, double value);

#endif
