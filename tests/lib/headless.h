/* A registry without a network, for tests: a store in a directory, a registry and a dispatch over
 * it, and clients whose frames are calls. What a client is sent goes through the same gate as on a
 * connection (net/output), so that a test sees a reply only when a peer could. The clock is a fake
 * that stands still unless headless_advance moves it; the store's threads are real. One thread. */
#ifndef TESTS_LIB_HEADLESS_H
#define TESTS_LIB_HEADLESS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/dispatch.h"
#include "app/turn.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/timer.h"
#include "core/client.h"
#include "core/registry.h"
#include "net/output.h"
#include "store/store.h"
#include "wire/proto.h"

struct latency;

struct headless {
	/* Set between headless_init and headless_start where the presets are not wanted. */
	struct store_options store_options;
	struct registry_options registry_options;
	bool waiting, shaking; /* what the registry's hooks say */
	/* What clients without a session have sent already; may be NULL. */
	void (*read_strangers)(struct headless *h);

	struct store *store;
	struct registry *registry;
	struct dispatch *dispatch;
	struct latency *latency;
	struct turn turn;
	struct timer_wheel wheel;
	struct list clients;           /* struct headless_client */
	char reason[STORE_REASON_LEN]; /* why headless_try_start failed */
	char *dir;
	bool own_dir;
};

struct headless_client {
	struct client client;
	struct headless *headless;
	struct list link;
	struct output output; /* frames with their lengths, gated as on a connection */
	struct buf released;  /* what a peer would have got and the test has not taken yet */
	struct buf request;   /* the frame that is being written */
	struct jute_writer w; /* writes it */
	/* What the client has sent already and nobody read; may be NULL. */
	void (*read_now)(struct headless_client *c);
	bool connected;      /* until headless_disconnect or headless_stop */
	const char *closing; /* why the registry ended the connection; NULL: it did not */
	bool failed;         /* the client broke a rule */
	bool established;
	int64_t session_id; /* as headless_open or headless_resume were answered */
	int32_t timeout_ms;
	uint8_t password[PROTO_PASSWORD_LEN];
};

/* dir: kept and used; NULL: one under TMPDIR that headless_fini removes. Begins the fake clock,
 * quiets the log. */
void headless_init(struct headless *h, const char *dir);
/* Opens the store and starts the registry. What goes wrong ends the process, or is told by -1 and
 * h->reason. */
void headless_start(struct headless *h);
must_check int headless_try_start(struct headless *h);
/* Closes registry and store; every client has lost its connection then, and its session waits. */
void headless_stop(struct headless *h);
void headless_restart(struct headless *h);
/* Stops, frees all clients, and the directory where it is its own. */
void headless_fini(struct headless *h);

/* One turn of the core's loop: timers, commit, what the store's threads did, what may leave. Never
 * waits. */
void headless_turn(struct headless *h);
/* Turns until everything is on disk; and until tree.db has everything. */
void headless_flush(struct headless *h);
void headless_replay(struct headless *h);
/* Time passes, a turn for each slot of the timer wheel. */
void headless_advance(struct headless *h, int64_t by_ms);

/* The connection of a peer at 127.0.0.1 or at host with this certificate identity (NULL: none).
 * What a client was told can be read until headless_fini, whatever became of its connection. */
struct headless_client *headless_connect(struct headless *h, const char *subject);
struct headless_client *headless_connect_from(struct headless *h, const char *host,
					      const char *subject);
/* The connection is lost. */
void headless_disconnect(struct headless_client *c);

/* --- requests: begin, write fields with c->w, send --- */

void headless_begin(struct headless_client *c, int32_t xid, int32_t type);
/* Nothing but what the test writes: connect requests and malformed frames. */
void headless_begin_raw(struct headless_client *c);
enum dispatch_result headless_send(struct headless_client *c);
/* The frame that was begun, as one that stands behind a parked one. */
bool headless_send_behind_parked(struct headless_client *c);

struct headless_connect_request {
	int64_t last_zxid_seen;
	int32_t timeout_ms;
	int64_t session_id;
	struct slice password; /* NULL: null */
	bool without_read_only;
};
void headless_send_connect(struct headless_client *c, const struct headless_connect_request *rq);

/* Field by field; xid is the caller's. acls: headless_world() or what a test wrote. */
void headless_create(struct headless_client *c, int32_t xid, int32_t type, const char *path,
		     struct slice data, struct slice acls, int32_t flags);
void headless_delete(struct headless_client *c, int32_t xid, const char *path, int32_t version);
void headless_set_data(struct headless_client *c, int32_t xid, const char *path, struct slice data,
		       int32_t version);
/* exists, getData, getChildren, getChildren2 */
void headless_read(struct headless_client *c, int32_t xid, int32_t type, const char *path,
		   bool watch);
void headless_ping(struct headless_client *c);
void headless_close_session(struct headless_client *c, int32_t xid);

/* An encoded vector of one entry, anyone may do everything. */
struct slice headless_world(void);
/* Append an entry to an encoded vector that begins with its count; b is initialised and may be
 * empty. */
void headless_add_acl(struct buf *b, int32_t perms, const char *scheme, const char *id);

/* --- what comes back --- */

/* The next frame that a peer would have got, without its length: false where there is none. It
 * lives until the next call for c. */
bool headless_receive(struct headless_client *c, struct slice *frame);

struct headless_reply {
	struct proto_reply_header header;
	struct jute_reader body;
};
bool headless_receive_reply(struct headless_client *c, struct headless_reply *out);
/* Waits for the disk, then takes the next frame, which must be the reply to xid; and of that the
 * error alone. */
struct headless_reply headless_reply_to(struct headless_client *c, int32_t xid);
int32_t headless_error_of(struct headless_client *c, int32_t xid);
/* Bytes that wait for the disk. */
size_t headless_gated(const struct headless_client *c);

/* Opens a session and takes the reply. */
void headless_open(struct headless_client *c, int32_t timeout_ms);
/* Resumes the session of old on c. False where it was refused. */
bool headless_resume(struct headless_client *c, const struct headless_client *old);
/* A connection with a session. */
struct headless_client *headless_new_session(struct headless *h, int32_t timeout_ms);

struct headless_connect_reply {
	int32_t protocol_version;
	int32_t timeout_ms;
	int64_t session_id;
	uint8_t password[PROTO_PASSWORD_LEN];
	bool has_read_only;
};
bool headless_receive_connect(struct headless_client *c, struct headless_connect_reply *out);

struct proto_stat headless_read_stat(struct jute_reader *r);

struct headless_event {
	int64_t zxid;
	int32_t type;
	int32_t state;
	struct slice path;
};
/* The next frame, which must be an event; false where there is no frame. */
bool headless_receive_event(struct headless_client *c, struct headless_event *out);

#endif
