/* The case "storm": many sessions that come back at the same time. */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#include "tools/bench/options.h"

/* Open o->connections members (member.h), o->opening at a time, and hold them for o->seconds (0:
 * until told, see signals.h). Says on standard output, a line each: when all are there; each time
 * that some lost the server and all are back; and in the end, after all have looked round once
 * more, what they saw. Returns the status of the process: failure where a session expired, an
 * ephemeral znode vanished, or a change was not told once and in its turn. */
int storm_run(const struct options *o);

#endif
