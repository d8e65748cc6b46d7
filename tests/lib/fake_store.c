#include "tests/lib/fake_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/room.h"
#include "wire/path.h"

struct change {
	struct record_head head;
	char *body;
	size_t len;
};

/* Slices are owned. */
struct store {
	struct change *log;
	size_t log_count, log_cap;
	size_t flushed, applied, told; /* rows of the log */
	struct record_znode *rows;
	size_t row_count, row_cap;
	struct record_session *sessions;
	size_t session_count, session_cap;
	int64_t first_zxid;
	int64_t load_ms;
	bool unreadable;
	bool hold;
	enum room_level room;
	uint64_t owned[2]; /* sessions, ephemeral znodes */
	size_t reads;
};

static struct store *newest;

/* --- rows --- */

static struct slice copy(struct slice s)
{
	return s.data ? (struct slice){ mem_dup(s.data, s.len), s.len } : s;
}

static void drop(struct slice *s)
{
	mem_free((void *)(uintptr_t)s->data);
	*s = (struct slice){ 0 };
}

static void replace(struct slice *to, struct slice from)
{
	struct slice fresh = copy(from);

	drop(to);
	*to = fresh;
}

static void *grown(void *items, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return items;
	*cap = *cap ? 2 * *cap : 64;
	return mem_grow(items, *cap * size);
}

static struct record_znode *find_row(const struct store *s, struct slice path)
{
	for (size_t i = 0; i < s->row_count; i++)
		if (slice_equal(s->rows[i].path, path))
			return &s->rows[i];
	return NULL;
}

static void free_row(struct record_znode *row)
{
	drop(&row->path);
	drop(&row->data);
	drop(&row->acl);
}

static void put_znode(struct store *s, const struct record_znode *z)
{
	struct record_znode *row = find_row(s, z->path);

	if (z->columns == 0) {
		/* A record may be applied twice; a row that never was has nothing to delete. */
		if (row) {
			free_row(row);
			*row = s->rows[--s->row_count];
		}
		return;
	}
	if (!row) {
		assert(z->columns == RECORD_ALL);
		s->rows = grown(s->rows, s->row_count, &s->row_cap, sizeof(*s->rows));
		row = &s->rows[s->row_count++];
		*row = (struct record_znode){ .path = copy(z->path), .columns = RECORD_ALL };
	}
	if (z->columns & RECORD_BIRTH) {
		row->czxid = z->czxid;
		row->ctime = z->ctime;
		row->owner = z->owner;
	}
	if (z->columns & RECORD_DATA) {
		replace(&row->data, z->data);
		row->mzxid = z->mzxid;
		row->mtime = z->mtime;
		row->version = z->version;
	}
	if (z->columns & RECORD_ACL) {
		replace(&row->acl, z->acl);
		row->aversion = z->aversion;
	}
	if (z->columns & RECORD_CHILDREN) {
		row->pzxid = z->pzxid;
		row->creates = z->creates;
		row->num_children = z->num_children;
	}
}

static void put_session(struct store *s, const struct record_session *session)
{
	size_t i = 0;

	while (i < s->session_count && s->sessions[i].id != session->id)
		i++;
	if (i < s->session_count) {
		drop(&s->sessions[i].identity);
		s->sessions[i] = s->sessions[--s->session_count];
	}
	if (!session->open)
		return;
	s->sessions = grown(s->sessions, s->session_count, &s->session_cap, sizeof(*s->sessions));
	s->sessions[s->session_count] = *session;
	s->sessions[s->session_count++].identity = copy(session->identity);
}

static void apply(struct store *s, const struct change *c)
{
	struct record_reader r;
	struct record_item item;

	record_reader_init(&r, (struct slice){ c->body, c->len });
	while (record_read(&r, &item) != RECORD_ITEM_END) {
		assert(item.kind != RECORD_ITEM_BAD);
		if (item.kind == RECORD_ITEM_ZNODE)
			put_znode(s, &item.znode);
		else
			put_session(s, &item.session);
	}
}

/* --- the test's side --- */

struct store *fake_store_new(void)
{
	struct store *s = mem_new(sizeof(*s));

	s->first_zxid = INT64_C(1) << 32;
	newest = s;
	return s;
}

static void free_change(struct change *c)
{
	mem_free(c->body);
	drop(&c->head.path);
	drop(&c->head.identity);
	drop(&c->head.address);
}

void fake_store_free(struct store *s)
{
	for (size_t i = 0; i < s->log_count; i++)
		free_change(&s->log[i]);
	for (size_t i = 0; i < s->row_count; i++)
		free_row(&s->rows[i]);
	for (size_t i = 0; i < s->session_count; i++)
		drop(&s->sessions[i].identity);
	mem_free(s->log);
	mem_free(s->rows);
	mem_free(s->sessions);
	mem_free(s);
}

void fake_store_flush(struct store *s, size_t count)
{
	size_t left = s->log_count - s->flushed;

	s->flushed += count < left ? count : left;
}

void fake_store_hold(struct store *s, bool hold)
{
	s->hold = hold;
}

