#include "app/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/complain.h"
#include "base/log.h"
#include "base/mem.h"

static void print(const char *word, const char *text)
{
	char *line = log_escape(text);

	printf("%s: %s\n", word, line);
	mem_free(line);
}

void verdict_print_bad(const char *text)
{
	print("bad", text);
}

void verdict_print_unknown(const char *text)
{
	print("unknown", text);
}

static void tell(void *ctx, const char *text)
{
	(void)ctx;
	verdict_print_bad(text);
}

static void tell_failure(void *ctx, const char *text)
{
	(void)ctx;
	verdict_print_unknown(text);
}

const struct verify_teller verdict_teller = { .fault = tell, .failure = tell_failure };

int verdict_status(enum verdict v)
{
	if (v == VERDICT_UNKNOWN)
		return EXIT_UNKNOWN;
	return v == VERDICT_GOOD ? EXIT_OK : EXIT_FAILED;
}

enum verdict verdict_of_snapshot(const char *file, struct verify_report *report, struct seal *seal)
{
	char reason[STORE_REASON_LEN];
	int rc = verify_tree(file, &verdict_teller, report);

	*seal = (struct seal){ 0 };
	if (report->faults > VERIFY_MOST)
		printf("bad: and %" PRIu64 " more\n", report->faults - VERIFY_MOST);
	if (rc != 0)
		return report->faults > 0 ? VERDICT_BAD : VERDICT_UNKNOWN;
	rc = seal_read(file, seal, reason);
	if (rc == 0 || (rc == 1 && strcmp(seal->digest.whole, report->digest.whole) == 0))
		return VERDICT_GOOD;
	if (rc == 1)
		snprintf(reason, sizeof(reason),
			 "%.300s%s: names another digest: the file was altered after it was "
			 "verified",
			 file, SEAL_SUFFIX);
	verdict_print_bad(reason);
	return VERDICT_BAD;
}
