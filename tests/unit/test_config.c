/* zoo.cfg: every kind of property, every error with its line, what is passed over. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/config.h"
#include "net/names.h"
#include "tests/lib/tmpdir.h"

/* The least that a server needs. */
#define PLAIN "dataDir=/d\nclientPort=2181\n"
#define TLS                                   \
	"dataDir=/d\nsecureClientPort=2281\n" \
	"zoolite.certFile=c\nzoolite.keyFile=k\nzoolite.trustFile=t\n"

static struct config config;
static struct config_report report;

static int teardown(void **state)
{
	(void)state;
	config_fini(&config);
	config_report_fini(&report);
	return 0;
}

static int parse(const char *text)
{
	config_fini(&config);
	config_report_fini(&report);
	return config_parse(slice_of(text), "zoo.cfg", &config, &report);
}

static void expect_good(const char *text)
{
	if (parse(text) != 0)
		fail_msg("%s", report.error);
	assert_string_equal(report.error, "");
}

static void expect_error(const char *text, const char *error)
{
	assert_int_equal(parse(text), -1);
	assert_string_equal(report.error, error);
}

static void test_presets(void **state)
{
	(void)state;
	expect_good(PLAIN);
	assert_string_equal(config.data_dir, "/d");
	assert_null(config.data_log_dir);
	assert_int_equal(config.client_port, 2181);
	assert_null(config.client_host);
	assert_int_equal(config.secure_port, CONFIG_NO_PORT);
	assert_int_equal(config.monitor_port, CONFIG_NO_PORT);
	assert_int_equal(config.tick_ms, 3000);
	assert_int_equal(config.min_session_ms, 6000);
	assert_int_equal(config.max_session_ms, 60000);
	assert_int_equal(config.max_per_address, 60);
	assert_int_equal(config.max_per_identity, 0);
	assert_int_equal(config.max_sessions_per_identity, 0);
	assert_int_equal(config.write_rate, 0);
	assert_int_equal(config.max_connections, 0);
	assert_int_equal(config.backlog, -1);
	assert_int_equal(config.max_frame, 0xfffff);
	assert_int_equal(config.client_auth, TLS_CLIENT_AUTH_NEED);
	assert_true(config.tls_1_2 && config.tls_1_3);
	assert_int_equal(config.handshake_ms, 5000);
	assert_int_equal(config.max_handshakes, 250);
	assert_int_equal(config.cache_bytes, 64 << 20);
	assert_int_equal(report.note_count, 0);
}

static void test_zookeeper_names(void **state)
{
	(void)state;
	expect_good(
		"dataDir = /var/lib/x\ndataLogDir=/log\nclientPort=1\nclientPortAddress=10.0.0.1\n"
		"tickTime=2000\nminSessionTimeout=1000\nmaxSessionTimeout=90000\n"
		"maxClientCnxns=7\nmaxCnxns=9\nclientPortListenBacklog=5\n"
		"jute.maxbuffer=4194304\n");
	assert_string_equal(config.data_dir, "/var/lib/x");
	assert_string_equal(config.data_log_dir, "/log");
	assert_string_equal(config.client_host, "10.0.0.1");
	assert_int_equal(config.tick_ms, 2000);
	assert_int_equal(config.min_session_ms, 1000);
	assert_int_equal(config.max_session_ms, 90000);
	assert_int_equal(config.max_per_address, 7);
	assert_int_equal(config.max_connections, 9);
	assert_int_equal(config.backlog, 5);
	assert_int_equal(config.max_frame, 4194304);
}

static void test_prefix_of_system_properties(void **state)
{
	(void)state;
	expect_good(
		PLAIN
		"zookeeper.maxCnxns=4\nzookeeper.jute.maxbuffer=0x2000\nzookeeper.snapCount=1\n");
	assert_int_equal(config.max_connections, 4);
	assert_int_equal(config.max_frame, 0x2000);
	assert_int_equal(report.note_count, 1);
	expect_error(PLAIN "zookeeper.zoolite.gateThreads=1\n",
		     "zoo.cfg:3: unknown property \"zookeeper.zoolite.gateThreads\"");
	expect_error(PLAIN "zookeeper.zookeeper.maxCnxns=4\n",
		     "zoo.cfg:3: unknown property \"zookeeper.zookeeper.maxCnxns\"");
}

static void test_sessions_follow_tick(void **state)
{
	(void)state;
	expect_good(PLAIN "tickTime=500\nminSessionTimeout=-1\nmaxSessionTimeout=-1\n");
	assert_int_equal(config.min_session_ms, 1000);
	assert_int_equal(config.max_session_ms, 10000);
	expect_good(PLAIN "tickTime=107374182\n");
	assert_int_equal(config.max_session_ms, 2147483640);
	expect_error(PLAIN "minSessionTimeout=61000\n",
		     "zoo.cfg:3: minSessionTimeout (61000) must not be larger than "
		     "maxSessionTimeout (60000)");
	expect_error(PLAIN "minSessionTimeout=0\nmaxSessionTimeout=0\n",
		     "zoo.cfg:4: maxSessionTimeout must not be 0");
	expect_error(PLAIN "tickTime=107374183\n",
		     "zoo.cfg:3: tickTime must be a number from 1 to 107374182, not \"107374183\"");
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {
		"", "x", "1x", "-1", " ", "1 2", "1.5", "65536", "99999999999999999999", "0x", "k"
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "dataDir=/d\nclientPort=%s\n", bad[i]);
		assert_int_equal(parse(text), -1);
		assert_non_null(
			strstr(report.error,
			       "zoo.cfg:2: clientPort must be a number from 0 to 65535, not"));
	}
	expect_good("dataDir=/d\nclientPort=+0\n");
	assert_int_equal(config.client_port, 0);
	expect_good("dataDir=/d\nclientPort=010\n");
	assert_int_equal(config.client_port, 10);
	expect_good("dataDir=/d\nclientPort=65535\n");
	assert_int_equal(config.client_port, 65535);
}

