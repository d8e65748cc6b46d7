#include "app/command_export.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/complain.h"
#include "app/config.h"
#include "app/export.h"
#include "store/zk_write.h"

#define MOST_DATA ((unsigned long)1024 * 1024 * 1024)
enum { MAX_ANSWER = 16 * 1024 * 1024 };

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Whether the file begins as a database of SQLite does. */
static bool is_database(const char *path)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)];
	FILE *file = fopen(path, "re");
	bool is_one = file && fread(head, 1, sizeof(head), file) == sizeof(head) &&
		      memcmp(head, magic, sizeof(head)) == 0;

	if (file)
		fclose(file);
	return is_one;
}

static int finish(int rc, struct buf *out, const char *reason)
{
	if (buf_len(out) > 0)
		fwrite(buf_head(out), 1, buf_len(out), stdout);
	buf_fini(out);
	if (rc != 0)
		complain(reason);
	return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

/* source NULL: from the server of the configuration. */
static int export_configured(const struct export_order *o, const char *source, const char *path)
{
	char reason[EXPORT_REASON_LEN];
	struct config_report report;
	struct config config;
	struct buf out;
	int rc = EXIT_USAGE;

	if (config_load(path, &config, &report) != 0) {
		complain(report.error);
	} else {
		buf_init(&out, MAX_ANSWER);
		rc = finish(source ? export_files(o, source, &config, &out, reason)
				   : export_server(o, &config, &out, reason),
			    &out, reason);
	}
	config_fini(&config);
	config_report_fini(&report);
	return rc;
}

static int export_unconfigured(const struct export_order *o, const char *source)
{
	char reason[EXPORT_REASON_LEN];
	struct buf out;

	buf_init(&out, MAX_ANSWER);
	return finish(export_files(o, source, NULL, &out, reason), &out, reason);
}

static int export_from(const struct export_order *o, char *const arguments[], size_t count)
{
	const char *source = arguments[0];

	if (is_directory(source) || is_database(source))
		return count == 2 ? export_configured(o, source, arguments[1])
				  : export_unconfigured(o, source);
	if (count == 1)
		return export_configured(o, NULL, source);
	complain("zoolited: --export takes a snapshot or a data directory before the configuration "
		 "file, or the configuration file alone");
	return EXIT_USAGE;
}

static bool parse_bytes(const char *text, size_t *out)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	*out = n;
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && n > 0 &&
	       n <= MOST_DATA;
}

int command_export(char *const arguments[], size_t count)
{
	struct export_order order = { .max_data = ZK_WRITE_MAX_DATA };
	size_t at = 0;

	for (; at < count && arguments[at][0] == '-'; at++) {
		if (strcmp(arguments[at], "--gzip") == 0) {
			order.is_packed = true;
		} else if (strcmp(arguments[at], "--max-data") != 0 || at + 1 == count ||
			   !parse_bytes(arguments[++at], &order.max_data)) {
			complain("zoolited: --export knows --gzip and --max-data BYTES");
			return EXIT_USAGE;
		}
	}
	if (count - at < 2 || count - at > 3) {
		complain("zoolited: --export takes a directory for ZooKeeper, and a snapshot or a "
			 "data directory, a configuration file, or both");
		return EXIT_USAGE;
	}
	order.target = arguments[at];
	return export_from(&order, arguments + at + 1, count - at - 1);
}
