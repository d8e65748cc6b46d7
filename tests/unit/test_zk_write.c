/* A tree written as a snapshot of ZooKeeper's, taken apart byte by byte. That ZooKeeper reads it is
 * tests/interop/test_migration.py's. */
#include "store/zk_write.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/mem.h"
#include "store/files.h"
#include "store/merge.h"
#include "store/rows.h"
#include "tests/lib/tmpdir.h"

static const char acl_world[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";
static const char acl_two[] =
	"\0\0\0\2\0\0\0\1\0\0\0\5world\0\0\0\6anyone\0\0\0\37\0\0\0\4x509\0\0\0\4CN=a";
static const char acl_null[] = "\xff\xff\xff\xff";

#define ACL(bytes) ((struct slice){ (bytes), sizeof(bytes) - 1 })
#define EPOCH(n) ((int64_t)(n) << 32)
enum { TTL_MS = 60000, MOST = 4 << 20 };
#define CONTAINER INT64_MIN
#define TTL ((int64_t)(UINT64_C(0xff00000000000000) | TTL_MS))

struct fixture {
	char *top;
	char *path; /* of the tree */
	char *dir;  /* the snapshot's */
	struct rows *rows;
	struct merge *merge;
	struct buf body;
	struct zk_write_options o;
	struct zk_write_summary sum;
	char reason[STORE_REASON_LEN];
	char told[1024];
	/* the file */
	uint8_t bytes[MOST];
	size_t len, at;
};

/* ---- a tree ---- */

static void tell_acl(void *ctx, struct slice encoded, uint64_t znodes)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->told);

	(void)snprintf(f->told + len, sizeof(f->told) - len, "acl %zu %" PRIu64 "\n", encoded.len,
		       znodes);
}

static void tell_too_large(void *ctx, struct slice path, size_t bytes)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->told);

	(void)snprintf(f->told + len, sizeof(f->told) - len, "too large %.*s %zu\n", (int)path.len,
		       path.data, bytes);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	f->top = tmpdir_make();
	f->path = files_join(f->top, "tree.db");
	f->dir = files_join(f->top, "version-2");
	assert_int_equal(mkdir(f->dir, 0700), 0);
	if (rows_open(&f->rows, f->path, DB_WRITE, 1024, true, f->reason) != 0)
		return -1;
	f->merge = merge_new();
	buf_init(&f->body, MOST);
	f->o = (struct zk_write_options){ .max_data = ZK_WRITE_MAX_DATA,
					  .ctx = f,
					  .acl = tell_acl,
					  .too_large = tell_too_large };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	mem_free(f->sum.path);
	buf_fini(&f->body);
	merge_free(f->merge);
	rows_close(f->rows, false);
	mem_free(f->path);
	mem_free(f->dir);
	tmpdir_remove(f->top);
	mem_free(f);
	return 0;
}

/* A znode whose numbers all differ. */
static struct record_znode born(const char *path, int64_t n, int64_t owner)
{
	return (struct record_znode){ .path = slice_of(path),
				      .columns = RECORD_ALL,
				      .czxid = EPOCH(7) + n,
				      .ctime = 1000 + n,
				      .owner = owner,
				      .data = slice_of("data"),
				      .mzxid = EPOCH(7) + 100 + n,
				      .mtime = 2000 + n,
				      .version = (int32_t)(3000 + n),
				      .acl = ACL(acl_world),
				      .aversion = (int32_t)(4000 + n),
				      .pzxid = EPOCH(7) + 200 + n,
				      .creates = (int32_t)(5000 + n) };
}

static void put(struct fixture *f, struct record_znode z)
{
	buf_clear(&f->body);
	assert_int_equal(record_put_znode(&f->body, &z), 0);
	assert_int_equal(merge_add(f->merge, buf_slice(&f->body)), 0);
}

static void commit(struct fixture *f)
{
	rows_begin(f->rows);
	merge_apply(f->merge, f->rows);
	rows_commit(f->rows, EPOCH(7) + 999);
}

