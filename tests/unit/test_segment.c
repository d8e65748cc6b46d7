/* One file of the log. */
#include "store/segment.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "store/files.h"
#include "tests/lib/baddisk.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

struct fixture {
	char *dir;
	struct segment like;
	struct segment *segment;
};

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	f->dir = tmpdir_make();
	f->like.number = 12;
	f->like.epoch = 5;
	memcpy(f->like.database, "0123456789abcdef", DATABASE_ID_LEN);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	segment_close(f->segment, false);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

static void make(struct fixture *f, enum segment_state segment_state, int64_t prev)
{
	char reason[STORE_REASON_LEN];

	f->like.state = segment_state;
	f->like.prev = prev;
	assert_int_equal(segment_create(&f->segment, f->dir, &f->like, reason), 0);
}

static void reopen(struct fixture *f, bool keep_wal)
{
	char reason[STORE_REASON_LEN];

	segment_close(f->segment, keep_wal);
	f->segment = NULL;
	assert_int_equal(segment_open(&f->segment, f->dir, 12, reason), 0);
	assert_int_equal(f->segment->number, 12);
}

static void append(struct fixture *f, int64_t zxid, int64_t prev, const char *body)
{
	const struct record_head head = { .zxid = zxid,
					  .prev = prev,
					  .time_ms = INT64_C(1700000000123),
					  .session = -1,
					  .identity = slice_of("CN=\"a\""),
					  .op = "setData",
					  .path = slice_of("/a") };

	segment_append(f->segment, &head, slice_of(body), NULL, NULL);
}

static void test_prepared_then_used(void **state)
{
	struct fixture *f = *state;

	make(f, SEGMENT_PREPARED, 0);
	assert_true(f->segment->sync_fd >= 0);
	reopen(f, true);
	assert_int_equal(f->segment->state, SEGMENT_PREPARED);
	assert_int_equal(f->segment->epoch, 5);
	assert_memory_equal(f->segment->database, "0123456789abcdef", DATABASE_ID_LEN);
	/* Used and written in one transaction. */
	segment_begin(f->segment);
	f->segment->prev = 41;
	segment_stamp(f->segment, 6);
	append(f, 42, 41, "x");
	segment_commit(f->segment);
	assert_true(f->segment->last == 42);
	reopen(f, true);
	assert_int_equal(f->segment->state, SEGMENT_USED);
	assert_true(f->segment->prev == 41);
	assert_true(f->segment->last == 42);
	assert_int_equal(f->segment->epoch, 6);
}

static void test_what_is_not_committed_is_not_there(void **state)
{
	struct fixture *f = *state;

	make(f, SEGMENT_PREPARED, 0);
	segment_begin(f->segment);
	f->segment->prev = 41;
	segment_stamp(f->segment, 6);
	append(f, 42, 41, "x");
	reopen(f, true);
	assert_int_equal(f->segment->state, SEGMENT_PREPARED);
	assert_int_equal(f->segment->epoch, 5);
}

static void test_used_from_the_start(void **state)
{
	struct fixture *f = *state;

	make(f, SEGMENT_USED, 7);
	reopen(f, false);
	assert_int_equal(f->segment->state, SEGMENT_USED);
	/* Empty: its newest row is the one before it. */
	assert_true(f->segment->last == 7);
}

static void test_unfinished(void **state)
{
	struct fixture *f = *state;
	char *path = files_segment_path(f->dir, 12), reason[STORE_REASON_LEN];

	fclose(fopen(path, "w"));
	assert_int_equal(segment_open(&f->segment, f->dir, 12, reason), 0);
	assert_int_equal(f->segment->state, SEGMENT_UNFINISHED);
	mem_free(path);
}

static void assert_rows(struct segment_reader *r, int64_t after, int64_t upto, const char *want)
{
	struct record_head head;
	struct slice body;
	char got[256] = "";
	int rc;

	segment_reader_seek(r, after, upto);
	while ((rc = segment_reader_next(r, &head, &body)) == 1) {
		size_t len = strlen(got);

		assert_true(head.time_ms == INT64_C(1700000000123));
		assert_true(head.session == -1);
		assert_true(slice_is(head.identity, "CN=\"a\""));
		assert_null(head.address.data);
		assert_string_equal(head.op, "setData");
		assert_true(slice_is(head.path, "/a"));
		(void)snprintf(got + len, sizeof(got) - len, "%" PRId64 ">%" PRId64 "=%.*s ",
			       head.prev, head.zxid, (int)body.len, body.data);
	}
	assert_int_equal(rc, 0);
	segment_reader_reset(r);
	assert_string_equal(got, want);
}

