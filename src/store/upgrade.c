/* See the header. What holds at each commit on the copy: it is the tree as of the copy's zxid, but
 * for the znodes behind the newest key copied. So a copy whose zxid is the tree's can be gone on
 * with, from its highest key: the tree at one zxid is always the same. */
#include "store/upgrade.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/files.h"
#include "store/marker.h"
#include "store/merge.h"
#include "store/point.h"
#include "store/vfs.h"

enum {
	MOST_STEP_BYTES = 1024 * 1024,
	MEND_CACHE_KIB = 1024,
	WAL_PAGES = 2048,     /* the copy is checkpointed when its -wal has so many */
	TELL_MS = 10 * 1000,  /* between two lines about how far it is */
	LATER_MS = 1000,      /* when something is in the way */
	FULL_MS = 300 * 1000, /* when the disk was full */
	SOON_MS = 20,
};

enum { NO_ROOM = -2 };
static const char for_room[] = "room on disk";

/* In meta of the copy, until it is whole. */
#define PARTIAL "partial"

enum state {
	STATE_NEW,     /* there is no copy */
	STATE_COPIES,  /* and batches go into both */
	STATE_BRIDGE,  /* batches are held; the core is to read the finished copy, or does */
	STATE_SWAPPED, /* batches are held; the core is to read the new tree */
	STATE_DONE,
	STATE_FAILED,
};

struct upgrade {
	struct upgrade_options o;
	struct replay *replay;
	char *dir;
	char *path;
	char *next_path;
	char *old_path;

	_Atomic int version;
	_Atomic uint64_t left;

	pthread_mutex_t mutex;
	struct rows *offered;  /* for the core to take */
	struct rows *returned; /* what it gave for that */

	/* the replay thread's */
	enum state state;
	struct rows *next; /* writes the copy */
	uint32_t next_wal_pages;
	bool is_full; /* the copy lacks a batch, for want of room */
	bool has_key;
	struct buf parent, name; /* the highest key copied */
	uint64_t copied;
	int64_t began_ms, told_ms;
	const char *waits_for; /* what was told to be in the way; NULL: nothing */
};

/* ---- names ---- */

static char *next_path_in(const char *dir)
{
	return files_join(dir, "tree.db.next");
}

static void move(const char *from, const char *to)
{
	if (vfs_os()->rename(from, to) != 0)
		die("store.rename_failed", from);
}

static void sync_names(const char *dir)
{
	if (vfs_os()->sync_dir(dir) != 0)
		die("store.sync_failed", dir);
}

static bool read_partial(struct rows *r)
{
	sqlite3_stmt *stmt = db_prepare(rows_db(r), "SELECT 1 FROM meta WHERE key = '" PARTIAL "'");
	bool is_partial = sqlite3_step(stmt) != SQLITE_DONE;

	sqlite3_finalize(stmt);
	return is_partial;
}

int upgrade_mend(const char *data_dir, char reason[STORE_REASON_LEN])
{
	char *path = files_join(data_dir, "tree.db"), *next_path = next_path_in(data_dir);
	struct rows *next = NULL;
	bool is_partial = true;
	int rc = 0;

	/* The old tree lost its name, and the copy has not got it yet. */
	if (access(path, F_OK) != 0 && access(next_path, F_OK) == 0) {
		rc = rows_open(&next, next_path, DB_WRITE, MEND_CACHE_KIB, false, reason);
		if (rc == 0)
			is_partial = read_partial(next);
		rows_close(next, false);
		if (rc == 0 && !is_partial && !files_has_wal(next_path)) {
			move(next_path, path);
			sync_names(data_dir);
			log_info("store.upgrade_mended", LOG_TEXT("file", path));
		}
	}
	mem_free(path);
	mem_free(next_path);
	return rc;
}

bool upgrade_forget(const char *data_dir)
{
	char *path = files_join(data_dir, "tree.db"), *next_path = next_path_in(data_dir);
	bool is_there = access(path, F_OK) == 0 && access(next_path, F_OK) == 0;

	if (is_there) {
		files_remove_database(next_path);
		sync_names(data_dir);
	}
	mem_free(path);
	mem_free(next_path);
	return is_there;
}

/* ---- made and ended ---- */

static replay_chore run_chore;
static replay_follower follow;

struct upgrade *upgrade_new(const struct upgrade_options *o, struct replay *replay)
{
	struct rows *tree = replay_rows(replay);
	struct upgrade *u = mem_new(sizeof(*u));
	char name[32];

