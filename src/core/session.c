#include "core/session.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/tally.h"
#include "core/client.h"

struct session_table {
	struct hash by_id;
	struct tally owners; /* how many sessions an identity has */
	struct timer_wheel *wheel;
	session_overdue_cb overdue;
	void *ctx;
	int64_t next_id;
};

struct session_table *session_table_new(struct timer_wheel *wheel, session_overdue_cb overdue,
					void *ctx)
{
	struct session_table *t = mem_new(sizeof(*t));

	hash_init(&t->by_id);
	tally_init(&t->owners);
	t->wheel = wheel;
	t->overdue = overdue;
	t->ctx = ctx;
	return t;
}

/* identity: owned from now on. */
static void set_identity(struct session *s, char *identity)
{
	tally_drop(&s->table->owners, s->owned);
	mem_free(s->identity);
	s->identity = identity;
	s->owned = identity ? tally_add(&s->table->owners, identity) : NULL;
}

static void session_free(struct session *s)
{
	timer_disarm(s->table->wheel, &s->deadline);
	set_identity(s, NULL);
	mem_free(s);
}

void session_table_free(struct session_table *t)
{
	struct hash_node *next;

	if (!t)
		return;
	for (struct hash_node *n = hash_first(&t->by_id); n; n = next) {
		next = hash_after(&t->by_id, n);
		session_free(container_of(n, struct session, by_id));
	}
	hash_fini(&t->by_id);
	tally_fini(&t->owners);
	mem_free(t);
}

unsigned session_count(const struct session_table *t)
{
	return (unsigned)t->by_id.count;
}

unsigned session_count_of(const struct session_table *t, const char *identity)
{
	return tally_count(&t->owners, identity);
}

void session_foreach(struct session_table *t, void (*each)(void *ctx, struct session *s), void *ctx)
{
	for (struct hash_node *n = hash_first(&t->by_id); n; n = hash_after(&t->by_id, n))
		each(ctx, container_of(n, struct session, by_id));
}

void session_set_epoch(struct session_table *t, int64_t epoch)
{
	int64_t high = epoch & 0xffffff;

	/* 0 in the high half would give ids that an epoch 2^24 later gives again, and 0 itself
	 * means "none". */
	t->next_id = (high ? high : 1) << 32 | 1;
}

/* The timer is armed for the deadline of the time of arming; signs of life since then move it when
 * it fires. */
static void deadline_fired(struct timer *timer)
{
	struct session *s = container_of(timer, struct session, deadline);
	int64_t deadline = session_deadline_ms(s);

	if (clock_now_ms() < deadline)
		timer_arm(s->table->wheel, timer, deadline);
	else
		s->table->overdue(s->table->ctx, s);
}

static struct session *session_add(struct session_table *t, int64_t id, int32_t timeout_ms)
{
	struct session *s = mem_new(sizeof(*s));

	s->table = t;
	s->id = id;
	s->timeout_ms = timeout_ms;
	s->heard_ms = clock_now_ms();
	timer_init(&s->deadline, deadline_fired);
	hash_insert(&t->by_id, &s->by_id, hash_u64((uint64_t)id));
	timer_arm(t->wheel, &s->deadline, session_deadline_ms(s));
	return s;
}

struct session *session_open(struct session_table *t, int32_t timeout_ms, const char *identity,
			     uint8_t password[PROTO_PASSWORD_LEN])
{
	struct session *s;

	/* One that came from elsewhere may have it. */
	while (session_find(t, t->next_id))
		t->next_id++;
	s = session_add(t, t->next_id++, timeout_ms);
	crypto_random(password, PROTO_PASSWORD_LEN);
	crypto_sha256((struct slice){ (const char *)password, PROTO_PASSWORD_LEN },
		      s->password_hash);
	set_identity(s, identity ? mem_strdup(identity) : NULL);
	return s;
}

void session_load(struct session_table *t, const struct record_session *r)
{
	struct session *s = session_find(t, r->id);

	if (!r->open) {
		if (s)
			session_remove(s);
		return;
	}
	if (!s)
		s = session_add(t, r->id, r->timeout_ms);
	s->timeout_ms = r->timeout_ms;
	memcpy(s->password_hash, r->password_hash, sizeof(s->password_hash));
	s->is_unbound = slice_is(r->identity, RECORD_IDENTITY_UNBOUND);
	set_identity(s, r->identity.data && !s->is_unbound
				? mem_dup(r->identity.data, r->identity.len)
				: NULL);
}

struct session *session_find(const struct session_table *t, int64_t id)
{
	for (struct hash_node *n = hash_find(&t->by_id, hash_u64((uint64_t)id)); n;
	     n = hash_find_next(n)) {
		struct session *s = container_of(n, struct session, by_id);

		if (s->id == id)
			return s;
	}
	return NULL;
}

bool session_admits(const struct session *s, struct slice password, const char *identity)
{
	uint8_t hash[RECORD_PASSWORD_HASH_LEN];
	bool same_password;
	bool same_identity = s->identity && identity ? strcmp(s->identity, identity) == 0
						     : s->identity == identity;

	crypto_sha256(password.data ? password : slice_of(""), hash);
	same_password = crypto_equal(hash, s->password_hash, sizeof(hash));
	return same_password && (same_identity || s->is_unbound);
}

void session_bind(struct session *s, const char *identity)
{
	s->is_unbound = false;
	set_identity(s, identity ? mem_strdup(identity) : NULL);
}

void session_remove(struct session *s)
{
	if (s->client)
		session_detach(s);
	hash_remove(&s->table->by_id, &s->by_id);
	session_free(s);
}

void session_attach(struct session *s, struct client *c)
{
	s->client = c;
	c->session = s;
	s->heard_ms = clock_now_ms();
	timer_arm(s->table->wheel, &s->deadline, session_deadline_ms(s));
}

void session_detach(struct session *s)
{
	s->client->session = NULL;
	s->client = NULL;
}

void session_touch(struct session *s, int64_t at_ms)
{
	if (at_ms > s->heard_ms)
		s->heard_ms = at_ms;
}

int64_t session_deadline_ms(const struct session *s)
{
	return s->heard_ms + s->timeout_ms;
}

void session_postpone(struct session *s, int64_t until_ms)
{
	timer_arm(s->table->wheel, &s->deadline, until_ms);
}

void session_touch_all(struct session_table *t, int64_t now_ms)
{
	for (struct hash_node *n = hash_first(&t->by_id); n; n = hash_after(&t->by_id, n)) {
		struct session *s = container_of(n, struct session, by_id);

		s->heard_ms = now_ms;
		timer_arm(t->wheel, &s->deadline, session_deadline_ms(s));
	}
}

struct record_session session_record(const struct session *s, bool open)
{
	struct record_session r = { .id = s->id, .open = open, .timeout_ms = s->timeout_ms };

	memcpy(r.password_hash, s->password_hash, sizeof(r.password_hash));
	if (s->is_unbound)
		r.identity = slice_of(RECORD_IDENTITY_UNBOUND);
	else if (s->identity)
		r.identity = slice_of(s->identity);
	return r;
}
