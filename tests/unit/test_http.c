/* What is answered over HTTP, and what is refused; and the figures that it tells. */
#include "app/http.h"

#include "app/stats.h"
#include "base/metrics.h"
#include "tests/unit/view_fixture.h"

static struct buf head, body;
static char answer[65536]; /* the head, then the body */

static int set_up_http(void **state)
{
	set_up_view(state);
	metrics_reset();
	return 0;
}

static bool offer(enum http_place place, const char *text, size_t body_limit)
{
	bool is_answered;

	buf_init(&head, 4096);
	buf_init(&body, body_limit);
	is_answered = http_answer(&view, place, slice_of(text), &head, &body);
	snprintf(answer, sizeof(answer), "%.*s%.*s", (int)buf_len(&head),
		 (const char *)buf_head(&head), (int)buf_len(&body), (const char *)buf_head(&body));
	return is_answered;
}

static void forget(void)
{
	buf_fini(&head);
	buf_fini(&body);
}

static void expect_status(enum http_place place, const char *line, const char *status)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s HTTP/1.0\r\n\r\n", line);
	assert_true(offer(place, text, sizeof(answer)));
	if (strncmp(answer + 9, status, strlen(status)) != 0)
		fail_msg("%s: %s", line, answer);
	assert_memory_equal(answer, "HTTP/1.1 ", 9);
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	forget();
}

static void test_places(void **state)
{
	(void)state;
	expect_status(HTTP_ADMIN, "GET /commands", "200 OK");
	assert_non_null(strstr(answer, "<a href=\"/commands/ruok\">ruok</a>"));
	assert_null(strstr(answer, "stat_reset"));
	expect_status(HTTP_ADMIN, "GET /commands/", "200 OK");
	expect_status(HTTP_ADMIN, "GET /commands/ruok", "200 OK");
	assert_non_null(strstr(answer, "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}"));
	expect_status(HTTP_ADMIN, "GET /commandsx", "404 Not Found");
	expect_status(HTTP_ADMIN, "GET /metrics", "404 Not Found");
	expect_status(HTTP_METRICS, "GET /metrics", "200 OK");
	expect_status(HTTP_METRICS, "GET /metrics/", "404 Not Found");
	expect_status(HTTP_METRICS, "GET /commands/ruok", "404 Not Found");
	assert_int_equal(metrics_get(METRIC_http_requests), 4);
	assert_int_equal(metrics_get(METRIC_http_refused), 4);
	configure("admin.commandURL=/zk/admin\n");
	expect_status(HTTP_ADMIN, "GET /zk/admin/ruok", "200 OK");
	expect_status(HTTP_ADMIN, "GET /commands/ruok", "404 Not Found");
}

static void test_refusals(void **state)
{
	char text[4096];

	(void)state;
	expect_status(HTTP_ADMIN, "POST /commands/ruok", "405 Method Not Allowed");
	assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
	expect_status(HTTP_ADMIN, "GET /commands/%zz", "400 Bad Request");
	configure("zoolite.maxHttpHead=1k\n");
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "GET / HTTP/1.0\r\nA:", 18);
	text[1023] = 0;
	assert_false(offer(HTTP_ADMIN, text, 1000));
	assert_int_equal(buf_len(&head) + buf_len(&body), 0);
	forget();
	text[1023] = 'a';
	text[1024] = 0;
	assert_true(offer(HTTP_ADMIN, text, 1000));
	assert_memory_equal(answer, "HTTP/1.1 431 ", 13);
	forget();
}

static void expect_for_host(enum http_place place, const char *host, const char *status)
{
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
		 place == HTTP_ADMIN ? "/commands/dump" : "/metrics", host);
	assert_true(offer(place, text, sizeof(answer)));
	if (strncmp(answer + 9, status, strlen(status)) != 0)
		fail_msg("%s: %s", host, answer);
	forget();
}

/* A page that lets its name mean 127.0.0.1 reads nothing; where others than this machine come in,
 * names are names. */
static void test_whom_is_asked_for(void **state)
{
	(void)state;
	create(c, "/secret", "", CREATE_EPHEMERAL);
	for (enum http_place place = HTTP_ADMIN; place <= HTTP_METRICS; place++) {
		expect_for_host(place, "localhost:8080", "200 OK");
		expect_for_host(place, "127.0.0.1:8080", "200 OK");
		expect_for_host(place, "evil.example", "421 Misdirected Request");
		assert_null(strstr(answer, "secret"));
		assert_null(strstr(answer, "znode_count"));
	}
	assert_int_equal(metrics_get(METRIC_http_refused), 2);
	configure("admin.serverAddress=::1\nmetricsProvider.httpHost=localhost\n");
	expect_for_host(HTTP_ADMIN, "evil.example", "421");
	expect_for_host(HTTP_METRICS, "evil.example", "421");
	configure("admin.serverAddress=0.0.0.0\nmetricsProvider.httpHost=metrics.example\n");
	expect_for_host(HTTP_ADMIN, "zk1.example:8080", "200 OK");
	expect_for_host(HTTP_METRICS, "metrics.example:7000", "200 OK");
}

