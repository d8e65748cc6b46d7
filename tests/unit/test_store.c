/* The data directory as the core sees it, with the real threads. */
#include "store/store.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/audit.h"
#include "store/files.h"
#include "store/segment.h"
#include "store/vfs.h"
#include "tests/lib/tmpdir.h"
#include "tests/unit/capture.h"

static const char acl_bytes[] = "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone";

/* 2020-01-01 and a day after the release, in ms. */
#define CLOCK_BEGIN INT64_C(1577836800000)
#define CLOCK_NOW INT64_C(1800000000000)
enum { EPOCH_UNIT_MS = 600 * 1000, NEVER_MS = 3600 * 1000 };

struct fixture {
	char *top;
	char *dir;
	struct store_options o;
	struct store *store;
	struct buf body;
	int64_t zxid;
	int64_t last;
	char loaded[4096]; /* what the loader was given */
};

/* A disk that syncs when the test lets it. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool held;
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static int held_sync_file(int fd)
{
	(void)fd;
	pthread_mutex_lock(&disk.mutex);
	while (disk.held)
		pthread_cond_wait(&disk.cond, &disk.mutex);
	pthread_mutex_unlock(&disk.mutex);
	return 0;
}

static void hold_disk(bool held)
{
	pthread_mutex_lock(&disk.mutex);
	disk.held = held;
	pthread_cond_broadcast(&disk.cond);
	pthread_mutex_unlock(&disk.mutex);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->top = tmpdir_make();
	f->dir = files_join(f->top, "data");
	store_options_init(&f->o);
	f->o.data_dir = f->dir;
	f->o.replay_delay_ms = 0;
	f->o.tree_cache_kib = 1024;
	buf_init(&f->body, 8 << 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hold_disk(false);
	store_close(f->store);
	vfs_replace(NULL, NULL);
	clock_fake_stop();
	buf_fini(&f->body);
	mem_free(f->dir);
	tmpdir_remove(f->top);
	mem_free(f);
	return 0;
}

/* ---- steps ---- */

printf_like(2, 3) static void tell(struct fixture *f, const char *format, ...)
{
	size_t len = strlen(f->loaded);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(f->loaded + len, sizeof(f->loaded) - len, format, args);
	va_end(args);
}

static void load_session(void *ctx, const struct record_session *s)
{
	tell(ctx, "session %" PRId64 "\n", s->id);
}

static void load_ephemeral(void *ctx, const struct record_znode *z)
{
	tell(ctx, "ephemeral %.*s %" PRId64 "\n", (int)z->path.len, z->path.data, z->owner);
}

/* Zxids count from 1 in every run here: their epochs are of no interest. */
static void load_change(void *ctx, const struct record_head *h, struct slice body)
{
	struct record_reader r;
	struct record_item item;

	tell(ctx, "change %u %u %" PRId64 " %" PRId64 " %s %s %s %s:", (unsigned)h->zxid,
	     (unsigned)h->prev, h->time_ms, h->session, h->op,
	     h->identity.data != NULL ? h->identity.data : "-",
	     h->address.data != NULL ? h->address.data : "-",
	     h->path.data != NULL ? h->path.data : "-");
	record_reader_init(&r, body);
	while (record_read(&r, &item) == RECORD_ITEM_ZNODE)
		tell(ctx, " %.*s", (int)item.znode.path.len, item.znode.path.data);
	assert_int_equal(item.kind, RECORD_ITEM_END);
	tell(ctx, "\n");
}

static void open_and_load(struct fixture *f)
{
	const struct store_loader l = { f, load_session, load_ephemeral, load_change };
	char reason[STORE_REASON_LEN] = "";

	f->loaded[0] = '\0';
	if (store_open(&f->store, &f->o, reason) != 0 || store_load(f->store, &l, reason) != 0)
		fail_msg("%s", reason);
}

static void start(struct fixture *f)
{
	open_and_load(f);
	f->last = store_last_zxid(f->store);
	f->zxid = store_begin(f->store);
}

