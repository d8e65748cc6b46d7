/* See the header. The number of children is counted at the end, in one go; meanwhile the column is
 * 0. A session's znodes are found by an index, and the ACLs that a snapshot numbers are kept in a
 * table: there may be more than fit in memory. The end drops both. */
#include "store/import_tree.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/acl_row.h"
#include "store/rows.h"
#include "wire/path.h"

enum {
	BATCH_CHANGES = 10000,
	CHECKPOINT_BATCHES = 10,
	LISTED = 1000,    /* rows of a list that is changed meanwhile */
	PATH_SHOWN = 200, /* bytes, in a reason */
	ACL_MOST = 64 * 1024 * 1024,
};

/* EphemeralType: the two highest bytes behind the first one say what the rest means. */
#define KIND_MASK ((int64_t)UINT64_C(0xffffff0000000000))
#define OLD_TTL INT64_MIN /* of 3.5.3 */

/* Those that a session owns. */
#define IS_EPHEMERAL                                                                    \
	"(owner > 0 OR owner < 0 AND owner <> (-9223372036854775807 - 1) AND (owner & " \
	"-1099511627776) <> -72057594037927936)"

struct import_tree {
	struct rows *rows;
	sqlite3 *db;
	sqlite3_stmt *look;
	sqlite3_stmt *owned;
	sqlite3_stmt *add_acl;
	sqlite3_stmt *find_acl;
	struct buf numbered; /* the ACL that was found last */
	int64_t number;      /* its, where there is one in numbered */
	struct buf acl;      /* of the transaction under way */
	struct buf path;
	unsigned changes; /* in the open batch */
	unsigned batches;
};

int import_tree_new(struct import_tree **out, const char *path, uint32_t cache_kib,
		    char reason[STORE_REASON_LEN])
{
	struct rows *rows;
	struct import_tree *t;

	if (rows_open(&rows, path, DB_WRITE, cache_kib, true, reason) != 0)
		return -1;
	t = *out = mem_new(sizeof(*t));
	t->rows = rows;
	t->db = rows_db(rows);
	buf_init(&t->numbered, ACL_MOST);
	buf_init(&t->acl, ACL_MOST);
	buf_init(&t->path, SIZE_MAX);
	db_must_exec(t->db, "CREATE INDEX import_owner ON znode (owner) WHERE owner <> 0");
	db_must_exec(t->db,
		     "CREATE TABLE import_acl (number INTEGER PRIMARY KEY, acl BLOB NOT NULL)");
	t->add_acl =
		db_prepare(t->db, "INSERT INTO import_acl VALUES (?1, ?2) ON CONFLICT DO NOTHING");
	t->find_acl = db_prepare(t->db, "SELECT acl FROM import_acl WHERE number = ?1");
	t->look = db_prepare(t->db, "SELECT pzxid, creates, aversion, owner FROM znode "
				    "WHERE parent = ?1 AND name = ?2");
	t->owned = db_prepare(t->db, "SELECT parent, name FROM znode WHERE owner = ?1 LIMIT 1");
	rows_begin(rows);
	return 0;
}

void import_tree_free(struct import_tree *t)
{
	if (t == NULL)
		return;
	buf_fini(&t->numbered);
	buf_fini(&t->acl);
	buf_fini(&t->path);
	sqlite3_finalize(t->add_acl);
	sqlite3_finalize(t->find_acl);
	sqlite3_finalize(t->look);
	sqlite3_finalize(t->owned);
	rows_close(t->rows, false);
	mem_free(t);
}

static void checkpoint(struct import_tree *t)
{
	int rc = sqlite3_wal_checkpoint_v2(t->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (rc != SQLITE_OK)
		db_die(t->db, "store.checkpoint_failed");
}

static void end_batch(struct import_tree *t, int64_t zxid)
{
	rows_commit(t->rows, zxid);
	t->changes = 0;
	if (++t->batches % CHECKPOINT_BATCHES == 0)
		checkpoint(t);
}

static void count_change(struct import_tree *t)
{
	if (++t->changes < BATCH_CHANGES)
		return;
	end_batch(t, 0);
	rows_begin(t->rows);
}

static void put(struct import_tree *t, const struct record_znode *z, bool wipe)
{
	rows_put_znode(t->rows, z, wipe);
	count_change(t);
}

/* ---- what may stand in a tree ---- */

enum owner_kind { OWNER_NONE, OWNER_SESSION, OWNER_CONTAINER, OWNER_TTL, OWNER_OLD_TTL };

static enum owner_kind kind_of(int64_t owner)
{
	if (owner == 0)
		return OWNER_NONE;
	if (owner == PROTO_OWNER_CONTAINER)
		return OWNER_CONTAINER;
	if ((owner & KIND_MASK) == PROTO_OWNER_TTL)
		return OWNER_TTL;
	if ((owner & KIND_MASK) == OLD_TTL)
		return OWNER_OLD_TTL;
	return OWNER_SESSION;
}

printf_like(2, 3) static int refuse(char reason[STORE_REASON_LEN], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, STORE_REASON_LEN, format, args);
	va_end(args);
	return -1;
}

