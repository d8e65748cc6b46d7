/* See the header. The layout is that of FileSnap.serialize, SerializeUtils.serializeSnapshot and
 * DataTree.serialize.
 *
 * Rows come in the order of the index on (parent, name). There a znode stands before all that is
 * below it, which is what a reader of a snapshot asks for: the parent's own parent is a proper
 * prefix of the parent. */
#include "store/zk_write.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/acl_row.h"
#include "store/db.h"
#include "store/files.h"
#include "store/readonly.h"
#include "store/rows.h"
#include "store/vfs.h"
#include "store/zk_file.h"
#include "store/zk_snapshot.h"

enum {
	MAGIC = 0x5a4b534e, /* "ZKSN" */
	FORMAT = 2,
	EPOCHS_ABOVE = 1024,
};
#define MOST_EPOCH UINT64_C(0x7fffffff)
#define CONTAINER_OWNER INT64_MIN
#define PART_NAME ".export.part"
#define RESERVED "/zookeeper/"
#define LIMITS_NAME "zookeeper_limits"

struct acl_item {
	uint8_t key[ACL_ROW_KEY_LEN];
	uint64_t znodes;
};

struct writer {
	const struct zk_write_options *o;
	struct zk_write_summary *sum;
	char *reason;
	sqlite3 *db;
	struct zk_file *file;
	struct acl_item *acls; /* by key; the number of items[i] is i + 1 */
	size_t acl_count;
	sqlite3_stmt *find_parent;
	struct buf parent; /* of the row before, known to be there */
	struct buf path;
	uint64_t digest; /* ZooKeeper's AdHash: a sum that wraps */
};

static int unreadable(struct writer *w)
{
	return db_fail(w->db, "cannot read", w->reason);
}

static int damaged(struct writer *w, struct slice path, const char *what)
{
	(void)snprintf(w->reason, STORE_REASON_LEN, "%s: is damaged: %.*s %s", db_path(w->db),
		       path.len < 200 ? (int)path.len : 200, path.data, what);
	return -1;
}

static int prepare(struct writer *w, sqlite3_stmt **stmt, const char *sql)
{
	if (sqlite3_prepare_v2(w->db, sql, -1, stmt, NULL) == SQLITE_OK)
		return 0;
	return unreadable(w);
}

