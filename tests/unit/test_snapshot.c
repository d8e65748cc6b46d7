/* Copies in steps while the tree changes, what becomes of them, and the way back. The test is the
 * replay thread. */
#include "store/snapshot.h"

#include "store/found.h"
#include "store/restore.h"
#include "store/seal.h"
#include "store/snapshot_file.h"
#include "store/store.h"
#include "tests/lib/baddisk.h"
#include "tests/unit/tree_fixture.h"

struct told {
	struct rows *rows;
	unsigned poked, woken;
	int lent;
};

static void note_poke(void *ctx)
{
	((struct told *)ctx)->poked++;
}

static struct rows *give_rows(void *ctx)
{
	return ((struct told *)ctx)->rows;
}

static void note_lend(void *ctx, bool is_lent)
{
	((struct told *)ctx)->lent += is_lent ? 1 : -1;
}

static void note_wake(void *ctx)
{
	((struct told *)ctx)->woken++;
}

static struct snapshot *make_snapshot(struct tree_fixture *f, struct told *told)
{
	const struct snapshot_hooks hooks = { told, note_poke, give_rows, note_lend, note_wake };

	told->rows = f->rows;
	return snapshot_new(&hooks);
}

/* So many znodes more, of a page each. */
static void grow(struct tree_fixture *f, unsigned from, unsigned count, int64_t zxid)
{
	static const char data[3000];
	static const char acl[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";
	struct record_znode z = { .columns = RECORD_ALL,
				  .czxid = 5,
				  .data = { data, sizeof(data) },
				  .acl = { acl, sizeof(acl) - 1 } };
	char name[32];

	rows_begin(f->rows);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "/ab/%05u", from + i);
		z.path = slice_of(name);
		rows_put_znode(f->rows, &z, false);
	}
	put(f->rows, "/ab", 0, (int32_t)(from + count));
	rows_commit(f->rows, zxid);
}

static char *part_of(struct tree_fixture *f)
{
	return snapshot_file_part(f->dir);
}

/* Steps until it ends, at most most of them; how many they were. */
static unsigned run_steps(struct snapshot *s, unsigned most)
{
	unsigned steps = 0;

	while (steps < most && snapshot_run(s, 0) != INT64_MAX)
		steps++;
	return steps;
}

static void test_a_copy_has_what_was_committed_meanwhile(void **state)
{
	struct tree_fixture *f = *state;
	struct told told = { 0 };
	struct snapshot *s = make_snapshot(f, &told);
	char *part = part_of(f), reason[STORE_REASON_LEN];
	const struct snapshot_order o = { .path = part, .step_pages = 8 };
	struct snapshot_result result;
	struct digest_texts tree;

	grow(f, 0, 200, TREE_ZXID + 1);
	assert_int_equal(snapshot_run(s, 0), INT64_MAX);
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_IDLE);
	assert_true(snapshot_start(s, &o));
	assert_false(snapshot_start(s, &o));
	assert_int_equal(told.poked, 1);
	/* Page by page, with changes in what was copied, and in what was not. */
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(run_steps(s, 1), 1);
		assert_int_equal(told.lent, 1);
		assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_RUNNING);
		grow(f, 200 + 2 * i, 2, TREE_ZXID + 2 + i);
	}
	assert_true(run_steps(s, 1000) > 1);
	assert_int_equal(told.woken, 1);
	assert_int_equal(told.lent, 0);
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_DONE);
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_IDLE);
	assert_int_equal(result.zxid, TREE_ZXID + 21);
	assert_true(result.longest_us > 0 && result.took_us >= result.longest_us);
	assert_true(result.bytes > 200 * 3000);
	assert_int_equal(look_at_tree(f, f->path), 0);
	tree = f->report.digest;
	assert_int_equal(snapshot_file_settle(part, reason), 0);
	if (look_at_tree(f, part) != 0)
		fail_msg("%s", f->faults);
	assert_string_equal(tree.whole, f->report.digest.whole);
	assert_false(files_has_wal(part));
	snapshot_free(s);
	mem_free(part);
}

static void test_it_waits_for_the_change(void **state)
{
	struct tree_fixture *f = *state;
	struct told told = { 0 };
	struct snapshot *s = make_snapshot(f, &told);
	char *part = part_of(f);
	const struct snapshot_order o = { .path = part, .step_pages = 8, .zxid = TREE_ZXID + 1 };
	struct snapshot_result result;

	assert_true(snapshot_start(s, &o));
	assert_int_equal(run_steps(s, 10), 10);
	assert_int_equal(access(part, F_OK), -1);
	grow(f, 0, 1, TREE_ZXID + 1);
	assert_true(run_steps(s, 10) < 10);
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_DONE);
	assert_int_equal(result.zxid, TREE_ZXID + 1);
	snapshot_free(s);
	mem_free(part);
}