static void test_sizes_and_times(void **state)
{
	(void)state;
	expect_good(PLAIN
		    "zoolite.cacheSize=0\nzoolite.segmentSize=128k\nzoolite.logRetention=3G\n"
		    "zoolite.maxUnsent=2m\nzoolite.replayDelay=1s\nzoolite.unsentTimeout=250\n"
		    "zoolite.logRetentionTime=7d\nzoolite.firstRequestTimeout=900ms\n");
	assert_int_equal(config.cache_bytes, 0);
	assert_int_equal(config.segment_bytes, 128 * 1024);
	assert_true(config.retention_bytes == UINT64_C(3) << 30);
	assert_int_equal(config.max_unsent, 2 << 20);
	assert_int_equal(config.replay_delay_ms, 1000);
	assert_int_equal(config.unsent_ms, 250);
	assert_int_equal(config.retention_ms, 7 * 86400000);
	assert_int_equal(config.first_request_ms, 900);
	expect_error(PLAIN "zoolite.segmentSize=1k\n",
		     "zoo.cfg:3: zoolite.segmentSize must be a size in bytes (or with k, m, g) "
		     "from 65536 to 4294967296, not \"1k\"");
	expect_error(PLAIN "zoolite.maxIdentities=2\n",
		     "zoo.cfg:3: zoolite.maxIdentities must be a number from 3 to 1000, not \"2\"");
	expect_error(PLAIN "zoolite.replayDelay=2h\n",
		     "zoo.cfg:3: zoolite.replayDelay must be a time in milliseconds "
		     "(or with ms, s, m, h, d) from 0 to 60000, not \"2h\"");
	assert_int_equal(parse(PLAIN "zoolite.cacheSize=9223372036854775807g\n"), -1);
	assert_int_equal(parse(PLAIN "zoolite.cacheSize=1t\n"), -1);
}

static void test_tls_stores(void **state)
{
	(void)state;
	expect_good("dataDir=/d\nsecureClientPort=2281\nsecureClientPortAddress=::1\n"
		    "ssl.keyStore.location=/c/server.pem\nssl.keyStore.password=secret\n"
		    "ssl.trustStore.location=/c/ca.pem\nssl.trustStore.password=x\n"
		    "ssl.clientAuth=WANT\nssl.enabledProtocols=TLSv1.3\n");
	assert_string_equal(config.secure_host, "::1");
	assert_string_equal(config.cert_file, "/c/server.pem");
	assert_string_equal(config.key_file, "/c/server.pem");
	assert_string_equal(config.key_password, "secret");
	assert_string_equal(config.trust_file, "/c/ca.pem");
	assert_int_equal(config.client_auth, TLS_CLIENT_AUTH_WANT);
	assert_false(config.tls_1_2);
	assert_true(config.tls_1_3);
	expect_good(TLS "ssl.protocol=TLSv1.2\n");
	assert_string_equal(config.cert_file, "c");
	assert_string_equal(config.key_file, "k");
	assert_string_equal(config.trust_file, "t");
	assert_true(config.tls_1_2);
	assert_false(config.tls_1_3);
	expect_good(TLS "ssl.enabledProtocols=TLSv1.2, TLSv1.3\n");
	assert_true(config.tls_1_2 && config.tls_1_3);
}

static void test_store_types(void **state)
{
	(void)state;
	expect_good(TLS "ssl.keyStore.type=pem\nssl.trustStore.type=PEM\n");
	expect_good("dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=tls.crt\n"
		    "ssl.trustStore.location=a.jks\nssl.trustStore.type=PEM\n");
	expect_error(TLS "ssl.keyStore.type=JKS\n",
		     "zoo.cfg:6: ssl.keyStore.type: type JKS is not supported, only PEM");
	expect_error("dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=/a/k.p12\n",
		     "zoo.cfg:3: ssl.keyStore.location: a p12 file is not supported, only PEM");
	expect_error("dataDir=/d\nsecureClientPort=1\nssl.trustStore.location=/a/k.jks\n",
		     "zoo.cfg:3: ssl.trustStore.location: a jks file is not supported, only PEM");
	expect_error(TLS "ssl.trustStore.type=BCFKS\n",
		     "zoo.cfg:6: ssl.trustStore.type: type BCFKS is not supported, only PEM");
}

static void expect_protocols(const char *text, bool tls_1_2, bool tls_1_3)
{
	expect_good(text);
	assert_int_equal(config.tls_1_2, tls_1_2);
	assert_int_equal(config.tls_1_3, tls_1_3);
	assert_int_equal(report.note_count, 0);
}

/* What is enabled counts, in whichever order the two stand. */
static void test_protocols(void **state)
{
	(void)state;
	expect_protocols(TLS, true, true);
	expect_protocols(TLS "ssl.protocol=TLSv1.3\n", false, true);
	expect_protocols(TLS "ssl.protocol=TLSv1.2\n", true, false);
	expect_protocols(TLS "ssl.enabledProtocols=TLSv1.3\nssl.protocol=TLSv1.2\n", false, true);
	expect_protocols(TLS "ssl.protocol=TLSv1.2\nssl.enabledProtocols=TLSv1.3\n", false, true);
	expect_protocols(TLS "ssl.enabledProtocols=TLSv1.2,TLSv1.3\nssl.protocol=TLSv1.3\n", true,
			 true);
}

