/* The tree against a model that remembers everything: random changes, some taken back, replay at
 * random moments and told late, a cache too small for anything, reads that fail, restarts. Then the
 * rules that a random walk meets too seldom. */
#include "core/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/fake_store.h"
#include "wire/jute.h"
#include "wire/path.h"

/* --- the model --- */

/* Root, 3 znodes in it, 3 in each of those, 2 in each of those. */
enum { TOP = 3, MIDDLE = 3, BOTTOM = 2, PATHS = 1 + TOP * (1 + MIDDLE * (1 + BOTTOM)) };
enum { SESSIONS = 3, ACLS = 3, OPERATIONS = 6 };

struct model_znode {
	bool exists;
	struct proto_stat stat; /* cversion is not kept: creates is */
	int32_t creates;
	int acl;
	char data[8];
	bool null_data;
	int64_t changed; /* zxid of the last change, a removal included */
};

struct model {
	struct model_znode znodes[PATHS];
};

static char paths[PATHS][48];
static int parents[PATHS];

static struct store *store;
static struct tree *tree;
static struct model model;
static int64_t zxid;
static int64_t last_logged;
static int64_t now_ms;

static void make_paths(void)
{
	int count = 1;

	strcpy(paths[0], "/");
	parents[0] = -1;
	for (int a = 0; a < TOP; a++) {
		int top = count;

		parents[count] = 0;
		snprintf(paths[count++], sizeof(paths[0]), "/t%d", a);
		for (int b = 0; b < MIDDLE; b++) {
			int middle = count;

			parents[count] = top;
			snprintf(paths[count++], sizeof(paths[0]), "/t%d/m%d", a, b);
			for (int d = 0; d < BOTTOM; d++) {
				parents[count] = middle;
				snprintf(paths[count++], sizeof(paths[0]), "/t%d/m%d/b%d", a, b, d);
			}
		}
	}
	assert_int_equal(count, PATHS);
}

static struct slice path_of(int i)
{
	return slice_of(paths[i]);
}

static struct slice data_of(const struct model_znode *m)
{
	return m->null_data ? (struct slice){ 0 } : slice_of(m->data);
}

/* ACLs differ by their permissions. */
static struct slice acl_bytes(int which)
{
	static uint8_t room[ACLS][64];
	struct buf b = { .data = room[which],
			 .cap = sizeof(room[which]),
			 .limit = sizeof(room[which]) };
	struct proto_acl entry = { which + 1, slice_of("world"), slice_of("anyone") };
	struct jute_writer w;

	jute_writer_init(&w, &b);
	jute_write_int(&w, 1);
	proto_write_acl(&w, &entry);
	return buf_slice(&b);
}

static struct acl *take_acl(int which)
{
	return acl_take(tree_acls(tree), acl_bytes(which));
}

/* --- comparing --- */

static bool is_pending(int i)
{
	return model.znodes[i].changed > store_replayed(store);
}

static void compare_stat(const struct znode *z, const struct model_znode *m)
{
	struct proto_stat s = znode_stat(z);

	assert_int_equal(s.czxid, m->stat.czxid);
	assert_int_equal(s.mzxid, m->stat.mzxid);
	assert_int_equal(s.pzxid, m->stat.pzxid);
	assert_int_equal(s.ctime, m->stat.ctime);
	assert_int_equal(s.mtime, m->stat.mtime);
	assert_int_equal(s.version, m->stat.version);
	assert_int_equal(s.aversion, m->stat.aversion);
	assert_int_equal(s.cversion, 2 * m->creates - m->stat.num_children);
	assert_int_equal(s.ephemeral_owner, m->stat.ephemeral_owner);
	assert_int_equal(s.num_children, m->stat.num_children);
	assert_int_equal(s.data_length, data_of(m).len);
	assert_int_equal(z->st.creates, m->creates);
	assert_int_equal(znode_data(z).data == NULL, m->null_data);
	assert_true(slice_equal(znode_data(z), data_of(m)));
	assert_true(slice_equal(acl_encoded(z->st.acl), acl_bytes(m->acl)));
	assert_int_equal(znode_is_ephemeral(z), m->stat.ephemeral_owner != 0);
}

