/* What a verification finds, what it says of a tree, and the seal that tells of it. */
#include "store/verify.h"

#include <fcntl.h>
#include <limits.h>

#include "store/seal.h"
#include "store/vfs.h"
#include "tests/lib/faultvfs.h"
#include "tests/unit/tree_fixture.h"

static void expect_good(struct tree_fixture *f)
{
	if (look_at_tree(f, f->path) != 0)
		fail_msg("%s", f->faults);
	assert_int_equal(f->report.faults, 0);
}

static void test_good(void **state)
{
	struct tree_fixture *f = *state;
	struct digest_texts first;

	/* Beside the connection that writes, and when all of it is in the -wal. */
	expect_good(f);
	assert_int_equal(f->report.znodes, 6);
	assert_int_equal(f->report.ephemerals, 1);
	assert_int_equal(f->report.sessions, 1);
	assert_int_equal(f->report.acls, 1);
	assert_int_equal(f->report.bytes, 24);
	assert_int_equal(f->report.meta.zxid, TREE_ZXID);
	first = f->report.digest;
	rows_close(f->rows, false);
	f->rows = NULL;
	expect_good(f);
	assert_string_equal(first.whole, f->report.digest.whole);
	assert_string_equal(first.kept, f->report.digest.kept);
	assert_false(files_has_wal(f->path));
}

static void test_an_empty_tree(void **state)
{
	struct tree_fixture *f = *state;
	struct rows *r;
	char *path = files_join(f->dir, "empty.db");
	char reason[STORE_REASON_LEN];

	assert_int_equal(rows_open(&r, path, DB_WRITE, 1024, true, reason), 0);
	rows_close(r, false);
	assert_int_equal(look_at_tree(f, path), 0);
	assert_int_equal(f->report.znodes, 0);
	mem_free(path);
}

/* Each of these alone is found, and named. */
static void test_what_is_wrong(void **state)
{
	static const struct {
		const char *sql, *undo, *fault;
	} cases[] = {
		{ "UPDATE znode SET num_children = 4 WHERE name = 'a'",
		  "UPDATE znode SET num_children = 3 WHERE name = 'a'",
		  "znode /a says it has 4 children, and has 3" },
		{ "UPDATE znode SET num_children = 1 WHERE name = 'x'",
		  "UPDATE znode SET num_children = 0 WHERE name = 'x'",
		  "say they have 6 children together, and there are 5" },
		{ "UPDATE znode SET name = 'c' WHERE name = 'a'",
		  "UPDATE znode SET name = 'a' WHERE name = 'c'",
		  "znode /a is missing, but has 3 children" },
		{ "UPDATE znode SET name = 'x/z' WHERE name = 'x'",
		  "UPDATE znode SET name = 'x' WHERE name = 'x/z'", "has a wrong name" },
		{ "UPDATE znode SET mzxid = 1 << 40 WHERE name = 'x'",
		  "UPDATE znode SET mzxid = 6 WHERE name = 'x'", "has a zxid above the tree's" },
		{ "UPDATE znode SET owner = 78 WHERE name = 'e'",
		  "UPDATE znode SET owner = 77 WHERE name = 'e'", "its session is not there" },
		{ "UPDATE meta SET value = 6 WHERE key = 'znodes'",
		  "UPDATE meta SET value = 5 WHERE key = 'znodes'",
		  "meta counts 6 persistent znodes, and there are 5" },
		{ "UPDATE acl SET znodes = 7", "UPDATE acl SET znodes = 6",
		  "is counted for 7 znodes, and 6 have it" },
		{ "UPDATE znode SET acl = x'00112233445566778899aabbccddeeff' WHERE name = 'x'; "
		  "UPDATE acl SET znodes = 5",
		  "UPDATE znode SET acl = (SELECT key FROM acl) WHERE name = 'x'; "
		  "UPDATE acl SET znodes = 6",
		  "znode /a/x: has no ACL" },
		{ "UPDATE acl SET acl = CAST(acl || x'00' AS BLOB)",
		  "UPDATE acl SET acl = substr(acl, 1, length(acl) - 1)",
		  "an ACL does not belong to its key" },
		{ "UPDATE session SET password_hash = x'00'",
		  "UPDATE session SET password_hash = zeroblob(32)",
		  "session 0x4d has a damaged password" },
		{ "CREATE TABLE more (a)", "DROP TABLE more",
		  "its tables are not those of schema" },
		/* What would be done to it by a restore. */
		{ "PRAGMA user_version = 1; CREATE TRIGGER more DELETE ON znode BEGIN "
		  "DELETE FROM acl; END",
		  "DROP TRIGGER more; PRAGMA user_version = 2",
		  "its tables are not those of schema version 1" },
		{ "DELETE FROM meta WHERE key = 'zxid'",
		  "INSERT INTO meta VALUES ('zxid', 30064771081)", "the table meta lacks" },
	};
	struct tree_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		edit(f->path, cases[i].sql);
		assert_int_equal(look_at_tree(f, f->path), -1);
		assert_true(f->report.faults > 0);
		if (strstr(f->faults, cases[i].fault) == NULL)
			fail_msg("%s: %s", cases[i].sql, f->faults);
		edit(f->path, cases[i].undo);
		expect_good(f);
	}
}

