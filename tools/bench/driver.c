/* A lane is a session with its slots. Slots that wait for a reply belong to the session, the others
 * are on the lane's stack; pump hands every slot that may ask now to the job. */
#include "tools/bench/driver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/bench/signals.h"
#include "tools/bench/target.h"

enum {
	US_PER_S = 1000000,
	TURN_US = 50000,
	SILENCE_US = 60 * US_PER_S,
	KEEP_ALIVE_US = US_PER_S / 2,
	ERRORS_SHOWN = 5,
};

struct lane {
	struct driver *driver;
	struct session *session;
	unsigned index;
	unsigned *free_slots;
	unsigned free_count;
	uint64_t asked; /* requests of the schedule that were sent */
	bool stopping;
};

struct driver {
	const struct options *options;
	struct conn_target target;
	struct loop *loop;
	struct lane *lanes;
	unsigned begun;  /* lanes that were opened or are being opened */
	unsigned opened; /* lanes with a session */
	unsigned closed;
	char tls[STREAM_REASON_LEN];
	int64_t heard_us; /* when the last reply came */
	int64_t alive_us; /* when keep-alives were last looked after */

	/* the job under way */
	struct workload *workload;
	const struct job *job;
	bool asking; /* false: no new requests */
	unsigned under_way;
	double interval_us;  /* between two requests of the schedule, 0: no schedule */
	int64_t schedule_us; /* when it begins */
	struct measurement *measured;
	uint64_t errors_shown;
};

static no_return void give_up(const char *reason)
{
	fprintf(stderr, "zoolite-bench: %s\n", reason);
	exit(EXIT_FAILURE);
}

/* ---- measurements ---- */

static void read_cpu(const struct options *o, int64_t *server_us, int64_t *own_us)
{
	*own_us = process_own_cpu_us();
	*server_us = -1;
	if (o->server_pid != 0 && process_cpu_us(o->server_pid, server_us) != 0)
		give_up("there is no process with the number given as --server-pid");
}

void measurement_begin(struct measurement *m, const struct options *o)
{
	memset(m, 0, sizeof(*m));
	m->elapsed_us = -clock_exact_us();
	read_cpu(o, &m->server_cpu_us, &m->own_cpu_us);
	m->own_cpu_us = -m->own_cpu_us;
}

void measurement_end(struct measurement *m, const struct options *o)
{
	int64_t server_us, own_us;

	read_cpu(o, &server_us, &own_us);
	m->elapsed_us += clock_exact_us();
	m->own_cpu_us += own_us;
	if (o->server_pid != 0)
		m->server_cpu_us = server_us - m->server_cpu_us;
}

/* ---- requests and replies ---- */

/* When the lane's next request is due. */
static int64_t due_us(const struct lane *l, int64_t now_us)
{
	const struct driver *d = l->driver;
	double number;

	if (d->interval_us <= 0)
		return now_us;
	number = (double)l->asked * d->options->connections + l->index;
	return d->schedule_us + (int64_t)(number * d->interval_us);
}

/* Let each free slot ask that may; returns whether one did. */
static bool pump(struct lane *l, int64_t now_us)
{
	struct driver *d = l->driver;
	bool any = false;

	while (d->asking && l->free_count > 0) {
		int64_t due = due_us(l, now_us);

		if (due > now_us)
			break;
		if (!d->job->next(d->workload, l->session, l->index,
				  l->free_slots[l->free_count - 1], due))
			break;
		l->free_count--;
		l->asked++;
		d->under_way++;
		any = true;
	}
	return any;
}

static void show_error(struct driver *d, const struct lane *l, const struct session_reply *reply)
{
	if (d->errors_shown++ < ERRORS_SHOWN)
		fprintf(stderr, "zoolite-bench: connection %u: an unexpected reply, error %d\n",
			l->index, (int)reply->err);
}

