/* What a start needs from outside the configuration file, checked before anything is begun: the
 * files of TLS, the lists of networks, the policy, the user to become and the addresses to listen
 * at. "zoolited -t" and a start ask the same. Prints nothing. */
#ifndef APP_SETUP_H
#define APP_SETUP_H

#include <stdbool.h>

#include "app/config.h"
#include "base/cdefs.h"
#include "net/gate.h"
#include "net/tls.h"

struct policy;

enum { SETUP_REASON_LEN = 512 };

struct setup_fault {
	const char *property; /* whose value is at fault; config_line knows where it stands */
	char reason[SETUP_REASON_LEN];
};

/* A context for secureClientPort, from the files as they are now. NULL with fault. */
must_check struct tls_context *setup_tls(const struct config *c, struct setup_fault *fault);

/* The policy of zoolite.policyFile, which is set, as the file is now; the caller's. NULL with
 * fault. */
must_check struct policy *setup_policy(const struct config *c, struct setup_fault *fault);

/* Whether the server's certificate is not valid today, told in fault. */
bool setup_is_out_of_date(const struct config *c, const struct tls_context *tls,
			  struct setup_fault *fault);

/* The lists of networks, from their files as they are now; NULL where none is named. The caller's
 * to free. -1 with fault, and nothing to free. */
must_check int setup_networks(const struct config *c, struct gate_networks *n,
			      struct setup_fault *fault);

enum setup_rc {
	SETUP_GOOD,
	SETUP_DOUBTFUL, /* it will do, but somebody should read fault */
	SETUP_WRONG,    /* the configuration is: trying again will not help */
	SETUP_FAILED,   /* at this moment, as where no name server answers */
};
/* Check all that the configuration names, certificates without a secureClientPort too. *tls is the
 * context that the check made for it, the caller's to unref; NULL without that port or a good one.
 * fault says more where it is not good. A port in use is none of this. */
must_check enum setup_rc setup_check(const struct config *c, struct tls_context **tls,
				     struct setup_fault *fault);

#endif
