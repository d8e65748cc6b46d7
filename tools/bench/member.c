/* Each kind of request has a slot of its own, and at most one of a kind is under way. */
#include "tools/bench/member.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	US_PER_MS = 1000,
	RETRY_US = 100 * US_PER_MS, /* on average, between two attempts to connect */
	COMPLAINTS_SHOWN = 10,
};

enum slot {
	SLOT_CREATE,
	SLOT_ADD_WATCH,
	SLOT_ARM, /* setWatches2 */
	SLOT_ARM_DATA,
	SLOT_ARM_KIDS,
	SLOT_LOOK_DATA,
	SLOT_LOOK_KIDS,
	SLOT_LOOK_LASTING,
	SLOT_LOOK_OWN,
	SLOTS
};

struct stat {
	int64_t mzxid, pzxid, owner;
	int32_t version;
};

/* A one-shot watch. */
struct once {
	bool armed;
	int64_t seen; /* zxid of the last change that was read */
};

struct member {
	struct loop *loop;
	const struct conn_target *target;
	int32_t timeout_ms;
	const struct member_paths *paths;
	struct member_tally *tally;
	enum member_state state;
	struct session *session; /* NULL: none */
	bool lost;               /* session is over, and not freed yet */
	bool leaving;            /* for good */
	struct session_ticket ticket;
	int64_t begun_us; /* when the connection was begun */
	int64_t retry_us; /* when to begin the next */
	bool set_up;      /* its ephemeral znode was made and its watches armed */
	bool under_way[SLOTS];
	struct once data, kids;
	bool has_baseline; /* the next three count from a read on this connection */
	int32_t lasting_version;
	int32_t lasting_told;
	int64_t lasting_zxid;
	bool look_again;
	int64_t event_zxid; /* the highest on this connection */
};

static void complain(const struct member *m, uint64_t *count, const char *what, const char *path)
{
	static unsigned shown;

	(*count)++;
	if (shown++ < COMPLAINTS_SHOWN)
		fprintf(stderr, "zoolite-bench: session 0x%" PRIx64 ": %s: %s\n", m->ticket.id,
			path, what);
}

/* ---- requests ---- */

static struct jute_writer *begin(struct member *m, enum opcode op, enum slot slot)
{
	m->under_way[slot] = true;
	return session_begin(m->session, op, slot, clock_exact_us());
}

static void ask(struct member *m, enum opcode op, enum slot slot, const char *path, bool watch)
{
	struct jute_writer *w;

	if (m->under_way[slot])
		return;
	w = begin(m, op, slot);
	jute_write_buffer(w, slice_of(path));
	jute_write_bool(w, watch);
	session_end(m->session);
}

static void ask_data(struct member *m)
{
	ask(m, OP_EXISTS, SLOT_ARM_DATA, m->paths->data, true);
}

static void ask_kids(struct member *m)
{
	ask(m, OP_GET_CHILDREN2, SLOT_ARM_KIDS, m->paths->kids, true);
}

static void look_at_lasting(struct member *m)
{
	m->look_again = m->under_way[SLOT_LOOK_LASTING];
	ask(m, OP_EXISTS, SLOT_LOOK_LASTING, m->paths->lasting, false);
}

/* That of the own znode comes last: with its reply everything was looked at. */
static void look_round(struct member *m)
{
	ask(m, OP_EXISTS, SLOT_LOOK_DATA, m->paths->data, false);
	ask(m, OP_EXISTS, SLOT_LOOK_KIDS, m->paths->kids, false);
	look_at_lasting(m);
	ask(m, OP_EXISTS, SLOT_LOOK_OWN, m->paths->own, false);
}

static void create_own(struct member *m)
{
	static const struct proto_acl anyone = { PERM_ALL, { "world", 5 }, { "anyone", 6 } };
	struct jute_writer *w = begin(m, OP_CREATE, SLOT_CREATE);

	jute_write_buffer(w, slice_of(m->paths->own));
	jute_write_buffer(w, slice_of("here"));
	jute_write_int(w, 1);
	proto_write_acl(w, &anyone);
	jute_write_int(w, CREATE_EPHEMERAL);
	session_end(m->session);
	w = begin(m, OP_ADD_WATCH, SLOT_ADD_WATCH);
	jute_write_buffer(w, slice_of(m->paths->lasting));
	jute_write_int(w, ADD_WATCH_PERSISTENT);
	session_end(m->session);
}

static void write_paths(struct jute_writer *w, bool any, const char *path)
{
	jute_write_int(w, any);
	if (any)
		jute_write_buffer(w, slice_of(path));
}