static void compare_znode(int i)
{
	const struct model_znode *m = &model.znodes[i];
	struct znode *z;
	int64_t mark;
	enum tree_result result = tree_find(tree, path_of(i), &z, &mark);

	assert_int_equal(result, m->exists ? TREE_FOUND : TREE_ABSENT);
	/* A reader waits for the change that decides its answer, and for nothing that is long on
	 * disk. */
	if (is_pending(i))
		assert_int_equal(mark, m->changed);
	else
		assert_true(mark <= store_replayed(store));
	if (m->exists)
		compare_stat(z, m);
	else
		assert_null(z);
}

struct listing {
	bool seen[PATHS];
	int parent;
};

static void see_name(void *ctx, struct slice name)
{
	struct listing *l = ctx;

	for (int i = 0; i < PATHS; i++) {
		if (parents[i] != l->parent || !slice_equal(path_name(path_of(i)), name))
			continue;
		assert_false(l->seen[i]);
		l->seen[i] = true;
		return;
	}
	fail_msg("\"%.*s\" is no child of %s", (int)name.len, name.data, paths[l->parent]);
}

static void compare_list(int i)
{
	struct listing l = { .parent = i };
	struct znode *z;
	int64_t mark;

	if (!model.znodes[i].exists)
		return;
	assert_int_equal(tree_find(tree, path_of(i), &z, &mark), TREE_FOUND);
	assert_true(tree_list(tree, z, see_name, &l));
	for (int child = 0; child < PATHS; child++)
		if (parents[child] == i && l.seen[child] != model.znodes[child].exists)
			fail_msg("%s is %slisted", paths[child], l.seen[child] ? "" : "not ");
}

static void compare_owners(void)
{
	uint64_t owners = 0;

	for (int64_t session = 1; session <= SESSIONS; session++) {
		struct list *owned = tree_owned(tree, session);
		unsigned count = 0, listed = 0;

		for (int i = 0; i < PATHS; i++)
			count += model.znodes[i].exists &&
				 model.znodes[i].stat.ephemeral_owner == session;
		assert_int_equal(tree_owned_count(tree, session), count);
		assert_int_equal(owned != NULL, count > 0);
		owners += count > 0;
		if (!owned)
			continue;
		list_foreach(link, owned) {
			const struct znode *z = container_of(link, struct znode, owned);

			assert_int_equal(z->st.owner, session);
			listed++;
		}
		assert_int_equal(listed, count);
	}
	assert_int_equal(tree_counts(tree).owners, owners);
}

static void compare_counts(void)
{
	struct tree_counts counts = tree_counts(tree);
	uint64_t znodes = 0, ephemerals = 0, pending = 0, settled = 0;

	for (int i = 0; i < PATHS; i++) {
		znodes += model.znodes[i].exists;
		ephemerals += model.znodes[i].exists && model.znodes[i].stat.ephemeral_owner;
		pending += is_pending(i);
		settled += model.znodes[i].exists && model.znodes[i].stat.ephemeral_owner &&
			   !is_pending(i);
	}
	assert_int_equal(counts.znodes, znodes);
	assert_int_equal(counts.ephemerals, ephemerals);
	assert_int_equal(counts.pending, pending);
	assert_int_equal(counts.pending_bytes > 0, pending > 0);
	/* Nothing else is kept. */
	assert_int_equal(counts.held, pending + settled + counts.cached);
}

static void compare_all(void)
{
	for (int i = 0; i < PATHS; i++)
		compare_znode(i);
	for (int i = 0; i < PATHS; i++)
		compare_list(i);
	compare_owners();
	compare_counts();
}

/* --- changing both --- */

struct expected_event {
	enum event_type type;
	int path;
};
static struct expected_event expected[4 * OPERATIONS];
static size_t expected_count;

