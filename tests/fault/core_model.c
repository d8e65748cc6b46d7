/* See the header. */
#include "tests/fault/core_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tests/lib/random.h"
#include "wire/proto.h"

enum { BODY_LIMIT = 1 << 20 };

enum core_row_kind { ROW_ZNODE, ROW_SESSION, ROW_END };

/* What a change made of one znode or session; the last row of a change is ROW_END. */
struct core_row {
	int64_t zxid;
	enum core_row_kind kind;
	size_t index;
	union {
		struct core_znode znode;
		struct core_session session;
	};
};

struct core_undo {
	size_t index;
	struct core_znode before;
};

/* ---- what numbers stand for ---- */

void core_put_data(struct jute_writer *w, struct core_data data)
{
	struct random r = { data.seed };
	char bytes[CORE_DATA_MOST];

	for (int32_t i = 0; i < data.len; i++)
		bytes[i] = (char)random_next(&r);
	jute_write_buffer(w, data.len < 0 ? (struct slice){ 0 }
					  : (struct slice){ bytes, (size_t)data.len });
}

static int32_t world_perms(int acl)
{
	if (acl == CORE_ACL_READ_ONLY)
		return PERM_READ;
	return acl >= CORE_ACL_FIRST && acl % 3 == 0 ? PERM_READ | PERM_ADMIN : PERM_ALL;
}

void core_put_acl(struct jute_writer *w, int acl)
{
	struct proto_acl world = { world_perms(acl), slice_of("world"), slice_of("anyone") };
	char id[32];
	struct proto_acl user = { PERM_READ, slice_of("digest"), { id, 0 } };

	jute_write_int(w, acl >= CORE_ACL_FIRST ? 2 : 1);
	proto_write_acl(w, &world);
	if (acl < CORE_ACL_FIRST)
		return;
	user.id.len = (size_t)snprintf(id, sizeof(id), "user%d:secret", acl);
	proto_write_acl(w, &user);
}

/* ---- state ---- */

static size_t find_index(const struct core_state *s, const char *path)
{
	size_t i = 0;

	while (i < s->znode_count && strcmp(s->znodes[i].path, path) != 0)
		i++;
	return i;
}

const struct core_znode *core_find(const struct core_state *s, const char *path)
{
	size_t i = find_index(s, path);

	return i < s->znode_count && s->znodes[i].exists ? &s->znodes[i] : NULL;
}

static size_t take_index(struct core_state *s, const char *path)
{
	size_t i = find_index(s, path);

	if (i < s->znode_count)
		return i;
	s->znodes = mem_grow(s->znodes, (s->znode_count + 1) * sizeof(*s->znodes));
	memset(&s->znodes[i], 0, sizeof(s->znodes[i]));
	(void)snprintf(s->znodes[i].path, CORE_PATH_LEN, "%s", path);
	s->znode_count++;
	return i;
}

static size_t parent_index(struct core_state *s, const char *path)
{
	char parent[CORE_PATH_LEN];
	char *slash;

	(void)snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	slash[slash == parent ? 1 : 0] = '\0';
	return take_index(s, parent);
}

void core_state_fini(struct core_state *s)
{
	mem_free(s->znodes);
	mem_free(s->sessions);
}

/* ---- history ---- */

static struct core_row *add_row(struct core_model *m, enum core_row_kind kind, size_t index)
{
	struct core_row *row;

	if (m->row_count == m->row_room) {
		m->row_room = m->row_room * 2 + 1024;
		m->rows = mem_grow(m->rows, m->row_room * sizeof(*m->rows));
	}
	row = &m->rows[m->row_count++];
	memset(row, 0, sizeof(*row));
	row->zxid = m->zxid;
	row->kind = kind;
	row->index = index;
	return row;
}

static void begin(struct core_model *m)
{
	m->zxid++;
	m->undo_count = 0;
}

/* The znode, to be changed in the open change. */
static struct core_znode *touch(struct core_model *m, size_t index)
{
	struct core_znode *z = &m->now.znodes[index];

	m->undos = mem_grow(m->undos, (m->undo_count + 1) * sizeof(*m->undos));
	m->undos[m->undo_count++] = (struct core_undo){ index, *z };
	z->changed = m->zxid;
	return z;
}

static void commit(struct core_model *m)
{
	for (size_t i = 0; i < m->undo_count; i++) {
		size_t index = m->undos[i].index;

		add_row(m, ROW_ZNODE, index)->znode = m->now.znodes[index];
	}
	(void)add_row(m, ROW_END, 0);
	m->change = m->zxid;
}

static void rollback(struct core_model *m)
{
	while (m->undo_count > 0) {
		const struct core_undo *u = &m->undos[--m->undo_count];

		m->now.znodes[u->index] = u->before;
	}
}

