/* What a run of records comes to: for each znode and each session that they touch, the last state,
 * so that a znode changed a hundred times is written once, and in the order of the tree's index.
 * One thread. */
#ifndef STORE_MERGE_H
#define STORE_MERGE_H

#include <stddef.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "store/rows.h"

struct merge;

struct merge *merge_new(void);
/* NULL is allowed. */
void merge_free(struct merge *m);
/* Take in the next record, which is copied. -1 where it is damaged; m is of no use then. */
must_check int merge_add(struct merge *m, struct slice body);
/* Bytes held. */
size_t merge_bytes(const struct merge *m);
/* Write all of it in key order inside the transaction of rows; upto not NULL: all sessions, and of
 * the znodes those up to it. */
void merge_write(struct merge *m, struct rows *rows, const struct rows_key *upto);
void merge_clear(struct merge *m);
/* Both: write all of it, and forget it. */
void merge_apply(struct merge *m, struct rows *rows);

#endif
