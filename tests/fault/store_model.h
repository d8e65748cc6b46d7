/* What a store must hold, kept in memory: the changes of one history, the znodes and sessions that
 * they come to at any of them, and a source of random changes. Paths and sessions come from a small
 * pool, so that states are compared whole. */
#ifndef TESTS_FAULT_STORE_MODEL_H
#define TESTS_FAULT_STORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "store/record.h"
#include "tests/lib/random.h"

enum {
	MODEL_DIRS = 6,
	MODEL_CHILDREN = 16,
	MODEL_ZNODES = 1 + MODEL_DIRS * (1 + MODEL_CHILDREN),
	MODEL_SESSIONS = 8,
};

/* Slices borrow the bodies of the model's rows. */
struct model_state {
	struct record_znode znodes[MODEL_ZNODES]; /* columns == 0: not there */
	struct record_session sessions[MODEL_SESSIONS];
};

struct model_row {
	int64_t zxid;
	int64_t prev;
	char *body;
	size_t len;
};

struct model {
	struct model_row *rows;
	size_t count;
	struct model_state now; /* after the last row */
};

void model_fini(struct model *m);
/* Take in a change. */
void model_append(struct model *m, int64_t zxid, int64_t prev, struct slice body);
/* Nothing above zxid has happened. */
void model_truncate(struct model *m, int64_t zxid);
/* The state after zxid. False where no row has that zxid (0 is before the first). */
bool model_at(const struct model *m, int64_t zxid, struct model_state *out);
/* The row after zxid, or NULL. */
const struct model_row *model_next(const struct model *m, int64_t zxid);

/* Write a random change of m->now to body: one operation or some, with all that they do to parents
 * and owners. */
void model_write_change(const struct model *m, struct random *r, int64_t zxid, struct buf *body);

/* Path of znode i; index of a path or session id, -1 where it is none of the pool. */
void model_path(int i, char out[32]);
int model_znode_index(struct slice path);
int model_session_index(int64_t id);
bool model_znode_equal(const struct record_znode *a, const struct record_znode *b);
bool model_session_equal(const struct record_session *a, const struct record_session *b);

#endif
