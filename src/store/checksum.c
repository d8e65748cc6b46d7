/* See the header. */
#include "store/checksum.h"

#include <string.h>

/* In the caller, for a page is read and written often. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "store/db.h"

/* Places in a database file's head (sqlite.org/fileformat2.html, 1.3). */
enum { HEAD_PAGE_SIZE = 16, HEAD_RESERVED = 20, HEAD_USER_VERSION = 60 };
enum { LEAST_PAGE_BYTES = 512, MOST_PAGE_BYTES = 65536 };

void checksum_fini(struct checksum *c)
{
	mem_free(c->copy);
	*c = (struct checksum){ 0 };
}

static uint32_t read_version(const uint8_t *head)
{
	const uint8_t *p = head + HEAD_USER_VERSION;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void checksum_look(struct checksum *c, const void *head, int n)
{
	const uint8_t *p = head;
	uint32_t version, page_bytes;

	if (n < CHECKSUM_HEAD_BYTES || memcmp(p, "SQLite format 3", 16) != 0)
		return;
	page_bytes = (uint32_t)p[HEAD_PAGE_SIZE] << 8 | p[HEAD_PAGE_SIZE + 1];
	if (page_bytes == 1)
		page_bytes = MOST_PAGE_BYTES;
	if (page_bytes < LEAST_PAGE_BYTES || (page_bytes & (page_bytes - 1)) != 0)
		return;
	version = read_version(p);
	/* Either of the two says so, for a flipped bit in the other must be found. A newer version
	 * is refused for being newer: what its checksums are like is not known here. */
	c->is_on = (p[HEAD_RESERVED] == CHECKSUM_BYTES && version <= DB_VERSION) ||
		   (version >= DB_VERSION_CHECKSUMS && version <= DB_VERSION);
	if (c->page_bytes != page_bytes) {
		mem_free(c->copy);
		c->copy = NULL;
	}
	c->page_bytes = page_bytes;
}

bool checksum_covers(const struct checksum *c, int n, int64_t at)
{
	return c->is_on && (uint32_t)n == c->page_bytes && at % c->page_bytes == 0;
}

int64_t checksum_page_number(const struct checksum *c, int64_t at)
{
	return at / c->page_bytes + 1;
}

static uint64_t sum_page(const struct checksum *c, const uint8_t *page, int64_t at)
{
	return XXH64(page, c->page_bytes - CHECKSUM_BYTES, (uint64_t)checksum_page_number(c, at));
}

const void *checksum_seal(struct checksum *c, const void *page, int64_t at)
{
	uint64_t sum = sum_page(c, page, at);

	if (c->copy == NULL)
		c->copy = mem_new(c->page_bytes);
	memcpy(c->copy, page, c->page_bytes - CHECKSUM_BYTES);
	for (unsigned i = 0; i < CHECKSUM_BYTES; i++)
		c->copy[c->page_bytes - CHECKSUM_BYTES + i] = (uint8_t)(sum >> (8 * i));
	return c->copy;
}

bool checksum_holds(const struct checksum *c, const void *page, int64_t at)
{
	const uint8_t *p = page, *stored = p + c->page_bytes - CHECKSUM_BYTES;
	uint64_t sum = sum_page(c, p, at);

	for (unsigned i = 0; i < CHECKSUM_BYTES; i++)
		if (stored[i] != (uint8_t)(sum >> (8 * i)))
			return false;
	return true;
}
