/* Commands that list connections, sessions and watches. */
#include <inttypes.h>
#include <stdio.h>

#include "app/admin_commands.h"
#include "app/connections.h"
#include "app/expiry.h"
#include "app/json.h"
#include "app/peers.h"
#include "app/view.h"
#include "core/registry.h"
#include "core/session.h"

struct listing {
	struct json *json;
	bool is_brief;
	bool is_secure; /* which of both kinds is listed */
};

static void put_connection(void *ctx, const struct connection *c)
{
	const struct listing *l = ctx;
	struct json *j = l->json;

	if (c->is_secure != l->is_secure)
		return;
	json_open_object(j);
	json_put_text(j, "remote_socket_address", c->address);
	json_put_int(j, "interest_ops", c->interest_ops);
	json_put_int(j, "outstanding_requests", (int64_t)c->queued);
	json_put_int(j, "packets_received", (int64_t)c->received);
	json_put_int(j, "packets_sent", (int64_t)c->sent);
	if (!l->is_brief) {
		json_put_int(j, "session_id", c->session_id);
		json_put_text(j, "last_operation", c->last_op);
		json_put_int(j, "established", c->established_ms);
		json_put_int(j, "session_timeout", c->timeout_ms);
		json_put_int(j, "last_cxid", c->last_cxid);
		json_put_int(j, "last_zxid", c->last_zxid);
		json_put_int(j, "last_response_time", c->last_response_ms);
		json_put_int(j, "last_latency", (int64_t)c->last_latency_ms);
		json_put_int(j, "min_latency", (int64_t)c->min_latency_ms);
		json_put_int(j, "avg_latency", (int64_t)c->avg_latency_ms);
		json_put_int(j, "max_latency", (int64_t)c->max_latency_ms);
	}
	json_close_object(j);
}

static void put_list(const struct view *v, const char *key, struct listing *l)
{
	json_key(l->json, slice_of(key));
	json_open_array(l->json);
	connections_foreach(v->peers, put_connection, l);
	json_close_array(l->json);
}

void admin_put_connections(const struct view *v, struct json *j, bool brief)
{
	struct listing plain = { j, brief, false }, secure = { j, brief, true };

	put_list(v, "connections", &plain);
	put_list(v, "secure_connections", &secure);
}

const char *admin_connections(const struct view *v, struct json *j)
{
	admin_put_connections(v, j, false);
	return NULL;
}

static void put_number_key(struct json *j, int64_t number)
{
	char key[32];

	snprintf(key, sizeof(key), "%" PRId64, number);
	json_key(j, slice_of(key));
}

static void put_expiries(const struct view *v, struct json *j)
{
	struct expiry e;

	expiry_init(&e);
	expiry_add_sessions(&e, v);
	json_open_object(j);
	for (size_t i = 0, together; i < e.count; i += together) {
		together = expiry_together(&e, i);
		put_number_key(j, e.items[i].at_ms);
		json_open_array(j);
		for (size_t k = i; k < i + together; k++)
			json_int(j, e.items[k].session_id);
		json_close_array(j);
	}
	json_close_object(j);
	expiry_fini(&e);
}

struct owners {
	struct json *json;
	struct tree *tree;
};

static void put_owned(void *ctx, struct session *s)
{
	const struct owners *o = ctx;
	struct list *owned = tree_owned(o->tree, s->id);

	if (!owned || list_is_empty(owned))
		return;
	put_number_key(o->json, s->id);
	json_open_array(o->json);
	list_foreach(link, owned)
		json_text(o->json, znode_path(container_of(link, struct znode, owned)));
	json_close_array(o->json);
}

const char *admin_dump(const struct view *v, struct json *j)
{
	struct owners owners = { j, registry_tree(v->registry) };

	json_key(j, slice_of("expiry_time_to_session_ids"));
	put_expiries(v, j);
	json_key(j, slice_of("session_id_to_ephemeral_paths"));
	json_open_object(j);
	session_foreach(registry_sessions(v->registry), put_owned, &owners);
	json_close_object(j);
	return NULL;
}

const char *admin_watch_summary(const struct view *v, struct json *j)
{
	struct watch_counts counts = watch_counts(registry_watches(v->registry));

	json_put_int(j, "num_connections", (int64_t)counts.clients);
	json_put_int(j, "num_paths", (int64_t)counts.paths);
	json_put_int(j, "num_total_watches", (int64_t)counts.watches);
	return NULL;
}

/* A list that is open while its members come. */
struct watch_list {
	struct json *json;
	const struct client *client;
	bool is_open;
};

static void open_list(struct watch_list *l)
{
	json_open_array(l->json);
	l->is_open = true;
}

static void close_list(struct watch_list *l)
{
	if (l->is_open)
		json_close_array(l->json);
	l->is_open = false;
}

static int64_t session_of(const struct client *c)
{
	return c->session ? c->session->id : 0;
}

static void put_path(void *ctx, struct slice path)
{
	struct watch_list *l = ctx;

	close_list(l);
	json_key(l->json, path);
	open_list(l);
}

static void put_watcher(void *ctx, const struct client *c)
{
	struct watch_list *l = ctx;

	json_int(l->json, session_of(c));
}

const char *admin_watches_by_path(const struct view *v, struct json *j)
{
	struct watch_list l = { .json = j };
	const struct watch_visitor visitor = { put_path, put_watcher, &l };

	json_key(j, slice_of("path_to_session_ids"));
	json_open_object(j);
	watch_visit_paths(registry_watches(v->registry), &visitor);
	close_list(&l);
	json_close_object(j);
	return NULL;
}

static void put_watched(void *ctx, struct slice path)
{
	struct watch_list *l = ctx;

	if (!l->is_open) {
		put_number_key(l->json, session_of(l->client));
		open_list(l);
	}
	json_text(l->json, path);
}

static void put_client(struct conn *c, void *user, void *ctx)
{
	struct watch_list l = { .json = ctx, .client = peers_client(user) };
	const struct watch_visitor visitor = { .path = put_watched, .ctx = &l };

	(void)c;
	if (l.client)
		watch_visit_client(l.client, &visitor);
	close_list(&l);
}

const char *admin_watches(const struct view *v, struct json *j)
{
	json_key(j, slice_of("session_id_to_watched_paths"));
	json_open_object(j);
	conn_set_foreach(peers_connections(v->peers), put_client, j);
	json_close_object(j);
	return NULL;
}
