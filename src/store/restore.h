/* A snapshot becomes the tree of a data directory again. No client may find there what it knows
 * differently: the epoch rises by 1,024 above all that is known, so that no zxid and no session id
 * that was handed out after the snapshot comes back; the database id is a new one; sessions and
 * their ephemeral znodes are gone, as if the sessions had ended. What was in the directory is moved
 * aside, never deleted. Offline, one thread. */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "base/buf.h"
#include "store/store.h"
#include "store/verify.h"

struct restore_options {
	const char *file;
	/* The whole digest that file had when it was verified: what is put in place has it, too,
	 * whatever file is by then. NULL: what is there is verified for the first time. */
	const char *digest;
	const struct verify_teller *teller; /* hears what is wrong with it */
	const char *data_dir;
	const char *log_dir; /* as in struct store_options */
	uint32_t epoch;      /* known besides those of the file and the directory */
	/* The text of a quota's statistics without so many znodes and bytes. */
	void (*reduce)(struct slice stats, int64_t znodes, int64_t bytes, struct buf *out);
};

struct restore_report {
	uint32_t epoch; /* of the zxid that the tree has now */
	int64_t zxid;
	uint64_t sessions, ephemerals; /* that are gone */
	uint64_t parents;              /* whose Stat tells of that */
	char *aside;     /* where the old files are; NULL: there were none; the caller's */
	char *log_aside; /* those of a log directory elsewhere */
};

/* -1 with a reason; what is there then is what was there before, or, where a name could not be
 * given or the process was killed, a directory that no start takes before this was called again. */
must_check int restore(const struct restore_options *o, struct restore_report *out,
		       char reason[STORE_REASON_LEN]);
void restore_report_fini(struct restore_report *r);

/* Whether a restore into dir was cut short. */
bool restore_is_cut_short(const char *dir);

#endif
