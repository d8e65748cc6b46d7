/* tree.db: rows, merge and the readable form of ACLs. */
#include "store/rows.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/acl_row.h"
#include "store/files.h"
#include "store/merge.h"
#include "store/vfs.h"
#include "tests/lib/baddisk.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

static const char acl_world[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";
static const char acl_two[] =
	"\0\0\0\2\0\0\0\1\0\0\0\5world\0\0\0\6anyone\0\0\0\37\0\0\0\4x509\0\0\0\4CN=a";

#define ACL(bytes) ((struct slice){ (bytes), sizeof(bytes) - 1 })

struct fixture {
	char *dir;
	char *path;
	struct rows *rows;
	struct merge *merge;
	struct buf body;
};

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));
	char reason[STORE_REASON_LEN];

	f->dir = tmpdir_make();
	f->path = files_join(f->dir, "tree.db");
	if (rows_open(&f->rows, f->path, DB_WRITE, 1024, true, reason) != 0)
		return -1;
	f->merge = merge_new();
	buf_init(&f->body, 1 << 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->body);
	merge_free(f->merge);
	rows_close(f->rows, false);
	mem_free(f->path);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

/* One record each. */
static void put(struct fixture *f, const struct record_znode *z)
{
	buf_clear(&f->body);
	assert_int_equal(record_put_znode(&f->body, z), 0);
	assert_int_equal(merge_add(f->merge, buf_slice(&f->body)), 0);
}

static void put_session(struct fixture *f, const struct record_session *s)
{
	buf_clear(&f->body);
	assert_int_equal(record_put_session(&f->body, s), 0);
	assert_int_equal(merge_add(f->merge, buf_slice(&f->body)), 0);
}

static void commit(struct fixture *f, int64_t zxid)
{
	rows_begin(f->rows);
	merge_apply(f->merge, f->rows);
	rows_commit(f->rows, zxid);
}

static struct record_znode born(const char *path, int64_t zxid, int64_t owner)
{
	return (struct record_znode){ .path = slice_of(path),
				      .columns = RECORD_ALL,
				      .czxid = zxid,
				      .ctime = 1000 + zxid,
				      .owner = owner,
				      .data = slice_of("data"),
				      .mzxid = zxid,
				      .mtime = 1000 + zxid,
				      .acl = ACL(acl_world),
				      .pzxid = zxid };
}

static void assert_znode(struct fixture *f, const struct record_znode *want)
{
	struct record_znode z;

	assert_int_equal(rows_read_znode(f->rows, want->path, &z), STORE_FOUND);
	assert_true(slice_equal(z.path, want->path));
	assert_int_equal(z.columns, RECORD_ALL);
	assert_true(z.czxid == want->czxid && z.ctime == want->ctime && z.owner == want->owner);
	assert_int_equal(z.data.data == NULL, want->data.data == NULL);
	assert_true(slice_equal(z.data, want->data));
	assert_true(z.mzxid == want->mzxid && z.mtime == want->mtime);
	assert_int_equal(z.version, want->version);
	assert_true(slice_equal(z.acl, want->acl));
	assert_int_equal(z.aversion, want->aversion);
	assert_true(z.pzxid == want->pzxid);
	assert_int_equal(z.creates, want->creates);
	assert_int_equal(z.num_children, want->num_children);
}

static void assert_absent(struct fixture *f, const char *path)
{
	struct record_znode z;

	assert_int_equal(rows_read_znode(f->rows, slice_of(path), &z), STORE_ABSENT);
}

struct names {
	char text[256];
};

static void add_name(void *ctx, struct slice name)
{
	struct names *n = ctx;
	size_t len = strlen(n->text);

	(void)snprintf(n->text + len, sizeof(n->text) - len, "%.*s ", (int)name.len, name.data);
}

static void assert_children(struct fixture *f, const char *path, const char *want)
{
	struct names n = { "" };

	assert_int_equal(rows_list_children(f->rows, slice_of(path), add_name, &n), STORE_FOUND);
	assert_string_equal(n.text, want);
}

/* The first column of the first row, as an administrator's query would give it. */
static void assert_query(struct fixture *f, const char *sql, const char *want)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;

	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), want);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- paths ---- */

