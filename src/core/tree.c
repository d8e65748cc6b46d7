/* One table of znodes by path, one of directories by path. Three lists hold the znodes: pending in
 * the order of their last change, clean by last use, and neither for an ephemeral one that tree.db
 * has.
 *
 * Where memory has no entry, tree.db's row is the truth: every change that is not replayed has an
 * entry. */
#include "core/tree.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "wire/path.h"

/* A znode as it was before the open change. */
struct undo {
	struct znode *z;
	struct znode_state before;
};

struct owner {
	struct hash_node by_session;
	int64_t session;
	struct list znodes; /* znode.owned */
	unsigned count;
	uint64_t bytes;
};

struct tree {
	struct store *store;
	struct acl_table acls;
	struct hash znodes;
	struct hash dirs;
	struct hash owners;
	struct list pending;
	struct list clean;         /* least recently used first */
	struct list complete_dirs; /* likewise */
	size_t cache_limit;
	size_t cache_bytes;
	uint32_t turn;
	struct tree_counts counts;

	/* The open change. */
	bool open;
	int64_t zxid;
	int64_t time_ms;
	struct undo *undos;
	size_t undo_count, undo_cap;
	struct tree_event *events;
	size_t event_count, event_cap;
};

struct tree *tree_new(struct store *store, size_t cache_bytes)
{
	struct tree *t = mem_new(sizeof(*t));

	t->store = store;
	t->cache_limit = cache_bytes;
	acl_table_init(&t->acls);
	hash_init(&t->znodes);
	hash_init(&t->dirs);
	hash_init(&t->owners);
	list_init(&t->pending);
	list_init(&t->clean);
	list_init(&t->complete_dirs);
	t->counts.znodes = store_znode_count(store);
	return t;
}

struct acl_table *tree_acls(struct tree *t)
{
	return &t->acls;
}

/* --- the tables --- */

static struct znode *table_find(const struct tree *t, struct slice path, uint64_t hash)
{
	for (struct hash_node *n = hash_find(&t->znodes, hash); n; n = hash_find_next(n)) {
		struct znode *z = container_of(n, struct znode, by_path);

		if (slice_equal(znode_path(z), path))
			return z;
	}
	return NULL;
}

static struct dir *dir_find(const struct tree *t, struct slice path)
{
	for (struct hash_node *n = hash_find(&t->dirs, hash_bytes(path.data, path.len)); n;
	     n = hash_find_next(n)) {
		struct dir *d = container_of(n, struct dir, by_path);

		if (slice_equal((struct slice){ d->path, d->path_len }, path))
			return d;
	}
	return NULL;
}

static struct dir *dir_take(struct tree *t, struct slice path)
{
	struct dir *d = dir_find(t, path);

	if (d)
		return d;
	d = dir_new(path);
	hash_insert(&t->dirs, &d->by_path, hash_bytes(path.data, path.len));
	return d;
}

static void dir_drop_if_idle(struct tree *t, struct dir *d)
{
	if (d->complete || !list_is_empty(&d->live))
		return;
	hash_remove(&t->dirs, &d->by_path);
	dir_free(d);
}

/* An empty list is no small thing either: parents come and go, and theirs stay until they are
 * evicted. */
static size_t dir_bytes(const struct dir *d)
{
	return sizeof(*d) + sizeof(void *) + d->path_len + d->names_bytes;
}

static void dir_set_complete(struct tree *t, struct dir *d)
{
	d->complete = true;
	d->used = t->turn;
	list_append(&t->complete_dirs, &d->link);
	t->cache_bytes += dir_bytes(d);
}

static void dir_touch(struct tree *t, struct dir *d)
{
	d->used = t->turn;
	list_remove(&d->link);
	list_append(&t->complete_dirs, &d->link);
}

static void dir_change_name(struct tree *t, struct dir *d, struct slice name, bool add)
{
	if (!d->complete)
		return;
	t->cache_bytes -= d->names_bytes;
	if (add)
		dir_add_name(d, name);
	else
		dir_remove_name(d, name);
	t->cache_bytes += d->names_bytes;
}

/* Pending and ephemeral znodes are overlaid on what tree.db lists. The root is nobody's child. */
static void link_live(struct tree *t, struct znode *z)
{
	if (z->dir || z->path_len == 1)
		return;
	z->dir = dir_take(t, path_parent(znode_path(z)));
	list_append(&z->dir->live, &z->sibling);
}

