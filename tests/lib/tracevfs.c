/* See the header. Writes are noted when they are done, syncs when they begin and when they end, so
 * that the trace never says that more is on disk than a disk would promise. */
#include "tests/lib/tracevfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/vfs.h"
#include "tests/lib/random.h"
#include "tests/lib/tmpdir.h"

#define TRACE_VFS "trace"
enum { SECTOR = 512, FD_MOST = 8192, NOTHING = -1 };
/* Syncs of the log by its flush thread take so many times longer: much happens meanwhile, and the
 * tree's thread, whose own ones are quick, is done with what it must not have taken yet. */
enum { FLUSH_RATIO = 12 };
enum { BEHIND_PERCENT = 30 };

enum event_kind {
	EVENT_NAME,           /* a file is made: inode under path */
	EVENT_MKDIR,          /* path */
	EVENT_UNLINK,         /* path */
	EVENT_RENAME,         /* inode, from (bytes) to path */
	EVENT_WRITE,          /* inode, offset, bytes */
	EVENT_TRUNCATE,       /* inode, offset: the new size */
	EVENT_SYNC_BEGIN,     /* inode */
	EVENT_DIR_SYNC_BEGIN, /* path */
	EVENT_SYNC_END,       /* offset: index of its begin, of either kind */
	EVENT_NOTE,           /* what, offset: the value */
};

struct event {
	enum event_kind kind;
	int inode;
	int64_t offset;
	const char *what;
	char *path; /* below the directory; "" is the directory itself */
	uint8_t *bytes;
	size_t len;
};

struct bytes {
	uint8_t *data;
	size_t len;
	size_t room;
};

struct name {
	char *path;
	int inode; /* NOTHING: a directory */
};

struct names {
	struct name *items;
	size_t count;
};

struct trace {
	char *dir;
	unsigned sync_us;
	struct random random;
	pthread_mutex_t mutex;
	struct event *events;
	size_t count;
	size_t room;
	size_t kill_at;
	bool killed;           /* nothing is recorded */
	struct bytes *initial; /* by inode: content at the start */
	int inodes;
	struct names start; /* names at the start */
	struct names now;   /* as the running store sees them */
	int fd_inode[FD_MOST];
};

static struct trace *recording;

static void fail(const char *what)
{
	perror(what);
	abort();
}

static void *allocate(size_t size)
{
	void *p = calloc(1, size > 0 ? size : 1);

	if (p == NULL)
		fail("calloc");
	return p;
}

static char *duplicate(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		fail("strdup");
	return copy;
}

/* ---- names ---- */

static struct name *names_find(struct names *n, const char *path)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->items[i].path, path) == 0)
			return &n->items[i];
	return NULL;
}

static void names_remove(struct names *n, const char *path)
{
	struct name *at = names_find(n, path);

	if (at == NULL)
		return;
	free(at->path);
	*at = n->items[--n->count];
}

static void names_put(struct names *n, const char *path, int inode)
{
	names_remove(n, path);
	n->items = realloc(n->items, (n->count + 1) * sizeof(*n->items));
	if (n->items == NULL)
		fail("realloc");
	n->items[n->count++] = (struct name){ duplicate(path), inode };
}

static void names_fini(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->items[i].path);
	free(n->items);
}

