/* Lists of networks: what a line may say, and who is in. */
#include "net/networks.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/address_at.h"

static struct networks *parse(const char *text)
{
	char reason[NETWORKS_REASON_LEN];
	struct networks *n = networks_parse(slice_of(text), reason);

	if (!n)
		fail_msg("%s: %s", text, reason);
	return n;
}

static bool has(const struct networks *n, const char *address)
{
	struct sockaddr_storage a = at(address);

	return networks_has(n, &a);
}

static void assert_edges(const char *text, const char *before, const char *first, const char *last,
			 const char *behind)
{
	struct networks *n = parse(text);

	assert_false(has(n, before));
	assert_true(has(n, first));
	assert_true(has(n, last));
	assert_false(has(n, behind));
	networks_free(n);
}

static void test_edges(void **state)
{
	(void)state;
	assert_edges("10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0");
	assert_edges("10.128.0.0/9", "10.127.255.255", "10.128.0.0", "10.255.255.255", "11.0.0.0");
	assert_edges("192.0.2.64/27", "192.0.2.63", "192.0.2.64", "192.0.2.95", "192.0.2.96");
	assert_edges("192.0.2.7", "192.0.2.6", "192.0.2.7", "192.0.2.7", "192.0.2.8");
	assert_edges("192.0.2.7/32", "192.0.2.6", "192.0.2.7", "192.0.2.7", "192.0.2.8");
	assert_edges("2001:db8::/33",
		     "2001:db7:ffff::", "2001:db8::", "2001:db8:7fff:ffff::", "2001:db8:8000::");
	assert_edges("2001:db8::1", "2001:db8::", "2001:db8::1", "2001:db8::1", "2001:db8::2");
	assert_edges("fe80::/10", "fe7f::", "fe80::1", "febf:ffff::1", "fec0::");
}

/* An IPv4 address is one, however it is written or comes. */
static void test_mapped(void **state)
{
	struct networks *n;

	(void)state;
	assert_edges("::ffff:10.0.0.0/104", "9.255.255.255", "10.0.0.0", "::ffff:10.255.255.255",
		     "::ffff:11.0.0.0");
	assert_edges("10.0.0.0/8", "::ffff:9.0.0.1", "::ffff:10.0.0.1", "10.255.255.255",
		     "a00:1::");
	n = parse("::/0");
	assert_true(has(n, "::1"));
	assert_true(has(n, "ffff::"));
	assert_false(has(n, "127.0.0.1"));
	assert_false(has(n, "::ffff:127.0.0.1"));
	networks_free(n);
	n = parse("0.0.0.0/0");
	assert_true(has(n, "0.0.0.0"));
	assert_true(has(n, "::ffff:255.255.255.255"));
	assert_false(has(n, "::"));
	networks_free(n);
	n = parse("::ffff:0:0/96");
	assert_true(has(n, "255.255.255.255"));
	assert_false(has(n, "::"));
	networks_free(n);
}