static void test_handshakes(void **state)
{
	(void)state;
	expect_good(PLAIN "netty.server.outstandingHandshake.limit=7\n");
	assert_int_equal(config.max_handshakes, 7);
	assert_int_equal(report.note_count, 0);
	/* No limit is none of its own. */
	expect_good(PLAIN "netty.server.outstandingHandshake.limit=-1\n");
	assert_int_equal(config.max_handshakes, 250);
	expect_good(PLAIN "netty.server.outstandingHandshake.limit=0\n");
	assert_int_equal(config.max_handshakes, 250);
	expect_good(PLAIN "zoolite.maxHandshakes=9\nnetty.server.outstandingHandshake.limit=-1\n");
	assert_int_equal(config.max_handshakes, 9);
	assert_int_equal(report.note_count, 0);
	/* Two names of one setting: the later one counts, which is noted. */
	expect_good(PLAIN "zoolite.maxHandshakes=9\nnetty.server.outstandingHandshake.limit=7\n");
	assert_int_equal(config.max_handshakes, 7);
	assert_int_equal(report.note_count, 1);
	assert_int_equal(report.notes[0].kind, CONFIG_REPEATED);
	assert_string_equal(report.notes[0].name, "netty.server.outstandingHandshake.limit");
	assert_int_equal(report.notes[0].line, 4);
	expect_good(PLAIN "netty.server.outstandingHandshake.limit=7\nzoolite.maxHandshakes=9\n");
	assert_int_equal(config.max_handshakes, 9);
	assert_int_equal(report.note_count, 1);
	assert_string_equal(report.notes[0].name, "zoolite.maxHandshakes");
	expect_error(PLAIN "zoolite.maxHandshakes=0\n",
		     "zoo.cfg:3: zoolite.maxHandshakes must be a number from 1 to 100000, not "
		     "\"0\"");
	assert_int_equal(parse(PLAIN "netty.server.outstandingHandshake.limit=100001\n"), -1);
}

/* A name without a value, where ZooKeeper takes its default. */
static void test_empty_values(void **state)
{
	(void)state;
	expect_good(TLS "ssl.clientAuth=none\nssl.clientAuth=\nssl.keyStore.type=JKS\n"
			"ssl.keyStore.type=\nssl.trustStore.type=\n");
	assert_int_equal(config.client_auth, TLS_CLIENT_AUTH_NEED);
	assert_null(config.key_store_type);
	assert_null(config.trust_store_type);
	expect_good(TLS "ssl.crl=\nssl.ocsp=\nssl.clientHostnameVerification=\n"
			"enforce.auth.enabled=\nsessionRequireClientSASLAuth=\nenforceQuota=\n");
	/* Without a type it is the name that tells. */
	expect_error("dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=/a/k.p12\n"
		     "ssl.keyStore.type=\n",
		     "zoo.cfg:3: ssl.keyStore.location: a p12 file is not supported, only PEM");
	expect_good(PLAIN "DigestAuthenticationProvider.enabled=\n");
	assert_false(config.digest);
}

static void test_tls_errors(void **state)
{
	(void)state;
	expect_error("secureClientPort=1\ndataDir=/d\n",
		     "zoo.cfg:1: secureClientPort needs a certificate: ssl.keyStore.location, "
		     "or zoolite.certFile and zoolite.keyFile");
	expect_error("dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=a.pem\n",
		     "zoo.cfg:2: secureClientPort needs the CAs of its clients: "
		     "ssl.trustStore.location or zoolite.trustFile (or ssl.clientAuth=none)");
	expect_error("dataDir=/d\nsecureClientPort=1\n"
		     "ssl.keyStore.location=a.pem\nssl.clientAuth=want\n",
		     "zoo.cfg:2: secureClientPort needs the CAs of its clients: "
		     "ssl.trustStore.location or zoolite.trustFile (or ssl.clientAuth=none)");
	expect_good("dataDir=/d\nsecureClientPort=1\n"
		    "ssl.keyStore.location=a.pem\nssl.clientAuth=none\n");
	expect_error("dataDir=/d\nsecureClientPort=1\nzoolite.certFile=c\n",
		     "zoo.cfg:3: zoolite.certFile needs zoolite.keyFile");
	expect_error("dataDir=/d\nsecureClientPort=1\nzoolite.keyFile=c\n",
		     "zoo.cfg:3: zoolite.keyFile needs zoolite.certFile");
	expect_error(TLS "ssl.keyStore.location=a.pem\n",
		     "zoo.cfg:6: ssl.keyStore.location and zoolite.certFile name two certificates");
	expect_error(
		TLS "ssl.trustStore.location=a.pem\n",
		"zoo.cfg:6: ssl.trustStore.location and zoolite.trustFile name two sets of CAs");
	expect_error(TLS "ssl.clientAuth=maybe\n",
		     "zoo.cfg:6: ssl.clientAuth must be need, want or none, not \"maybe\"");
	expect_error(
		TLS "ssl.protocol=TLSv1.1\n",
		"zoo.cfg:6: ssl.protocol: \"TLSv1.1\" is not offered, only TLSv1.2 and TLSv1.3");
	expect_error(TLS "ssl.enabledProtocols=\n",
		     "zoo.cfg:6: ssl.enabledProtocols names no protocol");
	expect_error(
		TLS "ssl.handshakeDetectionTimeoutMillis=11000\n",
		"zoo.cfg:6: ssl.handshakeDetectionTimeoutMillis must be a time in milliseconds "
		"(or with ms, s, m, h, d) from 1 to 10000, not \"11000\"");
}

