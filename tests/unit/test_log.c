#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "capture.h"

/* 2026-11-23T10:00:00.123Z */
#define WALL_MS INT64_C(1795428000123)
#define STAMP "2026-11-23T10:00:00.123Z "

static char text[300000];

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(1000, WALL_MS);
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_fake_stop();
	return 0;
}

static void test_lines(void **state)
{
	struct capture c;

	(void)state;
	capture_begin(&c);
	log_info("server.ready");
	log_warn("gate.refused", LOG_TEXT("peer", "10.0.0.7:40112"),
		 LOG_TEXT("reason", "certificate has expired"));
	log_error("store.failed", LOG_INT("count", -5), LOG_HEX("session", 0x10000abcd),
		  LOG_INT("least", INT64_MIN), LOG_HEX("all", -1));
	capture_end(&c, text, sizeof(text));
	assert_string_equal(text,
			    STAMP "level=info event=server.ready\n" STAMP
				  "level=warn event=gate.refused peer=10.0.0.7:40112 "
				  "reason=\"certificate has expired\"\n" STAMP
				  "level=error event=store.failed count=-5 session=0x10000abcd "
				  "least=-9223372036854775808 all=0xffffffffffffffff\n");
}

/* One line with one value. */
static void assert_value(struct slice value, const char *shown)
{
	char expected[5000];
	struct capture c;

	capture_begin(&c);
	log_info("a.b", LOG_SLICE("v", value));
	capture_end(&c, text, sizeof(text));
	snprintf(expected, sizeof(expected), STAMP "level=info event=a.b v=%s\n", shown);
	assert_string_equal(text, expected);
}

static void test_values(void **state)
{
	(void)state;
	assert_value(slice_of("/a/b-c_d.e:f,g;h"), "/a/b-c_d.e:f,g;h");
	assert_value(slice_of("!~"), "!~");
	assert_value(slice_of(""), "\"\"");
	assert_value((struct slice){ NULL, 0 }, "\"\"");
	assert_value(slice_of("a b"), "\"a b\"");
	assert_value(slice_of("a=b"), "\"a=b\"");
	assert_value(slice_of("a\"b"), "\"a\\\"b\"");
	assert_value(slice_of("a\\b"), "\"a\\\\b\"");
	assert_value(slice_of("a\nlevel=error"), "\"a\\nlevel=error\"");
	assert_value(slice_of("\r\t"), "\"\\r\\t\"");
	assert_value(slice_of("\x1b\x7f\xc3\xa4"), "\"\\x1b\\x7f\\xc3\\xa4\"");
	assert_value(slice_of("a\x7f"), "\"a\\x7f\"");
	assert_value(slice_of("\xc3\xa4"), "\"\\xc3\\xa4\"");
	assert_value((struct slice){ "a\0b", 3 }, "\"a\\x00b\"");
}

/* Every byte, alone: a line stays one line of printable ASCII. */
static void test_no_byte_forges_a_line(void **state)
{
	struct capture c;

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char value = (char)byte;
		size_t len;

		capture_begin(&c);
		log_info("a.b", LOG_SLICE("v", ((struct slice){ &value, 1 })));
		len = capture_end(&c, text, sizeof(text));
		assert_int_equal(text[len - 1], '\n');
		for (size_t i = 0; i + 1 < len; i++)
			assert_true(text[i] >= ' ' && text[i] < 0x7f);
	}
}

static void test_long_values_are_cut(void **state)
{
	char value[2000];
	char shown[2100];
	struct capture c;

	(void)state;
	memset(value, 'x', sizeof(value));
	memset(shown, 'x', sizeof(shown));
	strcpy(shown + 1024, "");
	assert_value((struct slice){ value, 1024 }, shown);
	strcpy(shown + 1024, "...");
	assert_value((struct slice){ value, 1025 }, shown);
	/* The fields behind it are still there, and the quotes are closed. */
	value[0] = ' ';
	capture_begin(&c);
	log_info("a.b", LOG_SLICE("v", ((struct slice){ value, sizeof(value) })), LOG_INT("n", 7));
	capture_end(&c, text, sizeof(text));
	assert_non_null(strstr(text, "v=\" xxx"));
	assert_non_null(strstr(text, "xxx...\" n=7\n"));
}

/* Whatever is in the way of the limit, the line ends well. */
static void test_long_lines_are_cut(void **state)
{
	char value[1100];
	char filler[1100];
	struct capture c;
	size_t len;

	(void)state;
	memset(value, '\n', sizeof(value));
	memset(filler, 'x', sizeof(filler));
	for (size_t n = 0; n < sizeof(value); n++) {
		const struct slice wide = { value, 900 };
		const struct slice thin = { filler, n };

		capture_begin(&c);
		log_info("a.b", LOG_SLICE("a", wide), LOG_SLICE("b", wide), LOG_SLICE("c", thin),
			 LOG_INT("number", 1234567), LOG_SLICE("d", wide), LOG_SLICE("e", wide));
		len = capture_end(&c, text, sizeof(text));
		assert_true(len <= 4096);
		assert_int_equal(strchr(text, '\n') - text, len - 1);
		assert_true(strcmp(text + len - 5, "...\"\n") == 0 ||
			    strcmp(text + len - 4, "...\n") == 0);
		/* A field that is not there at all has no name either. */
		assert_null(strstr(text, " number ..."));
		assert_null(strstr(text, "= ..."));
	}
}