	(void)snprintf(name, sizeof(name), "tree-%d.db", rows_version(tree));
	u->o = *o;
	u->replay = replay;
	u->dir = mem_strdup(o->data_dir);
	u->path = files_join(u->dir, "tree.db");
	u->next_path = next_path_in(u->dir);
	u->old_path = files_join(u->dir, name);
	buf_init(&u->parent, SIZE_MAX);
	buf_init(&u->name, SIZE_MAX);
	atomic_init(&u->version, rows_version(tree));
	atomic_init(&u->left, rows_meta(tree)->znodes);
	pthread_mutex_init(&u->mutex, NULL);
	replay_add_chore(replay, run_chore, u);
	replay_set_follower(replay, follow, u);
	return u;
}

void upgrade_free(struct upgrade *u)
{
	if (u == NULL)
		return;
	rows_close(u->offered, true);
	rows_close(u->returned, true);
	rows_close(u->next, false);
	buf_fini(&u->parent);
	buf_fini(&u->name);
	pthread_mutex_destroy(&u->mutex);
	mem_free(u->dir);
	mem_free(u->path);
	mem_free(u->next_path);
	mem_free(u->old_path);
	mem_free(u);
}

/* ---- from other threads ---- */

struct rows *upgrade_exchange(struct upgrade *u, struct rows *reader)
{
	struct rows *offered;

	if (u == NULL)
		return reader;
	pthread_mutex_lock(&u->mutex);
	offered = u->offered;
	if (offered != NULL) {
		u->offered = NULL;
		u->returned = reader;
	}
	pthread_mutex_unlock(&u->mutex);
	if (offered == NULL)
		return reader;
	replay_wake_chores(u->replay);
	return offered;
}

int upgrade_version(const struct upgrade *u)
{
	return atomic_load(&u->version);
}

uint64_t upgrade_left(const struct upgrade *u)
{
	return atomic_load(&u->left);
}

static void offer(struct upgrade *u, struct rows *reader)
{
	pthread_mutex_lock(&u->mutex);
	u->offered = reader;
	pthread_mutex_unlock(&u->mutex);
	u->o.moved(u->o.ctx);
}

static struct rows *take_returned(struct upgrade *u)
{
	struct rows *returned;

	pthread_mutex_lock(&u->mutex);
	returned = u->returned;
	u->returned = NULL;
	pthread_mutex_unlock(&u->mutex);
	return returned;
}

/* ---- what is in the way ---- */

/* Said once, until it is something else. Gives when to look again. */
static int64_t wait_for(struct upgrade *u, const char *what, int64_t now_ms)
{
	if (u->waits_for != what)
		log_warn("store.upgrade_waits", LOG_TEXT("file", u->path), LOG_TEXT("for", what));
	u->waits_for = what;
	return now_ms + LATER_MS;
}

static void drop_copy(struct upgrade *u)
{
	rows_close(u->next, true);
	u->next = NULL;
	files_remove_database(u->next_path);
	buf_clear(&u->parent);
	buf_clear(&u->name);
	u->has_key = u->is_full = false;
	u->copied = 0;
	u->state = STATE_NEW;
}

/* The disk is full, by what others wrote or though it had told otherwise, as one with a quota does:
 * what they have to write matters more than another try soon, which might end the same way. */
static int64_t give_way(struct upgrade *u, int64_t now_ms)
{
	drop_copy(u);
	(void)wait_for(u, for_room, now_ms);
	return now_ms + FULL_MS;
}

/* The tree cannot be copied: it stays what it is until a start tries again. */
static int64_t give_up(struct upgrade *u, const char *reason)
{
	log_error("store.upgrade_failed", LOG_TEXT("file", u->path), LOG_TEXT("reason", reason));
	drop_copy(u);
	u->state = STATE_FAILED;
	return INT64_MAX;
}

static bool has_room(const struct upgrade *u, uint64_t more)
{
	uint64_t bytes;

	return vfs_os()->free_bytes(u->dir, &bytes) != 0 || bytes >= more + u->o.spare_bytes;
}

/* ---- the copy ---- */

static int count_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct upgrade *u = ctx;

	(void)db;
	(void)name;
	u->next_wal_pages = (uint32_t)pages;
	return SQLITE_OK;
}

static void set_key(struct upgrade *u, struct slice parent, struct slice name)
{
	u->has_key = true;
	buf_clear(&u->parent);
	buf_clear(&u->name);
	if (buf_append(&u->parent, parent.data, parent.len) != 0 ||
	    buf_append(&u->name, name.data, name.len) != 0)
		die("store.upgrade_failed", "out of memory");
}

