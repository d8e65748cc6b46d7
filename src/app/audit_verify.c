#include "app/audit_verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/audit_secret.h"
#include "app/print.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "store/audit_read.h"
#include "store/files.h"

struct told_head {
	struct audit_head head;
	bool is_found;
};

/* A check under way. */
struct check {
	struct audit_secret secret;
	struct audit_key *known; /* without a secret one */
	struct audit_reader *reader;
	struct told_head *heads;
	size_t head_count;
	struct buf *out;
	bool is_broken;
	/* of the segment */
	uint32_t number;
	char *path;
	bool is_audited;
	bool has_unrecorded;
	int64_t unrecorded, last_zxid;
	struct audit_key *key;
	bool has_key; /* some segment so far was signed with a secret one */
	bool is_last_unkeyed;
	/* of the whole */
	bool has_begun;
	struct audit_head first; /* what the oldest row follows, ... */
	bool is_first_pruned;    /* ... and a row says that all up to there was removed */
	struct audit_head last;
	int64_t zxid; /* of the newest change so far; 0: of none is known */
	int64_t rows, unkeyed_rows;
	unsigned segments, off_segments;
};

static bool is_same_head(const struct audit_head *a, const struct audit_head *b)
{
	return a->number == b->number && crypto_equal(a->mac, b->mac, AUDIT_MAC_LEN);
}

/* "broken: row 7 in segment 3: why". */
static void broken(struct check *k, int64_t number, const char *why)
{
	if (!k->is_broken)
		print(k->out, "broken: row %" PRId64 " in segment %u: %s\n", number,
		      (unsigned)k->number, why);
	k->is_broken = true;
}

/* ---- segments ---- */

static struct audit_key *find_key(struct check *k, struct slice id)
{
	if (id.len == 0)
		return k->known;
	for (size_t i = 0; i < k->secret.count; i++)
		if (slice_equal(audit_key_id(k->secret.keys[i]), id))
			return k->secret.keys[i];
	return NULL;
}

/* What was read so far a running server has removed meanwhile, as it does with the oldest first. */
static bool is_gone(const struct check *k)
{
	return k->path && access(k->path, F_OK) != 0;
}

static void follow(struct check *k, const struct audit_head *prev)
{
	bool is_same = is_same_head(prev, &k->last);

	if (!k->has_begun || (!is_same && is_gone(k))) {
		k->has_begun = true;
		k->is_first_pruned = false;
		k->first = k->last = *prev;
		k->rows = k->zxid = 0;
		return;
	}
	if (is_same)
		return;
	if (prev->number > k->last.number)
		broken(k, k->last.number + 1,
		       "is missing: a segment, or the end of one, was removed");
	else
		broken(k, prev->number + 1, "does not follow the segment before");
}

static void begin_segment(struct check *k)
{
	const struct audit_segment *g = audit_reader_segment(k->reader);

	k->number = g->number;
	k->is_audited = g->is_audited;
	k->has_unrecorded = g->has_unrecorded;
	k->unrecorded = g->unrecorded;
	k->last_zxid = g->last_zxid;
	follow(k, &g->prev);
	mem_free(k->path);
	k->path = mem_strdup(g->path);
	k->segments++;
	k->off_segments += !g->is_audited;
	k->key = find_key(k, g->key);
	if (g->key.len > 0)
		k->has_key = true;
	else if (g->is_audited && k->has_key)
		broken(k, g->prev.number + 1,
		       "is signed with no secret key, but rows before it are");
}

static void end_segment(struct check *k)
{
	/* What was changed with audit=off nobody signed; but the next change that is signed says
	 * which one it follows. */
	if (k->segments > 0 && !k->is_audited && k->last_zxid != 0)
		k->zxid = k->last_zxid;
	if (k->is_broken || !k->is_audited || !k->has_unrecorded)
		return;
	print(k->out,
	      "broken: row %" PRId64 " in segment %u: change 0x%" PRIx64
	      " is not on the trail: that was cut off, or the change was put in\n",
	      k->last.number + 1, (unsigned)k->number, (uint64_t)k->unrecorded);
	k->is_broken = true;
}

/* ---- rows ---- */

static void check_heads(struct check *k)
{
	for (size_t i = 0; i < k->head_count; i++) {
		struct told_head *h = &k->heads[i];

		if (h->head.number != k->last.number)
			continue;
		h->is_found = true;
		if (!is_same_head(&h->head, &k->last))
			broken(k, k->last.number, "is not the one that was told");
	}
}

static void check_prune(struct check *k, const struct audit_row *row)
{
	struct audit_head head;

	if (strcmp(row->kind, "prune") == 0 && row->note.detail.data &&
	    audit_head_parse(row->note.detail.data, &head) && is_same_head(&head, &k->first))
		k->is_first_pruned = true;
}