static void assert_split(const char *path, const char *parent, const char *name)
{
	struct slice p, n;
	struct buf b;

	buf_init(&b, SIZE_MAX);
	rows_split_path(slice_of(path), &p, &n);
	assert_true(slice_is(rows_join_path(&b, p, n), path));
	buf_fini(&b);
	assert_true(slice_is(p, parent));
	assert_true(slice_is(n, name));
	assert_non_null(p.data);
	assert_non_null(n.data);
}

static void test_split_path(void **state)
{
	(void)state;
	assert_split("/", "", "");
	assert_split("/a", "/", "a");
	assert_split("/a/b", "/a", "b");
	assert_split("/dubbo/com.foo.BarService/providers", "/dubbo/com.foo.BarService",
		     "providers");
}

/* ---- one record ---- */

static void test_fresh_tree(void **state)
{
	struct fixture *f = *state;

	assert_true(rows_meta(f->rows)->zxid == 0);
	assert_int_equal(rows_meta(f->rows)->znodes, 0);
	assert_absent(f, "/");
	assert_children(f, "/", "");
}

static void test_born_read_listed(void **state)
{
	struct fixture *f = *state;
	struct record_znode root = born("/", 1, 0), a = born("/a", 2, 0),
			    b = born("/a/b", 3, INT64_MIN);
	struct record_znode null = born("/a/null", 4, 0), empty = born("/a/empty", 5, 0);

	null.data = (struct slice){ 0 };
	empty.data = slice_of("");
	put(f, &root);
	put(f, &a);
	put(f, &b);
	put(f, &null);
	put(f, &empty);
	commit(f, 5);
	assert_znode(f, &root);
	assert_znode(f, &a);
	assert_znode(f, &b);
	assert_znode(f, &null);
	assert_znode(f, &empty);
	assert_children(f, "/", "a ");
	assert_children(f, "/a", "b empty null ");
	assert_children(f, "/a/b", "");
	assert_children(f, "/nowhere", "");
	assert_absent(f, "/a/c");
	assert_absent(f, "/b");
	assert_int_equal(rows_meta(f->rows)->znodes, 5);
	assert_true(rows_meta(f->rows)->zxid == 5);
}

static void test_groups_of_columns(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 2, 0);

	put(f, &a);
	commit(f, 2);
	for (unsigned columns = 1; columns < RECORD_ALL; columns++) {
		struct record_znode change = a;

		if (columns & RECORD_BIRTH)
			continue;
		change.columns = columns;
		if (columns & RECORD_DATA) {
			change.data = slice_of("other");
			change.mzxid = a.mzxid += columns;
			change.mtime = a.mtime += columns;
			change.version = ++a.version;
			a.data = change.data;
		}
		if (columns & RECORD_ACL) {
			change.acl = a.aversion % 2 ? ACL(acl_world) : ACL(acl_two);
			change.aversion = ++a.aversion;
			a.acl = change.acl;
		}
		if (columns & RECORD_CHILDREN) {
			change.pzxid = a.pzxid += columns;
			change.creates = ++a.creates;
			change.num_children = ++a.num_children;
		}
		put(f, &change);
		commit(f, 2 + columns);
		assert_znode(f, &a);
	}
	assert_int_equal(rows_meta(f->rows)->znodes, 1);
}

/* Memory answers for ephemerals: rows with an owner are for the next start alone. */
static void test_ephemerals_are_hidden(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 1, 0), e = born("/a/e", 2, 77), p = born("/a/p", 3, 0);
	struct record_znode top = born("/e", 4, 77);

	put(f, &a);
	put(f, &e);
	put(f, &p);
	put(f, &top);
	commit(f, 4);
	assert_absent(f, "/a/e");
	assert_absent(f, "/e");
	assert_children(f, "/a", "p ");
	assert_children(f, "/", "a ");
	assert_int_equal(rows_meta(f->rows)->znodes, 2);
}

static void test_delete(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 1, 0), e = born("/e", 2, 77);
	struct record_znode gone_a = { .path = slice_of("/a") },
			    gone_e = { .path = slice_of("/e") };

	put(f, &a);
	put(f, &e);
	commit(f, 2);
	put(f, &gone_a);
	put(f, &gone_e);
	put(f, &(struct record_znode){ .path = slice_of("/never") });
	commit(f, 4);
	assert_absent(f, "/a");
	assert_int_equal(rows_meta(f->rows)->znodes, 0);
	assert_query(f, "SELECT count(*) FROM znode", "0");
}

