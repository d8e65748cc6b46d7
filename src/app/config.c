#include "app/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/properties.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/private_file.h"
#include "core/policy.h"
#include "net/names.h"

enum {
	FILE_MAX_LEN = 1024 * 1024,
	SECRET_MAX_LEN = 4096,
	GIVEN_MAX_LEN = 2 * FILE_MAX_LEN, /* each line may get a '=' and a line end */
	NO_LINE = CONFIG_NO_LINE,
	PLACE_LEN = 16,
	NAME_SHOWN = 300, /* of a file in a reason, which goes on behind it */
	PORT_MAX = 65535,
	/* 20 ticks, ZooKeeper's default for the longest session, must fit an int. */
	TICK_MAX_MS = INT_MAX / 20,
	DEFAULT_TICK_MS = 3000,
	MIN_SESSION_TICKS = 2,
	MAX_SESSION_TICKS = 20,
	IDS_BESIDE_NAMES = 2, /* an address, and the super user */
};

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum option_type {
	OPTION_BOOL,      /* bool: true or false */
	OPTION_INT,       /* int32_t */
	OPTION_SIZE,      /* uint64_t: bytes, or with k, m, g */
	OPTION_TIME,      /* int64_t: milliseconds, or with ms, s, m, h, d */
	OPTION_TEXT,      /* char *, not empty */
	OPTION_TYPE,      /* char *, NULL where it is empty */
	OPTION_SECRET,    /* char *, may be empty, wiped when freed */
	OPTION_AUTH,      /* enum tls_client_auth */
	OPTION_LEVEL,     /* enum log_level */
	OPTION_HASH,      /* enum crypto_hash */
	OPTION_PROTOCOLS, /* unsigned: CONFIG_TLS_1_2 and CONFIG_TLS_1_3 */
	OPTION_WORDS,     /* char *, four-letter words */
	OPTION_SCHEMES,   /* char *, authentication schemes with commas */
	OPTION_NAMES,     /* char *, kinds of names in a certificate with commas */
	OPTION_PROVIDER,  /* bool: is it ZooKeeper's class for Prometheus? */
	OPTION_VERDICT,   /* bool: allow or deny */
};

struct option {
	const char *name;
	enum option_type type;
	size_t offset; /* in struct config */
	int64_t min, max, preset;
};

#define TO(member) offsetof(struct config, member)

