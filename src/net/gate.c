/* One thread accepts (and does nothing else, so that it always comes soon); net/shaker's threads do
 * the handshakes; what came through waits in a queue for the core thread. A peer moves on from the
 * backlog to a handshake to the queue, and is put into the next place before it leaves the last
 * one: who asks in that order misses nobody.
 *
 * looked_ms of a listener: every peer that connected to it before that time has been accepted. It
 * moves on when accept finds nobody, and, where peers stand in line without end, when the line has
 * passed whose length was taken at a time. */
#include "net/gate.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/census.h"
#include "net/listen.h"
#include "net/shaker.h"
#include "net/suspects.h"

enum {
	ACCEPT_BATCH = 64,      /* peers a listener, before the others have their turn */
	STARVED_PAUSE_MS = 100, /* without descriptors: when to try again */
	ROOM_PAUSE_MS = 50,
	/* What a slow but honest peer may take for its part of a handshake, when others wait. */
	ROOM_PATIENCE_MS = 2000,
	/* And for its first bytes, which follow its connecting at once: thousands that say nothing
	 * pass in seconds. */
	ROOM_SILENCE_MS = 150,
	MONITOR_PLACES = 16, /* beyond the most connections */
	LOG_BURST = 20,      /* refusals logged a second */
};

struct listener {
	struct list link;
	struct gate *gate;
	enum gate_listener_kind kind;
	int fd;
	struct event *event;
	bool is_paused;          /* accepting thread only */
	struct tls_context *tls; /* under the lock, as is what follows */
	int64_t looked_ms;
	uint64_t accepted;
	bool has_line;        /* a line of waiting peers is being watched: */
	int64_t line_ms;      /* when its length was taken */
	uint64_t line_passed; /* accepted, once the last of it is through */
};

struct gate {
	struct gate_options options;
	struct shaker *shaker;
	struct list listeners; /* fixed once started */
	pthread_t thread;
	bool is_running;
	struct event_base *base;
	struct event *wake;
	struct event *retry; /* after a lack of descriptors */
	struct event *room;  /* while all handshakes that may be under way are */
	bool is_starved;     /* accepting thread only, as is the next: until the retry */
	bool told_starved;   /* logged, until a listener was drained again */
	int wake_fd;
	int arrived_fd;
	pthread_mutex_t lock;
	/* Under the lock. */
	struct census census;
	struct suspects suspects;
	struct gate_networks networks;
	unsigned rules;
	struct list arrivals;
	bool must_look;
	bool must_stop;
};

