/* The power-cut test, apart from what it is done to. A subject works on a directory while a trace
 * records; then the power goes off at many places of that trace, and the subject checks what each
 * of them leaves. One of the cuts becomes the directory of the next round, so that starts on what
 * an earlier cut left are cut as well.
 *
 * Arguments: [-s seed] [-c cuts] [-r rounds], or POWERCUT_SEED, POWERCUT_CUTS, POWERCUT_ROUNDS in
 * the environment; the presets are smaller under a sanitizer and larger where ZOOLITE_LONG is set.
 * Exit status 0: nothing was lost; 1: the subject's check found a loss; 2: wrong arguments. */
#ifndef TESTS_FAULT_POWERCUT_H
#define TESTS_FAULT_POWERCUT_H

#include <stddef.h>
#include <stdint.h>

#include "tests/lib/tracevfs.h"

enum { POWERCUT_REASON_LEN = 1024 };

struct powercut_subject {
	const char *name;
	unsigned cuts; /* on an ordinary build, unless somebody wants another number */
	/* Free with delete. */
	void *(*create)(void);
	/* Start on dir, which is fresh or what the cut left that the last call of adopt named;
	 * work; stop. Whatever was shown to somebody is noted in t when it is. */
	void (*work)(void *ctx, const char *dir, struct trace *t, uint64_t seed);
	/* dir is what a cut at position cut of t left. 0, or -1 with a reason. */
	int (*check)(void *ctx, const char *dir, const struct trace *t, size_t cut,
		     char reason[POWERCUT_REASON_LEN]);
	/* The next call of work goes on from this cut: nothing that came later has happened. */
	void (*adopt)(void *ctx, const struct trace *t, size_t cut);
	void (*delete)(void *ctx);
};

int powercut_main(int argc, char **argv, const struct powercut_subject *subject);

#endif
