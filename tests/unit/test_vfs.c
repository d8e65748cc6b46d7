/* The VFS under the store, and the flush thread that syncs through it. */
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/files.h"
#include "store/flush.h"
#include "tests/lib/baddisk.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

struct fixture {
	char *dir;
	char *path;
};

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	f->dir = tmpdir_make();
	f->path = files_join(f->dir, "a.db");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vfs_replace(NULL, NULL);
	mem_free(f->path);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

static sqlite3 *open_db(const char *path)
{
	char reason[DB_REASON_LEN];
	sqlite3 *db;

	if (db_open(&db, path, DB_WRITE, 256, reason) != 0)
		fail_msg("%s", reason);
	db_must_exec(db, "CREATE TABLE t(x)");
	return db;
}

/* ---- our own description of the -wal ---- */

static void test_wal_is_the_one_in_use(void **state)
{
	struct fixture *f = *state;
	char *wal = files_join(f->dir, "a.db-wal");
	struct stat by_path, by_fd;
	sqlite3 *db;
	int fd;

	assert_false(vfs_wal_is_open(f->path));
	db = open_db(f->path);
	assert_true(vfs_wal_is_open(f->path));
	/* A name that begins alike is another file. */
	assert_false(vfs_wal_is_open(f->dir));
	fd = vfs_wal_open(db_path(db));
	assert_int_equal(stat(wal, &by_path), 0);
	assert_int_equal(fstat(fd, &by_fd), 0);
	assert_true(by_path.st_ino == by_fd.st_ino);
	assert_true(by_fd.st_size > 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	vfs_wal_sync(fd);
	vfs_wal_close(fd);
	db_close(db, false);
	assert_false(vfs_wal_is_open(f->path));
	mem_free(wal);
}

static struct fixture *in_child;

static void open_wal_of_nobody(void)
{
	(void)vfs_wal_open(in_child->path);
}

static void sync_wal_that_was_removed(void)
{
	sqlite3 *db = open_db(in_child->path);
	int fd = vfs_wal_open(db_path(db));

	if (unlink(files_join(in_child->dir, "a.db-wal")) == 0)
		vfs_wal_sync(fd);
}

static void open_wal_that_was_replaced(void)
{
	sqlite3 *db = open_db(in_child->path);
	char *wal = files_join(in_child->dir, "a.db-wal");
	char *other = files_join(in_child->dir, "other");
	int fd = open(other, O_RDWR | O_CREAT, 0600);

	if (fd >= 0 && rename(other, wal) == 0)
		(void)vfs_wal_open(db_path(db));
}

static void test_wrong_wals_end_the_process(void **state)
{
	char text[2048];

	in_child = *state;
	capture_abort(open_wal_of_nobody, text, sizeof(text));
	assert_non_null(strstr(text, "store.wal_not_open"));
	capture_abort(sync_wal_that_was_removed, text, sizeof(text));
	assert_non_null(strstr(text, "store.wal_lost"));
	tmpdir_remove_tree(in_child->path);
	capture_abort(open_wal_that_was_replaced, text, sizeof(text));
	assert_non_null(strstr(text, "store.wal_replaced"));
}

/* ---- syncs that fail ---- */

static int fail_sync_file(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

static struct vfs_os os_with_failing_sync(void)
{
	struct vfs_os os = *vfs_os();

	os.sync_file = fail_sync_file;
	return os;
}

static void sync_wal_that_fails(void)
{
	struct vfs_os os = os_with_failing_sync();
	sqlite3 *db = open_db(in_child->path);
	int fd = vfs_wal_open(db_path(db));

	vfs_replace(&os, NULL);
	vfs_wal_sync(fd);
}

static void write_where_syncs_fail(void)
{
	bad_disk_use();
	bad_disk.sync_error = SQLITE_IOERR_FSYNC;
	(void)open_db(in_child->path);
}

static void test_a_failed_sync_ends_the_process(void **state)
{
	char text[2048];

	in_child = *state;
	capture_abort(sync_wal_that_fails, text, sizeof(text));
	assert_non_null(strstr(text, "store.sync_failed"));
	assert_non_null(strstr(text, "Input/output error"));
	tmpdir_remove_tree(in_child->dir);
	assert_int_equal(mkdir(in_child->dir, 0700), 0);
	capture_abort(write_where_syncs_fail, text, sizeof(text));
	assert_non_null(strstr(text, "store.sync_failed"));
	assert_non_null(strstr(text, in_child->path));
}

/* ---- the flush thread ---- */

/* A disk that syncs when the test says so. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int begun;
	int allowed;
	int fds[16];
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static int slow_sync_file(int fd)
{
	pthread_mutex_lock(&disk.mutex);
	disk.fds[disk.begun++] = fd;
	pthread_cond_broadcast(&disk.cond);
	while (disk.allowed < disk.begun)
		pthread_cond_wait(&disk.cond, &disk.mutex);
	pthread_mutex_unlock(&disk.mutex);
	return 0;
}

static void wait_begun(int syncs)
{
	pthread_mutex_lock(&disk.mutex);
	while (disk.begun < syncs)
		pthread_cond_wait(&disk.cond, &disk.mutex);
	pthread_mutex_unlock(&disk.mutex);
}

static void allow(int syncs)
{
	pthread_mutex_lock(&disk.mutex);
	disk.allowed = syncs;
	pthread_cond_broadcast(&disk.cond);
	pthread_mutex_unlock(&disk.mutex);
}

static _Atomic int moves;

static void count_move(void *ctx)
{
	(void)ctx;
	moves++;
}

static void test_flush_promises_what_was_before_the_sync(void **state)
{
	struct vfs_os os = *vfs_os();
	struct fixture *f = *state;
	struct flush *flush;
	int one = open(f->dir, O_RDONLY), two = open(f->dir, O_RDONLY);

	disk.begun = disk.allowed = 0;
	moves = 0;
	os.sync_file = slow_sync_file;
	vfs_replace(&os, NULL);
	flush = flush_new(5, count_move, NULL);
	flush_start(flush);
	assert_true(flush_reached(flush) == 5);
	flush_wait(flush, 0);
	assert_int_equal(flush_request(flush, one, 10), 1);
	wait_begun(1);
	/* Committed while the sync runs: it is not what that sync promises. */
	assert_int_equal(flush_request(flush, one, 20), 2);
	/* One that F does not rise by is one, too. */
	assert_int_equal(flush_request(flush, one, 20), 3);
	assert_true(flush_reached(flush) == 5);
	allow(1);
	flush_wait(flush, 1);
	assert_false(flush_has_done(flush, 2));
	wait_begun(2);
	assert_true(flush_reached(flush) == 10);
	/* One sync for the two. */
	allow(2);
	flush_wait(flush, 3);
	assert_true(flush_reached(flush) == 20);
	assert_int_equal(flush_request(flush, two, 20), 4);
	wait_begun(3);
	allow(3);
	flush_wait(flush, 4);
	flush_stop(flush);
	flush_free(flush);
	assert_int_equal(disk.begun, 3);
	assert_int_equal(moves, 3);
	assert_int_equal(disk.fds[0], one);
	assert_int_equal(disk.fds[1], one);
	assert_int_equal(disk.fds[2], two);
	close(one);
	close(two);
}

static void test_flush_stop_syncs_what_was_asked(void **state)
{
	struct vfs_os os = *vfs_os();
	struct fixture *f = *state;
	struct flush *flush;
	int one = open(f->dir, O_RDONLY);

	disk.begun = 0;
	disk.allowed = 16;
	os.sync_file = slow_sync_file;
	vfs_replace(&os, NULL);
	flush = flush_new(0, count_move, NULL);
	flush_start(flush);
	flush_request(flush, one, 1);
	flush_stop(flush);
	assert_true(flush_reached(flush) == 1);
	assert_int_equal(disk.begun, 1);
	flush_free(flush);
	/* Never started. */
	flush = flush_new(0, count_move, NULL);
	flush_stop(flush);
	flush_free(flush);
	close(one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wal_is_the_one_in_use),
		TEST(test_wrong_wals_end_the_process),
		TEST(test_a_failed_sync_ends_the_process),
		TEST(test_flush_promises_what_was_before_the_sync),
		TEST(test_flush_stop_syncs_what_was_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