static void signal_fd(int fd)
{
	uint64_t one = 1;

	/* It can only fail where the counter is full, and then the reader is awake. */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void clear_fd(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		die("gate.broken", "cannot read an eventfd");
}

static void log_refusal(const struct gate *g, const char *peer, const char *reason)
{
	static struct log_limit limit;
	uint32_t suppressed;

	if (g->options.refused)
		g->options.refused(g->options.refused_ctx, peer, reason);
	if (!log_limit_pass(&limit, LOG_BURST, &suppressed))
		return;
	if (suppressed > 0)
		log_warn("gate.refused", LOG_TEXT("peer", peer), LOG_TEXT("reason", reason),
			 LOG_INT("suppressed", suppressed));
	else
		log_warn("gate.refused", LOG_TEXT("peer", peer), LOG_TEXT("reason", reason));
}

/* Kinds. */

bool gate_kind_has_sessions(enum gate_listener_kind kind)
{
	return kind == GATE_PLAIN || kind == GATE_TLS;
}

bool gate_kind_is_http(enum gate_listener_kind kind)
{
	return kind == GATE_ADMIN || kind == GATE_METRICS;
}

/* Arrivals. */

/* As who a connection is counted. Until it is said who comes from a balancer it is nobody of
 * whom there are too many. */
static const struct sockaddr_storage *counted_as(const struct sockaddr_storage *from,
						 bool is_proxied)
{
	static const struct sockaddr_storage nobody = { .ss_family = AF_UNSPEC };

	return is_proxied ? &nobody : from;
}

void arrival_free(struct arrival *a)
{
	if (!a)
		return;
	tls_free(a->tls);
	if (a->fd >= 0)
		close(a->fd);
	tls_identity_fini(&a->identity);
	if (a->gate)
		gate_release(a->gate, counted_as(&a->from, a->is_proxied));
	mem_free(a);
}

static void give_arrival(struct gate *g, struct arrival *a)
{
	pthread_mutex_lock(&g->lock);
	list_append(&g->arrivals, &a->link);
	pthread_mutex_unlock(&g->lock);
	signal_fd(g->arrived_fd);
}

static void let_in_plain(struct gate *g, struct arrival *a)
{
	if (a->kind == GATE_PLAIN)
		metrics_add(address_is_loopback(&a->from) ? METRIC_non_mtls_local_conn_count
							  : METRIC_non_mtls_remote_conn_count,
			    1);
	give_arrival(g, a);
}

static void note_failure(struct gate *g, const struct arrival *a)
{
	/* Who connects and goes, as a balancer does that looks whether we are there, is none. */
	if (!a->tls || !tls_has_begun(a->tls))
		return;
	pthread_mutex_lock(&g->lock);
	suspects_note_failure(&g->suspects, &a->from, clock_update());
	pthread_mutex_unlock(&g->lock);
}

static void log_doubt(const struct arrival *a, const char *doubt)
{
	const char *subject = a->identity.subject;
	static struct log_limit limit;
	uint32_t suppressed;

	metrics_add(METRIC_connections_doubtful, 1);
	if (log_limit_pass(&limit, LOG_BURST, &suppressed))
		log_warn("gate.doubtful", LOG_TEXT("peer", a->address),
			 LOG_TEXT("subject", subject ? subject : "none"), LOG_TEXT("reason", doubt),
			 LOG_INT("suppressed", suppressed));
}

static void on_passed(void *user, struct arrival *a)
{
	struct gate *g = user;
	const char *subject = a->identity.subject, *doubt, *refusal;

	if (!a->tls) {
		let_in_plain(g, a);
		return;
	}
	doubt = tls_doubt(a->tls);
	refusal = names_refusal(&g->options.names, &a->identity);
	if (refusal) {
		metrics_add(METRIC_identities_rejected, 1);
		note_failure(g, a);
		log_refusal(g, a->address, refusal);
		arrival_free(a);
		return;
	}
	a->valid_until_s = tls_valid_until_s(a->tls);
	/* None that nobody asked for counts. */
	if (a->identity.subject)
		tls_peer_times(a->tls, &a->cert_from_s, &a->cert_until_s);
	if (doubt)
		log_doubt(a, doubt);
	log_debug("gate.passed", LOG_TEXT("peer", a->address), LOG_TEXT("tls", tls_version(a->tls)),
		  LOG_TEXT("subject", subject ? subject : "none"));
	give_arrival(user, a);
}

static void on_refused(void *user, struct arrival *a, const char *reason, bool expired)
{
	note_failure(user, a);
	metrics_add(a->is_proxied ? METRIC_connections_rejected_proxy
		    : expired     ? METRIC_handshakes_expired
				  : METRIC_connections_rejected_tls,
		    1);
	log_refusal(user, a->address, reason);
	arrival_free(a);
}

static void on_handshake_ended(void *user)
{
	const struct gate *g = user;

	/* Only the accepting thread knows whether a listener waits for this; a wake-up too many
	 * costs little. */
	signal_fd(g->wake_fd);
}

/* Accepting. */

static void set_socket_options(int fd)
{
	int on = 1;

	/* Replies of a turn are joined before they are written, so waiting for more is only delay.
	 * Neither option can fail on a TCP socket in a way that matters. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* A peer that is to be judged. */
struct newcomer {
	enum gate_listener_kind kind;
	const struct sockaddr_storage *from;
	const struct sockaddr_storage *counted; /* as who came; NULL: not yet */
	bool is_balancer;                       /* who comes is said later */
	unsigned rules;                         /* what it was judged by */
};

/* Under the lock. */
static const char *refuse_by_networks(const struct gate_networks *n,
				      const struct sockaddr_storage *from)
{
	if (n->deny && networks_has(n->deny, from))
		return "denied network";
	if (n->allow && !networks_has(n->allow, from))
		return "not an allowed network";
	return NULL;
}

/* The same; those whom a balancer connects are judged when they are known. */
static const char *refuse_by_rules(struct gate *g, struct newcomer *n)
{
	const char *refusal = NULL;

	pthread_mutex_lock(&g->lock);
	n->rules = g->rules;
	n->is_balancer = !n->counted && gate_kind_has_sessions(n->kind) && g->networks.balancers &&
			 networks_has(g->networks.balancers, n->from);
	if (gate_kind_has_sessions(n->kind) && !n->is_balancer)
		refusal = refuse_by_networks(&g->networks, n->from);
	pthread_mutex_unlock(&g->lock);
	return refusal;
}

static enum census_rc count(struct gate *g, const struct newcomer *n)
{
	unsigned total = g->options.max_connections;
	unsigned per_address = n->is_balancer ? 0 : g->options.max_per_address;

	if (n->counted)
		return census_move(&g->census, n->counted, n->from, per_address);
	/* When the house is full, somebody has to be able to look at it; yet no crowd. */
	if (!gate_kind_has_sessions(n->kind) && address_is_loopback(n->from)) {
		per_address = 0;
		if (total != 0)
			total += MONITOR_PLACES;
	}
	return census_enter(&g->census, counted_as(n->from, n->is_balancer), total, per_address);
}

/* Why a peer may not come in; NULL where it was counted and may. */
static const char *refuse_by_count(struct gate *g, const struct newcomer *n)
{
	enum census_rc rc;

	pthread_mutex_lock(&g->lock);
	rc = count(g, n);
	pthread_mutex_unlock(&g->lock);
	switch (rc) {
	case CENSUS_OK:
		return NULL;
	case CENSUS_FULL:
		return "too many connections";
	case CENSUS_HOST_FULL:
		return "too many connections from address";
	}
	return "unknown limit";
}

/* NULL where memory is out. */
static struct arrival *arrival_new(struct listener *l, int fd, const struct sockaddr_storage *from,
				   unsigned rules)
{
	struct arrival *a = mem_try(sizeof(*a));
	struct tls_context *tls = NULL;

	if (!a)
		return NULL;
	list_init(&a->link);
	a->kind = l->kind;
	a->gate = l->gate;
	a->rules = rules;
	a->valid_until_s = INT64_MAX;
	a->cert_from_s = INT64_MAX;
	a->cert_until_s = INT64_MAX;
	a->from = *from;
	a->accepted_ms = clock_now_ms();
	address_format(from, a->address);
	address_format_host(from, a->host);
	pthread_mutex_lock(&l->gate->lock);
	a->since_ms = l->looked_ms;
	if (l->tls)
		tls = tls_context_ref(l->tls);
	pthread_mutex_unlock(&l->gate->lock);
	if (tls)
		a->tls = tls_new(tls, fd);
	tls_context_unref(tls);
	a->fd = fd;
	return a;
}

/* Before any public-key work; NULL where it may begin. */
static const char *refuse_by_suspicion(struct gate *g, const struct sockaddr_storage *from)
{
	enum suspects_rc rc;

	pthread_mutex_lock(&g->lock);
	rc = suspects_ask(&g->suspects, from, clock_update());
	pthread_mutex_unlock(&g->lock);
	switch (rc) {
	case SUSPECTS_OK:
		return NULL;
	case SUSPECTS_FAILED:
		return "too many failed handshakes from address";
	case SUSPECTS_FAST:
		return "too many handshakes a second from address";
	}
	return "unknown suspicion";
}

/* Whether a peer may not come in, which is counted and logged. */
static bool must_refuse(struct gate *g, struct newcomer *n)
{
	enum metric counter = METRIC_connections_denied;
	const char *refusal = refuse_by_rules(g, n);
	char address[ADDRESS_TEXT_LEN];

	if (!refusal && n->kind == GATE_TLS && !n->is_balancer) {
		counter = METRIC_connections_suspected;
		refusal = refuse_by_suspicion(g, n->from);
	}
	if (!refusal) {
		counter = METRIC_connections_refused;
		refusal = refuse_by_count(g, n);
	}
	if (!refusal)
		return false;
	metrics_add(counter, 1);
	address_format(n->from, address);
	log_refusal(g, address, refusal);
	return true;
}

/* From now on the connection is the client's, whoever brought it. */
static bool on_announced(void *user, struct arrival *a, const struct sockaddr_storage *client)
{
	struct sockaddr_storage from = client ? *client : a->from;
	struct newcomer n = {
		.kind = a->kind,
		.from = &from,
		.counted = counted_as(&a->from, true),
	};
	char balancer[ADDRESS_TEXT_LEN];

	address_normalise(&from);
	if (must_refuse(user, &n)) {
		arrival_free(a);
		return false;
	}
	/* a->rules stays as old as its TLS, so that who comes after a reload is judged again. */
	memcpy(balancer, a->address, sizeof(balancer));
	a->is_proxied = false;
	a->from = from;
	address_format(&from, a->address);
	address_format_host(&from, a->host);
	if (client)
		metrics_add(METRIC_connections_proxied, 1);
	log_debug("gate.proxied", LOG_TEXT("peer", a->address), LOG_TEXT("by", balancer));
	return true;
}

static void admit(struct listener *l, int fd, struct sockaddr_storage *from)
{
	struct gate *g = l->gate;
	struct newcomer n = { .kind = l->kind, .from = from };
	struct arrival *a;

	address_normalise(from);
	if (must_refuse(g, &n)) {
		close(fd);
		return;
	}
	set_socket_options(fd);
	a = arrival_new(l, fd, from, n.rules);
	if (!a) {
		close(fd);
		gate_release(g, counted_as(from, n.is_balancer));
		return;
	}
	metrics_add(METRIC_connections_accepted, 1);
	a->is_proxied = n.is_balancer;
	if (l->kind == GATE_TLS && !a->tls)
		arrival_free(a);
	else if (l->kind == GATE_TLS || a->is_proxied)
		shaker_add(g->shaker, a);
	else
		let_in_plain(g, a);
}

/* Whether who comes here may need a place among the handshakes. */
static bool may_shake(const struct listener *l)
{
	bool has_balancers;

	if (l->kind != GATE_PLAIN)
		return l->kind == GATE_TLS;
	pthread_mutex_lock(&l->gate->lock);
	has_balancers = l->gate->networks.balancers != NULL;
	pthread_mutex_unlock(&l->gate->lock);
	return has_balancers;
}

static bool may_accept(const struct listener *l)
{
	struct gate *g = l->gate;

	if (g->is_starved)
		return false;
	return !may_shake(l) || shaker_count(g->shaker) < g->options.max_handshakes;
}

static void note_accepted(struct listener *l)
{
	pthread_mutex_lock(&l->gate->lock);
	l->accepted++;
	if (l->has_line && l->accepted >= l->line_passed) {
		l->has_line = false;
		if (l->looked_ms < l->line_ms)
			l->looked_ms = l->line_ms;
	}
	pthread_mutex_unlock(&l->gate->lock);
}

static void note_empty(struct listener *l, int64_t before_ms)
{
	if (l->gate->told_starved && !l->gate->is_starved) {
		l->gate->told_starved = false;
		log_info("gate.recovered");
	}
	pthread_mutex_lock(&l->gate->lock);
	l->looked_ms = before_ms;
	l->has_line = false;
	pthread_mutex_unlock(&l->gate->lock);
}

/* It failed for want of something that others must give back first. */
static void starve(struct gate *g, const char *reason)
{
	struct timeval pause = { .tv_usec = STARVED_PAUSE_MS * 1000 };

	if (!g->told_starved)
		log_error("gate.starved", LOG_TEXT("reason", reason));
	g->told_starved = true;
	g->is_starved = true;
	if (event_add(g->retry, &pause) != 0)
		die("gate.broken", "cannot arm a timer");
}

static void pause_listener(struct listener *l, bool is_paused)
{
	if (l->is_paused == is_paused)
		return;
	if (is_paused) {
		event_del(l->event);
	} else if (event_add(l->event, NULL) != 0) {
		starve(l->gate, "no room to watch a listening socket");
		return;
	}
	l->is_paused = is_paused;
}

enum accept_rc { ACCEPT_ONE, ACCEPT_NOBODY, ACCEPT_STARVED };

static enum accept_rc accept_one(struct listener *l)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		admit(l, fd, &from);
		note_accepted(l);
		return ACCEPT_ONE;
	}
	switch (errno) {
	case EAGAIN:
		return ACCEPT_NOBODY;
	case EINTR:
		return ACCEPT_ONE;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		starve(l->gate, strerror(errno));
		return ACCEPT_STARVED;
	default:
		/* A peer that went away while it stood in line (ECONNABORTED and the errors of its
		 * network). */
		note_accepted(l);
		return ACCEPT_ONE;
	}
}

