/* JSON into a buffer, laid out as Jackson does it: members of objects on lines of their own, arrays
 * on one. The caller keeps the order: a key before each member, as many closes as opens. */
#ifndef APP_JSON_H
#define APP_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { JSON_DEPTH = 8 };

struct json {
	struct buf *out;
	unsigned depth;
	struct {
		bool is_array;
		bool has_some;
	} levels[JSON_DEPTH];
	bool has_key; /* the next value belongs to a key */
};

/* out: empty or not, the caller's. Where its is_cut is set in the end, it did not fit: what stands
 * there is no JSON. */
void json_init(struct json *j, struct buf *out);
void json_open_object(struct json *j);
void json_close_object(struct json *j);
void json_open_array(struct json *j);
void json_close_array(struct json *j);
void json_key(struct json *j, struct slice key);
/* Bytes that are no UTF-8 become U+FFFD. */
void json_text(struct json *j, struct slice text);
void json_int(struct json *j, int64_t number);
/* Rounded to four places. */
void json_real(struct json *j, double number);
void json_bool(struct json *j, bool value);
void json_null(struct json *j);

/* Key and value at once. */
void json_put_text(struct json *j, const char *key, const char *text);
void json_put_int(struct json *j, const char *key, int64_t number);
void json_put_bool(struct json *j, const char *key, bool value);

#endif