/* Whatever a tree says is in one of its digests. */
static void test_digests(void **state)
{
	static const struct {
		const char *sql;
		bool is_kept; /* a restore keeps that */
	} cases[] = {
		{ "UPDATE znode SET data = x'64617461' WHERE name = 'y'", false },
		{ "UPDATE znode SET data = x'00' WHERE name = 'x'", true },
		{ "UPDATE znode SET data = NULL WHERE name = 'x'", true },
		{ "UPDATE znode SET data = x'' WHERE name = 'x'", true },
		{ "UPDATE znode SET ctime = 1 WHERE name = 'x'", true },
		{ "UPDATE znode SET mtime = 1 WHERE name = 'x'", true },
		{ "UPDATE znode SET czxid = 1 WHERE name = 'x'", true },
		{ "UPDATE znode SET mzxid = 1 WHERE name = 'x'", true },
		{ "UPDATE znode SET version = 1 WHERE name = 'x'", true },
		{ "UPDATE znode SET creates = 9 WHERE name = 'a'", true },
		{ "UPDATE znode SET aversion = 1 WHERE name = 'x'", true },
		{ "UPDATE znode SET owner = -2 WHERE name = 'y'", true },
		{ "UPDATE znode SET pzxid = 1 WHERE name = 'a'", false },
		{ "UPDATE znode SET data = x'00' WHERE name = 'e'", false },
		{ "UPDATE session SET timeout_ms = 5", false },
		{ "UPDATE session SET identity = NULL", false },
	};
	struct tree_fixture *f = *state;
	struct digest_texts before;
	bool is_same_data;

	expect_good(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		before = f->report.digest;
		edit(f->path, cases[i].sql);
		(void)look_at_tree(f, f->path);
		is_same_data = i == 0;
		assert_int_equal(strcmp(before.whole, f->report.digest.whole) == 0, is_same_data);
		assert_int_equal(strcmp(before.kept, f->report.digest.kept) != 0, cases[i].is_kept);
	}
}

/* A byte anywhere: no crash, and what SQLite cannot read is said. */
static void test_damaged_pages(void **state)
{
	struct tree_fixture *f = *state;
	char *copy = files_join(f->dir, "copy.db");
	uint8_t bytes[1 << 16];
	unsigned found = 0;
	ssize_t len;
	int fd;

	rows_close(f->rows, false);
	f->rows = NULL;
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	len = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(len > 4096 && len < (ssize_t)sizeof(bytes));
	for (ssize_t at = 4096; at < len; at += 1021) {
		fd = open(copy, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		bytes[at] ^= 0xff;
		assert_int_equal(write(fd, bytes, (size_t)len), len);
		bytes[at] ^= 0xff;
		close(fd);
		found += look_at_tree(f, copy) != 0;
	}
	assert_true(found > 0);
	for (ssize_t cut = 100; cut < len; cut += 4096) {
		fd = open(copy, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, bytes, (size_t)cut), cut);
		close(fd);
		assert_int_equal(look_at_tree(f, copy), -1);
	}
	mem_free(copy);
}

/* Bytes that mean something in a URI, and slashes that do. */
static void test_odd_paths(void **state)
{
	static const char *const names[] = { "a?mode=rw", "a#b",     "100%",
					     "%41",       "a b&c=d", "\xc3\xa4" };
	struct tree_fixture *f = *state;
	char slashes[PATH_MAX];

	rows_close(f->rows, false);
	f->rows = NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = files_join(f->dir, names[i]);

		assert_int_equal(rename(f->path, path), 0);
		if (look_at_tree(f, path) != 0)
			fail_msg("%s: %s%s", path, f->faults, f->failures);
		assert_int_equal(rename(path, f->path), 0);
		mem_free(path);
	}
	for (const char *more = "///"; *more != '\0'; more++) {
		(void)snprintf(slashes, sizeof(slashes), "%s%s", more, f->path);
		if (look_at_tree(f, slashes) != 0)
			fail_msg("%s: %s%s", slashes, f->faults, f->failures);
	}
}

