/* A stopped server's log, replayed into its tree without a start. */
#include "store/settle.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/store.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

enum { CHANGES = 25, NEVER_MS = 3600 * 1000 };

struct fixture {
	char *dir;
	char *tree;
	struct store_options o;
	struct store *store;
	int64_t zxid, last;
	unsigned changes; /* that a start was given */
};

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->dir = tmpdir_make();
	f->tree = files_join(f->dir, "tree.db");
	store_options_init(&f->o);
	f->o.data_dir = f->dir;
	f->o.replay_delay_ms = NEVER_MS;
	f->o.tree_cache_kib = 1024;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	mem_free(f->tree);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

static void load_session(void *ctx, const struct record_session *s)
{
	(void)ctx;
	(void)s;
}

static void load_ephemeral(void *ctx, const struct record_znode *z)
{
	(void)ctx;
	(void)z;
}

static void load_change(void *ctx, const struct record_head *head, struct slice body)
{
	struct fixture *f = ctx;

	(void)head;
	(void)body;
	f->changes++;
}

static void start(struct fixture *f)
{
	const struct store_loader l = { f, load_session, load_ephemeral, load_change };
	char reason[STORE_REASON_LEN] = "";

	f->changes = 0;
	if (store_open(&f->store, &f->o, reason) != 0 || store_load(f->store, &l, reason) != 0)
		fail_msg("%s", reason);
	f->last = store_last_zxid(f->store);
	f->zxid = store_begin(f->store);
}

static void stop(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static void append(struct fixture *f, const char *path)
{
	const struct record_znode z = { .path = slice_of(path),
					.columns = RECORD_ALL,
					.czxid = ++f->zxid,
					.data = slice_of(path),
					.mzxid = f->zxid,
					.acl = { acl_bytes, sizeof(acl_bytes) - 1 },
					.pzxid = f->zxid };
	const struct record_head head = { .zxid = f->zxid,
					  .prev = f->last,
					  .op = "create",
					  .path = slice_of(path) };
	struct buf body;

	buf_init(&body, 1 << 20);
	assert_int_equal(record_put_znode(&body, &z), 0);
	store_append(f->store, &head, buf_slice(&body));
	buf_fini(&body);
	f->last = f->zxid;
}

static void flush(struct fixture *f)
{
	store_end_turn(f->store);
	while (store_flushed(f->store) < f->last) {
		struct pollfd p = { store_wake_fd(f->store), POLLIN, 0 };

		assert_true(poll(&p, 1, 20000) == 1);
		store_wake(f->store);
		store_end_turn(f->store);
	}
}

/* Two runs, of which the tree has nothing. */
static void fill(struct fixture *f)
{
	char path[32];

	for (int i = 0; i < CHANGES; i++) {
		if (i == CHANGES / 2 || i == 0) {
			stop(f);
			start(f);
		}
		(void)snprintf(path, sizeof(path), "/%d", i);
		append(f, path);
		flush(f);
	}
	stop(f);
}

static int64_t query(struct fixture *f, const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t v;

	assert_int_equal(sqlite3_open_v2(f->tree, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	v = sqlite3_column_int64(stmt, 0);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return v;
}

static void settle(struct fixture *f)
{
	char reason[STORE_REASON_LEN] = "";

	if (store_open(&f->store, &f->o, reason) != 0 || store_settle(f->store, reason) != 0)
		fail_msg("%s", reason);
}

static void test_everything_is_in_the_tree(void **state)
{
	static const uint32_t batches[] = { 1, 7, CHANGES, 10000 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		fill(f);
		assert_true(query(f, "SELECT value FROM meta WHERE key = 'zxid'") < f->last);
		f->o.replay_batch_rows = batches[i];
		settle(f);
		/* While it is open, and afterwards. */
		assert_int_equal(query(f, "SELECT value FROM meta WHERE key = 'zxid'"), f->last);
		stop(f);
		assert_int_equal(query(f, "SELECT value FROM meta WHERE key = 'zxid'"), f->last);
		assert_int_equal(query(f, "SELECT count(*) FROM znode "
					  "WHERE CAST(data AS TEXT) = parent || name"),
				 CHANGES);
		teardown(state);
		assert_int_equal(setup(state), 0);
		f = *state;
	}
}

/* The log and its epoch are as they were, so whoever starts then finds the same. */
static void test_a_start_goes_on(void **state)
{
	struct fixture *f = *state;
	int64_t last;

	fill(f);
	last = f->last;
	start(f);
	assert_int_equal(f->changes, CHANGES);
	stop(f);
	for (int i = 0; i < 2; i++) {
		settle(f);
		assert_int_equal(store_last_zxid(f->store), last);
		stop(f);
	}
	start(f);
	assert_int_equal(f->changes, 0);
	assert_int_equal(f->last, last);
	append(f, "/more");
	flush(f);
}

static void test_a_damaged_record_is_refused(void **state)
{
	struct fixture *f = *state;
	char reason[STORE_REASON_LEN] = "";
	char *path;
	sqlite3 *db;

	start(f);
	append(f, "/a");
	append(f, "/b");
	flush(f);
	stop(f);
	path = files_join(f->dir, "log/0000000001.db");
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, VFS_NAME), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE change SET record = x'ff' WHERE path = '/b'",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	mem_free(path);
	assert_int_equal(store_open(&f->store, &f->o, reason), 0);
	assert_int_equal(store_settle(f->store, reason), -1);
	assert_non_null(strstr(reason, "is damaged"));
	stop(f);
	assert_int_equal(query(f, "SELECT count(*) FROM znode"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_everything_is_in_the_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_start_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_damaged_record_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
