/* The mark in a data directory: what is on disk after each step, and what a start makes of it. */
#include "store/marker.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"
#include "tests/lib/baddisk.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

enum { PLACE_LEN = 4096, FILE_LEN = 2 * PLACE_LEN + 512, MANY = 1000 };

struct fixture {
	char *dir;
	char *log;
	char *state;
	struct marker *m;
	char reason[STORE_REASON_LEN];
};

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->dir = tmpdir_make();
	f->log = files_join(f->dir, "log");
	f->state = files_join(f->dir, "state");
	assert_int_equal(mkdir(f->log, 0700), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	marker_close(f->m);
	log_set_death_hook(NULL);
	vfs_replace(NULL, NULL);
	mem_free(f->log);
	mem_free(f->state);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	marker_close(f->m);
	assert_int_equal(marker_open(&f->m, f->dir, f->reason), 0);
}

static void touch(const char *path, const char *suffix)
{
	char whole[4096];
	FILE *file;

	(void)snprintf(whole, sizeof(whole), "%s%s", path, suffix);
	file = fopen(whole, "w");
	assert_non_null(file);
	fclose(file);
}

static void make_segment(struct fixture *f, uint32_t number)
{
	char *path = files_segment_path(f->log, number);

	touch(path, "");
	touch(path, "-wal");
	mem_free(path);
}

static void make_tree(struct fixture *f)
{
	char *path = files_join(f->dir, "tree.db");

	touch(path, "");
	touch(path, "-wal");
	mem_free(path);
}

static void remove_file(const char *dir, const char *name)
{
	char *path = files_join(dir, name);

	assert_int_equal(unlink(path), 0);
	mem_free(path);
}

static void begin(struct fixture *f, const uint32_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		make_segment(f, numbers[i]);
	make_tree(f);
	assert_int_equal(marker_begin(f->m, numbers, count, f->reason), 0);
}

static void assert_good(struct fixture *f)
{
	assert_int_equal(marker_check(f->m, f->log, f->reason), 0);
}

static void assert_missed(struct fixture *f, const char *what)
{
	assert_int_equal(marker_check(f->m, f->log, f->reason), STORE_DAMAGED);
	assert_non_null(strstr(f->reason, what));
}

static void test_ends_are_told_apart(void **state)
{
	struct fixture *f = *state;

	reopen(f);
	assert_int_equal(marker_last_end(f->m), MARKER_UNKNOWN);
	assert_good(f);
	begin(f, NULL, 0);
	reopen(f);
	assert_int_equal(marker_last_end(f->m), MARKER_CUT_OFF);
	assert_int_equal(marker_end(f->m, false, f->reason), 0);
	reopen(f);
	assert_int_equal(marker_last_end(f->m), MARKER_STOPPED);
	assert_null(marker_disk_error(f->m));
}

static void test_what_is_listed_is_missed(void **state)
{
	const uint32_t numbers[] = { 3, 4 };
	struct fixture *f = *state;

	reopen(f);
	begin(f, numbers, 2);
	make_segment(f, 5);
	assert_int_equal(marker_add(f->m, 5, f->reason), 0);
	reopen(f);
	assert_true(marker_lists(f->m, 3) && marker_lists(f->m, 4) && marker_lists(f->m, 5));
	assert_false(marker_lists(f->m, 6));
	assert_good(f);
	remove_file(f->log, "0000000003.db-wal");
	assert_missed(f, "0000000003.db-wal: is missing");
	assert_int_equal(marker_remove(f->m, 3, f->reason), 0);
	reopen(f);
	assert_good(f);
	remove_file(f->log, "0000000005.db-wal");
	remove_file(f->log, "0000000005.db");
	assert_missed(f, "0000000005.db: is missing");
	assert_int_equal(marker_remove(f->m, 5, f->reason), 0);
	/* One that was never listed. */
	assert_int_equal(marker_remove(f->m, 7, f->reason), 0);
	remove_file(f->dir, "tree.db-wal");
	assert_missed(f, "tree.db-wal: is missing");
	assert_int_equal(marker_end(f->m, true, f->reason), 0);
	assert_missed(f, "tree.db-wal: is missing");
	assert_int_equal(marker_end(f->m, false, f->reason), 0);
	assert_good(f);
	/* A stop strikes no segment off. */
	remove_file(f->log, "0000000004.db-wal");
	reopen(f);
	assert_missed(f, "0000000004.db-wal: is missing");
}

static void test_more_than_there_is_room_for(void **state)
{
	struct fixture *f = *state;
	uint32_t numbers[MANY];

	for (uint32_t i = 0; i < MANY; i++)
		numbers[i] = UINT32_MAX - MANY + i;
	reopen(f);
	begin(f, numbers, MANY);
	reopen(f);
	assert_true(marker_lists(f->m, numbers[MANY - 1]));
	assert_false(marker_lists(f->m, numbers[0]));
	make_segment(f, UINT32_MAX);
	assert_int_equal(marker_add(f->m, UINT32_MAX, f->reason), 0);
	reopen(f);
	assert_true(marker_lists(f->m, UINT32_MAX));
	assert_true(marker_lists(f->m, numbers[MANY - 1]));
	assert_good(f);
}

/* ---- the file itself ---- */

static void read_state(struct fixture *f, char bytes[FILE_LEN])
{
	int fd = open(f->state, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, bytes, FILE_LEN), FILE_LEN);
	close(fd);
}

