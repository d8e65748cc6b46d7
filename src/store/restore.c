/* See the header. The part is finished and on disk before anything is moved. While old files move
 * out and new ones in, a marker keeps every start away. */
#include "store/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/copy.h"
#include "store/files.h"
#include "store/found.h"
#include "store/readonly.h"
#include "store/rows.h"
#include "store/vfs.h"

enum { RAISE = 1024, ALL_PAGES = -1, CACHE_KIB = 16 * 1024, PATH_MOST = 1024 * 1024 };
#define EPOCH_MOST UINT32_C(0x7ffffffe)
#define MARKER "restoring"
#define QUOTA "/zookeeper/quota"

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%.400s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* ---- the epochs that are known ---- */

static void see_number(sqlite3 *db, const char *sql, unsigned shift, uint32_t *epoch)
{
	char reason[DB_REASON_LEN];
	sqlite3_stmt *stmt = readonly_ask(db, sql, reason);
	uint64_t found;

	if (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW) {
		found = (uint64_t)sqlite3_column_int64(stmt, 0) >> shift;
		if (found > *epoch && found <= EPOCH_MOST)
			*epoch = (uint32_t)found;
	}
	sqlite3_finalize(stmt);
}

/* What cannot be read says nothing: that may be why somebody restores. */
static void see_tree(const char *path, uint32_t *epoch)
{
	char reason[DB_REASON_LEN];
	sqlite3 *db;

	if (access(path, F_OK) != 0 || readonly_open(&db, path, reason) != 0)
		return;
	see_number(db, "SELECT value FROM meta WHERE key = 'zxid'", 32, epoch);
	readonly_close(db);
}

static void see_log(const char *log_dir, uint32_t *epoch)
{
	char reason[STORE_REASON_LEN];
	uint32_t *numbers;
	size_t count;
	sqlite3 *db;

	if (files_find_segments(log_dir, &numbers, &count, reason) != 0)
		return;
	for (size_t i = 0; i < count; i++) {
		char *path = files_segment_path(log_dir, numbers[i]);

		if (readonly_open(&db, path, reason) == 0) {
			see_number(db, "SELECT max(epoch) FROM segment", 0, epoch);
			see_number(db, "SELECT max(zxid) FROM change", 32, epoch);
			readonly_close(db);
		}
		mem_free(path);
	}
	mem_free(numbers);
}

/* What a restore that was cut short knew: the files that told it are moved already. */
static void see_marker(const char *dir, uint32_t *epoch)
{
	char *path = files_join(dir, MARKER);
	FILE *file = fopen(path, "re");
	uint32_t told = 0;

	if (file != NULL && fscanf(file, "%" SCNu32, &told) == 1 && told > *epoch &&
	    told <= EPOCH_MOST)
		*epoch = told;
	if (file != NULL)
		fclose(file);
	mem_free(path);
}

static uint32_t known_epoch(const struct restore_options *o)
{
	char *tree = files_join(o->data_dir, "tree.db");
	char *log_dir = files_join(o->log_dir != NULL ? o->log_dir : o->data_dir, "log");
	uint32_t epoch = o->epoch;

	see_tree(o->file, &epoch);
	see_tree(tree, &epoch);
	see_log(log_dir, &epoch);
	see_marker(o->data_dir, &epoch);
	mem_free(tree);
	mem_free(log_dir);
	return epoch;
}

/* ---- the tree without sessions ---- */

struct change {
	sqlite3 *db;
	const struct restore_options *o;
	struct restore_report *report;
	sqlite3_stmt *parent; /* loses children */
	sqlite3_stmt *limits; /* whether a path has a quota */
	sqlite3_stmt *stats;  /* reads its statistics */
	sqlite3_stmt *put_stats;
	struct buf path;
	struct buf text;
};

static bool run(struct change *c, const char *sql)
{
	return db_exec(c->db, sql) == SQLITE_OK;
}

/* Step a statement that gives at most one row. */
static int step(sqlite3_stmt *stmt)
{
	return sqlite3_step(stmt) & 0xff;
}

static bool lessen_parent(struct change *c, struct slice path, int64_t children)
{
	struct slice parent, name;
	bool is_done;

	rows_split_path(path, &parent, &name);
	db_bind_text(c->parent, 1, parent);
	db_bind_text(c->parent, 2, name);
	db_bind_int(c->parent, 3, children);
	db_bind_int(c->parent, 4, c->report->zxid);
	is_done = step(c->parent) == SQLITE_DONE;
	db_reset(c->parent);
	c->report->parents++;
	return is_done;
}