/* For "%.*s". */
static int shown(struct slice path)
{
	return path.len < PATH_SHOWN ? (int)path.len : PATH_SHOWN;
}

static int check_path(struct slice path, char reason[STORE_REASON_LEN])
{
	if (path_is_valid(path))
		return 0;
	return refuse(reason, "'%.*s': no znode can have this path", shown(path),
		      path.data != NULL ? path.data : "");
}

static int check_owner(struct slice path, int64_t owner, char reason[STORE_REASON_LEN])
{
	if (kind_of(owner) != OWNER_OLD_TTL)
		return 0;
	return refuse(reason,
		      "'%.*s': its owner 0x%" PRIx64 " is a TTL as 3.5.3 wrote it, which later "
		      "ones take for a session",
		      shown(path), path.data, (uint64_t)owner);
}

static bool is_sound_acl(struct slice encoded)
{
	struct proto_acls acls;
	struct jute_reader in;

	jute_reader_init(&in, encoded);
	acls = proto_read_acls(&in);
	if (in.bad || acls.count < 0 || jute_reader_left(&in) > 0)
		return false;
	jute_reader_init(&in, acls.raw);
	for (int32_t i = 0; i < acls.count; i++) {
		struct proto_acl acl = proto_read_acl(&in);

		if (acl.scheme.data == NULL || acl.id.data == NULL)
			return false;
	}
	return true;
}

/* ---- the snapshot ---- */

static int take_session(void *ctx, int64_t id, int32_t timeout_ms, char reason[STORE_REASON_LEN])
{
	struct import_tree *t = ctx;
	struct record_session s = { .id = id,
				    .open = true,
				    .timeout_ms = timeout_ms,
				    .identity = slice_of(RECORD_IDENTITY_UNBOUND) };
	uint8_t password[IMPORT_PASSWORD_LEN];

	(void)reason;
	import_password(id, password);
	crypto_sha256((struct slice){ (const char *)password, sizeof(password) }, s.password_hash);
	rows_put_session(t->rows, &s);
	return 0;
}

static bool look_up_acl(struct import_tree *t, int64_t number)
{
	struct slice acl;
	int rc;

	buf_clear(&t->numbered);
	db_bind_int(t->find_acl, 1, number);
	rc = sqlite3_step(t->find_acl);
	if (rc == SQLITE_ROW) {
		acl = db_column(t->find_acl, 0);
		if (buf_append(&t->numbered, acl.data, acl.len) != 0)
			die("import.no_memory", "an ACL is too long");
	} else if (rc != SQLITE_DONE) {
		db_die(t->db, "store.read_failed");
	}
	db_reset(t->find_acl);
	t->number = number;
	return rc == SQLITE_ROW;
}

/* One that was given before, lent until the next call. Znodes that follow each other often have the
 * same. */
static bool find_acl(struct import_tree *t, int64_t number, struct slice *encoded)
{
	bool is_here = buf_len(&t->numbered) > 0 && t->number == number;

	if (!is_here && !look_up_acl(t, number))
		return false;
	*encoded = buf_slice(&t->numbered);
	return true;
}

static int take_acl(void *ctx, int64_t number, struct slice encoded, char reason[STORE_REASON_LEN])
{
	struct import_tree *t = ctx;

	if (!is_sound_acl(encoded))
		return refuse(reason, "the ACL with the number %" PRId64 " has a null in it",
			      number);
	db_bind_int(t->add_acl, 1, number);
	db_bind_blob(t->add_acl, 2, encoded);
	db_must_run(t->db, t->add_acl);
	if (sqlite3_changes(t->db) != 1)
		return refuse(reason, "there are two ACLs with the number %" PRId64, number);
	count_change(t);
	return 0;
}

