/* The VFS "zoolite": see the header. Files of ours are the base VFS's file with a small head before
 * it. */
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/checksum.h"

enum { DAMAGED_BURST = 3 }; /* lines a second about damaged pages */

/* A -wal file that some connection has open. */
struct wal {
	struct list link;
	char *path;
	dev_t dev;
	ino_t ino;
};

struct vfs_file {
	sqlite3_file head; /* must be first: SQLite sees this alone */
	struct wal *wal;   /* NULL for files of another kind */
	char *path;        /* for messages; NULL for nameless temporary files */
	bool is_main;      /* a database file, whose pages have checksums where it says so */
	struct checksum checksum;
	sqlite3_file *base;
};

static pthread_mutex_t wals_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list wals = { &wals, &wals };

/* ---- the store's own calls ---- */

static int os_open_file(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

static int os_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc, saved;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int os_file_id(const char *path, struct vfs_file_id *out)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) != 0)
		return -1;
	out->inode = st.stx_ino;
	out->birth_ns = 0;
	if (st.stx_mask & STATX_BTIME)
		out->birth_ns = st.stx_btime.tv_sec * INT64_C(1000000000) + st.stx_btime.tv_nsec;
	return 0;
}

static int os_free_bytes(const char *dir, uint64_t *bytes)
{
	struct statvfs st;

	if (statvfs(dir, &st) != 0)
		return -1;
	*bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static int os_allocate(int fd, uint64_t from, uint64_t len)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)len);
}

static const struct vfs_os real_os = {
	.open_file = os_open_file,
	.sync_file = fdatasync,
	.close_file = close,
	.sync_dir = os_sync_dir,
	.unlink = unlink,
	.mkdir = mkdir,
	.file_id = os_file_id,
	.rename = rename,
	.free_bytes = os_free_bytes,
	.allocate = os_allocate,
};
static const struct vfs_os *current_os = &real_os;

const struct vfs_os *vfs_os(void)
{
	return current_os;
}

/* Some file systems give up where a signal comes, a stop of the process among them. */
int vfs_allocate(int fd, uint64_t from, uint64_t len)
{
	int rc;

	do
		rc = current_os->allocate(fd, from, len);
	while (rc != 0 && errno == EINTR);
	return rc;
}

/* ---- the open -wal files ---- */

static struct wal *wal_register(const char *path)
{
	struct stat st;
	struct wal *w;

	if (stat(path, &st) != 0)
		die("store.wal_lost", path);
	w = mem_new(sizeof(*w));
	w->path = mem_strdup(path);
	w->dev = st.st_dev;
	w->ino = st.st_ino;
	pthread_mutex_lock(&wals_mutex);
	list_append(&wals, &w->link);
	pthread_mutex_unlock(&wals_mutex);
	return w;
}

static void wal_unregister(struct wal *w)
{
	pthread_mutex_lock(&wals_mutex);
	list_remove(&w->link);
	pthread_mutex_unlock(&wals_mutex);
	mem_free(w->path);
	mem_free(w);
}

/* Whether a connection has the -wal of db_path open; its inode goes to *dev and *ino. */
static bool wal_find(const char *db_path, dev_t *dev, ino_t *ino)
{
	size_t len = strlen(db_path);
	bool found = false;

	pthread_mutex_lock(&wals_mutex);
	list_foreach(at, &wals) {
		const struct wal *w = container_of(at, struct wal, link);

		if (strncmp(w->path, db_path, len) == 0 && strcmp(w->path + len, "-wal") == 0) {
			*dev = w->dev;
			*ino = w->ino;
			found = true;
			break;
		}
	}
	pthread_mutex_unlock(&wals_mutex);
	return found;
}

bool vfs_wal_is_open(const char *db_path)
{
	dev_t dev;
	ino_t ino;

	return wal_find(db_path, &dev, &ino);
}

int vfs_wal_open(const char *db_path)
{
	size_t size = strlen(db_path) + sizeof("-wal");
	char *path = mem_new(size);
	struct stat st;
	dev_t dev;
	ino_t ino;
	int fd;

	(void)snprintf(path, size, "%s-wal", db_path);
	if (!wal_find(db_path, &dev, &ino))
		die("store.wal_not_open", path);
	fd = current_os->open_file(path);
	if (fd < 0 || fstat(fd, &st) != 0)
		die("store.wal_open_failed", path);
	/* The file under this name must be the one that the connection writes to. */
	if (st.st_dev != dev || st.st_ino != ino)
		die("store.wal_replaced", path);
	mem_free(path);
	return fd;
}

