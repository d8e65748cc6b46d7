/* Waits for a server that is being started. */
#ifndef BENCH_AWAIT_H
#define BENCH_AWAIT_H

#include <stdint.h>

#include "base/cdefs.h"
#include "tools/bench/options.h"

/* Try to open one session again and again, every millisecond; says "waiting" on standard output
 * before the first try. Returns when one was open (CLOCK_MONOTONIC, in microseconds), or -1 after
 * so many seconds. */
must_check int64_t await_server(const struct options *o, double seconds);

#endif