/* One number from a statement without parameters. */
static int ask(struct writer *w, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = -1;

	if (prepare(w, &stmt, sql) != 0)
		return -1;
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		*out = sqlite3_column_int64(stmt, 0);
		rc = 0;
	} else {
		(void)unreadable(w);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- what is known before ---- */

static int open_tree(struct writer *w, const char *path)
{
	int version;

	if (readonly_open(&w->db, path, w->reason) != 0 ||
	    db_version(w->db, &version, w->reason) != 0)
		return -1;
	if (version > 0 && sqlite3_table_column_metadata(w->db, NULL, "znode", "creates", NULL,
							 NULL, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	(void)snprintf(w->reason, STORE_REASON_LEN, "%s: is not a tree of this program", path);
	return -1;
}

static int choose_zxid(struct writer *w)
{
	uint64_t epoch = (uint64_t)w->sum->tree_zxid >> 32;
	uint64_t above = epoch + EPOCHS_ABOVE < MOST_EPOCH ? epoch + EPOCHS_ABOVE : MOST_EPOCH;

	if (above <= epoch)
		return damaged(w, slice_of("its zxid"), "leaves no epoch below 2^31");
	w->sum->zxid = (int64_t)(above << 32 | 1);
	return 0;
}

static int read_meta(struct writer *w)
{
	int64_t ephemerals, sessions;

	if (ask(w, "SELECT value FROM meta WHERE key = 'zxid'", &w->sum->tree_zxid) != 0 ||
	    ask(w, "SELECT count(*) FROM znode INDEXED BY znode_ephemeral WHERE owner > 0",
		&ephemerals) != 0 ||
	    ask(w, "SELECT count(*) FROM session", &sessions) != 0)
		return -1;
	w->sum->ephemerals = (uint64_t)ephemerals;
	w->sum->sessions = (uint64_t)sessions;
	return choose_zxid(w);
}

/* ---- ACLs ---- */

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, ACL_ROW_KEY_LEN);
}

static struct acl_item *find_acl(struct writer *w, struct slice key)
{
	if (key.len != ACL_ROW_KEY_LEN)
		return NULL;
	return bsearch(key.data, w->acls, w->acl_count, sizeof(*w->acls), compare_keys);
}

/* A list that cannot be taken apart would end ZooKeeper's start. */
static int write_acl(struct writer *w, struct slice key, struct slice acl)
{
	static const char null_list[] = "\xff\xff\xff\xff";
	struct acl_item *item;
	struct buf text;
	bool is_good;

	buf_init(&text, SIZE_MAX);
	acl_row_text(acl, &text);
	is_good = key.len == ACL_ROW_KEY_LEN && !slice_is(buf_slice(&text), "?");
	buf_fini(&text);
	if (!is_good)
		return damaged(w, slice_of("an ACL"), "cannot be read");
	w->acls = mem_grow(w->acls, (w->acl_count + 1) * sizeof(*w->acls));
	item = &w->acls[w->acl_count++];
	*item = (struct acl_item){ 0 };
	memcpy(item->key, key.data, key.len);
	zk_file_long(w->file, (int64_t)w->acl_count);
	/* Null is no list there. */
	if (acl.len == 4 && memcmp(acl.data, null_list, 4) == 0)
		zk_file_int(w->file, 0);
	else
		zk_file_raw(w->file, acl.data, acl.len);
	return 0;
}

static int write_acls(struct writer *w)
{
	sqlite3_stmt *stmt = NULL;
	int64_t count;
	int rc, result = 0;

	if (ask(w, "SELECT count(*) FROM acl", &count) != 0)
		return -1;
	zk_file_int(w->file, (int32_t)count);
	if (prepare(w, &stmt, "SELECT key, acl FROM acl ORDER BY key") != 0)
		return -1;
	while (result == 0 && (rc = sqlite3_step(stmt)) != SQLITE_DONE)
		result = rc == SQLITE_ROW ? write_acl(w, db_column(stmt, 0), db_column(stmt, 1))
					  : unreadable(w);
	sqlite3_finalize(stmt);
	return result;
}

/* What the znodes that were written have. */
static int tell_acls(struct writer *w)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (prepare(w, &stmt, "SELECT key, acl FROM acl ORDER BY key") != 0)
		return -1;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct acl_item *item = find_acl(w, db_column(stmt, 0));

		if (item == NULL || item->znodes == 0)
			continue;
		w->sum->acls++;
		w->o->acl(w->o->ctx, db_column(stmt, 1), item->znodes);
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : unreadable(w);
}

/* ---- znodes ---- */

/* Columns of the statement below. */
enum {
	C_PARENT,
	C_NAME,
	C_DATA,
	C_ACL,
	C_CZXID,
	C_MZXID,
	C_CTIME,
	C_MTIME,
	C_VERSION,
	C_CREATES,
	C_AVERSION,
	C_OWNER,
	C_PZXID,
	C_HAS_EPHEMERALS,
};
static const char select_znodes[] =
	"SELECT z.parent, z.name, z.data, z.acl, z.czxid, z.mzxid, z.ctime, z.mtime, z.version, "
	"z.creates, z.aversion, z.owner, z.pzxid, EXISTS (SELECT 1 FROM znode AS e "
	"INDEXED BY znode_ephemeral WHERE e.owner > 0 AND e.parent = CASE z.parent "
	"WHEN '' THEN '/' WHEN '/' THEN '/' || z.name ELSE z.parent || '/' || z.name END) "
	"FROM znode AS z WHERE z.owner <= 0 ORDER BY z.parent, z.name";

/* Whether the parent is among the znodes that are written. Those of one parent come together. */
static int check_parent(struct writer *w, struct slice parent, struct slice name)
{
	struct slice above, last;
	int rc;

	/* The root comes first, and nothing else has parent ''. */
	if ((w->sum->znodes == 0) != (parent.len == 0) || (parent.len == 0) != (name.len == 0))
		return damaged(w, slice_of("/"), "is missing or not the only root");
	if (parent.len == 0 || slice_equal(parent, buf_slice(&w->parent)))
		return 0;
	rows_split_path(parent, &above, &last);
	db_bind_text(w->find_parent, 1, above);
	db_bind_text(w->find_parent, 2, last);
	rc = sqlite3_step(w->find_parent);
	db_reset(w->find_parent);
	if (rc == SQLITE_DONE)
		return damaged(w, parent, "has children, but is missing or ephemeral");
	if (rc != SQLITE_ROW)
		return unreadable(w);
	buf_clear(&w->parent);
	return buf_append(&w->parent, parent.data, parent.len);
}

