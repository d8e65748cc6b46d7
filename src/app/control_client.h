/* The other end of the control socket: what "zoolited --control" does. Prints nothing. */
#ifndef APP_CONTROL_CLIENT_H
#define APP_CONTROL_CLIENT_H

#include <stdbool.h>

#include "app/config.h"
#include "app/control_line.h"
#include "base/buf.h"
#include "base/cdefs.h"

enum { CONTROL_CLIENT_REASON_LEN = 512 };

/* Words with blanks between and the line's end. -1 with what is wrong, the server would say the
 * same. */
must_check int control_client_line(char *const words[], size_t count, char line[CONTROL_LINE_MAX],
				   char reason[CONTROL_REASON_LEN]);
/* Send the line to the server of this configuration and append its whole answer. -1 with a line in
 * reason where there is none to be had. */
must_check int control_client_ask(const struct config *c, const char *line, struct buf *answer,
				  char reason[CONTROL_CLIENT_REASON_LEN]);
/* Whether an answer says that it was done. */
bool control_client_is_ok(const struct buf *answer);

#endif