static void take_reply(void *owner, struct session_reply *reply)
{
	struct lane *l = owner;
	struct driver *d = l->driver;
	struct measurement *m = d->measured;
	int count = d->job->take(d->workload, l->index, reply);

	d->heard_us = reply->now_us;
	d->under_way--;
	l->free_slots[l->free_count++] = reply->slot;
	if (count < 0)
		show_error(d, l, reply);
	if (m != NULL) {
		m->errors += count < 0;
		m->operations += count < 0 ? 0 : (unsigned)count;
		if (count != 0)
			histogram_add(&m->latency_us,
				      (uint64_t)(reply->now_us - reply->intended_us));
	}
	pump(l, reply->now_us);
}

static void take_event(void *owner, const struct session_event *event)
{
	struct lane *l = owner;
	struct driver *d = l->driver;
	int64_t now_us = session_heard_us(l->session);
	int64_t told_us;

	(void)event;
	if (d->job == NULL || d->job->told == NULL)
		return;
	told_us = d->job->told(d->workload, l->index, now_us);
	if (told_us >= 0 && d->measured != NULL)
		histogram_add(&d->measured->told_us, (uint64_t)told_us);
	pump(l, now_us);
}

static void pump_all(struct driver *d)
{
	int64_t now_us = clock_exact_us();

	for (unsigned i = 0; i < d->options->connections; i++) {
		if (pump(&d->lanes[i], now_us))
			session_flush(d->lanes[i].session);
	}
}

/* ---- turns ---- */

static void keep_alive(struct driver *d, int64_t now_us)
{
	if (now_us - d->alive_us < KEEP_ALIVE_US)
		return;
	d->alive_us = now_us;
	for (unsigned i = 0; i < d->begun; i++)
		session_keep_alive(d->lanes[i].session, now_us);
}

/* One turn of the loop, at most until end_us; returns the time. */
static int64_t turn(struct driver *d, int64_t end_us, bool silence_allowed)
{
	int64_t now_us = clock_exact_us();
	int64_t wait_us = end_us - now_us;

	if (wait_us > TURN_US)
		wait_us = TURN_US;
	if (d->asking && d->interval_us > 0) {
		pump_all(d);
		wait_us = (int64_t)fmin(d->interval_us, (double)wait_us);
	}
	loop_turn(d->loop, wait_us > 0 ? (long)wait_us : 0);
	now_us = clock_exact_us();
	if (d->asking && d->job->told != NULL && pump(&d->lanes[0], now_us))
		session_flush(d->lanes[0].session);
	keep_alive(d, now_us);
	if (!silence_allowed && now_us - d->heard_us > SILENCE_US)
		give_up("the server has been silent for a minute");
	return now_us;
}

/* ---- sessions ---- */

static void session_opened(void *owner)
{
	struct lane *l = owner;
	struct driver *d = l->driver;

	d->heard_us = clock_exact_us();
	if (d->opened++ == 0)
		snprintf(d->tls, sizeof(d->tls), "%s", session_describe(l->session));
	if (d->asking)
		pump(l, d->heard_us);
}

static void session_closed(void *owner, const char *reason)
{
	struct lane *l = owner;

	/* A server may close the connection before its reply to the request to close is read. */
	if (reason != NULL && !l->stopping)
		give_up(reason);
	l->driver->closed++;
}

static void lane_open(struct driver *d, unsigned index)
{
	static const struct session_events events = { session_opened, take_reply, session_closed,
						      take_event };
	struct lane *l = &d->lanes[index];
	const struct options *o = d->options;
	char reason[STREAM_REASON_LEN];

	l->session = session_new(d->loop, &d->target, o->depth, o->timeout_ms, &events, l, reason);
	if (l->session == NULL)
		give_up(reason);
}

static void lane_init(struct driver *d, unsigned index)
{
	struct lane *l = &d->lanes[index];

	l->driver = d;
	l->index = index;
	l->free_slots = mem_new(d->options->depth * sizeof(*l->free_slots));
	for (unsigned slot = d->options->depth; slot > 0; slot--)
		l->free_slots[l->free_count++] = slot - 1;
}

