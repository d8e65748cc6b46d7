/* Three passes: the tree's rows; the log, oldest row first; what hangs in the air then. */
#include "store/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/acl_row.h"
#include "store/db.h"
#include "store/files.h"
#include "store/found.h"
#include "store/remnant.h"
#include "store/rows.h"
#include "wire/path.h"

enum { CACHE_KIB = 16 * 1024, BATCH_ROWS = 10000, RESTORED_EPOCHS = 1024 };
/* The rest is left for starts to come. */
#define EPOCH_MOST (INT32_MAX - 2 * RESTORED_EPOCHS)

/* World may do nothing: nobody gets in but who stands above all ACLs. */
static const char closed_acl[] = "\0\0\0\1\0\0\0\0\0\0\0\5world\0\0\0\6anyone";
enum { CLOSED_LEN = sizeof(closed_acl) - 1 };

struct salvage {
	struct salvage_options o;
	struct remnants remnants;
	struct salvage_report r;
	char *log_dir;
	char *tmp;
	int lock_fd, log_lock_fd;
	struct found *found;
	struct rows *to;
	sqlite3_stmt *acls;                 /* of the old tree */
	sqlite3_stmt *find;                 /* a znode in the new tree */
	sqlite3_stmt *find_ours, *add_ours; /* those that came from the log though they are older */
	sqlite3_stmt *add_made;
	sqlite3_stmt *add_missed; /* those that the old tree's index names */
	unsigned in_batch;
	int64_t tree_zxid; /* -1: there is no tree that could be read */
	int64_t last;      /* row of the log that was read last */
	bool gaps;         /* changes above the tree's zxid are lost */
	uint32_t epoch;
	struct buf path;
};

