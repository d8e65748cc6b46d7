#include "app/recover.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/complain.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/salvage.h"

static void tell(void *ctx, const char *line)
{
	char *text = log_escape(line);

	(void)ctx;
	printf("%s\n", text);
	mem_free(text);
}

static void tell_summary(const struct salvage_report *r, const char *dir)
{
	char *name = log_escape(dir);

	printf("%s: %" PRIu64 " znodes up to 0x%" PRIx64 ", of these %" PRIu64
	       " that the tree had lost, from the log; %" PRIu64 " changes newer than the tree\n",
	       name, r->znodes, (uint64_t)r->zxid, r->from_log, r->changes);
	printf("left out: all sessions and their %" PRIu64 " ephemeral znodes\n", r->ephemeral);
	printf("damaged: %" PRIu64 " places; lost: %" PRIu64
	       " znodes and changes; made up: %" PRIu64 " znodes; without their ACL: %" PRIu64 "\n",
	       r->damaged, r->lost, r->made, r->closed);
	mem_free(name);
}

static char *const *directories;
static size_t directory_count;

/* The store has said what it could not write. It is no server's death, that would want a core. */
static void complain_and_end(const char *event)
{
	const char *new_dir = directories[directory_count - 1];
	char text[3 * PATH_MAX];

	(void)event;
	(void)snprintf(text, sizeof(text),
		       "%.*s: was not finished, see the line before: make room, or mend the disk, "
		       "and do it again; %.*s is as it was",
		       PATH_MAX, new_dir, PATH_MAX, directories[0]);
	complain(text);
	_exit(EXIT_FAILED);
}

int recover(char *const arguments[], size_t count)
{
	const struct salvage_options o = { .data_dir = arguments[0],
					   .log_dir = count == 3 ? arguments[1] : NULL,
					   .new_dir = arguments[count - 1],
					   .tell = tell };
	struct salvage_report report;
	char reason[STORE_REASON_LEN];

	/* The server's log is not what somebody at a terminal wants to read. */
	log_set_level(LOG_LEVEL_ERROR);
	umask(S_IRWXG | S_IRWXO);
	directories = arguments;
	directory_count = count;
	log_set_death_hook(complain_and_end);
	if (salvage(&o, &report, reason) != 0) {
		complain(reason);
		return EXIT_FAILED;
	}
	tell_summary(&report, o.new_dir);
	return EXIT_OK;
}
