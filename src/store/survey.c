#include "store/survey.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { PATH_LIMIT = 1024 * 1024 };

/* The parents of all that stands below path: path itself (?1), and those from path + "/" (?2) to
 * path + "0" (?3), the character behind the slash. */
struct range {
	char *from, *to;
	struct slice parent;
};

static void range_init(struct range *g, struct slice path)
{
	size_t len = slice_is(path, "/") ? 0 : path.len;

	g->parent = path;
	g->from = mem_new(len + 2);
	g->to = mem_new(len + 2);
	memcpy(g->from, path.data, len);
	memcpy(g->to, path.data, len);
	g->from[len] = '/';
	g->to[len] = '/' + 1;
}

static void range_fini(struct range *g)
{
	mem_free(g->from);
	mem_free(g->to);
}

static void range_bind(const struct range *g, sqlite3_stmt *stmt)
{
	db_bind_text(stmt, 1, g->parent);
	db_bind_text(stmt, 2, slice_of(g->from));
	db_bind_text(stmt, 3, slice_of(g->to));
}

#define BELOW "(parent = ?1 OR (parent >= ?2 AND parent < ?3))"

static enum store_result sum_all(struct rows *r, const struct range *g, struct store_sum *out)
{
	sqlite3_stmt *stmt = db_try_prepare(
		rows_db(r),
		"SELECT count(*), total(length(data)) FROM znode WHERE owner <= 0 AND " BELOW);
	enum store_result result = STORE_FOUND;

	if (stmt == NULL)
		return rows_unreadable(r);
	range_bind(g, stmt);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		out->znodes = (uint64_t)sqlite3_column_int64(stmt, 0);
		out->bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
	} else {
		result = rows_unreadable(r);
	}
	sqlite3_finalize(stmt);
	return result;
}

static enum store_result take_off(struct rows *r, const struct slice *paths, size_t count,
				  struct store_sum *out)
{
	sqlite3_stmt *stmt =
		db_try_prepare(rows_db(r), "SELECT length(data) FROM znode "
					   "WHERE parent = ?1 AND name = ?2 AND owner <= 0");
	enum store_result result = STORE_FOUND;

	if (stmt == NULL)
		return rows_unreadable(r);
	for (size_t i = 0; i < count && result == STORE_FOUND; i++) {
		struct slice parent, name;
		int rc;

		rows_split_path(paths[i], &parent, &name);
		db_bind_text(stmt, 1, parent);
		db_bind_text(stmt, 2, name);
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW) {
			out->znodes--;
			out->bytes -= (uint64_t)sqlite3_column_int64(stmt, 0);
		} else if (rc != SQLITE_DONE) {
			result = rows_unreadable(r);
		}
		db_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return result;
}

enum store_result survey_sum_below(struct rows *r, struct slice path, const struct slice *except,
				   size_t count, struct store_sum *out)
{
	enum store_result result;
	struct range g;

	metrics_add(METRIC_tree_reads, 1);
	/* What is taken off must be what was counted: replay may commit between two statements. */
	if (db_exec(rows_db(r), "BEGIN") != SQLITE_OK)
		return rows_unreadable(r);
	range_init(&g, path);
	result = sum_all(r, &g, out);
	range_fini(&g);
	if (result == STORE_FOUND)
		result = take_off(r, except, count, out);
	if (db_exec(rows_db(r), "COMMIT") == SQLITE_OK)
		return result;
	result = rows_unreadable(r);
	/* Some errors end the transaction, others leave it open. */
	(void)sqlite3_exec(rows_db(r), "ROLLBACK", NULL, NULL, NULL);
	return result;
}

/* An index alone answers these (see rows_list_children). */
#define PERSISTENT                                                         \
	"NOT EXISTS (SELECT 1 FROM znode AS e INDEXED BY znode_ephemeral " \
	"WHERE e.parent = z.parent AND e.name = z.name AND e.owner > 0) "
static const char of_parent[] = "SELECT parent, name FROM znode AS z WHERE parent = ?1 "
				"AND name > ?2 AND " PERSISTENT "ORDER BY name LIMIT ?3";
static const char deeper[] = "SELECT parent, name FROM znode AS z WHERE (parent, name) > (?1, ?2) "
			     "AND parent < ?4 AND " PERSISTENT "ORDER BY parent, name LIMIT ?3";

struct listing {
	struct rows *rows;
	unsigned left;
	void (*each)(void *ctx, struct slice parent, struct slice name);
	void *ctx;
};

/* to: NULL where the statement has none. */
static enum store_result list_rows(struct listing *l, const char *sql, struct slice parent,
				   struct slice name, const char *to)
{
	sqlite3_stmt *stmt = db_try_prepare(rows_db(l->rows), sql);
	int rc;