static void test_ports(void **state)
{
	(void)state;
	expect_error("dataDir=/d\n",
		     "zoo.cfg: no port to serve on: set secureClientPort (or clientPort)");
	expect_error("dataDir=/d\nzoolite.monitorPort=1\n",
		     "zoo.cfg: no port to serve on: set secureClientPort (or clientPort)");
	expect_error("dataDir=/d\nclientPort=1\nsecureClientPortAddress=h\n",
		     "zoo.cfg:3: secureClientPortAddress needs secureClientPort");
	expect_error("dataDir=/d\nclientPortAddress=h\nsecureClientPort=1\n",
		     "zoo.cfg:2: clientPortAddress needs clientPort");
	expect_error(TLS "clientPort=2281\n",
		     "zoo.cfg:6: clientPort and secureClientPort are the same");
	expect_good(TLS "clientPort=2281\nclientPortAddress=a\nsecureClientPortAddress=b\n");
	expect_good("dataDir=/d\nclientPort=0\nzoolite.monitorPort=0\n");
	expect_error(PLAIN "zoolite.monitorPort=2181\n",
		     "zoo.cfg:3: zoolite.monitorPort is the port of clients");
	expect_error("clientPort=1\n", "zoo.cfg: dataDir is not set");
	expect_error("dataDir=\nclientPort=1\n", "zoo.cfg:1: dataDir has no value");
}

static void test_ignored(void **state)
{
	static const char *const names[] = {
		"server.1",
		"initLimit",
		"syncLimit",
		"electionAlg",
		"snapCount",
		"admin.httpVersion",
		"metricsProvider.exportJvmInfo",
		"metricsProvider.httpsPort",
		"quorum.auth.enableSasl",
		"quorumListenOnAllIPs",
		"sslQuorum",
		"ssl.quorum.keyStore.location",
		"standaloneEnabled",
		"authProvider.sasl",
		"serverCnxnFactory",
		"client.portUnification",
		"zookeeper.superUser",
		"zookeeper.superUser.1",
		"fsync.warningthresholdms",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), PLAIN "%s=whatever\n", names[i]);
		expect_good(text);
		assert_int_equal(report.note_count, 1);
		assert_int_equal(report.notes[0].kind, CONFIG_IGNORED);
		assert_string_equal(report.notes[0].name, names[i]);
		assert_int_equal(report.notes[0].line, 3);
	}
}

#define PROMETHEUS "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"

static void test_http(void **state)
{
	static const char *const bad_urls[] = { "/",    "commands", "/commands/",
						"/a b", "/a?b",     "/<a>" };
	char text[256], error[256];

	(void)state;
	expect_good(PLAIN);
	assert_true(config.admin);
	assert_string_equal(config.admin_host, "127.0.0.1");
	assert_int_equal(config.admin_port, 8080);
	assert_string_equal(config.admin_url, "/commands");
	assert_int_equal(config.admin_idle_ms, 30000);
	assert_false(config.metrics);
	assert_string_equal(config.metrics_host, "127.0.0.1");
	assert_int_equal(config.metrics_port, 7000);
	assert_int_equal(config.max_http_head, 8192);
	expect_good(PLAIN "zookeeper.admin.enableServer=false\nadmin.serverAddress=0.0.0.0\n"
			  "admin.serverPort=1\nadmin.commandURL=/x/y\nadmin.idleTimeout=500\n"
			  "metricsProvider.className=" PROMETHEUS "\n"
			  "metricsProvider.httpHost=::\nmetricsProvider.httpPort=2\n"
			  "zoolite.maxHttpHead=1k\n");
	assert_false(config.admin);
	assert_string_equal(config.admin_host, "0.0.0.0");
	assert_int_equal(config.admin_port, 1);
	assert_string_equal(config.admin_url, "/x/y");
	assert_int_equal(config.admin_idle_ms, 500);
	assert_true(config.metrics);
	assert_string_equal(config.metrics_host, "::");
	assert_int_equal(config.metrics_port, 2);
	assert_int_equal(config.max_http_head, 1024);
	expect_good(PLAIN "metricsProvider.className="
			  "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider\n");
	assert_false(config.metrics);
	expect_error(PLAIN "metricsProvider.className=my.Own\n",
		     "zoo.cfg:3: metricsProvider.className: \"my.Own\" is none of ZooKeeper's");
	for (size_t i = 0; i < sizeof(bad_urls) / sizeof(*bad_urls); i++) {
		snprintf(text, sizeof(text), PLAIN "admin.commandURL=%s\n", bad_urls[i]);
		snprintf(error, sizeof(error),
			 "zoo.cfg:3: admin.commandURL must be a path like /commands");
		expect_error(text, error);
	}
	expect_error(
		PLAIN "admin.needClientAuth=true\n",
		"zoo.cfg:3: admin.needClientAuth is not supported by this version, but as false");
}

static void test_what_was_given(void **state)
{
	(void)state;
	expect_good(
		"# a comment\ndataDir : /d\nclientPort=2181\nzookeeper.ssl.keyStore.password=x\n"
		"ssl.quorum.trustStore.password=y\ninitLimit=5\n");
	assert_string_equal(config.given,
			    "dataDir=/d\nclientPort=2181\nzookeeper.ssl.keyStore.password=*\n"
			    "ssl.quorum.trustStore.password=*\ninitLimit=5\n");
	assert_int_equal(parse(""), -1);
	assert_string_equal(config.given, "");
}

