/* Four-letter words: the text that probes and dashboards read, and who may read it. */
#include "app/fourlw.h"

#include <ctype.h>

#include "app/expiry.h"
#include "base/metrics.h"
#include "core/session.h"
#include "tests/unit/view_fixture.h"

static struct buf out;
static char text[65536];

static void allow(const char *whitelist)
{
	char more[256];

	snprintf(more, sizeof(more), "tickTime=1500\nmaxClientCnxns=7\n4lw.commands.whitelist=%s\n",
		 whitelist);
	configure(more);
}

static int set_up_words(void **state)
{
	set_up_view(state);
	allow("*");
	buf_init(&out, sizeof(text));
	return 0;
}

static int tear_down_words(void **state)
{
	buf_fini(&out);
	return tear_down_view(state);
}

/* The answer to a word that is one. */
static const char *answer(const char *word)
{
	buf_clear(&out);
	assert_int_equal(fourlw_answer(&view, slice_of(word), &out), FOURLW_ANSWERED);
	memcpy(text, buf_head(&out), buf_len(&out));
	text[buf_len(&out)] = 0;
	return text;
}

/* What stands behind "key" in a line of the answer. */
static const char *value(const char *key)
{
	static char line[512];
	const char *at = text;
	size_t len = strlen(key);

	while (at && strncmp(at, key, len) != 0) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		fail_msg("no line with %s", key);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + len, "\n"), at + len);
	return line;
}

static void test_what_is_a_word(void **state)
{
	static const char *const others[] = { "xxxx", "RUOK", "ruo ", "\0\0\0\x2c", "GET " };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_int_equal(fourlw_answer(&view, (struct slice){ others[i], 4 }, &out),
				 FOURLW_UNKNOWN);
		assert_int_equal(buf_len(&out), 0);
	}
	assert_string_equal(answer("ruok"), "imok");
	assert_string_equal(answer("isro"), "rw");
}

/* Solr and telegraf match on the words. */
static void test_the_whitelist(void **state)
{
	static const char *const words[] = { "ruok", "isro", "envi", "stat", "mntr", "conf",
					     "cons", "dump", "wchs", "wchp", "wchc", "dirs",
					     "crst", "srst", "gtmk", "stmk", "hash" };
	char wanted[96];

	(void)state;
	allow("srvr");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		snprintf(wanted, sizeof(wanted),
			 "%s is not executed because it is not in the whitelist.\n", words[i]);
		assert_string_equal(answer(words[i]), wanted);
	}
	assert_non_null(strstr(answer("srvr"), "Mode: standalone\n"));
	allow("ruok, mntr");
	assert_string_equal(answer("ruok"), "imok");
	assert_non_null(strstr(answer("mntr"), "zk_server_state\t"));
	assert_non_null(strstr(answer("conf"), "not in the whitelist"));
}

/* Half an answer would pass for a whole one. */
static void test_too_large(void **state)
{
	static const char path[] = "/a/path/that/takes/more/than/the/text/that/is/sent/instead";
	uint64_t before = metrics_get(METRIC_answers_too_large);
	size_t len;

	(void)state;
	ask(c, OP_EXISTS, path, true);
	len = strlen(answer("wchp"));
	buf_fini(&out);
	buf_init(&out, len);
	assert_non_null(strstr(answer("wchp"), path));
	ask(c, OP_EXISTS, "/w", true);
	assert_string_equal(answer("wchp"), "The answer is larger than zoolite.maxReply\n");
	assert_int_equal(metrics_get(METRIC_answers_too_large), before + 1);
}

static void test_before_it_serves(void **state)
{
	static const char *const words[] = { "srvr", "stat", "mntr", "conf", "cons", "crst", "dirs",
					     "dump", "hash", "srst", "wchc", "wchp", "wchs" };

	(void)state;
	view.registry = NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		assert_string_equal(answer(words[i]),
				    "This ZooKeeper instance is not currently serving requests\n");
	assert_string_equal(answer("ruok"), "imok");
	assert_string_equal(answer("isro"), "null");
	assert_non_null(strstr(answer("envi"), "zookeeper.version="));
	assert_string_equal(answer("gtmk"), "306");
	allow("ruok");
	assert_non_null(strstr(answer("stat"), "not in the whitelist"));
}

