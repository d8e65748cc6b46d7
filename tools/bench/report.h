/* What was measured, for people or (with -j) as one JSON object on a line. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "tools/bench/driver.h"
#include "tools/bench/options.h"
#include "tools/bench/process.h"

void report_load(const struct options *o, const char *tls, const struct measurement *m);

struct report_sessions {
	double open_seconds;
	bool has_memory;
	struct process_memory before; /* of the server, with one session */
	struct process_memory after;  /* with all of them */
};
void report_sessions(const struct options *o, const char *tls, const struct report_sessions *r);

/* at_us as await_server gives it. */
void report_first(const struct options *o, int64_t at_us);

#endif
