#include "app/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

void verdict_print_bad(const char *text)
{
	char *line = log_escape(text);

	printf("bad: %s\n", line);
	mem_free(line);
}

static void tell(void *ctx, const char *text)
{
	(void)ctx;
	verdict_print_bad(text);
}

const struct verify_teller verdict_teller = { .fault = tell };

bool verdict_of_snapshot(const char *file, struct verify_report *report, struct seal *seal)
{
	char reason[STORE_REASON_LEN];
	int rc = verify_tree(file, &verdict_teller, report);

	*seal = (struct seal){ 0 };
	if (report->faults > VERIFY_MOST)
		printf("bad: and %" PRIu64 " more\n", report->faults - VERIFY_MOST);
	if (rc != 0)
		return false;
	rc = seal_read(file, seal, reason);
	if (rc == 0 || (rc == 1 && strcmp(seal->digest.whole, report->digest.whole) == 0))
		return true;
	if (rc == 1)
		snprintf(reason, sizeof(reason),
			 "%.300s%s: names another digest: the file was altered after it was "
			 "verified",
			 file, SEAL_SUFFIX);
	verdict_print_bad(reason);
	return false;
}
