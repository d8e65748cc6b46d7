/* zoolited: the command line, then the order of start and stop. No logic. */
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/audit_export.h"
#include "app/audit_verify.h"
#include "app/config.h"
#include "app/control_client.h"
#include "app/explain.h"
#include "app/machine.h"
#include "app/server.h"
#include "app/setup.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/policy.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, MAX_ANSWER = 1024 * 1024 };

static const char usage[] = "usage: zoolited [-t] [-V] [-h] zoo.cfg\n"
			    "       zoolited --control COMMAND... zoo.cfg\n"
			    "       zoolited --kick SESSION|ADDRESS[/BITS] zoo.cfg\n"
			    "       zoolited --export-audit zoo.cfg\n"
			    "       zoolited --verify-audit [HEAD...] zoo.cfg\n"
			    "       zoolited --explain-access IDENTITY... PATH zoo.cfg\n"
			    "  -t  check the file and what it names, say what is wrong, then end\n"
			    "  -V  print the version\n"
			    "  -h  print this\n"
			    "  --control  ask the running server (help: what there is to ask)\n"
			    "  --kick     the same as --control kick\n"
			    "  --export-audit  write the audit trail as lines of JSON\n"
			    "  --verify-audit  check that nothing of it was altered or removed\n"
			    "  --explain-access  which line of zoolite.policyFile decides what\n";

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

/* One line, whatever the configuration holds. */
static void complain(const char *text)
{
	char *line = log_escape(text);

	fprintf(stderr, "%s\n", line);
	mem_free(line);
}

/* FILE:LINE: property: reason */
static void complain_of(const char *path, const struct config_report *report,
			const struct setup_fault *fault, const char *kind)
{
	unsigned line = config_line(report, fault->property);
	char text[CONFIG_ERROR_LEN];

	snprintf(text, sizeof(text), "%.*s:%u: %s%s: %s", PATH_MAX, path, line, kind,
		 fault->property, fault->reason);
	complain(text);
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

static int ask_server(const struct config *config, const char *line)
{
	char reason[CONTROL_CLIENT_REASON_LEN];
	struct buf answer;
	int rc = EXIT_FAILED;

	buf_init(&answer, MAX_ANSWER);
	if (control_client_ask(config, line, &answer, reason) != 0) {
		complain(reason);
	} else {
		fwrite(buf_head(&answer), 1, buf_len(&answer), stdout);
		rc = control_client_is_ok(&answer) ? EXIT_OK : EXIT_FAILED;
	}
	buf_fini(&answer);
	return rc;
}

static int control(char *const words[], size_t count, const char *path)
{
	char line[CONTROL_LINE_MAX], reason[CONTROL_REASON_LEN];
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	if (control_client_line(words, count, line, reason) != 0) {
		complain(reason);
		return EXIT_USAGE;
	}
	if (config_load(path, &config, &report) != 0)
		complain(report.error);
	else
		rc = ask_server(&config, line);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

/* "--control kick", for those in a hurry. */
static int kick(char *const arguments[], int count)
{
	char command[] = "kick";
	char *const words[] = { command, count == 2 ? arguments[0] : NULL };

	if (count == 2)
		return control(words, 2, arguments[1]);
	fputs("zoolited: --kick takes a session or an address, and a configuration file\n", stderr);
	return EXIT_USAGE;
}

static int explain_to(const struct config *config, const struct config_report *report,
		      const char *file, char *const words[], size_t count)
{
	struct setup_fault fault;
	struct policy *policy = config->policy_file ? setup_policy(config, &fault) : NULL;
	const char *wrong;
	struct buf answer;

	if (config->policy_file && !policy) {
		complain_of(file, report, &fault, "");
		return EXIT_USAGE;
	}
	buf_init(&answer, MAX_ANSWER);
	wrong = explain_access(config, policy, words, count - 1, words[count - 1], &answer);
	if (wrong)
		complain(wrong);
	else
		fwrite(buf_head(&answer), 1, buf_len(&answer), stdout);
	buf_fini(&answer);
	policy_free(policy);
	return wrong ? EXIT_USAGE : EXIT_OK;
}

/* words: identities and a path */
static int explain(char *const words[], size_t count, const char *path)
{
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	if (config_load(path, &config, &report) != 0)
		complain(report.error);
	else
		rc = explain_to(&config, &report, path, words, count);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

static int export_audit(const struct config *config)
{
	char reason[AUDIT_EXPORT_REASON_LEN];

	if (audit_export(config, stdout, reason) == 0)
		return EXIT_OK;
	complain(reason);
	return EXIT_FAILED;
}

static int verify_audit(const struct config *config, char *const heads[], size_t count)
{
	enum audit_verdict verdict;
	struct buf out;

	buf_init(&out, MAX_ANSWER);
	verdict = audit_verify(config, heads, count, &out);
	fwrite(buf_head(&out), 1, buf_len(&out), stdout);
	buf_fini(&out);
	if (verdict == AUDIT_UNKNOWN)
		return EXIT_USAGE;
	return verdict == AUDIT_GOOD ? EXIT_OK : EXIT_FAILED;
}

/* "--export-audit zoo.cfg", "--verify-audit [HEAD...] zoo.cfg". */
static int read_trail(int argc, char **argv)
{
	bool is_export = strcmp(argv[1], "--export-audit") == 0;
	const char *path = argv[argc - 1];
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	if (argc < 3 || (is_export && argc > 3)) {
		fprintf(stderr, "zoolited: %s takes a configuration file\n", argv[1]);
		return EXIT_USAGE;
	}
	if (config_load(path, &config, &report) != 0)
		complain(report.error);
	else if (is_export)
		rc = export_audit(&config);
	else
		rc = verify_audit(&config, argv + 2, (size_t)argc - 3);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

int main(int argc, char **argv)
{
	bool only_test = false;
	int opt;

	mem_setup();
	/* A reload that is asked for before there is a loop to do it must not end the start. */
	signal(SIGHUP, SIG_IGN);
	/* OpenSSL writes to sockets without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(log_event_message);
	if (argc > 1 && strcmp(argv[1], "--control") == 0) {
		if (argc > 3)
			return control(argv + 2, (size_t)argc - 3, argv[argc - 1]);
		fputs("zoolited: --control takes a command and a configuration file\n", stderr);
		return EXIT_USAGE;
	}
	if (argc > 1 && strcmp(argv[1], "--kick") == 0)
		return kick(argv + 2, argc - 2);
	if (argc > 1 && strcmp(argv[1], "--explain-access") == 0) {
		if (argc > 4)
			return explain(argv + 2, (size_t)argc - 3, argv[argc - 1]);
		fputs("zoolited: --explain-access takes identities, a path and a configuration "
		      "file\n",
		      stderr);
		return EXIT_USAGE;
	}
	if (argc > 1 &&
	    (strcmp(argv[1], "--export-audit") == 0 || strcmp(argv[1], "--verify-audit") == 0))
		return read_trail(argc, argv);
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
			fputs(usage, stdout);
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
