#include "app/complain.h"

#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

void complain(const char *text)
{
	char *line = log_escape(text);

	fprintf(stderr, "%s\n", line);
	mem_free(line);
}

void complain_of(const char *path, const struct config_report *report,
		 const struct setup_fault *fault, const char *kind)
{
	unsigned line = config_line(report, fault->property);
	char text[CONFIG_ERROR_LEN];

	snprintf(text, sizeof(text), "%.*s:%u: %s%s: %s", PATH_MAX, path, line, kind,
		 fault->property, fault->reason);
	complain(text);
}
