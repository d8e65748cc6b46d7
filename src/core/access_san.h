/* The scheme "san": a name out of a certificate other than its subject as a whole. Pure functions.
 */
#ifndef CORE_ACCESS_SAN_H
#define CORE_ACCESS_SAN_H

#include <stdbool.h>

#include "base/slice.h"

/* Whether this can be such a name: "URI:", "DNS:", "EMAIL:" or "CN:" and something behind it,
 * without control characters, and in ASCII but for a common name. */
bool access_san_is_valid(struct slice name);

#endif