static void stop(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static void append_body(struct fixture *f, const char *path, int64_t time_ms)
{
	const struct record_head head = { .zxid = ++f->zxid,
					  .prev = f->last,
					  .time_ms = time_ms,
					  .session = 7,
					  .identity = slice_of("CN=a"),
					  .op = "create",
					  .path = slice_of(path) };

	store_append(f->store, &head, buf_slice(&f->body));
	f->last = f->zxid;
	buf_clear(&f->body);
}

static void put_znode(struct fixture *f, const char *path, int64_t owner, struct slice data)
{
	const struct record_znode z = { .path = slice_of(path),
					.columns = RECORD_ALL,
					.czxid = f->zxid + 1,
					.owner = owner,
					.data = data,
					.mzxid = f->zxid + 1,
					.acl = { acl_bytes, sizeof(acl_bytes) - 1 },
					.pzxid = f->zxid + 1 };

	assert_int_equal(record_put_znode(&f->body, &z), 0);
}

static void add_znode(struct fixture *f, const char *path, int64_t owner)
{
	put_znode(f, path, owner, slice_of("data"));
	append_body(f, path, 1000);
}

static void add_session(struct fixture *f, int64_t id)
{
	const struct record_session s = { .id = id, .open = true, .timeout_ms = 1000 };

	assert_int_equal(record_put_session(&f->body, &s), 0);
	append_body(f, "", 1000);
}

/* Turns until get says zxid: the test's own time limit is what ends a store that stands still. */
static void wait_until(struct fixture *f, int64_t (*get)(const struct store *), int64_t zxid)
{
	while (get(f->store) < zxid) {
		struct pollfd p = { store_wake_fd(f->store), POLLIN, 0 };

		assert_true(poll(&p, 1, 20000) == 1);
		store_wake(f->store);
		store_end_turn(f->store);
	}
}

static void flush(struct fixture *f)
{
	store_end_turn(f->store);
	wait_until(f, store_flushed, f->last);
}

static void replay(struct fixture *f)
{
	flush(f);
	wait_until(f, store_replayed, f->last);
}

static void assert_found(struct fixture *f, const char *path)
{
	struct record_znode z;

	assert_int_equal(store_read_znode(f->store, slice_of(path), &z), STORE_FOUND);
	assert_true(slice_is(z.data, "data"));
}

static void assert_refused(struct fixture *f, const char *part, const char *file)
{
	char reason[STORE_REASON_LEN] = "";

	if (store_open(&f->store, &f->o, reason) == 0)
		fail_msg("not refused, expected: %s", part);
	f->store = NULL;
	if (strstr(reason, part) == NULL || strstr(reason, file) == NULL)
		fail_msg("refused with: %s", reason);
	assert_null(strchr(reason, '\n'));
}

/* ---- looking into files ---- */

static unsigned count_segments(struct fixture *f)
{
	char *log = files_join(f->dir, "log");
	char reason[STORE_REASON_LEN];
	uint32_t *numbers, highest;
	size_t count;

	assert_int_equal(files_list_segments(log, &numbers, &count, &highest, reason), 0);
	mem_free(numbers);
	mem_free(log);
	return (unsigned)count;
}

static char *segment_path(struct fixture *f, unsigned number)
{
	char *log = files_join(f->dir, "log");
	char *path = files_segment_path(log, number);

	mem_free(log);
	return path;
}

/* The only number that sql gives from a segment, by another connection; -1 where there is none. */
static int64_t query_segment(struct fixture *f, unsigned number, const char *sql)
{
	char *path = segment_path(f, number);
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t v = -1;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		v = sqlite3_column_int64(stmt, 0);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	mem_free(path);
	return v;
}

/* While the store is closed, or does nothing to that segment. */
static void spoil_segment(struct fixture *f, unsigned number, const char *sql)
{
	char *path = segment_path(f, number);
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, VFS_NAME), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	mem_free(path);
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[1 << 16];
	FILE *in = fopen(from, "r"), *out;
	size_t n;

	/* The replay thread may have put a journal away by now. */
	if (in == NULL)
		return;
	out = fopen(to, "w");
	assert_non_null(out);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	fclose(out);
}

static void copy_dir(const char *from, const char *to)
{
	struct dirent *entry;
	DIR *d = opendir(from);

	assert_non_null(d);
	assert_int_equal(mkdir(to, 0700), 0);
	while ((entry = readdir(d)) != NULL) {
		char *a = files_join(from, entry->d_name), *b = files_join(to, entry->d_name);
		struct stat st;

		if (stat(a, &st) != 0)
			st.st_mode = 0;
		/* The mark would tell that it is a copy (test_marker.c). */
		if (S_ISREG(st.st_mode) && strstr(entry->d_name, "-shm") == NULL &&
		    strcmp(entry->d_name, "state") != 0)
			copy_file(a, b);
		else if (S_ISDIR(st.st_mode) && entry->d_name[0] != '.')
			copy_dir(a, b);
		mem_free(a);
		mem_free(b);
	}
	closedir(d);
}

/* As if the process had been killed: the files as they are now, the running store is of no interest
 * any more. */
static void crash(struct fixture *f)
{
	char *copy = files_join(f->top, "copy");

	copy_dir(f->dir, copy);
	stop(f);
	tmpdir_remove_tree(f->dir);
	assert_int_equal(rename(copy, f->dir), 0);
	mem_free(copy);
}

/* ---- start, work, start again ---- */

static void test_fresh_directory(void **state)
{
	struct fixture *f = *state;
	struct record_znode z;
	struct stat st;

	start(f);
	assert_true(f->last == 0);
	assert_string_equal(f->loaded, "");
	assert_true((f->zxid & INT64_C(0xffffffff)) == 0);
	assert_true(f->zxid > 0);
	assert_true(store_flushed(f->store) == 0);
	assert_true(store_replayed(f->store) == 0);
	assert_int_equal(store_znode_count(f->store), 0);
	assert_int_equal(store_read_znode(f->store, slice_of("/"), &z), STORE_ABSENT);
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

static void test_changes_reach_disk_and_tree(void **state)
{
	struct fixture *f = *state;

	start(f);
	add_znode(f, "/", 0);
	add_znode(f, "/a", 0);
	add_znode(f, "/a/e", 7);
	assert_int_equal(store_lag_rows(f->store), 3);
	assert_true(store_last_zxid(f->store) == f->last);
	/* Nothing is on disk before it is committed. */
	assert_true(store_flushed(f->store) == 0);
	replay(f);
	assert_true(store_flushed(f->store) == f->last);
	assert_int_equal(store_lag_rows(f->store), 0);
	assert_int_equal(store_znode_count(f->store), 2);
	assert_true(store_tree_bytes(f->store) > 0);
	assert_found(f, "/");
	assert_found(f, "/a");
}

static void test_large_and_many(void **state)
{
	struct fixture *f = *state;
	const size_t len = 1 << 20;
	char *data = mem_new(len), path[32];
	struct record_znode z;

	memset(data, 'x', len);
	start(f);
	put_znode(f, "/big", 0, (struct slice){ data, len });
	append_body(f, "/big", 1000);
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(path, sizeof(path), "/n%d", i);
		add_znode(f, path, 0);
		if (i % 7 == 0)
			store_end_turn(f->store);
	}
	replay(f);
	assert_int_equal(store_znode_count(f->store), 3001);
	assert_int_equal(store_read_znode(f->store, slice_of("/big"), &z), STORE_FOUND);
	assert_int_equal(z.data.len, len);
	assert_memory_equal(z.data.data, data, len);
	mem_free(data);
}

