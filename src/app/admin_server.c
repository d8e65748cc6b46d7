/* Commands about the server as a whole. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/admin_commands.h"
#include "app/json.h"
#include "app/latency.h"
#include "app/machine.h"
#include "app/peers.h"
#include "app/snapshots.h"
#include "app/stats.h"
#include "app/view.h"
#include "app/witness.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "core/registry.h"

const char *admin_configuration(const struct view *v, struct json *j)
{
	const struct config *c = v->config;

	json_put_int(j, "client_port", c->client_port);
	json_put_text(j, "data_dir", c->data_dir);
	json_put_text(j, "data_log_dir", c->data_log_dir ? c->data_log_dir : c->data_dir);
	json_put_int(j, "tick_time", c->tick_ms);
	json_put_int(j, "max_client_cnxns", c->max_per_address);
	json_put_int(j, "min_session_timeout", c->min_session_ms);
	json_put_int(j, "max_session_timeout", c->max_session_ms);
	json_put_int(j, "server_id", 0);
	json_put_int(j, "client_port_listen_backlog", c->backlog);
	return NULL;
}

const char *admin_dirs(const struct view *v, struct json *j)
{
	json_put_int(j, "datadir_size", (int64_t)store_tree_bytes(v->store));
	json_put_int(j, "logdir_size", (int64_t)store_log_bytes(v->store));
	return NULL;
}

static void put_fact(void *ctx, const char *key, const char *value)
{
	json_put_text(ctx, key, value);
}

const char *admin_environment(const struct view *v, struct json *j)
{
	(void)v;
	machine_environment(put_fact, j);
	return NULL;
}

const char *admin_get_trace_mask(const struct view *v, struct json *j)
{
	json_put_int(j, "tracemask", *v->trace_mask);
	return NULL;
}

const char *admin_hash(const struct view *v, struct json *j)
{
	(void)v;
	json_key(j, slice_of("digests"));
	json_open_array(j);
	json_close_array(j);
	return NULL;
}

const char *admin_initial_configuration(const struct view *v, struct json *j)
{
	json_put_text(j, "initial_configuration", v->config->given);
	return NULL;
}

const char *admin_is_read_only(const struct view *v, struct json *j)
{
	(void)v;
	json_put_bool(j, "read_only", false);
	return NULL;
}

/* ZooKeeper's answer where there is none. */
enum { NO_SNAPSHOT = -1, MS_PER_S = 1000 };

const char *admin_last_snapshot(const struct view *v, struct json *j)
{
	struct snapshots_figures f = { 0 };
	char zxid[32];

	if (v->snapshots)
		f = snapshots_figures(v->snapshots);
	snprintf(zxid, sizeof(zxid), "%" PRIx64,
		 f.has_last ? (uint64_t)f.last_zxid : (uint64_t)NO_SNAPSHOT);
	json_put_text(j, "zxid", zxid);
	json_put_int(j, "timestamp", f.has_last ? f.last_time_ms / MS_PER_S : NO_SNAPSHOT);
	return NULL;
}

/* Who asked looks at last_snapshot for when it is there. */
const char *admin_snapshot(const struct view *v, struct json *j)
{
	static char reason[SNAPSHOTS_REASON_LEN];
	char zxid[32];

	if (!v->snapshots)
		return VIEW_NOT_SERVING;
	snprintf(zxid, sizeof(zxid), "%" PRIx64, (uint64_t)registry_last_change(v->registry));
	switch (snapshots_ask(v->snapshots, registry_last_change(v->registry),
			      v->asks ? v->asks->address : "http", 0, reason)) {
	case SNAPSHOTS_REFUSED:
		return reason;
	case SNAPSHOTS_THERE:
	case SNAPSHOTS_BEGUN:
		break;
	}
	if (v->asks)
		witness_command(v->audit, v->asks, "http snapshot");
	json_put_text(j, "last_zxid", zxid);
	return NULL;
}

const char *admin_leader(const struct view *v, struct json *j)
{
	(void)v;
	(void)j;
	/* ZooKeeper's words for "there is no ensemble". */
	return "server is not initialized";
}

static void put_value(void *ctx, const struct stat_value *s)
{
	struct json *j = ctx;

	json_key(j, slice_of(s->name));
	if (s->type == STAT_REAL)
		json_real(j, s->real);
	else
		json_int(j, s->number);
}

