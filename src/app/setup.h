/* What a start needs from outside the configuration file, checked before anything is begun: the
 * files of TLS and the addresses to listen at. "zoolited -t" and a start ask the same. Prints
 * nothing. */
#ifndef APP_SETUP_H
#define APP_SETUP_H

#include "app/config.h"
#include "base/cdefs.h"
#include "net/tls.h"

enum { SETUP_REASON_LEN = 512 };

/* The context of secureClientPort, from the files as they are now. NULL with a line in reason. */
must_check struct tls_context *setup_tls(const struct config *c, char reason[TLS_REASON_LEN]);

/* Check all of it. *tls is the context that the check made, the caller's to unref; NULL without a
 * secureClientPort. -1 with a line in reason that names the property or the file: the configuration
 * is wrong, and trying again will not help. A port in use is none of this. */
must_check int setup_check(const struct config *c, struct tls_context **tls,
			   char reason[SETUP_REASON_LEN]);

#endif