static void unlink_live(struct tree *t, struct znode *z)
{
	struct dir *d = z->dir;

	if (!d)
		return;
	list_remove(&z->sibling);
	z->dir = NULL;
	dir_drop_if_idle(t, d);
}

static size_t znode_bytes(const struct znode *z)
{
	return sizeof(*z) + sizeof(void *) + z->path_len + z->st.data_len +
	       (z->st.acl ? z->st.acl->len : 0);
}

static void make_clean(struct tree *t, struct znode *z)
{
	z->clean = true;
	z->used = t->turn;
	list_append(&t->clean, &z->link);
	t->cache_bytes += znode_bytes(z);
	acl_rest(&t->acls, z->st.acl);
	t->counts.cached++;
}

static void leave_clean(struct tree *t, struct znode *z)
{
	if (!z->clean)
		return;
	z->clean = false;
	list_remove(&z->link);
	t->cache_bytes -= znode_bytes(z);
	acl_wake(&t->acls, z->st.acl);
	t->counts.cached--;
}

static void leave_pending(struct tree *t, struct znode *z)
{
	if (!z->pending)
		return;
	z->pending = false;
	list_remove(&z->link);
	t->counts.pending--;
	t->counts.pending_bytes -= z->pending_bytes;
}

static void make_pending(struct tree *t, struct znode *z, int64_t zxid)
{
	leave_clean(t, z);
	leave_pending(t, z);
	t->counts.pending++;
	z->pending_bytes = (uint32_t)znode_bytes(z);
	t->counts.pending_bytes += z->pending_bytes;
	list_append(&t->pending, &z->link);
	z->pending = true;
	z->changed = zxid;
	link_live(t, z);
}

static void drop_znode(struct tree *t, struct znode *z)
{
	leave_clean(t, z);
	unlink_live(t, z);
	list_remove(&z->link);
	list_remove(&z->owned);
	hash_remove(&t->znodes, &z->by_path);
	mem_free(z->st.data);
	acl_unref(&t->acls, z->st.acl);
	znode_free(z);
}

static struct znode *add_znode(struct tree *t, struct slice path, uint64_t hash)
{
	struct znode *z = znode_new(path);

	hash_insert(&t->znodes, &z->by_path, hash);
	return z;
}

/* --- ephemerals --- */

static struct owner *owner_find(const struct tree *t, int64_t session)
{
	for (struct hash_node *n = hash_find(&t->owners, hash_u64((uint64_t)session)); n;
	     n = hash_find_next(n)) {
		struct owner *o = container_of(n, struct owner, by_session);

		if (o->session == session)
			return o;
	}
	return NULL;
}

static void own(struct tree *t, struct znode *z)
{
	struct owner *o;

	if (!znode_is_ephemeral(z))
		return;
	o = owner_find(t, z->st.owner);
	if (!o) {
		o = mem_new(sizeof(*o));
		o->session = z->st.owner;
		list_init(&o->znodes);
		hash_insert(&t->owners, &o->by_session, hash_u64((uint64_t)o->session));
	}
	list_append(&o->znodes, &z->owned);
	o->count++;
	o->bytes += znode_bytes(z);
	t->counts.ephemerals++;
}

static void disown(struct tree *t, struct znode *z)
{
	struct owner *o;

	if (!znode_is_ephemeral(z))
		return;
	o = owner_find(t, z->st.owner);
	list_remove(&z->owned);
	t->counts.ephemerals--;
	o->bytes -= znode_bytes(z);
	if (--o->count > 0)
		return;
	hash_remove(&t->owners, &o->by_session);
	mem_free(o);
}

struct list *tree_owned(struct tree *t, int64_t session_id)
{
	struct owner *o = owner_find(t, session_id);

	return o ? &o->znodes : NULL;
}

unsigned tree_owned_count(struct tree *t, int64_t session_id)
{
	struct owner *o = owner_find(t, session_id);

	return o ? o->count : 0;
}

uint64_t tree_owned_bytes(struct tree *t, int64_t session_id)
{
	struct owner *o = owner_find(t, session_id);

	return o ? o->bytes : 0;
}

/* --- reading --- */

