#include "app/control.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/print.h"
#include "app/turn.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { LOG_BURST = 5, PAUSE_MS = 1000, MAX_ANSWER = 64 * 1024 };

struct control {
	struct control_options o;
	struct control_socket socket;
	struct event_base *base;
	struct timer_wheel *wheel;
	struct turn *turn;
	struct event *accept_event;
	struct timer pause; /* after an accept that failed */
	struct list peers;
	unsigned peer_count;
	uint64_t tickets; /* given so far */
	int64_t flushed;
};

struct peer {
	struct list link;
	struct control *control;
	struct event *event; /* reads the line, then writes the answer */
	struct timer deadline;
	struct ucred who;
	int fd;
	char line[CONTROL_LINE_MAX];
	size_t len;
	struct buf answer;
	int64_t mark; /* the answer waits for it */
	uint64_t ticket;
	bool is_asked;
	bool is_later;   /* the answer comes by control_answer, */
	bool is_running; /* which it may while the request is taken */
};

static void peer_free(struct peer *p)
{
	timer_disarm(p->control->wheel, &p->deadline);
	list_remove(&p->link);
	p->control->peer_count--;
	event_free(p->event);
	close(p->fd);
	buf_fini(&p->answer);
	mem_free(p);
}

/* --- the answer --- */

static void on_writable(evutil_socket_t fd, short what, void *arg);

static void wait_writable(struct peer *p)
{
	event_free(p->event);
	p->event = event_new(p->control->base, p->fd, EV_WRITE, on_writable, p);
	if (!p->event)
		die("control.event", "event_new failed");
	event_add(p->event, NULL);
}

/* The peer is freed where that is the end of it. */
static void send_answer(struct peer *p)
{
	ssize_t sent = 0;

	while (buf_len(&p->answer) > 0) {
		sent = send(p->fd, buf_head(&p->answer), buf_len(&p->answer),
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			break;
		buf_drain(&p->answer, (size_t)sent);
	}
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		wait_writable(p);
	else
		peer_free(p);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	turn_step(p->control->turn, "control");
	send_answer(p);
}

static void note_refusal(const struct control *c, const struct ucred *who, const char *reason)
{
	metrics_add(METRIC_control_refused, 1);
	c->o.refused(c->o.ctx, who->uid, reason);
}

static void refuse(struct peer *p, const char *reason)
{
	note_refusal(p->control, &p->who, reason);
	print(&p->answer, "error: %s\n", reason);
	send_answer(p);
}

static void answer(struct peer *p, struct slice text)
{
	char reason[CONTROL_REASON_LEN];
	struct control_line line;
	struct control_request rq = { .line = &line,
				      .uid = p->who.uid,
				      .pid = p->who.pid,
				      .ticket = ++p->control->tickets,
				      .answer = &p->answer };

	p->ticket = rq.ticket;
	p->is_asked = true;
	event_del(p->event);
	if (control_line_parse(text, &line, reason) != 0) {
		refuse(p, reason);
		return;
	}
	p->is_later = p->is_running = true;
	p->control->o.run(p->control->o.ctx, &rq);
	p->is_running = false;
	metrics_add(METRIC_control_commands, 1);
	p->mark = rq.mark;
	p->is_later = p->is_later && rq.later_ms > 0;
	if (p->is_later)
		timer_arm(p->control->wheel, &p->deadline, clock_now_ms() + rq.later_ms);
	else if (p->mark <= p->control->flushed)
		send_answer(p);
}

void control_answer(struct control *c, uint64_t ticket, struct slice text)
{
	if (!c)
		return;
	list_foreach_safe(link, &c->peers) {
		struct peer *p = container_of(link, struct peer, link);

		if (!p->is_later || p->ticket != ticket)
			continue;
		p->is_later = false;
		print_slice(&p->answer, text);
		if (!p->is_running)
			send_answer(p);
		return;
	}
}

void control_release(struct control *c, int64_t flushed)
{
	if (!c || flushed <= c->flushed)
		return;
	c->flushed = flushed;
	list_foreach_safe(link, &c->peers) {
		struct peer *p = container_of(link, struct peer, link);

		if (p->is_asked && p->mark > 0 && p->mark <= flushed) {
			p->mark = 0;
			send_answer(p);
		}
	}
}

/* --- the line --- */

/* A line that its peer did not end may be half of another one. */
static void on_end(struct peer *p, ssize_t got)
{
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0 || p->len == 0)
		peer_free(p);
	else
		refuse(p, "the line has no end");
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	const char *end;
	ssize_t got;
	size_t len;

	(void)what;
	turn_step(p->control->turn, "control");
	clock_update();
	got = recv(fd, p->line + p->len, sizeof(p->line) - p->len, MSG_DONTWAIT);
	if (got <= 0) {
		on_end(p, got);
		return;
	}
	p->len += (size_t)got;
	end = memchr(p->line, '\n', p->len);
	if (end) {
		len = (size_t)(end - p->line);
		if (len > 0 && p->line[len - 1] == '\r')
			len--;
		answer(p, (struct slice){ p->line, len });
	} else if (p->len == sizeof(p->line)) {
		/* Which the parser says. */
		answer(p, (struct slice){ p->line, p->len });
	}
}

