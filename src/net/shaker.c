/* A handshake is listed under its thread from shaker_add until its end, and leaves the list only
 * after the handler has taken it on: who looks here and then at what came through misses nobody.
 *
 * idle_ms tells when the thread last found a handshake with nothing to do: everything the peer had
 * sent before that time was worked off, and the peer owes the next bytes. */
#include "net/shaker.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/gate.h"
#include "net/proxy.h"

struct shaker_thread {
	struct shaker *shaker;
	pthread_t id;
	bool is_running;
	struct event_base *base;
	struct event *wake;
	int wake_fd;
	/* Under the shaker's lock. */
	struct list added;   /* to be begun by the thread */
	struct list todo;    /* to be stepped in this turn; the thread alone takes from it */
	struct list shaking; /* wait for their socket */
	bool must_look;      /* at every handshake */
	bool must_stop;
};

struct handshake {
	struct list link; /* in one of the thread's; under the lock */
	struct shaker_thread *thread;
	struct arrival *arrival;
	struct proxy_header *header; /* to be read first; NULL: none, or done */
	struct event event;
	int64_t deadline_ms;
	int64_t since_ms;
	int64_t idle_ms; /* under the lock */
	bool is_silent;  /* under the lock: the peer has sent nothing that could be judged */
	bool must_end;   /* under the lock: another needs its place */
};

struct shaker {
	pthread_mutex_t lock;
	struct shaker_handlers handlers;
	void *user;
	int64_t timeout_ms;
	unsigned count; /* under the lock, as is next */
	unsigned next;  /* thread for the next handshake */
	unsigned thread_count;
	struct shaker_thread threads[];
};

