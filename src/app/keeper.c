#include "app/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/complain.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/files.h"
#include "store/thread.h"

extern char **environ;

enum { MAX_ANSWER = 16 * 1024, FIRST_INHERITED = 3 };

struct keeper {
	int fd;
	bool is_busy;
	pthread_t thread;
	struct keeper_order order;
	char *dir;
	struct keeper_result result; /* the thread's while it runs */
	atomic_bool is_done;
	pthread_mutex_t mutex;
	pid_t child; /* 0: none; under the mutex */
	bool is_ending;
};

struct keeper *keeper_new(void)
{
	struct keeper *k;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return NULL;
	k = mem_new(sizeof(*k));
	k->fd = fd;
	pthread_mutex_init(&k->mutex, NULL);
	return k;
}

int keeper_fd(const struct keeper *k)
{
	return k->fd;
}

bool keeper_is_busy(const struct keeper *k)
{
	return k->is_busy;
}

/* ---- the other process ---- */

/* It begins with nothing of ours but the pipe, and hears no signal of ours. */
static int spawn(const char *part, int out, pid_t *pid)
{
	char program[] = "/proc/self/exe", name[] = "zoolited", word[] = "--verify-part";
	char *file = mem_strdup(part);
	char *const arguments[] = { name, word, file, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int rc;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&actions, FIRST_INHERITED);
	if (rc == 0)
		rc = posix_spawn(pid, program, &actions, &attributes, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	mem_free(file);
	return rc;
}

static bool note_child(struct keeper *k, pid_t pid)
{
	bool is_ending;

	pthread_mutex_lock(&k->mutex);
	k->child = pid;
	is_ending = k->is_ending;
	pthread_mutex_unlock(&k->mutex);
	return is_ending;
}

/* All that it says, until it ends or its time is over. What is too much is read, too, since it
 * would wait for that, but not kept. */
static bool read_answer(struct keeper *k, int fd, char answer[MAX_ANSWER])
{
	int64_t deadline_ms = clock_exact_us() / 1000 + k->order.timeout_ms;
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	char beyond[512];
	size_t len = 0;
	ssize_t got;

	answer[0] = '\0';
	for (;;) {
		int64_t left_ms = deadline_ms - clock_exact_us() / 1000;

		if (left_ms <= 0)
			return false;
		if (poll(&poller, 1, left_ms > 1000 ? 1000 : (int)left_ms) <= 0)
			continue;
		if (len == MAX_ANSWER - 1) {
			got = read(fd, beyond, sizeof(beyond));
		} else {
			got = read(fd, answer + len, MAX_ANSWER - 1 - len);
			len += got > 0 ? (size_t)got : 0;
			answer[len] = '\0';
		}
		if (got <= 0)
			return true;
	}
}

/* What the first line that begins with that word says; false: there is none. */
static bool take_line(const char *answer, const char *word, char reason[STORE_REASON_LEN])
{
	size_t len = strlen(word);

	while (strncmp(answer, word, len) != 0) {
		answer = strchr(answer, '\n');
		if (answer == NULL)
			return false;
		answer++;
	}
	answer += len;
	(void)snprintf(reason, STORE_REASON_LEN, "%.*s", (int)strcspn(answer, "\n"), answer);
	return true;
}

static enum keeper_verdict judge(struct keeper *k, int status, const char *answer)
{
	struct keeper_result *r = &k->result;

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK && seal_parse(answer, &r->seal)) {
		r->seal.epoch = k->order.epoch;
		if (r->seal.zxid == k->order.zxid)
			return KEEPER_GOOD;
		(void)snprintf(r->reason, sizeof(r->reason),
			       "is not as of the zxid it was copied at");
		return KEEPER_BAD;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILED &&
	    take_line(answer, "bad: ", r->reason))
		return KEEPER_BAD;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNKNOWN &&
	    take_line(answer, "unknown: ", r->reason))
		return KEEPER_FAILED;
	(void)snprintf(r->reason, sizeof(r->reason), "the verification ended with %s %d",
		       WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return KEEPER_FAILED;
}

static enum keeper_verdict await(struct keeper *k, pid_t pid, int fd, char answer[MAX_ANSWER])
{
	bool is_in_time = read_answer(k, fd, answer);
	siginfo_t ended;
	int status = 0;

