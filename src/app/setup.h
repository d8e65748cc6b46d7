/* What a start needs from outside the configuration file, checked before anything is begun: the
 * files of TLS and the addresses to listen at. "zoolited -t" and a start ask the same. Prints
 * nothing. */
#ifndef APP_SETUP_H
#define APP_SETUP_H

#include "app/config.h"
#include "base/cdefs.h"
#include "net/tls.h"

enum { SETUP_REASON_LEN = 512 };

struct setup_fault {
	const char *property; /* whose value is at fault; config_line knows where it stands */
	char reason[SETUP_REASON_LEN];
};

/* The context of secureClientPort, from the files as they are now. NULL with fault. */
must_check struct tls_context *setup_tls(const struct config *c, struct setup_fault *fault);

/* Check all of it. *tls is the context that the check made, the caller's to unref; NULL without a
 * secureClientPort. -1 with fault: the configuration is wrong, and trying again will not help. A
 * port in use is none of this. */
must_check int setup_check(const struct config *c, struct tls_context **tls,
			   struct setup_fault *fault);

#endif
