#include "app/command_restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/complain.h"
#include "app/config.h"
#include "app/drill_dir.h"
#include "app/snapshots.h"
#include "app/verdict.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/quota_track.h"
#include "store/files.h"
#include "store/restore.h"
#include "store/snapshot_file.h"
#include "store/verify_log.h"

static int64_t now_ms(void)
{
	return clock_exact_us() / 1000;
}

static int64_t less(int64_t value, int64_t by)
{
	return value > by ? value - by : 0;
}

/* A text that is none stays as it is. */
static void reduce(struct slice stats, int64_t znodes, int64_t bytes, struct buf *out)
{
	struct quota_track track = quota_track_read(stats);
	char text[QUOTA_TRACK_LEN];
	size_t len;

	if (track.is_malformed || track.count < 0 || track.bytes < 0) {
		buf_put(out, stats);
		return;
	}
	track.count = less(track.count, znodes);
	track.bytes = less(track.bytes, bytes);
	len = quota_track_write(&track, text);
	buf_put(out, (struct slice){ text, len });
}

/* ---- restore ---- */

static void print_report(const char *file, const struct restore_report *r)
{
	char *name = log_escape(file);

	printf("restored: %s\nzxid=0x%" PRIx64 "\nepoch=%" PRIu32 "\nsessions_dropped=%" PRIu64
	       "\nephemerals_dropped=%" PRIu64 "\n",
	       name, (uint64_t)r->zxid, r->epoch, r->sessions, r->ephemerals);
	if (r->aside)
		printf("old_files=%s\n", r->aside);
	if (r->log_aside)
		printf("old_log=%s\n", r->log_aside);
	mem_free(name);
}

static int restore_to(const char *file, const char *dir, const char *log_dir)
{
	struct restore_options o = { .file = file,
				     .data_dir = dir,
				     .log_dir = log_dir,
				     .teller = &verdict_teller,
				     .reduce = reduce };
	struct verify_report found;
	struct restore_report report;
	enum verdict verdict;
	struct seal seal;
	char reason[STORE_REASON_LEN];
	int rc = EXIT_FAILED;

	verdict = verdict_of_snapshot(file, &found, &seal);
	if (verdict != VERDICT_GOOD)
		return verdict_status(verdict);
	o.epoch = seal.epoch;
	o.digest = found.digest.whole;
	if (restore(&o, &report, reason) == 0) {
		print_report(file, &report);
		rc = EXIT_OK;
	} else {
		complain(reason);
	}
	restore_report_fini(&report);
	return rc;
}

