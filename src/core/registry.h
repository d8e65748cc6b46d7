/* The registry: tree, sessions, watches and the one order of changes. Each change takes the next
 * zxid, is applied, put into the log's open transaction and told to its watchers in one step;
 * nothing that shows it leaves before it is on disk, which the marks of client_link.send see to
 * (src/README.md, promise 1). Core thread. */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/summary.h"
#include "base/timer.h"
#include "core/access.h"
#include "core/tree.h"
#include "core/watch.h"
#include "store/store.h"
#include "wire/proto.h"

struct audit;
struct client;
struct headcount;
struct registry;
struct session;

struct registry_options {
	int32_t min_session_timeout_ms;
	int32_t max_session_timeout_ms;
	size_t cache_bytes;           /* of clean znodes and lists */
	unsigned max_watches;         /* of one connection */
	size_t max_watch_bytes;       /* memory that they take */
	unsigned max_ephemerals;      /* of one session */
	uint64_t max_ephemeral_bytes; /* memory that they take */
	unsigned max_sessions;
	unsigned max_sessions_per_identity; /* of one certificate's name; 0: no limit */
	int32_t write_rate;                 /* writes a second of an identity; 0: no limit */
	/* Different ACLs that ephemeral znodes and changes not yet replayed have: in memory. */
	unsigned max_acls;
	size_t max_path;       /* bytes */
	bool extended_types;   /* znodes with a TTL may be created */
	bool reconfig_enabled; /* reconfig: Unimplemented, not ReconfigDisabled */
	/* Containers and TTLs: how often they are looked at, how many are removed, and for how long
	 * a container may wait for its first child (0: for ever). */
	int64_t container_check_ms;
	int32_t container_max_per_minute; /* >= 1 */
	int64_t container_never_used_ms;
	bool enforce_quota;  /* hard limits are refused, not only logged */
	unsigned max_quotas; /* paths with a quota */
	struct access_limits access;
	/* Schemes of which a client must have an identity before it asks for anything; NULL:
	 * none. */
	const char *enforced_schemes;
	/* Connect requests: a bucket of tokens (core/throttle.h); 0: no limit. */
	int32_t connect_tokens, connect_fill_count;
	int64_t connect_fill_ms;
	/* Replies of all clients that wait for the disk: above, a client with such replies waits.
	 * 0: no limit. */
	int32_t max_outstanding;
	uint64_t max_lag_rows;      /* log rows not yet replayed: above, writers wait */
	uint64_t max_pending_bytes; /* memory of what is not yet replayed; likewise */
	size_t max_record;          /* of one change; twice max_ephemeral_bytes at least */
	struct audit *audit;        /* lent; NULL: no audit trail */
};
void registry_options_init(struct registry_options *o);

struct registry_hooks {
	void *ctx;
	/* Before a session is judged: handle what peers without one have sent already; one may
	 * resume it. NULL: nobody. */
	void (*read_strangers)(void *ctx);
	/* Whether a peer that connected before deadline_ms may still wait for us: then nobody
	 * expires yet, however long that takes. NULL: never. */
	bool (*has_waiting)(void *ctx, int64_t deadline_ms);
	/* Whether one may be there that we wait for: holds an expiry up for 0.5 s at most. NULL:
	 * never. */
	bool (*has_shaking)(void *ctx, int64_t deadline_ms);
};

/* store: opened, not loaded; stays the caller's. */
struct registry *registry_new(struct store *store, struct timer_wheel *wheel,
			      const struct registry_options *o, const struct registry_hooks *hooks);
void registry_free(struct registry *r);
/* Load what the store holds, raise the epoch, make the first znodes of an empty registry; sessions
 * get their full timeout from now. -1 with a line in reason. */
must_check int registry_start(struct registry *r, char reason[STORE_REASON_LEN]);

struct tree *registry_tree(struct registry *r);
struct watch_table *registry_watches(struct registry *r);
struct session_table *registry_sessions(struct registry *r);
struct quota_table *registry_quotas(struct registry *r);
struct pace_table *registry_paces(struct registry *r);
struct headcount *registry_headcount(struct registry *r);
struct store *registry_store(struct registry *r);
/* NULL where there is none. */
struct audit *registry_audit(struct registry *r);
/* Whether one more connect request is taken now. */
bool registry_pass_connect(struct registry *r);
const struct registry_options *registry_options(const struct registry *r);
/* Judge by this policy from now on (NULL: by ACLs alone); takes it, and frees the one before.
 * Nothing that was judged by that one counts any more, and events are judged when they are
 * told. */
void registry_take_policy(struct registry *r, struct policy *policy);

/* Zxid given last: to a change, or to a write that failed. */
int64_t registry_last_zxid(const struct registry *r);
/* Zxid of the last change: the mark of answers that depend on several znodes. */
int64_t registry_last_change(const struct registry *r);
/* F: everything up to this zxid is on disk. Rises in registry_wake, or by writes that fail. */
int64_t registry_flushed(const struct registry *r);
/* Whether writers have to wait for replay, or for it to remove old segments. */
bool registry_is_behind(const struct registry *r);

/* The store moved (its wake fd was readable): take over what is on disk and what was replayed. */
void registry_wake(struct registry *r);
/* Commit what the turn changed; drop cache that is too much. */
void registry_end_turn(struct registry *r);

/* --- one change; used by core/request_* --- */

/* Take the next zxid and begin. */
int64_t change_begin(struct registry *r);
/* Wall clock of the open change. */
int64_t change_time_ms(const struct registry *r);
/* Log it and tell the watchers. client: who asked, NULL: the server itself. opened, closed:
 * sessions; may be NULL. False where it does not fit into a record: nothing happened yet, abort
 * it. */
must_check bool change_commit(struct registry *r, struct client *client, int32_t op,
			      struct slice path, const struct session *opened,
			      const struct session *closed);
/* It did not happen; its zxid is used up. */
void change_abort(struct registry *r);

/* Remove a session with its ephemerals, in one change; watchers are told. False where a parent
 * cannot be read: nothing happened. client: who asked for it, or NULL; cause: why it ends where
 * nobody did, for the audit trail. The client that has it is left without a session. */
must_check bool registry_end_session(struct registry *r, struct session *s, struct client *client,
				     const char *cause);

/* How many watches each change of this kind fired that fired any; reset: from now on. */
const struct summary *registry_fired(const struct registry *r, enum event_type type);
void registry_reset_fired(struct registry *r);

/* Encode and send an event to one client; zxid -1 where it is of no change. mark as in
 * client_link.send. */
void registry_send_event(struct registry *r, struct client *c, enum event_type type,
			 struct slice path, int64_t zxid, int64_t mark);

#endif