static void write_stat(struct zk_file *f, const struct zk_znode *z)
{
	zk_file_long(f, z->czxid);
	zk_file_long(f, z->mzxid);
	zk_file_long(f, z->ctime);
	zk_file_long(f, z->mtime);
	zk_file_int(f, z->version);
	zk_file_int(f, z->creates);
	zk_file_int(f, z->aversion);
	zk_file_long(f, z->owner);
	zk_file_long(f, z->pzxid);
}

static bool is_reserved(struct slice path)
{
	return path.len > strlen(RESERVED) && memcmp(path.data, RESERVED, strlen(RESERVED)) == 0;
}

static void count(struct writer *w, const struct zk_znode *z, struct slice name)
{
	w->sum->znodes++;
	w->sum->bytes += z->data.len;
	w->sum->containers += z->owner == CONTAINER_OWNER;
	w->sum->ttls += z->owner < 0 && z->owner != CONTAINER_OWNER;
	w->sum->limits += is_reserved(z->path) && slice_is(name, LIMITS_NAME);
	if (z->data.len <= w->o->max_data)
		return;
	w->sum->too_large++;
	w->o->too_large(w->o->ctx, z->path, z->data.len);
}

/* But for its path. */
static struct zk_znode znode_of(struct writer *w, sqlite3_stmt *row)
{
	struct zk_znode z = {
		.data = db_column(row, C_DATA),
		.czxid = sqlite3_column_int64(row, C_CZXID),
		.mzxid = sqlite3_column_int64(row, C_MZXID),
		.ctime = sqlite3_column_int64(row, C_CTIME),
		.mtime = sqlite3_column_int64(row, C_MTIME),
		.version = sqlite3_column_int(row, C_VERSION),
		.creates = sqlite3_column_int(row, C_CREATES),
		.aversion = sqlite3_column_int(row, C_AVERSION),
		.owner = sqlite3_column_int64(row, C_OWNER),
		.pzxid = sqlite3_column_int64(row, C_PZXID),
	};

	/* They go with this snapshot. */
	if (sqlite3_column_int(row, C_HAS_EPHEMERALS) != 0)
		z.pzxid = w->sum->zxid;
	return z;
}

static int write_znode(struct writer *w, sqlite3_stmt *row)
{
	struct slice parent = db_column(row, C_PARENT), name = db_column(row, C_NAME);
	struct acl_item *acl = find_acl(w, db_column(row, C_ACL));
	struct zk_znode z;

	if (check_parent(w, parent, name) != 0)
		return -1;
	z = znode_of(w, row);
	z.path = rows_join_path(&w->path, parent, name);
	if (acl == NULL)
		return damaged(w, z.path, "names an ACL that is missing");
	z.acl = acl - w->acls + 1;
	acl->znodes++;
	/* The root's path is "" there. */
	zk_file_buffer(w->file, parent.len > 0 ? z.path : slice_of(""));
	zk_file_buffer(w->file, z.data);
	zk_file_long(w->file, z.acl);
	write_stat(w->file, &z);
	w->digest += zk_digest_znode(&z);
	count(w, &z, name);
	return 0;
}

static int write_znodes(struct writer *w)
{
	sqlite3_stmt *rows = NULL;
	int rc, result = 0;

	if (prepare(w, &w->find_parent,
		    "SELECT 1 FROM znode WHERE parent = ?1 AND name = ?2 AND owner <= 0") != 0 ||
	    prepare(w, &rows, select_znodes) != 0)
		return -1;
	while (result == 0 && (rc = sqlite3_step(rows)) != SQLITE_DONE)
		result = rc == SQLITE_ROW ? write_znode(w, rows) : unreadable(w);
	sqlite3_finalize(rows);
	if (result == 0 && w->sum->znodes == 0)
		result = damaged(w, slice_of("/"), "is missing: there is no registry in it");
	/* No znode has this path: the end. */
	zk_file_buffer(w->file, slice_of("/"));
	return result;
}

