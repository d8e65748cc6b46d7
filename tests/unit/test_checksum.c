/* Checksums of pages: what stands in a page, and database files over the VFS. */
#include "store/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "store/db.h"
#include "store/files.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

enum { PAGE = 4096 };

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

	mem_free(f->path);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

/* Files of other versions hold it: it stays as it is. Sums by the reference implementation. */
static void test_what_stands_in_a_page(void **state)
{
	static const struct {
		int64_t number;
		uint64_t sum;
	} known[] = {
		{ 1, UINT64_C(0x767415c661da1b1c) },
		{ 262144, UINT64_C(0x5f7966dc35f5bf53) },
	};
	struct checksum c = { .is_on = true, .page_bytes = PAGE };
	uint8_t page[PAGE];

	(void)state;
	for (unsigned i = 0; i < PAGE; i++)
		page[i] = (uint8_t)(i * 7 + 3);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		int64_t at = (known[i].number - 1) * PAGE;
		const uint8_t *sealed = checksum_seal(&c, page, at);
		uint64_t sum = 0;

		for (unsigned j = CHECKSUM_BYTES; j-- > 0;)
			sum = sum << 8 | sealed[PAGE - CHECKSUM_BYTES + j];
		assert_true(sum == known[i].sum);
		assert_true(checksum_holds(&c, sealed, at));
		assert_false(checksum_holds(&c, sealed, at + PAGE));
	}
	checksum_fini(&c);
}

/* ---- files ---- */

static sqlite3 *open_db(struct fixture *f, enum db_role role)
{
	char reason[DB_REASON_LEN];
	sqlite3 *db;

	if (db_open(&db, f->path, role, 256, reason) != 0)
		fail_msg("%s", reason);
	return db;
}

/* A file of many pages, some of them overflow pages and some free, closed. */
static void make_file(struct fixture *f)
{
	sqlite3 *db = open_db(f, DB_WRITE);

	assert_int_equal(db_exec(db, "BEGIN IMMEDIATE"), SQLITE_OK);
	assert_int_equal(db_create_schema(db, DB_SCHEMA_TREE), 0);
	assert_int_equal(db_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
				     "FROM n WHERE i < 400) INSERT INTO meta "
				     "SELECT 'k' || i, randomblob(i * 20) FROM n; COMMIT"),
			 SQLITE_OK);
	assert_int_equal(db_exec(db, "DELETE FROM meta WHERE key LIKE 'k3%'"), SQLITE_OK);
	assert_true(vfs_has_checksums(db));
	db_close(db, false);
}

static int64_t count_pages(struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size % PAGE, 0);
	return st.st_size / PAGE;
}

/* Change one bit of one byte. */
static void flip(struct fixture *f, long at, int bit)
{
	FILE *file = fopen(f->path, "r+b");
	int c;

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	c = fgetc(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	(void)fputc(c ^ (1 << bit), file);
	assert_int_equal(fclose(file), 0);
}

/* Read all there is. Gives SQLite's code. */
static int read_all(struct fixture *f)
{
	sqlite3 *db = NULL, *copy = NULL;
	sqlite3_backup *backup;
	int rc;

	/* Free pages are read by a copy alone. */
	assert_int_equal(sqlite3_open(":memory:", &copy), SQLITE_OK);
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, VFS_NAME), SQLITE_OK);
	backup = sqlite3_backup_init(copy, "main", db, "main");
	assert_non_null(backup);
	rc = sqlite3_backup_step(backup, -1);
	(void)sqlite3_backup_finish(backup);
	assert_int_equal(sqlite3_close(copy), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return rc & 0xff;
}

static void test_every_page_is_checked(void **state)
{
	struct fixture *f = *state;
	uint64_t before = metrics_get(METRIC_pages_damaged);
	int64_t pages;

	make_file(f);
	pages = count_pages(f);
	assert_true(pages > 100);
	assert_int_equal(read_all(f), SQLITE_DONE);
	/* The first bytes say that it is a database at all, and how large its pages are. */
	for (int64_t page = 0; page < pages; page++) {
		long at = (long)page * PAGE + (page == 0 ? 18 : 0) + (page * 37) % (PAGE - 18);

		flip(f, at, (int)(page % 8));
		assert_int_not_equal(read_all(f), SQLITE_DONE);
		flip(f, at, (int)(page % 8));
	}
	assert_true(metrics_get(METRIC_pages_damaged) >= before + (uint64_t)pages - 1);
	assert_int_equal(read_all(f), SQLITE_DONE);
}

