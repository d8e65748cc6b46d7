/* What is said on stdout of files that are looked at offline: "bad: …" for each thing that is
 * wrong, in printable ASCII. */
#ifndef APP_VERDICT_H
#define APP_VERDICT_H

#include "base/cdefs.h"
#include "store/seal.h"
#include "store/verify.h"

extern const struct verify_teller verdict_teller;

void verdict_print_bad(const char *text);
/* "unknown: …", of what keeps anybody from saying whether something is wrong. */
void verdict_print_unknown(const char *text);

enum verdict {
	VERDICT_GOOD,
	VERDICT_BAD,
	VERDICT_UNKNOWN, /* nothing wrong was found, but not all could be looked at */
};
/* Whether a tree is whole and, where it has a seal, still what it was when it got that; else why
 * not was said. Without a seal *seal is all 0. */
must_check enum verdict verdict_of_snapshot(const char *file, struct verify_report *report,
					    struct seal *seal);
/* What a process that was asked that ends with. */
int verdict_status(enum verdict v);

#endif
