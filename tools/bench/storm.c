/* Members are in groups that watch the same three znodes, ROOT/<random>/g<number>/{data,kids,
 * lasting}, which whoever tests a server may change meanwhile: data and lasting by setData only,
 * kids by creates and deletes in it. */
#include "tools/bench/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "tools/bench/member.h"
#include "tools/bench/process.h"
#include "tools/bench/report.h"
#include "tools/bench/signals.h"
#include "tools/bench/target.h"

enum {
	GROUP = 100, /* members */
	US_PER_S = 1000000,
	TURN_US = 20000,
	WORK_US = 10000,
	SILENCE_US = 60 * US_PER_S,
	BASE_LEN = 160,
};

struct storm {
	const struct options *options;
	struct conn_target target;
	struct loop *loop;
	char base[BASE_LEN];
	struct member_paths *paths;
	struct member **members;
	struct member_tally tally;
	int64_t worked_us;
	unsigned count[MEMBER_LEFT + 1]; /* members by state, as last looked at */
	/* The storm under way. */
	bool raging;
	struct report_storm now;
};

static no_return void give_up(const char *reason)
{
	fprintf(stderr, "zoolite-bench: %s\n", reason);
	exit(EXIT_FAILURE);
}

/* ---- what stands before the members come ---- */

struct maker {
	bool opened, replied, over;
	int32_t err;
};

static void maker_opened(void *owner)
{
	((struct maker *)owner)->opened = true;
}

static void maker_reply(void *owner, struct session_reply *reply)
{
	struct maker *m = owner;

	m->replied = true;
	m->err = reply->err;
}

static void maker_closed(void *owner, const char *reason)
{
	struct maker *m = owner;

	m->over = true;
	if (reason != NULL)
		give_up(reason);
}

static void wait_for(struct storm *s, const bool *what)
{
	int64_t end_us = clock_exact_us() + SILENCE_US;

	while (!*what && clock_exact_us() < end_us)
		loop_turn(s->loop, TURN_US);
	if (!*what)
		give_up("the server has been silent for a minute");
}

static void make(struct storm *s, struct session *session, struct maker *m, const char *path)
{
	static const struct proto_acl anyone = { PERM_ALL, { "world", 5 }, { "anyone", 6 } };
	struct jute_writer *w = session_begin(session, OP_CREATE, 0, clock_exact_us());

	jute_write_buffer(w, slice_of(path));
	jute_write_buffer(w, slice_of(""));
	jute_write_int(w, 1);
	proto_write_acl(w, &anyone);
	jute_write_int(w, CREATE_PERSISTENT);
	session_end(session);
	session_flush(session);
	m->replied = false;
	wait_for(s, &m->replied);
	if (m->err != ZERR_OK && m->err != ZERR_NODE_EXISTS)
		give_up("the znodes to watch cannot be made");
}

static unsigned groups_of(const struct options *o)
{
	return (o->connections + GROUP - 1) / GROUP;
}

static void make_znodes(struct storm *s)
{
	static const struct session_events events = { maker_opened, maker_reply, maker_closed,
						      NULL };
	static const char *const parts[] = { "", "/data", "/kids", "/lasting", "/members" };
	char path[MEMBER_PATH_LEN], reason[STREAM_REASON_LEN];
	struct maker m = { 0 };
	struct session *session =
		session_new(s->loop, &s->target, 1, s->options->timeout_ms, &events, &m, reason);

	if (session == NULL)
		give_up(reason);
	wait_for(s, &m.opened);
	for (const char *end = s->base; end != NULL;) {
		end = strchr(end + 1, '/');
		snprintf(path, sizeof(path), "%.*s",
			 end != NULL ? (int)(end - s->base) : (int)strlen(s->base), s->base);
		make(s, session, &m, path);
	}
	for (unsigned g = 0; g < groups_of(s->options); g++) {
		for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
			snprintf(path, sizeof(path), "%s/g%04u%s", s->base, g, parts[p]);
			make(s, session, &m, path);
		}
	}
	session_close(session);
	wait_for(s, &m.over);
	session_free(session);
}

static void name_znodes(const struct storm *s, unsigned member, struct member_paths *p)
{
	unsigned g = member / GROUP;

	snprintf(p->own, sizeof(p->own), "%s/g%04u/members/m%06u", s->base, g, member);
	snprintf(p->data, sizeof(p->data), "%s/g%04u/data", s->base, g);
	snprintf(p->kids, sizeof(p->kids), "%s/g%04u/kids", s->base, g);
	snprintf(p->lasting, sizeof(p->lasting), "%s/g%04u/lasting", s->base, g);
}

/* ---- the storm ---- */

static void count_states(struct storm *s)
{
	memset(s->count, 0, sizeof(s->count));
	for (unsigned i = 0; i < s->options->connections; i++)
		s->count[member_state(s->members[i])]++;
}

static void begin_storm(struct storm *s, int64_t now_us)
{
	s->raging = true;
	s->now = (struct report_storm){
		.lost_us = now_us,
		.attempts = s->tally.attempts,
		.own_cpu_us = process_own_cpu_us(),
	};
}

