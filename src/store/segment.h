/* One file of the log: made, written by one connection, read by others, closed.
 *
 * A segment is *prepared* when its tables are on disk, and *used* from the transaction that writes
 * the zxid before its first row into it. A struct segment holds the writing connection and belongs
 * to one thread at a time: the replay thread makes it, the core writes it, the replay thread closes
 * it. */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/record.h"
#include "store/rows.h"

struct marker;

enum segment_state {
	SEGMENT_UNFINISHED, /* its making was cut short */
	SEGMENT_PREPARED,
	SEGMENT_USED,
};

struct segment {
	uint32_t number;
	char *path;
	enum segment_state state;
	uint8_t database[DATABASE_ID_LEN];
	uint32_t epoch;
	int64_t prev; /* zxid of the row before its first */
	int64_t last; /* of its newest row; prev where it has none */
	/* Time of the newest row appended by this process, or of the audit trail's newest row as it
	 * was opened; -1: none. */
	int64_t last_ms;
	/* The audit trail: its head before the first row in here and behind the last one; and which
	 * key signs, "" for no secret one, NULL where nothing is recorded. */
	struct audit_head audit_prev;
	struct audit_head audit_last;
	uint8_t audit_key[AUDIT_KEY_ID_LEN];
	size_t audit_key_len;
	bool is_audited;
	uint64_t row_bytes; /* appended by this process */
	uint32_t wal_pages; /* frames in the -wal as of the last commit */
	uint64_t reserved;  /* the -wal has blocks up to here (store/room.h) */
	sqlite3 *db;
	int sync_fd; /* our own description of the -wal; -1: not made by this process */
	sqlite3_stmt *append;
	sqlite3_stmt *stamp;
	sqlite3_stmt *audit;
};

/* Make dir/<number>.db with number, database, epoch and audit key of like; a used one where
 * like->state says so, with its prev and its audit_prev. It and its name are on disk when this
 * returns. -1 with a reason where the disk is full (nothing stays). */
must_check int segment_create(struct segment **out, const char *dir, const struct segment *like,
			      char reason[STORE_REASON_LEN]);
/* Open one that is there, as its only writer, and read what it says about itself. */
must_check int segment_open(struct segment **out, const char *dir, uint32_t number,
			    char reason[STORE_REASON_LEN]);
/* Close and free. NULL is allowed. keep_wal: do not checkpoint. */
void segment_close(struct segment *g, bool keep_wal);
/* Copy the -wal into the file. Whether all was copied; a visitor's long read or a full disk may be
 * in the way. */
bool segment_checkpoint(struct segment *g);
/* The same, and m says so then: the -wal may go. */
bool segment_settle(struct segment *g, struct marker *m);

/* Writing; failures end the process. */
void segment_begin(struct segment *g);
/* In a transaction: this one is used now, with the prev and the audit_prev that it has, and no
 * epoch above this one is. */
void segment_stamp(struct segment *g, uint32_t epoch);
/* row: what the audit trail says of it, with the head that there is then; NULL, NULL: nothing. */
void segment_append(struct segment *g, const struct record_head *head, struct slice body,
		    const struct audit_row *row, const struct audit_head *audited);
/* A row of the audit trail for what is no change, whose head is then that. */
void segment_audit(struct segment *g, const struct audit_row *row, const struct audit_head *head);
void segment_commit(struct segment *g);

/* Reading rows, over a connection of one's own (path) or that of a segment. */
struct segment_reader {
	sqlite3 *db;
	sqlite3_stmt *rows;
	bool owns_db;
};
must_check int segment_reader_open(struct segment_reader *r, const char *path,
				   char reason[STORE_REASON_LEN]);
void segment_reader_init(struct segment_reader *r, struct segment *g);
void segment_reader_close(struct segment_reader *r);
/* From now: rows with after < zxid <= upto, lowest first. */
void segment_reader_seek(struct segment_reader *r, int64_t after, int64_t upto);
/* 1: a row, whose slices live until the next call; 0: none left; -1: cannot be read (db_fail
 * tells). */
must_check int segment_reader_next(struct segment_reader *r, struct record_head *head,
				   struct slice *body);
/* End the read transaction. */
void segment_reader_reset(struct segment_reader *r);

#endif
