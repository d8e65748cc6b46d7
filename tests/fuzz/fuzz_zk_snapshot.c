/* Fuzz target: a snapshot of ZooKeeper's; the first byte says how it is compressed. What must hold:
 * nothing is read outside, and who refused something is asked for nothing more. */
#include <assert.h>

#include "store/zk_snapshot.h"
#include "tests/lib/memfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned given;
static bool refuses;

/* The third thing of all is refused. */
static int take(char reason[STORE_REASON_LEN])
{
	assert(!refuses);
	refuses = ++given == 3;
	(void)snprintf(reason, STORE_REASON_LEN, "the third");
	return refuses ? -1 : 0;
}

static volatile char touched;

static void touch(struct slice s)
{
	if (s.len > 0)
		touched = (char)(s.data[0] + s.data[s.len - 1]);
}

static int take_session(void *ctx, int64_t id, int32_t timeout_ms, char reason[STORE_REASON_LEN])
{
	(void)ctx;
	(void)id;
	(void)timeout_ms;
	return take(reason);
}

static int take_acl(void *ctx, int64_t number, struct slice encoded, char reason[STORE_REASON_LEN])
{
	(void)ctx;
	(void)number;
	touch(encoded);
	return take(reason);
}

static int take_znode(void *ctx, const struct zk_znode *z, char reason[STORE_REASON_LEN])
{
	(void)ctx;
	touch(z->path);
	touch(z->data);
	return take(reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct zk_snapshot_sink sink = { NULL, take_session, take_acl, take_znode };
	char reason[STORE_REASON_LEN];
	struct zk_digest digest;
	struct zk_stream *in;
	bool is_damaged;
	int rc;

	if (size == 0)
		return 0;
	given = 0;
	refuses = false;
	in = zk_stream_new(memfile_make(data + 1, size - 1), (enum zk_coding)(data[0] % 3));
	rc = zk_snapshot_read(in, &sink, &digest, &is_damaged, reason);
	assert(rc == 0 ? !is_damaged && !refuses : is_damaged || refuses);
	zk_stream_free(in);
	return 0;
}