static bool lessen_parents(struct change *c)
{
	sqlite3_stmt *stmt = NULL;
	bool is_good = sqlite3_prepare_v2(c->db,
					  "SELECT parent, count(*) FROM znode WHERE owner > 0 "
					  "GROUP BY parent",
					  -1, &stmt, NULL) == SQLITE_OK;
	int rc = SQLITE_DONE;

	while (is_good && (rc = step(stmt)) == SQLITE_ROW)
		is_good = lessen_parent(c, db_column(stmt, 0), sqlite3_column_int64(stmt, 1));
	sqlite3_finalize(stmt);
	return is_good && rc == SQLITE_DONE;
}

/* Whether path, the first len bytes of c->path, has a quota; c->text is then where it is. */
static bool has_quota(struct change *c, size_t len)
{
	bool is_there;

	buf_clear(&c->text);
	buf_put(&c->text, slice_of(QUOTA));
	buf_put(&c->text, (struct slice){ (const char *)buf_head(&c->path), len });
	db_bind_text(c->limits, 1, buf_slice(&c->text));
	is_there = step(c->limits) == SQLITE_ROW;
	db_reset(c->limits);
	return is_there;
}

/* c->text: where the quota is. */
static bool lessen_stats(struct change *c, int64_t bytes)
{
	struct slice at = buf_slice(&c->text);
	struct buf stats;
	bool is_done = true;

	buf_init(&stats, PATH_MOST);
	db_bind_text(c->stats, 1, at);
	if (step(c->stats) == SQLITE_ROW) {
		c->o->reduce(db_column(c->stats, 0), 1, bytes, &stats);
		db_bind_text(c->put_stats, 1, at);
		db_bind_blob(c->put_stats, 2, buf_slice(&stats));
	}
	db_reset(c->stats);
	if (buf_len(&stats) > 0) {
		is_done = step(c->put_stats) == SQLITE_DONE;
		db_reset(c->put_stats);
	}
	buf_fini(&stats);
	return is_done;
}

/* The longest path that has a quota counts alone. */
static bool lessen_quota(struct change *c, struct slice parent, struct slice name, int64_t bytes)
{
	size_t len;

	buf_clear(&c->path);
	if (!slice_is(parent, "/"))
		buf_put(&c->path, parent);
	buf_put(&c->path, slice_of("/"));
	buf_put(&c->path, name);
	for (len = buf_len(&c->path); len > 0;) {
		if (has_quota(c, len))
			return lessen_stats(c, bytes);
		while (len > 0 && buf_head(&c->path)[--len] != '/')
			;
	}
	return true;
}

static bool lessen_quotas(struct change *c)
{
	sqlite3_stmt *stmt = NULL;
	bool is_good = sqlite3_prepare_v2(c->db,
					  "SELECT parent, name, coalesce(length(data), 0) FROM "
					  "znode WHERE owner > 0 AND EXISTS (SELECT 1 FROM znode "
					  "WHERE parent >= '" QUOTA "/' AND parent < '" QUOTA
					  "0' AND name = 'zookeeper_limits')",
					  -1, &stmt, NULL) == SQLITE_OK;
	int rc = SQLITE_DONE;

	while (is_good && (rc = step(stmt)) == SQLITE_ROW)
		is_good = lessen_quota(c, db_column(stmt, 0), db_column(stmt, 1),
				       sqlite3_column_int64(stmt, 2));
	sqlite3_finalize(stmt);
	return is_good && rc == SQLITE_DONE;
}

static bool count(struct change *c, const char *sql, uint64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	bool is_there = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
			step(stmt) == SQLITE_ROW;

	if (is_there)
		*out = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return is_there;
}

static bool prepare(struct change *c)
{
	const struct {
		sqlite3_stmt **stmt;
		const char *sql;
	} all[] = {
		{ &c->parent, "UPDATE znode SET num_children = num_children - ?3, pzxid = ?4 "
			      "WHERE parent = ?1 AND name = ?2" },
		{ &c->limits, "SELECT 1 FROM znode WHERE parent = ?1 AND name = "
			      "'zookeeper_limits'" },
		{ &c->stats, "SELECT data FROM znode WHERE parent = ?1 AND name = "
			     "'zookeeper_stats'" },
		{ &c->put_stats, "UPDATE znode SET data = ?2 WHERE parent = ?1 AND name = "
				 "'zookeeper_stats'" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (sqlite3_prepare_v2(c->db, all[i].sql, -1, all[i].stmt, NULL) != SQLITE_OK)
			return false;
	return true;
}

static bool put_zxid(struct change *c)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql), "UPDATE meta SET value = %" PRId64 " WHERE key = 'zxid'",
		       c->report->zxid);
	return run(c, sql);
}

