/* ACLs, kept once each: znodes share a counted entry keyed by content. An ACL is held in its
 * encoded form (a jute vector of ACL, count included): what goes to clients, to the log and to the
 * tree is the same bytes. Core thread. */
#ifndef CORE_ACL_H
#define CORE_ACL_H

#include <stdbool.h>

#include "base/hash.h"
#include "base/slice.h"
#include "wire/proto.h"

struct acl {
	struct hash_node by_content;
	unsigned refs;
	unsigned idle;   /* of these, by cached znodes, which can go at any time */
	uint64_t serial; /* never given twice, unlike an address */
	size_t len;
	char encoded[];
};

struct acl_table {
	struct hash entries;
	size_t held; /* entries with a reference that is not idle */
	uint64_t last_serial;
};

void acl_table_init(struct acl_table *t);
/* All entries must have been unreferenced. */
void acl_table_fini(struct acl_table *t);
/* The entry with this content, one reference more. */
struct acl *acl_take(struct acl_table *t, struct slice encoded);
struct acl *acl_ref(struct acl_table *t, struct acl *a);
void acl_unref(struct acl_table *t, struct acl *a);
/* One reference is a cached znode's now, or not any more; an idle one is never unreferenced. NULL
 * is allowed. */
void acl_rest(struct acl_table *t, struct acl *a);
void acl_wake(struct acl_table *t, struct acl *a);
/* Whether somebody may have an ACL with this content: it is held already, or fewer than most
 * are. */
bool acl_has_room(const struct acl_table *t, struct slice encoded, size_t most);
struct slice acl_encoded(const struct acl *a);
/* The entries as the protocol's reader wants them. */
struct proto_acls acl_entries(const struct acl *a);

#endif
