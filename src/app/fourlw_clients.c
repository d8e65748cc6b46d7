/* Words that list connections and sessions. */
#include <time.h>

#include "app/connections.h"
#include "app/expiry.h"
#include "app/fourlw_words.h"
#include "app/machine.h"
#include "app/print.h"
#include "base/clock.h"
#include "core/registry.h"
#include "core/session.h"

static void print_brief(void *ctx, const struct connection *c)
{
	struct buf *out = ctx;

	print(out, " /%s[%x](queued=%llu,recved=%llu,sent=%llu", c->address, c->interest_ops,
	      (unsigned long long)c->queued, (unsigned long long)c->received,
	      (unsigned long long)c->sent);
}

static void print_client(void *ctx, const struct connection *c)
{
	print_brief(ctx, c);
	print(ctx, ")\n");
}

void fourlw_stat(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	print(out, "Zookeeper version: %s\n", machine_version());
	print(out, "Clients:\n");
	connections_foreach(v->peers, print_client, out);
	print(out, "\n");
	fourlw_print_figures(v, out);
}

static void print_connection(void *ctx, const struct connection *c)
{
	struct buf *out = ctx;

	print_brief(out, c);
	if (c->session_id != 0) {
		print(out, ",sid=0x%llx,lop=%s,est=%lld,to=%d", (unsigned long long)c->session_id,
		      c->last_op, (long long)c->established_ms, c->timeout_ms);
		if (c->last_cxid >= 0)
			print(out, ",lcxid=0x%x", (unsigned)c->last_cxid);
		print(out, ",lzxid=0x%llx,lresp=%lld,llat=%llu,minlat=%llu,avglat=%llu,maxlat=%llu",
		      (unsigned long long)c->last_zxid, (long long)c->last_response_ms,
		      (unsigned long long)c->last_latency_ms, (unsigned long long)c->min_latency_ms,
		      (unsigned long long)c->avg_latency_ms, (unsigned long long)c->max_latency_ms);
	}
	print(out, ")\n");
}

void fourlw_cons(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	connections_foreach(v->peers, print_connection, out);
	print(out, "\n");
}

void fourlw_crst(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	connections_reset(v->peers);
	print(out, "Connection stats reset.\n");
}

/* Java's Date.toString of a monotonic time. */
static void print_date(struct buf *out, int64_t at_ms)
{
	time_t seconds = (time_t)((clock_wall_ms() + at_ms - clock_now_ms()) / 1000);
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%a %b %d %H:%M:%S %Z %Y", &tm);
	print(out, "%s", text);
}

static void print_expiry(struct buf *out, const char *title, const struct expiry *e)
{
	print(out, "%s Sets (%zu)/(%zu):\n", title, e->steps, e->count);
	for (size_t i = 0, together; i < e->count; i += together) {
		together = expiry_together(e, i);
		print(out, "%zu expire at ", together);
		print_date(out, e->items[i].at_ms);
		print(out, ":\n");
		for (size_t j = i; j < i + together; j++) {
			const struct expiring *item = &e->items[j];

			print(out, "\t");
			if (item->address[0])
				print(out, "ip: /%s sessionId: ", item->address);
			print(out, "0x%llx\n", (unsigned long long)item->session_id);
		}
	}
}

struct ephemerals {
	struct tree *tree;
	struct buf *out;
};

static void print_owned(void *ctx, struct session *s)
{
	const struct ephemerals *e = ctx;
	struct list *owned = tree_owned(e->tree, s->id);

	if (!owned || list_is_empty(owned))
		return;
	print(e->out, "0x%llx:\n", (unsigned long long)s->id);
	list_foreach(link, owned) {
		print(e->out, "\t");
		print_slice(e->out, znode_path(container_of(link, struct znode, owned)));
		print(e->out, "\n");
	}
}

void fourlw_dump(const struct view *v, struct slice argument, struct buf *out)
{
	struct ephemerals owners = { registry_tree(v->registry), out };
	struct expiry e;

	(void)argument;
	expiry_init(&e);
	expiry_add_sessions(&e, v);
	print(out, "SessionTracker dump:\n");
	print_expiry(out, "Session", &e);
	expiry_fini(&e);
	print(out, "ephemeral nodes dump:\n");
	print(out, "Sessions with Ephemerals (%llu):\n",
	      (unsigned long long)tree_counts(owners.tree).owners);
	session_foreach(registry_sessions(v->registry), print_owned, &owners);
	print(out, "Connections dump:\n");
	expiry_add_connections(&e, v);
	print_expiry(out, "Connections", &e);
	expiry_fini(&e);
}
