/* The change of a tree to the newest version of its schema under a store that works. What older
 * programs left is in tests/fault/test_upgrade.py; here a tree of this program says that it is
 * older. */
#include "store/upgrade.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/files.h"
#include "store/marker.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

enum { ZNODES = 40, OWNER = 77, POLL_MS = 5, DEADLINE_MS = 20000 };

struct fixture {
	char *dir;
	char *tree, *next, *old;
	struct store_options o;
	struct store *store;
	struct buf body;
	int64_t zxid, last;
	unsigned sessions, ephemerals; /* that the loader was given */
};

static void run(struct fixture *f);
static void stop(struct fixture *f);
static void grow(struct fixture *f);
static void make_older(struct fixture *f, const char *more);

/* A registry of some znodes, stopped, whose tree says version 1. */
static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->dir = tmpdir_make();
	f->tree = files_join(f->dir, "tree.db");
	f->next = files_join(f->dir, "tree.db.next");
	f->old = files_join(f->dir, "tree-1.db");
	store_options_init(&f->o);
	f->o.data_dir = f->dir;
	f->o.replay_delay_ms = 0;
	f->o.tree_cache_kib = 1024;
	f->o.upgrade_rows = 3;
	buf_init(&f->body, 1 << 20);
	run(f);
	grow(f);
	stop(f);
	make_older(f, "");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	vfs_replace(NULL, NULL);
	buf_fini(&f->body);
	mem_free(f->tree);
	mem_free(f->next);
	mem_free(f->old);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

/* ---- steps ---- */

static void load_session(void *ctx, const struct record_session *s)
{
	struct fixture *f = ctx;

	f->sessions += s->open;
}

static void load_ephemeral(void *ctx, const struct record_znode *z)
{
	struct fixture *f = ctx;

	f->ephemerals += z->owner == OWNER;
}

static void load_change(void *ctx, const struct record_head *h, struct slice body)
{
	(void)ctx;
	(void)h;
	(void)body;
}

static void run(struct fixture *f)
{
	const struct store_loader l = { f, load_session, load_ephemeral, load_change };
	char reason[STORE_REASON_LEN] = "";

	f->sessions = f->ephemerals = 0;
	if (store_open(&f->store, &f->o, reason) != 0 || store_load(f->store, &l, reason) != 0)
		fail_msg("%s", reason);
	f->last = store_last_zxid(f->store);
	f->zxid = store_begin(f->store);
}

static void stop(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static void append(struct fixture *f)
{
	const struct record_head head = { .zxid = ++f->zxid, .prev = f->last, .op = "create" };

	store_append(f->store, &head, buf_slice(&f->body));
	f->last = f->zxid;
	buf_clear(&f->body);
}

static void put_znode(struct fixture *f, const char *path, int64_t owner, const char *data)
{
	const struct record_znode z = { .path = slice_of(path),
					.columns = data != NULL ? RECORD_ALL : 0,
					.owner = owner,
					.data = slice_of(data != NULL ? data : ""),
					.acl = { acl_bytes, sizeof(acl_bytes) - 1 } };

	assert_int_equal(record_put_znode(&f->body, &z), 0);
	append(f);
}

static void turn(struct fixture *f)
{
	struct pollfd p = { store_wake_fd(f->store), POLLIN, 0 };

	(void)poll(&p, 1, POLL_MS);
	store_wake(f->store);
	store_end_turn(f->store);
}

static void path_of(int i, char out[32])
{
	(void)snprintf(out, 32, "/n%02d", i);
}

static void replay(struct fixture *f)
{
	while (store_replayed(f->store) < f->last)
		turn(f);
}

static void grow(struct fixture *f)
{
	const struct record_session s = { .id = OWNER, .open = true, .timeout_ms = 1000 };
	char path[32];

	assert_int_equal(record_put_session(&f->body, &s), 0);
	append(f);
	put_znode(f, "/", 0, "root");
	put_znode(f, "/mine", OWNER, "");
	for (int i = 0; i < ZNODES; i++) {
		path_of(i, path);
		put_znode(f, path, 0, "first");
	}
	replay(f);
}

static void edit(const char *path, const char *sql)
{
	sqlite3 *db;

	vfs_register();
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, VFS_NAME), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_older(struct fixture *f, const char *more)
{
	edit(f->tree, "PRAGMA user_version = 1");
	if (*more != '\0')
		edit(f->tree, more);
}

static int64_t ask(const char *path, const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t v;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, VFS_NAME), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	v = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return v;
}

static bool has_file(const char *path)
{
	return access(path, F_OK) == 0;
}

static void wait_for_version(struct fixture *f, int version)
{
	for (int ms = 0; store_tree_version(f->store) != version; ms += POLL_MS) {
		assert_true(ms < DEADLINE_MS);
		turn(f);
	}
}

