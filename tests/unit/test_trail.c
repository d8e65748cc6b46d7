/* What is written to the audit trail, and when. Plays the store and the tree. */
#include "core/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "core/tree.h"
#include "store/room.h"

static char written[1024];
static enum room_level room;

enum room_level store_room(struct store *s)
{
	assert_null(s);
	return room;
}

void store_audit(struct store *s, const struct audit_row *row)
{
	size_t at = strlen(written);

	assert_null(s);
	snprintf(written + at, sizeof(written) - at, "%s %.*s x%lld;", row->kind, (int)row->op.len,
		 row->op.data, (long long)row->count);
}

/* Nothing changes here. */
void tree_visit_changed(const struct tree *t,
			void (*each)(void *ctx, const struct znode *z,
				     const struct znode_state *before),
			void *ctx)
{
	(void)t;
	(void)each;
	(void)ctx;
}

const struct tree_event *tree_events(const struct tree *t, size_t *count)
{
	(void)t;
	*count = 0;
	return NULL;
}

static struct audit_event event(const char *kind, const char *op)
{
	return (struct audit_event){ .kind = kind,
				     .host = slice_of("192.0.2.1"),
				     .address = slice_of("192.0.2.1:4711"),
				     .op = slice_of(op) };
}

static struct audit *audit;

static int set_up(void **state)
{
	const struct audit_options o = { .max_events = 64 };

	(void)state;
	clock_fake_start(1000000, 1000000);
	written[0] = 0;
	room = ROOM_PLENTY;
	audit = audit_new(NULL, &o);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	audit_free(audit);
	clock_fake_stop();
	return 0;
}

/* A reload while the tree is loaded is no less a reload. */
static void test_what_came_before_it_serves(void **state)
{
	struct audit_event reload = event("reload", "SIGHUP"), refusal = event("refuse", "connect");

	(void)state;
	audit_record(audit, &reload);
	audit_record(audit, &reload);
	audit_refuse(audit, &refusal);
	audit_end_turn(audit, false);
	assert_string_equal(written, "");
	audit_begin(audit);
	audit_record(audit, &reload);
	assert_string_equal(written, "reload SIGHUP x1;");
	audit_end_turn(audit, true);
	assert_string_equal(written, "reload SIGHUP x1;refuse connect x1;reload SIGHUP x2;");
}

/* Commands do not share their places with refusals. */
static void test_a_flood_of_refusals_leaves_commands(void **state)
{
	struct audit_event command = event("control", "srst");
	char op[32];

	(void)state;
	audit_begin(audit);
	for (int i = 0; i < 100; i++) {
		struct audit_event refusal;

		snprintf(op, sizeof(op), "op-%d", i);
		refusal = event("refuse", op);
		audit_refuse(audit, &refusal);
	}
	audit_end_turn(audit, false);
	written[0] = 0;
	audit_command(audit, &command);
	audit_end_turn(audit, false);
	assert_string_equal(written, "control srst x1;");
	for (int i = 0; i < 5; i++)
		audit_command(audit, &command);
	audit_end_turn(audit, false);
	assert_string_equal(written, "control srst x1;");
	audit_end_turn(audit, true);
	assert_non_null(strstr(written, "control srst x5;"));
}

/* On the last of the disk what repeats is counted elsewhere; what somebody did is recorded. */
static void test_refusals_take_no_room_where_it_is_scarce(void **state)
{
	struct audit_event command = event("control", "srst"), refusal = event("refuse", "connect");
	uint64_t before = metrics_get(METRIC_audit_unwritten);

	(void)state;
	audit_begin(audit);
	room = ROOM_SCARCE;
	for (int i = 0; i < 3; i++)
		audit_refuse(audit, &refusal);
	audit_record(audit, &command);
	audit_end_turn(audit, true);
	assert_string_equal(written, "control srst x1;");
	assert_int_equal(metrics_get(METRIC_audit_unwritten) - before, 3);
	room = ROOM_LOW;
	audit_refuse(audit, &refusal);
	audit_end_turn(audit, true);
	assert_string_equal(written, "control srst x1;refuse connect x1;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_came_before_it_serves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_flood_of_refusals_leaves_commands, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_take_no_room_where_it_is_scarce,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
