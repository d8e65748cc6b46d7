/* The bytes of ZooKeeper's files: plain, gzip, Snappy. */
#include "store/zk_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "tests/lib/memfile.h"
#include "wire/jute.h"

enum { LONG_LEN = 200 * 1000 };

static uint8_t packed[2 * LONG_LEN];
static uint8_t plain[LONG_LEN];

static struct zk_stream *open_bytes(const void *bytes, size_t len, enum zk_coding coding)
{
	return zk_stream_new(memfile_make(bytes, len), coding);
}

static void make_plain(void)
{
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 7 + i / 251);
}

static size_t gzip(uint8_t *to, size_t size, const void *from, size_t len)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)from;
	z.avail_in = (uInt)len;
	z.next_out = to;
	z.avail_out = (uInt)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return size - z.avail_out;
}

/* Literals alone, in blocks of 1,000 bytes: a header again in front of the third. */
static size_t snappy(uint8_t *to, const uint8_t *from, size_t len)
{
	static const char header[] = "\x82SNAPPY\0\0\0\0\1\0\0\0\1";
	size_t at = 0;

	for (size_t block = 0; block * 1000 < len; block++) {
		size_t n = len - block * 1000 < 1000 ? len - block * 1000 : 1000;

		if (block == 0 || block == 3) {
			memcpy(to + at, header, 16);
			at += 16;
		}
		jute_put_int(to + at, (int32_t)(n + 5));
		to[at + 4] = (uint8_t)(n | 0x80);
		to[at + 5] = (uint8_t)(n >> 7);
		to[at + 6] = 61 << 2;
		to[at + 7] = (uint8_t)(n - 1);
		to[at + 8] = (uint8_t)((n - 1) >> 8);
		memcpy(to + at + 9, from + block * 1000, n);
		at += 9 + n;
	}
	return at;
}

/* All of it, and just that. */
static void assert_gives_plain(struct zk_stream *s)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	assert_false(zk_stream_is_at_end(s));
	assert_int_equal(zk_stream_read(s, &out, LONG_LEN), 0);
	assert_memory_equal(buf_head(&out), plain, LONG_LEN);
	assert_true(zk_stream_is_at_end(s));
	assert_false(zk_stream_is_bad(s));
	assert_int_equal(zk_stream_position(s), LONG_LEN);
	assert_int_equal(zk_stream_sum(s), adler32(adler32(0, NULL, 0), plain, LONG_LEN));
	buf_fini(&out);
	zk_stream_free(s);
}

static void assert_bad(struct zk_stream *s, const char *reason)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	while (!zk_stream_is_at_end(s))
		if (zk_stream_read(s, &out, 1) != 0)
			break;
	assert_true(zk_stream_is_bad(s));
	if (strstr(zk_stream_reason(s), reason) == NULL)
		fail_msg("%s", zk_stream_reason(s));
	assert_int_equal(zk_stream_read_int(s), 0);
	assert_null(zk_stream_read_buffer(s).data);
	buf_fini(&out);
	zk_stream_free(s);
}

static void test_codings(void **state)
{
	(void)state;
	assert_int_equal(zk_coding_of("snapshot.1f"), ZK_PLAIN);
	assert_int_equal(zk_coding_of("snapshot.1f.gz"), ZK_GZIP);
	assert_int_equal(zk_coding_of("snapshot.1f.snappy"), ZK_SNAPPY);
	assert_int_equal(zk_coding_of("log.1"), ZK_PLAIN);
	assert_int_equal(zk_coding_of("gz"), ZK_PLAIN);
}

static void test_whole_files(void **state)
{
	size_t len;

	(void)state;
	make_plain();
	assert_gives_plain(open_bytes(plain, sizeof(plain), ZK_PLAIN));
	len = gzip(packed, sizeof(packed), plain, sizeof(plain));
	assert_gives_plain(open_bytes(packed, len, ZK_GZIP));
	/* Two members, and what is none. */
	len = gzip(packed, sizeof(packed), plain, 5000);
	len += gzip(packed + len, sizeof(packed) - len, plain + 5000, sizeof(plain) - 5000);
	assert_gives_plain(open_bytes(packed, len, ZK_GZIP));
	memset(packed + len, 0, 16);
	assert_gives_plain(open_bytes(packed, len + 16, ZK_GZIP));
	len = snappy(packed, plain, sizeof(plain));
	assert_gives_plain(open_bytes(packed, len, ZK_SNAPPY));
}