static int fail(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* ---- writing ---- */

static void begin_batch(struct salvage *s)
{
	if (s->in_batch == 0)
		rows_begin(s->to);
	s->in_batch++;
}

static void end_batch(struct salvage *s, bool now)
{
	if (s->in_batch == 0 || (!now && s->in_batch < BATCH_ROWS))
		return;
	rows_commit(s->to, s->r.zxid);
	s->in_batch = 0;
}

/* Whether stmt, which asks for a parent and a name, finds a row. */
static bool has(sqlite3_stmt *stmt, struct slice path)
{
	struct slice parent, name;
	bool found;

	rows_split_path(path, &parent, &name);
	db_bind_text(stmt, 1, parent);
	db_bind_text(stmt, 2, name);
	found = sqlite3_step(stmt) == SQLITE_ROW;
	db_reset(stmt);
	return found;
}

/* Run stmt with a parent and a name. */
static void note_path(sqlite3_stmt *stmt, struct slice path)
{
	struct slice parent, name;

	rows_split_path(path, &parent, &name);
	db_bind_text(stmt, 1, parent);
	db_bind_text(stmt, 2, name);
	db_must_run(sqlite3_db_handle(stmt), stmt);
}

static void put(struct salvage *s, const struct record_znode *z)
{
	begin_batch(s);
	rows_put_znode(s->to, z, has(s->find, z->path));
	end_batch(s, false);
}

static void update(struct salvage *s, const struct record_znode *z)
{
	begin_batch(s);
	rows_put_znode(s->to, z, false);
	end_batch(s, false);
}

static void raise_zxid(struct salvage *s, int64_t zxid)
{
	if (zxid > s->r.zxid)
		s->r.zxid = zxid;
}

/* ---- the tree ---- */

static struct slice join_path(struct salvage *s, struct slice parent, struct slice name)
{
	buf_clear(&s->path);
	if (parent.len == 0 && name.len == 0)
		return slice_of("/");
	if ((!slice_is(parent, "/") && buf_append(&s->path, parent.data, parent.len) != 0) ||
	    buf_append(&s->path, "/", 1) != 0 || buf_append(&s->path, name.data, name.len) != 0)
		return (struct slice){ 0 };
	return buf_slice(&s->path);
}

/* Whether it is one that a server could have written. */
static bool is_sound(const struct salvage *s, const struct record_znode *z)
{
	/* 0: it is not known. */
	int64_t most = s->tree_zxid > 0 ? s->tree_zxid : (int64_t)EPOCH_MOST << 32;

	return z->path.data != NULL && path_is_valid(z->path) && z->czxid >= 0 &&
	       z->czxid <= most && z->mzxid >= 0 && z->mzxid <= most && z->pzxid >= 0 &&
	       z->pzxid <= most && z->creates >= 0 && z->num_children >= 0;
}

/* The ACL of a row: read by its key, and that is a hash of it. */
static void find_acl(struct salvage *s, struct slice key, struct slice *acl)
{
	uint8_t expected[ACL_ROW_KEY_LEN];

	*acl = (struct slice){ closed_acl, CLOSED_LEN };
	if (key.len == ACL_ROW_KEY_LEN) {
		db_bind_blob(s->acls, 1, key);
		if (sqlite3_step(s->acls) == SQLITE_ROW) {
			struct slice found = db_column(s->acls, 0);

			acl_row_key(found, expected);
			if (memcmp(expected, key.data, ACL_ROW_KEY_LEN) == 0) {
				*acl = found;
				return;
			}
		}
	}
	s->r.closed++;
}

static void take_znode(void *ctx, sqlite3_stmt *row)
{
	struct salvage *s = ctx;
	struct record_znode z = {
		.path = join_path(s, db_column(row, 1), db_column(row, 2)),
		.columns = RECORD_ALL,
		.data = db_column(row, 3),
		.czxid = sqlite3_column_int64(row, 4),
		.mzxid = sqlite3_column_int64(row, 5),
		.pzxid = sqlite3_column_int64(row, 6),
		.ctime = sqlite3_column_int64(row, 7),
		.mtime = sqlite3_column_int64(row, 8),
		.version = sqlite3_column_int(row, 9),
		.creates = sqlite3_column_int(row, 10),
		.aversion = sqlite3_column_int(row, 11),
		.owner = sqlite3_column_int64(row, 12),
		.num_children = sqlite3_column_int(row, 14),
	};
	uint64_t closed = s->r.closed;

	if (!is_sound(s, &z)) {
		remnant_tell_damage(&s->remnants, "tree.db: row %" PRId64 " of znode is damaged",
				    (int64_t)sqlite3_column_int64(row, 0));
		return;
	}
	raise_zxid(s, z.mzxid > z.pzxid ? z.mzxid : z.pzxid);
	if (z.owner > 0) {
		s->r.ephemeral++;
		return;
	}
	find_acl(s, db_column(row, 13), &z.acl);
	put(s, &z);
	db_reset(s->acls);
	if (s->r.closed > closed)
		remnant_tell(&s->remnants, "%.*s: its ACL is lost: it lets nobody in",
			     (int)z.path.len, z.path.data);
}

static int64_t ask_number(sqlite3 *db, const char *sql, int64_t otherwise)
{
	sqlite3_stmt *stmt = db_try_prepare(db, sql);
	int64_t number = otherwise;

	if (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW &&
	    sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
		number = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return number;
}

static void miss_some(struct salvage *s, sqlite3 *db, const char *order)
{
	char sql[512];
	sqlite3_stmt *names;

	(void)snprintf(sql, sizeof(sql),
		       "SELECT parent, name FROM znode AS z WHERE NOT EXISTS ("
		       "SELECT 1 FROM znode AS e INDEXED BY znode_ephemeral WHERE e.parent = "
		       "z.parent AND e.name = z.name AND e.owner > 0) ORDER BY parent %s, name %s",
		       order, order);
	names = db_try_prepare(db, sql);
	while (names != NULL && sqlite3_step(names) == SQLITE_ROW) {
		struct slice path = join_path(s, db_column(names, 0), db_column(names, 1));

		if (path.data == NULL || !path_is_valid(path) || has(s->find, path))
			continue;
		db_bind_text(s->add_missed, 1, path);
		db_must_run(rows_db(s->to), s->add_missed);
	}
	sqlite3_finalize(names);
}

/* What the index knows and the table does not give: from both ends, since the index may be damaged,
 * too. */
static void miss_names(struct salvage *s, sqlite3 *db)
{
	miss_some(s, db, "ASC");
	miss_some(s, db, "DESC");
}

/* One that no server gives is no zxid. */
static int64_t read_zxid(struct salvage *s, sqlite3 *db)
{
	int64_t zxid = ask_number(db, "SELECT value FROM meta WHERE key = 'zxid'", -1);

	if (zxid >= 0 && zxid >> 32 <= EPOCH_MOST)
		return zxid;
	remnant_tell_damage(&s->remnants, "tree.db: its zxid is lost");
	return 0;
}

static void read_tree(struct salvage *s, sqlite3 *db)
{
	uint64_t damaged = s->remnants.damaged;
	sqlite3_stmt *rows = db_try_prepare(
		db, "SELECT rowid, parent, name, data, czxid, mzxid, pzxid, ctime, mtime, version, "
		    "creates, aversion, owner, acl, num_children "
		    "FROM znode NOT INDEXED WHERE rowid >= ?1 ORDER BY rowid");

	s->acls = db_try_prepare(db, "SELECT acl FROM acl WHERE key = ?1");
	if (rows == NULL || s->acls == NULL) {
		remnant_tell_damage(&s->remnants, "tree.db: its tables cannot be read: %s",
				    sqlite3_errmsg(db));
	} else {
		s->tree_zxid = read_zxid(s, db);
		raise_zxid(s, s->tree_zxid);
		remnant_walk(&s->remnants, "tree.db: rows of znode", rows, take_znode, s);
		end_batch(s, true);
		if (s->remnants.damaged > damaged)
			miss_names(s, db);
	}
	sqlite3_finalize(s->acls);
	sqlite3_finalize(rows);
}

/* ---- the log ---- */

/* What the log says of a znode as of the tree's zxid: only of those that the tree has lost. */
static void take_older(struct salvage *s, const struct record_znode *z)
{
	bool exists = has(s->find, z->path), ours = has(s->find_ours, z->path);

	if (exists && !ours)
		return;
	if (z->columns == 0 && exists) {
		put(s, z);
	} else if (z->columns == RECORD_ALL && z->owner <= 0) {
		put(s, z);
		note_path(s->add_ours, z->path);
	} else if (exists && z->columns != 0 && !(z->columns & RECORD_BIRTH)) {
		update(s, z);
	}
}

static void take_newer(struct salvage *s, const struct record_znode *z)
{
	bool exists = has(s->find, z->path);

	if ((z->columns == 0 && exists) || (z->columns == RECORD_ALL && z->owner <= 0))
		put(s, z);
	else if (z->columns == RECORD_ALL)
		s->r.ephemeral++;
	else if (exists && z->columns != 0 && !(z->columns & RECORD_BIRTH))
		update(s, z);
}

/* Whether the whole record can be read, and says nothing that no server says. */
static bool is_sound_record(struct slice body)
{
	struct record_reader reader;
	struct record_item item;
	enum record_item_kind kind;

	record_reader_init(&reader, body);
	while ((kind = record_read(&reader, &item)) != RECORD_ITEM_END)
		if (kind == RECORD_ITEM_BAD ||
		    (kind == RECORD_ITEM_ZNODE && !path_is_valid(item.znode.path)))
			return false;
	return true;
}

/* What the log told of lost znodes up to here may have been undone in between. */
static void distrust(struct salvage *s)
{
	sqlite3_stmt *ours;

	end_batch(s, true);
	ours = db_prepare(rows_db(s->to), "SELECT parent, name FROM temp.ours");
	while (sqlite3_step(ours) == SQLITE_ROW) {
		struct record_znode z = { .path = join_path(s, db_column(ours, 0),
							    db_column(ours, 1)) };

		begin_batch(s);
		rows_put_znode(s->to, &z, true);
	}
	sqlite3_finalize(ours);
	end_batch(s, true);
	db_must_exec(rows_db(s->to), "DELETE FROM temp.ours");
}

/* Whether changes are missing before this one, whose predecessor is prev. */
static void check_gap(struct salvage *s, int64_t prev, bool newer)
{
	int64_t known = s->last > s->tree_zxid ? s->last : s->tree_zxid;

	if (prev == s->last)
		return;
	if (!newer) {
		distrust(s);
	} else if (known < prev) {
		s->r.lost++;
		s->gaps = true;
		remnant_tell(&s->remnants,
			     "log: the changes behind 0x%" PRIx64 " up to 0x%" PRIx64 " are lost",
			     (uint64_t)(known > 0 ? known : 0), (uint64_t)prev);
	}
}

static void take_change(void *ctx, sqlite3_stmt *row)
{
	struct salvage *s = ctx;
	int64_t zxid = sqlite3_column_int64(row, 0), prev = sqlite3_column_int64(row, 1);
	struct slice body = db_column(row, 2);
	bool newer = zxid > s->tree_zxid;
	struct record_reader reader;
	struct record_item item;

	if (zxid <= s->last || zxid >> 32 > EPOCH_MOST)
		return;
	check_gap(s, prev, newer);
	s->last = zxid;
	if (body.data == NULL || !is_sound_record(body)) {
		s->r.lost += newer;
		s->gaps = s->gaps || newer;
		remnant_tell_damage(&s->remnants, "log: the change 0x%" PRIx64 " is damaged",
				    (uint64_t)zxid);
		if (!newer)
			distrust(s);
		return;
	}
	if (newer) {
		raise_zxid(s, zxid);
		s->r.changes++;
	}
	record_reader_init(&reader, body);
	while (record_read(&reader, &item) == RECORD_ITEM_ZNODE ||
	       item.kind == RECORD_ITEM_SESSION) {
		if (item.kind != RECORD_ITEM_ZNODE)
			continue;
		if (newer)
			take_newer(s, &item.znode);
		else
			take_older(s, &item.znode);
	}
}

static void read_changes(struct salvage *s, const char *path, sqlite3 *db)
{
	sqlite3_stmt *rows = db_try_prepare(db, "SELECT zxid, prev, record FROM change "
						"WHERE zxid >= ?1 ORDER BY zxid");
	int64_t epoch = ask_number(db, "SELECT epoch FROM segment", 0);
	char what[STORE_REASON_LEN];

	if (rows == NULL) {
		remnant_tell_damage(&s->remnants, "%s: its tables cannot be read: %s", path,
				    sqlite3_errmsg(db));
		return;
	}
	if (epoch > s->epoch && epoch <= EPOCH_MOST)
		s->epoch = (uint32_t)epoch;
	(void)snprintf(what, sizeof(what), "%s: changes", path);
	remnant_walk(&s->remnants, what, rows, take_change, s);
	sqlite3_finalize(rows);
	end_batch(s, true);
}

static int read_segment(struct salvage *s, uint32_t number, char reason[STORE_REASON_LEN])
{
	char *path = files_segment_path(s->log_dir, number);
	sqlite3 *db;
	int rc = remnant_open(&s->remnants, path, &db, reason);

	/* One that was never finished has none. */
	if (rc == 0 && ask_number(db, "SELECT count(*) FROM sqlite_schema", 1) > 0)
		read_changes(s, path, db);
	remnant_close(&s->remnants, db);
	mem_free(path);
	return rc < 0 ? -1 : 0;
}

static int read_log(struct salvage *s, char reason[STORE_REASON_LEN])
{
	uint32_t *numbers = NULL;
	size_t count = 0;
	int rc = 0;

	if (files_find_segments(s->log_dir, &numbers, &count, reason) != 0) {
		remnant_tell_damage(&s->remnants, "%s", reason);
		return 0;
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = read_segment(s, numbers[i], reason);
	mem_free(numbers);
	return rc;
}

/* ---- what hangs in the air ---- */

static void make_up(struct salvage *s, struct slice path)
{
	struct record_znode z = { .path = path,
				  .columns = RECORD_ALL,
				  .data = slice_of(""),
				  .czxid = s->r.zxid,
				  .mzxid = s->r.zxid,
				  .pzxid = s->r.zxid,
				  .acl = { closed_acl, CLOSED_LEN } };
	bool is_first = true;

	if (slice_is(path, "/") || slice_is(path, "/zookeeper") ||
	    slice_is(path, "/zookeeper/quota"))
		z.acl = acl_row_open;
	else if (slice_is(path, "/zookeeper/config"))
		z.acl = acl_row_read;
	else
		is_first = false;
	put(s, &z);
	if (!is_first)
		note_path(s->add_made, path);
	s->r.made++;
	remnant_tell(&s->remnants, "%.*s: is lost, an empty one is made%s", (int)path.len,
		     path.data, is_first ? "" : " that lets nobody in");
}

static void make_if_missing(struct salvage *s, struct slice path)
{
	if (!has(s->find, path))
		make_up(s, path);
}

/* What every registry has, and the parents of all that is there. */
static void make_parents(struct salvage *s)
{
	sqlite3_stmt *wanted;

	make_if_missing(s, slice_of("/"));
	make_if_missing(s, slice_of("/zookeeper"));
	make_if_missing(s, slice_of("/zookeeper/config"));
	make_if_missing(s, slice_of("/zookeeper/quota"));
	end_batch(s, true);
	db_must_exec(rows_db(s->to),
		     "CREATE TEMP TABLE wanted AS SELECT DISTINCT parent FROM znode");
	wanted = db_prepare(rows_db(s->to), "SELECT parent FROM temp.wanted ORDER BY parent");
	while (sqlite3_step(wanted) == SQLITE_ROW) {
		struct slice path = db_column(wanted, 0);

		for (size_t len = 0; path.len > 0 && (len = path_next_prefix(path, len)) > 0;)
			make_if_missing(s, (struct slice){ path.data, len });
	}
	sqlite3_finalize(wanted);
	/* The newest change may have put no znode. */
	begin_batch(s);
	end_batch(s, true);
}

/* Children are counted, and no sequence number is given twice. */
static void count_children(struct salvage *s)
{
	sqlite3 *db = rows_db(s->to);
	sqlite3_stmt *stmt;

	db_must_exec(db, "BEGIN IMMEDIATE");
	db_must_exec(
		db,
		"UPDATE znode SET num_children = (SELECT count(*) FROM znode AS c WHERE c.parent = "
		"CASE znode.parent WHEN '' THEN '/' WHEN '/' THEN '/' || znode.name "
		"ELSE znode.parent || '/' || znode.name END)");
	/* Of those that are made up, and of all where changes are lost. */
	stmt = db_prepare(
		db,
		"UPDATE znode SET creates = max(creates, num_children, coalesce((SELECT "
		"max(CAST(substr(c.name, -10) AS INTEGER)) + 1 FROM znode AS c WHERE c.parent = "
		"CASE znode.parent WHEN '' THEN '/' WHEN '/' THEN '/' || znode.name "
		"ELSE znode.parent || '/' || znode.name END AND "
		"c.name GLOB '*[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' AND "
		"CAST(substr(c.name, -10) AS INTEGER) < 2147483647), 0)) WHERE num_children > 0 "
		"AND (?1 OR (parent, name) IN (SELECT parent, name FROM temp.made))");
	db_bind_int(stmt, 1, s->gaps);
	db_must_run(db, stmt);
	sqlite3_finalize(stmt);
	db_must_commit(db);
}

static void tell_still_lost(struct salvage *s)
{
	sqlite3_stmt *stmt =
		db_prepare(rows_db(s->to), "SELECT path FROM temp.missed ORDER BY path");

	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct slice path = db_column(stmt, 0);

		if (has(s->find, path))
			continue;
		s->r.lost++;
		remnant_tell(&s->remnants, "%.*s: is lost", (int)path.len, path.data);
	}
	sqlite3_finalize(stmt);
}

/* ---- all of it ---- */

/* The lock as it is: none is made. */
static int lock(const char *dir, int *fd, char reason[STORE_REASON_LEN])
{
	char *path = files_join(dir, "lock");
	int rc = 0;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: a server uses this directory", path);
		rc = -1;
	}
	mem_free(path);
	return rc;
}

/* One that is there was left by a salvage that was killed, or somebody planted it: what leads
 * elsewhere, or is another's, is not written to. */
static int make_tmp(struct salvage *s, char reason[STORE_REASON_LEN])
{
	struct stat st;

	if (mkdir(s->tmp, S_IRWXU) == 0)
		return 0;
	if (errno != EEXIST || lstat(s->tmp, &st) != 0)
		return fail(s->tmp, "cannot make the directory", reason);
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN, "%s: is in the way, and no directory of ours",
		       s->tmp);
	return -1;
}

