/* The frames of a -wal file (sqlite.org/fileformat.html, 4). SQLite takes them up to the first one
 * whose checksum is wrong, and none where the header is: behind a flipped bit all is passed over in
 * silence. For who salvages, not for a start: it makes SQLite take a page that is damaged. */
#ifndef STORE_FRAMES_H
#define STORE_FRAMES_H

#include <stdint.h>

#include "base/cdefs.h"

/* Set a damaged header and the checksums of damaged frames right in path, as far as what follows
 * them shows that they were written whole once. Returns how many there were, 0 also where path
 * cannot be read. */
uint64_t frames_mend(const char *path);

#endif
