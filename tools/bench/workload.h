/* What is asked of the server. A workload hands out requests one by one and judges their replies;
 * it knows nothing of time. Everything happens below a directory of this run's own, ROOT/<random>,
 * so that runs do not meet. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/bench/options.h"
#include "tools/bench/session.h"

struct workload;

/* A step of a workload, or of its preparation. */
struct job {
	/* Write the next request of a slot: connection 0 .. connections - 1, slot 0 .. depth - 1.
	 * False: there is nothing for this slot now (where none is under way either, the job is
	 * done). */
	bool (*next)(struct workload *w, struct session *s, unsigned connection, unsigned slot,
		     int64_t intended_us);
	/* Judge a reply: how many operations it completes (0: a step on the way, not measured), -1
	 * where it is not what was to come. May put intended_us back to when these began. */
	int (*take)(struct workload *w, unsigned connection, struct session_reply *reply);
	/* A watch has told, or NULL: nothing is watched. Returns how long the last of those who
	 * watch had to wait, in microseconds, or -1 where it is not the last. Connection 0 is
	 * asked for its next request after each turn of the loop. */
	int64_t (*told)(struct workload *w, unsigned connection, int64_t now_us);
};

/* Which tree it works on. */
enum workload_tree {
	TREE_OF_KEYS,       /* -k znodes, made first */
	TREE_OF_CHILDREN,   /* likewise, all in one directory */
	TREE_BY_CONNECTION, /* an empty directory for each connection, or --directories */
	TREE_TO_FILL,       /* empty directories for -n znodes */
};

struct workload_case {
	const char *name;
	const char *help;
	enum workload_tree tree;
	bool until_done; /* ends by itself: all of it is measured, without a warm-up */
	bool preloads;   /* the tree has --preload znodes more, made before the keys */
	bool shared;     /* one directory is enough, by default */
	bool joins;      /* done once by each session, as soon as it is open */
	bool single;     /* depth 1 only; at least two connections */
	struct job job;
};

/* All cases; the last has no name. */
extern const struct workload_case workload_cases[];
/* NULL: there is none. */
const struct workload_case *workload_find(const char *name);

/* o must outlive it. */
struct workload *workload_new(const struct workload_case *c, const struct options *o);
void workload_free(struct workload *w);
/* The steps that must be done before the case itself, one after the other; NULL behind the last. */
const struct job *workload_next_preparation(struct workload *w);

#endif