static unsigned found;

static void find_value(void *ctx, const char *name, const char *value)
{
	(void)ctx;
	assert_null(strstr(value, "do-not-tell"));
	if (strcmp(name, "clientPort") == 0)
		found += strcmp(value, "2181") == 0;
	if (strcmp(name, "extendedTypesEnabled") == 0)
		found += strcmp(value, "false") == 0;
	if (strcmp(name, "metricsProvider.className") == 0)
		found += strcmp(value, PROMETHEUS) == 0;
	if (strcmp(name, "zoolite.cacheSize") == 0)
		found += strcmp(value, "1048576") == 0;
	if (strcmp(name, "zoolite.unsentTimeout") == 0)
		found += strcmp(value, "10000") == 0;
	if (strcmp(name, "ssl.clientAuth") == 0)
		found += strcmp(value, "want") == 0;
	if (strcmp(name, "ssl.enabledProtocols") == 0)
		found += strcmp(value, "TLSv1.3") == 0;
	if (strcmp(name, "ssl.keyStore.password") == 0 || strcmp(name, "dataLogDir") == 0)
		fail_msg("%s has no value to tell", name);
}

static void test_every_value(void **state)
{
	(void)state;
	expect_good(PLAIN "zoolite.cacheSize=1m\nssl.clientAuth=want\nssl.protocol=TLSv1.3\n"
			  "ssl.keyStore.password=do-not-tell\n"
			  "metricsProvider.className=" PROMETHEUS "\n");
	found = 0;
	config_foreach(&config, find_value, NULL);
	assert_int_equal(found, 7);
}

static void test_unknown(void **state)
{
	(void)state;
	expect_error(PLAIN "\n# x\ndataDri=/e\n", "zoo.cfg:5: unknown property \"dataDri\"");
	expect_error(PLAIN "zoolite.speed=fast\n", "zoo.cfg:3: unknown property \"zoolite.speed\"");
	/* A prefix alone is no name, and the names end where they end. */
	expect_error(PLAIN "server.=x\n", "zoo.cfg:3: unknown property \"server.\"");
	expect_error(PLAIN "snapCounts=1\n", "zoo.cfg:3: unknown property \"snapCounts\"");
	expect_error(PLAIN "=1\n", "zoo.cfg:3: unknown property \"\"");
	expect_error(PLAIN "initLimit\\u00zz=1\n", "zoo.cfg:3: a malformed \\uXXXX");
}

static void test_what_would_be_stricter(void **state)
{
	(void)state;
	expect_error(PLAIN "ssl.ocsp=true\n",
		     "zoo.cfg:3: ssl.ocsp is not supported by this version, but as false");
	expect_good(PLAIN "ssl.crl=False\nssl.authProvider=x509\nssl.ocsp=\n");
	assert_int_equal(report.note_count, 2);
}

static void expect_hash(const char *line, enum crypto_hash hash)
{
	expect_good(line);
	assert_int_equal(config.digest_hash, hash);
}

static void test_digest(void **state)
{
	(void)state;
	expect_hash(PLAIN, CRYPTO_SHA1);
	assert_true(config.digest);
	expect_hash(PLAIN "DigestAuthenticationProvider.digestAlg=sha-1\n", CRYPTO_SHA1);
	expect_hash(PLAIN "zookeeper.DigestAuthenticationProvider.digestAlg=SHA-256\n",
		    CRYPTO_SHA256);
	expect_hash(PLAIN "DigestAuthenticationProvider.digestAlg=SHA-512\n", CRYPTO_SHA512);
	expect_hash(PLAIN "DigestAuthenticationProvider.digestAlg=SHA3-256\n", CRYPTO_SHA3_256);
	expect_error(PLAIN "DigestAuthenticationProvider.digestAlg=MD5\n",
		     "zoo.cfg:3: DigestAuthenticationProvider.digestAlg must be SHA1, SHA-256, "
		     "SHA-512 or SHA3-256, not \"MD5\"");
	expect_good(PLAIN "DigestAuthenticationProvider.enabled=false\n");
	assert_false(config.digest);
}

static void test_identity(void **state)
{
	struct names_chain chain;

	(void)state;
	expect_good(PLAIN);
	config_names(&config, &chain);
	assert_int_equal(chain.count, 1);
	assert_false(chain.is_required);
	assert_int_equal(chain.max_names, 14);
	expect_good(PLAIN "zoolite.identity= uri, dn\nzoolite.maxIdentities=3\n");
	config_names(&config, &chain);
	assert_int_equal(chain.count, 2);
	assert_int_equal(chain.kinds[0], NAMES_URI);
	assert_true(chain.is_required);
	assert_int_equal(chain.max_names, 1);
	expect_error(PLAIN "zoolite.identity=uri,name\n",
		     "zoo.cfg:3: zoolite.identity is a list of uri, dns, email, cn and dn, "
		     "not \"uri,name\"");
}