static void expect_event(enum event_type type, int path)
{
	expected[expected_count++] = (struct expected_event){ type, path };
}

static void begin(void)
{
	zxid++;
	now_ms++;
	expected_count = 0;
	tree_begin(tree, zxid, now_ms);
}

/* What a request would look up first; NULL where it is not there, *unreadable where nobody
 * knows. */
static struct znode *look_up(int i, bool *unreadable)
{
	struct znode *z;
	int64_t mark;

	if (tree_find(tree, path_of(i), &z, &mark) == TREE_UNREADABLE)
		*unreadable = true;
	else
		assert_int_equal(z != NULL, model.znodes[i].exists);
	return z;
}

static void child_moved(int i, int by)
{
	struct model_znode *p = &model.znodes[parents[i]];

	p->stat.num_children += by;
	p->creates += by > 0;
	p->stat.pzxid = zxid;
	p->changed = zxid;
}

static void set_some_data(struct model_znode *m)
{
	m->null_data = rand() % 4 == 0;
	snprintf(m->data, sizeof(m->data), "%.*s", m->null_data ? 0 : rand() % 4, "abc");
}

static bool do_create(int i)
{
	struct model_znode *m = &model.znodes[i];
	int64_t owner = rand() % 2 ? 1 + rand() % SESSIONS : 0;
	bool unreadable = false;
	struct znode *parent = look_up(parents[i], &unreadable);
	struct znode *z = unreadable ? NULL : look_up(i, &unreadable);

	if (unreadable)
		return false;
	assert_null(z);
	*m = (struct model_znode){ .exists = true, .acl = rand() % ACLS, .changed = zxid };
	m->stat = (struct proto_stat){ .czxid = zxid,
				       .mzxid = zxid,
				       .pzxid = zxid,
				       .ctime = now_ms,
				       .mtime = now_ms,
				       .ephemeral_owner = owner };
	set_some_data(m);
	child_moved(i, 1);
	z = tree_create(tree, parent, path_of(i), data_of(m), take_acl(m->acl), owner);
	assert_non_null(z);
	compare_stat(z, m);
	expect_event(EVENT_NODE_CREATED, i);
	expect_event(EVENT_NODE_CHILDREN_CHANGED, parents[i]);
	return true;
}

static bool do_delete(int i)
{
	bool unreadable = false;
	struct znode *parent = look_up(parents[i], &unreadable);
	struct znode *z = unreadable ? NULL : look_up(i, &unreadable);

	if (unreadable)
		return false;
	model.znodes[i].exists = false;
	model.znodes[i].changed = zxid;
	child_moved(i, -1);
	tree_delete(tree, parent, z);
	expect_event(EVENT_NODE_DELETED, i);
	expect_event(EVENT_NODE_CHILDREN_CHANGED, parents[i]);
	return true;
}

static bool do_set_data(int i)
{
	struct model_znode *m = &model.znodes[i];
	bool unreadable = false;
	struct znode *z = look_up(i, &unreadable);

	if (unreadable)
		return false;
	set_some_data(m);
	m->stat.version++;
	m->stat.mzxid = m->changed = zxid;
	m->stat.mtime = now_ms;
	assert_int_equal(tree_set_data(tree, z, data_of(m), m->stat.version), 0);
	expect_event(EVENT_NODE_DATA_CHANGED, i);
	return true;
}

static bool do_set_acl(int i)
{
	struct model_znode *m = &model.znodes[i];
	bool unreadable = false;
	struct znode *z = look_up(i, &unreadable);

	if (unreadable)
		return false;
	m->acl = rand() % ACLS;
	m->stat.aversion++;
	m->changed = zxid;
	tree_set_acl(tree, z, take_acl(m->acl), m->stat.aversion);
	return true;
}