/* ---- many records in one batch ---- */

static void test_last_one_wins(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 1, 0);

	put(f, &a);
	for (int i = 0; i < 100; i++) {
		a.columns = i % 2 ? RECORD_DATA : RECORD_CHILDREN;
		if (i % 2) {
			a.version++;
			a.data = i % 4 == 1 ? slice_of("one") : slice_of("three");
		} else {
			a.creates++;
		}
		put(f, &a);
	}
	commit(f, 101);
	a.columns = RECORD_ALL;
	assert_znode(f, &a);
}

static void test_born_and_gone_in_one_batch(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 1, 0), again = born("/a", 3, 0);
	struct record_znode gone = { .path = slice_of("/a") };

	put(f, &a);
	put(f, &gone);
	commit(f, 2);
	assert_absent(f, "/a");
	assert_int_equal(rows_meta(f->rows)->znodes, 0);

	/* There, gone, and there again with nothing of the first. */
	put(f, &a);
	a.columns = RECORD_CHILDREN;
	a.creates = 9;
	put(f, &a);
	commit(f, 3);
	put(f, &gone);
	put(f, &again);
	commit(f, 4);
	assert_znode(f, &again);
	assert_int_equal(rows_meta(f->rows)->znodes, 1);
}

static void test_persistent_becomes_ephemeral(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 1, 0), e = born("/a", 3, 77);
	struct record_znode gone = { .path = slice_of("/a") };

	put(f, &a);
	commit(f, 1);
	put(f, &gone);
	put(f, &e);
	commit(f, 3);
	assert_absent(f, "/a");
	assert_int_equal(rows_meta(f->rows)->znodes, 0);
	/* A birth alone, over a row that is there: values are final, so a batch may come twice. */
	put(f, &a);
	commit(f, 4);
	assert_znode(f, &a);
	put(f, &a);
	commit(f, 5);
	assert_int_equal(rows_meta(f->rows)->znodes, 1);
}

static void test_damaged_record(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(merge_add(f->merge, (struct slice){ "\x01\x09", 2 }), -1);
}

static struct fixture *foreign;

/* In the child, which opens the file for itself: no connection may cross a fork. */
static void change_what_is_not_there(void)
{
	struct record_znode a = born("/a", 1, 0);
	char reason[STORE_REASON_LEN];

	if (rows_open(&foreign->rows, foreign->path, DB_WRITE, 1024, false, reason) != 0)
		return;
	a.columns = RECORD_DATA;
	put(foreign, &a);
	commit(foreign, 1);
}

/* How a batch ends on a disk that goes bad; data fills SQLite's cache, so that it is written before
 * COMMIT, or does not. */
static void write_batch_to_bad_disk(int error, size_t len)
{
	struct record_znode a = born("/a", 1, 0);
	char reason[STORE_REASON_LEN];

	bad_disk_use();
	if (rows_open(&foreign->rows, foreign->path, DB_WRITE, 256, false, reason) != 0)
		return;
	a.data = (struct slice){ mem_new(len), len };
	put(foreign, &a);
	bad_disk.write_error = error;
	commit(foreign, 1);
}

static void commit_to_broken_disk(void)
{
	write_batch_to_bad_disk(SQLITE_IOERR_WRITE, 10);
}

static void write_to_broken_disk(void)
{
	write_batch_to_bad_disk(SQLITE_IOERR_WRITE, 1000000);
}

static void settle_on_broken_disk(void)
{
	struct record_znode a = born("/a", 1, 0);
	char reason[STORE_REASON_LEN];

	bad_disk_use();
	if (rows_open(&foreign->rows, foreign->path, DB_WRITE, 256, false, reason) != 0)
		return;
	put(foreign, &a);
	commit(foreign, 1);
	bad_disk.database_error = SQLITE_FULL;
	/* That may be waited for. */
	if (rows_settle(foreign->rows))
		return;
	bad_disk.database_error = SQLITE_IOERR_WRITE;
	(void)rows_settle(foreign->rows);
}