void vfs_wal_sync(int fd)
{
	struct stat st;

	/* Syncing a file that was unlinked behind our back succeeds and keeps nothing. */
	if (fstat(fd, &st) != 0 || st.st_nlink == 0)
		die("store.wal_lost", "the log's -wal file was removed while in use");
	if (current_os->sync_file(fd) != 0)
		die("store.sync_failed", strerror(errno));
}

void vfs_wal_close(int fd)
{
	if (fd >= 0)
		(void)current_os->close_file(fd);
}

void vfs_wal_sync_open(const char *db_path)
{
	int fd;

	if (!vfs_wal_is_open(db_path))
		return;
	fd = vfs_wal_open(db_path);
	vfs_wal_sync(fd);
	vfs_wal_close(fd);
}

/* ---- files ---- */

static struct vfs_file *file_of(sqlite3_file *f)
{
	return (struct vfs_file *)(void *)f;
}

static sqlite3_file *base_of(sqlite3_file *f)
{
	return file_of(f)->base;
}

static int file_close(sqlite3_file *f)
{
	struct vfs_file *v = file_of(f);
	int rc = v->base->pMethods->xClose(v->base);

	if (v->wal != NULL)
		wal_unregister(v->wal);
	checksum_fini(&v->checksum);
	mem_free(v->path);
	return rc;
}

static _Atomic bool had_errors;

bool vfs_had_errors(void)
{
	return atomic_load(&had_errors);
}

