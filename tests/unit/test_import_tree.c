/* What stands in ZooKeeper's files, applied as its DataTree does it: what a snapshot shows already,
 * owners, quotas, and what cannot be carried. */
#include "store/import_tree.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"

#define SESSION INT64_C(0x100000000000007)
#define FAR_SESSION ((int64_t)UINT64_C(0xc800000000000007)) /* of the server with the id 200 */
#define ACL_WORLD "\0\0\0\37\0\0\0\5world\0\0\0\6anyone"
#define ACL_READ "\0\0\0\1\0\0\0\5world\0\0\0\6anyone"

struct fixture {
	char *dir;
	char *path;
	struct import_tree *tree;
	struct import_counts counts;
	int64_t zxid;
	char text[2048];
	char reason[STORE_REASON_LEN];
};

static void add(struct fixture *f, const char *path, int64_t owner, int32_t creates)
{
	const struct zk_snapshot_sink sink = import_tree_sink(f->tree);
	const struct zk_znode z = { .path = slice_of(path),
				    .data = slice_of("data"),
				    .acl = ZK_ACL_OPEN,
				    .czxid = 1,
				    .mzxid = 1,
				    .creates = creates,
				    .owner = owner,
				    .pzxid = 5 };

	if (sink.znode(sink.ctx, &z, f->reason) != 0)
		fail_msg("%s", f->reason);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->dir = tmpdir_make();
	f->path = files_join(f->dir, "tree.db");
	f->zxid = 10;
	assert_int_equal(import_tree_new(&f->tree, f->path, 1024, f->reason), 0);
	add(f, "/", 0, 3);
	add(f, "/zookeeper", 0, 0);
	add(f, "/p", 0, 3);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	import_tree_free(f->tree);
	mem_free(f->path);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

/* ---- steps ---- */

static struct zk_txn txn(struct fixture *f, int32_t type, const char *path)
{
	return (struct zk_txn){ .session = SESSION,
				.zxid = ++f->zxid,
				.time_ms = 1000,
				.type = type,
				.path = slice_of(path),
				.data = slice_of("new"),
				.acl = { 1, { ACL_READ, sizeof(ACL_READ) - 1 } },
				.parent_creates = -1,
				.version = 4 };
}

static void apply(struct fixture *f, struct zk_txn x)
{
	if (import_tree_apply(f->tree, &x, f->reason) != 0)
		fail_msg("%s", f->reason);
}

static void assert_refused(struct fixture *f, int rc, const char *part)
{
	assert_int_equal(rc, -1);
	if (strstr(f->reason, part) == NULL)
		fail_msg("refused with: %s", f->reason);
}

static int try_finish(struct fixture *f, bool with_sessions)
{
	return import_tree_finish(f->tree, f->zxid, with_sessions, 100, &f->counts, f->reason);
}

static void finish(struct fixture *f, bool with_sessions)
{
	if (try_finish(f, with_sessions) != 0)
		fail_msg("%s", f->reason);
	import_tree_free(f->tree);
	f->tree = NULL;
}

/* "name data version aversion creates children pzxid acl" of those below parent. */
static const char *list(struct fixture *f, const char *parent)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	size_t len = 0;

	vfs_register();
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, VFS_NAME), 0);
	assert_int_equal(
		sqlite3_prepare_v2(db,
				   "SELECT name || ' ' || CAST(data AS TEXT) || ' ' || "
				   "version || ' ' || aversion || ' ' || creates || ' ' || "
				   "num_children || ' ' || pzxid || ' ' || text FROM znode "
				   "JOIN acl ON acl.key = znode.acl WHERE parent = ?1 ORDER BY "
				   "name",
				   -1, &stmt, NULL),
		SQLITE_OK);
	sqlite3_bind_text(stmt, 1, parent, -1, SQLITE_STATIC);
	f->text[0] = '\0';
	while (sqlite3_step(stmt) == SQLITE_ROW)
		len += (size_t)snprintf(f->text + len, sizeof(f->text) - len, "%s\n",
					(const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return f->text;
}

/* ---- what a snapshot shows already ---- */

static void test_create(void **state)
{
	struct fixture *f = *state;

	apply(f, txn(f, OP_CREATE, "/p/a"));
	finish(f, false);
	assert_string_equal(list(f, "/p"), "a new 0 0 0 0 11 world:anyone:r\n");
	assert_string_equal(list(f, "/"), "p data 0 0 4 1 11 world:anyone:cdrwa\n"
					  "zookeeper data 0 0 0 2 5 world:anyone:cdrwa\n");
}

/* It keeps what it has, but for the ACL; its parent's count rises where it is lower. */
static void test_create_of_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct zk_txn x;

	add(f, "/p/a", 0, 9);
	x = txn(f, OP_CREATE, "/p/a");
	x.parent_creates = 2;
	apply(f, x);
	x.parent_creates = 7;
	x.zxid = ++f->zxid;
	apply(f, x);
	/* Of this kind ZooKeeper does not raise it. */
	x = txn(f, OP_CREATE2, "/p/a");
	x.parent_creates = 8;
	apply(f, x);
	finish(f, false);
	assert_string_equal(list(f, "/p"), "a data 0 0 9 0 5 world:anyone:r\n");
	assert_string_equal(list(f, "/"), "p data 0 0 7 1 12 world:anyone:cdrwa\n"
					  "zookeeper data 0 0 0 2 5 world:anyone:cdrwa\n");
}

