/* See the header. */
#include "tests/fault/store_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SESSION_BASE = 0x1000, TIME_BASE = 1700000000, DATA_MOST = 3000 };

/* ---- the pool ---- */

static bool is_root(int i)
{
	return i == 0;
}

static bool is_dir(int i)
{
	return i >= 1 && i <= MODEL_DIRS;
}

static int parent_index(int i)
{
	return is_dir(i) ? 0 : 1 + (i - 1 - MODEL_DIRS) / MODEL_CHILDREN;
}

void model_path(int i, char out[32])
{
	if (is_root(i))
		(void)snprintf(out, 32, "/");
	else if (is_dir(i))
		(void)snprintf(out, 32, "/d%d", i - 1);
	else
		(void)snprintf(out, 32, "/d%d/n%d", parent_index(i) - 1,
			       (i - 1 - MODEL_DIRS) % MODEL_CHILDREN);
}

int model_znode_index(struct slice path)
{
	char text[32];
	unsigned dir, child;
	int i;

	if (path.len >= sizeof(text))
		return -1;
	memcpy(text, path.data, path.len);
	text[path.len] = '\0';
	if (path.len == 1)
		i = 0;
	else if (sscanf(text, "/d%u/n%u", &dir, &child) == 2 && dir < MODEL_DIRS &&
		 child < MODEL_CHILDREN)
		i = 1 + MODEL_DIRS + (int)dir * MODEL_CHILDREN + (int)child;
	else if (sscanf(text, "/d%u", &dir) == 1 && dir < MODEL_DIRS)
		i = 1 + (int)dir;
	else
		return -1;
	model_path(i, text);
	return slice_is(path, text) ? i : -1;
}

int model_session_index(int64_t id)
{
	return id >= SESSION_BASE && id < SESSION_BASE + MODEL_SESSIONS ? (int)(id - SESSION_BASE)
									: -1;
}

static bool same_slice(struct slice a, struct slice b)
{
	return (a.data == NULL) == (b.data == NULL) && slice_equal(a, b);
}

bool model_znode_equal(const struct record_znode *a, const struct record_znode *b)
{
	return a->columns == b->columns && a->czxid == b->czxid && a->ctime == b->ctime &&
	       a->owner == b->owner && same_slice(a->data, b->data) && a->mzxid == b->mzxid &&
	       a->mtime == b->mtime && a->version == b->version && same_slice(a->acl, b->acl) &&
	       a->aversion == b->aversion && a->pzxid == b->pzxid && a->creates == b->creates &&
	       a->num_children == b->num_children;
}

bool model_session_equal(const struct record_session *a, const struct record_session *b)
{
	if (a->open != b->open)
		return false;
	return !a->open ||
	       (a->id == b->id && a->timeout_ms == b->timeout_ms &&
		memcmp(a->password_hash, b->password_hash, RECORD_PASSWORD_HASH_LEN) == 0 &&
		same_slice(a->identity, b->identity));
}

/* ---- history ---- */

static void apply_znode(struct model_state *s, const struct record_znode *put)
{
	struct record_znode *z = &s->znodes[model_znode_index(put->path)];
	const unsigned columns = z->columns | put->columns;

	if (put->columns == RECORD_ALL || put->columns == 0) {
		*z = *put;
		return;
	}
	if (put->columns & RECORD_DATA) {
		z->data = put->data;
		z->mzxid = put->mzxid;
		z->mtime = put->mtime;
		z->version = put->version;
	}
	if (put->columns & RECORD_ACL) {
		z->acl = put->acl;
		z->aversion = put->aversion;
	}
	if (put->columns & RECORD_CHILDREN) {
		z->pzxid = put->pzxid;
		z->creates = put->creates;
		z->num_children = put->num_children;
	}
	z->columns = columns;
}

static void apply(struct model_state *s, struct slice body)
{
	struct record_reader r;
	struct record_item item;

	record_reader_init(&r, body);
	while (record_read(&r, &item) != RECORD_ITEM_END) {
		if (item.kind == RECORD_ITEM_BAD)
			abort();
		if (item.kind == RECORD_ITEM_ZNODE)
			apply_znode(s, &item.znode);
		else
			s->sessions[model_session_index(item.session.id)] = item.session;
	}
}

void model_append(struct model *m, int64_t zxid, int64_t prev, struct slice body)
{
	struct model_row *row;

	m->rows = mem_grow(m->rows, (m->count + 1) * sizeof(*m->rows));
	row = &m->rows[m->count++];
	*row = (struct model_row){ zxid, prev, mem_dup(body.data, body.len), body.len };
	apply(&m->now, (struct slice){ row->body, row->len });
}

bool model_at(const struct model *m, int64_t zxid, struct model_state *out)
{
	int64_t at = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < m->count && m->rows[i].zxid <= zxid; i++) {
		apply(out, (struct slice){ m->rows[i].body, m->rows[i].len });
		at = m->rows[i].zxid;
	}
	return at == zxid;
}

void model_truncate(struct model *m, int64_t zxid)
{
	while (m->count > 0 && m->rows[m->count - 1].zxid > zxid)
		mem_free(m->rows[--m->count].body);
	(void)model_at(m, zxid, &m->now);
}

const struct model_row *model_next(const struct model *m, int64_t zxid)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->rows[middle].zxid <= zxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->count ? &m->rows[low] : NULL;
}