static void test_clean_stop_keeps_everything(void **state)
{
	struct fixture *f = *state;
	int64_t last;

	start(f);
	add_session(f, 7);
	add_znode(f, "/e", 7);
	add_znode(f, "/p", 0);
	replay(f);
	last = f->last;
	stop(f);
	start(f);
	assert_true(f->last == last);
	assert_true(store_flushed(f->store) == last);
	assert_true(store_replayed(f->store) == last);
	assert_string_equal(f->loaded, "session 7\nephemeral /e 7\n");
	assert_found(f, "/p");
	/* And goes on behind it. */
	add_znode(f, "/q", 0);
	replay(f);
	assert_found(f, "/q");
}

/* A stop commits what is open, though nobody called for the end of the turn. */
static void test_stop_in_the_middle_of_a_turn(void **state)
{
	struct fixture *f = *state;

	f->o.replay_delay_ms = NEVER_MS;
	start(f);
	add_znode(f, "/a", 0);
	stop(f);
	open_and_load(f);
	assert_string_equal(f->loaded, "change 1 0 1000 7 create CN=a - /a: /a\n");
}

static void test_load_gives_what_the_tree_lacks(void **state)
{
	struct fixture *f = *state;
	struct record_head head = { .op = "multi",
				    .time_ms = 55,
				    .address = slice_of("10.0.0.1:3") };

	start(f);
	add_znode(f, "/old", 0);
	replay(f);
	stop(f);

	f->o.replay_delay_ms = NEVER_MS;
	start(f);
	put_znode(f, "/a", 0, slice_of("data"));
	put_znode(f, "/b", 0, slice_of("data"));
	head.zxid = ++f->zxid;
	head.prev = f->last;
	store_append(f->store, &head, buf_slice(&f->body));
	buf_clear(&f->body);
	f->last = f->zxid;
	add_znode(f, "/c", 9);
	flush(f);
	crash(f);

	open_and_load(f);
	assert_string_equal(f->loaded, "change 1 1 55 0 multi - 10.0.0.1:3 -: /a /b\n"
				       "change 2 1 1000 7 create CN=a - /c: /c\n");
	assert_true(store_last_zxid(f->store) == f->last);
	assert_true(store_flushed(f->store) == f->last);
	assert_int_equal(store_lag_rows(f->store), 2);
	assert_int_equal(store_znode_count(f->store), 1);
	/* The tree takes them up from the old segment. */
	stop(f);
	f->o.replay_delay_ms = 0;
	start(f);
	replay(f);
	assert_int_equal(store_lag_rows(f->store), 0);
	assert_found(f, "/b");
	assert_int_equal(store_znode_count(f->store), 3);
}

static void test_close_early(void **state)
{
	struct fixture *f = *state;
	char reason[STORE_REASON_LEN];

	store_close(NULL);
	assert_int_equal(store_open(&f->store, &f->o, reason), 0);
	stop(f);
	open_and_load(f);
	stop(f);
	/* Neither has begun anything. */
	assert_int_equal(count_segments(f), 0);
	start(f);
}

static void test_wake_fd(void **state)
{
	struct fixture *f = *state;
	struct pollfd p;

	start(f);
	add_znode(f, "/a", 0);
	replay(f);
	p = (struct pollfd){ store_wake_fd(f->store), POLLIN, 0 };
	store_wake(f->store);
	store_wake(f->store);
	/* The next segment may be prepared just now; after that it is quiet. */
	while (poll(&p, 1, 50) == 1)
		store_wake(f->store);
	add_znode(f, "/b", 0);
	store_end_turn(f->store);
	assert_int_equal(poll(&p, 1, 20000), 1);
}

/* ---- epochs ---- */

static void test_epoch_follows_the_clock(void **state)
{
	struct fixture *f = *state;
	const int64_t units = (CLOCK_NOW - CLOCK_BEGIN) / EPOCH_UNIT_MS;

	clock_fake_start(1, CLOCK_NOW);
	start(f);
	assert_true(f->zxid == units << 32);
	stop(f);
	/* Within the same ten minutes it rises all the same. */
	start(f);
	assert_true(f->zxid == (units + 1) << 32);
	stop(f);
	/* A clock that went wrong is not believed, neither way. */
	clock_fake_start(1, CLOCK_BEGIN + 1);
	start(f);
	assert_true(f->zxid == (units + 2) << 32);
	stop(f);
	clock_fake_start(1, CLOCK_NOW + INT64_C(40) * 366 * 24 * 3600 * 1000);
	start(f);
	assert_true(f->zxid == (units + 3) << 32);
	stop(f);
	clock_fake_start(1, CLOCK_NOW + 100 * EPOCH_UNIT_MS);
	start(f);
	assert_true(f->zxid == (units + 100) << 32);
}

static void test_epoch_without_a_clock(void **state)
{
	struct fixture *f = *state;

	clock_fake_start(1, 0);
	for (int64_t i = 1; i <= 20; i++) {
		start(f);
		assert_true(f->zxid == i << 32);
		stop(f);
		/* Runs that change nothing leave one segment, not one each. */
		assert_int_equal(count_segments(f), 1);
	}
}

static void test_epoch_is_above_every_zxid(void **state)
{
	struct fixture *f = *state;

	clock_fake_start(1, 0);
	start(f);
	add_znode(f, "/a", 0);
	f->zxid = INT64_C(1000) << 32;
	add_znode(f, "/b", 0);
	replay(f);
	stop(f);
	start(f);
	assert_true(f->zxid == INT64_C(1001) << 32);
}

