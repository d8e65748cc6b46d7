/* The watch table: one-shot watches by path and by client; they go with their client. Core
 * thread. */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cdefs.h"
#include "base/slice.h"
#include "wire/proto.h"

struct client;
struct watch_table;

/* A data watch is set by getData and exists, a child watch by getChildren. */
enum watch_kind { WATCH_DATA, WATCH_CHILD, WATCH_KINDS };

struct watch_table *watch_table_new(void);
/* Every client must have been dropped. */
void watch_table_free(struct watch_table *t);

/* Arm once; a second one of the same kind on the same path changes nothing. */
void watch_arm(struct watch_table *t, struct client *c, struct slice path, enum watch_kind kind);
/* Take off and call for every client that watches path for this type of event (a deletion: data and
 * child watches), each client once. call may send and close, not arm. Returns how many. */
size_t watch_fire(struct watch_table *t, struct slice path, enum event_type type,
		  void (*call)(void *ctx, struct client *c), void *ctx);
void watch_drop_client(struct watch_table *t, struct client *c);

struct watch_counts {
	size_t watches;
	size_t paths;
	size_t clients;
};
struct watch_counts watch_counts(const struct watch_table *t);

#endif
