/* Lines of the control socket: what is a command, and what is said of everything else. */
#include "app/control_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/control_client.h"

static struct control_line line;
static char reason[CONTROL_REASON_LEN];

static void expect(const char *text, enum control_command command, int64_t argument)
{
	if (control_line_parse(slice_of(text), &line, reason) != 0)
		fail_msg("%s: %s", text, reason);
	assert_int_equal(line.command, command);
	assert_true(line.argument == argument);
}

static void expect_wrong(const char *text, const char *why)
{
	if (control_line_parse(slice_of(text), &line, reason) == 0)
		fail_msg("%s: taken", text);
	assert_string_equal(reason, why);
}

static void test_commands(void **state)
{
	(void)state;
	expect("help", CONTROL_HELP, 0);
	expect("stat_reset", CONTROL_STAT_RESET, 0);
	expect("connection_stat_reset", CONTROL_CONNECTION_STAT_RESET, 0);
	expect("reload", CONTROL_RELOAD, 0);
	expect("stop", CONTROL_STOP, 0);
	expect("set_trace_mask 17", CONTROL_SET_TRACE_MASK, 17);
	expect("  shed_connections    5  ", CONTROL_SHED_CONNECTIONS, 5);
	expect("close_session 0x12AbCdef", CONTROL_CLOSE_SESSION, 0x12abcdef);
}

static void test_every_command_has_its_name(void **state)
{
	(void)state;
	for (int c = CONTROL_HELP; c <= CONTROL_STOP; c++) {
		char text[64];

		snprintf(text, sizeof(text), "%s 1", control_command_name(c));
		if (control_line_parse(slice_of(text), &line, reason) != 0) {
			snprintf(text, sizeof(text), "%s takes nothing", control_command_name(c));
			assert_string_equal(reason, text);
			expect(control_command_name(c), c, 0);
		}
		assert_int_equal(line.command, c);
		assert_int_equal(control_command_acts(c), c != CONTROL_HELP);
	}
}

static void test_help_names_all(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	control_print_help(&out);
	assert_int_equal(buf_append(&out, "", 1), 0);
	for (int c = CONTROL_HELP; c <= CONTROL_STOP; c++)
		assert_non_null(strstr((const char *)buf_head(&out), control_command_name(c)));
	assert_non_null(strstr((const char *)buf_head(&out), "\nset_trace_mask NUMBER: "));
	buf_fini(&out);
}

static void test_masks(void **state)
{
	static const char why[] = "set_trace_mask takes a number of 64 bits";

	(void)state;
	expect("set_trace_mask -9223372036854775808", CONTROL_SET_TRACE_MASK, INT64_MIN);
	expect("set_trace_mask 9223372036854775807", CONTROL_SET_TRACE_MASK, INT64_MAX);
	expect("set_trace_mask 010", CONTROL_SET_TRACE_MASK, 10);
	expect_wrong("set_trace_mask", why);
	expect_wrong("set_trace_mask 1 2", why);
	expect_wrong("set_trace_mask -", why);
	expect_wrong("set_trace_mask --1", why);
	expect_wrong("set_trace_mask +1", why);
	expect_wrong("set_trace_mask 0x1", why);
	expect_wrong("set_trace_mask 1k", why);
	expect_wrong("set_trace_mask 9223372036854775808", why);
	expect_wrong("set_trace_mask -9223372036854775809", why);
}

static void test_percents(void **state)
{
	static const char why[] = "shed_connections takes a number from 0 to 100";

	(void)state;
	expect("shed_connections 0", CONTROL_SHED_CONNECTIONS, 0);
	expect("shed_connections 100", CONTROL_SHED_CONNECTIONS, 100);
	expect_wrong("shed_connections", why);
	expect_wrong("shed_connections 101", why);
	expect_wrong("shed_connections -0", why);
	expect_wrong("shed_connections 50%", why);
	expect_wrong("shed_connections 1.5", why);
	expect_wrong("shed_connections 99999999999999999999", why);
}

static void test_ids(void **state)
{
	static const char why[] = "close_session takes a session's id in hex digits";

	(void)state;
	expect("close_session 0", CONTROL_CLOSE_SESSION, 0);
	expect("close_session ffffffffffffffff", CONTROL_CLOSE_SESSION, -1);
	expect("close_session 0XffFFffFFffFFffFE", CONTROL_CLOSE_SESSION, -2);
	expect_wrong("close_session", why);
	expect_wrong("close_session 0x", why);
	expect_wrong("close_session 0x0x1", why);
	expect_wrong("close_session -1", why);
	expect_wrong("close_session 1g", why);
	expect_wrong("close_session 10000000000000000", why);
}

