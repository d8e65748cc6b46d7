/* Where connections and clients meet: each connection that came through the gate serves one client
 * of the registry. Until the registry is loaded, frames wait and four-letter words say so. Core
 * thread. */
#ifndef APP_PEERS_H
#define APP_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/dispatch.h"
#include "net/conn.h"

struct access_limits;
struct event_base;
struct names_chain;
struct audit;
struct peers;
struct turn;

/* Answers a request in text on c if it is one (conn_handlers.text). */
typedef enum conn_text (*peers_text_fn)(void *ctx, struct conn *c, struct slice bytes);

struct peers *peers_new(struct event_base *base, struct timer_wheel *wheel,
			const struct conn_limits *limits, struct dispatch *dispatch,
			struct turn *turn, peers_text_fn text, void *ctx);
/* By which names of their certificates clients go; the subject, where it is not said. */
void peers_name_by(struct peers *p, const struct names_chain *chain);
/* Connections to the ports for clients that a certificate's owner (names_owner) may have at once;
 * 0: no limit, which it is where nothing is said. */
void peers_limit_identity(struct peers *p, unsigned most);
/* Closes all connections. */
void peers_free(struct peers *p);
/* The registry serves from now on: what waited goes on. */
void peers_set_registry(struct peers *p, struct registry *registry);
/* Tell the audit trail of who connects; lent. */
void peers_set_audit(struct peers *p, struct audit *audit);
struct audit *peers_audit(struct peers *p);
/* Take over what came through the gate. */
void peers_take(struct peers *p, struct gate *gate);
struct conn_set *peers_connections(struct peers *p);
/* What the latest verdict on a connection's peer came from; as its arrival says at first. */
struct peer_verdict {
	unsigned rules; /* gate_rules */
	int64_t valid_until_s;
	unsigned told; /* of what was to be said of valid_until_s */
};
struct peer_verdict *peers_verdict(void *user);
/* Asked of each that came through the gate, before a byte of it is read; false: it is closed. */
typedef bool (*peers_admits_fn)(void *ctx, struct arrival *a);
void peers_ask(struct peers *p, peers_admits_fn admits, void *ctx);
/* The client that a connection serves; NULL before the registry serves. */
struct client *peers_client(void *user);
/* Whether the policy keeps nothing from who has this connection, by what the gate knows of it: a
 * word is no session, and gives no other identity. */
bool peers_reads_all(const struct peers *p, const struct access_limits *limits,
		     const struct conn *c);
/* Whether the policy gives who has this connection the right to administer everything. */
bool peers_administers(const struct peers *p, const struct access_limits *limits,
		       const struct conn *c);

#endif