static void make_tree(struct fixture *f)
{
	const struct record_session s = { .id = 5, .open = true, .timeout_ms = 1000 };
	struct record_znode z;

	put(f, born("/", 1, 0));
	put(f, born("/zookeeper", 2, 0));
	z = born("/zookeeper/config", 3, 0);
	z.data = slice_of("");
	put(f, z);
	put(f, born("/zookeeper/quota", 4, 0));
	put(f, born("/zookeeper/quota/zookeeper_limits", 5, 0));
	z = born("/a", 6, 0);
	z.acl = ACL(acl_two);
	z.creates = INT32_MAX;
	put(f, z);
	z = born("/a/b", 7, CONTAINER);
	z.data = (struct slice){ 0 };
	put(f, z);
	put(f, born("/a/b/c", 8, TTL));
	put(f, born("/a-b", 9, 0)); /* before /a/b by its bytes, and no child of /a */
	put(f, born("/a/e", 10, 5));
	put(f, born("/f", 11, 5));
	put(f, born("/\xc3\xbc", 12, 0));
	buf_clear(&f->body);
	assert_int_equal(record_put_session(&f->body, &s), 0);
	assert_int_equal(merge_add(f->merge, buf_slice(&f->body)), 0);
	commit(f);
}

static int write_snapshot(struct fixture *f)
{
	gzFile file;
	int n;

	f->told[0] = '\0';
	if (zk_write(f->path, f->dir, &f->o, &f->sum, f->reason) != 0)
		return -1;
	/* Plain ones are passed on as they are. */
	file = gzopen(f->sum.path, "rb");
	assert_non_null(file);
	n = gzread(file, f->bytes, MOST);
	assert_true(n > 0 && n < MOST);
	assert_int_equal(gzclose(file), Z_OK);
	f->len = (size_t)n;
	f->at = 0;
	return 0;
}

/* ---- taking it apart ---- */