static int open_new(struct salvage *s, char reason[STORE_REASON_LEN])
{
	if (files_same_dir(s->o.new_dir, s->o.data_dir) ||
	    (s->o.log_dir != NULL && files_same_dir(s->o.new_dir, s->o.log_dir))) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: is the damaged directory",
			       s->o.new_dir);
		return -1;
	}
	if (found_open(&s->found, s->o.new_dir, NULL, reason) != 0 ||
	    found_check_unused(s->found, reason) != 0)
		return -1;
	if (make_tmp(s, reason) != 0)
		return -1;
	if (rows_open(&s->to, found_part(s->found), DB_WRITE, CACHE_KIB, true, reason) != 0)
		return -1;
	db_must_exec(rows_db(s->to), "PRAGMA temp_store = MEMORY;"
				     "CREATE TEMP TABLE ours (parent, name, UNIQUE (parent, name));"
				     "CREATE TEMP TABLE made (parent, name, UNIQUE (parent, name));"
				     "CREATE TEMP TABLE missed (path UNIQUE)");
	s->find = db_prepare(rows_db(s->to), "SELECT 1 FROM znode WHERE parent = ?1 AND name = ?2");
	s->find_ours = db_prepare(rows_db(s->to),
				  "SELECT 1 FROM temp.ours WHERE parent = ?1 AND name = ?2");
	s->add_ours = db_prepare(rows_db(s->to), "INSERT OR IGNORE INTO temp.ours VALUES (?1, ?2)");
	s->add_made = db_prepare(rows_db(s->to), "INSERT OR IGNORE INTO temp.made VALUES (?1, ?2)");
	s->add_missed = db_prepare(rows_db(s->to), "INSERT OR IGNORE INTO temp.missed VALUES (?1)");
	return 0;
}

