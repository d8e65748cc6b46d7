/* Makes a large tree without a server: below ROOT in the tree.db of a data directory that a server
 * has left in good order, directories d00000, d00001, … with znodes k000000, k000001, … of so many
 * bytes in each. All of them bear the zxid that the tree has, so that log and tree go on belonging
 * together.
 *
 *     fill_tree TREE.DB ROOT DIRECTORIES ZNODES-IN-EACH BYTES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cdefs.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/rows.h"

enum { CACHE_KIB = 64 * 1024, BATCH = 50000, PATH_LEN = 512, STATUS_USAGE = 2 };

/* Anyone may do everything. */
static const char anyone[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

struct filler {
	struct rows *rows;
	int64_t zxid;
	int64_t time_ms;
	unsigned in_batch;
};

static no_return void fail(const char *what, const char *why)
{
	fprintf(stderr, "fill_tree: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || value > 100000000)
		fail(text, "not a number");
	return (unsigned)value;
}

/* What was written goes into the file at once: a -wal of a whole tree would be as large as it. */
static void end_batch(struct filler *f)
{
	rows_commit(f->rows, f->zxid);
	if (sqlite3_wal_checkpoint_v2(rows_db(f->rows), NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
				      NULL) != SQLITE_OK)
		fail("checkpoint", sqlite3_errmsg(rows_db(f->rows)));
	f->in_batch = 0;
}

static void put(struct filler *f, const struct record_znode *z)
{
	if (f->in_batch == 0)
		rows_begin(f->rows);
	rows_put_znode(f->rows, z, false);
	if (++f->in_batch == BATCH)
		end_batch(f);
}

static void put_new(struct filler *f, const char *path, struct slice data, unsigned children)
{
	const struct record_znode z = {
		.path = slice_of(path),
		.columns = RECORD_ALL,
		.czxid = f->zxid,
		.ctime = f->time_ms,
		.data = data,
		.mzxid = f->zxid,
		.mtime = f->time_ms,
		.acl = { anyone, sizeof(anyone) - 1 },
		.pzxid = f->zxid,
		.creates = (int32_t)children,
		.num_children = (int32_t)children,
	};

	put(f, &z);
}

/* The new top gets a parent that knows of it. */
static void hang_in(struct filler *f)
{
	struct rows *reader;
	struct record_znode root;
	char reason[STORE_REASON_LEN];

	if (rows_open(&reader, db_path(rows_db(f->rows)), DB_READ, CACHE_KIB, false, reason) != 0)
		fail("open", reason);
	if (rows_read_znode(reader, slice_of("/"), &root) != STORE_FOUND)
		fail("/", "is not there: a server must have made it");
	root.columns = RECORD_CHILDREN;
	root.creates++;
	root.num_children++;
	put(f, &root);
	rows_close(reader, true);
}

static void fill(struct filler *f, const char *root, unsigned directories, unsigned znodes,
		 unsigned bytes)
{
	char path[PATH_LEN];
	char *data = mem_new(bytes + 1);

	memset(data, 'x', bytes);
	hang_in(f);
	put_new(f, root, (struct slice){ "", 0 }, directories);
	for (unsigned d = 0; d < directories; d++) {
		snprintf(path, sizeof(path), "%s/d%05u", root, d);
		put_new(f, path, (struct slice){ "", 0 }, znodes);
		for (unsigned k = 0; k < znodes; k++) {
			snprintf(path, sizeof(path), "%s/d%05u/k%06u", root, d, k);
			put_new(f, path, (struct slice){ data, bytes }, 0);
		}
	}
	if (f->in_batch > 0)
		end_batch(f);
	mem_free(data);
}

int main(int argc, char **argv)
{
	char reason[STORE_REASON_LEN];
	struct filler f = { .time_ms = clock_wall_ms() };

	if (argc != 6 || argv[2][0] != '/' || strchr(argv[2] + 1, '/') != NULL) {
		fputs("usage: fill_tree TREE.DB /ROOT DIRECTORIES ZNODES-IN-EACH BYTES\n", stderr);
		return STATUS_USAGE;
	}
	if (rows_open(&f.rows, argv[1], DB_WRITE, CACHE_KIB, false, reason) != 0)
		fail("open", reason);
	/* A tree that is lost with the machine is made again. */
	db_must_exec(rows_db(f.rows), "PRAGMA synchronous=OFF");
	f.zxid = rows_meta(f.rows)->zxid;
	fill(&f, argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
	rows_close(f.rows, false);
	return EXIT_SUCCESS;
}
