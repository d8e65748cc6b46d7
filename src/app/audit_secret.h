/* The file with the audit trail's key: 64 hex digits on a line. The first line's key signs; those
 * below it, older ones, only check what they signed. It lies outside of the directories that hold
 * the trail, for whoever has both can forge it. Prints nothing. */
#ifndef APP_AUDIT_SECRET_H
#define APP_AUDIT_SECRET_H

#include <stddef.h>

#include "app/config.h"
#include "base/cdefs.h"
#include "store/audit.h"

enum { AUDIT_SECRET_MOST = 16, AUDIT_SECRET_REASON_LEN = 512 };

struct audit_secret {
	struct audit_key *keys[AUDIT_SECRET_MOST];
	size_t count; /* 0: no secret one */
};

enum audit_secret_rc {
	AUDIT_SECRET_GOOD,
	AUDIT_SECRET_ABSENT, /* there is no such file */
	AUDIT_SECRET_BAD,    /* reason says why */
};
/* Read the file that c names; without one that is GOOD, and count 0. The caller frees with fini
 * where it is GOOD. */
must_check enum audit_secret_rc audit_secret_read(const struct config *c, struct audit_secret *s,
						  char reason[AUDIT_SECRET_REASON_LEN]);
/* Make it with a key from the random generator, for its owner alone; its directory must be there.
 * -1 with a reason. */
must_check int audit_secret_make(const struct config *c, char reason[AUDIT_SECRET_REASON_LEN]);
/* Whether it lies, or would lie, below dataDir or dataLogDir. */
bool audit_secret_is_misplaced(const struct config *c, char reason[AUDIT_SECRET_REASON_LEN]);
void audit_secret_fini(struct audit_secret *s);

#endif
