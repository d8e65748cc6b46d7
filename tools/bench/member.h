/* A client as services have them: one session that comes back whenever it loses its connection,
 * with an ephemeral znode and three watches: one-shot ones on the data and on the children of
 * znodes, a persistent one on a third. It judges what it is told, by what it reads:
 *
 *   - an armed one-shot watch tells of a change once, before any reply that shows it, also where
 *     the change was made while the client was away;
 *   - the persistent one tells of each change since the last read on this connection, once (of what
 *     it missed it tells nothing, in no ZooKeeper);
 *   - zxids of events never fall on a connection;
 *   - the ephemeral znode is there and the session's own, as long as that is not over. */
#ifndef BENCH_MEMBER_H
#define BENCH_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/bench/session.h"

enum { MEMBER_PATH_LEN = 256 };

struct member_paths {
	char own[MEMBER_PATH_LEN];     /* its ephemeral znode */
	char data[MEMBER_PATH_LEN];    /* one-shot watch on the data */
	char kids[MEMBER_PATH_LEN];    /* one-shot watch on the children */
	char lasting[MEMBER_PATH_LEN]; /* persistent watch */
};

enum member_state {
	MEMBER_NEW,       /* never had a session */
	MEMBER_AWAY,      /* has no connection, or is making one */
	MEMBER_RETURNING, /* its session is open, it arms its watches and looks round */
	MEMBER_BACK,
	MEMBER_EXPIRED,
	MEMBER_LEFT, /* asked to */
};

/* What members saw, all together. */
struct member_tally {
	uint64_t attempts; /* connections begun to come back */
	uint64_t told;     /* events */
	uint64_t missed;   /* changes that were not told */
	uint64_t twice;    /* events for which nothing had changed, or no watch was armed */
	uint64_t disordered;
	uint64_t vanished; /* ephemeral znodes */
	uint64_t expired;  /* sessions */
	uint64_t failed;   /* requests */
};

struct member;

/* All must outlive it. */
struct member *member_new(struct loop *l, const struct conn_target *target, int32_t timeout_ms,
			  const struct member_paths *paths, struct member_tally *tally);
/* The following between turns of the loop only. */
void member_free(struct member *m);
/* Do what is due: connect, connect again, look round again, stay alive. */
void member_work(struct member *m, int64_t now_us);
/* Read all that it watches once more; its state is RETURNING until it has. */
void member_look(struct member *m);
void member_leave(struct member *m);
enum member_state member_state(const struct member *m);
/* "TLSv1.3 …", of one that is BACK. */
const char *member_describe(const struct member *m);

#endif