/* False where the tree could not be read. */
static bool do_something(void)
{
	for (;;) {
		int i = 1 + rand() % (PATHS - 1);
		const struct model_znode *m = &model.znodes[i], *p = &model.znodes[parents[i]];

		if (!m->exists) {
			if (p->exists && !p->stat.ephemeral_owner)
				return do_create(i);
			continue;
		}
		switch (rand() % 4) {
		case 0:
			return do_set_acl(i);
		case 1:
			return do_set_data(rand() % 8 ? i : 0);
		default:
			if (m->stat.num_children == 0)
				return do_delete(i);
		}
	}
}

static void compare_events(void)
{
	size_t count;
	const struct tree_event *events = tree_events(tree, &count);

	assert_int_equal(count, expected_count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(events[i].type, expected[i].type);
		assert_true(slice_equal(znode_path(events[i].z), path_of(expected[i].path)));
	}
}

/* Created and deleted in one change: it never was, so its place is as it was before. */
static void forget_what_never_was(const struct model *before)
{
	for (int i = 0; i < PATHS; i++)
		if (!model.znodes[i].exists && !before->znodes[i].exists)
			model.znodes[i].changed = before->znodes[i].changed;
}

static void log_change(void)
{
	struct record_head head = { .zxid = zxid, .prev = last_logged, .op = "test" };
	struct buf body;

	buf_init(&body, 1 << 20);
	assert_int_equal(tree_record(tree, &body), 0);
	store_append(store, &head, buf_slice(&body));
	buf_fini(&body);
	last_logged = zxid;
}

static void commit(const struct model *before)
{
	compare_events();
	log_change();
	tree_commit(tree);
	forget_what_never_was(before);
}

static void rollback(const struct model *before)
{
	tree_rollback(tree);
	model = *before;
}

static void random_change(void)
{
	struct model before = model;
	int count = 1 + rand() % OPERATIONS;
	bool ok = true;

	begin();
	for (int i = 0; i < count && ok; i++)
		ok = do_something();
	if (ok && rand() % 10 < 7)
		commit(&before);
	else
		rollback(&before);
}

/* As at a session's end. */
static void end_session(int64_t session)
{
	struct model before = model;
	struct list *owned;
	bool ok = true;

	begin();
	while (ok && (owned = tree_owned(tree, session))) {
		struct slice path = znode_path(container_of(owned->next, struct znode, owned));
		int i = 0;

		while (!slice_equal(path_of(i), path))
			i++;
		/* expected[] is for a few operations. */
		expected_count = 0;
		ok = do_delete(i);
	}
	if (!ok) {
		rollback(&before);
		return;
	}
	log_change();
	tree_commit(tree);
}

static void tell(void)
{
	fake_store_tell(store);
	tree_replayed(tree, store_replayed(store));
}

/* --- starts --- */

static void load_session(void *ctx, const struct record_session *s)
{
	(void)ctx;
	(void)s;
}

static void load_ephemeral(void *ctx, const struct record_znode *z)
{
	(void)ctx;
	tree_load_ephemeral(tree, z);
}

static void load_change(void *ctx, const struct record_head *head, struct slice body)
{
	struct record_reader r;
	struct record_item item;

	(void)ctx;
	record_reader_init(&r, body);
	while (record_read(&r, &item) != RECORD_ITEM_END) {
		assert_int_equal(item.kind, RECORD_ITEM_ZNODE);
		assert_true(tree_load_change(tree, head->zxid, &item.znode));
	}
	tree_end_turn(tree);
}

static size_t cache_bytes;

static void load(void)
{
	const struct store_loader loader = { NULL, load_session, load_ephemeral, load_change };
	char reason[STORE_REASON_LEN];

	tree = tree_new(store, cache_bytes);
	assert_int_equal(store_load(store, &loader, reason), 0);
}

static void restart(void)
{
	tree_free(tree);
	fake_store_flush(store, SIZE_MAX);
	fake_store_restart(store);
	load();
}

