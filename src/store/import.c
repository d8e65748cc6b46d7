/* See the header. A snapshot shows that it is damaged when it has been read, so the tree is begun
 * anew for the next one. */
#include "store/import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/files.h"
#include "store/found.h"
#include "store/zk_dir.h"
#include "store/zk_log.h"
#include "store/zk_snapshot.h"

/* For import_abandon. */
static struct found *under_way;

struct importing {
	const struct import_options *o;
	struct import_summary *s;
	struct zk_dir dir;
	struct found *found;
	struct import_tree *tree;
	struct zk_digest digest; /* the last one that was met */
	int64_t zxid;            /* of the last transaction */
	char *reason;
};

/* ---- the snapshot ---- */

static int begin_tree(struct importing *m)
{
	import_tree_free(m->tree);
	m->tree = NULL;
	files_remove_database(found_part(m->found));
	return import_tree_new(&m->tree, found_part(m->found), m->o->cache_kib, m->reason);
}

/* 1: read; 0: damaged, as the reason says; -1: cannot be used at all. */
static int read_snapshot(struct importing *m, const struct zk_dir_file *file)
{
	char why[STORE_REASON_LEN] = "";
	struct zk_snapshot_sink sink;
	struct zk_stream *in;
	bool is_damaged = false;
	int fd = open(file->path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0) {
		(void)snprintf(m->reason, STORE_REASON_LEN, "%s: cannot open: %s", file->path,
			       strerror(errno));
		return -1;
	}
	in = zk_stream_new(fd, zk_coding_of(file->name));
	if (begin_tree(m) != 0) {
		zk_stream_free(in);
		return -1;
	}
	sink = import_tree_sink(m->tree);
	rc = zk_snapshot_read(in, &sink, &m->digest, &is_damaged, why);
	zk_stream_free(in);
	if (rc == 0)
		return 1;
	(void)snprintf(m->reason, STORE_REASON_LEN, "%.200s: %.300s",
		       is_damaged ? file->name : file->path, why);
	return is_damaged ? 0 : -1;
}

static void pass_over(struct importing *m)
{
	struct import_summary *s = m->s;

	if (s->passed_over_count < IMPORT_PASSED_OVER)
		(void)snprintf(s->passed_over[s->passed_over_count++], STORE_REASON_LEN, "%s",
			       m->reason);
}

static void note_snapshot(struct importing *m, const struct zk_dir_file *file)
{
	(void)snprintf(m->s->snapshot, sizeof(m->s->snapshot), "%.60s", file->name);
	m->s->coding = zk_coding_of(file->name);
	m->s->snapshot_zxid = m->zxid = file->zxid;
}

/* The newest one that is whole. */
static int take_snapshot(struct importing *m)
{
	char first[STORE_REASON_LEN] = "";

	for (size_t i = 0; i < m->dir.snapshots.count; i++) {
		int rc = read_snapshot(m, &m->dir.snapshots.items[i]);

		if (rc < 0)
			return -1;
		if (rc == 1) {
			note_snapshot(m, &m->dir.snapshots.items[i]);
			return 0;
		}
		pass_over(m);
		if (i == 0)
			(void)snprintf(first, sizeof(first), "%s", m->reason);
	}
	(void)snprintf(m->reason, STORE_REASON_LEN, "%.150s: no snapshot is whole: %.300s",
		       m->dir.snapshot_dir, first);
	return -1;
}

/* ---- the logs ---- */

/* ZooKeeper logs none with a transaction that changes no znode: the one before holds for it. */
static void keep_digest(struct importing *m, const struct zk_txn *txn)
{
	bool changes_nothing = txn->type == OP_ERROR || txn->type == OP_CREATE_SESSION ||
			       (txn->type == OP_MULTI && zk_txn_has_failed(txn));

	if (txn->digest_version > 0)
		m->digest = (struct zk_digest){ txn->digest_version, txn->zxid, txn->digest };
	else if (changes_nothing && m->digest.zxid == m->zxid)
		m->digest.zxid = txn->zxid;
}

static int apply(struct importing *m, struct zk_log *log, struct zk_txn *txn)
{
	char why[STORE_REASON_LEN] = "";
	int64_t zxid = txn->zxid;

	keep_digest(m, txn);
	if (import_tree_apply(m->tree, txn, why) != 0) {
		(void)snprintf(m->reason, STORE_REASON_LEN, "%.150s: 0x%" PRIx64 ": %.300s",
			       zk_log_path(log), (uint64_t)zxid, why);
		return -1;
	}
	m->zxid = zxid;
	m->s->txns++;
	return 0;
}