static void test_revocation(void **state)
{
	(void)state;
	expect_good(TLS);
	assert_null(config.crl_file);
	assert_false(config.may_lack_crl);
	expect_good(TLS "ssl.crl=true\nzoolite.crlFile=/c\nzoolite.crlMissing=ALLOW\n");
	assert_string_equal(config.crl_file, "/c");
	assert_true(config.may_lack_crl);
	expect_good(TLS "zoolite.crlFile=/c\nzoolite.crlMissing=deny\n");
	assert_false(config.may_lack_crl);
	expect_error(TLS "ssl.crl=true\n",
		     "zoo.cfg:6: ssl.crl=true needs zoolite.crlFile: CRLs are read, never fetched");
	expect_error(PLAIN "zoolite.crlFile=/c\n",
		     "zoo.cfg:3: zoolite.crlFile needs the CAs whose CRLs it holds: "
		     "ssl.trustStore.location or zoolite.trustFile");
	expect_error(TLS "zoolite.crlMissing=perhaps\n",
		     "zoo.cfg:6: zoolite.crlMissing must be deny or allow, not \"perhaps\"");
}

static void test_enforced_schemes(void **state)
{
	(void)state;
	expect_good(PLAIN "enforce.auth.enabled=true\nenforce.auth.schemes= digest , x509 ,san\n");
	assert_true(config.enforce_auth);
	assert_string_equal(config.enforced_schemes, "digest,x509,san");
	expect_good(PLAIN "enforce.auth.schemes=ip\n");
	assert_false(config.enforce_auth);
	expect_error(PLAIN "enforce.auth.enabled=true\n",
		     "zoo.cfg:3: enforce.auth.enabled needs enforce.auth.schemes");
	expect_error(PLAIN "enforce.auth.schemes=digest,sasl\n",
		     "zoo.cfg:3: enforce.auth.schemes: there is no scheme \"sasl\" here");
	expect_error(PLAIN "enforce.auth.enabled=yes\n",
		     "zoo.cfg:3: enforce.auth.enabled is true or false, not \"yes\"");
}

static void test_audit(void **state)
{
	(void)state;
	expect_good(PLAIN);
	assert_true(config.audit && !config.audit_fail_closed);
	assert_null(config.audit_key);
	assert_null(config.audit_reads);
	expect_good(PLAIN "zoolite.audit=off\n");
	assert_false(config.audit);
	expect_good(PLAIN "zoolite.audit=on\nzoolite.auditKey=/k\nzoolite.auditFailClosed=true\n"
			  "zoolite.auditReads= /a , /b/c,/d\n");
	assert_true(config.audit && config.audit_fail_closed);
	assert_string_equal(config.audit_key, "/k");
	assert_string_equal(config.audit_reads, "/a,/b/c,/d");
	expect_error(PLAIN "zoolite.auditReads=/a,b\n",
		     "zoo.cfg:3: zoolite.auditReads: \"b\" is no path");
	expect_error(PLAIN "zoolite.auditFailClosed=true\n",
		     "zoo.cfg:3: zoolite.auditFailClosed needs zoolite.audit=on and "
		     "zoolite.auditKey");
	expect_error(PLAIN "zoolite.auditKey=/k\nzoolite.audit=off\nzoolite.auditFailClosed=on\n",
		     "zoo.cfg:5: zoolite.auditFailClosed needs zoolite.audit=on and "
		     "zoolite.auditKey");
	/* Only ours know on and off. */
	expect_error(PLAIN "extendedTypesEnabled=on\n",
		     "zoo.cfg:3: extendedTypesEnabled is true or false, not \"on\"");
}

static void test_last_one_counts(void **state)
{
	(void)state;
	expect_good(PLAIN "tickTime=1000\ntickTime=2000\nzookeeper.tickTime=4000\n");
	assert_int_equal(config.tick_ms, 4000);
	assert_int_equal(report.note_count, 2);
	assert_int_equal(report.notes[0].kind, CONFIG_REPEATED);
	assert_string_equal(report.notes[0].name, "tickTime");
	assert_int_equal(report.notes[0].line, 4);
	assert_string_equal(report.notes[1].name, "zookeeper.tickTime");
	/* The line of the one that counts. */
	expect_error(PLAIN "minSessionTimeout=1\nminSessionTimeout=70000\n",
		     "zoo.cfg:4: minSessionTimeout (70000) must not be larger than "
		     "maxSessionTimeout (60000)");
	expect_good("dataDir=/a\ndataDir=/b\nclientPort=1\n");
	assert_string_equal(config.data_dir, "/b");
}

static void test_words(void **state)
{
	(void)state;
	expect_good(PLAIN);
	assert_true(config_allows_word(&config, "srvr"));
	assert_false(config_allows_word(&config, "ruok"));
	expect_good(PLAIN "4lw.commands.whitelist=stat, ruok,,conf\n");
	assert_true(config_allows_word(&config, "stat"));
	assert_true(config_allows_word(&config, "ruok"));
	assert_true(config_allows_word(&config, "conf"));
	assert_true(config_allows_word(&config, "srvr"));
	assert_false(config_allows_word(&config, "mntr"));
	assert_false(config_allows_word(&config, ", ru"));
	expect_good(PLAIN "4lw.commands.whitelist=ruok, *\n");
	assert_true(config_allows_word(&config, "mntr"));
	expect_good(PLAIN "4lw.commands.whitelist=\n");
	assert_false(config_allows_word(&config, "ruok"));
	expect_error(PLAIN "4lw.commands.whitelist=ruok,status\n",
		     "zoo.cfg:3: 4lw.commands.whitelist: \"status\" is no four-letter word");
}

static void test_log_levels(void **state)
{
	(void)state;
	expect_good(PLAIN);
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	expect_good(PLAIN "zoolite.logLevel=debug\n");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	expect_good(PLAIN "zoolite.logLevel=WARN\n");
	assert_int_equal(config.log_level, LOG_LEVEL_WARN);
	expect_good(PLAIN "zoolite.logLevel=error\n");
	assert_int_equal(config.log_level, LOG_LEVEL_ERROR);
	expect_error(PLAIN "zoolite.logLevel=trace\n",
		     "zoo.cfg:3: zoolite.logLevel must be debug, info, warn or error, not "
		     "\"trace\"");
}

