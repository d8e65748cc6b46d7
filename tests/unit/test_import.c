/* Directories of Debian's ZooKeeper 3.8.0 (tests/unit/zk, by its make-data) as trees of ours, and
 * what is refused. */
#include "store/import.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <zlib.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"
#include "wire/jute.h"
#include "wire/proto.h"

enum { LARGE = 30, TEXT_MOST = 64 * 1024 };

struct fixture {
	char *top;
	char *from; /* a copy: what is there may be spoilt */
	char *to;
	struct import_options o;
	struct import_summary s;
	char reason[STORE_REASON_LEN];
	char text[TEXT_MOST];
	char expected[TEXT_MOST];
};

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->top = tmpdir_make();
	f->from = files_join(f->top, "zookeeper");
	f->to = files_join(f->top, "data");
	f->o = (struct import_options){ .dir = f->from,
					.to_dir = f->to,
					.cache_kib = 1024,
					.large_bytes = LARGE,
					.uid = (uid_t)-1,
					.gid = (gid_t)-1 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	mem_free(f->from);
	mem_free(f->to);
	tmpdir_remove(f->top);
	mem_free(f);
	return 0;
}

/* ---- files ---- */

static char *source(const char *name)
{
	const char *top = getenv("ZOOLITE_SRCDIR");
	char *zk = files_join(top != NULL ? top : ".", "tests/unit/zk");
	char *path = files_join(zk, name);

	mem_free(zk);
	return path;
}

static size_t read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t n;

	if (file == NULL)
		fail_msg("%s is missing", path);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
	return n;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[TEXT_MOST];

	write_file(to, bytes, read_file(from, bytes, sizeof(bytes)));
}

static char *in_version(const struct fixture *f, const char *name)
{
	char *dir = files_join(f->from, "version-2"), *path = files_join(dir, name);

	mem_free(dir);
	return path;
}

/* A copy of plain, gzip or snappy. */
static void take(struct fixture *f, const char *kind)
{
	char *dir = source(kind), *from = files_join(dir, "version-2"), *to = in_version(f, "");
	char *expected = files_join(dir, "expected");
	struct dirent *entry;
	DIR *d = opendir(from);

	assert_non_null(d);
	assert_int_equal(mkdir(f->from, 0700), 0);
	assert_int_equal(mkdir(to, 0700), 0);
	while ((entry = readdir(d)) != NULL) {
		char *a = files_join(from, entry->d_name), *b = in_version(f, entry->d_name);

		if (entry->d_name[0] != '.')
			copy_file(a, b);
		mem_free(a);
		mem_free(b);
	}
	closedir(d);
	(void)read_file(expected, f->expected, sizeof(f->expected));
	mem_free(expected);
	mem_free(to);
	mem_free(from);
	mem_free(dir);
}

static void spoil(const struct fixture *f, const char *name, long at, char mask)
{
	char *path = in_version(f, name);
	FILE *file = fopen(path, "r+");
	int c;

	assert_non_null(file);
	assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	c = fgetc(file);
	assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
	assert_int_equal(fputc(c ^ mask, file), (unsigned char)(c ^ mask));
	fclose(file);
	mem_free(path);
}

static void cut(const struct fixture *f, const char *name, off_t len)
{
	char *path = in_version(f, name);

	assert_int_equal(truncate(path, len), 0);
	mem_free(path);
}

static void drop(const struct fixture *f, const char *name)
{
	char *path = in_version(f, name);

	assert_int_equal(unlink(path), 0);
	mem_free(path);
}

/* ---- what came of it ---- */

static void import_good(struct fixture *f)
{
	if (import_run(&f->o, &f->s, f->reason) != 0)
		fail_msg("%s", f->reason);
}

static void assert_refused(struct fixture *f, const char *part)
{
	char *tree = files_join(f->to, "tree.db"), *cut_short = files_join(f->to, "tree.db.part");

	assert_int_equal(import_run(&f->o, &f->s, f->reason), -1);
	if (strstr(f->reason, part) == NULL)
		fail_msg("refused with: %s", f->reason);
	assert_int_not_equal(access(tree, F_OK), 0);
	assert_int_not_equal(access(cut_short, F_OK), 0);
	mem_free(cut_short);
	mem_free(tree);
}

static sqlite3 *open_tree(const struct fixture *f)
{
	char *path = files_join(f->to, "tree.db");
	sqlite3 *db;

	vfs_register();
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, VFS_NAME), SQLITE_OK);
	mem_free(path);
	return db;
}

