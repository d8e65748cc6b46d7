/* How many there are of each name. A name is kept as long as somebody counts under it. One thread.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include "base/hash.h"

struct tally {
	struct hash by_name;
};

struct tally_entry {
	struct hash_node node;
	unsigned count;
	char name[];
};

void tally_init(struct tally *t);
/* Every entry was dropped. */
void tally_fini(struct tally *t);
unsigned tally_count(const struct tally *t, const char *name);
/* One more; tally_drop takes it back. */
struct tally_entry *tally_add(struct tally *t, const char *name);
void tally_drop(struct tally *t, struct tally_entry *entry); /* may be NULL */

#endif
