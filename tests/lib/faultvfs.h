/* A disk of which one call fails, or all from one on: under SQLite (a VFS over the default one) and
 * under the store's own calls (struct vfs_os). Every call counts, whichever thread it is on. A call
 * that fails does nothing. */
#ifndef TESTS_LIB_FAULTVFS_H
#define TESTS_LIB_FAULTVFS_H

#include <stdbool.h>

enum fault_error {
	FAULT_IO,   /* an I/O error */
	FAULT_FULL, /* no room; counts and fails only calls that may want some */
};

struct fault_plan {
	enum fault_error error;
	unsigned long at; /* the at-th call from now fails, 1 being the next; 0: none */
	bool from_then_on;
};

/* Put the disk under the store, without a fault. No connection may be open. */
void fault_use(void);
/* From now on. */
void fault_set(const struct fault_plan *plan);
/* Calls counted since fault_set, and how many of them failed. */
unsigned long fault_calls(void);
unsigned long fault_failed(void);
/* Name of the first that failed, NULL: none did. */
const char *fault_name(void);

#endif