static void test_its_rate(void **state)
{
	struct tree_fixture *f = *state;
	struct told told = { 0 };
	struct snapshot *s = make_snapshot(f, &told);
	char *part = part_of(f);
	const struct snapshot_order o = { .path = part, .step_pages = 2, .bytes_per_s = 16384 };

	grow(f, 0, 50, TREE_ZXID + 1);
	assert_true(snapshot_start(s, &o));
	assert_int_equal(snapshot_run(s, 1000), 1500);
	/* Ended in the midst: nothing stays. */
	snapshot_free(s);
	assert_int_equal(told.lent, 0);
	assert_int_equal(access(part, F_OK), -1);
	mem_free(part);
}

static void test_cancelled(void **state)
{
	struct tree_fixture *f = *state;
	struct told told = { 0 };
	struct snapshot *s = make_snapshot(f, &told);
	char *part = part_of(f);
	const struct snapshot_order o = { .path = part, .step_pages = 2 };
	struct snapshot_result result;

	grow(f, 0, 50, TREE_ZXID + 1);
	assert_true(snapshot_start(s, &o));
	assert_int_equal(run_steps(s, 3), 3);
	snapshot_cancel(s, "no time");
	assert_int_equal(run_steps(s, 3), 0);
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_FAILED);
	assert_string_equal(result.reason, "no time");
	assert_int_equal(told.lent, 0);
	assert_int_equal(access(part, F_OK), -1);
	/* And the next one is another. */
	assert_true(snapshot_start(s, &o));
	(void)run_steps(s, 1000);
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_DONE);
	snapshot_free(s);
	mem_free(part);
}

static void test_without_a_place(void **state)
{
	struct tree_fixture *f = *state;
	struct told told = { 0 };
	struct snapshot *s = make_snapshot(f, &told);
	char *part = files_join(f->dir, "nowhere/snapshot.part");
	const struct snapshot_order o = { .path = part, .step_pages = 2 };
	struct snapshot_result result;

	assert_true(snapshot_start(s, &o));
	assert_int_equal(run_steps(s, 3), 0);
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_FAILED);
	assert_non_null(strstr(result.reason, "nowhere"));
	snapshot_free(s);
	mem_free(part);
}

/* The disk of the copy is full: the tree goes on, the copy is no more. */
static void test_a_full_disk(void **state)
{
	struct tree_fixture *f = *state;
	struct told told = { 0 };
	struct snapshot *s;
	char *part = part_of(f), reason[STORE_REASON_LEN];
	const struct snapshot_order o = { .path = part, .step_pages = 1000 };
	struct snapshot_result result;

	grow(f, 0, 1000, TREE_ZXID + 1);
	rows_close(f->rows, false);
	bad_disk_use();
	assert_int_equal(rows_open(&f->rows, f->path, DB_WRITE, 1024, false, reason), 0);
	s = make_snapshot(f, &told);
	assert_true(snapshot_start(s, &o));
	bad_disk.write_error = SQLITE_FULL;
	(void)run_steps(s, 1000);
	bad_disk.write_error = SQLITE_OK;
	assert_int_equal(snapshot_poll(s, &result), SNAPSHOT_FAILED);
	assert_non_null(strstr(result.reason, "full"));
	assert_int_equal(access(part, F_OK), -1);
	grow(f, 1000, 1, TREE_ZXID + 2);
	assert_int_equal(look_at_tree(f, f->path), 0);
	snapshot_free(s);
	rows_close(f->rows, false);
	f->rows = NULL;
	vfs_replace(NULL, NULL);
	mem_free(part);
}

/* ---- files ---- */

