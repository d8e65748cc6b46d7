/* Every figure of the server in one list, under the names of ZooKeeper's metrics where it has them:
 * mntr, the admin server's monitor and the Prometheus endpoint print it. No names of znodes,
 * clients or certificates. Core thread. */
#ifndef APP_STATS_H
#define APP_STATS_H

#include <stdint.h>

struct summary;
struct view;

enum stat_type {
	STAT_GAUGE,   /* number */
	STAT_REAL,    /* a gauge, too: real */
	STAT_COUNTER, /* number */
	STAT_COUNTS,  /* summary, of numbers */
	STAT_BASIC,   /* summary, of times in us, which are told in ms */
	STAT_FULL,    /* the same with quantiles */
};

struct stat_value {
	const char *name;
	const char *help;
	enum stat_type type;
	int64_t number;
	double real;
	const struct summary *summary;
};

/* Each of them once; v->registry is there. */
void stats_foreach(const struct view *v, void (*each)(void *ctx, const struct stat_value *s),
		   void *ctx);

/* As ZooKeeper counts them, whose root stands in its table under two names. */
uint64_t stats_znodes(const struct view *v);

/* All of them that grow begin anew. */
void stats_reset(const struct view *v);

/* In what a summary's values are told: 1, or us in a ms. */
unsigned stats_unit(const struct stat_value *s);

/* A summary's figures as ZooKeeper names them in mntr: avg_, min_, max_, cnt_ and sum_ before the
 * name, for STAT_FULL p50_, p95_, p99_ and p999_ too. Anything else is itself. */
void stats_flatten(const struct stat_value *s, void (*each)(void *ctx, const struct stat_value *s),
		   void *ctx);

#endif