static void test_next_epoch(void **state)
{
	struct fixture *f = *state;

	clock_fake_start(1, 0);
	start(f);
	f->zxid |= INT64_C(0xfffffffe);
	add_znode(f, "/a", 0);
	f->zxid = store_next_epoch(f->store);
	assert_true(f->zxid == INT64_C(2) << 32);
	add_znode(f, "/b", 0);
	replay(f);
	f->zxid = store_next_epoch(f->store);
	assert_true(f->zxid == INT64_C(3) << 32);
	stop(f);
	/* It was put on record, though no change bears it. */
	start(f);
	assert_true(f->zxid == INT64_C(4) << 32);
	assert_found(f, "/b");
}

/* ---- segments ---- */

/* The disk of hold_disk: syncs of the store's own come back at once, or when the test says so. */
static void use_held_disk(void)
{
	static struct vfs_os os; /* the store's threads go on using it */

	os = *vfs_os();
	os.sync_file = held_sync_file;
	vfs_replace(&os, NULL);
}

/* Begin with the second segment prepared and in the core's reach, on a disk that holds all syncs
 * up. Then fill the first one many times over. */
static void start_and_fill(struct fixture *f)
{
	char path[32];

	use_held_disk();
	f->o.segment_bytes = 4096;
	f->o.replay_delay_ms = NEVER_MS;
	start(f);
	/* The first wake says that it was handed over. */
	assert_int_equal(poll(&(struct pollfd){ store_wake_fd(f->store), POLLIN, 0 }, 1, 20000), 1);
	hold_disk(true);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "/fill%d", i);
		add_znode(f, path, 0);
		store_end_turn(f->store);
	}
}

static void test_a_commit_waits_for_the_segment_before(void **state)
{
	struct fixture *f = *state;
	int64_t full_last;

	start_and_fill(f);
	assert_true(store_flushed(f->store) == 0);
	full_last = query_segment(f, 1, "SELECT max(zxid) FROM change");
	assert_true(full_last < f->last);
	/* Its rows are in a transaction that stays open. */
	assert_true(query_segment(f, 2, "SELECT count(*) FROM change") == 0);
	assert_true(query_segment(f, 2, "SELECT prev FROM segment") == -1);
	hold_disk(false);
	wait_until(f, store_flushed, full_last);
	wait_until(f, store_flushed, f->last);
	assert_true(query_segment(f, 2, "SELECT min(prev) FROM change") == full_last);
	assert_true(query_segment(f, 2, "SELECT prev FROM segment") == full_last);
	/* A loss of power now finds one chain. */
	crash(f);
	open_and_load(f);
	assert_true(store_last_zxid(f->store) == f->last);
}

static void *release_disk(void *arg)
{
	(void)arg;
	/* Long enough for the stop to come first, mostly; it may come second. */
	(void)poll(NULL, 0, 20);
	hold_disk(false);
	return NULL;
}

static void test_a_stop_waits_for_the_segment_before(void **state)
{
	struct fixture *f = *state;
	pthread_t releaser;

	start_and_fill(f);
	assert_true(query_segment(f, 2, "SELECT count(*) FROM change") == 0);
	assert_int_equal(pthread_create(&releaser, NULL, release_disk, NULL), 0);
	stop(f);
	pthread_join(releaser, NULL);
	open_and_load(f);
	assert_true(store_last_zxid(f->store) == f->last);
}

static void wait_until_removed(const char *path)
{
	for (int i = 0; access(path, F_OK) == 0 && i < 20000; i++)
		(void)poll(NULL, 0, 1);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* The same disk, which holds up the second segment alone. */
static int held_second_segment(int fd)
{
	char link[64], path[4096] = "";

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "0000000002.db-wal") != NULL)
		return held_sync_file(fd);
	return 0;
}

static void audit(struct fixture *f, const char *kind)
{
	const struct audit_row row = {
		.kind = kind,
		.time_ms = 1,
		.note = { .old_version = AUDIT_NO_VERSION, .version = AUDIT_NO_VERSION },
		.count = 1,
	};

	store_audit(f->store, &row);
	store_end_turn(f->store);
}

static void wait_until_removed_in_turns(struct fixture *f, unsigned number)
{
	char *path = segment_path(f, number);

	for (int i = 0; access(path, F_OK) == 0 && i < 20000; i++) {
		store_end_turn(f->store);
		(void)poll(NULL, 0, 1);
	}
	assert_int_not_equal(access(path, F_OK), 0);
	mem_free(path);
}

/* Runs that changed nothing leave rows of the audit trail alone: these stay, go when they are too
 * much, and a row on disk says so first. */
static void test_retention_of_an_audit_trail(void **state)
{
	struct fixture *f = *state;

	f->o.audit_key = audit_key_new(NULL);
	start(f);
	add_znode(f, "/a", 0);
	flush(f);
	stop(f);
	for (unsigned i = 0; i < 3; i++) {
		start(f);
		audit(f, "start");
		stop(f);
	}
	for (unsigned number = 1; number <= 4; number++)
		assert_true(query_segment(f, number, "SELECT max(number) FROM trail") == number);
	f->o.retention_bytes = 0;
	start(f);
	for (unsigned number = 1; number <= 4; number++)
		wait_until_removed_in_turns(f, number);
	stop(f);
	assert_true(query_segment(f, 5, "SELECT audit_number FROM segment") == 4);
	assert_true(query_segment(f, 5, "SELECT count(*) FROM audit WHERE kind = 'prune'") == 4);
	assert_true(
		query_segment(f, 5,
			      "SELECT detail = '4:' || lower(hex(segment.audit_mac)) FROM audit, "
			      "segment WHERE kind = 'prune' ORDER BY audit.number DESC LIMIT 1") ==
		1);
	/* It goes on from there, and the change is not lost with its row. */
	start(f);
	audit(f, "start");
	assert_found(f, "/a");
	stop(f);
	assert_true(query_segment(f, 6, "SELECT audit_number FROM segment") == 8);
	audit_key_free(f->o.audit_key);
	f->o.audit_key = NULL;
}