/* Whether there was room for it. */
static bool put_meta(struct rows *r, const char *key, struct slice value)
{
	sqlite3_stmt *stmt = db_prepare(rows_db(r), "INSERT OR REPLACE INTO meta VALUES (?1, ?2)");
	bool is_put;

	db_bind_text(stmt, 1, slice_of(key));
	db_bind_blob(stmt, 2, value);
	is_put = db_run(rows_db(r), stmt);
	sqlite3_finalize(stmt);
	return is_put;
}

static int open_copy(struct upgrade *u, char reason[STORE_REASON_LEN])
{
	int rc = rows_open(&u->next, u->next_path, DB_WRITE, u->o.cache_kib, false, reason);

	if (rc == 0)
		(void)sqlite3_wal_hook(rows_db(u->next), count_pages, u);
	else
		u->next = NULL;
	return rc;
}

static void pass_over(void *ctx, const struct record_znode *z)
{
	(void)ctx;
	(void)z;
}

static void copy_session(void *ctx, const struct record_session *s)
{
	struct upgrade *u = ctx;

	rows_put_session(u->next, s);
}

/* A file with the tables of the newest version, sessions, and no znode yet. NO_ROOM; -1: the tree
 * cannot be read, or the file not be made. */
static int make_copy(struct upgrade *u, char reason[STORE_REASON_LEN])
{
	const struct store_loader loader = { .ctx = u,
					     .session = copy_session,
					     .ephemeral = pass_over };
	struct rows *tree = replay_rows(u->replay);
	const struct rows_meta *meta = rows_meta(tree);
	int rc = NO_ROOM;

	if (rows_open(&u->next, u->next_path, DB_WRITE, u->o.cache_kib, true, reason) != 0)
		return -1;
	if (put_meta(u->next, PARTIAL, slice_of("1")) &&
	    put_meta(u->next, "database",
		     (struct slice){ (const char *)meta->database, DATABASE_ID_LEN })) {
		rows_begin(u->next);
		rc = rows_load(tree, &loader, reason);
		if (!rows_try_commit(u->next, meta->zxid))
			rc = NO_ROOM;
	}
	rows_close(u->next, false);
	u->next = NULL;
	POINT(upgrade_made);
	/* With its id. */
	return rc == 0 ? open_copy(u, reason) : rc;
}

/* The highest key in the copy. */
static bool read_key(struct upgrade *u)
{
	sqlite3_stmt *stmt =
		db_prepare(rows_db(u->next), "SELECT parent, name FROM znode "
					     "ORDER BY parent DESC, name DESC LIMIT 1");
	bool is_there = sqlite3_step(stmt) == SQLITE_ROW;

	if (is_there)
		set_key(u, db_column(stmt, 0), db_column(stmt, 1));
	sqlite3_finalize(stmt);
	return is_there;
}

/* The copy that an earlier run left, where it is the tree's equal. */
static bool find_copy(struct upgrade *u)
{
	const struct rows_meta *tree = rows_meta(replay_rows(u->replay)), *next;
	char reason[STORE_REASON_LEN];

	if (access(u->next_path, F_OK) != 0 || open_copy(u, reason) != 0)
		return false;
	next = rows_meta(u->next);
	if (rows_version(u->next) != DB_VERSION || next->zxid != tree->zxid ||
	    memcmp(next->database, tree->database, DATABASE_ID_LEN) != 0 || !read_key(u)) {
		rows_close(u->next, true);
		u->next = NULL;
		return false;
	}
	u->copied = next->znodes;
	if (put_meta(u->next, PARTIAL, slice_of("1")))
		return true;
	drop_copy(u);
	return false;
}

struct step {
	struct upgrade *u;
	unsigned rows;
	size_t bytes;
};

static bool copy_znode(void *ctx, const struct record_znode *z)
{
	struct step *s = ctx;
	struct slice parent, name;

	rows_put_znode(s->u->next, z, false);
	rows_split_path(z->path, &parent, &name);
	set_key(s->u, parent, name);
	s->rows++;
	s->bytes += z->data.len;
	return s->rows < s->u->o.step_rows && s->bytes < MOST_STEP_BYTES;
}

static void checkpoint_copy(struct upgrade *u)
{
	int rc;

	if (u->next_wal_pages < WAL_PAGES)
		return;
	rc = sqlite3_wal_checkpoint_v2(rows_db(u->next), "main", SQLITE_CHECKPOINT_PASSIVE, NULL,
				       NULL);
	if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_FULL && rc != SQLITE_OK)
		db_die(rows_db(u->next), "store.checkpoint_failed");
}

