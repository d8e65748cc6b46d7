/* What memory knows of one znode's children: those that are in memory themselves and say more than
 * tree.db does (live), and, where the list is complete, every name. Owned by core/tree. Core
 * thread. */
#ifndef CORE_DIR_H
#define CORE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/slice.h"

/* A name in a complete list. */
struct dir_name {
	struct hash_node by_name;
	uint32_t len;
	char text[];
};

struct dir {
	struct hash_node by_path;
	struct list live;  /* znode.sibling: pending and ephemeral children, tombstones too */
	struct list link;  /* tree.complete_dirs while complete */
	struct hash names; /* struct dir_name; meaningful while complete */
	size_t names_bytes;
	bool complete;
	uint32_t used; /* tree.turn of the last use */
	uint32_t path_len;
	char path[];
};

struct dir *dir_new(struct slice path);
void dir_free(struct dir *d);
/* What a name of that length takes in a complete list. */
size_t dir_name_bytes(size_t len);
bool dir_has_name(const struct dir *d, struct slice name);
/* No more than once for a name. */
void dir_add_name(struct dir *d, struct slice name);
void dir_remove_name(struct dir *d, struct slice name);
/* Forget all names; the list is no longer complete. */
void dir_forget_names(struct dir *d);

#endif
