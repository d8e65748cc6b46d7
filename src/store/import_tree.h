/* A tree of ours while it is made from ZooKeeper's snapshot and transactions: what stands in them
 * is applied as ZooKeeper's DataTree does it, so that a snapshot that was written while things
 * changed comes right. Sessions and ephemeral znodes stay until the end, which says whether they
 * are kept. One thread; errors of SQLite end the process. */
#ifndef STORE_IMPORT_TREE_H
#define STORE_IMPORT_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"
#include "store/zk_snapshot.h"
#include "wire/zk_txn.h"

struct import_tree;

/* What became of it. */
struct import_counts {
	uint64_t persistent, containers, ttls;
	uint64_t ephemerals, sessions;           /* that were kept */
	uint64_t lost_ephemerals, lost_sessions; /* that were not */
	uint64_t quotas;
	uint64_t data_bytes;
	uint64_t large; /* znodes with more data than was said */
	int64_t zxid;
	bool is_ahead; /* the snapshot shows changes that no log has */
};

/* A fresh tree at path. -1 with a reason. */
must_check int import_tree_new(struct import_tree **out, const char *path, uint32_t cache_kib,
			       char reason[STORE_REASON_LEN]);
/* NULL is allowed. What was committed stays at path. */
void import_tree_free(struct import_tree *t);

/* For zk_snapshot_read. -1 where something cannot be carried. */
struct zk_snapshot_sink import_tree_sink(struct import_tree *t);
/* A transaction that follows the snapshot. -1 with a reason. */
must_check int import_tree_apply(struct import_tree *t, struct zk_txn *txn,
				 char reason[STORE_REASON_LEN]);
/* ZooKeeper's own sum over what was read so far. */
int64_t import_tree_digest(struct import_tree *t);
/* Keep sessions and their ephemerals, or close them all; count children and quotas; commit. zxid:
 * of the last transaction. large_bytes: what is large. -1 with a reason. */
must_check int import_tree_finish(struct import_tree *t, int64_t zxid, bool with_sessions,
				  uint64_t large_bytes, struct import_counts *counts,
				  char reason[STORE_REASON_LEN]);

/* How many znodes have an ACL that names a scheme, for each scheme. */
void import_tree_list_schemes(struct import_tree *t,
			      void (*each)(void *ctx, struct slice scheme, uint64_t znodes),
			      void *ctx);

/* The password that ZooKeeper gives to a session: made from its id. */
enum { IMPORT_PASSWORD_LEN = 16 };
void import_password(int64_t session, uint8_t password[IMPORT_PASSWORD_LEN]);

#endif