/* "3.9.5-…, built on MM/DD/YYYY HH:MM TZ", as go-zookeeper's regular expression wants it. */
static void expect_version(const char *version)
{
	const char *built = strstr(version, ", built on ");
	int month, day, year, hour, minute, end = 0;

	assert_true(isdigit((unsigned char)version[0]) && version[1] == '.' &&
		    isdigit((unsigned char)version[2]));
	assert_non_null(built);
	assert_int_equal(sscanf(built, ", built on %2d/%2d/%4d %2d:%2d UTC%n", &month, &day, &year,
				&hour, &minute, &end),
			 5);
	assert_int_equal(built[end], 0);
	assert_in_range(month, 1, 12);
	assert_in_range(day, 1, 31);
	assert_in_range(year, 2026, 2100);
}

static void test_srvr(void **state)
{
	static const char *const order[] = {
		"Zookeeper version: ", "Latency min/avg/max: ", "Received: ", "Sent: ",
		"Connections: ",       "Outstanding: ",         "Zxid: 0x",   "Mode: standalone",
		"Node count: "
	};
	const char *at;
	char zxid[32];

	(void)state;
	create(c, "/a", "", 0);
	at = answer("srvr");
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (strncmp(at, order[i], strlen(order[i])) != 0)
			fail_msg("%s", at);
		at = strchr(at, '\n');
		assert_non_null(at);
		at++;
	}
	assert_int_equal(*at, 0);
	expect_version(value("Zookeeper version: "));
	snprintf(zxid, sizeof(zxid), "0x%llx", (unsigned long long)last.header.zxid);
	assert_string_equal(value("Zxid: "), zxid);
	assert_string_equal(value("Node count: "), "6");
	assert_string_equal(value("Connections: "), "0");
}

static void test_latencies(void **state)
{
	(void)state;
	latency_reset(h.latency);
	answer("srvr");
	assert_string_equal(value("Latency min/avg/max: "), "0/0.0/0");
	latency_note(h.latency, LATENCY_READ, clock_exact_us() - 2000, 0, 0);
	latency_note(h.latency, LATENCY_READ, clock_exact_us() - 3000, 0, 0);
	latency_note(h.latency, LATENCY_READ, clock_exact_us() - 5000, 0, 0);
	answer("srvr");
	assert_string_equal(value("Latency min/avg/max: "), "2/3.3333/5");
	latency_note(h.latency, LATENCY_READ, clock_exact_us(), registry_last_zxid(h.registry) + 1,
		     0);
	answer("srvr");
	assert_string_equal(value("Outstanding: "), "1");
}

static void test_stat(void **state)
{
	(void)state;
	answer("stat");
	expect_version(value("Zookeeper version: "));
	assert_non_null(strstr(text, "\nClients:\n"));
	assert_non_null(strstr(text, "\n\nLatency min/avg/max: "));
}

static void test_mntr(void **state)
{
	char *line, *rest = text;

	(void)state;
	create(c, "/e", "", CREATE_EPHEMERAL);
	ask(c, OP_EXISTS, "/e", true);
	ask(c, OP_GET_CHILDREN, "/", true);
	answer("mntr");
	expect_version(value("zk_version\t"));
	assert_string_equal(value("zk_server_state\t"), "standalone");
	assert_string_equal(value("zk_znode_count\t"), "6");
	assert_string_equal(value("zk_ephemerals_count\t"), "1");
	assert_string_equal(value("zk_watch_count\t"), "2");
	assert_string_equal(value("zk_global_sessions\t"), "1");
	assert_string_equal(value("zk_num_alive_connections\t"), "0");
	/* Whoever reads it wants a name and one value in each line, and no name twice. */
	while ((line = strsep(&rest, "\n"))) {
		const char *tab = strchr(line, '\t');

		if (!*line)
			continue;
		assert_memory_equal(line, "zk_", 3);
		assert_non_null(tab);
		assert_null(strchr(tab + 1, '\t'));
		assert_true(tab[1] != 0);
		if (rest) {
			char name[128];

			snprintf(name, sizeof(name), "\n%.*s\t", (int)(tab - line), line);
			assert_null(strstr(rest, name));
		}
	}
}

