/* What concurrent sessions asked and were answered, in one sequence as one process saw it, and
 * whether there is one order of all changes that explains every answer. The log of the server is
 * taken for that order; whether it is one is what is checked:
 *
 *   - an acknowledged write stands in it as its session's, with its effect, once; a refused one is
 *     refused by a state that was; what nobody was told of is there or not, as a whole;
 *   - every answer has a place in it: what it shows was the znode's state there, and that place is
 *     not before any answer that was there when the request was made (linearizable), nor before
 *     those of earlier requests of its session (FIFO), nor behind the zxid of its header;
 *   - a watch, of a znode or of its children, tells the first change behind what was shown when it
 *     was set, once, and before any answer of that connection from a place behind that change.
 *
 * The earliest place that is possible is taken; since writes have fixed places, a later one never
 * helps. */
#ifndef TESTS_FAULT_HISTORY_H
#define TESTS_FAULT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/random.h"

enum {
	HISTORY_DIRS = 3,
	HISTORY_NAMES = 10,
	HISTORY_PATHS = HISTORY_DIRS * (1 + HISTORY_NAMES),
	HISTORY_SLOTS = 24, /* connections at a time */
	HISTORY_REASON_LEN = 512,
};

enum history_type {
	HISTORY_GET,
	HISTORY_EXISTS,
	HISTORY_CHILDREN,
	HISTORY_SET,
	HISTORY_CREATE,
	HISTORY_CREATE_EPHEMERAL,
	HISTORY_CREATE_SEQUENTIAL, /* below path, a directory; an ephemeral */
	HISTORY_DELETE,
	HISTORY_MULTI, /* sets path and other */
};

enum history_watch { HISTORY_OF_ZNODE, HISTORY_OF_CHILDREN, HISTORY_WATCHES };

/* Its number, plus 1, is the data that it writes. */
struct history_op {
	uint8_t type;
	uint8_t slot;
	uint8_t path, other;
	bool watch;
	bool answered;
	int32_t version; /* asked for; -1: any */
	int64_t session;
	/* The answer. */
	int32_t err;
	int64_t zxid;
	uint64_t data;
	uint64_t names; /* of the children listed, see history_name */
	int64_t czxid, mzxid, pzxid;
	int32_t shown_version, cversion, children;
	int64_t number; /* of a sequential */
	/* Found by the check. */
	int64_t floor;
	int64_t place;
};

enum history_kind { HISTORY_NOTHING, HISTORY_CALL, HISTORY_ANSWER, HISTORY_EVENT, HISTORY_LOST };

struct history_item {
	uint8_t kind;
	uint8_t slot; /* EVENT, LOST */
	uint8_t path; /* EVENT, */
	uint8_t event;
	bool due;    /* EVENT, found by the check: of this change and no other */
	uint32_t op; /* CALL, ANSWER */
	int64_t zxid;
};

/* A znode after a change, or without one. */
struct history_state {
	int64_t zxid;
	int64_t session; /* whose change */
	bool exists;
	bool fires[HISTORY_WATCHES];
	uint64_t data;
	uint64_t names; /* of all its children */
	int64_t czxid, mzxid, pzxid;
	int32_t version, creates, children;
};

struct history_row {
	int64_t zxid;
	int64_t session;
	char op[16];
};

struct history {
	struct history_op *ops;
	size_t op_count, op_room;
	struct history_item *items;
	size_t item_count, item_room;
	struct history_row *rows;
	size_t row_count, row_room;
	struct {
		struct history_state *states;
		size_t count, room;
		uint64_t names; /* while the log is read */
	} paths[HISTORY_PATHS];
};

void history_path(unsigned path, char out[32]);
/* Index; -1: none of ours. */
int history_find_path(const char *path, size_t len);
/* What a child's name adds to those of its parent. */
uint64_t history_name(const char *name, size_t len);

size_t history_add_op(struct history *h, const struct history_op *op);
void history_add_item(struct history *h, const struct history_item *item);
/* The log of a server that has stopped. */
int history_read_log(struct history *h, const char *dir, char reason[HISTORY_REASON_LEN]);
/* 0; -1 with the first answer that nothing explains. */
int history_check(struct history *h, char reason[HISTORY_REASON_LEN]);
/* Spoil a good history in each way there is, times times; each must be found. The number of those
 * that were; -1 with the one that was not, or that this history has no place for. */
int history_check_mutants(struct history *h, struct random *r, unsigned times,
			  char reason[HISTORY_REASON_LEN]);
void history_fini(struct history *h);

#endif
