/* What zoolited does besides serving: a word as its first argument, whatever belongs to it, and
 * mostly a configuration file as the last. */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include <stddef.h>
#include <stdio.h>

struct command {
	const char *word;  /* "--kick" */
	size_t min, max;   /* number of arguments */
	const char *takes; /* for who gave others: "a session or an address, and ..." */
	const char *usage; /* "SESSION|ADDRESS[/BITS] zoo.cfg" */
	const char *help;  /* what it does, in a line */
	/* Returns the exit status (app/complain.h); what was wrong has been said then. */
	int (*run)(char *const arguments[], size_t count);
};

/* NULL: there is none of that word. */
const struct command *command_find(const char *word);
/* Checks how many arguments there are, then runs it. */
int command_run(const struct command *command, char *const arguments[], size_t count);
/* The lines of usage, then the lines of help, of all of them. */
void command_print_usage(FILE *out);
void command_print_help(FILE *out);

#endif