/* As client libraries do it: with what the session saw last. */
static void arm_again(struct member *m)
{
	struct jute_writer *w = begin(m, OP_SET_WATCHES2, SLOT_ARM);

	jute_write_long(w, m->ticket.last_zxid);
	write_paths(w, m->data.armed, m->paths->data);
	write_paths(w, false, NULL);
	write_paths(w, m->kids.armed, m->paths->kids);
	write_paths(w, true, m->paths->lasting);
	write_paths(w, false, NULL);
	session_end(m->session);
}

/* ---- what is told ---- */

static void take_once(struct member *m, struct once *o, const char *path)
{
	if (!o->armed)
		complain(m, &m->tally->twice, "told again", path);
	o->armed = false;
}

static void take_event(void *owner, const struct session_event *e)
{
	struct member *m = owner;

	m->tally->told++;
	if (e->zxid > 0 && e->zxid < m->event_zxid)
		complain(m, &m->tally->disordered, "told out of order", "an event");
	if (e->zxid > m->event_zxid)
		m->event_zxid = e->zxid;
	if (e->type == EVENT_NODE_DATA_CHANGED && slice_is(e->path, m->paths->data)) {
		take_once(m, &m->data, m->paths->data);
		ask_data(m);
	} else if (e->type == EVENT_NODE_CHILDREN_CHANGED && slice_is(e->path, m->paths->kids)) {
		take_once(m, &m->kids, m->paths->kids);
		ask_kids(m);
	} else if (e->type == EVENT_NODE_DATA_CHANGED && slice_is(e->path, m->paths->lasting)) {
		m->lasting_told++;
		m->lasting_zxid = e->zxid;
		look_at_lasting(m);
	} else {
		complain(m, &m->tally->twice, "told of what is not watched", "an event");
	}
}

/* ---- what is read ---- */

static struct stat read_stat(struct jute_reader *r)
{
	struct stat s;

	jute_read_long(r); /* czxid */
	s.mzxid = jute_read_long(r);
	jute_read_long(r); /* ctime */
	jute_read_long(r); /* mtime */
	s.version = jute_read_int(r);
	jute_read_int(r); /* cversion */
	jute_read_int(r); /* aversion */
	s.owner = jute_read_long(r);
	jute_read_int(r); /* length of the data */
	jute_read_int(r); /* children */
	s.pzxid = jute_read_long(r);
	return s;
}

static void skip_names(struct jute_reader *r)
{
	for (int32_t n = jute_read_int(r); n > 0 && !r->bad; n--)
		jute_read_buffer(r);
}

/* A read that armed the watch. */
static void note_armed(struct member *m, struct once *o, int64_t zxid, const char *path)
{
	if (zxid <= o->seen)
		complain(m, &m->tally->twice, "told, and nothing has changed", path);
	o->armed = true;
	o->seen = zxid;
}

/* A read beside the watch: an event leaves before any reply that shows its change. */
static void judge_once(struct member *m, const struct once *o, int64_t zxid, const char *path)
{
	if (o->armed && zxid != o->seen)
		complain(m, &m->tally->missed, "changed, and not told", path);
}

static void judge_lasting(struct member *m, const struct stat *s)
{
	int32_t due = s->version - m->lasting_version;

	if (m->has_baseline && m->lasting_told < due)
		complain(m, &m->tally->missed, "changed, and not told", m->paths->lasting);
	if (m->has_baseline && m->lasting_told > due)
		complain(m, &m->tally->twice, "told more often than changed", m->paths->lasting);
	if (m->lasting_told > 0 && m->lasting_zxid > 0 && m->lasting_zxid != s->mzxid)
		complain(m, &m->tally->disordered, "the last change was not told last",
			 m->paths->lasting);
	m->has_baseline = true;
	m->lasting_version = s->version;
	m->lasting_told = 0;
	if (m->look_again)
		look_at_lasting(m);
}

static void judge_own(struct member *m, int32_t err, int64_t owner)
{
	if (err != ZERR_OK || owner != m->ticket.id)
		complain(m, &m->tally->vanished, "is gone", m->paths->own);
	m->set_up = true;
	m->state = MEMBER_BACK;
}

static void judge(struct member *m, enum slot slot, const struct stat *s)
{
	switch (slot) {
	case SLOT_ARM_DATA:
		note_armed(m, &m->data, s->mzxid, m->paths->data);
		break;
	case SLOT_ARM_KIDS:
		note_armed(m, &m->kids, s->pzxid, m->paths->kids);
		break;
	case SLOT_LOOK_DATA:
		judge_once(m, &m->data, s->mzxid, m->paths->data);
		break;
	case SLOT_LOOK_KIDS:
		judge_once(m, &m->kids, s->pzxid, m->paths->kids);
		break;
	case SLOT_LOOK_LASTING:
		judge_lasting(m, s);
		break;
	default:
		break;
	}
}

