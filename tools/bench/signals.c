/* signalfd(2) and standard input in the loop. */
#include "tools/bench/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cdefs.h"
#include "base/log.h"
#include "base/mem.h"

struct signals {
	struct loop_watch signal_watch;
	struct loop_watch input_watch;
	struct loop *loop;
	int fd;
	bool has_input;
	bool came;
};

static void signal_ready(struct loop_watch *w)
{
	container_of(w, struct signals, signal_watch)->came = true;
}

static void input_ready(struct loop_watch *w)
{
	struct signals *s = container_of(w, struct signals, input_watch);
	char ignored[256];

	if (read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0)
		s->came = true;
}

static sigset_t both(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

static bool can_wait_for_input(void)
{
	struct stat st;

	if (fstat(STDIN_FILENO, &st) != 0)
		return false;
	return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(STDIN_FILENO) == 1;
}

struct signals *signals_new(struct loop *l)
{
	struct signals *s = mem_new(sizeof(*s));
	sigset_t set = both();

	s->signal_watch.ready = signal_ready;
	s->input_watch.ready = input_ready;
	s->loop = l;
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->fd < 0)
		die("signals.failed", strerror(errno));
	loop_add(l, s->fd, &s->signal_watch, false);
	s->has_input = can_wait_for_input();
	if (s->has_input)
		loop_add(l, STDIN_FILENO, &s->input_watch, false);
	return s;
}

void signals_free(struct signals *s)
{
	struct signalfd_siginfo taken;
	sigset_t set = both();

	if (s == NULL)
		return;
	loop_remove(s->loop, s->fd);
	if (s->has_input)
		loop_remove(s->loop, STDIN_FILENO);
	/* Take what came, or it would end the process as soon as it is unblocked. */
	while (read(s->fd, &taken, sizeof(taken)) > 0)
		;
	close(s->fd);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	mem_free(s);
}

bool signals_came(const struct signals *s)
{
	return s->came;
}
