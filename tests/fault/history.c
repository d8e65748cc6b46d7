/* See the header. */
#include "tests/fault/history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/files.h"
#include "store/segment.h"
#include "wire/proto.h"

/* ---- what there is ---- */

void history_path(unsigned path, char out[32])
{
	unsigned dir = path / (1 + HISTORY_NAMES), name = path % (1 + HISTORY_NAMES);

	if (name == 0)
		(void)snprintf(out, 32, "/h%u", dir);
	else
		(void)snprintf(out, 32, "/h%u/n%u", dir, name - 1);
}

int history_find_path(const char *path, size_t len)
{
	char text[32], again[32];
	unsigned dir, name, index;

	if (len >= sizeof(text))
		return -1;
	memcpy(text, path, len);
	text[len] = '\0';
	if (sscanf(text, "/h%u/n%u", &dir, &name) == 2 && dir < HISTORY_DIRS &&
	    name < HISTORY_NAMES)
		index = dir * (1 + HISTORY_NAMES) + 1 + name;
	else if (sscanf(text, "/h%u", &dir) == 1 && dir < HISTORY_DIRS)
		index = dir * (1 + HISTORY_NAMES);
	else
		return -1;
	history_path(index, again);
	return strcmp(text, again) == 0 ? (int)index : -1;
}

uint64_t history_name(const char *name, size_t len)
{
	struct random r = { len };

	for (size_t i = 0; i < len; i++)
		r.state = random_next(&r) ^ (uint8_t)name[i];
	return random_next(&r);
}

static void *grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room * 2 + 1024;
	return mem_grow(items, *room * size);
}

size_t history_add_op(struct history *h, const struct history_op *op)
{
	h->ops = grow(h->ops, h->op_count, &h->op_room, sizeof(*h->ops));
	h->ops[h->op_count] = *op;
	return h->op_count++;
}

void history_add_item(struct history *h, const struct history_item *item)
{
	h->items = grow(h->items, h->item_count, &h->item_room, sizeof(*h->items));
	h->items[h->item_count++] = *item;
}

void history_fini(struct history *h)
{
	mem_free(h->ops);
	mem_free(h->items);
	mem_free(h->rows);
	for (int i = 0; i < HISTORY_PATHS; i++)
		mem_free(h->paths[i].states);
}

/* ---- the log ---- */

static uint64_t number_in(struct slice data)
{
	uint64_t number = 0;

	if (data.len == sizeof(number))
		memcpy(&number, data.data, sizeof(number));
	return number;
}

static void add_state(struct history *h, int path, const struct record_head *head,
		      const struct record_znode *z)
{
	struct history_state s = { 0 }, *old = NULL;

	if (h->paths[path].count > 0)
		old = &h->paths[path].states[h->paths[path].count - 1];
	if (old != NULL && z->columns != 0)
		s = *old;
	s.zxid = head->zxid;
	s.session = head->session;
	s.exists = z->columns != 0;
	if (z->columns & RECORD_BIRTH)
		s.czxid = z->czxid;
	if (z->columns & RECORD_DATA) {
		s.data = number_in(z->data);
		s.mzxid = z->mzxid;
		s.version = z->version;
	}
	if (z->columns & RECORD_CHILDREN) {
		s.pzxid = z->pzxid;
		s.creates = z->creates;
		s.children = z->num_children;
	}
	s.fires[HISTORY_OF_ZNODE] = !s.exists || (z->columns & RECORD_DATA) != 0;
	s.fires[HISTORY_OF_CHILDREN] = !s.exists || s.pzxid == s.zxid;
	if (old != NULL && old->zxid == s.zxid) {
		for (int i = 0; i < HISTORY_WATCHES; i++)
			s.fires[i] |= old->fires[i];
		*old = s;
		return;
	}
	h->paths[path].states =
		grow(h->paths[path].states, h->paths[path].count, &h->paths[path].room, sizeof(s));
	h->paths[path].states[h->paths[path].count++] = s;
}

