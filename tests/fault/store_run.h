/* The bare store at work under a trace: random changes through small segments, with little
 * retention and busy replay, by processes of which some are killed. After each cut the store must
 * open, hold every change that it said was on disk or in the tree, and none but in whole and in
 * order; its next epoch must be above all that were seen; and the audit trail must be a whole
 * chain, with a row for each change, that reaches as far as was told. */
#ifndef TESTS_FAULT_STORE_RUN_H
#define TESTS_FAULT_STORE_RUN_H

#include "tests/fault/powercut.h"

const struct powercut_subject *store_run_init(void);
void store_run_fini(void);
/* No process is killed but by the caller. */
void store_run_without_kills(void);

#endif
