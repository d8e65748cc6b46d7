/* What a piece of code writes to stderr, and how a process ends that runs it. */
#ifndef TESTS_UNIT_CAPTURE_H
#define TESTS_UNIT_CAPTURE_H

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct capture {
	int saved;
	int file;
};

static inline void capture_begin(struct capture *c)
{
	c->saved = dup(STDERR_FILENO);
	c->file = memfd_create("stderr", 0);
	assert_true(c->saved >= 0 && c->file >= 0);
	/* As a pipe or a terminal does, it takes the lines of several threads one behind the
	 * other. */
	assert_int_equal(fcntl(c->file, F_SETFL, O_APPEND), 0);
	assert_true(dup2(c->file, STDERR_FILENO) >= 0);
}

/* Puts stderr back; the text is NUL-terminated. Returns its length. */
static inline size_t capture_end(struct capture *c, char *text, size_t size)
{
	ssize_t len;

	assert_true(dup2(c->saved, STDERR_FILENO) >= 0);
	len = pread(c->file, text, size - 1, 0);
	assert_true(len >= 0);
	text[len] = '\0';
	close(c->saved);
	close(c->file);
	return (size_t)len;
}

/* Runs fn in a child, which must end by abort(); text gets what it wrote. */
static inline void capture_abort(void (*fn)(void), char *text, size_t size)
{
	struct capture c;
	int status = 0;
	pid_t child;

	capture_begin(&c);
	child = fork();
	if (child == 0) {
		const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	if (child > 0 && waitpid(child, &status, 0) != child)
		child = -1;
	capture_end(&c, text, size);
	assert_true(child > 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

#endif