static void test_jute(void **state)
{
	static const char bytes[] =
		"\0\0\0\7\0\0\0\1\0\0\0\2\0\0\0\3abc\377\377\377\377\0\0\0\0\0\0\0\1x"
		"12";
	struct zk_stream *s = open_bytes(bytes, sizeof(bytes) - 1, ZK_PLAIN);
	struct slice part;
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(zk_stream_read_int(s), 7);
	assert_int_equal(zk_stream_read_long(s), 0x100000002);
	assert_true(slice_is(zk_stream_read_buffer(s), "abc"));
	assert_null(zk_stream_read_buffer(s).data);
	assert_false(zk_stream_is_bad(s));
	part = zk_stream_read_buffer(s);
	assert_non_null(part.data);
	assert_int_equal(part.len, 0);
	assert_int_equal(zk_stream_copy_buffer(s, &out), 0);
	assert_memory_equal(buf_head(&out), "\0\0\0\1x", 5);
	assert_true(slice_is(zk_stream_read_block(s, 2), "12"));
	assert_false(zk_stream_is_bad(s));
	/* The end: later reads give nothing, and say why. */
	assert_int_equal(zk_stream_read_int(s), 0);
	assert_true(zk_stream_is_bad(s));
	assert_true(zk_stream_is_short(s));
	buf_fini(&out);
	zk_stream_free(s);
}

static void test_lengths(void **state)
{
	struct zk_stream *s;

	(void)state;
	s = open_bytes("\377\377\377\376", 4, ZK_PLAIN);
	assert_null(zk_stream_read_buffer(s).data);
	assert_non_null(strstr(zk_stream_reason(s), "a length that cannot be"));
	assert_false(zk_stream_is_short(s));
	zk_stream_free(s);
	s = open_bytes("\20\0\0\1", 4, ZK_PLAIN);
	assert_null(zk_stream_read_buffer(s).data);
	assert_non_null(strstr(zk_stream_reason(s), "a length that cannot be"));
	zk_stream_free(s);
	/* A length is no reason to take memory before the bytes are there. */
	s = open_bytes("\17\377\377\377abc", 7, ZK_PLAIN);
	assert_null(zk_stream_read_buffer(s).data);
	assert_true(zk_stream_is_short(s));
	zk_stream_free(s);
}

static void test_damage(void **state)
{
	size_t len;

	(void)state;
	make_plain();
	len = gzip(packed, sizeof(packed), plain, 3000);
	assert_bad(open_bytes(packed, len - 1, ZK_GZIP), "ends too early");
	assert_bad(open_bytes(packed, 0, ZK_GZIP), "ends too early");
	assert_bad(open_bytes(plain, 3000, ZK_GZIP), "is damaged");
	packed[len / 2] ^= 1;
	assert_bad(open_bytes(packed, len, ZK_GZIP), "is damaged");

	assert_bad(open_bytes(plain, 3000, ZK_SNAPPY), "does not begin as a Snappy stream");
	assert_bad(open_bytes(plain, 0, ZK_SNAPPY), "does not begin as a Snappy stream");
	len = snappy(packed, plain, 3000);
	assert_bad(open_bytes(packed, len - 1, ZK_SNAPPY), "ends too early");
	assert_bad(open_bytes(packed, 18, ZK_SNAPPY), "ends too early");
	packed[16 + 5] ^= 1;
	assert_bad(open_bytes(packed, len, ZK_SNAPPY), "is damaged");
	jute_put_int(packed + 16, INT32_MAX);
	assert_bad(open_bytes(packed, len, ZK_SNAPPY), "ends too early");
}

static void test_a_file_that_cannot_be_read(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	/* The end that is for writing alone. */
	assert_bad(zk_stream_new(fds[1], ZK_PLAIN), "Bad file descriptor");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codings), cmocka_unit_test(test_whole_files),
		cmocka_unit_test(test_jute),    cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_damage),  cmocka_unit_test(test_a_file_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
