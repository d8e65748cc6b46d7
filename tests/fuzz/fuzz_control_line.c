/* Fuzz target: a line of the control socket. What must hold:
 *   - what is taken is a command with an argument in its bounds, what is not has a reason in
 *     printable ASCII, in any case within its room;
 *   - nothing but printable ASCII is taken, and no line that would not fit with its end;
 *   - blanks around and between the words change nothing. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "app/control_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static int parse(const char *text, size_t len, struct control_line *line)
{
	char reason[CONTROL_REASON_LEN];
	int rc;

	memset(reason, 0x7f, sizeof(reason));
	rc = control_line_parse((struct slice){ text, len }, line, reason);
	if (rc != 0) {
		assert(memchr(reason, '\0', sizeof(reason)) && reason[0]);
		assert(is_printable(reason, strlen(reason)));
	}
	return rc;
}

static void check_line(const struct control_line *line)
{
	assert(control_command_name(line->command));
	switch (line->command) {
	case CONTROL_HELP:
	case CONTROL_STAT_RESET:
	case CONTROL_CONNECTION_STAT_RESET:
	case CONTROL_RELOAD:
	case CONTROL_SNAPSHOT:
	case CONTROL_STOP:
		assert(line->argument == 0);
		break;
	case CONTROL_SHED_CONNECTIONS:
		assert(line->argument >= 0 && line->argument <= 100);
		break;
	case CONTROL_SET_TRACE_MASK:
	case CONTROL_CLOSE_SESSION:
		break;
	case CONTROL_KICK:
		assert(!line->range.data || (line->argument == 0 && line->range.len >= 2));
		break;
	default:
		assert(!"no command");
	}
}

/* The same with twice as many blanks, and one at each end. */
static void check_blanks(const char *text, size_t len, const struct control_line *line, int rc)
{
	char wide[2 * CONTROL_LINE_MAX + 2];
	struct control_line other;
	size_t n = 0;

	wide[n++] = ' ';
	for (size_t i = 0; i < len; i++) {
		wide[n++] = text[i];
		if (text[i] == ' ')
			wide[n++] = ' ';
	}
	wide[n++] = ' ';
	if (n >= CONTROL_LINE_MAX)
		return;
	assert(parse(wide, n, &other) == rc);
	assert(rc != 0 || (other.command == line->command && other.argument == line->argument &&
			   slice_equal(other.range, line->range)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct control_line line;
	int rc = parse(text, size, &line);

	if (rc == 0) {
		assert(size < CONTROL_LINE_MAX && is_printable(text, size));
		check_line(&line);
	}
	if (size < CONTROL_LINE_MAX)
		check_blanks(text, size, &line, rc);
	return 0;
}
