/* The one view of all znodes: pending, ephemeral and cached ones in memory, the rest in tree.db
 * through store.
 *
 * A change: tree_begin, then any of tree_create … tree_set_acl, then tree_record and tree_commit,
 * or tree_rollback, after which nothing ever happened. What changed stays pending until
 * tree_replayed tells that tree.db has it. Core thread. */
#ifndef CORE_TREE_H
#define CORE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/acl.h"
#include "core/dir.h"
#include "core/znode.h"
#include "store/record.h"
#include "store/store.h"
#include "wire/proto.h"

struct tree;

/* cache_bytes: most bytes of clean znodes and lists of names; pending ones count too, until a
 * quarter is left. */
struct tree *tree_new(struct store *store, size_t cache_bytes);
void tree_free(struct tree *t);
struct acl_table *tree_acls(struct tree *t);

enum tree_result { TREE_FOUND, TREE_ABSENT, TREE_UNREADABLE };

/* The znode at path; *z is valid until tree_trim. *mark gets the zxid of the change that decides
 * the answer (a tombstone's for an absent one), 0 where that is long on disk. */
must_check enum tree_result tree_find(struct tree *t, struct slice path, struct znode **z,
				      int64_t *mark);

/* Every child's name in no fixed order; child must not read or change the tree. False where tree.db
 * could not be read: that was not all of them. */
must_check bool tree_list(struct tree *t, const struct znode *parent,
			  void (*child)(void *ctx, struct slice name), void *ctx);

/* Every znode in memory, tombstones and copies of tree.db's rows too, in no fixed order. */
void tree_visit(struct tree *t, void (*each)(void *ctx, const struct znode *z), void *ctx);
/* Whether tree.db may say otherwise of z than memory. */
bool tree_is_ahead(const struct znode *z);

/* What a change did, for the watches, in order; valid until the change ends. */
struct tree_event {
	enum event_type type;
	struct znode *z;
	struct acl *acl; /* its ACL then: the rest of a multi may bring another */
	/* Of its data, before and then; where it was there before, and is then. */
	int32_t old_version, version;
};

/* Begin a change that will have this zxid and time. */
void tree_begin(struct tree *t, int64_t zxid, int64_t time_ms);
/* Create a child of parent, which exists; nothing stands at path. acl's reference is taken over.
 * NULL where memory for the data is out: nothing happened, and acl stays the caller's. */
must_check struct znode *tree_create(struct tree *t, struct znode *parent, struct slice path,
				     struct slice data, struct acl *acl, int64_t owner);
/* z exists and has no children; parent is its parent. */
void tree_delete(struct tree *t, struct znode *parent, struct znode *z);
/* -1 where memory is out: nothing happened. version is the new one. */
must_check int tree_set_data(struct tree *t, struct znode *z, struct slice data, int32_t version);
/* The same, and neither its Stat moves nor is anybody told: for what the server counts. */
must_check int tree_set_counters(struct tree *t, struct znode *z, struct slice data);
/* acl's reference is taken over. aversion is the new one. */
void tree_set_acl(struct tree *t, struct znode *z, struct acl *acl, int32_t aversion);
const struct tree_event *tree_events(const struct tree *t, size_t *count);
/* Every znode that the change touched, with what it was before. */
void tree_visit_changed(const struct tree *t,
			void (*each)(void *ctx, const struct znode *z,
				     const struct znode_state *before),
			void *ctx);
/* Append what the change did to a record's body. */
must_check int tree_record(const struct tree *t, struct buf *body);
/* Make the change so. Events are gone afterwards. */
void tree_commit(struct tree *t);
void tree_rollback(struct tree *t);

/* The ephemerals of a session, as a list of znode.owned; NULL where there never was one. */
struct list *tree_owned(struct tree *t, int64_t session_id);
unsigned tree_owned_count(struct tree *t, int64_t session_id);
/* Memory that they take: paths, data, ACLs. */
uint64_t tree_owned_bytes(struct tree *t, int64_t session_id);

/* Before serving: a row of tree.db with an owner; then what the log says above the tree (z may be
 * partial). False where tree.db could not be read. */
void tree_load_ephemeral(struct tree *t, const struct record_znode *z);
must_check bool tree_load_change(struct tree *t, int64_t zxid, const struct record_znode *z);

/* tree.db holds everything up to zxid. */
void tree_replayed(struct tree *t, int64_t zxid);
/* Nobody holds a znode: drop what is too much. */
void tree_trim(struct tree *t);
/* The same at the end of a turn, after which what was used counts as older. */
void tree_end_turn(struct tree *t);

struct tree_counts {
	uint64_t znodes;
	uint64_t ephemerals;
	uint64_t owners;  /* sessions with ephemerals */
	uint64_t pending; /* znodes, tombstones too */
	uint64_t pending_bytes;
	uint64_t cached; /* clean znodes */
	uint64_t held;   /* all in memory: pending, cached, and ephemerals that are neither */
	uint64_t dirs;   /* of whose children memory knows something */
	uint64_t cached_bytes;
};
struct tree_counts tree_counts(const struct tree *t);

#endif
