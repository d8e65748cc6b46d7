/* Read the transactions that follow a zxid from the logs of a ZooKeeper (FileTxnLog), in order, and
 * see that none is missing. */
#ifndef STORE_ZK_LOG_H
#define STORE_ZK_LOG_H

#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"
#include "store/zk_dir.h"
#include "wire/zk_txn.h"

struct zk_log;

/* files: those of a directory, lent, lowest first. */
struct zk_log *zk_log_new(const struct zk_files *files, int64_t after);
/* NULL is allowed. */
void zk_log_free(struct zk_log *l);

/* 1: the next transaction, which lives until the next call; 0: there is none left; -1 with a reason
 * that names file and zxid: damaged, or one is missing. */
must_check int zk_log_next(struct zk_log *l, struct zk_txn *txn, char reason[STORE_REASON_LEN]);

/* Of the files read so far. */
unsigned zk_log_file_count(const struct zk_log *l);
/* The last file that ends in the middle of a transaction, as after a crash; NULL: none. */
const char *zk_log_cut_file(const struct zk_log *l);
/* Where the transaction that came last stands. */
const char *zk_log_path(const struct zk_log *l);

#endif