/* In this batch znodes come, change and go, and so do their ACLs. */
static bool try_batch(size_t len, int64_t zxid)
{
	struct record_znode a = born("/a", 1, 0), b = born("/b", zxid, 0), c = born("/c", zxid, 0);
	struct record_session s = { .id = 7, .open = true };
	char *data = mem_new(len);

	a.columns = RECORD_ACL;
	a.acl = ACL(acl_two);
	b.data = (struct slice){ data, len };
	put(foreign, &a);
	put(foreign, &b);
	put(foreign, &c);
	put_session(foreign, &s);
	b.columns = 0;
	b.path = slice_of("/old");
	put(foreign, &b);
	rows_begin(foreign->rows);
	merge_apply(foreign->merge, foreign->rows);
	mem_free(data);
	return rows_try_commit(foreign->rows, zxid);
}

static size_t large_len;

/* Ends the way the test wants where all is well. */
static void undo_on_full_disk(void)
{
	struct record_znode a = born("/a", 1, 0), old = born("/old", 1, 0), z;
	char reason[STORE_REASON_LEN];

	bad_disk_use();
	if (rows_open(&foreign->rows, foreign->path, DB_WRITE, 256, false, reason) != 0)
		return;
	put(foreign, &a);
	put(foreign, &old);
	commit(foreign, 1);
	bad_disk.write_error = SQLITE_FULL;
	for (int i = 0; i < 2; i++)
		if (try_batch(large_len, 2) || rows_meta(foreign->rows)->zxid != 1 ||
		    rows_meta(foreign->rows)->znodes != 2)
			return;
	bad_disk.write_error = SQLITE_OK;
	if (rows_read_znode(foreign->rows, slice_of("/c"), &z) != STORE_ABSENT ||
	    rows_read_znode(foreign->rows, slice_of("/old"), &z) != STORE_FOUND)
		return;
	if (!try_batch(large_len, 2) || rows_meta(foreign->rows)->znodes != 3)
		return;
	if (rows_read_znode(foreign->rows, slice_of("/a"), &z) == STORE_FOUND &&
	    slice_equal(z.acl, ACL(acl_two)) &&
	    rows_read_znode(foreign->rows, slice_of("/b"), &z) == STORE_FOUND &&
	    z.data.len == large_len &&
	    rows_read_znode(foreign->rows, slice_of("/old"), &z) == STORE_ABSENT)
		die("test.passed", "undone, then kept");
}

/* It met the end of the disk at COMMIT, or before, where data fills SQLite's cache. */
static void test_a_batch_on_a_full_disk_is_undone(void **state)
{
	char text[1024];

	foreign = *state;
	buf_fini(&foreign->body);
	buf_init(&foreign->body, 8 << 20);
	rows_close(foreign->rows, false);
	foreign->rows = NULL;
	for (large_len = 10; large_len <= 1000000; large_len *= 100000) {
		capture_abort(undo_on_full_disk, text, sizeof(text));
		assert_non_null(strstr(text, "undone, then kept"));
		tmpdir_remove(foreign->dir);
		foreign->dir = tmpdir_make();
		mem_free(foreign->path);
		foreign->path = files_join(foreign->dir, "tree.db");
		assert_int_equal(
			rows_open(&foreign->rows, foreign->path, DB_WRITE, 256, true, text), 0);
		rows_close(foreign->rows, false);
		foreign->rows = NULL;
	}
}

/* The tree must not be said to have what it does not have. */
static void test_a_batch_that_fails_ends_the_process(void **state)
{
	char text[1024];

	foreign = *state;
	buf_fini(&foreign->body);
	buf_init(&foreign->body, 8 << 20);
	rows_close(foreign->rows, false);
	foreign->rows = NULL;
	capture_abort(commit_to_broken_disk, text, sizeof(text));
	assert_non_null(strstr(text, "store.commit_failed"));
	assert_non_null(strstr(text, "I/O error"));
	capture_abort(write_to_broken_disk, text, sizeof(text));
	assert_non_null(strstr(text, "store.write_failed"));
	capture_abort(settle_on_broken_disk, text, sizeof(text));
	assert_non_null(strstr(text, "store.checkpoint_failed"));
	assert_non_null(strstr(text, "I/O error"));
}