/* ---- what the log is told ---- */

/* Goes on for so long, and tells how often the head was told so far in the file that the log goes
 * to. */
static unsigned heads_told_after(struct fixture *f, int64_t ms, const char *log)
{
	FILE *file = fopen(log, "r");
	char line[1024];
	unsigned count = 0;

	clock_fake_advance(ms);
	for (int i = 0; i < 200; i++) {
		store_end_turn(f->store);
		(void)poll(NULL, 0, 1);
	}
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		count += strstr(line, "event=audit.head") != NULL;
	(void)fclose(file);
	return count;
}

/* At the start, then each minute, but only what is new and on disk. */
static void test_audit_head_is_told_each_minute(void **state)
{
	struct fixture *f = *state;
	char log[] = "/tmp/zoolite-heads-XXXXXX";
	int fd = mkstemp(log), saved = dup(STDERR_FILENO);
	unsigned told[7];

	assert_true(fd >= 0 && saved >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	log_set_level(LOG_LEVEL_INFO);
	clock_fake_start(1, CLOCK_NOW);
	f->o.audit_key = audit_key_new(NULL);
	start(f);
	audit(f, "start");
	told[0] = heads_told_after(f, 2000, log);
	told[1] = heads_told_after(f, 57000, log);
	told[2] = heads_told_after(f, 1001, log);
	told[3] = heads_told_after(f, 60001, log);
	audit(f, "stop");
	told[4] = heads_told_after(f, 0, log);
	told[5] = heads_told_after(f, 2000, log);
	told[6] = heads_told_after(f, 60000, log);
	stop(f);
	audit_key_free(f->o.audit_key);
	f->o.audit_key = NULL;
	/* What is asserted is told there. */
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	(void)close(fd);
	(void)unlink(log);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 1);
	assert_int_equal(told[2], 2);
	assert_int_equal(told[3], 2);
	assert_int_equal(told[4], 2);
	assert_int_equal(told[5], 3);
	assert_int_equal(told[6], 3);
}

/* A segment with the newest row on disk stays, though the tree has it and the next one is written
 * already: its rows may be lost with the power, and the log would end below the tree. */
static void test_retention_keeps_the_newest_row_on_disk(void **state)
{
	static struct vfs_os os;
	struct fixture *f = *state;
	char *first = segment_path(f, 1);

	os = *vfs_os();
	os.sync_file = held_second_segment;
	vfs_replace(&os, NULL);
	f->o.segment_bytes = 1;
	f->o.retention_bytes = 0;
	start(f);
	assert_int_equal(poll(&(struct pollfd){ store_wake_fd(f->store), POLLIN, 0 }, 1, 20000), 1);
	hold_disk(true);
	add_znode(f, "/a", 0);
	replay(f);
	add_znode(f, "/b", 0);
	store_end_turn(f->store);
	/* Given back, and closed instead of removed. */
	for (int i = 0; files_has_wal(first) && i < 20000; i++)
		(void)poll(NULL, 0, 1);
	assert_false(files_has_wal(first));
	assert_int_equal(access(first, F_OK), 0);
	hold_disk(false);
	replay(f);
	wait_until_removed(first);
	mem_free(first);
}

static void add_many(struct fixture *f, int count, int64_t time_ms)
{
	char path[32];

	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "/n%d", i);
		put_znode(f, path, 0, slice_of("data"));
		append_body(f, path, time_ms);
		if (i % 10 == 9) {
			replay(f);
			/* Lets the replay thread prepare the next segment. */
			(void)poll(NULL, 0, 1);
		}
	}
	replay(f);
}

static void test_retention_by_bytes(void **state)
{
	struct fixture *f = *state;
	int64_t last;

	f->o.segment_bytes = 4096;
	f->o.retention_bytes = 150 * 1024;
	start(f);
	add_many(f, 1000, 1000);
	last = f->last;
	stop(f);
	/* Of some twenty segments: those that fit, one that was being written, one or two on their
	 * way. */
	assert_in_range(count_segments(f), 2, 10);
	start(f);
	assert_true(f->last == last);
	assert_string_equal(f->loaded, "");
	assert_int_equal(store_znode_count(f->store), 1000);
}

/* The newest row stays, whatever is to go: the next start needs to know where the log ends. */
static void test_retention_of_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t last;

	f->o.segment_bytes = 1;
	f->o.retention_bytes = 0;
	start(f);
	add_many(f, 50, 1000);
	last = f->last;
	stop(f);
	assert_in_range(count_segments(f), 1, 3);
	for (int i = 0; i < 3; i++) {
		start(f);
		assert_true(f->last == last);
		replay(f);
		stop(f);
	}
	start(f);
	assert_int_equal(store_znode_count(f->store), 50);
	add_znode(f, "/more", 0);
	replay(f);
	assert_found(f, "/more");
}

