/* What a tour through ZooKeeper's C client is made of: checks that say how they ended, events, and
 * questions to the test. One JSON object a line on stdout, as tests/interop/clients.py reads
 * them. */
#ifndef TESTS_INTEROP_C_TOUR_H
#define TESTS_INTEROP_C_TOUR_H

#include <pthread.h>
#include <stdbool.h>
#include <zookeeper/zookeeper.h>

#define PATIENCE_S 20
#define EVENTS_MAX 64

struct event {
	int type;
	int state;
	char path[256];
};

struct event_list {
	int count;
	int seen;
	struct event all[EVENTS_MAX];
};

/* Events in their order, as the library's thread told them; those of the session apart. */
struct events {
	pthread_mutex_t lock;
	pthread_cond_t told;
	struct event_list znode;
	struct event_list session;
};

void events_init(struct events *e);
void events_fini(struct events *e);

/* A watcher_fn; its context is a struct events. */
void events_tell(zhandle_t *zh, int type, int state, const char *path, void *context);

/* Wait for the next event of a znode, and want it to be this one. */
void events_next(struct events *e, int type, const char *path);

/* Want no event of a znode to be left. */
void events_none(struct events *e);

/* Wait until the session was told to be in that state; events before are passed over. */
void events_await(struct events *e, int state);

/* Remember the first thing of a check that is not as it should be; the check goes on. */
void want_at(bool ok, const char *what, int line);
#define want(condition) want_at(condition, #condition, __LINE__)

void run_check(const char *name, void (*check)(void));

/* Say "ask" with what and the members of a JSON object; returns when the test has answered. */
void ask(const char *what, const char *more);
void say_done(void);

/* Poll until the condition holds, PATIENCE_S at most. */
bool soon(bool (*condition)(const void *), const void *argument);

#endif