static int take_znode(void *ctx, const struct zk_znode *z, char reason[STORE_REASON_LEN])
{
	struct import_tree *t = ctx;
	struct record_znode row = {
		.path = z->path,
		.columns = RECORD_ALL,
		.czxid = z->czxid,
		.ctime = z->ctime,
		.owner = z->owner,
		.data = z->data,
		.mzxid = z->mzxid,
		.mtime = z->mtime,
		.version = z->version,
		.acl = acl_row_open,
		.aversion = z->aversion,
		.pzxid = z->pzxid,
		.creates = z->creates,
	};

	if (check_path(z->path, reason) != 0 || check_owner(z->path, z->owner, reason) != 0)
		return -1;
	if (z->acl != ZK_ACL_OPEN && !find_acl(t, z->acl, &row.acl))
		return refuse(reason, "'%.*s': its ACL (%" PRId64 ") is missing", shown(z->path),
			      z->path.data, z->acl);
	put(t, &row, false);
	return 0;
}

struct zk_snapshot_sink import_tree_sink(struct import_tree *t)
{
	return (struct zk_snapshot_sink){ t, take_session, take_acl, take_znode };
}

/* ---- transactions ---- */

struct known {
	int64_t pzxid;
	int32_t creates;
	int32_t aversion;
	int64_t owner;
};

static bool look_at(struct import_tree *t, struct slice path, struct known *k)
{
	struct slice parent, name;
	int rc;

	rows_split_path(path, &parent, &name);
	db_bind_text(t->look, 1, parent);
	db_bind_text(t->look, 2, name);
	rc = sqlite3_step(t->look);
	if (rc == SQLITE_ROW) {
		k->pzxid = sqlite3_column_int64(t->look, 0);
		k->creates = sqlite3_column_int(t->look, 1);
		k->aversion = sqlite3_column_int(t->look, 2);
		k->owner = sqlite3_column_int64(t->look, 3);
	} else if (rc != SQLITE_DONE) {
		db_die(t->db, "store.read_failed");
	}
	db_reset(t->look);
	return rc == SQLITE_ROW;
}

static void put_children(struct import_tree *t, struct slice path, const struct known *k)
{
	const struct record_znode row = { .path = path,
					  .columns = RECORD_CHILDREN,
					  .pzxid = k->pzxid,
					  .creates = k->creates };

	put(t, &row, false);
}

/* The parent's count of creates, where it rises. */
static void raise_creates(struct import_tree *t, const struct zk_txn *x, struct slice parent,
			  struct known *k)
{
	int32_t creates = x->parent_creates;

	/* It wraps, as Java's does. */
	if (creates == -1)
		creates = (int32_t)((uint32_t)k->creates + 1);
	if (creates <= k->creates)
		return;
	k->creates = creates;
	k->pzxid = x->zxid;
	put_children(t, parent, k);
}

static int64_t owner_for(const struct zk_txn *x)
{
	if (x->type == OP_CREATE_CONTAINER)
		return PROTO_OWNER_CONTAINER;
	if (x->type == OP_CREATE_TTL)
		return PROTO_OWNER_TTL | x->ttl_ms;
	return x->is_ephemeral ? x->session : 0;
}

/* With its count; none is open to the world. */
static int encode_acl(struct import_tree *t, const struct zk_txn *x, char reason[STORE_REASON_LEN])
{
	uint8_t count[4];

	buf_clear(&t->acl);
	jute_put_int(count, x->acl.count);
	if (x->acl.count >= 0) {
		if (buf_append(&t->acl, count, sizeof(count)) == 0 &&
		    buf_append(&t->acl, x->acl.raw.data, x->acl.raw.len) == 0 &&
		    is_sound_acl(buf_slice(&t->acl)))
			return 0;
	} else if (buf_append(&t->acl, acl_row_open.data, acl_row_open.len) == 0) {
		return 0;
	}
	return refuse(reason, "an ACL has a null in it");
}

static void insert(struct import_tree *t, const struct zk_txn *x)
{
	const struct record_znode row = {
		.path = x->path,
		.columns = RECORD_ALL,
		.czxid = x->zxid,
		.ctime = x->time_ms,
		.owner = owner_for(x),
		.data = x->data,
		.mzxid = x->zxid,
		.mtime = x->time_ms,
		.acl = buf_slice(&t->acl),
		.pzxid = x->zxid,
	};

	put(t, &row, false);
}

