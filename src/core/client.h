/* A connected client as the registry sees it: where its replies go, who it is, which session it
 * serves and what it watches. The connection below it is somebody else's: the registry reaches it
 * through a table of functions, so that tests can stand in for a network. Core thread. */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"
#include "core/access.h"

struct client;
struct registry;
struct session;

struct client_link {
	/* A frame that may leave once zxid mark is on disk (0: at once), behind all before it. */
	void (*send)(struct client *c, struct slice frame, int64_t mark);
	/* A ping's reply: in front of what waits for the disk. */
	void (*send_ahead)(struct client *c, struct slice frame);
	/* End the connection when everything sent is out; and at once, because the peer broke a
	 * rule. */
	void (*close)(struct client *c, const char *reason);
	void (*fail)(struct client *c, const char *reason);
	/* The session exists: the limits of strangers end. */
	void (*established)(struct client *c);
	/* A session's time is up: handle what its client has sent already. */
	void (*read_now)(struct client *c);
};

enum { CLIENT_ADDRESS_LEN = 64 };

/* Replies that wait for the same rise of F, give or take one. */
struct client_replies {
	uint32_t count;
	int64_t mark;              /* the highest */
	int64_t first_us, last_us; /* when the oldest and the newest request came */
	int64_t sum_us;            /* of when each of them came */
	int32_t op, xid;           /* of the newest */
	int64_t zxid;
};

/* What lists of connections tell about one (cons); app/latency keeps it. */
struct client_stats {
	struct list link; /* while replies wait */
	struct client_replies waiting[2];
	int32_t last_op;  /* OP_NOTIFICATION: none yet */
	int32_t last_xid; /* of a request that is no ping and the like; -1: none yet */
	int64_t last_zxid;
	int64_t last_response_ms;                        /* monotonic; 0: none yet */
	uint64_t count, last_us, sum_us, min_us, max_us; /* how long requests took */
};

struct client {
	const struct client_link *link;
	struct registry *registry;
	struct session *session; /* NULL before the connect request and after the session's end */
	struct access_ids ids;
	char *subject; /* its certificate's name that owns its session; NULL: none */
	char address[CLIENT_ADDRESS_LEN];
	char *names;       /* audit_names; NULL: none */
	unsigned names_of; /* so many identities */
	char *owner;       /* the audit trail's, too: which certificate; NULL: none, or not asked */
	struct list watches;  /* struct watch */
	unsigned watch_count; /* paths that it watches */
	size_t data_watches;  /* of these in ZooKeeper's table of data watches */
	size_t watch_bytes;   /* memory that they take */
	uint64_t serial;      /* unlike any other client of this process */
	uint64_t told;        /* core/watch: last event given, so that one event comes once */
	bool was_told;        /* false: it is not to notice that event */
	int64_t last_header;  /* highest zxid of a reply header: it never falls */
	int64_t last_xid;
	int64_t last_mark;    /* of a reply: later than what is on disk means one waits */
	int64_t connect_mark; /* what its connect reply waits for: no ping may overtake that */
	uint64_t received, sent;
	struct pace *pace; /* its identity's or address' writes; NULL: without a limit */
	struct client_stats stats;
	bool is_paced;  /* a write of it waits for that */
	bool connected; /* the connect request was taken */
	bool stopped;   /* nothing that it sends counts any more */
};

/* address: "host:port" for the log. */
void client_init(struct client *c, struct registry *registry, const struct client_link *link,
		 const char *address, const struct access_peer *peer);
/* End its connection when everything sent is out. From now on nothing that it sends counts, and it
 * is told of nothing: its watches go. Not while watches are fired. */
void client_close(struct client *c, const char *reason);
/* The same at once: what it did not take yet is dropped. */
void client_cut(struct client *c, const char *reason);
/* The connection is gone: drop the watches, leave the session to its timer. */
void client_fini(struct client *c);
/* Begin the figures anew that lists of connections tell; what waits goes on waiting. */
void client_reset_stats(struct client *c);

#endif
