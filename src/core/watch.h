/* The watch table: who is told of what becomes of a path. A client has at most one watch on a path,
 * with one or more modes; watches go with their client. Core thread. */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "wire/proto.h"

struct client;
struct watch_table;

/* Bits. The first two are used up by one event; the others stay until they are removed. */
enum watch_mode {
	WATCH_DATA = 1,       /* set by getData and exists */
	WATCH_CHILD = 2,      /* set by getChildren */
	WATCH_PERSISTENT = 4, /* both of the above */
	WATCH_RECURSIVE = 8,  /* data of the path and of all below it; never its list of children */
	/* The two tables that ZooKeeper keeps, and counts. */
	WATCH_DATA_TABLE = WATCH_DATA | WATCH_PERSISTENT | WATCH_RECURSIVE,
	WATCH_CHILD_TABLE = WATCH_CHILD | WATCH_PERSISTENT,
	WATCH_ANY = WATCH_DATA_TABLE | WATCH_CHILD_TABLE,
};

struct watch_table *watch_table_new(void);
/* Every client must have been dropped. */
void watch_table_free(struct watch_table *t);

/* Arm; one of a mode that is armed on this path already changes nothing. */
void watch_arm(struct watch_table *t, struct client *c, struct slice path, enum watch_mode mode);
/* Take modes off c's watch on path. False where none of them was armed. */
bool watch_disarm(struct watch_table *t, struct client *c, struct slice path, unsigned modes);
/* Whether c has one of modes armed on path. */
bool watch_is_armed(const struct watch_table *t, const struct client *c, struct slice path,
		    unsigned modes);
/* Tell the client; false: it is not to notice that there was anything. It may send, and neither arm
 * nor drop (client_close). */
typedef bool (*watch_call_fn)(void *ctx, struct client *c);
/* Call for every client that watches path for this type of event (a deletion: data and child
 * watches), or a path above it recursively, each client once; take off what is used up. A watch
 * whose client is not to notice stays: that it were gone would tell (checkWatches). Returns how
 * many are not among these. */
size_t watch_fire(struct watch_table *t, struct slice path, enum event_type type,
		  watch_call_fn call, void *ctx);
void watch_drop_client(struct watch_table *t, struct client *c);

/* Of data, exists and persistent watches: what wchs, wchp and wchc speak of. */
struct watch_counts {
	size_t watches;
	size_t paths;
	size_t clients;
	/* Of both of ZooKeeper's tables, persistent ones twice: zk_watch_count. */
	size_t all;
};
struct watch_counts watch_counts(const struct watch_table *t);

/* For lists: every path with a watch that is counted above, and behind it each client that has one,
 * in no fixed order. */
struct watch_visitor {
	void (*path)(void *ctx, struct slice path);
	void (*watcher)(void *ctx, const struct client *c);
	void *ctx;
};
void watch_visit_paths(const struct watch_table *t, const struct watch_visitor *v);
/* The paths of one client. */
void watch_visit_client(const struct client *c, const struct watch_visitor *v);

#endif