/* Pass rc on. A short read is no error: SQLite asks for more than a new file has. */
static int note_error(int rc)
{
	if ((rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_SHORT_READ)
		atomic_store(&had_errors, true);
	return rc;
}

/* What the file holds at that place is not what was written there. */
static int fail_page(const struct vfs_file *v, sqlite3_int64 at, const char *reason)
{
	static struct log_limit limit;
	uint32_t suppressed;

	metrics_add(METRIC_pages_damaged, 1);
	if (log_limit_pass(&limit, DAMAGED_BURST, &suppressed))
		log_error("store.page_damaged", LOG_TEXT("file", v->path),
			  LOG_INT("page", checksum_page_number(&v->checksum, at)),
			  LOG_TEXT("reason", reason), LOG_INT("suppressed", suppressed));
	return SQLITE_IOERR_DATA;
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	struct vfs_file *v = file_of(f);
	int rc = note_error(v->base->pMethods->xRead(v->base, to, n, at));

	if (!v->is_main)
		return rc;
	if (rc == SQLITE_OK && at == 0)
		checksum_look(&v->checksum, to, n);
	if ((rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) ||
	    !checksum_covers(&v->checksum, n, at))
		return rc;
	/* SQLite asks for no page behind the end, and would take zeros for it. */
	if (rc == SQLITE_IOERR_SHORT_READ)
		return fail_page(v, at, "the file is too short");
	if (!checksum_holds(&v->checksum, to, at))
		return fail_page(v, at, "its checksum does not fit");
	return SQLITE_OK;
}

/* SQLite calls a file system without room FULL, but a user without quota an I/O error. Both may be
 * waited for. */
static int full_or(int rc)
{
	return errno == EDQUOT || errno == ENOSPC ? SQLITE_FULL : rc;
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct vfs_file *v = file_of(f);
	int rc;

	if (v->is_main && at == 0)
		checksum_look(&v->checksum, from, n);
	if (v->is_main && checksum_covers(&v->checksum, n, at))
		from = checksum_seal(&v->checksum, from, at);
	errno = 0;
	rc = v->base->pMethods->xWrite(v->base, from, n, at);
	return note_error((rc & 0xff) == SQLITE_IOERR ? full_or(rc) : rc);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return note_error(base_of(f)->pMethods->xTruncate(base_of(f), size));
}

static int file_sync(sqlite3_file *f, int flags)
{
	int rc = base_of(f)->pMethods->xSync(base_of(f), flags);

	if (rc != SQLITE_OK)
		die("store.sync_failed",
		    file_of(f)->path != NULL ? file_of(f)->path : "temporary file");
	return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return base_of(f)->pMethods->xFileSize(base_of(f), size);
}

static int file_lock(sqlite3_file *f, int level)
{
	return base_of(f)->pMethods->xLock(base_of(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
	return base_of(f)->pMethods->xUnlock(base_of(f), level);
}

static int file_check_reserved(sqlite3_file *f, int *out)
{
	return base_of(f)->pMethods->xCheckReservedLock(base_of(f), out);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	return base_of(f)->pMethods->xFileControl(base_of(f), op, arg);
}

static int file_sector_size(sqlite3_file *f)
{
	return base_of(f)->pMethods->xSectorSize(base_of(f));
}

static int file_characteristics(sqlite3_file *f)
{
	return base_of(f)->pMethods->xDeviceCharacteristics(base_of(f));
}

/* SQLite writes a byte of each page of a wal-index that it makes longer. Where the file system's
 * blocks are smaller that leaves holes, and whoever writes there on a full disk gets a signal. */
static bool has_blocks(void volatile *region, int size)
{
	return madvise((void *)(uintptr_t)region, (size_t)size, MADV_POPULATE_WRITE) == 0 ||
	       errno != EFAULT;
}

static int map_region(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
	int rc;

	errno = 0;
	rc = base_of(f)->pMethods->xShmMap(base_of(f), region, size, extend, out);
	if (rc == SQLITE_IOERR_SHMSIZE)
		return full_or(rc);
	if (rc != SQLITE_OK || !extend || has_blocks(*out, size))
		return rc;
	*out = NULL;
	return SQLITE_FULL;
}

/* The next region is had ahead, as long as there is room: a commit must not find out that there is
 * none. */
static int file_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
	int rc = map_region(f, region, size, extend, out);
	void volatile *next;

	if (rc == SQLITE_OK && extend)
		(void)map_region(f, region + 1, size, extend, &next);
	return rc;
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return base_of(f)->pMethods->xShmLock(base_of(f), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
	base_of(f)->pMethods->xShmBarrier(base_of(f));
}

static int file_shm_unmap(sqlite3_file *f, int delete_flag)
{
	return base_of(f)->pMethods->xShmUnmap(base_of(f), delete_flag);
}

/* Version 2: no xFetch. Memory-mapped I/O turns a read error into a signal. */
static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static sqlite3_vfs zoolite_vfs;

static sqlite3_vfs *base_vfs(void)
{
	return zoolite_vfs.pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
		    int *out_flags)
{
	struct vfs_file *v = file_of(f);
	int rc;

	(void)vfs;
	memset(v, 0, sizeof(*v));
	v->base = (sqlite3_file *)(void *)(v + 1);
	rc = base_vfs()->xOpen(base_vfs(), name, v->base, flags, out_flags);
	if (rc != SQLITE_OK) {
		/* SQLite closes what failed to open where it has methods. */
		if (v->base->pMethods != NULL)
			(void)v->base->pMethods->xClose(v->base);
		return rc;
	}
	v->head.pMethods = &file_methods;
	if (name != NULL)
		v->path = mem_strdup(name);
	v->is_main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
	if (flags & SQLITE_OPEN_WAL)
		v->wal = wal_register(name);
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	(void)vfs;
	return base_vfs()->xDelete(base_vfs(), name, sync_dir);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	return base_vfs()->xAccess(base_vfs(), name, flags, out);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	return base_vfs()->xFullPathname(base_vfs(), name, size, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	return base_vfs()->xRandomness(base_vfs(), n, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return base_vfs()->xSleep(base_vfs(), us);
}

static int vfs_current_time(sqlite3_vfs *vfs, double *out)
{
	(void)vfs;
	return base_vfs()->xCurrentTime(base_vfs(), out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	return base_vfs()->xGetLastError(base_vfs(), n, out);
}

static int vfs_current_time_64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	(void)vfs;
	return base_vfs()->xCurrentTimeInt64(base_vfs(), out);
}

/* No xDlOpen: the store loads no extensions. */
static sqlite3_vfs zoolite_vfs = {
	.iVersion = 2,
	.zName = VFS_NAME,
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_pathname,
	.xRandomness = vfs_randomness,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_current_time,
	.xGetLastError = vfs_last_error,
	.xCurrentTimeInt64 = vfs_current_time_64,
};

bool vfs_has_checksums(sqlite3 *db)
{
	sqlite3_file *f = NULL;

	return sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f) == SQLITE_OK &&
	       f != NULL && f->pMethods == &file_methods && file_of(f)->checksum.is_on;
}

static void set_base(const char *name)
{
	sqlite3_vfs *base = sqlite3_vfs_find(name);

	if (base == NULL)
		die("store.no_vfs", name != NULL ? name : "default");
	zoolite_vfs.pAppData = base;
	zoolite_vfs.mxPathname = base->mxPathname;
	zoolite_vfs.szOsFile = (int)sizeof(struct vfs_file) + base->szOsFile;
	if (sqlite3_vfs_register(&zoolite_vfs, 0) != SQLITE_OK)
		die("store.no_vfs", VFS_NAME);
}

static void register_once(void)
{
	/* Statistics of memory take a lock in every allocation. Too late where somebody used SQLite
	 * before us. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (zoolite_vfs.pAppData == NULL)
		set_base(NULL);
}

void vfs_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_once);
}

void vfs_replace(const struct vfs_os *os, const char *base)
{
	vfs_register();
	current_os = os != NULL ? os : &real_os;
	set_base(base);
}