/* A root, in the log. */
static void begin_empty(size_t cache)
{
	struct record_znode root = { .path = slice_of("/"),
				     .columns = RECORD_ALL,
				     .data = slice_of(""),
				     .acl = acl_bytes(0) };
	struct record_head head = { .zxid = 1, .op = "begin" };
	struct buf body;

	make_paths();
	cache_bytes = cache;
	store = fake_store_new();
	zxid = last_logged = 1;
	now_ms = 1000;
	memset(&model, 0, sizeof(model));
	model.znodes[0].exists = true;
	model.znodes[0].changed = 1;
	buf_init(&body, 4096);
	assert_int_equal(record_put_znode(&body, &root), 0);
	store_append(store, &head, buf_slice(&body));
	buf_fini(&body);
	load();
}

static int set_up(void **state)
{
	(void)state;
	begin_empty(1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_free(tree);
	fake_store_free(store);
	return 0;
}

/* --- the walk --- */

static void random_step(void)
{
	switch (rand() % 20) {
	case 0:
		fake_store_replay(store, (size_t)(rand() % 12));
		break;
	case 1:
		tell();
		break;
	case 2:
		end_session(1 + rand() % SESSIONS);
		break;
	case 3:
		if (rand() % 20 == 0)
			restart();
		break;
	case 4:
		fake_store_replay(store, SIZE_MAX);
		tell();
		break;
	case 5:
		fake_store_set_unreadable(store, true);
		random_change();
		end_session(1 + rand() % SESSIONS);
		fake_store_set_unreadable(store, false);
		break;
	case 6:
	case 7:
		compare_list(rand() % PATHS);
		break;
	case 8:
	case 9:
		compare_znode(rand() % PATHS);
		break;
	default:
		random_change();
	}
	if (rand() % 3 == 0) {
		tree_end_turn(tree);
		/* Without a cache this is 0: what was counted in is counted out. */
		assert_true(tree_counts(tree).cached_bytes <= cache_bytes);
	}
}

static void walk(unsigned seed, size_t cache, int steps)
{
	srand(seed);
	begin_empty(cache);
	for (int step = 0; step < steps; step++) {
		random_step();
		compare_owners();
		compare_counts();
		if (step % 7 == 0)
			compare_all();
	}
	fake_store_replay(store, SIZE_MAX);
	tell();
	restart();
	compare_all();
	tear_down(NULL);
}

static void test_walk(void **state)
{
	static const size_t caches[] = { 0, 700, 2000, 1 << 20 };

	(void)state;
	for (unsigned seed = 1; seed <= 24; seed++)
		walk(seed, caches[seed % 4], 800);
}

/* --- rules --- */

static struct znode *found(const char *path)
{
	struct znode *z;
	int64_t mark;

	assert_int_equal(tree_find(tree, slice_of(path), &z, &mark), TREE_FOUND);
	return z;
}

static void commit_change(void)
{
	log_change();
	tree_commit(tree);
}

static void create(const char *path, int64_t owner)
{
	struct slice parent = path_parent(slice_of(path));
	struct znode *p;
	int64_t mark;

	begin();
	assert_int_equal(tree_find(tree, parent, &p, &mark), TREE_FOUND);
	assert_non_null(tree_create(tree, p, slice_of(path), slice_of("data"), take_acl(0), owner));
	commit_change();
}

static void drop(const char *path)
{
	struct slice parent = path_parent(slice_of(path));
	struct znode *p;
	int64_t mark;

	begin();
	assert_int_equal(tree_find(tree, parent, &p, &mark), TREE_FOUND);
	tree_delete(tree, p, found(path));
	commit_change();
}

static void replay(void)
{
	fake_store_replay(store, SIZE_MAX);
	tell();
}

static bool is_there(const char *path)
{
	struct znode *z;
	int64_t mark;
	enum tree_result result = tree_find(tree, slice_of(path), &z, &mark);

	assert_int_not_equal(result, TREE_UNREADABLE);
	return result == TREE_FOUND;
}

/* Parents that come and go leave nothing behind: their lists are cache like any other. */
static void test_lists_are_bounded(void **state)
{
	char parent[32], child[40];
	uint64_t most = 0;

	(void)state;
	tear_down(NULL);
	begin_empty(20000);
	for (int i = 0; i < 2000; i++) {
		snprintf(parent, sizeof(parent), "/lock-%d", i);
		snprintf(child, sizeof(child), "%s/holder", parent);
		create(parent, 0);
		create(child, 1);
		drop(child);
		drop(parent);
		replay();
		tree_end_turn(tree);
		assert_true(tree_counts(tree).cached_bytes <= 20000);
		if (tree_counts(tree).dirs > most)
			most = tree_counts(tree).dirs;
	}
	assert_true(most < 300);
}

static void count_name(void *ctx, struct slice name)
{
	int *count = ctx;

	(void)name;
	(*count)++;
}

enum { MANY = 1000 };

struct names_seen {
	int count[MANY];
	uint64_t most_cached;
};

static void note_name(void *ctx, struct slice name)
{
	struct names_seen *seen = ctx;
	char text[16];
	int number;

	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.data);
	assert_int_equal(sscanf(text, "n%d", &number), 1);
	seen->count[number]++;
	if (tree_counts(tree).cached_bytes > seen->most_cached)
		seen->most_cached = tree_counts(tree).cached_bytes;
}