static void test_head_has_no_body(void **state)
{
	char *length;

	(void)state;
	expect_status(HTTP_ADMIN, "HEAD /commands/ruok", "200 OK");
	length = strstr(answer, "\r\nContent-Length: 42\r\n");
	assert_non_null(length);
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	expect_status(HTTP_ADMIN, "HEAD /nowhere", "404");
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

/* Nothing that acts, by no name. */
static void test_what_acts(void **state)
{
	static const char *const names[] = { "connection_stat_reset",
					     "crst",
					     "stat_reset",
					     "srst",
					     "set_trace_mask?traceMask=1",
					     "stmk?traceMask=1",
					     "snapshot",
					     "restore",
					     "observer_connection_stat_reset" };
	char line[128];

	(void)state;
	metrics_add(METRIC_packets_received, 7);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(line, sizeof(line), "GET /commands/%s", names[i]);
		expect_status(HTTP_ADMIN, line, "403 Forbidden");
		assert_non_null(strstr(answer, "is not executed over HTTP"));
	}
	assert_int_equal(metrics_get(METRIC_packets_received), 7);
	assert_int_equal(trace_mask, VIEW_TRACE_MASK);
}

static void test_unknown(void **state)
{
	(void)state;
	expect_status(HTTP_ADMIN, "GET /commands/a%22b", "200 OK");
	assert_non_null(strstr(answer, "\"command\" : \"a\\\"b\",\n"
				       "  \"error\" : \"Unknown command: a\\\"b\"\n}"));
}

static void test_before_it_serves(void **state)
{
	(void)state;
	view.registry = NULL;
	expect_status(HTTP_ADMIN, "GET /commands/stats", "200 OK");
	assert_non_null(strstr(answer, "\"error\" : \"This ZooKeeper instance is not currently "
				       "serving requests\""));
	expect_status(HTTP_ADMIN, "GET /commands/environment", "200 OK");
	assert_non_null(strstr(answer, "\"error\" : null"));
	expect_status(HTTP_METRICS, "GET /metrics", "200 OK");
	assert_non_null(strstr(answer, "\r\n\r\n# This ZooKeeper instance is not"));
}

static void test_names_are_escaped(void **state)
{
	(void)state;
	create(c, "/\"e\\", "", CREATE_EPHEMERAL);
	ask(c, OP_EXISTS, "/\"w", true);
	expect_status(HTTP_ADMIN, "GET /commands/dump", "200 OK");
	assert_non_null(strstr(answer, "[ \"/\\\"e\\\\\" ]"));
	expect_status(HTTP_ADMIN, "GET /commands/watches_by_path", "200 OK");
	assert_non_null(strstr(answer, "\"/\\\"w\" : [ "));
	/* And are no business of metrics. */
	expect_status(HTTP_METRICS, "GET /metrics", "200 OK");
	assert_null(strstr(answer, "\"e"));
	expect_status(HTTP_ADMIN, "GET /commands/monitor", "200 OK");
	assert_null(strstr(answer, "\\\""));
}

/* Half an answer would be none. */
static void test_too_large(void **state)
{
	(void)state;
	assert_true(offer(HTTP_ADMIN, "GET /commands/monitor HTTP/1.0\r\n\r\n", 256));
	assert_non_null(strstr(answer, "\r\n\r\n{\n  \"command\" : \"monitor\",\n  \"error\" : "
				       "\"The answer is larger than zoolite.maxReply\"\n}"));
	forget();
}

static void test_no_secrets(void **state)
{
	(void)state;
	configure("ssl.keyStore.location=/k.pem\nssl.keyStore.password=do-not-tell\n"
		  "ssl.quorum.keyStore.password=do-not-tell\n"
		  "DigestAuthenticationProvider.superDigest=do-not-tell\n");
	expect_status(HTTP_ADMIN, "GET /commands/initial_configuration", "200 OK");
	assert_null(strstr(answer, "do-not-tell"));
	assert_non_null(
		strstr(answer, "\\nssl.keyStore.location=/k.pem\\nssl.keyStore.password=*"));
	expect_status(HTTP_ADMIN, "GET /commands/system_properties", "200 OK");
	assert_null(strstr(answer, "do-not-tell"));
	assert_non_null(strstr(answer, "\"zookeeper.ssl.keyStore.location\" : \"/k.pem\""));
	assert_non_null(strstr(answer, "\"zoolite.maxHttpHead\" : \"8192\""));
	assert_non_null(strstr(answer, "\"zookeeper.ssl.clientAuth\" : \"need\""));
}

#define HTTP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_http, tear_down_view)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(test_places),
		HTTP_TEST(test_refusals),
		HTTP_TEST(test_whom_is_asked_for),
		HTTP_TEST(test_head_has_no_body),
		HTTP_TEST(test_what_acts),
		HTTP_TEST(test_unknown),
		HTTP_TEST(test_before_it_serves),
		HTTP_TEST(test_names_are_escaped),
		HTTP_TEST(test_too_large),
		HTTP_TEST(test_no_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
