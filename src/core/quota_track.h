/* The text of zookeeper_limits and zookeeper_stats (ZooKeeper's StatsTrack):
 * "count=4,bytes=5" or "count=4,bytes=5=;byteHardLimit=10;countHardLimit=10". Pure functions. */
#ifndef CORE_QUOTA_TRACK_H
#define CORE_QUOTA_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* A number that is not there, or is none, is -1: no limit. */
struct quota_track {
	bool is_malformed; /* ZooKeeper throws at such a text */
	int64_t count;
	int64_t bytes;
	int64_t count_hard;
	int64_t bytes_hard;
	bool has_count_hard, has_bytes_hard; /* named in the text */
};

enum { QUOTA_TRACK_LEN = 160 };

struct quota_track quota_track_read(struct slice text);
/* Returns the length. */
size_t quota_track_write(const struct quota_track *t, char text[QUOTA_TRACK_LEN]);

#endif