static const struct option options[] = {
	{ "dataDir", OPTION_TEXT, TO(data_dir), 0, 0, 0 },
	{ "dataLogDir", OPTION_TEXT, TO(data_log_dir), 0, 0, 0 },
	{ "zoolite.user", OPTION_TEXT, TO(user), 0, 0, 0 },
	{ "clientPort", OPTION_INT, TO(client_port), 0, PORT_MAX, CONFIG_NO_PORT },
	{ "clientPortAddress", OPTION_TEXT, TO(client_host), 0, 0, 0 },
	{ "secureClientPort", OPTION_INT, TO(secure_port), 0, PORT_MAX, CONFIG_NO_PORT },
	{ "secureClientPortAddress", OPTION_TEXT, TO(secure_host), 0, 0, 0 },
	{ "tickTime", OPTION_INT, TO(tick_ms), 1, TICK_MAX_MS, DEFAULT_TICK_MS },
	{ "minSessionTimeout", OPTION_INT, TO(min_session_ms), -1, INT_MAX, -1 },
	{ "maxSessionTimeout", OPTION_INT, TO(max_session_ms), -1, INT_MAX, -1 },
	{ "maxClientCnxns", OPTION_INT, TO(max_per_address), 0, INT_MAX, 60 },
	{ "maxCnxns", OPTION_INT, TO(max_connections), 0, INT_MAX, 0 },
	{ "clientPortListenBacklog", OPTION_INT, TO(backlog), -1, INT_MAX, -1 },
	{ "jute.maxbuffer", OPTION_INT, TO(max_frame), 1024, 64 * MIB, 0xfffff },
	{ "extendedTypesEnabled", OPTION_BOOL, TO(extended_types), 0, 0, false },
	{ "reconfigEnabled", OPTION_BOOL, TO(reconfig_enabled), 0, 0, false },
	{ "znode.container.checkIntervalMs", OPTION_TIME, TO(container_check_ms), 1, DAY, MINUTE },
	{ "znode.container.maxPerMinute", OPTION_INT, TO(container_max_per_minute), 1, 60000,
	  10000 },
	{ "znode.container.maxNeverUsedIntervalMs", OPTION_TIME, TO(container_never_used_ms), 0,
	  36500 * DAY, 0 },
	{ "enforceQuota", OPTION_BOOL, TO(enforce_quota), 0, 0, false },
	{ "zoolite.maxQuotas", OPTION_INT, TO(max_quotas), 0, 1000000, 10000 },
	{ "4lw.commands.whitelist", OPTION_WORDS, TO(words), 0, 0, 0 },

	{ "globalOutstandingLimit", OPTION_INT, TO(max_outstanding), 0, INT_MAX, 0 },
	{ "connection_throttle_tokens", OPTION_INT, TO(connect_tokens), 0, INT_MAX, 0 },
	{ "connection_throttle_fill_time", OPTION_TIME, TO(connect_fill_ms), 1, HOUR, 1 },
	{ "connection_throttle_fill_count", OPTION_INT, TO(connect_fill_count), 1, INT_MAX, 1 },
	{ "enforce.auth.enabled", OPTION_BOOL, TO(enforce_auth), 0, 0, false },
	{ "enforce.auth.schemes", OPTION_SCHEMES, TO(enforced_schemes), 0, 0, 0 },
	{ "DigestAuthenticationProvider.enabled", OPTION_BOOL, TO(digest), 0, 0, true },
	{ "DigestAuthenticationProvider.digestAlg", OPTION_HASH, TO(digest_hash), 0, 0,
	  CRYPTO_SHA1 },
	{ "DigestAuthenticationProvider.superDigest", OPTION_SECRET, TO(super_digest), 0, 0, 0 },
	{ "X509AuthenticationProvider.superUser", OPTION_TEXT, TO(super_x509), 0, 0, 0 },
	{ "zoolite.identity", OPTION_NAMES, TO(identity), 0, 0, 0 },
	{ "zoolite.policyFile", OPTION_TEXT, TO(policy_file), 0, 0, 0 },
	{ "zoolite.maxPolicySize", OPTION_SIZE, TO(max_policy_bytes), KIB, 64 * MIB, MIB },
	{ "zoolite.maxPolicyRules", OPTION_INT, TO(max_policy_rules), 1, 1000000, 10000 },
	{ "zoolite.maxRoles", OPTION_INT, TO(max_roles), 1, POLICY_MOST_ROLES, 16 },
	{ "admin.enableServer", OPTION_BOOL, TO(admin), 0, 0, true },
	{ "admin.serverAddress", OPTION_TEXT, TO(admin_host), 0, 0, 0 },
	{ "admin.serverPort", OPTION_INT, TO(admin_port), 0, PORT_MAX, 8080 },
	{ "admin.commandURL", OPTION_TEXT, TO(admin_url), 0, 0, 0 },
	{ "admin.idleTimeout", OPTION_TIME, TO(admin_idle_ms), 100, HOUR, 30 * SECOND },
	{ "metricsProvider.className", OPTION_PROVIDER, TO(metrics), 0, 0, false },
	{ "metricsProvider.httpHost", OPTION_TEXT, TO(metrics_host), 0, 0, 0 },
	{ "metricsProvider.httpPort", OPTION_INT, TO(metrics_port), 0, PORT_MAX, 7000 },
	{ "zoolite.maxHttpHead", OPTION_SIZE, TO(max_http_head), KIB, 64 * KIB, 8 * KIB },

	{ "ssl.keyStore.location", OPTION_TEXT, TO(key_store_file), 0, 0, 0 },
	{ "ssl.keyStore.type", OPTION_TYPE, TO(key_store_type), 0, 0, 0 },
	{ "ssl.keyStore.password", OPTION_SECRET, TO(key_password), 0, 0, 0 },
	{ "ssl.keyStore.passwordPath", OPTION_TEXT, TO(key_password_file), 0, 0, 0 },
	{ "ssl.trustStore.location", OPTION_TEXT, TO(trust_store_file), 0, 0, 0 },
	{ "ssl.trustStore.type", OPTION_TYPE, TO(trust_store_type), 0, 0, 0 },
	{ "ssl.trustStore.password", OPTION_SECRET, TO(trust_store_password), 0, 0, 0 },
	{ "ssl.trustStore.passwordPath", OPTION_TEXT, TO(trust_store_password_file), 0, 0, 0 },
	{ "ssl.clientAuth", OPTION_AUTH, TO(client_auth), 0, 0, TLS_CLIENT_AUTH_NEED },
	{ "ssl.crl", OPTION_BOOL, TO(needs_crl), 0, 0, false },
	{ "ssl.protocol", OPTION_PROTOCOLS, TO(protocol), 0, 0, 0 },
	{ "ssl.ciphersuites", OPTION_TEXT, TO(ciphers), 0, 0, 0 },
	{ "ssl.enabledProtocols", OPTION_PROTOCOLS, TO(enabled_protocols), 0, 0, 0 },
	{ "ssl.handshakeDetectionTimeoutMillis", OPTION_TIME, TO(handshake_ms), 1, 10 * SECOND,
	  5 * SECOND },
	/* ZooKeeper's name for zoolite.maxHandshakes; there 0 and less are no limit. */
	{ "netty.server.outstandingHandshake.limit", OPTION_INT, TO(netty_handshakes), INT_MIN,
	  100000, 0 },

	{ "zoolite.certFile", OPTION_TEXT, TO(cert_file), 0, 0, 0 },
	{ "zoolite.keyFile", OPTION_TEXT, TO(key_file), 0, 0, 0 },
	{ "zoolite.trustFile", OPTION_TEXT, TO(trust_file), 0, 0, 0 },
	{ "zoolite.crlFile", OPTION_TEXT, TO(crl_file), 0, 0, 0 },
	{ "zoolite.crlMissing", OPTION_VERDICT, TO(may_lack_crl), 0, 0, false },
	{ "zoolite.reloadInterval", OPTION_TIME, TO(reload_interval_ms), 0, DAY, 10 * SECOND },
	{ "zoolite.denyList", OPTION_TEXT, TO(deny_list), 0, 0, 0 },
	{ "zoolite.allowList", OPTION_TEXT, TO(allow_list), 0, 0, 0 },
	{ "zoolite.proxyFrom", OPTION_TEXT, TO(proxy_from), 0, 0, 0 },
	{ "zoolite.logLevel", OPTION_LEVEL, TO(log_level), 0, 0, LOG_LEVEL_INFO },
	{ "zoolite.monitorPort", OPTION_INT, TO(monitor_port), 0, PORT_MAX, CONFIG_NO_PORT },
	{ "zoolite.controlSocket", OPTION_TEXT, TO(control_socket), 0, 0, 0 },
	{ "zoolite.controlTimeout", OPTION_TIME, TO(control_ms), 100, MINUTE, 5 * SECOND },
	{ "zoolite.maxControlConnections", OPTION_INT, TO(max_control), 1, 1000, 8 },
	{ "zoolite.gateThreads", OPTION_INT, TO(gate_threads), 1, 64, 2 },
	{ "zoolite.maxHandshakes", OPTION_INT, TO(max_handshakes), 1, 100000, 250 },
	{ "zoolite.maxFailures", OPTION_INT, TO(max_failures), 0, INT_MAX, 1000 },
	{ "zoolite.failureWindow", OPTION_TIME, TO(failure_window_ms), SECOND, DAY, MINUTE },
	{ "zoolite.maxHandshakeRate", OPTION_INT, TO(max_handshake_rate), 0, 100000, 0 },
	{ "zoolite.firstRequestTimeout", OPTION_TIME, TO(first_request_ms), 100, 10 * SECOND,
	  10 * SECOND },
	{ "zoolite.maxUnsent", OPTION_SIZE, TO(max_unsent), 64 * KIB, GIB, MIB },
	{ "zoolite.unsentTimeout", OPTION_TIME, TO(unsent_ms), 100, HOUR, 10 * SECOND },
	{ "zoolite.maxInFlight", OPTION_SIZE, TO(max_in_flight), 4 * KIB, GIB, MIB },
	{ "zoolite.maxReadAhead", OPTION_SIZE, TO(max_read_ahead), 4 * KIB, GIB, 128 * KIB },
	{ "zoolite.maxBuffered", OPTION_SIZE, TO(max_buffered), MIB, TIB, 48 * MIB },
	{ "zoolite.maxWatches", OPTION_INT, TO(max_watches), 1, INT_MAX, 100000 },
	{ "zoolite.maxWatchSize", OPTION_SIZE, TO(max_watch_bytes), 64 * KIB, GIB, 32 * MIB },
	{ "zoolite.maxEphemerals", OPTION_INT, TO(max_ephemerals), 1, INT_MAX, 100000 },
	{ "zoolite.maxEphemeralSize", OPTION_SIZE, TO(max_ephemeral_bytes), 64 * KIB, 64 * MIB,
	  16 * MIB },
	{ "zoolite.maxSessions", OPTION_INT, TO(max_sessions), 1, INT_MAX, 100000 },
	{ "zoolite.maxSessionsPerIdentity", OPTION_INT, TO(max_sessions_per_identity), 0, INT_MAX,
	  0 },
	{ "zoolite.maxConnectionsPerIdentity", OPTION_INT, TO(max_per_identity), 0, INT_MAX, 0 },
	{ "zoolite.writeRate", OPTION_INT, TO(write_rate), 0, 1000000, 0 },
	{ "zoolite.maxPath", OPTION_INT, TO(max_path), 256, 256 * KIB, 16 * KIB },
	/* An address, a name of a certificate, and its super user. */
	{ "zoolite.maxIdentities", OPTION_INT, TO(max_ids), 3, 1000, 16 },
	{ "zoolite.maxIdentitySize", OPTION_INT, TO(max_id_bytes), 64, 64 * KIB, 4 * KIB },
	{ "zoolite.maxAcls", OPTION_INT, TO(max_acls), 1, INT_MAX, 100000 },
	{ "zoolite.maxAclEntries", OPTION_INT, TO(max_acl_entries), 1, 10000, 128 },
	{ "zoolite.maxAclSize", OPTION_INT, TO(max_acl_bytes), 256, MIB, 64 * KIB },
	{ "zoolite.maxReply", OPTION_SIZE, TO(max_reply), MIB, GIB, 40 * MIB },
	{ "zoolite.maxPendingSize", OPTION_SIZE, TO(max_pending_bytes), MIB, TIB, 64 * MIB },
	{ "zoolite.cacheSize", OPTION_SIZE, TO(cache_bytes), 0, TIB, 64 * MIB },
	{ "zoolite.treeCacheSize", OPTION_SIZE, TO(tree_cache_bytes), 256 * KIB, TIB, 16 * MIB },
	{ "zoolite.segmentSize", OPTION_SIZE, TO(segment_bytes), 64 * KIB, 4 * GIB, 64 * MIB },
	{ "zoolite.logRetention", OPTION_SIZE, TO(retention_bytes), 0, TIB, GIB },
	{ "zoolite.logRetentionTime", OPTION_TIME, TO(retention_ms), 0, 36500 * DAY, 0 },
	{ "zoolite.lowRoom", OPTION_SIZE, TO(low_bytes), 0, TIB, 64 * MIB },
	{ "zoolite.reserve", OPTION_SIZE, TO(ballast_bytes), 0, TIB, 32 * MIB },
	{ "zoolite.maxTreeWal", OPTION_SIZE, TO(most_tree_wal_bytes), MIB, TIB, GIB },
	{ "zoolite.alarmLag", OPTION_INT, TO(alarm_lag), 0, INT_MAX, 100000 },
	{ "zoolite.alarmTreeWal", OPTION_SIZE, TO(alarm_tree_wal), 0, TIB, 256 * MIB },
	{ "zoolite.alarmTreeSize", OPTION_SIZE, TO(alarm_tree_size), 0, TIB, 0 },
	{ "zoolite.alarmLogSize", OPTION_SIZE, TO(alarm_log_size), 0, TIB, 0 },
	{ "zoolite.alarmLogWal", OPTION_SIZE, TO(alarm_log_wal), 0, TIB, 0 },
	{ "zoolite.alarmSyncTime", OPTION_TIME, TO(alarm_sync_ms), 0, HOUR, SECOND },
	{ "zoolite.alarmFreeRoom", OPTION_SIZE, TO(alarm_free_room), 0, TIB, 256 * MIB },
	{ "zoolite.alarmSnapshotAge", OPTION_TIME, TO(alarm_snapshot_age_ms), 0, 36500 * DAY, DAY },
	{ "zoolite.audit", OPTION_BOOL, TO(audit), 0, 0, true },
	{ "zoolite.auditKey", OPTION_TEXT, TO(audit_key), 0, 0, 0 },
	{ "zoolite.auditFailClosed", OPTION_BOOL, TO(audit_fail_closed), 0, 0, false },
	{ "zoolite.auditReads", OPTION_TEXT, TO(audit_reads), 0, 0, 0 },
	{ "zoolite.maxAuditEvents", OPTION_INT, TO(max_audit_events), 16, 100000, 256 },
	{ "zoolite.snapshotDir", OPTION_TEXT, TO(snapshot_dir), 0, 0, 0 },
	{ "zoolite.snapshotInterval", OPTION_TIME, TO(snapshot_interval_ms), 0, 365 * DAY, HOUR },
	{ "zoolite.snapshotAge", OPTION_TIME, TO(snapshot_age_ms), 0, 36500 * DAY, 0 },
	{ "autopurge.snapRetainCount", OPTION_INT, TO(snap_retain), INT_MIN, INT_MAX, 3 },
	{ "autopurge.purgeInterval", OPTION_INT, TO(purge_hours), INT_MIN, INT_MAX, 0 },
	{ "zoolite.snapshotStep", OPTION_INT, TO(snapshot_step), 1, 65536, 64 },
	{ "zoolite.snapshotRate", OPTION_SIZE, TO(snapshot_rate), 0, TIB, 64 * MIB },
	{ "zoolite.snapshotSpare", OPTION_SIZE, TO(snapshot_spare_bytes), 0, TIB, 128 * MIB },
	{ "zoolite.snapshotTimeout", OPTION_TIME, TO(snapshot_timeout_ms), 100, DAY, HOUR },
	{ "admin.snapshot.enabled", OPTION_BOOL, TO(admin_snapshot), 0, 0, false },
	{ "zoolite.replayBatch", OPTION_INT, TO(replay_batch_rows), 1, 1000000, 10000 },
	{ "zoolite.replayDelay", OPTION_TIME, TO(replay_delay_ms), 0, MINUTE, 100 },
	{ "zoolite.maxLag", OPTION_INT, TO(max_lag_rows), 1000, 100000000, 200000 },
};