static void check_long_list(int first, int end)
{
	struct names_seen seen = { 0 };
	uint64_t before = tree_counts(tree).cached_bytes;

	assert_true(tree_list(tree, found("/many"), note_name, &seen));
	for (int i = 0; i < MANY; i++)
		assert_int_equal(seen.count[i], i >= first && i < end);
	assert_true(seen.most_cached <= before + 1000);
}

/* A list that is long beside the cache is passed on as it is read, memory's word laid over it. */
static void test_a_long_list_is_not_kept(void **state)
{
	char path[32];
	uint64_t dirs;

	(void)state;
	tear_down(NULL);
	begin_empty(20000);
	create("/many", 0);
	for (int i = 0; i < MANY - 100; i++) {
		snprintf(path, sizeof(path), "/many/n%d", i);
		create(path, 0);
	}
	replay();
	restart();
	dirs = tree_counts(tree).dirs;
	check_long_list(0, MANY - 100);
	assert_int_equal(tree_counts(tree).dirs, dirs);
	for (int i = MANY - 100; i < MANY; i++) {
		snprintf(path, sizeof(path), "/many/n%d", i);
		create(path, i % 2);
	}
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/many/n%d", i);
		drop(path);
	}
	check_long_list(50, MANY);
	replay();
	check_long_list(50, MANY);
	/* Where it cannot be read nobody is told that it is all. */
	fake_store_set_unreadable(store, true);
	assert_false(tree_list(tree, found("/many"), count_name, &(int){ 0 }));
	fake_store_set_unreadable(store, false);
	check_long_list(50, MANY);
}

/* What waits for replay takes the room of what is cached, but for a quarter. */
static void test_pending_znodes_take_the_room_of_cached_ones(void **state)
{
	enum { ROOM = 20000 };
	char path[32];

	(void)state;
	tear_down(NULL);
	begin_empty(ROOM);
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		create(path, 0);
		replay();
		tree_end_turn(tree);
	}
	assert_in_range(tree_counts(tree).cached_bytes, ROOM * 9 / 10, ROOM);
	for (int i = 300; i < 600; i++) {
		struct tree_counts c;

		snprintf(path, sizeof(path), "/n%d", i);
		create(path, 0);
		tree_end_turn(tree);
		c = tree_counts(tree);
		if (c.pending_bytes < ROOM * 3 / 4)
			assert_true(c.cached_bytes + c.pending_bytes <= ROOM);
		else
			assert_in_range(c.cached_bytes, ROOM / 4 - 1000, ROOM / 4);
	}
	assert_true(tree_counts(tree).pending_bytes > ROOM);
	/* They are cached in their turn. */
	replay();
	tree_end_turn(tree);
	assert_int_equal(tree_counts(tree).pending, 0);
	assert_in_range(tree_counts(tree).cached_bytes, ROOM * 9 / 10, ROOM);
}