static void take_reply(void *owner, struct session_reply *reply)
{
	struct member *m = owner;
	enum slot slot = (enum slot)reply->slot;
	struct stat s = { 0 };

	m->under_way[slot] = false;
	m->ticket = *session_get_ticket(m->session);
	if (slot == SLOT_ARM_KIDS && reply->err == ZERR_OK)
		skip_names(&reply->body);
	if (slot >= SLOT_ARM_DATA && reply->err == ZERR_OK)
		s = read_stat(&reply->body);
	if (slot == SLOT_LOOK_OWN) {
		judge_own(m, reply->err, s.owner);
		return;
	}
	if (reply->err != ZERR_OK || reply->body.bad)
		complain(m, &m->tally->failed, "a request failed", "-");
	else
		judge(m, slot, &s);
}

/* ---- coming and going ---- */

static void opened(void *owner)
{
	struct member *m = owner;

	m->ticket = *session_get_ticket(m->session);
	m->state = MEMBER_RETURNING;
	if (!m->set_up)
		create_own(m);
	else
		arm_again(m);
	if (!m->data.armed)
		ask_data(m);
	if (!m->kids.armed)
		ask_kids(m);
	look_round(m);
}

static void closed(void *owner, const char *reason)
{
	struct member *m = owner;

	(void)reason;
	m->lost = true;
	if (m->leaving) {
		m->state = MEMBER_LEFT;
	} else if (session_is_refused(m->session)) {
		complain(m, &m->tally->expired, "has expired", m->paths->own);
		m->state = MEMBER_EXPIRED;
	} else if (m->state != MEMBER_NEW) {
		m->state = MEMBER_AWAY;
	}
}

/* As many attempts as with a pause of RETRY_US, and no two members at the same moment. */
static void put_off(struct member *m, int64_t now_us)
{
	m->retry_us = now_us + RETRY_US / 2 + random() % RETRY_US;
}

static void forget_connection(struct member *m, int64_t now_us)
{
	session_free(m->session);
	m->session = NULL;
	m->lost = false;
	m->has_baseline = false;
	m->lasting_told = 0;
	m->look_again = false;
	m->event_zxid = 0;
	memset(m->under_way, 0, sizeof(m->under_way));
	put_off(m, now_us);
}

static void connect_now(struct member *m, int64_t now_us)
{
	static const struct session_events events = { opened, take_reply, closed, take_event };
	char reason[STREAM_REASON_LEN];

	if (m->state != MEMBER_NEW)
		m->tally->attempts++;
	m->begun_us = now_us;
	m->session = session_new(m->loop, m->target, SLOTS, m->timeout_ms, &events, m, reason);
	if (m->session == NULL)
		put_off(m, now_us);
	else
		session_use_ticket(m->session, &m->ticket);
}

struct member *member_new(struct loop *l, const struct conn_target *target, int32_t timeout_ms,
			  const struct member_paths *paths, struct member_tally *tally)
{
	struct member *m = mem_new(sizeof(*m));

	m->loop = l;
	m->target = target;
	m->timeout_ms = timeout_ms;
	m->paths = paths;
	m->tally = tally;
	return m;
}

void member_free(struct member *m)
{
	if (m == NULL)
		return;
	session_free(m->session);
	mem_free(m);
}

void member_work(struct member *m, int64_t now_us)
{
	/* As ZooKeeper's Java client: a connection that comes to nothing in two thirds of the
	 * timeout, or that brings nothing for so long, is given up. */
	const int64_t patience_us = (int64_t)m->timeout_ms * US_PER_MS * 2 / 3;

	if (m->lost)
		forget_connection(m, now_us);
	if (m->leaving || m->state == MEMBER_EXPIRED)
		return;
	if (m->session == NULL) {
		if (now_us >= m->retry_us)
			connect_now(m, now_us);
	} else if (!session_is_open(m->session)) {
		if (now_us - m->begun_us > patience_us)
			forget_connection(m, now_us);
	} else if (now_us - session_heard_us(m->session) > patience_us) {
		m->state = MEMBER_AWAY;
		forget_connection(m, now_us);
	} else {
		session_keep_alive(m->session, now_us);
	}
}

void member_look(struct member *m)
{
	if (m->state != MEMBER_BACK)
		return;
	m->state = MEMBER_RETURNING;
	look_round(m);
	session_flush(m->session);
}

void member_leave(struct member *m)
{
	m->leaving = true;
	if (m->session != NULL && session_is_open(m->session))
		session_close(m->session);
	else if (m->state != MEMBER_EXPIRED)
		m->state = MEMBER_LEFT;
}

enum member_state member_state(const struct member *m)
{
	return m->state;
}

const char *member_describe(const struct member *m)
{
	return session_describe(m->session);
}
