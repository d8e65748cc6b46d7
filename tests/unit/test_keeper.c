/* What the keeper makes of what the process says that verifies. That process is this program, too:
 * it does what stands in the part. */
#include "app/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "tests/lib/tmpdir.h"

enum { WAIT_MS = 30000, LONG_LINE = 4000, LINES = 40 };

#define ZXID INT64_C(0x700000009)

/* ---- the other process ---- */

static const struct seal found = {
	.time_ms = 1,
	.zxid = ZXID,
	.digest = { "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		    "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" },
};

/* More than the keeper keeps, and than a pipe takes. */
static int say_much(void)
{
	for (int i = 0; i < LINES; i++)
		printf("bad: %0*d\n", LONG_LINE, i);
	return 1;
}

static int act(const char *part)
{
	char word[32] = "", text[SEAL_TEXT_LEN];
	FILE *file = fopen(part, "re");

	if (file == NULL || fgets(word, sizeof(word), file) == NULL)
		return 9;
	fclose(file);
	if (strcmp(word, "much") == 0)
		return say_much();
	if (strcmp(word, "hang") == 0)
		return pause();
	if (strcmp(word, "die") == 0)
		abort();
	if (strcmp(word, "unknown") == 0)
		return puts("unknown: no memory") < 0 ? 9 : 3;
	if (strcmp(word, "silent") == 0)
		return 1;
	if (strcmp(word, "bad") == 0)
		return puts("bad: its page 7") < 0 ? 9 : 1;
	seal_format(&found, text);
	return fputs(text, stdout) < 0 ? 9 : 0;
}

/* ---- the keeper ---- */

struct fixture {
	char *dir;
	char *part;
	struct keeper *keeper;
	struct keeper_result result;
};

static int set_up(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	log_set_level(LOG_LEVEL_ERROR);
	f->dir = tmpdir_make();
	f->part = snapshot_file_part(f->dir);
	f->keeper = keeper_new();
	*state = f;
	return f->keeper != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	keeper_free(f->keeper);
	mem_free(f->result.path);
	mem_free(f->part);
	tmpdir_remove(f->dir);
	mem_free(f);
	return 0;
}

static void begin(struct fixture *f, const char *word, int64_t timeout_ms)
{
	const struct keeper_order o = { .dir = f->dir,
					.zxid = ZXID,
					.timeout_ms = timeout_ms,
					.keep = 3 };
	FILE *file = fopen(f->part, "we");

	assert_non_null(file);
	fputs(word, file);
	fclose(file);
	keeper_start(f->keeper, &o);
}

static enum keeper_verdict verdict_on(struct fixture *f, const char *word, int64_t timeout_ms)
{
	struct pollfd poller = { .fd = keeper_fd(f->keeper), .events = POLLIN };

	mem_free(f->result.path);
	f->result = (struct keeper_result){ 0 };
	begin(f, word, timeout_ms);
	if (poll(&poller, 1, WAIT_MS) != 1)
		fail_msg("%s: it did not end", word);
	assert_true(keeper_take(f->keeper, &f->result));
	return f->result.verdict;
}

static bool is_there(const struct fixture *f)
{
	return access(f->part, F_OK) == 0;
}

static void test_good(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(verdict_on(f, "good", WAIT_MS), KEEPER_GOOD);
	assert_int_equal(f->result.kept, 1);
	assert_int_equal(access(f->result.path, F_OK), 0);
	assert_false(is_there(f));
}

static void test_bad(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(verdict_on(f, "bad", WAIT_MS), KEEPER_BAD);
	assert_string_equal(f->result.reason, "its page 7");
	assert_non_null(strstr(f->result.path, ".bad"));
	assert_int_equal(access(f->result.path, F_OK), 0);
}

static void test_nobody_can_say(void **state)
{
	static const struct {
		const char *word, *reason;
	} cases[] = {
		{ "unknown", "no memory" },
		/* One that found damage says which. */
		{ "silent", "ended with status 1" },
		{ "die", "ended with signal 6" },
		{ "hang", "took too long" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t timeout_ms = strcmp(cases[i].word, "hang") == 0 ? 200 : WAIT_MS;

		assert_int_equal(verdict_on(f, cases[i].word, timeout_ms), KEEPER_FAILED);
		if (strstr(f->result.reason, cases[i].reason) == NULL)
			fail_msg("%s: %s", cases[i].word, f->result.reason);
		assert_null(f->result.path);
		assert_false(is_there(f));
	}
}

static void test_one_that_says_too_much(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(verdict_on(f, "much", WAIT_MS), KEEPER_BAD);
	assert_int_equal(strspn(f->result.reason, "0"), sizeof(f->result.reason) - 1);
}

/* The server ends meanwhile. */
static void test_freed_while_it_verifies(void **state)
{
	struct fixture *f = *state;

	begin(f, "hang", WAIT_MS);
	keeper_free(f->keeper);
	f->keeper = NULL;
	assert_false(is_there(f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_bad),
		TEST(test_nobody_can_say),
		TEST(test_one_that_says_too_much),
		TEST(test_freed_while_it_verifies),
	};

	if (argc == 3 && strcmp(argv[1], "--verify-part") == 0)
		return act(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
