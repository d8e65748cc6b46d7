/* Whether tree.db, or a copy of it, is whole: SQLite's own check, the
 * schema, and all that one row says of others. Reads everything, writes nothing; beside a server
 * that writes, too. One thread. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "store/digest.h"
#include "store/rows.h"

/* Hears what is wrong, a line each (any bytes may stand in it), the first VERIFY_MOST of them. */
struct verify_teller {
	void *ctx;
	void (*fault)(void *ctx, const char *text);
	/* It cannot be read further (no memory, a disk that gives an error): nothing that would be
	 * found from there on is told, for it may come of that. */
	void (*failure)(void *ctx, const char *text);
};

enum { VERIFY_MOST = 20 };

struct verify_report {
	struct rows_meta meta; /* of tree.db */
	int version;           /* of its schema */
	uint64_t znodes;       /* all of them, */
	uint64_t ephemerals;   /* and of these */
	uint64_t sessions;
	uint64_t acls;
	uint64_t bytes; /* of data */
	struct digest_texts digest;
	uint64_t faults;
	bool has_failed; /* nobody can say what is behind where it did */
};

/* A tree: integrity check, schema, counts in meta, each znode's parent, number of children, ACL and
 * owner, zxids not above the tree's; and its digest. 0: nothing is wrong with it. -1: something is
 * (faults), or it could not be read to its end (has_failed), or both. */
must_check int verify_tree(const char *path, const struct verify_teller *t,
			   struct verify_report *out);

#endif
