/* Commands of the control socket over a registry without a network: what they call, what they
 * answer, and what is said before the registry serves. */
#include "app/control_commands.h"

#include "base/metrics.h"
#include "core/session.h"
#include "tests/unit/capture.h"
#include "tests/unit/view_fixture.h"

static char text[65536];
static char logged[8192];

/* What the server would do. */
static unsigned reloads, stops;
static bool reload_result;
static const char *reload_text;
static int64_t mark;

static bool on_reload(void *ctx, struct buf *told)
{
	(void)ctx;
	reloads++;
	assert_int_equal(buf_append(told, reload_text, strlen(reload_text)), 0);
	return reload_result;
}

static void on_stop(void *ctx)
{
	(void)ctx;
	stops++;
}

static int set_up_commands(void **state)
{
	set_up_view(state);
	reloads = stops = 0;
	reload_result = true;
	reload_text = "";
	return 0;
}

static struct slice range; /* what is kicked; without data: the argument */

static const char *run(enum control_command command, int64_t argument)
{
	static const struct control_hooks hooks = { NULL, on_reload, on_stop };
	struct control_line line = { command, argument, range };
	struct control_request rq = { .line = &line, .uid = 7, .pid = 8 };
	enum log_level level = log_get_level();
	struct capture capture;
	struct buf answer;

	buf_init(&answer, sizeof(text) - 1);
	rq.answer = &answer;
	log_set_level(LOG_LEVEL_INFO);
	capture_begin(&capture);
	control_run(&view, &hooks, &rq);
	capture_end(&capture, logged, sizeof(logged));
	log_set_level(level);
	memcpy(text, buf_head(&answer), buf_len(&answer));
	text[buf_len(&answer)] = '\0';
	buf_fini(&answer);
	mark = rq.mark;
	return text;
}

static void expect_logged(const char *line)
{
	if (!strstr(logged, line))
		fail_msg("\"%s\" is not in: %s", line, logged);
}

static void test_before_it_serves(void **state)
{
	static const char refusal[] =
		"error: This ZooKeeper instance is not currently serving requests\n";

	(void)state;
	view.registry = NULL;
	assert_string_equal(run(CONTROL_STAT_RESET, 0), refusal);
	expect_logged("event=control.command command=stat_reset argument=0 uid=7 pid=8 "
		      "result=\"This ZooKeeper instance is not currently serving requests\"");
	assert_string_equal(run(CONTROL_CONNECTION_STAT_RESET, 0), refusal);
	assert_string_equal(run(CONTROL_SHED_CONNECTIONS, 100), refusal);
	assert_string_equal(run(CONTROL_CLOSE_SESSION, 1), refusal);
	assert_string_equal(run(CONTROL_KICK, 1), refusal);
	assert_string_equal(run(CONTROL_SET_TRACE_MASK, 5), "ok\ntracemask=5\n");
	assert_string_equal(run(CONTROL_RELOAD, 0), "ok\n");
	assert_string_equal(run(CONTROL_STOP, 0), "ok\n");
	assert_int_equal(strncmp(run(CONTROL_HELP, 0), "ok\nhelp: ", 9), 0);
	assert_string_equal(logged, "");
}

static void test_hooks(void **state)
{
	(void)state;
	assert_string_equal(run(CONTROL_STOP, 0), "ok\n");
	assert_int_equal(stops, 1);
	expect_logged("command=stop argument=0 uid=7 pid=8 result=ok");
	assert_string_equal(run(CONTROL_RELOAD, 0), "ok\n");
	reload_text = "tickTime";
	assert_string_equal(run(CONTROL_RELOAD, 0), "ok\nwaits_for_restart=tickTime\n");
	/* One line, whatever the file holds. */
	reload_text = "line 3: \"\n\xff\"";
	reload_result = false;
	assert_string_equal(run(CONTROL_RELOAD, 0), "error: line 3: \"\\n\\xff\"\n");
	assert_int_equal(reloads, 3);
	assert_int_equal(stops, 1);
}

