#include "app/server.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/alarms.h"
#include "app/audit_secret.h"
#include "app/control.h"
#include "app/control_commands.h"
#include "app/fourlw.h"
#include "app/http.h"
#include "app/latency.h"
#include "app/machine.h"
#include "app/notify.h"
#include "app/peers.h"
#include "app/print.h"
#include "app/privileges.h"
#include "app/reload.h"
#include "app/setup.h"
#include "app/snapshots.h"
#include "app/sweep.h"
#include "app/turn.h"
#include "app/validity.h"
#include "app/view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/audit.h"
#include "core/policy.h"
#include "core/registry.h"
#include "net/names.h"
#include "store/room.h"

enum {
	MAX_HTTP_HEAD = 4096, /* of an answer */
	LONGEST_SLEEP_MS = 1000,
	TRIM_MS = 5000,
	OWN_FILES = 64, /* databases, listeners, event loops, and some to spare */
	FILES_OF_THREAD = 4,
	FILES_OF_SEGMENT = 4,
	MOST_OPEN_SEGMENTS = 16, /* that wait for replay, where they are small */
	LEAST_CONNECTIONS = 16,
};

struct server {
	struct config config;
	char *config_path;
	struct audit_secret secret;
	struct audit_key *known_key; /* without a secret one */
	struct audit *audit;         /* NULL: none */
	struct store *store;
	struct registry *registry;
	struct gate *gate;
	struct peers *peers;
	struct dispatch *dispatch;
	struct latency *latency;
	struct control *control; /* NULL: none */
	struct event_base *base;
	struct event *gate_event, *store_event, *loaded_event, *sleep_event, *snapshot_event;
	struct event *signals[4];
	struct snapshots *snapshots;
	struct timer_wheel connection_wheel; /* of net */
	struct timer_wheel session_wheel; /* of the registry; another thread's while that loads */
	struct timer trim;
	struct reload reload;
	struct sweep *sweep;
	struct validity *validity;
	struct alarms *alarms; /* once it serves */
	struct turn turn;
	int64_t trace_mask;
	int64_t serves_since_ms; /* monotonic */
	pthread_t loader;
	int loaded_fd;
	int load_rc;
	char reason[STORE_REASON_LEN];
	bool loading; /* the loader thread owns registry, store and session_wheel */
	bool serving;
	bool stopping;
};

/* --- requests in text --- */

static enum conn_text answer_word(const struct view *v, struct conn *c, struct slice bytes)
{
	enum conn_text result = CONN_TEXT_NONE;
	struct buf out;

	buf_init(&out, v->config->max_reply);
	switch (fourlw_answer(v, bytes, &out)) {
	case FOURLW_UNKNOWN:
		break;
	case FOURLW_PARTIAL:
		result = CONN_TEXT_PARTIAL;
		break;
	case FOURLW_ANSWERED:
		conn_send_raw(c, buf_slice(&out));
		conn_close(c, "four-letter word answered");
		result = CONN_TEXT_TAKEN;
		break;
	}
	buf_fini(&out);
	return result;
}

static enum conn_text answer_http(const struct view *v, struct conn *c, struct slice bytes)
{
	enum http_place place = conn_peer(c)->kind == GATE_ADMIN ? HTTP_ADMIN : HTTP_METRICS;
	struct buf head, body;
	bool is_answered;

	buf_init(&head, MAX_HTTP_HEAD);
	buf_init(&body, v->config->max_reply);
	is_answered = http_answer(v, place, bytes, &head, &body);
	if (is_answered) {
		conn_send_raw(c, buf_slice(&head));
		conn_send_raw(c, buf_slice(&body));
		conn_close(c, "HTTP request answered");
	}
	buf_fini(&head);
	buf_fini(&body);
	return is_answered ? CONN_TEXT_TAKEN : CONN_TEXT_PARTIAL;
}

static struct view view_of(struct server *s)
{
	return (struct view){
		.config = &s->config,
		.registry = s->serving ? s->registry : NULL,
		.store = s->store,
		.peers = s->peers,
		.latency = s->latency,
		.gate = s->gate,
		.snapshots = s->serving ? s->snapshots : NULL,
		.validity = s->validity,
		.alarms = s->alarms,
		.serves_since_ms = s->serves_since_ms,
		.audit = s->audit,
		.trace_mask = &s->trace_mask,
	};
}

