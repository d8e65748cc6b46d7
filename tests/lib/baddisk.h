/* The default VFS over a disk that goes bad when a test says so: from then on SQLite's writes, or
 * its syncs, fail. To be used before any connection is open; vfs_replace(NULL, NULL) ends it when
 * none is any more. */
#ifndef TESTS_LIB_BADDISK_H
#define TESTS_LIB_BADDISK_H

#include <pthread.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "store/vfs.h"

struct bad_disk_methods {
	sqlite3_io_methods bad; /* must be first */
	const sqlite3_io_methods *good;
};

static struct {
	/* What they give instead of SQLITE_OK. */
	int write_error;
	int sync_error;
	/* Only of those to database files, which checkpoints make. */
	_Atomic int database_error;
	/* Databases have other methods than files that are never locked. */
	struct bad_disk_methods database;
	struct bad_disk_methods other;
	sqlite3_vfs vfs;
} bad_disk;

static const sqlite3_io_methods *bad_disk_good(const sqlite3_file *file)
{
	return ((const struct bad_disk_methods *)(const void *)file->pMethods)->good;
}

static int bad_disk_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
	if (bad_disk.write_error != SQLITE_OK)
		return bad_disk.write_error;
	if (bad_disk.database_error != SQLITE_OK && file->pMethods == &bad_disk.database.bad)
		return bad_disk.database_error;
	return bad_disk_good(file)->xWrite(file, from, n, at);
}

static int bad_disk_sync(sqlite3_file *file, int flags)
{
	if (bad_disk.sync_error != SQLITE_OK)
		return bad_disk.sync_error;
	return bad_disk_good(file)->xSync(file, flags);
}

static int bad_disk_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
			 int *out_flags)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct bad_disk_methods *m =
		flags & SQLITE_OPEN_MAIN_DB ? &bad_disk.database : &bad_disk.other;
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	int rc = real->xOpen(real, name, file, flags, out_flags);

	(void)vfs;
	if (rc != SQLITE_OK)
		return rc;
	pthread_mutex_lock(&lock);
	if (m->good == NULL) {
		m->good = file->pMethods;
		m->bad = *file->pMethods;
		m->bad.xWrite = bad_disk_write;
		m->bad.xSync = bad_disk_sync;
	}
	pthread_mutex_unlock(&lock);
	file->pMethods = &m->bad;
	return SQLITE_OK;
}

static inline void bad_disk_use(void)
{
	bad_disk.vfs = *sqlite3_vfs_find(NULL);
	bad_disk.vfs.zName = "bad";
	bad_disk.vfs.xOpen = bad_disk_open;
	if (sqlite3_vfs_register(&bad_disk.vfs, 0) != SQLITE_OK)
		exit(1);
	vfs_replace(NULL, "bad");
}

#endif