static void expect_range(const char *text, const char *range)
{
	expect(text, CONTROL_KICK, 0);
	assert_int_equal(line.range.len, strlen(range));
	assert_memory_equal(line.range.data, range, strlen(range));
}

static void test_whom(void **state)
{
	static const char why[] = "kick takes a session's id in hex digits, or an IP address and "
				  "how many bits of it count";

	(void)state;
	expect("kick 0x12ab", CONTROL_KICK, 0x12ab);
	assert_null(line.range.data);
	expect("kick fe80", CONTROL_KICK, 0xfe80);
	expect_range("kick 10.0.0.7", "10.0.0.7");
	expect_range("  kick    10.0.0.0/8  ", "10.0.0.0/8");
	expect_range("kick fe80::1", "fe80::1");
	expect_range("kick ::/0", "::/0");
	expect_wrong("kick", why);
	expect_wrong("kick 0x1 0x2", why);
	expect_wrong("kick all", why);
	expect_wrong("kick 10.0.0", why);
	expect_wrong("kick 10.0.0.0/33", why);
	expect_wrong("kick ::1/129", why);
	expect_wrong("kick 10.0.0.7:1234", why);
	expect_wrong("kick localhost.", why);
}

static void test_what_is_none(void **state)
{
	(void)state;
	expect_wrong("", "the line names no command (see help)");
	expect_wrong("    ", "the line names no command (see help)");
	expect_wrong("Help", "there is no command \"Help\" (see help)");
	expect_wrong("hel", "there is no command \"hel\" (see help)");
	expect_wrong("helpx y z w", "there is no command \"helpx\" (see help)");
	expect_wrong("stop now", "stop takes nothing");
	expect_wrong("stop\t", "the line is not printable ASCII");
	expect_wrong("st\xc3\xb6p", "the line is not printable ASCII");
	expect_wrong("stop\r", "the line is not printable ASCII");
	assert_int_equal(control_line_parse((struct slice){ "stop\0", 5 }, &line, reason), -1);
	assert_string_equal(reason, "the line is not printable ASCII");
}

/* A whole line with its end has CONTROL_LINE_MAX bytes at most. */
static void test_lengths(void **state)
{
	char text[CONTROL_LINE_MAX + 1];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "stop", 4);
	assert_int_equal(
		control_line_parse((struct slice){ text, CONTROL_LINE_MAX - 1 }, &line, reason), 0);
	assert_int_equal(line.command, CONTROL_STOP);
	assert_int_equal(
		control_line_parse((struct slice){ text, CONTROL_LINE_MAX }, &line, reason), -1);
	assert_string_equal(reason, "the line is longer than 256 bytes");
	/* The longest name that is none is quoted whole. */
	memset(text, 'x', sizeof(text));
	assert_int_equal(
		control_line_parse((struct slice){ text, CONTROL_LINE_MAX - 1 }, &line, reason),
		-1);
	assert_string_equal(reason + strlen(reason) - 12, "\" (see help)");
}

static void test_words_become_a_line(void **state)
{
	char *good[] = { "close_session", "0x1" }, *wrong[] = { "stop", "now" };
	char many[CONTROL_LINE_MAX];
	char *longest[] = { "stop", many };
	char text[CONTROL_LINE_MAX];

	(void)state;
	assert_int_equal(control_client_line(good, 2, text, reason), 0);
	assert_string_equal(text, "close_session 0x1\n");
	assert_int_equal(control_client_line(wrong, 2, text, reason), -1);
	assert_string_equal(reason, "stop takes nothing");
	/* Blanks, so that nothing but the length is wrong. */
	memset(many, ' ', sizeof(many));
	many[CONTROL_LINE_MAX - 7] = '\0';
	assert_int_equal(control_client_line(longest, 2, text, reason), 0);
	assert_int_equal(strlen(text), CONTROL_LINE_MAX - 1);
	many[CONTROL_LINE_MAX - 7] = ' ';
	many[CONTROL_LINE_MAX - 6] = '\0';
	assert_int_equal(control_client_line(longest, 2, text, reason), -1);
	assert_string_equal(reason, "the line is longer than 256 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_every_command_has_its_name),
		cmocka_unit_test(test_help_names_all),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_percents),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_whom),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_words_become_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
