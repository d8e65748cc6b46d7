#include "app/command_control.h"

#include <stdio.h>

#include "app/complain.h"
#include "app/config.h"
#include "app/control_client.h"
#include "base/buf.h"

enum { MAX_ANSWER = 1024 * 1024 };

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

int command_control(char *const arguments[], size_t count)
{
	char line[CONTROL_LINE_MAX], reason[CONTROL_REASON_LEN];
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	if (control_client_line(arguments, count - 1, line, reason) != 0) {
		complain(reason);
		return EXIT_USAGE;
	}
	if (config_load(arguments[count - 1], &config, &report) != 0)
		complain(report.error);
	else
		rc = ask_server(&config, line);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

int command_kick(char *const arguments[], size_t count)
{
	char command[] = "kick";
	char *const words[] = { command, arguments[0], arguments[1] };

	(void)count;
	return command_control(words, 3);
}