static void accept_batch(struct listener *l)
{
	for (int i = 0; i < ACCEPT_BATCH && may_accept(l); i++) {
		int64_t before_ms = clock_update();

		switch (accept_one(l)) {
		case ACCEPT_ONE:
			break;
		case ACCEPT_NOBODY:
			note_empty(l, before_ms);
			return;
		case ACCEPT_STARVED:
			return;
		}
	}
}

/* How many peers wait to be accepted. False where the system does not tell. */
static bool line_length(const struct listener *l, unsigned *length)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return false;
	/* Of a listening socket this field is the length of the accept queue. */
	*length = info.tcpi_unacked;
	return true;
}

/* Peers stand in line and cannot be let in now, or come faster than they are: take the length of
 * the line, so that we know when the last of those that stand there now has passed. */
static void watch_line(struct listener *l)
{
	struct pollfd poll_fd = { .fd = l->fd, .events = POLLIN };
	int64_t before_ms = clock_update();
	unsigned length;

	if (poll(&poll_fd, 1, 0) == 0) {
		note_empty(l, before_ms);
		return;
	}
	if (!line_length(l, &length))
		return;
	pthread_mutex_lock(&l->gate->lock);
	if (!l->has_line) {
		l->has_line = true;
		l->line_ms = before_ms;
		l->line_passed = l->accepted + length;
	}
	pthread_mutex_unlock(&l->gate->lock);
}