static void test_a_count_that_is_higher_already(void **state)
{
	struct fixture *f = *state;
	struct zk_txn x = txn(f, OP_CREATE, "/p/a");

	x.parent_creates = 3;
	apply(f, x);
	finish(f, false);
	assert_string_equal(list(f, "/"), "p data 0 0 3 1 5 world:anyone:cdrwa\n"
					  "zookeeper data 0 0 0 2 5 world:anyone:cdrwa\n");
}

static void test_what_has_gone(void **state)
{
	struct fixture *f = *state;

	apply(f, txn(f, OP_CREATE, "/none/a"));
	apply(f, txn(f, OP_DELETE, "/none/a"));
	apply(f, txn(f, OP_SET_DATA, "/none"));
	apply(f, txn(f, OP_SET_ACL, "/none"));
	apply(f, txn(f, OP_DELETE, "/p/none"));
	finish(f, false);
	assert_string_equal(list(f, "/p"), "");
	assert_string_equal(list(f, "/"), "p data 0 0 3 0 15 world:anyone:cdrwa\n"
					  "zookeeper data 0 0 0 2 5 world:anyone:cdrwa\n");
}

static void test_changes(void **state)
{
	struct fixture *f = *state;

	add(f, "/p/a", 0, 0);
	add(f, "/p/b", 0, 0);
	apply(f, txn(f, OP_SET_DATA, "/p/a"));
	apply(f, txn(f, OP_SET_ACL, "/p/a"));
	apply(f, txn(f, OP_DELETE, "/p/b"));
	apply(f, txn(f, OP_CHECK, "/p"));
	apply(f, txn(f, OP_ERROR, "/p"));
	finish(f, false);
	assert_string_equal(list(f, "/p"), "a new 4 4 0 0 5 world:anyone:r\n");
	assert_int_equal(f->counts.zxid, 15);
}

/* ---- owners ---- */

static void open_session(struct fixture *f, int64_t id)
{
	struct zk_txn x = txn(f, OP_CREATE_SESSION, "");

	x.session = id;
	x.timeout_ms = 5000;
	apply(f, x);
}

static void test_the_end_of_a_session(void **state)
{
	struct fixture *f = *state;
	uint8_t paths[] = "\0\0\0\4/p/b";
	struct zk_txn x;

	open_session(f, SESSION);
	open_session(f, SESSION + 1);
	add(f, "/p/a", SESSION, 0);
	add(f, "/p/b", SESSION + 1, 0); /* made anew by another one, in what the snapshot shows */
	add(f, "/p/c", SESSION + 1, 0);
	x = txn(f, OP_CLOSE_SESSION, "");
	x.path_count = 1;
	x.paths = (struct jute_reader){ .pos = paths, .end = paths + sizeof(paths) - 1 };
	apply(f, x);
	finish(f, true);
	assert_string_equal(list(f, "/p"), "c data 0 0 0 0 5 world:anyone:cdrwa\n");
	assert_int_equal(f->counts.sessions, 1);
	assert_int_equal(f->counts.ephemerals, 1);
}

/* No session has such an id, whatever a log says. */
static void test_the_end_of_no_session(void **state)
{
	static const int64_t ids[] = { 0, PROTO_OWNER_CONTAINER, PROTO_OWNER_TTL | 5 };
	struct fixture *f = *state;

	add(f, "/p/container", PROTO_OWNER_CONTAINER, 0);
	add(f, "/p/ttl", PROTO_OWNER_TTL | 5, 0);
	for (size_t i = 0; i < 3; i++) {
		struct zk_txn x = txn(f, OP_CLOSE_SESSION, "");

		x.session = ids[i];
		apply(f, x);
	}
	finish(f, false);
	assert_int_equal(f->counts.persistent, 5);
	assert_int_equal(f->counts.containers, 1);
	assert_int_equal(f->counts.ttls, 1);
}

