/* A table that is damaged is read in the order of its rowids, and where a page cannot be read, the
 * next row that can is searched by doubling steps and halving back: the rows of a page stand
 * together. */
#include "store/remnant.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/checksum.h"
#include "store/db.h"
#include "store/files.h"
#include "store/frames.h"

enum { COPY_BYTES = 4096, HEADER_BYTES = 24, CACHE_KIB = 16 * 1024 };
enum { RESERVED_AT = 20, VERSION_AT = 60 };

/* What every file of ours begins with, but for the reserved bytes (20): pages of 4,096 bytes. */
static const uint8_t header[HEADER_BYTES] = "SQLite format 3\0\x10\0\2\2\0\x40\x20\x20";

printf_like(2, 0) static void tell(const struct remnants *r, const char *format, va_list args)
{
	char line[STORE_REASON_LEN];

	(void)vsnprintf(line, sizeof(line), format, args);
	r->tell(r->ctx, line);
}

void remnant_tell(const struct remnants *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(r, format, args);
	va_end(args);
}

void remnant_tell_damage(struct remnants *r, const char *format, ...)
{
	va_list args;

	r->damaged++;
	va_start(args, format);
	tell(r, format, args);
	va_end(args);
}

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* ---- copies of the files ---- */

/* Blocks that cannot be read stay zeros. */
static int copy_blocks(struct remnants *r, const char *from, int in, int out, off_t size)
{
	uint8_t block[COPY_BYTES];
	uint64_t bad = 0;

	for (off_t at = 0; at < size; at += COPY_BYTES) {
		ssize_t n = pread(in, block, sizeof(block), at);

		if (n < 0) {
			bad++;
			continue;
		}
		if (pwrite(out, block, (size_t)n, at) != n)
			return -1;
	}
	if (bad == 0)
		return 0;
	r->damaged += bad;
	remnant_tell(r, "%s: %" PRIu64 " blocks cannot be read", from, bad);
	return 0;
}

/* to gets what can be read of from, which may be missing: 1 then. */
static int copy_file(struct remnants *r, const char *from, const char *to,
		     char reason[STORE_REASON_LEN])
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = -1, rc = -1;
	struct stat st;

	if (in < 0) {
		if (errno != ENOENT) {
			remnant_tell_damage(r, "%s: cannot be opened: %s", from, strerror(errno));
		}
		return 1;
	}
	out = open(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (out < 0 || fstat(in, &st) != 0 || ftruncate(out, st.st_size) != 0 ||
	    copy_blocks(r, from, in, out, st.st_size) != 0)
		(void)fail(to, "cannot be copied", reason);
	else
		rc = 0;
	close(in);
	if (out >= 0)
		close(out);
	return rc;
}

static uint32_t number_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* That pages have checksums two places say. Where one of them is damaged, the other counts: with
 * neither, what is damaged would be taken for good. Whether anything was to be done. */
static bool mend_version(uint8_t head[CHECKSUM_HEAD_BYTES])
{
	static const uint8_t version[] = { 0, 0, 0, DB_VERSION_CHECKSUMS };
	uint32_t found = number_at(head + VERSION_AT);

	if (head[RESERVED_AT] != CHECKSUM_BYTES && found != DB_VERSION_CHECKSUMS)
		return false;
	/* It is 0 as long as the tables stand in the -wal alone. */
	if (head[RESERVED_AT] == CHECKSUM_BYTES && found <= DB_VERSION)
		return false;
	head[RESERVED_AT] = CHECKSUM_BYTES;
	memcpy(head + VERSION_AT, version, sizeof(version));
	return true;
}