/* All handshakes that may be under way are: look from time to time whether one of them only owes us
 * bytes. */
static void want_room(struct gate *g)
{
	const struct timeval pause = { .tv_usec = ROOM_PAUSE_MS * 1000 };

	if (!evtimer_pending(g->room, NULL) && event_add(g->room, &pause) != 0)
		die("gate.broken", "cannot arm a timer");
}

static void serve_listener(struct listener *l)
{
	bool is_full;

	accept_batch(l);
	is_full = !may_accept(l);
	pause_listener(l, is_full);
	if (is_full && !l->gate->is_starved)
		want_room(l->gate);
}

/* At the listeners that are waited for. */
static unsigned count_in_line(const struct gate *g)
{
	unsigned count = 0;

	list_foreach(link, &g->listeners) {
		const struct listener *l = container_of(link, struct listener, link);
		unsigned length;

		if (may_shake(l) && l->is_paused && line_length(l, &length))
			count += length;
	}
	return count;
}

static void log_full(unsigned waiting)
{
	static struct log_limit limit;
	uint32_t suppressed;

	metrics_add(METRIC_handshakes_full, 1);
	if (log_limit_pass(&limit, 1, &suppressed))
		log_warn("gate.full",
			 LOG_TEXT("reason", "all handshakes that may be are under way"),
			 LOG_INT("waiting", waiting), LOG_INT("suppressed", suppressed));
}

