/* See the header. Every field stands with its length or with a fixed one, so that no two trees give
 * the same bytes. */
#include "store/digest.h"

#include "base/mem.h"

struct digest {
	struct crypto_stream *whole;
	struct crypto_stream *kept;
};

struct digest *digest_new(void)
{
	struct digest *d = mem_new(sizeof(*d));

	d->whole = crypto_stream_new();
	d->kept = crypto_stream_new();
	return d;
}

void digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	crypto_stream_free(d->whole);
	crypto_stream_free(d->kept);
	mem_free(d);
}

static void add_int(struct crypto_stream *s, int64_t value)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
	crypto_stream_add(s, bytes, sizeof(bytes));
}

static void add_slice(struct crypto_stream *s, struct slice text)
{
	add_int(s, text.data != NULL ? (int64_t)text.len : -1);
	if (text.data != NULL)
		crypto_stream_add(s, text.data, text.len);
}

static void add_znode(struct crypto_stream *s, struct slice parent, struct slice name,
		      const struct record_znode *z)
{
	add_slice(s, parent);
	add_slice(s, name);
	add_slice(s, z->data);
	add_slice(s, z->acl);
	add_int(s, z->czxid);
	add_int(s, z->mzxid);
	add_int(s, z->ctime);
	add_int(s, z->mtime);
	add_int(s, z->version);
	add_int(s, z->creates);
	add_int(s, z->aversion);
	add_int(s, z->owner);
}

/* Of a quota: they count ephemeral znodes, too. */
static bool is_statistics(struct slice parent, struct slice name)
{
	static const char quota[] = "/zookeeper/quota";

	return slice_is(name, "zookeeper_stats") && parent.len >= sizeof(quota) - 1 &&
	       memcmp(parent.data, quota, sizeof(quota) - 1) == 0;
}

void digest_add_znode(struct digest *d, struct slice parent, struct slice name,
		      const struct record_znode *z)
{
	struct record_znode kept;

	add_znode(d->whole, parent, name, z);
	add_int(d->whole, z->pzxid);
	add_int(d->whole, z->num_children);
	if (z->owner > 0)
		return;
	kept = *z;
	if (is_statistics(parent, name))
		kept.data = (struct slice){ 0 };
	add_znode(d->kept, parent, name, &kept);
}

void digest_add_session(struct digest *d, const struct record_session *s)
{
	add_int(d->whole, s->id);
	add_int(d->whole, s->timeout_ms);
	crypto_stream_add(d->whole, s->password_hash, sizeof(s->password_hash));
	add_slice(d->whole, s->identity);
}

void digest_end(struct digest *d, struct digest_texts *out)
{
	uint8_t hash[CRYPTO_SHA256_LEN];

	crypto_stream_end(d->whole, hash);
	crypto_hex(hash, sizeof(hash), out->whole);
	crypto_stream_end(d->kept, hash);
	crypto_hex(hash, sizeof(hash), out->kept);
}