/* A snapshot is an administrator's to ask for: whom the policy makes one; where there is none, who
 * comes with a certificate or from this machine. */
static bool may_act(const struct server *s, const struct access_limits *access,
		    const struct conn *c)
{
	const struct arrival *peer = conn_peer(c);

	if (peer->kind != GATE_ADMIN)
		return false;
	if (access->policy != NULL)
		return peers_administers(s->peers, access, c);
	return peer->identity.subject != NULL || http_is_loopback(s->config.admin_host);
}

static enum conn_text answer_text(void *ctx, struct conn *c, struct slice bytes)
{
	struct server *s = ctx;
	const struct access_limits *access = &registry_options(s->registry)->access;
	struct view view = view_of(s);
	int64_t began_us = clock_exact_us();
	enum conn_text result;

	view.asks = conn_peer(c);
	view.is_curtailed = access->policy != NULL && !peers_reads_all(s->peers, access, c);
	view.may_act = may_act(s, access, c);
	if (gate_kind_is_http(conn_peer(c)->kind)) {
		result = answer_http(&view, c, bytes);
		turn_note(&s->turn, "http", began_us, clock_exact_us());
	} else {
		result = answer_word(&view, c, bytes);
		turn_note(&s->turn, "four-letter word", began_us, clock_exact_us());
	}
	return result;
}

/* --- events --- */

static void on_gate(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	turn_step(&s->turn, "gate");
	clock_update();
	peers_take(s->peers, s->gate);
}

/* What waited for the disk leaves. */
static void release(struct server *s)
{
	conn_set_release(peers_connections(s->peers), registry_flushed(s->registry));
	control_release(s->control, registry_flushed(s->registry));
}

static void on_store(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	turn_step(&s->turn, "store");
	clock_update();
	registry_wake(s->registry);
	latency_flushed(s->latency, registry_flushed(s->registry));
	release(s);
	snapshots_wake(s->snapshots);
	/* What waits for replay may be refused now. */
	if (!registry_is_behind(s->registry) || store_room(s->store) != ROOM_PLENTY)
		conn_set_unpark(peers_connections(s->peers));
}

static void on_snapshot(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	turn_step(&s->turn, "snapshot");
	clock_update();
	snapshots_wake(s->snapshots);
}

static void on_sleep(evutil_socket_t fd, short what, void *arg)
{
	/* Ends the wait; the wheels are run after every wait. */
	(void)fd;
	(void)what;
	(void)arg;
}

static void reload_for_signal(struct server *s);

static void snapshot_for_signal(struct server *s)
{
	char reason[SNAPSHOTS_REASON_LEN];

	const struct audit_event e = { .kind = "control",
				       .address = slice_of("SIGUSR1"),
				       .op = slice_of("snapshot") };

	if (!s->serving)
		return;
	audit_record(s->audit, &e);
	if (snapshots_ask(s->snapshots, registry_last_change(s->registry), "SIGUSR1", 0, reason) ==
	    SNAPSHOTS_THERE)
		log_info("snapshot.there",
			 LOG_TEXT("file", snapshots_figures(s->snapshots).last_path));
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct server *s = arg;

	(void)what;
	turn_step(&s->turn, "signal");
	if (number == SIGHUP)
		reload_for_signal(s);
	else if (number == SIGUSR1)
		snapshot_for_signal(s);
	else
		s->stopping = true;
}

/* Its own doings on the audit trail. */
static void audit_server(struct server *s, const char *kind, const char *result)
{
	const struct audit_event e = {
		.kind = kind,
		.result = result ? slice_of(result) : (struct slice){ 0 },
		.detail = strcmp(kind, "start") == 0 ? slice_of(machine_version())
						     : (struct slice){ 0 },
	};

	audit_record(s->audit, &e);
}

/* How long there has been no snapshot with all changes; 0: there is one. */
static uint64_t unsaved_ms(const struct server *s)
{
	struct snapshots_figures f = snapshots_figures(s->snapshots);
	int64_t ms = clock_now_ms() - s->serves_since_ms;

	if (f.has_last && f.last_zxid >= store_last_zxid(s->store))
		return 0;
	if (f.has_last)
		ms = clock_wall_ms() - f.last_time_ms;
	return ms > 0 ? (uint64_t)ms : 0;
}

