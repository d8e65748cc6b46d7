/* Raw blocks of Snappy: those that its library makes, every kind of element, and damage. */
#include "base/snappy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define BLOCK(bytes) ((struct slice){ (bytes), sizeof(bytes) - 1 })

/* Allocated at its very size, so that a sanitizer sees a write past it. */
static uint8_t *decode(struct slice block, size_t len)
{
	size_t claimed = 0;
	uint8_t *out = malloc(len > 0 ? len : 1);

	assert_int_equal(snappy_length(block, &claimed), 0);
	assert_int_equal(claimed, len);
	assert_int_equal(snappy_decode(block, out, len), 0);
	return out;
}

static void assert_decodes(struct slice block, const char *text)
{
	uint8_t *out = decode(block, strlen(text));

	assert_memory_equal(out, text, strlen(text));
	free(out);
}

static void assert_damaged(struct slice block)
{
	static uint8_t out[1 << 16];
	size_t len = 0;

	if (snappy_length(block, &len) == 0)
		assert_int_equal(snappy_decode(block, out, len), -1);
}

/* 20 lines, 200 zeros, the first line again; by libsnappy 1.1.9. */
static const char by_the_library[] =
	"\xa0\x05\x40\x2f\x73\x65\x72\x76\x69\x63\x65\x2d\x30\x2f\x69\x6e\x73\x74\x61\x6e\x01\x0b"
	"\x00\x0a\x4e\x16\x00\x00\x31\x52\x16\x00\x00\x32\x19\x16\x00\x31\x19\x42\x00\x33\x52\x16"
	"\x00\x00\x34\x52\x16\x00\x00\x35\x19\x16\x00\x32\x19\x42\x04\x36\x0a\x15\x84\x00\x32\x19"
	"\x16\x04\x37\x0a\x4e\x16\x00\x00\x38\x19\x16\x00\x33\x19\x2c\x00\x39\x52\x16\x00\x00\x31"
	"\x1d\xdd\x1d\x2d\x00\x31\x1d\xde\x00\x34\x19\x44\x00\x31\x1d\xdf\x2e\x17\x00\x1d\xe0\x2e"
	"\x17\x00\x1d\xe1\x00\x35\x1d\x45\x1d\xe2\x2e\x17\x00\x1d\xe3\x2e\x17\x00\x1d\xe4\x00\x36"
	"\x1d\x45\x1d\xe5\x2e\x17\x00\x08\x39\x0a\x00\xfe\x01\x00\xfe\x01\x00\xfe\x01\x00\x0d\x01"
	"\x35\xda\x30\x30\x2f\x69\x6e\x73\x74\x61\x6e\x63\x65\x2d\x30\x0a";

static void test_a_block_of_the_library(void **state)
{
	char text[1024];
	size_t len = 0;
	uint8_t *out;

	(void)state;
	for (int i = 0; i < 20; i++)
		len += (size_t)sprintf(text + len, "/service-%d/instance-%d\n", i / 3, i);
	memset(text + len, 0, 200);
	len += 200;
	len += (size_t)sprintf(text + len, "/service-0/instance-0\n");
	out = decode(BLOCK(by_the_library), len);
	assert_memory_equal(out, text, len);
	free(out);
}

static void test_every_element(void **state)
{
	(void)state;
	assert_decodes(BLOCK("\0"), "");
	assert_decodes(BLOCK("\3\10abc"), "abc");
	/* A copy of one byte more, of two, of four. */
	assert_decodes(BLOCK("\7\10abc\1\3"), "abcabca");
	assert_decodes(BLOCK("\6\10abc\12\3\0"), "abcabc");
	assert_decodes(BLOCK("\6\10abc\13\3\0\0\0"), "abcabc");
	/* One that reaches into itself. */
	assert_decodes(BLOCK("\5\0a\1\1"), "aaaaa");
	/* Lengths of literals in one to four bytes more. */
	assert_decodes(BLOCK("\3\xf0\2abc"), "abc");
	assert_decodes(BLOCK("\3\xf4\2\0abc"), "abc");
	assert_decodes(BLOCK("\3\xf8\2\0\0abc"), "abc");
	assert_decodes(BLOCK("\3\xfc\2\0\0\0abc"), "abc");
}

static void test_far_copies(void **state)
{
	static uint8_t out[70000 + 4];
	static char block[70000 + 16];
	size_t at = 0, len = 0;

	(void)state;
	memcpy(block, "\xf4\xa2\x04\xf8\x6f\x11\x01", 7); /* 70004, a literal of 70000 */
	for (at = 7; at < 7 + 70000; at++)
		block[at] = (char)(at - 7 < 4 ? "wxyz"[at - 7] : '.');
	memcpy(block + at, "\x0f\x70\x11\x01\x00", 5); /* four bytes from 70000 before */
	assert_int_equal(snappy_length((struct slice){ block, at + 5 }, &len), 0);
	assert_int_equal(len, sizeof(out));
	assert_int_equal(snappy_decode((struct slice){ block, at + 5 }, out, len), 0);
	assert_memory_equal(out + 70000, "wxyz", 4);
}

static void test_damage(void **state)
{
	(void)state;
	assert_damaged(BLOCK(""));
	assert_damaged(BLOCK("\x80\x80\x80\x80\x80\x01")); /* a length without an end */
	assert_damaged(BLOCK("\xff\xff\xff\xff\x7f"));     /* one above 2^32 */
	assert_damaged(BLOCK("\3"));                       /* too little */
	assert_damaged(BLOCK("\2\10abc"));                 /* too much */
	assert_damaged(BLOCK("\3\10ab"));                  /* a literal past the end */
	assert_damaged(BLOCK("\3\xf4\2"));                 /* half a length */
	assert_damaged(BLOCK("\7\10abc\1"));               /* half a copy */
	assert_damaged(BLOCK("\7\10abc\1\0"));             /* from nowhere */
	assert_damaged(BLOCK("\7\10abc\1\4"));             /* from before the beginning */
	assert_damaged(BLOCK("\6\10abc\1\3"));             /* longer than the rest */
	assert_damaged(BLOCK("\3\xfc\xff\xff\xff\xffxyz"));
}

/* No part of a good block is one. */
static void test_cut_blocks(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(by_the_library) - 1; len++)
		assert_damaged((struct slice){ by_the_library, len });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_of_the_library),
		cmocka_unit_test(test_every_element),
		cmocka_unit_test(test_far_copies),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_cut_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
