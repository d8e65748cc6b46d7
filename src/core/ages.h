/* When changes were made, in the server's own time, of a run: the wall clock may jump and a server
 * may be down, and neither makes anything older. Told by zxid, in a bounded room: the older a
 * change is, the less exactly, and never as too old. Core thread. */
#ifndef CORE_AGES_H
#define CORE_AGES_H

#include <stddef.h>
#include <stdint.h>

enum {
	AGES_MOST = 4096,
	AGES_STEP_MS = 100, /* what came within it is one */
	/* A change is told as younger than it is by this part of its age, where there is room;
	 * without a restart there is for months. */
	AGES_PART = 128,
};

/* Some changes that followed each other. */
struct ages_span {
	int64_t first; /* zxid */
	int64_t began_ms;
	int64_t until_ms; /* when the last one was made */
};

struct ages {
	size_t count;
	struct ages_span spans[AGES_MOST];
};

/* Everything so far was made now_ms. */
void ages_init(struct ages *a, int64_t now_ms);
/* zxid rises, and now_ms does not fall. */
void ages_note(struct ages *a, int64_t zxid, int64_t now_ms);
/* When zxid's change was made; later than that by what is not known so exactly any more. */
int64_t ages_since(const struct ages *a, int64_t zxid);

#endif