void model_fini(struct model *m)
{
	while (m->count > 0)
		mem_free(m->rows[--m->count].body);
	mem_free(m->rows);
}

/* ---- random changes ---- */

/* A change in the making: the state it will come to, what it puts, and the bytes that the slices of
 * these puts borrow. */
struct draft {
	struct model_state state;
	struct random *r;
	int64_t zxid;
	struct buf *body;
	char data[DATA_MOST];
	char acl[64];
};

static void put(struct draft *d, int i, unsigned columns)
{
	struct record_znode z = d->state.znodes[i];
	char path[32];

	model_path(i, path);
	z.path = slice_of(path);
	z.columns = columns;
	if (record_put_znode(d->body, &z) != 0)
		abort();
}

static void touch_parent(struct draft *d, int i, int created)
{
	int parent = parent_index(i);
	struct record_znode *p = &d->state.znodes[parent];

	p->pzxid = d->zxid;
	p->creates += created;
	p->num_children += created != 0 ? 1 : -1;
	put(d, parent, RECORD_CHILDREN);
}

static struct slice random_data(struct draft *d)
{
	uint32_t kind = random_below(d->r, 20);
	size_t len;

	if (kind == 0)
		return (struct slice){ 0 };
	len = kind == 1 ? 0 : random_below(d->r, kind == 2 ? DATA_MOST : 200);
	for (size_t i = 0; i < len; i++)
		d->data[i] = (char)random_next(d->r);
	return (struct slice){ d->data, len };
}

static struct slice random_acl(struct draft *d)
{
	static const char form[] = "\0\0\0\1\0\0\0\37\0\0\0\6digest\0\0\0\3u:x";

	memcpy(d->acl, form, sizeof(form));
	d->acl[sizeof(form) - 2] = (char)('a' + random_below(d->r, 20));
	return (struct slice){ d->acl, sizeof(form) - 1 };
}

static void create(struct draft *d, int i)
{
	struct record_znode *z = &d->state.znodes[i];
	int session = (int)random_below(d->r, MODEL_SESSIONS);

	*z = (struct record_znode){ .columns = RECORD_ALL,
				    .czxid = d->zxid,
				    .mzxid = d->zxid,
				    .pzxid = d->zxid,
				    .ctime = TIME_BASE + d->zxid,
				    .mtime = TIME_BASE + d->zxid,
				    .data = random_data(d),
				    .acl = random_acl(d) };
	if (!is_root(i) && !is_dir(i) && random_percent(d->r, 40) &&
	    d->state.sessions[session].open)
		z->owner = SESSION_BASE + session;
	else if (random_percent(d->r, 5))
		z->owner = INT64_MIN; /* a container */
	put(d, i, RECORD_ALL);
	if (!is_root(i))
		touch_parent(d, i, 1);
}

static void delete (struct draft *d, int i)
{
	memset(&d->state.znodes[i], 0, sizeof(d->state.znodes[i]));
	put(d, i, 0);
	touch_parent(d, i, 0);
}

static void change(struct draft *d, int i)
{
	struct record_znode *z = &d->state.znodes[i];

	if (random_percent(d->r, 15)) {
		z->acl = random_acl(d);
		z->aversion++;
		put(d, i, RECORD_ACL);
		return;
	}
	z->data = random_data(d);
	z->mzxid = d->zxid;
	z->mtime = TIME_BASE + d->zxid;
	z->version++;
	put(d, i, RECORD_DATA);
}

static void toggle_session(struct draft *d)
{
	int at = (int)random_below(d->r, MODEL_SESSIONS);
	struct record_session *s = &d->state.sessions[at];

	if (s->open)
		for (int i = 1; i < MODEL_ZNODES; i++)
			if (d->state.znodes[i].columns != 0 &&
			    d->state.znodes[i].owner == SESSION_BASE + at)
				delete (d, i);
	*s = (struct record_session){ .id = SESSION_BASE + at, .open = !s->open };
	if (s->open) {
		s->timeout_ms = (int32_t)random_below(d->r, 40000);
		memset(s->password_hash, (int)random_below(d->r, 256), RECORD_PASSWORD_HASH_LEN);
		if (random_percent(d->r, 70))
			s->identity = slice_of("CN=provider,O=Example");
	}
	if (record_put_session(d->body, s) != 0)
		abort();
}

static void one_operation(struct draft *d)
{
	int i = (int)random_below(d->r, MODEL_ZNODES);
	const struct record_znode *z = &d->state.znodes[i];

	if (d->state.znodes[0].columns == 0)
		create(d, 0);
	else if (random_percent(d->r, 6))
		toggle_session(d);
	else if (z->columns == 0 && d->state.znodes[parent_index(i)].columns == 0)
		create(d, parent_index(i));
	else if (z->columns == 0)
		create(d, i);
	else if (!is_root(i) && z->num_children == 0 && random_percent(d->r, 40))
		delete (d, i);
	else
		change(d, i);
}

void model_write_change(const struct model *m, struct random *r, int64_t zxid, struct buf *body)
{
	struct draft *d = mem_new(sizeof(*d));
	uint32_t count = random_percent(r, 20) ? 2 + random_below(r, 4) : 1;

	*d = (struct draft){ .state = m->now, .r = r, .zxid = zxid, .body = body };
	buf_clear(body);
	for (uint32_t i = 0; i < count; i++)
		one_operation(d);
	mem_free(d);
}
