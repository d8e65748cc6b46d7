/* zoolited: the command line, then the order of start and stop. No logic. */
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "app/complain.h"
#include "app/config.h"
#include "app/machine.h"
#include "app/server.h"
#include "app/setup.h"
#include "base/log.h"
#include "base/mem.h"

static void print_usage(void)
{
	fputs("usage: zoolited [-t] [-V] [-h] zoo.cfg\n", stdout);
	command_print_usage(stdout);
	fputs("  -t  check the file and what it names, say what is wrong, then end\n"
	      "  -V  print the version\n"
	      "  -h  print this\n",
	      stdout);
	command_print_help(stdout);
}

/* What libevent has to say goes where everything goes. */
static void log_event_message(int severity, const char *message)
{
	if (severity >= EVENT_LOG_WARN)
		log_warn("libevent.message", LOG_TEXT("text", message));
}

static void log_notes(const struct config_report *report)
{
	static const char *const events
		[] = { [CONFIG_IGNORED] = "config.ignored", [CONFIG_REPEATED] = "config.repeated" };

	for (size_t i = 0; i < report->note_count; i++) {
		const struct config_note *note = &report->notes[i];

		if (note->kind == CONFIG_EXPOSED)
			log_warn("config.exposed", LOG_TEXT("property", note->name),
				 LOG_INT("line", note->line),
				 LOG_TEXT("reason", "a secret, in a file that others may read"));
		else
			log_info(events[note->kind], LOG_TEXT("property", note->name),
				 LOG_INT("line", note->line));
	}
}

static int serve(struct config *config, struct tls_context *tls, const char *path)
{
	char reason[SERVER_REASON_LEN];
	struct server *server;
	int rc;

	/* Whatever it is that we make, it is nobody else's. */
	umask(S_IRWXG | S_IRWXO);
	log_info("server.starting", LOG_TEXT("version", machine_version()),
		 LOG_TEXT("config", path));
	server = server_new(config, path, tls, reason);
	if (!server) {
		log_error("server.start_failed", LOG_TEXT("reason", reason));
		return EXIT_FAILED;
	}
	rc = server_run(server);
	server_free(server);
	log_info("server.stopped");
	return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

/* What the file names. The exit status where it will not do, which has been said then. */
static int check(const char *path, struct config *config, struct config_report *report,
		 struct tls_context **tls, bool only_test)
{
	struct setup_fault fault;

	switch (setup_check(config, tls, &fault)) {
	case SETUP_GOOD:
		return EXIT_OK;
	case SETUP_DOUBTFUL:
		if (only_test)
			complain_of(path, report, &fault, "warning: ");
		else
			log_warn("config.doubtful", LOG_TEXT("property", fault.property),
				 LOG_INT("line", config_line(report, fault.property)),
				 LOG_TEXT("reason", fault.reason));
		return EXIT_OK;
	case SETUP_FAILED:
		complain_of(path, report, &fault, "");
		return EXIT_FAILED;
	case SETUP_WRONG:
		break;
	}
	complain_of(path, report, &fault, "");
	return EXIT_USAGE;
}

/* The file and what it names. The exit status where it will not do, which has been said then. */
static int load(const char *path, struct config *config, struct config_report *report,
		struct tls_context **tls, bool only_test)
{
	*tls = NULL;
	if (config_load(path, config, report) != 0) {
		complain(report->error);
		return EXIT_USAGE;
	}
	log_set_level(config->log_level);
	return check(path, config, report, tls, only_test);
}

static void say_good(const char *path)
{
	char *name = log_escape(path);

	printf("%s: good\n", name);
	mem_free(name);
}

static int load_and_serve(const char *path, bool only_test)
{
	struct config_report report;
	struct config config;
	struct tls_context *tls;
	int rc = load(path, &config, &report, &tls, only_test);

	if (rc == EXIT_OK && !only_test) {
		log_notes(&report);
		config_report_fini(&report);
		return serve(&config, tls, path);
	}
	if (rc == EXIT_OK)
		say_good(path);
	tls_context_unref(tls);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

static int complain_of_option(void)
{
	char text[64];

	snprintf(text, sizeof(text), "zoolited: there is no option -%c (see zoolited -h)", optopt);
	complain(text);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command;
	bool only_test = false;
	int opt;

	mem_setup();
	/* A reload that is asked for before there is a loop to do it must not end the start. */
	signal(SIGHUP, SIG_IGN);
	/* And one for a snapshot. */
	signal(SIGUSR1, SIG_IGN);
	/* OpenSSL writes to sockets without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(log_event_message);
	command = argc > 1 ? command_find(argv[1]) : NULL;
	if (command)
		return command_run(command, argv + 2, (size_t)argc - 2);
	opterr = 0;
	while ((opt = getopt(argc, argv, "tVh")) != -1) {
		switch (opt) {
		case 't':
			only_test = true;
			break;
		case 'V':
			printf("zoolited %s (%s)\n", PACKAGE_VERSION, RELEASE_DATE);
			return EXIT_OK;
		case 'h':
			print_usage();
			return EXIT_OK;
		default:
			return complain_of_option();
		}
	}
	if (optind + 1 != argc) {
		fputs("zoolited: name one configuration file (see zoolited -h)\n", stderr);
		return EXIT_USAGE;
	}
	return load_and_serve(argv[optind], only_test);
}
