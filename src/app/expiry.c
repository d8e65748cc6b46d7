#include "app/expiry.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/connections.h"
#include "app/view.h"
#include "base/mem.h"
#include "core/registry.h"
#include "core/session.h"

enum { CONNECTION_STEP_MS = 10000 };

struct adding {
	struct expiry *to;
	const struct view *view;
};

void expiry_init(struct expiry *e)
{
	*e = (struct expiry){ 0 };
}

void expiry_fini(struct expiry *e)
{
	mem_free(e->items);
	*e = (struct expiry){ 0 };
}

static void add(struct expiry *e, int64_t deadline_ms, int64_t step_ms, int64_t session_id,
		const char *address)
{
	struct expiring *item;

	if (e->count == e->cap) {
		e->cap = e->cap > 0 ? 2 * e->cap : 64;
		e->items = mem_grow(e->items, e->cap * sizeof(*e->items));
	}
	item = &e->items[e->count++];
	item->at_ms = (deadline_ms / step_ms + 1) * step_ms;
	item->session_id = session_id;
	snprintf(item->address, sizeof(item->address), "%s", address);
}

static int by_time(const void *a, const void *b)
{
	const struct expiring *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return (x->session_id > y->session_id) - (x->session_id < y->session_id);
}

static void sort(struct expiry *e)
{
	if (e->count > 0)
		qsort(e->items, e->count, sizeof(*e->items), by_time);
	e->steps = 0;
	for (size_t i = 0; i < e->count; i += expiry_together(e, i))
		e->steps++;
}

static void add_session(void *ctx, struct session *s)
{
	const struct adding *a = ctx;

	add(a->to, session_deadline_ms(s), a->view->config->tick_ms, s->id, "");
}

void expiry_add_sessions(struct expiry *e, const struct view *v)
{
	struct adding a = { e, v };

	session_foreach(registry_sessions(v->registry), add_session, &a);
	sort(e);
}

static void add_connection(void *ctx, const struct connection *c)
{
	const struct adding *a = ctx;
	int64_t deadline_ms = c->session_id != 0 ? c->session_deadline_ms
						 : c->opened_ms + a->view->config->first_request_ms;

	add(a->to, deadline_ms, CONNECTION_STEP_MS, c->session_id, c->address);
}

void expiry_add_connections(struct expiry *e, const struct view *v)
{
	struct adding a = { e, v };

	connections_foreach(v->peers, add_connection, &a);
	sort(e);
}

size_t expiry_together(const struct expiry *e, size_t i)
{
	size_t end = i;

	while (end < e->count && e->items[end].at_ms == e->items[i].at_ms)
		end++;
	return end - i;
}