#define CLASS_OF_PROMETHEUS "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
#define LOOPBACK "127.0.0.1"

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

/* Properties of ZooKeeper that mean nothing to a single node, or that shape the inside of another
 * server. From the administrator's guide and QuorumPeerConfig, 3.4 to 3.10. A name that ends with a
 * dot stands for all behind it. */
static const char *const ignored[] = {
	/* an ensemble */
	"server.",
	"group.",
	"weight.",
	"initLimit",
	"syncLimit",
	"electionAlg",
	"electionPortBindRetry",
	"leaderServes",
	"peerType",
	"syncEnabled",
	"cnxTimeout",
	"quorumCnxnTimeoutMs",
	"connectToLearnerMasterLimit",
	"observerMasterPort",
	"observerMaster.sizeLimit",
	"observer.",
	"fastleader.",
	"leader.",
	"learner.",
	"follower.",
	"leaderConnectDelayDuringRetryMs",
	"maxTimeToWaitForEpoch",
	"maxConcurrentSnapSyncs",
	"maxConcurrentDiffSyncs",
	"forward_learner_requests_to_commit_processor_disabled",
	"forceSnapshotSync",
	"standaloneEnabled",
	"dynamicConfigFile",
	"version",
	"oraclePath",
	"localSessionsEnabled",
	"localSessionsUpgradingEnabled",
	"ensembleAuthName",
	"tcpKeepAlive",
	"multiAddress.",
	"quorumListenOnAllIPs",
	"quorum.auth.",
	"quorum.cnxn.threads.size",
	"sslQuorum",
	"sslQuorumReloadCertFiles",
	"portUnification",
	"ssl.quorum.",
	/* its files and its threads */
	"snapCount",
	"commitLogCount",
	"snapSizeLimitInKb",
	"txnLogSizeLimitInKb",
	"snapshotSizeFactor",
	"snapshot.",
	"serializeLastProcessedZxid.enabled",
	"preAllocSize",
	"forceSync",
	"fsync.warningthresholdms",
	"digest.enabled",
	"datadir.autocreate",
	"db.autocreate",
	"flushDelay",
	"maxWriteQueuePollTime",
	"maxBatchSize",
	"serverCnxnFactory",
	"nio.",
	"netty.",
	"commitProcessor.",
	"intBufferStartingSizeBytes",
	"jute.maxbuffer.extrasize",
	"maxResponseCacheSize",
	"maxGetChildrenResponseCacheSize",
	"watchManagerName",
	"watcherCleanThreadsNum",
	"watcherCleanThreshold",
	"watcherCleanIntervalInSeconds",
	"maxInProcessingDeadWatchers",
	"bitHashCacheSize",
	"closeSessionTxn.enabled",
	"emulate353TTLNodes",
	"readonlymode.enabled",
	"messageTracker.",
	"pathStats.",
	"test.",
	"testingonly.",
	/* its ways to slow clients down; ours are the limits above */
	"largeRequestMaxBytes",
	"largeRequestThreshold",
	"connection_throttle_freeze_time",
	"connection_throttle_drop_increase",
	"connection_throttle_drop_decrease",
	"connection_throttle_decrease_ratio",
	"connection_throttle_weight_enabled",
	"connection_throttle_global_session_weight",
	"connection_throttle_local_session_weight",
	"connection_throttle_renew_session_weight",
	"connectionMaxTokens",
	"connectionTokenFillTime",
	"connectionTokenFillCount",
	"connectionFreezeTime",
	"connectionDropIncrease",
	"connectionDropDecrease",
	"connectionDecreaseRatio",
	"request_throttle_max_requests",
	"request_throttle_stall_time",
	"request_throttle_drop_stale",
	"request_stale_latency_check",
	"request_stale_connection_check",
	"request_throttler.shutdownTimeout",
	"requestThrottleLimit",
	"requestThrottleStallTime",
	"requestThrottleDropStale",
	"requestStaleLatencyCheck",
	"requestStaleConnectionCheck",
	"throttled_op_wait_time",
	"throttledOpWaitTime",
	"advancedFlowControlEnabled",
	"clientTcpKeepAlive",
	/* what is watched and who may do more */
	"admin.",
	"metricsProvider.",
	"audit.",
	"jmx.",
	"jvm.pause.",
	"authProvider",
	"authProvider.",
	"superUser",
	"superUser.",
	"X509AuthenticationProvider.",
	"IPAuthenticationProvider.usexforwardedfor",
	"enableEagerACLCheck",
	"skipACL",
	"kerberos.",
	"security.auth_to_local",
	"server.principal",
	"letAnySaslUserDoX",
	"allowSaslFailedClients",
	"requireKerberosConfig",
	"kinit",
	"sasl.",
	"SASLAuthenticationProvider.superPassword",
	/* TLS: always on here, or a client's */
	"fips-mode",
	"ssl.sslProvider",
	"ssl.hostnameVerification",
	"ssl.allowReverseDnsLookup",
	"client.portUnification",
	"client.certReload",
	"client.secure",
	"clientCnxnSocket",
	"disableAutoWatchReset",
	"shuffleDnsResponse",
	"hostProvider.",
	"request.timeout",
	"configuration",
};