static void test_change_of_a_missing_znode_ends_the_process(void **state)
{
	char text[1024];

	foreign = *state;
	rows_close(foreign->rows, false);
	foreign->rows = NULL;
	capture_abort(change_what_is_not_there, text, sizeof(text));
	assert_non_null(strstr(text, "store.tree_damaged"));
}

/* ---- sessions and the start ---- */

struct loaded {
	char text[512];
};

static void load_session(void *ctx, const struct record_session *s)
{
	struct loaded *l = ctx;
	size_t len = strlen(l->text);

	(void)snprintf(l->text + len, sizeof(l->text) - len, "s%" PRIx64 ":%d:%02x%02x:%s ", s->id,
		       s->timeout_ms, s->password_hash[0], s->password_hash[31],
		       s->identity.data != NULL ? s->identity.data : "-");
}

static void load_ephemeral(void *ctx, const struct record_znode *z)
{
	struct loaded *l = ctx;
	size_t len = strlen(l->text);

	assert_int_equal(z->columns, RECORD_ALL);
	assert_true(slice_is(z->acl, "") || z->acl.len == sizeof(acl_world) - 1);
	(void)snprintf(l->text + len, sizeof(l->text) - len, "e%.*s:%" PRId64 ":%.*s ",
		       (int)z->path.len, z->path.data, z->owner, (int)z->data.len, z->data.data);
}

static void load_change(void *ctx, const struct record_head *head, struct slice body)
{
	(void)ctx;
	(void)head;
	(void)body;
	fail();
}

static void test_load(void **state)
{
	struct fixture *f = *state;
	struct record_session one = { .id = 0x1a, .open = true, .timeout_ms = 4000 }, two = one;
	struct record_znode top = born("/e", 1, 0x1a), deep = born("/a/b", 2, 0x1b),
			    persistent = born("/p", 3, 0), container = born("/c", 3, -1);
	struct store_loader l = { NULL, load_session, load_ephemeral, load_change };
	struct loaded loaded = { "" };
	char reason[STORE_REASON_LEN];

	one.password_hash[0] = 0xab;
	one.password_hash[31] = 0xcd;
	two.id = 0x1b;
	two.identity = slice_of("CN=x");
	put_session(f, &one);
	put_session(f, &two);
	put(f, &top);
	put(f, &deep);
	put(f, &persistent);
	put(f, &container);
	commit(f, 3);
	l.ctx = &loaded;
	assert_int_equal(rows_load(f->rows, &l, reason), 0);
	assert_string_equal(loaded.text,
			    "s1a:4000:abcd:- s1b:4000:0000:CN=x e/e:26:data e/a/b:27:data ");

	/* Closed and opened again in one batch, then closed. */
	one.open = false;
	put_session(f, &one);
	two.open = false;
	put_session(f, &two);
	two.open = true;
	two.timeout_ms = 5000;
	put_session(f, &two);
	put(f, &(struct record_znode){ .path = slice_of("/e") });
	put(f, &(struct record_znode){ .path = slice_of("/a/b") });
	commit(f, 5);
	loaded.text[0] = '\0';
	assert_int_equal(rows_load(f->rows, &l, reason), 0);
	assert_string_equal(loaded.text, "s1b:5000:0000:CN=x ");
}

static void test_reopen(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 7, 0);
	struct rows_meta before;
	char reason[STORE_REASON_LEN];

	put(f, &a);
	commit(f, 7);
	before = *rows_meta(f->rows);
	rows_close(f->rows, false);
	/* One file: the -wal was put away. */
	assert_false(files_has_wal(f->path));
	assert_int_equal(rows_open(&f->rows, f->path, DB_WRITE, 1024, false, reason), 0);
	assert_memory_equal(rows_meta(f->rows)->database, before.database, DATABASE_ID_LEN);
	assert_true(rows_meta(f->rows)->zxid == 7);
	assert_int_equal(rows_meta(f->rows)->znodes, 1);
	assert_znode(f, &a);
}

/* ---- for those who look with sqlite3 ---- */