static void measure_figures(void *ctx, uint64_t values[ALARM_COUNT])
{
	const struct server *s = ctx;

	alarms_measure_store(s->store, values);
	values[ALARM_SNAPSHOT_AGE] = unsaved_ms(s);
}

static void watch_figures(struct server *s)
{
	const struct config *c = &s->config;
	const struct alarms_options o = {
		.limits = { [ALARM_LAG] = (uint64_t)c->alarm_lag,
			    [ALARM_TREE_WAL] = c->alarm_tree_wal,
			    [ALARM_TREE_SIZE] = c->alarm_tree_size,
			    [ALARM_LOG_SIZE] = c->alarm_log_size,
			    [ALARM_LOG_WAL] = c->alarm_log_wal,
			    [ALARM_SYNC_TIME] = (uint64_t)c->alarm_sync_ms,
			    [ALARM_FREE_ROOM] = c->alarm_free_room,
			    [ALARM_SNAPSHOT_AGE] = (uint64_t)c->alarm_snapshot_age_ms },
		.measure = measure_figures,
		.ctx = s,
	};

	s->alarms = alarms_new(&s->connection_wheel, &o);
}

static void start_serving(struct server *s)
{
	s->serving = true;
	audit_begin(s->audit);
	audit_server(s, "start", NULL);
	s->serves_since_ms = clock_update();
	event_add(s->store_event, NULL);
	peers_set_registry(s->peers, s->registry);
	sweep_set_registry(s->sweep, s->registry);
	watch_figures(s);
	snapshots_begin(s->snapshots, s->store);
	event_add(s->snapshot_event, NULL);
	log_info("server.serving", LOG_HEX("zxid", registry_last_zxid(s->registry)),
		 LOG_INT("znodes", tree_counts(registry_tree(s->registry)).znodes));
	notify_ready();
}

static void on_loaded(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	turn_step(&s->turn, "start");
	event_del(s->loaded_event);
	pthread_join(s->loader, NULL);
	s->loading = false;
	if (s->load_rc == 0) {
		start_serving(s);
		return;
	}
	log_error("server.start_failed", LOG_TEXT("reason", s->reason));
	s->stopping = true;
}

/* --- reload --- */

/* In told stands why it was refused or what waits for a restart. */
static bool reload(struct server *s, const char *op, struct buf *told)
{
	bool is_taken;

	notify_reloading();
	is_taken = reload_all(&s->reload, op, told);
	if (s->serving)
		notify_ready();
	return is_taken;
}

static void reload_for_signal(struct server *s)
{
	struct buf told;

	buf_init(&told, RELOAD_TOLD_MAX);
	reload(s, "SIGHUP", &told);
	buf_fini(&told);
}

/* --- the control socket --- */

static bool reload_for(void *ctx, struct buf *told)
{
	return reload(ctx, "control", told);
}

static void stop_for(void *ctx)
{
	struct server *s = ctx;

	s->stopping = true;
}

static void run_control(void *ctx, struct control_request *rq)
{
	struct server *s = ctx;
	struct view view = view_of(s);
	const struct control_hooks hooks = { s, reload_for, stop_for };
	int64_t began_us = clock_exact_us();

	control_run(&view, &hooks, rq);
	turn_note(&s->turn, "control command", began_us, clock_exact_us());
}

static void note_control_refused(void *ctx, uid_t uid, const char *reason)
{
	const struct server *s = ctx;
	char who[64];
	const struct audit_event e = {
		.kind = "refuse",
		.host = slice_of("control socket"),
		.address = slice_of("control socket"),
		.who = { who,
			 (size_t)snprintf(who, sizeof(who), "[\"uid:%lld\"]", (long long)uid) },
		.op = slice_of("control"),
		.result = slice_of(reason),
	};

	audit_refuse(s->audit, &e);
}