/* Properties that would make the server stricter than this version can be: to pass them over would
 * be less than the operator asked for. Harmless with the one value that changes nothing. */
static const struct refused {
	const char *name;
	const char *harmless; /* NULL: no value is */
} refused[] = {
	{ "admin.forceHttps", "false" },
	{ "admin.needClientAuth", "false" },
	{ "ssl.ocsp", "false" },
	{ "ssl.clientHostnameVerification", "false" },
	{ "ssl.context.supplier.class", NULL },
	{ "ssl.authProvider", "x509" },
	{ "sessionRequireClientSASLAuth", "false" },
};

/* What a reload takes from the file; the rest waits for a restart. */
static const char *const reloaded[] = {
	"ssl.keyStore.",      "ssl.trustStore.",       "zoolite.certFile",
	"zoolite.keyFile",    "zoolite.trustFile",     "zoolite.logLevel",
	"ssl.ciphersuites",   "zoolite.crlFile",       "zoolite.crlMissing",
	"zoolite.denyList",   "zoolite.allowList",     "zoolite.proxyFrom",
	"zoolite.policyFile", "zoolite.maxPolicySize", "zoolite.maxPolicyRules",
	"zoolite.maxRoles",
};

/* One reading of one text. */
struct reading {
	struct config *config;
	struct config_report *report;
	const char *name; /* of the file */
	struct buf given; /* becomes config.given */
};

/* ---- errors and notes ---- */

printf_like(3, 4) static int fail(struct reading *r, unsigned line, const char *fmt, ...)
{
	struct config_report *report = r->report;
	char place[PLACE_LEN] = "";
	va_list args;
	int start;

	if (line != NO_LINE)
		snprintf(place, sizeof(place), "%u:", line);
	/* A name that no file can have is cut, so that the reason always has its room. */
	start = snprintf(report->error, sizeof(report->error), "%.*s:%s ", PATH_MAX, r->name,
			 place);
	if (start < 0)
		start = 0;
	report->reason = report->error + start;
	report->line = line;
	va_start(args, fmt);
	/* A cut reason is still one: vsnprintf ends it. */
	if (vsnprintf(report->error + start, CONFIG_REASON_LEN, fmt, args) < 0)
		report->error[start] = '\0';
	va_end(args);
	return -1;
}

static void note(struct reading *r, enum config_note_kind kind, const char *name, unsigned line)
{
	struct config_report *report = r->report;
	struct config_note *n;

	report->notes = mem_grow(report->notes, (report->note_count + 1) * sizeof(*report->notes));
	n = &report->notes[report->note_count++];
	n->kind = kind;
	n->name = mem_strdup(name);
	n->line = line;
}

/* ---- members by their type ---- */

static void *member(const struct option *o, struct config *c)
{
	return (char *)c + o->offset;
}

static void wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
}

static bool is_text(enum option_type type)
{
	return type == OPTION_TEXT || type == OPTION_TYPE || type == OPTION_SECRET ||
	       type == OPTION_WORDS || type == OPTION_SCHEMES || type == OPTION_NAMES;
}

static void set_text(char **target, const char *value)
{
	mem_free(*target);
	*target = mem_strdup(value);
}

static void set_number(const struct option *o, struct config *c, int64_t value)
{
	switch (o->type) {
	case OPTION_BOOL:
	case OPTION_PROVIDER:
	case OPTION_VERDICT:
		*(bool *)member(o, c) = value != 0;
		break;
	case OPTION_INT:
		*(int32_t *)member(o, c) = (int32_t)value;
		break;
	case OPTION_SIZE:
		*(uint64_t *)member(o, c) = (uint64_t)value;
		break;
	case OPTION_TIME:
		*(int64_t *)member(o, c) = value;
		break;
	case OPTION_AUTH:
		*(enum tls_client_auth *)member(o, c) = (enum tls_client_auth)value;
		break;
	case OPTION_HASH:
		*(enum crypto_hash *)member(o, c) = (enum crypto_hash)value;
		break;
	case OPTION_LEVEL:
		*(enum log_level *)member(o, c) = (enum log_level)value;
		break;
	case OPTION_TEXT:
	case OPTION_TYPE:
	case OPTION_SECRET:
	case OPTION_PROTOCOLS:
	case OPTION_WORDS:
	case OPTION_SCHEMES:
	case OPTION_NAMES:
		break;
	}
}

static void set_presets(struct config *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < OPTION_COUNT; i++)
		set_number(&options[i], c, options[i].preset);
	set_text(&c->words, "srvr");
}

/* ---- values ---- */

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit sizes[] = { { "", 1 },    { "k", KIB }, { "K", KIB }, { "m", MIB },
				     { "M", MIB }, { "g", GIB }, { "G", GIB }, { NULL, 0 } };
static const struct unit times[] = { { "", 1 },     { "ms", 1 },  { "s", SECOND }, { "m", MINUTE },
				     { "h", HOUR }, { "d", DAY }, { NULL, 0 } };

/* A decimal (or 0x…) number with a unit, within bounds. */
static int parse_number(const char *text, const struct unit *units, int64_t min, int64_t max,
			int64_t *out)
{
	const char *digits = text + (*text == '-' || *text == '+');
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	long long number;
	char *end;

	/* strtoll would pass over white space and read octal. */
	if (!(*digits >= '0' && *digits <= '9'))
		return -1;
	errno = 0;
	number = strtoll(text, &end, hex ? 16 : 10);
	if (errno != 0)
		return -1;
	while (units->suffix != NULL && strcmp(units->suffix, end) != 0)
		units++;
	if (units->suffix == NULL || __builtin_mul_overflow(number, units->factor, out))
		return -1;
	return *out >= min && *out <= max ? 0 : -1;
}

static int set_numeric(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	const struct unit *units = no_units;
	const char *kind = "a number";
	int64_t number;

	if (o->type == OPTION_SIZE) {
		units = sizes;
		kind = "a size in bytes (or with k, m, g)";
	} else if (o->type == OPTION_TIME) {
		units = times;
		kind = "a time in milliseconds (or with ms, s, m, h, d)";
	}
	if (parse_number(value, units, o->min, o->max, &number) != 0)
		return fail(r, line, "%s must be %s from %lld to %lld, not \"%s\"", o->name, kind,
			    (long long)o->min, (long long)o->max, value);
	set_number(o, r->config, number);
	return 0;
}

static const char *const auth_names[] = {
	[TLS_CLIENT_AUTH_NONE] = "none",
	[TLS_CLIENT_AUTH_WANT] = "want",
	[TLS_CLIENT_AUTH_NEED] = "need",
};