static int read_all(struct salvage *s, char reason[STORE_REASON_LEN])
{
	char *path = files_join(s->o.data_dir, "tree.db");
	sqlite3 *db;
	int rc = remnant_open(&s->remnants, path, &db, reason);

	if (rc == 0) {
		read_tree(s, db);
	} else if (rc > 0) {
		remnant_tell_damage(&s->remnants, "%s: there is nothing to read", path);
	}
	remnant_close(&s->remnants, db);
	mem_free(path);
	return rc < 0 ? -1 : read_log(s, reason);
}

static void close_rows(struct salvage *s)
{
	sqlite3_finalize(s->find);
	sqlite3_finalize(s->add_made);
	sqlite3_finalize(s->add_missed);
	sqlite3_finalize(s->add_ours);
	sqlite3_finalize(s->find_ours);
	s->find = s->add_made = s->add_missed = s->add_ours = s->find_ours = NULL;
	rows_close(s->to, false);
	s->to = NULL;
}

static int finish(struct salvage *s, char reason[STORE_REASON_LEN])
{
	uint32_t epoch = (uint32_t)((uint64_t)s->r.zxid >> 32);

	if (s->r.zxid <= 0) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: nothing of a registry can be read",
			       s->o.data_dir);
		return -1;
	}
	s->r.from_log = (uint64_t)ask_number(
		rows_db(s->to), "SELECT count(*) FROM temp.ours NATURAL JOIN main.znode", 0);
	make_parents(s);
	tell_still_lost(s);
	count_children(s);
	s->r.znodes = rows_meta(s->to)->znodes;
	close_rows(s);
	return found_finish(s->found, (epoch > s->epoch ? epoch : s->epoch) + RESTORED_EPOCHS,
			    reason);
}

