/* A small tree.db that is whole, with a session and its ephemeral znode, and ways to spoil it. */
#ifndef TESTS_UNIT_TREE_FIXTURE_H
#define TESTS_UNIT_TREE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/rows.h"
#include "store/verify.h"
#include "tests/lib/tmpdir.h"

#define TREE_ZXID (INT64_C(7) << 32 | 9)

struct tree_fixture {
	char *dir;
	char *path; /* tree.db */
	struct rows *rows;
	char faults[8192]; /* a line each */
	char failures[1024];
	struct verify_report report;
};

static inline void put(struct rows *r, const char *path, int64_t owner, int32_t children)
{
	static const char acl[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";
	const struct record_znode z = { .path = slice_of(path),
					.columns = RECORD_ALL,
					.czxid = 5,
					.ctime = 1000,
					.owner = owner,
					.data = slice_of("data"),
					.mzxid = 6,
					.mtime = 2000,
					.acl = { acl, sizeof(acl) - 1 },
					.pzxid = 7,
					.creates = children,
					.num_children = children };

	rows_put_znode(r, &z, false);
}

static inline int set_up_tree(void **state)
{
	const struct record_session session = { .id = 77,
						.open = true,
						.timeout_ms = 1000,
						.identity = slice_of("CN=a") };
	struct tree_fixture *f = mem_new(sizeof(*f));
	char reason[STORE_REASON_LEN];

	log_set_level(LOG_LEVEL_ERROR);
	f->dir = tmpdir_make();
	f->path = files_join(f->dir, "tree.db");
	if (rows_open(&f->rows, f->path, DB_WRITE, 1024, true, reason) != 0)
		return -1;
	rows_begin(f->rows);
	put(f->rows, "/", 0, 2);
	put(f->rows, "/a", 0, 3);
	put(f->rows, "/a/e", 77, 0);
	put(f->rows, "/a/x", 0, 0);
	put(f->rows, "/a/y", -1, 0);
	put(f->rows, "/ab", 0, 0);
	rows_put_session(f->rows, &session);
	rows_commit(f->rows, TREE_ZXID);
	*state = f;
	return 0;
}

static inline int tear_down_tree(void **state)
{
	struct tree_fixture *f = *state;

	rows_close(f->rows, false);
	mem_free(f->path);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

static inline void note_fault(void *ctx, const char *text)
{
	struct tree_fixture *f = ctx;
	size_t len = strlen(f->faults);

	(void)snprintf(f->faults + len, sizeof(f->faults) - len, "%s\n", text);
}

static inline void note_failure(void *ctx, const char *text)
{
	struct tree_fixture *f = ctx;
	size_t len = strlen(f->failures);

	(void)snprintf(f->failures + len, sizeof(f->failures) - len, "%s\n", text);
}

static inline int look_at_tree(struct tree_fixture *f, const char *path)
{
	const struct verify_teller teller = { f, note_fault, note_failure };

	f->faults[0] = f->failures[0] = '\0';
	return verify_tree(path, &teller, &f->report);
}

static inline void edit(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#endif
