#include "app/control_commands.h"

#include <stdio.h>

#include "app/connections.h"
#include "app/print.h"
#include "app/snapshots.h"
#include "app/stats.h"
#include "app/view.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/audit.h"
#include "core/client.h"
#include "core/registry.h"
#include "core/session.h"

enum { MAX_TOLD = 16 * 1024 };

/* A command under way. */
struct run {
	const struct view *view;
	const struct control_hooks *hooks;
	struct control_request *request;
	struct buf told; /* what is said behind "ok", or why not */
};

/* Each tells in told what there is to say; false: it was not done, and why. */
typedef bool (*command_fn)(struct run *r, int64_t argument);

static bool run_help(struct run *r, int64_t argument)
{
	(void)argument;
	control_print_help(&r->told);
	return true;
}

static bool run_stat_reset(struct run *r, int64_t argument)
{
	(void)argument;
	stats_reset(r->view);
	return true;
}

static bool run_connection_stat_reset(struct run *r, int64_t argument)
{
	(void)argument;
	connections_reset(r->view->peers);
	return true;
}

static bool run_set_trace_mask(struct run *r, int64_t argument)
{
	*r->view->trace_mask = argument;
	print(&r->told, "tracemask=%lld\n", (long long)*r->view->trace_mask);
	return true;
}

static bool run_shed_connections(struct run *r, int64_t argument)
{
	print(&r->told, "connections_shed=%u\n",
	      connections_shed(r->view->peers, (unsigned)argument));
	return true;
}

static const char closed_by_hand[] = "session closed at the control socket";

static bool run_close_session(struct run *r, int64_t argument)
{
	struct registry *registry = r->view->registry;
	struct session *s = session_find(registry_sessions(registry), argument);
	struct client *client;

	if (!s) {
		print(&r->told, "there is no such session");
		return false;
	}
	client = s->client;
	if (!registry_end_session(registry, s, NULL, closed_by_hand)) {
		print(&r->told, "a parent of its ephemeral znodes cannot be read now");
		return false;
	}
	metrics_add(METRIC_sessions_closed, 1);
	if (client)
		client_close(client, closed_by_hand);
	r->request->mark = registry_last_change(registry);
	return true;
}

static bool run_kick(struct run *r, int64_t argument)
{
	struct registry *registry = r->view->registry;
	struct slice range = r->request->line->range;
	struct connections_kicked kicked;

	if (range.data) {
		kicked = connections_kick(r->view->peers, range);
	} else {
		struct session *s = session_find(registry_sessions(registry), argument);

		if (!s) {
			print(&r->told, "there is no such session");
			return false;
		}
		kicked = connections_kick_session(registry, s);
	}
	r->request->mark = registry_last_change(registry);
	if (!kicked.is_whole) {
		print(&r->told, "cut, but a session stays until it expires: a parent of its "
				"ephemeral znodes cannot be read now");
		return false;
	}
	print(&r->told, "connections_kicked=%u\nsessions_ended=%u\n", kicked.connections,
	      kicked.sessions);
	return true;
}

/* It may quote the file, and names of files. */
static void print_escaped(struct buf *out, const struct buf *text)
{
	char *whole = mem_dup(buf_head(text), buf_len(text));
	char *line = log_escape(whole);

	print_slice(out, slice_of(line));
	mem_free(line);
	mem_free(whole);
}

static bool run_reload(struct run *r, int64_t argument)
{
	struct buf told;
	bool is_taken;

	(void)argument;
	buf_init(&told, MAX_TOLD);
	is_taken = r->hooks->reload(r->hooks->ctx, &told);
	if (buf_len(&told) > 0) {
		if (is_taken)
			print(&r->told, "waits_for_restart=");
		print_escaped(&r->told, &told);
		if (is_taken)
			print(&r->told, "\n");
	}
	buf_fini(&told);
	return is_taken;
}

/* One that is copied may have to wait for another, and so may its verification. */
static int64_t longest_ms(const struct config *c)
{
	return CONTROL_SNAPSHOT_TIMES * c->snapshot_timeout_ms;
}

static bool run_snapshot(struct run *r, int64_t argument)
{
	const struct view *v = r->view;
	struct snapshots_figures figures;
	char reason[SNAPSHOTS_REASON_LEN];

	(void)argument;
	if (!v->snapshots) {
		print(&r->told, "no snapshots are taken here");
		return false;
	}
	switch (snapshots_ask(v->snapshots, registry_last_change(v->registry), "control",
			      r->request->ticket, reason)) {
	case SNAPSHOTS_BEGUN:
		r->request->later_ms = longest_ms(v->config);
		return true;
	case SNAPSHOTS_THERE:
		figures = snapshots_figures(v->snapshots);
		control_print_snapshot(&r->told, figures.last_path, figures.last_zxid);
		return true;
	case SNAPSHOTS_REFUSED:
		break;
	}
	print(&r->told, "%s", reason);
	return false;
}