static void test_queries_of_the_documentation(void **state)
{
	struct fixture *f = *state;
	struct record_znode root = born("/", 1, 0), s = born("/s", 2, 0),
			    v = born("/s/1.0.0", 3, 0);
	struct record_znode p = born("/s/1.0.0/10.0.0.1:16888", 4, 77);

	v.creates = 3;
	v.num_children = 1;
	p.acl = ACL(acl_two);
	put(f, &root);
	put(f, &s);
	put(f, &v);
	put(f, &p);
	commit(f, 4);
	assert_query(f, "SELECT name FROM znode WHERE parent = '/s/1.0.0'", "10.0.0.1:16888");
	assert_query(f, "SELECT cversion FROM znodes WHERE path = '/s/1.0.0'", "5");
	assert_query(f, "SELECT path FROM znodes WHERE owner = 77", "/s/1.0.0/10.0.0.1:16888");
	assert_query(f,
		     "SELECT group_concat(path, ' ') FROM (SELECT path FROM znodes ORDER BY path)",
		     "/ /s /s/1.0.0 /s/1.0.0/10.0.0.1:16888");
	assert_query(f, "SELECT acl FROM znodes WHERE path = '/'", "world:anyone:cdrwa");
	assert_query(f, "SELECT acl FROM znodes WHERE owner = 77",
		     "world:anyone:r,x509:CN=a:cdrwa");
	assert_query(f, "SELECT count(*) FROM acl", "2");
	assert_query(f, "SELECT value FROM meta WHERE key = 'zxid'", "4");
	assert_query(f, "SELECT value FROM meta WHERE key = 'znodes'", "3");
}

/* The table acl has what znodes have, and counts them. */
static void assert_acls(struct fixture *f, const char *count)
{
	assert_query(f, "SELECT count(*) FROM acl", count);
	assert_query(f,
		     "SELECT count(*) FROM acl WHERE "
		     "znodes <> (SELECT count(*) FROM znode WHERE znode.acl = acl.key)",
		     "0");
	assert_query(f, "SELECT count(*) FROM znode WHERE znode.acl NOT IN (SELECT key FROM acl)",
		     "0");
}

/* Clients that give znodes ever new ACLs leave none behind. */
static void test_acls_go_with_their_last_znode(void **state)
{
	struct fixture *f = *state;
	struct record_znode a = born("/a", 1, 0), b = born("/b", 2, 77), c = born("/c", 3, 0);
	struct record_znode set = { .path = slice_of("/a"), .columns = RECORD_ACL };
	const struct record_znode gone_a = { .path = slice_of("/a") },
				  gone_b = { .path = slice_of("/b") };
	char bytes[sizeof(acl_two)];
	int64_t zxid = 3;

	put(f, &a);
	put(f, &b);
	put(f, &c);
	commit(f, zxid);
	assert_acls(f, "1");
	memcpy(bytes, acl_two, sizeof(acl_two));
	set.acl = (struct slice){ bytes, sizeof(bytes) - 1 };
	for (int i = 0; i < 40; i++) {
		bytes[sizeof(bytes) - 2] = (char)('0' + i);
		put(f, &set);
		/* Some are another's before they are written at all. */
		if (i % 3 == 0)
			continue;
		commit(f, ++zxid);
		assert_acls(f, "2");
	}
	/* The last ACL again, and back to the one of the others. */
	put(f, &set);
	commit(f, ++zxid);
	set.acl = ACL(acl_world);
	put(f, &set);
	commit(f, ++zxid);
	assert_acls(f, "1");
	put(f, &gone_a);
	put(f, &gone_b);
	commit(f, ++zxid);
	assert_acls(f, "1");
	/* A birth over a row that is there, with another ACL. */
	c.acl = ACL(acl_two);
	put(f, &c);
	commit(f, ++zxid);
	assert_acls(f, "1");
	put(f, &c);
	commit(f, ++zxid);
	assert_acls(f, "1");
	put(f, &(struct record_znode){ .path = slice_of("/c") });
	commit(f, ++zxid);
	assert_acls(f, "0");
	/* One that was gone comes back. */
	put(f, &a);
	commit(f, ++zxid);
	assert_acls(f, "1");
	assert_znode(f, &a);
}

