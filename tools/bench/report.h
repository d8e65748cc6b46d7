/* What was measured, for people or (with -j) as one JSON object on a line. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "tools/bench/driver.h"
#include "tools/bench/member.h"
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

/* What storm says. Times are of CLOCK_MONOTONIC. */
struct report_storm {
	int64_t lost_us; /* when the first connection was lost */
	int64_t back_us; /* when the last session had looked round */
	unsigned lost;   /* sessions that were away at the same time */
	unsigned back;
	uint64_t attempts; /* to connect */
	int64_t own_cpu_us;
};
void report_gathered(const struct options *o, const char *tls, const char *base, unsigned groups,
		     int64_t took_us);
void report_storm(const struct options *o, const struct report_storm *r);
void report_members(const struct options *o, const struct member_tally *t);

#endif
