/* A data directory founded on a tree: the store serves it, and nothing is served half done. */
#include "store/found.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/rows.h"
#include "store/segment.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

/* A zxid of ZooKeeper's: its epochs are elections. */
#define ZXID INT64_C(0x500000007)

struct fixture {
	char *top;
	char *dir;
	char *log_dir; /* NULL: dir */
	struct found *found;
	struct store *store;
	unsigned loaded; /* sessions, ephemerals and changes that the loader was given */
	char reason[STORE_REASON_LEN];
};

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->top = tmpdir_make();
	f->dir = files_join(f->top, "data");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	found_close(f->found);
	store_close(f->store);
	clock_fake_stop();
	mem_free(f->log_dir);
	mem_free(f->dir);
	tmpdir_remove(f->top);
	mem_free(f);
	return 0;
}

/* ---- steps ---- */

static void put_znode(struct rows *r, const char *path, int64_t owner)
{
	const struct record_znode z = { .path = slice_of(path),
					.columns = RECORD_ALL,
					.czxid = 3,
					.owner = owner,
					.data = slice_of("data"),
					.mzxid = 3,
					.acl = { acl_bytes, sizeof(acl_bytes) - 1 },
					.pzxid = 3,
					.creates = 4,
					.num_children = 1 };

	rows_put_znode(r, &z, false);
}

static void write_tree(struct fixture *f, int64_t zxid)
{
	const struct record_session s = { .id = 77, .open = true, .timeout_ms = 9000 };
	struct rows *r;

	assert_int_equal(rows_open(&r, found_part(f->found), DB_WRITE, 1024, true, f->reason), 0);
	rows_begin(r);
	put_znode(r, "/", 0);
	put_znode(r, "/a", 0);
	put_znode(r, "/e", 77);
	rows_put_session(r, &s);
	rows_commit(r, zxid);
	rows_close(r, false);
}

static void open_found(struct fixture *f)
{
	if (found_open(&f->found, f->dir, f->log_dir, f->reason) != 0)
		fail_msg("%s", f->reason);
}

static void close_found(struct fixture *f)
{
	found_close(f->found);
	f->found = NULL;
}

static void found_tree(struct fixture *f, int64_t zxid, uint32_t epoch)
{
	open_found(f);
	assert_int_equal(found_check_unused(f->found, f->reason), 0);
	write_tree(f, zxid);
	if (found_finish(f->found, epoch, f->reason) != 0)
		fail_msg("%s", f->reason);
	close_found(f);
}

static void load_session(void *ctx, const struct record_session *s)
{
	struct fixture *f = ctx;

	assert_int_equal(s->id, 77);
	assert_int_equal(s->timeout_ms, 9000);
	f->loaded++;
}

static void load_ephemeral(void *ctx, const struct record_znode *z)
{
	struct fixture *f = ctx;

	assert_true(slice_is(z->path, "/e"));
	f->loaded++;
}

static void load_change(void *ctx, const struct record_head *head, struct slice body)
{
	(void)ctx;
	(void)head;
	(void)body;
	fail_msg("a log without a row gave one");
}

static int open_store(struct fixture *f)
{
	struct store_options o;

	store_options_init(&o);
	o.data_dir = f->dir;
	o.log_dir = f->log_dir;
	o.replay_delay_ms = 0;
	return store_open(&f->store, &o, f->reason);
}

/* Returns the zxid before the first of this run. */
static int64_t start(struct fixture *f)
{
	const struct store_loader l = { f, load_session, load_ephemeral, load_change };

	f->loaded = 0;
	if (open_store(f) != 0 || store_load(f->store, &l, f->reason) != 0)
		fail_msg("%s", f->reason);
	return store_begin(f->store);
}

