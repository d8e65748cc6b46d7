#include "store/zk_digest.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "store/zk_snapshot.h"
#include "wire/jute.h"

enum { STAT_LEN = 60 };

/* What is below /zookeeper changes without a transaction. */
static bool is_left_out(struct slice path)
{
	static const char below[] = "/zookeeper/";
	const size_t len = sizeof(below) - 1;

	return path.len > len && memcmp(path.data, below, len) == 0;
}

static void put_stat(const struct zk_znode *z, uint8_t to[STAT_LEN])
{
	const int64_t longs[] = { z->czxid, z->mzxid, z->pzxid, z->ctime, z->mtime };
	const int32_t ints[] = { z->version, z->creates, z->aversion };

	for (size_t i = 0; i < sizeof(longs) / sizeof(*longs); i++, to += 8)
		jute_put_long(to, longs[i]);
	for (size_t i = 0; i < sizeof(ints) / sizeof(*ints); i++, to += 4)
		jute_put_int(to, ints[i]);
	jute_put_long(to, z->owner);
}

uint32_t zk_digest_znode(const struct zk_znode *z)
{
	uint8_t stat[STAT_LEN];
	uLong crc = crc32_z(0, NULL, 0);

	if (is_left_out(z->path))
		return 0;
	put_stat(z, stat);
	/* The root's path is "" there. */
	if (!slice_is(z->path, "/"))
		crc = crc32_z(crc, (const Bytef *)z->path.data, z->path.len);
	/* zlib begins anew where there are no bytes at all. */
	if (z->data.len > 0)
		crc = crc32_z(crc, (const Bytef *)z->data.data, z->data.len);
	return (uint32_t)crc32_z(crc, stat, sizeof(stat));
}