bool core_model_at(const struct core_model *m, int64_t zxid, struct core_state *out)
{
	const struct core_state *now = &m->now;
	int64_t at = 0;

	/* One more: no count is none. */
	*out = (struct core_state){
		.znodes = mem_new((now->znode_count + 1) * sizeof(*out->znodes)),
		.znode_count = now->znode_count,
		.sessions = mem_new((now->session_count + 1) * sizeof(*out->sessions)),
		.session_count = now->session_count,
	};
	for (size_t i = 0; i < now->znode_count; i++)
		memcpy(out->znodes[i].path, now->znodes[i].path, CORE_PATH_LEN);
	for (size_t i = 0; i < now->session_count; i++)
		out->sessions[i].id = now->sessions[i].id;
	for (size_t i = 0; i < m->row_count && m->rows[i].zxid <= zxid; i++) {
		const struct core_row *row = &m->rows[i];

		if (row->kind == ROW_ZNODE)
			out->znodes[row->index] = row->znode;
		else if (row->kind == ROW_SESSION)
			out->sessions[row->index] = row->session;
		at = row->zxid;
	}
	return at == zxid;
}

void core_model_truncate(struct core_model *m, int64_t zxid, int64_t next)
{
	struct core_state then;

	if (!core_model_at(m, zxid, &then)) {
		fprintf(stderr, "the registry is at 0x%llx, which never was\n", (long long)zxid);
		abort();
	}
	core_state_fini(&m->now);
	m->now = then;
	while (m->row_count > 0 && m->rows[m->row_count - 1].zxid > zxid)
		m->row_count--;
	m->change = zxid;
	m->zxid = next;
}

int64_t core_model_change_before(const struct core_model *m, int64_t zxid)
{
	size_t i = m->row_count;

	while (i > 0 && m->rows[i - 1].zxid > zxid)
		i--;
	return i > 0 ? m->rows[i - 1].zxid : 0;
}

static bool row_tells(const struct core_row *row, int32_t event)
{
	switch (event) {
	case EVENT_NODE_CREATED:
		return row->znode.czxid == row->zxid;
	case EVENT_NODE_DELETED:
		/* A multi may have made it again. */
		return !row->znode.exists || row->znode.czxid == row->zxid;
	case EVENT_NODE_DATA_CHANGED:
		return row->znode.mzxid == row->zxid || !row->znode.exists;
	default:
		return row->znode.pzxid == row->zxid || !row->znode.exists;
	}
}

bool core_model_tells(const struct core_model *m, int64_t zxid, int32_t event, const char *path)
{
	for (size_t i = m->row_count; i > 0 && m->rows[i - 1].zxid >= zxid; i--) {
		const struct core_row *row = &m->rows[i - 1];

		if (row->zxid == zxid && row->kind == ROW_ZNODE &&
		    strcmp(row->znode.path, path) == 0 && row_tells(row, event))
			return true;
	}
	return false;
}

void core_model_begin(struct core_model *m, int64_t zxid)
{
	static const struct {
		const char *path;
		int acl;
		int32_t children;
		int32_t aversion;
	} first[] = {
		{ "/", CORE_ACL_WORLD, 1, 0 },
		{ "/zookeeper", CORE_ACL_WORLD, 2, 0 },
		{ "/zookeeper/config", CORE_ACL_READ_ONLY, 0, -1 },
		{ "/zookeeper/quota", CORE_ACL_WORLD, 0, 0 },
	};

	core_model_truncate(m, 0, zxid - 1);
	begin(m);
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
		struct core_znode *z = touch(m, take_index(&m->now, first[i].path));

		z->exists = true;
		z->acl = first[i].acl;
		z->num_children = first[i].children;
		z->aversion = first[i].aversion;
	}
	commit(m);
}

void core_model_fini(struct core_model *m)
{
	core_state_fini(&m->now);
	mem_free(m->rows);
	mem_free(m->undos);
}

static void *copy_items(const void *items, size_t size)
{
	return size > 0 ? mem_dup(items, size) : NULL;
}

void core_model_copy(struct core_model *to, const struct core_model *from)
{
	const struct core_state *s = &from->now;

	*to = *from;
	to->now.znodes = copy_items(s->znodes, s->znode_count * sizeof(*s->znodes));
	to->now.sessions = copy_items(s->sessions, s->session_count * sizeof(*s->sessions));
	to->rows = copy_items(from->rows, from->row_count * sizeof(*from->rows));
	to->row_room = from->row_count;
	to->undos = NULL;
	to->undo_count = 0;
}

/* ---- operations ---- */