/* What goes is not copied from its -wal into the file first. */
static void test_removal_without_a_checkpoint(void **state)
{
	struct fixture *f = *state;
	char *first = segment_path(f, 1);
	struct stat before, after;
	int fd;

	f->o.segment_bytes = 1;
	f->o.retention_bytes = 0;
	/* The tree takes three changes at once: by then the first segment is full and given back,
	 * and the log on disk goes on behind it. */
	f->o.replay_delay_ms = NEVER_MS;
	f->o.replay_batch_rows = 3;
	start(f);
	assert_int_equal(poll(&(struct pollfd){ store_wake_fd(f->store), POLLIN, 0 }, 1, 20000), 1);
	fd = open(first, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &before), 0);
	add_znode(f, "/a", 0);
	flush(f);
	add_znode(f, "/b", 0);
	flush(f);
	assert_true(query_segment(f, 2, "SELECT count(*) FROM change") == 1);
	add_znode(f, "/c", 0);
	replay(f);
	wait_until_removed(first);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_nlink, 0);
	assert_int_equal(after.st_size, before.st_size);
	close(fd);
	mem_free(first);
}

/* With few changes in each commit the -wal grows faster than the rows; a segment is full then
 * too. */
static void test_a_segment_ends_by_its_wal(void **state)
{
	struct fixture *f = *state;
	char path[32];
	int count = 0;

	use_held_disk();
	f->o.segment_bytes = 200 * 1024;
	start(f);
	assert_int_equal(poll(&(struct pollfd){ store_wake_fd(f->store), POLLIN, 0 }, 1, 20000), 1);
	while (query_segment(f, 2, "SELECT count(*) FROM change") == 0) {
		(void)snprintf(path, sizeof(path), "/n%d", count++);
		add_znode(f, path, 0);
		flush(f);
		/* In bytes of rows it would have place for some 1400. */
		assert_true(count < 700);
	}
	/* At least a page each, and 1 MiB and four times the segment's size of them. */
	assert_true(count > 100);
}

/* The tree's -wal is copied into the file again and again while changes go on. */
static void test_the_wal_of_the_tree_stays_small(void **state)
{
	struct fixture *f = *state;
	char *wal = files_join(f->dir, "tree.db-wal"), path[32];
	off_t most = 0;
	struct stat st;

	use_held_disk();
	f->o.tree_cache_kib = 64;
	start(f);
	for (int i = 0; i < 150; i++) {
		(void)snprintf(path, sizeof(path), "/n%d", i);
		add_znode(f, path, 0);
		replay(f);
		assert_int_equal(stat(wal, &st), 0);
		if (st.st_size > most)
			most = st.st_size;
	}
	/* 16 pages, and what one or two batches wrote before that was seen; without any checkpoint
	 * it would be some 500. */
	assert_in_range(most, 16 * 4096, 64 * 4096);
	mem_free(wal);
}

/* Rows may be large: a batch is bounded in bytes too, not only in rows. */
static void test_a_batch_is_bounded_in_bytes(void **state)
{
	struct fixture *f = *state;
	const size_t len = 1 << 20;
	char *data = mem_new(len), path[32];
	uint64_t before;

	memset(data, 'x', len);
	use_held_disk();
	f->o.replay_delay_ms = NEVER_MS;
	f->o.replay_batch_rows = 40;
	start(f);
	before = metrics_get(METRIC_replay_batches);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(path, sizeof(path), "/n%d", i);
		put_znode(f, path, 0, (struct slice){ data, len });
		append_body(f, path, 1000);
		if (i < 39)
			flush(f);
	}
	replay(f);
	/* 16 MiB each. */
	assert_int_equal(metrics_get(METRIC_replay_batches) - before, 3);
	assert_int_equal(store_znode_count(f->store), 40);
	mem_free(data);
}

static void test_retention_by_age(void **state)
{
	enum { HOUR_MS = 3600 * 1000, MOST_TRIES = 1000 };
	struct fixture *f = *state;
	unsigned kept, tries = 0;

	f->o.segment_bytes = 4096;
	f->o.retention_ms = HOUR_MS;
	start(f);
	/* Where the wall clock jumps, nothing becomes older: neither what is written then nor what
	 * was there. */
	add_many(f, 500, 1000);
	kept = count_segments(f);
	assert_in_range(kept, 8, 100);
	add_many(f, 500, clock_wall_ms());
	add_many(f, 500, clock_wall_ms() + 2 * HOUR_MS);
	stop(f);
	assert_true(count_segments(f) >= 3 * kept - 6);

	/* What a start finds is as old as its rows say, but for the newest. */
	start(f);
	add_many(f, 10, clock_wall_ms());
	stop(f);
	assert_in_range(count_segments(f), 2 * kept - 6, 2 * kept + 9);

	f->o.retention_ms = 1;
	start(f);
	do
		add_many(f, 50, clock_wall_ms());
	while (count_segments(f) > 2 * kept && ++tries < MOST_TRIES);
	stop(f);
	assert_true(tries < MOST_TRIES);
}

/* While the store is closed: a segment of its database without a row. */
static void leave_segment(struct fixture *f, uint32_t number, enum segment_state segment_state)
{
	char *log = files_join(f->dir, "log"), *tree = files_join(f->dir, "tree.db");
	struct segment like = { .number = number, .state = segment_state, .prev = f->last };
	char reason[STORE_REASON_LEN];
	struct segment *g;
	struct rows *rows;

	like.epoch = (uint32_t)(f->zxid >> 32) + 1;
	assert_int_equal(rows_open(&rows, tree, DB_WRITE, 256, false, reason), 0);
	memcpy(like.database, rows_meta(rows)->database, DATABASE_ID_LEN);
	rows_close(rows, false);
	assert_int_equal(segment_create(&g, log, &like, reason), 0);
	segment_close(g, true);
	mem_free(log);
	mem_free(tree);
}

/* What a start leaves that was killed before it had removed the segments that it does not need, or
 * a loss of power in the midst of removals: files without a row below those that a start looks
 * into. They go, and hold no retention up. */
