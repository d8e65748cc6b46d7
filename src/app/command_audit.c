#include "app/command_audit.h"

#include <stdio.h>

#include "app/audit_export.h"
#include "app/audit_verify.h"
#include "app/complain.h"
#include "app/config.h"
#include "base/buf.h"

enum { MAX_ANSWER = 1024 * 1024 };

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

/* heads: NULL where the trail is to be exported */
static int read_trail(const char *path, char *const heads[], size_t count)
{
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	if (config_load(path, &config, &report) != 0)
		complain(report.error);
	else if (heads == NULL)
		rc = export_audit(&config);
	else
		rc = verify_audit(&config, heads, count);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

int command_export_audit(char *const arguments[], size_t count)
{
	(void)count;
	return read_trail(arguments[0], NULL, 0);
}

int command_verify_audit(char *const arguments[], size_t count)
{
	return read_trail(arguments[count - 1], arguments, count - 1);
}