/* A child of one of ours that comes or goes; a sequential, too. */
static void add_name(struct history *h, const struct record_head *head,
		     const struct record_znode *z)
{
	const char *slash = memrchr(z->path.data, '/', z->path.len);
	size_t parent = (size_t)(slash - z->path.data);
	int path = history_find_path(z->path.data, parent);
	uint64_t name = history_name(slash + 1, z->path.len - parent - 1);

	if (path < 0)
		return;
	if (z->columns == 0)
		h->paths[path].names -= name;
	else if ((z->columns & RECORD_BIRTH) != 0 && z->czxid == head->zxid)
		h->paths[path].names += name;
}

static void set_names(struct history *h, int64_t zxid)
{
	for (int i = 0; i < HISTORY_PATHS; i++) {
		size_t count = h->paths[i].count;

		if (count > 0 && h->paths[i].states[count - 1].zxid == zxid)
			h->paths[i].states[count - 1].names = h->paths[i].names;
	}
}

static void add_row(struct history *h, const struct record_head *head, struct slice body)
{
	struct record_reader reader;
	struct record_item item;
	struct history_row *row;

	h->rows = grow(h->rows, h->row_count, &h->row_room, sizeof(*h->rows));
	row = &h->rows[h->row_count++];
	*row = (struct history_row){ .zxid = head->zxid, .session = head->session };
	(void)snprintf(row->op, sizeof(row->op), "%s", head->op);
	record_reader_init(&reader, body);
	while (record_read(&reader, &item) != RECORD_ITEM_END) {
		int path;

		if (item.kind == RECORD_ITEM_BAD)
			abort();
		if (item.kind != RECORD_ITEM_ZNODE)
			continue;
		add_name(h, head, &item.znode);
		path = history_find_path(item.znode.path.data, item.znode.path.len);
		if (path >= 0)
			add_state(h, path, head, &item.znode);
	}
	set_names(h, head->zxid);
}

int history_read_log(struct history *h, const char *dir, char reason[HISTORY_REASON_LEN])
{
	char why[STORE_REASON_LEN] = "";
	struct segment_reader reader;
	struct record_head head;
	struct slice body;
	uint32_t *numbers = NULL;
	size_t count = 0;
	int rc;

	rc = files_find_segments(dir, &numbers, &count, why);
	for (size_t i = 0; i < count && rc == 0; i++) {
		char *path = files_segment_path(dir, numbers[i]);

		rc = segment_reader_open(&reader, path, why);
		mem_free(path);
		if (rc != 0)
			break;
		segment_reader_seek(&reader, 0, INT64_MAX);
		while ((rc = segment_reader_next(&reader, &head, &body)) == 1)
			add_row(h, &head, body);
		segment_reader_close(&reader);
	}
	mem_free(numbers);
	if (rc != 0)
		(void)snprintf(reason, HISTORY_REASON_LEN, "cannot read the log: %.400s", why);
	return rc;
}

/* ---- looking up ---- */

static const struct history_row *find_row(const struct history *h, int64_t zxid)
{
	size_t low = 0, high = h->row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->rows[middle].zxid < zxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->row_count && h->rows[low].zxid == zxid ? &h->rows[low] : NULL;
}

