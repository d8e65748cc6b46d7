/* The header of the PROXY protocol: what is one, in pieces of any size, and whom it names. */
#include "net/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "net/address.h"
#include "tests/lib/random.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc0\0\2\7\xc6\x33\x64\1\x9c\xa8\x08\x4d" /* 192.0.2.7:40104 to 198.51.100.1 */
#define IPV6                                     \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7" \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x9c\xa8\x08\x4d"

/* Gives it in pieces of at most piece bytes; all of text must be wanted, and not a byte more. */
static enum proxy_rc take(const char *text, size_t len, size_t piece,
			  struct sockaddr_storage *client, const char **reason)
{
	enum proxy_rc rc = PROXY_MORE;
	struct proxy_header h;
	size_t at = 0;

	proxy_init(&h);
	while (rc == PROXY_MORE && at < len) {
		size_t wants = proxy_wants(&h), next = wants < piece ? wants : piece;

		assert_true(wants > 0);
		if (next > len - at)
			next = len - at;
		rc = proxy_take(&h, text + at, next, client, reason);
		at += next;
	}
	if (rc != PROXY_WRONG)
		assert_int_equal(at, len);
	return rc;
}

static void assert_client(const char *text, size_t len, const char *wanted)
{
	for (size_t piece = 1; piece <= len; piece++) {
		char address[ADDRESS_TEXT_LEN];
		struct sockaddr_storage client;
		const char *reason;

		assert_int_equal(take(text, len, piece, &client, &reason), PROXY_CLIENT);
		assert_null(reason);
		address_format(&client, address);
		assert_string_equal(address, wanted);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(take(text, cut, piece, &client, &reason), PROXY_MORE);
	}
}
#define ASSERT_CLIENT(text, wanted) assert_client(text, sizeof(text) - 1, wanted)

static void test_clients(void **state)
{
	(void)state;
	ASSERT_CLIENT(SIGNATURE "\x21\x11\0\x0c" IPV4, "192.0.2.7:40104");
	ASSERT_CLIENT(SIGNATURE "\x21\x21\0\x24" IPV6, "[2001:db8::7]:40104");
	/* Behind the addresses: what nobody asked for. */
	ASSERT_CLIENT(SIGNATURE "\x21\x11\0\x13" IPV4 "\4\0\4abcd", "192.0.2.7:40104");
	ASSERT_CLIENT(SIGNATURE "\x21\x21\0\x2b" IPV6 "\4\0\4abcd", "[2001:db8::7]:40104");
}

static void test_the_longest(void **state)
{
	static char text[PROXY_FIXED_LEN + 65535] = SIGNATURE "\x21\x11\xff\xff" IPV4;
	struct sockaddr_storage client;
	const char *reason;

	(void)state;
	assert_int_equal(take(text, sizeof(text), 4096, &client, &reason), PROXY_CLIENT);
	assert_int_equal(take(text, sizeof(text) - 1, 4096, &client, &reason), PROXY_MORE);
}

static void test_of_the_balancer_itself(void **state)
{
	struct sockaddr_storage client;
	const char *reason;

	(void)state;
	assert_int_equal(take(SIGNATURE "\x20\0\0\0", 16, 16, &client, &reason), PROXY_LOCAL);
	assert_int_equal(take(SIGNATURE "\x20\x11\0\x0c" IPV4, 28, 7, &client, &reason),
			 PROXY_LOCAL);
}

static void assert_wrong(const char *text, size_t len, const char *wanted)
{
	for (size_t piece = 1; piece <= len; piece++) {
		struct sockaddr_storage client;
		const char *reason = NULL;

		assert_int_equal(take(text, len, piece, &client, &reason), PROXY_WRONG);
		assert_string_equal(reason, wanted);
	}
}
#define ASSERT_WRONG(text, wanted) assert_wrong(text, sizeof(text) - 1, wanted)

