/* A file that ZooKeeper is to read: numbers in network order, strings and buffers with their length
 * before them, and seals, which hold the Adler-32 of all bytes before them; as it is or packed by
 * gzip. The first failure is kept and told at the end. One thread. */
#ifndef STORE_ZK_FILE_H
#define STORE_ZK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "store/store.h"

struct zk_file;

/* A new file at path, which must not be there. -1 with a reason. */
must_check int zk_file_open(struct zk_file **out, const char *path, bool is_packed,
			    char reason[STORE_REASON_LEN]);
void zk_file_int(struct zk_file *f, int32_t v);
void zk_file_long(struct zk_file *f, int64_t v);
/* data NULL: null. */
void zk_file_buffer(struct zk_file *f, struct slice v);
void zk_file_raw(struct zk_file *f, const void *src, size_t len);
/* The sum of what was written so far, and the mark that ends a part. */
void zk_file_seal(struct zk_file *f);
/* Have all of it on disk. -1 with a reason where that, or anything before, failed. */
must_check int zk_file_finish(struct zk_file *f, char reason[STORE_REASON_LEN]);
/* The file stays as it is. NULL is allowed. */
void zk_file_close(struct zk_file *f);

#endif