void control_print_snapshot(struct buf *out, const char *path, int64_t zxid)
{
	print(out, "snapshot=");
	print_slice(out, slice_of(path));
	print(out, "\nzxid=0x%llx\n", (unsigned long long)zxid);
}

void control_print_outcome(struct buf *out, const struct snapshots_outcome *o)
{
	print(out, o->is_good ? "ok\n" : "error: ");
	if (o->is_good)
		control_print_snapshot(out, o->path, o->zxid);
	else
		print(out, "%s\n", o->reason);
}

static bool run_stop(struct run *r, int64_t argument)
{
	(void)argument;
	r->hooks->stop(r->hooks->ctx);
	return true;
}

static const struct {
	command_fn run;
	bool needs_registry;
} commands[] = {
	[CONTROL_HELP] = { run_help, false },
	[CONTROL_STAT_RESET] = { run_stat_reset, true },
	[CONTROL_CONNECTION_STAT_RESET] = { run_connection_stat_reset, true },
	[CONTROL_SET_TRACE_MASK] = { run_set_trace_mask, false },
	[CONTROL_SHED_CONNECTIONS] = { run_shed_connections, true },
	[CONTROL_CLOSE_SESSION] = { run_close_session, true },
	[CONTROL_KICK] = { run_kick, true },
	[CONTROL_RELOAD] = { run_reload, false },
	[CONTROL_SNAPSHOT] = { run_snapshot, true },
	[CONTROL_STOP] = { run_stop, false },
};

static void log_command(const struct control_request *rq, bool is_done, const struct buf *told)
{
	const struct control_line *line = rq->line;
	const char *name = control_command_name(line->command);
	struct slice result = is_done ? slice_of("ok") : buf_slice(told);

	if (line->range.data)
		log_info("control.command", LOG_TEXT("command", name),
			 LOG_SLICE("range", line->range), LOG_INT("uid", rq->uid),
			 LOG_INT("pid", rq->pid), LOG_SLICE("result", result));
	else if (line->command == CONTROL_CLOSE_SESSION || line->command == CONTROL_KICK)
		log_info("control.command", LOG_TEXT("command", name),
			 LOG_HEX("session", line->argument), LOG_INT("uid", rq->uid),
			 LOG_INT("pid", rq->pid), LOG_SLICE("result", result));
	else
		log_info("control.command", LOG_TEXT("command", name),
			 LOG_INT("argument", line->argument), LOG_INT("uid", rq->uid),
			 LOG_INT("pid", rq->pid), LOG_SLICE("result", result));
}

static void record_command(const struct view *v, const struct control_request *rq, bool is_done,
			   const struct buf *told)
{
	char who[64], argument[32];
	struct audit_event e = {
		.kind = "control",
		.address = slice_of("control socket"),
		.op = slice_of(control_command_name(rq->line->command)),
	};

	snprintf(who, sizeof(who), "[\"uid:%lld\"]", (long long)rq->uid);
	snprintf(argument, sizeof(argument), "0x%llx", (unsigned long long)rq->line->argument);
	e.who = slice_of(who);
	e.detail = rq->line->range.data ? rq->line->range : slice_of(argument);
	if (!is_done)
		e.result = buf_slice(told);
	audit_record(v->audit, &e);
}

void control_run(const struct view *v, const struct control_hooks *hooks,
		 struct control_request *rq)
{
	enum control_command command = rq->line->command;
	struct run r = { .view = v, .hooks = hooks, .request = rq };
	bool is_done = false;

	buf_init(&r.told, MAX_TOLD);
	if (commands[command].needs_registry && !v->registry)
		print(&r.told, VIEW_NOT_SERVING);
	else
		is_done = commands[command].run(&r, rq->line->argument);
	if (control_command_acts(command)) {
		log_command(rq, is_done, &r.told);
		record_command(v, rq, is_done, &r.told);
	}
	if (rq->later_ms == 0) {
		print(rq->answer, is_done ? "ok\n" : "error: ");
		print_slice(rq->answer, buf_slice(&r.told));
		if (!is_done)
			print(rq->answer, "\n");
	}
	buf_fini(&r.told);
}
