/* The scheme "x509": a subject's distinguished name. Pure functions. */
#ifndef CORE_ACCESS_X509_H
#define CORE_ACCESS_X509_H

#include <stdbool.h>

#include "base/slice.h"

/* Whether this reads as a distinguished name (RFC 2253: type=value parts, separated by ',' or ';',
 * multi-valued by '+', quoted or escaped values), as Java's X500Principal would take it. */
bool access_x509_is_valid(struct slice name);

#endif