static void test_levels(void **state)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	struct capture c;
	size_t len;

	(void)state;
	assert_int_equal(log_get_level(), LOG_LEVEL_INFO);
	for (int least = LOG_LEVEL_DEBUG; least <= LOG_LEVEL_ERROR; least++) {
		log_set_level((enum log_level)least);
		assert_int_equal(log_get_level(), least);
		for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
			capture_begin(&c);
			log_write((enum log_level)level, "a.b", LOG_FIELDS());
			len = capture_end(&c, text, sizeof(text));
			assert_int_equal(len > 0, level >= least);
			if (len > 0)
				assert_non_null(strstr(text, names[level]));
		}
	}
}

/* One line, whatever is in it, and to be read. */
static void test_escape(void **state)
{
	char *line = log_escape("z.cfg:3: a \"b\" \n\r\t\x1b[2J\x7f c:\\d \xc3\xb6");
	char *empty = log_escape("");

	(void)state;
	assert_string_equal(line, "z.cfg:3: a \"b\" \\n\\r\\t\\x1b[2J\\x7f c:\\\\d \\xc3\\xb6");
	assert_string_equal(empty, "");
	mem_free(line);
	mem_free(empty);
}

static void test_errno_stays(void **state)
{
	int saved = dup(STDERR_FILENO);

	(void)state;
	close(STDERR_FILENO);
	errno = ENOENT;
	log_error("a.b");
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(errno, ENOENT);
}

static void test_limit(void **state)
{
	static struct log_limit limit;
	uint32_t suppressed = 99;

	(void)state;
	for (int second = 0; second < 3; second++) {
		for (uint32_t i = 0; i < 10; i++) {
			assert_int_equal(log_limit_pass(&limit, 3, &suppressed), i < 3);
			/* What was passed over in the second before is told once. */
			assert_int_equal(suppressed, second > 0 && i == 0 ? 7 : 0);
		}
		clock_fake_advance(999);
		assert_int_equal(log_limit_pass(&limit, 3, &suppressed), 0);
		clock_fake_advance(1);
		/* That one more is taken back, or the numbers above would not be round. */
		limit.suppressed--;
	}
}

/* A clock that shows 0 does not make the first second look begun. */
static void test_limit_at_the_beginning(void **state)
{
	static struct log_limit limit = { .count = 1000 };
	uint32_t suppressed;

	(void)state;
	clock_fake_start(0, WALL_MS);
	assert_int_equal(log_limit_pass(&limit, 1, &suppressed), 1);
	assert_int_equal(log_limit_pass(&limit, 1, &suppressed), 0);
}

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("thread.line", LOG_TEXT("v", "some text that is not short"),
			 LOG_INT("n", i));
	return arg;
}

static void test_lines_of_threads_do_not_mix(void **state)
{
	static const char expected[] =
		STAMP "level=info event=thread.line v=\"some text that is not short\" n=";
	pthread_t threads[THREADS];
	struct capture c;
	int lines = 0;

	(void)state;
	capture_begin(&c);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, write_lines, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	capture_end(&c, text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		assert_memory_equal(line, expected, sizeof(expected) - 1);
		assert_true(strlen(line) < sizeof(expected) + 3);
		lines++;
	}
	assert_int_equal(lines, THREADS * LINES);
}

static void end_it(void)
{
	die("disk.failed", "the log could not be synced");
}

static void test_die(void **state)
{
	(void)state;
	capture_abort(end_it, text, sizeof(text));
	assert_string_equal(text, STAMP "level=error event=disk.failed "
					"reason=\"the log could not be synced\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_lines, set_up),
		cmocka_unit_test_setup(test_values, set_up),
		cmocka_unit_test_setup(test_no_byte_forges_a_line, set_up),
		cmocka_unit_test_setup(test_long_values_are_cut, set_up),
		cmocka_unit_test_setup(test_long_lines_are_cut, set_up),
		cmocka_unit_test_setup(test_levels, set_up),
		cmocka_unit_test_setup(test_escape, set_up),
		cmocka_unit_test_setup(test_errno_stays, set_up),
		cmocka_unit_test_setup(test_limit, set_up),
		cmocka_unit_test_setup(test_limit_at_the_beginning, set_up),
		cmocka_unit_test_setup(test_lines_of_threads_do_not_mix, set_up),
		cmocka_unit_test_setup(test_die, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
