/* The audit trail as the server writes it: who did what, who was refused and why. Changes get their
 * row with the change itself (store_append); everything else comes in here. Core thread, but for
 * audit_refuse and audit_connect. NULL in place of a struct audit: nothing is recorded. */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "store/audit.h"

struct audit;
struct client;
struct store;
struct tree;

struct audit_options {
	/* Different refusals that are told in a minute, and connections, and reads; an eighth of
	 * them for one owner: who has a certificate, or an address. */
	unsigned max_events;
	/* Reads of these paths and below are recorded: "/a,/b"; NULL: none. Lent. */
	const char *reads;
};

/* Something that is no change. Slices with data == NULL: there is none. */
struct audit_event {
	const char *kind;  /* as in schema/log-2.sql; static */
	struct slice host; /* by which equal ones are counted */
	struct slice address;
	int64_t session;    /* 0: none */
	struct slice who;   /* a JSON array (audit_names) */
	struct slice owner; /* who it is by its certificate, a JSON array */
	struct slice op;
	struct slice path;
	struct slice result; /* why not; NULL: it was done */
	struct slice detail; /* not told of events that are counted */
};

/* Nothing is written to the store before audit_begin; events that are counted are kept. */
struct audit *audit_new(struct store *store, const struct audit_options *o);
void audit_free(struct audit *a);
/* The store takes rows from now on. */
void audit_begin(struct audit *a);

/* A row of its own; before audit_begin it is counted with those that are equal, without detail. */
void audit_record(struct audit *a, const struct audit_event *e);
/* Counted with those that are equal. Any thread. */
void audit_refuse(struct audit *a, const struct audit_event *e);
void audit_connect(struct audit *a, const struct audit_event *e);
void audit_command(struct audit *a, const struct audit_event *e);

/* For those who have a client, each counted: it was refused, */
void audit_refuse_client(struct audit *a, struct client *c, struct slice op, struct slice path,
			 const char *why);
/* it resumed the session that it has, */
void audit_resume(struct audit *a, struct client *c);
/* it read path, where such reads are recorded, */
void audit_read_client(struct audit *a, struct client *c, struct slice op, struct slice path);
/* it reads path and all below, some of which may be such. */
void audit_read_below(struct audit *a, struct client *c, struct slice op, struct slice path);

/* What the row of the open change is to say; slices live until the next call. has_path: it is of
 * the one znode that the change's row names; else detail tells what was done to each. cause: what
 * brought it about, NULL: the client's request. */
struct audit_note audit_describe(struct audit *a, struct client *c, const struct tree *t,
				 bool has_path, const char *cause);

/* End of a turn: write what is due of what was counted. all: the rest of the minute, too. */
void audit_end_turn(struct audit *a, bool all);

/* "192.0.2.1:4711" without the port, "[2001:db8::1]:4711" without brackets, too. */
struct slice audit_host(const char *address);
/* The names of a connection as a JSON array of at most 1 KiB, kept in the client; NULL where it has
 * none. Where more do not fit, "..." is the last. */
struct slice audit_names(struct client *c);

#endif
