/* Quotas: /zookeeper/quota/<path>/zookeeper_limits says how many znodes and bytes <path> and what
 * is below it may have, zookeeper_stats beside it how many there are (ZooKeeper's Quotas,
 * DataTree.updateQuotaStat, ZooKeeperServer.checkQuota). The longest path that has a quota counts
 * alone. Statistics are part of the change that moves them, so they are right after a restart, and
 * no Stat moves with them. They are counted anew when they are made, when limits are made beside
 * them, and when a quota below them goes: ZooKeeper does the latter two at its next start. Core
 * thread. */
#ifndef CORE_QUOTA_H
#define CORE_QUOTA_H

#include <stdbool.h>

#include "core/registry.h"

struct quota_table; /* paths that have a quota */

struct quota_table *quota_table_new(void);
void quota_table_free(struct quota_table *q);
/* Before serving, when the tree is loaded. False where tree.db could not be read. */
must_check bool quota_load(struct registry *r);
/* How many paths have one. */
unsigned quota_count(const struct quota_table *q);

/* Before a create (one more znode) and a setData (none): whether the quota allows it. A soft limit
 * is logged; above a hard one QUOTA_EXCEEDED where quotas are enforced. Also for one quota more
 * than there may be. MARSHALLING, as in ZooKeeper, where limits that are enforced are malformed.
 * SYSTEM where tree.db could not be read. */
enum zerr quota_check(struct registry *r, struct slice path, int64_t more_bytes, bool is_create);

/* As tree_create, tree_delete and tree_set_data inside an open change, and the statistics move
 * with them. Not done, or only in part (and the change is to be aborted), where memory is out or
 * tree.db could not be read: NULL, false, -1; acl is used up in any case. */
must_check struct znode *quota_create(struct registry *r, struct znode *parent, struct slice path,
				      struct slice data, struct acl *acl, int64_t owner);
must_check bool quota_delete(struct registry *r, struct znode *parent, struct znode *z);
must_check int quota_set_data(struct registry *r, struct znode *z, struct slice data,
			      int32_t version);

/* The open change ends: it stays, or it never was. The tree is as it will be. */
void quota_end_change(struct registry *r, bool stays);

#endif
