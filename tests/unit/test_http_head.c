/* Heads of HTTP requests: whole, in parts, and what is refused. */
#include "app/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 1024 };

static struct http_head head;
static enum http_status status;

static enum http_head_rc parse(const char *text)
{
	return http_head_parse(slice_of(text), MAX, &head, &status);
}

static void expect_path(const char *text, const char *path)
{
	if (parse(text) != HTTP_HEAD_WHOLE)
		fail_msg("%d: %s", (int)status, text);
	assert_int_equal(status, HTTP_OK);
	assert_string_equal(head.path, path);
}

static void expect_refusal(const char *text, enum http_status wanted)
{
	if (parse(text) != HTTP_HEAD_REFUSED || status != wanted)
		fail_msg("%d and not %d: %s", (int)status, (int)wanted, text);
}

#define HOST "Host: h\r\n\r\n"

static void test_whole(void **state)
{
	(void)state;
	expect_path("GET / HTTP/1.1\r\n" HOST, "/");
	assert_false(head.is_head);
	expect_path("HEAD /commands/ruok HTTP/1.1\r\n" HOST, "/commands/ruok");
	assert_true(head.is_head);
	expect_path("GET /metrics HTTP/1.0\r\n\r\n", "/metrics");
	expect_path("GET /metrics HTTP/1.0\n\n", "/metrics");
	expect_path("GET /metrics HTTP/1.9\r\nhOST:h\r\n\r\n", "/metrics");
	expect_path("GET /m HTTP/1.1\r\nAccept: a\tb, \xc3\xa4\r\nX-Empty:\r\n" HOST, "/m");
	expect_path("GET /m?name[]=x&y HTTP/1.1\r\n" HOST, "/m");
	expect_path("GET /m? HTTP/1.1\r\n" HOST, "/m");
	expect_path("GET /%6d%2Fx%25%20%ff HTTP/1.1\r\n" HOST, "/m/x% \xff");
	expect_path("GET http://h:8080/m?x HTTP/1.1\r\n" HOST, "/m");
	expect_path("GET HTTP://h HTTP/1.1\r\n" HOST, "/");
	/* What comes behind it is not looked at. */
	expect_path("GET /m HTTP/1.1\r\n" HOST "\1\2\3 GET", "/m");
}

static void test_parts(void **state)
{
	static const char text[] = "GET /commands HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		assert_int_equal(http_head_parse((struct slice){ text, len }, MAX, &head, &status),
				 HTTP_HEAD_PARTIAL);
		assert_int_equal(status, HTTP_OK);
	}
	expect_path(text, "/commands");
}

/* What can be no request is not waited for. */
static void test_garbage_is_refused_at_once(void **state)
{
	static const char *const garbage[] = { "\x16\x03\x01\x02", " GET / HTTP/1.1",   "\r\nGET /",
					       "GET\t/ HTTP/1.1",  "ABCDEFGHIJKLMNOPQ", "\n",
					       "{\"a\":1}" };

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++)
		expect_refusal(garbage[i], HTTP_BAD_REQUEST);
	assert_int_equal(http_head_parse((struct slice){ "\0\0\0\x2c", 4 }, MAX, &head, &status),
			 HTTP_HEAD_REFUSED);
	expect_refusal("GET /\r\n", HTTP_BAD_REQUEST);
	expect_refusal("GET / HTTP/1.1\r\nnonsense\r\n", HTTP_BAD_REQUEST);
}