static void expect_waits(const char *before, const char *after, const char *names)
{
	struct config_report old_report;
	char got[CONFIG_NAMES_LEN];
	struct config old;

	assert_int_equal(config_parse(slice_of(before), "old.cfg", &old, &old_report), 0);
	expect_good(after);
	assert_int_equal(config_waits(&old, &config, got), *names != '\0');
	assert_string_equal(got, names);
	config_fini(&old);
	config_report_fini(&old_report);
}

/* One option of each type; what a reload takes; no more than differs. */
static void test_what_waits(void **state)
{
	(void)state;
	expect_waits(TLS, TLS, "");
	expect_waits(TLS, TLS "maxCnxns=0\nssl.clientAuth=need\n4lw.commands.whitelist=srvr\n", "");
	expect_waits(TLS, TLS "4lw.commands.whitelist=*\n", "4lw.commands.whitelist");
	expect_waits(TLS, TLS "extendedTypesEnabled=true\n", "extendedTypesEnabled");
	expect_waits(TLS, TLS "maxCnxns=3\n", "maxCnxns");
	expect_waits(TLS "zoolite.cacheSize=1g\n", TLS, "zoolite.cacheSize");
	expect_waits(TLS "zoolite.replayDelay=1s\n", TLS "zoolite.replayDelay=2s\n",
		     "zoolite.replayDelay");
	expect_waits(TLS, TLS "ssl.clientAuth=none\n", "ssl.clientAuth");
	expect_waits(TLS, TLS "ssl.enabledProtocols=TLSv1.2\n", "ssl.enabledProtocols");
	expect_waits(TLS, TLS "ssl.enabledProtocols=TLSv1.2,TLSv1.3\n", "");
	expect_waits(TLS "dataDir=/e\n", TLS, "dataDir");
	expect_waits(TLS, TLS "clientPort=1\nmaxClientCnxns=1\n", "clientPort,maxClientCnxns");
	expect_waits(TLS, TLS "tickTime=1000\n", "tickTime,minSessionTimeout,maxSessionTimeout");
	expect_waits(TLS,
		     "dataDir=/d\nsecureClientPort=2281\nssl.keyStore.location=a\n"
		     "ssl.keyStore.password=b\nssl.trustStore.location=c\nssl.trustStore.type=PEM\n"
		     "zoolite.logLevel=debug\n",
		     "");
	expect_waits(TLS,
		     "dataDir=/d\nsecureClientPort=2281\nzoolite.certFile=x\nzoolite.keyFile=y\n"
		     "zoolite.trustFile=z\n",
		     "");
	expect_waits(TLS, TLS "zoolite.denyList=/a\nzoolite.allowList=/b\n", "");
}

static void test_taking_what_a_reload_takes(void **state)
{
	struct config_report old_report;
	struct config old;

	(void)state;
	assert_int_equal(
		config_parse(slice_of(TLS "zoolite.denyList=/a\n"), "old.cfg", &old, &old_report),
		0);
	expect_good(TLS "zoolite.denyList=/b\nzoolite.allowList=/c\nmaxCnxns=7\n"
			"zoolite.logLevel=debug\n");
	config_take_reloaded(&old, &config);
	assert_string_equal(old.deny_list, "/b");
	assert_string_equal(old.allow_list, "/c");
	assert_int_equal(old.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(old.max_connections, 0);
	assert_string_equal(config.deny_list, "/a");
	assert_null(config.allow_list);
	config_fini(&old);
	config_report_fini(&old_report);
}

/* The password file alone is read anew; what cannot be read changes nothing. */
static void test_password_that_changes(void **state)
{
	char *dir = tmpdir_make(), path[512], text[1024], reason[CONFIG_REASON_LEN];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/password", dir);
	snprintf(text, sizeof(text), TLS "ssl.keyStore.passwordPath=%s\n", path);
	expect_good(text);
	assert_null(config.key_password);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("new\n", f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(config_read_password(&config, reason), 0);
	assert_string_equal(config.key_password, "new");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(config_read_password(&config, reason), -1);
	assert_non_null(strstr(reason, "ssl.keyStore.passwordPath: "));
	assert_non_null(strstr(reason, "No such file"));
	assert_string_equal(config.key_password, "new");
	tmpdir_remove(dir);
	expect_good(TLS);
	assert_int_equal(config_read_password(&config, reason), 0);
}

static void test_long_values(void **state)
{
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text), PLAIN "clientPort=%01000d\n", 7);
	expect_good(text);
	assert_int_equal(config.client_port, 7);
	snprintf(text, sizeof(text), PLAIN "clientPort=%02000dx\n", 7);
	assert_int_equal(parse(text), -1);
	assert_int_equal(strlen(report.reason), CONFIG_REASON_LEN - 1);
}

/* A file's name is as long as it is: line and reason stand behind it. */
static void test_long_names(void **state)
{
	static const char why[] = "unknown property \"x\"";
	char name[2 * PATH_MAX];

	(void)state;
	for (size_t len = 100; len < sizeof(name); len += 500) {
		size_t shown = len < PATH_MAX ? len : PATH_MAX;

		memset(name, 'n', len);
		name[len] = '\0';
		config_fini(&config);
		config_report_fini(&report);
		assert_int_equal(config_parse(slice_of("\n\nx=1\n"), name, &config, &report), -1);
		assert_int_equal(strspn(report.error, "n"), shown);
		assert_memory_equal(report.error + shown, ":3: ", 4);
		assert_string_equal(report.error + shown + 4, why);
		assert_string_equal(report.reason, why);
		assert_int_equal(report.line, 3);
	}
}

