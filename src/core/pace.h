/* Write rates: each identity has a bucket of tokens that all its connections share. It holds what
 * comes in a second; a request that writes more than is there, a multi, leaves a debt. A bucket
 * outlives its connections until it is full again, so that nobody gains by coming anew. Core
 * thread. */
#ifndef CORE_PACE_H
#define CORE_PACE_H

#include <stddef.h>
#include <stdint.h>

struct pace;
struct pace_table;

/* rate: writes a second, 0: no limit. */
struct pace_table *pace_table_new(int32_t rate);
/* Every bucket was given back. */
void pace_table_free(struct pace_table *t);
/* The bucket of this name; NULL where there is no limit. pace_give_back ends it. */
struct pace *pace_take(struct pace_table *t, const char *name, int64_t now_ms);
void pace_give_back(struct pace_table *t, struct pace *p, int64_t now_ms); /* p may be NULL */
/* How long a write has to wait, 0 where it does not. p may be NULL: there is no limit. */
int64_t pace_wait_ms(struct pace *p, int64_t now_ms);
/* So many were made. p may be NULL. */
void pace_spend(struct pace *p, uint32_t writes, int64_t now_ms);
/* Buckets in memory. */
size_t pace_count(const struct pace_table *t);

#endif
