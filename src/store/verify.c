/* See the header. A tree is walked once in the order of its index: children of one parent come
 * together. */
#include "store/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/acl_row.h"
#include "store/readonly.h"

enum { FAULT_LEN = 1024, SHOWN = 300 };

/* How many znodes have an ACL. */
struct acl_use {
	struct hash_node by_key;
	uint8_t key[ACL_ROW_KEY_LEN];
	uint64_t znodes;
};

struct walk {
	sqlite3 *db;
	const char *path;
	const struct verify_teller *teller;
	struct verify_report *report;
	struct digest *digest;
	sqlite3_stmt *parents;  /* asks for a znode's num_children, */
	sqlite3_stmt *sessions; /* and for a session */
	struct hash acl_uses;
	struct buf parent; /* of the znodes that come just now, */
	uint64_t siblings; /* how many of them came */
	int64_t children;  /* that all znodes together say they have */
	int64_t owner;     /* looked up last */
};

/* ---- what is wrong ---- */

printf_like(2, 3) static void fault(struct walk *w, const char *format, ...)
{
	char text[FAULT_LEN];
	va_list args;
	int len;

	if (w->report->has_failed || w->report->faults++ >= VERIFY_MOST)
		return;
	len = snprintf(text, sizeof(text), "%.*s: ", SHOWN, w->path);
	va_start(args, format);
	(void)vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
	va_end(args);
	w->teller->fault(w->teller->ctx, text);
}

static void tell_failure(const struct verify_teller *t, struct verify_report *out,
			 const char *reason)
{
	if (!out->has_failed)
		t->failure(t->ctx, reason);
	out->has_failed = true;
}

static void tell_reason(const struct verify_teller *t, struct verify_report *out,
			const char *reason)
{
	out->faults++;
	t->fault(t->ctx, reason);
}

/* Whether the code says nothing of what stands in the file. */
static bool is_failure(int code)
{
	switch (code & 0xff) {
	case SQLITE_IOERR:
		return code != SQLITE_IOERR_SHORT_READ && code != SQLITE_IOERR_DATA;
	case SQLITE_NOMEM:
	case SQLITE_FULL:
	case SQLITE_CANTOPEN:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_INTERRUPT:
		return true;
	default:
		return false;
	}
}

static void unreadable(struct walk *w)
{
	char reason[DB_REASON_LEN];

	if (!is_failure(sqlite3_extended_errcode(w->db))) {
		fault(w, "cannot be read: %s", sqlite3_errmsg(w->db));
		return;
	}
	(void)db_fail(w->db, "cannot be read", reason);
	tell_failure(w->teller, w->report, reason);
}

static void fault_at(struct walk *w, struct slice parent, struct slice name, const char *what)
{
	bool is_top = parent.len <= 1;

	fault(w, "znode %.*s/%.*s: %s", is_top ? 0 : (int)(parent.len < SHOWN ? parent.len : SHOWN),
	      parent.data, (int)(name.len < SHOWN ? name.len : SHOWN), name.data, what);
}