/* What sql gives, its columns joined by blanks, a line each. */
static const char *ask(struct fixture *f, const char *sql)
{
	sqlite3 *db = open_tree(f);
	sqlite3_stmt *stmt;
	size_t len = 0;
	int rc;

	f->text[0] = '\0';
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(stmt); i++)
			len += (size_t)snprintf(f->text + len, sizeof(f->text) - len, "%s%s",
						(const char *)sqlite3_column_text(stmt, i),
						i + 1 < sqlite3_column_count(stmt) ? " " : "\n");
	assert_int_equal(rc, SQLITE_DONE);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return f->text;
}

/* As make-data tells it. */
#define DESCRIPTION                                                                                \
	"SELECT path, z.czxid, z.mzxid, z.ctime, z.mtime, z.version, 2 * z.creates - "             \
	"z.num_children, z.aversion, z.owner, z.num_children, z.pzxid, "                           \
	"CASE WHEN z.data IS NULL THEN '-' ELSE lower(hex(z.data)) END, acl.text FROM (SELECT *, " \
	"CASE parent WHEN '' THEN '/' WHEN '/' THEN '/' || name ELSE parent || '/' || name END "   \
	"AS path FROM znode) AS z JOIN acl ON acl.key = z.acl WHERE path <> '/zookeeper/config' "  \
	"ORDER BY path"

static void assert_as_expected(struct fixture *f)
{
	assert_string_equal(ask(f, DESCRIPTION), f->expected);
}

/* ---- tests ---- */

