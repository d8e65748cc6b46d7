#include "core/client.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/headcount.h"
#include "core/pace.h"
#include "core/registry.h"
#include "core/session.h"
#include "core/watch.h"

/* Who has no certificate shares with all who come from its address so. */
static struct pace *take_pace(struct registry *r, const struct access_peer *peer)
{
	char address[CLIENT_ADDRESS_LEN + 4];

	snprintf(address, sizeof(address), "ip:%s", peer->host);
	return pace_take(registry_paces(r), peer->owner ? peer->owner : address, clock_now_ms());
}

void client_init(struct client *c, struct registry *registry, const struct client_link *link,
		 const char *address, const struct access_peer *peer)
{
	static uint64_t serial;

	*c = (struct client){ .link = link, .registry = registry, .serial = ++serial };
	list_init(&c->watches);
	list_init(&c->stats.link);
	client_reset_stats(c);
	access_ids_init(&c->ids, &registry_options(registry)->access);
	snprintf(c->address, sizeof(c->address), "%s", address);
	/* What the gate found out counts towards the limit, but is never refused. */
	if (access_ids_add_peer(&c->ids, peer) != 0)
		die("client.identities", "no room for the first ones");
	if (peer->owner)
		c->subject = mem_strdup(peer->owner);
	c->pace = take_pace(registry, peer);
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
	headcount_drop(registry_headcount(c->registry), c);
	pace_give_back(registry_paces(c->registry), c->pace, clock_now_ms());
	access_ids_fini(&c->ids);
	mem_free(c->subject);
	mem_free(c->names);
	mem_free(c->owner);
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