static void test_acl_text(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 4096);
	acl_row_text(ACL(acl_two), &text);
	assert_true(slice_is(buf_slice(&text), "world:anyone:r,x509:CN=a:cdrwa"));
	acl_row_text(ACL("\0\0\0\1\0\0\0\0\377\377\377\377\0\0\0\0"), &text);
	assert_true(slice_is(buf_slice(&text), "::"));
	acl_row_text(ACL("\0\0\0\0"), &text);
	assert_true(slice_is(buf_slice(&text), ""));
	acl_row_text(ACL("\0\0\0\1\0\0\0\37\0\0\0\5worl"), &text);
	assert_true(slice_is(buf_slice(&text), "?"));
	acl_row_text(ACL("\0\0\0\0x"), &text);
	assert_true(slice_is(buf_slice(&text), "?"));
	acl_row_text(ACL(""), &text);
	assert_true(slice_is(buf_slice(&text), "?"));
	buf_fini(&text);
}

/* A list of a million children must not read a million rows. */
static void assert_plan(struct fixture *f, const char *sql, const char *part)
{
	sqlite3_stmt *stmt;
	char all[2048] = "";

	stmt = db_prepare(rows_db(f->rows), sql);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		size_t len = strlen(all);

		(void)snprintf(all + len, sizeof(all) - len, "%s\n",
			       (const char *)sqlite3_column_text(stmt, 3));
	}
	sqlite3_finalize(stmt);
	assert_null(strstr(all, "SCAN"));
	assert_non_null(strstr(all, part));
}

static void test_plans(void **state)
{
	struct fixture *f = *state;

	assert_plan(
		f,
		"EXPLAIN QUERY PLAN SELECT name FROM znode AS z WHERE parent = ?1 AND NOT EXISTS ("
		"SELECT 1 FROM znode AS e INDEXED BY znode_ephemeral "
		"WHERE e.parent = ?1 AND e.name = z.name AND e.owner > 0)",
		"SEARCH z USING COVERING INDEX");
	assert_plan(f, "EXPLAIN QUERY PLAN SELECT name FROM znode WHERE parent = '/s'",
		    "USING COVERING INDEX");
}

/* ---- files that are not ours ---- */

static void spoil(struct fixture *f, const char *sql)
{
	sqlite3 *db;

	/* With checksums that fit. */
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, VFS_NAME), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_refused(struct fixture *f, bool may_create, const char *part)
{
	char reason[STORE_REASON_LEN];

	assert_true(rows_open(&f->rows, f->path, DB_WRITE, 1024, may_create, reason) < 0);
	f->rows = NULL;
	assert_non_null(strstr(reason, f->path));
	assert_non_null(strstr(reason, part));
	assert_null(strchr(reason, '\n'));
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	FILE *file;

	rows_close(f->rows, false);
	spoil(f, "PRAGMA user_version = 3");
	assert_refused(f, true, "has schema version 3, this program knows versions up to 2");
	spoil(f, "PRAGMA user_version = 2; DELETE FROM meta WHERE key = 'zxid'");
	assert_refused(f, true, "has no 'zxid'");
	spoil(f, "PRAGMA user_version = 0");
	assert_refused(f, true, "is not a tree of this program");
	assert_int_equal(unlink(f->path), 0);
	assert_refused(f, false, "is missing or empty, but there is a log");
	file = fopen(f->path, "w");
	for (int i = 0; i < 10000; i++)
		fputs("no database ", file);
	fclose(file);
	assert_refused(f, true, "not a database");
}

static void test_files_are_private(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char *wal = files_join(f->dir, "tree.db-wal");

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	mem_free(wal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_path),
		cmocka_unit_test(test_acl_text),
		TEST(test_fresh_tree),
		TEST(test_born_read_listed),
		TEST(test_groups_of_columns),
		TEST(test_ephemerals_are_hidden),
		TEST(test_delete),
		TEST(test_last_one_wins),
		TEST(test_born_and_gone_in_one_batch),
		TEST(test_persistent_becomes_ephemeral),
		TEST(test_damaged_record),
		TEST(test_change_of_a_missing_znode_ends_the_process),
		TEST(test_a_batch_that_fails_ends_the_process),
		TEST(test_a_batch_on_a_full_disk_is_undone),
		TEST(test_acls_go_with_their_last_znode),
		TEST(test_load),
		TEST(test_reopen),
		TEST(test_queries_of_the_documentation),
		TEST(test_plans),
		TEST(test_refused),
		TEST(test_files_are_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
