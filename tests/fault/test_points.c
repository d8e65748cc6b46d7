/* The store is killed at each of its labelled points (store/point.h), at a pass that the seed
 * draws: the next start must have all that was shown. Then the power is cut at that very place, and
 * at the end of what followed. A label that is never passed is a failure.
 *
 * Argument: a seed; else that of ZOOLITE_POINTS_SEED, or it is drawn. It is printed. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/point.h"
#include "tests/fault/store_run.h"
#include "tests/lib/effort.h"
#include "tests/lib/random.h"
#include "tests/lib/tmpdir.h"

#ifndef ZOOLITE_POINTS
#error "compile with -DZOOLITE_POINTS"
#endif

/* Of one label: kills, cuts behind each of them, and passes among which one is drawn. */
enum { KILLS = 2, LONG_TIMES = 20, CUTS = 3, PASSES = 12, PATH_LEN = 4096 };

#define POINT_TEXT(name) #name,
static const char *const names[] = { POINTS(POINT_TEXT) };

static struct {
	pthread_mutex_t mutex;
	struct trace *trace; /* NULL: nobody counts */
	enum point point;
	unsigned left; /* passes until the kill; 0: done */
	size_t position;
	uint64_t passed[POINT_COUNT];
} plan = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void point_pass(enum point p)
{
	pthread_mutex_lock(&plan.mutex);
	if (plan.trace != NULL && !trace_is_killed(plan.trace)) {
		plan.passed[p]++;
		if (p == plan.point && plan.left > 0 && --plan.left == 0)
			plan.position = trace_kill_now(plan.trace);
	}
	pthread_mutex_unlock(&plan.mutex);
}

static void begin_plan(struct trace *t, enum point p, unsigned pass)
{
	pthread_mutex_lock(&plan.mutex);
	plan.trace = t;
	plan.point = p;
	plan.left = pass;
	pthread_mutex_unlock(&plan.mutex);
}

/* Whether the point was reached. */
static bool end_plan(void)
{
	bool reached;

	pthread_mutex_lock(&plan.mutex);
	plan.trace = NULL;
	reached = plan.left == 0;
	pthread_mutex_unlock(&plan.mutex);
	return reached;
}

static int check_cut(const struct powercut_subject *subject, void *ctx, const char *top,
		     const struct trace *t, size_t cut, uint64_t seed)
{
	char reason[POWERCUT_REASON_LEN] = "", dir[PATH_LEN];
	struct trace *quiet;
	int rc;

	(void)snprintf(dir, sizeof(dir), "%s/cut", top);
	trace_materialise(t, cut, seed, dir);
	quiet = trace_start(dir, 0, 0);
	rc = subject->check(ctx, dir, t, cut, reason);
	trace_stop(quiet);
	trace_free(quiet);
	if (rc != 0)
		printf("LOST in a cut at %zu: %s\n", cut, reason);
	tmpdir_remove_tree(dir);
	return rc;
}

/* 0: reached and nothing lost; 1: not reached; -1: lost. */
static int kill_once(const struct powercut_subject *subject, const char *top, enum point p,
		     unsigned pass, uint64_t seed)
{
	struct random random = { seed };
	void *ctx = subject->create();
	char dir[PATH_LEN];
	struct trace *t;
	int rc = 0;

	(void)snprintf(dir, sizeof(dir), "%s/store", top);
	if (mkdir(dir, 0700) != 0)
		abort();
	t = trace_start(dir, random_next(&random), 300);
	begin_plan(t, p, pass);
	/* What a kill loses ends this process there. */
	subject->work(ctx, dir, t, random_next(&random));
	trace_stop(t);
	if (!end_plan())
		rc = 1;
	for (int i = 0; i < CUTS && rc == 0; i++)
		rc = check_cut(subject, ctx, top, t, plan.position, random_next(&random));
	if (rc == 0)
		rc = check_cut(subject, ctx, top, t, trace_length(t), random_next(&random));
	trace_free(t);
	subject->delete (ctx);
	tmpdir_remove_tree(dir);
	return rc;
}

static int try_point(const struct powercut_subject *subject, const char *top, enum point p,
		     struct random *r)
{
	unsigned kills = effort_of(KILLS, LONG_TIMES), reached = 0;
	int rc = 0;

	for (unsigned i = 0; i < kills && rc >= 0; i++) {
		unsigned pass = 1 + random_below(r, PASSES);

		rc = kill_once(subject, top, p, pass, random_next(r));
		/* Options vary, and with them what a run has. */
		for (int again = 0; rc == 1 && again < PASSES; again++)
			rc = kill_once(subject, top, p, 1, random_next(r));
		reached += rc == 0;
	}
	if (rc < 0)
		printf("lost after a kill at %s\n", names[p]);
	else if (reached == 0)
		printf("%s: never passed\n", names[p]);
	return reached > 0 && rc >= 0 ? 0 : -1;
}

static int try_all(const struct powercut_subject *subject, const char *top, struct random *r)
{
	int rc = 0;

	for (unsigned p = 0; p < POINT_COUNT && rc == 0; p++)
		rc = try_point(subject, top, (enum point)p, r);
	for (unsigned p = 0; p < POINT_COUNT && rc == 0; p++)
		printf("%s: passed %" PRIu64 " times\n", names[p], plan.passed[p]);
	return rc;
}

int main(int argc, char **argv)
{
	struct random random = { random_seed(argc > 1 ? argv[1] : NULL, "ZOOLITE_POINTS_SEED") };
	char *top = tmpdir_make();
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	printf("seed %" PRIu64 " (ZOOLITE_POINTS_SEED)\n", random.state);
	store_run_without_kills();
	rc = try_all(store_run_init(), top, &random);
	store_run_fini();
	tmpdir_remove(top);
	return rc == 0 ? 0 : 1;
}
