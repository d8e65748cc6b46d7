#include "app/stats.h"

#include <stdio.h>

#include "app/alarms.h"
#include "app/latency.h"
#include "app/machine.h"
#include "app/peers.h"
#include "app/snapshots.h"
#include "app/validity.h"
#include "app/view.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "core/registry.h"
#include "core/session.h"
#include "store/room.h"

enum { NAME_LEN = 128, US_PER_MS = 1000 };

typedef void (*each_fn)(void *ctx, const struct stat_value *s);

struct telling {
	const struct view *view;
	each_fn each;
	void *ctx;
};

static void tell(const struct telling *t, enum stat_type type, const char *name, const char *help,
		 int64_t number)
{
	struct stat_value s = { .name = name, .help = help, .type = type, .number = number };

	t->each(t->ctx, &s);
}

static void gauge(const struct telling *t, const char *name, const char *help, uint64_t number)
{
	tell(t, STAT_GAUGE, name, help, (int64_t)number);
}

static void tell_latencies(const struct telling *t)
{
	struct latency_figures f = latency_figures(t->view->latency);
	struct stat_value avg = { .name = "avg_latency",
				  .help = "time of a request, average, ms",
				  .type = STAT_REAL,
				  .real = f.avg_ms };

	t->each(t->ctx, &avg);
	gauge(t, "min_latency", "time of a request, least, ms", f.min_ms);
	gauge(t, "max_latency", "time of a request, most, ms", f.max_ms);
	gauge(t, "outstanding_requests", "requests whose replies wait for the disk",
	      latency_waiting(t->view->latency));
}

static void tell_sizes(const struct telling *t)
{
	struct latency_sizes s = latency_sizes(t->view->latency);

	tell(t, STAT_GAUGE, "last_client_response_size", "bytes of the last reply", s.last);
	tell(t, STAT_GAUGE, "max_client_response_size", "bytes of the largest reply", s.max);
	tell(t, STAT_GAUGE, "min_client_response_size", "bytes of the smallest reply", s.min);
}

static void tell_clients(const struct telling *t)
{
	const struct view *v = t->view;

	gauge(t, "num_alive_connections", "connections of clients",
	      conn_set_count(peers_connections(v->peers)));
	gauge(t, "global_sessions", "open sessions", session_count(registry_sessions(v->registry)));
	gauge(t, "local_sessions", "sessions that only this server knows: there are none", 0);
	gauge(t, "outstanding_tls_handshake", "TLS handshakes under way",
	      v->gate ? gate_handshakes(v->gate) : 0);
	gauge(t, "connections_stopped", "connections whose requests wait, for the disk or the peer",
	      conn_set_stopped(peers_connections(v->peers)));
	gauge(t, "buffered_bytes", "bytes in and out of all connections",
	      conn_set_buffered(peers_connections(v->peers)));
	gauge(t, "packets_received", metrics_help(METRIC_packets_received),
	      metrics_get(METRIC_packets_received));
	gauge(t, "packets_sent", metrics_help(METRIC_packets_sent),
	      metrics_get(METRIC_packets_sent));
	gauge(t, "non_mtls_local_conn_count", metrics_help(METRIC_non_mtls_local_conn_count),
	      metrics_get(METRIC_non_mtls_local_conn_count));
	gauge(t, "non_mtls_remote_conn_count", metrics_help(METRIC_non_mtls_remote_conn_count),
	      metrics_get(METRIC_non_mtls_remote_conn_count));
	gauge(t, "auth_failed_count", metrics_help(METRIC_auth_failed),
	      metrics_get(METRIC_auth_failed));
}

uint64_t stats_znodes(const struct view *v)
{
	return tree_counts(registry_tree(v->registry)).znodes + 1;
}

