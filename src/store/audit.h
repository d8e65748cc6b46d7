/* The audit trail's rows and the chain that they make.
 *
 * Each row has a number, one more than the row before, whichever segment that stands in, and a mac:
 * HMAC-SHA-256 over the mac of the row before and all that the row says, under a key that does not
 * lie in the data directory. So whoever alters, removes or inserts a row without the key breaks the
 * chain there, and who cuts its end off leaves a head (number and mac of the newest row) that was
 * told elsewhere without its row. The row of a change is the change's own row in the log, and all
 * of it is signed, record included. Core thread, or a tool's. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "store/record.h"

enum { AUDIT_MAC_LEN = 32, AUDIT_KEY_LEN = 32, AUDIT_KEY_ID_LEN = 8 };

#define AUDIT_NO_VERSION INT64_MIN

struct audit_head {
	int64_t number; /* 0: before the first */
	uint8_t mac[AUDIT_MAC_LEN];
};

/* What the trail says of a change beyond what the log needs. */
struct audit_note {
	struct slice who;             /* a JSON array of the names of who asked; NULL: nobody's */
	int64_t old_version, version; /* AUDIT_NO_VERSION: there is none, or detail has them */
	struct slice detail;          /* may be NULL */
	struct slice cause;           /* becomes the result; NULL: it was asked for */
};

/* Slices with data == NULL are NULL. */
struct audit_row {
	int64_t number;
	const char *kind; /* "change", "start", … (schema/log-2.sql) */
	/* Of a change: its row in the log, which time, session, address, op and path are taken
	 * from; NULL: it is none. */
	const struct record_head *change;
	struct slice record;
	int64_t time_ms;
	int64_t session; /* 0: none */
	struct slice address;
	struct slice op;
	struct slice path;
	struct audit_note note;
	struct slice result;
	int64_t count; /* of how many equal events it tells */
};

/* A key, ready to be used. */
struct audit_key;
/* key: AUDIT_KEY_LEN bytes, or NULL: no secret one. Then everybody can compute the chain; it still
 * does not fit heads that were told elsewhere. */
struct audit_key *audit_key_new(const uint8_t *key);
/* NULL is allowed. */
void audit_key_free(struct audit_key *k);
/* Tells which key it is, and nothing more of it; len 0 for no secret one. */
struct slice audit_key_id(const struct audit_key *k);

/* The head behind row, whose number is that of head + 1. */
void audit_chain(struct audit_key *k, const struct audit_head *head, const struct audit_row *row,
		 struct audit_head *out);

/* "number:mac" in hex, as the server's log tells a head and zoolited --verify-audit reads it. */
enum { AUDIT_HEAD_TEXT_LEN = 20 + 1 + 2 * AUDIT_MAC_LEN + 1 };
void audit_head_format(const struct audit_head *head, char out[AUDIT_HEAD_TEXT_LEN]);
bool audit_head_parse(const char *text, struct audit_head *head);

#endif
