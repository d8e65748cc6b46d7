/* What is said on stdout of files that are looked at offline: "bad: …" for each thing that is
 * wrong, in printable ASCII. */
#ifndef APP_VERDICT_H
#define APP_VERDICT_H

#include <stdbool.h>

#include "store/seal.h"
#include "store/verify.h"

extern const struct verify_teller verdict_teller;

void verdict_print_bad(const char *text);
/* Whether a tree is whole and, where it has a seal, still what it was when it got that; else what
 * is wrong was said. Without a seal *seal is all 0. */
bool verdict_of_snapshot(const char *file, struct verify_report *report, struct seal *seal);

#endif