/* Give z the columns of a row or record that it names. */
static void take_columns(struct tree *t, struct znode *z, const struct record_znode *from)
{
	struct znode_state *st = &z->st;

	if (from->columns & RECORD_BIRTH) {
		st->czxid = from->czxid;
		st->ctime = from->ctime;
		st->owner = from->owner;
	}
	if (from->columns & RECORD_DATA) {
		mem_free(st->data);
		st->data = from->data.data ? mem_dup(from->data.data, from->data.len) : NULL;
		st->data_len = (uint32_t)from->data.len;
		st->mzxid = from->mzxid;
		st->mtime = from->mtime;
		st->version = from->version;
	}
	if (from->columns & RECORD_ACL) {
		struct acl *acl = acl_take(&t->acls, from->acl);

		acl_unref(&t->acls, st->acl);
		st->acl = acl;
		st->aversion = from->aversion;
	}
	if (from->columns & RECORD_CHILDREN) {
		st->pzxid = from->pzxid;
		st->creates = from->creates;
		st->num_children = from->num_children;
	}
}

/* Whether memory alone can say that path is not there. */
static bool is_known_absent(struct tree *t, struct slice path)
{
	struct slice parent = path_parent(path);
	struct dir *d = dir_find(t, parent);
	struct znode *z;

	if (d && d->complete) {
		dir_touch(t, d);
		return !dir_has_name(d, path_name(path));
	}
	z = table_find(t, parent, hash_bytes(parent.data, parent.len));
	return z && (!z->st.exists || z->st.num_children == 0);
}

static enum tree_result read_row(struct tree *t, struct slice path, uint64_t hash,
				 struct znode **out)
{
	struct record_znode row;
	struct znode *z;

	switch (store_read_znode(t->store, path, &row)) {
	case STORE_ABSENT:
		return TREE_ABSENT;
	case STORE_UNREADABLE:
		return TREE_UNREADABLE;
	case STORE_FOUND:
		break;
	}
	z = add_znode(t, path, hash);
	row.columns = RECORD_ALL;
	take_columns(t, z, &row);
	z->st.exists = true;
	make_clean(t, z);
	*out = z;
	return TREE_FOUND;
}

enum tree_result tree_find(struct tree *t, struct slice path, struct znode **out, int64_t *mark)
{
	uint64_t hash;
	struct znode *z;

	*out = NULL;
	*mark = 0;
	/* Reads take any text. Without a leading slash nothing can be there, nor with two of them,
	 * though the parent of the second looks like the root. */
	if (path.len == 0 || path.data[0] != '/' || (path.len > 1 && path.data[1] == '/'))
		return TREE_ABSENT;
	hash = hash_bytes(path.data, path.len);
	z = table_find(t, path, hash);
	if (!z) {
		if (path.len > 1 && is_known_absent(t, path))
			return TREE_ABSENT;
		return read_row(t, path, hash, out);
	}
	*mark = z->changed;
	if (!z->st.exists)
		return TREE_ABSENT;
	if (z->clean && z->used != t->turn) {
		z->used = t->turn;
		list_remove(&z->link);
		list_append(&t->clean, &z->link);
	}
	*out = z;
	return TREE_FOUND;
}

/* A list that would take more than this part of the cache is not kept: it would drive out all
 * else, and for the moment of its making come on top of it. */
enum { CACHE_PARTS = 4, USUAL_NAME_LEN = 16 };

struct name_collector {
	struct tree *t;
	struct dir *d;
};

static void collect_name(void *ctx, struct slice name)
{
	struct name_collector *c = ctx;

	dir_add_name(c->d, name);
}

/* tree.db's names with memory's laid over them. */
static bool complete_dir(struct tree *t, struct dir *d)
{
	struct name_collector c = { t, d };

	if (store_list_children(t->store, (struct slice){ d->path, d->path_len }, collect_name,
				&c) != STORE_FOUND) {
		dir_forget_names(d);
		dir_drop_if_idle(t, d);
		return false;
	}
	list_foreach(link, &d->live) {
		struct znode *z = container_of(link, struct znode, sibling);
		struct slice name = path_name(znode_path(z));
		bool listed = dir_has_name(d, name);

		if (z->st.exists && !listed)
			dir_add_name(d, name);
		else if (!z->st.exists && listed)
			dir_remove_name(d, name);
	}
	dir_set_complete(t, d);
	return true;
}

