#include "app/fourlw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "app/latency.h"
#include "app/peers.h"
#include "base/metrics.h"
#include "core/registry.h"
#include "core/session.h"

#define NOT_SERVING "This ZooKeeper instance is not currently serving requests\n"

const char *fourlw_version(void)
{
	static char text[96];
	const char *day = RELEASE_DATE; /* 2026-11-23 */

	/* go-zookeeper reads month, day and year in this order, everyone else the version alone. */
	if (!text[0])
		snprintf(text, sizeof(text), "3.9.5-zoolite-%s, built on %.2s/%.2s/%.4s 00:00 UTC",
			 PACKAGE_VERSION, day + 5, day + 8, day);
	return text;
}

/* An answer that does not fit (a list of clients beyond all bounds) is cut off. */
static void print(struct buf *out, const char *format, ...) printf_like(2, 3);
static void print(struct buf *out, const char *format, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len > 0 &&
	    buf_append(out, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1) != 0)
		return;
}

static void answer_ruok(const struct fourlw_view *v, struct buf *out)
{
	(void)v;
	print(out, "imok");
}

static void answer_isro(const struct fourlw_view *v, struct buf *out)
{
	print(out, v->registry ? "rw" : "null");
}

/* Java's text of a double that was rounded to four places. */
static void print_average(struct buf *out, double value)
{
	char text[32];
	size_t len = (size_t)snprintf(text, sizeof(text), "%.4f", value);

	while (text[len - 1] == '0' && text[len - 2] != '.')
		text[--len] = 0;
	print(out, "%s", text);
}

static void print_figures(const struct fourlw_view *v, struct buf *out)
{
	struct latency_figures f = latency_figures(v->latency);

	print(out, "Latency min/avg/max: %llu/", (unsigned long long)f.min_ms);
	print_average(out, f.avg_ms);
	print(out, "/%llu\n", (unsigned long long)f.max_ms);
	print(out, "Received: %llu\n", (unsigned long long)metrics_get(METRIC_packets_received));
	print(out, "Sent: %llu\n", (unsigned long long)metrics_get(METRIC_packets_sent));
	print(out, "Connections: %u\n", conn_set_count(peers_connections(v->peers)));
	print(out, "Outstanding: %llu\n", (unsigned long long)latency_waiting(v->latency));
	print(out, "Zxid: 0x%llx\n", (unsigned long long)registry_last_zxid(v->registry));
	print(out, "Mode: standalone\n");
	print(out, "Node count: %llu\n",
	      (unsigned long long)tree_counts(registry_tree(v->registry)).znodes);
}

static void answer_srvr(const struct fourlw_view *v, struct buf *out)
{
	print(out, "Zookeeper version: %s\n", fourlw_version());
	print_figures(v, out);
}

static void print_client(struct conn *c, void *user, void *ctx)
{
	const struct client *client = peers_client(user);
	struct buf *out = ctx;

	print(out, " /%s[%d](queued=0,recved=%llu,sent=%llu)\n", conn_peer(c)->address,
	      client && client->session ? 1 : 0,
	      client ? (unsigned long long)client->received : 0ULL,
	      client ? (unsigned long long)client->sent : 0ULL);
}

static void answer_stat(const struct fourlw_view *v, struct buf *out)
{
	print(out, "Zookeeper version: %s\n", fourlw_version());
	print(out, "Clients:\n");
	conn_set_foreach(peers_connections(v->peers), print_client, out);
	print(out, "\n");
	print_figures(v, out);
}

static unsigned count_open_files(void)
{
	unsigned count = 0;
	struct rlimit limit;
	int most = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536
			   ? (int)limit.rlim_cur
			   : 65536;
	int misses = 0;

	/* Descriptors are given lowest first: a long run of free ones is the end. */
	for (int fd = 0; fd < most && misses < 1024; fd++) {
		if (lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF) {
			count++;
			misses = 0;
		} else {
			misses++;
		}
	}
	return count;
}

static unsigned long long max_open_files(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (unsigned long long)limit.rlim_cur : 0;
}

static void print_latency(const struct fourlw_view *v, struct buf *out)
{
	struct latency_figures f = latency_figures(v->latency);

	print(out, "zk_min_latency\t%llu\n", (unsigned long long)f.min_ms);
	print(out, "zk_avg_latency\t");
	print_average(out, f.avg_ms);
	print(out, "\nzk_max_latency\t%llu\n", (unsigned long long)f.max_ms);
}

