/* zoolite-bench: a load generator for servers that speak ZooKeeper's protocol. Arguments, the case
 * asked for, the report; no logic. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/bench/await.h"
#include "tools/bench/connects.h"
#include "tools/bench/driver.h"
#include "tools/bench/options.h"
#include "tools/bench/report.h"
#include "tools/bench/storm.h"
#include "tools/bench/workload.h"

enum { STATUS_USAGE = 2, LEAST_TOGETHER = 2, US_PER_S = 1000000 };

static const double DEFAULT_SECONDS = 10, DEFAULT_WAIT_SECONDS = 60, SETTLE_SECONDS = 2;

static int run_load(const struct options *o, const struct workload_case *c)
{
	struct measurement *m = mem_new(sizeof(*m));
	struct workload *w = workload_new(c, o);
	struct driver *d = driver_new(o);
	const struct job *step;
	int status;

	driver_open(d);
	while ((step = workload_next_preparation(w)) != NULL)
		driver_run_job(d, w, step, NULL);
	if (c->until_done)
		driver_run_job(d, w, &c->job, m);
	else
		driver_run_timed(d, w, &c->job, m);
	report_load(o, driver_tls(d), m);
	driver_close(d);
	status = m->errors == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	driver_free(d);
	workload_free(w);
	mem_free(m);
	return status;
}

/* All at once: the znodes that they need are made by another session before. */
static int run_joining(const struct options *o, const struct workload_case *c)
{
	struct options single = *o, together = *o;
	struct measurement *m = mem_new(sizeof(*m));
	struct workload *w = workload_new(c, o);
	struct driver *maker, *all;
	const struct job *step;
	int status;

	single.connections = 1;
	together.opening = o->connections;
	maker = driver_new(&single);
	all = driver_new(&together);
	driver_open(maker);
	while ((step = workload_next_preparation(w)) != NULL)
		driver_run_job(maker, w, step, NULL);
	driver_close(maker);
	driver_run_joining(all, w, &c->job, m);
	report_load(o, driver_tls(all), m);
	driver_close(all);
	status = m->errors == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	driver_free(maker);
	driver_free(all);
	workload_free(w);
	mem_free(m);
	return status;
}

static int run_connects(const struct options *o)
{
	struct measurement *m = mem_new(sizeof(*m));
	char tls[STREAM_REASON_LEN];

	connects_run(o, m, tls);
	report_load(o, tls, m);
	mem_free(m);
	return EXIT_SUCCESS;
}

static bool read_memory(const struct options *o, struct process_memory *memory)
{
	if (o->server_pid == 0)
		return false;
	if (process_memory(o->server_pid, memory) == 0)
		return true;
	fprintf(stderr, "zoolite-bench: cannot read the server's memory\n");
	exit(EXIT_FAILURE);
}

/* The first session is there when the server is measured for the first time, so that what it needs
 * once for all sessions is not counted. */
static int run_idle(const struct options *o)
{
	struct options single = *o;
	struct report_sessions r = { 0 };
	struct driver *first, *rest;
	int64_t begun_us;

	single.connections = 1;
	first = driver_new(&single);
	driver_open(first);
	driver_hold(first, SETTLE_SECONDS);
	r.has_memory = read_memory(o, &r.before);
	driver_close(first);
	rest = driver_new(o);
	begun_us = clock_exact_us();
	driver_open(rest);
	r.open_seconds = (double)(clock_exact_us() - begun_us) / US_PER_S;
	driver_hold(rest, SETTLE_SECONDS);
	read_memory(o, &r.after);
	report_sessions(o, driver_tls(rest), &r);
	driver_hold(rest, o->seconds > 0 ? o->seconds : -1);
	driver_close(rest);
	driver_free(first);
	driver_free(rest);
	return EXIT_SUCCESS;
}

static int run_first(const struct options *o)
{
	int64_t at_us = await_server(o, o->seconds > 0 ? o->seconds : DEFAULT_WAIT_SECONDS);

	if (at_us < 0) {
		fprintf(stderr, "zoolite-bench: no session within the time\n");
		return EXIT_FAILURE;
	}
	report_first(o, at_us);
	return EXIT_SUCCESS;
}

static int run(struct options *o)
{
	const struct workload_case *c = workload_find(o->case_name);

	if (strcmp(o->case_name, "idle") == 0)
		return run_idle(o);
	if (strcmp(o->case_name, "first") == 0)
		return run_first(o);
	if (strcmp(o->case_name, "storm") == 0)
		return storm_run(o);
	if (strcmp(o->case_name, "connects") == 0) {
		if (o->seconds <= 0)
			o->seconds = DEFAULT_SECONDS;
		return run_connects(o);
	}
	if (c == NULL) {
		fprintf(stderr, "zoolite-bench: %s: no such case (--help names them)\n",
			o->case_name);
		return STATUS_USAGE;
	}
	if (c->single && (o->depth != 1 || o->connections < LEAST_TOGETHER)) {
		fprintf(stderr, "zoolite-bench: %s: wants -d 1 and at least two connections\n",
			c->name);
		return STATUS_USAGE;
	}
	if (o->seconds <= 0)
		o->seconds = DEFAULT_SECONDS;
	return c->joins ? run_joining(o, c) : run_load(o, c);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct options o;
	int status;

	options_parse(&o, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	/* As many connections as the system allows us. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	status = run(&o);
	options_free(&o);
	return status;
}
