/* What a registry must hold and answer, worked out a second time and kept in memory: znodes and
 * sessions, what each request does to them, the body of its reply, and which change must be on disk
 * before anybody may see that. Its history gives the state at any of its changes. Data and ACLs are
 * numbers here, of which the bytes are made. */
#ifndef TESTS_FAULT_CORE_MODEL_H
#define TESTS_FAULT_CORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/jute.h"

enum {
	CORE_PATH_LEN = 48,
	CORE_DATA_MOST = 3000,
	CORE_ACL_WORLD = 0,     /* the world may do everything */
	CORE_ACL_READ_ONLY = 1, /* the world may read */
	CORE_ACL_FIRST = 2,     /* from here on: others, of which some forbid to write */
};

struct core_data {
	int32_t len; /* -1: null */
	uint64_t seed;
};

struct core_znode {
	char path[CORE_PATH_LEN];
	bool exists;
	/* Zxid of the last change, its end and what its children did to it as well. */
	int64_t changed;
	int64_t czxid, mzxid, pzxid;
	int64_t ctime, mtime;
	int64_t owner;
	int32_t version, aversion, creates, num_children;
	struct core_data data;
	int acl;
};

struct core_session {
	int64_t id;
	int32_t timeout_ms;
	bool open;
};

/* An index is the same znode's or session's in every state of one model. */
struct core_state {
	struct core_znode *znodes;
	size_t znode_count;
	struct core_session *sessions;
	size_t session_count;
};

struct core_row;
struct core_undo;

struct core_model {
	struct core_state now;
	int64_t zxid;   /* given last, to a write that failed as well */
	int64_t change; /* of the last change */
	int64_t time_ms;
	struct core_row *rows;
	size_t row_count, row_room;
	struct core_undo *undos; /* of the open change */
	size_t undo_count;
};

struct core_op {
	int32_t type; /* create, create2, delete, setData, setACL, check */
	char path[CORE_PATH_LEN];
	struct core_data data;
	int acl;
	int32_t version;
	int32_t flags;
};

/* Free with core_result_fini. */
struct core_result {
	int32_t err;
	int64_t zxid; /* a write's own, 0: a read */
	int64_t need; /* this change is shown */
	struct buf body;
	/* Children have no order: their number, and a sum over their names; body holds what
	 * follows. */
	bool has_names;
	int32_t names;
	uint64_t names_sum;
};

void core_model_fini(struct core_model *m);
void core_model_copy(struct core_model *to, const struct core_model *from);
/* An empty registry was started: its first change had this zxid. */
void core_model_begin(struct core_model *m, int64_t zxid);
/* Nothing above zxid has happened, and zxids go on behind next. */
void core_model_truncate(struct core_model *m, int64_t zxid, int64_t next);
/* The state after zxid, to free with core_state_fini. False where no change has that zxid. */
bool core_model_at(const struct core_model *m, int64_t zxid, struct core_state *out);
void core_state_fini(struct core_state *s);
/* The last change up to zxid; 0 where there is none. */
int64_t core_model_change_before(const struct core_model *m, int64_t zxid);
/* Whether the change zxid did something to path that this event tells. */
bool core_model_tells(const struct core_model *m, int64_t zxid, int32_t event, const char *path);

const struct core_znode *core_find(const struct core_state *s, const char *path);

/* --- requests; time_ms of the model is set by the caller --- */

void core_result_fini(struct core_result *r);
/* A write of one operation, or a multi of several. */
void core_write(struct core_model *m, int64_t session, const struct core_op *op,
		struct core_result *out);
void core_multi(struct core_model *m, int64_t session, const struct core_op *ops, int count,
		struct core_result *out);
/* exists, getData, getACL, getChildren2 */
void core_read(const struct core_state *s, int32_t type, const char *path, struct core_result *out);
void core_sync(const struct core_model *m, const char *path, struct core_result *out);

/* Each is one change. Index of the session. */
size_t core_open_session(struct core_model *m, int64_t id, int32_t timeout_ms);
void core_set_timeout(struct core_model *m, size_t session, int32_t timeout_ms);
void core_end_session(struct core_model *m, size_t session);

/* --- what numbers stand for --- */

void core_put_data(struct jute_writer *w, struct core_data data);
void core_put_acl(struct jute_writer *w, int acl);

#endif
