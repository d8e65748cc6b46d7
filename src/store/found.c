/* See the header. The log comes first and the tree's name last: a log without a tree, and a tree
 * without a log, are refused by a start, and the rename is the moment from which both are there. */
#include "store/found.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/marker.h"
#include "store/rows.h"
#include "store/segment.h"
#include "store/vfs.h"

#define TREE_NAME "tree.db"
#define PART_NAME "tree.db.part"

/* Nothing else is there that could bear a number. */
enum { FIRST_SEGMENT = 1, FOUND_CACHE_KIB = 2048 };
#define EPOCH_MOST UINT32_C(0x7fffffff)

struct found {
	char *dir;
	char *log_parent;
	char *log_dir;
	char *tree;
	char *part;
	int lock_fd; /* held: the part is ours */
	int log_lock_fd;
	bool has_log; /* begun, and the tree is not in its place yet */
	uid_t uid;    /* -1: stays as it is */
	gid_t gid;
};

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s: %s", path, what, strerror(errno));
	return -1;
}

static void remove_log(const struct found *f)
{
	char *path = files_segment_path(f->log_dir, FIRST_SEGMENT);

	files_remove_database(path);
	mem_free(path);
}

/* Whether the log is that of the part, which then waits for nothing but its rename. */
static bool is_log_of_part(const struct found *f)
{
	struct segment *g = NULL;
	struct rows *r = NULL;
	char *path = files_segment_path(f->log_dir, FIRST_SEGMENT);
	char reason[STORE_REASON_LEN];
	bool same = access(path, F_OK) == 0 && access(f->part, F_OK) == 0 &&
		    rows_open(&r, f->part, DB_WRITE, FOUND_CACHE_KIB, false, reason) == 0 &&
		    segment_open(&g, f->log_dir, FIRST_SEGMENT, reason) == 0 &&
		    g->last == g->prev &&
		    memcmp(g->database, rows_meta(r)->database, DATABASE_ID_LEN) == 0;

	segment_close(g, true);
	rows_close(r, true);
	mem_free(path);
	return same;
}

/* What a founding left that was killed. */
static void remove_leftovers(const struct found *f)
{
	if (access(f->tree, F_OK) != 0 && is_log_of_part(f))
		remove_log(f);
	files_remove_database(f->part);
}

int found_open(struct found **out, const char *data_dir, const char *log_dir,
	       char reason[STORE_REASON_LEN])
{
	struct found *f = mem_new(sizeof(*f));

	*out = f;
	vfs_register();
	f->lock_fd = f->log_lock_fd = -1;
	f->uid = (uid_t)-1;
	f->gid = (gid_t)-1;
	f->dir = mem_strdup(data_dir);
	f->log_parent = mem_strdup(log_dir != NULL ? log_dir : data_dir);
	f->log_dir = files_join(f->log_parent, "log");
	f->tree = files_join(f->dir, TREE_NAME);
	f->part = files_join(f->dir, PART_NAME);
	if (files_make_dir(f->dir, reason) != 0 || files_lock(f->dir, &f->lock_fd, reason) != 0 ||
	    files_make_dir(f->log_parent, reason) != 0)
		return -1;
	if (!files_same_dir(f->log_parent, f->dir) &&
	    files_lock(f->log_parent, &f->log_lock_fd, reason) != 0)
		return -1;
	if (files_make_dir(f->log_dir, reason) != 0)
		return -1;
	remove_leftovers(f);
	return 0;
}

int found_check_unused(const struct found *f, char reason[STORE_REASON_LEN])
{
	uint32_t *numbers;
	size_t count;

	if (access(f->tree, F_OK) == 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: there is a registry already",
			       f->tree);
		return -1;
	}
	if (errno != ENOENT)
		return fail(f->tree, "cannot be looked at", reason);
	if (files_find_segments(f->log_dir, &numbers, &count, reason) != 0)
		return -1;
	mem_free(numbers);
	if (count == 0)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN, "%s: there is a log already", f->log_dir);
	return -1;
}

const char *found_part(const struct found *f)
{
	return f->part;
}

/* ---- finish ---- */

static void renew_id(struct rows *r, uint8_t id[DATABASE_ID_LEN])
{
	sqlite3_stmt *stmt =
		db_prepare(rows_db(r), "UPDATE meta SET value = ?1 WHERE key = 'database'");

	crypto_random(id, DATABASE_ID_LEN);
	db_bind_blob(stmt, 1, (struct slice){ (const char *)id, DATABASE_ID_LEN });
	db_must_run(rows_db(r), stmt);
	sqlite3_finalize(stmt);
}

/* The part as one file, all of it on disk; what the log needs to know of it. */
static int close_part(const struct found *f, struct segment *like, char reason[STORE_REASON_LEN])
{
	struct rows *r;
	int fd, rc;

	if (rows_open(&r, f->part, DB_WRITE, FOUND_CACHE_KIB, false, reason) != 0)
		return -1;
	renew_id(r, like->database);
	like->prev = rows_meta(r)->zxid;
	rows_close(r, false);
	if (files_has_wal(f->part)) {
		(void)snprintf(reason, STORE_REASON_LEN,
			       "%s: its -wal cannot be taken in (is the disk full?)", f->part);
		return -1;
	}
	fd = vfs_os()->open_file(f->part);
	if (fd < 0)
		return fail(f->part, "cannot open", reason);
	rc = vfs_os()->sync_file(fd);
	if (rc != 0)
		(void)fail(f->part, "cannot be put on disk", reason);
	(void)vfs_os()->close_file(fd);
	return rc;
}