static void test_leftovers_below_the_tree(void **state)
{
	struct fixture *f = *state;
	char *paths[4];
	FILE *file;

	f->o.segment_bytes = 4096;
	for (unsigned i = 0; i < 4; i++)
		paths[i] = segment_path(f, i);
	start(f);
	add_znode(f, "/a", 0);
	replay(f);
	stop(f);
	file = fopen(paths[0], "w");
	fclose(file);
	leave_segment(f, 2, SEGMENT_PREPARED);
	leave_segment(f, 3, SEGMENT_USED);
	leave_segment(f, 4, SEGMENT_USED);
	f->o.retention_ms = 1;
	for (int i = 0; i < 2; i++) {
		start(f);
		add_many(f, 200, 1000 + 5000 * i);
		add_many(f, 1, 2000 + 5000 * i);
		for (unsigned n = 0; n < 4; n++)
			wait_until_removed(paths[n]);
		stop(f);
		assert_in_range(count_segments(f), 1, 4);
	}
	for (unsigned i = 0; i < 4; i++)
		mem_free(paths[i]);
}

/* Another database's segment is nothing to copy into, and nothing to remove. */
static void test_foreign_segment_below_the_tree(void **state)
{
	struct fixture *f = *state;
	char *first = segment_path(f, 1), *second = segment_path(f, 2);
	char *wal = files_join(f->dir, "log/0000000001.db-wal");
	struct capture c;
	char text[1024];
	FILE *file;

	for (int i = 0; i < 2; i++) {
		start(f);
		add_znode(f, i == 0 ? "/a" : "/b", 0);
		replay(f);
		stop(f);
	}
	spoil_segment(f, 1, "UPDATE segment SET database = randomblob(16)");
	file = fopen(wal, "w");
	fputs("not ours", file);
	fclose(file);
	f->o.retention_bytes = 0;
	f->o.segment_bytes = 1;
	capture_begin(&c);
	start(f);
	add_many(f, 50, 1000);
	wait_until_removed(second);
	stop(f);
	(void)capture_end(&c, text, sizeof(text));
	assert_non_null(strstr(text, "store.segment_foreign"));
	assert_non_null(strstr(text, first));
	assert_int_equal(access(first, F_OK), 0);
	assert_int_equal(access(wal, F_OK), 0);
	/* What has such a neighbour starts again. */
	capture_begin(&c);
	start(f);
	assert_found(f, "/b");
	stop(f);
	(void)capture_end(&c, text, sizeof(text));
	mem_free(first);
	mem_free(second);
	mem_free(wal);
}

/* What a kill leaves: -wal files of segments that the replay thread had not closed. It does so
 * after the next start. */
static void test_segments_of_a_killed_run_are_closed(void **state)
{
	struct fixture *f = *state;
	char *first = segment_path(f, 1);

	start(f);
	add_znode(f, "/a", 0);
	replay(f);
	crash(f);
	assert_true(files_has_wal(first));
	start(f);
	for (int i = 0; files_has_wal(first) && i < 20000; i++)
		(void)poll(NULL, 0, 1);
	assert_false(files_has_wal(first));
	assert_found(f, "/a");
	mem_free(first);
}

/* ---- what ends the process ---- */

static struct fixture *in_child;

/* Log rows vanish after the start has checked them, before the tree takes them. */
static void replay_over_a_gap(void)
{
	struct fixture *f = in_child;

	f->o.replay_delay_ms = NEVER_MS;
	f->o.replay_batch_rows = 4;
	start(f);
	add_znode(f, "/a", 0);
	add_znode(f, "/b", 0);
	add_znode(f, "/c", 0);
	flush(f);
	spoil_segment(f, 1, "DELETE FROM change WHERE path = '/b'");
	add_znode(f, "/d", 0);
	replay(f);
}

static void test_a_gap_that_replay_meets(void **state)
{
	char text[1024];

	in_child = *state;
	capture_abort(replay_over_a_gap, text, sizeof(text));
	assert_non_null(strstr(text, "store.log_broken"));
	assert_non_null(strstr(text, "log/0000000001.db"));
}

/* ---- what is refused ---- */

static void prepare_log(struct fixture *f)
{
	/* Three changes in the log, none in the tree. */
	f->o.replay_delay_ms = NEVER_MS;
	start(f);
	add_znode(f, "/a", 0);
	add_znode(f, "/b", 0);
	add_znode(f, "/c", 0);
	stop(f);
}

static void test_second_server(void **state)
{
	struct fixture *f = *state;
	struct store *first;

	start(f);
	first = f->store;
	assert_refused(f, "another server uses this directory", "/lock");
	f->store = first;
	stop(f);
	start(f);
}

static void test_gap_in_the_log(void **state)
{
	struct fixture *f = *state;

	prepare_log(f);
	spoil_segment(f, 1, "DELETE FROM change WHERE op = 'create' AND path = '/b'");
	assert_refused(f, "the log has a gap", "log/0000000001.db");
}

static void test_gap_at_the_tree(void **state)
{
	struct fixture *f = *state;

	prepare_log(f);
	spoil_segment(f, 1, "DELETE FROM change WHERE path = '/a'");
	assert_refused(f, "the log has a gap", "log/0000000001.db");
}

static void test_missing_segment(void **state)
{
	struct fixture *f = *state;
	char *first;

	prepare_log(f);
	start(f);
	add_znode(f, "/d", 0);
	stop(f);
	first = segment_path(f, 1);
	files_remove_database(first);
	mem_free(first);
	assert_refused(f, "the log has a gap", "log/0000000002.db");
}

static void test_foreign_segment(void **state)
{
	struct fixture *f = *state;

	prepare_log(f);
	spoil_segment(f, 1, "UPDATE segment SET database = randomblob(16)");
	assert_refused(f, "foreign database id", "log/0000000001.db");
}

