/* One call to the disk fails, or the disk is full from one call on: a child does a whole scenario
 * (two starts, changes, changes of segment, replay, checkpoints, pruning, reads, the change of the
 * tree's schema, stops), and the n-th call of it fails. The child may go on, refuse to start or end
 * itself; then, on a good disk, the store must open, hold all that was acknowledged, and be exactly
 * what it was at one of its changes. In CI every k-th n from a seed, with ZOOLITE_LONG every n.
 *
 * Arguments: a seed (none or 0: that of ZOOLITE_IO_SEED, else it is drawn; it is printed), and how
 * many n of each way to fail. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/files.h"
#include "store/store.h"
#include "store/vfs.h"
#include "tests/lib/effort.h"
#include "tests/lib/faultvfs.h"
#include "tests/lib/random.h"
#include "tests/lib/tmpdir.h"

enum {
	STARTS = 2,
	CHANGES = 120, /* of each start */
	NODES = 7,
	PER_TURN = 3,
	DATA_LEN = 300,
	WAIT_MS = 1500,
	UPGRADE_MS = 200,
	EXCHANGE_TURNS = 5,
	HANG_S = 60,
	RUNS = 80, /* of each way to fail, in CI */
	REFUSED = 3,
};

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

/* What both processes see. Change number k, from 1 on, sets znode k % NODES to k. */
struct shared {
	atomic_int acknowledged; /* this change and all before it were on disk, or in the tree */
	atomic_int appended;
	atomic_bool is_upgraded;
	_Atomic int64_t zxids[STARTS * CHANGES + 1];
	atomic_ulong calls;
	atomic_ulong failed;
	char name[32];
	char reason[STORE_REASON_LEN];
};

static struct shared *shared;
static struct audit_key *key;

/* ---- both sides ---- */

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

static void name_znode(int i, char out[16])
{
	(void)snprintf(out, 16, "/n%d", i);
}

static int open_store(struct store **s, const char *dir, char reason[STORE_REASON_LEN])
{
	struct store_options o;

	store_options_init(&o);
	o.data_dir = dir;
	o.segment_bytes = 8 * 1024;
	o.retention_bytes = 20 * 1024;
	o.replay_batch_rows = 20;
	o.replay_delay_ms = 0;
	o.tree_cache_kib = 64;
	o.audit_key = key;
	if (store_open(s, &o, reason) != 0)
		return -1;
	if (store_load(*s, &loader, reason) == 0)
		return 0;
	store_close(*s);
	return -1;
}

/* ---- the child ---- */

struct run {
	struct store *store;
	int64_t zxid, last;
};

static void append(struct run *r, int change)
{
	struct record_head head = { .zxid = ++r->zxid, .prev = r->last, .op = "setData" };
	struct record_znode z = { .columns = RECORD_ALL,
				  .acl = { acl_bytes, sizeof(acl_bytes) - 1 },
				  .czxid = 1,
				  .version = change };
	char path[16], data[DATA_LEN];
	struct buf body;

	name_znode(change % NODES, path);
	memset(data, change, sizeof(data));
	z.path = slice_of(path);
	z.data = (struct slice){ data, sizeof(data) };
	z.mzxid = head.zxid;
	buf_init(&body, 8192);
	if (record_put_znode(&body, &z) != 0)
		abort();
	atomic_store(&shared->zxids[change], head.zxid);
	atomic_store(&shared->appended, change);
	store_append(r->store, &head, buf_slice(&body));
	buf_fini(&body);
	r->last = head.zxid;
}

static void note_acknowledged(const struct run *r)
{
	int64_t shown = store_flushed(r->store), replayed = store_replayed(r->store);
	int change = atomic_load(&shared->acknowledged), end = atomic_load(&shared->appended);

	if (replayed > shown)
		shown = replayed;
	while (change < end && atomic_load(&shared->zxids[change + 1]) <= shown)
		change++;
	atomic_store(&shared->acknowledged, change);
}

static void end_turn(struct run *r)
{
	struct pollfd p = { store_wake_fd(r->store), POLLIN, 0 };

	store_end_turn(r->store);
	(void)poll(&p, 1, 1);
	store_wake(r->store);
	note_acknowledged(r);
}

