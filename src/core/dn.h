/* A distinguished name, taken apart: what the gate writes of a certificate's subject (RFC 2253 with
 * its escapes). Pure functions. */
#ifndef CORE_DN_H
#define CORE_DN_H

#include <stdbool.h>

#include "base/cdefs.h"
#include "base/slice.h"

struct dn_attribute {
	struct slice type;
	struct slice value; /* without escapes */
	bool is_text;       /* not in hexadecimal: it can be compared as a text */
};

struct dn {
	struct dn_attribute *items; /* as they stand; those of one multi-valued part one by one */
	size_t count;
	char *bytes; /* what the values point into */
};

/* -1 for what is no such name (then *d is empty); the types are lent from text. dn_fini in both
 * cases. */
must_check int dn_parse(struct dn *d, struct slice text);
void dn_fini(struct dn *d);

#endif
