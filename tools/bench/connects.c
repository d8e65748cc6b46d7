/* A session is freed between turns of the loop only, so what has ended waits for the turn's end,
 * and is then begun anew. */
#include "tools/bench/connects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/bench/target.h"

enum { US_PER_S = 1000000, TURN_US = 20000, SILENCE_US = 60 * US_PER_S };

struct connects {
	const struct options *options;
	struct conn_target target;
	struct loop *loop;
	struct visit *visits;
	struct visit *ended; /* a list */
	struct measurement *measured;
	char *tls;
	int64_t heard_us;
};

struct visit {
	struct connects *all;
	struct session *session;
	struct visit *next_ended;
	int64_t begun_us;
};

static no_return void give_up(const char *reason)
{
	fprintf(stderr, "zoolite-bench: %s\n", reason);
	exit(EXIT_FAILURE);
}

static void opened(void *owner)
{
	struct visit *v = owner;

	if (v->all->tls[0] == '\0')
		snprintf(v->all->tls, STREAM_REASON_LEN, "%s", session_describe(v->session));
	session_close(v->session);
}

static void closed(void *owner, const char *reason)
{
	struct visit *v = owner;
	struct connects *c = v->all;

	if (reason != NULL)
		give_up(reason);
	c->heard_us = clock_exact_us();
	v->next_ended = c->ended;
	c->ended = v;
	if (c->measured == NULL)
		return;
	c->measured->operations++;
	histogram_add(&c->measured->latency_us, (uint64_t)(c->heard_us - v->begun_us));
}

static void begin(struct connects *c, struct visit *v)
{
	static const struct session_events events = { opened, NULL, closed, NULL };
	char reason[STREAM_REASON_LEN];

	v->all = c;
	v->begun_us = clock_exact_us();
	v->session =
		session_new(c->loop, &c->target, 1, c->options->timeout_ms, &events, v, reason);
	if (v->session == NULL)
		give_up(reason);
}

static void run_until(struct connects *c, int64_t end_us)
{
	while (clock_exact_us() < end_us) {
		loop_turn(c->loop, TURN_US);
		while (c->ended != NULL) {
			struct visit *v = c->ended;

			c->ended = v->next_ended;
			session_free(v->session);
			begin(c, v);
		}
		if (clock_exact_us() - c->heard_us > SILENCE_US)
			give_up("the server has been silent for a minute");
	}
}

void connects_run(const struct options *o, struct measurement *m, char tls[STREAM_REASON_LEN])
{
	struct connects c = { .options = o, .loop = loop_new(), .tls = tls };
	int64_t begin_us;

	tls[0] = '\0';
	target_init(&c.target, o);
	c.visits = mem_new(o->connections * sizeof(*c.visits));
	c.heard_us = clock_exact_us();
	for (unsigned i = 0; i < o->connections; i++)
		begin(&c, &c.visits[i]);
	begin_us = clock_exact_us() + (int64_t)(o->warm_up * US_PER_S);
	run_until(&c, begin_us);
	measurement_begin(m, o);
	c.measured = m;
	run_until(&c, begin_us + (int64_t)(o->seconds * US_PER_S));
	measurement_end(m, o);
	for (unsigned i = 0; i < o->connections; i++)
		session_free(c.visits[i].session);
	mem_free(c.visits);
	target_fini(&c.target);
	loop_free(c.loop);
}