static int check_zxid(const struct found *f, int64_t zxid, uint32_t epoch,
		      char reason[STORE_REASON_LEN])
{
	if (zxid >= 0 && (zxid >> 32) < EPOCH_MOST && epoch < EPOCH_MOST)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: there is no epoch left above 0x%llx (the last one is 0x%x)", f->part,
		       (unsigned long long)zxid, EPOCH_MOST);
	return -1;
}

static int begin_log(const struct found *f, struct segment *like, char reason[STORE_REASON_LEN])
{
	struct segment *g;

	like->number = FIRST_SEGMENT;
	like->state = SEGMENT_USED;
	if (segment_create(&g, f->log_dir, like, reason) != 0)
		return -1;
	segment_close(g, false);
	return 0;
}

void found_set_owner(struct found *f, uid_t uid, gid_t gid)
{
	f->uid = uid;
	f->gid = gid;
}

/* What belongs to others is theirs, as where a server's directory is founded on by root. */
static int give(const struct found *f, const char *path, char reason[STORE_REASON_LEN])
{
	struct stat st;

	if (lstat(path, &st) != 0 || st.st_uid != geteuid())
		return 0;
	return lchown(path, f->uid, f->gid) == 0 ? 0 : fail(path, "cannot be given away", reason);
}

/* Whether nothing lies in the log's directory but what a registry has there: it may be one that
 * others use too, /var/lib for instance. */
static bool has_log_alone(const struct found *f)
{
	const struct dirent *entry;
	DIR *d = opendir(f->log_parent);
	bool is_alone = d != NULL;

	while (is_alone && (entry = readdir(d)) != NULL)
		is_alone = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			   strcmp(entry->d_name, "log") == 0 ||
			   strcmp(entry->d_name, "lock") == 0 ||
			   strcmp(entry->d_name, "ballast") == 0 ||
			   strcmp(entry->d_name, "lost+found") == 0 ||
			   strncmp(entry->d_name, "replaced-", strlen("replaced-")) == 0;
	if (d != NULL)
		closedir(d);
	return is_alone;
}

static int give_all(const struct found *f, char reason[STORE_REASON_LEN])
{
	char *segment = files_segment_path(f->log_dir, FIRST_SEGMENT);
	int rc = 0;

	if (f->uid != (uid_t)-1 || f->gid != (gid_t)-1) {
		const char *const paths[] = { f->dir, f->log_dir, f->part, segment };

		for (size_t i = 0; i < sizeof(paths) / sizeof(*paths) && rc == 0; i++)
			rc = give(f, paths[i], reason);
		if (rc == 0 && f->log_lock_fd >= 0 && has_log_alone(f))
			rc = give(f, f->log_parent, reason);
		if (rc == 0 && fchown(f->lock_fd, f->uid, f->gid) != 0)
			rc = fail(f->dir, "its lock cannot be given away", reason);
		if (rc == 0 && f->log_lock_fd >= 0 && fchown(f->log_lock_fd, f->uid, f->gid) != 0)
			rc = fail(f->log_parent, "its lock cannot be given away", reason);
	}
	mem_free(segment);
	return rc;
}

static int put_in_place(const struct found *f, char reason[STORE_REASON_LEN])
{
	if (marker_forget(f->dir, reason) != 0 || give_all(f, reason) != 0)
		return -1;
	if (vfs_os()->rename(f->part, f->tree) != 0)
		return fail(f->tree, "cannot be put in its place", reason);
	return 0;
}

int found_finish(struct found *f, uint32_t epoch, char reason[STORE_REASON_LEN])
{
	struct segment like = { 0 };

	if (found_check_unused(f, reason) != 0 || close_part(f, &like, reason) != 0 ||
	    check_zxid(f, like.prev, epoch, reason) != 0)
		return -1;
	like.epoch = (uint32_t)(like.prev >> 32);
	if (epoch > like.epoch)
		like.epoch = epoch;
	f->has_log = true;
	if (begin_log(f, &like, reason) != 0 || put_in_place(f, reason) != 0)
		return -1;
	if (vfs_os()->sync_dir(f->dir) != 0) {
		(void)fail(f->dir, "cannot be put on disk", reason);
		(void)vfs_os()->rename(f->tree, f->part);
		return -1;
	}
	f->has_log = false;
	return 0;
}

int found_check_whole(const char *data_dir, char reason[STORE_REASON_LEN])
{
	char *tree = files_join(data_dir, TREE_NAME), *part = files_join(data_dir, PART_NAME);
	bool is_whole = access(part, F_OK) != 0 || access(tree, F_OK) == 0;

	if (!is_whole)
		(void)snprintf(
			reason, STORE_REASON_LEN,
			"%s: the import or the restore that made it was cut short: repeat it, "
			"or remove this file",
			part);
	mem_free(part);
	mem_free(tree);
	return is_whole ? 0 : -1;
}

void found_close(struct found *f)
{
	if (f == NULL)
		return;
	if (f->has_log)
		remove_log(f);
	if (f->lock_fd >= 0)
		files_remove_database(f->part);
	if (f->log_lock_fd >= 0)
		close(f->log_lock_fd);
	if (f->lock_fd >= 0)
		close(f->lock_fd);
	mem_free(f->part);
	mem_free(f->tree);
	mem_free(f->log_dir);
	mem_free(f->log_parent);
	mem_free(f->dir);
	mem_free(f);
}
