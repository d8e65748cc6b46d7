/* What the four-letter words, the admin server and the metrics speak of; all lent. */
#ifndef APP_VIEW_H
#define APP_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "app/config.h"

struct alarms;
struct arrival;
struct audit;
struct gate;
struct latency;
struct peers;
struct registry;
struct snapshots;
struct store;
struct validity;

struct view {
	const struct config *config;
	struct registry *registry; /* NULL: not serving yet */
	struct store *store;
	struct peers *peers;
	struct latency *latency;
	struct gate *gate;               /* NULL: no listener */
	struct snapshots *snapshots;     /* NULL: none are taken */
	const struct validity *validity; /* NULL: nothing runs out */
	const struct alarms *alarms;     /* NULL: nobody looks */
	int64_t serves_since_ms;         /* monotonic */
	bool is_curtailed;   /* who asks may not read everything: no names of znodes and peers */
	bool may_act;        /* who asks may do what an administrator does */
	struct audit *audit; /* hears what is refused and done; NULL: none */
	const struct arrival *asks; /* who it is that asks; NULL where audit is */
	int64_t *trace_mask;        /* a number that gtmk tells and stmk sets; it traces nothing */
};

/* What ZooKeeper says to all of them before it serves; the words put a line end behind it. */
#define VIEW_NOT_SERVING "This ZooKeeper instance is not currently serving requests"

/* What those hear who are curtailed. */
#define VIEW_CURTAILED "not executed because the policy does not let you read everything"

/* ZooKeeper's trace mask at its start. */
enum { VIEW_TRACE_MASK = 306 };

#endif
