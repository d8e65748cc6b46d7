/* The files of a ZooKeeper's data directory: which snapshots and logs there are, and whether a
 * server is at work on them. Nothing is written there. */
#ifndef STORE_ZK_DIR_H
#define STORE_ZK_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cdefs.h"
#include "store/store.h"

struct zk_dir_file {
	char *name;
	char *path;
	int64_t zxid; /* that its name has */
	dev_t device; /* what it was when the directory was opened */
	ino_t inode;
};

struct zk_files {
	struct zk_dir_file *items;
	size_t count;
};

struct zk_dir {
	char *snapshot_dir;
	char *log_dir;
	struct zk_files snapshots; /* highest zxid first */
	struct zk_files logs;      /* lowest zxid first */
	uint64_t mark;             /* of what was there: names, sizes, times */
};

/* dir: dataDir, or the version-2 in it; log_dir: the same for dataLogDir, NULL: dir. -1 with a
 * reason where there is no snapshot, too. zk_dir_fini in any case. */
must_check int zk_dir_open(struct zk_dir *d, const char *dir, const char *log_dir,
			   char reason[STORE_REASON_LEN]);
void zk_dir_fini(struct zk_dir *d);

/* ZooKeeper holds no lock. -1 with a reason where a process has one of the logs open (of other
 * users' processes only root is told), where that of zkServer.sh's pid file is a ZooKeeper, or
 * where something has changed since the directory was opened. One that has written nothing since
 * its start and was not started by zkServer.sh is not noticed. */
must_check int zk_dir_check_idle(const struct zk_dir *d, char reason[STORE_REASON_LEN]);

#endif
