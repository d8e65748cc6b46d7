#include "core/client.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/registry.h"
#include "core/session.h"
#include "core/watch.h"

void client_init(struct client *c, struct registry *registry, const struct client_link *link,
		 const char *address, const struct access_peer *peer)
{
	const char *subject = peer->subject;
	static uint64_t serial;

	/* A certificate without a subject is known by its other names: "URI:…" is no subject. One
	 * without any is nobody's, for all of them would be one. */
	if (subject && !*subject)
		subject = peer->name_count > 0 ? peer->names[0].id : NULL;
	*c = (struct client){ .link = link, .registry = registry, .serial = ++serial };
	list_init(&c->watches);
	list_init(&c->stats.link);
	client_reset_stats(c);
	access_ids_init(&c->ids, &registry_options(registry)->access);
	snprintf(c->address, sizeof(c->address), "%s", address);
	/* What the gate found out counts towards the limit, but is never refused. */
	if (access_ids_add_peer(&c->ids, peer) != 0)
		die("client.identities", "no room for the first ones");
	if (subject)
		c->subject = mem_strdup(subject);
}

void client_close(struct client *c, const char *reason)
{
	c->stopped = true;
	watch_drop_client(registry_watches(c->registry), c);
	c->link->close(c, reason);
}

void client_cut(struct client *c, const char *reason)
{
	c->stopped = true;
	watch_drop_client(registry_watches(c->registry), c);
	c->link->fail(c, reason);
}

void client_fini(struct client *c)
{
	watch_drop_client(registry_watches(c->registry), c);
	if (c->session)
		session_detach(c->session);
	list_remove(&c->stats.link);
	access_ids_fini(&c->ids);
	mem_free(c->subject);
}

void client_reset_stats(struct client *c)
{
	struct client_stats *s = &c->stats;

	c->received = 0;
	c->sent = 0;
	s->last_op = OP_NOTIFICATION;
	s->last_xid = -1;
	s->last_zxid = -1;
	s->last_response_ms = 0;
	s->count = s->last_us = s->sum_us = s->min_us = s->max_us = 0;
}