/* To who waits at the control socket. */
static void tell_outcome(void *ctx, uint64_t ticket, const struct snapshots_outcome *o)
{
	struct server *s = ctx;
	struct buf answer;

	buf_init(&answer, MAX_HTTP_HEAD);
	control_print_outcome(&answer, o);
	control_answer(s->control, ticket, buf_slice(&answer));
	buf_fini(&answer);
}

/* As with the admin server's port: the socket that nobody asked for is no reason not to serve. */
static int open_control(struct server *s, char reason[SERVER_REASON_LEN])
{
	const struct config *c = &s->config;
	char why[CONTROL_SOCKET_REASON_LEN];
	struct control_options o = { .max_peers = (unsigned)c->max_control,
				     .timeout_ms = c->control_ms,
				     .run = run_control,
				     .refused = note_control_refused,
				     .ctx = s };
	char *path = control_socket_path(c);
	int rc = 0;

	if (!path)
		return 0;
	o.path = path;
	s->control = control_new(s->base, &s->connection_wheel, &s->turn, &o, why);
	if (s->control) {
		log_info("control.listening", LOG_TEXT("path", path));
	} else if (!c->control_socket) {
		log_warn("control.unavailable", LOG_TEXT("reason", why));
	} else {
		snprintf(reason, SERVER_REASON_LEN, "zoolite.controlSocket %.480s", why);
		rc = -1;
	}
	mem_free(path);
	return rc;
}

/* --- building --- */

static int listen_on(struct server *s, enum gate_listener_kind kind, const char *host, int32_t port,
		     const char *log_name, char reason[SERVER_REASON_LEN])
{
	char why[TLS_REASON_LEN];
	uint16_t bound = 0;

	if (port == CONFIG_NO_PORT)
		return 0;
	if (gate_listen(s->gate, kind, host, (uint16_t)port,
			kind == GATE_TLS ? s->reload.tls : NULL, &bound, why) != 0) {
		snprintf(reason, SERVER_REASON_LEN, "%s %d: %s", log_name, port, why);
		return -1;
	}
	log_info("server.listening", LOG_TEXT("kind", log_name),
		 LOG_TEXT("host", host ? host : "*"), LOG_INT("port", bound));
	return 0;
}

/* What the server itself may need at once. */
static rlim_t own_files(const struct config *c)
{
	uint64_t segments = c->max_pending_bytes / c->segment_bytes + 1;

	if (segments > MOST_OPEN_SEGMENTS)
		segments = MOST_OPEN_SEGMENTS;
	return OWN_FILES + (rlim_t)c->max_control + FILES_OF_THREAD * (rlim_t)c->gate_threads +
	       FILES_OF_SEGMENT * (rlim_t)segments;
}

/* Descriptors are the limit that nobody configured: the store must never go without. */
static unsigned max_connections(const struct config *c)
{
	rlim_t own = own_files(c), room = LEAST_CONNECTIONS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return (unsigned)c->max_connections;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return (unsigned)c->max_connections;
	if (limit.rlim_cur > own + LEAST_CONNECTIONS)
		room = limit.rlim_cur - own;
	if (room > INT_MAX)
		room = INT_MAX;
	if (c->max_connections == 0 || (rlim_t)c->max_connections > room) {
		log_info("server.connections", LOG_INT("most", room),
			 LOG_TEXT("reason", "descriptors (RLIMIT_NOFILE)"));
		return (unsigned)room;
	}
	return (unsigned)c->max_connections;
}

/* An admin server without its port is no reason not to serve clients, as in ZooKeeper; the metrics
 * were asked for by name. */
static int open_http_listeners(struct server *s, char reason[SERVER_REASON_LEN])
{
	const struct config *c = &s->config;

	if (c->admin &&
	    listen_on(s, GATE_ADMIN, c->admin_host, c->admin_port, "admin.serverPort", reason) != 0)
		log_warn("admin.unavailable", LOG_TEXT("reason", reason));
	if (c->metrics && listen_on(s, GATE_METRICS, c->metrics_host, c->metrics_port,
				    "metricsProvider.httpPort", reason) != 0)
		return -1;
	return 0;
}

static int open_lists(struct server *s, char reason[SERVER_REASON_LEN])
{
	struct setup_fault fault;

	s->reload.gate = s->gate;
	if (reload_lists(&s->reload, &fault) == 0)
		return 0;
	snprintf(reason, SERVER_REASON_LEN, "%s: %.400s", fault.property, fault.reason);
	return -1;
}

