/* Found a data directory of ours on that of a ZooKeeper: its newest snapshot that is whole, and the
 * transactions that follow it. Nothing is written in ZooKeeper's directory. One thread; no server
 * may run on either. */
#ifndef STORE_IMPORT_H
#define STORE_IMPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cdefs.h"
#include "store/import_tree.h"
#include "store/store.h"
#include "store/zk_stream.h"

struct import_options {
	/* ZooKeeper's: dataDir or the version-2 in it, and the same of dataLogDir (NULL: dir). */
	const char *dir;
	const char *log_dir;
	/* Ours, as in struct store_options; fresh. */
	const char *to_dir;
	const char *to_log_dir;
	uint32_t cache_kib;
	/* Keep sessions, and with them their ephemeral znodes. */
	bool with_sessions;
	/* Take a tree that is not the one whose digest ZooKeeper logged: whoever has looked at it
	 * may know better than the log. */
	bool despite_digest;
	uint64_t large_bytes; /* znodes with more data are counted */
	/* Whom the files are to belong to; -1: whoever makes them. */
	uid_t uid;
	gid_t gid;
};

enum import_digest {
	IMPORT_DIGEST_NONE, /* ZooKeeper wrote none for the last transaction */
	IMPORT_DIGEST_SAME,
	IMPORT_DIGEST_OTHER, /* despite_digest alone lets it pass */
};

struct import_scheme {
	char name[32];
	uint64_t znodes;
};

enum { IMPORT_SCHEMES = 16, IMPORT_PASSED_OVER = 8, IMPORT_NAME_LEN = 64 };

/* What was carried. */
struct import_summary {
	char snapshot[IMPORT_NAME_LEN]; /* name of the file */
	enum zk_coding coding;
	int64_t snapshot_zxid;
	/* Newer snapshots that are damaged, newest first: name and damage. */
	char passed_over[IMPORT_PASSED_OVER][STORE_REASON_LEN];
	unsigned passed_over_count;
	unsigned logs;
	uint64_t txns;
	char cut_log[IMPORT_NAME_LEN]; /* the last one that ends in the middle of a transaction */
	struct import_counts counts;
	enum import_digest digest;
	struct import_scheme schemes[IMPORT_SCHEMES]; /* of ACLs; those beyond are left out */
	unsigned scheme_count;
};

/* -1 with a reason: then there is no registry in to_dir. A write that fails, on a full disk too,
 * ends the process. */
must_check int import_run(const struct import_options *o, struct import_summary *s,
			  char reason[STORE_REASON_LEN]);

/* For the hook of die (base/log.h), where a write has failed in the midst of import_run: remove
 * what it made. The process ends then, and never goes back there. */
void import_abandon(void);

#endif
