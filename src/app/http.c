#include "app/http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "app/admin.h"
#include "app/http_head.h"
#include "app/print.h"
#include "app/prometheus.h"
#include "app/view.h"
#include "app/witness.h"
#include "base/clock.h"
#include "base/metrics.h"

#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define JSON "application/json"

static const char *reason_of(enum http_status status)
{
	switch (status) {
	case HTTP_OK:
		return "OK";
	case HTTP_BAD_REQUEST:
		return "Bad Request";
	case HTTP_FORBIDDEN:
		return "Forbidden";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_URI_TOO_LONG:
		return "URI Too Long";
	case HTTP_MISDIRECTED:
		return "Misdirected Request";
	case HTTP_HEAD_TOO_LONG:
		return "Request Header Fields Too Large";
	case HTTP_VERSION_NOT_SUPPORTED:
		return "HTTP Version Not Supported";
	}
	return "";
}

struct answer {
	enum http_status status;
	const char *type;
};

/* The name behind admin.commandURL; NULL where the path lies elsewhere. */
static const char *command_of(const struct view *v, const char *path)
{
	size_t len = strlen(v->config->admin_url);

	if (strncmp(path, v->config->admin_url, len) != 0)
		return NULL;
	if (path[len] == '/')
		return path + len + 1;
	return path[len] == '\0' ? path + len : NULL;
}

static struct answer answer_admin(const struct view *v, const char *path, struct buf *body)
{
	const char *name = command_of(v, path);

	if (!name)
		return (struct answer){ HTTP_NOT_FOUND, TEXT };
	if (*name)
		return (struct answer){ admin_run(v, name, body), JSON };
	admin_print_links(v, body);
	return (struct answer){ HTTP_OK, HTML };
}

static struct answer answer_metrics(const struct view *v, const char *path, struct buf *body)
{
	if (strcmp(path, "/metrics") != 0)
		return (struct answer){ HTTP_NOT_FOUND, TEXT };
	prometheus_print(v, body);
	return (struct answer){ HTTP_OK, PROMETHEUS_CONTENT_TYPE };
}

bool http_is_loopback(const char *host)
{
	struct in6_addr address = IN6ADDR_ANY_INIT;

	if (inet_pton(AF_INET, host, &address) == 1)
		return strncmp(host, "127.", 4) == 0;
	if (inet_pton(AF_INET6, host, &address) == 1)
		return IN6_IS_ADDR_LOOPBACK(&address);
	return strcasecmp(host, "localhost") == 0;
}

/* A web page may let its own name mean 127.0.0.1, and its reader's browser then takes what we
 * answer for the page's own. But the browser says the name. */
static bool is_misdirected(const struct view *v, enum http_place place, struct slice host)
{
	const struct config *c = v->config;

	return http_is_loopback(place == HTTP_ADMIN ? c->admin_host : c->metrics_host) &&
	       !http_host_is_plain(host);
}

static struct answer answer_request(const struct view *v, enum http_place place,
				    const struct http_head *request, struct buf *body)
{
	if (is_misdirected(v, place, request->host))
		return (struct answer){ HTTP_MISDIRECTED, TEXT };
	if (place == HTTP_ADMIN)
		return answer_admin(v, request->path, body);
	return answer_metrics(v, request->path, body);
}

static void print_head(struct buf *head, const struct answer *a, size_t body_len)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	char date[64] = "";
	struct tm tm;

	print(head, "HTTP/1.1 %d %s\r\n", (int)a->status, reason_of(a->status));
	if (gmtime_r(&now, &tm) &&
	    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		print(head, "Date: %s\r\n", date);
	if (a->status == HTTP_METHOD_NOT_ALLOWED)
		print(head, "Allow: GET, HEAD\r\n");
	print(head, "Content-Type: %s\r\nContent-Length: %zu\r\n", a->type, body_len);
	print(head, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
	print(head, "Cross-Origin-Resource-Policy: same-origin\r\n");
	print(head, "Connection: close\r\n\r\n");
}

/* What a peer sends is not repeated. */
static void tell_refusal(const struct view *v, enum http_status status)
{
	char why[64];

	snprintf(why, sizeof(why), "%d %s", (int)status, reason_of(status));
	witness_refuse(v->audit, v->asks, "http", why);
}

bool http_answer(const struct view *v, enum http_place place, struct slice bytes, struct buf *head,
		 struct buf *body)
{
	struct answer a = { HTTP_OK, TEXT };
	struct http_head request;

	switch (http_head_parse(bytes, v->config->max_http_head, &request, &a.status)) {
	case HTTP_HEAD_PARTIAL:
		return false;
	case HTTP_HEAD_REFUSED:
		break;
	case HTTP_HEAD_WHOLE:
		a = answer_request(v, place, &request, body);
		break;
	}
	if (a.status != HTTP_OK && buf_len(body) == 0)
		print(body, "%d %s\n", (int)a.status, reason_of(a.status));
	/* Those that are forbidden have told so by their names. */
	if (a.status != HTTP_OK && a.status != HTTP_FORBIDDEN)
		tell_refusal(v, a.status);
	metrics_add(a.status == HTTP_OK ? METRIC_http_requests : METRIC_http_refused, 1);
	print_head(head, &a, buf_len(body));
	if (request.is_head)
		buf_clear(body);
	return true;
}
