/* Room on disk: its levels, the ballast, blocks ahead. The file system is played. */
#include "store/room.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "store/ballast.h"
#include "store/files.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

enum { LOG_FD = 100000 };

/* A file system of so many bytes: others have some, blocks ahead of the log some, the ballast the
 * rest. */
static struct {
	char *dir;
	char *ballast;
	uint64_t size, others, log;
	uint64_t quota; /* of ours; 0: none */
	bool cannot_allocate;
	int interrupts; /* so many calls are, from now on */
	int moves;
} disk;

static uint64_t ballast_size(void)
{
	struct stat st;

	return stat(disk.ballast, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t left(void)
{
	uint64_t used = disk.log + ballast_size();
	uint64_t size = disk.quota > 0 ? disk.quota : disk.size - disk.others;

	return size > used ? size - used : 0;
}

static int played_free_bytes(const char *dir, uint64_t *bytes)
{
	(void)dir;
	*bytes = disk.quota > 0 ? disk.size : left();
	return 0;
}

static int played_allocate(int fd, uint64_t from, uint64_t len)
{
	uint64_t had = fd == LOG_FD ? disk.log : ballast_size();

	errno = EINTR;
	if (disk.interrupts > 0 && disk.interrupts-- > 0)
		return -1;
	errno = EOPNOTSUPP;
	if (disk.cannot_allocate)
		return -1;
	errno = disk.quota > 0 ? EDQUOT : ENOSPC;
	if (from + len > had && from + len - had > left())
		return -1;
	if (fd == LOG_FD)
		disk.log = from + len;
	return 0;
}

static void count_move(void *ctx)
{
	(void)ctx;
	disk.moves++;
}

static int set_up(void **state)
{
	static struct vfs_os os;

	(void)state;
	log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
	os = *vfs_os();
	os.free_bytes = played_free_bytes;
	os.allocate = played_allocate;
	memset(&disk, 0, sizeof(disk));
	disk.size = 64 * MIB;
	disk.dir = tmpdir_make();
	disk.ballast = files_join(disk.dir, "ballast");
	vfs_replace(&os, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	vfs_replace(NULL, NULL);
	free(disk.ballast);
	tmpdir_remove(disk.dir);
	return 0;
}

static struct room *make(uint64_t low, uint64_t ballast)
{
	const struct room_options o = { .data_dir = disk.dir,
					.log_dir = disk.dir,
					.low_bytes = low,
					.ballast_bytes = ballast,
					.moved = count_move };
	char reason[STORE_REASON_LEN];
	struct room *r;

	assert_int_equal(room_new(&r, &o, reason), 0);
	assert_int_equal(room_open(r, reason), 0);
	return r;
}

/* As long as it wants to go on at once; so much later that everything is tried again. */
static void keep(struct room *r)
{
	struct timespec now;
	static int64_t later_ms;
	int64_t at, next;

	clock_gettime(CLOCK_MONOTONIC, &now);
	later_ms += 60000;
	at = (int64_t)now.tv_sec * 1000 + later_ms;
	do {
		next = room_keep(r, at);
		assert_true(next > at);
	} while (next < at + 250);
}

/* Whatever is free but so many bytes belongs to others. */
static void leave(struct room *r, uint64_t bytes)
{
	disk.others = disk.size - disk.log - ballast_size() - bytes;
	room_look(r);
}

static void test_levels(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);
	struct room_figures f;

	(void)state;
	assert_int_equal(room_level(r), ROOM_PLENTY);
	keep(r);
	assert_int_equal(ballast_size(), 4 * MIB);
	leave(r, 8 * MIB);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	assert_int_equal(disk.moves, 0);
	leave(r, 8 * MIB - 1);
	assert_int_equal(room_level(r), ROOM_LOW);
	assert_int_equal(disk.moves, 1);
	/* A quarter more ends it. */
	leave(r, 10 * MIB - 1);
	assert_int_equal(room_level(r), ROOM_LOW);
	leave(r, 10 * MIB);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	leave(r, 0);
	assert_int_equal(room_level(r), ROOM_LOW);
	room_get_figures(r, &f);
	assert_int_equal(f.data_free, 0);
	assert_int_equal(f.ballast, 4 * MIB);
	assert_int_equal(disk.moves, 3);
	room_free(r);
}

static void test_ballast_is_given_up_by_steps(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);
	int pieces = 0;

	(void)state;
	keep(r);
	leave(r, 0);
	for (; room_give(r, ROOM_TREE, false); pieces++) {
		/* Somebody uses it up. */
		leave(r, 0);
		assert_int_equal(room_level(r), ROOM_LOW);
	}
	/* Half of it is not for the tree. */
	assert_int_equal(pieces, 4);
	assert_int_equal(ballast_size(), 2 * MIB);
	assert_true(room_give(r, ROOM_LOG, true));
	leave(r, 0);
	assert_int_equal(room_level(r), ROOM_SCARCE);
	/* A bit more than that ends this level, too. */
	leave(r, MIB - 1);
	keep(r);
	assert_int_equal(room_level(r), ROOM_SCARCE);
	leave(r, MIB);
	assert_int_equal(room_level(r), ROOM_LOW);
	while (room_give(r, ROOM_LOG, true))
		;
	assert_int_equal(ballast_size(), 0);
	/* It is taken again: where all is refused, from what is there; */
	leave(r, MIB);
	keep(r);
	keep(r);
	assert_int_equal(ballast_size(), 512 * KIB);
	assert_int_equal(room_level(r), ROOM_SCARCE);
	/* else not from what is needed to go on. */
	leave(r, 10 * MIB);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	keep(r);
	assert_int_equal(ballast_size(), 512 * KIB);
	leave(r, 12 * MIB);
	keep(r);
	assert_int_equal(ballast_size(), 2560 * KIB);
	leave(r, 30 * MIB);
	keep(r);
	assert_int_equal(ballast_size(), 4 * MIB);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	room_free(r);
}

static void test_many_sessions_have_more_kept_for_them(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);

	(void)state;
	room_note_owned(r, 1000, 1000);
	keep(r);
	assert_in_range(ballast_size(), 21 * MIB, 22 * MIB);
	leave(r, 0);
	while (room_give(r, ROOM_TREE, false))
		leave(r, 0);
	assert_in_range(ballast_size(), 10 * MIB, 11 * MIB);
	room_free(r);
}