/* Silent strangers in all places must not keep the others out: whoever has owed us bytes for a
 * while goes. */
static void on_room(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;
	unsigned waiting, most;

	(void)fd;
	(void)what;
	if (shaker_count(g->shaker) < g->options.max_handshakes)
		return;
	most = waiting = count_in_line(g);
	if (most > g->options.max_handshakes / 2 + 1)
		most = g->options.max_handshakes / 2 + 1;
	if (most > 0) {
		log_full(waiting);
		shaker_make_room(g->shaker, ROOM_SILENCE_MS, ROOM_PATIENCE_MS, most);
	}
	want_room(g);
}

static void on_listener(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	serve_listener(arg);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd;
	(void)what;
	g->is_starved = false;
	list_foreach(link, &g->listeners)
		serve_listener(container_of(link, struct listener, link));
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;
	bool must_look, must_stop;

	(void)what;
	clear_fd(fd);
	pthread_mutex_lock(&g->lock);
	must_look = g->must_look;
	must_stop = g->must_stop;
	g->must_look = false;
	pthread_mutex_unlock(&g->lock);
	if (must_stop) {
		event_base_loopbreak(g->base);
		return;
	}
	list_foreach(link, &g->listeners) {
		struct listener *l = container_of(link, struct listener, link);

		serve_listener(l);
		if (must_look)
			watch_line(l);
	}
}

static void *gate_main(void *arg)
{
	struct gate *g = arg;

	event_base_dispatch(g->base);
	return NULL;
}

/* Start and stop. */

void gate_options_init(struct gate_options *o)
{
	*o = (struct gate_options){
		.threads = 1,
		.max_connections = 0,
		.max_per_address = 60, /* ZooKeeper's maxClientCnxns */
		.max_handshakes = 64,
		.handshake_timeout_ms = 10000,
		.failure_window_ms = 60000,
		.backlog = -1,
	};
	names_chain_init(&o->names);
}

