/* The scheme "x509": a subject's distinguished name. Pure functions. */
#ifndef CORE_ACCESS_X509_H
#define CORE_ACCESS_X509_H

#include <stdbool.h>

#include "base/slice.h"

/* Whether Java's X500Principal takes this for a distinguished name, which is how ZooKeeper judges:
 * attributes of a type that it knows by name or that is an OID, with plain, quoted or hexadecimal
 * values, separated by ',' or ';', or by '+' in one part. Judged byte by byte, so letters of other
 * alphabets that have an ASCII capital, and digits of other scripts, are none in a type; an OID may
 * be longer than Java's 4,096 bytes. */
bool access_x509_is_valid(struct slice name);

#endif
