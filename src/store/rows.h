/* The tables of tree.db over one connection: read a znode, list children, load what a start needs,
 * and, on the writing connection, apply what a batch of the log comes to. Belongs to one thread at
 * a time. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cdefs.h"
#include "store/db.h"
#include "store/record.h"
#include "store/store.h"

struct rows;

enum { DATABASE_ID_LEN = 16 };

struct rows_meta {
	uint8_t database[DATABASE_ID_LEN];
	int64_t zxid;    /* the newest change in here */
	uint64_t znodes; /* that are not ephemeral */
};

/* Open path; a writer makes the tables (zxid 0, a new database id) where there are none and
 * may_create allows it, and has what it made or found on disk before this returns. -1 with a
 * reason. */
must_check int rows_open(struct rows **out, const char *path, enum db_role role, uint32_t cache_kib,
			 bool may_create, char reason[STORE_REASON_LEN]);
/* Have SQLite check the whole file, its indices against its tables, which takes its time.
 * STORE_DAMAGED with what it found first. */
must_check int rows_check(struct rows *r, char reason[STORE_REASON_LEN]);
/* Copy the -wal into the file, all of it: false where a visitor or a full disk is in the way. */
bool rows_settle(struct rows *r);
/* NULL is allowed. */
void rows_close(struct rows *r, bool keep_wal);
sqlite3 *rows_db(struct rows *r);
/* Of its schema: DB_VERSION, or an older one. */
int rows_version(const struct rows *r);
/* As of the opening, or of the last commit by this connection. */
const struct rows_meta *rows_meta(const struct rows *r);

/* Log what SQLite says of the read that failed last, or what was found in a row, some lines a
 * second at most, and count it; gives STORE_UNREADABLE. */
enum store_result rows_unreadable(struct rows *r);
enum store_result rows_damaged(struct rows *r, const char *what);

/* See store.h. */
enum store_result rows_read_znode(struct rows *r, struct slice path, struct record_znode *out);
enum store_result rows_list_children(struct rows *r, struct slice path,
				     void (*child)(void *ctx, struct slice name), void *ctx);
/* Give sessions and ephemeral znodes to the loader. */
must_check int rows_load(struct rows *r, const struct store_loader *l,
			 char reason[STORE_REASON_LEN]);

/* A znode's place in the order of the tree's index. */
struct rows_key {
	struct slice parent;
	struct slice name;
};
/* Every znode, ephemeral ones too, behind the key after (NULL: from the first on), in the order of
 * their keys, until each gives false. -1 with a reason where they cannot be read. */
must_check int rows_each_after(struct rows *r, const struct rows_key *after,
			       bool (*each)(void *ctx, const struct record_znode *z), void *ctx,
			       char reason[STORE_REASON_LEN]);

/* A batch on the writing connection; a failure ends the process. Where the disk is full what is put
 * has no effect, and rows_try_commit undoes all of the batch: false. */
void rows_begin(struct rows *r);
/* Put the columns of z. wipe: the znode was deleted before that; with columns == 0 it is gone. */
void rows_put_znode(struct rows *r, const struct record_znode *z, bool wipe);
void rows_put_session(struct rows *r, const struct record_session *s);
void rows_commit(struct rows *r, int64_t zxid);
must_check bool rows_try_commit(struct rows *r, int64_t zxid);
enum rows_restart {
	ROWS_RESTARTED,
	ROWS_VISITED, /* somebody from outside is in it */
	ROWS_FULL,    /* the file has no room for what is in it */
};
/* Have the next batch begin the -wal anew. *pid: who is in it, 0 where that is not seen. Between
 * batches, on the writing connection. */
must_check enum rows_restart rows_restart_wal(struct rows *r, pid_t *pid);
/* Bytes of the file's free pages, which new rows take before it grows. Writing connection. */
uint64_t rows_free_bytes(struct rows *r);

/* Path of the parent ("" for the root) and last part ("" for the root). */
void rows_split_path(struct slice path, struct slice *parent, struct slice *name);
/* The path of these, in b, which has no limit; lent until that changes. */
struct slice rows_join_path(struct buf *b, struct slice parent, struct slice name);

#endif
