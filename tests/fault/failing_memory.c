/* Linked into the server of tests/fault/test_every_alloc.py beside its main: a signal with a number
 * has the allocation of that number from there on, of those that a peer can size, fail
 * (mem_fail_after). */
#include <signal.h>
#include <stddef.h>

#include "base/mem.h"

enum { SIGNAL_BEHIND_RTMIN = 7 };

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	/* One atomic store. */
	mem_fail_after((unsigned)info->si_value.sival_int);
}

__attribute__((constructor)) static void listen_for_signal(void)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };

	(void)sigaction(SIGRTMIN + SIGNAL_BEHIND_RTMIN, &action, NULL);
}