static int set_auth(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	/* Not said is need, in ZooKeeper too. */
	if (*value == '\0')
		value = auth_names[TLS_CLIENT_AUTH_NEED];
	for (size_t i = 0; i < sizeof(auth_names) / sizeof(auth_names[0]); i++) {
		if (strcasecmp(value, auth_names[i]) == 0) {
			set_number(o, r->config, (int64_t)i);
			return 0;
		}
	}
	return fail(r, line, "%s must be need, want or none, not \"%s\"", o->name, value);
}

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_ERROR] = "error",
};

static int set_level(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcasecmp(value, level_names[i]) == 0) {
			set_number(o, r->config, (int64_t)i);
			return 0;
		}
	}
	return fail(r, line, "%s must be debug, info, warn or error, not \"%s\"", o->name, value);
}

/* As Java names them, which does not mind capitals; the first of each is told. */
static const struct {
	const char *name;
	enum crypto_hash hash;
} hash_names[] = {
	{ "SHA1", CRYPTO_SHA1 },      { "SHA-1", CRYPTO_SHA1 },     { "SHA", CRYPTO_SHA1 },
	{ "SHA-256", CRYPTO_SHA256 }, { "SHA-512", CRYPTO_SHA512 }, { "SHA3-256", CRYPTO_SHA3_256 },
};

enum { HASH_NAMES = sizeof(hash_names) / sizeof(hash_names[0]) };

static int set_hash(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	for (size_t i = 0; i < HASH_NAMES; i++) {
		if (strcasecmp(value, hash_names[i].name) == 0) {
			set_number(o, r->config, hash_names[i].hash);
			return 0;
		}
	}
	return fail(r, line, "%s must be SHA1, SHA-256, SHA-512 or SHA3-256, not \"%s\"", o->name,
		    value);
}

static const char *hash_name(enum crypto_hash hash)
{
	size_t i = 0;

	while (hash_names[i].hash != hash)
		i++;
	return hash_names[i].name;
}

/* The next word of a list that commas separate, without white space; false at the end. */
static bool next_word(const char **at, struct slice *word)
{
	const char *end;

	if (**at == '\0')
		return false;
	end = strchrnul(*at, ',');
	*word = (struct slice){ *at, (size_t)(end - *at) };
	*at = *end == ',' ? end + 1 : end;
	while (word->len > 0 && word->data[word->len - 1] == ' ')
		word->len--;
	while (word->len > 0 && word->data[0] == ' ') {
		word->data++;
		word->len--;
	}
	return true;
}

static int set_protocols(struct reading *r, const struct option *o, const char *value,
			 unsigned line)
{
	unsigned *protocols = member(o, r->config);
	unsigned named = 0;
	struct slice word;

	for (const char *at = value; next_word(&at, &word);) {
		if (slice_is(word, "TLSv1.2"))
			named |= CONFIG_TLS_1_2;
		else if (slice_is(word, "TLSv1.3"))
			named |= CONFIG_TLS_1_3;
		else
			return fail(r, line,
				    "%s: \"%.*s\" is not offered, only TLSv1.2 and TLSv1.3",
				    o->name, (int)word.len, word.data);
	}
	if (named == 0)
		return fail(r, line, "%s names no protocol", o->name);
	*protocols = named;
	return 0;
}

static int set_words(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	struct slice word;

	for (const char *at = value; next_word(&at, &word);) {
		if (word.len != 0 && word.len != 4 && !slice_is(word, "*"))
			return fail(r, line, "%s: \"%.*s\" is no four-letter word", o->name,
				    (int)word.len, word.data);
	}
	set_text(member(o, r->config), value);
	return 0;
}

/* Kept without the blanks around the names. */
static int set_schemes(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	char *kept = mem_strdup(value);
	struct slice word;
	size_t len = 0;

	for (const char *at = value; next_word(&at, &word);) {
		if (word.len == 0)
			continue;
		if (!slice_is(word, "digest") && !slice_is(word, "x509") &&
		    !slice_is(word, "san") && !slice_is(word, "ip")) {
			mem_free(kept);
			return fail(r, line, "%s: there is no scheme \"%.*s\" here", o->name,
				    (int)word.len, word.data);
		}
		if (len > 0)
			kept[len++] = ',';
		memcpy(kept + len, word.data, word.len);
		len += word.len;
	}
	kept[len] = '\0';
	set_text(member(o, r->config), kept);
	mem_free(kept);
	return 0;
}

static int set_names(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	struct names_chain chain;

	names_chain_init(&chain);
	if (names_chain_parse(&chain, value) != 0)
		return fail(r, line, "%s is a list of uri, dns, email, cn and dn, not \"%s\"",
			    o->name, value);
	set_text(member(o, r->config), value);
	return 0;
}

static int set_bool(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	bool is_ours = strncmp(o->name, "zoolite.", 8) == 0;
	bool is_true = strcasecmp(value, "true") == 0 || (is_ours && strcasecmp(value, "on") == 0);

	/* No value is false, as in Java. */
	if (!is_true && *value != '\0' && strcasecmp(value, "false") != 0 &&
	    !(is_ours && strcasecmp(value, "off") == 0))
		return fail(r, line, "%s is true or false, not \"%s\"", o->name, value);
	set_number(o, r->config, is_true);
	return 0;
}

static int set_provider(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	static const char *const classes[] = {
		"org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
		"org.apache.zookeeper.metrics.impl.NullMetricsProvider",
		CLASS_OF_PROMETHEUS,
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (strcmp(value, classes[i]) == 0) {
			set_number(o, r->config, strcmp(value, CLASS_OF_PROMETHEUS) == 0);
			return 0;
		}
	}
	return fail(r, line, "%s: \"%s\" is none of ZooKeeper's", o->name, value);
}

static const char *const verdict_names[] = { [false] = "deny", [true] = "allow" };

static int set_verdict(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	bool is_allow = strcasecmp(value, verdict_names[true]) == 0;

	if (!is_allow && strcasecmp(value, verdict_names[false]) != 0)
		return fail(r, line, "%s must be deny or allow, not \"%s\"", o->name, value);
	set_number(o, r->config, is_allow);
	return 0;
}

static int set_option(struct reading *r, const struct option *o, const char *value, unsigned line)
{
	switch (o->type) {
	case OPTION_BOOL:
		return set_bool(r, o, value, line);
	case OPTION_PROVIDER:
		return set_provider(r, o, value, line);
	case OPTION_VERDICT:
		return set_verdict(r, o, value, line);
	case OPTION_INT:
	case OPTION_SIZE:
	case OPTION_TIME:
		return set_numeric(r, o, value, line);
	case OPTION_AUTH:
		return set_auth(r, o, value, line);
	case OPTION_LEVEL:
		return set_level(r, o, value, line);
	case OPTION_HASH:
		return set_hash(r, o, value, line);
	case OPTION_PROTOCOLS:
		return set_protocols(r, o, value, line);
	case OPTION_WORDS:
		return set_words(r, o, value, line);
	case OPTION_SCHEMES:
		return set_schemes(r, o, value, line);
	case OPTION_NAMES:
		return set_names(r, o, value, line);
	case OPTION_SECRET:
		wipe(*(char **)member(o, r->config));
		set_text(member(o, r->config), value);
		return 0;
	case OPTION_TYPE:
		mem_free(*(char **)member(o, r->config));
		*(char **)member(o, r->config) = *value == '\0' ? NULL : mem_strdup(value);
		return 0;
	case OPTION_TEXT:
		if (*value == '\0')
			return fail(r, line, "%s has no value", o->name);
		set_text(member(o, r->config), value);
		return 0;
	}
	return -1;
}

/* ---- names ---- */

static size_t find_option(const char *name)
{
	size_t i = 0;

	while (i < OPTION_COUNT && strcmp(options[i].name, name) != 0)
		i++;
	return i;
}