static void put_acl(struct import_tree *t, const struct zk_txn *x, int32_t aversion)
{
	const struct record_znode row = { .path = x->path,
					  .columns = RECORD_ACL,
					  .acl = buf_slice(&t->acl),
					  .aversion = aversion };

	put(t, &row, false);
}

/* What is there already was in the snapshot: it keeps what it has but for the ACL. */
static int apply_create(struct import_tree *t, const struct zk_txn *x,
			char reason[STORE_REASON_LEN])
{
	struct slice parent, name;
	struct known above, here;

	rows_split_path(x->path, &parent, &name);
	if (check_owner(x->path, owner_for(x), reason) != 0 || encode_acl(t, x, reason) != 0)
		return -1;
	if (name.len == 0 || !look_at(t, parent, &above))
		return 0;
	if (look_at(t, x->path, &here)) {
		put_acl(t, x, here.aversion);
		if (x->type == OP_CREATE)
			raise_creates(t, x, parent, &above);
		return 0;
	}
	raise_creates(t, x, parent, &above);
	insert(t, x);
	return 0;
}

/* The parent is told of it also where the child had gone before the snapshot was written. */
static void remove_znode(struct import_tree *t, struct slice path, int64_t zxid)
{
	const struct record_znode gone = { .path = path };
	struct slice parent, name;
	struct known above;

	rows_split_path(path, &parent, &name);
	if (name.len == 0 || !look_at(t, parent, &above))
		return;
	if (zxid > above.pzxid) {
		above.pzxid = zxid;
		put_children(t, parent, &above);
	}
	put(t, &gone, true);
}

static void apply_set_data(struct import_tree *t, const struct zk_txn *x)
{
	const struct record_znode row = { .path = x->path,
					  .columns = RECORD_DATA,
					  .data = x->data,
					  .mzxid = x->zxid,
					  .mtime = x->time_ms,
					  .version = x->version };
	struct known here;

	if (look_at(t, x->path, &here))
		put(t, &row, false);
}

static int apply_set_acl(struct import_tree *t, const struct zk_txn *x,
			 char reason[STORE_REASON_LEN])
{
	struct known here;

	if (encode_acl(t, x, reason) != 0)
		return -1;
	if (look_at(t, x->path, &here))
		put_acl(t, x, x->version);
	return 0;
}

/* "<parent>/<name>" of the row that stmt is at. */
static struct slice path_of_row(struct import_tree *t, sqlite3_stmt *stmt)
{
	return rows_join_path(&t->path, db_column(stmt, 0), db_column(stmt, 1));
}

/* One of the znodes that a session owns. */
static bool find_owned(struct import_tree *t, int64_t session, struct slice *path)
{
	int rc;

	db_bind_int(t->owned, 1, session);
	rc = sqlite3_step(t->owned);
	if (rc == SQLITE_ROW)
		*path = path_of_row(t, t->owned);
	else if (rc != SQLITE_DONE)
		db_die(t->db, "store.read_failed");
	db_reset(t->owned);
	return rc == SQLITE_ROW;
}

static int close_session(struct import_tree *t, struct zk_txn *x, char reason[STORE_REASON_LEN])
{
	const struct record_session closed = { .id = x->session };
	struct slice path;

	for (int32_t i = 0; i < x->path_count; i++) {
		path = jute_read_buffer(&x->paths);
		if (check_path(path, reason) != 0)
			return -1;
		remove_znode(t, path, x->zxid);
	}
	/* 0 and our marks own what no session does. */
	while (kind_of(x->session) == OWNER_SESSION && find_owned(t, x->session, &path))
		remove_znode(t, path, x->zxid);
	rows_put_session(t->rows, &closed);
	return 0;
}

static bool has_path(int32_t type)
{
	return type != OP_CREATE_SESSION && type != OP_CLOSE_SESSION && type != OP_ERROR &&
	       type != OP_MULTI;
}

/* One that is no multi. */
static int apply_one(struct import_tree *t, struct zk_txn *x, char reason[STORE_REASON_LEN])
{
	if (has_path(x->type) && check_path(x->path, reason) != 0)
		return -1;
	switch (x->type) {
	case OP_CREATE_SESSION:
		return take_session(t, x->session, x->timeout_ms, reason);
	case OP_CLOSE_SESSION:
		return close_session(t, x, reason);
	case OP_SET_ACL:
		return apply_set_acl(t, x, reason);
	case OP_SET_DATA:
		apply_set_data(t, x);
		return 0;
	case OP_DELETE:
	case OP_DELETE_CONTAINER:
		remove_znode(t, x->path, x->zxid);
		return 0;
	case OP_CHECK:
	case OP_ERROR:
		return 0;
	default:
		return apply_create(t, x, reason);
	}
}

