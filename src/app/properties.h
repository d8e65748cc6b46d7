/* Java's .properties syntax, as ZooKeeper reads zoo.cfg: "key=value", "key:value" or "key value";
 * lines that begin with
 * '#' or '!' are comments; a backslash at the end joins the next line, elsewhere it escapes (\t \n
 * \r \f \uXXXX, any other character stands for itself). Bytes above ASCII are kept as they are.
 * Pure, no files. */
#ifndef APP_PROPERTIES_H
#define APP_PROPERTIES_H

#include <stddef.h>

#include "base/cdefs.h"
#include "base/slice.h"

struct properties {
	const char *at; /* not read yet */
	const char *end;
	unsigned next_line; /* of at, counted from 1 */
	char *line;         /* the joined line, split and unescaped in place */
	size_t len;
	size_t size; /* of line's memory */
};

struct property {
	const char *key; /* both live until the next call */
	const char *value;
	unsigned line; /* where it begins */
};

enum properties_result { PROPERTIES_PAIR, PROPERTIES_END, PROPERTIES_BAD };

/* text must outlive the reader. */
void properties_init(struct properties *p, struct slice text);
void properties_fini(struct properties *p);
/* The next pair, without white space around key and value. BAD: *reason says why, out->line where.
 */
must_check enum properties_result properties_next(struct properties *p, struct property *out,
						  const char **reason);

#endif
