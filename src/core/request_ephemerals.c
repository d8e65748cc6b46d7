#include "core/request.h"

#include "base/list.h"
#include "core/session.h"

/* Blanks as Java's trim() knows them. */
static struct slice trim(struct slice s)
{
	while (s.len && (uint8_t)s.data[0] <= ' ') {
		s.data++;
		s.len--;
	}
	while (s.len && (uint8_t)s.data[s.len - 1] <= ' ')
		s.len--;
	return s;
}

static bool starts_with(struct slice path, struct slice prefix)
{
	return path.len >= prefix.len && memcmp(path.data, prefix.data, prefix.len) == 0;
}

/* The caller's own; a prefix is one of text, not of whole names. */
enum zerr request_get_ephemerals(struct request *rq)
{
	struct slice prefix = jute_read_buffer(&rq->in);
	struct slice trimmed = trim(prefix);
	bool all = trimmed.len == 0 || slice_is(trimmed, "/");
	struct list *owned;
	size_t count_at = buf_len(rq->out.out);
	int32_t count = 0;

	if (rq->in.bad)
		return ZERR_MARSHALLING;
	/* Those that are not on disk yet, and those that are gone, count as well. */
	rq->mark = registry_last_change(rq->registry);
	jute_write_int(&rq->out, 0);
	owned = tree_owned(registry_tree(rq->registry), rq->client->session->id);
	if (!owned)
		return ZERR_OK;
	list_foreach(link, owned) {
		struct slice path = znode_path(container_of(link, struct znode, owned));

		if (!all && !starts_with(path, prefix))
			continue;
		if (!(access_rights(&rq->client->ids, path) & PERM_READ))
			continue;
		request_note_read(rq, path);
		jute_write_buffer(&rq->out, path);
		count++;
	}
	if (!rq->out.bad)
		jute_put_int(rq->out.out->data + rq->out.out->head + count_at, count);
	return ZERR_OK;
}
