/* See the header. Names are as ZooKeeper's Util and SnapStream take them: "log.<hex>",
 * "snapshot.<hex>" with ".gz" or ".snappy" where it is compressed. */
#include "store/zk_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/files.h"

#define VERSION_DIR "version-2"
#define PID_NAME "zookeeper_server.pid"
#define ZOOKEEPERS_CLASSES "org.apache.zookeeper."

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* ---- names ---- */

/* "log.1f" gives 0x1f, with the rest behind the number. */
static bool parse_name(const char *name, const char *prefix, int64_t *zxid, const char **rest)
{
	size_t len = strlen(prefix);
	unsigned long long v;
	char *end;

	if (strncmp(name, prefix, len) != 0 || strspn(name + len, "0123456789abcdefABCDEF") == 0)
		return false;
	errno = 0;
	v = strtoull(name + len, &end, 16);
	*zxid = (int64_t)v;
	*rest = end;
	return errno == 0 && v <= INT64_MAX;
}

static bool is_snapshot(const char *name, int64_t *zxid)
{
	const char *rest;

	return parse_name(name, "snapshot.", zxid, &rest) &&
	       (*rest == '\0' || strcmp(rest, ".gz") == 0 || strcmp(rest, ".snappy") == 0);
}

static bool is_log(const char *name, int64_t *zxid)
{
	const char *rest;

	return parse_name(name, "log.", zxid, &rest) && *rest == '\0';
}

static void add_file(struct zk_files *l, const char *dir, const char *name, int64_t zxid)
{
	struct zk_dir_file *file;
	struct stat st;

	l->items = mem_grow(l->items, (l->count + 1) * sizeof(*l->items));
	file = &l->items[l->count++];
	*file = (struct zk_dir_file){ mem_strdup(name), files_join(dir, name), zxid, 0, 0 };
	if (stat(file->path, &st) == 0) {
		file->device = st.st_dev;
		file->inode = st.st_ino;
	}
}

static int compare_rising(const void *a, const void *b)
{
	int64_t x = ((const struct zk_dir_file *)a)->zxid,
		y = ((const struct zk_dir_file *)b)->zxid;

	return (x > y) - (x < y);
}

static int compare_falling(const void *a, const void *b)
{
	return compare_rising(b, a);
}

/* ---- open ---- */

/* Either may be NULL. */
static int list_dir(const char *dir, struct zk_files *snapshots, struct zk_files *logs,
		    char reason[STORE_REASON_LEN])
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int64_t zxid;
	int rc = 0;

	if (d == NULL)
		return fail(dir, "cannot read the directory", reason);
	for (errno = 0; (entry = readdir(d)) != NULL; errno = 0) {
		if (snapshots != NULL && is_snapshot(entry->d_name, &zxid))
			add_file(snapshots, dir, entry->d_name, zxid);
		else if (logs != NULL && is_log(entry->d_name, &zxid))
			add_file(logs, dir, entry->d_name, zxid);
	}
	if (errno != 0)
		rc = fail(dir, "cannot read the directory", reason);
	closedir(d);
	return rc;
}

static void mark_file(uint64_t *mark, const struct stat *st)
{
	const int64_t facts[] = { (int64_t)st->st_ino, (int64_t)st->st_size,
				  (int64_t)st->st_mtim.tv_sec, (int64_t)st->st_mtim.tv_nsec };

	*mark = *mark * 31 + hash_bytes((const char *)facts, sizeof(facts));
}

/* What tells whether anything has changed. */
static uint64_t mark_of(const struct zk_dir *d)
{
	const struct zk_files *const lists[] = { &d->snapshots, &d->logs };
	const char *const dirs[] = { d->snapshot_dir, d->log_dir };
	uint64_t mark = 0;
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		if (stat(dirs[i], &st) == 0)
			mark_file(&mark, &st);
		for (size_t k = 0; k < lists[i]->count; k++)
			if (stat(lists[i]->items[k].path, &st) == 0)
				mark_file(&mark, &st);
	}
	return mark;
}

/* dir/version-2 where it is there, or dir itself. */
static char *version_dir(const char *dir)
{
	char *below = files_join(dir, VERSION_DIR);
	struct stat st;

	if (stat(below, &st) == 0 && S_ISDIR(st.st_mode))
		return below;
	mem_free(below);
	return mem_strdup(dir);
}

static void sort_files(struct zk_files *l, int (*compare)(const void *a, const void *b))
{
	if (l->count > 0)
		qsort(l->items, l->count, sizeof(*l->items), compare);
}

