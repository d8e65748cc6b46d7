/* The gate: accepts whom its lists of networks let come, and does handshakes on threads of its own;
 * only peers that passed every check come out, with who they are. Refused ones are closed, logged
 * (limited) and counted. Nothing a peer sends reaches a parser here. */
#ifndef NET_GATE_H
#define NET_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/list.h"
#include "net/address.h"
#include "net/names.h"
#include "net/networks.h"
#include "net/tls.h"

/* MONITOR: four-letter words alone; ADMIN, METRICS: HTTP. No session is opened at these three. */
enum gate_listener_kind { GATE_PLAIN, GATE_TLS, GATE_MONITOR, GATE_ADMIN, GATE_METRICS };
bool gate_kind_has_sessions(enum gate_listener_kind kind);
bool gate_kind_is_http(enum gate_listener_kind kind);

/* A peer that came through, handed to the core thread, which owns it then. */
struct arrival {
	struct list link; /* in the gate's queue */
	int fd;
	enum gate_listener_kind kind;
	struct tls *tls; /* NULL on plain listeners */
	bool is_proxied; /* a balancer's: whom it connects it says first */
	struct tls_identity identity;
	char address[ADDRESS_TEXT_LEN]; /* "10.0.0.7:40112", "[::1]:40112" */
	char host[ADDRESS_TEXT_LEN];    /* the same without the port or brackets */
	int64_t accepted_ms;            /* monotonic */
	int64_t since_ms;      /* it connected at this time or later: may lie before accepted_ms */
	struct gate *gate;     /* NULL: it is not counted */
	unsigned rules;        /* gate_rules when it was judged */
	int64_t valid_until_s; /* tls_valid_until_s */
	int64_t cert_from_s, cert_until_s; /* tls_peer_times */
	struct sockaddr_storage from;      /* behind a balancer: what that said */
};
/* Close an arrival's socket, and its TLS in order; tell the gate; free it. */
void arrival_free(struct arrival *a);

struct gate_options {
	unsigned threads;         /* of handshakes, >= 1 */
	unsigned max_connections; /* maxCnxns: open at once, handshakes included; 0: no limit */
	/* maxClientCnxns; 0: no limit; not asked of who looks from this machine (MONITOR and
	 * HTTP) */
	unsigned max_per_address;
	unsigned max_handshakes; /* under way at once; more wait unaccepted */
	int64_t handshake_timeout_ms;
	/* Of one address: handshakes that failed within the window from the first one, and such as
	 * began in a second; above, it is closed before TLS begins. 0: no limit. */
	unsigned max_failures;
	int64_t failure_window_ms;
	unsigned max_handshake_rate;
	int backlog;              /* clientPortListenBacklog; -1: the system's */
	struct names_chain names; /* who comes with a certificate must have one of these */
	/* Told of each peer that is refused, on any thread of the gate's; NULL: nobody is. */
	void (*refused)(void *ctx, const char *address, const char *reason);
	void *refused_ctx;
};
void gate_options_init(struct gate_options *o);

struct gate;
struct gate *gate_new(const struct gate_options *o);
/* Bind and listen; nothing is accepted before gate_start. host NULL: all addresses. port 0: the
 * system chooses, *bound_port tells. tls only with GATE_TLS, which takes a reference. -1 with a
 * line in reason. */
must_check int gate_listen(struct gate *g, enum gate_listener_kind kind, const char *host,
			   uint16_t port, struct tls_context *tls, uint16_t *bound_port,
			   char reason[TLS_REASON_LEN]);
void gate_start(struct gate *g);
/* Handshakes that begin from now on use this context (reload). */
void gate_set_tls(struct gate *g, struct tls_context *tls);
/* Each may be NULL. */
struct gate_networks {
	struct networks *deny;  /* nobody comes from one of these */
	struct networks *allow; /* all come from one of these */
	/* Who comes from one of these says first, by the PROXY protocol, whom it connects: that
	 * one's address is the connection's from then on, and judged as any other. */
	struct networks *balancers;
};
void gate_networks_free(struct gate_networks *n);
/* For who comes from now on to a listener with sessions; the lists are the gate's to free. */
void gate_set_networks(struct gate *g, const struct gate_networks *networks);
/* Why nobody may come from this address, by these lists; NULL where somebody may. */
const char *gate_refuses_address(struct gate *g, const struct sockaddr_storage *from);
/* Rises with each of the two calls that set: an arrival with a lower number was judged by what held
 * before. */
unsigned gate_rules(struct gate *g);
/* Readable when peers wait; gate_take moves them to arrivals. Core thread. */
int gate_fd(const struct gate *g);
void gate_take(struct gate *g, struct list *arrivals);
/* The core is done with an arrival's connection: it no longer counts towards the limits.
 * arrival_free and conn do it. */
void gate_release(struct gate *g, const struct sockaddr_storage *from);
/* Whether a peer that connected before deadline_ms (monotonic) may still wait for us: not accepted
 * yet, in a handshake that waits for the gate and not for the peer, or not taken. Promise 9. Core
 * thread. */
bool gate_has_waiting(struct gate *g, int64_t deadline_ms);
/* Whether a peer that may have connected before deadline_ms is in a handshake at all, be it that it
 * owes us bytes: such a one may hold an expiry up for a short time only. Core thread. */
bool gate_has_shaking(struct gate *g, int64_t deadline_ms);
unsigned gate_connections(const struct gate *g);
/* Handshakes under way. */
unsigned gate_handshakes(const struct gate *g);
/* Stop accepting, end handshakes, join the threads. Peers not taken yet stay to be taken. */
void gate_stop(struct gate *g);
/* After gate_stop, and after every arrival's connection has gone. */
void gate_free(struct gate *g);

#endif
