#include "app/http_head.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"

enum { METHOD_LEN = 16, HEX_DIGITS = 2, HOST_LEN = 64 };

/* Characters of a method and of a field's name. */
static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_len(struct slice text)
{
	size_t len = 0;

	while (len < text.len && is_token(text.data[len]))
		len++;
	return len;
}

static struct slice cut(struct slice text, size_t len)
{
	return (struct slice){ text.data + len, text.len - len };
}

/* The next line without its end, which is CR LF or LF; false where it has not come whole. */
static bool next_line(struct slice *rest, struct slice *line)
{
	const char *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;

	if (!end)
		return false;
	*line = (struct slice){ rest->data, (size_t)(end - rest->data) };
	*rest = cut(*rest, line->len + 1);
	if (line->len > 0 && line->data[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* One byte of a path, decoded; -1 where it may not stand there. */
static int take_path_byte(struct slice *target)
{
	int c = (unsigned char)target->data[0];
	int high, low;

	if (c != '%') {
		*target = cut(*target, 1);
		return c > ' ' && c < 0x7f && c != '#' ? c : -1;
	}
	if (target->len <= HEX_DIGITS)
		return -1;
	high = hex_value(target->data[1]);
	low = hex_value(target->data[2]);
	*target = cut(*target, 1 + HEX_DIGITS);
	if (high < 0 || low < 0 || high * 16 + low == 0)
		return -1;
	return high * 16 + low;
}

static bool is_query(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

/* "http://host/path" means "/path". */
static struct slice strip_authority(struct slice target)
{
	static const char scheme[] = "http://";
	const char *path;

	if (target.len < sizeof(scheme) ||
	    strncasecmp(target.data, scheme, sizeof(scheme) - 1) != 0)
		return target;
	target = cut(target, sizeof(scheme) - 1);
	path = memchr(target.data, '/', target.len);
	return path ? cut(target, (size_t)(path - target.data)) : slice_of("/");
}

static enum http_status read_target(struct slice target, struct http_head *out)
{
	size_t len = 0;

	target = strip_authority(target);
	if (target.len == 0 || target.data[0] != '/')
		return HTTP_BAD_REQUEST;
	while (target.len > 0 && target.data[0] != '?') {
		int c = take_path_byte(&target);

		if (c < 0)
			return HTTP_BAD_REQUEST;
		if (len + 1 == HTTP_PATH_LEN)
			return HTTP_URI_TOO_LONG;
		out->path[len++] = (char)c;
	}
	out->path[len] = '\0';
	return is_query(target) ? HTTP_OK : HTTP_BAD_REQUEST;
}

/* "HTTP/1.0" or "HTTP/1.1". */
static enum http_status read_version(struct slice version, bool *is_1_1)
{
	if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.' ||
	    version.data[5] < '0' || version.data[5] > '9' || version.data[7] < '0' ||
	    version.data[7] > '9')
		return HTTP_BAD_REQUEST;
	*is_1_1 = version.data[7] != '0';
	return version.data[5] == '1' ? HTTP_OK : HTTP_VERSION_NOT_SUPPORTED;
}

static enum http_status read_request_line(struct slice line, struct http_head *out, bool *is_1_1)
{
	size_t method_len = token_len(line);
	struct slice method = { line.data, method_len };
	enum http_status status;
	const char *space;
	struct slice target;

	if (method_len == 0 || method_len == line.len || line.data[method_len] != ' ')
		return HTTP_BAD_REQUEST;
	line = cut(line, method_len + 1);
	space = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
	if (!space)
		return HTTP_BAD_REQUEST;
	target = (struct slice){ line.data, (size_t)(space - line.data) };
	status = read_version(cut(line, target.len + 1), is_1_1);
	if (status != HTTP_OK)
		return status;
	out->is_head = slice_is(method, "HEAD");
	if (!out->is_head && !slice_is(method, "GET"))
		return HTTP_METHOD_NOT_ALLOWED;
	return read_target(target, out);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text)
{
	while (text.len > 0 && is_blank(text.data[0]))
		text = cut(text, 1);
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* "name: value". */
static bool is_field(struct slice line, struct slice *host, unsigned *hosts)
{
	static const char name[] = "host";
	size_t len = token_len(line);

	if (len == 0 || len == line.len || line.data[len] != ':')
		return false;
	if (len == sizeof(name) - 1 && strncasecmp(line.data, name, len) == 0) {
		*host = trim(cut(line, len + 1));
		(*hosts)++;
	}
	for (size_t i = len + 1; i < line.len; i++)
		if (((unsigned char)line.data[i] < ' ' && line.data[i] != '\t') ||
		    line.data[i] == 0x7f)
			return false;
	return true;
}

/* What can be no request line is refused before its end has come. */
static bool may_begin_line(struct slice bytes)
{
	size_t len = token_len(bytes);

	return len <= METHOD_LEN && (len == bytes.len || (len > 0 && bytes.data[len] == ' '));
}

static enum http_head_rc refuse(enum http_status why, enum http_status *status)
{
	*status = why;
	return HTTP_HEAD_REFUSED;
}

enum http_head_rc http_head_parse(struct slice bytes, size_t max, struct http_head *out,
				  enum http_status *status)
{
	struct slice rest = bytes.len > max ? (struct slice){ bytes.data, max } : bytes;
	enum http_head_rc unended = HTTP_HEAD_PARTIAL;
	enum http_status said;
	bool is_1_1 = false;
	unsigned hosts = 0;
	struct slice line;

	*status = HTTP_OK;
	memset(out, 0, sizeof(*out));
	if (!may_begin_line(rest))
		return refuse(HTTP_BAD_REQUEST, status);
	if (bytes.len >= max) {
		*status = HTTP_HEAD_TOO_LONG;
		unended = HTTP_HEAD_REFUSED;
	}
	if (!next_line(&rest, &line))
		return unended;
	said = read_request_line(line, out, &is_1_1);
	if (said != HTTP_OK)
		return refuse(said, status);
	do {
		if (!next_line(&rest, &line))
			return unended;
		if (line.len > 0 && !is_field(line, &out->host, &hosts))
			return refuse(HTTP_BAD_REQUEST, status);
	} while (line.len > 0);
	if (hosts > 1 || (is_1_1 && hosts == 0))
		return refuse(HTTP_BAD_REQUEST, status);
	*status = HTTP_OK;
	return HTTP_HEAD_WHOLE;
}

/* Without ":port", and without the brackets of an IPv6 address. */
static struct slice strip_port(struct slice host, bool *is_bracketed)
{
	const char *end = NULL;

	*is_bracketed = host.len > 0 && host.data[0] == '[';
	if (*is_bracketed)
		host = cut(host, 1);
	if (host.len > 0)
		end = memchr(host.data, *is_bracketed ? ']' : ':', host.len);
	if (end)
		host.len = (size_t)(end - host.data);
	else if (*is_bracketed)
		host.len = 0;
	return host;
}

bool http_host_is_plain(struct slice host)
{
	static const char name[] = "localhost";
	struct in6_addr address;
	char text[HOST_LEN];
	bool is_bracketed;

	host = strip_port(host, &is_bracketed);
	if (host.len == 0)
		return !is_bracketed;
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	if (is_bracketed)
		return inet_pton(AF_INET6, text, &address) == 1;
	return strcasecmp(text, name) == 0 || inet_pton(AF_INET, text, &address) == 1;
}
