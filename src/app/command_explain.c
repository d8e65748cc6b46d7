#include "app/command_explain.h"

#include <stdio.h>

#include "app/complain.h"
#include "app/config.h"
#include "app/explain.h"
#include "app/setup.h"
#include "base/buf.h"
#include "core/policy.h"

enum { MAX_ANSWER = 1024 * 1024 };

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

int command_explain(char *const arguments[], size_t count)
{
	const char *path = arguments[count - 1];
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	if (config_load(path, &config, &report) != 0)
		complain(report.error);
	else
		rc = explain_to(&config, &report, path, arguments, count - 1);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}