static int base_init(struct gate *g)
{
	struct event_config *config = event_config_new();

	/* Only the accepting thread touches this base; others write to the eventfd. */
	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		g->base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (!g->base)
		return -1;
	g->wake = event_new(g->base, g->wake_fd, EV_READ | EV_PERSIST, on_wake, g);
	g->retry = evtimer_new(g->base, on_retry, g);
	g->room = evtimer_new(g->base, on_room, g);
	if (!g->wake || !g->retry || !g->room)
		return -1;
	return event_add(g->wake, NULL);
}

struct gate *gate_new(const struct gate_options *o)
{
	struct gate *g = mem_new(sizeof(*g));

	g->options = *o;
	if (g->options.threads == 0)
		g->options.threads = 1;
	if (g->options.max_handshakes == 0)
		g->options.max_handshakes = 1;
	list_init(&g->listeners);
	list_init(&g->arrivals);
	census_init(&g->census);
	suspects_init(&g->suspects, o->max_failures, o->failure_window_ms, o->max_handshake_rate);
	pthread_mutex_init(&g->lock, NULL);
	g->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	g->arrived_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (g->wake_fd < 0 || g->arrived_fd < 0 || base_init(g) != 0)
		die("gate.broken", "no descriptors or memory for an event loop");
	return g;
}

int gate_listen(struct gate *g, enum gate_listener_kind kind, const char *host, uint16_t port,
		struct tls_context *tls, uint16_t *bound_port, char reason[TLS_REASON_LEN])
{
	struct listener *l = mem_new(sizeof(*l));

	assert(!g->is_running && (kind == GATE_TLS) == (tls != NULL));
	l->gate = g;
	l->kind = kind;
	/* Nobody can have connected before. */
	l->looked_ms = clock_update();
	l->fd = listen_open(host, port, g->options.backlog, bound_port, reason, TLS_REASON_LEN);
	if (l->fd < 0) {
		mem_free(l);
		return -1;
	}
	l->event = event_new(g->base, l->fd, EV_READ | EV_PERSIST, on_listener, l);
	if (!l->event)
		die("gate.broken", "no memory for an event");
	if (tls)
		l->tls = tls_context_ref(tls);
	list_append(&g->listeners, &l->link);
	return 0;
}

