/* Words that tell of watches: data, exists and persistent ones, as in ZooKeeper. */
#include "app/fourlw_words.h"
#include "app/peers.h"
#include "app/print.h"
#include "core/registry.h"
#include "core/session.h"

void fourlw_wchs(const struct view *v, struct slice argument, struct buf *out)
{
	struct watch_counts counts = watch_counts(registry_watches(v->registry));

	(void)argument;
	print(out, "%zu connections watching %zu paths\n", counts.clients, counts.paths);
	print(out, "Total watches:%zu\n", counts.watches);
}

static void print_path(void *ctx, struct slice path)
{
	print_slice(ctx, path);
	print(ctx, "\n");
}

static void print_watcher(void *ctx, const struct client *c)
{
	print(ctx, "\t0x%llx\n", c->session ? (unsigned long long)c->session->id : 0ULL);
}

void fourlw_wchp(const struct view *v, struct slice argument, struct buf *out)
{
	const struct watch_visitor visitor = { print_path, print_watcher, out };

	(void)argument;
	watch_visit_paths(registry_watches(v->registry), &visitor);
	print(out, "\n");
}

struct watched {
	struct buf *out;
	const struct client *client;
	bool is_named; /* its line was printed */
};

static void print_watched(void *ctx, struct slice path)
{
	struct watched *w = ctx;

	if (!w->is_named)
		print(w->out, "0x%llx\n",
		      w->client->session ? (unsigned long long)w->client->session->id : 0ULL);
	w->is_named = true;
	print(w->out, "\t");
	print_path(w->out, path);
}

static void print_client(struct conn *c, void *user, void *ctx)
{
	struct watched w = { .out = ctx, .client = peers_client(user) };
	const struct watch_visitor visitor = { .path = print_watched, .ctx = &w };

	(void)c;
	if (w.client)
		watch_visit_client(w.client, &visitor);
}

void fourlw_wchc(const struct view *v, struct slice argument, struct buf *out)
{
	(void)argument;
	conn_set_foreach(peers_connections(v->peers), print_client, out);
	print(out, "\n");
}