/* As the end of all sessions in one change. */
static bool end_sessions(struct change *c)
{
	return run(c, "BEGIN IMMEDIATE") && prepare(c) &&
	       count(c, "SELECT count(*) FROM session", &c->report->sessions) &&
	       count(c, "SELECT count(*) FROM znode WHERE owner > 0", &c->report->ephemerals) &&
	       lessen_quotas(c) && lessen_parents(c) &&
	       run(c, "UPDATE acl SET znodes = acl.znodes - e.n FROM (SELECT acl, count(*) AS n "
		      "FROM znode WHERE owner > 0 GROUP BY acl) AS e WHERE e.acl = acl.key; "
		      "DELETE FROM znode WHERE owner > 0; DELETE FROM acl WHERE znodes = 0; "
		      "DELETE FROM session") &&
	       put_zxid(c) && run(c, "COMMIT");
}

static int change_part(const struct restore_options *o, const char *part,
		       struct restore_report *out, char reason[STORE_REASON_LEN])
{
	struct change c = { .o = o, .report = out };
	int rc = 0;

	if (db_open(&c.db, part, DB_WRITE, CACHE_KIB, reason) != 0)
		return -1;
	buf_init(&c.path, PATH_MOST);
	buf_init(&c.text, PATH_MOST);
	if (!end_sessions(&c))
		rc = db_fail(c.db, "cannot be changed", reason);
	sqlite3_finalize(c.parent);
	sqlite3_finalize(c.limits);
	sqlite3_finalize(c.stats);
	sqlite3_finalize(c.put_stats);
	buf_fini(&c.path);
	buf_fini(&c.text);
	db_close(c.db, false);
	return rc;
}

static int copy_file(const char *file, const char *part, char reason[STORE_REASON_LEN])
{
	struct copy *copy = NULL;
	sqlite3 *from;
	int rc = -1;

	if (readonly_open(&from, file, reason) != 0)
		return -1;
	copy = copy_begin(from, part, reason);
	if (copy != NULL && copy_step(copy, ALL_PAGES, reason) == COPY_DONE)
		rc = 0;
	copy_end(copy);
	readonly_close(from);
	return rc;
}

/* Of what becomes the tree, not of the file that it was copied from. */
static int verify_copy(const struct restore_options *o, const char *part,
		       char reason[STORE_REASON_LEN])
{
	struct verify_report found;

	if (verify_tree(part, o->teller, &found) != 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: the copy of it is not whole",
			       o->file);
		return -1;
	}
	if (o->digest == NULL || strcmp(o->digest, found.digest.whole) == 0)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN, "%.400s: was altered while it was restored",
		       o->file);
	return -1;
}

/* ---- what is moved ---- */

bool restore_is_cut_short(const char *dir)
{
	char *path = files_join(dir, MARKER);
	bool is_there = access(path, F_OK) == 0;

	mem_free(path);
	return is_there;
}

static int put_marker(const char *dir, uint32_t epoch, char reason[STORE_REASON_LEN])
{
	char *path = files_join(dir, MARKER);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = 0;

	if (fd < 0 || dprintf(fd, "%" PRIu32 "\n", epoch) < 0 || vfs_os()->sync_file(fd) != 0)
		rc = fail(path, "cannot make", reason);
	if (fd >= 0)
		close(fd);
	if (rc == 0 && vfs_os()->sync_dir(dir) != 0)
		rc = fail(dir, "cannot sync the directory", reason);
	mem_free(path);
	return rc;
}

static int remove_marker(const char *dir, char reason[STORE_REASON_LEN])
{
	char *path = files_join(dir, MARKER);
	int rc = 0;

	if (vfs_os()->unlink(path) != 0)
		rc = fail(path, "cannot remove", reason);
	else if (vfs_os()->sync_dir(dir) != 0)
		rc = fail(dir, "cannot sync the directory", reason);
	mem_free(path);
	return rc;
}

/* A directory in dir that is not there yet. */
static int make_aside(const char *dir, char **out, char reason[STORE_REASON_LEN])
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	char stamp[32] = "", name[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), i == 0 ? "replaced-%s" : "replaced-%s.%u", stamp,
			       i);
		*out = files_join(dir, name);
		if (vfs_os()->mkdir(*out, 0700) == 0)
			return 0;
		if (errno != EEXIST) {
			(void)fail(*out, "cannot make the directory", reason);
			mem_free(*out);
			*out = NULL;
			return -1;
		}
		mem_free(*out);
	}
	*out = NULL;
	errno = EEXIST;
	return fail(dir, "cannot make a directory for the old files", reason);
}