/* Signals are the main thread's: threads started meanwhile inherit the mask. */
static void start_threads(struct gate *g)
{
	static const struct shaker_handlers handlers = {
		.announced = on_announced,
		.passed = on_passed,
		.refused = on_refused,
		.ended = on_handshake_ended,
	};
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	g->shaker = shaker_new(g->options.threads, g->options.handshake_timeout_ms, &handlers, g);
	if (!g->shaker || pthread_create(&g->thread, NULL, gate_main, g) != 0)
		die("gate.broken", "cannot start a thread");
	pthread_setname_np(g->thread, "gate");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void gate_start(struct gate *g)
{
	assert(!g->is_running);
	list_foreach(link, &g->listeners) {
		struct listener *l = container_of(link, struct listener, link);

		if (event_add(l->event, NULL) != 0)
			die("gate.broken", "cannot watch a listening socket");
	}
	start_threads(g);
	g->is_running = true;
}

void gate_stop(struct gate *g)
{
	if (!g->is_running)
		return;
	pthread_mutex_lock(&g->lock);
	g->must_stop = true;
	pthread_mutex_unlock(&g->lock);
	signal_fd(g->wake_fd);
	pthread_join(g->thread, NULL);
	shaker_free(g->shaker);
	g->shaker = NULL;
	g->is_running = false;
	list_foreach(link, &g->listeners) {
		struct listener *l = container_of(link, struct listener, link);

		event_del(l->event);
		close(l->fd);
		l->fd = -1;
	}
}

static void listener_free(struct listener *l)
{
	list_remove(&l->link);
	event_free(l->event);
	if (l->fd >= 0)
		close(l->fd);
	tls_context_unref(l->tls);
	mem_free(l);
}

void gate_free(struct gate *g)
{
	struct list *link;

	if (!g)
		return;
	gate_stop(g);
	while ((link = list_take_first(&g->arrivals)) != NULL)
		arrival_free(container_of(link, struct arrival, link));
	list_foreach_safe(pos, &g->listeners)
		listener_free(container_of(pos, struct listener, link));
	event_free(g->wake);
	event_free(g->retry);
	event_free(g->room);
	event_base_free(g->base);
	close(g->wake_fd);
	close(g->arrived_fd);
	census_fini(&g->census);
	suspects_fini(&g->suspects);
	gate_networks_free(&g->networks);
	pthread_mutex_destroy(&g->lock);
	mem_free(g);
}

/* For the core thread. */

void gate_set_tls(struct gate *g, struct tls_context *tls)
{
	list_foreach(link, &g->listeners) {
		struct listener *l = container_of(link, struct listener, link);
		struct tls_context *old;

		if (l->kind != GATE_TLS)
			continue;
		pthread_mutex_lock(&g->lock);
		old = l->tls;
		l->tls = tls_context_ref(tls);
		g->rules++;
		pthread_mutex_unlock(&g->lock);
		tls_context_unref(old);
	}
}

void gate_networks_free(struct gate_networks *n)
{
	networks_free(n->deny);
	networks_free(n->allow);
	networks_free(n->balancers);
	*n = (struct gate_networks){ 0 };
}

void gate_set_networks(struct gate *g, const struct gate_networks *networks)
{
	struct gate_networks old;

	pthread_mutex_lock(&g->lock);
	old = g->networks;
	g->networks = *networks;
	g->rules++;
	pthread_mutex_unlock(&g->lock);
	gate_networks_free(&old);
}

const char *gate_refuses_address(struct gate *g, const struct sockaddr_storage *from)
{
	const char *refusal;

	pthread_mutex_lock(&g->lock);
	refusal = refuse_by_networks(&g->networks, from);
	pthread_mutex_unlock(&g->lock);
	return refusal;
}

unsigned gate_rules(struct gate *g)
{
	unsigned rules;

	pthread_mutex_lock(&g->lock);
	rules = g->rules;
	pthread_mutex_unlock(&g->lock);
	return rules;
}

int gate_fd(const struct gate *g)
{
	return g->arrived_fd;
}

void gate_take(struct gate *g, struct list *arrivals)
{
	clear_fd(g->arrived_fd);
	pthread_mutex_lock(&g->lock);
	list_splice(arrivals, &g->arrivals);
	pthread_mutex_unlock(&g->lock);
}

void gate_release(struct gate *g, const struct sockaddr_storage *from)
{
	pthread_mutex_lock(&g->lock);
	census_leave(&g->census, from);
	pthread_mutex_unlock(&g->lock);
}

/* Somebody may stand in a backlog since before deadline_ms; if so, have the accepting thread
 * look. */
static bool backlog_has_waiting(struct gate *g, int64_t deadline_ms)
{
	bool waiting = false;
	bool must_wake;

	pthread_mutex_lock(&g->lock);
	list_foreach(link, &g->listeners) {
		const struct listener *l = container_of(link, struct listener, link);

		if (l->looked_ms < deadline_ms)
			waiting = true;
	}
	must_wake = waiting && !g->must_look;
	g->must_look = g->must_look || waiting;
	pthread_mutex_unlock(&g->lock);
	if (must_wake)
		signal_fd(g->wake_fd);
	return waiting;
}

static bool queue_has_waiting(struct gate *g, int64_t deadline_ms)
{
	bool waiting = false;

	pthread_mutex_lock(&g->lock);
	list_foreach(link, &g->arrivals) {
		const struct arrival *a = container_of(link, struct arrival, link);

		if (a->since_ms < deadline_ms)
			waiting = true;
	}
	pthread_mutex_unlock(&g->lock);
	return waiting;
}

bool gate_has_waiting(struct gate *g, int64_t deadline_ms)
{
	bool waiting;

	if (!g->is_running)
		return queue_has_waiting(g, deadline_ms);
	/* All three are asked in any case, for asking makes the threads look; in this order, for
	 * peers move so. */
	waiting = backlog_has_waiting(g, deadline_ms);
	waiting |= shaker_has_waiting(g->shaker, deadline_ms);
	waiting |= queue_has_waiting(g, deadline_ms);
	return waiting;
}

bool gate_has_shaking(struct gate *g, int64_t deadline_ms)
{
	return g->is_running && shaker_has_any(g->shaker, deadline_ms);
}

unsigned gate_connections(const struct gate *g)
{
	/* The lock is no part of what const promises. */
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&g->lock;
	unsigned count;

	pthread_mutex_lock(lock);
	count = g->census.total;
	pthread_mutex_unlock(lock);
	return count;
}

unsigned gate_handshakes(const struct gate *g)
{
	return g->is_running ? shaker_count(g->shaker) : 0;
}