/* SQLite refuses all of a file whose first bytes are wrong, or that is shorter than it says. */
static void mend_copy(struct remnants *r, const char *from, const char *copy)
{
	enum { PAGES_AT = 28, MOST_PAGES = 1 << 28 };
	uint8_t found[CHECKSUM_HEAD_BYTES] = { 0 }, mended[CHECKSUM_HEAD_BYTES];
	int fd = open(copy, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	uint64_t size;

	if (fd < 0)
		return;
	if (pread(fd, found, sizeof(found), 0) < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		goto out;
	memcpy(mended, found, sizeof(mended));
	memcpy(mended, header, sizeof(header));
	mended[RESERVED_AT] = found[RESERVED_AT];
	if (mend_version(mended) || memcmp(mended, found, sizeof(mended)) != 0) {
		remnant_tell_damage(r, "%s: its header is damaged", from);
		if (pwrite(fd, mended, sizeof(mended), 0) != sizeof(mended))
			goto out;
	}
	size = (uint64_t)number_at(found + PAGES_AT) * COPY_BYTES;
	if (size > (uint64_t)st.st_size && number_at(found + PAGES_AT) < MOST_PAGES) {
		/* Beside a -wal that is no damage. */
		if (files_wal_bytes(copy) == 0) {
			remnant_tell_damage(
				r, "%s: is cut off: %" PRIu64 " of %" PRIu64 " bytes are there",
				from, (uint64_t)st.st_size, size);
		}
		if (ftruncate(fd, (off_t)size) != 0)
			goto out;
	}
out:
	close(fd);
}

/* What a reason says of path, from the colon on. */
static const char *behind_path(const char *reason, const char *path)
{
	size_t len = strlen(path);

	return strncmp(reason, path, len) == 0 ? reason + len : reason;
}

int remnant_open(struct remnants *r, const char *from, sqlite3 **db, char reason[STORE_REASON_LEN])
{
	char *copy = files_join(r->dir, "copy.db"), *wal = files_join(r->dir, "copy.db-wal");
	size_t len = strlen(from) + sizeof("-wal");
	char *from_wal = mem_new(len), why[STORE_REASON_LEN];
	uint64_t mended;
	int rc;

	*db = NULL;
	(void)snprintf(from_wal, len, "%s-wal", from);
	files_remove_database(copy);
	rc = copy_file(r, from, copy, reason);
	if (rc == 0 && copy_file(r, from_wal, wal, reason) < 0)
		rc = -1;
	if (rc == 0) {
		mend_copy(r, from, copy);
		mended = frames_mend(wal);
		r->damaged += mended;
		if (mended > 0)
			remnant_tell(r, "%s: %" PRIu64 " places are damaged", from_wal, mended);
		if (db_open(db, copy, DB_WRITE, CACHE_KIB, why) != 0) {
			remnant_tell_damage(r, "%s: cannot be read%s", from,
					    behind_path(why, copy));
			rc = 1;
		}
	}
	mem_free(from_wal);
	mem_free(copy);
	mem_free(wal);
	return rc;
}

void remnant_close(struct remnants *r, sqlite3 *db)
{
	char *copy = files_join(r->dir, "copy.db");

	db_close(db, true);
	files_remove_database(copy);
	mem_free(copy);
}

/* ---- reading around damage ---- */

struct walk {
	struct remnants *r;
	const char *what;   /* "FILE: rows of znode" */
	sqlite3_stmt *rows; /* those from ?1 on */
	void (*row)(void *ctx, sqlite3_stmt *row);
	void *ctx;
};

/* Whether the row at or behind from can be read. */
static bool can_read(struct walk *w, int64_t from)
{
	int rc;

	db_bind_int(w->rows, 1, from);
	rc = sqlite3_step(w->rows);
	db_reset(w->rows);
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* The lowest place behind from, which cannot be read, where that can be done again; 0: nowhere. */
static int64_t find_readable(struct walk *w, int64_t from)
{
	int64_t bad = from, good = 0;

	for (int64_t step = 1; good == 0; step *= 2) {
		if (bad > INT64_MAX - step || step > INT64_MAX / 2)
			return 0;
		if (can_read(w, from + step))
			good = from + step;
		else
			bad = from + step;
	}
	while (good - bad > 1) {
		int64_t middle = bad + (good - bad) / 2;

		if (can_read(w, middle))
			good = middle;
		else
			bad = middle;
	}
	return good;
}

/* Tell of what cannot be read from here. Where it can be read again; 0: nowhere. */
static int64_t skip_damage(struct walk *w, int64_t from)
{
	int64_t next = find_readable(w, from);

	if (next == 0)
		remnant_tell_damage(w->r, "%s: cannot be read from %" PRId64 " to the end", w->what,
				    from);
	else
		remnant_tell_damage(w->r, "%s: cannot be read from %" PRId64 " to %" PRId64,
				    w->what, from, next - 1);
	return next;
}

void remnant_walk(struct remnants *r, const char *what, sqlite3_stmt *rows,
		  void (*row)(void *ctx, sqlite3_stmt *row), void *ctx)
{
	struct walk walk = { r, what, rows, row, ctx }, *w = &walk;
	int64_t next = 0;

	for (;;) {
		int rc;

		db_bind_int(w->rows, 1, next);
		while ((rc = sqlite3_step(w->rows)) == SQLITE_ROW) {
			/* Where pages are mixed up, it may lead in circles. */
			if (sqlite3_column_int64(w->rows, 0) < next)
				break;
			next = sqlite3_column_int64(w->rows, 0) + 1;
			w->row(w->ctx, w->rows);
		}
		db_reset(w->rows);
		if (rc == SQLITE_DONE)
			return;
		next = skip_damage(w, next);
		if (next == 0)
			return;
	}
}