static void test_none(void **state)
{
	(void)state;
	/* One byte is enough to know, and so is the last one. */
	ASSERT_WRONG("\x16", "no PROXY header");
	ASSERT_WRONG("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "no PROXY header");
	ASSERT_WRONG("\r\n\r\n\0\r\nQUIT\r", "no PROXY header");
	ASSERT_WRONG(SIGNATURE "\x11\x11\0\x0c", "not a PROXY protocol command of version 2");
	ASSERT_WRONG(SIGNATURE "\x22\x11\0\x0c", "not a PROXY protocol command of version 2");
	/* UNSPEC, datagrams, UNIX. */
	for (const char *at = "\1\2\x10\x12\x20\x22\x31\x32\x41\xff"; *at != '\0'; at++) {
		char text[] = SIGNATURE "\x21"
					"?"
					"\0\xff";

		text[13] = *at;
		ASSERT_WRONG(text, "PROXY header without the address of a TCP client");
	}
	ASSERT_WRONG(SIGNATURE "\x21\0\0\0", "PROXY header without the address of a TCP client");
	ASSERT_WRONG(SIGNATURE "\x21\x11\0\x0b", "PROXY header too short");
	ASSERT_WRONG(SIGNATURE "\x21\x21\0\x23", "PROXY header too short");
}

/* What it is does not depend on the pieces that it comes in, and who is named stands there. */
static void assert_same(const char *text, size_t len, struct random *random)
{
	struct sockaddr_storage client = { 0 }, again = { 0 };
	const char *reason = NULL, *reason_again = NULL;
	enum proxy_rc rc = PROXY_MORE;
	struct proxy_header h;
	struct slice host;
	size_t at = 0;

	proxy_init(&h);
	while (rc == PROXY_MORE && at < len) {
		size_t next = proxy_wants(&h);

		assert_in_range(next, 1, PROXY_FIXED_LEN + 65535 - at);
		if (next > len - at)
			next = len - at;
		next = 1 + random_below(random, (uint32_t)next);
		rc = proxy_take(&h, text + at, next, &client, &reason);
		at += next;
	}
	if (rc == PROXY_LOCAL || rc == PROXY_CLIENT)
		assert_int_equal(at, PROXY_FIXED_LEN + (size_t)(uint8_t)text[14] * 256 +
					     (size_t)(uint8_t)text[15]);
	assert_int_equal(take(text, rc == PROXY_WRONG ? len : at, 1, &again, &reason_again), rc);
	assert_true((reason == NULL) == (rc != PROXY_WRONG));
	assert_true((reason_again == NULL) == (rc != PROXY_WRONG));
	if (rc != PROXY_CLIENT)
		return;
	assert_memory_equal(&client, &again, sizeof(client));
	host = address_host_bytes(&client);
	assert_int_equal(host.len, text[13] == 0x11 ? 4 : 16);
	assert_memory_equal(host.data, text + PROXY_FIXED_LEN, host.len);
}

static void test_changed_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} seeds[] = {
		{ SIGNATURE "\x21\x11\0\x13" IPV4 "\4\0\4abcd", 35 },
		{ SIGNATURE "\x21\x21\0\x24" IPV6, 52 },
		{ SIGNATURE "\x20\0\0\0", 16 },
	};
	struct random random = { 20261125 };

	(void)state;
	for (int i = 0; i < 30000; i++) {
		char text[256];
		size_t which = random_below(&random, 3), len = seeds[which].len;

		/* Something else follows. */
		for (size_t at = 0; at < sizeof(text); at++)
			text[at] = (char)random_next(&random);
		memcpy(text, seeds[which].text, len);
		for (uint32_t changes = random_below(&random, 3); changes > 0; changes--)
			text[12 + random_below(&random, (uint32_t)len - 12)] =
				(char)random_next(&random);
		if (random_percent(&random, 10))
			text[random_below(&random, 12)] ^= (char)(1 << random_below(&random, 8));
		assert_same(text, 1 + random_below(&random, sizeof(text)), &random);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_the_longest),
		cmocka_unit_test(test_of_the_balancer_itself),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_changed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