static void import_all(struct fixture *f, const char *kind, const char *snapshot)
{
	take(f, kind);
	f->o.with_sessions = true;
	import_good(f);
	assert_as_expected(f);
	assert_string_equal(f->s.snapshot, snapshot);
	assert_int_equal(f->s.snapshot_zxid, 0x1f);
	assert_int_equal(f->s.logs, 2);
	assert_int_equal(f->s.txns, f->s.counts.zxid - 0x1f);
	assert_int_equal(f->s.digest, IMPORT_DIGEST_SAME);
	assert_int_equal(f->s.passed_over_count, 0);
	assert_string_equal(f->s.cut_log, "");
	assert_false(f->s.counts.is_ahead);
	/* Every column that others rely on is as if we had written it. */
	assert_string_equal(ask(f, "SELECT count(*) FROM znode AS p WHERE num_children <> (SELECT "
				   "count(*) FROM znode AS c WHERE c.parent = CASE p.parent WHEN "
				   "'' THEN '/' WHEN '/' THEN '/' || p.name ELSE p.parent || '/' "
				   "|| p.name END)"),
			    "0\n");
	assert_string_equal(ask(f, "SELECT count(*) FROM acl WHERE znodes <> (SELECT count(*) FROM "
				   "znode WHERE znode.acl = acl.key)"),
			    "0\n");
	assert_string_equal(ask(f, "SELECT value = (SELECT count(*) FROM znode WHERE owner <= 0) "
				   "FROM meta WHERE key = 'znodes'"),
			    "1\n");
	assert_string_equal(ask(f, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'import%'"),
			    "0\n");
}

static void test_plain(void **state)
{
	import_all(*state, "plain", "snapshot.1f");
}

static void test_gzip(void **state)
{
	import_all(*state, "gzip", "snapshot.1f.gz");
}

static void test_snappy(void **state)
{
	import_all(*state, "snappy", "snapshot.1f.snappy");
}

static void test_what_is_told(void **state)
{
	struct fixture *f = *state;
	const struct import_counts *c = &f->s.counts;
	const char *schemes[] = { "world", "digest", "ip" };

	take(f, "plain");
	f->o.with_sessions = true;
	import_good(f);
	assert_int_equal(c->zxid, 44);
	assert_int_equal(c->containers, 1);
	assert_int_equal(c->ttls, 2);
	assert_int_equal(c->ephemerals, 1);
	assert_int_equal(c->sessions, 1);
	assert_int_equal(c->lost_sessions + c->lost_ephemerals, 0);
	assert_int_equal(c->quotas, 1);
	assert_int_equal(c->large, 1);
	assert_int_equal(f->s.scheme_count, 3);
	for (size_t i = 0; i < 3; i++) {
		bool found = false;

		for (unsigned k = 0; k < f->s.scheme_count; k++)
			if (strcmp(f->s.schemes[k].name, schemes[i]) == 0)
				found = f->s.schemes[k].znodes > 0;
		assert_true(found);
	}
}

/* As ZooKeeper does with a session that is not there: its znodes go, their parent is told. */
static void test_without_sessions(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	import_good(f);
	assert_int_equal(f->s.counts.lost_sessions, 1);
	assert_int_equal(f->s.counts.lost_ephemerals, 1);
	assert_int_equal(f->s.counts.sessions + f->s.counts.ephemerals, 0);
	assert_string_equal(ask(f, "SELECT count(*) FROM session"), "0\n");
	assert_string_equal(ask(f, "SELECT count(*) FROM znode WHERE owner > 0"), "0\n");
	assert_string_equal(ask(f, "SELECT pzxid, creates, num_children FROM znode WHERE parent = "
				   "'/' AND name = 'a'"),
			    "44 3 2\n");
}

/* Whoever resumes has the password that ZooKeeper gave. */
static void test_the_session(void **state)
{
	struct fixture *f = *state;
	char *path = source("plain/session"), text[128], hex[2 * CRYPTO_SHA256_LEN + 2];
	uint8_t password[IMPORT_PASSWORD_LEN], hash[CRYPTO_SHA256_LEN];
	int64_t id;
	int at = 0;

	(void)read_file(path, text, sizeof(text));
	mem_free(path);
	assert_int_equal(sscanf(text, "%" SCNd64 " %n", &id, &at), 1);
	import_password(id, password);
	for (size_t i = 0; i < sizeof(password); i++)
		sprintf(hex + 2 * i, "%02x", password[i]);
	assert_memory_equal(hex, text + at, 2 * sizeof(password));

	take(f, "plain");
	f->o.with_sessions = true;
	import_good(f);
	crypto_sha256((struct slice){ (const char *)password, sizeof(password) }, hash);
	for (size_t i = 0; i < sizeof(hash); i++)
		sprintf(hex + 2 * i, "%02x", hash[i]);
	strcat(hex, "\n");
	assert_string_equal(ask(f, "SELECT lower(hex(password_hash)) FROM session"), hex);
	/* NULL would be a session without a certificate. */
	assert_string_equal(ask(f, "SELECT timeout_ms, identity FROM session"), "40000 unbound\n");
}

static void test_statistics_of_quotas(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	/* What the log says of them is not what is there: they are counted. */
	import_good(f);
	assert_string_equal(ask(f, "SELECT CAST(data AS TEXT) FROM znode WHERE name = "
				   "'zookeeper_stats'"),
			    "count=5,bytes=54\n");
}

static void test_only_the_older_snapshot(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	drop(f, "snapshot.1f");
	f->o.with_sessions = true;
	import_good(f);
	assert_as_expected(f);
	assert_string_equal(f->s.snapshot, "snapshot.0");
	assert_int_equal(f->s.txns, 44);
	assert_int_equal(f->s.digest, IMPORT_DIGEST_SAME);
}

/* ZooKeeper writes while things change: all that the snapshot shows already is applied anew. */
static void test_a_snapshot_ahead_of_its_name(void **state)
{
	struct fixture *f = *state;
	char *from, *to;

	take(f, "plain");
	from = in_version(f, "snapshot.1f");
	to = in_version(f, "snapshot.5");
	assert_int_equal(rename(from, to), 0);
	f->o.with_sessions = true;
	import_good(f);
	assert_as_expected(f);
	assert_int_equal(f->s.txns, 44 - 5);
	assert_int_equal(f->s.digest, IMPORT_DIGEST_SAME);
	mem_free(from);
	mem_free(to);
}

/* Without the logs it would need, it is told, and the zxids go on above what is shown. */
static void test_a_snapshot_without_its_log(void **state)
{
	struct fixture *f = *state;
	char *from, *to;

	take(f, "plain");
	from = in_version(f, "snapshot.1f");
	to = in_version(f, "snapshot.5");
	assert_int_equal(rename(from, to), 0);
	drop(f, "log.1");
	drop(f, "log.20");
	import_good(f);
	assert_true(f->s.counts.is_ahead);
	assert_int_equal(f->s.counts.zxid, 0x1e);
	assert_int_equal(f->s.digest, IMPORT_DIGEST_NONE);
	mem_free(from);
	mem_free(to);
}

static void test_a_damaged_snapshot_is_passed_over(void **state)
{
	static const char *const kinds[] = { "plain", "gzip", "snappy" };
	static const char *const ends[] = { "", ".gz", ".snappy" };
	struct fixture *f = *state;

	for (size_t i = 0; i < 3; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "snapshot.1f%s", ends[i]);
		take(f, kinds[i]);
		spoil(f, name, 300, 4);
		f->o.with_sessions = true;
		import_good(f);
		assert_as_expected(f);
		assert_int_equal(f->s.passed_over_count, 1);
		assert_ptr_equal(strstr(f->s.passed_over[0], name), f->s.passed_over[0]);
		tmpdir_remove_tree(f->from);
		tmpdir_remove_tree(f->to);
	}
}