static void tell_progress(struct upgrade *u, int64_t now_ms)
{
	uint64_t all = rows_meta(replay_rows(u->replay))->znodes;

	atomic_store(&u->left, all > u->copied ? all - u->copied : 0);
	if (now_ms - u->told_ms < TELL_MS)
		return;
	u->told_ms = now_ms;
	log_info("store.upgrade_goes_on", LOG_TEXT("file", u->path), LOG_INT("copied", u->copied),
		 LOG_INT("znodes", all));
}

static struct rows_key key_of(const struct upgrade *u)
{
	/* A slice without a pointer is NULL. */
	return (struct rows_key){
		buf_len(&u->parent) > 0 ? buf_slice(&u->parent) : slice_of(""),
		buf_len(&u->name) > 0 ? buf_slice(&u->name) : slice_of(""),
	};
}

/* Some znodes more. 1: there are more; 0: all are copied; NO_ROOM; -1: the tree cannot be read. */
static int copy_step(struct upgrade *u, char reason[STORE_REASON_LEN])
{
	struct rows *tree = replay_rows(u->replay);
	struct step s = { .u = u };
	struct rows_key after = key_of(u);
	int rc;

	rows_begin(u->next);
	rc = rows_each_after(tree, u->has_key ? &after : NULL, copy_znode, &s, reason);
	if (!rows_try_commit(u->next, rows_meta(tree)->zxid))
		return NO_ROOM;
	POINT(upgrade_step);
	u->copied = rows_meta(u->next)->znodes;
	metrics_add(METRIC_upgrade_znodes, s.rows);
	if (rc != 0)
		return -1;
	checkpoint_copy(u);
	return s.rows > 0;
}

/* A batch that is in the tree now. */
static void follow(void *ctx, struct merge *m, int64_t zxid)
{
	struct upgrade *u = ctx;
	struct rows_key key = key_of(u);

	if (u->state != STATE_COPIES || u->is_full)
		return;
	rows_begin(u->next);
	merge_write(m, u->next, &key);
	if (!rows_try_commit(u->next, zxid)) {
		u->is_full = true;
		return;
	}
	POINT(upgrade_followed);
	u->copied = rows_meta(u->next)->znodes;
	checkpoint_copy(u);
}

/* ---- the exchange ---- */

/* What the table meta says beside what a batch writes. */
static bool copy_meta(struct rows *from, struct rows *to)
{
	sqlite3_stmt *read = db_prepare(rows_db(from), "SELECT key, value FROM meta WHERE key NOT "
						       "IN ('database', 'zxid', 'znodes')");
	sqlite3_stmt *write =
		db_prepare(rows_db(to), "INSERT OR REPLACE INTO meta VALUES (?1, ?2)");

	bool has_room = true;

	while (has_room && sqlite3_step(read) == SQLITE_ROW) {
		db_bind_text(write, 1, db_column(read, 0));
		(void)sqlite3_bind_value(write, 2, sqlite3_column_value(read, 1));
		has_room = db_run(rows_db(to), write);
	}
	sqlite3_finalize(read);
	sqlite3_finalize(write);
	return has_room;
}

/* Close the copy as one whole file, and have the core read it: under a name that it will lose. */
static int64_t finish_copy(struct upgrade *u, int64_t now_ms)
{
	struct rows *tree = replay_rows(u->replay), *bridge;
	char reason[STORE_REASON_LEN];

	if (rows_meta(u->next)->znodes != rows_meta(tree)->znodes)
		return give_up(u, "the copy has not as many znodes as the tree");
	if (replay_is_tree_lent(u->replay))
		return wait_for(u, "a snapshot", now_ms);
	/* What is in a -wal would be lost with its name. */
	if (!rows_settle(tree))
		return wait_for(u, "somebody who reads tree.db, or room on disk", now_ms);
	if (!copy_meta(tree, u->next) ||
	    db_exec(rows_db(u->next), "DELETE FROM meta WHERE key = '" PARTIAL "'") != SQLITE_OK ||
	    !rows_settle(u->next)) {
		/* Or somebody reads it, who has it open. */
		return give_way(u, now_ms);
	}
	rows_close(u->next, false);
	u->next = NULL;
	if (files_has_wal(u->next_path))
		return give_up(u, "somebody else has tree.db.next open");
	if (rows_open(&bridge, u->next_path, DB_STILL, u->o.cache_kib, false, reason) != 0)
		return give_up(u, reason);
	POINT(upgrade_whole);
	replay_hold(u->replay, true);
	u->state = STATE_BRIDGE;
	offer(u, bridge);
	return now_ms + SOON_MS;
}