static void test_kinds_of_owners(void **state)
{
	struct fixture *f = *state;
	struct zk_txn x;

	add(f, "/p/container", PROTO_OWNER_CONTAINER, 0);
	add(f, "/p/ttl", PROTO_OWNER_TTL | 5, 0);
	add(f, "/p/near", SESSION, 0);
	add(f, "/p/far", FAR_SESSION, 0);
	x = txn(f, OP_CREATE_TTL, "/p/ttl2");
	x.ttl_ms = 7;
	apply(f, x);
	apply(f, txn(f, OP_CREATE_CONTAINER, "/p/container2"));
	x = txn(f, OP_CREATE2, "/p/near2");
	x.is_ephemeral = true;
	apply(f, x);
	finish(f, false);
	assert_int_equal(f->counts.containers, 2);
	assert_int_equal(f->counts.ttls, 2);
	assert_int_equal(f->counts.lost_ephemerals, 3);
	assert_int_equal(f->counts.ephemerals, 0);
}

/* Its id is a negative number, as our marks are. */
static void test_sessions_of_far_servers(void **state)
{
	struct fixture *f = *state;

	open_session(f, FAR_SESSION);
	assert_refused(f, try_finish(f, true), "session 0xc800000000000007 was opened at a server");
	finish(f, false);
	assert_int_equal(f->counts.lost_sessions, 1);
}

/* ---- the server's own znodes ---- */

static void test_missing_ones_are_made(void **state)
{
	struct fixture *f = *state;

	finish(f, false);
	assert_string_equal(list(f, "/zookeeper"), "config  0 -1 0 0 0 world:anyone:r\n"
						   "quota  0 0 0 0 0 world:anyone:cdrwa\n");
}

static void test_who_is_in_an_ensemble_is_forgotten(void **state)
{
	struct fixture *f = *state;

	add(f, "/zookeeper/config", 0, 0);
	apply(f, txn(f, OP_SET_DATA, "/zookeeper/config"));
	finish(f, false);
	assert_string_equal(list(f, "/zookeeper"), "config  4 0 0 0 5 world:anyone:cdrwa\n"
						   "quota  0 0 0 0 0 world:anyone:cdrwa\n");
}

/* One within another counts for both, as where ZooKeeper counts at its start. */
static void test_quotas(void **state)
{
	static const char *const paths[] = { "/p/q", "/p/q/r", "/px", "/zookeeper/quota" };
	static const char *const of[] = { "/p", "/p/q", "/none" };
	struct fixture *f = *state;
	char path[128];

	for (size_t i = 0; i < 4; i++)
		add(f, paths[i], 0, 0);
	add(f, "/zookeeper/quota/p", 0, 0);
	add(f, "/zookeeper/quota/p/q", 0, 0);
	add(f, "/zookeeper/quota/none", 0, 0);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "/zookeeper/quota%s/zookeeper_limits", of[i]);
		add(f, path, 0, 0);
		(void)snprintf(path, sizeof(path), "/zookeeper/quota%s/zookeeper_stats", of[i]);
		add(f, path, 0, 0);
	}
	/* Without limits nobody counts. */
	add(f, "/zookeeper/quota/px", 0, 0);
	add(f, "/zookeeper/quota/px/zookeeper_stats", 0, 0);
	finish(f, false);
	assert_int_equal(f->counts.quotas, 3);
	assert_non_null(strstr(list(f, "/zookeeper/quota/p"), "zookeeper_stats count=3,bytes=12 "));
	assert_non_null(
		strstr(list(f, "/zookeeper/quota/p/q"), "zookeeper_stats count=2,bytes=8 "));
	assert_non_null(
		strstr(list(f, "/zookeeper/quota/none"), "zookeeper_stats count=0,bytes=0 "));
	assert_non_null(strstr(list(f, "/zookeeper/quota/px"), "zookeeper_stats data "));
}

/* ---- what cannot be carried ---- */