/* Nothing stays of what was begun. test_zk_snapshot.c has all damage there can be. */
static void test_damage_in_many_places(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char *path;

	take(f, "plain");
	path = in_version(f, "snapshot.0");
	assert_int_equal(stat(path, &st), 0);
	drop(f, "snapshot.1f");
	mem_free(path);
	for (long at = 0; at < st.st_size; at += 61) {
		/* Version and id of the header, which nobody looks at, are under the seal. */
		spoil(f, "snapshot.0", at, 1);
		assert_refused(f, "no snapshot is whole");
		spoil(f, "snapshot.0", at, 1);
	}
	for (long len = st.st_size - 1; len >= 0; len -= 81) {
		cut(f, "snapshot.0", len);
		assert_refused(f, "no snapshot is whole");
	}
}

/* Behind the last record of a log: one without a digest, of a type that has but a number. */
static void append_txn(const struct fixture *f, const char *name, int64_t zxid, int32_t type)
{
	static char bytes[TEXT_MOST];
	uint8_t record[36] = { 0 }, *at = (uint8_t *)bytes + 16;
	char *path = in_version(f, name);
	size_t len = read_file(path, bytes, sizeof(bytes));

	jute_put_long(record, 0x100000000000099);
	jute_put_long(record + 12, zxid);
	jute_put_int(record + 28, type);
	while (jute_get_int(at + 8) > 0)
		at += 12 + jute_get_int(at + 8) + 1;
	jute_put_long(at, (int64_t)adler32(adler32(0, NULL, 0), record, sizeof(record)));
	jute_put_int(at + 8, sizeof(record));
	memcpy(at + 12, record, sizeof(record));
	at[12 + sizeof(record)] = 'B';
	write_file(path, bytes, len);
	mem_free(path);
}

/* ZooKeeper logs no digest with these, and the tree is as it was. */
static void test_digest_before_what_changes_nothing(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	append_txn(f, "log.20", 45, OP_ERROR);
	append_txn(f, "log.20", 46, OP_CREATE_SESSION);
	f->o.with_sessions = true;
	import_good(f);
	assert_as_expected(f);
	assert_int_equal(f->s.counts.zxid, 46);
	assert_int_equal(f->s.counts.sessions, 2);
	assert_int_equal(f->s.digest, IMPORT_DIGEST_SAME);
}

static void test_no_digest_for_the_last_transaction(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	drop(f, "snapshot.1f");
	drop(f, "log.20");
	/* It may change something: what the one before had says nothing of it. */
	append_txn(f, "log.1", 32, OP_CLOSE_SESSION);
	import_good(f);
	assert_int_equal(f->s.digest, IMPORT_DIGEST_NONE);
}

static void test_another_digest(void **state)
{
	static char bytes[TEXT_MOST];
	struct fixture *f = *state;
	uint8_t *record = (uint8_t *)bytes + 16, *next;
	char *path;
	size_t len;

	take(f, "plain");
	path = in_version(f, "log.20");
	len = read_file(path, bytes, sizeof(bytes));
	while (next = record + 12 + jute_get_int(record + 8) + 1, jute_get_int(next + 8) > 0)
		record = next;
	/* The digest is what ends it. */
	next[-2] ^= 1;
	jute_put_long(record, (int64_t)adler32(adler32(0, NULL, 0), record + 12,
					       (uInt)jute_get_int(record + 8)));
	write_file(path, bytes, len);
	mem_free(path);
	assert_refused(f, "the tree is not the one that ZooKeeper had at 0x2c: its digest is 0x");
	f->o.despite_digest = true;
	f->o.with_sessions = true;
	import_good(f);
	assert_as_expected(f);
	assert_int_equal(f->s.digest, IMPORT_DIGEST_OTHER);
}