static void test_conf(void **state)
{
	char *line, *rest = text;

	(void)state;
	answer("conf");
	assert_string_equal(value("clientPort="), "2181");
	assert_string_equal(value("dataDir="), "/var/lib/data");
	assert_string_equal(value("dataLogDir="), "/var/lib/data");
	assert_string_equal(value("tickTime="), "1500");
	assert_string_equal(value("maxClientCnxns="), "7");
	assert_true(atoll(value("dataDirSize=")) > 0);
	assert_true(atoll(value("dataLogSize=")) >= 0);
	assert_string_equal(value("minSessionTimeout="), "3000");
	assert_string_equal(value("maxSessionTimeout="), "30000");
	assert_string_equal(value("serverId="), "0");
	while ((line = strsep(&rest, "\n")))
		if (*line)
			assert_non_null(strchr(line, '='));
}

/* kazoo finds the version by this line. Nothing of the process's environment is told. */
static void test_envi(void **state)
{
	(void)state;
	setenv("ZOOLITE_TEST_SECRET", "do not tell", 1);
	answer("envi");
	assert_memory_equal(text, "Environment:\nzookeeper.version=", 31);
	expect_version(value("zookeeper.version="));
	assert_null(strstr(text, "do not tell"));
}

static void test_trace_mask(void **state)
{
	static const char set[] = "stmk\0\0\0\0\0\0\2\1";

	(void)state;
	assert_string_equal(answer("gtmk"), "306");
	for (size_t len = 4; len < 12; len++) {
		buf_clear(&out);
		assert_int_equal(fourlw_answer(&view, (struct slice){ set, len }, &out),
				 FOURLW_PARTIAL);
		assert_int_equal(buf_len(&out), 0);
	}
	assert_int_equal(fourlw_answer(&view, (struct slice){ set, 12 }, &out), FOURLW_ANSWERED);
	assert_memory_equal(buf_head(&out), "513", 3);
	assert_string_equal(answer("gtmk"), "513");
	/* Who may not say it is told at once. */
	allow("ruok");
	assert_non_null(strstr(answer("stmk"), "not in the whitelist"));
}

static void test_dirs_and_hash(void **state)
{
	(void)state;
	answer("dirs");
	assert_true(atoll(value("datadir_size: ")) > 0);
	assert_true(atoll(value("logdir_size: ")) >= 0);
	assert_string_equal(answer("hash"), "");
}

/* A session ends with the tick that its deadline lies in. */
static void expect_steps(void)
{
	struct expiry e;

	expiry_init(&e);
	expiry_add_sessions(&e, &view);
	assert_int_equal(e.count, 3);
	for (size_t i = 0; i < e.count; i++) {
		int64_t deadline_ms = session_deadline_ms(
			session_find(registry_sessions(h.registry), e.items[i].session_id));

		assert_int_equal(e.items[i].at_ms % view.config->tick_ms, 0);
		assert_in_range(e.items[i].at_ms - deadline_ms, 1, view.config->tick_ms);
	}
	expiry_fini(&e);
}

