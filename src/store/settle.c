/* See the header. */
#include "store/settle.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "store/db.h"
#include "store/merge.h"

#define BATCH_BYTES ((size_t)16 * 1024 * 1024)

struct settling {
	struct rows *rows;
	struct merge *merge;
	uint32_t batch_rows;
	uint32_t count; /* of the batch */
	int64_t zxid;   /* of its newest row */
	bool is_damaged;
};

static void write_batch(struct settling *g)
{
	if (g->count == 0)
		return;
	rows_begin(g->rows);
	merge_apply(g->merge, g->rows);
	rows_commit(g->rows, g->zxid);
	g->count = 0;
}

static void add_change(void *ctx, const struct record_head *head, struct slice body)
{
	struct settling *g = ctx;

	if (g->is_damaged)
		return;
	g->zxid = head->zxid;
	g->is_damaged = merge_add(g->merge, body) != 0;
	g->count++;
	if (!g->is_damaged && (g->count >= g->batch_rows || merge_bytes(g->merge) >= BATCH_BYTES))
		write_batch(g);
}

int settle_tree(struct scan *s, struct rows *rows, uint32_t batch_rows,
		char reason[STORE_REASON_LEN])
{
	struct settling g = { .rows = rows, .merge = merge_new(), .batch_rows = batch_rows };
	const struct store_loader loader = { .ctx = &g, .change = add_change };
	int rc = scan_load(s, &loader, reason);

	if (rc == 0 && g.is_damaged) {
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: the record of change 0x%" PRIx64 " is damaged", s->log_dir,
			       (uint64_t)g.zxid);
		rc = -1;
	}
	if (rc == 0)
		write_batch(&g);
	merge_free(g.merge);
	return rc;
}