static void test_request_lines(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1 \r\n" HOST,    "GET  / HTTP/1.1\r\n" HOST,
		"GET /a b HTTP/1.1\r\n" HOST,  "GET / http/1.1\r\n" HOST,
		"GET / HTTP/11\r\n" HOST,      "GET / HTTP/1.x\r\n" HOST,
		"GET /\x80 HTTP/1.1\r\n" HOST, "GET /a#b HTTP/1.1\r\n" HOST,
		"GET /% HTTP/1.1\r\n" HOST,    "GET /%4 HTTP/1.1\r\n" HOST,
		"GET /%4g HTTP/1.1\r\n" HOST,  "GET /%00 HTTP/1.1\r\n" HOST,
		"GET m HTTP/1.1\r\n" HOST,     "GET * HTTP/1.1\r\n" HOST,
		"GET h:80 HTTP/1.1\r\n" HOST,  "GET /?\x01 HTTP/1.1\r\n" HOST,
		"GET  HTTP/1.1\r\n" HOST,      "GET /\r HTTP/1.1\r\n" HOST,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_refusal(bad[i], HTTP_BAD_REQUEST);
	expect_refusal("GET / HTTP/2.0\r\n" HOST, HTTP_VERSION_NOT_SUPPORTED);
	expect_refusal("GET / HTTP/0.9\r\n" HOST, HTTP_VERSION_NOT_SUPPORTED);
	expect_refusal("POST / HTTP/1.1\r\n" HOST, HTTP_METHOD_NOT_ALLOWED);
	expect_refusal("get / HTTP/1.1\r\n" HOST, HTTP_METHOD_NOT_ALLOWED);
	expect_refusal("OPTIONS * HTTP/1.1\r\n" HOST, HTTP_METHOD_NOT_ALLOWED);
}

static void test_fields(void **state)
{
	static const char *const bad[] = {
		"\r\n",
		"Host: h\r\nHost: h\r\n\r\n",
		"Host : h\r\n\r\n",
		"Host: h\r\n folded\r\n\r\n",
		": h\r\nHost: h\r\n\r\n",
		"Host: h\x01\r\n\r\n",
		"Host: h\r\nA\x7f: b\r\n\r\n",
		"Host: h\r\nA: b\rc\r\n\r\n",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s", bad[i]);
		expect_refusal(text, HTTP_BAD_REQUEST);
	}
}

static void test_hosts(void **state)
{
	static const char *const plain[] = {
		"",      "localhost",      "LocalHost:8080", "127.0.0.1", "10.0.0.7:7000",
		"[::1]", "[fe80::1]:8080", " localhost \t",  ":80"
	};
	static const char *const names[] = { "example.com",
					     "example.com:8080",
					     "localhost.example.com",
					     "localhost@example.com",
					     "127.0.0.1.example.com",
					     "127.0.0.1,example.com",
					     "127.1",
					     "[",
					     "[]",
					     "[example.com]",
					     "xlocalhost",
					     "[::1",
					     "x" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost:%s\r\n\r\n", plain[i]);
		expect_path(text, "/");
		if (!http_host_is_plain(head.host))
			fail_msg("%s", plain[i]);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", names[i]);
		expect_path(text, "/");
		assert_int_equal(head.host.len, strlen(names[i]));
		if (http_host_is_plain(head.host))
			fail_msg("%s", names[i]);
	}
	expect_path("GET / HTTP/1.0\r\n\r\n", "/");
	assert_int_equal(head.host.len, 0);
}

static void test_limits(void **state)
{
	char text[2 * MAX];
	int at;

	(void)state;
	/* The path. */
	at = snprintf(text, sizeof(text), "GET /%0*d HTTP/1.0\r\n\r\n", HTTP_PATH_LEN - 2, 0);
	assert_int_equal(http_head_parse((struct slice){ text, (size_t)at }, MAX, &head, &status),
			 HTTP_HEAD_WHOLE);
	assert_int_equal(strlen(head.path), HTTP_PATH_LEN - 1);
	snprintf(text, sizeof(text), "GET /%0*d HTTP/1.0\r\n\r\n", HTTP_PATH_LEN - 1, 0);
	expect_refusal(text, HTTP_URI_TOO_LONG);
	/* The whole: a head of exactly so many bytes is one. */
	for (int more = 0; more < 2; more++) {
		at = snprintf(text, sizeof(text), "GET / HTTP/1.0\r\nA: ");
		memset(text + at, 'a', MAX);
		strcpy(text + MAX - 4 + more, "\r\n\r\n");
		assert_int_equal(strlen(text), MAX + more);
		if (more)
			expect_refusal(text, HTTP_HEAD_TOO_LONG);
		else
			expect_path(text, "/");
	}
	text[MAX - 1] = '\0';
	assert_int_equal(parse(text), HTTP_HEAD_PARTIAL);
	/* A line that never ends. */
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	assert_int_equal(http_head_parse((struct slice){ text, MAX }, MAX, &head, &status),
			 HTTP_HEAD_REFUSED);
	assert_int_equal(status, HTTP_HEAD_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_garbage_is_refused_at_once),
		cmocka_unit_test(test_request_lines),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
