/* A znode in memory: pending (changed and not yet replayed into tree.db; a removed one stays as a
 * tombstone until then), ephemeral (memory is its authority) or clean (a copy of a row of tree.db,
 * dropped for room). Owned by core/tree; others may hold a pointer until the end of the request.
 * Core thread. */
#ifndef CORE_ZNODE_H
#define CORE_ZNODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "core/acl.h"
#include "store/record.h"
#include "wire/proto.h"

struct dir;

/* What a request may change, copied for the way back. */
struct znode_state {
	bool exists; /* false: a tombstone; acl is then the one it had */
	char *data;  /* NULL: null */
	uint32_t data_len;
	struct acl *acl;
	int64_t czxid, mzxid, pzxid;
	int64_t ctime, mtime;
	int32_t version, aversion;
	int32_t creates; /* children ever created */
	int32_t num_children;
	int64_t owner; /* session id > 0: ephemeral */
};

struct znode {
	struct hash_node by_path;
	struct list link;    /* tree.pending, or tree.clean, or none */
	struct list sibling; /* dir.live while pending or ephemeral */
	struct list owned;   /* owner's list while ephemeral */
	struct dir *dir;     /* while linked there */
	struct znode_state st;
	int64_t changed; /* zxid of the last change; its readers wait until that is on disk */
	unsigned dirty;  /* enum record_columns, in the open change */
	uint32_t undo;   /* 1 + its place among the undos of the open change; 0: untouched */
	bool pending;
	uint32_t pending_bytes; /* what it is counted with while pending */
	bool clean;             /* in tree.clean, counted as cache */
	uint32_t used;          /* tree.turn of the last use */
	uint32_t path_len;
	char path[];
};

static inline struct slice znode_path(const struct znode *z)
{
	return (struct slice){ z->path, z->path_len };
}

static inline struct slice znode_data(const struct znode *z)
{
	return (struct slice){ z->st.data, z->st.data_len };
}

static inline bool znode_is_ephemeral(const struct znode *z)
{
	return z->st.owner > 0;
}

/* A znode that does not exist yet, in no table. */
struct znode *znode_new(struct slice path);
/* data and acl must have been given back. */
void znode_free(struct znode *z);
/* The Stat that clients see: cversion is 2 * creates - num_children; owners that mark containers
 * and TTLs read 0. */
struct proto_stat znode_stat(const struct znode *z);
/* Columns of the record that says what z is now; slices borrow z. */
struct record_znode znode_record(const struct znode *z, unsigned columns);

#endif