static void wake(struct shaker_thread *t)
{
	uint64_t one = 1;

	/* It can only fail where the counter is full, and then the thread is awake. */
	while (write(t->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void handshake_free(struct handshake *h)
{
	if (event_initialized(&h->event))
		event_del(&h->event);
	mem_free(h->header);
	mem_free(h);
}

static void handshake_end(struct handshake *h)
{
	struct shaker *s = h->thread->shaker;

	pthread_mutex_lock(&s->lock);
	list_remove(&h->link);
	s->count--;
	pthread_mutex_unlock(&s->lock);
	handshake_free(h);
	s->handlers.ended(s->user);
}

static void handshake_refuse(struct handshake *h, const char *reason, bool expired)
{
	struct shaker *s = h->thread->shaker;

	s->handlers.refused(s->user, h->arrival, reason, expired);
	handshake_end(h);
}

static void handshake_pass(struct handshake *h)
{
	struct shaker *s = h->thread->shaker;
	struct arrival *a = h->arrival;

	if (a->tls && tls_get_identity(a->tls, &a->identity) != 0) {
		handshake_refuse(h, tls_reason(a->tls), false);
		return;
	}
	s->handlers.passed(s->user, a);
	handshake_end(h);
}

static void on_socket(evutil_socket_t fd, short what, void *arg);

static void handshake_wait(struct handshake *h, short what, int64_t looked_ms)
{
	bool is_silent = !h->arrival->is_proxied && !tls_has_begun(h->arrival->tls);
	int64_t left_ms = h->deadline_ms - clock_update();
	struct timeval timeout;

	if (left_ms < 1)
		left_ms = 1;
	timeout = (struct timeval){ .tv_sec = (time_t)(left_ms / 1000),
				    .tv_usec = (suseconds_t)(left_ms % 1000 * 1000) };
	pthread_mutex_lock(&h->thread->shaker->lock);
	h->idle_ms = looked_ms;
	h->is_silent = is_silent;
	pthread_mutex_unlock(&h->thread->shaker->lock);

	/* Not persistent: the deadline is the handshake's, no byte may put it off. */
	if (event_initialized(&h->event))
		event_del(&h->event);
	event_assign(&h->event, h->thread->base, h->arrival->fd, what, on_socket, h);
	if (event_add(&h->event, &timeout) != 0)
		handshake_refuse(h, "out of memory", false);
}

static bool has_unread(const struct handshake *h)
{
	int len = 0;

	return ioctl(h->arrival->fd, FIONREAD, &len) == 0 && len > 0;
}

/* Its place is wanted, and it is the peer that is slow. What must end stays marked until it has. */
static bool must_give_way(struct handshake *h)
{
	struct shaker *s = h->thread->shaker;
	bool must_end;

	pthread_mutex_lock(&s->lock);
	must_end = h->must_end;
	pthread_mutex_unlock(&s->lock);
	/* It was chosen by when we looked last; its bytes may have waited for us since. */
	if (!must_end || !has_unread(h))
		return must_end;
	pthread_mutex_lock(&s->lock);
	h->must_end = false;
	pthread_mutex_unlock(&s->lock);
	return false;
}

/* Read on in what the balancer says first. */
static enum proxy_rc read_header(struct handshake *h, struct sockaddr_storage *client,
				 const char **reason)
{
	enum proxy_rc rc = PROXY_MORE;
	char bytes[512];

	while (rc == PROXY_MORE) {
		size_t wants = proxy_wants(h->header);
		ssize_t got = recv(h->arrival->fd, bytes,
				   wants < sizeof(bytes) ? wants : sizeof(bytes), 0);

		if (got > 0) {
			rc = proxy_take(h->header, bytes, (size_t)got, client, reason);
		} else if (got < 0 && errno == EAGAIN) {
			break;
		} else if (got == 0 || errno != EINTR) {
			*reason = "closed by the peer before its PROXY header";
			rc = PROXY_WRONG;
		}
	}
	return rc;
}

static bool handshake_announce(struct handshake *h, const struct sockaddr_storage *client)
{
	struct shaker *s = h->thread->shaker;

	mem_free(h->header);
	h->header = NULL;
	if (s->handlers.announced(s->user, h->arrival, client))
		return true;
	handshake_end(h);
	return false;
}

/* Whether TLS, or whatever comes behind the header, may begin now. Else the handshake may be
 * gone. */
static bool handshake_hear(struct handshake *h, bool expired, int64_t looked_ms)
{
	struct sockaddr_storage client;
	const char *reason;

	switch (read_header(h, &client, &reason)) {
	case PROXY_MORE:
		if (expired)
			handshake_refuse(h, "no PROXY header in time", true);
		else
			handshake_wait(h, EV_READ, looked_ms);
		return false;
	case PROXY_WRONG:
		handshake_refuse(h, reason, false);
		return false;
	case PROXY_LOCAL:
		return handshake_announce(h, NULL);
	case PROXY_CLIENT:
		return handshake_announce(h, &client);
	}
	return false;
}

/* Do what can be done now. The handshake may be gone afterwards. */
static void handshake_step(struct handshake *h)
{
	struct tls *tls = h->arrival->tls;
	int64_t looked_ms = clock_update();
	bool expired = must_give_way(h) || looked_ms >= h->deadline_ms;

	if (h->header && !handshake_hear(h, expired, looked_ms))
		return;
	if (!tls) {
		handshake_pass(h);
		return;
	}
	switch (tls_handshake(tls)) {
	case TLS_OK:
		handshake_pass(h);
		return;
	case TLS_WANT_READ:
		if (!expired)
			handshake_wait(h, EV_READ, looked_ms);
		break;
	case TLS_WANT_WRITE:
		if (!expired)
			handshake_wait(h, EV_WRITE, looked_ms);
		break;
	case TLS_EOF:
		handshake_refuse(h, "closed by the peer during the handshake", false);
		return;
	case TLS_FAIL:
		handshake_refuse(h, tls_reason(tls), false);
		return;
	}
	/* Asked once more before it is judged: a peer that waits for us is not late. */
	if (expired)
		handshake_refuse(h, "handshake timed out", true);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handshake_step(arg);
}

/* Other threads ask for something. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct shaker_thread *t = arg;
	struct shaker *s = t->shaker;
	struct list *link;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		die("gate.broken", "cannot read an eventfd");
	pthread_mutex_lock(&s->lock);
	if (t->must_look)
		list_splice(&t->todo, &t->shaking);
	list_splice(&t->todo, &t->added);
	t->must_look = false;
	while (!t->must_stop && (link = list_take_first(&t->todo)) != NULL) {
		list_append(&t->shaking, link);
		pthread_mutex_unlock(&s->lock);
		handshake_step(container_of(link, struct handshake, link));
		pthread_mutex_lock(&s->lock);
	}
	if (t->must_stop)
		event_base_loopbreak(t->base);
	pthread_mutex_unlock(&s->lock);
}

static void *thread_main(void *arg)
{
	struct shaker_thread *t = arg;

	event_base_dispatch(t->base);
	return NULL;
}

static int thread_start(struct shaker *s, struct shaker_thread *t)
{
	struct event_config *config = event_config_new();
	int rc;

	/* Only its own thread touches this base; others write to the eventfd. */
	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		t->base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!t->base || t->wake_fd < 0)
		return -1;
	t->wake = event_new(t->base, t->wake_fd, EV_READ | EV_PERSIST, on_wake, t);
	if (!t->wake || event_add(t->wake, NULL) != 0)
		return -1;
	t->shaker = s;
	rc = pthread_create(&t->id, NULL, thread_main, t);
	t->is_running = rc == 0;
	if (rc == 0)
		pthread_setname_np(t->id, "handshake");
	return rc == 0 ? 0 : -1;
}

static void thread_stop(struct shaker *s, struct shaker_thread *t)
{
	if (!t->is_running)
		return;
	pthread_mutex_lock(&s->lock);
	t->must_stop = true;
	pthread_mutex_unlock(&s->lock);
	wake(t);
	pthread_join(t->id, NULL);
	t->is_running = false;
}

/* After thread_stop. */
static void thread_fini(struct shaker_thread *t)
{
	struct list *link;

	list_splice(&t->todo, &t->added);
	list_splice(&t->todo, &t->shaking);
	while ((link = list_take_first(&t->todo)) != NULL) {
		struct handshake *h = container_of(link, struct handshake, link);

		arrival_free(h->arrival);
		handshake_free(h);
	}
	if (t->wake)
		event_free(t->wake);
	if (t->base)
		event_base_free(t->base);
	if (t->wake_fd >= 0)
		close(t->wake_fd);
}

struct shaker *shaker_new(unsigned threads, int64_t timeout_ms,
			  const struct shaker_handlers *handlers, void *user)
{
	struct shaker *s = mem_new(sizeof(*s) + threads * sizeof(s->threads[0]));

	pthread_mutex_init(&s->lock, NULL);
	s->handlers = *handlers;
	s->user = user;
	s->timeout_ms = timeout_ms;
	s->thread_count = threads;
	for (unsigned i = 0; i < threads; i++) {
		s->threads[i].wake_fd = -1;
		list_init(&s->threads[i].added);
		list_init(&s->threads[i].todo);
		list_init(&s->threads[i].shaking);
	}
	for (unsigned i = 0; i < threads; i++) {
		if (thread_start(s, &s->threads[i]) != 0) {
			shaker_free(s);
			return NULL;
		}
	}
	return s;
}

void shaker_free(struct shaker *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->thread_count; i++)
		thread_stop(s, &s->threads[i]);
	for (unsigned i = 0; i < s->thread_count; i++)
		thread_fini(&s->threads[i]);
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

void shaker_add(struct shaker *s, struct arrival *a)
{
	struct handshake *h = mem_new(sizeof(*h));
	struct shaker_thread *t;

	h->arrival = a;
	h->since_ms = a->since_ms;
	h->deadline_ms = a->accepted_ms + s->timeout_ms;
	if (a->is_proxied) {
		h->header = mem_new(sizeof(*h->header));
		proxy_init(h->header);
	}
	pthread_mutex_lock(&s->lock);
	t = &s->threads[s->next++ % s->thread_count];
	h->thread = t;
	list_append(&t->added, &h->link);
	s->count++;
	pthread_mutex_unlock(&s->lock);
	wake(t);
}

unsigned shaker_count(struct shaker *s)
{
	unsigned count;

	pthread_mutex_lock(&s->lock);
	count = s->count;
	pthread_mutex_unlock(&s->lock);
	return count;
}

/* Whether one in the list connected before since_ms, perhaps, and was last looked at before
 * idle_ms. */
static bool list_has(struct list *handshakes, int64_t since_ms, int64_t idle_ms)
{
	list_foreach(link, handshakes) {
		const struct handshake *h = container_of(link, struct handshake, link);

		if (h->since_ms < since_ms && h->idle_ms < idle_ms)
			return true;
	}
	return false;
}

static bool thread_has(struct shaker_thread *t, int64_t since_ms, int64_t idle_ms)
{
	return list_has(&t->added, since_ms, idle_ms) || list_has(&t->todo, since_ms, idle_ms) ||
	       list_has(&t->shaking, since_ms, idle_ms);
}

bool shaker_has_waiting(struct shaker *s, int64_t deadline_ms)
{
	bool waiting = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->thread_count; i++) {
		struct shaker_thread *t = &s->threads[i];

		if (!thread_has(t, deadline_ms, deadline_ms))
			continue;
		waiting = true;
		if (!t->must_look)
			wake(t);
		t->must_look = true;
	}
	pthread_mutex_unlock(&s->lock);
	return waiting;
}