int zk_dir_open(struct zk_dir *d, const char *dir, const char *log_dir,
		char reason[STORE_REASON_LEN])
{
	*d = (struct zk_dir){ .snapshot_dir = version_dir(dir) };
	d->log_dir = log_dir != NULL ? version_dir(log_dir) : mem_strdup(d->snapshot_dir);
	if (list_dir(d->snapshot_dir, &d->snapshots, NULL, reason) != 0 ||
	    list_dir(d->log_dir, NULL, &d->logs, reason) != 0)
		return -1;
	sort_files(&d->snapshots, compare_falling);
	sort_files(&d->logs, compare_rising);
	d->mark = mark_of(d);
	if (d->snapshots.count > 0)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN, "%s: there is no snapshot of a ZooKeeper%s",
		       d->snapshot_dir,
		       d->logs.count > 0 ? ", only logs: it would not start from them either" : "");
	return -1;
}

static void free_files(struct zk_files *l)
{
	for (size_t i = 0; i < l->count; i++) {
		mem_free(l->items[i].name);
		mem_free(l->items[i].path);
	}
	mem_free(l->items);
}

void zk_dir_fini(struct zk_dir *d)
{
	free_files(&d->snapshots);
	free_files(&d->logs);
	mem_free(d->snapshot_dir);
	mem_free(d->log_dir);
	*d = (struct zk_dir){ 0 };
}

/* ---- who is at work there ---- */

static const struct zk_dir_file *find_log(const struct zk_dir *d, const struct stat *st)
{
	for (size_t i = 0; i < d->logs.count; i++) {
		const struct zk_dir_file *log = &d->logs.items[i];

		if (log->inode == st->st_ino && log->device == st->st_dev)
			return log;
	}
	return NULL;
}

/* The log that a process has open; NULL: none, or it is nobody's to ask. */
static const struct zk_dir_file *open_log_of(const struct zk_dir *d, const char *pid)
{
	const struct zk_dir_file *found = NULL;
	struct dirent *entry;
	char path[64];
	DIR *fds;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	while (fds != NULL && found == NULL && (entry = readdir(fds)) != NULL) {
		struct stat st;

		if (fstatat(dirfd(fds), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			found = find_log(d, &st);
	}
	if (fds != NULL)
		closedir(fds);
	return found;
}

static int check_processes(const struct zk_dir *d, char reason[STORE_REASON_LEN])
{
	const long self = (long)getpid();
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int rc = 0;

	while (proc != NULL && rc == 0 && (entry = readdir(proc)) != NULL) {
		long pid = strtol(entry->d_name, NULL, 10);
		const struct zk_dir_file *log;

		if (pid <= 0 || pid == self)
			continue;
		log = open_log_of(d, entry->d_name);
		if (log == NULL)
			continue;
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: process %ld has it open: is a ZooKeeper running?", log->path,
			       pid);
		rc = -1;
	}
	if (proc != NULL)
		closedir(proc);
	return rc;
}

/* Whether that is a ZooKeeper, and not one that got its number after it. */
static bool is_zookeeper(long pid)
{
	char path[64], text[64 * 1024];
	size_t len = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
	file = fopen(path, "re");
	if (file != NULL) {
		len = fread(text, 1, sizeof(text), file);
		fclose(file);
	}
	return memmem(text, len, ZOOKEEPERS_CLASSES, strlen(ZOOKEEPERS_CLASSES)) != NULL;
}

/* zkServer.sh keeps its number in dataDir, and removes that when it stops it. */
static int check_pid_file(const char *dir, const char *name, char reason[STORE_REASON_LEN])
{
	char *path = files_join(dir, name);
	FILE *file = fopen(path, "re");
	long pid = 0;
	int rc = 0;

	if (file != NULL) {
		if (fscanf(file, "%9ld", &pid) != 1)
			pid = 0;
		fclose(file);
	}
	if (pid > 0 && is_zookeeper(pid)) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: ZooKeeper is running: process %ld",
			       path, pid);
		rc = -1;
	}
	mem_free(path);
	return rc;
}

int zk_dir_check_idle(const struct zk_dir *d, char reason[STORE_REASON_LEN])
{
	if (check_pid_file(d->snapshot_dir, PID_NAME, reason) != 0 ||
	    check_pid_file(d->snapshot_dir, "../" PID_NAME, reason) != 0 ||
	    check_processes(d, reason) != 0)
		return -1;
	if (mark_of(d) == d->mark)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: something has changed meanwhile: is a ZooKeeper running?", d->log_dir);
	return -1;
}
