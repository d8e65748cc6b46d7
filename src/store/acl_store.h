/* The table acl of tree.db as a batch writes it: every ACL that a znode has is there once, with the
 * number of znodes that have it, and gone with the last of them, so that clients who give znodes
 * ever new ACLs don't make the file grow. What a batch changes is summed up and written once for
 * each ACL. Belongs to the connection that writes, and to its thread. */
#ifndef STORE_ACL_STORE_H
#define STORE_ACL_STORE_H

#include <stdbool.h>

#include <sqlite3.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "store/acl_row.h"

struct acl_store;

struct acl_store *acl_store_new(sqlite3 *db);
/* NULL is allowed. */
void acl_store_free(struct acl_store *s);

/* In a transaction; failures but for a full disk end the process. One znode more has this ACL: key
 * is what its row is to name. */
void acl_store_add(struct acl_store *s, struct slice acl, uint8_t key[ACL_ROW_KEY_LEN]);
/* One znode less has the ACL with this key. */
void acl_store_drop(struct acl_store *s, struct slice key);
/* Before COMMIT: write the sums. False: the disk was full, now or before. */
must_check bool acl_store_write(struct acl_store *s);
bool acl_store_is_full(const struct acl_store *s);
/* The transaction was rolled back. */
void acl_store_forget(struct acl_store *s);

#endif
