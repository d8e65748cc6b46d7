/* Where the server is, and how to come in. */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "tools/bench/conn.h"
#include "tools/bench/options.h"

/* Find the address and load the certificates; ends the process with status 2 where something is not
 * right. */
void target_init(struct conn_target *t, const struct options *o);
void target_fini(struct conn_target *t);

#endif