static void test_a_damaged_log(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	spoil(f, "log.20", 100, 1);
	assert_refused(f, "log.20: byte");
	assert_non_null(strstr(f->reason, "checksum"));
	spoil(f, "log.20", 100, 1);
	spoil(f, "log.20", 0, 1);
	assert_refused(f, "it does not begin as a log");
	spoil(f, "log.20", 0, 1);
	import_good(f);
}

/* As after a crash: what is not whole was never acknowledged. */
static void test_a_log_cut_short(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	cut(f, "log.20", 100);
	import_good(f);
	assert_string_equal(f->s.cut_log, "log.20");
	assert_int_equal(f->s.counts.zxid, 0x20);
}

/* Where the n-th record of a log begins (0: the first), whose bytes those are. */
static size_t record_at(const char *bytes, int n)
{
	size_t at = 16;

	for (; n > 0; n--)
		at += 12 + (size_t)jute_get_int((const uint8_t *)bytes + at + 8) + 1;
	return at;
}

/* Zeros from one byte of a log up to another. */
static void wipe(const struct fixture *f, const char *name, size_t from, size_t to)
{
	static char bytes[TEXT_MOST];
	char *path = in_version(f, name);
	size_t len = read_file(path, bytes, sizeof(bytes));

	memset(bytes + from, 0, to - from);
	write_file(path, bytes, len);
	mem_free(path);
}

/* A block of zeros within the last log is no end of it, nor is what the crash of nobody left. */
static void test_a_log_that_goes_on_behind_damage(void **state)
{
	static char bytes[TEXT_MOST];
	struct fixture *f = *state;
	size_t second, third, last, end;
	char *path, expected[128];

	take(f, "plain");
	path = in_version(f, "log.20");
	(void)read_file(path, bytes, sizeof(bytes));
	mem_free(path);
	second = record_at(bytes, 1);
	third = record_at(bytes, 2);
	last = record_at(bytes, 12);
	end = record_at(bytes, 13);

	wipe(f, "log.20", second, third);
	(void)snprintf(expected, sizeof(expected),
		       "log.20: byte %zu, behind 0x20: there is no whole transaction, but more "
		       "follows at byte ",
		       second);
	assert_refused(f, expected);
	tmpdir_remove_tree(f->from);

	/* All but the last byte of the last record. */
	take(f, "plain");
	wipe(f, "log.20", second, end - 1);
	(void)snprintf(expected, sizeof(expected), "follows at byte %zu", end - 1);
	assert_refused(f, expected);
	tmpdir_remove_tree(f->from);

	/* The byte that ends a record. */
	take(f, "plain");
	spoil(f, "log.20", (long)third - 1, 1);
	assert_refused(f, "there is no whole transaction, but more follows");
	tmpdir_remove_tree(f->from);

	/* A length below 0. */
	take(f, "plain");
	for (long i = 8; i < 12; i++)
		spoil(f, "log.20", (long)last + i, ~bytes[last + (size_t)i]);
	assert_refused(f, "a transaction that is null");
}

/* What stands before the zeros may be part of a record, wherever it breaks off. */
static void test_a_torn_record_before_the_padding(void **state)
{
	static char bytes[TEXT_MOST];
	struct fixture *f = *state;
	size_t last, end, from;
	char *path;

	take(f, "plain");
	path = in_version(f, "log.20");
	(void)read_file(path, bytes, sizeof(bytes));
	mem_free(path);
	last = record_at(bytes, 12);
	end = record_at(bytes, 13);
	for (from = end - 1; from >= last; from -= 5) {
		wipe(f, "log.20", from, end);
		import_good(f);
		assert_int_equal(f->s.counts.zxid, 0x2b);
		assert_int_equal(f->s.digest, IMPORT_DIGEST_SAME);
		/* The sum begins with zeros: those before are as if nothing had been written. */
		assert_string_equal(f->s.cut_log, from > last + 4 ? "log.20" : "");
		tmpdir_remove_tree(f->to);
	}
}

static void test_an_empty_log(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	cut(f, "log.20", 0);
	import_good(f);
	assert_int_equal(f->s.counts.zxid, 0x1f);
	assert_string_equal(f->s.cut_log, "");
}

