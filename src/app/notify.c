#include "app/notify.h"

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>
#include <time.h>

void notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
	struct timespec now;

	/* Type=notify-reload wants the time at which the reload began. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

static int64_t watchdog_ms(void)
{
	static int64_t period_ms = -1;
	uint64_t usec;

	if (period_ms < 0)
		period_ms = sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 1000) : 0;
	return period_ms;
}

void notify_alive(int64_t now_ms)
{
	static int64_t last_ms;

	if (watchdog_ms() == 0 || now_ms - last_ms < watchdog_ms() / 4)
		return;
	last_ms = now_ms;
	sd_notify(0, "WATCHDOG=1");
}

int64_t notify_wait_ms(int64_t most_ms)
{
	int64_t half = watchdog_ms() / 2;

	return half > 0 && half < most_ms ? half : most_ms;
}

#else

void notify_ready(void)
{
}

void notify_reloading(void)
{
}

void notify_stopping(void)
{
}

void notify_alive(int64_t now_ms)
{
	(void)now_ms;
}

int64_t notify_wait_ms(int64_t most_ms)
{
	return most_ms;
}

#endif