void fake_store_replay(struct store *s, size_t count)
{
	while (count-- > 0 && s->applied < s->log_count)
		apply(s, &s->log[s->applied++]);
	if (s->flushed < s->applied)
		s->flushed = s->applied;
}

void fake_store_tell(struct store *s)
{
	s->told = s->applied;
}

void fake_store_set_unreadable(struct store *s, bool unreadable)
{
	s->unreadable = unreadable;
}

void fake_store_set_room(struct store *s, enum room_level level)
{
	s->room = level;
}

uint64_t fake_store_owned(const struct store *s, bool ephemerals)
{
	return s->owned[ephemerals];
}

void fake_store_damage(struct store *s)
{
	assert(s->log_count > 0);
	s->log[s->log_count - 1].len /= 2;
}

void fake_store_restart(struct store *s)
{
	while (s->log_count > s->flushed)
		free_change(&s->log[--s->log_count]);
	fake_store_tell(s);
	s->unreadable = false;
	s->hold = false;
	s->room = ROOM_PLENTY;
}

void fake_store_set_load_ms(struct store *s, int64_t ms)
{
	s->load_ms = ms;
}

void fake_store_set_first_zxid(struct store *s, int64_t zxid)
{
	s->first_zxid = zxid;
}

size_t fake_store_log_rows(const struct store *s)
{
	return s->log_count;
}

const struct record_head *fake_store_newest(const struct store *s)
{
	assert(s->log_count > 0);
	return &s->log[s->log_count - 1].head;
}

size_t fake_store_reads(const struct store *s)
{
	return s->reads;
}

/* --- store.h --- */

void store_options_init(struct store_options *o)
{
	*o = (struct store_options){ 0 };
}

int store_open(struct store **out, const struct store_options *o, char reason[STORE_REASON_LEN])
{
	(void)o;
	reason[0] = 0;
	fake_store_restart(newest);
	*out = newest;
	return 0;
}

void store_close(struct store *s)
{
	(void)s;
}

static int64_t zxid_at(const struct store *s, size_t rows)
{
	return rows ? s->log[rows - 1].head.zxid : 0;
}

int store_refuse(const struct store *s, const char *what, char reason[STORE_REASON_LEN])
{
	(void)s;
	(void)snprintf(reason, STORE_REASON_LEN, "%s", what);
	return STORE_DAMAGED;
}

int store_load(struct store *s, const struct store_loader *l, char reason[STORE_REASON_LEN])
{
	reason[0] = 0;
	for (size_t i = 0; i < s->session_count; i++)
		l->session(l->ctx, &s->sessions[i]);
	if (s->load_ms > 0)
		clock_fake_advance(s->load_ms);
	for (size_t i = 0; i < s->row_count; i++)
		if (s->rows[i].owner > 0)
			l->ephemeral(l->ctx, &s->rows[i]);
	for (size_t i = s->applied; i < s->log_count; i++)
		l->change(l->ctx, &s->log[i].head, (struct slice){ s->log[i].body, s->log[i].len });
	return 0;
}

int64_t store_begin(struct store *s)
{
	int64_t zxid = s->first_zxid;

	s->first_zxid = ((zxid >> 32) + 1) << 32;
	return zxid;
}

int64_t store_last_zxid(const struct store *s)
{
	return zxid_at(s, s->log_count);
}

int64_t store_next_epoch(struct store *s)
{
	return store_begin(s);
}

void store_append(struct store *s, const struct record_head *head, struct slice body)
{
	struct change *c;

	assert(head->zxid > zxid_at(s, s->log_count));
	assert(head->prev == zxid_at(s, s->log_count));
	s->log = grown(s->log, s->log_count, &s->log_cap, sizeof(*s->log));
	c = &s->log[s->log_count++];
	*c = (struct change){ .head = *head,
			      .body = mem_dup(body.data, body.len),
			      .len = body.len };
	c->head.note = NULL;
	c->head.path = copy(head->path);
	c->head.identity = copy(head->identity);
	c->head.address = copy(head->address);
}

enum room_level store_room(struct store *s)
{
	return s->room;
}

bool store_is_tight(const struct store *s)
{
	(void)s;
	return false;
}

void store_get_room(const struct store *s, struct room_figures *out)
{
	*out = (struct room_figures){ .level = s->room };
}

void store_note_owned(struct store *s, uint64_t sessions, uint64_t ephemerals)
{
	s->owned[0] = sessions;
	s->owned[1] = ephemerals;
}

void store_audit(struct store *s, const struct audit_row *row)
{
	(void)s;
	(void)row;
}

int64_t store_audited(const struct store *s)
{
	(void)s;
	return 0;
}

void store_end_turn(struct store *s)
{
	if (!s->hold)
		fake_store_flush(s, SIZE_MAX);
}

int store_wake_fd(const struct store *s)
{
	(void)s;
	return -1;
}

void store_wake(struct store *s)
{
	(void)s;
}

int64_t store_flushed(const struct store *s)
{
	return zxid_at(s, s->flushed);
}

int64_t store_replayed(const struct store *s)
{
	return zxid_at(s, s->told);
}

uint64_t store_lag_rows(const struct store *s)
{
	return s->log_count - s->told;
}