/* A read that the disk spoils is an answer; one that shows something wrong is not. */
static void read_some(struct run *r, struct random *random)
{
	struct record_znode z;
	char path[16];

	name_znode((int)random_below(random, NODES), path);
	if (store_read_znode(r->store, slice_of(path), &z) != STORE_FOUND)
		return;
	for (size_t i = 0; i < z.data.len; i++)
		if (z.data.len != DATA_LEN || (uint8_t)z.data.data[i] != (uint8_t)z.version)
			_exit(9);
}

/* The tree follows, unless the disk keeps it from that. */
static void wait_for_tree(struct run *r)
{
	for (int i = 0; i < WAIT_MS && store_replayed(r->store) < r->last; i++)
		end_turn(r);
}

/* So does a newer one, which the core takes, and gives the old one back for. */
static void wait_for_version(struct run *r)
{
	for (int i = 0; i < UPGRADE_MS && store_tree_version(r->store) != DB_VERSION; i++)
		end_turn(r);
	for (int i = 0; i < EXCHANGE_TURNS; i++)
		end_turn(r);
	atomic_store(&shared->is_upgraded, store_tree_version(r->store) == DB_VERSION);
}

static void serve(struct run *r, struct random *random)
{
	int change = atomic_load(&shared->appended), end = change + CHANGES;

	while (change < end) {
		for (int i = 0; i < PER_TURN && change < end; i++)
			append(r, ++change);
		end_turn(r);
		read_some(r, random);
	}
	wait_for_tree(r);
	wait_for_version(r);
	store_close(r->store);
}

/* What the counters say must be there however the child ends. */
static void on_abort(int sig)
{
	const char *name = fault_name();

	(void)sig;
	atomic_store(&shared->calls, fault_calls());
	atomic_store(&shared->failed, fault_failed());
	(void)snprintf(shared->name, sizeof(shared->name), "%s", name != NULL ? name : "");
}

static void refuse(const char *reason)
{
	(void)snprintf(shared->reason, sizeof(shared->reason), "%s", reason);
	on_abort(0);
	_exit(REFUSED);
}

/* The tree says that it is of an older version: the next start has it to copy. Not where the stop
 * had to leave a -wal: closing it here would take that away, and the next start misses it. */
static void make_older(const char *dir)
{
	char *path = files_join(dir, "tree.db");
	sqlite3 *db = NULL;
	int rc;

	if (files_has_wal(path)) {
		mem_free(path);
		return;
	}
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, VFS_NAME);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL);
	sqlite3_close(db);
	mem_free(path);
	if (rc != SQLITE_OK)
		refuse("the tree cannot be made older");
}

static void scenario(const char *dir, struct random *random)
{
	char reason[STORE_REASON_LEN];
	struct run r = { 0 };

	for (int i = 0; i < STARTS; i++) {
		if (i == STARTS - 1)
			make_older(dir);
		if (open_store(&r.store, dir, reason) != 0)
			refuse(reason);
		r.last = store_last_zxid(r.store);
		r.zxid = store_begin(r.store);
		if (r.zxid < 0)
			refuse("there is no room for a segment");
		serve(&r, random);
	}
}

static void child(const char *dir, const struct fault_plan *plan, uint64_t seed)
{
	struct random random = { seed };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)dup2(null, STDERR_FILENO);
	(void)signal(SIGABRT, on_abort);
	(void)alarm(HANG_S);
	fault_use();
	fault_set(plan);
	scenario(dir, &random);
	on_abort(0);
	_exit(0);
}

/* ---- afterwards ---- */

static int last_change(int64_t zxid)
{
	int change = 0;

	for (int i = 1; i <= atomic_load(&shared->appended); i++)
		if (atomic_load(&shared->zxids[i]) == zxid)
			change = i;
	return change;
}

static int newest_of(int node, int change)
{
	while (change > 0 && change % NODES != node)
		change--;
	return change;
}

static int check_node(struct store *s, int node, int change)
{
	int version = newest_of(node, change);
	struct record_znode z;
	enum store_result got;
	char path[16];

	name_znode(node, path);
	got = store_read_znode(s, slice_of(path), &z);
	if (got == (version > 0 ? STORE_FOUND : STORE_ABSENT) &&
	    (got == STORE_ABSENT || (z.version == version && z.data.len == DATA_LEN &&
				     (uint8_t)z.data.data[0] == (uint8_t)version)))
		return 0;
	printf("%s is not as change %d left it\n", path, version);
	return -1;
}

