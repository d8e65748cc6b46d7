/* The first look at a file, on files that SQLite wrote and that were spoilt then. */
#include "store/inspect.h"

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
#include "tests/lib/tmpdir.h"

enum { PAGE = 4096 };

struct fixture {
	char *dir;
	char *path;
	char reason[STORE_REASON_LEN];
};

static void make_database(struct fixture *f, bool keep_wal)
{
	sqlite3 *db;

	assert_int_equal(db_open(&db, f->path, DB_WRITE, 256, f->reason), 0);
	db_must_exec(db, "CREATE TABLE t (a);"
			 "INSERT INTO t VALUES (zeroblob(20000)), (zeroblob(20000))");
	db_close(db, keep_wal);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	f->dir = tmpdir_make();
	f->path = files_join(f->dir, "some.db");
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

static void write_at(struct fixture *f, off_t at, const char *bytes, size_t len)
{
	int fd = open(f->path, O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void assert_good(struct fixture *f)
{
	assert_int_equal(inspect_file(f->path, f->reason), 0);
}

static void assert_damaged(struct fixture *f, const char *what)
{
	assert_int_equal(inspect_file(f->path, f->reason), STORE_DAMAGED);
	assert_non_null(strstr(f->reason, f->path));
	assert_non_null(strstr(f->reason, what));
}

static void test_what_is_others_to_tell(void **state)
{
	struct fixture *f = *state;

	assert_good(f);
	write_at(f, 0, "", 0);
	assert_good(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(inspect_file(f->path, f->reason), STORE_DAMAGED);
	assert_int_equal(rmdir(f->path), 0);
	make_database(f, false);
	assert_good(f);
}

static void test_cut_off(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	make_database(f, false);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(st.st_size >= 10 * PAGE);
	assert_int_equal(truncate(f->path, st.st_size - 1), 0);
	assert_damaged(f, "is cut off");
	assert_int_equal(truncate(f->path, PAGE), 0);
	assert_damaged(f, "4096 of");
	assert_int_equal(truncate(f->path, 99), 0);
	assert_damaged(f, "is cut off");
	assert_int_equal(unlink(f->path), 0);
	/* Its pages are in the -wal. */
	make_database(f, true);
	assert_good(f);
}

/* One that was being made is SQLite's to roll back. */
static void assert_good_beside_a_journal(struct fixture *f)
{
	char *journal = files_join(f->dir, "some.db-journal");
	int fd = open(journal, O_CREAT | O_RDWR, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_good(f);
	assert_int_equal(unlink(journal), 0);
	mem_free(journal);
}

static void test_no_database_of_ours(void **state)
{
	static const struct {
		off_t at;
		const char *bytes;
		const char *what;
	} cases[] = {
		{ 3, "X", "is no database" },      { 16, "\x11", "is no database" },
		{ 17, "\x02", "is no database" },  { 18, "\x01", "another program" },
		{ 19, "\x03", "another program" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_database(f, false);
		write_at(f, cases[i].at, cases[i].bytes, 1);
		assert_damaged(f, cases[i].what);
		assert_good_beside_a_journal(f);
		assert_int_equal(unlink(f->path), 0);
	}
}

static void test_the_command_is_named(void **state)
{
	struct fixture *f = *state;

	(void)strcpy(f->reason, "tree.db: is cut off");
	inspect_name_command("/a", NULL, f->reason);
	assert_string_equal(f->reason, "tree.db: is cut off; what can be read is salvaged by: "
				       "zoolited --recover /a NEWDIR");
	(void)strcpy(f->reason, "x");
	inspect_name_command("/a", "/b", f->reason);
	assert_non_null(strstr(f->reason, "--recover /a /b NEWDIR"));
	memset(f->reason, 'x', sizeof(f->reason) - 1);
	f->reason[sizeof(f->reason) - 1] = '\0';
	inspect_name_command("/a", "/b", f->reason);
	assert_int_equal(strlen(f->reason), sizeof(f->reason) - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_others_to_tell),
		TEST(test_cut_off),
		TEST(test_no_database_of_ours),
		TEST(test_the_command_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