static sqlite3_stmt *ask(struct walk *w, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(w->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		unreadable(w);
	return stmt;
}

/* Each row to row_fn, which counts what is wrong itself. */
static void for_each(struct walk *w, const char *sql, void (*row_fn)(struct walk *, sqlite3_stmt *))
{
	sqlite3_stmt *stmt = ask(w, sql);
	int rc = SQLITE_DONE;

	while (stmt != NULL && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		row_fn(w, stmt);
	if (rc != SQLITE_DONE)
		unreadable(w);
	sqlite3_finalize(stmt);
}

/* ---- the file as such ---- */

/* The check goes on behind a page that it could not get, and says so like anything that it
 * found. */
static bool is_failed_page(const char *line)
{
	static const char word[] = "error code=";
	const char *at = strstr(line, word);

	return at != NULL && is_failure((int)strtol(at + sizeof(word) - 1, NULL, 10));
}

static void take_integrity(struct walk *w, sqlite3_stmt *stmt)
{
	struct slice text = db_column(stmt, 0);
	char line[SHOWN + 1], reason[DB_REASON_LEN];

	if (slice_is(text, "ok"))
		return;
	(void)snprintf(line, sizeof(line), "%.*s", (int)text.len, text.data);
	if (!is_failed_page(line)) {
		fault(w, "integrity check: %s", line);
		return;
	}
	(void)snprintf(reason, sizeof(reason), "%.*s: integrity check: %s", SHOWN, w->path, line);
	tell_failure(w->teller, w->report, reason);
}

/* All that makes the schema, as one text; the caller frees. */
static char *schema_text(sqlite3 *db)
{
	static const char sql[] =
		"SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10)) "
		"FROM (SELECT type, name, sql FROM sqlite_schema ORDER BY type, name)";
	sqlite3_stmt *stmt = NULL;
	char *text = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW) {
		struct slice s = db_column(stmt, 0);

		text = s.data != NULL ? mem_dup(s.data, s.len) : NULL;
	}
	sqlite3_finalize(stmt);
	return text;
}

/* All versions have the same tables. */
static void check_schema(struct walk *w, int version)
{
	sqlite3 *model = NULL;
	char *expected, *found;

	if (sqlite3_open(":memory:", &model) != SQLITE_OK ||
	    db_create_schema(model, DB_SCHEMA_TREE) != 0) {
		tell_failure(w->teller, w->report, "no memory to compare the schema");
		sqlite3_close(model);
		return;
	}
	expected = schema_text(model);
	found = schema_text(w->db);
	/* Ignored behind a failure. */
	if (found == NULL && is_failure(sqlite3_extended_errcode(w->db)))
		unreadable(w);
	if (expected == NULL || found == NULL || strcmp(expected, found) != 0)
		fault(w, "its tables are not those of schema version %d", version);
	mem_free(expected);
	mem_free(found);
	sqlite3_close(model);
}

/* False: there is nothing more to look at. */
static bool check_file(struct walk *w, int *version)
{
	uint64_t before = w->report->faults;
	char reason[DB_REASON_LEN];

	if (db_version(w->db, version, reason) != 0) {
		if (is_failure(sqlite3_extended_errcode(w->db)))
			tell_failure(w->teller, w->report, reason);
		else
			tell_reason(w->teller, w->report, reason);
		return false;
	}
	if (*version == 0) {
		fault(w, "is no tree of this program");
		return false;
	}
	check_schema(w, *version);
	for_each(w, "PRAGMA integrity_check(20)", take_integrity);
	return w->report->faults == before && !w->report->has_failed;
}

/* ---- meta ---- */

static void take_meta(struct walk *w, sqlite3_stmt *stmt)
{
	struct slice key = db_column(stmt, 0), value = db_column(stmt, 1);
	struct rows_meta *meta = &w->report->meta;

	if (slice_is(key, "database") && value.len == DATABASE_ID_LEN)
		memcpy(meta->database, value.data, DATABASE_ID_LEN);
	else if (slice_is(key, "zxid"))
		meta->zxid = sqlite3_column_int64(stmt, 1);
	else if (slice_is(key, "znodes"))
		meta->znodes = (uint64_t)sqlite3_column_int64(stmt, 1);
	else if (slice_is(key, "database"))
		fault(w, "the database id is damaged");
}

static void take_meta_count(struct walk *w, sqlite3_stmt *stmt)
{
	if (sqlite3_column_int64(stmt, 0) != 3)
		fault(w, "the table meta lacks 'database', 'zxid' or 'znodes'");
}

/* ---- znodes ---- */

static void count_acl(struct walk *w, struct slice key)
{
	uint64_t hash = hash_bytes(key.data, key.len);
	struct acl_use *use;

	for (struct hash_node *n = hash_find(&w->acl_uses, hash); n != NULL;
	     n = hash_find_next(n)) {
		use = container_of(n, struct acl_use, by_key);
		if (memcmp(use->key, key.data, ACL_ROW_KEY_LEN) == 0) {
			use->znodes++;
			return;
		}
	}
	use = mem_new(sizeof(*use));
	memcpy(use->key, key.data, ACL_ROW_KEY_LEN);
	use->znodes = 1;
	hash_insert(&w->acl_uses, &use->by_key, hash);
}

/* How many children a znode says it has; -1: it is not there. */
static int64_t children_of(struct walk *w, struct slice path)
{
	struct slice parent, name;
	int64_t count = -1;
	int rc;

	rows_split_path(path, &parent, &name);
	db_bind_text(w->parents, 1, parent);
	db_bind_text(w->parents, 2, name);
	rc = sqlite3_step(w->parents);
	if (rc == SQLITE_ROW)
		count = sqlite3_column_int64(w->parents, 0);
	else if (rc != SQLITE_DONE)
		unreadable(w);
	db_reset(w->parents);
	return count;
}

/* All children of a parent came. */
static void end_siblings(struct walk *w)
{
	struct slice path = buf_slice(&w->parent);
	int64_t said;

	/* The root has no parent. */
	if (w->siblings == 0 || path.len == 0)
		return;
	said = children_of(w, path);
	if (said == -1)
		fault(w, "znode %.*s is missing, but has %" PRIu64 " children",
		      (int)(path.len < SHOWN ? path.len : SHOWN), path.data, w->siblings);
	else if (said != (int64_t)w->siblings)
		fault(w, "znode %.*s says it has %" PRId64 " children, and has %" PRIu64,
		      (int)(path.len < SHOWN ? path.len : SHOWN), path.data, said, w->siblings);
}

static void check_owner(struct walk *w, struct slice parent, struct slice name, int64_t owner)
{
	int rc;

	w->report->ephemerals++;
	if (owner == w->owner)
		return;
	db_bind_int(w->sessions, 1, owner);
	rc = sqlite3_step(w->sessions);
	db_reset(w->sessions);
	if (rc == SQLITE_ROW)
		w->owner = owner;
	else if (rc == SQLITE_DONE)
		fault_at(w, parent, name, "is ephemeral, but its session is not there");
	else
		unreadable(w);
}

static void check_znode(struct walk *w, struct slice parent, struct slice name,
			const struct record_znode *z)
{
	int64_t most = w->report->meta.zxid;
	bool is_root = parent.len == 0;

	if (name.len == 0 ? !is_root : is_root || memchr(name.data, '/', name.len) != NULL)
		fault_at(w, parent, name, "has a wrong name");
	if (z->czxid > most || z->mzxid > most || z->pzxid > most)
		fault_at(w, parent, name, "has a zxid above the tree's");
	if (z->num_children < 0)
		fault_at(w, parent, name, "has fewer children than none");
	if (z->acl.data == NULL)
		fault_at(w, parent, name, "has no ACL");
	if (z->owner > 0)
		check_owner(w, parent, name, z->owner);
}

static void take_znode(struct walk *w, sqlite3_stmt *stmt)
{
	struct slice parent = db_column(stmt, 0), name = db_column(stmt, 1);
	struct slice key = db_column(stmt, 14);
	const struct record_znode z = {
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
		.num_children = sqlite3_column_int(stmt, 12),
		.acl = db_column(stmt, 13),
	};

	if (w->siblings == 0 || !slice_equal(parent, buf_slice(&w->parent))) {
		end_siblings(w);
		w->siblings = 0;
		buf_clear(&w->parent);
		if (buf_append(&w->parent, parent.data, parent.len) != 0)
			fault_at(w, parent, name, "has a path too long to be looked at");
	}
	w->siblings++;
	w->children += z.num_children;
	w->report->znodes++;
	w->report->bytes += z.data.len;
	if (key.len == ACL_ROW_KEY_LEN)
		count_acl(w, key);
	check_znode(w, parent, name, &z);
	digest_add_znode(w->digest, parent, name, &z);
}

static void take_session(struct walk *w, sqlite3_stmt *stmt)
{
	struct slice hash = db_column(stmt, 2);
	struct record_session s = {
		.id = sqlite3_column_int64(stmt, 0),
		.timeout_ms = sqlite3_column_int(stmt, 1),
		.identity = db_column(stmt, 3),
	};

	w->report->sessions++;
	if (hash.len != RECORD_PASSWORD_HASH_LEN)
		fault(w, "session 0x%" PRIx64 " has a damaged password", (uint64_t)s.id);
	else
		memcpy(s.password_hash, hash.data, RECORD_PASSWORD_HASH_LEN);
	digest_add_session(w->digest, &s);
}

static void take_acl(struct walk *w, sqlite3_stmt *stmt)
{
	struct slice key = db_column(stmt, 0), acl = db_column(stmt, 1);
	uint8_t expected[ACL_ROW_KEY_LEN];
	uint64_t znodes = 0;

	w->report->acls++;
	acl_row_key(acl, expected);
	if (key.len != ACL_ROW_KEY_LEN || memcmp(key.data, expected, ACL_ROW_KEY_LEN) != 0) {
		fault(w, "an ACL does not belong to its key");
		return;
	}
	for (struct hash_node *n = hash_find(&w->acl_uses, hash_bytes(key.data, key.len));
	     n != NULL; n = hash_find_next(n)) {
		const struct acl_use *use = container_of(n, struct acl_use, by_key);

		if (memcmp(use->key, key.data, ACL_ROW_KEY_LEN) == 0)
			znodes = use->znodes;
	}
	if ((uint64_t)sqlite3_column_int64(stmt, 2) != znodes)
		fault(w, "an ACL is counted for %lld znodes, and %" PRIu64 " have it",
		      (long long)sqlite3_column_int64(stmt, 2), znodes);
}

static void check_sums(struct walk *w)
{
	const struct verify_report *r = w->report;
	uint64_t persistent = r->znodes - r->ephemerals;

	if (persistent != r->meta.znodes)
		fault(w, "meta counts %" PRIu64 " persistent znodes, and there are %" PRIu64,
		      r->meta.znodes, persistent);
	/* Who has children was compared with them; this finds those that say they have some, and
	 * have none. */
	if (r->znodes > 0 && w->children != (int64_t)r->znodes - 1)
		fault(w,
		      "its znodes say they have %" PRId64 " children together, and there are "
		      "%" PRIu64,
		      w->children, r->znodes - 1);
}

static void walk_tree(struct walk *w)
{
	w->parents = ask(w, "SELECT num_children FROM znode WHERE parent = ?1 AND name = ?2");
	w->sessions = ask(w, "SELECT 1 FROM session WHERE id = ?1");
	if (w->parents == NULL || w->sessions == NULL)
		return;
	for_each(w,
		 "SELECT z.parent, z.name, z.data, z.czxid, z.mzxid, z.pzxid, z.ctime, z.mtime, "
		 "z.version, z.creates, z.aversion, z.owner, z.num_children, acl.acl, z.acl "
		 "FROM znode AS z LEFT JOIN acl ON acl.key = z.acl ORDER BY z.parent, z.name",
		 take_znode);
	end_siblings(w);
	for_each(w, "SELECT id, timeout_ms, password_hash, identity FROM session ORDER BY id",
		 take_session);
	for_each(w, "SELECT key, acl, znodes FROM acl", take_acl);
	check_sums(w);
}

static void free_uses(struct hash *uses)
{
	struct hash_node *next;

	for (struct hash_node *n = hash_first(uses); n != NULL; n = next) {
		next = hash_after(uses, n);
		mem_free(container_of(n, struct acl_use, by_key));
	}
	hash_fini(uses);
}

/* Everything in one transaction, so that it is one state. */
static void check_tree(struct walk *w)
{
	w->digest = digest_new();
	hash_init(&w->acl_uses);
	buf_init(&w->parent, SIZE_MAX);
	for_each(w, "BEGIN", take_integrity);
	if (check_file(w, &w->report->version)) {
		for_each(w, "SELECT count(*) FROM meta WHERE key IN ('database', 'zxid', 'znodes')",
			 take_meta_count);
		for_each(w, "SELECT key, value FROM meta", take_meta);
		walk_tree(w);
	}
	digest_end(w->digest, &w->report->digest);
	sqlite3_finalize(w->parents);
	sqlite3_finalize(w->sessions);
	digest_free(w->digest);
	free_uses(&w->acl_uses);
	buf_fini(&w->parent);
}

int verify_tree(const char *path, const struct verify_teller *t, struct verify_report *out)
{
	struct walk w = { .path = path, .teller = t, .report = out };
	char reason[DB_REASON_LEN];

	*out = (struct verify_report){ 0 };
	if (readonly_open(&w.db, path, reason) != 0) {
		/* Nothing was read yet that could be wrong. */
		if (access(path, F_OK) != 0 && errno == ENOENT)
			tell_reason(t, out, reason);
		else
			tell_failure(t, out, reason);
		return -1;
	}
	check_tree(&w);
	readonly_close(w.db);
	return out->faults == 0 && !out->has_failed ? 0 : -1;
}