	if (!is_in_time)
		(void)kill(pid, SIGKILL);
	/* Its pid is its own until it is reaped, and by then nobody may know it who would kill it
	 * (keeper_free). */
	while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	(void)note_child(k, 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (is_in_time)
		return judge(k, status, answer);
	(void)snprintf(k->result.reason, sizeof(k->result.reason),
		       "the verification took too long (zoolite.snapshotTimeout)");
	return KEEPER_FAILED;
}

static enum keeper_verdict verify(struct keeper *k, const char *part)
{
	enum keeper_verdict verdict = KEEPER_FAILED;
	char *answer = mem_new(MAX_ANSWER);
	int pipe_fds[2], rc;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
		(void)snprintf(k->result.reason, sizeof(k->result.reason), "no pipe: %s",
			       strerror(errno));
		mem_free(answer);
		return KEEPER_FAILED;
	}
	rc = spawn(part, pipe_fds[1], &pid);
	close(pipe_fds[1]);
	if (rc != 0) {
		(void)snprintf(k->result.reason, sizeof(k->result.reason),
			       "no process to verify it: %s", strerror(rc));
	} else {
		/* Asked to end before there was somebody to end. */
		if (note_child(k, pid))
			(void)kill(pid, SIGKILL);
		verdict = await(k, pid, pipe_fds[0], answer);
	}
	close(pipe_fds[0]);
	mem_free(answer);
	return verdict;
}

/* ---- the thread ---- */

/* How many went, and how many are there. */
/* The one that was verified last, whatever its zxid: those of another registry may be higher. */
static size_t newest_of(const struct snapshot_file *list, size_t count)
{
	size_t newest = 0;

	for (size_t i = 1; i < count; i++)
		if (list[i].seal.time_ms >= list[newest].seal.time_ms)
			newest = i;
	return newest;
}

static unsigned remove_old(const struct keeper_order *o, unsigned *kept)
{
	int64_t now_ms = clock_wall_ms();
	struct snapshot_file *list;
	char reason[STORE_REASON_LEN];
	unsigned removed = 0;
	size_t count;

	if (snapshot_file_list(o->dir, &list, &count, reason) != 0)
		log_warn("snapshot.unlisted", LOG_TEXT("reason", reason));
	for (size_t i = 0; o->removes && i + o->keep < count; i++) {
		if (list[i].seal.time_ms + o->keep_ms > now_ms || i == newest_of(list, count))
			continue;
		snapshot_file_remove(&list[i]);
		removed++;
	}
	*kept = (unsigned)count - removed;
	snapshot_file_list_free(list, count);
	metrics_add(METRIC_snapshots_removed, removed);
	return removed;
}

static void *run(void *arg)
{
	struct keeper *k = arg;
	struct keeper_result *r = &k->result;
	int64_t began_us = clock_exact_us();
	char *part = snapshot_file_part(k->dir);

	r->verdict = k->order.only_removes ? KEEPER_REMOVED : verify(k, part);
	if (r->verdict == KEEPER_GOOD &&
	    snapshot_file_accept(k->dir, &r->seal, &r->path, r->reason) != 0)
		r->verdict = KEEPER_FAILED;
	if (r->verdict == KEEPER_BAD) {
		r->path = snapshot_file_bad_path(k->dir, k->order.zxid);
		snapshot_file_reject(k->dir, k->order.zxid);
	} else if (r->verdict == KEEPER_FAILED) {
		/* With what its verification left beside it: it must not look like one that is
		 * looked at still, and the next one will be another. */
		files_remove_database(part);
	}
	r->removed = remove_old(&k->order, &r->kept);
	r->took_ms = (clock_exact_us() - began_us) / 1000;
	mem_free(part);
	atomic_store(&k->is_done, true);
	if (eventfd_write(k->fd, 1) != 0)
		die("snapshot.keeper", "cannot tell the loop");
	return NULL;
}

void keeper_start(struct keeper *k, const struct keeper_order *o)
{
	k->is_busy = true;
	k->order = *o;
	mem_free(k->dir);
	k->order.dir = k->dir = mem_strdup(o->dir);
	k->result = (struct keeper_result){ 0 };
	atomic_store(&k->is_done, false);
	thread_start(&k->thread, "keeper", run, k);
}

bool keeper_take(struct keeper *k, struct keeper_result *out)
{
	eventfd_t count;

	if (!k->is_busy || !atomic_load(&k->is_done))
		return false;
	(void)eventfd_read(k->fd, &count);
	pthread_join(k->thread, NULL);
	k->is_busy = false;
	*out = k->result;
	return true;
}

void keeper_free(struct keeper *k)
{
	if (k == NULL)
		return;
	if (k->is_busy) {
		pthread_mutex_lock(&k->mutex);
		k->is_ending = true;
		if (k->child != 0)
			(void)kill(k->child, SIGKILL);
		pthread_mutex_unlock(&k->mutex);
		pthread_join(k->thread, NULL);
		mem_free(k->result.path);
	}
	pthread_mutex_destroy(&k->mutex);
	close(k->fd);
	mem_free(k->dir);
	mem_free(k);
}