/* Nor is it kept for those that are gone, nor where less was configured; while room is short it is
 * left alone, since their ends may not be in the tree yet. */
static void test_ballast_shrinks(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);

	(void)state;
	room_note_owned(r, 1000, 1000);
	keep(r);
	assert_in_range(ballast_size(), 21 * MIB, 22 * MIB);
	/* Not with each one that goes. */
	room_note_owned(r, 1000, 700);
	keep(r);
	assert_in_range(ballast_size(), 21 * MIB, 22 * MIB);
	leave(r, MIB);
	room_note_owned(r, 0, 0);
	keep(r);
	assert_int_equal(room_level(r), ROOM_LOW);
	assert_in_range(ballast_size(), 21 * MIB, 22 * MIB);
	leave(r, 20 * MIB);
	keep(r);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	assert_int_equal(ballast_size(), 4 * MIB);
	room_free(r);
	r = make(8 * MIB, 0);
	keep(r);
	assert_int_equal(ballast_size(), 0);
	room_free(r);
}

static void test_what_counts_as_room(void **state)
{
	struct room *r = make(8 * MIB, 0);

	(void)state;
	leave(r, 5 * MIB);
	assert_int_equal(room_level(r), ROOM_LOW);
	/* Free pages of the tree do, but not for the log. */
	room_note_tree(r, 5 * MIB);
	room_look(r);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	assert_true(room_is_short(r));
	leave(r, 4 * MIB - 1);
	assert_int_equal(room_level(r), ROOM_LOW);
	/* Segments do, for both. */
	room_note_log(r, MIB + 1);
	room_look(r);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	room_note_tree(r, 0);
	room_look(r);
	assert_int_equal(room_level(r), ROOM_LOW);
	room_note_log(r, 6 * MIB + 1);
	room_look(r);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	leave(r, 10 * MIB);
	assert_false(room_is_short(r));
	room_free(r);
}

