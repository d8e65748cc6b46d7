/* What is left of a damaged database file: a copy of it and of its -wal, mended so far that SQLite
 * takes them, and a way to read a table around the pages that cannot be read. The file itself is
 * only ever read. One thread, one copy at a time in a directory. */
#ifndef STORE_REMNANT_H
#define STORE_REMNANT_H

#include <stdint.h>

#include <sqlite3.h>

#include "base/cdefs.h"
#include "store/store.h"

/* Where the copies are made, and who is told of what. */
struct remnants {
	const char *dir;
	void (*tell)(void *ctx, const char *line);
	void *ctx;
	uint64_t damaged; /* places that cannot be read, each told */
};

printf_like(2, 3) void remnant_tell(const struct remnants *r, const char *format, ...);
/* The same of a place that cannot be read, which is counted. */
printf_like(2, 3) void remnant_tell_damage(struct remnants *r, const char *format, ...);

/* Copy the database path and open the copy. 1: there is nothing to open, which was told unless
 * there is no file. -1 with a reason where it cannot be copied. */
must_check int remnant_open(struct remnants *r, const char *path, sqlite3 **db,
			    char reason[STORE_REASON_LEN]);
/* Close it and remove the copy; db may be NULL. Statements must be finalised. */
void remnant_close(struct remnants *r, sqlite3 *db);

/* Give every row that can be read: rows has the rowid in column 0, begins at ?1 and goes up. what
 * stands before "cannot be read from ... to ...". */
void remnant_walk(struct remnants *r, const char *what, sqlite3_stmt *rows,
		  void (*row)(void *ctx, sqlite3_stmt *row), void *ctx);

#endif
