/* Fuzz target: the head of an HTTP request. What must hold:
 *   - a whole head has a path that begins with '/', and a refused one a reason;
 *   - more bytes never make a whole or refused head another one, fewer never make it longer;
 *   - nothing is waited for beyond the limit. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "app/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1024 };

static enum http_head_rc parse(const uint8_t *data, size_t size, struct http_head *head,
			       enum http_status *status)
{
	struct slice bytes = { (const char *)data, size };
	enum http_head_rc rc = http_head_parse(bytes, MAX, head, status);

	switch (rc) {
	case HTTP_HEAD_PARTIAL:
		assert(size < MAX && *status == HTTP_OK);
		break;
	case HTTP_HEAD_WHOLE:
		assert(*status == HTTP_OK && head->path[0] == '/');
		assert(memchr(head->path, '\0', sizeof(head->path)) != NULL);
		break;
	case HTTP_HEAD_REFUSED:
		assert(*status >= HTTP_BAD_REQUEST);
		break;
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_status status, status_then;
	struct http_head head, head_then;
	enum http_head_rc rc = parse(data, size, &head, &status), then;
	size_t at = size < MAX ? size : MAX;

	/* As it would come in two parts, wherever it is cut. */
	for (size_t cut = 0; cut < at; cut += 1 + cut / 8) {
		then = parse(data, cut, &head_then, &status_then);
		if (then == HTTP_HEAD_PARTIAL)
			continue;
		assert(then == rc && status_then == status);
		assert(then != HTTP_HEAD_WHOLE || strcmp(head.path, head_then.path) == 0);
	}
	return 0;
}