	if (stmt == NULL)
		return rows_unreadable(l->rows);
	db_bind_text(stmt, 1, parent);
	db_bind_text(stmt, 2, name);
	db_bind_int(stmt, 3, l->left);
	if (to)
		db_bind_text(stmt, 4, slice_of(to));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct slice of = db_column(stmt, 0), is = db_column(stmt, 1);

		l->left--;
		if (of.data != NULL && is.data != NULL)
			l->each(l->ctx, of, is);
		else
			(void)rows_damaged(l->rows, "a path is damaged");
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? STORE_FOUND : rows_unreadable(l->rows);
}

enum store_result survey_list_below(struct rows *r, struct slice path, struct slice after,
				    unsigned limit,
				    void (*each)(void *ctx, struct slice parent, struct slice name),
				    void *ctx)
{
	struct listing l = { r, limit, each, ctx };
	struct slice parent = path, name = slice_of("");
	enum store_result result = STORE_FOUND;
	struct range g;

	metrics_add(METRIC_tree_reads, 1);
	range_init(&g, path);
	if (after.len > 0)
		rows_split_path(after, &parent, &name);
	/* Between its own children and those deeper stand the children of others ("/a", "/a-b",
	 * "/a/b"), but for the root's. */
	if (!slice_is(path, "/") && slice_equal(parent, path)) {
		result = list_rows(&l, of_parent, parent, name, NULL);
		parent = slice_of(g.from);
		name = slice_of("");
	}
	if (result == STORE_FOUND && l.left > 0)
		result = list_rows(&l, deeper, parent, name, g.to);
	range_fini(&g);
	return result;
}

/* False where the row is damaged, which is passed over then. */
static bool join_path(struct rows *r, struct buf *b, struct slice parent, struct slice name,
		      struct slice *out)
{
	buf_clear(b);
	if (parent.data == NULL || name.data == NULL ||
	    (!slice_is(parent, "/") && buf_append(b, parent.data, parent.len) != 0) ||
	    buf_append(b, "/", 1) != 0 || buf_append(b, name.data, name.len) != 0) {
		(void)rows_damaged(r, "a path is damaged");
		return false;
	}
	*out = buf_slice(b);
	return true;
}

enum store_result survey_list_marked(struct rows *r, struct slice after, unsigned limit,
				     void (*each)(void *ctx, const struct record_znode *z),
				     void *ctx)
{
	sqlite3_stmt *stmt = db_try_prepare(
		rows_db(r), "SELECT parent, name, mzxid, mtime, owner, creates, num_children "
			    "FROM znode INDEXED BY znode_marked WHERE owner < 0 "
			    "AND (parent, name) > (?1, ?2) ORDER BY parent, name LIMIT ?3");
	struct slice parent, name;
	struct buf path;
	int rc;

	metrics_add(METRIC_tree_reads, 1);
	if (stmt == NULL)
		return rows_unreadable(r);
	buf_init(&path, PATH_LIMIT);
	rows_split_path(after, &parent, &name);
	db_bind_text(stmt, 1, parent);
	db_bind_text(stmt, 2, name);
	db_bind_int(stmt, 3, limit);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct record_znode z = {
			.mzxid = sqlite3_column_int64(stmt, 2),
			.mtime = sqlite3_column_int64(stmt, 3),
			.owner = sqlite3_column_int64(stmt, 4),
			.creates = sqlite3_column_int(stmt, 5),
			.num_children = sqlite3_column_int(stmt, 6),
		};

		if (join_path(r, &path, db_column(stmt, 0), db_column(stmt, 1), &z.path))
			each(ctx, &z);
	}
	buf_fini(&path);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? STORE_FOUND : rows_unreadable(r);
}

enum store_result survey_list_named(struct rows *r, struct slice below, struct slice name,
				    void (*each)(void *ctx, struct slice path), void *ctx)
{
	sqlite3_stmt *stmt = db_try_prepare(
		rows_db(r), "SELECT parent FROM znode WHERE name = ?4 AND owner <= 0 AND " BELOW);
	struct slice whole;
	struct range g;
	struct buf path;
	int rc;

	metrics_add(METRIC_tree_reads, 1);
	if (stmt == NULL)
		return rows_unreadable(r);
	buf_init(&path, PATH_LIMIT);
	range_init(&g, below);
	range_bind(&g, stmt);
	db_bind_text(stmt, 4, name);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		if (join_path(r, &path, db_column(stmt, 0), name, &whole))
			each(ctx, whole);
	range_fini(&g);
	buf_fini(&path);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? STORE_FOUND : rows_unreadable(r);
}