static void stop(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static void assert_refused_start(struct fixture *f, const char *part)
{
	assert_true(open_store(f) < 0);
	if (strstr(f->reason, part) == NULL)
		fail_msg("refused with: %s", f->reason);
}

static char *in(const struct fixture *f, const char *name)
{
	return files_join(f->dir, name);
}

static bool exists(const struct fixture *f, const char *name)
{
	char *path = in(f, name);
	bool there = access(path, F_OK) == 0;

	mem_free(path);
	return there;
}

static void move(const struct fixture *f, const char *from, const char *to)
{
	char *a = in(f, from), *b = in(f, to);

	assert_int_equal(rename(a, b), 0);
	mem_free(a);
	mem_free(b);
}

static void append_change(struct fixture *f, int64_t zxid, int64_t prev)
{
	const struct record_head head = { .zxid = zxid,
					  .prev = prev,
					  .op = "sync",
					  .path = slice_of("/a") };

	store_append(f->store, &head, slice_of(""));
	store_end_turn(f->store);
	while (store_replayed(f->store) < zxid) {
		struct pollfd p = { store_wake_fd(f->store), POLLIN, 0 };

		assert_int_equal(poll(&p, 1, 20000), 1);
		store_wake(f->store);
		store_end_turn(f->store);
	}
}

/* ---- tests ---- */

static void test_the_store_serves_it(void **state)
{
	struct fixture *f = *state;
	struct record_znode z;
	int64_t zxid;

	found_tree(f, ZXID, 0);
	assert_false(exists(f, "tree.db.part"));
	assert_false(exists(f, "tree.db-wal"));
	zxid = start(f);
	assert_int_equal(f->loaded, 2);
	assert_true(zxid > ZXID);
	assert_int_equal(store_last_zxid(f->store), ZXID);
	assert_int_equal(store_znode_count(f->store), 2);
	assert_int_equal(store_read_znode(f->store, slice_of("/a"), &z), STORE_FOUND);
	assert_int_equal(z.creates, 4);
	append_change(f, zxid + 1, ZXID);
	stop(f);
	assert_true(start(f) > zxid);
	assert_int_equal(store_last_zxid(f->store), zxid + 1);
}

/* Also where no start came to anything. */
static void test_starts_follow_each_other(void **state)
{
	struct fixture *f = *state;
	int64_t before, zxid;

	found_tree(f, 0, 0);
	before = start(f);
	stop(f);
	zxid = start(f);
	assert_true(zxid > before);
	assert_int_equal(store_last_zxid(f->store), 0);
}

static void test_epoch(void **state)
{
	struct fixture *f = *state;

	clock_fake_start(0, 0); /* one that is not believed */
	found_tree(f, ZXID, 0x123456);
	assert_int_equal(start(f) >> 32, 0x123457);
	stop(f);
	tmpdir_remove_tree(f->dir);
	found_tree(f, ZXID, 2);
	assert_int_equal(start(f) >> 32, 6);
}

static void test_no_epoch_left(void **state)
{
	static const int64_t zxids[] = { -1, INT64_C(0x7fffffff00000000) };
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		open_found(f);
		write_tree(f, zxids[i]);
		assert_int_equal(found_finish(f->found, 0, f->reason), -1);
		assert_non_null(strstr(f->reason, "no epoch left"));
		close_found(f);
		assert_false(exists(f, "tree.db.part"));
		assert_false(exists(f, "log/0000000001.db"));
	}
}

static void read_ids(const char *dir, uint8_t tree[DATABASE_ID_LEN], uint8_t log[DATABASE_ID_LEN])
{
	char *path = files_join(dir, "tree.db"), *log_dir = files_join(dir, "log");
	char reason[STORE_REASON_LEN];
	struct segment *g;
	struct rows *r;

	assert_int_equal(rows_open(&r, path, DB_WRITE, 1024, false, reason), 0);
	assert_int_equal(segment_open(&g, log_dir, 1, reason), 0);
	memcpy(tree, rows_meta(r)->database, DATABASE_ID_LEN);
	memcpy(log, g->database, DATABASE_ID_LEN);
	segment_close(g, false);
	rows_close(r, false);
	mem_free(log_dir);
	mem_free(path);
}

