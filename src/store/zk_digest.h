/* The sum that ZooKeeper (3.6 and later) keeps over its tree and writes to snapshots and logs
 * (DigestCalculator). Pure functions. */
#ifndef STORE_ZK_DIGEST_H
#define STORE_ZK_DIGEST_H

#include <stdint.h>

struct zk_znode;

/* That of DigestCalculator which these functions compute. */
enum { ZK_DIGEST_VERSION = 2 };

/* A tree's, as of a zxid; in a snapshot at or above the one that the file's name has. */
struct zk_digest {
	int32_t version; /* 0: there is none */
	int64_t zxid;
	int64_t value;
};

/* What a znode adds to that of its tree, which is a sum that wraps (AdHash). */
uint32_t zk_digest_znode(const struct zk_znode *z);

#endif
