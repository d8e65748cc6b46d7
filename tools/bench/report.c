/* No text here comes from outside but the case's name, which is one of ours, and the TLS version:
 * nothing to escape. */
#include "tools/bench/report.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *name;
	double per_mille;
} percentiles[] = { { "p50", 500 }, { "p90", 900 }, { "p99", 990 }, { "p999", 999 } };

enum { PERCENTILES = sizeof(percentiles) / sizeof(percentiles[0]), US_PER_S = 1000000 };

static double seconds_of(const struct measurement *m)
{
	return (double)m->elapsed_us / US_PER_S;
}

static double rate_of(const struct measurement *m)
{
	return m->elapsed_us > 0 ? (double)m->operations / seconds_of(m) : 0.0;
}

static double per_operation(int64_t us, const struct measurement *m)
{
	return m->operations > 0 ? (double)us / (double)m->operations : 0.0;
}

static void json_head(const struct options *o, const char *tls)
{
	printf("{\"case\":\"%s\",\"tls\":\"%s\",\"connections\":%u", o->case_name, tls,
	       o->connections);
}

static void json_histogram(const char *name, const struct histogram *h)
{
	printf(",\"%s\":{\"mean\":%.1f", name, histogram_mean(h));
	for (unsigned i = 0; i < PERCENTILES; i++)
		printf(",\"%s\":%" PRIu64, percentiles[i].name,
		       histogram_percentile(h, percentiles[i].per_mille));
	printf(",\"max\":%" PRIu64 "}", h->max);
}

static void print_histogram(const char *title, const struct histogram *h)
{
	printf("  %-12s mean %.0f", title, histogram_mean(h));
	for (unsigned i = 0; i < PERCENTILES; i++)
		printf("  %s %" PRIu64, percentiles[i].name,
		       histogram_percentile(h, percentiles[i].per_mille));
	printf("  max %" PRIu64 "\n", h->max);
}

static void json_load(const struct options *o, const char *tls, const struct measurement *m)
{
	json_head(o, tls);
	printf(",\"depth\":%u,\"value_size\":%u,\"keys\":%u,\"rate\":%.17g", o->depth,
	       o->value_size, o->keys, o->rate);
	printf(",\"seconds\":%.6f,\"operations\":%" PRIu64 ",\"errors\":%" PRIu64
	       ",\"operations_per_s\":%.1f",
	       seconds_of(m), m->operations, m->errors, rate_of(m));
	json_histogram("latency_us", &m->latency_us);
	if (m->told_us.count > 0)
		json_histogram("told_us", &m->told_us);
	if (m->server_cpu_us >= 0)
		printf(",\"server_cpu_us_per_operation\":%.3f", per_operation(m->server_cpu_us, m));
	printf(",\"bench_cpu_us_per_operation\":%.3f,\"bench_cpu_share\":%.3f}\n",
	       per_operation(m->own_cpu_us, m),
	       m->elapsed_us > 0 ? (double)m->own_cpu_us / (double)m->elapsed_us : 0.0);
}

void report_load(const struct options *o, const char *tls, const struct measurement *m)
{
	if (o->json) {
		json_load(o, tls, m);
		return;
	}
	printf("%s, %u connections x %u, values of %u bytes, %s\n", o->case_name, o->connections,
	       o->depth, o->value_size, tls);
	printf("  operations   %" PRIu64 " in %.2f s: %.0f/s, %" PRIu64 " errors\n", m->operations,
	       seconds_of(m), rate_of(m), m->errors);
	print_histogram("latency, us", &m->latency_us);
	if (m->told_us.count > 0)
		print_histogram("last told", &m->told_us);
	printf("  CPU, us/op   bench %.2f", per_operation(m->own_cpu_us, m));
	if (m->server_cpu_us >= 0)
		printf("  server %.2f", per_operation(m->server_cpu_us, m));
	printf("\n");
}

/* Every session but the one that was there before. */
static double kib_each(const struct options *o, int64_t before, int64_t after)
{
	return o->connections > 1 ? (double)(after - before) / (o->connections - 1) : 0.0;
}

