/* Words about the server as a whole. */
#include "app/fourlw_words.h"
#include "app/latency.h"
#include "app/machine.h"
#include "app/peers.h"
#include "app/print.h"
#include "app/stats.h"
#include "base/metrics.h"
#include "core/registry.h"
#include "wire/jute.h"

void fourlw_ruok(const struct view *v, struct slice argument, struct buf *out)
{
	(void)v;
	(void)argument;
	print(out, "imok");
}

void fourlw_isro(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	print(out, v->registry ? "rw" : "null");
}

static void print_fact(void *ctx, const char *key, const char *value)
{
	struct buf *out = ctx;

	print(out, "%s=", key);
	print_slice(out, slice_of(value));
	print(out, "\n");
}

void fourlw_envi(const struct view *v, struct slice argument, struct buf *out)
{
	(void)v;
	(void)argument;
	print(out, "Environment:\n");
	machine_environment(print_fact, out);
}

void fourlw_gtmk(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	print(out, "%lld", (long long)*v->trace_mask);
}

void fourlw_stmk(const struct view *v, struct slice argument, struct buf *out)
{
	*v->trace_mask = jute_get_long((const uint8_t *)argument.data);
	fourlw_gtmk(v, argument, out);
}

void fourlw_print_figures(const struct view *v, struct buf *out)
{
	struct latency_figures f = latency_figures(v->latency);

	print(out, "Latency min/avg/max: %llu/", (unsigned long long)f.min_ms);
	print_rounded(out, f.avg_ms);
	print(out, "/%llu\n", (unsigned long long)f.max_ms);
	print(out, "Received: %llu\n", (unsigned long long)metrics_get(METRIC_packets_received));
	print(out, "Sent: %llu\n", (unsigned long long)metrics_get(METRIC_packets_sent));
	print(out, "Connections: %u\n", conn_set_count(peers_connections(v->peers)));
	print(out, "Outstanding: %llu\n", (unsigned long long)latency_waiting(v->latency));
	print(out, "Zxid: 0x%llx\n", (unsigned long long)registry_last_zxid(v->registry));
	print(out, "Mode: standalone\n");
	print(out, "Node count: %llu\n", (unsigned long long)stats_znodes(v));
}

void fourlw_srvr(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	print(out, "Zookeeper version: %s\n", machine_version());
	fourlw_print_figures(v, out);
}

static void print_value(void *ctx, const struct stat_value *s)
{
	struct buf *out = ctx;

	print(out, "zk_%s\t", s->name);
	if (s->type == STAT_REAL)
		print_rounded(out, s->real);
	else
		print(out, "%lld", (long long)s->number);
	print(out, "\n");
}

static void print_stat(void *ctx, const struct stat_value *s)
{
	stats_flatten(s, print_value, ctx);
}

void fourlw_mntr(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	print(out, "zk_version\t%s\n", machine_version());
	print(out, "zk_server_state\tstandalone\n");
	stats_foreach(v, print_stat, out);
}

static void print_text(struct buf *out, const char *key, const char *value)
{
	print(out, "%s=", key);
	print_slice(out, slice_of(value));
	print(out, "\n");
}

void fourlw_conf(const struct view *v, struct slice argument, struct buf *out)
{
	const struct config *c = v->config;

	(void)argument;
	print(out, "clientPort=%d\n", c->client_port);
	print(out, "secureClientPort=%d\n", c->secure_port);
	print_text(out, "dataDir", c->data_dir);
	print(out, "dataDirSize=%llu\n", (unsigned long long)store_tree_bytes(v->store));
	print_text(out, "dataLogDir", c->data_log_dir ? c->data_log_dir : c->data_dir);
	print(out, "dataLogSize=%llu\n", (unsigned long long)store_log_bytes(v->store));
	print(out, "tickTime=%d\n", c->tick_ms);
	print(out, "maxClientCnxns=%d\n", c->max_per_address);
	print(out, "minSessionTimeout=%d\n", c->min_session_ms);
	print(out, "maxSessionTimeout=%d\n", c->max_session_ms);
	print(out, "clientPortListenBacklog=%d\n", c->backlog);
	print(out, "serverId=0\n");
}

void fourlw_dirs(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	print(out, "datadir_size: %llu\n", (unsigned long long)store_tree_bytes(v->store));
	print(out, "logdir_size: %llu\n", (unsigned long long)store_log_bytes(v->store));
}

/* A list of digests of the tree, which we do not keep: an empty one, as a young ZooKeeper's. */
void fourlw_hash(const struct view *v, struct slice argument, struct buf *out)
{
	(void)v;
	(void)argument;
	(void)out;
}

void fourlw_srst(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	stats_reset(v);
	print(out, "Server stats reset.\n");
}