static int take_logs(struct importing *m)
{
	struct zk_log *log = zk_log_new(&m->dir.logs, m->zxid);
	struct zk_txn txn;
	int rc;

	while ((rc = zk_log_next(log, &txn, m->reason)) == 1) {
		rc = apply(m, log, &txn);
		if (rc != 0)
			break;
	}
	m->s->logs = zk_log_file_count(log);
	if (zk_log_cut_file(log) != NULL)
		(void)snprintf(m->s->cut_log, sizeof(m->s->cut_log), "%.60s", zk_log_cut_file(log));
	zk_log_free(log);
	return rc;
}

/* ---- the end ---- */

/* Before sessions are left out: ZooKeeper's sum has their ephemerals. */
static int compare_digest(struct importing *m)
{
	int64_t ours;

	if (m->digest.version != ZK_DIGEST_VERSION || m->digest.zxid != m->zxid)
		return 0;
	ours = import_tree_digest(m->tree);
	m->s->digest = ours == m->digest.value ? IMPORT_DIGEST_SAME : IMPORT_DIGEST_OTHER;
	if (m->s->digest == IMPORT_DIGEST_SAME || m->o->despite_digest)
		return 0;
	(void)snprintf(m->reason, STORE_REASON_LEN,
		       "%.200s: the tree is not the one that ZooKeeper had at 0x%" PRIx64
		       ": its digest is 0x%" PRIx64 ", not 0x%" PRIx64
		       " (--despite-digest takes it nevertheless)",
		       m->dir.snapshot_dir, (uint64_t)m->zxid, (uint64_t)ours,
		       (uint64_t)m->digest.value);
	return -1;
}

static void note_scheme(void *ctx, struct slice scheme, uint64_t znodes)
{
	struct import_summary *s = ctx;
	struct import_scheme *to = NULL;
	char name[sizeof(to->name)];

	(void)snprintf(name, sizeof(name), "%.*s", (int)(scheme.len < 31 ? scheme.len : 31),
		       scheme.data);
	for (unsigned i = 0; i < s->scheme_count && to == NULL; i++)
		if (strcmp(s->schemes[i].name, name) == 0)
			to = &s->schemes[i];
	if (to == NULL && s->scheme_count < IMPORT_SCHEMES) {
		to = &s->schemes[s->scheme_count++];
		memcpy(to->name, name, sizeof(name));
	}
	if (to != NULL)
		to->znodes += znodes;
}

static int finish(struct importing *m)
{
	const struct import_options *o = m->o;

	if (compare_digest(m) != 0)
		return -1;
	if (import_tree_finish(m->tree, m->zxid, o->with_sessions, o->large_bytes, &m->s->counts,
			       m->reason) != 0)
		return -1;
	import_tree_list_schemes(m->tree, note_scheme, m->s);
	import_tree_free(m->tree);
	m->tree = NULL;
	/* It may have come back to life while we read. */
	if (zk_dir_check_idle(&m->dir, m->reason) != 0)
		return -1;
	found_set_owner(m->found, o->uid, o->gid);
	return found_finish(m->found, 0, m->reason);
}

static int open_target(struct importing *m)
{
	int rc = found_open(&m->found, m->o->to_dir, m->o->to_log_dir, m->reason);

	under_way = m->found;
	return rc;
}

void import_abandon(void)
{
	struct found *f = under_way;

	/* Closing may fail as whatever brought us here did, and come here again. */
	under_way = NULL;
	found_close(f);
}

int import_run(const struct import_options *o, struct import_summary *s,
	       char reason[STORE_REASON_LEN])
{
	struct importing m = { .o = o, .s = s, .reason = reason };
	int rc = -1;

	*s = (struct import_summary){ 0 };
	if (zk_dir_open(&m.dir, o->dir, o->log_dir, reason) == 0 &&
	    zk_dir_check_idle(&m.dir, reason) == 0 && open_target(&m) == 0 &&
	    found_check_unused(m.found, reason) == 0 && take_snapshot(&m) == 0 &&
	    take_logs(&m) == 0)
		rc = finish(&m);
	import_tree_free(m.tree);
	under_way = NULL;
	found_close(m.found);
	zk_dir_fini(&m.dir);
	return rc;
}
