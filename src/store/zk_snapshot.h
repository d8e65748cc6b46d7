/* Read a snapshot of ZooKeeper's (FileSnap, SerializeUtils, DataTree.deserialize): sessions, ACLs,
 * znodes, each part under its seal. 3.8 and 3.9 write the same, but for a last part that 3.9 has
 * more. */
#ifndef STORE_ZK_SNAPSHOT_H
#define STORE_ZK_SNAPSHOT_H

#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "store/store.h"
#include "store/zk_digest.h"
#include "store/zk_stream.h"

/* Under which znodes that are open to the world name their ACL; it is in no list. */
enum { ZK_ACL_OPEN = -1 };

struct zk_znode {
	struct slice path; /* "/": the root, which the file calls "" */
	struct slice data;
	int64_t acl; /* number of one that was given before */
	int64_t czxid;
	int64_t mzxid;
	int64_t ctime;
	int64_t mtime;
	int32_t version;
	int32_t creates; /* StatPersisted's cversion */
	int32_t aversion;
	int64_t owner;
	int64_t pzxid;
};

/* Who gets what was read, in this order; slices live for the call. -1 with a reason ends the
 * reading. */
struct zk_snapshot_sink {
	void *ctx;
	int (*session)(void *ctx, int64_t id, int32_t timeout_ms, char reason[STORE_REASON_LEN]);
	/* encoded: as in struct record_znode */
	int (*acl)(void *ctx, int64_t number, struct slice encoded, char reason[STORE_REASON_LEN]);
	/* A parent before its children. */
	int (*znode)(void *ctx, const struct zk_znode *z, char reason[STORE_REASON_LEN]);
};

/* -1 with a reason where it is damaged, or the sink said so; *is_damaged tells which. */
must_check int zk_snapshot_read(struct zk_stream *s, const struct zk_snapshot_sink *sink,
				struct zk_digest *digest, bool *is_damaged,
				char reason[STORE_REASON_LEN]);

#endif