/* Without a turn of the core: what it is offered it does not take. */
static void wait_until_offered(struct fixture *f)
{
	for (int ms = 0; store_upgrade_left(f->store) > 0 || files_has_wal(f->next);
	     ms += POLL_MS) {
		assert_true(ms < DEADLINE_MS);
		usleep(POLL_MS * 1000);
	}
}

static void assert_data(struct fixture *f, const char *path, const char *data)
{
	enum store_result want = data != NULL ? STORE_FOUND : STORE_ABSENT;
	struct record_znode z;

	assert_int_equal(store_read_znode(f->store, slice_of(path), &z), want);
	if (data != NULL)
		assert_true(slice_is(z.data, data));
}

static void assert_whole(struct fixture *f)
{
	char path[32];

	for (int i = 0; i < ZNODES; i++) {
		path_of(i, path);
		assert_data(f, path, "first");
	}
	assert_data(f, "/", "root");
	assert_int_equal(store_znode_count(f->store), ZNODES + 1);
	assert_int_equal(f->sessions, 1);
	assert_int_equal(f->ephemerals, 1);
}

/* ---- tests ---- */

static void test_under_work(void **state)
{
	struct fixture *f = *state;

	run(f);
	assert_int_equal(store_tree_version(f->store), 1);
	assert_true(store_upgrade_left(f->store) > 0);
	assert_whole(f);
	/* In front of what is copied, behind it, and where that is just then. */
	for (int i = 0; store_tree_version(f->store) == 1; i++) {
		char path[32];

		assert_true(i < DEADLINE_MS / POLL_MS);
		(void)snprintf(path, sizeof(path), "/n%02d-%d", i % ZNODES, i);
		put_znode(f, path, 0, "late");
		put_znode(f, "/a", 0, i % 2 == 0 ? "x" : NULL);
		put_znode(f, "/z", 0, i % 2 == 0 ? NULL : "y");
		turn(f);
	}
	put_znode(f, "/a", 0, "x");
	put_znode(f, "/z", 0, NULL);
	replay(f);
	assert_data(f, "/a", "x");
	assert_data(f, "/z", NULL);
	assert_data(f, "/n00-0", "late");
	assert_int_equal(store_upgrade_left(f->store), 0);
	stop(f);
	assert_int_equal(ask(f->tree, "PRAGMA user_version"), 2);
	assert_int_equal(ask(f->tree, "SELECT value FROM meta WHERE key = 'znodes'"),
			 ask(f->tree, "SELECT count(*) FROM znode WHERE owner <= 0"));
	assert_int_equal(ask(f->tree, "SELECT count(*) FROM meta"), 3);
	assert_int_equal(ask(f->tree, "SELECT sum(znodes) FROM acl"),
			 ask(f->tree, "SELECT count(*) FROM znode"));
	assert_int_equal(ask(f->old, "PRAGMA user_version"), 1);
	assert_false(has_file(f->next));
	run(f);
	assert_int_equal(store_tree_version(f->store), 2);
	assert_data(f, "/a", "x");
}

static void test_stopped_before_the_core_took_it(void **state)
{
	struct fixture *f = *state;

	run(f);
	wait_until_offered(f);
	stop(f);
	assert_int_equal(ask(f->tree, "PRAGMA user_version"), 1);
	run(f);
	assert_whole(f);
	wait_for_version(f, 2);
	assert_whole(f);
}

/* The core has the copy that is about to lose its name, or is not told yet that it did. */
static void test_stopped_in_between(void **state)
{
	struct fixture *f = *state;

	run(f);
	for (int ms = 0; !has_file(f->old); ms += POLL_MS) {
		assert_true(ms < DEADLINE_MS);
		turn(f);
	}
	assert_whole(f);
	stop(f);
	assert_int_equal(ask(f->tree, "PRAGMA user_version"), 2);
	run(f);
	assert_int_equal(store_tree_version(f->store), 2);
	assert_whole(f);
}

/* Part of a copy, as of the same zxid; and what the next start says it has of it. */
static void leave_part(struct fixture *f)
{
	run(f);
	wait_until_offered(f);
	stop(f);
	edit(f->next,
	     "DELETE FROM znode WHERE name > 'n20'; INSERT INTO meta VALUES ('partial', 1); "
	     "UPDATE meta SET value = (SELECT count(*) FROM znode WHERE owner <= 0) "
	     "WHERE key = 'znodes'; UPDATE acl SET znodes = (SELECT count(*) FROM znode)");
}

static void assert_goes_on_from(struct fixture *f, const char *copied)
{
	struct capture capture;
	char said[4096];

	log_set_level(LOG_LEVEL_INFO);
	capture_begin(&capture);
	run(f);
	wait_for_version(f, 2);
	(void)capture_end(&capture, said, sizeof(said));
	assert_non_null(strstr(said, "event=store.upgrade_begun"));
	assert_non_null(strstr(said, copied));
	assert_whole(f);
}

static void test_goes_on_where_it_was(void **state)
{
	leave_part(*state);
	assert_goes_on_from(*state, "copied=22");
}