static int restore_by_config(const char *file, const char *path)
{
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	if (config_load(path, &config, &report) != 0)
		complain(report.error);
	else
		rc = restore_to(file, config.data_dir, config.data_log_dir);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

int command_restore(char *const arguments[], size_t count)
{
	struct stat st;

	if (count == 2 && stat(arguments[1], &st) == 0 && S_ISREG(st.st_mode))
		return restore_by_config(arguments[0], arguments[1]);
	return restore_to(arguments[0], arguments[1], count == 3 ? arguments[2] : NULL);
}

/* ---- drill ---- */

enum { SPARE = 64 * 1024 * 1024 }; /* where no configuration says how much */

struct drill {
	const char *file;
	const char *dir;
	struct verify_report before, after, served;
	struct seal seal;
	struct restore_report restored;
	uint64_t sessions, ephemerals, changes; /* that a start finds */
	int64_t verify_ms, restore_ms, verify_restored_ms, start_ms;
};

static void count_session(void *ctx, const struct record_session *s)
{
	struct drill *d = ctx;

	(void)s;
	d->sessions++;
}

static void count_ephemeral(void *ctx, const struct record_znode *z)
{
	struct drill *d = ctx;

	(void)z;
	d->ephemerals++;
}

static void count_change(void *ctx, const struct record_head *head, struct slice body)
{
	struct drill *d = ctx;

	(void)head;
	(void)body;
	d->changes++;
}

/* Begin a store on it and end it. */
static bool serve(struct drill *d, char reason[STORE_REASON_LEN])
{
	const struct store_loader loader = { d, count_session, count_ephemeral, count_change };
	struct record_znode root;
	struct store_options o;
	struct store *s;
	bool is_good = false;
	int64_t first;

	store_options_init(&o);
	o.data_dir = d->dir;
	if (store_open(&s, &o, reason) != 0)
		return false;
	if (store_load(s, &loader, reason) != 0) {
		store_close(s);
		return false;
	}
	first = store_begin(s);
	if (first <= d->restored.zxid)
		snprintf(reason, STORE_REASON_LEN, "its zxids would begin at 0x%" PRIx64,
			 (uint64_t)first);
	else if (d->sessions + d->ephemerals + d->changes > 0)
		snprintf(reason, STORE_REASON_LEN, "sessions or changes are there");
	else if (d->before.znodes > 0 && store_read_znode(s, slice_of("/"), &root) != STORE_FOUND)
		snprintf(reason, STORE_REASON_LEN, "the root cannot be read");
	else
		is_good = true;
	store_close(s);
	return is_good;
}

static bool is_same(const struct drill *d, const struct verify_report *r,
		    char reason[STORE_REASON_LEN])
{
	if (strcmp(d->before.digest.kept, r->digest.kept) == 0)
		return true;
	snprintf(reason, STORE_REASON_LEN, "the digest of what is restored is %s, and was %s",
		 r->digest.kept, d->before.digest.kept);
	return false;
}

static bool verify_restored(struct drill *d, struct verify_report *out,
			    char reason[STORE_REASON_LEN])
{
	char *tree = files_join(d->dir, "tree.db"), *log_dir = files_join(d->dir, "log");
	struct verify_log_report log;
	bool is_good = verify_tree(tree, &verdict_teller, out) == 0 &&
		       verify_log(log_dir, &out->meta, &verdict_teller, &log) == 0;

	snprintf(reason, STORE_REASON_LEN, "what was restored is not whole");
	mem_free(tree);
	mem_free(log_dir);
	return is_good && is_same(d, out, reason);
}

static bool run_drill(struct drill *d, char reason[STORE_REASON_LEN])
{
	const struct restore_options o = { .file = d->file,
					   .digest = d->before.digest.whole,
					   .teller = &verdict_teller,
					   .data_dir = d->dir,
					   .reduce = reduce };
	int64_t began_ms = now_ms();

	snprintf(reason, STORE_REASON_LEN, "the snapshot is not whole");
	if (verdict_of_snapshot(d->file, &d->before, &d->seal) != VERDICT_GOOD)
		return false;
	d->verify_ms = now_ms() - began_ms;
	began_ms = now_ms();
	if (restore(&o, &d->restored, reason) != 0)
		return false;
	d->restore_ms = now_ms() - began_ms;
	began_ms = now_ms();
	if (!verify_restored(d, &d->after, reason))
		return false;
	d->verify_restored_ms = now_ms() - began_ms;
	began_ms = now_ms();
	if (!serve(d, reason))
		return false;
	d->start_ms = now_ms() - began_ms;
	return verify_restored(d, &d->served, reason);
}

static void print_drill(const struct drill *d)
{
	printf("zxid=0x%" PRIx64 "\ntaken=%" PRId64 "\nznodes=%" PRIu64 "\nbytes=%" PRIu64
	       "\nsessions_dropped=%" PRIu64 "\nephemerals_dropped=%" PRIu64 "\ndigest=%s\n",
	       (uint64_t)d->before.meta.zxid, d->seal.time_ms, d->served.znodes, d->served.bytes,
	       d->restored.sessions, d->restored.ephemerals, d->served.digest.kept);
	printf("verify_ms=%" PRId64 "\nrestore_ms=%" PRId64 "\nverify_restored_ms=%" PRId64
	       "\nstart_ms=%" PRId64 "\n",
	       d->verify_ms, d->restore_ms, d->verify_restored_ms, d->start_ms);
}

/* Where the snapshot is there was room for it. The caller frees. */
static char *parent_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? mem_dup(file, (size_t)(slash - file) + 1) : mem_strdup("./");
}

/* For the copy, for as much again that may stand in its -wal, and for whoever else writes there. */
static uint64_t wanted_bytes(const char *file, uint64_t spare)
{
	return 2 * files_database_bytes(file) + spare;
}

static int drill(const char *file, uint64_t spare)
{
	struct drill d = { .file = file };
	char reason[STORE_REASON_LEN], *name = log_escape(file);
	char *parent = parent_of(file);
	bool is_good = false;
	struct drill_dir dir;

	log_set_level(LOG_LEVEL_WARN);
	drill_dir_tidy(parent);
	if (drill_dir_make(&dir, parent, wanted_bytes(file, spare), reason) == 0) {
		d.dir = dir.path;
		is_good = run_drill(&d, reason);
		drill_dir_remove(&dir);
	}
	printf("snapshot=%s\n", name);
	if (is_good)
		print_drill(&d);
	else
		verdict_print_bad(reason);
	printf("drill: %s\n", is_good ? "passed" : "failed");
	restore_report_fini(&d.restored);
	mem_free(parent);
	mem_free(name);
	return is_good ? EXIT_OK : EXIT_FAILED;
}

static int drill_newest(const struct config *c)
{
	char *dir = snapshots_dir(c), reason[STORE_REASON_LEN];
	struct snapshot_file *list;
	int rc = EXIT_FAILED;
	size_t count;

	if (snapshot_file_list(dir, &list, &count, reason) != 0) {
		complain(reason);
	} else if (count == 0) {
		snprintf(reason, sizeof(reason), "%.400s: there is no snapshot", dir);
		complain(reason);
	} else {
		rc = drill(list[count - 1].path, c->snapshot_spare_bytes);
	}
	snapshot_file_list_free(list, count);
	mem_free(dir);
	return rc;
}

int command_drill(char *const arguments[], size_t count)
{
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	(void)count;
	if (snapshot_file_is_one(arguments[0]))
		return drill(arguments[0], SPARE);
	if (config_load(arguments[0], &config, &report) != 0)
		complain(report.error);
	else
		rc = drill_newest(&config);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}