/* The replay thread reads beside the core, which goes on writing. */
static void test_reading_beside_the_writer(void **state)
{
	struct fixture *f = *state;
	struct segment_reader r;
	char reason[STORE_REASON_LEN];

	make(f, SEGMENT_USED, 7);
	assert_int_equal(segment_reader_open(&r, f->segment->path, reason), 0);
	assert_rows(&r, 0, INT64_MAX, "");
	segment_begin(f->segment);
	append(f, 10, 7, "a");
	append(f, 20, 10, "");
	assert_rows(&r, 0, INT64_MAX, "");
	segment_commit(f->segment);
	assert_rows(&r, 0, INT64_MAX, "7>10=a 10>20= ");
	segment_begin(f->segment);
	append(f, 30, 20, "c");
	segment_commit(f->segment);
	assert_rows(&r, 10, INT64_MAX, "10>20= 20>30=c ");
	assert_rows(&r, 10, 20, "10>20= ");
	assert_rows(&r, 0, 9, "");
	assert_rows(&r, 30, INT64_MAX, "");
	assert_true(f->segment->wal_pages > 0);
	assert_true(f->segment->row_bytes > 0);
	assert_true(f->segment->last_ms == INT64_C(1700000000123));
	segment_reader_close(&r);
	/* A reader that goes leaves the writer's -wal alone. */
	assert_true(files_has_wal(f->segment->path));
}

static void test_checkpoint_and_close(void **state)
{
	struct fixture *f = *state;
	char *path;

	make(f, SEGMENT_USED, 7);
	path = mem_strdup(f->segment->path);
	segment_begin(f->segment);
	append(f, 10, 7, "a");
	segment_commit(f->segment);
	assert_true(segment_checkpoint(f->segment));
	reopen(f, false);
	assert_true(f->segment->last == 10);
	segment_close(f->segment, false);
	f->segment = NULL;
	assert_false(files_has_wal(path));
	mem_free(path);
}

