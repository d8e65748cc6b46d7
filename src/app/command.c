#include "app/command.h"

#include <stdint.h>
#include <string.h>

#include "app/command_audit.h"
#include "app/command_control.h"
#include "app/command_explain.h"
#include "app/command_restore.h"
#include "app/command_verify.h"
#include "app/command_import.h"
#include "app/command_export.h"
#include "app/complain.h"
#include "app/recover.h"

/* In the order of the man page. */
static const struct command commands[] = {
	{ "--control", 2, SIZE_MAX, "a command and a configuration file", "COMMAND... zoo.cfg",
	  "ask the running server (help: what there is to ask)", command_control },
	{ "--kick", 2, 2, "a session or an address, and a configuration file",
	  "SESSION|ADDRESS[/BITS] zoo.cfg", "the same as --control kick", command_kick },
	{ "--export-audit", 1, 1, "a configuration file", "zoo.cfg",
	  "write the audit trail as lines of JSON", command_export_audit },
	{ "--verify-audit", 1, SIZE_MAX, "a configuration file", "[HEAD...] zoo.cfg",
	  "check that nothing of it was altered or removed", command_verify_audit },
	{ "--recover", 2, 3,
	  "a damaged data directory, where the log is elsewhere that, and a new one",
	  "DIR [LOGDIR] NEWDIR", "salvage what can be read of a damaged data directory", recover },
	{ "--explain-access", 3, SIZE_MAX, "identities, a path and a configuration file",
	  "IDENTITY... PATH zoo.cfg", "which line of zoolite.policyFile decides what",
	  command_explain },
	{ "--verify", 1, 1, "a snapshot or a configuration file", "FILE|zoo.cfg",
	  "check that a snapshot, or the data directory, is whole", command_verify },
	{ "--verify-part", 1, 1, "a file", "FILE",
	  "the same, as the server has it done for a new snapshot", command_verify_part },
	{ "--restore", 2, 3, "a snapshot, and a data directory or a configuration file",
	  "FILE DIR|zoo.cfg [LOGDIR]", "make a snapshot the tree of a data directory again",
	  command_restore },
	{ "--drill", 1, 1, "a snapshot or a configuration file", "FILE|zoo.cfg",
	  "try whether the newest snapshot can be restored, and report", command_drill },
	{ "--import", 2, 4,
	  "a directory, --with-sessions and --despite-digest or neither, and a configuration file",
	  "DIR [--with-sessions] [--despite-digest] zoo.cfg",
	  "found the registry on a ZooKeeper's directory", command_import },
	{ "--export", 2, 6, "a directory for ZooKeeper, and what to export",
	  "[--gzip] [--max-data BYTES] DIR SNAPSHOT|DATADIR [zoo.cfg] | DIR zoo.cfg",
	  "write a snapshot that ZooKeeper starts from", command_export },
};

enum { COUNT = sizeof(commands) / sizeof(commands[0]) };

const struct command *command_find(const char *word)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
	return NULL;
}

int command_run(const struct command *command, char *const arguments[], size_t count)
{
	if (count >= command->min && count <= command->max)
		return command->run(arguments, count);
	fprintf(stderr, "zoolited: %s takes %s\n", command->word, command->takes);
	return EXIT_USAGE;
}

void command_print_usage(FILE *out)
{
	for (size_t i = 0; i < COUNT; i++)
		fprintf(out, "       zoolited %s %s\n", commands[i].word, commands[i].usage);
}

void command_print_help(FILE *out)
{
	for (size_t i = 0; i < COUNT; i++)
		fprintf(out, "  %-9s  %s\n", commands[i].word, commands[i].help);
}
