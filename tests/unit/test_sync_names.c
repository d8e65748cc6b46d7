/* A name that may not outlast a loss of power ends the process, as a sync of a file that fails
 * does: of the tree that is made, of a segment that is begun, of one that is removed. */
#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/capture.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

enum { CHANGES = 200, WAIT_MS = 20 * 1000 };

/* A disk on which one sync of a directory fails. */
static struct {
	const struct vfs_os *good;
	char *dir, *log_dir, *tree;
	const char *path;  /* of that directory */
	bool after_unlink; /* only when a file was removed */
	_Atomic bool is_due;
} disk;

static int bad_sync_dir(const char *path)
{
	/* A start that cannot make a directory is refused, and says so. */
	if (!disk.is_due || strcmp(path, disk.path) != 0 || access(disk.tree, F_OK) != 0)
		return disk.good->sync_dir(path);
	/* Others that come later do not hide that nobody minded. */
	disk.is_due = false;
	errno = EIO;
	return -1;
}

static int noted_unlink(const char *path)
{
	disk.is_due |= disk.after_unlink;
	return disk.good->unlink(path);
}

static int setup(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	memset(&disk, 0, sizeof(disk));
	disk.dir = tmpdir_make();
	disk.log_dir = files_join(disk.dir, "log");
	disk.tree = files_join(disk.dir, "tree.db");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mem_free(disk.log_dir);
	mem_free(disk.tree);
	tmpdir_remove(disk.dir);
	return 0;
}

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

static void change(struct store *s, int64_t zxid, int64_t last)
{
	const struct record_znode z = { .path = slice_of("/a"),
					.columns = RECORD_ALL,
					.czxid = zxid,
					.data = slice_of("data"),
					.mzxid = zxid,
					.acl = { acl_bytes, sizeof(acl_bytes) - 1 },
					.pzxid = zxid };
	const struct record_head head = { .zxid = zxid,
					  .prev = last,
					  .op = "create",
					  .path = z.path };
	struct buf body;

	buf_init(&body, 1 << 16);
	if (record_put_znode(&body, &z) != 0)
		_exit(1);
	store_append(s, &head, buf_slice(&body));
	buf_fini(&body);
}

/* Until the tree has it. */
static void wait_for(struct store *s, int64_t zxid)
{
	do {
		struct pollfd p = { store_wake_fd(s), POLLIN, 0 };

		store_end_turn(s);
		if (store_replayed(s) >= zxid)
			return;
		if (poll(&p, 1, WAIT_MS) != 1)
			_exit(1);
		store_wake(s);
	} while (true);
}

/* A run with many segments that come and go. */
static void run(void)
{
	static struct vfs_os os; /* the store's threads go on using it */
	const struct store_loader l = { NULL, ignore_session, ignore_znode, ignore_change };
	char reason[STORE_REASON_LEN];
	struct store_options o;
	int64_t zxid, last = 0;
	struct store *s;

	disk.good = vfs_os();
	os = *disk.good;
	os.sync_dir = bad_sync_dir;
	os.unlink = noted_unlink;
	vfs_replace(&os, NULL);
	disk.is_due = !disk.after_unlink;
	store_options_init(&o);
	o.data_dir = disk.dir;
	o.segment_bytes = 1;
	o.retention_bytes = 0;
	o.replay_delay_ms = 0;
	if (store_open(&s, &o, reason) != 0 || store_load(s, &l, reason) != 0)
		_exit(1);
	zxid = store_begin(s);
	for (int i = 0; i < CHANGES; i++, last = zxid) {
		change(s, ++zxid, last);
		wait_for(s, zxid);
	}
	store_close(s);
}

static void assert_ends(const char *path, bool after_unlink)
{
	char text[4096];

	disk.path = path;
	disk.after_unlink = after_unlink;
	capture_abort(run, text, sizeof(text));
	assert_non_null(strstr(text, "event=store.sync_failed "));
	assert_non_null(strstr(text, path));
}

static void test_of_the_tree(void **state)
{
	(void)state;
	assert_ends(disk.dir, false);
}

static void test_of_a_segment(void **state)
{
	(void)state;
	assert_ends(disk.log_dir, false);
}

/* It may be there again, and the one after it not. */
static void test_of_a_segment_that_is_removed(void **state)
{
	(void)state;
	assert_ends(disk.log_dir, true);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_of_the_tree),
		TEST(test_of_a_segment),
		TEST(test_of_a_segment_that_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
