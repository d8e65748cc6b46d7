/* See the header. A file is padded with zeros, so they are its end, as is a record that was cut
 * short; the server that came after a crash began another file. */
#include "store/zk_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "store/zk_stream.h"
#include "wire/jute.h"

#define MAGIC INT32_C(0x5a4b4c47) /* ZKLG */

enum { END_OF_RECORD = 'B', PREFIX_LEN = 4 };

struct zk_log {
	const struct zk_files *files;
	size_t next;                    /* file to be opened */
	const struct zk_dir_file *file; /* the one that is being read, or was */
	struct zk_stream *in;           /* NULL: none is open */
	struct buf record;
	int64_t after;
	int64_t last; /* zxid of the transaction before; after, at first */
	unsigned file_count;
	const char *cut_file;
};

/* The last file that begins at or below what is wanted, or the first one. */
static size_t first_file(const struct zk_files *files, int64_t after)
{
	size_t first = 0;

	for (size_t i = 0; i < files->count && files->items[i].zxid <= after; i++)
		first = i;
	return first;
}

struct zk_log *zk_log_new(const struct zk_files *files, int64_t after)
{
	struct zk_log *l = mem_new(sizeof(*l));

	l->files = files;
	l->next = first_file(files, after);
	l->after = l->last = after;
	buf_init(&l->record, SIZE_MAX);
	return l;
}

void zk_log_free(struct zk_log *l)
{
	if (l == NULL)
		return;
	zk_stream_free(l->in);
	buf_fini(&l->record);
	mem_free(l);
}

unsigned zk_log_file_count(const struct zk_log *l)
{
	return l->file_count;
}

const char *zk_log_cut_file(const struct zk_log *l)
{
	return l->cut_file;
}

const char *zk_log_path(const struct zk_log *l)
{
	return l->file != NULL ? l->file->path : "";
}

static int damaged(const struct zk_log *l, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: byte %" PRIu64 ", behind 0x%" PRIx64 ": %s",
		       l->file->path, l->in != NULL ? zk_stream_position(l->in) : 0,
		       (uint64_t)l->last, what);
	return -1;
}

static void close_file(struct zk_log *l)
{
	zk_stream_free(l->in);
	l->in = NULL;
}

/* 1: a file is open behind its header; 0: there is none left; -1 with a reason. */
static int open_file(struct zk_log *l, char reason[STORE_REASON_LEN])
{
	bool is_last = l->next + 1 >= l->files->count;
	int fd;

	if (l->next >= l->files->count)
		return 0;
	l->file = &l->files->items[l->next++];
	fd = open(l->file->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: cannot open: %s", l->file->path,
			       strerror(errno));
		return -1;
	}
	l->in = zk_stream_new(fd, ZK_PLAIN);
	l->file_count++;
	/* The server was killed as it began this one. */
	if (is_last && zk_stream_is_at_end(l->in) && !zk_stream_is_bad(l->in)) {
		close_file(l);
		return 0;
	}
	if (zk_stream_read_int(l->in) != MAGIC)
		return damaged(l, "it does not begin as a log", reason);
	(void)zk_stream_read_int(l->in);
	(void)zk_stream_read_long(l->in);
	return zk_stream_is_bad(l->in) ? damaged(l, zk_stream_reason(l->in), reason) : 1;
}

/* Where no whole record stands. A log is as long as it was made, with zeros behind what was
 * written, and a crash may leave part of a record before them: ZooKeeper takes either for the end.
 * Where more follows it would lose that without a word. */
static int end_records(struct zk_log *l, uint64_t start, bool is_blank,
		       char reason[STORE_REASON_LEN])
{
	if (zk_stream_pass_zeros(l->in)) {
		if (!is_blank)
			l->cut_file = l->file->name;
		return 0;
	}
	if (zk_stream_is_bad(l->in))
		return damaged(l, zk_stream_reason(l->in), reason);
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: byte %" PRIu64 ", behind 0x%" PRIx64
		       ": there is no whole transaction, but more follows at byte %" PRIu64,
		       l->file->path, start, (uint64_t)l->last, zk_stream_position(l->in));
	return -1;
}

/* 1: a record; 0: this file has no more; -1 with a reason. */
static int read_record(struct zk_log *l, struct slice *record, char reason[STORE_REASON_LEN])
{
	bool is_at_end = zk_stream_is_at_end(l->in);
	uint64_t start = zk_stream_position(l->in);
	int64_t sum = zk_stream_read_long(l->in);
	int32_t len;
	int rc;

	buf_clear(&l->record);
	rc = zk_stream_copy_buffer(l->in, &l->record);
	len = rc == 0 ? jute_get_int(buf_head(&l->record)) : 0;
	if (len < 0)
		return damaged(l, "a transaction that is null", reason);
	if (len > 0)
		rc = zk_stream_read(l->in, &l->record, 1);
	if (rc != 0 && !zk_stream_is_short(l->in))
		return damaged(l, zk_stream_reason(l->in), reason);
	if (rc != 0) {
		if (!is_at_end)
			l->cut_file = l->file->name;
		return 0;
	}
	if (len == 0 || buf_head(&l->record)[buf_len(&l->record) - 1] != END_OF_RECORD)
		return end_records(l, start, len == 0 && sum == 0, reason);
	*record = (struct slice){ (const char *)buf_head(&l->record) + PREFIX_LEN, (size_t)len };
	if (sum !=
	    (int64_t)adler32(adler32(0, NULL, 0), (const Bytef *)record->data, (uInt)record->len))
		return damaged(l, "the checksum of a transaction is wrong", reason);
	return 1;
}

/* Each zxid follows the one before; an election begins a new epoch at 1. */
static int check_order(const struct zk_log *l, int64_t zxid, char reason[STORE_REASON_LEN])
{
	bool follows = zxid == l->last + 1;
	bool begins_epoch = (zxid >> 32) > (l->last >> 32) && (zxid & 0xffffffff) == 1;

	if (follows || begins_epoch)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: there is a gap: 0x%" PRIx64 " follows 0x%" PRIx64, l->file->path,
		       (uint64_t)zxid, (uint64_t)l->last);
	return -1;
}

static int take_record(struct zk_log *l, struct slice record, struct zk_txn *txn,
		       char reason[STORE_REASON_LEN])
{
	switch (zk_txn_read(record, txn)) {
	case ZK_TXN_GOOD:
		break;
	case ZK_TXN_DAMAGED:
		return damaged(l, "a transaction cannot be understood", reason);
	case ZK_TXN_UNSUPPORTED:
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: 0x%" PRIx64 " is a transaction of type %" PRId32
			       ", from which no ZooKeeper starts either",
			       l->file->path, (uint64_t)txn->zxid, txn->type);
		return -1;
	}
	if (txn->zxid <= l->after && l->last == l->after)
		return 0;
	if (check_order(l, txn->zxid, reason) != 0)
		return -1;
	l->last = txn->zxid;
	return 1;
}

int zk_log_next(struct zk_log *l, struct zk_txn *txn, char reason[STORE_REASON_LEN])
{
	for (;;) {
		struct slice record;
		int rc = l->in != NULL ? 1 : open_file(l, reason);

		if (rc <= 0)
			return rc;
		rc = read_record(l, &record, reason);
		if (rc == 0)
			close_file(l);
		else if (rc == 1)
			rc = take_record(l, record, txn, reason);
		if (rc != 0)
			return rc;
	}
}