/* As long as segments are only about to go, writers wait for that; and are told. */
static void test_writers_wait_for_segments_to_go(void **state)
{
	struct room *r = make(8 * MIB, 0);

	(void)state;
	room_note_log(r, 20 * MIB);
	leave(r, 2 * MIB);
	assert_false(room_is_tight(r));
	leave(r, 2 * MIB - 1);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	assert_true(room_is_tight(r));
	assert_int_equal(disk.moves, 0);
	leave(r, 3 * MIB);
	assert_false(room_is_tight(r));
	assert_int_equal(disk.moves, 1);
	leave(r, MIB);
	assert_true(room_is_tight(r));
	/* None of them does: then they are refused. */
	room_note_log(r, 0);
	room_look(r);
	assert_false(room_is_tight(r));
	assert_int_equal(room_level(r), ROOM_LOW);
	assert_int_equal(disk.moves, 2);
	room_free(r);
}

static void test_blocks_ahead(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);
	uint64_t upto;

	(void)state;
	keep(r);
	upto = room_reserve(r, LOG_FD, 0, 100 * KIB, true);
	assert_int_equal(upto, 100 * KIB + MIB);
	assert_int_equal(disk.log, upto);
	/* None are left, and the ballast is not for this. */
	leave(r, 100);
	assert_int_equal(room_reserve(r, LOG_FD, upto, 2 * MIB, false), upto);
	assert_int_equal(ballast_size(), 4 * MIB);
	assert_int_equal(room_level(r), ROOM_LOW);
	/* For this it is. */
	assert_int_equal(room_reserve(r, LOG_FD, upto, 2 * MIB, true), 2 * MIB + 256 * KIB);
	assert_in_range(ballast_size(), 2 * MIB, 3 * MIB);
	leave(r, 0);
	upto = room_reserve(r, LOG_FD, disk.log, 100 * MIB, true);
	assert_int_equal(upto, disk.log);
	assert_int_equal(ballast_size(), 0);
	assert_int_equal(room_level(r), ROOM_SCARCE);
	room_free(r);
}

/* It may have been no want of room. */
static void test_a_segment_that_could_not_be_made(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);

	(void)state;
	keep(r);
	assert_false(room_give_for_segment(r, true));
	assert_int_equal(ballast_size(), 4 * MIB);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	assert_int_equal(disk.moves, 0);
	leave(r, MIB - 1);
	for (int pieces = 0; pieces < 4; pieces++) {
		assert_true(room_give_for_segment(r, false));
		leave(r, MIB - 1);
	}
	assert_false(room_give_for_segment(r, false));
	assert_int_equal(ballast_size(), 2 * MIB);
	assert_true(room_give_for_segment(r, true));
	assert_int_equal(room_level(r), ROOM_SCARCE);
	room_free(r);
	r = make(0, 0);
	assert_false(room_give_for_segment(r, true));
	room_free(r);
}

/* It says nothing of room, nor of what the file system can. */
static void test_a_signal_while_blocks_are_had(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);
	uint64_t upto;

	(void)state;
	disk.interrupts = 2;
	keep(r);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	assert_int_equal(disk.moves, 0);
	assert_int_equal(ballast_size(), 4 * MIB);
	disk.interrupts = 2;
	upto = room_reserve(r, LOG_FD, 0, 100 * KIB, true);
	assert_int_equal(disk.interrupts, 0);
	assert_int_equal(upto, 100 * KIB + MIB);
	assert_int_equal(disk.log, upto);
	room_free(r);
}

static void test_quota_of_which_the_file_system_does_not_tell(void **state)
{
	struct room *r;
	uint64_t upto;

	(void)state;
	disk.size = UINT64_C(1) << 40;
	disk.quota = 64 * MIB;
	r = make(8 * MIB, 4 * MIB);
	keep(r);
	disk.quota = 6 * MIB;
	assert_int_equal(ballast_size(), 4 * MIB);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	upto = room_reserve(r, LOG_FD, 0, 0, true);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	upto = room_reserve(r, LOG_FD, upto, upto + 512 * KIB, true);
	assert_int_equal(room_level(r), ROOM_LOW);
	assert_in_range(upto, 1536 * KIB, 3 * MIB);
	keep(r);
	assert_int_equal(room_level(r), ROOM_LOW);
	/* More, but less than ends the level; then enough. */
	disk.quota = 15 * MIB - 1;
	for (int i = 0; i < 8; i++)
		keep(r);
	assert_int_equal(ballast_size(), 4 * MIB);
	assert_int_equal(room_level(r), ROOM_LOW);
	disk.quota = 20 * MIB;
	keep(r);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	room_free(r);
	/* A start finds out at once. */
	disk.quota = 10 * MIB;
	r = make(8 * MIB, 4 * MIB);
	assert_int_equal(room_level(r), ROOM_LOW);
	room_free(r);
}