static void end_storm(struct storm *s, int64_t now_us)
{
	s->raging = false;
	s->now.back_us = now_us;
	s->now.back = s->count[MEMBER_BACK];
	s->now.attempts = s->tally.attempts - s->now.attempts;
	s->now.own_cpu_us = process_own_cpu_us() - s->now.own_cpu_us;
	report_storm(s->options, &s->now);
}

static void watch_storm(struct storm *s, int64_t now_us)
{
	unsigned lost = s->count[MEMBER_AWAY] + s->count[MEMBER_RETURNING];

	if (!s->raging && s->count[MEMBER_AWAY] > 0)
		begin_storm(s, now_us);
	if (!s->raging)
		return;
	if (s->count[MEMBER_AWAY] > s->now.lost)
		s->now.lost = s->count[MEMBER_AWAY];
	if (lost == 0)
		end_storm(s, now_us);
}

/* One turn of the loop; new members come opening at a time, who was there before comes at once. */
static int64_t turn(struct storm *s)
{
	const struct options *o = s->options;
	unsigned coming = 0;
	int64_t now_us;

	loop_turn(s->loop, s->worked_us + WORK_US > clock_exact_us() ? WORK_US : 0);
	now_us = clock_exact_us();
	if (now_us - s->worked_us < WORK_US)
		return now_us;
	s->worked_us = now_us;
	for (unsigned i = 0; i < o->connections; i++) {
		enum member_state state = member_state(s->members[i]);

		coming += state == MEMBER_NEW;
		if (state != MEMBER_NEW || coming <= o->opening)
			member_work(s->members[i], now_us);
	}
	count_states(s);
	return now_us;
}

static void open_all(struct storm *s)
{
	unsigned back = 0;
	int64_t moved_us = clock_exact_us();

	while (back < s->options->connections) {
		int64_t now_us = turn(s);

		if (s->count[MEMBER_BACK] > back)
			moved_us = now_us;
		back = s->count[MEMBER_BACK];
		if (now_us - moved_us > SILENCE_US || s->count[MEMBER_EXPIRED] > 0)
			give_up("the sessions do not come to be");
	}
}

static void hold(struct storm *s)
{
	const struct options *o = s->options;
	int64_t end_us =
		o->seconds > 0 ? clock_exact_us() + (int64_t)(o->seconds * US_PER_S) : INT64_MAX;
	struct signals *told = signals_new(s->loop);
	int64_t now_us = 0;

	/* A storm is waited for to its end. */
	while ((!signals_came(told) && now_us < end_us) || s->raging) {
		now_us = turn(s);
		watch_storm(s, now_us);
		if (s->raging && now_us - s->now.lost_us > 2 * SILENCE_US)
			give_up("they do not all come back");
	}
	signals_free(told);
}

static void look_round(struct storm *s)
{
	int64_t end_us = clock_exact_us() + SILENCE_US;

	for (unsigned i = 0; i < s->options->connections; i++)
		member_look(s->members[i]);
	do {
		if (turn(s) > end_us)
			give_up("the server has been silent for a minute");
	} while (s->count[MEMBER_RETURNING] + s->count[MEMBER_AWAY] > 0);
}

static void leave(struct storm *s)
{
	int64_t end_us = clock_exact_us() + SILENCE_US;

	for (unsigned i = 0; i < s->options->connections; i++)
		member_leave(s->members[i]);
	while (s->count[MEMBER_BACK] + s->count[MEMBER_RETURNING] > 0 && turn(s) < end_us)
		;
}

/* ---- the whole ---- */

static struct storm *storm_new(const struct options *o)
{
	struct storm *s = mem_new(sizeof(*s));
	uint32_t run;

	s->options = o;
	s->loop = loop_new();
	target_init(&s->target, o);
	crypto_random(&run, sizeof(run));
	snprintf(s->base, sizeof(s->base), "%s/%08" PRIx32, o->root, run);
	s->paths = mem_new(o->connections * sizeof(*s->paths));
	s->members = mem_new(o->connections * sizeof(struct member *));
	for (unsigned i = 0; i < o->connections; i++) {
		name_znodes(s, i, &s->paths[i]);
		s->members[i] =
			member_new(s->loop, &s->target, o->timeout_ms, &s->paths[i], &s->tally);
	}
	return s;
}

static void storm_free(struct storm *s)
{
	for (unsigned i = 0; i < s->options->connections; i++)
		member_free(s->members[i]);
	mem_free(s->members);
	mem_free(s->paths);
	target_fini(&s->target);
	loop_free(s->loop);
	mem_free(s);
}

int storm_run(const struct options *o)
{
	struct storm *s = storm_new(o);
	int64_t begun_us;
	bool good;

	make_znodes(s);
	begun_us = clock_exact_us();
	open_all(s);
	report_gathered(o, member_describe(s->members[0]), s->base, groups_of(o),
			clock_exact_us() - begun_us);
	hold(s);
	look_round(s);
	report_members(o, &s->tally);
	good = s->tally.missed + s->tally.twice + s->tally.disordered + s->tally.vanished +
		       s->tally.expired + s->tally.failed ==
	       0;
	leave(s);
	storm_free(s);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
