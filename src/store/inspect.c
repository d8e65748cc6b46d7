/* The header of a database file: sqlite.org/fileformat.html, 1.3. */
#include "store/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/files.h"

enum {
	HEADER_LEN = 100,
	AT_PAGE_SIZE = 16,
	AT_VERSIONS = 18, /* to write and to read it: 2 and 2 where it has a -wal */
	AT_CHANGES = 24,
	AT_PAGES = 28,
	AT_VALID_FOR = 92, /* the changes as of which the number of pages holds */
};

static const char magic[16] = "SQLite format 3";

static uint32_t number_at(const uint8_t *bytes, size_t len)
{
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | bytes[i];
	return v;
}

static int refuse(const char *path, const char *what, char reason[STORE_REASON_LEN])
{
	(void)snprintf(reason, STORE_REASON_LEN, "%s: %s", path, what);
	return STORE_DAMAGED;
}

/* A power of two from 512 on; 1 stands for 65536. */
static uint32_t page_size(const uint8_t *header)
{
	uint32_t size = number_at(header + AT_PAGE_SIZE, 2);

	if (size == 1)
		return 65536;
	return size >= 512 && (size & (size - 1)) == 0 ? size : 0;
}

/* Beside a -wal the file may be shorter: its pages are there. */
static int check_length(const char *path, const uint8_t *header, uint64_t bytes,
			char reason[STORE_REASON_LEN])
{
	uint64_t expected = (uint64_t)page_size(header) * number_at(header + AT_PAGES, 4);

	if (number_at(header + AT_CHANGES, 4) != number_at(header + AT_VALID_FOR, 4) ||
	    bytes >= expected || files_wal_bytes(path) > 0)
		return 0;
	(void)snprintf(reason, STORE_REASON_LEN,
		       "%s: is cut off: %" PRIu64 " of %" PRIu64 " bytes are there", path, bytes,
		       expected);
	return STORE_DAMAGED;
}

int inspect_file(const char *path, char reason[STORE_REASON_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t header[HEADER_LEN];
	struct stat st;
	int rc = 0;
	ssize_t n;

	/* Nothing of SQLite's has the file open in this process: closing it drops no lock. */
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) != 0 || st.st_size == 0 || files_has_journal(path))
		goto out;
	n = pread(fd, header, sizeof(header), 0);
	if (n < 0)
		rc = refuse(path, strerror(errno), reason);
	else if (n < HEADER_LEN)
		rc = refuse(path, "is cut off, or no database", reason);
	else if (memcmp(header, magic, sizeof(magic)) != 0 || page_size(header) == 0)
		rc = refuse(path, "is no database of SQLite, or its first page is damaged", reason);
	else if (header[AT_VERSIONS] != 2 || header[AT_VERSIONS + 1] != 2)
		rc = refuse(path, "is a database of another program, or its first page is damaged",
			    reason);
	else
		rc = check_length(path, header, (uint64_t)st.st_size, reason);
out:
	close(fd);
	return rc;
}

void inspect_name_command(const char *data_dir, const char *log_parent,
			  char reason[STORE_REASON_LEN])
{
	size_t len = strlen(reason);

	(void)snprintf(reason + len, STORE_REASON_LEN - len,
		       "; what can be read is salvaged by: zoolited --recover %s%s%s NEWDIR",
		       data_dir, log_parent != NULL ? " " : "",
		       log_parent != NULL ? log_parent : "");
}
