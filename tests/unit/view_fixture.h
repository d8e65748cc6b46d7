/* What the texts for people and probes are made of: a registry, its clients and a configuration.
 * Beside registry_fixture.h. */
#ifndef TESTS_UNIT_VIEW_FIXTURE_H
#define TESTS_UNIT_VIEW_FIXTURE_H

#include <event2/event.h>

#include "app/latency.h"
#include "app/peers.h"
#include "app/view.h"
#include "tests/unit/registry_fixture.h"

static struct config config;
static struct config_report report;
static struct event_base *base;
static struct timer_wheel wheel;
static struct peers *peers;
static struct view view;
static int64_t trace_mask;

static enum conn_text no_text(void *ctx, struct conn *conn, struct slice bytes)
{
	(void)ctx;
	(void)conn;
	(void)bytes;
	return CONN_TEXT_NONE;
}

static inline void configure(const char *more)
{
	char file[512];

	config_fini(&config);
	config_report_fini(&report);
	snprintf(file, sizeof(file), "dataDir=/var/lib/data\nclientPort=2181\n%s", more);
	if (config_parse(slice_of(file), "zoo.cfg", &config, &report) != 0)
		fail_msg("%s", report.error);
}

static inline void set_up_view(void **state)
{
	struct conn_limits limits;

	set_up(state);
	conn_limits_init(&limits);
	timer_wheel_init(&wheel, clock_now_ms());
	base = event_base_new();
	peers = peers_new(base, &wheel, &limits, h.dispatch, &h.turn, no_text, NULL);
	configure("");
	trace_mask = VIEW_TRACE_MASK;
	view = (struct view){ .config = &config,
			      .registry = h.registry,
			      .store = h.store,
			      .peers = peers,
			      .latency = h.latency,
			      .serves_since_ms = clock_now_ms(),
			      .trace_mask = &trace_mask };
}

static inline int tear_down_view(void **state)
{
	peers_free(peers);
	event_base_free(base);
	config_fini(&config);
	config_report_fini(&report);
	return tear_down(state);
}

#endif
