/* A text as a JSON string of printable ASCII: whatever it holds, it stays on its line, and no
 * terminal takes it for a command. Pure functions. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include "base/buf.h"
#include "base/slice.h"

/* Append text with quotes around it; data == NULL gives null. Bytes that are no UTF-8 become
 * U+FFFD. Where the buffer is full, its is_cut tells, and a part of it may stand there. */
void quote_json(struct buf *out, struct slice text);

#endif
