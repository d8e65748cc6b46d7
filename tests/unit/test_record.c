#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/random.h"

static const struct record_znode whole = {
	.path = { "/a/b", 4 },
	.columns = RECORD_ALL,
	.czxid = INT64_C(0x100000002),
	.ctime = INT64_C(1700000000123),
	.owner = INT64_MIN,
	.data = { "x\0y", 3 },
	.mzxid = INT64_MAX,
	.mtime = -1,
	.version = INT32_MIN,
	.acl = { "\0\0\0\0", 4 },
	.aversion = INT32_MAX,
	.pzxid = 0,
	.creates = 64,
	.num_children = -64,
};

static void assert_slices(struct slice a, struct slice b)
{
	assert_int_equal(a.data == NULL, b.data == NULL);
	assert_true(slice_equal(a, b));
}

/* Columns that were not put read as zero. */
static void assert_znodes(const struct record_znode *got, const struct record_znode *want)
{
	struct record_znode w = { .path = want->path, .columns = want->columns };

	if (want->columns & RECORD_BIRTH) {
		w.czxid = want->czxid;
		w.ctime = want->ctime;
		w.owner = want->owner;
	}
	if (want->columns & RECORD_DATA) {
		w.data = want->data;
		w.mzxid = want->mzxid;
		w.mtime = want->mtime;
		w.version = want->version;
	}
	if (want->columns & RECORD_ACL) {
		w.acl = want->acl;
		w.aversion = want->aversion;
	}
	if (want->columns & RECORD_CHILDREN) {
		w.pzxid = want->pzxid;
		w.creates = want->creates;
		w.num_children = want->num_children;
	}
	assert_slices(got->path, w.path);
	assert_int_equal(got->columns, w.columns);
	assert_true(got->czxid == w.czxid && got->ctime == w.ctime && got->owner == w.owner);
	assert_slices(got->data, w.data);
	assert_true(got->mzxid == w.mzxid && got->mtime == w.mtime);
	assert_int_equal(got->version, w.version);
	assert_slices(got->acl, w.acl);
	assert_int_equal(got->aversion, w.aversion);
	assert_true(got->pzxid == w.pzxid);
	assert_int_equal(got->creates, w.creates);
	assert_int_equal(got->num_children, w.num_children);
}

static void test_znode_round_trip(void **state)
{
	static const unsigned columns[] = {
		RECORD_ALL,
		0,
		RECORD_DATA,
		RECORD_ACL,
		RECORD_CHILDREN,
		RECORD_DATA | RECORD_ACL,
		RECORD_DATA | RECORD_CHILDREN,
		RECORD_ACL | RECORD_CHILDREN,
		RECORD_DATA | RECORD_ACL | RECORD_CHILDREN,
	};
	struct record_reader r;
	struct record_item item;
	struct buf body;

	(void)state;
	buf_init(&body, 4096);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct record_znode z = whole;

		z.columns = columns[i];
		assert_int_equal(record_put_znode(&body, &z), 0);
	}
	record_reader_init(&r, buf_slice(&body));
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct record_znode z = whole;

		z.columns = columns[i];
		assert_int_equal(record_read(&r, &item), RECORD_ITEM_ZNODE);
		assert_znodes(&item.znode, &z);
	}
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_END);
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_END);
	buf_fini(&body);
}

static void test_null_is_not_empty(void **state)
{
	struct record_reader r;
	struct record_item item;
	struct record_znode z = whole;
	struct buf body;

	(void)state;
	buf_init(&body, 4096);
	z.data = (struct slice){ 0 };
	assert_int_equal(record_put_znode(&body, &z), 0);
	z.data = slice_of("");
	assert_int_equal(record_put_znode(&body, &z), 0);
	record_reader_init(&r, buf_slice(&body));
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_ZNODE);
	assert_null(item.znode.data.data);
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_ZNODE);
	assert_non_null(item.znode.data.data);
	assert_int_equal(item.znode.data.len, 0);
	buf_fini(&body);
}

static void test_session_round_trip(void **state)
{
	struct record_session s = { .id = INT64_C(0x12345600000001),
				    .open = true,
				    .timeout_ms = 30000 };
	struct record_reader r;
	struct record_item item;
	struct buf body;

	(void)state;
	for (int i = 0; i < RECORD_PASSWORD_HASH_LEN; i++)
		s.password_hash[i] = (uint8_t)(i * 7);
	buf_init(&body, 4096);
	assert_int_equal(record_put_session(&body, &s), 0);
	s.identity = slice_of("CN=provider");
	assert_int_equal(record_put_session(&body, &s), 0);
	s.open = false;
	assert_int_equal(record_put_session(&body, &s), 0);
	record_reader_init(&r, buf_slice(&body));
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_SESSION);
	assert_true(item.session.open);
	assert_true(item.session.id == s.id);
	assert_int_equal(item.session.timeout_ms, 30000);
	assert_memory_equal(item.session.password_hash, s.password_hash, RECORD_PASSWORD_HASH_LEN);
	assert_null(item.session.identity.data);
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_SESSION);
	assert_true(slice_is(item.session.identity, "CN=provider"));
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_SESSION);
	assert_false(item.session.open);
	assert_true(item.session.id == s.id);
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_END);
	buf_fini(&body);
}