/* What is hot is not read again. */
static void test_the_cache_is_used(void **state)
{
	size_t before = fake_store_reads(store);
	struct znode *z;
	int64_t mark;
	int names = 0;

	(void)state;
	create("/a", 0);
	create("/a/b", 0);
	/* The list of a parent that had no children is known without a look. */
	assert_true(tree_list(tree, found("/a"), count_name, &names));
	assert_int_equal(names, 1);
	assert_true(fake_store_reads(store) <= before + 1);
	names = 0;
	replay();
	restart();
	assert_true(is_there("/a/b"));
	assert_true(tree_list(tree, found("/a"), count_name, &names));
	assert_int_equal(names, 1);
	before = fake_store_reads(store);
	for (int i = 0; i < 5; i++) {
		tree_end_turn(tree);
		assert_true(is_there("/a/b"));
		/* The list is complete: what is not in it is nowhere. */
		assert_false(is_there("/a/c"));
		/* No children, nothing below. */
		assert_false(is_there("/a/b/c"));
	}
	assert_int_equal(fake_store_reads(store), before);
	assert_int_equal(tree_find(tree, slice_of("no slash"), &z, &mark), TREE_ABSENT);
	assert_int_equal(tree_find(tree, slice_of(""), &z, &mark), TREE_ABSENT);
	assert_int_equal(fake_store_reads(store), before);
}

/* The least recently used goes first. */
static void test_what_is_used_stays(void **state)
{
	char path[32];
	size_t before;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/n%02d", i);
		create(path, 0);
	}
	replay();
	tear_down(NULL);
	begin_empty(8000);
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/n%02d", i);
		create(path, 0);
	}
	replay();
	for (int turn = 0; turn < 20; turn++) {
		assert_true(is_there("/n07"));
		for (int i = 0; i < 10; i++) {
			snprintf(path, sizeof(path), "/n%02d", (turn * 10 + i) % 100);
			assert_true(is_there(path));
		}
		tree_end_turn(tree);
	}
	before = fake_store_reads(store);
	assert_true(is_there("/n07"));
	assert_int_equal(fake_store_reads(store), before);
}

/* Lists as well, and lists and znodes are one order. */
static void test_a_list_that_is_used_stays(void **state)
{
	char path[32];
	size_t before;

	(void)state;
	tear_down(NULL);
	begin_empty(6000);
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/p%02d", i);
		create(path, 0);
		snprintf(path, sizeof(path), "/p%02d/child", i);
		create(path, 0);
	}
	replay();
	restart();
	tree_end_turn(tree);
	for (int turn = 0; turn < 40; turn++) {
		int names = 0;

		snprintf(path, sizeof(path), "/p%02d", turn % 20);
		before = fake_store_reads(store);
		assert_true(tree_list(tree, found("/p07"), count_name, &names));
		if (turn > 0)
			assert_int_equal(fake_store_reads(store), before);
		assert_true(tree_list(tree, found(path), count_name, &names));
		assert_int_equal(names, 2);
		tree_end_turn(tree);
	}
	assert_true(tree_counts(tree).dirs < 20);
}

/* tree.db is ahead of what the core was told: memory decides until then, and agrees afterwards. */
static void test_rows_ahead_of_the_core(void **state)
{
	int64_t mark;
	struct znode *z;

	(void)state;
	create("/a", 0);
	create("/b", 1);
	replay();
	drop("/a");
	drop("/b");
	create("/c", 0);
	fake_store_replay(store, SIZE_MAX);
	assert_int_equal(tree_find(tree, slice_of("/a"), &z, &mark), TREE_ABSENT);
	assert_int_equal(mark, zxid - 2);
	assert_true(is_there("/c"));
	tell();
	assert_false(is_there("/a"));
	assert_false(is_there("/b"));
	assert_true(is_there("/c"));
	assert_int_equal(tree_counts(tree).pending, 0);
}