/* Nobody of ours reads the old tree any more: its name goes to the copy. */
static int64_t exchange_files(struct upgrade *u, int64_t now_ms)
{
	struct rows *old, *tree, *reader, *returned;
	char reason[STORE_REASON_LEN];

	if (replay_is_tree_lent(u->replay) || (returned = take_returned(u)) == NULL)
		return now_ms + SOON_MS;
	/* Of the old tree, whose -wal is empty and goes. */
	if (marker_set_tree(u->o.marker, false, reason) != 0)
		die("store.state_not_written", reason);
	rows_close(returned, true);
	old = replay_release_tree(u->replay);
	rows_close(old, false);
	/* Whoever else still reads it has it open. A -wal or -shm that is left says nothing more,
	 * and must be gone for certain before there is another file under the name. */
	files_remove_side_files(u->path);
	sync_names(u->dir);
	POINT(upgrade_released);
	move(u->path, u->old_path);
	POINT(upgrade_half);
	move(u->next_path, u->path);
	POINT(upgrade_renamed);
	sync_names(u->dir);
	if (rows_open(&tree, u->path, DB_WRITE, u->o.cache_kib, false, reason) != 0 ||
	    rows_open(&reader, u->path, DB_READ, u->o.cache_kib, false, reason) != 0)
		die("store.upgrade_failed", reason);
	replay_take_tree(u->replay, tree);
	if (marker_set_tree(u->o.marker, true, reason) != 0)
		log_warn("store.state_not_written", LOG_TEXT("reason", reason));
	POINT(upgrade_exchanged);
	atomic_store(&u->version, rows_version(tree));
	atomic_store(&u->left, 0);
	u->state = STATE_SWAPPED;
	offer(u, reader);
	return now_ms + SOON_MS;
}

static int64_t end(struct upgrade *u, int64_t now_ms)
{
	struct rows *returned = take_returned(u);

	if (returned == NULL)
		return now_ms + SOON_MS;
	rows_close(returned, true);
	replay_hold(u->replay, false);
	u->state = STATE_DONE;
	POINT(upgrade_done);
	log_info("store.upgraded", LOG_TEXT("file", u->path),
		 LOG_INT("version", upgrade_version(u)),
		 LOG_INT("znodes", rows_meta(replay_rows(u->replay))->znodes),
		 LOG_INT("ms", now_ms - u->began_ms), LOG_TEXT("kept", u->old_path));
	return INT64_MAX;
}

static int64_t go_on(struct upgrade *u, int64_t now_ms)
{
	int64_t began_us = clock_exact_us(), took_ms;
	char reason[STORE_REASON_LEN];
	int rc;

	/* Others need it more. */
	if (!has_room(u, 0))
		return give_way(u, now_ms);
	rc = u->is_full ? NO_ROOM : copy_step(u, reason);
	if (rc == NO_ROOM)
		return give_way(u, now_ms);
	if (rc < 0)
		return give_up(u, reason);
	tell_progress(u, now_ms);
	if (rc == 0)
		return finish_copy(u, now_ms);
	u->waits_for = NULL;
	/* The disk is for others as long as for this. */
	took_ms = (clock_exact_us() - began_us) / 1000;
	return now_ms + 2 * took_ms + 1;
}

static int64_t begin_copy(struct upgrade *u, int64_t now_ms)
{
	char reason[STORE_REASON_LEN];
	bool goes_on = find_copy(u);
	int rc = 0;

	if (!goes_on)
		files_remove_database(u->next_path);
	if (!goes_on && !has_room(u, files_database_bytes(u->path)))
		return wait_for(u, for_room, now_ms);
	if (!goes_on)
		rc = make_copy(u, reason);
	if (rc == NO_ROOM)
		return give_way(u, now_ms);
	if (rc != 0)
		return give_up(u, reason);
	log_info("store.upgrade_begun", LOG_TEXT("file", u->path),
		 LOG_INT("from", upgrade_version(u)), LOG_INT("to", DB_VERSION),
		 LOG_INT("znodes", rows_meta(replay_rows(u->replay))->znodes),
		 LOG_INT("copied", u->copied));
	u->waits_for = NULL;
	u->began_ms = u->told_ms = now_ms;
	u->state = STATE_COPIES;
	/* With the first znodes, before there is a batch. */
	return go_on(u, now_ms);
}

static int64_t run_chore(void *ctx, int64_t now_ms)
{
	struct upgrade *u = ctx;

	switch (u->state) {
	case STATE_NEW:
		return begin_copy(u, now_ms);
	case STATE_COPIES:
		return go_on(u, now_ms);
	case STATE_BRIDGE:
		return exchange_files(u, now_ms);
	case STATE_SWAPPED:
		return end(u, now_ms);
	case STATE_DONE:
	case STATE_FAILED:
		break;
	}
	return INT64_MAX;
}
