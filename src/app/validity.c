#include "app/validity.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/tls.h"

enum {
	DAY_S = 24 * 3600,
	MS = 1000,
	LOG_BURST = 20,         /* lines a second about peers */
	MOST_REMEMBERED = 4096, /* certificates of peers */
	TIME_LEN = 32,
};

/* How near the end is. */
enum level { FAR, WITHIN_30_DAYS, WITHIN_7_DAYS, WITHIN_A_DAY, OVER };

struct item {
	enum validity_part part;
	char *name;
	int64_t from_s, until_s;
	enum level told;
};

struct remembered {
	struct hash_node node;
	char fingerprint[sizeof(((struct tls_identity *)NULL)->fingerprint)];
	enum level told;
};

struct validity {
	struct item *items;
	size_t count;
	struct hash peers; /* of which something was told */
	int64_t peers_until_s, round_until_s;
};

static const char *const part_names[] = {
	[VALIDITY_SERVER] = "server",
	[VALIDITY_CA] = "ca",
	[VALIDITY_CRL] = "crl",
	[VALIDITY_PEER] = "peer",
};

static int64_t now_s(void)
{
	return clock_wall_ms() / MS;
}

/* What is made for a day or less is renewed all the time: only its end is news. */
static enum level level_of(int64_t from_s, int64_t until_s)
{
	int64_t left_s = until_s - now_s();

	if (left_s <= 0)
		return OVER;
	if (left_s > 30 * DAY_S || until_s - from_s <= DAY_S)
		return FAR;
	if (left_s > 7 * DAY_S)
		return WITHIN_30_DAYS;
	return left_s > DAY_S ? WITHIN_7_DAYS : WITHIN_A_DAY;
}

static int64_t days_left(int64_t until_s)
{
	int64_t left_s = until_s - now_s();

	return left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
}

static void tell(enum validity_part part, const char *name, const char *peer, int64_t until_s)
{
	const char *event = until_s <= now_s() ? "validity.ended" : "validity.ends";
	time_t at = (time_t)until_s;
	char text[TIME_LEN] = "?";
	struct tm tm;

	if (gmtime_r(&at, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	metrics_add(METRIC_validity_warnings, 1);
	if (peer)
		log_warn(event, LOG_TEXT("part", part_names[part]), LOG_TEXT("name", name),
			 LOG_TEXT("until", text), LOG_INT("days", days_left(until_s)),
			 LOG_TEXT("peer", peer));
	else
		log_warn(event, LOG_TEXT("part", part_names[part]), LOG_TEXT("name", name),
			 LOG_TEXT("until", text), LOG_INT("days", days_left(until_s)));
}

/* --- ours --- */

struct validity *validity_new(void)
{
	struct validity *v = mem_new(sizeof(*v));

	hash_init(&v->peers);
	v->peers_until_s = INT64_MAX;
	return v;
}

static void free_items(struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mem_free(items[i].name);
	mem_free(items);
}

static void forget_peers(struct validity *v)
{
	struct hash_node *node;

	while ((node = hash_first(&v->peers)) != NULL) {
		hash_remove(&v->peers, node);
		mem_free(container_of(node, struct remembered, node));
	}
}

void validity_free(struct validity *v)
{
	if (!v)
		return;
	forget_peers(v);
	hash_fini(&v->peers);
	free_items(v->items, v->count);
	mem_free(v);
}

static enum validity_part part_of(enum tls_part part)
{
	switch (part) {
	case TLS_PART_TRUST:
		return VALIDITY_CA;
	case TLS_PART_CRL:
		return VALIDITY_CRL;
	case TLS_PART_CERT:
	case TLS_PART_KEY:
	case TLS_PART_CIPHERS:
	case TLS_PART_LIBRARY:
		break;
	}
	return VALIDITY_SERVER;
}

static void add_item(void *ctx, const struct tls_validity *one)
{
	struct validity *v = ctx;
	struct item *item;

	v->items = mem_grow(v->items, (v->count + 1) * sizeof(*v->items));
	item = &v->items[v->count++];
	*item = (struct item){ .part = part_of(one->part),
			       .name = mem_strdup(one->name),
			       .from_s = one->from_s,
			       .until_s = one->until_s };
}

static bool is_same(const struct item *a, const struct item *b)
{
	return a->part == b->part && a->until_s == b->until_s && strcmp(a->name, b->name) == 0;
}

void validity_take(struct validity *v, const struct tls_context *tls)
{
	struct item *before = v->items;
	size_t count = v->count;

	v->items = NULL;
	v->count = 0;
	if (tls)
		tls_context_foreach_validity(tls, add_item, v);
	for (size_t i = 0; i < v->count; i++)
		for (size_t j = 0; j < count; j++)
			if (is_same(&v->items[i], &before[j]))
				v->items[i].told = before[j].told;
	free_items(before, count);
	validity_look(v);
}

void validity_look(struct validity *v)
{
	for (size_t i = 0; i < v->count; i++) {
		struct item *item = &v->items[i];
		enum level level = level_of(item->from_s, item->until_s);

		if (level > item->told)
			tell(item->part, item->name, NULL, item->until_s);
		/* A clock that is set back tells it again. */
		item->told = level;
	}
}

/* --- peers --- */

static struct remembered *remember(struct validity *v, const char *fingerprint)
{
	uint64_t hash = hash_bytes(fingerprint, strlen(fingerprint));
	struct hash_node *node = hash_find(&v->peers, hash);
	struct remembered *r;

	for (; node; node = hash_find_next(node)) {
		r = container_of(node, struct remembered, node);
		if (strcmp(r->fingerprint, fingerprint) == 0)
			return r;
	}
	if (v->peers.count >= MOST_REMEMBERED)
		forget_peers(v);
	r = mem_new(sizeof(*r));
	snprintf(r->fingerprint, sizeof(r->fingerprint), "%s", fingerprint);
	hash_insert(&v->peers, &r->node, hash);
	return r;
}

void validity_peers_begin(struct validity *v)
{
	v->round_until_s = INT64_MAX;
}

void validity_peer(struct validity *v, const struct arrival *a, unsigned *told)
{
	static struct log_limit limit;
	struct remembered *r;
	enum level level;
	uint32_t suppressed;

	if (a->cert_until_s < v->round_until_s)
		v->round_until_s = a->cert_until_s;
	level = level_of(a->cert_from_s, a->cert_until_s);
	/* Whose has run out is cut, which is told there. */
	if (level <= *told || level == OVER)
		return;
	r = remember(v, a->identity.fingerprint);
	if (level > r->told) {
		if (!log_limit_pass(&limit, LOG_BURST, &suppressed))
			return;
		tell(VALIDITY_PEER, a->identity.subject ? a->identity.subject : "none", a->address,
		     a->cert_until_s);
	}
	r->told = level;
	*told = level;
}

void validity_peers_end(struct validity *v)
{
	v->peers_until_s = v->round_until_s;
}

bool validity_days(const struct validity *v, enum validity_part part, int64_t *days)
{
	int64_t until_s = part == VALIDITY_PEER ? v->peers_until_s : INT64_MAX;

	for (size_t i = 0; i < v->count; i++)
		if (v->items[i].part == part && v->items[i].until_s < until_s)
			until_s = v->items[i].until_s;
	if (until_s == INT64_MAX)
		return false;
	*days = days_left(until_s);
	return true;
}