static void test_figures(void **state)
{
	(void)state;
	metrics_add(METRIC_packets_received, 5);
	assert_string_equal(run(CONTROL_STAT_RESET, 0), "ok\n");
	assert_int_equal(metrics_get(METRIC_packets_received), 0);
	assert_string_equal(run(CONTROL_SET_TRACE_MASK, INT64_MIN),
			    "ok\ntracemask=-9223372036854775808\n");
	assert_true(trace_mask == INT64_MIN);
	assert_string_equal(run(CONTROL_SHED_CONNECTIONS, 100), "ok\nconnections_shed=0\n");
}

/* It ends with its znodes, its client's link is closed, and the answer is for when that is on
 * disk. */
static void test_session(void **state)
{
	struct headless_client *owner = headless_new_session(&h, 10000);
	struct headless_client *again;
	char line[64];

	(void)state;
	headless_create(owner, 1, OP_CREATE, "/e", slice_of(""), headless_world(), 1);
	assert_int_equal(headless_error_of(owner, 1), 0);
	assert_string_equal(run(CONTROL_CLOSE_SESSION, owner->session_id + 1),
			    "error: there is no such session\n");
	assert_int_equal(mark, 0);
	assert_null(owner->closing);
	assert_string_equal(run(CONTROL_CLOSE_SESSION, owner->session_id), "ok\n");
	snprintf(line, sizeof(line), "command=close_session session=0x%llx uid=7 pid=8 result=ok",
		 (unsigned long long)owner->session_id);
	expect_logged(line);
	assert_true(mark == registry_last_change(h.registry));
	assert_true(mark > registry_flushed(h.registry));
	assert_non_null(owner->closing);
	/* The fixture's is left. */
	assert_int_equal(session_count(registry_sessions(h.registry)), 1);
	assert_int_equal(tree_counts(registry_tree(h.registry)).ephemerals, 0);
	again = headless_connect(&h, NULL);
	assert_false(headless_resume(again, owner));
}

/* As above, but its client is cut at once. */
static void test_kick_of_a_session(void **state)
{
	struct headless_client *owner = headless_new_session(&h, 10000);
	uint64_t kicked = metrics_get(METRIC_connections_kicked);
	char line[64];

	(void)state;
	headless_create(owner, 1, OP_CREATE, "/e", slice_of(""), headless_world(), 1);
	assert_string_equal(run(CONTROL_KICK, owner->session_id + 1),
			    "error: there is no such session\n");
	assert_false(owner->failed);
	assert_string_equal(run(CONTROL_KICK, owner->session_id),
			    "ok\nconnections_kicked=1\nsessions_ended=1\n");
	snprintf(line, sizeof(line), "command=kick session=0x%llx uid=7 pid=8 result=ok",
		 (unsigned long long)owner->session_id);
	expect_logged(line);
	assert_true(mark == registry_last_change(h.registry));
	assert_true(owner->failed);
	assert_int_equal(metrics_get(METRIC_connections_kicked), kicked + 1);
	assert_int_equal(session_count(registry_sessions(h.registry)), 1);
	assert_int_equal(tree_counts(registry_tree(h.registry)).ephemerals, 0);
	range = slice_of("10.0.0.0/8");
	assert_string_equal(run(CONTROL_KICK, 0), "ok\nconnections_kicked=0\nsessions_ended=0\n");
	expect_logged("command=kick range=10.0.0.0/8 uid=7 pid=8 result=ok");
	range = (struct slice){ 0 };
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_before_it_serves, set_up_commands,
						tear_down_view),
		cmocka_unit_test_setup_teardown(test_hooks, set_up_commands, tear_down_view),
		cmocka_unit_test_setup_teardown(test_figures, set_up_commands, tear_down_view),
		cmocka_unit_test_setup_teardown(test_session, set_up_commands, tear_down_view),
		cmocka_unit_test_setup_teardown(test_kick_of_a_session, set_up_commands,
						tear_down_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