static void tell_tree(const struct telling *t)
{
	const struct view *v = t->view;
	struct tree_counts tree = tree_counts(registry_tree(v->registry));

	gauge(t, "znode_count", "znodes, the root twice", stats_znodes(v));
	gauge(t, "watch_count", "watches", watch_counts(registry_watches(v->registry)).all);
	gauge(t, "ephemerals_count", "ephemeral znodes", tree.ephemerals);
	gauge(t, "approximate_data_size", "bytes of tree.db", store_tree_bytes(v->store));
	gauge(t, "tree_schema_version", "schema version of tree.db",
	      (uint64_t)store_tree_version(v->store));
	gauge(t, "upgrade_znodes_left", "znodes still to be copied for a newer schema version",
	      store_upgrade_left(v->store));
	gauge(t, "tree_wal_size", "bytes in use of tree.db's -wal", store_tree_wal_bytes(v->store));
	gauge(t, "log_wal_size", "bytes in use of the -wal of the segment that is written",
	      store_log_wal_size(v->store));
	gauge(t, "log_size", "bytes of the log's segments", store_log_bytes(v->store));
	gauge(t, "pending_znodes", "znodes that changed and are not in tree.db yet", tree.pending);
	gauge(t, "cached_znodes", "znodes of tree.db that are in memory too", tree.cached);
	gauge(t, "cached_bytes", "memory that they take", tree.cached_bytes);
	gauge(t, "replay_lag_rows", "changes in the log that are not in tree.db yet",
	      store_lag_rows(v->store));
}

static void tell_room(const struct telling *t)
{
	struct room_figures f;

	store_get_room(t->view->store, &f);
	gauge(t, "disk_free_bytes", "room in the file system of dataDir", f.data_free);
	gauge(t, "log_disk_free_bytes", "room in the file system of dataLogDir", f.log_free);
	gauge(t, "ballast_bytes", "blocks kept for when that is full", f.ballast);
	gauge(t, "alarms", "figures that are beyond their limit of zoolite.alarm...",
	      t->view->alarms ? alarms_count(t->view->alarms) : 0);
	gauge(t, "room_level", "0: plenty; 1: persistent znodes are refused; 2: all writes are",
	      f.level);
}

static void tell_process(const struct telling *t)
{
	gauge(t, "uptime", "time since it serves, ms",
	      (uint64_t)(clock_now_ms() - t->view->serves_since_ms));
	gauge(t, "open_file_descriptor_count", "descriptors that are open", machine_open_files());
	gauge(t, "max_file_descriptor_count", "descriptors that may be open", machine_max_files());
}

static void tell_summary(const struct telling *t, enum stat_type type, const char *name,
			 const char *help, const struct summary *summary)
{
	struct stat_value s = { .name = name, .help = help, .type = type, .summary = summary };

	t->each(t->ctx, &s);
}

static void tell_summaries(const struct telling *t)
{
	const struct view *v = t->view;
	struct summary syncs;
	struct registry *r = v->registry;

	tell_summary(t, STAT_FULL, "readlatency", "time of a read, ms",
		     latency_summary(v->latency, LATENCY_READ));
	tell_summary(t, STAT_FULL, "updatelatency", "time of a write, ms",
		     latency_summary(v->latency, LATENCY_UPDATE));
	tell_summary(t, STAT_COUNTS, "node_created_watch_count", "watches that a creation fired",
		     registry_fired(r, EVENT_NODE_CREATED));
	tell_summary(t, STAT_COUNTS, "node_deleted_watch_count", "watches that a deletion fired",
		     registry_fired(r, EVENT_NODE_DELETED));
	tell_summary(t, STAT_COUNTS, "node_changed_watch_count", "watches that new data fired",
		     registry_fired(r, EVENT_NODE_DATA_CHANGED));
	tell_summary(t, STAT_COUNTS, "node_children_watch_count", "watches that a child fired",
		     registry_fired(r, EVENT_NODE_CHILDREN_CHANGED));
	store_get_sync_times(v->store, &syncs);
	tell_summary(t, STAT_BASIC, "fsynctime", "time of a sync of the log, ms", &syncs);
}

/* ZooKeeper's name for what we count under ours. */
static const struct {
	const char *name;
	enum metric metric;
} aliases[] = {
	{ "connection_rejected", METRIC_connections_refused },
	{ "unsuccessful_handshake", METRIC_connections_rejected_tls },
	{ "stale_sessions_expired", METRIC_sessions_expired },
};

static bool is_gauge(enum metric m)
{
	return m == METRIC_packets_received || m == METRIC_packets_sent ||
	       m == METRIC_non_mtls_local_conn_count || m == METRIC_non_mtls_remote_conn_count;
}

static void tell_counters(const struct telling *t)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		tell(t, STAT_COUNTER, aliases[i].name, metrics_help(aliases[i].metric),
		     (int64_t)metrics_get(aliases[i].metric));
	for (enum metric m = 0; m < METRIC_COUNT; m++)
		if (!is_gauge(m))
			tell(t, STAT_COUNTER, metrics_name(m), metrics_help(m),
			     (int64_t)metrics_get(m));
}

