#include "app/control_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/print.h"
#include "core/access_ip.h"

enum argument { NO_ARGUMENT, MASK, PERCENT, SESSION_ID, WHOM };
enum { MOST_WORDS = 3 /* one more than any command has */, MOST_HEX_DIGITS = 16 };

static const struct command {
	const char *name;
	enum argument argument;
	bool acts;
	const char *help;
} commands[] = {
	[CONTROL_HELP] = { "help", NO_ARGUMENT, false, "print this" },
	[CONTROL_STAT_RESET] = { "stat_reset", NO_ARGUMENT, true,
				 "begin the server's figures and counters anew" },
	[CONTROL_CONNECTION_STAT_RESET] = { "connection_stat_reset", NO_ARGUMENT, true,
					    "begin the figures of connections anew" },
	[CONTROL_SET_TRACE_MASK] = { "set_trace_mask", MASK, true,
				     "set the number that gtmk tells" },
	[CONTROL_SHED_CONNECTIONS] = { "shed_connections", PERCENT, true,
				       "close about that share of the clients' connections" },
	[CONTROL_CLOSE_SESSION] = { "close_session", SESSION_ID, true,
				    "end a session with its ephemeral znodes" },
	[CONTROL_KICK] = { "kick", WHOM, true,
			   "cut a session's connection, or all of an address, and end them" },
	[CONTROL_RELOAD] = { "reload", NO_ARGUMENT, true, "read the configuration anew" },
	[CONTROL_SNAPSHOT] = { "snapshot", NO_ARGUMENT, true,
			       "take a snapshot, and tell its file when it is verified" },
	[CONTROL_STOP] = { "stop", NO_ARGUMENT, true, "stop the server cleanly" },
};

static const char *const argument_names[] = {
	[NO_ARGUMENT] = "",
	[MASK] = " NUMBER",
	[PERCENT] = " PERCENT",
	[SESSION_ID] = " ID",
	[WHOM] = " ID|ADDRESS[/BITS]",
};

static const char *const argument_kinds[] = {
	[NO_ARGUMENT] = "nothing",
	[MASK] = "a number of 64 bits",
	[PERCENT] = "a number from 0 to 100",
	[SESSION_ID] = "a session's id in hex digits",
	[WHOM] = "a session's id in hex digits, or an IP address and how many bits of it count",
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* strtoll and strtoull would pass over white space, and over signs where none may stand. */
static bool is_of(const char *text, const char *digits)
{
	return *text && strspn(text, digits) == strlen(text);
}

static int parse_mask(const char *text, int64_t *out)
{
	if (!is_of(text + (*text == '-'), "0123456789"))
		return -1;
	errno = 0;
	*out = strtoll(text, NULL, 10);
	return errno == 0 ? 0 : -1;
}

static int parse_percent(const char *text, int64_t *out)
{
	return *text != '-' && parse_mask(text, out) == 0 && *out <= 100 ? 0 : -1;
}

/* As the words print it, 0x1234, or without the 0x. */
static int parse_id(const char *text, int64_t *out)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (!is_of(text, "0123456789abcdefABCDEF") || strlen(text) > MOST_HEX_DIGITS)
		return -1;
	*out = (int64_t)strtoull(text, NULL, 16);
	return 0;
}

/* No id holds a dot or a colon, and no address is without. */
static int parse_whom(const char *text, struct slice in_line, struct control_line *line)
{
	if (!strpbrk(text, ".:"))
		return parse_id(text, &line->argument);
	line->range = in_line;
	return access_ip_is_valid(in_line) ? 0 : -1;
}

/* in_line: the same where the line has it. */
static int parse_argument(enum argument kind, const char *text, struct slice in_line,
			  struct control_line *line)
{
	int64_t *out = &line->argument;

	switch (kind) {
	case NO_ARGUMENT:
		break;
	case MASK:
		return parse_mask(text, out);
	case PERCENT:
		return parse_percent(text, out);
	case SESSION_ID:
		return parse_id(text, out);
	case WHOM:
		return parse_whom(text, in_line, line);
	}
	return -1;
}

static bool is_printable(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] > '~')
			return false;
	return true;
}

/* A copy with a NUL behind each word; how many there are, MOST_WORDS for more. */
static size_t split(struct slice text, char room[CONTROL_LINE_MAX], const char *words[MOST_WORDS])
{
	size_t count = 0;
	char *rest = NULL;

	memcpy(room, text.data, text.len);
	room[text.len] = '\0';
	for (char *word = strtok_r(room, " ", &rest); word && count < MOST_WORDS;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return count;
}

/* argument: the second word where the line has it. */
static int parse_words(const char *const words[MOST_WORDS], size_t count, struct slice argument,
		       struct control_line *line, char reason[CONTROL_REASON_LEN])
{
	const struct command *command = count > 0 ? find_command(words[0]) : NULL;
	size_t wanted;

	if (count == 0) {
		snprintf(reason, CONTROL_REASON_LEN, "the line names no command (see help)");
		return -1;
	}
	if (!command) {
		snprintf(reason, CONTROL_REASON_LEN, "there is no command \"%s\" (see help)",
			 words[0]);
		return -1;
	}
	wanted = command->argument == NO_ARGUMENT ? 1 : 2;
	if (count != wanted ||
	    (wanted == 2 && parse_argument(command->argument, words[1], argument, line) != 0)) {
		snprintf(reason, CONTROL_REASON_LEN, "%s takes %s", command->name,
			 argument_kinds[command->argument]);
		return -1;
	}
	line->command = (enum control_command)(command - commands);
	return 0;
}

int control_line_parse(struct slice text, struct control_line *line,
		       char reason[CONTROL_REASON_LEN])
{
	char room[CONTROL_LINE_MAX];
	const char *words[MOST_WORDS];
	struct slice argument = { 0 };
	size_t count;

	*line = (struct control_line){ 0 };
	if (text.len >= CONTROL_LINE_MAX) {
		snprintf(reason, CONTROL_REASON_LEN, "the line is longer than %d bytes",
			 CONTROL_LINE_MAX);
		return -1;
	}
	if (!is_printable(text)) {
		snprintf(reason, CONTROL_REASON_LEN, "the line is not printable ASCII");
		return -1;
	}
	count = split(text, room, words);
	if (count > 1)
		argument = (struct slice){ text.data + (words[1] - room), strlen(words[1]) };
	return parse_words(words, count, argument, line, reason);
}

const char *control_command_name(enum control_command command)
{
	return commands[command].name;
}

bool control_command_acts(enum control_command command)
{
	return commands[command].acts;
}

void control_print_help(struct buf *out)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		print(out, "%s%s: %s\n", commands[i].name, argument_names[commands[i].argument],
		      commands[i].help);
}