int import_tree_apply(struct import_tree *t, struct zk_txn *x, char reason[STORE_REASON_LEN])
{
	struct zk_txn part;
	int rc;

	if (x->type != OP_MULTI)
		return apply_one(t, x, reason);
	if (zk_txn_has_failed(x))
		return 0;
	while ((rc = zk_txn_next_part(x, &part)) == 1)
		if (apply_one(t, &part, reason) != 0)
			return -1;
	return rc == 0 ? 0 : refuse(reason, "a part of a multi cannot be understood");
}

/* ---- the digest ---- */

int64_t import_tree_digest(struct import_tree *t)
{
	sqlite3_stmt *stmt = db_prepare(t->db, "SELECT parent, name, data, czxid, mzxid, pzxid, "
					       "ctime, mtime, version, creates, aversion, owner "
					       "FROM znode");
	uint64_t sum = 0;
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct zk_znode z = {
			.path = path_of_row(t, stmt),
			.data = db_column(stmt, 2),
			.czxid = sqlite3_column_int64(stmt, 3),
			.mzxid = sqlite3_column_int64(stmt, 4),
			.pzxid = sqlite3_column_int64(stmt, 5),
			.ctime = sqlite3_column_int64(stmt, 6),
			.mtime = sqlite3_column_int64(stmt, 7),
			.version = sqlite3_column_int(stmt, 8),
			.creates = sqlite3_column_int(stmt, 9),
			.aversion = sqlite3_column_int(stmt, 10),
			.owner = sqlite3_column_int64(stmt, 11),
		};

		sum += zk_digest_znode(&z);
	}
	if (rc != SQLITE_DONE)
		db_die(t->db, "store.read_failed");
	sqlite3_finalize(stmt);
	return (int64_t)sum;
}

/* ---- the end ---- */

static int64_t query(struct import_tree *t, const char *sql)
{
	sqlite3_stmt *stmt = db_prepare(t->db, sql);
	int64_t v = 0;

	if (sqlite3_step(stmt) != SQLITE_ROW)
		db_die(t->db, "store.read_failed");
	v = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return v;
}

/* Those that ZooKeeper makes where an old version did not. */
static void add_missing(struct import_tree *t)
{
	static const char *const paths[] = { "/zookeeper", "/zookeeper/quota",
					     "/zookeeper/config" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		bool is_config = i == 2;
		const struct record_znode row = {
			.path = slice_of(paths[i]),
			.columns = RECORD_ALL,
			.data = slice_of(""),
			.acl = is_config ? acl_row_read : acl_row_open,
			.aversion = is_config ? -1 : 0,
		};
		struct known here;

		if (!look_at(t, slice_of(paths[i]), &here))
			put(t, &row, false);
	}
	/* It says who is in an ensemble. */
	db_must_exec(t->db, "UPDATE znode SET data = x'' WHERE parent = '/zookeeper' AND "
			    "name = 'config'");
}

/* 128 and more are server ids whose sessions are negative numbers, as our marks are. */
static int check_sessions(struct import_tree *t, char reason[STORE_REASON_LEN])
{
	int64_t lowest = query(t, "SELECT ifnull(min(id), 1) FROM session");

	if (lowest > 0)
		return 0;
	return refuse(reason,
		      "session 0x%" PRIx64
		      " was opened at a server whose id is above 127, and cannot "
		      "be carried: import without sessions",
		      (uint64_t)lowest);
}

/* The ephemerals of whatever sessions are not there: as ZooKeeper does it after a load. */
static uint64_t remove_lost(struct import_tree *t, int64_t zxid)
{
	sqlite3_stmt *stmt = db_prepare(
		t->db, "SELECT parent, name FROM znode WHERE owner <> 0 AND " IS_EPHEMERAL
		       " AND owner NOT IN (SELECT id FROM session) LIMIT 1");
	uint64_t count = 0;

	for (;; count++) {
		int rc = sqlite3_step(stmt);
		struct slice path;

		if (rc == SQLITE_DONE)
			break;
		if (rc != SQLITE_ROW)
			db_die(t->db, "store.read_failed");
		path = path_of_row(t, stmt);
		db_reset(stmt);
		remove_znode(t, path, zxid);
	}
	sqlite3_finalize(stmt);
	return count;
}

