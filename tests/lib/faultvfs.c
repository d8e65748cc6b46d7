/* See the header. */
#include "tests/lib/faultvfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "store/vfs.h"

struct methods {
	sqlite3_io_methods bad; /* must be first */
	const sqlite3_io_methods *good;
};

static struct {
	struct fault_plan plan;
	atomic_ulong calls;
	atomic_ulong failed;
	_Atomic(const char *) name;
	/* Databases have other methods than files that are never locked. */
	struct methods database, other;
	sqlite3_vfs vfs;
	struct vfs_os os;
	const struct vfs_os *real;
} disk;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- which call ---- */

static bool fails(const char *name, bool wants_room)
{
	unsigned long call;
	const char *none = NULL;

	if (disk.plan.error == FAULT_FULL && !wants_room)
		return false;
	call = atomic_fetch_add(&disk.calls, 1) + 1;
	if (disk.plan.at == 0 || call < disk.plan.at ||
	    (call > disk.plan.at && !disk.plan.from_then_on))
		return false;
	atomic_fetch_add(&disk.failed, 1);
	(void)atomic_compare_exchange_strong(&disk.name, &none, name);
	return true;
}

static int error(int io)
{
	return disk.plan.error == FAULT_FULL ? SQLITE_FULL : io;
}

static int os_fails(const char *name, bool wants_room)
{
	if (!fails(name, wants_room))
		return 0;
	errno = disk.plan.error == FAULT_FULL ? ENOSPC : EIO;
	return -1;
}

/* ---- files ---- */

static const sqlite3_io_methods *good(const sqlite3_file *f)
{
	return ((const struct methods *)(const void *)f->pMethods)->good;
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	return fails("xRead", false) ? SQLITE_IOERR_READ : good(f)->xRead(f, to, n, at);
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	return fails("xWrite", true) ? error(SQLITE_IOERR_WRITE) : good(f)->xWrite(f, from, n, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return fails("xTruncate", false) ? SQLITE_IOERR_TRUNCATE : good(f)->xTruncate(f, size);
}

static int file_sync(sqlite3_file *f, int flags)
{
	return fails("xSync", true) ? error(SQLITE_IOERR_FSYNC) : good(f)->xSync(f, flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return fails("xFileSize", false) ? SQLITE_IOERR_FSTAT : good(f)->xFileSize(f, size);
}

static int file_lock(sqlite3_file *f, int level)
{
	return fails("xLock", false) ? SQLITE_IOERR_LOCK : good(f)->xLock(f, level);
}

static int file_check_reserved(sqlite3_file *f, int *out)
{
	return fails("xCheckReservedLock", false) ? SQLITE_IOERR_CHECKRESERVEDLOCK
						  : good(f)->xCheckReservedLock(f, out);
}

static int file_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
	if (fails("xShmMap", extend != 0)) {
		*out = NULL;
		return disk.plan.error == FAULT_FULL ? SQLITE_IOERR_SHMSIZE : SQLITE_IOERR_SHMMAP;
	}
	return good(f)->xShmMap(f, region, size, extend, out);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	/* What is given back is given back. */
	if ((flags & SQLITE_SHM_LOCK) && fails("xShmLock", false))
		return SQLITE_IOERR_SHMLOCK;
	return good(f)->xShmLock(f, offset, n, flags);
}

static void spoil(struct methods *m, const sqlite3_io_methods *of)
{
	m->good = of;
	m->bad = *of;
	m->bad.xRead = file_read;
	m->bad.xWrite = file_write;
	m->bad.xTruncate = file_truncate;
	m->bad.xSync = file_sync;
	m->bad.xFileSize = file_size;
	m->bad.xLock = file_lock;
	m->bad.xCheckReservedLock = file_check_reserved;
	if (of->iVersion >= 2 && of->xShmMap != NULL) {
		m->bad.xShmMap = file_shm_map;
		m->bad.xShmLock = file_shm_lock;
	}
}

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
		    int *out_flags)
{
	struct methods *m = flags & SQLITE_OPEN_MAIN_DB ? &disk.database : &disk.other;
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	int rc;

	(void)vfs;
	f->pMethods = NULL;
	if (fails("xOpen", (flags & SQLITE_OPEN_CREATE) != 0))
		return error(SQLITE_CANTOPEN);
	rc = real->xOpen(real, name, f, flags, out_flags);
	if (rc != SQLITE_OK)
		return rc;
	/* The same for each file of its kind. */
	pthread_mutex_lock(&mutex);
	if (m->good == NULL)
		spoil(m, f->pMethods);
	pthread_mutex_unlock(&mutex);
	f->pMethods = &m->bad;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return fails("xDelete", false) ? SQLITE_IOERR_DELETE : real->xDelete(real, name, sync_dir);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return fails("xAccess", false) ? SQLITE_IOERR_ACCESS
				       : real->xAccess(real, name, flags, out);
}

/* ---- the store's own calls ---- */

static int os_open_file(const char *path)
{
	return os_fails("open", false) != 0 ? -1 : disk.real->open_file(path);
}

static int os_sync_file(int fd)
{
	return os_fails("fdatasync", true) != 0 ? -1 : disk.real->sync_file(fd);
}

static int os_sync_dir(const char *path)
{
	return os_fails("fsync of a directory", true) != 0 ? -1 : disk.real->sync_dir(path);
}

static int os_unlink(const char *path)
{
	return os_fails("unlink", false) != 0 ? -1 : disk.real->unlink(path);
}

static int os_mkdir(const char *path, mode_t mode)
{
	return os_fails("mkdir", true) != 0 ? -1 : disk.real->mkdir(path, mode);
}

static int os_file_id(const char *path, struct vfs_file_id *out)
{
	return os_fails("stat", false) != 0 ? -1 : disk.real->file_id(path, out);
}

static int os_rename(const char *from, const char *to)
{
	return os_fails("rename", true) != 0 ? -1 : disk.real->rename(from, to);
}

void fault_use(void)
{
	sqlite3_vfs *real;

	vfs_register();
	real = sqlite3_vfs_find(NULL);
	disk.real = vfs_os();
	disk.os = *disk.real;
	disk.os.open_file = os_open_file;
	disk.os.sync_file = os_sync_file;
	disk.os.sync_dir = os_sync_dir;
	disk.os.unlink = os_unlink;
	disk.os.mkdir = os_mkdir;
	disk.os.file_id = os_file_id;
	disk.os.rename = os_rename;
	disk.vfs = *real;
	disk.vfs.zName = "fault";
	disk.vfs.xOpen = vfs_open;
	disk.vfs.xDelete = vfs_delete;
	disk.vfs.xAccess = vfs_access;
	if (sqlite3_vfs_register(&disk.vfs, 0) != SQLITE_OK)
		abort();
	vfs_replace(&disk.os, "fault");
}

void fault_set(const struct fault_plan *plan)
{
	disk.plan = *plan;
	atomic_store(&disk.calls, 0);
	atomic_store(&disk.failed, 0);
	atomic_store(&disk.name, NULL);
}

unsigned long fault_calls(void)
{
	return atomic_load(&disk.calls);
}

unsigned long fault_failed(void)
{
	return atomic_load(&disk.failed);
}

const char *fault_name(void)
{
	return atomic_load(&disk.name);
}
