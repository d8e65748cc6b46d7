/* Snapshots of ZooKeeper's, made here: each part that 3.8 and 3.9 write, and all damage. */
#include "store/zk_snapshot.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "tests/lib/memfile.h"
#include "wire/jute.h"

static const char world[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

static struct buf file;
static struct jute_writer w;

static struct {
	char text[1024];
	const char *refuse; /* the part that the sink says no to */
} sink;

static int setup(void **state)
{
	(void)state;
	buf_init(&file, 1 << 20);
	memset(&sink, 0, sizeof(sink));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&file);
	return 0;
}

/* ---- writing ---- */

static void write_seal(void)
{
	jute_write_long(
		&w, (int64_t)adler32(adler32(0, NULL, 0), buf_head(&file), (uInt)buf_len(&file)));
	jute_write_buffer(&w, slice_of("/"));
}

static void write_znode(const char *path, const char *data, int64_t acl, int64_t owner)
{
	jute_write_buffer(&w, slice_of(path));
	jute_write_buffer(&w, data != NULL ? slice_of(data) : (struct slice){ NULL, 0 });
	jute_write_long(&w, acl);
	for (int64_t v = 1; v <= 4; v++)
		jute_write_long(&w, v);
	for (int32_t v = 5; v <= 7; v++)
		jute_write_int(&w, v);
	jute_write_long(&w, owner);
	jute_write_long(&w, 8);
}

/* Up to the end of the tree. */
static void write_tree(void)
{
	buf_clear(&file);
	jute_writer_init(&w, &file);
	jute_write_raw(&w, "ZKSN", 4);
	jute_write_int(&w, 2);
	jute_write_long(&w, -1);
	jute_write_int(&w, 1);
	jute_write_long(&w, 77);
	jute_write_int(&w, 9000);
	jute_write_int(&w, 1);
	jute_write_long(&w, 1);
	jute_write_raw(&w, world, sizeof(world) - 1);
	write_znode("", "", 1, 0);
	write_znode("/a", NULL, -1, 77);
	jute_write_buffer(&w, slice_of("/"));
	write_seal();
}

static void write_digest(int64_t zxid, int32_t version)
{
	jute_write_long(&w, zxid);
	jute_write_int(&w, version);
	if (version >= 2)
		jute_write_long(&w, 0x1234);
	else
		jute_write_buffer(&w, slice_of("abcd"));
	write_seal();
}

static void write_last_zxid(void)
{
	jute_write_long(&w, 99);
	write_seal();
}

/* ---- reading ---- */

printf_like(1, 2) static int tell(const char *format, ...)
{
	size_t len = strlen(sink.text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sink.text + len, sizeof(sink.text) - len, format, args);
	va_end(args);
	return sink.refuse != NULL && strstr(sink.text + len, sink.refuse) != NULL ? -1 : 0;
}

static int say_no(int rc, char reason[STORE_REASON_LEN])
{
	if (rc != 0)
		(void)snprintf(reason, STORE_REASON_LEN, "said no");
	return rc;
}

static int take_session(void *ctx, int64_t id, int32_t timeout_ms, char reason[STORE_REASON_LEN])
{
	(void)ctx;
	return say_no(tell("session %" PRId64 " %" PRId32 "\n", id, timeout_ms), reason);
}

static int take_acl(void *ctx, int64_t number, struct slice encoded, char reason[STORE_REASON_LEN])
{
	const char *what = slice_equal(encoded, (struct slice){ world, sizeof(world) - 1 })
				   ? "world"
				   : "other";

	(void)ctx;
	return say_no(tell("acl %" PRId64 " %s\n", number, what), reason);
}

static int take_znode(void *ctx, const struct zk_znode *z, char reason[STORE_REASON_LEN])
{
	(void)ctx;
	return say_no(tell("%.*s %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
			   " %" PRId32 " %" PRId32 " %" PRId32 " %" PRId64 " %" PRId64 "\n",
			   (int)z->path.len, z->path.data, z->data.data != NULL ? "data" : "null",
			   z->acl, z->czxid, z->mzxid, z->ctime, z->mtime, z->version, z->creates,
			   z->aversion, z->owner, z->pzxid),
		      reason);
}

struct outcome {
	int rc;
	bool is_damaged;
	struct zk_digest digest;
	char reason[STORE_REASON_LEN];
};

static struct outcome read_bytes(const void *bytes, size_t len)
{
	const struct zk_snapshot_sink to = { NULL, take_session, take_acl, take_znode };
	struct zk_stream *in = zk_stream_new(memfile_make(bytes, len), ZK_PLAIN);
	struct outcome o = { 0 };