static void write_state(struct fixture *f, const char *bytes, size_t len)
{
	int fd = open(f->state, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

/* Whatever bytes of one place a cut leaves, the other has the mark before it. */
static void test_a_torn_mark_is_the_one_before(void **state)
{
	const uint32_t number = 1;
	struct fixture *f = *state;
	char before[FILE_LEN], after[FILE_LEN], torn[FILE_LEN];

	reopen(f);
	begin(f, &number, 1);
	assert_int_equal(marker_add(f->m, 2, f->reason), 0);
	read_state(f, before);
	assert_int_equal(marker_remove(f->m, 1, f->reason), 0);
	read_state(f, after);
	for (size_t cut = 0; cut < FILE_LEN; cut += 16) {
		memcpy(torn, before, FILE_LEN);
		memcpy(torn, after, cut);
		write_state(f, torn, FILE_LEN);
		reopen(f);
		assert_int_equal(marker_last_end(f->m), MARKER_CUT_OFF);
		assert_true(marker_lists(f->m, 2));
	}
	/* And none where both are damaged. */
	after[30] ^= 1;
	after[PLACE_LEN + 30] ^= 1;
	write_state(f, after, FILE_LEN);
	reopen(f);
	assert_int_equal(marker_last_end(f->m), MARKER_UNKNOWN);
	assert_good(f);
	assert_int_equal(marker_begin(f->m, &number, 1, f->reason), 0);
	reopen(f);
	assert_true(marker_lists(f->m, 1));
}

static void test_files_of_any_content(void **state)
{
	struct fixture *f = *state;
	char bytes[FILE_LEN + 100];

	for (size_t len = 0; len <= sizeof(bytes); len += 100) {
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)(i * 7 + len);
		touch(f->state, "");
		write_state(f, bytes, len);
		reopen(f);
		assert_int_equal(marker_last_end(f->m), MARKER_UNKNOWN);
	}
}

/* ---- copies ---- */

static void test_a_copy_is_told(void **state)
{
	struct fixture *f = *state;
	char bytes[FILE_LEN], *other = files_join(f->dir, "other");

	reopen(f);
	begin(f, NULL, 0);
	read_state(f, bytes);
	/* Two files at a time, so that the second has another inode. */
	assert_int_equal(rename(f->state, other), 0);
	touch(f->state, "");
	write_state(f, bytes, FILE_LEN);
	reopen(f);
	assert_missed(f, "is a copy");
	assert_int_equal(marker_end(f->m, false, f->reason), 0);
	read_state(f, bytes);
	assert_int_equal(rename(other, f->state), 0);
	write_state(f, bytes, FILE_LEN);
	reopen(f);
	assert_good(f);
	mem_free(other);
}

/* ---- disk errors ---- */

static struct fixture *in_child;

static void die_of_the_store(void)
{
	reopen(in_child);
	die("store.sync_failed", "for the test");
}

static void die_of_something_else(void)
{
	reopen(in_child);
	die("other.failed", "for the test");
}

static void test_death_by_the_disk_is_noted(void **state)
{
	struct fixture *f = *state;
	char text[2048], bytes[FILE_LEN];

	in_child = f;
	reopen(f);
	begin(f, NULL, 0);
	capture_abort(die_of_something_else, text, sizeof(text));
	reopen(f);
	assert_null(marker_disk_error(f->m));
	capture_abort(die_of_the_store, text, sizeof(text));
	reopen(f);
	assert_string_equal(marker_disk_error(f->m), "store.sync_failed");
	assert_int_equal(marker_clear_error(f->m, f->reason), 0);
	assert_null(marker_disk_error(f->m));
	reopen(f);
	assert_null(marker_disk_error(f->m));
	marker_note_error(f->m, "store.start_failed");
	reopen(f);
	assert_string_equal(marker_disk_error(f->m), "store.start_failed");
	assert_int_equal(marker_last_end(f->m), MARKER_CUT_OFF);
	assert_int_equal(marker_clear_error(f->m, f->reason), 0);
	/* Cut off by one who could not write. */
	read_state(f, bytes);
	write_state(f, bytes, 2 * PLACE_LEN);
	reopen(f);
	assert_non_null(marker_disk_error(f->m));
	reopen(f);
	assert_non_null(marker_disk_error(f->m));
	assert_int_equal(marker_clear_error(f->m, f->reason), 0);
	reopen(f);
	assert_null(marker_disk_error(f->m));
}

static void change_on_a_full_disk(void)
{
	bad_disk_use();
	reopen(in_child);
	bad_disk.write_error = SQLITE_FULL;
	if (marker_add(in_child->m, 9, in_child->reason) == -1 &&
	    strstr(in_child->reason, "full") != NULL && !marker_lists(in_child->m, 9))
		abort();
}

static void test_a_full_disk_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char text[2048];

	in_child = f;
	capture_abort(change_on_a_full_disk, text, sizeof(text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ends_are_told_apart),         TEST(test_what_is_listed_is_missed),
		TEST(test_more_than_there_is_room_for), TEST(test_a_torn_mark_is_the_one_before),
		TEST(test_files_of_any_content),        TEST(test_a_copy_is_told),
		TEST(test_death_by_the_disk_is_noted),  TEST(test_a_full_disk_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
