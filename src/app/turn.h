/* One turn of the core loop, watched: what it spent its time on, and a log line where it took too
 * long, because every client waits for the slowest turn. Core thread. */
#ifndef APP_TURN_H
#define APP_TURN_H

#include <stdint.h>

enum { TURN_SLOW_MS = 100 };

struct turn {
	int64_t began_us; /* 0: nothing happened yet in this turn */
	int64_t step_us;
	const char *step;
	int64_t longest_us;
	const char *longest;
};

/* From here on the turn is busy with this ("frames", "store", …). */
void turn_step(struct turn *t, const char *step);
/* Something that was measured by itself (a request) was done in this turn, between these times
 * (clock_exact_us). */
void turn_note(struct turn *t, const char *what, int64_t began_us, int64_t ended_us);
/* The turn is over; logs and counts it where it was slow. */
void turn_end(struct turn *t);

#endif
