/* One transaction as ZooKeeper's log holds it (zookeeper.jute's TxnHeader and *Txn,
 * SerializeUtils.deserializeTxn). Pure functions; slices borrow the input. */
#ifndef WIRE_ZK_TXN_H
#define WIRE_ZK_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "wire/proto.h"

struct zk_txn {
	int64_t session;
	int32_t cxid;
	int64_t zxid;
	int64_t time_ms;
	int32_t type; /* enum opcode */

	struct slice path;
	struct slice data;
	struct proto_acls acl;
	/* create and its kin: the parent's count of creates with this one; -1: one more than it
	 * is */
	int32_t parent_creates;
	bool is_ephemeral;  /* create, create2 */
	int64_t ttl_ms;     /* createTTL */
	int32_t version;    /* setData, setACL: what it is from now on; check: what it was */
	int32_t timeout_ms; /* createSession */
	int32_t err;        /* error */
	/* closeSession: the znodes that go with it, read with jute_read_buffer. None where an old
	 * server wrote it; whatever the session still owns goes in any case. */
	struct jute_reader paths;
	int32_t path_count;
	struct jute_reader parts; /* multi: for zk_txn_next_part */
	int32_t part_count;

	/* Of the whole tree behind it; 0: not known. */
	int32_t digest_version;
	int64_t digest;
};

enum zk_txn_result {
	ZK_TXN_GOOD,
	ZK_TXN_DAMAGED,
	ZK_TXN_UNSUPPORTED, /* of a type that ZooKeeper does not load either */
};

/* Read one record of the log; of one that is UNSUPPORTED, the header. */
enum zk_txn_result zk_txn_read(struct slice record, struct zk_txn *t);

/* Whether a part of a multi failed: then none of it was done. */
bool zk_txn_has_failed(const struct zk_txn *multi);
/* The next part, with session, zxid and time of the whole. 1; 0: there is none left; -1: it is
 * damaged, or of a type that no multi has. */
must_check int zk_txn_next_part(struct zk_txn *multi, struct zk_txn *part);

#endif