static int64_t get(struct fixture *f, size_t bytes)
{
	uint64_t v = 0;

	assert_true(f->at + bytes <= f->len);
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | f->bytes[f->at++];
	return bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

static struct slice get_buffer(struct fixture *f)
{
	int64_t len = get(f, 4);
	struct slice s = { NULL, 0 };

	if (len < 0)
		return s;
	assert_true(f->at + (size_t)len <= f->len);
	s = (struct slice){ (const char *)f->bytes + f->at, (size_t)len };
	f->at += (size_t)len;
	return s;
}

static void assert_next(struct fixture *f, const char *text)
{
	if (!slice_is(get_buffer(f), text))
		fail_msg("'%s' is missing before byte %zu", text, f->at);
}

/* The sum runs over all bytes before it, former seals too. */
static void assert_seal(struct fixture *f)
{
	uLong sum = adler32(adler32(0, NULL, 0), f->bytes, (uInt)f->at);

	assert_int_equal(get(f, 8), (int64_t)sum);
	assert_next(f, "/");
}

/* How many ACLs. */
static int64_t skip_head(struct fixture *f)
{
	int64_t acls;

	assert_memory_equal(f->bytes, "ZKSN\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 20);
	f->at = 20;
	acls = get(f, 4);
	for (int64_t i = 1; i <= acls; i++) {
		assert_int_equal(get(f, 8), i);
		for (int64_t entries = get(f, 4); entries > 0; entries--) {
			(void)get(f, 4);
			assert_non_null(get_buffer(f).data);
			assert_non_null(get_buffer(f).data);
		}
	}
	return acls;
}

/* One znode and what the digest has of it. */
static uint64_t assert_znode(struct fixture *f, const char *path, int64_t n, int64_t owner,
			     struct slice data, int64_t creates, int64_t pzxid)
{
	struct slice name = get_buffer(f), found;
	uint8_t stat[60];
	uLong crc;

	if (!slice_is(name, path))
		fail_msg("%.*s instead of %s", (int)name.len, name.data, path);
	found = get_buffer(f);
	assert_true((found.data == NULL) == (data.data == NULL) && slice_equal(found, data));
	assert_in_range(get(f, 8), 1, 2);
	assert_true(f->at + 60 <= f->len);
	/* ZooKeeper's digest has pzxid behind mzxid. */
	memcpy(stat, f->bytes + f->at, 16);
	memcpy(stat + 16, f->bytes + f->at + 52, 8);
	memcpy(stat + 24, f->bytes + f->at + 16, 36);
	crc = crc32(0, (const Bytef *)path, (uInt)strlen(path));
	if (data.len > 0)
		crc = crc32(crc, (const Bytef *)data.data, (uInt)data.len);
	crc = crc32(crc, stat, sizeof(stat));
	assert_int_equal(get(f, 8), EPOCH(7) + n);
	assert_int_equal(get(f, 8), EPOCH(7) + 100 + n);
	assert_int_equal(get(f, 8), 1000 + n);
	assert_int_equal(get(f, 8), 2000 + n);
	assert_int_equal(get(f, 4), 3000 + n);
	assert_int_equal(get(f, 4), creates);
	assert_int_equal(get(f, 4), 4000 + n);
	assert_int_equal(get(f, 8), owner);
	assert_int_equal(get(f, 8), pzxid);
	return strncmp(path, "/zookeeper/", 11) == 0 ? 0 : crc;
}

static uint64_t assert_plain(struct fixture *f, const char *path, int64_t n)
{
	return assert_znode(f, path, n, 0, slice_of("data"), 5000 + n, EPOCH(7) + 200 + n);
}

static void assert_tree(struct fixture *f)
{
	const int64_t zxid = EPOCH(7 + 1024) + 1;
	uint64_t digest = 0;

	assert_int_equal(skip_head(f), 2);
	/* Two had an ephemeral child. */
	digest += assert_znode(f, "", 1, 0, slice_of("data"), 5001, zxid);
	digest += assert_znode(f, "/a", 6, 0, slice_of("data"), INT32_MAX, zxid);
	digest += assert_plain(f, "/a-b", 9);
	digest += assert_plain(f, "/zookeeper", 2);
	digest += assert_plain(f, "/\xc3\xbc", 12);
	digest += assert_znode(f, "/a/b", 7, CONTAINER, (struct slice){ 0 }, 5007, EPOCH(7) + 207);
	digest += assert_znode(f, "/a/b/c", 8, TTL, slice_of("data"), 5008, EPOCH(7) + 208);
	digest += assert_znode(f, "/zookeeper/config", 3, 0, slice_of(""), 5003, EPOCH(7) + 203);
	digest += assert_plain(f, "/zookeeper/quota", 4);
	digest += assert_plain(f, "/zookeeper/quota/zookeeper_limits", 5);
	assert_next(f, "/");
	assert_seal(f);
	assert_int_equal(get(f, 8), zxid);
	assert_int_equal(get(f, 4), 2);
	assert_int_equal(get(f, 8), (int64_t)digest);
	assert_seal(f);
	assert_int_equal(f->at, f->len);
	assert_int_equal(f->sum.digest, (int64_t)digest);
	assert_int_equal(f->sum.zxid, zxid);
}

static void test_every_byte(void **state)
{
	struct fixture *f = *state;

	make_tree(f);
	assert_int_equal(write_snapshot(f), 0);
	assert_tree(f);
	assert_non_null(strstr(f->sum.path, "/version-2/snapshot.40700000001"));
	assert_int_equal(f->sum.path[strlen(f->sum.path) - 1], '1');
	assert_int_equal(f->sum.tree_zxid, EPOCH(7) + 999);
	assert_int_equal(f->sum.znodes, 10);
	assert_int_equal(f->sum.containers, 1);
	assert_int_equal(f->sum.ttls, 1);
	assert_int_equal(f->sum.limits, 1);
	assert_int_equal(f->sum.bytes, 8 * 4);
	assert_int_equal(f->sum.acls, 2);
	assert_int_equal(f->sum.ephemerals, 2);
	assert_int_equal(f->sum.sessions, 1);
	/* Those of the znodes that were written, not the ephemeral ones'. */
	assert_non_null(strstr(f->told, "acl 27 9\n"));
	assert_non_null(strstr(f->told, "acl 47 1\n"));
}

static void test_gzip(void **state)
{
	struct fixture *f = *state;
	uint8_t head[2];
	FILE *file;

	make_tree(f);
	f->o.is_packed = true;
	assert_int_equal(write_snapshot(f), 0);
	assert_tree(f);
	assert_non_null(strstr(f->sum.path, "/version-2/snapshot.40700000001.gz"));
	file = fopen(f->sum.path, "r");
	assert_non_null(file);
	assert_int_equal(fread(head, 1, 2, file), 2);
	assert_int_equal(fclose(file), 0);
	assert_memory_equal(head, "\x1f\x8b", 2);
}

/* A list that is null is none to ZooKeeper. */
static void test_null_acl(void **state)
{
	struct fixture *f = *state;
	struct record_znode z = born("/", 1, 0);

	z.acl = ACL(acl_null);
	put(f, z);
	commit(f);
	assert_int_equal(write_snapshot(f), 0);
	assert_int_equal(skip_head(f), 1);
	assert_int_equal(f->at, 20 + 4 + 8 + 4);
	assert_int_equal((int64_t)assert_plain(f, "", 1), f->sum.digest);
}

/* ---- what is refused ---- */

static unsigned count_files(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	unsigned count = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	closedir(d);
	return count;
}

static void assert_refused(struct fixture *f, const char *part, unsigned files)
{
	if (write_snapshot(f) == 0)
		fail_msg("not refused, expected: %s", part);
	if (strstr(f->reason, part) == NULL)
		fail_msg("refused with: %s", f->reason);
	assert_int_equal(count_files(f->dir), files);
}

static void test_too_large(void **state)
{
	struct fixture *f = *state;
	char *bytes = mem_new(1001);
	struct record_znode z = born("/large", 13, 0);

	make_tree(f);
	memset(bytes, 'x', 1001);
	z.data = (struct slice){ bytes, 1001 };
	put(f, z);
	commit(f);
	f->o.max_data = 1000;
	assert_refused(f, "1 znodes have more than 1000 bytes", 0);
	assert_non_null(strstr(f->told, "too large /large 1001\n"));
	f->o.max_data = 1001;
	assert_int_equal(write_snapshot(f), 0);
	mem_free(bytes);
}

static void spoil(struct fixture *f, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(rows_db(f->rows), sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

static void test_damage(void **state)
{
	static const struct {
		const char *sql;
		const char *part;
	} damages[] = {
		{ "DELETE FROM znode WHERE name = 'b'", "/a/b has children" },
		{ "UPDATE znode SET owner = 5 WHERE name = 'b'", "/a/b has children" },
		{ "DELETE FROM znode WHERE parent = ''", "/ is missing" },
		{ "UPDATE znode SET parent = '', name = 'x' WHERE name = 'a-b'",
		  "/ is missing or not the only root" },
		{ "DELETE FROM acl WHERE length(acl) > 30", "/a names an ACL that is missing" },
		{ "UPDATE acl SET acl = x'0000000100' WHERE length(acl) > 30", "an ACL cannot be" },
		{ "UPDATE meta SET value = 9223372032559808513 WHERE key = 'zxid'", "no epoch" },
		{ "DELETE FROM meta WHERE key = 'zxid'", "cannot read" },
		{ "DELETE FROM znode", "no registry" },
		{ "PRAGMA user_version = 99", "version 99" },
		{ "PRAGMA user_version = 0", "not a tree" },
		{ "ALTER TABLE znode RENAME TO other", "not a tree" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		make_tree(f);
		spoil(f, damages[i].sql);
		assert_refused(f, damages[i].part, 0);
		teardown(state);
		assert_int_equal(setup(state), 0);
		f = *state;
	}
}

static void test_no_tree(void **state)
{
	struct fixture *f = *state;
	char *path = f->path;

	f->path = files_join(f->top, "none.db");
	assert_refused(f, "cannot open", 0);
	mem_free(f->path);
	f->path = f->dir;
	assert_refused(f, "version-2", 0);
	f->path = path;
}

/* ZooKeeper would take the newest of what is there. */
static void test_used_directory(void **state)
{
	static const char *const names[] = { "snapshot.0", "log.1", "currentEpoch",
					     "acceptedEpoch" };
	struct fixture *f = *state;

	make_tree(f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = files_join(f->dir, names[i]);
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_int_equal(fclose(file), 0);
		assert_refused(f, names[i], 1);
		assert_int_equal(unlink(path), 0);
		mem_free(path);
	}
	assert_int_equal(write_snapshot(f), 0);
	mem_free(f->sum.path);
	assert_refused(f, "holds a ZooKeeper's data", 1);
}

/* One that was cut short is begun anew. */
static void test_part(void **state)
{
	struct fixture *f = *state;
	char *path = files_join(f->dir, ".export.part");
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs("half of a snapshot", file);
	assert_int_equal(fclose(file), 0);
	make_tree(f);
	assert_int_equal(write_snapshot(f), 0);
	assert_tree(f);
	assert_int_equal(count_files(f->dir), 1);
	mem_free(path);
}

static void test_no_room(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, few;

	make_tree(f);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	few = before;
	few.rlim_cur = 100;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	if (zk_write(f->path, f->dir, &f->o, &f->sum, f->reason) == 0)
		fail_msg("written without room");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(f->reason, "cannot write"));
	assert_int_equal(count_files(f->dir), 0);
	assert_int_equal(write_snapshot(f), 0);
	assert_tree(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gzip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_null_acl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_used_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_part, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