static void test_a_gap(void **state)
{
	struct fixture *f = *state;
	char *from, *to;

	take(f, "plain");
	drop(f, "snapshot.1f");
	drop(f, "log.1");
	assert_refused(f, "there is a gap: 0x20 follows 0x0");
	/* In the middle of a log that does not end there. */
	tmpdir_remove_tree(f->from);
	take(f, "plain");
	drop(f, "snapshot.1f");
	cut(f, "log.1", 1000);
	assert_refused(f, "there is a gap: 0x20 follows");
	tmpdir_remove_tree(f->from);
	take(f, "plain");
	from = in_version(f, "snapshot.0");
	to = in_version(f, "snapshot.100000000");
	drop(f, "snapshot.1f");
	assert_int_equal(rename(from, to), 0);
	import_good(f);
	assert_int_equal(f->s.txns, 0);
	mem_free(from);
	mem_free(to);
}

static void test_nothing_to_import(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "cannot read the directory");
	take(f, "plain");
	drop(f, "snapshot.0");
	drop(f, "snapshot.1f");
	assert_refused(f, "there is no snapshot of a ZooKeeper, only logs");
}

static void test_a_directory_in_use(void **state)
{
	struct fixture *f = *state;
	char *path, text[64];
	int held[2], done[2];
	pid_t child;

	take(f, "plain");
	path = in_version(f, "log.20");
	assert_int_equal(pipe(held), 0);
	assert_int_equal(pipe(done), 0);
	child = fork();
	if (child == 0) {
		int fd = open(path, O_WRONLY | O_APPEND);
		char c = 1;

		if (fd < 0 || write(held[1], &c, 1) != 1 || read(done[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(held[0], text, 1), 1);
	(void)snprintf(text, sizeof(text), "process %d has it open", (int)child);
	assert_refused(f, text);
	assert_int_equal(write(done[1], "", 1), 1);
	for (int i = 0; i < 2; i++) {
		close(held[i]);
		close(done[i]);
	}
	mem_free(path);
}

static void test_a_target_in_use(void **state)
{
	struct fixture *f = *state;

	take(f, "plain");
	import_good(f);
	assert_int_equal(import_run(&f->o, &f->s, f->reason), -1);
	assert_non_null(strstr(f->reason, "there is a registry already"));
}

/* Where ZooKeeper's own directory becomes ours, its files stay. */
static void test_in_place(void **state)
{
	struct fixture *f = *state;
	char *path;

	take(f, "plain");
	f->o.to_dir = f->from;
	import_good(f);
	path = in_version(f, "log.20");
	assert_int_equal(access(path, F_OK), 0);
	mem_free(path);
}

static void test_version_2_itself_and_logs_elsewhere(void **state)
{
	struct fixture *f = *state;
	char *version = NULL, *elsewhere = files_join(f->top, "logs"), *names[2];

	take(f, "plain");
	version = files_join(f->from, "version-2");
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	names[0] = files_join(elsewhere, "log.20");
	names[1] = in_version(f, "log.20");
	assert_int_equal(rename(names[1], names[0]), 0);
	f->o.dir = version;
	f->o.log_dir = elsewhere;
	f->o.with_sessions = true;
	import_good(f);
	assert_as_expected(f);
	mem_free(names[0]);
	mem_free(names[1]);
	mem_free(version);
	mem_free(elsewhere);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_gzip),
		TEST(test_snappy),
		TEST(test_what_is_told),
		TEST(test_without_sessions),
		TEST(test_the_session),
		TEST(test_statistics_of_quotas),
		TEST(test_only_the_older_snapshot),
		TEST(test_a_snapshot_ahead_of_its_name),
		TEST(test_a_snapshot_without_its_log),
		TEST(test_a_damaged_snapshot_is_passed_over),
		TEST(test_damage_in_many_places),
		TEST(test_digest_before_what_changes_nothing),
		TEST(test_no_digest_for_the_last_transaction),
		TEST(test_another_digest),
		TEST(test_a_damaged_log),
		TEST(test_a_log_cut_short),
		TEST(test_a_log_that_goes_on_behind_damage),
		TEST(test_a_torn_record_before_the_padding),
		TEST(test_an_empty_log),
		TEST(test_a_gap),
		TEST(test_nothing_to_import),
		TEST(test_a_directory_in_use),
		TEST(test_a_target_in_use),
		TEST(test_in_place),
		TEST(test_version_2_itself_and_logs_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
