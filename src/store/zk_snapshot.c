/* See the header. A seal is the Adler-32 of all bytes before it, former seals included, and the
 * string "/". */
#include "store/zk_snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "wire/jute.h"

#define MAGIC INT32_C(0x5a4b534e) /* ZKSN */

enum {
	STAT_LEN = 60,
	ACL_NUMBER_LEN = 8,
	SEAL_LEN = 13,
	DIGEST_LEN = 20,
	LAST_ZXID_LEN = 8,
	/* Behind the tree: a digest of old is a string. */
	TAIL_MOST = 4096,
	ACLS_MOST = 64 * 1024 * 1024,
};

struct reading {
	struct zk_stream *in;
	const struct zk_snapshot_sink *sink;
	struct buf acl;
	struct buf path;
	bool refused; /* by the sink */
	char refusal[STORE_REASON_LEN];
	char *reason;
};

static int damaged(struct reading *r, const char *what)
{
	const char *why = zk_stream_reason(r->in);

	(void)snprintf(r->reason, STORE_REASON_LEN, "byte %" PRIu64 ": %s",
		       zk_stream_position(r->in), why != NULL ? why : what);
	return -1;
}

/* What the sink said no to may be the damage that the seal shows: the first reason stays, and the
 * rest is read without it. */
static bool is_wanted(const struct reading *r)
{
	return !r->refused;
}

static void passed(struct reading *r, int rc)
{
	r->refused |= rc != 0;
}

static int read_header(struct reading *r)
{
	int32_t magic = zk_stream_read_int(r->in);

	if (magic != MAGIC)
		return damaged(r, "it does not begin as a snapshot");
	(void)zk_stream_read_int(r->in);
	(void)zk_stream_read_long(r->in);
	return 0;
}

static int read_sessions(struct reading *r)
{
	int32_t count = zk_stream_read_int(r->in);

	for (; count > 0; count--) {
		int64_t id = zk_stream_read_long(r->in);
		int32_t timeout_ms = zk_stream_read_int(r->in);

		if (zk_stream_is_bad(r->in))
			break;
		if (is_wanted(r))
			passed(r, r->sink->session(r->sink->ctx, id, timeout_ms, r->refusal));
	}
	return zk_stream_is_bad(r->in) || count < 0 ? damaged(r, "a count below 0") : 0;
}

/* ---- ACLs ---- */

static int append_int(struct buf *b, int32_t v)
{
	uint8_t bytes[4];

	jute_put_int(bytes, v);
	return buf_append(b, bytes, sizeof(bytes));
}

/* A vector of entries, as it stands there, to r->acl. */
static int copy_acl(struct reading *r)
{
	int32_t count = zk_stream_read_int(r->in);

	buf_clear(&r->acl);
	if (count < 0 || append_int(&r->acl, count) != 0)
		return damaged(r, "an ACL that is null");
	for (; count > 0; count--)
		if (append_int(&r->acl, zk_stream_read_int(r->in)) != 0 ||
		    zk_stream_copy_buffer(r->in, &r->acl) != 0 ||
		    zk_stream_copy_buffer(r->in, &r->acl) != 0)
			return damaged(r, "an ACL that is too long");
	return zk_stream_is_bad(r->in) ? damaged(r, "") : 0;
}

static int read_acls(struct reading *r)
{
	int32_t count = zk_stream_read_int(r->in);

	for (; count > 0; count--) {
		int64_t number = zk_stream_read_long(r->in);

		if (copy_acl(r) != 0)
			return -1;
		if (is_wanted(r))
			passed(r,
			       r->sink->acl(r->sink->ctx, number, buf_slice(&r->acl), r->refusal));
	}
	return zk_stream_is_bad(r->in) || count < 0 ? damaged(r, "a count below 0") : 0;
}

/* ---- znodes ---- */

static void read_stat(struct slice block, struct zk_znode *z)
{
	struct jute_reader in;

	jute_reader_init(&in, block);
	z->acl = jute_read_long(&in);
	z->czxid = jute_read_long(&in);
	z->mzxid = jute_read_long(&in);
	z->ctime = jute_read_long(&in);
	z->mtime = jute_read_long(&in);
	z->version = jute_read_int(&in);
	z->creates = jute_read_int(&in);
	z->aversion = jute_read_int(&in);
	z->owner = jute_read_long(&in);
	z->pzxid = jute_read_long(&in);
}

/* Read data and stat behind the path, which r->path has. */
static int read_znode(struct reading *r, struct buf *data)
{
	struct zk_znode z = { .path = buf_len(&r->path) > 0 ? buf_slice(&r->path) : slice_of("/") };
	struct slice block;

	buf_clear(data);
	if (zk_stream_copy_buffer(r->in, data) != 0)
		return damaged(r, "data that is too long");
	block = zk_stream_read_block(r->in, ACL_NUMBER_LEN + STAT_LEN);
	if (block.data == NULL)
		return damaged(r, "");
	read_stat(block, &z);
	if (jute_get_int(buf_head(data)) >= 0)
		z.data = (struct slice){ (const char *)buf_head(data) + 4, buf_len(data) - 4 };
	if (is_wanted(r))
		passed(r, r->sink->znode(r->sink->ctx, &z, r->refusal));
	return 0;
}

