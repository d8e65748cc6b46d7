/* The bytes of a file of ZooKeeper's (snapshot or log): plain, gzip, or the stream of snappy-java
 * that ZooKeeper writes; read as jute, summed up as ZooKeeper does it (SnapStream). The first
 * failure is remembered: read a whole record, then ask once. One thread. */
#ifndef STORE_ZK_STREAM_H
#define STORE_ZK_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum zk_coding { ZK_PLAIN, ZK_GZIP, ZK_SNAPPY };

/* By the end of the file's name, as ZooKeeper knows it. */
enum zk_coding zk_coding_of(const char *name);

struct zk_stream;

/* fd: ours from now on. */
struct zk_stream *zk_stream_new(int fd, enum zk_coding coding);
/* NULL is allowed. */
void zk_stream_free(struct zk_stream *s);

int32_t zk_stream_read_int(struct zk_stream *s);
int64_t zk_stream_read_long(struct zk_stream *s);
/* A buffer or string, lent until the next call; data is NULL for null and only then. */
struct slice zk_stream_read_buffer(struct zk_stream *s);
/* The next len bytes, lent until the next call; data is NULL where they are not there. */
struct slice zk_stream_read_block(struct zk_stream *s, size_t len);
/* Append the next len bytes to out. -1 where they are not there. */
int zk_stream_read(struct zk_stream *s, struct buf *out, size_t len);
/* The same for a buffer or string, its length included. */
int zk_stream_copy_buffer(struct zk_stream *s, struct buf *out);
/* Read up to the next byte that is not zero. True: there is none, and all was read. */
bool zk_stream_pass_zeros(struct zk_stream *s);

/* Whether a read came to nothing, and why: reads give zeros and nulls then. */
bool zk_stream_is_bad(const struct zk_stream *s);
/* Whether that was the end of the file, in the middle of what was read. */
bool zk_stream_is_short(const struct zk_stream *s);
const char *zk_stream_reason(const struct zk_stream *s);
/* Whether all was read. */
bool zk_stream_is_at_end(struct zk_stream *s);
/* How many bytes were read, before compression. */
uint64_t zk_stream_position(const struct zk_stream *s);
/* Adler-32 of all that was read. */
uint32_t zk_stream_sum(const struct zk_stream *s);

#endif
