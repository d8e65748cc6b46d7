/* Fuzz target: a log of ZooKeeper's, which begins at zxid 1. What must hold: what comes out of it
 * follows each other, and whatever it says ends. */
#include <assert.h>

#include "store/zk_log.h"
#include "tests/lib/memfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfile_make(data, size);
	char path[MEMFILE_PATH_LEN], name[] = "log.1", reason[STORE_REASON_LEN];
	struct zk_dir_file file = { name, path, 1, 0, 0 };
	const struct zk_files files = { &file, 1 };
	struct zk_log *log;
	struct zk_txn txn;
	int64_t last = 0;

	memfile_path(fd, path);
	log = zk_log_new(&files, 0);
	while (zk_log_next(log, &txn, reason) == 1) {
		assert(txn.zxid > last);
		last = txn.zxid;
	}
	zk_log_free(log);
	close(fd);
	return 0;
}
