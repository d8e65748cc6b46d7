/* What the families of requests share. */
#include "core/request.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "core/audit.h"
#include "core/policy.h"
#include "core/quota.h"
#include "core/session.h"
#include "core/sight.h"

/* Who has one of these knows that a znode is there. */
enum { SEES = PERM_READ | PERM_ADMIN };

enum zerr request_find(struct request *rq, struct slice path, struct znode **z)
{
	int64_t mark;

	if (path.len == 0)
		path = slice_of("/");
	switch (tree_find(registry_tree(rq->registry), path, z, &mark)) {
	case TREE_UNREADABLE:
		return ZERR_SYSTEM;
	case TREE_ABSENT:
	case TREE_FOUND:
		break;
	}
	if (mark > rq->mark)
		rq->mark = mark;
	return *z ? ZERR_OK : ZERR_NO_NODE;
}

enum zerr request_find_parent(struct request *rq, struct slice path, struct znode **z)
{
	const char *slash = memrchr(path.data, '/', path.len);

	return request_find(rq, (struct slice){ path.data, (size_t)(slash - path.data) }, z);
}

static void audit_refusal(const struct request *rq, struct slice path, const char *why)
{
	audit_refuse_client(registry_audit(rq->registry), rq->client,
			    slice_of(opcode_name(rq->type)), path, why);
}

/* A limit of a session or of a request; the client gets an error. */
static void note_limit(const struct request *rq, struct slice path, const char *why)
{
	static struct log_limit limit;
	uint32_t suppressed;

	audit_refusal(rq, path, why);
	if (log_limit_pass(&limit, 20, &suppressed))
		log_warn("request.limited", LOG_TEXT("peer", rq->client->address),
			 LOG_HEX("session", rq->client->session ? rq->client->session->id : 0),
			 LOG_TEXT("op", opcode_name(rq->type)), LOG_TEXT("reason", why),
			 LOG_INT("suppressed", suppressed));
}

/* Who was refused what by the policy. */
static void note_refusal(const struct request *rq, struct slice path, int32_t perms)
{
	static struct log_limit limit;
	uint32_t suppressed;
	char why[64];

	snprintf(why, sizeof(why), "no right by the policy: %s", policy_right_name(perms));
	audit_refusal(rq, path, why);

	metrics_add(METRIC_policy_refused, 1);
	if (log_limit_pass(&limit, 20, &suppressed))
		log_info("policy.refused", LOG_TEXT("peer", rq->client->address),
			 LOG_TEXT("subject", rq->client->subject ? rq->client->subject : "none"),
			 LOG_TEXT("op", opcode_name(rq->type)),
			 LOG_TEXT("right", policy_right_name(perms)), LOG_SLICE("path", path),
			 LOG_INT("suppressed", suppressed));
}

static enum zerr refuse(const struct request *rq, struct slice path, int32_t perms)
{
	note_refusal(rq, path, perms);
	return ZERR_NO_AUTH;
}

static enum zerr refuse_by_acl(const struct request *rq, struct slice path)
{
	audit_refusal(rq, path, "no permission by ACL");
	return ZERR_NO_AUTH;
}

enum zerr request_pass_policy(struct request *rq, struct slice path, int32_t perms)
{
	return access_rights(&rq->client->ids, path) & perms ? ZERR_OK : refuse(rq, path, perms);
}

enum zerr request_hide(struct request *rq, struct slice path, enum zerr err)
{
	bool tells = err == ZERR_NO_NODE || err == ZERR_NODE_EXISTS ||
		     err == ZERR_NO_CHILDREN_FOR_EPHEMERALS;

	if (tells && request_pass_policy(rq, path, SEES) != ZERR_OK)
		return ZERR_NO_AUTH;
	return err;
}

void request_note_read(struct request *rq, struct slice path)
{
	audit_read_client(registry_audit(rq->registry), rq->client, slice_of(opcode_name(rq->type)),
			  path);
}

enum zerr request_find_permitted(struct request *rq, struct slice path, int32_t perms,
				 struct znode **z)
{
	struct access_ids *ids = &rq->client->ids;
	int32_t rights = access_rights(ids, path);
	enum zerr err;

	if ((rights & perms) == 0)
		return refuse(rq, path, perms);
	err = request_find(rq, path, z);
	if (err == ZERR_NO_NODE && (rights & SEES) == 0)
		return refuse(rq, path, SEES);
	if (err == ZERR_OK && access_asks_acl(ids, path) &&
	    !access_permits((*z)->st.acl, ids, rights & perms))
		return refuse_by_acl(rq, path);
	if (err == ZERR_OK && (perms & PERM_READ))
		request_note_read(rq, path);
	return err;
}