static void put_stat(struct jute_writer *w, const struct core_znode *z)
{
	proto_write_stat(w, &(struct proto_stat){
				    .czxid = z->czxid,
				    .mzxid = z->mzxid,
				    .ctime = z->ctime,
				    .mtime = z->mtime,
				    .version = z->version,
				    .cversion = 2 * z->creates - z->num_children,
				    .aversion = z->aversion,
				    .ephemeral_owner = z->owner,
				    .data_length = z->data.len > 0 ? z->data.len : 0,
				    .num_children = z->num_children,
				    .pzxid = z->pzxid,
			    });
}

static int32_t create(struct core_model *m, int64_t session, const struct core_op *op,
		      struct jute_writer *w)
{
	char path[CORE_PATH_LEN + 16];
	size_t parent_at = parent_index(&m->now, op->path), at;
	const struct core_znode *parent = &m->now.znodes[parent_at];
	struct core_znode *z;

	if (!parent->exists)
		return ZERR_NO_NODE;
	if (!(world_perms(parent->acl) & PERM_CREATE))
		return ZERR_NO_AUTH;
	(void)snprintf(path, sizeof(path), "%s", op->path);
	if (op->flags & CREATE_SEQUENTIAL)
		(void)snprintf(path, sizeof(path), "%s%010d", op->path, parent->creates);
	if (core_find(&m->now, path) != NULL)
		return ZERR_NODE_EXISTS;
	if (parent->owner > 0)
		return ZERR_NO_CHILDREN_FOR_EPHEMERALS;
	at = take_index(&m->now, path);
	z = touch(m, at);
	z->exists = true;
	z->czxid = z->mzxid = z->pzxid = m->zxid;
	z->ctime = z->mtime = m->time_ms;
	z->owner = op->flags & CREATE_EPHEMERAL ? session : 0;
	z->version = z->aversion = z->creates = z->num_children = 0;
	z->data = op->data;
	z->acl = op->acl;
	z = touch(m, parent_at);
	z->pzxid = m->zxid;
	z->creates++;
	z->num_children++;
	jute_write_buffer(w, slice_of(path));
	if (op->type == OP_CREATE2)
		put_stat(w, &m->now.znodes[at]);
	return ZERR_OK;
}

static void unlink_znode(struct core_model *m, size_t at)
{
	struct core_znode *parent = touch(m, parent_index(&m->now, m->now.znodes[at].path));

	parent->pzxid = m->zxid;
	parent->num_children--;
	touch(m, at)->exists = false;
}

static int32_t delete (struct core_model *m, const struct core_op *op)
{
	size_t parent_at = parent_index(&m->now, op->path);
	const struct core_znode *parent = &m->now.znodes[parent_at];
	const struct core_znode *z;

	if (!parent->exists)
		return ZERR_NO_NODE;
	if (!(world_perms(parent->acl) & PERM_DELETE))
		return ZERR_NO_AUTH;
	z = core_find(&m->now, op->path);
	if (z == NULL)
		return ZERR_NO_NODE;
	if (op->version >= 0 && op->version != z->version)
		return ZERR_BAD_VERSION;
	if (z->num_children > 0)
		return ZERR_NOT_EMPTY;
	unlink_znode(m, (size_t)(z - m->now.znodes));
	return ZERR_OK;
}

/* setData, setACL, check: of a znode that is there. */
static int32_t change(struct core_model *m, const struct core_op *op, struct jute_writer *w)
{
	const struct core_znode *old = core_find(&m->now, op->path);
	struct core_znode *z;
	int32_t perm = op->type == OP_SET_ACL ? PERM_ADMIN : PERM_WRITE;

	if (old == NULL)
		return ZERR_NO_NODE;
	if (op->type != OP_CHECK && !(world_perms(old->acl) & perm))
		return ZERR_NO_AUTH;
	if (op->version >= 0 &&
	    op->version != (op->type == OP_SET_ACL ? old->aversion : old->version))
		return ZERR_BAD_VERSION;
	if (op->type == OP_CHECK)
		return ZERR_OK;
	z = touch(m, (size_t)(old - m->now.znodes));
	if (op->type == OP_SET_ACL) {
		z->acl = op->acl;
		z->aversion++;
	} else {
		z->data = op->data;
		z->version++;
		z->mzxid = m->zxid;
		z->mtime = m->time_ms;
	}
	put_stat(w, z);
	return ZERR_OK;
}

static int32_t operate(struct core_model *m, int64_t session, const struct core_op *op,
		       struct jute_writer *w)
{
	switch (op->type) {
	case OP_CREATE:
	case OP_CREATE2:
		return create(m, session, op, w);
	case OP_DELETE:
		return delete (m, op);
	default:
		return change(m, op, w);
	}
}