/* On a thread of the gate's. */
static void note_refused(void *ctx, const char *address, const char *reason)
{
	const struct server *s = ctx;
	const struct audit_event e = {
		.kind = "refuse",
		.host = audit_host(address),
		.address = slice_of(address),
		.op = slice_of("connect"),
		.result = slice_of(reason),
	};

	audit_refuse(s->audit, &e);
}

static int open_listeners(struct server *s, char reason[SERVER_REASON_LEN])
{
	const struct config *c = &s->config;
	struct gate_options o;

	gate_options_init(&o);
	o.max_connections = max_connections(c);
	o.threads = (unsigned)c->gate_threads;
	o.max_per_address = (unsigned)c->max_per_address;
	o.max_handshakes = (unsigned)c->max_handshakes;
	o.handshake_timeout_ms = c->handshake_ms;
	o.max_failures = (unsigned)c->max_failures;
	o.failure_window_ms = c->failure_window_ms;
	o.max_handshake_rate = (unsigned)c->max_handshake_rate;
	o.backlog = c->backlog;
	config_names(c, &o.names);
	o.refused = note_refused;
	o.refused_ctx = s;
	s->gate = gate_new(&o);
	if (open_lists(s, reason) != 0)
		return -1;
	if (listen_on(s, GATE_TLS, c->secure_host, c->secure_port, "secureClientPort", reason) !=
		    0 ||
	    listen_on(s, GATE_PLAIN, c->client_host, c->client_port, "clientPort", reason) != 0 ||
	    listen_on(s, GATE_MONITOR, "127.0.0.1", c->monitor_port, "zoolite.monitorPort",
		      reason) != 0)
		return -1;
	return open_http_listeners(s, reason);
}

/* A reload reads them again, as that user. */
static void look_for_unreadable(const struct config *c, const char *config_path)
{
	const char *const files[] = { config_path,   c->cert_file,         c->key_file,
				      c->trust_file, c->key_password_file, c->crl_file,
				      c->deny_list,  c->allow_list,        c->proxy_from };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (files[i] && access(files[i], R_OK) != 0)
			log_warn("user.unreadable", LOG_TEXT("file", files[i]),
				 LOG_TEXT("user", c->user),
				 LOG_TEXT("reason", "every reload will be refused"));
}

/* Root made the ports; what is made from now on is the user's. */
static int become_user(struct server *s, char reason[SERVER_REASON_LEN])
{
	const struct config *c = &s->config;
	char why[PRIVILEGES_REASON_LEN];

	if (!c->user)
		return 0;
	if (privileges_drop(c->user, why) != 0) {
		snprintf(reason, SERVER_REASON_LEN, "zoolite.user %s", why);
		return -1;
	}
	log_info("server.user", LOG_TEXT("user", c->user), LOG_INT("uid", geteuid()));
	look_for_unreadable(c, s->config_path);
	return 0;
}

static void read_strangers(void *ctx)
{
	struct server *s = ctx;

	conn_set_read_strangers(peers_connections(s->peers));
}

static bool somebody_waits(void *ctx, int64_t deadline_ms)
{
	struct server *s = ctx;

	return gate_has_waiting(s->gate, deadline_ms);
}

static bool somebody_owes(void *ctx, int64_t deadline_ms)
{
	struct server *s = ctx;

	return gate_has_shaking(s->gate, deadline_ms) ||
	       conn_set_has_strangers(peers_connections(s->peers), deadline_ms);
}

/* The key that signs. Without a secret one the trail is written all the same, unless the
 * configuration wants it closed then. -1 with a reason. */