static void test_text(void **state)
{
	struct networks *n = parse("# who must not come\n\n \t10.0.0.0/8\t# a room\r\n"
				   "  2001:db8::/32\r\n#192.0.2.1\n192.0.2.2#no blank\n172.16.0.1");

	(void)state;
	assert_int_equal(networks_count(n), 4);
	assert_true(has(n, "10.1.2.3"));
	assert_true(has(n, "2001:db8:1::"));
	assert_true(has(n, "192.0.2.2"));
	assert_true(has(n, "172.16.0.1"));
	assert_false(has(n, "192.0.2.1"));
	assert_false(has(n, "neither"));
	networks_free(n);
	n = parse("");
	assert_int_equal(networks_count(n), 0);
	assert_false(has(n, "10.0.0.0"));
	assert_false(has(n, "::1"));
	networks_free(n);
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{ "10.0.0.0/33", "\"10.0.0.0/33\" is no address or network" },
		{ "10.0.0.0/", "\"10.0.0.0/\" is no address or network" },
		{ "10.0.0.0/08", "\"10.0.0.0/08\" is no address or network" },
		{ "10.0.0.0/8x", "\"10.0.0.0/8x\" is no address or network" },
		{ "10.0.0.0/-1", "\"10.0.0.0/-1\" is no address or network" },
		{ "10.0.0.0/4294967304", "\"10.0.0.0/4294967304\" is no address or network" },
		{ "10.0.0.0/8/8", "\"10.0.0.0/8/8\" is no address or network" },
		{ "10.0.0.0/255.0.0.0", "\"10.0.0.0/255.0.0.0\" is no address or network" },
		{ "10.0.0", "\"10.0.0\" is no address or network" },
		{ "010.0.0.1", "\"010.0.0.1\" is no address or network" },
		{ "/8", "\"/8\" is no address or network" },
		{ "localhost", "\"localhost\" is no address or network" },
		{ "10.0.0.1 10.0.0.2", "\"10.0.0.1 10.0.0.2\" is no address or network" },
		{ "2001:db8::/129", "\"2001:db8::/129\" is no address or network" },
		{ "fe80::1%eth0", "\"fe80::1%eth0\" is no address or network" },
		{ "10.0.0.7/8", "\"10.0.0.7/8\" has bits behind its prefix" },
		{ "10.0.0.1/31", "\"10.0.0.1/31\" has bits behind its prefix" },
		{ "2001:db8::1/64", "\"2001:db8::1/64\" has bits behind its prefix" },
		{ "::ffff:10.0.0.1/104", "\"::ffff:10.0.0.1/104\" has bits behind its prefix" },
		{ "0000000000000000000000000000000000000000000000000000000000000000000001",
		  "\"000000000000000000000000000000000000000000000000000000000000\""
		  " is no address or network" },
	};
	char text[128], reason[NETWORKS_REASON_LEN], expected[NETWORKS_REASON_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "10.0.0.1\n# x\n%s\n10.0.0.2\n", cases[i].line);
		assert_null(networks_parse(slice_of(text), reason));
		snprintf(expected, sizeof(expected), "line 3: %s", cases[i].reason);
		assert_string_equal(reason, expected);
	}
	assert_null(networks_parse((struct slice){ "10.0.0.1\0/8", 11 }, reason));
	assert_null(networks_parse((struct slice){ "10.0.0.1\0", 9 }, reason));
}

/* Many, against a search one by one. */
static void test_many_and_held_ones(void **state)
{
	enum { COUNT = 2000, LINE = 24, ASKED = 20000 };
	char *text = calloc(COUNT, LINE);
	uint32_t *first = calloc(COUNT, sizeof(*first)), *mask = calloc(COUNT, sizeof(*mask));
	struct networks *n;
	size_t len = 0, inside = 0;

	(void)state;
	srand(1);
	for (int i = 0; i < COUNT; i++) {
		int bits = 12 + rand() % 21;

		mask[i] = UINT32_MAX << (32 - bits);
		first[i] = ((uint32_t)rand() << 16 ^ (uint32_t)rand()) & mask[i];
		len += (size_t)snprintf(text + len, LINE, "%u.%u.%u.%u/%d\n", first[i] >> 24,
					first[i] >> 16 & 255, first[i] >> 8 & 255, first[i] & 255,
					bits);
	}
	n = parse(text);
	for (int i = 0; i < ASKED; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET };
		struct sockaddr_storage from = { 0 };
		uint32_t asked = (uint32_t)rand() << 16 ^ (uint32_t)rand();
		bool expected = false;

		/* Every other one next to an edge. */
		if (i % 2 == 0)
			asked = first[rand() % COUNT] + (uint32_t)(rand() % 3) - 1;
		for (int j = 0; j < COUNT && !expected; j++)
			expected = (asked & mask[j]) == first[j];
		a.sin_addr.s_addr = htonl(asked);
		memcpy(&from, &a, sizeof(a));
		assert_int_equal(networks_has(n, &from), expected);
		inside += expected;
	}
	assert_in_range(inside, ASKED / 10, ASKED * 9 / 10);
	networks_free(n);
	free(text);
	free(first);
	free(mask);
}

static void test_files(void **state)
{
	char path[64], reason[NETWORKS_REASON_LEN], expected[256], *dir = tmpdir_make();
	struct networks *n;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/list", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "10.0.0.0/8\n", 11), 11);
	n = networks_load(path, reason);
	assert_non_null(n);
	assert_true(has(n, "10.0.0.1"));
	networks_free(n);
	assert_int_equal(write(fd, "nonsense\n", 9), 9);
	close(fd);
	assert_null(networks_load(path, reason));
	snprintf(expected, sizeof(expected), "%s:2: \"nonsense\" is no address or network", path);
	assert_string_equal(reason, expected);
	unlink(path);
	assert_null(networks_load(path, reason));
	snprintf(expected, sizeof(expected), "%s: No such file or directory", path);
	assert_string_equal(reason, expected);
	assert_null(networks_load("/", reason));
	assert_string_equal(reason, "/: Is a directory");
	tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_many_and_held_ones),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
