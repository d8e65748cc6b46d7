/* What zoolited has to say to whoever runs it, on stderr, and with what status it ends then. */
#ifndef APP_COMPLAIN_H
#define APP_COMPLAIN_H

#include "app/config.h"
#include "app/setup.h"

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNKNOWN = 3, /* of what is verified: it could not be looked at */
};

/* One line, whatever the text holds. */
void complain(const char *text);
/* FILE:LINE: KIND PROPERTY: REASON, path being the file that report is of. */
void complain_of(const char *path, const struct config_report *report,
		 const struct setup_fault *fault, const char *kind);

#endif
