/* Logs of ZooKeeper's, made here: order, ends, gaps, damage. */
#include "store/zk_log.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "tests/lib/memfile.h"

enum { FILES_MOST = 4, PADDING = 200 };

static struct {
	struct buf bytes[FILES_MOST];
	struct zk_dir_file items[FILES_MOST];
	int fds[FILES_MOST];
	char paths[FILES_MOST][MEMFILE_PATH_LEN];
	char names[FILES_MOST][16];
	struct zk_files files;
	struct jute_writer w;
	char cut[16]; /* of the log that was read */
	char reason[STORE_REASON_LEN];
} logs;

static int setup(void **state)
{
	(void)state;
	memset(&logs, 0, sizeof(logs));
	for (size_t i = 0; i < FILES_MOST; i++)
		buf_init(&logs.bytes[i], 1 << 20);
	logs.files.items = logs.items;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES_MOST; i++)
		buf_fini(&logs.bytes[i]);
	return 0;
}

/* ---- writing ---- */

static struct buf *now(void)
{
	return &logs.bytes[logs.files.count - 1];
}

/* One more file, named by zxid. */
static void begin_file(int64_t zxid)
{
	size_t i = logs.files.count++;

	(void)snprintf(logs.names[i], sizeof(logs.names[i]), "log.%" PRIx64, (uint64_t)zxid);
	logs.items[i] = (struct zk_dir_file){ logs.names[i], logs.paths[i], zxid, 0, 0 };
	jute_writer_init(&logs.w, now());
	jute_write_raw(&logs.w, "ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 16);
}

static void write_record(const struct buf *record)
{
	jute_write_long(&logs.w, (int64_t)adler32(adler32(0, NULL, 0), buf_head(record),
						  (uInt)buf_len(record)));
	jute_write_buffer(&logs.w, buf_slice(record));
	jute_write_byte(&logs.w, 'B');
}

static void write_txn_of(int64_t zxid, int32_t type)
{
	struct jute_writer w;
	struct buf record;

	buf_init(&record, 1024);
	jute_writer_init(&w, &record);
	jute_write_long(&w, 7);
	jute_write_int(&w, 0);
	jute_write_long(&w, zxid);
	jute_write_long(&w, 1000);
	jute_write_int(&w, type);
	jute_write_buffer(&w, slice_of("/a"));
	write_record(&record);
	buf_fini(&record);
}

static void write_txns(int64_t from, int64_t to)
{
	for (int64_t zxid = from; zxid <= to; zxid++)
		write_txn_of(zxid, OP_DELETE);
}

static void pad(void)
{
	static const char zeros[PADDING];

	jute_write_raw(&logs.w, zeros, sizeof(zeros));
}

static void cut_by(size_t len)
{
	now()->tail -= len;
}

/* ---- reading ---- */

/* The last zxid, or -1 where it was refused. */
static int64_t read_all(int64_t after, unsigned *count)
{
	int64_t last = after;
	struct zk_txn txn;
	struct zk_log *l;
	int rc;

	for (size_t i = 0; i < logs.files.count; i++) {
		logs.fds[i] = memfile_make(buf_head(&logs.bytes[i]), buf_len(&logs.bytes[i]));
		memfile_path(logs.fds[i], logs.paths[i]);
	}
	*count = 0;
	l = zk_log_new(&logs.files, after);
	while ((rc = zk_log_next(l, &txn, logs.reason)) == 1) {
		last = txn.zxid;
		++*count;
	}
	(void)snprintf(logs.cut, sizeof(logs.cut), "%s",
		       zk_log_cut_file(l) != NULL ? zk_log_cut_file(l) : "");
	zk_log_free(l);
	for (size_t i = 0; i < logs.files.count; i++)
		close(logs.fds[i]);
	return rc == 0 ? last : -1;
}

static void assert_read(int64_t after, unsigned expected, int64_t last)
{
	unsigned count;

	assert_int_equal(read_all(after, &count), last);
	assert_int_equal(count, expected);
}

static void assert_refused(int64_t after, const char *part)
{
	unsigned count;

	assert_int_equal(read_all(after, &count), -1);
	if (strstr(logs.reason, part) == NULL)
		fail_msg("%s", logs.reason);
}

/* ---- tests ---- */

static void test_no_file(void **state)
{
	(void)state;
	assert_read(5, 0, 5);
}

static void test_what_follows(void **state)
{
	(void)state;
	begin_file(1);
	write_txns(1, 9);
	pad();
	begin_file(10);
	write_txns(10, 12);
	assert_read(0, 12, 12);
	assert_read(9, 3, 12);
	assert_read(10, 2, 12);
	assert_read(5, 7, 12);
	assert_read(12, 0, 12);
	/* A snapshot that came from elsewhere may be newer than all logs. */
	assert_read(100, 0, 100);
	assert_string_equal(logs.cut, "");
}

static void test_epochs(void **state)
{
	(void)state;
	begin_file(0x100000001);
	write_txns(0x100000001, 0x100000003);
	begin_file(0x200000001);
	write_txns(0x200000001, 0x200000002);
	assert_read(0, 5, 0x200000002);
	assert_read(0x100000002, 3, 0x200000002);
	begin_file(0x300000002);
	write_txns(0x300000002, 0x300000002);
	assert_refused(0, "there is a gap: 0x300000002 follows 0x200000002");
}

static void test_gaps(void **state)
{
	(void)state;
	begin_file(5);
	write_txns(5, 6);
	assert_refused(3, "there is a gap: 0x5 follows 0x3");
	assert_read(4, 2, 6);
	write_txns(8, 8);
	assert_refused(4, "there is a gap: 0x8 follows 0x6");
}

static void test_one_that_goes_back(void **state)
{
	(void)state;
	begin_file(1);
	write_txns(1, 3);
	write_txns(3, 3);
	assert_refused(0, "there is a gap: 0x3 follows 0x3");
}

/* As a killed server leaves it; the next one went on in another file. */
static void test_cut_short(void **state)
{
	(void)state;
	for (size_t len = 1; len < 8 + 4 + 38 + 1; len++) {
		setup(NULL);
		begin_file(1);
		write_txns(1, 3);
		cut_by(len);
		begin_file(3);
		write_txns(3, 4);
		assert_read(0, 4, 4);
		assert_string_equal(logs.cut, "log.1");
		teardown(NULL);
	}
	setup(NULL);
	begin_file(1);
	write_txns(1, 3);
	/* Room that was taken, and the end of a transaction that was not written. */
	cut_by(1);
	pad();
	assert_read(0, 2, 2);
	assert_string_equal(logs.cut, "log.1");
}

/* What it lost is missing then. */
static void test_cut_and_gap(void **state)
{
	(void)state;
	begin_file(1);
	write_txns(1, 3);
	cut_by(1);
	begin_file(4);
	write_txns(4, 4);
	assert_refused(0, "there is a gap: 0x4 follows 0x2");
}

static void test_files_that_were_only_begun(void **state)
{
	(void)state;
	begin_file(1);
	write_txns(1, 3);
	begin_file(4);
	cut_by(16);
	assert_read(0, 3, 3);
	/* Only the last one may be empty. */
	begin_file(4);
	write_txns(4, 4);
	assert_refused(0, "it does not begin as a log");
}

/* A cut may hide in a length; anything else is seen. */
static void test_every_flip(void **state)
{
	uint8_t *bytes;
	size_t whole;

	(void)state;
	begin_file(1);
	write_txns(1, 2);
	bytes = (uint8_t *)(uintptr_t)buf_head(now());
	whole = buf_len(now());
	for (size_t at = 0; at < whole; at++) {
		bool in_header = at >= 4 && at < 16; /* version and id, which nobody looks at */
		unsigned count;
		int64_t last;

		bytes[at] ^= 0x10;
		last = read_all(0, &count);
		if (in_header)
			assert_int_equal(last, 2);
		else
			assert_true(last == -1 || logs.cut[0] != '\0');
		bytes[at] ^= 0x10;
	}
	assert_read(0, 2, 2);
}

static void test_what_no_zookeeper_loads(void **state)
{
	(void)state;
	begin_file(1);
	write_txns(1, 1);
	write_txn_of(2, OP_CHECK);
	assert_refused(0, "0x2 is a transaction of type 13");
}

static void test_a_record_that_is_none(void **state)
{
	struct buf record;

	(void)state;
	buf_init(&record, 16);
	assert_int_equal(buf_append(&record, "abc", 3), 0);
	begin_file(1);
	write_record(&record);
	buf_fini(&record);
	assert_refused(0, "a transaction cannot be understood");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_file),
		TEST(test_what_follows),
		TEST(test_epochs),
		TEST(test_gaps),
		TEST(test_one_that_goes_back),
		TEST(test_cut_short),
		TEST(test_cut_and_gap),
		TEST(test_files_that_were_only_begun),
		TEST(test_every_flip),
		TEST(test_what_no_zookeeper_loads),
		TEST(test_a_record_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
