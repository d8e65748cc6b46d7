/* Runs a job on many sessions at once and measures it.
 *
 * Without a rate each slot asks again as soon as it has its reply, and a latency counts from that
 * moment. With one, requests are due by a schedule fixed beforehand and a latency counts from the
 * time a request was due, however late it could be sent: a server that stalls is not spared the
 * requests that were not sent meanwhile. */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/bench/histogram.h"
#include "tools/bench/options.h"
#include "tools/bench/process.h"
#include "tools/bench/workload.h"

struct driver;

struct measurement {
	int64_t elapsed_us;
	uint64_t operations; /* completed with the right reply */
	uint64_t errors;
	int64_t server_cpu_us; /* -1: unknown */
	int64_t own_cpu_us;
	struct histogram latency_us;
	struct histogram told_us; /* until the last was told, where watches are set */
};

/* Begin and end what is measured: time, and CPU time of the server and of this process. */
void measurement_begin(struct measurement *m, const struct options *o);
void measurement_end(struct measurement *m, const struct options *o);

/* Everything below ends the process with status 1 and a line of reason where the server cannot be
 * reached, ends a session or is silent for a minute. o must outlive the driver. */
struct driver *driver_new(const struct options *o);
void driver_free(struct driver *d);

/* Open all sessions; driver_tls then says how they are protected ("TLSv1.3 …"). */
void driver_open(struct driver *d);
const char *driver_tls(const struct driver *d);
/* Run a job to its end. m may be NULL. */
void driver_run_job(struct driver *d, struct workload *w, const struct job *job,
		    struct measurement *m);
/* Open all sessions, each of which asks for its part of the job as soon as it is open, and run the
 * job to its end; measured from the first connect. */
void driver_run_joining(struct driver *d, struct workload *w, const struct job *job,
			struct measurement *m);
/* Run a job for warm_up seconds unmeasured, then for so many seconds. */
void driver_run_timed(struct driver *d, struct workload *w, const struct job *job,
		      struct measurement *m);
/* Keep the sessions alive for some seconds; below 0: until standard input ends or SIGINT or SIGTERM
 * comes. */
void driver_hold(struct driver *d, double seconds);
/* End all sessions properly. */
void driver_close(struct driver *d);

#endif
