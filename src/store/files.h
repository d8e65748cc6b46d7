/* The files of a data directory beside SQLite's work: directories, the lock, names of segments. */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"

/* Make the directory and those above it where they are missing (mode 0700). Its name is on disk
 * when this returns, also where it was there. */
must_check int files_make_dir(const char *path, char reason[STORE_REASON_LEN]);
/* Whether both are one directory, however they are spelt. */
bool files_same_dir(const char *a, const char *b);
/* Hold <dir>/lock for this process; it is free again when *fd is closed, however the process
 * ends. */
must_check int files_lock(const char *dir, int *fd, char reason[STORE_REASON_LEN]);

/* The segments in dir, by number, lowest first. The caller frees *numbers. *highest is the highest
 * number that any file there bears; side files without their segment are removed. */
must_check int files_list_segments(const char *dir, uint32_t **numbers, size_t *count,
				   uint32_t *highest, char reason[STORE_REASON_LEN]);
/* The same for who only reads there: nothing is removed. */
must_check int files_find_segments(const char *dir, uint32_t **numbers, size_t *count,
				   char reason[STORE_REASON_LEN]);
/* "<dir>/<number>.db"; the caller frees. */
char *files_segment_path(const char *dir, uint32_t number);
/* Unlink a database file and its side files. A failure is logged: the file is found again at the
 * next start. */
void files_remove_database(const char *path);
/* Unlink the side files alone. */
void files_remove_side_files(const char *path);
/* Bytes of a database file with its -wal; 0 where there is none. */
uint64_t files_database_bytes(const char *path);
/* Bytes of its -wal alone. */
uint64_t files_wal_bytes(const char *path);
/* Whether there is a -wal beside it. */
bool files_has_wal(const char *path);
/* Whether there is a -journal: its making was cut short. */
bool files_has_journal(const char *path);

/* Join two parts of a path by '/'; the caller frees. */
char *files_join(const char *dir, const char *name);

/* A URI for SQLite to read the file by; is_finished: nobody writes to it, so that it needs no lock
 * and no side file. The caller frees. */
char *files_uri(const char *path, bool is_finished);

#endif
