/* Files that hold a secret (keys, passwords): whether they are kept from others. */
#ifndef BASE_PRIVATE_FILE_H
#define BASE_PRIVATE_FILE_H

#include <stddef.h>

#include "base/cdefs.h"

enum { PRIVATE_FILE_REASON_LEN = 128 };

/* Whether only those may touch the file who are meant to: its owner, who is this process' user or
 * root; and of root's file the group may read, which is how a key is given to a service (Debian's
 * group ssl-cert). -1 with a reason, without the file's name. One that cannot be looked at is left
 * to whoever opens it. Root may read what is anybody's. */
must_check int private_file_check(const char *path, char reason[PRIVATE_FILE_REASON_LEN]);

#endif
