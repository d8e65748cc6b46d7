#include "core/request.h"

#include "core/audit.h"

/* Whoever has a lasting watch reads on, where the events are told. */
static void note_watch(struct request *rq, struct slice path, enum watch_mode mode)
{
	struct audit *a = registry_audit(rq->registry);
	struct slice op = slice_of(opcode_name(rq->type));

	if (mode == WATCH_RECURSIVE)
		audit_read_below(a, rq->client, op, path);
	else
		audit_read_client(a, rq->client, op, path);
}

/* What became of a path since the client saw zxid since: an event that is due, or none: then the
 * watch is armed. Whoever may not read a znode learns nothing of its changes here either. */
static enum zerr due_event(struct request *rq, struct slice path, enum watch_mode mode,
			   int64_t since, bool for_creation, enum event_type *due, bool *is_due)
{
	struct znode *z;
	enum zerr err;

	*is_due = false;
	if (!(access_rights(&rq->client->ids, path) & PERM_READ))
		return ZERR_OK;
	err = request_find(rq, path, &z);
	if (err == ZERR_NO_NODE) {
		*due = EVENT_NODE_DELETED;
		*is_due = !for_creation;
		return ZERR_OK;
	}
	if (err != ZERR_OK || !access_allows(&rq->client->ids, path, z->st.acl, PERM_READ))
		return err;
	request_note_read(rq, path);
	if (for_creation) {
		*due = EVENT_NODE_CREATED;
		*is_due = true;
	} else if (mode == WATCH_DATA) {
		*due = EVENT_NODE_DATA_CHANGED;
		*is_due = z->st.mzxid > since;
	} else {
		*due = EVENT_NODE_CHILDREN_CHANGED;
		*is_due = z->st.pzxid > since;
	}
	return ZERR_OK;
}

static enum zerr set_each(struct request *rq, struct jute_reader paths, int32_t count,
			  enum watch_mode mode, int64_t since, bool for_creation)
{
	for (int32_t i = 0; i < count && !rq->client->stopped; i++) {
		struct slice path = jute_read_buffer(&paths);
		enum event_type due;
		bool is_due;
		enum zerr err;

		if (!path.data)
			return ZERR_MARSHALLING;
		/* What is due is told at once, with the path. */
		err = request_allow_path(rq, path);
		if (err == ZERR_OK)
			err = due_event(rq, path, mode, since, for_creation, &due, &is_due);
		if (err != ZERR_OK)
			return err;
		if (is_due)
			registry_send_event(rq->registry, rq->client, due, path, -1, rq->mark);
		else
			err = request_watch(rq, path, mode);
		if (err != ZERR_OK)
			return err;
		/* No znode is held from here to the next path. */
		tree_trim(registry_tree(rq->registry));
	}
	return ZERR_OK;
}

/* Persistent watches tell of nothing that was missed, as in ZooKeeper. */
static enum zerr arm_each(struct request *rq, struct jute_reader paths, int32_t count,
			  enum watch_mode mode)
{
	enum zerr err = ZERR_OK;

	for (int32_t i = 0; i < count && err == ZERR_OK && !rq->client->stopped; i++) {
		struct slice path = jute_read_buffer(&paths);

		err = path.data ? request_watch(rq, path, mode) : ZERR_MARSHALLING;
		if (err == ZERR_OK)
			note_watch(rq, path, mode);
	}
	return err;
}

enum { LIST_DATA, LIST_EXIST, LIST_CHILD, LIST_PERSISTENT, LIST_RECURSIVE, LISTS };

static enum zerr set_list(struct request *rq, int list, struct jute_reader paths, int32_t count,
			  int64_t since)
{
	/* As in ZooKeeper, the lists before one that is null count. */
	if (count < 0)
		return ZERR_MARSHALLING;
	switch (list) {
	case LIST_DATA:
		return set_each(rq, paths, count, WATCH_DATA, since, false);
	case LIST_EXIST:
		return set_each(rq, paths, count, WATCH_DATA, since, true);
	case LIST_CHILD:
		return set_each(rq, paths, count, WATCH_CHILD, since, false);
	case LIST_PERSISTENT:
		return arm_each(rq, paths, count, WATCH_PERSISTENT);
	default:
		return arm_each(rq, paths, count, WATCH_RECURSIVE);
	}
}

/* setWatches has the first three lists, setWatches2 all of them. */
enum zerr request_set_watches(struct request *rq)
{
	int lists = rq->type == OP_SET_WATCHES2 ? LISTS : LIST_PERSISTENT;
	int64_t since = jute_read_long(&rq->in);
	struct jute_reader paths[LISTS];
	int32_t count[LISTS];
	enum zerr err = ZERR_OK;

	for (int i = 0; i < lists; i++)
		count[i] = proto_read_strings(&rq->in, &paths[i]);
	if (rq->in.bad)
		return ZERR_MARSHALLING;
	for (int i = 0; i < lists && err == ZERR_OK; i++)
		err = set_list(rq, i, paths[i], count[i], since);
	return err;
}

enum zerr request_add_watch(struct request *rq)
{
	static const enum watch_mode modes[] = {
		[ADD_WATCH_PERSISTENT] = WATCH_PERSISTENT,
		[ADD_WATCH_RECURSIVE] = WATCH_RECURSIVE,
	};
	struct proto_path_number op = proto_read_path_number(&rq->in);
	enum zerr err;

	if (rq->in.bad || !op.path.data || op.number < 0 || op.number > ADD_WATCH_RECURSIVE)
		return ZERR_MARSHALLING;
	err = request_watch(rq, op.path, modes[op.number]);
	if (err != ZERR_OK)
		return err;
	note_watch(rq, op.path, modes[op.number]);
	/* The body is an ErrorResponse; without it the Java client disconnects. */
	jute_write_int(&rq->out, ZERR_OK);
	return err;
}

/* The modes that a WatcherType speaks of; 0: there is no such type. */
static unsigned modes_of_type(int32_t type)
{
	switch (type) {
	case WATCHER_CHILDREN:
		return WATCH_CHILD;
	case WATCHER_DATA:
		return WATCH_DATA;
	case WATCHER_ANY:
		return WATCH_ANY;
	case WATCHER_PERSISTENT:
		return WATCH_PERSISTENT;
	case WATCHER_RECURSIVE:
		return WATCH_RECURSIVE;
	default:
		return 0;
	}
}

/* checkWatches and removeWatches look at the caller's own watches alone. */
static enum zerr read_own_watch(struct request *rq, struct slice *path, unsigned *modes)
{
	struct proto_path_number op = proto_read_path_number(&rq->in);

	*path = op.path;
	*modes = modes_of_type(op.number);
	if (rq->in.bad || *modes == 0)
		return ZERR_MARSHALLING;
	return op.path.data ? ZERR_OK : ZERR_NO_WATCHER;
}

enum zerr request_check_watches(struct request *rq)
{
	struct slice path;
	unsigned modes;
	enum zerr err = read_own_watch(rq, &path, &modes);

	if (err == ZERR_OK &&
	    !watch_is_armed(registry_watches(rq->registry), rq->client, path, modes))
		err = ZERR_NO_WATCHER;
	return err;
}

enum zerr request_remove_watches(struct request *rq)
{
	struct slice path;
	unsigned modes;
	enum zerr err = read_own_watch(rq, &path, &modes);

	if (err == ZERR_OK &&
	    !watch_disarm(registry_watches(rq->registry), rq->client, path, modes))
		err = ZERR_NO_WATCHER;
	return err;
}