enum zerr request_permit_child(const struct request *rq, const struct znode *parent,
			       struct slice path, int32_t perms)
{
	struct access_ids *ids = &rq->client->ids;

	if (!access_asks_acl(ids, path) || access_permits(parent->st.acl, ids, perms))
		return ZERR_OK;
	return refuse_by_acl(rq, path);
}

enum zerr request_stat(struct request *rq, const struct znode *z, struct proto_stat *stat)
{
	*stat = znode_stat(z);
	return sight_count(rq, z, &stat->num_children) ? ZERR_OK : ZERR_SYSTEM;
}

enum zerr request_next_version(int32_t current, int32_t expected, int32_t *next)
{
	if (expected != PROTO_VERSION_ANY && expected != current)
		return ZERR_BAD_VERSION;
	*next = (int32_t)((uint32_t)current + 1);
	/* -1 would mean "any" to whoever sends it back (ZOOKEEPER-4743). */
	if (*next == PROTO_VERSION_ANY)
		*next = 0;
	return ZERR_OK;
}

enum zerr request_end_change(struct request *rq, enum zerr err, struct slice path)
{
	if (err == ZERR_OK && !change_commit(rq->registry, rq->client, rq->type, path, NULL, NULL))
		err = ZERR_MARSHALLING;
	if (err != ZERR_OK)
		change_abort(rq->registry);
	rq->zxid = registry_last_zxid(rq->registry);
	rq->mark = registry_last_change(rq->registry);
	return err;
}

enum zerr request_malformed_write(struct request *rq)
{
	rq->zxid = registry_last_zxid(rq->registry);
	rq->mark = registry_last_change(rq->registry);
	return ZERR_MARSHALLING;
}

enum zerr request_allow_path(struct request *rq, struct slice path)
{
	if (path.len <= registry_options(rq->registry)->max_path)
		return ZERR_OK;
	metrics_add(METRIC_paths_refused, 1);
	note_limit(rq, (struct slice){ 0 }, "the path is too long");
	return ZERR_BAD_ARGUMENTS;
}

enum zerr request_fix_acls(struct request *rq, struct slice path, const struct proto_acls *given,
			   struct buf *out)
{
	enum zerr err = access_fix_acls(&rq->client->ids, given, out);

	if (err != ZERR_OK || acl_has_room(tree_acls(registry_tree(rq->registry)), buf_slice(out),
					   registry_options(rq->registry)->max_acls))
		return err;
	metrics_add(METRIC_acls_refused, 1);
	note_limit(rq, path, "too many different ACLs");
	return ZERR_INVALID_ACL;
}

enum zerr request_watch(struct request *rq, struct slice path, enum watch_mode mode)
{
	const struct registry_options *o = registry_options(rq->registry);
	struct client *c = rq->client;
	enum zerr err = request_allow_path(rq, path);

	if (err != ZERR_OK)
		return err;
	/* One that is armed already does not count again. */
	watch_arm(registry_watches(rq->registry), c, path, mode);
	if (c->watch_count <= o->max_watches && c->watch_bytes <= o->max_watch_bytes)
		return ZERR_OK;
	metrics_add(METRIC_watches_refused, 1);
	c->stopped = true;
	c->link->fail(c, "too many watches");
	return ZERR_OK;
}

enum zerr request_allow_ephemeral(struct request *rq, struct slice path, int64_t session_id,
				  size_t more_count, size_t more_bytes)
{
	const struct registry_options *o = registry_options(rq->registry);
	struct tree *t = registry_tree(rq->registry);

	if (tree_owned_count(t, session_id) + more_count <= o->max_ephemerals &&
	    tree_owned_bytes(t, session_id) + more_bytes <= o->max_ephemeral_bytes)
		return ZERR_OK;
	metrics_add(METRIC_ephemerals_refused, 1);
	note_limit(rq, path, "too many ephemeral znodes of a session");
	return ZERR_QUOTA_EXCEEDED;
}

enum zerr request_allow_quota(struct request *rq, struct slice path, int64_t more_bytes,
			      bool is_create)
{
	enum zerr err = quota_check(rq->registry, path, more_bytes, is_create);

	if (err == ZERR_QUOTA_EXCEEDED)
		audit_refusal(rq, path, "quota exceeded");
	return err;
}
