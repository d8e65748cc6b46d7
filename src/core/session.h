/* Sessions: id, password (its hash), identity, timeout, and the client that serves it now. A
 * session outlives its connections and the process; it ends by closeSession or when its client was
 * silent for its timeout. Core thread. */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/timer.h"
#include "store/record.h"
#include "wire/proto.h"

struct client;
struct session_table;
struct tally_entry;

struct session {
	struct hash_node by_id;
	struct session_table *table;
	int64_t id;
	int32_t timeout_ms;
	uint8_t password_hash[RECORD_PASSWORD_HASH_LEN];
	char *identity;            /* name of the certificate that opened it; NULL: none */
	bool is_unbound;           /* came from elsewhere, and nobody has resumed it yet */
	struct tally_entry *owned; /* counted under its identity; NULL: it has none */
	struct client *client;     /* NULL: nobody is connected */
	int64_t heard_ms;          /* monotonic time of its last sign of life */
	struct timer deadline;
	int64_t held_deadline_ms; /* the deadline that was found passed and not judged yet; */
	int64_t held_since_ms;    /* and when that was */
};

/* Called when a session's client was silent for its timeout, and again after what session_postpone
 * says. */
typedef void (*session_overdue_cb)(void *ctx, struct session *s);

struct session_table *session_table_new(struct timer_wheel *wheel, session_overdue_cb overdue,
					void *ctx);
void session_table_free(struct session_table *t);
unsigned session_count(const struct session_table *t);
/* Those of one identity. */
unsigned session_count_of(const struct session_table *t, const char *identity);
/* Open sessions with a connected client or without one, in no fixed order. */
void session_foreach(struct session_table *t, void (*each)(void *ctx, struct session *s),
		     void *ctx);

/* Ids carry the epoch (src/README.md, promise 4): from here on the next one is
 * (epoch mod 2^24) << 32 | 1. */
void session_set_epoch(struct session_table *t, int64_t epoch);

/* Open one: draws the password, which only the client keeps. */
struct session *session_open(struct session_table *t, int32_t timeout_ms, const char *identity,
			     uint8_t password[PROTO_PASSWORD_LEN]);
/* As a record says it; a known one gets a new timeout. */
void session_load(struct session_table *t, const struct record_session *r);
/* NULL where there is none. */
struct session *session_find(const struct session_table *t, int64_t id);
/* Whether the password and the identity are those that opened it; takes the same time whatever
 * differs. One that is unbound asks for the password alone. */
bool session_admits(const struct session *s, struct slice password, const char *identity);
/* One that is unbound is that identity's from now on; NULL: of those without a certificate. */
void session_bind(struct session *s, const char *identity);
/* Remove it; its ephemerals and watches are the caller's business. */
void session_remove(struct session *s);

/* A client serves it from now on; it has just been heard. */
void session_attach(struct session *s, struct client *c);
void session_detach(struct session *s);
/* A sign of life; one that is older than the last changes nothing. */
void session_touch(struct session *s, int64_t at_ms);
/* Monotonic time at which its client will have been silent for its timeout. */
int64_t session_deadline_ms(const struct session *s);
/* Judge it again at this time. */
void session_postpone(struct session *s, int64_t until_ms);
/* Every session has its full timeout from now on (after a start). */
void session_touch_all(struct session_table *t, int64_t now_ms);

struct record_session session_record(const struct session *s, bool open);
#endif
