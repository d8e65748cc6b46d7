/* See the header. */
#include "tests/fault/powercut.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/lib/effort.h"
#include "tests/lib/random.h"
#include "tests/lib/tmpdir.h"

enum { PATH_LEN = 4096, SYNC_US = 1000, ROUNDS = 24, LONG_TIMES = 20 };

struct run {
	const struct powercut_subject *subject;
	void *ctx;
	uint64_t seed;
	unsigned long cuts;
	unsigned long rounds;
	struct random random;
	char *tmp;
	unsigned long done;
	unsigned long made; /* directories, for their names */
};

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void name_dir(struct run *r, char out[PATH_LEN])
{
	(void)snprintf(out, PATH_LEN, "%s/%lu", r->tmp, r->made++);
}

/* ---- one round ---- */

static int check_cut(struct run *r, const struct trace *t, size_t cut, uint64_t seed)
{
	char reason[POWERCUT_REASON_LEN] = "";
	char dir[PATH_LEN];
	struct trace *quiet;
	int rc;

	name_dir(r, dir);
	trace_materialise(t, cut, seed, dir);
	/* Nobody looks at this trace: it spares the syncs of a real disk. */
	quiet = trace_start(dir, 0, 0);
	rc = r->subject->check(r->ctx, dir, t, cut, reason);
	trace_stop(quiet);
	trace_free(quiet);
	if (rc != 0)
		printf("%s: LOST in cut %lu at %zu, seed %" PRIu64 ": %s\n", r->subject->name,
		       r->done, cut, r->seed, reason);
	tmpdir_remove_tree(dir);
	r->done++;
	return rc;
}

/* Half of the cuts anywhere, half just behind a note: there something was promised that is
 * youngest. */
static size_t draw_cut(struct run *r, const struct trace *t, size_t length)
{
	size_t cut = random_below(&r->random, (uint32_t)length + 1);

	if (random_percent(&r->random, 50))
		return cut;
	return trace_after_note(t, cut);
}

/* Work on dir, cut, check; then dir is what one of the cuts left. */
static int run_round(struct run *r, char dir[PATH_LEN], unsigned long cuts)
{
	struct trace *t = trace_start(dir, random_next(&r->random), SYNC_US);
	size_t length, cut = 0;
	uint64_t seed = 0;
	int rc = 0;

	r->subject->work(r->ctx, dir, t, random_next(&r->random));
	trace_stop(t);
	length = trace_length(t);
	for (unsigned long i = 0; i < cuts && rc == 0; i++) {
		cut = draw_cut(r, t, length);
		seed = random_next(&r->random);
		rc = check_cut(r, t, cut, seed);
	}
	if (rc == 0) {
		tmpdir_remove_tree(dir);
		name_dir(r, dir);
		trace_materialise(t, cut, seed, dir);
		r->subject->adopt(r->ctx, t, cut);
	}
	trace_free(t);
	return rc;
}

static int run_all(struct run *r)
{
	char dir[PATH_LEN];
	int rc = 0;

	r->ctx = r->subject->create();
	name_dir(r, dir);
	if (mkdir(dir, 0700) != 0)
		fail(dir);
	for (unsigned long i = 0; i < r->rounds && rc == 0; i++)
		rc = run_round(r, dir, (r->cuts + r->rounds - 1) / r->rounds);
	r->subject->delete (r->ctx);
	return rc;
}

/* ---- arguments ---- */

static uint64_t parse_number(const char *text)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || *text == '\0' || *end != '\0') {
		fprintf(stderr, "not a number: %s\n", text);
		exit(2);
	}
	return v;
}

static uint64_t number_from_env(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0' ? parse_number(text) : otherwise;
}

static void parse_arguments(struct run *r, int argc, char **argv)
{
	const unsigned rounds = effort_of(ROUNDS, LONG_TIMES);
	const unsigned cuts = effort_of(r->subject->cuts, LONG_TIMES);
	int option;

	r->seed = number_from_env("POWERCUT_SEED", (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid());
	r->cuts = (unsigned long)number_from_env("POWERCUT_CUTS", cuts);
	r->rounds = (unsigned long)number_from_env("POWERCUT_ROUNDS", rounds);
	while ((option = getopt(argc, argv, "s:c:r:")) != -1) {
		if (option == 's')
			r->seed = parse_number(optarg);
		else if (option == 'c')
			r->cuts = (unsigned long)parse_number(optarg);
		else if (option == 'r')
			r->rounds = (unsigned long)parse_number(optarg);
		else
			exit(2);
	}
	if (r->cuts < r->rounds || r->rounds == 0 || optind != argc) {
		fprintf(stderr, "usage: %s [-s seed] [-c cuts] [-r rounds]\n", argv[0]);
		exit(2);
	}
}

int powercut_main(int argc, char **argv, const struct powercut_subject *subject)
{
	struct run r = { .subject = subject };
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	parse_arguments(&r, argc, argv);
	r.random.state = r.seed;
	r.tmp = tmpdir_make();
	printf("%s: seed %" PRIu64 ", %lu cuts in %lu rounds\n", subject->name, r.seed, r.cuts,
	       r.rounds);
	rc = run_all(&r);
	if (rc == 0)
		printf("%s: nothing lost in %lu cuts\n", subject->name, r.done);
	tmpdir_remove(r.tmp);
	return rc == 0 ? 0 : 1;
}
