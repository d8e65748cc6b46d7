/* Digests of a tree, by which two are known for equal without comparing them: SHA-256 over rows in
 * the order of (parent, name). ACLs count by their content. One thread. */
#ifndef STORE_DIGEST_H
#define STORE_DIGEST_H

#include "base/crypto.h"
#include "store/record.h"

enum { DIGEST_TEXT_LEN = 2 * CRYPTO_SHA256_LEN + 1 };

struct digest_texts {
	/* All that the tree says, sessions and ephemeral znodes too. */
	char whole[DIGEST_TEXT_LEN];
	/* What a restore keeps: persistent znodes, without what ephemeral children do to their
	 * Stat (num_children, pzxid) and to the statistics of quotas. */
	char kept[DIGEST_TEXT_LEN];
};

struct digest;

struct digest *digest_new(void);
/* NULL is allowed. */
void digest_free(struct digest *d);
/* First the znodes by parent and name, then the sessions by id. */
void digest_add_znode(struct digest *d, struct slice parent, struct slice name,
		      const struct record_znode *z);
void digest_add_session(struct digest *d, const struct record_session *s);
/* In hex. Nothing may be added afterwards. */
void digest_end(struct digest *d, struct digest_texts *out);

#endif