static int try_znode(struct fixture *f, const char *path, int64_t owner, int64_t acl)
{
	const struct zk_snapshot_sink sink = import_tree_sink(f->tree);
	const struct zk_znode z = { .path = slice_of(path), .acl = acl, .owner = owner };

	return sink.znode(sink.ctx, &z, f->reason);
}

static void test_refused_znodes(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, try_znode(f, "p", 0, -1), "'p': no znode can have this path");
	assert_refused(f, try_znode(f, "/p/", 0, -1), "no znode can have this path");
	assert_refused(f, try_znode(f, "/p/x", INT64_MIN | 5, -1), "a TTL as 3.5.3 wrote it");
	assert_refused(f, try_znode(f, "/p/x", 0, 8), "'/p/x': its ACL (8) is missing");
}

/* Told is how it begins, and what is wrong with it, however long it is. */
static void test_refused_znodes_with_long_paths(void **state)
{
	struct fixture *f = *state;
	char path[601];

	for (size_t len = 290; len < sizeof(path); len++) {
		memset(path, 'x', len);
		path[len] = '\0';
		memcpy(path, "no-", 3);
		assert_refused(f, try_znode(f, path, 0, -1), "'no-xxx");
		assert_non_null(strstr(f->reason, "xxx': no znode can have this path"));
		memcpy(path, "/p/", 3);
		assert_refused(f, try_znode(f, path, 0, 8), "'/p/xxx");
		assert_non_null(strstr(f->reason, "xxx': its ACL (8) is missing"));
		assert_refused(f, try_znode(f, path, INT64_MIN | 5, -1), "'/p/xxx");
		assert_non_null(strstr(f->reason, "a TTL as 3.5.3 wrote it"));
	}
}

static void test_refused_acls(void **state)
{
	static const char null_scheme[] = "\0\0\0\1\0\0\0\37\377\377\377\377\0\0\0\0";
	static const char good[] = "\0\0\0\1" ACL_WORLD;
	struct fixture *f = *state;
	const struct zk_snapshot_sink sink = import_tree_sink(f->tree);
	struct zk_txn x = txn(f, OP_SET_ACL, "/p");

	assert_refused(f,
		       sink.acl(f->tree, 1, (struct slice){ null_scheme, sizeof(null_scheme) - 1 },
				f->reason),
		       "the ACL with the number 1 has a null in it");
	assert_int_equal(sink.acl(f->tree, 1, (struct slice){ good, sizeof(good) - 1 }, f->reason),
			 0);
	assert_refused(f, sink.acl(f->tree, 1, (struct slice){ good, sizeof(good) - 1 }, f->reason),
		       "there are two ACLs with the number 1");
	x.acl.raw = (struct slice){ null_scheme + 4, sizeof(null_scheme) - 5 };
	assert_refused(f, import_tree_apply(f->tree, &x, f->reason), "an ACL has a null in it");
	/* None is open to the world, as in ZooKeeper. */
	x.acl = (struct proto_acls){ -1, { NULL, 0 } };
	apply(f, x);
	finish(f, false);
	assert_non_null(strstr(list(f, "/"), "p data 0 4 3 0 5 world:anyone:cdrwa"));
}

static void test_refused_transactions(void **state)
{
	struct fixture *f = *state;
	struct zk_txn x = txn(f, OP_CREATE, "/p//x");

	assert_refused(f, import_tree_apply(f->tree, &x, f->reason),
		       "'/p//x': no znode can have this path");
	x = txn(f, OP_CREATE, "/");
	apply(f, x);
	x = txn(f, OP_DELETE, "/");
	apply(f, x);
	finish(f, false);
}

static void test_a_tree_with_a_hole(void **state)
{
	struct fixture *f = *state;

	add(f, "/p/a", 0, 0);
	apply(f, txn(f, OP_DELETE, "/p"));
	assert_refused(f, try_finish(f, false), "'/p': is missing, but has children");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_create_of_what_is_there),
		TEST(test_a_count_that_is_higher_already),
		TEST(test_what_has_gone),
		TEST(test_changes),
		TEST(test_the_end_of_a_session),
		TEST(test_the_end_of_no_session),
		TEST(test_kinds_of_owners),
		TEST(test_sessions_of_far_servers),
		TEST(test_missing_ones_are_made),
		TEST(test_who_is_in_an_ensemble_is_forgotten),
		TEST(test_quotas),
		TEST(test_refused_znodes),
		TEST(test_refused_znodes_with_long_paths),
		TEST(test_refused_acls),
		TEST(test_refused_transactions),
		TEST(test_a_tree_with_a_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