static int open_key(struct server *s, struct audit_key **key, char reason[SERVER_REASON_LEN])
{
	const struct config *c = &s->config;
	char why[AUDIT_SECRET_REASON_LEN];
	enum audit_secret_rc rc;

	*key = NULL;
	if (!c->audit)
		return 0;
	rc = audit_secret_read(c, &s->secret, why);
	if (rc == AUDIT_SECRET_ABSENT && audit_secret_make(c, why) == 0) {
		log_info("audit.key_made", LOG_TEXT("file", c->audit_key));
		rc = audit_secret_read(c, &s->secret, why);
	}
	if (rc != AUDIT_SECRET_GOOD && c->audit_fail_closed) {
		snprintf(reason, SERVER_REASON_LEN, "zoolite.auditKey %.480s", why);
		return -1;
	}
	if (rc != AUDIT_SECRET_GOOD)
		log_error("audit.unkeyed", LOG_TEXT("reason", why));
	else if (s->secret.count == 0)
		log_warn("audit.unkeyed", LOG_TEXT("reason", "zoolite.auditKey is not set"));
	s->known_key = s->secret.count > 0 ? NULL : audit_key_new(NULL);
	*key = s->secret.count > 0 ? s->secret.keys[0] : s->known_key;
	return 0;
}

static void open_audit(struct server *s)
{
	const struct audit_options o = {
		.max_events = (unsigned)s->config.max_audit_events,
		.reads = s->config.audit_reads,
	};

	if (s->config.audit)
		s->audit = audit_new(s->store, &o);
}

static int open_registry(struct server *s, char reason[SERVER_REASON_LEN])
{
	const struct config *c = &s->config;
	const struct registry_hooks hooks = { s, read_strangers, somebody_waits, somebody_owes };
	struct names_chain chain;
	struct store_options so;
	struct registry_options ro;
	struct setup_fault fault;

	store_options_init(&so);
	so.data_dir = c->data_dir;
	so.log_dir = c->data_log_dir;
	so.segment_bytes = c->segment_bytes;
	so.retention_bytes = c->retention_bytes;
	so.retention_ms = c->retention_ms;
	so.replay_batch_rows = (uint32_t)c->replay_batch_rows;
	so.replay_delay_ms = (uint32_t)c->replay_delay_ms;
	so.low_bytes = c->low_bytes;
	so.ballast_bytes = c->ballast_bytes;
	so.most_tree_wal_bytes = c->most_tree_wal_bytes;
	so.tree_cache_kib = (uint32_t)(c->tree_cache_bytes / 1024);
	if (open_key(s, &so.audit_key, reason) != 0 || store_open(&s->store, &so, reason) != 0)
		return -1;
	open_audit(s);
	registry_options_init(&ro);
	ro.min_session_timeout_ms = c->min_session_ms;
	ro.max_session_timeout_ms = c->max_session_ms;
	ro.cache_bytes = c->cache_bytes;
	ro.max_watches = (unsigned)c->max_watches;
	ro.max_watch_bytes = (size_t)c->max_watch_bytes;
	ro.max_ephemerals = (unsigned)c->max_ephemerals;
	ro.max_lag_rows = (uint64_t)c->max_lag_rows;
	ro.max_pending_bytes = c->max_pending_bytes;
	ro.max_ephemeral_bytes = c->max_ephemeral_bytes;
	/* Paths and columns that a request of small operations, or the end of a session, puts on
	 * record. */
	ro.max_record = (size_t)(2 * c->max_ephemeral_bytes) + 4 * (size_t)c->max_frame;
	ro.max_sessions = (unsigned)c->max_sessions;
	ro.max_sessions_per_identity = (unsigned)c->max_sessions_per_identity;
	ro.write_rate = c->write_rate;
	ro.max_acls = (unsigned)c->max_acls;
	ro.max_path = (size_t)c->max_path;
	ro.extended_types = c->extended_types;
	ro.reconfig_enabled = c->reconfig_enabled;
	ro.container_check_ms = c->container_check_ms;
	ro.container_max_per_minute = c->container_max_per_minute;
	ro.container_never_used_ms = c->container_never_used_ms;
	ro.enforce_quota = c->enforce_quota;
	ro.max_quotas = (unsigned)c->max_quotas;
	ro.access.max_ids = (unsigned)c->max_ids;
	ro.access.max_id_bytes = (size_t)c->max_id_bytes;
	ro.access.max_entries = (unsigned)c->max_acl_entries;
	ro.access.max_acl_bytes = (size_t)c->max_acl_bytes;
	ro.access.has_digest = c->digest;
	ro.access.digest_hash = c->digest_hash;
	ro.access.super_digest = c->super_digest;
	ro.access.super_x509 = c->super_x509;
	config_names(c, &chain);
	ro.access.has_san = names_chain_has_san(&chain);
	ro.enforced_schemes = c->enforce_auth ? c->enforced_schemes : NULL;
	ro.connect_tokens = c->connect_tokens;
	ro.connect_fill_count = c->connect_fill_count;
	ro.connect_fill_ms = c->connect_fill_ms;
	ro.max_outstanding = c->max_outstanding;
	ro.audit = s->audit;
	s->registry = registry_new(s->store, &s->session_wheel, &ro, &hooks);
	s->reload.registry = s->registry;
	s->reload.audit = s->audit;
	if (c->policy_file && reload_policy(&s->reload, c, &fault) != 0) {
		snprintf(reason, SERVER_REASON_LEN, "%s: %.400s", fault.property, fault.reason);
		return -1;
	}
	return 0;
}

