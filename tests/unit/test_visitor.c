/* Who reads a database from outside: real processes, for its locks are those of a process. */
#include "store/visitor.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "store/files.h"
#include "tests/lib/tmpdir.h"

struct fixture {
	char *dir;
	char *path;
	sqlite3 *db; /* writes, as the server does */
	struct visitor *visitor;
};

static void must(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	f->dir = tmpdir_make();
	f->path = files_join(f->dir, "tree.db");
	f->visitor = visitor_new(f->path);
	*state = f;
	return 0;
}

static void open_database(struct fixture *f)
{
	assert_int_equal(sqlite3_open(f->path, &f->db), SQLITE_OK);
	must(f->db, "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sqlite3_close(f->db);
	visitor_free(f->visitor);
	mem_free(f->path);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

/* A process, and what it does next: to_child says go on, from_child that it has. */
struct other {
	pid_t pid;
	int to_child[2], from_child[2];
};

/* What it found: the first column of the last row. */
static int step(const struct other *o)
{
	char byte = 0;

	assert_int_equal(write(o->to_child[1], &byte, 1), 1);
	assert_int_equal(read(o->from_child[0], &byte, 1), 1);
	return byte;
}

static int keep_first(void *ctx, int count, char **values, char **names)
{
	char *byte = ctx;

	(void)count;
	(void)names;
	*byte = values[0] != NULL ? (char)atoi(values[0]) : 0;
	return 0;
}

/* In the child: do that when told. */
static void do_when_told(const struct other *o, sqlite3 *db, const char *sql)
{
	char byte;

	if (read(o->to_child[0], &byte, 1) != 1 ||
	    sqlite3_exec(db, sql, keep_first, &byte, NULL) != SQLITE_OK ||
	    write(o->from_child[1], &byte, 1) != 1)
		_exit(1);
}

/* It runs first and second, one for each step, and ends with the third. No connection of ours is
 * open here: a child has no use for one. */
static struct other other_begin(const struct fixture *f, const char *first, const char *second)
{
	struct other o;
	sqlite3 *db;
	char byte;

	assert_int_equal(pipe(o.to_child), 0);
	assert_int_equal(pipe(o.from_child), 0);
	o.pid = fork();
	assert_true(o.pid >= 0);
	if (o.pid > 0)
		return o;
	close(o.to_child[1]);
	/* Once it is there. */
	if (read(o.to_child[0], &byte, 1) != 1 || sqlite3_open(f->path, &db) != SQLITE_OK ||
	    write(o.from_child[1], &byte, 1) != 1)
		_exit(1);
	do_when_told(&o, db, first);
	do_when_told(&o, db, second);
	(void)!read(o.to_child[0], &byte, 1);
	_exit(0);
}

static void other_end(struct other *o)
{
	int status;

	close(o->to_child[1]);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	assert_int_equal(status, 0);
	close(o->to_child[0]);
	close(o->from_child[0]);
	close(o->from_child[1]);
}

static void test_who_reads_is_found_for_as_long_as_that_takes(void **state)
{
	struct fixture *f = *state;
	struct other o = other_begin(f, "BEGIN; SELECT * FROM t", "COMMIT");

	open_database(f);
	step(&o);
	/* It has the file open and reads nothing. */
	assert_int_equal(visitor_find(f->visitor), 0);
	step(&o);
	assert_int_equal(visitor_find(f->visitor), o.pid);
	/* Not only of what is there now. */
	must(f->db, "INSERT INTO t VALUES (2)");
	assert_int_equal(visitor_find(f->visitor), o.pid);
	step(&o);
	assert_int_equal(visitor_find(f->visitor), 0);
	other_end(&o);
}

/* One that was killed in the middle of its read is none any more. */
static void test_who_is_dead_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct other o = other_begin(f, "BEGIN; SELECT * FROM t", "COMMIT");
	int status;

	open_database(f);
	step(&o);
	step(&o);
	assert_int_equal(visitor_find(f->visitor), o.pid);
	assert_int_equal(kill(o.pid, SIGKILL), 0);
	assert_int_equal(waitpid(o.pid, &status, 0), o.pid);
	assert_int_equal(visitor_find(f->visitor), 0);
	close(o.to_child[0]);
	close(o.to_child[1]);
	close(o.from_child[0]);
	close(o.from_child[1]);
}

/* The locks of a process are its own, whichever connection they are of. */
static void test_own_reads_are_no_visitors(void **state)
{
	struct fixture *f = *state;
	sqlite3 *reader;

	open_database(f);
	assert_int_equal(sqlite3_open(f->path, &reader), SQLITE_OK);
	must(reader, "BEGIN; SELECT * FROM t");
	assert_int_equal(visitor_find(f->visitor), 0);
	must(reader, "COMMIT");
	assert_int_equal(sqlite3_close(reader), SQLITE_OK);
}

/* The system drops the locks of a process on a file when that closes any descriptor of it: a read
 * of ours would no longer be in the way of who empties the -wal. */
static void test_looking_leaves_our_locks_alone(void **state)
{
	struct fixture *f = *state;
	struct other o = other_begin(f, "PRAGMA wal_checkpoint(TRUNCATE)",
				     "PRAGMA wal_checkpoint(TRUNCATE)");
	sqlite3 *reader;

	open_database(f);
	assert_int_equal(sqlite3_open(f->path, &reader), SQLITE_OK);
	must(reader, "BEGIN; SELECT * FROM t");
	must(f->db, "INSERT INTO t VALUES (2)");
	assert_int_equal(visitor_find(f->visitor), 0);
	assert_int_equal(visitor_find(f->visitor), 0);
	(void)step(&o);
	assert_int_equal(step(&o), 1); /* it is busy */
	must(reader, "COMMIT");
	assert_int_equal(step(&o), 0);
	assert_int_equal(sqlite3_close(reader), SQLITE_OK);
	other_end(&o);
}

/* Where there is no database, or none that was ever used, nobody is in it; one that comes later is
 * looked at. */
static void test_no_database_has_no_visitors(void **state)
{
	struct fixture *f = *state;
	struct other o = other_begin(f, "BEGIN; SELECT * FROM t", "COMMIT");

	assert_int_equal(visitor_find(f->visitor), 0);
	open_database(f);
	step(&o);
	step(&o);
	assert_int_equal(visitor_find(f->visitor), o.pid);
	step(&o);
	other_end(&o);
	visitor_free(NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_reads_is_found_for_as_long_as_that_takes),
		TEST(test_who_is_dead_is_not_found),
		TEST(test_own_reads_are_no_visitors),
		TEST(test_looking_leaves_our_locks_alone),
		TEST(test_no_database_has_no_visitors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