/* Children of one parent each, from behind *after on; false where there are no more. */
static int count_some(struct import_tree *t, sqlite3_stmt *list, sqlite3_stmt *set,
		      struct buf *after, char reason[STORE_REASON_LEN])
{
	int rows = 0, rc;

	db_bind_text(list, 1, buf_slice(after));
	while ((rc = sqlite3_step(list)) == SQLITE_ROW) {
		struct slice path = db_column(list, 0), parent, name;

		rows++;
		rows_split_path(path, &parent, &name);
		db_bind_int(set, 1, sqlite3_column_int64(list, 1));
		db_bind_text(set, 2, parent);
		db_bind_text(set, 3, name);
		db_must_run(t->db, set);
		if (sqlite3_changes(t->db) != 1)
			return refuse(reason, "'%.*s': is missing, but has children", shown(path),
				      path.data);
		buf_clear(&t->path);
		if (buf_append(&t->path, path.data, path.len) != 0)
			return refuse(reason, "there is no memory for a path");
	}
	if (rc != SQLITE_DONE)
		db_die(t->db, "store.read_failed");
	db_reset(list);
	buf_clear(after);
	if (buf_append(after, buf_head(&t->path), buf_len(&t->path)) != 0)
		return refuse(reason, "there is no memory for a path");
	return rows;
}

static int count_children(struct import_tree *t, char reason[STORE_REASON_LEN])
{
	sqlite3_stmt *list = db_prepare(t->db, "SELECT parent, count(*) FROM znode WHERE parent > "
					       "?1 GROUP BY parent ORDER BY parent LIMIT 1000");
	sqlite3_stmt *set = db_prepare(t->db, "UPDATE znode SET num_children = ?1 WHERE parent = "
					      "?2 AND name = ?3");
	struct buf after;
	int rows;

	buf_init(&after, SIZE_MAX);
	if (buf_reserve(&after, 1) != 0)
		die("import.no_memory", "one byte");
	do
		rows = count_some(t, list, set, &after, reason);
	while (rows > 0);
	buf_fini(&after);
	sqlite3_finalize(list);
	sqlite3_finalize(set);
	return rows;
}

/* What is at path or below it, as ZooKeeper's text says it. */
static void put_statistics(struct import_tree *t, struct slice path, struct slice quota)
{
	/* What is below lies between path || '/' and path || '0', the next character. */
	sqlite3_stmt *stmt = db_prepare(
		t->db, "UPDATE znode SET data = (SELECT CAST(printf('count=%lld,bytes=%lld', "
		       "count(*), ifnull(sum(length(data)), 0)) AS BLOB) FROM ("
		       "SELECT data FROM znode WHERE parent = ?1 UNION ALL "
		       "SELECT data FROM znode WHERE parent > ?1 || '/' AND parent < ?1 || '0' "
		       "UNION ALL SELECT data FROM znode WHERE parent = ?2 AND name = ?3)) "
		       "WHERE parent = ?4 AND name = 'zookeeper_stats'");
	struct slice parent, name;

	rows_split_path(path, &parent, &name);
	db_bind_text(stmt, 1, path);
	db_bind_text(stmt, 2, parent);
	db_bind_text(stmt, 3, name);
	db_bind_text(stmt, 4, quota);
	db_must_run(t->db, stmt);
	sqlite3_finalize(stmt);
}

/* Statistics are not logged: each start of a ZooKeeper counts them anew, where there are limits. */
static uint64_t count_quotas(struct import_tree *t)
{
	sqlite3_stmt *stmt = db_prepare(
		t->db,
		"SELECT parent FROM znode WHERE name = 'zookeeper_limits' AND parent > ?1 AND "
		"parent < '/zookeeper/quota0' ORDER BY parent LIMIT 1");
	const size_t root = strlen("/zookeeper/quota");
	char *quota = mem_strdup("/zookeeper/quota/");
	uint64_t count = 0;

	for (;; count++) {
		struct slice found;

		db_bind_text(stmt, 1, slice_of(quota));
		if (sqlite3_step(stmt) != SQLITE_ROW)
			break;
		found = db_column(stmt, 0);
		mem_free(quota);
		quota = mem_dup(found.data, found.len);
		db_reset(stmt);
		put_statistics(t, slice_of(quota + root), slice_of(quota));
	}
	sqlite3_finalize(stmt);
	mem_free(quota);
	return count;
}

