#include "core/request.h"

/* What became of a path since the client saw zxid since: an event that is due, or none: then the
 * watch is armed. Whoever may not read a znode learns nothing of its changes here either. */
static enum zerr due_event(struct request *rq, struct slice path, enum watch_kind kind,
			   int64_t since, bool for_creation, enum event_type *due, bool *is_due)
{
	struct znode *z;
	enum zerr err = request_find(rq, path, &z);

	*is_due = false;
	if (err == ZERR_NO_NODE) {
		*due = EVENT_NODE_DELETED;
		*is_due = !for_creation;
		return ZERR_OK;
	}
	if (err != ZERR_OK || request_permit(rq, z, PERM_READ) != ZERR_OK)
		return err;
	if (for_creation) {
		*due = EVENT_NODE_CREATED;
		*is_due = true;
	} else if (kind == WATCH_DATA) {
		*due = EVENT_NODE_DATA_CHANGED;
		*is_due = z->st.mzxid > since;
	} else {
		*due = EVENT_NODE_CHILDREN_CHANGED;
		*is_due = z->st.pzxid > since;
	}
	return ZERR_OK;
}

static enum zerr set_each(struct request *rq, struct jute_reader paths, int32_t count,
			  enum watch_kind kind, int64_t since, bool for_creation)
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
			err = due_event(rq, path, kind, since, for_creation, &due, &is_due);
		if (err != ZERR_OK)
			return err;
		if (is_due)
			registry_send_event(rq->registry, rq->client, due, path, -1, rq->mark);
		else
			err = request_watch(rq, path, kind);
		if (err != ZERR_OK)
			return err;
		/* No znode is held from here to the next path. */
		tree_trim(registry_tree(rq->registry));
	}
	return ZERR_OK;
}

enum zerr request_set_watches(struct request *rq)
{
	int64_t since = jute_read_long(&rq->in);
	struct jute_reader data, exist, child;
	int32_t data_count = proto_read_strings(&rq->in, &data);
	int32_t exist_count = proto_read_strings(&rq->in, &exist);
	int32_t child_count = proto_read_strings(&rq->in, &child);
	enum zerr err;

	if (rq->in.bad || data_count < 0 || exist_count < 0 || child_count < 0)
		return ZERR_MARSHALLING;
	err = set_each(rq, data, data_count, WATCH_DATA, since, false);
	if (err == ZERR_OK)
		err = set_each(rq, exist, exist_count, WATCH_DATA, since, true);
	if (err == ZERR_OK)
		err = set_each(rq, child, child_count, WATCH_CHILD, since, false);
	return err;
}