/* The other way round: the row is still there, the tombstone says no. */
static void test_a_tombstone_hides_its_row(void **state)
{
	struct znode *z;
	int64_t mark;

	(void)state;
	create("/a", 0);
	replay();
	drop("/a");
	assert_int_equal(tree_find(tree, slice_of("/a"), &z, &mark), TREE_ABSENT);
	assert_int_equal(mark, zxid);
	create("/a", 1);
	assert_int_equal(found("/a")->st.owner, 1);
	fake_store_replay(store, 1);
	tell();
	assert_int_equal(found("/a")->st.owner, 1);
	drop("/a");
	replay();
	assert_false(is_there("/a"));
	assert_int_equal(tree_counts(tree).znodes, 1);
}

static void test_unreadable(void **state)
{
	struct znode *z;
	int64_t mark;
	int names = 0;

	(void)state;
	create("/a", 0);
	create("/a/b", 0);
	replay();
	restart();
	fake_store_set_unreadable(store, true);
	assert_int_equal(tree_find(tree, slice_of("/a"), &z, &mark), TREE_UNREADABLE);
	assert_null(z);
	fake_store_set_unreadable(store, false);
	z = found("/a");
	fake_store_set_unreadable(store, true);
	assert_false(tree_list(tree, z, count_name, &names));
	assert_int_equal(tree_counts(tree).dirs, 0);
	/* Half a list is no list. */
	assert_int_equal(tree_find(tree, slice_of("/a/b"), &z, &mark), TREE_UNREADABLE);
	fake_store_set_unreadable(store, false);
	assert_true(is_there("/a/b"));
}

/* Memory that a client asks for may be missing: the change goes on without. */
static void test_out_of_memory(void **state)
{
	struct acl *acl;

	(void)state;
	create("/a", 0);
	begin();
	acl = take_acl(1);
	mem_fail_after(1);
	assert_null(tree_create(tree, found("/"), slice_of("/b"), slice_of("x"), acl, 0));
	acl_unref(tree_acls(tree), acl);
	mem_fail_after(1);
	assert_int_equal(tree_set_data(tree, found("/a"), slice_of("x"), 1), -1);
	mem_fail_after(0);
	tree_rollback(tree);
	assert_false(is_there("/b"));
	assert_int_equal(found("/a")->st.version, 0);
	assert_true(slice_is(znode_data(found("/a")), "data"));
	create("/b", 0);
	assert_true(is_there("/b"));
}

/* A tombstone is small, and what is replayed is pending no more. */
static void test_pending_bytes(void **state)
{
	char large[5000];
	uint64_t empty;

	(void)state;
	replay();
	empty = tree_counts(tree).pending_bytes;
	assert_int_equal(empty, 0);
	create("/a", 0);
	memset(large, 'x', sizeof(large));
	begin();
	assert_int_equal(
		tree_set_data(tree, found("/a"), (struct slice){ large, sizeof(large) }, 1), 0);
	commit_change();
	assert_true(tree_counts(tree).pending_bytes > sizeof(large));
	drop("/a");
	assert_in_range(tree_counts(tree).pending_bytes, 1, sizeof(large));
	replay();
	assert_int_equal(tree_counts(tree).pending_bytes, 0);
}

/* A log that does not belong to the tree is noticed. */
static void test_a_change_of_nothing(void **state)
{
	struct record_znode change = { .path = slice_of("/nothing"), .columns = RECORD_DATA };

	(void)state;
	assert_false(tree_load_change(tree, 99, &change));
}

#define TREE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		TREE_TEST(test_lists_are_bounded),
		TREE_TEST(test_a_long_list_is_not_kept),
		TREE_TEST(test_pending_znodes_take_the_room_of_cached_ones),
		TREE_TEST(test_the_cache_is_used),
		TREE_TEST(test_what_is_used_stays),
		TREE_TEST(test_a_list_that_is_used_stays),
		TREE_TEST(test_rows_ahead_of_the_core),
		TREE_TEST(test_a_tombstone_hides_its_row),
		TREE_TEST(test_unreadable),
		TREE_TEST(test_out_of_memory),
		TREE_TEST(test_pending_bytes),
		TREE_TEST(test_a_change_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