/* Files outlive programs: these bytes must be read for ever. */
static void test_bytes_of_version_1(void **state)
{
	static const char bytes[] =
		"\x01"                             /* version */
		"\x01\x02\x05/a/b"                 /* znode, data of /a/b */
		"\x04\x00\xff\x01\x80\x02\x06\x03" /* "\0\xff\x01", mzxid 128 … */
		"\x03\x0a" /* session 5 is gone */;
	struct record_znode z = { .path = { "/a/b", 4 },
				  .columns = RECORD_DATA,
				  .data = { "\x00\xff\x01", 3 },
				  .mzxid = 128,
				  .mtime = 3,
				  .version = -2 };
	struct record_session s = { .id = 5 };
	struct buf body;

	(void)state;
	buf_init(&body, 4096);
	assert_int_equal(record_put_znode(&body, &z), 0);
	assert_int_equal(record_put_session(&body, &s), 0);
	assert_int_equal(buf_len(&body), sizeof(bytes) - 1);
	assert_memory_equal(buf_head(&body), bytes, sizeof(bytes) - 1);
	buf_fini(&body);
}

static void test_full_body_stays_as_it_is(void **state)
{
	struct record_reader r;
	struct record_item item;
	struct buf body;
	size_t len;

	(void)state;
	buf_init(&body, 4096);
	assert_int_equal(record_put_znode(&body, &whole), 0);
	len = buf_len(&body);
	buf_fini(&body);
	for (size_t limit = 0; limit < len; limit++) {
		buf_init(&body, limit);
		assert_int_equal(record_put_znode(&body, &whole), -1);
		assert_int_equal(buf_len(&body), 0);
		buf_fini(&body);
	}
	/* Room for exactly one, and no half of a second. */
	buf_init(&body, 2 * len - 2);
	assert_int_equal(record_put_znode(&body, &whole), 0);
	assert_int_equal(record_put_znode(&body, &whole), -1);
	record_reader_init(&r, buf_slice(&body));
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_ZNODE);
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_END);
	buf_fini(&body);
}

static void test_empty_body_has_no_items(void **state)
{
	struct record_reader r;
	struct record_item item;

	(void)state;
	record_reader_init(&r, (struct slice){ 0 });
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_END);
	record_reader_init(&r, (struct slice){ "\x01", 1 });
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_END);
}

static void assert_bad(const char *bytes, size_t len)
{
	struct record_reader r;
	struct record_item item;
	/* A copy without a byte behind it, so that reading on is seen. */
	char *copy = malloc(len);

	memcpy(copy, bytes, len);
	record_reader_init(&r, (struct slice){ copy, len });
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_BAD);
	assert_int_equal(record_read(&r, &item), RECORD_ITEM_BAD);
	free(copy);
}

#define BAD(bytes) assert_bad(bytes, sizeof(bytes) - 1)

static void test_damaged_bodies(void **state)
{
	(void)state;
	BAD("\x00\x03\x0a");                   /* version 0 */
	BAD("\x02\x03\x0a");                   /* a version of the future */
	BAD("\x01\x04\x0a");                   /* no such kind */
	BAD("\x01\x01");                       /* no columns */
	BAD("\x01\x01\x10\x03/a");             /* no such columns */
	BAD("\x01\x01\x01\x03/a\x02\x02\x02"); /* born, but not whole */
	BAD("\x01\x01\x00");                   /* no path */
	BAD("\x01\x01\x00\x00");               /* path null */
	BAD("\x01\x01\x00\x01");               /* path empty */
	BAD("\x01\x01\x00\x02"
	    "a");                   /* path without / */
	BAD("\x01\x01\x00\x05/ab"); /* path longer than the body */
	BAD("\x01\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01/");
	BAD("\x01\x01\x04\x03/a\x00\x02");                           /* ACL null */
	BAD("\x01\x01\x02\x03/a\x00\x02\x02\x80\x80\x80\x80\x10");   /* version 2^31 */
	BAD("\x01\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");     /* varint above 64 bits */
	BAD("\x01\x03\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"); /* … of eleven bytes */
	BAD("\x01\x02\x0a\x02"
	    "a hash that is too short");
}

/* Whatever stands in a body, reading it ends, stays inside, and gives items that can be written
 * again. */
static void test_random_damage(void **state)
{
	struct random random = { 20261123 };
	struct record_session s = { .id = 7, .open = true, .identity = { "CN=x", 4 } };
	struct buf body;

	(void)state;
	buf_init(&body, 4096);
	assert_int_equal(record_put_znode(&body, &whole), 0);
	assert_int_equal(record_put_session(&body, &s), 0);
	for (int round = 0; round < 20000; round++) {
		size_t len = random_below(&random, (uint32_t)buf_len(&body) + 1);
		char *copy = malloc(len + 1);
		struct record_reader r;
		struct record_item item;
		int items = 0;

		memcpy(copy, buf_head(&body), len);
		for (uint32_t i = random_below(&random, 4); i > 0 && len > 0; i--)
			copy[random_below(&random, (uint32_t)len)] = (char)random_next(&random);
		copy = realloc(copy, len > 0 ? len : 1);
		record_reader_init(&r, (struct slice){ copy, len });
		while (record_read(&r, &item) != RECORD_ITEM_END && item.kind != RECORD_ITEM_BAD) {
			struct buf again;

			buf_init(&again, 4096);
			if (item.kind == RECORD_ITEM_ZNODE)
				assert_int_equal(record_put_znode(&again, &item.znode), 0);
			else
				assert_int_equal(record_put_session(&again, &item.session), 0);
			buf_fini(&again);
			items++;
		}
		assert_true(items <= (int)len);
		free(copy);
	}
	buf_fini(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_znode_round_trip),
		cmocka_unit_test(test_null_is_not_empty),
		cmocka_unit_test(test_session_round_trip),
		cmocka_unit_test(test_bytes_of_version_1),
		cmocka_unit_test(test_full_body_stays_as_it_is),
		cmocka_unit_test(test_empty_body_has_no_items),
		cmocka_unit_test(test_damaged_bodies),
		cmocka_unit_test(test_random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