/* The part of path below the trace's directory, or NULL where it is not there or not recorded. */
static const char *path_below(const struct trace *t, const char *path)
{
	size_t len = strlen(t->dir), path_len;

	if (path == NULL || strncmp(path, t->dir, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return "";
	if (path[len] != '/')
		return NULL;
	path_len = strlen(path);
	if (path_len > 4 && strcmp(path + path_len - 4, "-shm") == 0)
		return NULL;
	return strcmp(path + len, "/lock") == 0 ? NULL : path + len + 1;
}

/* Whether dir ("": the top) is the one that holds path. */
static bool is_in_dir(const char *path, const char *dir)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	return strlen(dir) == len && strncmp(path, dir, len) == 0;
}

/* ---- events; the mutex is held, and the process lives ---- */

static struct event *add_event(struct trace *t, enum event_kind kind, int inode)
{
	struct event *e;

	if (t->count == t->room) {
		t->room = t->room * 2 + 1024;
		t->events = realloc(t->events, t->room * sizeof(*t->events));
		if (t->events == NULL)
			fail("realloc");
	}
	e = &t->events[t->count++];
	*e = (struct event){ .kind = kind, .inode = inode };
	t->killed = t->count >= t->kill_at;
	return e;
}

static int add_inode(struct trace *t)
{
	t->initial = realloc(t->initial, (size_t)(t->inodes + 1) * sizeof(*t->initial));
	if (t->initial == NULL)
		fail("realloc");
	t->initial[t->inodes] = (struct bytes){ 0 };
	return t->inodes++;
}

/* The inode under path, a new one where a file was made there. */
static int inode_at(struct trace *t, const char *path)
{
	struct name *name = names_find(&t->now, path);
	int inode;

	if (name != NULL)
		return name->inode;
	inode = add_inode(t);
	names_put(&t->now, path, inode);
	add_event(t, EVENT_NAME, inode)->path = duplicate(path);
	return inode;
}

static void note_unlink(struct trace *t, const char *path)
{
	if (names_find(&t->now, path) == NULL)
		return;
	names_remove(&t->now, path);
	add_event(t, EVENT_UNLINK, NOTHING)->path = duplicate(path);
}

/* A sync of a file (inode) or of a directory: takes its time, during which others go on. */
static void record_sync(struct trace *t, int inode, const char *dir, unsigned most_us)
{
	int64_t begin;
	unsigned us;

	pthread_mutex_lock(&t->mutex);
	if (t->killed) {
		pthread_mutex_unlock(&t->mutex);
		return;
	}
	begin = (int64_t)t->count;
	if (dir != NULL)
		add_event(t, EVENT_DIR_SYNC_BEGIN, NOTHING)->path = duplicate(dir);
	else
		add_event(t, EVENT_SYNC_BEGIN, inode);
	us = most_us > 0 ? random_below(&t->random, most_us) : 0;
	pthread_mutex_unlock(&t->mutex);
	if (us > 0)
		usleep(us);
	pthread_mutex_lock(&t->mutex);
	if (!t->killed)
		add_event(t, EVENT_SYNC_END, inode)->offset = begin;
	pthread_mutex_unlock(&t->mutex);
}

/* ---- the store's own calls ---- */

static int os_open_file(const char *path)
{
	struct trace *t = recording;
	const char *below = path_below(t, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fd >= FD_MOST)
		fail("too many open files");
	pthread_mutex_lock(&t->mutex);
	t->fd_inode[fd] = below != NULL && !t->killed ? inode_at(t, below) : NOTHING;
	pthread_mutex_unlock(&t->mutex);
	return fd;
}

static bool is_flush_thread(void)
{
	char name[16];

	return pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 &&
	       strcmp(name, "flush") == 0;
}

static int os_sync_file(int fd)
{
	struct trace *t = recording;
	int inode;

	pthread_mutex_lock(&t->mutex);
	inode = t->fd_inode[fd];
	pthread_mutex_unlock(&t->mutex);
	if (inode != NOTHING)
		record_sync(t, inode, NULL, (is_flush_thread() ? FLUSH_RATIO : 1) * t->sync_us);
	return 0;
}

static int os_close_file(int fd)
{
	struct trace *t = recording;

	pthread_mutex_lock(&t->mutex);
	t->fd_inode[fd] = NOTHING;
	pthread_mutex_unlock(&t->mutex);
	return close(fd);
}

static int os_sync_dir(const char *path)
{
	struct trace *t = recording;
	const char *below = path_below(t, path);

	if (below != NULL)
		record_sync(t, NOTHING, below, t->sync_us);
	return 0;
}

static int os_unlink(const char *path)
{
	struct trace *t = recording;
	const char *below = path_below(t, path);
	int rc;

	pthread_mutex_lock(&t->mutex);
	rc = unlink(path);
	if (rc == 0 && below != NULL && !t->killed)
		note_unlink(t, below);
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

static int os_mkdir(const char *path, mode_t mode)
{
	struct trace *t = recording;
	const char *below = path_below(t, path);
	int rc;

	pthread_mutex_lock(&t->mutex);
	rc = mkdir(path, mode);
	if (rc == 0 && below != NULL && !t->killed) {
		names_put(&t->now, below, NOTHING);
		add_event(t, EVENT_MKDIR, NOTHING)->path = duplicate(below);
	}
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

/* What a cut leaves is the same directory, though its files are made anew. */
static int os_file_id(const char *path, struct vfs_file_id *out)
{
	(void)path;
	*out = (struct vfs_file_id){ .inode = 1 };
	return 0;
}

/* Within one directory. */
static int os_rename(const char *from, const char *to)
{
	struct trace *t = recording;
	const char *below = path_below(t, to), *from_below = path_below(t, from);
	struct event *e;
	int rc, inode;

	pthread_mutex_lock(&t->mutex);
	rc = rename(from, to);
	if (rc == 0 && below != NULL && from_below != NULL && !t->killed) {
		inode = inode_at(t, from_below);
		names_remove(&t->now, from_below);
		names_put(&t->now, below, inode);
		e = add_event(t, EVENT_RENAME, inode);
		e->path = duplicate(below);
		e->bytes = (uint8_t *)duplicate(from_below);
	}
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

static int os_free_bytes(const char *dir, uint64_t *bytes)
{
	(void)dir;
	*bytes = UINT64_C(1) << 40;
	return 0;
}

static const struct vfs_os trace_os = {
	.open_file = os_open_file,
	.sync_file = os_sync_file,
	.close_file = os_close_file,
	.sync_dir = os_sync_dir,
	.unlink = os_unlink,
	.mkdir = os_mkdir,
	.file_id = os_file_id,
	.rename = os_rename,
	.free_bytes = os_free_bytes,
};

/* ---- the VFS under "zoolite" ---- */

struct trace_file {
	sqlite3_file head;
	int inode; /* NOTHING: not recorded */
	/* Of a new journal or -wal: its first sync syncs this directory too, as in os_unix.c. */
	char *sync_dir;
	sqlite3_file *base;
};

static struct trace_file *file_of(sqlite3_file *f)
{
	return (struct trace_file *)(void *)f;
}

static sqlite3_file *base_of(sqlite3_file *f)
{
	return file_of(f)->base;
}

static int file_close(sqlite3_file *f)
{
	free(file_of(f)->sync_dir);
	return base_of(f)->pMethods->xClose(base_of(f));
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	return base_of(f)->pMethods->xRead(base_of(f), to, n, at);
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct trace *t = recording;
	int rc = base_of(f)->pMethods->xWrite(base_of(f), from, n, at);
	struct event *e;

	if (rc != SQLITE_OK || file_of(f)->inode == NOTHING)
		return rc;
	pthread_mutex_lock(&t->mutex);
	if (!t->killed) {
		e = add_event(t, EVENT_WRITE, file_of(f)->inode);
		e->offset = at;
		e->len = (size_t)n;
		e->bytes = allocate((size_t)n);
		memcpy(e->bytes, from, (size_t)n);
	}
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct trace *t = recording;
	int rc = base_of(f)->pMethods->xTruncate(base_of(f), size);

	if (rc != SQLITE_OK || file_of(f)->inode == NOTHING)
		return rc;
	pthread_mutex_lock(&t->mutex);
	if (!t->killed)
		add_event(t, EVENT_TRUNCATE, file_of(f)->inode)->offset = size;
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

static int file_sync(sqlite3_file *f, int flags)
{
	struct trace_file *file = file_of(f);
	struct trace *t = recording;

	(void)flags;
	if (file->inode == NOTHING)
		return SQLITE_OK;
	record_sync(t, file->inode, NULL, t->sync_us);
	if (file->sync_dir != NULL)
		record_sync(t, NOTHING, file->sync_dir, t->sync_us);
	free(file->sync_dir);
	file->sync_dir = NULL;
	return SQLITE_OK;
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

static int file_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
	return base_of(f)->pMethods->xShmMap(base_of(f), region, size, extend, out);
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

static sqlite3_vfs *base_vfs(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static char *dir_of(const char *below)
{
	const char *slash = strrchr(below, '/');
	char *dir = duplicate(below);

	dir[slash != NULL ? slash - below : 0] = '\0';
	return dir;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
		    int *out_flags)
{
	const int journals = SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
	struct trace *t = recording;
	struct trace_file *file = file_of(f);
	const char *below = path_below(t, name);
	int rc;

	memset(file, 0, sizeof(*file));
	file->inode = NOTHING;
	file->base = (sqlite3_file *)(void *)(file + 1);
	pthread_mutex_lock(&t->mutex);
	rc = base_vfs(vfs)->xOpen(base_vfs(vfs), name, file->base, flags, out_flags);
	if (rc == SQLITE_OK) {
		file->head.pMethods = &file_methods;
		if (below != NULL && !t->killed)
			file->inode = inode_at(t, below);
		if (below != NULL && (flags & SQLITE_OPEN_CREATE) && (flags & journals))
			file->sync_dir = dir_of(below);
	}
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	struct trace *t = recording;
	const char *below = path_below(t, name);
	int rc;

	pthread_mutex_lock(&t->mutex);
	/* The sync of the directory is ours to record. */
	rc = base_vfs(vfs)->xDelete(base_vfs(vfs), name, 0);
	if (rc == SQLITE_OK && below != NULL && !t->killed)
		note_unlink(t, below);
	pthread_mutex_unlock(&t->mutex);
	if (rc == SQLITE_OK && below != NULL && sync_dir) {
		char *dir = dir_of(below);

		record_sync(t, NOTHING, dir, t->sync_us);
		free(dir);
	}
	return rc;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	return base_vfs(vfs)->xAccess(base_vfs(vfs), name, flags, out);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	return base_vfs(vfs)->xFullPathname(base_vfs(vfs), name, size, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	return base_vfs(vfs)->xRandomness(base_vfs(vfs), n, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	return base_vfs(vfs)->xSleep(base_vfs(vfs), us);
}

static int vfs_current_time(sqlite3_vfs *vfs, double *out)
{
	return base_vfs(vfs)->xCurrentTime(base_vfs(vfs), out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	return base_vfs(vfs)->xGetLastError(base_vfs(vfs), n, out);
}

static int vfs_current_time_64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	return base_vfs(vfs)->xCurrentTimeInt64(base_vfs(vfs), out);
}

static sqlite3_vfs trace_vfs = {
	.iVersion = 2,
	.zName = TRACE_VFS,
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

/* ---- start and stop ---- */

static struct bytes read_whole(const char *path)
{
	struct bytes out = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(path);
	out.len = (size_t)st.st_size;
	out.data = allocate(out.len);
	if (read(fd, out.data, out.len) != (ssize_t)out.len)
		fail(path);
	close(fd);
	return out;
}

/* Take what is below the directory as being on disk. */
static void take_start(struct trace *t, const char *sub)
{
	char path[4096];
	struct dirent *entry;
	struct stat st;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s", t->dir, sub);
	d = opendir(path);
	if (d == NULL)
		fail(path);
	while ((entry = readdir(d)) != NULL) {
		const char *below;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s%s%s", t->dir, sub,
			       sub[0] != '\0' ? "/" : "", entry->d_name);
		below = path_below(t, path);
		if (below == NULL)
			continue;
		if (stat(path, &st) != 0)
			fail(path);
		if (S_ISDIR(st.st_mode)) {
			names_put(&t->start, below, NOTHING);
			names_put(&t->now, below, NOTHING);
			take_start(t, below);
		} else {
			int inode = add_inode(t);

			t->initial[inode] = read_whole(path);
			names_put(&t->start, below, inode);
			names_put(&t->now, below, inode);
		}
	}
	closedir(d);
}

struct trace *trace_start(const char *dir, uint64_t seed, unsigned sync_us)
{
	struct trace *t = allocate(sizeof(*t));
	sqlite3_vfs *base;

	t->dir = realpath(dir, NULL);
	if (t->dir == NULL || recording != NULL)
		fail(dir);
	t->random.state = seed;
	t->sync_us = sync_us;
	t->kill_at = SIZE_MAX;
	pthread_mutex_init(&t->mutex, NULL);
	for (int fd = 0; fd < FD_MOST; fd++)
		t->fd_inode[fd] = NOTHING;
	take_start(t, "");
	vfs_register();
	base = sqlite3_vfs_find(NULL);
	trace_vfs.pAppData = base;
	trace_vfs.mxPathname = base->mxPathname;
	trace_vfs.szOsFile = (int)sizeof(struct trace_file) + base->szOsFile;
	if (sqlite3_vfs_register(&trace_vfs, 0) != SQLITE_OK)
		fail(TRACE_VFS);
	recording = t;
	vfs_replace(&trace_os, TRACE_VFS);
	return t;
}

void trace_stop(struct trace *t)
{
	vfs_replace(NULL, NULL);
	(void)sqlite3_vfs_unregister(&trace_vfs);
	if (recording == t)
		recording = NULL;
}

void trace_free(struct trace *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->events[i].path);
		free(t->events[i].bytes);
	}
	for (int i = 0; i < t->inodes; i++)
		free(t->initial[i].data);
	names_fini(&t->start);
	names_fini(&t->now);
	pthread_mutex_destroy(&t->mutex);
	free(t->initial);
	free(t->events);
	free(t->dir);
	free(t);
}

/* ---- notes ---- */

size_t trace_length(struct trace *t)
{
	size_t count;

	pthread_mutex_lock(&t->mutex);
	count = t->count;
	pthread_mutex_unlock(&t->mutex);
	return count;
}

void trace_note(struct trace *t, const char *what, int64_t value)
{
	struct event *e;

	pthread_mutex_lock(&t->mutex);
	if (!t->killed) {
		e = add_event(t, EVENT_NOTE, NOTHING);
		e->what = what;
		e->offset = value;
	}
	pthread_mutex_unlock(&t->mutex);
}

int64_t trace_highest_note(const struct trace *t, size_t cut, const char *what, int64_t least)
{
	for (size_t i = 0; i < cut; i++) {
		const struct event *e = &t->events[i];

		if (e->kind == EVENT_NOTE && e->offset > least && strcmp(e->what, what) == 0)
			least = e->offset;
	}
	return least;
}

size_t trace_after_note(const struct trace *t, size_t from)
{
	for (size_t i = from; i < t->count; i++)
		if (t->events[i].kind == EVENT_NOTE)
			return i + 1;
	return from;
}

/* ---- what a cut leaves ---- */

struct cut {
	const struct trace *t;
	size_t at;
	struct random random;
	size_t *synced; /* by inode: events before this one are on disk */
	/* This file lost all that it could, and no other lost anything; NOTHING: each has its own
	 * luck. */
	int behind;
	struct dir_synced {
		const char *dir;
		size_t synced;
	} dirs[8];
	size_t dir_count;
};

/* How lucky a file or directory is, in percent of what was not synced; extremes are the interesting
 * ones. */
static uint32_t draw_luck(struct random *r)
{
	static const uint32_t lucks[] = { 0, 0, 10, 50, 90, 100, 100 };

	return lucks[random_below(r, sizeof(lucks) / sizeof(lucks[0]))];
}

static void note_dir_synced(struct cut *c, const char *dir, size_t begin)
{
	size_t i = 0;

	while (i < c->dir_count && strcmp(c->dirs[i].dir, dir) != 0)
		i++;
	if (i == sizeof(c->dirs) / sizeof(c->dirs[0]))
		fail("too many directories");
	if (i == c->dir_count)
		c->dirs[c->dir_count++] = (struct dir_synced){ dir, 0 };
	if (c->dirs[i].synced < begin)
		c->dirs[i].synced = begin;
}

static void find_synced(struct cut *c)
{
	const struct trace *t = c->t;

	c->synced = allocate((size_t)t->inodes * sizeof(*c->synced));
	for (size_t i = 0; i < c->at; i++) {
		const struct event *e = &t->events[i];
		size_t begin = (size_t)e->offset;

		if (e->kind != EVENT_SYNC_END)
			continue;
		if (t->events[begin].kind == EVENT_DIR_SYNC_BEGIN)
			note_dir_synced(c, t->events[begin].path, begin);
		else if (c->synced[e->inode] < begin)
			c->synced[e->inode] = begin;
	}
}

static size_t find_dir_synced(const struct cut *c, const char *path)
{
	for (size_t i = 0; i < c->dir_count; i++)
		if (is_in_dir(path, c->dirs[i].dir))
			return c->dirs[i].synced;
	return 0;
}

/* Now and then a file that has something to lose: what another one relies on it for is missed then,
 * which takes two lucks at once otherwise. */
static int draw_behind(struct cut *c)
{
	bool *open = allocate((size_t)c->t->inodes * sizeof(*open));
	int behind = NOTHING;
	uint32_t count = 0;

	if (random_percent(&c->random, BEHIND_PERCENT))
		for (size_t i = 0; i < c->at; i++) {
			const struct event *e = &c->t->events[i];

			if (e->kind != EVENT_WRITE || i < c->synced[e->inode] || open[e->inode])
				continue;
			open[e->inode] = true;
			if (random_below(&c->random, ++count) == 0)
				behind = e->inode;
		}
	free(open);
	return behind;
}

/* Names as the directories have them. */
static struct names names_after(struct cut *c)
{
	struct names out = { 0 };
	uint32_t luck = draw_luck(&c->random);

	for (size_t i = 0; i < c->t->start.count; i++)
		names_put(&out, c->t->start.items[i].path, c->t->start.items[i].inode);
	for (size_t i = 0; i < c->at; i++) {
		const struct event *e = &c->t->events[i];

		if (e->kind != EVENT_NAME && e->kind != EVENT_MKDIR && e->kind != EVENT_UNLINK &&
		    e->kind != EVENT_RENAME)
			continue;
		if (i >= find_dir_synced(c, e->path) && !random_percent(&c->random, luck))
			continue;
		if (e->kind == EVENT_UNLINK)
			names_remove(&out, e->path);
		if (e->kind == EVENT_RENAME)
			names_remove(&out, (const char *)e->bytes);
		if (e->kind != EVENT_UNLINK)
			names_put(&out, e->path, e->inode);
	}
	return out;
}

static void content_resize(struct bytes *b, size_t len)
{
	if (len >= b->room) {
		b->room = len * 2 + SECTOR;
		b->data = realloc(b->data, b->room);
		if (b->data == NULL)
			fail("realloc");
	}
	if (len > b->len)
		memset(b->data + b->len, 0, len - b->len);
	b->len = len;
}

static void content_write(struct bytes *b, size_t at, const uint8_t *from, size_t len)
{
	if (len == 0)
		return;
	if (at + len > b->len)
		content_resize(b, at + len);
	memcpy(b->data + at, from, len);
}

/* A write that no sync covers: sector by sector it came or did not. */
static void write_by_luck(struct cut *c, struct bytes *b, const struct event *e, uint32_t luck)
{
	for (size_t done = 0; done < e->len;) {
		size_t at = (size_t)e->offset + done;
		size_t len = SECTOR - at % SECTOR;

		if (len > e->len - done)
			len = e->len - done;
		if (random_percent(&c->random, luck)) {
			content_write(b, at, e->bytes + done, len);
		} else if (at >= b->len && random_percent(&c->random, luck / 8)) {
			/* The file grew, its new part never came. */
			uint8_t garbage[SECTOR];

			for (size_t i = 0; i < len; i++)
				garbage[i] = (uint8_t)random_next(&c->random);
			content_write(b, at, garbage, len);
		}
		done += len;
	}
}

static struct bytes content_after(struct cut *c, int inode)
{
	const struct trace *t = c->t;
	struct bytes b = { 0 };
	uint32_t luck = draw_luck(&c->random);

	if (c->behind != NOTHING)
		luck = inode == c->behind ? 0 : 100;
	content_write(&b, 0, t->initial[inode].data, t->initial[inode].len);
	for (size_t i = 0; i < c->at; i++) {
		const struct event *e = &t->events[i];
		bool synced = i < c->synced[inode];

		if (e->inode != inode)
			continue;
		if (e->kind == EVENT_TRUNCATE && (synced || random_percent(&c->random, luck))) {
			content_resize(&b, (size_t)e->offset);
		} else if (e->kind == EVENT_WRITE) {
			if (synced)
				content_write(&b, (size_t)e->offset, e->bytes, e->len);
			else
				write_by_luck(c, &b, e, luck);
		}
	}
	return b;
}

static void write_file(const char *path, const struct bytes *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, b->data, b->len) != (ssize_t)b->len)
		fail(path);
	close(fd);
}

/* Whether all directories above path have kept their names. */
static bool has_parents(struct names *names, const char *path)
{
	char *dir = dir_of(path);
	bool found = dir[0] == '\0' || (names_find(names, dir) != NULL && has_parents(names, dir));

	free(dir);
	return found;
}

/* The directory of path, and those above it, which have kept their names. */
static void make_parents(const char *target, const char *path)
{
	char *dir = dir_of(path), *whole;

	if (dir[0] != '\0') {
		make_parents(target, dir);
		if (asprintf(&whole, "%s/%s", target, dir) < 0)
			fail("asprintf");
		if (mkdir(whole, 0700) != 0 && errno != EEXIST)
			fail(whole);
		free(whole);
	}
	free(dir);
}

static void make_name(struct cut *c, struct names *names, const struct name *name,
		      const char *target)
{
	struct bytes b;
	char *path;

	if (!has_parents(names, name->path))
		return;
	make_parents(target, name->path);
	if (asprintf(&path, "%s/%s", target, name->path) < 0)
		fail("asprintf");
	if (name->inode == NOTHING) {
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			fail(path);
	} else {
		b = content_after(c, name->inode);
		write_file(path, &b);
		free(b.data);
	}
	free(path);
}

void trace_materialise(const struct trace *t, size_t cut, uint64_t seed, const char *target)
{
	struct cut c = { .t = t, .at = cut, .random = { seed } };
	struct names names;

	find_synced(&c);
	c.behind = draw_behind(&c);
	names = names_after(&c);
	if (mkdir(target, 0700) != 0)
		fail(target);
	for (size_t i = 0; i < names.count; i++)
		make_name(&c, &names, &names.items[i], target);
	names_fini(&names);
	free(c.synced);
}

/* ---- kills ---- */

void trace_kill_at(struct trace *t, size_t position)
{
	pthread_mutex_lock(&t->mutex);
	t->kill_at = position;
	pthread_mutex_unlock(&t->mutex);
}

size_t trace_kill_now(struct trace *t)
{
	size_t count;

	pthread_mutex_lock(&t->mutex);
	t->killed = true;
	count = t->count;
	pthread_mutex_unlock(&t->mutex);
	return count;
}

bool trace_is_killed(struct trace *t)
{
	bool killed;

	pthread_mutex_lock(&t->mutex);
	killed = t->killed;
	pthread_mutex_unlock(&t->mutex);
	return killed;
}

void trace_revive(struct trace *t)
{
	struct cut all = { .t = t, .at = t->count, .behind = NOTHING };

	/* A kernel that goes on loses nothing: the same as if all were synced. */
	all.synced = allocate((size_t)t->inodes * sizeof(*all.synced));
	for (int i = 0; i < t->inodes; i++)
		all.synced[i] = t->count;
	tmpdir_remove_tree(t->dir);
	if (mkdir(t->dir, 0700) != 0)
		fail(t->dir);
	for (size_t i = 0; i < t->now.count; i++)
		make_name(&all, &t->now, &t->now.items[i], t->dir);
	free(all.synced);
	t->kill_at = SIZE_MAX;
	t->killed = false;
}