	sink.text[0] = '\0';
	o.rc = zk_snapshot_read(in, &to, &o.digest, &o.is_damaged, o.reason);
	zk_stream_free(in);
	return o;
}

static struct outcome read_good(void)
{
	struct outcome o = read_bytes(buf_head(&file), buf_len(&file));

	if (o.rc != 0)
		fail_msg("%s", o.reason);
	assert_false(o.is_damaged);
	return o;
}

static void assert_damaged(const char *part)
{
	struct outcome o = read_bytes(buf_head(&file), buf_len(&file));

	assert_int_equal(o.rc, -1);
	assert_true(o.is_damaged);
	if (strstr(o.reason, part) == NULL)
		fail_msg("%s", o.reason);
}

/* ---- tests ---- */

static void test_the_tree(void **state)
{
	(void)state;
	write_tree();
	assert_int_equal(read_good().digest.version, 0);
	assert_string_equal(sink.text, "session 77 9000\nacl 1 world\n"
				       "/ data 1 1 2 3 4 5 6 7 0 8\n"
				       "/a null -1 1 2 3 4 5 6 7 77 8\n");
}

static void test_what_follows_it(void **state)
{
	struct zk_digest d;

	(void)state;
	write_tree();
	write_digest(42, 2);
	d = read_good().digest;
	assert_int_equal(d.version, 2);
	assert_int_equal(d.zxid, 42);
	assert_int_equal(d.value, 0x1234);
	/* 3.9 */
	write_last_zxid();
	assert_int_equal(read_good().digest.zxid, 42);
	write_tree();
	write_last_zxid();
	assert_int_equal(read_good().digest.version, 0);
	/* 3.6 as it began */
	write_tree();
	write_digest(42, 1);
	assert_int_equal(read_good().digest.version, 0);
	/* A digest that is not known yet. */
	write_tree();
	write_digest(0, 2);
	assert_int_equal(read_good().digest.version, 0);
	/* Whatever comes later. */
	write_tree();
	write_digest(42, 2);
	write_last_zxid();
	write_last_zxid();
	assert_damaged("cut short, or unknown");
}

/* A digest and a zxid behind the tree: every cut but those behind seals, every bit of all. */
static void test_all_damage(void **state)
{
	size_t whole, seals[2];
	struct outcome o;
	uint8_t *bytes;

	(void)state;
	write_tree();
	seals[0] = buf_len(&file);
	write_digest(42, 2);
	seals[1] = buf_len(&file);
	write_last_zxid();
	whole = buf_len(&file);
	bytes = (uint8_t *)(uintptr_t)buf_head(&file);
	for (size_t len = 0; len < whole; len++) {
		o = read_bytes(bytes, len);
		assert_int_equal(o.rc, len == seals[0] || len == seals[1] ? 0 : -1);
		assert_int_equal(o.is_damaged, o.rc != 0);
	}
	for (size_t at = 0; at < whole; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1U << bit);
			o = read_bytes(bytes, whole);
			assert_int_equal(o.rc, -1);
			assert_true(o.is_damaged);
			bytes[at] ^= (uint8_t)(1U << bit);
		}
	}
	(void)read_good();
}

/* Only of a snapshot that is whole: else that may be the damage. */
static void test_what_the_sink_refuses(void **state)
{
	static const char *const parts[] = { "session 77", "acl 1", "/a null" };
	struct outcome o;

	(void)state;
	write_tree();
	for (size_t i = 0; i < 3; i++) {
		sink.refuse = parts[i];
		o = read_bytes(buf_head(&file), buf_len(&file));
		assert_int_equal(o.rc, -1);
		assert_false(o.is_damaged);
		assert_string_equal(o.reason, "said no");
		/* It is asked for nothing more. */
		assert_null(strstr(strstr(sink.text, parts[i]), "\n/"));
		o = read_bytes(buf_head(&file), buf_len(&file) - 1);
		assert_true(o.is_damaged);
	}
}

static void test_counts_and_nulls(void **state)
{
	(void)state;
	buf_clear(&file);
	jute_writer_init(&w, &file);
	jute_write_raw(&w, "ZKSN\0\0\0\2\377\377\377\377\377\377\377\377", 16);
	jute_write_int(&w, -1);
	assert_damaged("a count below 0");
	write_tree();
	/* An ACL that is null. */
	jute_put_int((uint8_t *)(uintptr_t)buf_head(&file) + 16 + 16 + 4 + 8, -1);
	assert_damaged("an ACL that is null");
	buf_clear(&file);
	jute_write_raw(&w, "ZKLG", 4);
	assert_damaged("does not begin as a snapshot");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_tree),         TEST(test_what_follows_it),
		TEST(test_all_damage),       TEST(test_what_the_sink_refuses),
		TEST(test_counts_and_nulls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