/* --- who comes --- */

static void on_deadline(struct timer *t)
{
	struct peer *p = container_of(t, struct peer, deadline);
	static struct log_limit limit;
	uint32_t suppressed;

	note_refusal(p->control, &p->who, "its time was over");
	if (log_limit_pass(&limit, LOG_BURST, &suppressed))
		log_info("control.timeout", LOG_INT("uid", p->who.uid), LOG_INT("pid", p->who.pid),
			 LOG_INT("suppressed", suppressed));
	if (p->is_asked && p->mark > p->control->flushed) {
		buf_clear(&p->answer);
		print(&p->answer, "error: it is done, but not on disk yet\n");
	} else if (p->is_later) {
		print(&p->answer, "error: it is under way, but took too long to wait for\n");
	} else if (!p->is_asked) {
		print(&p->answer, "error: no line has come in time\n");
	}
	if (send(p->fd, buf_head(&p->answer), buf_len(&p->answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control.unsent", LOG_INT("pid", p->who.pid));
	peer_free(p);
}

/* False: it was logged, and the peer is not to be served. */
static bool may_come(const struct control *c, int fd, struct ucred *who)
{
	socklen_t len = sizeof(*who);
	static struct log_limit limit;
	uint32_t suppressed;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &len) == 0 &&
	    (who->uid == geteuid() || who->uid == 0))
		return true;
	note_refusal(c, who, "another user");
	if (log_limit_pass(&limit, LOG_BURST, &suppressed))
		log_warn("control.refused", LOG_INT("uid", who->uid), LOG_INT("pid", who->pid),
			 LOG_TEXT("reason", "another user"), LOG_INT("suppressed", suppressed));
	return false;
}

static void take(struct control *c, int fd)
{
	struct ucred who = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct peer *p;

	if (!may_come(c, fd, &who)) {
		close(fd);
		return;
	}
	p = mem_new(sizeof(*p));
	p->control = c;
	p->who = who;
	p->fd = fd;
	buf_init(&p->answer, MAX_ANSWER);
	timer_init(&p->deadline, on_deadline);
	list_append(&c->peers, &p->link);
	c->peer_count++;
	p->event = event_new(c->base, fd, EV_READ | EV_PERSIST, on_readable, p);
	if (!p->event)
		die("control.event", "event_new failed");
	timer_arm(c->wheel, &p->deadline, clock_now_ms() + c->o.timeout_ms);
	if (c->peer_count > c->o.max_peers)
		refuse(p, "too many connections (zoolite.maxControlConnections)");
	else
		event_add(p->event, NULL);
}

/* The queue stays as it is: asking again at once would only turn the loop. */
static void pause_accepting(struct control *c)
{
	static struct log_limit limit;
	uint32_t suppressed;

	if (log_limit_pass(&limit, 1, &suppressed))
		log_warn("control.accept_failed", LOG_TEXT("reason", strerror(errno)),
			 LOG_INT("suppressed", suppressed));
	event_del(c->accept_event);
	timer_arm(c->wheel, &c->pause, clock_now_ms() + PAUSE_MS);
}

static void on_pause_over(struct timer *t)
{
	event_add(container_of(t, struct control, pause)->accept_event, NULL);
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	int peer_fd;

	(void)what;
	turn_step(c->turn, "control");
	clock_update();
	/* One a turn: whoever comes often must not hold up the rest. */
	peer_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer_fd >= 0)
		take(c, peer_fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		pause_accepting(c);
}

struct control *control_new(struct event_base *base, struct timer_wheel *wheel, struct turn *turn,
			    const struct control_options *o, char reason[CONTROL_SOCKET_REASON_LEN])
{
	struct control *c = mem_new(sizeof(*c));

	c->o = *o;
	c->base = base;
	c->wheel = wheel;
	c->turn = turn;
	list_init(&c->peers);
	timer_init(&c->pause, on_pause_over);
	if (control_socket_open(&c->socket, o->path, reason) != 0) {
		mem_free(c);
		return NULL;
	}
	c->o.path = c->socket.path;
	c->accept_event = event_new(base, c->socket.fd, EV_READ | EV_PERSIST, on_connection, c);
	if (!c->accept_event)
		die("control.event", "event_new failed");
	event_add(c->accept_event, NULL);
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (!list_is_empty(&c->peers))
		peer_free(container_of(c->peers.next, struct peer, link));
	timer_disarm(c->wheel, &c->pause);
	event_free(c->accept_event);
	control_socket_close(&c->socket);
	mem_free(c);
}