static void test_dump(void **state)
{
	char wanted[128];

	(void)state;
	create(c, "/e1", "", CREATE_EPHEMERAL);
	create(c, "/e2", "", CREATE_EPHEMERAL);
	headless_new_session(&h, 6000);
	headless_new_session(&h, 6000);
	expect_steps();
	answer("dump");
	assert_ptr_equal(strstr(text, "SessionTracker dump:\nSession Sets (2)/(3):\n2 expire at "),
			 text);
	assert_non_null(strstr(text, "\n1 expire at "));
	assert_true(strstr(text, "\n2 expire at ") < strstr(text, "\n1 expire at "));
	snprintf(wanted, sizeof(wanted), ":\n\t0x%llx\nephemeral nodes dump:\n",
		 (unsigned long long)c->session_id);
	assert_non_null(strstr(text, wanted));
	snprintf(wanted, sizeof(wanted), "\nSessions with Ephemerals (1):\n0x%llx:\n\t/e",
		 (unsigned long long)c->session_id);
	assert_non_null(strstr(text, wanted));
	assert_non_null(strstr(text, "\n\t/e1\n"));
	assert_non_null(strstr(text, "\n\t/e2\n"));
	assert_non_null(strstr(text, "\nConnections dump:\nConnections Sets (0)/(0):\n"));
}

static void test_watches(void **state)
{
	struct headless_client *other = headless_new_session(&h, TIMEOUT_MS);
	char wanted[128];

	(void)state;
	create(c, "/a", "", 0);
	ask(c, OP_EXISTS, "/a", true);
	ask(c, OP_GET_DATA, "/a", true);
	ask(other, OP_EXISTS, "/none", true);
	ask(c, OP_GET_CHILDREN, "/", true);
	assert_string_equal(answer("wchs"), "2 connections watching 2 paths\nTotal watches:2\n");
	answer("wchp");
	snprintf(wanted, sizeof(wanted), "/a\n\t0x%llx\n", (unsigned long long)c->session_id);
	assert_non_null(strstr(text, wanted));
	snprintf(wanted, sizeof(wanted), "/none\n\t0x%llx\n",
		 (unsigned long long)other->session_id);
	assert_non_null(strstr(text, wanted));
	assert_string_equal(text + strlen(text) - 2, "\n\n");
	answer("mntr");
	assert_string_equal(value("zk_watch_count\t"), "3");
}

static void test_resets(void **state)
{
	(void)state;
	ask(headless_new_session(&h, TIMEOUT_MS), OP_EXISTS, "/a", true);
	create(c, "/a", "", 0);
	set(c, "/a", "nobody watches");
	metrics_add(METRIC_packets_received, 5);
	answer("mntr");
	assert_true(atoi(value("zk_cnt_updatelatency\t")) > 0);
	assert_string_equal(value("zk_avg_node_created_watch_count\t"), "1.0");
	assert_string_equal(value("zk_sum_node_created_watch_count\t"), "1");
	assert_string_equal(value("zk_cnt_node_changed_watch_count\t"), "0");
	assert_true(atoi(value("zk_watch_bytes\t")) > 0);
	assert_true(atoi(value("zk_max_client_response_size\t")) > 0);
	assert_true(atoi(value("zk_cnt_fsynctime\t")) > 0);
	assert_string_equal(answer("srst"), "Server stats reset.\n");
	answer("mntr");
	assert_string_equal(value("zk_packets_received\t"), "0");
	assert_string_equal(value("zk_cnt_updatelatency\t"), "0");
	assert_string_equal(value("zk_avg_updatelatency\t"), "0.0");
	assert_string_equal(value("zk_max_client_response_size\t"), "-1");
	assert_string_equal(value("zk_cnt_fsynctime\t"), "0");
	assert_string_equal(value("zk_cnt_node_created_watch_count\t"), "0");
	assert_string_equal(answer("crst"), "Connection stats reset.\n");
}

#define WORD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_words, tear_down_words)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORD_TEST(test_what_is_a_word), WORD_TEST(test_the_whitelist),
		WORD_TEST(test_too_large),      WORD_TEST(test_before_it_serves),
		WORD_TEST(test_srvr),           WORD_TEST(test_latencies),
		WORD_TEST(test_stat),           WORD_TEST(test_mntr),
		WORD_TEST(test_conf),           WORD_TEST(test_envi),
		WORD_TEST(test_trace_mask),     WORD_TEST(test_dirs_and_hash),
		WORD_TEST(test_dump),           WORD_TEST(test_watches),
		WORD_TEST(test_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
