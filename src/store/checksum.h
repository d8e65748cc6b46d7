/* The checksum of each page of a database file, from schema version 2 on: the last 8 bytes of a
 * page, which SQLite leaves alone (SQLITE_FCNTL_RESERVE_BYTES), hold XXH64 (xxHash) of those
 * before them, with the page's number as seed, lowest byte first. So flipped bits are found, and
 * a page that was written elsewhere or never. Whoever does not know of it (the sqlite3 shell)
 * reads the file as any other. The -wal file has checksums of its own, which SQLite checks when
 * it recovers it.
 *
 * A struct checksum belongs to one open file, and to its thread. */
#ifndef STORE_CHECKSUM_H
#define STORE_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

enum { CHECKSUM_BYTES = 8, CHECKSUM_HEAD_BYTES = 100 };

struct checksum {
	bool is_on;
	uint32_t page_bytes;
	uint8_t *copy; /* of a page that is written */
};

void checksum_fini(struct checksum *c);
/* The first n bytes of the file, read or about to be written, say whether its pages have
 * checksums. */
void checksum_look(struct checksum *c, const void *head, int n);
/* Whether n bytes at that place are a page that has a checksum. */
bool checksum_covers(const struct checksum *c, int n, int64_t at);
/* The page with its checksum, valid until the next call. */
const void *checksum_seal(struct checksum *c, const void *page, int64_t at);
bool checksum_holds(const struct checksum *c, const void *page, int64_t at);
/* As messages tell it, the first is 1. */
int64_t checksum_page_number(const struct checksum *c, int64_t at);

#endif