/* Somebody with the sqlite3 tool in a long read must not hang or end the server. */
static void test_checkpoint_that_a_visitor_holds_up(void **state)
{
	struct fixture *f = *state;
	sqlite3 *visitor;

	make(f, SEGMENT_USED, 7);
	assert_int_equal(sqlite3_open(f->segment->path, &visitor), SQLITE_OK);
	assert_int_equal(sqlite3_exec(visitor, "BEGIN; SELECT * FROM change", NULL, NULL, NULL),
			 SQLITE_OK);
	segment_begin(f->segment);
	append(f, 10, 7, "a");
	segment_commit(f->segment);
	assert_false(segment_checkpoint(f->segment));
	assert_int_equal(sqlite3_exec(visitor, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(visitor), SQLITE_OK);
	assert_true(segment_checkpoint(f->segment));
}

static struct fixture *in_child;

/* len: a row fills SQLite's cache, so that it is written before COMMIT, or does not. */
static void log_to_bad_disk(int error, size_t len)
{
	char *body = mem_new(len + 1);

	memset(body, 'x', len);
	bad_disk_use();
	make(in_child, SEGMENT_USED, 7);
	segment_begin(in_child->segment);
	bad_disk.write_error = error;
	append(in_child, 10, 7, body);
	segment_commit(in_child->segment);
}

static void commit_to_full_disk(void)
{
	log_to_bad_disk(SQLITE_FULL, 10);
}

static void commit_to_broken_disk(void)
{
	log_to_bad_disk(SQLITE_IOERR_WRITE, 10);
}

static void append_to_full_disk(void)
{
	log_to_bad_disk(SQLITE_FULL, 8000000);
}

static void checkpoint_on_broken_disk(void)
{
	bad_disk_use();
	make(in_child, SEGMENT_USED, 7);
	segment_begin(in_child->segment);
	append(in_child, 10, 7, "a");
	segment_commit(in_child->segment);
	bad_disk.database_error = SQLITE_FULL;
	/* That may be waited for. */
	if (segment_checkpoint(in_child->segment))
		return;
	bad_disk.database_error = SQLITE_IOERR_WRITE;
	(void)segment_checkpoint(in_child->segment);
}

static void test_a_checkpoint_that_fails_ends_the_process(void **state)
{
	char text[1024];

	in_child = *state;
	capture_abort(checkpoint_on_broken_disk, text, sizeof(text));
	assert_non_null(strstr(text, "store.checkpoint_failed"));
	assert_non_null(strstr(text, "I/O error"));
}

/* Whether such a commit is on disk, nobody knows (SQLite may find it again later): it is never
 * acknowledged, and nothing after it. */
static void test_a_commit_that_fails_ends_the_process(void **state)
{
	char text[1024];

	in_child = *state;
	capture_abort(commit_to_full_disk, text, sizeof(text));
	assert_non_null(strstr(text, "store.commit_failed"));
	assert_non_null(strstr(text, "disk is full"));
	tmpdir_remove_tree(in_child->dir);
	assert_int_equal(mkdir(in_child->dir, 0700), 0);
	capture_abort(commit_to_broken_disk, text, sizeof(text));
	assert_non_null(strstr(text, "store.commit_failed"));
	assert_non_null(strstr(text, "I/O error"));
	tmpdir_remove_tree(in_child->dir);
	assert_int_equal(mkdir(in_child->dir, 0700), 0);
	capture_abort(append_to_full_disk, text, sizeof(text));
	assert_non_null(strstr(text, "store.write_failed"));
}

static int64_t busy_ms(sqlite3 *db)
{
	sqlite3_stmt *stmt = db_prepare(db, "PRAGMA busy_timeout");
	int64_t ms;

	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	ms = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return ms;
}

/* A reader may hold the lock of writers for a moment; a checkpoint must keep the patience. */
static void test_writers_and_readers_wait_for_a_lock(void **state)
{
	struct fixture *f = *state;
	struct segment_reader reader;
	char reason[STORE_REASON_LEN];

	make(f, SEGMENT_USED, 7);
	assert_int_equal(busy_ms(f->segment->db), DB_BUSY_MS);
	assert_int_equal(segment_reader_open(&reader, f->segment->path, reason), 0);
	assert_int_equal(busy_ms(reader.db), DB_BUSY_MS);
	segment_reader_close(&reader);
	assert_true(segment_checkpoint(f->segment));
	assert_int_equal(busy_ms(f->segment->db), DB_BUSY_MS);
}

static int take_text(void *ctx, int columns, char **values, char **names)
{
	char *out = ctx;
	size_t len = strlen(out);

	(void)names;
	for (int i = 0; i < columns; i++) {
		(void)snprintf(out + len, 256 - len, "%s|", values[i] != NULL ? values[i] : "-");
		len = strlen(out);
	}
	return 0;
}

static void test_view_for_people(void **state)
{
	struct fixture *f = *state;
	char text[256] = "";

	make(f, SEGMENT_USED, 7);
	segment_begin(f->segment);
	append(f, INT64_C(0x500000001), 7, "abc");
	segment_commit(f->segment);
	assert_int_equal(
		sqlite3_exec(f->segment->db, "SELECT * FROM changes", take_text, text, NULL),
		SQLITE_OK);
	assert_string_equal(
		text, "21474836481|0x500000001|2023-11-14T22:13:20.123Z|-1|0xffffffffffffffff|"
		      "CN=\"a\"|-|setData|/a|3|");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_prepared_then_used),
		TEST(test_what_is_not_committed_is_not_there),
		TEST(test_used_from_the_start),
		TEST(test_unfinished),
		TEST(test_reading_beside_the_writer),
		TEST(test_checkpoint_and_close),
		TEST(test_checkpoint_that_a_visitor_holds_up),
		TEST(test_a_commit_that_fails_ends_the_process),
		TEST(test_a_checkpoint_that_fails_ends_the_process),
		TEST(test_writers_and_readers_wait_for_a_lock),
		TEST(test_view_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
