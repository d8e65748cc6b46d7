/* What each command of app/admin puts into its answer's object, by family: admin_server.c (about
 * the whole), admin_clients.c (connections, sessions, watches). Each returns an error's text, or
 * NULL. */
#ifndef APP_ADMIN_COMMANDS_H
#define APP_ADMIN_COMMANDS_H

#include <stdbool.h>

struct json;
struct view;

const char *admin_configuration(const struct view *v, struct json *j);
const char *admin_connections(const struct view *v, struct json *j);
const char *admin_dirs(const struct view *v, struct json *j);
const char *admin_dump(const struct view *v, struct json *j);
const char *admin_environment(const struct view *v, struct json *j);
const char *admin_get_trace_mask(const struct view *v, struct json *j);
const char *admin_hash(const struct view *v, struct json *j);
const char *admin_initial_configuration(const struct view *v, struct json *j);
const char *admin_is_read_only(const struct view *v, struct json *j);
const char *admin_last_snapshot(const struct view *v, struct json *j);
const char *admin_leader(const struct view *v, struct json *j);
const char *admin_monitor(const struct view *v, struct json *j);
const char *admin_observers(const struct view *v, struct json *j);
const char *admin_ruok(const struct view *v, struct json *j);
const char *admin_server_stats(const struct view *v, struct json *j);
const char *admin_snapshot(const struct view *v, struct json *j);
const char *admin_stats(const struct view *v, struct json *j);
const char *admin_system_properties(const struct view *v, struct json *j);
const char *admin_voting_view(const struct view *v, struct json *j);
const char *admin_watch_summary(const struct view *v, struct json *j);
const char *admin_watches(const struct view *v, struct json *j);
const char *admin_watches_by_path(const struct view *v, struct json *j);
const char *admin_zabstate(const struct view *v, struct json *j);

/* Of stats. */
void admin_put_connections(const struct view *v, struct json *j, bool brief);

#endif