/* ---- requests ---- */

static void result_init(struct core_result *r, struct jute_writer *w)
{
	*r = (struct core_result){ 0 };
	buf_init(&r->body, BODY_LIMIT);
	jute_writer_init(w, &r->body);
}

void core_result_fini(struct core_result *r)
{
	buf_fini(&r->body);
}

static void end_write(struct core_model *m, struct core_result *out, bool done)
{
	if (done)
		commit(m);
	else
		rollback(m);
	out->zxid = m->zxid;
	/* One that failed may have seen anything. */
	out->need = m->change;
}

void core_write(struct core_model *m, int64_t session, const struct core_op *op,
		struct core_result *out)
{
	struct jute_writer w;

	result_init(out, &w);
	begin(m);
	out->err = operate(m, session, op, &w);
	end_write(m, out, out->err == ZERR_OK);
}

void core_multi(struct core_model *m, int64_t session, const struct core_op *ops, int count,
		struct core_result *out)
{
	struct jute_writer w;
	int32_t err = ZERR_OK;
	int done = 0;

	result_init(out, &w);
	begin(m);
	while (done < count) {
		proto_write_multi_header(&w,
					 &(struct proto_multi_header){ ops[done].type, false, 0 });
		err = operate(m, session, &ops[done], &w);
		if (err != ZERR_OK)
			break;
		done++;
	}
	if (err != ZERR_OK)
		buf_clear(&out->body);
	for (int i = 0; err != ZERR_OK && i < count; i++) {
		int32_t code = i < done ? ZERR_OK : i == done ? err : ZERR_RUNTIME_INCONSISTENCY;

		proto_write_multi_header(&w, &(struct proto_multi_header){ -1, false, code });
		jute_write_int(&w, code);
	}
	proto_write_multi_header(&w, &(struct proto_multi_header){ -1, true, -1 });
	end_write(m, out, err == ZERR_OK);
}

static void list_names(const struct core_state *s, const char *path, struct core_result *out)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);

	out->has_names = true;
	for (size_t i = 0; i < s->znode_count; i++) {
		const struct core_znode *z = &s->znodes[i];
		const char *name = z->path + len + 1;

		if (!z->exists || strncmp(z->path, path, len) != 0 || z->path[len] != '/' ||
		    *name == '\0' || strchr(name, '/') != NULL)
			continue;
		out->names++;
		out->names_sum += hash_bytes(name, strlen(name));
	}
}

void core_read(const struct core_state *s, int32_t type, const char *path, struct core_result *out)
{
	size_t i = find_index(s, path);
	const struct core_znode *z = &s->znodes[i];
	struct jute_writer w;

	result_init(out, &w);
	if (i < s->znode_count)
		out->need = z->changed;
	if (i == s->znode_count || !z->exists) {
		out->err = ZERR_NO_NODE;
		return;
	}
	if (type == OP_GET_DATA)
		core_put_data(&w, z->data);
	else if (type == OP_GET_ACL)
		core_put_acl(&w, z->acl);
	else if (type == OP_GET_CHILDREN2)
		list_names(s, path, out);
	put_stat(&w, z);
}

void core_sync(const struct core_model *m, const char *path, struct core_result *out)
{
	struct jute_writer w;

	result_init(out, &w);
	jute_write_buffer(&w, slice_of(path));
	out->need = m->change;
}

/* ---- sessions ---- */

static void put_session(struct core_model *m, size_t session)
{
	add_row(m, ROW_SESSION, session)->session = m->now.sessions[session];
	commit(m);
}

size_t core_open_session(struct core_model *m, int64_t id, int32_t timeout_ms)
{
	struct core_state *s = &m->now;
	size_t i = 0;

	/* What never came to the disk, and nobody heard of, may have had this id before. */
	while (i < s->session_count && s->sessions[i].id != id)
		i++;
	if (i == s->session_count)
		s->sessions = mem_grow(s->sessions, ++s->session_count * sizeof(*s->sessions));
	s->sessions[i] = (struct core_session){ id, timeout_ms, true };
	begin(m);
	put_session(m, i);
	return i;
}

void core_set_timeout(struct core_model *m, size_t session, int32_t timeout_ms)
{
	begin(m);
	m->now.sessions[session].timeout_ms = timeout_ms;
	put_session(m, session);
}

void core_end_session(struct core_model *m, size_t session)
{
	struct core_session *s = &m->now.sessions[session];

	begin(m);
	for (size_t i = 0; i < m->now.znode_count; i++)
		if (m->now.znodes[i].exists && m->now.znodes[i].owner == s->id)
			unlink_znode(m, i);
	s->open = false;
	put_session(m, session);
}