/* How many states of path there are up to zxid. */
static size_t states_upto(const struct history *h, unsigned path, int64_t zxid)
{
	size_t low = 0, high = h->paths[path].count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->paths[path].states[middle].zxid <= zxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct history_state nowhere;

/* The state at a place. */
static const struct history_state *state_at(const struct history *h, unsigned path, int64_t zxid)
{
	size_t count = states_upto(h, path, zxid);

	return count > 0 ? &h->paths[path].states[count - 1] : &nowhere;
}

/* Zxid of the first change of path behind zxid; a large one where there is none. */
static int64_t next_change(const struct history *h, unsigned path, int64_t zxid)
{
	size_t i = states_upto(h, path, zxid);

	return i < h->paths[path].count ? h->paths[path].states[i].zxid : INT64_MAX;
}

/* The first of which a watch tells. */
static int64_t next_fire(const struct history *h, unsigned path, int64_t zxid,
			 enum history_watch kind)
{
	size_t i = states_upto(h, path, zxid);

	while (i < h->paths[path].count && !h->paths[path].states[i].fires[kind])
		i++;
	return i < h->paths[path].count ? h->paths[path].states[i].zxid : INT64_MAX;
}

/* ---- the check ---- */

struct watch {
	bool armed;
	int64_t due; /* this change fires it; 0: not known which */
	int64_t place;
};

struct check {
	struct history *h;
	char *reason;
	bool failed;
	int64_t floor; /* highest place of an answer that has come */
	struct {
		int64_t place;
		int64_t session;
		struct watch watches[HISTORY_PATHS][HISTORY_WATCHES];
	} slots[HISTORY_SLOTS];
};

__attribute__((format(printf, 3, 4))) static void wrong(struct check *c,
							const struct history_op *op,
							const char *format, ...)
{
	char path[32] = "", text[HISTORY_REASON_LEN / 2];
	va_list args;

	if (c->failed)
		return;
	c->failed = true;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (op != NULL)
		history_path(op->path, path);
	(void)snprintf(c->reason, HISTORY_REASON_LEN,
		       "%s (operation %td of type %d on %s, session 0x%" PRIx64 ", error %d, zxid "
		       "0x%" PRIx64 ", not before 0x%" PRIx64 ")",
		       text, op != NULL ? op - c->h->ops : -1, op != NULL ? op->type : -1, path,
		       op != NULL ? op->session : 0, op != NULL ? op->err : 0,
		       op != NULL ? op->zxid : 0, op != NULL ? op->floor : 0);
}

static const char *row_op(const struct history_op *op)
{
	static const char *const names[] = {
		[HISTORY_SET] = "setData",
		[HISTORY_CREATE] = "create",
		[HISTORY_CREATE_EPHEMERAL] = "create",
		[HISTORY_CREATE_SEQUENTIAL] = "create",
		[HISTORY_DELETE] = "delete",
		[HISTORY_MULTI] = "multi",
	};

	return names[op->type];
}

static bool is_read(const struct history_op *op)
{
	return op->type <= HISTORY_CHILDREN;
}

/* What a set did to one znode. */
static void check_set(struct check *c, const struct history_op *op, unsigned path)
{
	const struct history_state *before = state_at(c->h, path, op->zxid - 1);
	const struct history_state *after = state_at(c->h, path, op->zxid);

	if (!before->exists || after->zxid != op->zxid ||
	    after->data != (uint64_t)(op - c->h->ops) + 1 || after->version != before->version + 1)
		wrong(c, op, "the set is not in the order");
	else if (op->version >= 0 && op->version != before->version)
		wrong(c, op, "a set of another version was done");
	else if (op->type == HISTORY_SET &&
		 (op->mzxid != op->zxid || op->shown_version != after->version))
		wrong(c, op, "the set shows another Stat");
}

static void check_create(struct check *c, const struct history_op *op)
{
	const struct history_state *before = state_at(c->h, op->path, op->zxid - 1);
	const struct history_state *after = state_at(c->h, op->path, op->zxid);

	if (op->type == HISTORY_CREATE_SEQUENTIAL) {
		if (op->number != before->creates || after->zxid != op->zxid)
			wrong(c, op, "the number %" PRId64 " is not the next one, %d", op->number,
			      before->creates);
	} else if (before->exists || !after->exists || after->czxid != op->zxid ||
		   after->data != (uint64_t)(op - c->h->ops) + 1) {
		wrong(c, op, "the create is not in the order");
	}
}

static void check_delete(struct check *c, const struct history_op *op)
{
	const struct history_state *before = state_at(c->h, op->path, op->zxid - 1);
	const struct history_state *after = state_at(c->h, op->path, op->zxid);

	if (!before->exists || after->exists || after->zxid != op->zxid)
		wrong(c, op, "the delete is not in the order");
	else if (op->version >= 0 && op->version != before->version)
		wrong(c, op, "a delete of another version was done");
}

static void place_write(struct check *c, struct history_op *op)
{
	const struct history_row *row = find_row(c->h, op->zxid);

	op->place = op->zxid;
	if (row == NULL || row->session != op->session || strcmp(row->op, row_op(op)) != 0)
		wrong(c, op, "an acknowledged write is not in the log");
	else if (op->zxid <= op->floor)
		wrong(c, op, "a write comes before what was there when it was asked for");
	else if (op->type == HISTORY_DELETE)
		check_delete(c, op);
	else if (op->type != HISTORY_SET && op->type != HISTORY_MULTI)
		check_create(c, op);
	else
		check_set(c, op, op->path);
	if (op->type == HISTORY_MULTI && !c->failed)
		check_set(c, op, op->other);
}

/* Whether a state refuses it with that error. */
static bool refuses(const struct history_op *op, const struct history_state *s)
{
	switch (op->err) {
	case ZERR_NO_NODE:
		return !s->exists;
	case ZERR_NODE_EXISTS:
		return s->exists && op->type != HISTORY_CREATE_SEQUENTIAL;
	case ZERR_BAD_VERSION:
		return s->exists && op->version >= 0 && op->version != s->version;
	default:
		return false;
	}
}

/* The first place where path refuses it. */
static int64_t refusal_of(const struct history *h, const struct history_op *op, unsigned path)
{
	size_t i = states_upto(h, path, op->floor);

	if (refuses(op, i > 0 ? &h->paths[path].states[i - 1] : &nowhere))
		return op->floor;
	while (i < h->paths[path].count && !refuses(op, &h->paths[path].states[i]))
		i++;
	return i < h->paths[path].count ? h->paths[path].states[i].zxid : INT64_MAX;
}

static void place_refusal(struct check *c, struct history_op *op)
{
	op->place = refusal_of(c->h, op, op->path);
	if (op->type == HISTORY_MULTI) {
		int64_t other = refusal_of(c->h, op, op->other);

		if (other < op->place)
			op->place = other;
	}
	if (op->place > op->zxid)
		wrong(c, op, "nothing refuses it");
}

static void place_read(struct check *c, struct history_op *op)
{
	int64_t shown = op->mzxid > op->pzxid ? op->mzxid : op->pzxid;
	const struct history_state *s = state_at(c->h, op->path, shown);

	op->place = shown > op->floor ? shown : op->floor;
	if (!s->exists || s->zxid != shown || s->mzxid != op->mzxid || s->czxid != op->czxid ||
	    s->pzxid != op->pzxid || s->version != op->shown_version ||
	    2 * s->creates - s->children != op->cversion || s->children != op->children ||
	    (op->type == HISTORY_GET && s->data != op->data) ||
	    (op->type == HISTORY_CHILDREN && s->names != op->names))
		wrong(c, op, "it shows what never was");
	else if (next_change(c->h, op->path, shown) <= op->place)
		wrong(c, op, "it shows what was over already");
	else if (op->place > op->zxid)
		wrong(c, op, "its header is older than what it shows");
}

static void take_call(struct check *c, struct history_op *op)
{
	int64_t own = c->slots[op->slot].session == op->session ? c->slots[op->slot].place : 0;

	op->floor = own > c->floor ? own : c->floor;
	op->place = 0;
	c->slots[op->slot].session = op->session;
	if (!op->answered)
		return;
	if (op->err != ZERR_OK)
		place_refusal(c, op);
	else if (is_read(op))
		place_read(c, op);
	else
		place_write(c, op);
	c->slots[op->slot].place = op->place;
}

static void arm(struct check *c, const struct history_op *op)
{
	enum history_watch kind =
		op->type == HISTORY_CHILDREN ? HISTORY_OF_CHILDREN : HISTORY_OF_ZNODE;
	struct watch *w = &c->slots[op->slot].watches[op->path][kind];

	if (op->err != ZERR_OK && op->type != HISTORY_EXISTS)
		return;
	*w = (struct watch){ true, next_fire(c->h, op->path, op->place, kind), op->place };
	/* That it was not there may have been said a time later. */
	if (op->err != ZERR_OK && w->due <= op->zxid)
		w->due = 0;
}

static void take_answer(struct check *c, const struct history_op *op)
{
	if (op->place > c->floor)
		c->floor = op->place;
	for (int i = 0; i < HISTORY_PATHS; i++)
		for (int kind = 0; kind < HISTORY_WATCHES; kind++) {
			const struct watch *w = &c->slots[op->slot].watches[i][kind];

			if (w->armed && w->due != 0 && w->due <= op->place)
				wrong(c, op, "it comes before the event of 0x%" PRIx64, w->due);
		}
	if (op->watch)
		arm(c, op);
}

/* What the state says to those who watch. */
static int event_of(const struct history_state *s, enum history_watch kind)
{
	if (!s->exists)
		return EVENT_NODE_DELETED;
	if (kind == HISTORY_OF_CHILDREN)
		return EVENT_NODE_CHILDREN_CHANGED;
	return s->czxid == s->zxid ? EVENT_NODE_CREATED : EVENT_NODE_DATA_CHANGED;
}

/* The watch has told it. */
static void fire(struct check *c, struct history_item *item, enum history_watch kind)
{
	struct watch *w = &c->slots[item->slot].watches[item->path][kind];
	const struct history_state *s = state_at(c->h, item->path, item->zxid);
	char path[32];

	history_path(item->path, path);
	if (s->zxid != item->zxid || !s->fires[kind] || event_of(s, kind) != item->event)
		wrong(c, NULL, "event %d of %s, 0x%" PRIx64 ", tells what never was", item->event,
		      path, item->zxid);
	else if (w->due != 0 ? w->due != item->zxid : item->zxid <= w->place)
		wrong(c, NULL, "an event of %s tells 0x%" PRIx64 " instead of 0x%" PRIx64, path,
		      item->zxid, w->due);
	item->due |= w->due == item->zxid;
	w->armed = false;
}

/* That a znode is gone is told once to who watches it and its children. */
static void take_event(struct check *c, struct history_item *item)
{
	struct watch *watches = c->slots[item->slot].watches[item->path];
	bool of_znode = item->event != EVENT_NODE_CHILDREN_CHANGED;
	bool of_children = !of_znode || item->event == EVENT_NODE_DELETED;
	char path[32];

	of_znode &= watches[HISTORY_OF_ZNODE].armed;
	of_children &= watches[HISTORY_OF_CHILDREN].armed;
	history_path(item->path, path);
	if (!of_znode && !of_children)
		wrong(c, NULL, "event %d of %s that nobody waits for", item->event, path);
	if (of_znode)
		fire(c, item, HISTORY_OF_ZNODE);
	if (of_children)
		fire(c, item, HISTORY_OF_CHILDREN);
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What each change wrote was asked for, by that session, there, and then; once. */
static void check_states(struct check *c)
{
	struct history *h = c->h;
	uint64_t *seen = mem_new((h->row_count * 2 + 1) * sizeof(*seen));
	size_t count = 0;

	for (unsigned path = 0; path < HISTORY_PATHS; path++)
		for (size_t i = 0; i < h->paths[path].count; i++) {
			const struct history_state *s = &h->paths[path].states[i];
			const struct history_op *op = NULL;

			if (!s->exists || s->mzxid != s->zxid || path % (1 + HISTORY_NAMES) == 0)
				continue;
			if (s->data > 0 && s->data <= h->op_count)
				op = &h->ops[s->data - 1];
			if (op == NULL || (op->path != path && op->other != path) ||
			    op->session != s->session || is_read(op) || s->zxid <= op->floor)
				wrong(c, op, "change 0x%" PRIx64 " was not asked for", s->zxid);
			seen[count++] = s->data * HISTORY_PATHS + path;
		}
	qsort(seen, count, sizeof(*seen), compare_numbers);
	for (size_t i = 1; i < count; i++)
		if (seen[i] == seen[i - 1])
			wrong(c, &h->ops[seen[i] / HISTORY_PATHS - 1], "it was done twice");
	mem_free(seen);
}

int history_check(struct history *h, char reason[HISTORY_REASON_LEN])
{
	struct check *c = mem_new(sizeof(*c));
	int rc;

	c->h = h;
	c->reason = reason;
	for (size_t i = 0; i < h->item_count && !c->failed; i++) {
		struct history_item *item = &h->items[i];

		if (item->kind == HISTORY_CALL)
			take_call(c, &h->ops[item->op]);
		else if (item->kind == HISTORY_ANSWER)
			take_answer(c, &h->ops[item->op]);
		else if (item->kind == HISTORY_EVENT)
			take_event(c, item);
		else if (item->kind == HISTORY_LOST)
			memset(c->slots[item->slot].watches, 0,
			       sizeof(c->slots[item->slot].watches));
	}
	if (!c->failed)
		check_states(c);
	rc = c->failed ? -1 : 0;
	mem_free(c);
	return rc;
}

/* ---- mutants ---- */

/* Each spoils what item i is about where it can, and says so; undo takes it back. */
struct mutation {
	const char *name;
	bool (*spoil)(struct history *h, size_t i);
};

static struct history_op *answer_at(struct history *h, size_t i)
{
	return h->items[i].kind == HISTORY_ANSWER ? &h->ops[h->items[i].op] : NULL;
}

static bool show_older(struct history *h, size_t i)
{
	struct history_op *op = answer_at(h, i);
	const struct history_state *s;
	size_t count;

	if (op == NULL || !is_read(op) || op->err != ZERR_OK)
		return false;
	count = states_upto(h, op->path, op->place);
	s = &h->paths[op->path].states[count - 1];
	if (count < 2 || s->zxid > op->floor || !s[-1].exists)
		return false;
	s--;
	op->data = s->data;
	op->names = s->names;
	op->mzxid = s->mzxid;
	op->czxid = s->czxid;
	op->pzxid = s->pzxid;
	op->shown_version = s->version;
	op->cversion = 2 * s->creates - s->children;
	op->children = s->children;
	return true;
}

static bool show_other_data(struct history *h, size_t i)
{
	struct history_op *op = answer_at(h, i);

	if (op == NULL || op->type != HISTORY_GET || op->err != ZERR_OK)
		return false;
	op->data++;
	return true;
}

static bool is_list(struct history *h, size_t i)
{
	struct history_op *op = answer_at(h, i);

	return op != NULL && op->type == HISTORY_CHILDREN && op->err == ZERR_OK;
}

static bool list_older(struct history *h, size_t i)
{
	return is_list(h, i) && show_older(h, i);
}

static bool list_another(struct history *h, size_t i)
{
	if (!is_list(h, i))
		return false;
	answer_at(h, i)->names += history_name("n0", 2);
	return true;
}

static bool show_as_absent(struct history *h, size_t i)
{
	struct history_op *op = answer_at(h, i);

	if (op == NULL || !is_read(op) || op->err != ZERR_OK || op->watch ||
	    !state_at(h, op->path, op->floor)->exists ||
	    next_change(h, op->path, op->floor) <= op->zxid)
		return false;
	op->err = ZERR_NO_NODE;
	return true;
}

static bool lower_header(struct history *h, size_t i)
{
	struct history_op *op = answer_at(h, i);

	if (op == NULL || !is_read(op) || op->err != ZERR_OK)
		return false;
	op->zxid = op->place - 1;
	return true;
}

static struct history_op *write_at(struct history *h, size_t i)
{
	struct history_op *op = answer_at(h, i);

	return op != NULL && !is_read(op) && op->err == ZERR_OK ? op : NULL;
}

static bool move_write(struct history *h, size_t i)
{
	struct history_op *op = write_at(h, i);

	if (op == NULL)
		return false;
	op->zxid++;
	return true;
}

static bool do_what_failed(struct history *h, size_t i)
{
	struct history_op *op = answer_at(h, i);

	if (op == NULL || is_read(op) || op->err == ZERR_OK)
		return false;
	op->err = ZERR_OK;
	return true;
}

static bool refuse_what_was_done(struct history *h, size_t i)
{
	struct history_op *op = write_at(h, i);

	if (op == NULL || op->type != HISTORY_SET || op->version >= 0)
		return false;
	op->err = ZERR_BAD_VERSION;
	return true;
}

static bool give_number_again(struct history *h, size_t i)
{
	struct history_op *op = write_at(h, i);

	if (op == NULL || op->type != HISTORY_CREATE_SEQUENTIAL)
		return false;
	op->number--;
	return true;
}

static bool give_to_another_session(struct history *h, size_t i)
{
	struct history_op *op = write_at(h, i);

	if (op == NULL)
		return false;
	op->session++;
	return true;
}

/* Whether the next answer on that connection is from behind the event; its index. */
static bool find_behind_event(const struct history *h, size_t i, size_t *behind)
{
	const struct history_item *event = &h->items[i];

	if (event->kind != HISTORY_EVENT || !event->due)
		return false;
	for (size_t j = i + 1; j < h->item_count; j++) {
		const struct history_item *item = &h->items[j];

		if (item->kind == HISTORY_LOST && item->slot == event->slot)
			return false;
		if (item->kind != HISTORY_ANSWER || h->ops[item->op].slot != event->slot)
			continue;
		*behind = j;
		return h->ops[item->op].place >= event->zxid;
	}
	return false;
}

static bool drop_event(struct history *h, size_t i)
{
	size_t behind;

	if (!find_behind_event(h, i, &behind))
		return false;
	h->items[i].kind = HISTORY_NOTHING;
	return true;
}

static bool delay_event(struct history *h, size_t i)
{
	struct history_item event = h->items[i];
	size_t behind;

	if (!find_behind_event(h, i, &behind))
		return false;
	memmove(&h->items[i], &h->items[i + 1], (behind - i) * sizeof(event));
	h->items[behind] = event;
	return true;
}

static bool tell_other_change(struct history *h, size_t i)
{
	if (h->items[i].kind != HISTORY_EVENT || !h->items[i].due)
		return false;
	h->items[i].zxid--;
	return true;
}

static bool tell_other_kind(struct history *h, size_t i)
{
	if (h->items[i].kind != HISTORY_EVENT)
		return false;
	h->items[i].event = h->items[i].event == EVENT_NODE_DELETED ? EVENT_NODE_DATA_CHANGED
								    : EVENT_NODE_DELETED;
	return true;
}

/* In place of the next event of that connection. */
static bool tell_twice(struct history *h, size_t i)
{
	const struct history_item *event = &h->items[i];

	if (event->kind != HISTORY_EVENT)
		return false;
	for (size_t j = i + 1; j < h->item_count; j++) {
		const struct history_item *item = &h->items[j];
		const struct history_op *op =
			item->kind == HISTORY_ANSWER ? &h->ops[item->op] : NULL;

		if (item->kind == HISTORY_LOST && item->slot == event->slot)
			return false;
		if (op != NULL && op->slot == event->slot && op->watch && op->path == event->path)
			return false;
		if (item->kind != HISTORY_EVENT || item->slot != event->slot)
			continue;
		h->items[j] = *event;
		return true;
	}
	return false;
}

/* The same of events that tell of children. */
static bool is_of_children(const struct history *h, size_t i)
{
	return h->items[i].kind == HISTORY_EVENT &&
	       h->items[i].event == EVENT_NODE_CHILDREN_CHANGED;
}

static bool drop_event_of_children(struct history *h, size_t i)
{
	return is_of_children(h, i) && drop_event(h, i);
}

static bool delay_event_of_children(struct history *h, size_t i)
{
	return is_of_children(h, i) && delay_event(h, i);
}

static bool tell_other_children(struct history *h, size_t i)
{
	return is_of_children(h, i) && tell_other_change(h, i);
}

static bool tell_as_data(struct history *h, size_t i)
{
	if (!is_of_children(h, i))
		return false;
	h->items[i].event = EVENT_NODE_DATA_CHANGED;
	return true;
}

static bool tell_children_twice(struct history *h, size_t i)
{
	return is_of_children(h, i) && tell_twice(h, i);
}

static const struct mutation mutations[] = {
	{ "an older state is shown", show_older },
	{ "data are shown that were not there", show_other_data },
	{ "a znode that is there is shown as absent", show_as_absent },
	{ "a header is older than what it shows", lower_header },
	{ "a write has another zxid", move_write },
	{ "a write that failed is told as done", do_what_failed },
	{ "a write that was done is told as refused", refuse_what_was_done },
	{ "a number is given again", give_number_again },
	{ "a write is another session's", give_to_another_session },
	{ "an event does not come", drop_event },
	{ "an event comes behind the data", delay_event },
	{ "an event tells another change", tell_other_change },
	{ "an event is of another kind", tell_other_kind },
	{ "an event comes twice", tell_twice },
	{ "an older list is shown", list_older },
	{ "children are listed that were not there", list_another },
	{ "an event of children does not come", drop_event_of_children },
	{ "an event of children comes behind the list", delay_event_of_children },
	{ "an event of children tells another change", tell_other_children },
	{ "an event of children is one of data", tell_as_data },
	{ "an event of children comes twice", tell_children_twice },
};

static void *copy(const void *from, size_t count, size_t size)
{
	return mem_dup(from, count * size);
}

/* 1: found, 0: not found, -1: there is no place for it. */
static int try_mutation(struct history *h, const struct mutation *m, struct random *r)
{
	struct history_op *ops = copy(h->ops, h->op_count, sizeof(*ops));
	struct history_item *items = copy(h->items, h->item_count, sizeof(*items));
	size_t from = random_below(r, (uint32_t)h->item_count), i = 0;
	char reason[HISTORY_REASON_LEN];
	int rc = -1;

	while (i < h->item_count && !m->spoil(h, (from + i) % h->item_count))
		i++;
	if (i < h->item_count)
		rc = history_check(h, reason) != 0;
	memcpy(h->ops, ops, h->op_count * sizeof(*ops));
	memcpy(h->items, items, h->item_count * sizeof(*items));
	mem_free(ops);
	mem_free(items);
	return rc;
}

int history_check_mutants(struct history *h, struct random *r, unsigned times,
			  char reason[HISTORY_REASON_LEN])
{
	int found = 0;

	for (size_t i = 0; i < sizeof(mutations) / sizeof(*mutations); i++)
		for (unsigned n = 0; n < times; n++) {
			int rc = try_mutation(h, &mutations[i], r);

			if (rc != 1) {
				(void)snprintf(reason, HISTORY_REASON_LEN, "%s: %s",
					       mutations[i].name,
					       rc == 0 ? "not found" : "there is no place for it");
				return -1;
			}
			found++;
		}
	return found;
}
