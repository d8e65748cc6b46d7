/* The thin VFS "zoolite" under every SQLite connection of the store, and the few file-system calls
 * that the store makes itself. It passes everything to the default VFS of the process, ends the
 * process when a sync fails (a kernel tells a failed write once, to one caller: whoever goes on
 * after it is guessing), puts checksums into the pages of database files and checks them where they
 * are read (store/checksum.h), and knows every -wal file that is open, so that a sync of our own
 * reaches the file SQLite writes to.
 *
 * Any thread. */
#ifndef STORE_VFS_H
#define STORE_VFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <sqlite3.h>

#include "base/cdefs.h"

#define VFS_NAME "zoolite"

/* Which file it is: another one where it was copied, also under the same name. */
struct vfs_file_id {
	uint64_t inode;
	int64_t birth_ns; /* 0: the file system does not know */
};

/* What the store asks of the file system beside SQLite. All return -1 and set errno. */
struct vfs_os {
	int (*open_file)(const char *path); /* an open file description of its own, to sync by */
	int (*sync_file)(int fd);           /* fdatasync */
	int (*close_file)(int fd);
	int (*sync_dir)(const char *path);
	int (*unlink)(const char *path);
	int (*mkdir)(const char *path, mode_t mode);
	int (*file_id)(const char *path, struct vfs_file_id *out);
	int (*rename)(const char *from, const char *to);
	/* How much we may still write below dir (statvfs). */
	int (*free_bytes)(const char *dir, uint64_t *bytes);
	/* Have blocks for these bytes of a file, whose length stays as it is; EOPNOTSUPP where the
	 * file system knows no such thing. */
	int (*allocate)(int fd, uint64_t from, uint64_t len);
};

/* Register "zoolite" over the default VFS; more calls do nothing. */
void vfs_register(void);
/* Tests: another table of calls, and the VFS that "zoolite" stands on (NULL, NULL: the real ones).
 * No connection may be open. */
void vfs_replace(const struct vfs_os *os, const char *base_vfs);
const struct vfs_os *vfs_os(void);
/* Its allocate, whatever signals come. */
int vfs_allocate(int fd, uint64_t from, uint64_t len);
/* Whether a read, write or truncation of SQLite's has failed in this process, but for want of
 * room. */
bool vfs_had_errors(void);

/* An open file description of our own on the -wal of the database file db_path (absolute, as
 * sqlite3_db_filename gives it), which a connection must hold open for as long as it is used. An
 * own one, no dup: Linux reports a write error once for each description, and SQLite's syncs must
 * not take the report that is ours. Ends the process where there is none. */
int vfs_wal_open(const char *db_path);
/* What was written to that -wal before the call is on disk when it returns, or the process ends. */
void vfs_wal_sync(int fd);
void vfs_wal_close(int fd);
/* Whether some connection of this process has the -wal of db_path open. */
bool vfs_wal_is_open(const char *db_path);
/* The same as open, sync and close; nothing where no connection has it open. */
void vfs_wal_sync_open(const char *db_path);

/* Whether the pages of a connection's file have checksums; it must have been read from or written
 * to. */
bool vfs_has_checksums(sqlite3 *db);

#endif