static void test_a_page_that_lies_elsewhere(void **state)
{
	struct fixture *f = *state;
	uint8_t page[PAGE];
	struct capture capture;
	char said[1024];
	FILE *file;

	make_file(f);
	file = fopen(f->path, "r+b");
	assert_int_equal(fseek(file, 20 * PAGE, SEEK_SET), 0);
	assert_int_equal(fread(page, PAGE, 1, file), 1);
	assert_int_equal(fseek(file, 21 * PAGE, SEEK_SET), 0);
	assert_int_equal(fwrite(page, PAGE, 1, file), 1);
	assert_int_equal(fclose(file), 0);
	capture_begin(&capture);
	assert_int_equal(read_all(f), SQLITE_IOERR);
	(void)capture_end(&capture, said, sizeof(said));
	assert_non_null(strstr(said, "event=store.page_damaged"));
	assert_non_null(strstr(said, "a.db page=22 reason=\"its checksum does not fit\""));
}

static void test_the_end_is_missing(void **state)
{
	struct fixture *f = *state;
	int64_t pages;

	make_file(f);
	pages = count_pages(f);
	assert_int_equal(truncate(f->path, (pages - 3) * PAGE), 0);
	assert_int_not_equal(read_all(f), SQLITE_DONE);
}

/* Without our VFS, as the shell of SQLite has it. */
static void test_others_read_it(void **state)
{
	struct fixture *f = *state;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	make_file(f);
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A copy page by page, as a snapshot is, has them too, and a file of version 1 goes without. */
static void test_copies(void **state)
{
	struct fixture *f = *state;
	struct fixture copied = { f->dir, files_join(f->dir, "b.db") };
	sqlite3 *from, *to;
	sqlite3_backup *backup;

	make_file(f);
	from = open_db(f, DB_WRITE);
	to = open_db(&copied, DB_WRITE);
	backup = sqlite3_backup_init(to, "main", from, "main");
	while (sqlite3_backup_step(backup, 7) == SQLITE_OK)
		continue;
	assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
	db_close(to, false);
	db_close(from, false);
	assert_int_equal(read_all(&copied), SQLITE_DONE);
	flip(&copied, 30 * PAGE + 99, 3);
	assert_int_equal(read_all(&copied), SQLITE_IOERR);
	mem_free(copied.path);
}

static void test_version_1_has_none(void **state)
{
	struct fixture *f = *state;
	struct fixture copied = { f->dir, files_join(f->dir, "b.db") };
	sqlite3_backup *backup;
	sqlite3 *db, *to;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(db_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t(x); "
				     "INSERT INTO t VALUES (randomblob(50000)); "
				     "PRAGMA user_version = 1"),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	db = open_db(f, DB_WRITE);
	assert_int_equal(db_exec(db, "INSERT INTO t VALUES (randomblob(50000))"), SQLITE_OK);
	assert_false(vfs_has_checksums(db));
	/* Nor has its copy. */
	to = open_db(&copied, DB_WRITE);
	backup = sqlite3_backup_init(to, "main", db, "main");
	assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
	assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
	assert_int_equal(db_exec(to, "INSERT INTO t VALUES (randomblob(50000))"), SQLITE_OK);
	db_close(to, false);
	db_close(db, false);
	assert_int_equal(read_all(&copied), SQLITE_DONE);
	assert_int_equal(read_all(f), SQLITE_DONE);
	flip(f, 5 * PAGE + 2000, 1);
	assert_int_equal(read_all(f), SQLITE_DONE);
	mem_free(copied.path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_stands_in_a_page),
		/* Before others use up the lines of a second. */
		TEST(test_a_page_that_lies_elsewhere),
		TEST(test_every_page_is_checked),
		TEST(test_the_end_is_missing),
		TEST(test_others_read_it),
		TEST(test_copies),
		TEST(test_version_1_has_none),
	};

	vfs_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