static bool is_worth_keeping(const struct tree *t, const struct znode *parent)
{
	size_t bytes = (size_t)parent->st.num_children * dir_name_bytes(USUAL_NAME_LEN);

	return bytes <= t->cache_limit / CACHE_PARTS;
}

struct name_filter {
	const struct dir *overlaid; /* the names that memory answers for */
	void (*child)(void *ctx, struct slice name);
	void *ctx;
};

static void pass_name(void *ctx, struct slice name)
{
	struct name_filter *f = ctx;

	if (!dir_has_name(f->overlaid, name))
		f->child(f->ctx, name);
}

/* tree.db's names as they are read, but for those that memory answers for, then memory's. */
static bool stream_dir(struct tree *t, const struct dir *d,
		       void (*child)(void *ctx, struct slice name), void *ctx)
{
	struct slice path = { d->path, d->path_len };
	struct dir *overlaid = dir_new(path);
	struct name_filter f = { overlaid, child, ctx };
	bool done;

	list_foreach(link, &d->live)
		dir_add_name(overlaid,
			     path_name(znode_path(container_of(link, struct znode, sibling))));
	done = store_list_children(t->store, path, pass_name, &f) == STORE_FOUND;
	dir_free(overlaid);
	if (!done)
		return false;
	list_foreach(link, &d->live) {
		const struct znode *z = container_of(link, struct znode, sibling);

		if (z->st.exists)
			child(ctx, path_name(znode_path(z)));
	}
	return true;
}

bool tree_list(struct tree *t, const struct znode *parent,
	       void (*child)(void *ctx, struct slice name), void *ctx)
{
	struct dir *d;
	bool done;

	if (parent->st.num_children == 0)
		return true;
	d = dir_take(t, znode_path(parent));
	if (!d->complete && !is_worth_keeping(t, parent)) {
		done = stream_dir(t, d, child, ctx);
		dir_drop_if_idle(t, d);
		return done;
	}
	if (!d->complete && !complete_dir(t, d))
		return false;
	dir_touch(t, d);
	for (struct hash_node *n = hash_first(&d->names); n; n = hash_after(&d->names, n)) {
		const struct dir_name *name = container_of(n, struct dir_name, by_name);

		child(ctx, (struct slice){ name->text, name->len });
	}
	return true;
}

void tree_visit(struct tree *t, void (*each)(void *ctx, const struct znode *z), void *ctx)
{
	for (struct hash_node *n = hash_first(&t->znodes); n; n = hash_after(&t->znodes, n))
		each(ctx, container_of(n, struct znode, by_path));
}

bool tree_is_ahead(const struct znode *z)
{
	return z->pending || z->undo != 0;
}

/* --- changing --- */

void tree_begin(struct tree *t, int64_t zxid, int64_t time_ms)
{
	assert(!t->open);
	t->open = true;
	t->zxid = zxid;
	t->time_ms = time_ms;
}

/* Remember z as it is, once in a change; the state keeps its data and ACL until the change ends. */
static void touch(struct tree *t, struct znode *z, unsigned columns)
{
	assert(t->open);
	if (!z->undo) {
		if (t->undo_count == t->undo_cap) {
			t->undo_cap = t->undo_cap ? 2 * t->undo_cap : 16;
			t->undos = mem_grow(t->undos, t->undo_cap * sizeof(*t->undos));
		}
		t->undos[t->undo_count++] = (struct undo){ z, z->st };
		z->undo = (uint32_t)t->undo_count;
		z->dirty = 0;
		/* While it changes it is no cache: sizes are counted again when it has settled. */
		leave_clean(t, z);
	}
	z->dirty |= columns;
}

static const struct znode_state *state_before(const struct tree *t, const struct znode *z)
{
	return &t->undos[z->undo - 1].before;
}

static void add_event(struct tree *t, enum event_type type, struct znode *z, int32_t old_version)
{
	if (t->event_count == t->event_cap) {
		t->event_cap = t->event_cap ? 2 * t->event_cap : 16;
		t->events = mem_grow(t->events, t->event_cap * sizeof(*t->events));
	}
	t->events[t->event_count++] = (struct tree_event){ type, z, acl_ref(&t->acls, z->st.acl),
							   old_version, z->st.version };
}

