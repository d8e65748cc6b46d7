/* A file of real blocks that holds nothing: room that nobody else can take, given up piece by piece
 * when the disk is full. Not for two threads at once. */
#ifndef STORE_BALLAST_H
#define STORE_BALLAST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"

struct ballast;

/* <dir>/ballast, made empty where it is missing. What was made larger and got no blocks (a copy,
 * say) counts as empty. -1 with a reason. */
must_check int ballast_open(struct ballast **out, const char *dir, char reason[STORE_REASON_LEN]);
/* The file stays. NULL is allowed. */
void ballast_close(struct ballast *b);
uint64_t ballast_bytes(const struct ballast *b);

/* Take so many bytes more from the disk. -1: there is no room for them, or an error; what was taken
 * of them is given back. */
must_check int ballast_take(struct ballast *b, uint64_t bytes);
/* Give so many back to it, or what is left. Returns how many. */
uint64_t ballast_give(struct ballast *b, uint64_t bytes);
/* Whether so many could be taken now. Where the file system can have no blocks taken that are not
 * written to, a small part of them stands for all. */
bool ballast_could_take(struct ballast *b, uint64_t bytes);

#endif
