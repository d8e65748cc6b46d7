/* Clients of a headless registry that know what they must be told: each request is given to the
 * model as well, and the reply that it foretells waits with its client until the frame is there.
 * What a released frame shows is a promise to its client, and noted in the trace. One thread. */
#ifndef TESTS_FAULT_CORE_RUN_H
#define TESTS_FAULT_CORE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fault/core_model.h"
#include "tests/fault/powercut.h"
#include "tests/lib/headless.h"
#include "tests/lib/random.h"

enum {
	CORE_PEERS = 6,
	CORE_DIRS = 4, /* "/d0" ...: never deleted, so that their counters never begin anew */
};

enum core_promise {
	CORE_SHOWN,    /* a change that a frame showed */
	CORE_SEEN,     /* a zxid in a header */
	CORE_SESSION,  /* an id */
	CORE_SEQUENCE, /* one for each dir: a number in a name, one more */
	CORE_PROMISES = CORE_SEQUENCE + CORE_DIRS,
};
extern const char *const core_promise_names[CORE_PROMISES];

struct core_secret {
	bool known;
	uint8_t password[PROTO_PASSWORD_LEN];
};

/* What outlives a run. */
struct core_subject {
	struct core_model model;
	struct core_secret *secrets; /* by index of session */
	size_t secret_count;
	int64_t promises[CORE_PROMISES]; /* what notes of earlier rounds say */
};

struct core_peer {
	struct headless_client *client; /* NULL: not connected */
	size_t session;
	bool has_session; /* until its end was asked for */
	int32_t xid;
	struct list expected; /* frames, events apart */
};

struct core_run {
	struct core_subject *subject;
	struct trace *trace; /* NULL: nobody notes */
	struct random random;
	struct headless headless; /* the caller's */
	struct core_peer peers[CORE_PEERS];
	int64_t promises[CORE_PROMISES];
	char *reason; /* where the first loss is told; NULL: it ends the process */
	bool failed;
};

void run_init(struct core_run *r, struct core_subject *subject, uint64_t seed);
struct core_model *run_model(struct core_run *r);
struct registry *run_registry(struct core_run *r);
__attribute__((format(printf, 2, 3))) void run_lost(struct core_run *r, const char *format, ...);

/* The registry was started: zxid up to which it found something; 0: nothing, it began by itself. */
int64_t run_found_zxid(struct core_run *r);
/* The model goes on from there. */
void run_start_from(struct core_run *r, int64_t found);
/* Sessions end in a change of their own each: called between any two, and after the last. */
void run_follow_expiry(struct core_run *r);
/* Whatever the peers would have got by now. */
void run_take_frames(struct core_run *r);
void run_drop_peers(struct core_run *r);

/* The connection is lost, and all that its client did not read. */
void peer_drop(struct core_peer *p);
void peer_open(struct core_run *r, struct core_peer *p, int32_t timeout_ms);
/* A session that may have ended, be served by another peer, or want another timeout. */
void peer_resume(struct core_run *r, struct core_peer *p, size_t session, int32_t timeout_ms);

/* Requests of a session; none waits. Sequential znodes are "/d0/x-" ... */
void peer_write(struct core_run *r, struct core_peer *p, const struct core_op *op);
void peer_multi(struct core_run *r, struct core_peer *p, const struct core_op *ops, int count);
/* exists, getData, getACL, getChildren2 */
void peer_read(struct core_run *r, struct core_peer *p, int32_t type, const char *path, bool watch);
void peer_sync(struct core_run *r, struct core_peer *p);
void peer_close(struct core_run *r, struct core_peer *p);
void peer_ping(struct core_peer *p);

#endif
