/* The commands of ZooKeeper's AdminServer that read, in JSON with its names and members. Those that
 * act are refused, but for snapshot where admin.snapshot.enabled is on. Core thread. */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include "app/http_head.h"
#include "base/buf.h"

struct view;

/* The command of this name (any of its names) into body. */
enum http_status admin_run(const struct view *v, const char *name, struct buf *body);
/* Links to all that are answered, in HTML. */
void admin_print_links(const struct view *v, struct buf *body);

#endif
