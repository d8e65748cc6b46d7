/* Fuzz target: a record of ZooKeeper's log. What must hold: no slice points outside the input; the
 * parts of a multi and the paths of a session are as many as it says, or one of them is damaged. */
#include <assert.h>

#include "wire/zk_txn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input, *input_end;

static void check_inside(struct slice s)
{
	const uint8_t *at = (const uint8_t *)s.data;

	if (at == NULL)
		return;
	assert(s.len == 0 || (at >= input && at + s.len <= input_end));
}

static void check(const struct zk_txn *t)
{
	check_inside(t->path);
	check_inside(t->data);
	check_inside(t->acl.raw);
}

static void check_paths(struct zk_txn *t)
{
	for (int32_t i = 0; i < t->path_count; i++)
		check_inside(jute_read_buffer(&t->paths));
	assert(!t->paths.bad && jute_reader_left(&t->paths) == 0);
}

static void check_parts(struct zk_txn *t)
{
	bool failed = zk_txn_has_failed(t), seen = false;
	int32_t left = t->part_count;
	struct zk_txn part;
	int rc;

	while ((rc = zk_txn_next_part(t, &part)) == 1) {
		check(&part);
		assert(part.zxid == t->zxid);
		seen |= part.type == OP_ERROR;
		left--;
	}
	assert(rc < 0 || (left == 0 && seen == failed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice record = { (const char *)data, size };
	struct zk_txn t;

	input = data;
	input_end = data + size;
	if (zk_txn_read(record, &t) != ZK_TXN_GOOD)
		return 0;
	check(&t);
	if (t.type == OP_CLOSE_SESSION)
		check_paths(&t);
	if (t.type == OP_MULTI)
		check_parts(&t);
	return 0;
}