static void json_sessions(const struct options *o, const char *tls, const struct report_sessions *r)
{
	json_head(o, tls);
	printf(",\"open_seconds\":%.3f,\"opened_per_s\":%.1f", r->open_seconds,
	       o->connections / r->open_seconds);
	if (r->has_memory)
		printf(",\"server_rss_kib\":[%" PRId64 ",%" PRId64 "],\"server_pss_kib\":[%" PRId64
		       ",%" PRId64 "],\"rss_kib_per_session\":%.2f,\"pss_kib_per_session\":%.2f",
		       r->before.rss_kib, r->after.rss_kib, r->before.pss_kib, r->after.pss_kib,
		       kib_each(o, r->before.rss_kib, r->after.rss_kib),
		       kib_each(o, r->before.pss_kib, r->after.pss_kib));
	printf("}\n");
}

void report_sessions(const struct options *o, const char *tls, const struct report_sessions *r)
{
	if (o->json) {
		json_sessions(o, tls, r);
	} else {
		printf("%u sessions opened in %.2f s, %s\n", o->connections, r->open_seconds, tls);
		if (r->has_memory)
			printf("  server, KiB  RSS %" PRId64 " -> %" PRId64
			       " (%.1f a session)  PSS %" PRId64 " -> %" PRId64
			       " (%.1f a session)\n",
			       r->before.rss_kib, r->after.rss_kib,
			       kib_each(o, r->before.rss_kib, r->after.rss_kib), r->before.pss_kib,
			       r->after.pss_kib, kib_each(o, r->before.pss_kib, r->after.pss_kib));
	}
	fflush(stdout);
}

void report_first(const struct options *o, int64_t at_us)
{
	if (o->json)
		printf("{\"case\":\"%s\",\"session_at_us\":%" PRId64 "}\n", o->case_name, at_us);
	else
		printf("a session was open at %" PRId64 " us of the monotonic clock\n", at_us);
	fflush(stdout);
}

void report_gathered(const struct options *o, const char *tls, const char *base, unsigned groups,
		     int64_t took_us)
{
	double seconds = (double)took_us / US_PER_S;

	if (o->json) {
		json_head(o, tls);
		printf(",\"root\":\"%s\",\"groups\":%u,\"open_seconds\":%.3f}\n", base, groups,
		       seconds);
	} else {
		printf("%u sessions in %u groups below %s, opened in %.2f s, %s\n", o->connections,
		       groups, base, seconds, tls);
	}
	fflush(stdout);
}

void report_storm(const struct options *o, const struct report_storm *r)
{
	double seconds = (double)(r->back_us - r->lost_us) / US_PER_S;
	double own_seconds = (double)r->own_cpu_us / US_PER_S;

	if (o->json)
		printf("{\"case\":\"%s\",\"lost\":%u,\"back\":%u,\"lost_at_us\":%" PRId64
		       ",\"back_at_us\":%" PRId64 ",\"seconds\":%.3f,\"attempts\":%" PRIu64
		       ",\"bench_cpu_seconds\":%.3f}\n",
		       o->case_name, r->lost, r->back, r->lost_us, r->back_us, seconds, r->attempts,
		       own_seconds);
	else
		printf("%u sessions lost the server, the last of %u was back after %.2f s, "
		       "%" PRIu64 " attempts, %.2f s of our own CPU time\n",
		       r->lost, r->back, seconds, r->attempts, own_seconds);
	fflush(stdout);
}

void report_members(const struct options *o, const struct member_tally *t)
{
	if (o->json)
		printf("{\"case\":\"%s\",\"told\":%" PRIu64 ",\"missed\":%" PRIu64
		       ",\"twice\":%" PRIu64 ",\"disordered\":%" PRIu64 ",\"vanished\":%" PRIu64
		       ",\"expired\":%" PRIu64 ",\"failed\":%" PRIu64 "}\n",
		       o->case_name, t->told, t->missed, t->twice, t->disordered, t->vanished,
		       t->expired, t->failed);
	else
		printf("events  %" PRIu64 " told, %" PRIu64 " missed, %" PRIu64 " twice, %" PRIu64
		       " out of order; %" PRIu64 " ephemerals gone, %" PRIu64
		       " sessions expired, %" PRIu64 " requests failed\n",
		       t->told, t->missed, t->twice, t->disordered, t->vanished, t->expired,
		       t->failed);
	fflush(stdout);
}