static void test_renamed_segment(void **state)
{
	struct fixture *f = *state;
	char *from, *to;

	prepare_log(f);
	from = segment_path(f, 1);
	to = segment_path(f, 5);
	assert_int_equal(rename(from, to), 0);
	mem_free(from);
	mem_free(to);
	assert_refused(f, "speaks of another file", "log/0000000005.db");
}

static void test_segment_of_the_future(void **state)
{
	struct fixture *f = *state;

	prepare_log(f);
	spoil_segment(f, 1, "PRAGMA user_version = 3");
	assert_refused(f, "has schema version 3", "log/0000000001.db");
}

static void test_lost_log(void **state)
{
	struct fixture *f = *state;
	char *log = files_join(f->dir, "log");

	start(f);
	add_znode(f, "/a", 0);
	replay(f);
	stop(f);
	tmpdir_remove_tree(log);
	assert_refused(f, "below the tree", log);
	mem_free(log);
}

static void test_lost_tree(void **state)
{
	struct fixture *f = *state;
	char *tree = files_join(f->dir, "tree.db");

	prepare_log(f);
	files_remove_database(tree);
	assert_refused(f, "is missing, but there is a log", "tree.db");
	/* Nor was one made by the attempt. */
	assert_refused(f, "is missing, but there is a log", "tree.db");
	mem_free(tree);
}

static void test_directory_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->dir, "w");

	fclose(file);
	assert_refused(f, "Not a directory", f->dir);
}

static void test_log_elsewhere(void **state)
{
	struct fixture *f = *state;
	char *elsewhere = files_join(f->top, "elsewhere");
	char *other_dir = files_join(f->top, "other");
	struct store *first;

	f->o.log_dir = elsewhere;
	start(f);
	add_znode(f, "/a", 0);
	replay(f);
	/* Its lock keeps a second data directory off the same log. */
	first = f->store;
	f->o.data_dir = other_dir;
	assert_refused(f, "another server uses this directory", elsewhere);
	f->store = first;
	stop(f);
	assert_refused(f, "is missing, but there is a log", other_dir);
	f->o.data_dir = f->dir;
	start(f);
	assert_found(f, "/a");
	mem_free(elsewhere);
	mem_free(other_dir);
}

/* The same directory, by other names, is no second one whose lock another server holds. */
static void test_log_in_the_data_directory(void **state)
{
	struct fixture *f = *state;
	char *slash = files_join(f->dir, ""), *link = files_join(f->top, "link");

	f->o.log_dir = slash;
	start(f);
	add_znode(f, "/a", 0);
	replay(f);
	stop(f);
	assert_int_equal(symlink(f->dir, link), 0);
	f->o.log_dir = link;
	start(f);
	assert_found(f, "/a");
	stop(f);
	f->o.log_dir = f->dir;
	start(f);
	assert_found(f, "/a");
	stop(f);
	f->o.log_dir = NULL;
	start(f);
	assert_found(f, "/a");
	mem_free(slash);
	mem_free(link);
}

/* Segments that a start or the making of one left behind are passed over and removed. */
static void test_leftovers(void **state)
{
	struct fixture *f = *state;
	char *stray, *unfinished;
	FILE *file;

	start(f);
	add_znode(f, "/a", 0);
	replay(f);
	stop(f);
	unfinished = segment_path(f, 2);
	file = fopen(unfinished, "w");
	fclose(file);
	stray = files_join(f->dir, "log/0000000007.db-wal");
	file = fopen(stray, "w");
	fputs("left over", file);
	fclose(file);
	start(f);
	assert_found(f, "/a");
	assert_int_not_equal(access(unfinished, F_OK), 0);
	assert_int_not_equal(access(stray, F_OK), 0);
	add_znode(f, "/b", 0);
	replay(f);
	stop(f);
	start(f);
	assert_found(f, "/b");
	mem_free(stray);
	mem_free(unfinished);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fresh_directory),
		TEST(test_changes_reach_disk_and_tree),
		TEST(test_large_and_many),
		TEST(test_clean_stop_keeps_everything),
		TEST(test_stop_in_the_middle_of_a_turn),
		TEST(test_load_gives_what_the_tree_lacks),
		TEST(test_close_early),
		TEST(test_wake_fd),
		TEST(test_epoch_follows_the_clock),
		TEST(test_epoch_without_a_clock),
		TEST(test_epoch_is_above_every_zxid),
		TEST(test_next_epoch),
		TEST(test_a_commit_waits_for_the_segment_before),
		TEST(test_a_stop_waits_for_the_segment_before),
		TEST(test_retention_of_an_audit_trail),
		TEST(test_audit_head_is_told_each_minute),
		TEST(test_retention_keeps_the_newest_row_on_disk),
		TEST(test_retention_by_bytes),
		TEST(test_retention_of_nothing),
		TEST(test_removal_without_a_checkpoint),
		TEST(test_a_segment_ends_by_its_wal),
		TEST(test_the_wal_of_the_tree_stays_small),
		TEST(test_a_batch_is_bounded_in_bytes),
		TEST(test_retention_by_age),
		TEST(test_leftovers_below_the_tree),
		TEST(test_foreign_segment_below_the_tree),
		TEST(test_segments_of_a_killed_run_are_closed),
		TEST(test_a_gap_that_replay_meets),
		TEST(test_second_server),
		TEST(test_gap_in_the_log),
		TEST(test_gap_at_the_tree),
		TEST(test_missing_segment),
		TEST(test_foreign_segment),
		TEST(test_renamed_segment),
		TEST(test_segment_of_the_future),
		TEST(test_lost_log),
		TEST(test_lost_tree),
		TEST(test_directory_that_cannot_be),
		TEST(test_log_elsewhere),
		TEST(test_log_in_the_data_directory),
		TEST(test_leftovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