/* A client speaks first and at once, so silence is judged from its accept on, and sooner. */
static bool owes_bytes(const struct handshake *h, int64_t now_ms, int64_t silence_ms,
		       int64_t patience_ms)
{
	if (h->idle_ms == 0)
		return false;
	/* The arrival may be the handler's already. */
	if (h->is_silent)
		return h->deadline_ms - h->thread->shaker->timeout_ms < now_ms - silence_ms;
	return h->idle_ms < now_ms - patience_ms;
}

/* Those that were chosen before and are not gone yet. */
static unsigned count_ending(struct list *handshakes)
{
	unsigned count = 0;

	list_foreach(link, handshakes)
		count += container_of(link, struct handshake, link)->must_end;
	return count;
}

/* The lists are in the order in which handshakes were begun. */
static unsigned thread_make_room(struct shaker_thread *t, int64_t silence_ms, int64_t patience_ms,
				 unsigned most)
{
	int64_t now_ms = clock_update();
	unsigned ended = 0;

	ended += count_ending(&t->todo) + count_ending(&t->shaking);
	list_foreach_safe(link, &t->shaking) {
		struct handshake *h = container_of(link, struct handshake, link);

		if (ended >= most)
			break;
		if (h->must_end || !owes_bytes(h, now_ms, silence_ms, patience_ms))
			continue;
		h->must_end = true;
		list_remove(&h->link);
		list_append(&t->todo, &h->link);
		ended++;
	}
	if (ended > 0)
		wake(t);
	return ended < most ? ended : most;
}

void shaker_make_room(struct shaker *s, int64_t silence_ms, int64_t patience_ms, unsigned most)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->thread_count && most > 0; i++)
		most -= thread_make_room(&s->threads[i], silence_ms, patience_ms, most);
	pthread_mutex_unlock(&s->lock);
}

bool shaker_has_any(struct shaker *s, int64_t deadline_ms)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->thread_count && !found; i++)
		found = thread_has(&s->threads[i], deadline_ms, INT64_MAX);
	pthread_mutex_unlock(&s->lock);
	return found;
}