/* A disk that fails at any one call: that says nothing of the tree. */
static void test_a_disk_that_fails(void **state)
{
	struct tree_fixture *f = *state;
	struct fault_plan plan = { .at = 1 };
	unsigned failures = 0;

	rows_close(f->rows, false);
	f->rows = NULL;
	fault_use();
	for (;; plan.at++) {
		int rc;

		fault_set(&plan);
		rc = look_at_tree(f, f->path);
		if (fault_failed() == 0)
			break;
		if (f->report.faults > 0)
			fail_msg("call %lu (%s): %s", plan.at, fault_name(), f->faults);
		/* Some are for nothing that matters. */
		assert_int_equal(rc, f->report.has_failed ? -1 : 0);
		assert_int_equal(f->failures[0] != '\0', f->report.has_failed);
		failures += f->report.has_failed;
	}
	assert_true(failures > 3);
	fault_set(&(struct fault_plan){ 0 });
	assert_int_equal(look_at_tree(f, f->path), 0);
	vfs_replace(NULL, NULL);
}

static void test_no_tree(void **state)
{
	struct tree_fixture *f = *state;
	char *path = files_join(f->dir, "other.db");

	assert_int_equal(look_at_tree(f, path), -1);
	assert_non_null(strstr(f->faults, "other.db"));
	edit(f->path, "PRAGMA user_version = 0");
	assert_int_equal(look_at_tree(f, f->path), -1);
	assert_non_null(strstr(f->faults, "is no tree of this program"));
	edit(f->path, "PRAGMA user_version = 99");
	assert_int_equal(look_at_tree(f, f->path), -1);
	assert_non_null(strstr(f->faults, "schema version 99"));
	mem_free(path);
}

static void test_only_so_many_are_told(void **state)
{
	struct tree_fixture *f = *state;
	unsigned lines = 0;
	char name[16];

	rows_begin(f->rows);
	for (unsigned i = 0; i < 2 * VERIFY_MOST; i++) {
		(void)snprintf(name, sizeof(name), "/a/e/%u", i);
		put(f->rows, name, 78, 0);
	}
	rows_commit(f->rows, TREE_ZXID);
	assert_int_equal(look_at_tree(f, f->path), -1);
	for (const char *at = f->faults; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, VERIFY_MOST);
	assert_true(f->report.faults > 2 * VERIFY_MOST);
}

/* ---- the seal ---- */

static const struct seal sealed = {
	.time_ms = 1700000000000,
	.epoch = 7,
	.zxid = TREE_ZXID,
	.znodes = 6,
	.ephemerals = 1,
	.sessions = 2,
	.bytes = 3,
	.digest = { "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		    "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" },
};

static void test_seal(void **state)
{
	struct tree_fixture *f = *state;
	char reason[STORE_REASON_LEN], text[SEAL_TEXT_LEN];
	struct seal found;

	assert_int_equal(seal_read(f->path, &found, reason), 0);
	assert_int_equal(seal_write(f->path, &sealed, reason), 0);
	assert_int_equal(seal_read(f->path, &found, reason), 1);
	assert_int_equal(found.time_ms, sealed.time_ms);
	assert_int_equal(found.epoch, 7);
	assert_int_equal(found.zxid, TREE_ZXID);
	assert_int_equal(found.znodes, 6);
	assert_int_equal(found.ephemerals, 1);
	assert_int_equal(found.sessions, 2);
	assert_int_equal(found.bytes, 3);
	assert_string_equal(found.digest.whole, sealed.digest.whole);
	assert_string_equal(found.digest.kept, sealed.digest.kept);
	/* Any part of it is none. */
	seal_format(&sealed, text);
	for (size_t len = strlen(text); len-- > 0;) {
		text[len] = '\0';
		assert_false(seal_parse(text, &found));
	}
}

static void test_seal_that_cannot_be_written(void **state)
{
	struct tree_fixture *f = *state;
	char *path = files_join(f->dir, "nowhere/tree.db");
	char reason[STORE_REASON_LEN] = "";

	assert_int_equal(seal_write(path, &sealed, reason), -1);
	assert_non_null(strstr(reason, "nowhere/tree.db.verified"));
	mem_free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_tree, tear_down_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_an_empty_tree),
		TEST(test_what_is_wrong),
		TEST(test_digests),
		TEST(test_damaged_pages),
		TEST(test_a_disk_that_fails),
		TEST(test_odd_paths),
		TEST(test_no_tree),
		TEST(test_only_so_many_are_told),
		TEST(test_seal),
		TEST(test_seal_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