/* A name that ends with a dot stands for all behind it. */
static bool is_listed(const char *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list[i]);

		if (list[i][len - 1] != '.' && strcmp(list[i], name) == 0)
			return true;
		if (list[i][len - 1] == '.' && strncmp(list[i], name, len) == 0 &&
		    name[len] != '\0')
			return true;
	}
	return false;
}

static const struct refused *find_refused(const char *name)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(refused[i].name, name) == 0)
			return &refused[i];
	}
	return NULL;
}

/* ZooKeeper's system properties are called zookeeper.*; people paste them as they are. Ours have
 * one name only. */
static const char *strip_prefix(const char *name)
{
	static const char prefix[] = "zookeeper.";
	static const char ours[] = "zoolite.";

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return name;
	if (strncmp(name + sizeof(prefix) - 1, ours, sizeof(ours) - 1) == 0)
		return name;
	return name + sizeof(prefix) - 1;
}

/* No value is false where true or false is asked for, and nothing where a name is. */
static bool is_harmless(const struct refused *hard, const char *value)
{
	const char *harmless = hard->harmless == NULL ? "" : hard->harmless;

	return strcasecmp(value, harmless) == 0 ||
	       (*value == '\0' && strcmp(harmless, "false") == 0);
}

/* Those of ZooKeeper's that we pass over, too. */
static bool is_secret(const char *name)
{
	size_t index = find_option(name);

	return (index < OPTION_COUNT && options[index].type == OPTION_SECRET) ||
	       strstr(name, "assword") != NULL || strstr(name, "superDigest") != NULL ||
	       strcasestr(name, "secret") != NULL;
}

static void keep_given(struct reading *r, const struct property *p)
{
	const char *value = is_secret(p->key) ? "*" : p->value;

	/* The file has a limit of its own: it fits. */
	if (buf_append(&r->given, p->key, strlen(p->key)) != 0 ||
	    buf_append(&r->given, "=", 1) != 0 ||
	    buf_append(&r->given, value, strlen(value)) != 0 || buf_append(&r->given, "\n", 1) != 0)
		return;
}

static int take_property(struct reading *r, const struct property *p)
{
	const char *name = strip_prefix(p->key);
	size_t index = find_option(name);
	const struct refused *hard;

	keep_given(r, p);

	if (index < OPTION_COUNT) {
		if (r->report->lines[index] != NO_LINE)
			note(r, CONFIG_REPEATED, p->key, p->line);
		r->report->lines[index] = p->line;
		return set_option(r, &options[index], p->value, p->line);
	}
	hard = find_refused(name);
	if (hard != NULL && !is_harmless(hard, p->value)) {
		if (hard->harmless == NULL)
			return fail(r, p->line, "%s is not supported by this version", p->key);
		return fail(r, p->line, "%s is not supported by this version, but as %s", p->key,
			    hard->harmless);
	}
	if (hard == NULL && !is_listed(ignored, sizeof(ignored) / sizeof(ignored[0]), name))
		return fail(r, p->line, "unknown property \"%s\"", p->key);
	note(r, CONFIG_IGNORED, p->key, p->line);
	return 0;
}

/* ---- the whole ---- */

static unsigned line_of(const struct reading *r, const char *name)
{
	return config_line(r->report, name);
}

/* A key or trust store that is not PEM, by its type or, without one, by the end of its name as in
 * ZooKeeper. */
static int check_store(struct reading *r, const char *option, const char *file, const char *type)
{
	static const char *const others[] = { ".jks", ".p12", ".bcfks" };
	const char *dot = file == NULL ? NULL : strrchr(file, '.');

	if (type != NULL && strcasecmp(type, "PEM") != 0)
		return fail(r, line_of(r, option), "%s: type %s is not supported, only PEM", option,
			    type);
	for (size_t i = 0; type == NULL && dot != NULL && i < sizeof(others) / sizeof(others[0]);
	     i++) {
		if (strcasecmp(dot, others[i]) == 0)
			return fail(r, line_of(r, option),
				    "%s: a %s file is not supported, only PEM", option, dot + 1);
	}
	return 0;
}

/* Fold ZooKeeper's key store and trust store into certificate, key and trust file. */
static int fold_stores(struct reading *r)
{
	struct config *c = r->config;

	if (check_store(r,
			c->key_store_type != NULL ? "ssl.keyStore.type" : "ssl.keyStore.location",
			c->key_store_file, c->key_store_type) != 0 ||
	    check_store(r,
			c->trust_store_type != NULL ? "ssl.trustStore.type"
						    : "ssl.trustStore.location",
			c->trust_store_file, c->trust_store_type) != 0)
		return -1;
	if (c->key_store_file != NULL && (c->cert_file != NULL || c->key_file != NULL))
		return fail(r, line_of(r, "ssl.keyStore.location"),
			    "ssl.keyStore.location and zoolite.certFile name two certificates");
	if (c->trust_store_file != NULL && c->trust_file != NULL)
		return fail(r, line_of(r, "ssl.trustStore.location"),
			    "ssl.trustStore.location and zoolite.trustFile name two sets of CAs");
	if (c->cert_file != NULL && c->key_file == NULL)
		return fail(r, line_of(r, "zoolite.certFile"),
			    "zoolite.certFile needs zoolite.keyFile");
	if (c->key_file != NULL && c->cert_file == NULL)
		return fail(r, line_of(r, "zoolite.keyFile"),
			    "zoolite.keyFile needs zoolite.certFile");
	if (c->key_store_file != NULL) {
		set_text(&c->cert_file, c->key_store_file);
		set_text(&c->key_file, c->key_store_file);
	}
	if (c->trust_store_file != NULL)
		set_text(&c->trust_file, c->trust_store_file);
	return 0;
}

/* As in ZooKeeper: ssl.protocol counts only without ssl.enabledProtocols. */
static void fold_protocols(struct config *c)
{
	unsigned offered = CONFIG_TLS_1_2 | CONFIG_TLS_1_3;

	if (c->enabled_protocols != 0)
		offered = c->enabled_protocols;
	else if (c->protocol != 0)
		offered = c->protocol;
	c->tls_1_2 = (offered & CONFIG_TLS_1_2) != 0;
	c->tls_1_3 = (offered & CONFIG_TLS_1_3) != 0;
}

static int check_revocation(struct reading *r)
{
	const struct config *c = r->config;

	if (c->needs_crl && c->crl_file == NULL)
		return fail(r, line_of(r, "ssl.crl"),
			    "ssl.crl=true needs zoolite.crlFile: CRLs are read, never fetched");
	if (c->crl_file != NULL && c->trust_file == NULL)
		return fail(r, line_of(r, "zoolite.crlFile"),
			    "zoolite.crlFile needs the CAs whose CRLs it holds: "
			    "ssl.trustStore.location or zoolite.trustFile");
	return 0;
}

static int check_tls(struct reading *r)
{
	const struct config *c = r->config;
	unsigned line = line_of(r, "secureClientPort");

	if (check_revocation(r) != 0)
		return -1;
	if (c->secure_port == CONFIG_NO_PORT)
		return 0;
	if (c->cert_file == NULL)
		return fail(r, line,
			    "secureClientPort needs a certificate: ssl.keyStore.location, "
			    "or zoolite.certFile and zoolite.keyFile");
	if (c->client_auth != TLS_CLIENT_AUTH_NONE && c->trust_file == NULL)
		return fail(
			r, line,
			"secureClientPort needs the CAs of its clients: ssl.trustStore.location "
			"or zoolite.trustFile (or ssl.clientAuth=none)");
	return 0;
}

static bool is_same_port(int32_t a, int32_t b)
{
	return a > 0 && a == b;
}