int salvage(const struct salvage_options *o, struct salvage_report *out,
	    char reason[STORE_REASON_LEN])
{
	struct salvage s = { .o = *o, .lock_fd = -1, .log_lock_fd = -1, .tree_zxid = -1 };
	int rc = -1;

	s.log_dir = files_join(o->log_dir != NULL ? o->log_dir : o->data_dir, "log");
	s.tmp = files_join(o->new_dir, "salvage.tmp");
	s.remnants = (struct remnants){ .dir = s.tmp, .tell = o->tell, .ctx = o->ctx };
	buf_init(&s.path, SIZE_MAX);
	if (access(o->data_dir, R_OK | X_OK) != 0)
		(void)fail(o->data_dir, "cannot be read", reason);
	else if (lock(o->data_dir, &s.lock_fd, reason) == 0 &&
		 (o->log_dir == NULL || lock(o->log_dir, &s.log_lock_fd, reason) == 0) &&
		 open_new(&s, reason) == 0 && read_all(&s, reason) == 0)
		rc = finish(&s, reason);
	close_rows(&s);
	(void)rmdir(s.tmp);
	found_close(s.found);
	if (s.lock_fd >= 0)
		close(s.lock_fd);
	if (s.log_lock_fd >= 0)
		close(s.log_lock_fd);
	buf_fini(&s.path);
	mem_free(s.log_dir);
	mem_free(s.tmp);
	s.r.damaged = s.remnants.damaged;
	*out = s.r;
	return rc;
}
