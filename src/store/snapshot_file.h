/* Snapshots as files: a directory holds tree-<zxid in hex>.db, each with its seal
 * (store/seal.h), and while one is being made snapshot.part. What was found damaged is kept as
 * tree-<zxid>.bad until the next one. A snapshot is a database that nobody writes, in one file. Any
 * thread. */
#ifndef STORE_SNAPSHOT_FILE_H
#define STORE_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/seal.h"

#define SNAPSHOT_PART "snapshot.part"

struct snapshot_file {
	char *path;
	struct seal seal;
	uint64_t size; /* bytes of the file */
};

/* Whether that is a database at all. */
bool snapshot_file_is_one(const char *path);
/* Have a copy that was just written in one file, on disk. STORE_DAMAGED: it is no database, or a
 * damaged one; -1: that cannot be done, which says nothing of it. Both with a reason. */
must_check int snapshot_file_settle(const char *path, char reason[STORE_REASON_LEN]);

/* Names in dir; the caller frees. */
char *snapshot_file_part(const char *dir);
char *snapshot_file_path(const char *dir, int64_t zxid);
char *snapshot_file_bad_path(const char *dir, int64_t zxid);

/* The part that was verified becomes a snapshot, with its seal, on disk. *path is the caller's to
 * free. */
must_check int snapshot_file_accept(const char *dir, const struct seal *seal, char **path,
				    char reason[STORE_REASON_LEN]);
/* The part that is damaged gets a name that says so; those that had one before go. */
void snapshot_file_reject(const char *dir, int64_t zxid);
/* What an earlier run left behind: a part, a seal without its file. A directory that is not there
 * has none. */
void snapshot_file_tidy(const char *dir);

/* Those with a seal, oldest zxid first. A directory that is not there has none. */
must_check int snapshot_file_list(const char *dir, struct snapshot_file **list, size_t *count,
				  char reason[STORE_REASON_LEN]);
void snapshot_file_list_free(struct snapshot_file *list, size_t count);
/* The seal goes first. */
void snapshot_file_remove(const struct snapshot_file *file);

#endif