/* Two that are founded on one file are two: the log of the one does not fit the other. */
static void test_each_has_its_own_id(void **state)
{
	struct fixture *f = *state;
	uint8_t tree[2][DATABASE_ID_LEN], log[2][DATABASE_ID_LEN];
	char *before = files_join(f->top, "before"), *from = files_join(before, "tree.db");

	found_tree(f, ZXID, 0);
	assert_int_equal(rename(f->dir, before), 0);
	read_ids(before, tree[0], log[0]);
	open_found(f);
	assert_int_equal(link(from, found_part(f->found)), 0);
	assert_int_equal(found_finish(f->found, 0, f->reason), 0);
	close_found(f);
	read_ids(f->dir, tree[1], log[1]);
	for (size_t i = 0; i < 2; i++)
		assert_memory_equal(tree[i], log[i], DATABASE_ID_LEN);
	assert_memory_not_equal(log[0], log[1], DATABASE_ID_LEN);
	mem_free(from);
	mem_free(before);
	assert_true(start(f) > ZXID);
}

static void test_refused_where_something_is(void **state)
{
	struct fixture *f = *state;

	found_tree(f, ZXID, 0);
	open_found(f);
	assert_int_equal(found_check_unused(f->found, f->reason), -1);
	assert_non_null(strstr(f->reason, "tree.db: there is a registry already"));
	write_tree(f, ZXID);
	assert_int_equal(found_finish(f->found, 0, f->reason), -1);
	close_found(f);
	assert_true(start(f) > ZXID);
	stop(f);
	move(f, "tree.db", "elsewhere.db");
	open_found(f);
	assert_int_equal(found_check_unused(f->found, f->reason), -1);
	assert_non_null(strstr(f->reason, "log: there is a log already"));
}

static void test_refused_while_a_server_runs(void **state)
{
	struct fixture *f = *state;

	found_tree(f, ZXID, 0);
	(void)start(f);
	assert_int_equal(found_open(&f->found, f->dir, NULL, f->reason), -1);
	assert_non_null(strstr(f->reason, "another server uses this directory"));
}

/* It would name files that are none of this registry's. */
static void test_the_mark_of_one_before_goes(void **state)
{
	struct fixture *f = *state;
	int64_t zxid;

	found_tree(f, ZXID, 0);
	zxid = start(f);
	append_change(f, zxid + 1, ZXID);
	stop(f);
	assert_true(exists(f, "state"));
	move(f, "tree.db", "tree-before.db");
	move(f, "log", "log-before");
	found_tree(f, ZXID, 0);
	assert_false(exists(f, "state"));
	assert_true(start(f) > ZXID);
}

/* What root founds is for the server's user. */
static void test_whose_it_is(void **state)
{
	static const char *const names[] = { "", "lock", "log", "log/0000000001.db", "tree.db" };
	struct fixture *f = *state;
	uid_t uid = geteuid() == 0 ? 12345 : geteuid();
	gid_t gid = geteuid() == 0 ? 23456 : getegid();

	open_found(f);
	write_tree(f, ZXID);
	found_set_owner(f->found, uid, gid);
	assert_int_equal(found_finish(f->found, 0, f->reason), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *path = in(f, names[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, uid);
		assert_int_equal(st.st_gid, gid);
		mem_free(path);
	}
}

static uid_t owner_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_uid;
}

/* A directory that others use, too, is not the registry's to give away. */
static void test_whose_the_directory_of_the_log_is(void **state)
{
	struct fixture *f = *state;
	uid_t uid = geteuid() == 0 ? 12345 : geteuid();

	for (int shared = 0; shared < 2; shared++) {
		char *foreign, *log;

		f->log_dir = files_join(f->top, shared ? "shared" : "logs");
		/* A file system of its own has one of these. */
		foreign = files_join(f->log_dir, shared ? "foreign" : "lost+found");
		log = files_join(f->log_dir, "log");
		assert_int_equal(mkdir(f->log_dir, 0755), 0);
		assert_int_equal(mkdir(foreign, 0755), 0);
		open_found(f);
		write_tree(f, ZXID);
		found_set_owner(f->found, uid, (gid_t)-1);
		assert_int_equal(found_finish(f->found, 0, f->reason), 0);
		close_found(f);
		assert_int_equal(owner_of(f->log_dir), shared ? geteuid() : uid);
		assert_int_equal(owner_of(log), uid);
		tmpdir_remove_tree(f->dir);
		mem_free(foreign);
		mem_free(log);
		mem_free(f->log_dir);
	}
	f->log_dir = NULL;
}

