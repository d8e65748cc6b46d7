/* Answers to HTTP requests: GET and HEAD, one request a connection, and nothing that acts
 * but, where the configuration lets it, a snapshot. Who asks
 * is never judged by what a head says; on loopback alone, whom is asked for is. Core thread. */
#ifndef APP_HTTP_H
#define APP_HTTP_H

#include <stdbool.h>

#include "base/buf.h"

struct view;

enum http_place {
	HTTP_ADMIN,   /* admin.commandURL and below */
	HTTP_METRICS, /* /metrics */
};

/* bytes: all that has come. True: head and body (both empty before) are the answer, to be sent one
 * behind the other. False: more has to come. */
bool http_answer(const struct view *v, enum http_place place, struct slice bytes, struct buf *head,
		 struct buf *body);

/* Whether a listener at host listens on loopback alone: where it was told an address or "localhost"
 * for that. */
bool http_is_loopback(const char *host);

#endif