static void make_file(const char *dir, const char *name)
{
	char *path = files_join(dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fclose(file);
	mem_free(path);
}

static bool is_there(struct tree_fixture *f, const char *name)
{
	char *path = files_join(f->dir, name);
	bool found = access(path, F_OK) == 0;

	mem_free(path);
	return found;
}

static const struct seal sealed = {
	.time_ms = 1,
	.zxid = 0x1a,
	.digest = { "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		    "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" },
};

static void test_names(void **state)
{
	struct tree_fixture *f = *state;
	struct snapshot_file *list;
	char reason[STORE_REASON_LEN], *path;
	struct seal later = sealed;
	size_t count;

	make_file(f->dir, SNAPSHOT_PART);
	later.zxid = 0x1b;
	assert_int_equal(snapshot_file_accept(f->dir, &later, &path, reason), 0);
	mem_free(path);
	make_file(f->dir, SNAPSHOT_PART);
	assert_int_equal(snapshot_file_accept(f->dir, &sealed, &path, reason), 0);
	assert_string_equal(strrchr(path, '/'), "/tree-000000000000001a.db");
	mem_free(path);
	assert_false(is_there(f, SNAPSHOT_PART));
	/* A file without its seal is no snapshot, nor are these. */
	make_file(f->dir, "tree-000000000000001c.db");
	make_file(f->dir, "tree-1d.db");
	make_file(f->dir, "tree-000000000000001e.db.verified");
	make_file(f->dir, "snapshot.part-journal");
	make_file(f->dir, "tree-000000000000001f.db.verified.part");
	assert_int_equal(snapshot_file_list(f->dir, &list, &count, reason), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].seal.zxid, 0x1a);
	assert_int_equal(list[1].seal.zxid, 0x1b);
	snapshot_file_tidy(f->dir);
	assert_false(is_there(f, "tree-000000000000001e.db.verified"));
	assert_false(is_there(f, "tree-000000000000001f.db.verified.part"));
	assert_false(is_there(f, "snapshot.part-journal"));
	assert_true(is_there(f, "tree-000000000000001c.db") && is_there(f, "tree.db"));
	snapshot_file_remove(&list[0]);
	assert_false(is_there(f, "tree-000000000000001a.db"));
	assert_false(is_there(f, "tree-000000000000001a.db.verified"));
	snapshot_file_list_free(list, count);
	/* Of those that are damaged the newest stays. */
	make_file(f->dir, SNAPSHOT_PART);
	snapshot_file_reject(f->dir, 0x20);
	make_file(f->dir, SNAPSHOT_PART);
	snapshot_file_reject(f->dir, 0x21);
	assert_false(is_there(f, "tree-0000000000000020.bad") || is_there(f, SNAPSHOT_PART));
	assert_true(is_there(f, "tree-0000000000000021.bad"));
}

static void test_nothing_to_accept(void **state)
{
	struct tree_fixture *f = *state;
	char reason[STORE_REASON_LEN] = "", *path;

	assert_int_equal(snapshot_file_accept(f->dir, &sealed, &path, reason), -1);
	assert_null(path);
	/* Its seal alone is nothing. */
	snapshot_file_tidy(f->dir);
	assert_false(is_there(f, "tree-000000000000001a.db.verified"));
}

/* ---- restore ---- */

static void keep_text(struct slice stats, int64_t znodes, int64_t bytes, struct buf *out)
{
	(void)znodes;
	(void)bytes;
	buf_put(out, stats);
}

static struct restore_options options_of(struct tree_fixture *f, const char *dir)
{
	static struct verify_teller teller = { .fault = note_fault, .failure = note_failure };

	teller.ctx = f;
	return (struct restore_options){ .file = f->path,
					 .teller = &teller,
					 .data_dir = dir,
					 .reduce = keep_text };
}

static void test_restore(void **state)
{
	struct tree_fixture *f = *state;
	char *dir = files_join(f->dir, "new"), *tree = files_join(dir, "tree.db");
	struct restore_options o = options_of(f, dir);
	char kept[DIGEST_TEXT_LEN], reason[STORE_REASON_LEN];
	uint8_t database[DATABASE_ID_LEN];
	struct restore_report r;
	unsigned before = 0;

	assert_int_equal(look_at_tree(f, f->path), 0);
	memcpy(kept, f->report.digest.kept, sizeof(kept));
	memcpy(database, f->report.meta.database, sizeof(database));
	for (unsigned i = 0; i < 3; i++) {
		if (restore(&o, &r, reason) != 0)
			fail_msg("%s", reason);
		/* Above what the file knows, and from the second on above what is replaced. */
		assert_int_equal(r.epoch, (before > 0 ? before : 7) + 1024);
		assert_int_equal(r.zxid, (int64_t)r.epoch << 32 | 1);
		assert_int_equal(r.aside != NULL, i > 0);
		before = r.epoch;
		assert_true(r.sessions == 1 && r.ephemerals == 1 && r.parents == 1);
		restore_report_fini(&r);
		if (look_at_tree(f, tree) != 0)
			fail_msg("%s", f->faults);
		assert_string_equal(f->report.digest.kept, kept);
		assert_int_equal(f->report.znodes, 5);
		assert_int_equal(f->report.sessions + f->report.ephemerals, 0);
		assert_memory_not_equal(f->report.meta.database, database, sizeof(database));
	}
	/* What somebody knows from elsewhere counts, too. */
	o.epoch = 1000000;
	assert_int_equal(restore(&o, &r, reason), 0);
	assert_int_equal(r.epoch, 1001024);
	restore_report_fini(&r);
	o.epoch = 0x7fffff00;
	assert_int_equal(restore(&o, &r, reason), -1);
	assert_non_null(strstr(reason, "no epoch is left"));
	restore_report_fini(&r);
	assert_int_equal(look_at_tree(f, tree), 0);
	mem_free(tree);
	mem_free(dir);
}

static void test_a_restore_that_fails_changes_nothing(void **state)
{
	struct tree_fixture *f = *state;
	char *dir = files_join(f->dir, "new"), *tree = files_join(dir, "tree.db");
	char *none = files_join(f->dir, "none.db"), reason[STORE_REASON_LEN];
	struct restore_options o = options_of(f, dir);
	struct digest_texts before;
	struct restore_report r;

	assert_int_equal(restore(&o, &r, reason), 0);
	restore_report_fini(&r);
	assert_int_equal(look_at_tree(f, tree), 0);
	before = f->report.digest;
	o.file = none;
	assert_int_equal(restore(&o, &r, reason), -1);
	assert_null(r.aside);
	restore_report_fini(&r);
	/* A tree that lacks a table. */
	edit(f->path, "DROP TABLE session");
	o.file = f->path;
	assert_int_equal(restore(&o, &r, reason), -1);
	assert_null(r.aside);
	restore_report_fini(&r);
	assert_int_equal(look_at_tree(f, tree), 0);
	assert_string_equal(before.whole, f->report.digest.whole);
	assert_false(restore_is_cut_short(dir));
	mem_free(none);
	mem_free(tree);
	mem_free(dir);
}

/* Somebody puts another file there once it was verified: what was not looked at is no tree. */
static void test_a_file_that_is_replaced_meanwhile(void **state)
{
	struct tree_fixture *f = *state;
	char *dir = files_join(f->dir, "new"), *tree = files_join(dir, "tree.db");
	struct restore_options o = options_of(f, dir);
	char reason[STORE_REASON_LEN], before[DIGEST_TEXT_LEN];
	struct restore_report r;

	assert_int_equal(look_at_tree(f, f->path), 0);
	memcpy(before, f->report.digest.whole, sizeof(before));
	o.digest = before;
	grow(f, 0, 1, TREE_ZXID + 1);
	assert_int_equal(restore(&o, &r, reason), -1);
	assert_non_null(strstr(reason, "was altered"));
	restore_report_fini(&r);
	/* Nor is one that is damaged. */
	edit(f->path, "UPDATE meta SET value = value + 1 WHERE key = 'znodes'");
	o.digest = NULL;
	f->faults[0] = '\0';
	assert_int_equal(restore(&o, &r, reason), -1);
	assert_non_null(strstr(f->faults, "persistent znodes"));
	restore_report_fini(&r);
	assert_int_equal(access(tree, F_OK), -1);
	edit(f->path, "UPDATE meta SET value = value - 1 WHERE key = 'znodes'");
	assert_int_equal(look_at_tree(f, f->path), 0);
	memcpy(before, f->report.digest.whole, sizeof(before));
	o.digest = before;
	assert_int_equal(restore(&o, &r, reason), 0);
	restore_report_fini(&r);
	mem_free(tree);
	mem_free(dir);
}

static void test_a_start_refuses_half_a_restore(void **state)
{
	struct tree_fixture *f = *state;
	char *dir = files_join(f->dir, "new"), reason[STORE_REASON_LEN] = "";
	struct restore_options o = options_of(f, dir);
	struct store_options so;
	struct restore_report r;
	struct store *s;

	assert_int_equal(restore(&o, &r, reason), 0);
	restore_report_fini(&r);
	make_file(dir, "restoring");
	assert_true(restore_is_cut_short(dir));
	store_options_init(&so);
	so.data_dir = dir;
	assert_int_equal(store_open(&s, &so, reason), -1);
	assert_non_null(strstr(reason, "a restore was cut short"));
	assert_int_equal(restore(&o, &r, reason), 0);
	restore_report_fini(&r);
	assert_int_equal(store_open(&s, &so, reason), 0);
	store_close(s);
	mem_free(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_tree, tear_down_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_copy_has_what_was_committed_meanwhile),
		TEST(test_it_waits_for_the_change),
		TEST(test_its_rate),
		TEST(test_cancelled),
		TEST(test_without_a_place),
		TEST(test_a_full_disk),
		TEST(test_names),
		TEST(test_nothing_to_accept),
		TEST(test_restore),
		TEST(test_a_restore_that_fails_changes_nothing),
		TEST(test_a_file_that_is_replaced_meanwhile),
		TEST(test_a_start_refuses_half_a_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
