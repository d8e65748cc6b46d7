/* The -wal of tree.db does not grow beyond its bound: not beside somebody who reads for long, nor
 * where the tree's file has no room. With the real threads. */
#include "store/store.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/capture.h"

#include <sqlite3.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/files.h"
#include "store/room.h"
#include "tests/lib/baddisk.h"
#include "tests/lib/tmpdir.h"

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

#define MIB (UINT64_C(1) << 20)

enum {
	MOST_PAGES = 200,
	DATA_LEN = 20000,
	BATCH_PAGES = 30, /* a change, and what a batch writes beside */
	DEADLINE_MS = 30 * 1000,
};

struct fixture {
	char *dir;
	char *tree;
	struct store_options o;
	struct store *store;
	struct buf body;
	struct capture log;
	int64_t zxid, last;
	int count; /* of changes */
	sqlite3 *reader;
	char text[65536];
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

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	bad_disk_use();
	log_set_level(LOG_LEVEL_INFO);
	f->dir = tmpdir_make();
	f->tree = files_join(f->dir, "tree.db");
	store_options_init(&f->o);
	f->o.data_dir = f->dir;
	f->o.replay_delay_ms = 0;
	f->o.replay_batch_rows = 1;
	f->o.tree_cache_kib = 64;
	f->o.low_bytes = MIB;
	f->o.ballast_bytes = 4 * MIB;
	buf_init(&f->body, MIB);
	capture_begin(&f->log);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bad_disk.database_error = SQLITE_OK;
	sqlite3_close(f->reader);
	store_close(f->store);
	vfs_replace(NULL, NULL);
	(void)capture_end(&f->log, f->text, sizeof(f->text));
	buf_fini(&f->body);
	mem_free(f->tree);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

static void start(struct fixture *f)
{
	const struct store_loader l = { NULL, ignore_session, ignore_znode, ignore_change };
	char reason[STORE_REASON_LEN];

	if (store_open(&f->store, &f->o, reason) != 0 || store_load(f->store, &l, reason) != 0)
		fail_msg("%s", reason);
	f->zxid = store_begin(f->store);
}

/* One more znode. */
static void change(struct fixture *f)
{
	static char data[DATA_LEN];
	char path[32];
	const struct record_znode z = { .path = { path, (size_t)snprintf(path, sizeof(path), "/%d",
									 f->count++) },
					.columns = RECORD_ALL,
					.czxid = f->zxid + 1,
					.data = { data, sizeof(data) },
					.mzxid = f->zxid + 1,
					.acl = { acl_bytes, sizeof(acl_bytes) - 1 },
					.pzxid = f->zxid + 1 };
	const struct record_head head = { .zxid = ++f->zxid,
					  .prev = f->last,
					  .op = "create",
					  .path = z.path };

	buf_clear(&f->body);
	assert_int_equal(record_put_znode(&f->body, &z), 0);
	store_append(f->store, &head, buf_slice(&f->body));
	f->last = f->zxid;
	store_end_turn(f->store);
}

static void turn(struct fixture *f)
{
	struct pollfd p = { store_wake_fd(f->store), POLLIN, 0 };

	(void)poll(&p, 1, 20);
	store_wake(f->store);
	store_end_turn(f->store);
}

static bool has_all(struct fixture *f)
{
	return store_replayed(f->store) >= f->last;
}

static unsigned count_lines(struct fixture *f, const char *event)
{
	/* Whose it is, of this process or of a test around it. */
	ssize_t len = pread(STDERR_FILENO, f->text, sizeof(f->text) - 1, 0);
	unsigned count = 0;

	assert_true(len >= 0);
	f->text[len] = '\0';
	for (const char *at = f->text; (at = strstr(at, event)) != NULL; at++)
		count++;
	return count;
}

/* Turns until the tree has all, or the log says that. Whether the log does. */
static bool replay_until(struct fixture *f, const char *event, unsigned count)
{
	for (int i = 0; i < DEADLINE_MS / 20; i++) {
		if (count_lines(f, event) >= count)
			return true;
		if (has_all(f))
			return false;
		turn(f);
	}
	fail_msg("the tree has 0x%llx of 0x%llx after so long: %s",
		 (unsigned long long)store_replayed(f->store), (unsigned long long)f->last,
		 f->text);
	return false;
}

static void wait_for_all(struct fixture *f)
{
	assert_false(replay_until(f, "event=never", 1));
}

static void begin_long_read(struct fixture *f)
{
	assert_int_equal(sqlite3_open_v2(f->tree, &f->reader, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(f->reader, "BEGIN; SELECT count(*) FROM znode", NULL, NULL, NULL),
		SQLITE_OK);
}

static void end_long_read(struct fixture *f)
{
	assert_int_equal(sqlite3_close(f->reader), SQLITE_OK);
	f->reader = NULL;
}

static uint64_t wal_pages(struct fixture *f)
{
	return store_tree_wal_bytes(f->store) / STORE_WAL_PAGE_BYTES;
}

/* Changes, each in a batch, until the tree stands still or its -wal has so many pages. Whether it
 * stands still. */
static bool fill_wal(struct fixture *f, uint64_t pages, const char *event)
{
	while (wal_pages(f) < pages) {
		change(f);
		if (replay_until(f, event, 1))
			return true;
	}
	return false;
}

static void test_a_long_read_holds_the_tree_up(void **state)
{
	struct fixture *f = *state;
	int64_t held_at;
	int count;
	struct stat st;

	f->o.most_tree_wal_bytes = (uint64_t)MOST_PAGES * STORE_WAL_PAGE_BYTES;
	start(f);
	change(f);
	wait_for_all(f);
	begin_long_read(f);
	assert_true(fill_wal(f, 2 * MOST_PAGES, "event=store.tree_held_up"));
	/* Reached, and passed by no more than a batch. */
	assert_in_range(wal_pages(f), MOST_PAGES, MOST_PAGES + BATCH_PAGES);
	assert_non_null(strstr(f->text, "a long read"));
	/* The log takes more, on disk; the tree does not, nor is that told again. */
	held_at = store_replayed(f->store);
	for (count = 0; count < 20; count++)
		change(f);
	for (int i = 0; i < 100 || store_flushed(f->store) < f->last; i++)
		turn(f);
	assert_true(store_replayed(f->store) == held_at);
	assert_true(store_lag_rows(f->store) >= (uint64_t)count);
	assert_int_equal(count_lines(f, "event=store.tree_held_up"), 1);
	assert_int_equal(count_lines(f, "event=store.tree_goes_on"), 0);
	assert_int_equal(stat(f->tree, &st), 0);
	end_long_read(f);
	wait_for_all(f);
	assert_int_equal(count_lines(f, "event=store.tree_goes_on"), 1);
	/* It was begun anew. */
	assert_in_range(wal_pages(f), 1, MOST_PAGES + BATCH_PAGES);
	assert_int_equal(store_lag_rows(f->store), 0);
	assert_int_equal(count_lines(f, "event=store.replay_waits"), 0);
}

static void test_without_a_bound_it_grows(void **state)
{
	struct fixture *f = *state;

	f->o.most_tree_wal_bytes = 0;
	start(f);
	change(f);
	wait_for_all(f);
	begin_long_read(f);
	assert_false(fill_wal(f, 3 * MOST_PAGES, "event=store.tree_held_up"));
	end_long_read(f);
}

/* Nobody reads, but what is in the -wal finds no room in the file: that is what is said, and blocks
 * are given up for it. */
static void test_a_full_disk_holds_the_tree_up(void **state)
{
	struct fixture *f = *state;
	struct room_figures before, after;

	f->o.most_tree_wal_bytes = (uint64_t)MOST_PAGES * STORE_WAL_PAGE_BYTES;
	start(f);
	change(f);
	wait_for_all(f);
	begin_long_read(f);
	assert_true(fill_wal(f, 2 * MOST_PAGES, "event=store.tree_held_up"));
	for (int i = 0; i < DEADLINE_MS / 20; i++) {
		store_get_room(f->store, &before);
		if (before.ballast >= f->o.ballast_bytes)
			break;
		turn(f);
	}
	assert_true(before.ballast >= f->o.ballast_bytes);
	assert_int_equal(count_lines(f, "event=store.replay_waits"), 0);
	bad_disk.database_error = SQLITE_FULL;
	end_long_read(f);
	assert_true(replay_until(f, "event=store.replay_waits", 1));
	for (int i = 0; i < 100; i++)
		turn(f);
	store_get_room(f->store, &after);
	assert_true(after.ballast < before.ballast);
	/* What is kept for the ends of sessions is not for this. */
	assert_true(after.ballast >= f->o.ballast_bytes / 2);
	assert_false(has_all(f));
	assert_int_equal(count_lines(f, "event=store.tree_held_up"), 1);
	assert_int_equal(count_lines(f, "event=store.replay_waits"), 1);
	bad_disk.database_error = SQLITE_OK;
	wait_for_all(f);
	assert_in_range(wal_pages(f), 1, MOST_PAGES + BATCH_PAGES);
}

/* ---- in a child ---- */

static struct fixture *in_child;

static void checkpoint_on_a_broken_disk(void)
{
	start(in_child);
	bad_disk.database_error = SQLITE_IOERR_WRITE;
	for (int i = 0; i < MOST_PAGES; i++) {
		change(in_child);
		wait_for_all(in_child);
	}
}

static void restart_on_a_broken_disk(void)
{
	struct fixture *f = in_child;

	f->o.most_tree_wal_bytes = (uint64_t)MOST_PAGES * STORE_WAL_PAGE_BYTES;
	start(f);
	change(f);
	wait_for_all(f);
	begin_long_read(f);
	if (!fill_wal(f, 2 * MOST_PAGES, "event=store.tree_held_up"))
		return;
	bad_disk.database_error = SQLITE_IOERR_WRITE;
	end_long_read(f);
	wait_for_all(f);
}

/* What is in the -wal is not lost, but nobody knows what the file holds. */
static void test_a_checkpoint_that_fails_ends_the_process(void **state)
{
	static char text[65536];

	in_child = *state;
	capture_abort(checkpoint_on_a_broken_disk, text, sizeof(text));
	assert_non_null(strstr(text, "event=store.checkpoint_failed "));
	assert_non_null(strstr(text, "tree.db"));
	tmpdir_remove_tree(in_child->dir);
	assert_int_equal(mkdir(in_child->dir, 0700), 0);
	capture_abort(restart_on_a_broken_disk, text, sizeof(text));
	assert_non_null(strstr(text, "event=store.tree_held_up "));
	assert_non_null(strstr(text, "event=store.checkpoint_failed "));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_long_read_holds_the_tree_up),
		TEST(test_without_a_bound_it_grows),
		TEST(test_a_full_disk_holds_the_tree_up),
		TEST(test_a_checkpoint_that_fails_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