static void test_log_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char *log;

	f->log_dir = files_join(f->top, "logs");
	found_tree(f, ZXID, 0);
	assert_false(exists(f, "log"));
	log = files_join(f->log_dir, "log/0000000001.db");
	assert_int_equal(stat(log, &st), 0);
	mem_free(log);
	assert_true(start(f) > ZXID);
}

/* ---- cut short ---- */

static void test_a_part_is_no_registry(void **state)
{
	struct fixture *f = *state;
	char *part;

	open_found(f);
	write_tree(f, ZXID);
	part = mem_strdup(found_part(f->found));
	assert_int_equal(access(part, F_OK), 0);
	close_found(f);
	assert_int_not_equal(access(part, F_OK), 0);
	mem_free(part);
	/* Given up: whoever starts begins an empty one. */
	assert_true(start(f) > 0);
	assert_int_equal(f->loaded, 0);
}

/* Before there was a log: no start takes that for an empty registry. */
static void test_killed_with_a_part(void **state)
{
	struct fixture *f = *state;

	found_tree(f, ZXID, 0);
	move(f, "tree.db", "tree.db.part");
	move(f, "log", "log-before");
	assert_refused_start(f,
			     "tree.db.part: the import or the restore that made it was cut short");
	found_tree(f, ZXID, 0);
	assert_true(start(f) > ZXID);
}

/* Between the log and the rename: refused by a start, done anew by the next founding. */
static void test_killed_before_the_rename(void **state)
{
	struct fixture *f = *state;

	found_tree(f, ZXID, 0);
	move(f, "tree.db", "tree.db.part");
	assert_refused_start(f, "was cut short: repeat it, or remove this file");
	open_found(f);
	assert_int_equal(found_check_unused(f->found, f->reason), 0);
	close_found(f);
	found_tree(f, ZXID + 1, 0);
	assert_true(start(f) > ZXID);
	assert_int_equal(store_last_zxid(f->store), ZXID + 1);
}

/* All was there but the name, which could not be had. */
static void test_a_log_begun_in_vain(void **state)
{
	struct fixture *f = *state;
	char *in_the_way = in(f, "state");

	open_found(f);
	write_tree(f, ZXID);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	assert_int_equal(found_finish(f->found, 0, f->reason), -1);
	assert_non_null(strstr(f->reason, "state: cannot be removed"));
	close_found(f);
	assert_false(exists(f, "log/0000000001.db"));
	assert_false(exists(f, "tree.db.part"));
	assert_int_equal(rmdir(in_the_way), 0);
	mem_free(in_the_way);
	found_tree(f, ZXID, 0);
	assert_true(start(f) > ZXID);
}

/* A log of another tree is none of ours to remove. */
static void test_a_part_beside_a_foreign_log(void **state)
{
	struct fixture *f = *state;

	found_tree(f, ZXID, 0);
	move(f, "log", "log-before");
	move(f, "tree.db", "tree-before.db");
	found_tree(f, ZXID, 0);
	move(f, "tree.db", "tree-lost.db");
	move(f, "tree-before.db", "tree.db.part");
	open_found(f);
	assert_int_equal(found_check_unused(f->found, f->reason), -1);
	assert_true(exists(f, "log/0000000001.db"));
	assert_false(exists(f, "tree.db.part"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_store_serves_it),
		TEST(test_starts_follow_each_other),
		TEST(test_epoch),
		TEST(test_no_epoch_left),
		TEST(test_each_has_its_own_id),
		TEST(test_refused_where_something_is),
		TEST(test_refused_while_a_server_runs),
		TEST(test_the_mark_of_one_before_goes),
		TEST(test_whose_it_is),
		TEST(test_whose_the_directory_of_the_log_is),
		TEST(test_log_elsewhere),
		TEST(test_a_part_is_no_registry),
		TEST(test_killed_with_a_part),
		TEST(test_killed_before_the_rename),
		TEST(test_a_log_begun_in_vain),
		TEST(test_a_part_beside_a_foreign_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
