/* Clocks over clock_gettime(2), and the fakes that stand in for all of them in tests. A faked
 * clock is seen at once by every thread, without clock_update. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

static _Thread_local int64_t cached_ms;
static _Thread_local bool is_cached;

static _Atomic bool is_fake;
static _Atomic int64_t fake_now_ms;
static _Atomic int64_t fake_wall_ms;

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	/* Cannot fail for these two clocks; no log line here, it would ask for the time. */
	if (clock_gettime(id, &ts) != 0)
		return 0;
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool faked(void)
{
	return atomic_load_explicit(&is_fake, memory_order_acquire);
}

int64_t clock_now_ms(void)
{
	if (faked())
		return atomic_load(&fake_now_ms);
	return is_cached ? cached_ms : clock_update();
}

int64_t clock_update(void)
{
	if (faked())
		return atomic_load(&fake_now_ms);
	cached_ms = read_us(CLOCK_MONOTONIC) / 1000;
	is_cached = true;
	return cached_ms;
}

int64_t clock_exact_us(void)
{
	if (faked())
		return atomic_load(&fake_now_ms) * 1000;
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	if (faked())
		return atomic_load(&fake_wall_ms);
	return read_us(CLOCK_REALTIME) / 1000;
}

void clock_fake_start(int64_t now_ms, int64_t wall_ms)
{
	atomic_store(&fake_now_ms, now_ms);
	atomic_store(&fake_wall_ms, wall_ms);
	atomic_store(&is_fake, true);
}

void clock_fake_advance(int64_t by_ms)
{
	atomic_fetch_add(&fake_now_ms, by_ms);
	atomic_fetch_add(&fake_wall_ms, by_ms);
}

void clock_fake_stop(void)
{
	atomic_store(&is_fake, false);
	is_cached = false;
}