static int check_ports(struct reading *r)
{
	const struct config *c = r->config;
	bool same_host = c->client_host == NULL || c->secure_host == NULL ||
			 strcmp(c->client_host, c->secure_host) == 0;

	if (c->client_host != NULL && c->client_port == CONFIG_NO_PORT)
		return fail(r, line_of(r, "clientPortAddress"),
			    "clientPortAddress needs clientPort");
	if (c->secure_host != NULL && c->secure_port == CONFIG_NO_PORT)
		return fail(r, line_of(r, "secureClientPortAddress"),
			    "secureClientPortAddress needs secureClientPort");
	if (c->client_port == CONFIG_NO_PORT && c->secure_port == CONFIG_NO_PORT)
		return fail(r, NO_LINE,
			    "no port to serve on: set secureClientPort (or clientPort)");
	if (is_same_port(c->client_port, c->secure_port) && same_host)
		return fail(r, line_of(r, "clientPort"),
			    "clientPort and secureClientPort are the same");
	if (is_same_port(c->monitor_port, c->client_port) ||
	    is_same_port(c->monitor_port, c->secure_port))
		return fail(r, line_of(r, "zoolite.monitorPort"),
			    "zoolite.monitorPort is the port of clients");
	return 0;
}

static int settle_sessions(struct reading *r)
{
	struct config *c = r->config;

	if (c->min_session_ms == -1)
		c->min_session_ms = MIN_SESSION_TICKS * c->tick_ms;
	if (c->max_session_ms == -1)
		c->max_session_ms = MAX_SESSION_TICKS * c->tick_ms;
	if (c->max_session_ms == 0)
		return fail(r, line_of(r, "maxSessionTimeout"), "maxSessionTimeout must not be 0");
	if (c->min_session_ms > c->max_session_ms)
		return fail(r, line_of(r, "minSessionTimeout"),
			    "minSessionTimeout (%d) must not be larger than maxSessionTimeout (%d)",
			    c->min_session_ms, c->max_session_ms);
	return 0;
}

/* Two names of one setting: the one given later counts. ZooKeeper's "no limit" says nothing. */
static void fold_handshakes(struct reading *r)
{
	static const char theirs[] = "netty.server.outstandingHandshake.limit";
	static const char ours[] = "zoolite.maxHandshakes";
	unsigned their_line = line_of(r, theirs), our_line = line_of(r, ours);
	struct config *c = r->config;

	if (c->netty_handshakes <= 0)
		return;
	if (their_line != NO_LINE && our_line != NO_LINE)
		note(r, CONFIG_REPEATED, their_line > our_line ? theirs : ours,
		     their_line > our_line ? their_line : our_line);
	if (their_line > our_line)
		c->max_handshakes = c->netty_handshakes;
}

/* ZooKeeper serves HTTP on all addresses where nothing else is said; we on loopback. */
static int settle_http(struct reading *r)
{
	struct config *c = r->config;
	size_t len;

	if (c->admin_host == NULL)
		set_text(&c->admin_host, LOOPBACK);
	if (c->metrics_host == NULL)
		set_text(&c->metrics_host, LOOPBACK);
	if (c->admin_url == NULL)
		set_text(&c->admin_url, "/commands");
	len = strlen(c->admin_url);
	if (c->admin_url[0] != '/' || len < 2 || c->admin_url[len - 1] == '/' ||
	    strpbrk(c->admin_url, " ?#%<>\"&") != NULL)
		return fail(r, line_of(r, "admin.commandURL"),
			    "admin.commandURL must be a path like /commands");
	return 0;
}

/* "/a, /b" to "/a,/b". */
static int settle_audit_reads(struct reading *r)
{
	char *reads = r->config->audit_reads;
	struct slice path;
	size_t len = 0;

	if (reads == NULL)
		return 0;
	/* What is kept is never longer than what was read of it. */
	for (const char *at = reads; next_word(&at, &path);) {
		if (path.len == 0 || path.data[0] != '/')
			return fail(r, line_of(r, "zoolite.auditReads"),
				    "zoolite.auditReads: \"%.*s\" is no path", (int)path.len,
				    path.data);
		if (len > 0)
			reads[len++] = ',';
		memmove(reads + len, path.data, path.len);
		len += path.len;
	}
	reads[len] = '\0';
	return 0;
}

static int settle_audit(struct reading *r)
{
	const struct config *c = r->config;

	if (c->audit_fail_closed && (!c->audit || c->audit_key == NULL))
		return fail(r, line_of(r, "zoolite.auditFailClosed"),
			    "zoolite.auditFailClosed needs zoolite.audit=on and zoolite.auditKey");
	return settle_audit_reads(r);
}

static int settle(struct reading *r)
{
	if (r->config->data_dir == NULL)
		return fail(r, NO_LINE, "dataDir is not set");
	if (r->config->enforce_auth && r->config->enforced_schemes == NULL)
		return fail(r, line_of(r, "enforce.auth.enabled"),
			    "enforce.auth.enabled needs enforce.auth.schemes");
	fold_protocols(r->config);
	fold_handshakes(r);
	if (check_ports(r) != 0 || settle_sessions(r) != 0 || settle_http(r) != 0 ||
	    settle_audit(r) != 0 || fold_stores(r) != 0)
		return -1;
	return check_tls(r);
}

static int read_properties(struct reading *r, struct slice text)
{
	struct properties reader;
	struct property property;
	enum properties_result got;
	const char *reason = NULL;
	int rc = 0;

	properties_init(&reader, text);
	while ((got = properties_next(&reader, &property, &reason)) == PROPERTIES_PAIR && rc == 0)
		rc = take_property(r, &property);
	if (got == PROPERTIES_BAD && rc == 0)
		rc = fail(r, property.line, "%s", reason);
	properties_fini(&reader);
	return rc;
}

static int parse(struct reading *r, struct slice text)
{
	int rc;

	buf_init(&r->given, (size_t)GIVEN_MAX_LEN);
	rc = read_properties(r, text);
	r->config->given = buf_len(&r->given) > 0 ? mem_dup(buf_head(&r->given), buf_len(&r->given))
						  : mem_strdup("");
	buf_fini(&r->given);
	return rc == 0 ? settle(r) : -1;
}

static void report_init(struct config_report *report)
{
	memset(report, 0, sizeof(*report));
	report->reason = report->error;
	report->lines = mem_new(OPTION_COUNT * sizeof(*report->lines));
}

unsigned config_line(const struct config_report *report, const char *property)
{
	size_t index = find_option(property);

	return index < OPTION_COUNT ? report->lines[index] : NO_LINE;
}

int config_parse(struct slice text, const char *name, struct config *c,
		 struct config_report *report)
{
	struct reading r = { .config = c, .report = report, .name = name };

	report_init(report);
	set_presets(c);
	return parse(&r, text);
}

/* The content of a file of at most max bytes, with a NUL behind; NULL with errno where it cannot be
 * had. */
static char *read_file(const char *path, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	ssize_t got = 0;
	int saved;

	if (fd < 0)
		return NULL;
	text = mem_new(max + 2);
	*len = 0;
	do {
		*len += (size_t)got;
		got = read(fd, text + *len, max + 1 - *len);
	} while (got > 0);
	saved = got < 0 ? errno : EFBIG;
	close(fd);
	if (got == 0 && *len <= max)
		return text;
	explicit_bzero(text, max + 2);
	mem_free(text);
	errno = saved;
	return NULL;
}

/* A password file's content, without the line end behind it; it counts more than a password in the
 * configuration. */
