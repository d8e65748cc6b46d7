/* Reads over many rows of tree.db, for what is seldom asked: how much stands below a path, which
 * znodes are containers or have a TTL, where a name occurs. Statements live for one call, each call
 * reads one snapshot. On the core's reading connection. */
#ifndef STORE_SURVEY_H
#define STORE_SURVEY_H

#include "store/rows.h"

/* See store.h. */
enum store_result survey_sum_below(struct rows *r, struct slice path, const struct slice *except,
				   size_t count, struct store_sum *out);
enum store_result survey_list_below(struct rows *r, struct slice path, struct slice after,
				    unsigned limit,
				    void (*each)(void *ctx, struct slice parent, struct slice name),
				    void *ctx);
enum store_result survey_list_marked(struct rows *r, struct slice after, unsigned limit,
				     void (*each)(void *ctx, const struct record_znode *z),
				     void *ctx);
enum store_result survey_list_named(struct rows *r, struct slice below, struct slice name,
				    void (*each)(void *ctx, struct slice path), void *ctx);

#endif