static int read_znodes(struct reading *r)
{
	struct buf data;
	int rc = -1;

	buf_init(&data, SIZE_MAX);
	for (;;) {
		struct slice path = zk_stream_read_buffer(r->in);

		if (path.data == NULL) {
			(void)damaged(r, "a path that is null");
			break;
		}
		if (slice_is(path, "/")) {
			rc = 0;
			break;
		}
		buf_clear(&r->path);
		if (buf_append(&r->path, path.data, path.len) != 0 || read_znode(r, &data) != 0)
			break;
	}
	buf_fini(&data);
	return rc;
}

/* ---- seals, and what follows the tree ---- */

/* The stream has been read up to a seal. */
static int read_seal(struct reading *r)
{
	uint32_t sum = zk_stream_sum(r->in);
	int64_t sealed = zk_stream_read_long(r->in);
	bool has_slash = slice_is(zk_stream_read_buffer(r->in), "/");

	if (zk_stream_is_bad(r->in) || !has_slash || sealed != (int64_t)sum)
		return damaged(r, "its checksum is wrong");
	return 0;
}

/* A seal at in, over what sum has and the bytes from *from on, which moves behind it. */
static bool pass_seal(struct jute_reader *in, uint32_t *sum, const uint8_t **from)
{
	int64_t sealed;
	bool good;

	*sum = (uint32_t)adler32(*sum, *from, (uInt)(in->pos - *from));
	*from = in->pos;
	sealed = jute_read_long(in);
	good = slice_is(jute_read_buffer(in), "/") && !in->bad && sealed == (int64_t)*sum;
	return good;
}

static bool read_digest(struct jute_reader *in, struct zk_digest *digest)
{
	digest->zxid = jute_read_long(in);
	digest->version = jute_read_int(in);
	if (digest->version >= 2)
		digest->value = jute_read_long(in);
	else
		(void)jute_read_buffer(in);
	/* Of a kind that nobody computes any more; or none was known. */
	if (digest->version < 2 || digest->zxid == 0)
		digest->version = 0;
	return !in->bad;
}

/* A digest, the last zxid, both or neither, by how much there is. */
static bool read_tail(struct slice tail, uint32_t sum, struct zk_digest *digest)
{
	struct jute_reader in;
	const uint8_t *from;

	jute_reader_init(&in, tail);
	from = in.pos;
	if (tail.len == LAST_ZXID_LEN + SEAL_LEN) {
		(void)jute_read_long(&in);
		return pass_seal(&in, &sum, &from);
	}
	if (!read_digest(&in, digest) || !pass_seal(&in, &sum, &from))
		return false;
	if (jute_reader_left(&in) == 0)
		return true;
	(void)jute_read_long(&in);
	return pass_seal(&in, &sum, &from) && jute_reader_left(&in) == 0;
}

static int read_rest(struct reading *r, struct zk_digest *digest)
{
	uint32_t sum = zk_stream_sum(r->in);
	struct buf tail;
	bool good = true;

	buf_init(&tail, TAIL_MOST);
	while (good && !zk_stream_is_at_end(r->in))
		good = zk_stream_read(r->in, &tail, 1) == 0;
	if (zk_stream_is_bad(r->in))
		good = false;
	if (good && buf_len(&tail) > 0)
		good = read_tail(buf_slice(&tail), sum, digest);
	buf_fini(&tail);
	return good ? 0 : damaged(r, "what follows the tree is cut short, or unknown");
}

int zk_snapshot_read(struct zk_stream *s, const struct zk_snapshot_sink *sink,
		     struct zk_digest *digest, bool *is_damaged, char reason[STORE_REASON_LEN])
{
	struct reading r = { .in = s, .sink = sink, .reason = reason };
	int rc = -1;

	*digest = (struct zk_digest){ 0 };
	buf_init(&r.acl, ACLS_MOST);
	buf_init(&r.path, SIZE_MAX);
	if (read_header(&r) == 0 && read_sessions(&r) == 0 && read_acls(&r) == 0 &&
	    read_znodes(&r) == 0 && read_seal(&r) == 0 && read_rest(&r, digest) == 0)
		rc = 0;
	buf_fini(&r.acl);
	buf_fini(&r.path);
	*is_damaged = rc != 0;
	if (rc == 0 && r.refused) {
		memcpy(reason, r.refusal, sizeof(r.refusal));
		rc = -1;
	}
	return rc;
}