static void answer_mntr(const struct fourlw_view *v, struct buf *out)
{
	struct tree_counts tree = tree_counts(registry_tree(v->registry));
	struct watch_counts watches = watch_counts(registry_watches(v->registry));

	print(out, "zk_version\t%s\n", fourlw_version());
	print(out, "zk_server_state\tstandalone\n");
	print_latency(v, out);
	print(out, "zk_packets_received\t%llu\n",
	      (unsigned long long)metrics_get(METRIC_packets_received));
	print(out, "zk_packets_sent\t%llu\n", (unsigned long long)metrics_get(METRIC_packets_sent));
	print(out, "zk_num_alive_connections\t%u\n", conn_set_count(peers_connections(v->peers)));
	print(out, "zk_outstanding_requests\t%llu\n",
	      (unsigned long long)latency_waiting(v->latency));
	print(out, "zk_znode_count\t%llu\n", (unsigned long long)tree.znodes);
	print(out, "zk_watch_count\t%zu\n", watches.all);
	print(out, "zk_ephemerals_count\t%llu\n", (unsigned long long)tree.ephemerals);
	print(out, "zk_approximate_data_size\t%llu\n",
	      (unsigned long long)store_tree_bytes(v->store));
	print(out, "zk_open_file_descriptor_count\t%u\n", count_open_files());
	print(out, "zk_max_file_descriptor_count\t%llu\n", max_open_files());
	print(out, "zk_global_sessions\t%u\n", session_count(registry_sessions(v->registry)));
	print(out, "zk_connections_stopped\t%u\n", conn_set_stopped(peers_connections(v->peers)));
	print(out, "zk_buffered_bytes\t%zu\n", conn_set_buffered(peers_connections(v->peers)));
	print(out, "zk_pending_znodes\t%llu\n", (unsigned long long)tree.pending);
	print(out, "zk_cached_znodes\t%llu\n", (unsigned long long)tree.cached);
	print(out, "zk_cached_bytes\t%llu\n", (unsigned long long)tree.cached_bytes);
	print(out, "zk_replay_lag_rows\t%llu\n", (unsigned long long)store_lag_rows(v->store));
	for (int m = 0; m < METRIC_COUNT; m++)
		if (m != METRIC_packets_received && m != METRIC_packets_sent)
			print(out, "zk_%s\t%llu\n", metrics_name((enum metric)m),
			      (unsigned long long)metrics_get((enum metric)m));
}

static void answer_conf(const struct fourlw_view *v, struct buf *out)
{
	const struct config *c = v->config;

	print(out, "clientPort=%d\n", c->client_port);
	print(out, "secureClientPort=%d\n", c->secure_port);
	print(out, "dataDir=%s\n", c->data_dir);
	print(out, "dataDirSize=%llu\n", (unsigned long long)store_tree_bytes(v->store));
	print(out, "dataLogDir=%s\n", c->data_log_dir ? c->data_log_dir : c->data_dir);
	print(out, "tickTime=%d\n", c->tick_ms);
	print(out, "maxClientCnxns=%d\n", c->max_per_address);
	print(out, "minSessionTimeout=%d\n", c->min_session_ms);
	print(out, "maxSessionTimeout=%d\n", c->max_session_ms);
	print(out, "clientPortListenBacklog=%d\n", c->backlog);
	print(out, "serverId=0\n");
}

/* Facts of the machine, nothing from the process's environment: that may hold secrets. */
static void answer_envi(const struct fourlw_view *v, struct buf *out)
{
	struct utsname u;
	char host[256] = "";

	(void)v;
	print(out, "Environment:\n");
	print(out, "zookeeper.version=%s\n", fourlw_version());
	if (gethostname(host, sizeof(host) - 1) == 0)
		print(out, "host.name=%s\n", host);
	if (uname(&u) == 0) {
		print(out, "os.name=%s\n", u.sysname);
		print(out, "os.arch=%s\n", u.machine);
		print(out, "os.version=%s\n", u.release);
	}
}

struct word {
	const char name[5];
	bool always; /* answered before the registry serves */
	void (*answer)(const struct fourlw_view *v, struct buf *out);
};

/* answer NULL: ZooKeeper knows the word, we do not answer it. */
static const struct word words[] = {
	{ "ruok", true, answer_ruok },  { "isro", true, answer_isro },
	{ "envi", true, answer_envi },  { "srvr", false, answer_srvr },
	{ "stat", false, answer_stat }, { "mntr", false, answer_mntr },
	{ "conf", false, answer_conf }, { "cons", false, NULL },
	{ "crst", false, NULL },        { "dirs", false, NULL },
	{ "dump", false, NULL },        { "gtmk", false, NULL },
	{ "stmk", false, NULL },        { "hash", false, NULL },
	{ "srst", false, NULL },        { "wchc", false, NULL },
	{ "wchp", false, NULL },        { "wchs", false, NULL },
};

bool fourlw_answer(const struct fourlw_view *v, const char word[4], struct buf *out)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (memcmp(words[i].name, word, 4) != 0)
			continue;
		if (!words[i].answer || !config_allows_word(v->config, word))
			print(out, "%s is not executed because it is not in the whitelist.\n",
			      words[i].name);
		else if (!words[i].always && !v->registry)
			print(out, NOT_SERVING);
		else
			words[i].answer(v, out);
		return true;
	}
	return false;
}
