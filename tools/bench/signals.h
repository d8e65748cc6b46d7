/* How a bench that holds is told to end: by SIGINT, by SIGTERM, or by the end of standard input
 * where that is a pipe, a socket or a terminal. */
#ifndef BENCH_SIGNALS_H
#define BENCH_SIGNALS_H

#include <stdbool.h>

#include "tools/bench/loop.h"

struct signals;

/* From now on; the signals do nothing else until signals_free. */
struct signals *signals_new(struct loop *l);
void signals_free(struct signals *s);
bool signals_came(const struct signals *s);

#endif