static int read_secret(struct reading *r)
{
	char reason[PRIVATE_FILE_REASON_LEN];
	struct config *c = r->config;
	char *text;
	size_t len;

	if (c->key_password_file == NULL)
		return 0;
	if (private_file_check(c->key_password_file, reason) != 0)
		return fail(r, line_of(r, "ssl.keyStore.passwordPath"),
			    "ssl.keyStore.passwordPath: %.*s: %s", NAME_SHOWN, c->key_password_file,
			    reason);
	text = read_file(c->key_password_file, SECRET_MAX_LEN, &len);
	if (text == NULL)
		return fail(r, line_of(r, "ssl.keyStore.passwordPath"),
			    "ssl.keyStore.passwordPath: %.*s: %s", NAME_SHOWN, c->key_password_file,
			    strerror(errno));
	text[strcspn(text, "\r\n")] = '\0';
	wipe(c->key_password);
	set_text(&c->key_password, text);
	explicit_bzero(text, len);
	mem_free(text);
	return 0;
}

/* The file itself may be anybody's to read, until it holds a secret. */
static void note_exposed(struct reading *r, const char *path)
{
	char reason[PRIVATE_FILE_REASON_LEN];

	if (private_file_check(path, reason) == 0)
		return;
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (options[i].type == OPTION_SECRET && r->report->lines[i] != NO_LINE)
			note(r, CONFIG_EXPOSED, options[i].name, r->report->lines[i]);
}

int config_load(const char *path, struct config *c, struct config_report *report)
{
	struct reading r = { .config = c, .report = report, .name = path };
	char *text;
	size_t len;
	int rc;

	report_init(report);
	set_presets(c);
	text = read_file(path, FILE_MAX_LEN, &len);
	if (text == NULL)
		return fail(&r, NO_LINE, "%s", strerror(errno));
	rc = parse(&r, (struct slice){ text, len });
	explicit_bzero(text, len);
	mem_free(text);
	note_exposed(&r, path);
	return rc == 0 ? read_secret(&r) : -1;
}

int config_read_password(struct config *c, char reason[CONFIG_REASON_LEN])
{
	struct config_report report;
	struct reading r = { .config = c, .report = &report, .name = "" };
	int rc;

	report_init(&report);
	rc = read_secret(&r);
	if (rc != 0)
		snprintf(reason, CONFIG_REASON_LEN, "%s", report.reason);
	config_report_fini(&report);
	return rc;
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char **text = member(&options[i], c);

		if (!is_text(options[i].type))
			continue;
		if (options[i].type == OPTION_SECRET)
			wipe(*text);
		mem_free(*text);
		*text = NULL;
	}
	mem_free(c->given);
	c->given = NULL;
}

/* A value as the file may say it; NULL where there is none. */
static const char *value_text(const struct option *o, const struct config *c, char room[32])
{
	const void *at = (const char *)c + o->offset;
	long long number = 0;

	switch (o->type) {
	case OPTION_TEXT:
	case OPTION_TYPE:
	case OPTION_WORDS:
	case OPTION_SCHEMES:
	case OPTION_NAMES:
		return *(char *const *)at;
	case OPTION_SECRET:
	case OPTION_PROTOCOLS:
		return NULL;
	case OPTION_BOOL:
		return *(const bool *)at ? "true" : "false";
	case OPTION_PROVIDER:
		return *(const bool *)at ? CLASS_OF_PROMETHEUS : NULL;
	case OPTION_HASH:
		return hash_name(*(const enum crypto_hash *)at);
	case OPTION_VERDICT:
		return verdict_names[*(const bool *)at];
	case OPTION_LEVEL:
		return level_names[*(const enum log_level *)at];
	case OPTION_AUTH:
		return auth_names[*(const enum tls_client_auth *)at];
	case OPTION_INT:
		number = *(const int32_t *)at;
		break;
	case OPTION_SIZE:
		number = (long long)*(const uint64_t *)at;
		break;
	case OPTION_TIME:
		number = *(const int64_t *)at;
		break;
	}
	snprintf(room, 32, "%lld", number);
	return room;
}

void config_names(const struct config *c, struct names_chain *chain)
{
	int rc = 0;

	names_chain_init(chain);
	if (c->identity != NULL)
		rc = names_chain_parse(chain, c->identity);
	/* It was judged when it was read. */
	assert(rc == 0);
	chain->max_names = (size_t)c->max_ids - IDS_BESIDE_NAMES;
}

void config_foreach(const struct config *c,
		    void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	char room[32];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *value = value_text(&options[i], c, room);

		if (value != NULL)
			each(ctx, options[i].name, value);
	}
	each(ctx, "ssl.enabledProtocols",
	     !c->tls_1_2 ? "TLSv1.3" : (c->tls_1_3 ? "TLSv1.2,TLSv1.3" : "TLSv1.2"));
}

void config_report_fini(struct config_report *report)
{
	for (size_t i = 0; i < report->note_count; i++)
		mem_free(report->notes[i].name);
	mem_free(report->notes);
	mem_free(report->lines);
	report->lines = NULL;
	report->notes = NULL;
	report->note_count = 0;
}

bool config_allows_word(const struct config *c, const char word[4])
{
	struct slice asked = { word, 4 }, allowed;

	if (slice_is(asked, "srvr"))
		return true;
	for (const char *at = c->words == NULL ? "" : c->words; next_word(&at, &allowed);) {
		if (slice_is(allowed, "*") || slice_equal(allowed, asked))
			return true;
	}
	return false;
}

/* ---- a file that changed ---- */

static size_t size_of(enum option_type type)
{
	switch (type) {
	case OPTION_BOOL:
	case OPTION_PROVIDER:
	case OPTION_VERDICT:
		return sizeof(bool);
	case OPTION_INT:
		return sizeof(int32_t);
	case OPTION_SIZE:
		return sizeof(uint64_t);
	case OPTION_TIME:
		return sizeof(int64_t);
	case OPTION_AUTH:
		return sizeof(enum tls_client_auth);
	case OPTION_LEVEL:
		return sizeof(enum log_level);
	case OPTION_HASH:
		return sizeof(enum crypto_hash);
	case OPTION_PROTOCOLS:
		return sizeof(unsigned);
	case OPTION_TEXT:
	case OPTION_TYPE:
	case OPTION_SECRET:
	case OPTION_WORDS:
	case OPTION_SCHEMES:
	case OPTION_NAMES:
		break;
	}
	return sizeof(char *);
}

static bool is_same(const struct option *o, const struct config *a, const struct config *b)
{
	const char *in_a = (const char *)a + o->offset, *in_b = (const char *)b + o->offset;
	const char *text_a, *text_b;

	/* What comes of the two counts. */
	if (o->type == OPTION_PROTOCOLS && a->tls_1_2 == b->tls_1_2 && a->tls_1_3 == b->tls_1_3)
		return true;
	if (!is_text(o->type))
		return memcmp(in_a, in_b, size_of(o->type)) == 0;
	text_a = *(char *const *)in_a;
	text_b = *(char *const *)in_b;
	return text_a == NULL || text_b == NULL ? text_a == text_b : strcmp(text_a, text_b) == 0;
}

void config_take_reloaded(struct config *running, struct config *fresh)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &options[i];
		char kept[sizeof(int64_t)];

		if (!is_listed(reloaded, sizeof(reloaded) / sizeof(reloaded[0]), o->name))
			continue;
		memcpy(kept, member(o, running), size_of(o->type));
		memcpy(member(o, running), member(o, fresh), size_of(o->type));
		memcpy(member(o, fresh), kept, size_of(o->type));
	}
}

bool config_waits(const struct config *running, const struct config *fresh,
		  char names[CONFIG_NAMES_LEN])
{
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < OPTION_COUNT && len < CONFIG_NAMES_LEN; i++) {
		const char *name = options[i].name;

		if (is_same(&options[i], running, fresh) ||
		    is_listed(reloaded, sizeof(reloaded) / sizeof(reloaded[0]), name))
			continue;
		len += (size_t)snprintf(names + len, CONFIG_NAMES_LEN - len, "%s%s",
					len == 0 ? "" : ",", name);
	}
	return len > 0;
}