static struct event *watch_fd(struct server *s, int fd, event_callback_fn call)
{
	struct event *e = event_new(s->base, fd, EV_READ | EV_PERSIST, call, s);

	if (!e)
		die("server.event", "event_new failed");
	return e;
}

static void make_loop(struct server *s)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	const struct snapshots_hooks hooks = { s, tell_outcome };
	const struct config *c = &s->config;
	/* What may be written may be read. */
	const uint64_t largest =
		c->max_reply > (uint64_t)c->max_frame ? c->max_reply : (uint64_t)c->max_frame;
	struct conn_limits limits;
	struct names_chain chain;

	s->loaded_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->base = event_base_new();
	if (!s->base || s->loaded_fd < 0)
		die("server.loop", "no event loop");
	conn_limits_init(&limits);
	limits.max_frame = (size_t)c->max_frame;
	limits.max_output = (size_t)c->max_unsent;
	limits.output_timeout_ms = c->unsent_ms;
	/* A reply may be that large, behind as much that the peer has not taken. */
	limits.max_queued = (size_t)(largest + c->max_unsent + c->max_in_flight);
	limits.max_gated = (size_t)c->max_in_flight;
	limits.max_parked_input = (size_t)c->max_read_ahead;
	limits.max_buffered = (size_t)c->max_buffered;
	limits.first_frame_timeout_ms = c->first_request_ms;
	limits.http_timeout_ms = c->admin_idle_ms;
	s->latency = latency_new();
	s->dispatch = dispatch_new((size_t)largest, s->latency, &s->turn);
	s->peers = peers_new(s->base, &s->connection_wheel, &limits, s->dispatch, &s->turn,
			     answer_text, s);
	config_names(c, &chain);
	peers_name_by(s->peers, &chain);
	peers_limit_identity(s->peers, (unsigned)c->max_per_identity);
	s->validity = validity_new();
	s->sweep = sweep_new(s->peers, s->gate, s->validity, &s->connection_wheel);
	validity_take(s->validity, s->reload.tls);
	s->reload.sweep = s->sweep;
	s->reload.validity = s->validity;
	reload_watch(&s->reload);
	peers_set_audit(s->peers, s->audit);
	s->gate_event = watch_fd(s, gate_fd(s->gate), on_gate);
	s->store_event = watch_fd(s, store_wake_fd(s->store), on_store);
	s->loaded_event = watch_fd(s, s->loaded_fd, on_loaded);
	s->snapshots = snapshots_new(&s->config, &s->connection_wheel, &hooks);
	if (!s->snapshots)
		die("server.loop", "no event descriptor");
	s->snapshot_event = watch_fd(s, snapshots_fd(s->snapshots), on_snapshot);
	s->sleep_event = evtimer_new(s->base, on_sleep, s);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		s->signals[i] = evsignal_new(s->base, numbers[i], on_signal, s);
		event_add(s->signals[i], NULL);
	}
	event_add(s->gate_event, NULL);
	event_add(s->loaded_event, NULL);
}

