/* A tree as a snapshot that Apache ZooKeeper starts from: persistent znodes, containers and those
 * with a TTL, with data, ACLs, Stats and the counters that sequential names go by. Sessions stay
 * behind, and ephemeral znodes with them; their parents are as if those had been closed at the
 * snapshot's zxid. That begins an epoch far above the tree's, as a restore does, so that clients
 * who saw more of the server than the snapshot has are taken nevertheless.
 *
 * The digest that ZooKeeper checks after it has loaded a snapshot is written, too. Writes nothing
 * but the snapshot. One thread. */
#ifndef STORE_ZK_WRITE_H
#define STORE_ZK_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "store/store.h"

/* jute.maxbuffer where nobody sets it. */
enum { ZK_WRITE_MAX_DATA = 0xfffff };

struct zk_write_options {
	bool is_packed; /* by gzip */
	/* Bytes of a znode's data that the ZooKeeper takes which is to load it. */
	size_t max_data;
	/* What it meets; slices live for the call. */
	void *ctx;
	/* An ACL (jute's encoding) that so many of the znodes written have. */
	void (*acl)(void *ctx, struct slice encoded, uint64_t znodes);
	/* A znode with more data than max_data: no snapshot is made. */
	void (*too_large)(void *ctx, struct slice path, size_t bytes);
};

struct zk_write_summary {
	char *path;        /* of the snapshot; the caller frees */
	int64_t tree_zxid; /* the newest change in the tree */
	int64_t zxid;      /* the snapshot's */
	int64_t digest;
	uint64_t znodes;     /* written; of them: */
	uint64_t containers; /* ... */
	uint64_t ttls;
	uint64_t limits; /* zookeeper_limits: of quotas */
	uint64_t bytes;  /* of data */
	uint64_t acls;
	uint64_t ephemerals; /* not written */
	uint64_t sessions;   /* not written */
	uint64_t too_large;
};

/* Write the tree in the database at tree to dir, whose name it gets by its zxid, and have it on
 * disk. tree: a snapshot, or tree.db of a server that is stopped. dir must be there, and
 * hold nothing of a ZooKeeper's. -1 with a reason, and dir is as it was then; the caller frees
 * summary->path in any case. */
must_check int zk_write(const char *tree, const char *dir, const struct zk_write_options *o,
			struct zk_write_summary *summary, char reason[STORE_REASON_LEN]);

#endif
