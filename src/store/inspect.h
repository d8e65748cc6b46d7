/* A first look at a database file, before SQLite is let near it: SQLite takes a short file for a
 * new one, and meets what is cut off only when it is asked for. Reads the file's first 100 bytes.
 * Any thread. */
#ifndef STORE_INSPECT_H
#define STORE_INSPECT_H

#include "base/cdefs.h"
#include "store/store.h"

/* STORE_DAMAGED with a reason where path is no database with a -wal, or is shorter than it says.
 * What is not there, is empty, was cut off while it was made (a -journal) or cannot be opened is
 * for others to tell: 0. */
must_check int inspect_file(const char *path, char reason[STORE_REASON_LEN]);

/* "; salvage what can be read with: ..." behind a reason, where it has room. log_dir: NULL where
 * the log is in data_dir. */
void inspect_name_command(const char *data_dir, const char *log_parent,
			  char reason[STORE_REASON_LEN]);

#endif