static void test_lines(void **state)
{
	(void)state;
	expect_good("dataDir=/d\nclientPort=1\n#\nzookeeper.tickTime=1\ntickTime=2\n");
	assert_int_equal(config_line(&report, "clientPort"), 2);
	assert_int_equal(config_line(&report, "tickTime"), 5);
	assert_int_equal(config_line(&report, "maxCnxns"), CONFIG_NO_LINE);
	assert_int_equal(config_line(&report, "nonsense"), CONFIG_NO_LINE);
}

/* ---- files ---- */

static char *directory;

static int make_directory(void **state)
{
	(void)state;
	directory = tmpdir_make();
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	tmpdir_remove(directory);
	return 0;
}

/* A file in the directory; the path lives until the next call with this slot. */
static const char *write_file(int slot, const char *content, size_t len)
{
	static char paths[2][PATH_MAX];
	FILE *f;

	snprintf(paths[slot], sizeof(paths[slot]), "%s/%d", directory, slot);
	f = fopen(paths[slot], "w");
	assert_non_null(f);
	assert_int_equal(fwrite(content, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return paths[slot];
}

static void test_load(void **state)
{
	const char *path = write_file(0, PLAIN "bad=1\n", strlen(PLAIN "bad=1\n"));
	char expected[PATH_MAX + 128];

	(void)state;
	assert_int_equal(config_load(path, &config, &report), -1);
	snprintf(expected, sizeof(expected), "%s:3: unknown property \"bad\"", path);
	assert_string_equal(report.error, expected);
	teardown(NULL);
	write_file(0, PLAIN, strlen(PLAIN));
	assert_int_equal(config_load(path, &config, &report), 0);
	assert_int_equal(config.client_port, 2181);
	unlink(path);
	teardown(NULL);
	assert_int_equal(config_load(path, &config, &report), -1);
	snprintf(expected, sizeof(expected), "%s: %s", path, strerror(ENOENT));
	assert_string_equal(report.error, expected);
	teardown(NULL);
	assert_int_equal(config_load(directory, &config, &report), -1);
	snprintf(expected, sizeof(expected), "%s: %s", directory, strerror(EISDIR));
	assert_string_equal(report.error, expected);
}

static void test_file_size(void **state)
{
	size_t most = 1024 * 1024;
	char *text = malloc(most + 1);
	const char *path;
	char expected[PATH_MAX + 128];

	(void)state;
	assert_non_null(text);
	memset(text, '#', most + 1);
	memcpy(text, PLAIN, strlen(PLAIN));
	path = write_file(0, text, most);
	assert_int_equal(config_load(path, &config, &report), 0);
	teardown(NULL);
	write_file(0, text, most + 1);
	assert_int_equal(config_load(path, &config, &report), -1);
	snprintf(expected, sizeof(expected), "%s: %s", path, strerror(EFBIG));
	assert_string_equal(report.error, expected);
	unlink(path);
	free(text);
}

static void test_password_file(void **state)
{
	const char *secret = write_file(1, "from a file\n", 12);
	char text[256], expected[256];
	const char *path;

	(void)state;
	snprintf(text, sizeof(text),
		 PLAIN "ssl.keyStore.password=x\nssl.keyStore.passwordPath=%s\n", secret);
	path = write_file(0, text, strlen(text));
	assert_int_equal(chmod(secret, 0600), 0);
	assert_int_equal(config_load(path, &config, &report), 0);
	assert_string_equal(config.key_password, "from a file");
	teardown(NULL);
	assert_int_equal(chmod(secret, 0604), 0);
	assert_int_equal(config_load(path, &config, &report), -1);
	assert_non_null(strstr(report.error, "holds a secret, but others than its owner may"));
	teardown(NULL);
	unlink(secret);
	assert_int_equal(config_load(path, &config, &report), -1);
	snprintf(expected, sizeof(expected), "%s:4: ssl.keyStore.passwordPath: %s: %s", path,
		 secret, strerror(ENOENT));
	assert_string_equal(report.error, expected);
	unlink(path);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_presets),
		TEST(test_zookeeper_names),
		TEST(test_prefix_of_system_properties),
		TEST(test_sessions_follow_tick),
		TEST(test_numbers),
		TEST(test_sizes_and_times),
		TEST(test_tls_stores),
		TEST(test_store_types),
		TEST(test_protocols),
		TEST(test_handshakes),
		TEST(test_empty_values),
		TEST(test_tls_errors),
		TEST(test_ports),
		TEST(test_ignored),
		TEST(test_http),
		TEST(test_what_was_given),
		TEST(test_every_value),
		TEST(test_unknown),
		TEST(test_what_would_be_stricter),
		TEST(test_revocation),
		TEST(test_enforced_schemes),
		TEST(test_digest),
		TEST(test_identity),
		TEST(test_audit),
		TEST(test_last_one_counts),
		TEST(test_words),
		TEST(test_log_levels),
		TEST(test_what_waits),
		TEST(test_taking_what_a_reload_takes),
		TEST(test_password_that_changes),
		TEST(test_long_values),
		TEST(test_long_names),
		TEST(test_lines),
		TEST(test_load),
		TEST(test_file_size),
		TEST(test_password_file),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
