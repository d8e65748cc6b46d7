#include "app/admin.h"

#include <stdio.h>
#include <string.h>

#include "app/admin_commands.h"
#include "app/json.h"
#include "app/print.h"
#include "app/view.h"
#include "app/witness.h"
#include "base/metrics.h"

enum { MOST_NAMES = 3 };

struct command {
	const char *names[MOST_NAMES]; /* the first is the one it goes by */
	bool needs_registry;
	bool tells_all; /* names znodes, or who is connected */
	/* NULL: it acts, and is not to be had over HTTP. Returns an error or NULL. */
	const char *(*run)(const struct view *v, struct json *j);
};

/* By name. */
static const struct command commands[] = {
	{ { "configuration", "conf", "config" }, true, false, admin_configuration },
	{ { "connection_stat_reset", "crst" }, true, false, NULL },
	{ { "connections", "cons" }, true, true, admin_connections },
	{ { "dirs" }, true, false, admin_dirs },
	{ { "dump" }, true, true, admin_dump },
	{ { "environment", "env", "envi" }, false, false, admin_environment },
	{ { "get_trace_mask", "gtmk" }, false, false, admin_get_trace_mask },
	{ { "hash" }, true, false, admin_hash },
	{ { "initial_configuration", "icfg" }, true, false, admin_initial_configuration },
	{ { "is_read_only", "isro" }, true, false, admin_is_read_only },
	{ { "last_snapshot", "lsnp" }, true, false, admin_last_snapshot },
	{ { "leader", "lead" }, true, false, admin_leader },
	{ { "monitor", "mntr" }, true, false, admin_monitor },
	{ { "observer_connection_stat_reset", "orst" }, true, false, NULL },
	{ { "observers", "obsr" }, true, false, admin_observers },
	{ { "restore", "rest" }, true, false, NULL },
	{ { "ruok" }, true, false, admin_ruok },
	{ { "server_stats", "srvr" }, true, false, admin_server_stats },
	{ { "set_trace_mask", "stmk" }, false, false, NULL },
	{ { "snapshot", "snap" }, true, false, admin_snapshot },
	{ { "stat_reset", "srst" }, true, false, NULL },
	{ { "stats", "stat" }, true, true, admin_stats },
	{ { "system_properties", "sysp" }, false, false, admin_system_properties },
	{ { "voting_view" }, true, false, admin_voting_view },
	{ { "watch_summary", "wchs" }, true, false, admin_watch_summary },
	{ { "watches", "wchc" }, true, true, admin_watches },
	{ { "watches_by_path", "wchp" }, true, true, admin_watches_by_path },
	{ { "zabstate" }, false, false, admin_zabstate },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		for (size_t n = 0; n < MOST_NAMES && commands[i].names[n]; n++)
			if (strcmp(commands[i].names[n], name) == 0)
				return &commands[i];
	return NULL;
}

static bool is_kept_back(const struct view *v, const struct command *command)
{
	return command->tells_all && v->is_curtailed;
}

/* The one that acts is to be had where the configuration says so. */
static bool is_closed(const struct view *v, const struct command *command)
{
	return !command->run || (command->run == admin_snapshot && !v->config->admin_snapshot);
}

static bool is_anothers(const struct view *v, const struct command *command)
{
	return command->run == admin_snapshot && !v->may_act;
}

static void tell_refusal(const struct view *v, const struct command *command, const char *why)
{
	char op[64];

	snprintf(op, sizeof(op), "http %s", command->names[0]);
	witness_refuse(v->audit, v->asks, op, why);
}

static const char *run_command(const struct view *v, const struct command *command, struct json *j)
{
	if (is_closed(v, command)) {
		tell_refusal(v, command, "not executed over HTTP");
		return "This command is not executed over HTTP";
	}
	if (is_anothers(v, command)) {
		tell_refusal(v, command, "not an administrator");
		return "This command is an administrator's";
	}
	if (is_kept_back(v, command)) {
		metrics_add(METRIC_policy_refused, 1);
		tell_refusal(v, command, "no right by the policy: read all");
		return "This command is " VIEW_CURTAILED;
	}
	if (command->needs_registry && !v->registry)
		return VIEW_NOT_SERVING;
	return command->run(v, j);
}

static void fill(const struct view *v, const struct command *command, const char *name,
		 struct json *j)
{
	char unknown[HTTP_PATH_LEN + 32];
	const char *error;

	json_open_object(j);
	if (command) {
		error = run_command(v, command, j);
	} else {
		snprintf(unknown, sizeof(unknown), "Unknown command: %s", name);
		error = unknown;
	}
	json_put_text(j, "command", command ? command->names[0] : name);
	if (error) {
		json_put_text(j, "error", error);
	} else {
		json_key(j, slice_of("error"));
		json_null(j);
	}
	json_close_object(j);
}

enum http_status admin_run(const struct view *v, const char *name, struct buf *body)
{
	const struct command *command = find_command(name);
	struct json j;

	json_init(&j, body);
	fill(v, command, name, &j);
	if (print_too_large(body, name)) {
		json_init(&j, body);
		json_open_object(&j);
		json_put_text(&j, "command", name);
		json_put_text(&j, "error", PRINT_TOO_LARGE);
		json_close_object(&j);
	}
	if (command &&
	    (is_closed(v, command) || is_anothers(v, command) || is_kept_back(v, command)))
		return HTTP_FORBIDDEN;
	return HTTP_OK;
}

void admin_print_links(const struct view *v, struct buf *body)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (is_closed(v, &commands[i]))
			continue;
		print(body, "<a href=\"%s/%s\">%s</a>\n<br/>\n", v->config->admin_url,
		      commands[i].names[0], commands[i].names[0]);
	}
}
