#include "core/znode.h"

#include "base/mem.h"

struct znode *znode_new(struct slice path)
{
	struct znode *z = mem_new(sizeof(*z) + path.len + 1);

	list_init(&z->link);
	list_init(&z->sibling);
	list_init(&z->owned);
	z->path_len = (uint32_t)path.len;
	memcpy(z->path, path.data, path.len);
	return z;
}

void znode_free(struct znode *z)
{
	mem_free(z);
}

/* In 32 bits that wrap, as Java's do. */
static int32_t wrap(int64_t v)
{
	return (int32_t)(uint32_t)(uint64_t)v;
}

struct proto_stat znode_stat(const struct znode *z)
{
	const struct znode_state *st = &z->st;

	return (struct proto_stat){
		.czxid = st->czxid,
		.mzxid = st->mzxid,
		.ctime = st->ctime,
		.mtime = st->mtime,
		.version = st->version,
		.cversion = wrap(2 * (int64_t)st->creates - st->num_children),
		.aversion = st->aversion,
		.ephemeral_owner = st->owner > 0 ? st->owner : 0,
		.data_length = (int32_t)st->data_len,
		.num_children = st->num_children,
		.pzxid = st->pzxid,
	};
}

struct record_znode znode_record(const struct znode *z, unsigned columns)
{
	const struct znode_state *st = &z->st;

	return (struct record_znode){
		.path = znode_path(z),
		.columns = columns,
		.czxid = st->czxid,
		.ctime = st->ctime,
		.owner = st->owner,
		.data = znode_data(z),
		.mzxid = st->mzxid,
		.mtime = st->mtime,
		.version = st->version,
		.acl = st->acl ? acl_encoded(st->acl) : (struct slice){ 0 },
		.aversion = st->aversion,
		.pzxid = st->pzxid,
		.creates = st->creates,
		.num_children = st->num_children,
	};
}
