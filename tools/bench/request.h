/* The requests that the cases make, each written whole: what leaves when is session.h's matter. */
#ifndef BENCH_REQUEST_H
#define BENCH_REQUEST_H

#include "tools/bench/session.h"

/* The body of a create, for a multi too; everyone may do everything with the znode. */
void request_write_create(struct jute_writer *w, const char *path, struct slice value,
			  int32_t flags);
/* getData, exists, getChildren: a path and whether to watch it. */
void request_read(struct session *s, enum opcode op, const char *path, bool watch, unsigned slot,
		  int64_t intended_us);
void request_create(struct session *s, const char *path, struct slice value, int32_t flags,
		    unsigned slot, int64_t intended_us);
/* Of any version. */
void request_set(struct session *s, const char *path, struct slice value, unsigned slot,
		 int64_t intended_us);
void request_delete(struct session *s, const char *path, unsigned slot, int64_t intended_us);

#endif
