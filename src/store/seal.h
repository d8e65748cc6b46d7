/* The seal beside a snapshot that was verified: FILE.verified, which says what was found in FILE.
 * Without one a file is no snapshot to rely on; with one, a later look at FILE must find the same.
 * One thread. */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cdefs.h"
#include "store/digest.h"
#include "store/store.h"

struct seal {
	int64_t time_ms; /* when it was verified */
	uint32_t epoch;  /* highest in use when it was taken; 0: not known */
	int64_t zxid;
	uint64_t znodes; /* all of them */
	uint64_t ephemerals;
	uint64_t sessions;
	uint64_t bytes; /* of data */
	struct digest_texts digest;
};

enum { SEAL_TEXT_LEN = 512 };
#define SEAL_SUFFIX ".verified"

/* Lines of key=value. */
void seal_format(const struct seal *s, char out[SEAL_TEXT_LEN]);
/* What seal_format wrote; lines that are none of these are passed over. False: one is missing. */
bool seal_parse(const char *text, struct seal *s);

/* That of file. 1: there is one; 0: there is none; -1: it cannot be read, with a reason. */
must_check int seal_read(const char *file, struct seal *s, char reason[STORE_REASON_LEN]);
/* It and its name are on disk when this returns 0. */
must_check int seal_write(const char *file, const struct seal *s, char reason[STORE_REASON_LEN]);
/* "<file>.verified"; the caller frees. */
char *seal_path(const char *file);

#endif
