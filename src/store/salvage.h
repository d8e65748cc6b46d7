/* Take out of a damaged data directory what can be read, into a new one that a server starts on.
 *
 * The files are copied first, and only the copies are opened: nothing is ever written to the
 * damaged directory. What the tree has lost is looked for in the log, as far back as that reaches;
 * what came after the tree's zxid is applied as a start would, around the gaps that there are.
 * Sessions and their ephemeral znodes are left out, the epoch is raised by 1,024 as by a restore.
 * One thread; no server may run on either directory, which the locks see to. */
#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

#include <stdint.h>

#include "base/cdefs.h"
#include "store/store.h"

struct salvage_options {
	const char *data_dir;
	const char *log_dir; /* what holds log/; NULL: data_dir */
	const char *new_dir; /* made where it is missing; holds no registry */
	/* What could not be read, or had to be made up: a line for each. */
	void (*tell)(void *ctx, const char *line);
	void *ctx;
};

struct salvage_report {
	uint64_t znodes;    /* in the new directory */
	uint64_t from_log;  /* of these, lost in the tree and found in the log */
	uint64_t made;      /* of these, made up: empty, over znodes whose parent is lost */
	uint64_t closed;    /* of these, with an ACL that lets nobody in, since theirs is lost */
	uint64_t changes;   /* of the log, newer than the tree */
	uint64_t damaged;   /* places in the files that cannot be read */
	uint64_t lost;      /* znodes and changes that are known and not there; gaps as one */
	uint64_t ephemeral; /* left out */
	int64_t zxid;       /* the newest change in it */
};

/* -1 with a reason where there is nothing to salvage, or the new directory cannot be made. */
must_check int salvage(const struct salvage_options *o, struct salvage_report *out,
		       char reason[STORE_REASON_LEN]);

#endif