/* Of what there is; below 0 where it has run out. */
static void tell_validity(const struct telling *t)
{
	static const struct {
		enum validity_part part;
		const char *name, *help;
	} parts[] = {
		{ VALIDITY_SERVER, "server_certificate_days",
		  "days until a certificate of the server runs out" },
		{ VALIDITY_CA, "ca_certificate_days", "days until a trusted CA runs out" },
		{ VALIDITY_CRL, "crl_days", "days until a list of revoked certificates runs out" },
		{ VALIDITY_PEER, "peer_certificate_days",
		  "days until a connected peer's certificate runs out" },
	};
	int64_t days;

	for (size_t i = 0; t->view->validity && i < sizeof(parts) / sizeof(*parts); i++)
		if (validity_days(t->view->validity, parts[i].part, &days))
			tell(t, STAT_GAUGE, parts[i].name, parts[i].help, days);
}

static void tell_snapshots(const struct telling *t)
{
	struct snapshots_figures f;

	if (!t->view->snapshots)
		return;
	f = snapshots_figures(t->view->snapshots);
	if (f.has_last)
		tell(t, STAT_GAUGE, "snapshot_age",
		     "time since the newest snapshot was verified, ms",
		     clock_wall_ms() - f.last_time_ms);
	gauge(t, "snapshots_kept", "snapshots that are there, verified", f.kept);
	gauge(t, "snapshot_failing", "1: the snapshot that was tried last is no good",
	      f.is_failing);
	gauge(t, "snapshot_step_max", "longest step of the copy of a snapshot, us",
	      (uint64_t)f.longest_step_us);
	gauge(t, "snapshot_time", "the last snapshot, from the beginning to its name, ms",
	      (uint64_t)f.last_took_ms);
}

void stats_foreach(const struct view *v, each_fn each, void *ctx)
{
	struct telling t = { v, each, ctx };

	tell_latencies(&t);
	tell_sizes(&t);
	tell_clients(&t);
	tell_tree(&t);
	tell_room(&t);
	tell_process(&t);
	tell_validity(&t);
	tell_snapshots(&t);
	tell_counters(&t);
	tell_summaries(&t);
}

void stats_reset(const struct view *v)
{
	latency_reset(v->latency);
	store_reset_sync_times(v->store);
	registry_reset_fired(v->registry);
	metrics_reset();
	if (v->snapshots)
		snapshots_reset(v->snapshots);
}

static void tell_part(const struct stat_value *s, const char *prefix, int64_t number, each_fn each,
		      void *ctx)
{
	char name[NAME_LEN];
	struct stat_value part = { .name = name,
				   .help = s->help,
				   .type = STAT_GAUGE,
				   .number = number };

	snprintf(name, sizeof(name), "%s_%s", prefix, s->name);
	each(ctx, &part);
}

unsigned stats_unit(const struct stat_value *s)
{
	return s->type == STAT_COUNTS ? 1 : US_PER_MS;
}

void stats_flatten(const struct stat_value *s, each_fn each, void *ctx)
{
	static const struct {
		const char *prefix;
		double share;
	} quantiles[] = { { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 }, { "p999", 0.999 } };
	uint64_t unit = stats_unit(s);
	char name[NAME_LEN];
	struct stat_value avg = { .name = name, .help = s->help, .type = STAT_REAL };

	if (!s->summary) {
		each(ctx, s);
		return;
	}
	snprintf(name, sizeof(name), "avg_%s", s->name);
	avg.real = summary_average(s->summary) / (double)unit;
	each(ctx, &avg);
	tell_part(s, "min", (int64_t)(s->summary->min / unit), each, ctx);
	tell_part(s, "max", (int64_t)(s->summary->max / unit), each, ctx);
	tell_part(s, "cnt", (int64_t)s->summary->count, each, ctx);
	tell_part(s, "sum", (int64_t)(s->summary->sum / unit), each, ctx);
	for (size_t i = 0; s->type == STAT_FULL && i < sizeof(quantiles) / sizeof(*quantiles); i++)
		tell_part(s, quantiles[i].prefix,
			  (int64_t)(summary_quantile(s->summary, quantiles[i].share) / unit), each,
			  ctx);
}