static void check_row(struct check *k, const struct audit_item *item)
{
	int64_t expected = k->last.number + 1;
	struct audit_head next;

	if (!k->key || !k->is_audited) {
		broken(k, item->row.number, "is signed with a key that is not at hand");
		return;
	}
	if (item->row.number != expected) {
		broken(k, expected, "is missing");
		return;
	}
	if (item->row.change && k->zxid != 0 && item->change.prev != k->zxid) {
		broken(k, expected,
		       "does not follow the change before: some were put in, or removed");
		return;
	}
	audit_chain(k->key, &k->last, &item->row, &next);
	if (item->is_damaged || item->mac.len != AUDIT_MAC_LEN ||
	    !crypto_equal(item->mac.data, next.mac, AUDIT_MAC_LEN)) {
		broken(k, expected, "was altered");
		return;
	}
	k->last = next;
	if (item->row.change)
		k->zxid = item->change.zxid;
	k->rows++;
	k->is_last_unkeyed = k->key == k->known;
	k->unkeyed_rows += k->is_last_unkeyed;
	check_heads(k);
	check_prune(k, &item->row);
}

/* ---- the whole ---- */

static void check_end(struct check *k)
{
	struct audit_head none = { 0 };

	if (k->is_broken)
		return;
	if (k->has_begun && !is_same_head(&k->first, &none) && !k->is_first_pruned) {
		print(k->out,
		      "broken: row %" PRId64 ": is missing, and no row says that it was "
		      "removed in order\n",
		      k->first.number);
		k->is_broken = true;
	}
	if (!k->is_broken && k->secret.count > 0 && k->is_last_unkeyed) {
		print(k->out, "broken: row %" PRId64 ": is signed with no secret key\n",
		      k->last.number);
		k->is_broken = true;
	}
	for (size_t i = 0; i < k->head_count && !k->is_broken; i++) {
		const struct told_head *h = &k->heads[i];

		if (h->is_found || h->head.number <= k->first.number)
			continue;
		print(k->out, "broken: row %" PRId64 ": is missing: the trail's end was cut off\n",
		      k->last.number + 1);
		k->is_broken = true;
	}
}

static void print_good(struct check *k)
{
	char head[AUDIT_HEAD_TEXT_LEN];

	audit_head_format(&k->last, head);
	print(k->out,
	      "good: %" PRId64 " rows, %" PRId64 " to %" PRId64 ", in %u segments\nhead: %s\n",
	      k->rows, k->first.number + 1, k->last.number, k->segments, head);
	if (k->unkeyed_rows > 0)
		print(k->out,
		      "note: %" PRId64 " rows are signed with no secret key: whoever can write the "
		      "files can forge them, but not so that they fit heads told elsewhere\n",
		      k->unkeyed_rows);
	if (k->off_segments > 0)
		print(k->out, "note: %u segments were written with zoolite.audit=off\n",
		      k->off_segments);
}

static enum audit_verdict walk(struct check *k)
{
	enum audit_read got = AUDIT_READ_ROW;
	char reason[STORE_REASON_LEN];
	struct audit_item item;

	while (!k->is_broken && got != AUDIT_READ_END) {
		got = audit_reader_next(k->reader, &item, reason);
		switch (got) {
		case AUDIT_READ_ROW:
			check_row(k, &item);
			break;
		case AUDIT_READ_SEGMENT:
			end_segment(k);
			begin_segment(k);
			break;
		case AUDIT_READ_END:
			end_segment(k);
			break;
		case AUDIT_READ_FAILED:
			print(k->out, "unknown: %s\n", reason);
			return AUDIT_UNKNOWN;
		}
	}
	check_end(k);
	if (k->is_broken)
		return AUDIT_BROKEN;
	print_good(k);
	return AUDIT_GOOD;
}

static bool read_heads(struct check *k, char *const heads[], size_t count)
{
	k->heads = mem_new((count + 1) * sizeof(*k->heads));
	k->head_count = count;
	for (size_t i = 0; i < count; i++) {
		if (audit_head_parse(heads[i], &k->heads[i].head))
			continue;
		print(k->out, "unknown: a head is a number, a colon and 64 hex digits\n");
		return false;
	}
	return true;
}

static bool open_keys(struct check *k, const struct config *c)
{
	char reason[AUDIT_SECRET_REASON_LEN];

	k->known = audit_key_new(NULL);
	if (audit_secret_read(c, &k->secret, reason) == AUDIT_SECRET_GOOD)
		return true;
	print(k->out, "unknown: %s\n", reason);
	return false;
}

static bool open_reader(struct check *k, const struct config *c)
{
	char *log_dir = files_join(c->data_log_dir ? c->data_log_dir : c->data_dir, "log");
	char reason[STORE_REASON_LEN];

	k->reader = audit_reader_open(log_dir, reason);
	if (!k->reader)
		print(k->out, "unknown: %s\n", reason);
	mem_free(log_dir);
	return k->reader != NULL;
}

enum audit_verdict audit_verify(const struct config *c, char *const heads[], size_t count,
				struct buf *out)
{
	struct check k = { .out = out };
	enum audit_verdict verdict = AUDIT_UNKNOWN;

	if (read_heads(&k, heads, count) && open_keys(&k, c) && open_reader(&k, c))
		verdict = walk(&k);
	audit_reader_close(k.reader);
	audit_secret_fini(&k.secret);
	audit_key_free(k.known);
	mem_free(k.heads);
	mem_free(k.path);
	return verdict;
}