static int check_all(struct store *s)
{
	int change = last_change(store_last_zxid(s));
	struct run r = { .store = s, .last = store_last_zxid(s) };
	int rc = 0;

	if (change < atomic_load(&shared->acknowledged)) {
		printf("change %d was acknowledged, the log ends at %d\n",
		       atomic_load(&shared->acknowledged), change);
		return -1;
	}
	(void)store_begin(s);
	for (int i = 0; i < HANG_S * 1000 && store_replayed(s) < r.last; i++)
		end_turn(&r);
	for (int node = 0; node < NODES && rc == 0; node++)
		rc = check_node(s, node, change);
	return rc;
}

static int check(const char *dir)
{
	char reason[STORE_REASON_LEN] = "";
	struct store *s;
	int rc;

	if (open_store(&s, dir, reason) != 0) {
		printf("refused on a good disk: %s\n", reason);
		return -1;
	}
	rc = check_all(s);
	store_close(s);
	return rc;
}

static bool is_good_end(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == REFUSED;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* 0: nothing was lost; -1: something was, or the child ended in no way that is one. */
static int run_one(const char *top, const struct fault_plan *plan, uint64_t seed)
{
	char dir[4096];
	int status, rc = 0;
	bool lost;
	pid_t pid;

	(void)snprintf(dir, sizeof(dir), "%s/data", top);
	memset(shared, 0, sizeof(*shared));
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(dir, plan, seed);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (!is_good_end(status)) {
		printf("the process ended with status 0x%x\n", (unsigned)status);
		rc = -1;
	}
	lost = check(dir) != 0;
	tmpdir_remove_tree(dir);
	if (rc != 0 || lost)
		printf("%s%s %s call %lu (%s) failed, seed %" PRIu64 "\n", lost ? "LOST in " : "",
		       plan->error == FAULT_FULL ? "full:" : "I/O error:",
		       plan->from_then_on ? "from" : "once", plan->at, shared->name, seed);
	return lost ? -1 : rc;
}

static int run_way(const char *top, struct fault_plan plan, unsigned long runs, struct random *r)
{
	unsigned long step = 1, done = 0, calls;

	plan.at = 0;
	if (run_one(top, &plan, random_next(r)) != 0)
		return -1;
	calls = atomic_load(&shared->calls);
	if (atomic_load(&shared->acknowledged) != STARTS * CHANGES ||
	    !atomic_load(&shared->is_upgraded)) {
		printf("without a fault it does not get through: %s\n", shared->reason);
		return -1;
	}
	if (runs > 0 && calls > runs)
		step = calls / runs;
	for (plan.at = 1 + random_below(r, (uint32_t)step); plan.at <= calls; plan.at += step) {
		if (run_one(top, &plan, random_next(r)) != 0)
			return -1;
		done++;
	}
	printf("%s, %s: %lu of some %lu calls failed, nothing lost\n",
	       plan.error == FAULT_FULL ? "full" : "I/O error",
	       plan.from_then_on ? "from then on" : "once", done, calls);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct fault_plan ways[] = {
		{ FAULT_IO, 0, false },
		{ FAULT_FULL, 0, false },
		{ FAULT_FULL, 0, true },
		{ FAULT_IO, 0, true },
	};
	struct random random = { random_seed(argc > 1 ? argv[1] : NULL, "ZOOLITE_IO_SEED") };
	unsigned long runs = effort_is_long() ? ULONG_MAX : effort_of(RUNS, 1);
	char *top = tmpdir_make();
	int rc = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		abort();
	key = audit_key_new((const uint8_t *)"0123456789abcdef0123456789abcdef");
	if (argc > 2)
		runs = strtoul(argv[2], NULL, 10);
	printf("seed %" PRIu64 " (ZOOLITE_IO_SEED)\n", random.state);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways) && rc == 0; i++)
		rc = run_way(top, ways[i], runs, &random);
	audit_key_free(key);
	tmpdir_remove(top);
	return rc == 0 ? 0 : 1;
}