static void count_all(struct import_tree *t, uint64_t large_bytes, struct import_counts *c)
{
	sqlite3_stmt *stmt = db_prepare(t->db, "SELECT owner, ifnull(length(data), 0) FROM znode");
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		uint64_t bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
		enum owner_kind kind = kind_of(sqlite3_column_int64(stmt, 0));

		c->persistent += kind == OWNER_NONE;
		c->containers += kind == OWNER_CONTAINER;
		c->ttls += kind == OWNER_TTL;
		c->ephemerals += kind == OWNER_SESSION;
		c->large += bytes > large_bytes;
		c->data_bytes += bytes;
	}
	if (rc != SQLITE_DONE)
		db_die(t->db, "store.read_failed");
	sqlite3_finalize(stmt);
}

int import_tree_finish(struct import_tree *t, int64_t zxid, bool with_sessions,
		       uint64_t large_bytes, struct import_counts *c, char reason[STORE_REASON_LEN])
{
	int64_t newest = query(t, "SELECT max(max(czxid), max(mzxid), max(pzxid)) FROM znode");
	struct known root;

	*c = (struct import_counts){ .zxid = zxid, .is_ahead = newest > zxid };
	if (!look_at(t, slice_of("/"), &root))
		return refuse(reason, "there is no root in the tree");
	/* No change of ours may come below what is shown. */
	if (newest > zxid)
		c->zxid = newest;
	if (with_sessions && check_sessions(t, reason) != 0)
		return -1;
	c->sessions = (uint64_t)query(t, "SELECT count(*) FROM session");
	if (!with_sessions) {
		c->lost_sessions = c->sessions;
		c->sessions = 0;
		db_must_exec(t->db, "DELETE FROM session");
	}
	add_missing(t);
	c->lost_ephemerals = remove_lost(t, c->zxid);
	if (count_children(t, reason) != 0)
		return -1;
	c->quotas = count_quotas(t);
	count_all(t, large_bytes, c);
	db_must_exec(t->db, "DROP INDEX import_owner; DROP TABLE import_acl");
	end_batch(t, c->zxid);
	return 0;
}

/* ---- schemes ---- */

static bool is_first_of(struct slice encoded, struct slice scheme, int32_t at)
{
	struct proto_acls acls;
	struct jute_reader in;

	jute_reader_init(&in, encoded);
	acls = proto_read_acls(&in);
	jute_reader_init(&in, acls.raw);
	for (int32_t i = 0; i < at; i++)
		if (slice_equal(proto_read_acl(&in).scheme, scheme))
			return false;
	return true;
}

void import_tree_list_schemes(struct import_tree *t,
			      void (*each)(void *ctx, struct slice scheme, uint64_t znodes),
			      void *ctx)
{
	sqlite3_stmt *stmt = db_prepare(t->db, "SELECT acl, znodes FROM acl ORDER BY key");
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct slice encoded = db_column(stmt, 0);
		struct proto_acls acls;
		struct jute_reader in;

		jute_reader_init(&in, encoded);
		acls = proto_read_acls(&in);
		jute_reader_init(&in, acls.raw);
		for (int32_t i = 0; i < acls.count; i++) {
			struct slice scheme = proto_read_acl(&in).scheme;

			if (is_first_of(encoded, scheme, i))
				each(ctx, scheme, (uint64_t)sqlite3_column_int64(stmt, 1));
		}
	}
	if (rc != SQLITE_DONE)
		db_die(t->db, "store.read_failed");
	sqlite3_finalize(stmt);
}

/* ---- passwords ---- */

/* java.util.Random, seeded with id ^ superSecret (ZooKeeperServer.generatePasswd), as nextBytes
 * gives it. */
void import_password(int64_t session, uint8_t password[IMPORT_PASSWORD_LEN])
{
	const uint64_t factor = UINT64_C(0x5deece66d), mask = (UINT64_C(1) << 48) - 1;
	uint64_t state = ((uint64_t)session ^ UINT64_C(0xb3415c00) ^ factor) & mask;

	for (size_t i = 0; i < IMPORT_PASSWORD_LEN; i += 4) {
		uint32_t word;

		state = (state * factor + 0xb) & mask;
		word = htole32((uint32_t)(state >> 16));
		memcpy(password + i, &word, sizeof(word));
	}
}
