#include "tour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_NS 5000000L

static char why[512];

void events_init(struct events *e)
{
	memset(e, 0, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->told, NULL);
}

void events_fini(struct events *e)
{
	pthread_cond_destroy(&e->told);
	pthread_mutex_destroy(&e->lock);
}

void events_tell(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	struct events *e = context;
	struct event_list *list = type == ZOO_SESSION_EVENT ? &e->session : &e->znode;
	struct event *new;

	(void)zh;
	pthread_mutex_lock(&e->lock);
	if (list->count == EVENTS_MAX) {
		fprintf(stderr, "too many events\n");
		abort();
	}
	new = &list->all[list->count++];
	new->type = type;
	new->state = state;
	snprintf(new->path, sizeof(new->path), "%s", path ? path : "");
	pthread_cond_broadcast(&e->told);
	pthread_mutex_unlock(&e->lock);
}

/* The next event of a list of e's. False where none came in time. */
static bool take(struct events *e, struct event_list *list, struct event *out)
{
	struct timespec end;
	bool found;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&e->lock);
	while (list->seen == list->count)
		if (pthread_cond_timedwait(&e->told, &e->lock, &end) != 0)
			break;
	found = list->seen < list->count;
	if (found)
		*out = list->all[list->seen++];
	if (list->seen == list->count)
		list->seen = list->count = 0;
	pthread_mutex_unlock(&e->lock);
	return found;
}

void events_next(struct events *e, int type, const char *path)
{
	struct event got = { 0 };
	char what[400];
	bool ok = take(e, &e->znode, &got) && got.type == type && strcmp(got.path, path) == 0;

	snprintf(what, sizeof(what), "event %d of %.150s, not %d of %.150s", type, path, got.type,
		 got.path);
	want_at(ok, what, 0);
}

void events_none(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	want_at(e->znode.seen == e->znode.count, "no event that nobody waits for", 0);
	pthread_mutex_unlock(&e->lock);
}

void events_await(struct events *e, int state)
{
	struct event got = { 0 };
	char what[80];
	bool ok;

	do
		ok = take(e, &e->session, &got);
	while (ok && got.state != state);
	snprintf(what, sizeof(what), "session in state %d", state);
	want_at(ok, what, 0);
}

void want_at(bool ok, const char *what, int line)
{
	if (ok || why[0])
		return;
	if (line > 0)
		snprintf(why, sizeof(why), "want %s at line %d", what, line);
	else
		snprintf(why, sizeof(why), "want %s", what);
}

static void say_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

void run_check(const char *name, void (*check)(void))
{
	why[0] = '\0';
	check();
	printf("{\"event\":\"check\",\"name\":\"%s\",\"ok\":%s,\"why\":", name,
	       why[0] ? "false" : "true");
	say_text(why);
	printf("}\n");
	fflush(stdout);
}

void ask(const char *what, const char *more)
{
	char line[16];

	printf("{\"event\":\"ask\",\"what\":\"%s\",\"more\":{%s}}\n", what, more);
	fflush(stdout);
	want(fgets(line, sizeof(line), stdin) != NULL);
}

void say_done(void)
{
	printf("{\"event\":\"done\"}\n");
	fflush(stdout);
}

bool soon(bool (*condition)(const void *), const void *argument)
{
	const struct timespec poll = { .tv_nsec = POLL_NS };
	time_t end = time(NULL) + PATIENCE_S;

	while (!condition(argument)) {
		if (time(NULL) > end)
			return false;
		nanosleep(&poll, NULL);
	}
	return true;
}