/* What the tree took meanwhile is not in a copy of another zxid. */
static void test_begins_again_where_the_tree_went_on(void **state)
{
	struct fixture *f = *state;

	leave_part(f);
	edit(f->next, "UPDATE meta SET value = value - 1 WHERE key = 'zxid'");
	assert_goes_on_from(f, "copied=0");
}

/* After a disk error nobody knows what of it is on disk; and the copy may be what met it, so there
 * is a run without. */
static void test_begins_again_after_a_disk_error(void **state)
{
	struct fixture *f = *state;
	char reason[STORE_REASON_LEN], said[4096];
	struct capture capture;
	struct marker *m;

	leave_part(f);
	log_set_level(LOG_LEVEL_WARN);
	assert_int_equal(marker_open(&m, f->dir, reason), 0);
	marker_note_error(m, "store.sync_failed");
	marker_close(m);
	capture_begin(&capture);
	run(f);
	put_znode(f, "/after", 0, "x");
	replay(f);
	assert_data(f, "/after", "x");
	put_znode(f, "/after", 0, NULL);
	replay(f);
	stop(f);
	(void)capture_end(&capture, said, sizeof(said));
	assert_non_null(strstr(said, "store.upgrade_waits"));
	assert_false(has_file(f->next));
	assert_int_equal(ask(f->tree, "PRAGMA user_version"), 1);
	assert_goes_on_from(f, "copied=0");
}

/* A cut between the two renames. */
static void test_mended(void **state)
{
	struct fixture *f = *state;

	run(f);
	wait_until_offered(f);
	stop(f);
	assert_int_equal(rename(f->tree, f->old), 0);
	run(f);
	assert_int_equal(store_tree_version(f->store), 2);
	assert_whole(f);
	assert_false(has_file(f->next));
}

/* The tree is lost, and what is there of a copy is not all of it. */
static void test_part_of_a_copy_is_no_tree(void **state)
{
	struct fixture *f = *state;
	char reason[STORE_REASON_LEN];

	run(f);
	wait_until_offered(f);
	stop(f);
	edit(f->next, "INSERT INTO meta VALUES ('partial', 1)");
	assert_int_equal(rename(f->tree, f->old), 0);
	assert_int_equal(store_open(&f->store, &f->o, reason), STORE_DAMAGED);
	f->store = NULL;
	assert_non_null(strstr(reason, "tree.db: is missing, but there is a log"));
	assert_true(has_file(f->next));
}

static const char *copy_path;

/* There is room for a copy, until there is one. */
static int tell_room(const char *dir, uint64_t *bytes)
{
	(void)dir;
	*bytes = has_file(copy_path) ? 0 : UINT64_MAX / 2;
	return 0;
}

/* As often as it could begin it would end, and write all that for nothing. */
static void test_gives_way_for_a_while(void **state)
{
	struct fixture *f = *state;
	struct vfs_os os = *vfs_os();
	struct capture capture;
	char said[4096];

	copy_path = f->next;
	os.free_bytes = tell_room;
	vfs_replace(&os, NULL);
	log_set_level(LOG_LEVEL_WARN);
	capture_begin(&capture);
	run(f);
	for (int ms = 0; ms < 2500; ms += POLL_MS)
		turn(f);
	assert_false(has_file(f->next));
	stop(f);
	(void)capture_end(&capture, said, sizeof(said));
	assert_non_null(strstr(said, "store.upgrade_waits"));
	assert_null(strstr(strstr(said, "store.upgrade_waits") + 1, "store.upgrade_waits"));
}

/* One that says more than it has stays what it is, and is served. */
static void test_given_up(void **state)
{
	struct fixture *f = *state;
	struct capture capture;
	char said[4096] = "";

	make_older(f, "UPDATE meta SET value = value + 1 WHERE key = 'znodes'");
	capture_begin(&capture);
	run(f);
	for (int ms = 0; strstr(said, "store.upgrade_failed") == NULL; ms += POLL_MS) {
		assert_true(ms < DEADLINE_MS);
		turn(f);
		said[pread(capture.file, said, sizeof(said) - 1, 0)] = '\0';
	}
	(void)capture_end(&capture, said, sizeof(said));
	assert_non_null(strstr(said, "has not as many znodes as the tree"));
	put_znode(f, "/after", 0, "x");
	replay(f);
	assert_data(f, "/after", "x");
	assert_int_equal(store_tree_version(f->store), 1);
	assert_false(has_file(f->next));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_under_work),
		TEST(test_stopped_before_the_core_took_it),
		TEST(test_stopped_in_between),
		TEST(test_goes_on_where_it_was),
		TEST(test_begins_again_where_the_tree_went_on),
		TEST(test_begins_again_after_a_disk_error),
		TEST(test_mended),
		TEST(test_part_of_a_copy_is_no_tree),
		TEST(test_gives_way_for_a_while),
		TEST(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
