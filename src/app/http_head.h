/* The head of an HTTP request (RFC 9112): its line and what matters of its fields. Pure; takes what
 * has come so far and says whether that is a whole head. Strict: what other servers might read in
 * another way is refused. */
#ifndef APP_HTTP_HEAD_H
#define APP_HTTP_HEAD_H

#include <stdbool.h>

#include "base/slice.h"

enum { HTTP_PATH_LEN = 512 };

enum http_status {
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_FORBIDDEN = 403,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_URI_TOO_LONG = 414,
	HTTP_MISDIRECTED = 421,
	HTTP_HEAD_TOO_LONG = 431,
	HTTP_VERSION_NOT_SUPPORTED = 505,
};

struct http_head {
	bool is_head;             /* HEAD: the answer has no body */
	char path[HTTP_PATH_LEN]; /* decoded, begins with '/', without the query */
	struct slice host;        /* of the bytes given: the field Host; empty without one */
};

enum http_head_rc {
	HTTP_HEAD_PARTIAL, /* more has to come */
	HTTP_HEAD_WHOLE,
	HTTP_HEAD_REFUSED, /* *status says why */
};

/* max: most bytes of a head. *out is set where it is whole; is_head also where a whole request line
 * was refused. */
enum http_head_rc http_head_parse(struct slice bytes, size_t max, struct http_head *out,
				  enum http_status *status);

/* Whether a Host, with or without a port, is an IP address or localhost: no name that somebody else
 * could let mean this machine. So is an empty one. */
bool http_host_is_plain(struct slice host);

#endif
