/* Reading the audit trail of a data directory from outside: segment by segment, row by row, beside
 * a server that writes or on a copy. Writes nothing. One thread. */
#ifndef STORE_AUDIT_READ_H
#define STORE_AUDIT_READ_H

#include "base/cdefs.h"
#include "store/audit.h"
#include "store/store.h"

struct audit_reader;

struct audit_segment {
	uint32_t number;
	const char *path;
	bool is_audited;        /* false: written with zoolite.audit=off */
	struct audit_head prev; /* the row before its first */
	struct slice key;       /* audit_key_id of the one that it was signed with */
	bool has_unrecorded;    /* changes without a number, ... */
	int64_t unrecorded;     /* ... and the lowest zxid of such */
	int64_t last_zxid;      /* of its newest change; 0 where it has none */
};

struct audit_item {
	struct audit_row row;      /* slices live until the next call */
	struct record_head change; /* row.change points here */
	int64_t zxid;              /* of a change; else 0 */
	struct slice mac;
	bool is_damaged; /* it says what no server writes */
};

/* log_dir: …/log. NULL with a reason. */
must_check struct audit_reader *audit_reader_open(const char *log_dir,
						  char reason[STORE_REASON_LEN]);
/* NULL is allowed. */
void audit_reader_close(struct audit_reader *r);

enum audit_read {
	AUDIT_READ_SEGMENT, /* another segment begins; audit_reader_segment tells */
	AUDIT_READ_ROW,     /* *item is the next row */
	AUDIT_READ_END,
	AUDIT_READ_FAILED, /* reason says why */
};
must_check enum audit_read audit_reader_next(struct audit_reader *r, struct audit_item *item,
					     char reason[STORE_REASON_LEN]);
/* The one that the last row is in. */
const struct audit_segment *audit_reader_segment(const struct audit_reader *r);

#endif