/* What is not there need not be moved. */
static int move(const char *dir, const char *name, const char *aside, char reason[STORE_REASON_LEN])
{
	char *from = files_join(dir, name), *to = files_join(aside, name);
	int rc = 0;

	if (vfs_os()->rename(from, to) != 0 && errno != ENOENT)
		rc = fail(from, "cannot be moved", reason);
	mem_free(from);
	mem_free(to);
	return rc;
}

static int sync_both(const char *a, const char *b, char reason[STORE_REASON_LEN])
{
	if (vfs_os()->sync_dir(a) != 0)
		return fail(a, "cannot sync the directory", reason);
	if (vfs_os()->sync_dir(b) != 0)
		return fail(b, "cannot sync the directory", reason);
	return 0;
}

static int move_log(const char *parent, const char *aside, char reason[STORE_REASON_LEN])
{
	char *log_dir = files_join(parent, "log");
	int rc = -1;

	if (move(parent, "log", aside, reason) == 0 && files_make_dir(log_dir, reason) == 0)
		rc = sync_both(aside, parent, reason);
	mem_free(log_dir);
	return rc;
}

static int move_tree(const char *dir, const char *aside, char reason[STORE_REASON_LEN])
{
	/* "next": a copy under way; "state": what store/marker.h says of the others. */
	static const char *const names[] = { "tree.db",          "tree.db-wal",  "tree.db-shm",
					     "tree.db-journal",  "tree.db.next", "tree.db.next-wal",
					     "tree.db.next-shm", "state" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (move(dir, names[i], aside, reason) != 0)
			return -1;
	return sync_both(aside, dir, reason);
}

/* A log in a directory of its own has its old files there: another file system, perhaps. */
static int move_all(const struct restore_options *o, struct restore_report *out,
		    char reason[STORE_REASON_LEN])
{
	bool is_apart = o->log_dir != NULL && !files_same_dir(o->log_dir, o->data_dir);

	if (make_aside(o->data_dir, &out->aside, reason) != 0 ||
	    (is_apart && make_aside(o->log_dir, &out->log_aside, reason) != 0) ||
	    move_tree(o->data_dir, out->aside, reason) != 0)
		return -1;
	return move_log(is_apart ? o->log_dir : o->data_dir, is_apart ? out->log_aside : out->aside,
			reason);
}

/* The part is whole, and on disk but for found_finish. */
static int put_in_place(const struct restore_options *o, struct found *f,
			struct restore_report *out, char reason[STORE_REASON_LEN])
{
	char why[STORE_REASON_LEN];

	if (put_marker(o->data_dir, out->epoch, reason) != 0)
		return -1;
	if (found_check_unused(f, why) != 0 && move_all(o, out, reason) != 0)
		return -1;
	if (found_finish(f, out->epoch, reason) != 0)
		return -1;
	return remove_marker(o->data_dir, reason);
}

/* What root makes is whose the directory is. */
static void choose_owner(const struct restore_options *o, struct found *f)
{
	struct stat owner;

	if (geteuid() == 0 && stat(o->data_dir, &owner) == 0 && owner.st_uid != 0)
		found_set_owner(f, owner.st_uid, owner.st_gid);
}

int restore(const struct restore_options *o, struct restore_report *out,
	    char reason[STORE_REASON_LEN])
{
	struct found *f = NULL;
	uint32_t known;
	int rc = -1;

	*out = (struct restore_report){ 0 };
	if (found_open(&f, o->data_dir, o->log_dir, reason) != 0)
		goto out;
	choose_owner(o, f);
	known = known_epoch(o);
	if (known > EPOCH_MOST - RAISE) {
		(void)snprintf(reason, STORE_REASON_LEN, "%.400s: no epoch is left above %" PRIu32,
			       o->file, known);
		goto out;
	}
	out->epoch = known + RAISE;
	out->zxid = (int64_t)((uint64_t)out->epoch << 32) + 1;
	if (copy_file(o->file, found_part(f), reason) != 0 ||
	    verify_copy(o, found_part(f), reason) != 0 ||
	    change_part(o, found_part(f), out, reason) != 0)
		goto out;
	rc = put_in_place(o, f, out, reason);
out:
	found_close(f);
	return rc;
}

void restore_report_fini(struct restore_report *r)
{
	mem_free(r->aside);
	mem_free(r->log_aside);
}
