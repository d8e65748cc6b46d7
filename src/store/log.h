/* The log as the core writes it: one open transaction on the live segment, and the change from one
 * segment to the next. (Functions are called store_log_…, for base/log has the short name.) Core
 * thread. */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include <stdint.h>

#include "store/flush.h"
#include "store/record.h"
#include "store/replay.h"
#include "store/room.h"
#include "store/segment.h"

struct store_log;

/* live: the first segment to write, owned from here; last: zxid of the newest row of all; key: of
 * the audit trail, lent, NULL: there is none. */
struct store_log *store_log_new(struct segment *live, int64_t last, uint64_t segment_bytes,
				struct audit_key *key, struct flush *flush, struct replay *replay,
				struct room *room);
/* Commit what is open and wait until all is on disk; nothing is appended any more. Flush and replay
 * thread must run. */
void store_log_finish(struct store_log *l);
/* Close the live segment; marker: is told when its -wal goes. NULL is allowed. */
void store_log_free(struct store_log *l, struct marker *marker);

/* Before something is appended: have blocks for what is open and for so many bytes more. */
void store_log_take_room(struct store_log *l, uint64_t bytes);
void store_log_append(struct store_log *l, const struct record_head *head, struct slice body);
/* A row of the audit trail for what is no change; number and mac are given here. Each change gets
 * its row in store_log_append. */
void store_log_audit(struct store_log *l, const struct audit_row *row);
/* Put the epoch on record in the open transaction. */
void store_log_set_epoch(struct store_log *l, uint32_t epoch);
/* Commit what is open and ask for its flush; or leave it open, as long as the segment before is not
 * on disk. Rows of the audit trail alone are not flushed at once, but within a second; the server's
 * log is told the head each minute. */
void store_log_end_turn(struct store_log *l);
/* Bytes in use of the live segment's -wal. */
uint64_t store_log_wal_bytes(const struct store_log *l);
int64_t store_log_last(const struct store_log *l);
/* Number of the audit trail's newest row on disk, as of the last turn. */
int64_t store_log_audited(const struct store_log *l);

#endif