enum store_result store_read_znode(struct store *s, struct slice path, struct record_znode *out)
{
	const struct record_znode *row = find_row(s, path);

	s->reads++;
	metrics_add(METRIC_tree_reads, 1);
	if (s->unreadable)
		return STORE_UNREADABLE;
	if (!row || row->owner > 0)
		return STORE_ABSENT;
	*out = *row;
	return STORE_FOUND;
}

enum store_result store_list_children(struct store *s, struct slice path,
				      void (*child)(void *ctx, struct slice name), void *ctx)
{
	s->reads++;
	metrics_add(METRIC_tree_reads, 1);
	for (size_t i = 0; i < s->row_count; i++) {
		struct slice at = s->rows[i].path;

		if (at.len == 1 || s->rows[i].owner > 0 || !slice_equal(path_parent(at), path))
			continue;
		child(ctx, path_name(at));
		/* A read may fail in the middle. */
		if (s->unreadable)
			break;
	}
	return s->unreadable ? STORE_UNREADABLE : STORE_FOUND;
}

static bool is_below(struct slice at, struct slice path)
{
	size_t len = slice_is(path, "/") ? 0 : path.len;

	return at.len > len + 1 && memcmp(at.data, path.data, len) == 0 && at.data[len] == '/';
}

enum store_result store_sum_below(struct store *s, struct slice path, const struct slice *except,
				  size_t count, struct store_sum *out)
{
	s->reads++;
	metrics_add(METRIC_tree_reads, 1);
	*out = (struct store_sum){ 0 };
	for (size_t i = 0; i < s->row_count; i++) {
		const struct record_znode *row = &s->rows[i];
		bool counts = row->owner <= 0 && is_below(row->path, path);

		for (size_t k = 0; k < count && counts; k++)
			counts = !slice_equal(except[k], row->path);
		out->znodes += counts;
		out->bytes += counts ? row->data.len : 0;
	}
	return s->unreadable ? STORE_UNREADABLE : STORE_FOUND;
}

enum store_result store_list_marked(struct store *s, struct slice after, unsigned limit,
				    void (*each)(void *ctx, const struct record_znode *z),
				    void *ctx)
{
	bool is_behind = after.len <= 1;

	s->reads++;
	metrics_add(METRIC_tree_reads, 1);
	for (size_t i = 0; i < s->row_count && limit > 0; i++) {
		if (is_behind && s->rows[i].owner < 0) {
			each(ctx, &s->rows[i]);
			limit--;
		}
		is_behind |= slice_equal(s->rows[i].path, after);
	}
	return s->unreadable ? STORE_UNREADABLE : STORE_FOUND;
}

enum store_result store_list_named(struct store *s, struct slice below, struct slice name,
				   void (*each)(void *ctx, struct slice path), void *ctx)
{
	s->reads++;
	metrics_add(METRIC_tree_reads, 1);
	for (size_t i = 0; i < s->row_count; i++)
		if (s->rows[i].owner <= 0 && is_below(s->rows[i].path, below) &&
		    slice_equal(path_name(s->rows[i].path), name))
			each(ctx, s->rows[i].path);
	return s->unreadable ? STORE_UNREADABLE : STORE_FOUND;
}

/* In the order that store_list_below has: path's own children, then parent by parent. */
static int compare_below(struct slice path, struct slice a, struct slice b)
{
	bool is_child_a = slice_equal(path_parent(a), path);
	bool is_child_b = slice_equal(path_parent(b), path);
	int order = slice_compare(path_parent(a), path_parent(b));

	if (is_child_a != is_child_b)
		return is_child_a ? -1 : 1;
	return order != 0 ? order : slice_compare(path_name(a), path_name(b));
}

enum store_result store_list_below(struct store *s, struct slice path, struct slice after,
				   unsigned limit,
				   void (*each)(void *ctx, struct slice parent, struct slice name),
				   void *ctx)
{
	s->reads++;
	metrics_add(METRIC_tree_reads, 1);
	for (; limit > 0 && !s->unreadable; limit--) {
		struct slice next = { 0 };

		for (size_t i = 0; i < s->row_count; i++) {
			struct slice at = s->rows[i].path;

			if (s->rows[i].owner <= 0 && is_below(at, path) &&
			    (after.len == 0 || compare_below(path, at, after) > 0) &&
			    (next.len == 0 || compare_below(path, at, next) < 0))
				next = at;
		}
		if (next.len == 0)
			break;
		each(ctx, path_parent(next), path_name(next));
		after = next;
	}
	return s->unreadable ? STORE_UNREADABLE : STORE_FOUND;
}

uint64_t store_znode_count(const struct store *s)
{
	uint64_t count = 0;

	for (size_t i = 0; i < s->row_count; i++)
		count += s->rows[i].owner <= 0;
	return count;
}

int store_tree_version(const struct store *s)
{
	(void)s;
	return 2;
}

uint64_t store_upgrade_left(const struct store *s)
{
	(void)s;
	return 0;
}

uint64_t store_tree_bytes(const struct store *s)
{
	return s->row_count * 4096;
}
