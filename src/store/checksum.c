/* See the header. XXH64 is as its specification has it (github.com/Cyan4973/xxHash,
 * doc/xxhash_spec.md), but for tails that are no multiple of 8, which no page has. */
#define CHECKSUM_PRIVATE
#include "store/checksum.h"

#include <string.h>

#include "base/mem.h"
#include "store/db.h"

/* Places in a database file's head (sqlite.org/fileformat2.html, 1.3). */
enum { HEAD_PAGE_SIZE = 16, HEAD_RESERVED = 20, HEAD_USER_VERSION = 60 };
enum { LEAST_PAGE_BYTES = 512, MOST_PAGE_BYTES = 65536 };

#define PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME_3 UINT64_C(0x165667b19e3779f9)
#define PRIME_4 UINT64_C(0x85ebca77c2b2ae63)
#define PRIME_5 UINT64_C(0x27d4eb2f165667c5)

static uint64_t rotate(uint64_t v, unsigned bits)
{
	return (v << bits) | (v >> (64 - bits));
}

static uint64_t read_word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static uint64_t take_in(uint64_t lane, uint64_t word)
{
	return rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

static uint64_t join(uint64_t sum, uint64_t lane)
{
	return (sum ^ take_in(0, lane)) * PRIME_1 + PRIME_4;
}

/* Rounds of 32 bytes; moves *p behind them. */
static uint64_t sum_rounds(const uint8_t **p, uint32_t len, uint64_t seed)
{
	uint64_t a = seed + PRIME_1 + PRIME_2, b = seed + PRIME_2, c = seed, d = seed - PRIME_1;
	uint64_t sum;

	for (; len >= 32; len -= 32, *p += 32) {
		a = take_in(a, read_word(*p));
		b = take_in(b, read_word(*p + 8));
		c = take_in(c, read_word(*p + 16));
		d = take_in(d, read_word(*p + 24));
	}
	sum = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
	return join(join(join(join(sum, a), b), c), d);
}

uint64_t checksum_xxh64(const uint8_t *bytes, uint32_t len, uint64_t seed)
{
	uint64_t sum = len >= 32 ? sum_rounds(&bytes, len, seed) : seed + PRIME_5;

	sum += len;
	for (len %= 32; len >= 8; len -= 8, bytes += 8)
		sum = rotate(sum ^ take_in(0, read_word(bytes)), 27) * PRIME_1 + PRIME_4;
	sum = (sum ^ (sum >> 33)) * PRIME_2;
	sum = (sum ^ (sum >> 29)) * PRIME_3;
	return sum ^ (sum >> 32);
}

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
	return checksum_xxh64(page, c->page_bytes - CHECKSUM_BYTES,
			      (uint64_t)checksum_page_number(c, at));
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
	const uint8_t *p = page;

	return read_word(p + c->page_bytes - CHECKSUM_BYTES) == sum_page(c, p, at);
}
