/* A start is killed at each of its steps, the first one on a fresh directory and a later one; the
 * next start finds what the kernel still has, serves and acknowledges changes; then the power goes
 * off. What the killed one had made and not synced must be on disk by then: directories, tree.db,
 * the log.
 *
 * Argument: the number of power cuts after each kill. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/store.h"
#include "tests/lib/tmpdir.h"
#include "tests/lib/tracevfs.h"

enum { CUTS = 4, CHANGES = 5, WAIT_MS = 20000 };

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

struct run {
	struct store *store;
	int64_t zxid;
	int64_t last;
};

static void ignore_session(void *ctx, const struct record_session *s)
{
	(void)ctx;
	(void)s;
}

static void ignore_znode(void *ctx, const struct record_znode *z)
{
	(void)ctx;
	(void)z;
}

static void ignore_change(void *ctx, const struct record_head *head, struct slice body)
{
	(void)ctx;
	(void)head;
	(void)body;
}

static const struct store_loader loader = { NULL, ignore_session, ignore_znode, ignore_change };

/* The log is elsewhere, some levels down, for all these names may be lost too. */
static int open_store(struct run *r, const char *top, char reason[STORE_REASON_LEN])
{
	char *data = files_join(top, "a/data"), *log = files_join(top, "b/c/log");
	struct store_options o;
	int rc;

	store_options_init(&o);
	o.data_dir = data;
	o.log_dir = log;
	o.replay_delay_ms = 0;
	o.tree_cache_kib = 256;
	rc = store_open(&r->store, &o, reason);
	if (rc == 0 && store_load(r->store, &loader, reason) != 0) {
		store_close(r->store);
		rc = -1;
	}
	mem_free(data);
	mem_free(log);
	return rc;
}

static void start(struct run *r, const char *top)
{
	char reason[STORE_REASON_LEN];

	if (open_store(r, top, reason) != 0) {
		fprintf(stderr, "cannot start: %s\n", reason);
		exit(1);
	}
	r->last = store_last_zxid(r->store);
	r->zxid = store_begin(r->store);
}

static void append(struct run *r)
{
	struct record_head head = { .zxid = ++r->zxid, .prev = r->last, .op = "create" };
	struct record_znode z = { .columns = RECORD_ALL,
				  .acl = { acl_bytes, sizeof(acl_bytes) - 1 },
				  .czxid = r->zxid };
	struct buf body;
	char path[32];

	(void)snprintf(path, sizeof(path), "/n%llx", (unsigned long long)r->zxid);
	z.path = slice_of(path);
	buf_init(&body, 4096);
	if (record_put_znode(&body, &z) != 0)
		abort();
	store_append(r->store, &head, buf_slice(&body));
	buf_fini(&body);
	r->last = head.zxid;
}

/* All that was appended is on disk and in the tree. */
static void wait_for_all(struct run *r)
{
	store_end_turn(r->store);
	for (int i = 0; store_replayed(r->store) < r->last; i++) {
		struct pollfd p = { store_wake_fd(r->store), POLLIN, 0 };

		if (i == WAIT_MS) {
			fprintf(stderr, "the store stands still\n");
			abort();
		}
		(void)poll(&p, 1, 1);
		store_wake(r->store);
		store_end_turn(r->store);
	}
}

static void serve(struct run *r, const char *top)
{
	start(r, top);
	for (int i = 0; i < CHANGES; i++)
		append(r);
	wait_for_all(r);
}

/* What a cut leaves must open, and have all that was acknowledged. */
static int check(const struct trace *t, size_t cut, uint64_t seed, int64_t acknowledged,
		 const char *top)
{
	char *dir = files_join(top, "cut"), reason[STORE_REASON_LEN] = "";
	struct trace *quiet;
	struct run r = { 0 };
	int rc = -1;

	trace_materialise(t, cut, seed, dir);
	quiet = trace_start(dir, 0, 0);
	if (open_store(&r, dir, reason) == 0) {
		if (store_last_zxid(r.store) >= acknowledged)
			rc = 0;
		else
			(void)snprintf(reason, sizeof(reason), "the log ends at 0x%llx",
				       (unsigned long long)store_last_zxid(r.store));
		store_close(r.store);
	}
	trace_stop(quiet);
	trace_free(quiet);
	tmpdir_remove_tree(dir);
	mem_free(dir);
	if (rc != 0)
		printf("LOST: 0x%llx was acknowledged; %s\n", (unsigned long long)acknowledged,
		       reason);
	return rc;
}

/* Kill the start at its event number at. 1: it had fewer. */
static int kill_start(const char *top, bool first, size_t at, unsigned long cuts)
{
	char *dir = files_join(top, "store");
	struct run r = { 0 };
	struct trace *t;
	bool killed;
	size_t cut;
	int rc = 0;

	if (mkdir(dir, 0700) != 0)
		abort();
	t = trace_start(dir, at, 0);
	if (!first) {
		serve(&r, dir);
		store_close(r.store);
	}
	trace_kill_at(t, trace_length(t) + at);
	start(&r, dir);
	killed = trace_is_killed(t);
	store_close(r.store);
	if (trace_is_killed(t))
		trace_revive(t);
	serve(&r, dir);
	cut = trace_length(t);
	store_close(r.store);
	trace_stop(t);
	for (unsigned long i = 0; killed && rc == 0 && i < cuts; i++)
		rc = check(t, cut, at * cuts + i, r.last, top);
	if (rc != 0)
		printf("the %s start was killed at its event %zu\n", first ? "first" : "second",
		       at);
	trace_free(t);
	tmpdir_remove_tree(dir);
	mem_free(dir);
	return rc != 0 ? -1 : !killed;
}

int main(int argc, char **argv)
{
	unsigned long cuts = argc > 1 ? strtoul(argv[1], NULL, 10) : CUTS;
	char *top = tmpdir_make();
	int rc = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	for (int which = 0; which < 2 && rc >= 0; which++) {
		size_t at = 1;

		while ((rc = kill_start(top, which == 0, at, cuts)) == 0)
			at++;
		if (rc > 0)
			printf("the %s start: nothing lost after %zu kills\n",
			       which == 0 ? "first" : "second", at - 1);
	}
	tmpdir_remove(top);
	return rc < 0;
}
