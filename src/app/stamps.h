/* What files look like from outside, so that a change is noticed without reading them. */
#ifndef APP_STAMPS_H
#define APP_STAMPS_H

#include <stddef.h>
#include <stdint.h>

enum { STAMPS_MOST = 16 };

struct stamps {
	uint64_t of[STAMPS_MOST];
};

/* Look at the files now, of which some may be NULL: device, inode, size and times of what a name
 * leads to over all links; of a directory, those of all in it. What is not there has a stamp
 * too. */
void stamps_take(struct stamps *s, const char *const *files, size_t count);
/* The first that differs; count where none does. */
size_t stamps_compare(const struct stamps *a, const struct stamps *b, size_t count);

#endif