static void test_file_systems_without_blocks_ahead(void **state)
{
	struct room *r;
	struct stat st;

	(void)state;
	disk.cannot_allocate = true;
	r = make(8 * MIB, 2 * MIB);
	keep(r);
	assert_int_equal(stat(disk.ballast, &st), 0);
	assert_int_equal(st.st_size, 2 * MIB);
	assert_true(st.st_blocks * 512 >= st.st_size);
	assert_true(room_reserve(r, LOG_FD, 0, MIB, true) == UINT64_MAX);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	leave(r, MIB);
	assert_int_equal(room_level(r), ROOM_LOW);
	room_free(r);
}

static void test_start_on_a_full_disk(void **state)
{
	struct room *r = make(8 * MIB, 4 * MIB);

	(void)state;
	disk.cannot_allocate = true;
	keep(r);
	disk.cannot_allocate = false;
	room_free(r);
	disk.others = disk.size - 4 * MIB;
	r = make(8 * MIB, 4 * MIB);
	assert_in_range(ballast_size(), 2 * MIB, 3 * MIB);
	assert_int_equal(room_level(r), ROOM_LOW);
	/* What the start did not need is kept again. */
	disk.log = 300 * KIB;
	room_end_start(r);
	assert_in_range(ballast_size(), 3 * MIB, 4 * MIB);
	room_free(r);
}

static void test_nothing_is_asked_where_nothing_is_wanted(void **state)
{
	struct room *r = make(0, 0);
	struct room_figures f;

	(void)state;
	disk.others = disk.size;
	room_look(r);
	assert_int_equal(room_level(r), ROOM_PLENTY);
	assert_false(room_is_short(r) || room_is_tight(r));
	assert_true(room_reserve(r, LOG_FD, 0, MIB, true) == UINT64_MAX);
	assert_false(room_give(r, ROOM_TREE, true));
	assert_true(room_keep(r, 1) == INT64_MAX);
	/* But what is left can be told. */
	disk.others = disk.size - 5 * MIB;
	room_get_figures(r, &f);
	assert_int_equal(f.data_free, 5 * MIB);
	assert_int_equal(f.log_free, 5 * MIB);
	room_free(r);
}

/* A file without blocks behind its length, as a copy may be, keeps nothing. */
static void test_ballast_of_holes(void **state)
{
	char reason[STORE_REASON_LEN];
	struct ballast *b;
	int fd = open(disk.ballast, O_RDWR | O_CREAT, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)MIB), 0);
	close(fd);
	assert_int_equal(ballast_open(&b, disk.dir, reason), 0);
	assert_int_equal(ballast_bytes(b), 0);
	assert_int_equal(ballast_size(), 0);
	ballast_close(b);
	assert_int_equal(ballast_open(&b, "/nowhere/at all", reason), -1);
	assert_non_null(strstr(reason, "/nowhere/at all/ballast"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_levels),
		TEST(test_ballast_is_given_up_by_steps),
		TEST(test_many_sessions_have_more_kept_for_them),
		TEST(test_ballast_shrinks),
		TEST(test_what_counts_as_room),
		TEST(test_writers_wait_for_segments_to_go),
		TEST(test_blocks_ahead),
		TEST(test_a_segment_that_could_not_be_made),
		TEST(test_a_signal_while_blocks_are_had),
		TEST(test_quota_of_which_the_file_system_does_not_tell),
		TEST(test_file_systems_without_blocks_ahead),
		TEST(test_start_on_a_full_disk),
		TEST(test_nothing_is_asked_where_nothing_is_wanted),
		TEST(test_ballast_of_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
