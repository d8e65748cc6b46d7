/* The language of the control socket: one line of printable ASCII, a command and at most one
 * argument with blanks between. Pure functions; the server and "zoolited --control" read a line
 * alike. */
#ifndef APP_CONTROL_LINE_H
#define APP_CONTROL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cdefs.h"
#include "base/slice.h"

enum control_command {
	CONTROL_HELP,
	CONTROL_STAT_RESET,
	CONTROL_CONNECTION_STAT_RESET,
	CONTROL_SET_TRACE_MASK,   /* argument: the mask */
	CONTROL_SHED_CONNECTIONS, /* argument: percent, 0 to 100 */
	CONTROL_CLOSE_SESSION,    /* argument: its id */
	CONTROL_KICK,             /* argument: a session's id; or range: addresses */
	CONTROL_RELOAD,
	CONTROL_SNAPSHOT,
	CONTROL_STOP,
};

struct control_line {
	enum control_command command;
	int64_t argument;   /* 0 where there is none */
	struct slice range; /* "10.0.0.7", "fe80::/10", part of the line; data is NULL: none */
};

enum {
	CONTROL_LINE_MAX = 256, /* bytes, with the line's end */
	CONTROL_REASON_LEN = 320,
};

/* text: a line without its end. -1 with what is wrong with it, in printable ASCII. */
must_check int control_line_parse(struct slice text, struct control_line *line,
				  char reason[CONTROL_REASON_LEN]);
const char *control_command_name(enum control_command command);
/* Whether it changes anything. */
bool control_command_acts(enum control_command command);
/* A line for each command. */
void control_print_help(struct buf *out);

#endif
