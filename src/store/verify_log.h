/* Whether the log of a data directory is whole, and goes with its tree: every segment's integrity
 * and database id, the chain of changes from the oldest to the newest, that each record can be
 * read. Reads everything, writes nothing; beside a server that writes, too. One thread. */
#ifndef STORE_VERIFY_LOG_H
#define STORE_VERIFY_LOG_H

#include "store/verify.h"

struct verify_log_report {
	uint64_t segments; /* with something in them */
	uint64_t changes;
	int64_t first_prev; /* zxid before the oldest change */
	int64_t last;       /* of the newest change; first_prev where there is none */
	uint32_t epoch;     /* highest that is on record */
	uint64_t faults;
};

/* log_dir: …/log. tree: what verify_tree found. 0: nothing is wrong with it. */
must_check int verify_log(const char *log_dir, const struct rows_meta *tree,
			  const struct verify_teller *t, struct verify_log_report *out);

#endif