struct driver *driver_new(const struct options *o)
{
	struct driver *d = mem_new(sizeof(*d));

	d->options = o;
	d->loop = loop_new();
	target_init(&d->target, o);
	d->lanes = mem_new(o->connections * sizeof(*d->lanes));
	for (unsigned i = 0; i < o->connections; i++)
		lane_init(d, i);
	return d;
}

void driver_free(struct driver *d)
{
	if (d == NULL)
		return;
	for (unsigned i = 0; i < d->options->connections; i++) {
		session_free(d->lanes[i].session);
		mem_free(d->lanes[i].free_slots);
	}
	mem_free(d->lanes);
	target_fini(&d->target);
	loop_free(d->loop);
	mem_free(d);
}

void driver_open(struct driver *d)
{
	const struct options *o = d->options;

	d->heard_us = clock_exact_us();
	while (d->opened < o->connections) {
		while (d->begun < o->connections && d->begun - d->opened < o->opening)
			lane_open(d, d->begun++);
		turn(d, INT64_MAX, false);
	}
}

const char *driver_tls(const struct driver *d)
{
	return d->tls;
}

void driver_close(struct driver *d)
{
	int64_t end_us = clock_exact_us() + SILENCE_US;

	for (unsigned i = 0; i < d->begun; i++) {
		d->lanes[i].stopping = true;
		session_close(d->lanes[i].session);
	}
	while (d->closed < d->begun && turn(d, end_us, true) < end_us)
		;
}

/* ---- jobs ---- */

static void begin(struct driver *d, struct workload *w, const struct job *job, double rate)
{
	d->workload = w;
	d->job = job;
	d->asking = true;
	d->measured = NULL;
	d->heard_us = clock_exact_us();
	d->interval_us = rate > 0 ? US_PER_S / rate : 0;
	d->schedule_us = d->heard_us;
	for (unsigned i = 0; i < d->options->connections; i++)
		d->lanes[i].asked = 0;
}

static void measure(struct driver *d, struct measurement *m)
{
	measurement_begin(m, d->options);
	d->measured = m;
}

static void measure_end(struct driver *d)
{
	measurement_end(d->measured, d->options);
	d->measured = NULL;
}

static void drain(struct driver *d)
{
	while (d->under_way > 0)
		turn(d, INT64_MAX, false);
}

void driver_run_job(struct driver *d, struct workload *w, const struct job *job,
		    struct measurement *m)
{
	begin(d, w, job, 0);
	if (m != NULL)
		measure(d, m);
	pump_all(d);
	drain(d);
	d->asking = false;
	if (m != NULL)
		measure_end(d);
}

void driver_run_joining(struct driver *d, struct workload *w, const struct job *job,
			struct measurement *m)
{
	begin(d, w, job, 0);
	measure(d, m);
	driver_open(d);
	drain(d);
	d->asking = false;
	measure_end(d);
}

static void run_until(struct driver *d, int64_t end_us)
{
	while (turn(d, end_us, false) < end_us)
		;
}

void driver_run_timed(struct driver *d, struct workload *w, const struct job *job,
		      struct measurement *m)
{
	const struct options *o = d->options;
	int64_t begin_us;

	begin(d, w, job, o->rate);
	pump_all(d);
	begin_us = clock_exact_us() + (int64_t)(o->warm_up * US_PER_S);
	run_until(d, begin_us);
	measure(d, m);
	run_until(d, begin_us + (int64_t)(o->seconds * US_PER_S));
	measure_end(d);
	d->asking = false;
	drain(d);
}

void driver_hold(struct driver *d, double seconds)
{
	int64_t end_us = seconds < 0 ? INT64_MAX : clock_exact_us() + (int64_t)(seconds * US_PER_S);
	struct signals *told = seconds < 0 ? signals_new(d->loop) : NULL;

	while (!(told != NULL && signals_came(told)) && turn(d, end_us, true) < end_us)
		;
	signals_free(told);
}