static void put_stat(void *ctx, const struct stat_value *s)
{
	stats_flatten(s, put_value, ctx);
}

const char *admin_monitor(const struct view *v, struct json *j)
{
	json_put_text(j, "version", machine_version());
	json_put_text(j, "server_state", "standalone");
	stats_foreach(v, put_stat, j);
	return NULL;
}

const char *admin_observers(const struct view *v, struct json *j)
{
	(void)v;
	json_put_int(j, "synced_observers", 0);
	json_key(j, slice_of("observers"));
	json_open_array(j);
	json_close_array(j);
	return NULL;
}

const char *admin_ruok(const struct view *v, struct json *j)
{
	(void)v;
	(void)j;
	return NULL;
}

static void put_sizes(const struct view *v, struct json *j, const char *key)
{
	struct latency_sizes s = latency_sizes(v->latency);

	json_key(j, slice_of(key));
	json_open_object(j);
	json_put_int(j, "last_buffer_size", s.last);
	json_put_int(j, "min_buffer_size", s.min);
	json_put_int(j, "max_buffer_size", s.max);
	json_close_object(j);
}

static void put_metric(struct json *j, const char *key, enum metric m)
{
	json_put_int(j, key, (int64_t)metrics_get(m));
}

static void put_server_stats(const struct view *v, struct json *j)
{
	struct latency_figures f = latency_figures(v->latency);

	json_key(j, slice_of("server_stats"));
	json_open_object(j);
	put_metric(j, "packets_sent", METRIC_packets_sent);
	put_metric(j, "packets_received", METRIC_packets_received);
	put_metric(j, "fsync_threshold_exceed_count", METRIC_fsync_threshold_exceed_count);
	put_sizes(v, j, "client_response_stats");
	json_put_int(j, "data_dir_size", (int64_t)store_tree_bytes(v->store));
	json_put_int(j, "log_dir_size", (int64_t)store_log_bytes(v->store));
	json_put_text(j, "server_state", "standalone");
	json_put_int(j, "last_processed_zxid", registry_last_zxid(v->registry));
	json_put_int(j, "outstanding_requests", (int64_t)latency_waiting(v->latency));
	json_key(j, slice_of("avg_latency"));
	json_real(j, f.avg_ms);
	json_put_int(j, "max_latency", (int64_t)f.max_ms);
	json_put_int(j, "min_latency", (int64_t)f.min_ms);
	json_put_int(j, "num_alive_client_connections",
		     conn_set_count(peers_connections(v->peers)));
	json_put_int(j, "uptime", clock_now_ms() - v->serves_since_ms);
	put_metric(j, "auth_failed_count", METRIC_auth_failed);
	/* Jackson's way with capitals. */
	put_metric(j, "non_mtlsremote_conn_count", METRIC_non_mtls_remote_conn_count);
	put_metric(j, "non_mtlslocal_conn_count", METRIC_non_mtls_local_conn_count);
	json_put_bool(j, "provider_null", false);
	json_close_object(j);
}

const char *admin_server_stats(const struct view *v, struct json *j)
{
	json_put_text(j, "version", machine_version());
	json_put_bool(j, "read_only", false);
	put_server_stats(v, j);
	put_sizes(v, j, "client_response");
	json_put_int(j, "node_count", (int64_t)stats_znodes(v));
	return NULL;
}

const char *admin_stats(const struct view *v, struct json *j)
{
	const char *error = admin_server_stats(v, j);

	admin_put_connections(v, j, true);
	return error;
}

/* ZooKeeper's system properties are its configuration with a prefix. */
static void put_property(void *ctx, const char *name, const char *value)
{
	static const char ours[] = "zoolite.";
	char key[128];

	snprintf(key, sizeof(key), "%s%s",
		 strncmp(name, ours, sizeof(ours) - 1) == 0 ? "" : "zookeeper.", name);
	json_put_text(ctx, key, value);
}

const char *admin_system_properties(const struct view *v, struct json *j)
{
	config_foreach(v->config, put_property, j);
	return NULL;
}

const char *admin_voting_view(const struct view *v, struct json *j)
{
	(void)v;
	json_key(j, slice_of("current_config"));
	json_open_object(j);
	json_close_object(j);
	return NULL;
}

const char *admin_zabstate(const struct view *v, struct json *j)
{
	(void)v;
	json_put_bool(j, "voting", false);
	json_put_text(j, "zabstate", "");
	return NULL;
}