/* ---- the whole ---- */

static int write_all(struct writer *w)
{
	if (db_exec(w->db, "BEGIN") != SQLITE_OK)
		return unreadable(w);
	if (read_meta(w) != 0)
		return -1;
	zk_file_int(w->file, MAGIC);
	zk_file_int(w->file, FORMAT);
	zk_file_long(w->file, -1); /* database id: nobody's */
	zk_file_int(w->file, 0);   /* sessions */
	if (write_acls(w) != 0 || write_znodes(w) != 0)
		return -1;
	zk_file_seal(w->file);
	w->sum->digest = (int64_t)w->digest;
	zk_file_long(w->file, w->sum->zxid);
	zk_file_int(w->file, ZK_DIGEST_VERSION);
	zk_file_long(w->file, w->sum->digest);
	zk_file_seal(w->file);
	if (tell_acls(w) != 0)
		return -1;
	if (w->sum->too_large == 0)
		return 0;
	(void)snprintf(w->reason, STORE_REASON_LEN,
		       "%" PRIu64 " znodes have more than %zu bytes of data", w->sum->too_large,
		       w->o->max_data);
	return -1;
}

static bool is_zookeepers(const char *name)
{
	return strncmp(name, "snapshot.", 9) == 0 || strncmp(name, "log.", 4) == 0 ||
	       strcmp(name, "currentEpoch") == 0 || strcmp(name, "acceptedEpoch") == 0;
}

/* ZooKeeper would take the newest of what is there, and logs that belong to something else. */
static int check_unused(const char *dir, char reason[STORE_REASON_LEN])
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int rc = 0;

	if (d == NULL) {
		(void)snprintf(reason, STORE_REASON_LEN, "%s: cannot be read: %s", dir,
			       strerror(errno));
		return -1;
	}
	while (rc == 0 && (entry = readdir(d)) != NULL) {
		if (!is_zookeepers(entry->d_name))
			continue;
		(void)snprintf(reason, STORE_REASON_LEN, "%s: holds a ZooKeeper's data (%s)", dir,
			       entry->d_name);
		rc = -1;
	}
	closedir(d);
	return rc;
}

static int put_in_place(struct writer *w, const char *part, const char *dir)
{
	char name[64];

	if (zk_file_finish(w->file, w->reason) != 0)
		return -1;
	(void)snprintf(name, sizeof(name), "snapshot.%" PRIx64 "%s", (uint64_t)w->sum->zxid,
		       w->o->is_packed ? ".gz" : "");
	w->sum->path = files_join(dir, name);
	if (rename(part, w->sum->path) == 0 && vfs_os()->sync_dir(dir) == 0)
		return 0;
	(void)snprintf(w->reason, STORE_REASON_LEN, "%s: cannot be made: %s", w->sum->path,
		       strerror(errno));
	return -1;
}

int zk_write(const char *tree, const char *dir, const struct zk_write_options *o,
	     struct zk_write_summary *summary, char reason[STORE_REASON_LEN])
{
	struct writer w = { .o = o, .sum = summary, .reason = reason };
	char *part = files_join(dir, PART_NAME);
	int rc = -1;

	*summary = (struct zk_write_summary){ 0 };
	buf_init(&w.parent, SIZE_MAX);
	buf_init(&w.path, SIZE_MAX);
	if (check_unused(dir, reason) != 0)
		goto out;
	/* One that was cut short. */
	(void)vfs_os()->unlink(part);
	if (open_tree(&w, tree) != 0 || zk_file_open(&w.file, part, o->is_packed, reason) != 0)
		goto out;
	rc = write_all(&w) == 0 ? put_in_place(&w, part, dir) : -1;
	if (rc != 0)
		(void)vfs_os()->unlink(part);
out:
	zk_file_close(w.file);
	sqlite3_finalize(w.find_parent);
	readonly_close(w.db);
	buf_fini(&w.path);
	buf_fini(&w.parent);
	mem_free(w.acls);
	mem_free(part);
	return rc;
}
