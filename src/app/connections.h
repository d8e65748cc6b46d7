/* Connections of clients, as cons and the admin server list them. Core thread. */
#ifndef APP_CONNECTIONS_H
#define APP_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct peers;
struct registry;
struct session;

struct connection {
	const char *address; /* "10.0.0.7:40112"; lives for the call */
	bool is_secure;
	unsigned interest_ops; /* Java's: 1 reads requests, 4 waits for the peer to take replies */
	uint64_t queued;       /* requests whose replies wait for the disk */
	uint64_t received, sent;
	int64_t opened_ms;  /* monotonic */
	int64_t session_id; /* 0: none, and what follows says nothing */
	int32_t timeout_ms;
	int64_t session_deadline_ms; /* monotonic */
	int64_t established_ms;      /* wall clock */
	const char *last_op;         /* "GETD", "NA" */
	int32_t last_cxid;           /* -1: none */
	int64_t last_zxid;           /* -1: none */
	int64_t last_response_ms;    /* monotonic */
	uint64_t last_latency_ms, min_latency_ms, avg_latency_ms, max_latency_ms;
};

/* Each in no fixed order, without those for HTTP. */
void connections_foreach(struct peers *p, void (*each)(void *ctx, const struct connection *c),
			 void *ctx);
/* Their figures begin anew. */
void connections_reset(struct peers *p);
/* Close each connection at a port for clients with this probability (0 to 100), as ZooKeeper sheds
 * them: its sessions go on and may be resumed. Returns how many that were. */
unsigned connections_shed(struct peers *p, unsigned percent);

struct connections_kicked {
	unsigned connections, sessions;
	bool is_whole; /* false: a session could not be ended, which is there without connection */
};
/* Cut the connections of clients from these addresses ("10.0.0.7", "fe80::/10") at once, and end
 * their sessions. */
struct connections_kicked connections_kick(struct peers *p, struct slice range);
/* The same with the connection of a session, if it has one, and that session. */
struct connections_kicked connections_kick_session(struct registry *r, struct session *s);

#endif
