#include "app/command_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/complain.h"
#include "app/config.h"
#include "app/verdict.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/snapshot_file.h"
#include "store/verify_log.h"

enum { LOWEST_PRIORITY = 19, IO_WHO_PROCESS = 1, IO_CLASS_IDLE = 3, IO_CLASS_SHIFT = 13 };

static void print_good(const char *path)
{
	char *name = log_escape(path);

	printf("good: %s\n", name);
	mem_free(name);
}

static void print_found(const struct verify_report *r, uint32_t epoch)
{
	const struct seal seal = { .time_ms = clock_wall_ms(),
				   .epoch = epoch,
				   .zxid = r->meta.zxid,
				   .znodes = r->znodes,
				   .ephemerals = r->ephemerals,
				   .sessions = r->sessions,
				   .bytes = r->bytes,
				   .digest = r->digest };
	char text[SEAL_TEXT_LEN];

	seal_format(&seal, text);
	fputs(text, stdout);
}

static int verify_file(const char *path)
{
	struct verify_report report;
	enum verdict verdict;
	struct seal seal;

	verdict = verdict_of_snapshot(path, &report, &seal);
	if (verdict != VERDICT_GOOD)
		return verdict_status(verdict);
	print_good(path);
	print_found(&report, seal.epoch);
	return EXIT_OK;
}

static int verify_dirs(const char *data_dir, const char *log_parent)
{
	char *path = files_join(data_dir, "tree.db"), *log_dir = files_join(log_parent, "log");
	struct verify_log_report log = { 0 };
	struct verify_report tree;
	struct seal none;
	enum verdict verdict = verdict_of_snapshot(path, &tree, &none);

	/* Without a tree there is nothing that the log can be compared with. */
	if (verdict == VERDICT_GOOD && verify_log(log_dir, &tree.meta, &verdict_teller, &log) != 0)
		verdict = VERDICT_BAD;
	if (verdict == VERDICT_GOOD) {
		print_good(data_dir);
		print_found(&tree, log.epoch);
		printf("segments=%" PRIu64 "\nchanges=%" PRIu64 "\nlast=0x%" PRIx64 "\n",
		       log.segments, log.changes, (uint64_t)log.last);
	}
	mem_free(path);
	mem_free(log_dir);
	return verdict_status(verdict);
}

int command_verify(char *const arguments[], size_t count)
{
	struct config_report report;
	struct config config;
	int rc = EXIT_USAGE;

	(void)count;
	if (snapshot_file_is_one(arguments[0]))
		return verify_file(arguments[0]);
	if (config_load(arguments[0], &config, &report) != 0)
		complain(report.error);
	else
		rc = verify_dirs(config.data_dir,
				 config.data_log_dir ? config.data_log_dir : config.data_dir);
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

/* Where the machine or the unit does not let us, it is done at the priority that there is. */
static void step_back(void)
{
	if (setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY) != 0)
		log_debug("verify.priority", LOG_TEXT("reason", strerror(errno)));
	/* As ionice -c idle, for which there is no function. */
	if (syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_CLASS_IDLE << IO_CLASS_SHIFT) != 0)
		log_debug("verify.io_priority", LOG_TEXT("reason", strerror(errno)));
}

/* Whether nobody is left to hear of it: who began it ended before it could say that it wants to
 * end, too. Its pid would not tell: an init that serves is a parent like others. */
static bool is_orphan(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

int command_verify_part(char *const arguments[], size_t count)
{
	char reason[STORE_REASON_LEN];

	(void)count;
	if (is_orphan())
		return EXIT_UNKNOWN;
	step_back();
	/* Where a disk that is full or fails keeps it from being written, nothing is known of it
	 * yet. */
	switch (snapshot_file_settle(arguments[0], reason)) {
	case 0:
		return verify_file(arguments[0]);
	case STORE_DAMAGED:
		verdict_print_bad(reason);
		return EXIT_FAILED;
	default:
		verdict_print_unknown(reason);
		return EXIT_UNKNOWN;
	}
}
