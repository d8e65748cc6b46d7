/* The figures of app/stats in Prometheus's text format 0.0.4. */
#ifndef APP_PROMETHEUS_H
#define APP_PROMETHEUS_H

#include "base/buf.h"

struct view;

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Nothing but a comment where nothing is served yet. */
void prometheus_print(const struct view *v, struct buf *out);

#endif
