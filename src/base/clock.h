/* Time. The monotonic clock is read once per loop turn (per thread) and lent from there;
 * deadlines use it alone. The wall clock is for what clients see (ctime, mtime) and for the log.
 * Faked in tests. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Monotonic milliseconds as of this thread's last clock_update (the first call updates). */
int64_t clock_now_ms(void);
/* Read the monotonic clock; returns the new value. */
int64_t clock_update(void);
/* Monotonic microseconds, read now. */
int64_t clock_exact_us(void);
/* Milliseconds since 1970, read now. */
int64_t clock_wall_ms(void);

/* Tests: freeze both clocks at these values; clock_fake_advance moves both. clock_fake_stop ends
 * it. */
void clock_fake_start(int64_t now_ms, int64_t wall_ms);
void clock_fake_advance(int64_t by_ms);
void clock_fake_stop(void);

#endif
