/* What is left of a file: frames of a -wal whose bits flipped, rows around pages that are gone. Of
 * whole directories there is tests/fault/test_damage.py. */
#include "store/remnant.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/files.h"
#include "store/frames.h"
#include "tests/lib/tmpdir.h"

enum { PAGE = 4096, FRAME = PAGE + 24, HEADER = 32, ROWS = 200 };

struct fixture {
	char *dir;
	char *path;
	char *wal;
	char *copies;
	struct remnants r;
	int lines;
	int rows;
	int64_t last;
	char reason[STORE_REASON_LEN];
};

static void count_line(void *ctx, const char *line)
{
	struct fixture *f = ctx;

	assert_null(strchr(line, '\n'));
	f->lines++;
}

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	f->dir = tmpdir_make();
	f->path = files_join(f->dir, "some.db");
	f->wal = files_join(f->dir, "some.db-wal");
	f->copies = files_join(f->dir, "copies");
	assert_int_equal(mkdir(f->copies, 0700), 0);
	f->r = (struct remnants){ .dir = f->copies, .tell = count_line, .ctx = f };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	mem_free(f->path);
	mem_free(f->wal);
	mem_free(f->copies);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

/* A row fills most of a page, and each commit is a frame or two. */
static void make_database(struct fixture *f, bool keep_wal)
{
	sqlite3 *db;
	sqlite3_stmt *insert;

	assert_int_equal(db_open(&db, f->path, DB_WRITE, 256, f->reason), 0);
	db_must_exec(db, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
	db_must_exec(db, "PRAGMA user_version = 2");
	insert = db_prepare(db, "INSERT INTO t VALUES (?1, zeroblob(3000))");
	for (int i = 1; i <= ROWS; i++) {
		db_bind_int(insert, 1, i);
		db_must_run(db, insert);
	}
	sqlite3_finalize(insert);
	db_close(db, keep_wal);
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void spoil(struct fixture *f, int page, int count)
{
	static const char bytes[PAGE] = { 1 };
	int fd = open(f->path, O_RDWR);

	assert_true(fd >= 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(pwrite(fd, bytes, PAGE, (off_t)(page - 1 + i) * PAGE), PAGE);
	close(fd);
}

static void take_row(void *ctx, sqlite3_stmt *row)
{
	struct fixture *f = ctx;

	assert_true(sqlite3_column_int64(row, 0) > f->last);
	f->last = sqlite3_column_int64(row, 0);
	f->rows++;
}

/* Rows that are read from the copy, -1: it cannot be opened. */
static int salvage_rows(struct fixture *f)
{
	sqlite3_stmt *rows;
	sqlite3 *db;
	int rc;

	f->rows = f->lines = 0;
	f->last = 0;
	f->r.damaged = 0;
	rc = remnant_open(&f->r, f->path, &db, f->reason);
	assert_true(rc >= 0);
	if (rc == 0) {
		rows = db_try_prepare(db, "SELECT a, b FROM t WHERE a >= ?1 ORDER BY a");
		if (rows != NULL)
			remnant_walk(&f->r, "rows", rows, take_row, f);
		sqlite3_finalize(rows);
	}
	remnant_close(&f->r, db);
	return rc == 0 ? f->rows : -1;
}

static void test_whole(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(salvage_rows(f), -1);
	assert_int_equal(f->lines, 0);
	make_database(f, true);
	assert_int_equal(salvage_rows(f), ROWS);
	assert_int_equal(f->lines, 0);
	assert_int_equal(frames_mend(f->wal), 0);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(unlink(f->wal), 0);
	make_database(f, false);
	assert_int_equal(salvage_rows(f), ROWS);
	assert_true(f->r.damaged == 0);
	assert_int_equal(frames_mend(f->wal), 0);
}

/* Every byte of the header, and some of frames, one after the other. */
static void test_flips_in_a_wal(void **state)
{
	struct fixture *f = *state;

	make_database(f, true);
	for (off_t at = 0; at < HEADER; at++) {
		/* How often it was begun anew says nothing. */
		flip(f->wal, at);
		assert_int_equal(salvage_rows(f), ROWS);
		assert_true(f->r.damaged == 1 && f->lines == 1);
		flip(f->wal, at);
	}
	for (off_t at = HEADER + 3 * FRAME; at < HEADER + 4 * FRAME; at += at % 97 + 1) {
		off_t in_frame = (at - HEADER) % FRAME;

		flip(f->wal, at);
		/* A flip in its number of the page or of the commit is another's page then. */
		if (in_frame >= 8) {
			assert_true(salvage_rows(f) >= ROWS - 20);
			assert_true(f->r.damaged >= 1);
		} else {
			(void)salvage_rows(f);
		}
		flip(f->wal, at);
	}
	assert_int_equal(salvage_rows(f), ROWS);
	assert_int_equal(f->lines, 0);
}

/* Behind a frame that never came as a whole there is nothing that goes on from it. */
static void test_a_torn_end_is_no_damage(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	make_database(f, true);
	assert_int_equal(stat(f->wal, &st), 0);
	flip(f->wal, st.st_size - 1000);
	assert_int_equal(salvage_rows(f), ROWS - 1);
	assert_int_equal(f->lines, 0);
	assert_int_equal(truncate(f->wal, st.st_size - 100), 0);
	assert_int_equal(salvage_rows(f), ROWS - 1);
	assert_int_equal(f->lines, 0);
	assert_int_equal(truncate(f->wal, 40), 0);
	assert_int_equal(frames_mend(f->wal), 0);
}

static void test_rows_around_pages_that_are_gone(void **state)
{
	struct fixture *f = *state;

	make_database(f, false);
	spoil(f, 50, 1);
	assert_int_equal(salvage_rows(f), ROWS - 1);
	assert_int_equal(f->lines, 1);
	spoil(f, 60, 5);
	assert_int_equal(salvage_rows(f), ROWS - 6);
	spoil(f, 80, 1);
	assert_int_equal(salvage_rows(f), ROWS - 7);
	assert_true(f->r.damaged == (uint64_t)f->lines && f->lines >= 3);
	/* To the end. */
	spoil(f, ROWS - 20, 1);
	assert_int_equal(truncate(f->path, (off_t)(ROWS - 10) * PAGE), 0);
	assert_in_range(salvage_rows(f), ROWS - 7 - 1 - 14, ROWS - 7 - 1 - 8);
}

static void test_headers(void **state)
{
	struct fixture *f = *state;

	make_database(f, false);
	for (off_t at = 0; at < 24; at++) {
		flip(f->path, at);
		assert_int_equal(salvage_rows(f), ROWS);
		assert_int_equal(f->lines, 1);
		flip(f->path, at);
	}
	spoil(f, 1, 1);
	(void)salvage_rows(f);
	assert_true(f->lines >= 1);
	assert_int_equal(truncate(f->path, 10), 0);
	(void)salvage_rows(f);
}

/* Neither a version that there is not nor another number of reserved bytes makes it one without
 * checksums. */
static void test_checksums_are_looked_at_whatever_the_header_says(void **state)
{
	static const off_t places[] = { 20, 60, 61, 62, 63 };
	struct fixture *f = *state;

	make_database(f, false);
	flip(f->path, 50 * PAGE + 2000);
	assert_int_equal(salvage_rows(f), ROWS - 1);
	assert_int_equal(f->lines, 1);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		flip(f->path, places[i]);
		assert_int_equal(salvage_rows(f), ROWS - 1);
		assert_int_equal(f->lines, 2);
		flip(f->path, places[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_flips_in_a_wal),
		TEST(test_a_torn_end_is_no_damage),
		TEST(test_rows_around_pages_that_are_gone),
		TEST(test_headers),
		TEST(test_checksums_are_looked_at_whatever_the_header_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