/* In 32 bits that wrap, as Java's do. */
static int32_t add_wrapping(int32_t a, int32_t b)
{
	return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* A child came (by 1) or went (by -1). */
static void change_children(struct tree *t, struct znode *parent, struct znode *child, int32_t by)
{
	struct dir *d;

	touch(t, parent, RECORD_CHILDREN);
	if (by > 0 && parent->st.num_children == 0) {
		/* Nothing in tree.db can be missing from an empty list. */
		d = dir_take(t, znode_path(parent));
		if (!d->complete)
			dir_set_complete(t, d);
	} else {
		d = dir_find(t, znode_path(parent));
	}
	if (d)
		dir_change_name(t, d, path_name(znode_path(child)), by > 0);
	parent->st.num_children = add_wrapping(parent->st.num_children, by);
	if (by > 0)
		parent->st.creates = add_wrapping(parent->st.creates, 1);
	parent->st.pzxid = t->zxid;
}

static char *copy_data(struct slice data, bool *failed)
{
	char *copy;

	*failed = false;
	if (!data.data)
		return NULL;
	copy = mem_try(data.len + 1);
	if (!copy)
		*failed = true;
	else if (data.len)
		memcpy(copy, data.data, data.len);
	return copy;
}

/* Data that the state before the change holds is freed when the change ends. */
static void replace_data(struct tree *t, struct znode *z, char *data, size_t len)
{
	const struct znode_state *before = state_before(t, z);

	if (z->st.data && z->st.data != before->data)
		mem_free(z->st.data);
	z->st.data = data;
	z->st.data_len = (uint32_t)len;
}

static void replace_acl(struct tree *t, struct znode *z, struct acl *acl)
{
	const struct znode_state *before = state_before(t, z);

	if (z->st.acl != before->acl)
		acl_unref(&t->acls, z->st.acl);
	/* A reference of its own keeps "the same pointer" and "the same reference" one thing. */
	if (acl == before->acl)
		acl_unref(&t->acls, acl);
	z->st.acl = acl;
}

struct znode *tree_create(struct tree *t, struct znode *parent, struct slice path,
			  struct slice data, struct acl *acl, int64_t owner)
{
	uint64_t hash = hash_bytes(path.data, path.len);
	struct znode *z = table_find(t, path, hash);
	bool failed;
	char *copy = copy_data(data, &failed);

	if (failed)
		return NULL;
	if (!z)
		z = add_znode(t, path, hash);
	assert(!z->st.exists);
	touch(t, z, RECORD_ALL);
	replace_data(t, z, copy, data.len);
	replace_acl(t, z, acl);
	z->st.exists = true;
	z->st.czxid = z->st.mzxid = z->st.pzxid = t->zxid;
	z->st.ctime = z->st.mtime = t->time_ms;
	z->st.version = z->st.aversion = z->st.creates = z->st.num_children = 0;
	z->st.owner = owner;
	own(t, z);
	change_children(t, parent, z, 1);
	t->counts.znodes++;
	add_event(t, EVENT_NODE_CREATED, z, 0);
	add_event(t, EVENT_NODE_CHILDREN_CHANGED, parent, 0);
	return z;
}

void tree_delete(struct tree *t, struct znode *parent, struct znode *z)
{
	touch(t, z, 0);
	z->dirty = 0;
	disown(t, z);
	z->st.exists = false;
	z->st.owner = 0;
	replace_data(t, z, NULL, 0);
	change_children(t, parent, z, -1);
	t->counts.znodes--;
	add_event(t, EVENT_NODE_DELETED, z, z->st.version);
	add_event(t, EVENT_NODE_CHILDREN_CHANGED, parent, 0);
}

int tree_set_counters(struct tree *t, struct znode *z, struct slice data)
{
	bool failed;
	char *copy = copy_data(data, &failed);

	if (failed)
		return -1;
	touch(t, z, RECORD_DATA);
	/* Its owner is charged with what it holds. */
	disown(t, z);
	replace_data(t, z, copy, data.len);
	own(t, z);
	return 0;
}

int tree_set_data(struct tree *t, struct znode *z, struct slice data, int32_t version)
{
	int32_t before = z->st.version;

	if (tree_set_counters(t, z, data) != 0)
		return -1;
	z->st.version = version;
	z->st.mzxid = t->zxid;
	z->st.mtime = t->time_ms;
	add_event(t, EVENT_NODE_DATA_CHANGED, z, before);
	return 0;
}

void tree_set_acl(struct tree *t, struct znode *z, struct acl *acl, int32_t aversion)
{
	touch(t, z, RECORD_ACL);
	disown(t, z);
	replace_acl(t, z, acl);
	own(t, z);
	z->st.aversion = aversion;
}

const struct tree_event *tree_events(const struct tree *t, size_t *count)
{
	*count = t->event_count;
	return t->events;
}

/* Created and deleted in one change: nothing to tell, unless memory had it as something that
 * tree.db may still hold. */
static bool never_was(const struct undo *u)
{
	return !u->z->st.exists && !u->before.exists;
}

int tree_record(const struct tree *t, struct buf *body)
{
	for (size_t i = 0; i < t->undo_count; i++) {
		const struct znode *z = t->undos[i].z;
		struct record_znode r = znode_record(z, z->st.exists ? z->dirty : 0);

		if (!never_was(&t->undos[i]) && record_put_znode(body, &r) != 0)
			return -1;
	}
	return 0;
}

void tree_visit_changed(const struct tree *t,
			void (*each)(void *ctx, const struct znode *z,
				     const struct znode_state *before),
			void *ctx)
{
	for (size_t i = 0; i < t->undo_count; i++)
		each(ctx, t->undos[i].z, &t->undos[i].before);
}

static void end_change(struct tree *t)
{
	for (size_t i = 0; i < t->event_count; i++)
		acl_unref(&t->acls, t->events[i].acl);
	t->open = false;
	t->undo_count = 0;
	t->event_count = 0;
}

/* Where z stands outside of a change: a touched one was taken out of the cache. */
static void settle(struct tree *t, struct znode *z)
{
	z->undo = 0;
	z->dirty = 0;
	if (z->pending)
		return;
	if (!z->st.exists)
		drop_znode(t, z);
	else if (!znode_is_ephemeral(z))
		make_clean(t, z);
}

void tree_commit(struct tree *t)
{
	for (size_t i = 0; i < t->undo_count; i++) {
		struct undo *u = &t->undos[i];
		struct znode *z = u->z;

		if (u->before.data != z->st.data)
			mem_free(u->before.data);
		if (u->before.acl != z->st.acl)
			acl_unref(&t->acls, u->before.acl);
		if (!never_was(u))
			make_pending(t, z, t->zxid);
		settle(t, z);
	}
	end_change(t);
}

static void undo_one(struct tree *t, struct undo *u)
{
	struct znode *z = u->z;
	struct dir *d;

	if (z->st.exists)
		disown(t, z);
	if (z->st.data != u->before.data)
		mem_free(z->st.data);
	if (z->st.acl != u->before.acl)
		acl_unref(&t->acls, z->st.acl);
	if (z->st.exists != u->before.exists) {
		d = dir_find(t, path_parent(znode_path(z)));
		if (d)
			dir_change_name(t, d, path_name(znode_path(z)), u->before.exists);
		t->counts.znodes += u->before.exists ? 1 : (uint64_t)-1;
	}
	z->st = u->before;
	if (z->st.exists)
		own(t, z);
}

void tree_rollback(struct tree *t)
{
	for (size_t i = t->undo_count; i-- > 0;)
		undo_one(t, &t->undos[i]);
	for (size_t i = 0; i < t->undo_count; i++)
		settle(t, t->undos[i].z);
	end_change(t);
}

/* --- loading, replay, room --- */

void tree_load_ephemeral(struct tree *t, const struct record_znode *row)
{
	struct znode *z = add_znode(t, row->path, hash_bytes(row->path.data, row->path.len));

	take_columns(t, z, row);
	z->st.exists = true;
	own(t, z);
	link_live(t, z);
	t->counts.znodes++;
}

static void load_removal(struct tree *t, struct slice path, int64_t zxid)
{
	uint64_t hash = hash_bytes(path.data, path.len);
	struct znode *z = table_find(t, path, hash);

	if (!z)
		z = add_znode(t, path, hash);
	if (z->st.exists)
		disown(t, z);
	z->st.exists = false;
	z->st.owner = 0;
	t->counts.znodes--;
	make_pending(t, z, zxid);
}

bool tree_load_change(struct tree *t, int64_t zxid, const struct record_znode *change)
{
	struct znode *z;
	int64_t mark;

	if (change->columns == 0) {
		load_removal(t, change->path, zxid);
		return true;
	}
	switch (tree_find(t, change->path, &z, &mark)) {
	case TREE_UNREADABLE:
		return false;
	case TREE_FOUND:
		leave_clean(t, z);
		disown(t, z);
		break;
	case TREE_ABSENT:
		if (!(change->columns & RECORD_BIRTH)) {
			log_error("log.inconsistent", LOG_HEX("zxid", zxid),
				  LOG_SLICE("path", change->path));
			return false;
		}
		z = table_find(t, change->path, hash_bytes(change->path.data, change->path.len));
		if (!z)
			z = add_znode(t, change->path,
				      hash_bytes(change->path.data, change->path.len));
		t->counts.znodes++;
		break;
	}
	take_columns(t, z, change);
	z->st.exists = true;
	own(t, z);
	make_pending(t, z, zxid);
	return true;
}

void tree_replayed(struct tree *t, int64_t zxid)
{
	while (!list_is_empty(&t->pending)) {
		struct znode *z = container_of(t->pending.next, struct znode, link);

		if (z->changed > zxid)
			break;
		leave_pending(t, z);
		if (!z->st.exists) {
			drop_znode(t, z);
		} else if (!znode_is_ephemeral(z)) {
			unlink_live(t, z);
			make_clean(t, z);
		}
	}
}

/* The least recently used of both kinds goes first. */
static bool evict_one(struct tree *t)
{
	struct znode *z =
		list_is_empty(&t->clean) ? NULL : container_of(t->clean.next, struct znode, link);
	struct dir *d = list_is_empty(&t->complete_dirs)
				? NULL
				: container_of(t->complete_dirs.next, struct dir, link);

	if (z && (!d || (int32_t)(z->used - d->used) <= 0)) {
		drop_znode(t, z);
	} else if (d) {
		t->cache_bytes -= dir_bytes(d);
		list_remove(&d->link);
		dir_forget_names(d);
		dir_drop_if_idle(t, d);
	} else {
		return false;
	}
	metrics_add(METRIC_cache_evictions, 1);
	return true;
}

/* What is pending takes its place among what is cached, but for a part that stays for reads. */
static size_t cache_room(const struct tree *t)
{
	size_t least = t->cache_limit / CACHE_PARTS;

	if (t->counts.pending_bytes >= t->cache_limit - least)
		return least;
	return t->cache_limit - (size_t)t->counts.pending_bytes;
}

void tree_trim(struct tree *t)
{
	assert(!t->open);
	while (t->cache_bytes > cache_room(t) && evict_one(t))
		;
}

void tree_end_turn(struct tree *t)
{
	tree_trim(t);
	t->turn++;
}

struct tree_counts tree_counts(const struct tree *t)
{
	struct tree_counts counts = t->counts;

	counts.owners = t->owners.count;
	counts.dirs = t->dirs.count;
	counts.held = t->znodes.count;
	counts.cached_bytes = t->cache_bytes;
	return counts;
}

void tree_free(struct tree *t)
{
	struct hash_node *next;

	if (!t)
		return;
	for (struct hash_node *n = hash_first(&t->znodes); n; n = next) {
		struct znode *z = container_of(n, struct znode, by_path);

		next = hash_after(&t->znodes, n);
		leave_clean(t, z);
		mem_free(z->st.data);
		acl_unref(&t->acls, z->st.acl);
		znode_free(z);
	}
	for (struct hash_node *n = hash_first(&t->dirs); n; n = next) {
		next = hash_after(&t->dirs, n);
		dir_free(container_of(n, struct dir, by_path));
	}
	for (struct hash_node *n = hash_first(&t->owners); n; n = next) {
		next = hash_after(&t->owners, n);
		mem_free(container_of(n, struct owner, by_session));
	}
	hash_fini(&t->znodes);
	hash_fini(&t->dirs);
	hash_fini(&t->owners);
	acl_table_fini(&t->acls);
	mem_free(t->undos);
	mem_free(t->events);
	mem_free(t);
}
