/* The running server: listeners, the core loop, start, reload and stop. */
#ifndef APP_SERVER_H
#define APP_SERVER_H

#include "app/config.h"
#include "base/cdefs.h"
#include "net/tls.h"

struct server;

enum { SERVER_REASON_LEN = 1024 };

/* Open the data directory and the listeners. config_path is read again on reload; config and tls
 * (setup_check's) are taken over, after a failure too. NULL with a line in reason. */
must_check struct server *server_new(struct config *config, const char *config_path,
				     struct tls_context *tls, char reason[SERVER_REASON_LEN]);
/* Load, serve, until SIGTERM or SIGINT. 0 after a clean stop, -1 where the data could not be loaded
 * (logged). */
must_check int server_run(struct server *s);
void server_free(struct server *s);

#endif