struct server *server_new(struct config *config, const char *config_path, struct tls_context *tls,
			  char reason[SERVER_REASON_LEN])
{
	struct server *s = mem_new(sizeof(*s));

	s->config = *config;
	s->config_path = mem_strdup(config_path);
	s->reload.config = &s->config;
	s->reload.config_path = s->config_path;
	s->reload.wheel = &s->connection_wheel;
	s->reload.tls = tls;
	s->loaded_fd = -1;
	s->trace_mask = VIEW_TRACE_MASK;
	timer_wheel_init(&s->connection_wheel, clock_update());
	timer_wheel_init(&s->session_wheel, clock_now_ms());
	if (open_listeners(s, reason) != 0 || become_user(s, reason) != 0 ||
	    open_registry(s, reason) != 0) {
		server_free(s);
		return NULL;
	}
	make_loop(s);
	if (open_control(s, reason) != 0) {
		server_free(s);
		return NULL;
	}
	return s;
}

/* --- running --- */

static void on_trim(struct timer *t)
{
	struct server *s = container_of(t, struct server, trim);

	(void)mem_trim();
	timer_arm(&s->connection_wheel, t, clock_now_ms() + TRIM_MS);
}

static void *load(void *arg)
{
	struct server *s = arg;

	s->load_rc = registry_start(s->registry, s->reason);
	if (eventfd_write(s->loaded_fd, 1) != 0)
		die("server.load", "cannot tell the loop");
	return NULL;
}

static void sleep_until_due(struct server *s)
{
	int64_t now = clock_update();
	int64_t wait_ms =
		timer_wheel_wait_ms(&s->connection_wheel, now, notify_wait_ms(LONGEST_SLEEP_MS));
	struct timeval tv;

	if (s->serving)
		wait_ms = timer_wheel_wait_ms(&s->session_wheel, now, wait_ms);
	tv.tv_sec = (time_t)(wait_ms / 1000);
	tv.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000);
	event_add(s->sleep_event, &tv);
	if (event_base_loop(s->base, EVLOOP_ONCE) < 0)
		die("server.loop", "event loop failed");
}

static void run_turn(struct server *s)
{
	sleep_until_due(s);
	turn_step(&s->turn, "timers");
	clock_update();
	timer_wheel_run(&s->connection_wheel, clock_now_ms());
	if (s->serving) {
		timer_wheel_run(&s->session_wheel, clock_now_ms());
		turn_step(&s->turn, "commit");
		registry_end_turn(s->registry);
		release(s);
	}
	turn_step(&s->turn, "send");
	conn_set_end_turn(peers_connections(s->peers));
	notify_alive(clock_now_ms());
	turn_end(&s->turn);
}

int server_run(struct server *s)
{
	s->loading = true;
	timer_init(&s->trim, on_trim);
	timer_arm(&s->connection_wheel, &s->trim, clock_now_ms() + TRIM_MS);
	if (pthread_create(&s->loader, NULL, load, s) != 0)
		die("server.load", "cannot start a thread");
	gate_start(s->gate);
	while (!s->stopping)
		run_turn(s);
	notify_stopping();
	if (s->loading) {
		pthread_join(s->loader, NULL);
		s->loading = false;
	}
	log_info("server.stopping");
	if (s->serving) {
		audit_end_turn(s->audit, true);
		audit_server(s, "stop", NULL);
	}
	return s->load_rc;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->gate)
		gate_stop(s->gate);
	/* While the data directory is still ours. */
	control_free(s->control);
	snapshots_free(s->snapshots);
	sweep_free(s->sweep);
	validity_free(s->validity);
	alarms_free(s->alarms);
	peers_free(s->peers);
	free_event(s->gate_event);
	free_event(s->store_event);
	free_event(s->loaded_event);
	free_event(s->sleep_event);
	free_event(s->snapshot_event);
	for (size_t i = 0; i < sizeof(s->signals) / sizeof(*s->signals); i++)
		free_event(s->signals[i]);
	if (s->base)
		event_base_free(s->base);
	registry_free(s->registry);
	store_close(s->store);
	audit_key_free(s->known_key);
	audit_secret_fini(&s->secret);
	dispatch_free(s->dispatch);
	latency_free(s->latency);
	tls_context_unref(s->reload.tls);
	if (s->gate)
		gate_free(s->gate);
	audit_free(s->audit);
	if (s->loaded_fd >= 0)
		close(s->loaded_fd);
	mem_free(s->config_path);
	config_fini(&s->config);
	mem_free(s);
}
