/* The one before is read rather than asked for with exists: where it has gone meanwhile, that
 * leaves no watch behind. */
#include "tools/bench/lock.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tools/bench/request.h"

enum { DIRECTORY_LEN = 200, NAME_LEN = 32 };

static const char prefix[] = "lock-";

enum lock_step { LOCK_CREATE, LOCK_LIST, LOCK_WATCH, LOCK_WAIT, LOCK_DELETE };

struct lock {
	char directory[DIRECTORY_LEN];
	enum lock_step step; /* what to send next, or what was sent */
	char own[NAME_LEN];
	char before[NAME_LEN]; /* whose end is waited for */
	int64_t begun_us;
};

struct lock *lock_new(const char *directory)
{
	struct lock *l = mem_new(sizeof(*l));

	snprintf(l->directory, sizeof(l->directory), "%s", directory);
	return l;
}

void lock_free(struct lock *l)
{
	mem_free(l);
}

bool lock_next(struct lock *l, struct session *s, unsigned slot, int64_t intended_us)
{
	char path[DIRECTORY_LEN + NAME_LEN];

	snprintf(path, sizeof(path), "%s/%s", l->directory,
		 l->step == LOCK_CREATE  ? prefix
		 : l->step == LOCK_WATCH ? l->before
					 : l->own);
	switch (l->step) {
	case LOCK_CREATE:
		l->begun_us = intended_us;
		request_create(s, path, (struct slice){ "", 0 }, CREATE_EPHEMERAL_SEQUENTIAL, slot,
			       intended_us);
		return true;
	case LOCK_LIST:
		request_read(s, OP_GET_CHILDREN, l->directory, false, slot, intended_us);
		return true;
	case LOCK_WATCH:
		request_read(s, OP_GET_DATA, path, true, slot, intended_us);
		return true;
	case LOCK_DELETE:
		request_delete(s, path, slot, intended_us);
		return true;
	default:
		return false;
	}
}

/* Its name, from the path that a create replies. */
static int take_own(struct lock *l, struct jute_reader *r)
{
	struct slice path = jute_read_buffer(r);
	size_t begin = strlen(l->directory) + 1;

	if (r->bad || path.len <= begin || path.len - begin >= sizeof(l->own))
		return -1;
	memcpy(l->own, path.data + begin, path.len - begin);
	l->own[path.len - begin] = '\0';
	l->step = LOCK_LIST;
	return 0;
}

/* Sequence numbers have ten digits: names are in their order. */
static int take_list(struct lock *l, struct jute_reader *r)
{
	int32_t count = jute_read_int(r);
	bool there = false;

	l->before[0] = '\0';
	for (int32_t i = 0; i < count && !r->bad; i++) {
		struct slice name = jute_read_buffer(r);
		char text[NAME_LEN];

		if (r->bad || name.len >= sizeof(text))
			return -1;
		snprintf(text, sizeof(text), "%.*s", (int)name.len, name.data);
		there |= strcmp(text, l->own) == 0;
		if (strcmp(text, l->own) < 0 && strcmp(text, l->before) > 0)
			memcpy(l->before, text, sizeof(text));
	}
	if (r->bad || !there)
		return -1;
	l->step = l->before[0] != '\0' ? LOCK_WATCH : LOCK_DELETE;
	return 0;
}

int lock_take(struct lock *l, struct session_reply *reply)
{
	if (l->step == LOCK_WATCH && reply->err == ZERR_NO_NODE) {
		l->step = LOCK_LIST;
		return 0;
	}
	if (reply->err != ZERR_OK)
		return -1;
	switch (l->step) {
	case LOCK_CREATE:
		return take_own(l, &reply->body);
	case LOCK_LIST:
		return take_list(l, &reply->body);
	case LOCK_WATCH:
		l->step = LOCK_WAIT;
		return 0;
	default:
		l->step = LOCK_CREATE;
		reply->intended_us = l->begun_us;
		return 1;
	}
}

void lock_event(struct lock *l)
{
	if (l->step == LOCK_WAIT)
		l->step = LOCK_LIST;
}
